"""Files do what those of `io` do: both are driven by the same generated operations."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import asyncsys_loop

from .support import examples

generated = settings(
    max_examples=examples(150),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

Operation = tuple[str, tuple[Any, ...]]

sizes = st.one_of(st.none(), st.integers(-3, 40))
lines = st.lists(
    st.sampled_from([b"a", b"bc", b"\n", b"\r", b"\r\n", b"\xc3\xa4", b"\xff", b"0123456789"]),
    max_size=12,
).map(b"".join)
texts = st.text(alphabet="ab\n\rä€\U0001f600\x85\u2028\x0c", max_size=12)


def operation(name: str, *arguments: st.SearchStrategy[Any]) -> st.SearchStrategy[Operation]:
    return st.tuples(st.just(name), st.tuples(*arguments))


binary_operations = st.lists(
    st.one_of(
        operation("read", sizes),
        operation("read"),
        operation("read1", st.integers(-1, 40)),
        operation("readinto", st.integers(0, 40)),
        operation("readinto1", st.integers(0, 40)),
        operation("readall"),
        operation("readline", sizes),
        operation("readlines", sizes),
        operation("next"),
        operation("peek"),
        operation("write", lines),
        operation("writelines", st.lists(lines, max_size=3)),
        operation("seek", st.integers(-10, 60), st.integers(0, 4)),
        operation("tell"),
        operation("truncate", st.one_of(st.none(), st.integers(-2, 60))),
        operation("flush"),
        operation("state"),
    ),
    max_size=14,
)
text_operations = st.lists(
    st.one_of(
        operation("read", sizes),
        operation("read"),
        operation("readline", st.integers(-3, 40)),
        operation("readlines", sizes),
        operation("next"),
        operation("write", texts),
        operation("writelines", st.lists(texts, max_size=3)),
        operation("seek", st.sampled_from([0, 0, -1, 1]), st.integers(-1, 4)),
        operation("tell"),
        operation("return", st.integers(0, 3)),
        operation("truncate", st.one_of(st.none(), st.integers(-2, 60))),
        operation("flush"),
        operation("state"),
    ),
    max_size=14,
)
encodings = st.sampled_from(
    ["utf-8", "utf-16", "utf-8-sig", "latin-1", "ascii", "utf-7", "shift_jis"]
)
error_handlers = st.sampled_from(["replace", "surrogateescape", "ignore", "backslashreplace"])
newlines = st.sampled_from([None, "", "\n", "\r", "\r\n"])
modes = st.sampled_from(["r", "w", "a", "x", "r+", "w+", "a+", "x+"])


def opener_at(position: int) -> Callable[[str, int], int]:
    def opener(path: str, flags: int) -> int:
        fd = os.open(path, flags, 0o666)
        os.lseek(fd, position, os.SEEK_SET)
        return fd

    return opener


openers = st.sampled_from([None, None, opener_at(3)])

PROPERTIES = ("closed", "mode", "encoding", "errors", "newlines", "line_buffering", "write_through")
READ_ONCE = ("read1", "readinto1", "read", "readline", "readlines", "next")
ANSWERS = ("readable", "writable", "seekable", "isatty")


def state(file: Any) -> dict[str, Any]:
    found = {name: getattr(file, name, "none") for name in PROPERTIES}
    return found | {name: getattr(file, name)() == True for name in ANSWERS}  # noqa: E712


class Original:
    """A file of `io`, driven."""

    def __init__(self, file: Any) -> None:
        self.file = file
        self.cookies: list[int] = []

    def do(self, name: str, arguments: tuple[Any, ...]) -> Any:
        file = self.file
        if name in {"readinto", "readinto1"}:
            buffer = bytearray(arguments[0])
            count = getattr(file, name)(buffer)
            return count, bytes(buffer)
        if name == "next":
            return next(file, None)
        if name == "state":
            return state(file)
        if name == "tell":
            self.cookies.append(file.tell())
            return self.cookies[-1]
        if name == "return":
            if not self.cookies:
                return None
            return file.seek(self.cookies[arguments[0] % len(self.cookies)])
        return getattr(file, name)(*arguments)


class Twin(Original):
    """A file of ours, driven."""

    async def drive(self, name: str, arguments: tuple[Any, ...]) -> Any:
        file = self.file
        if name in {"readinto", "readinto1"}:
            buffer = bytearray(arguments[0])
            count = await getattr(file, name)(buffer)
            return count, bytes(buffer)
        if name == "next":
            return await anext(file, None)
        if name == "state":
            return state(file)
        if name == "tell":
            self.cookies.append(await file.tell())
            return self.cookies[-1]
        if name == "return":
            if not self.cookies:
                return None
            return await file.seek(self.cookies[arguments[0] % len(self.cookies)])
        return await getattr(file, name)(*arguments)


def shown(error: BaseException, path: Path) -> Any:
    message = str(error).replace(str(path), "PATH")
    if isinstance(error, AttributeError):
        message = ""  # it names the class
    return type(error).__mro__[0].__name__, message


async def compare(
    directory: Path,
    mode: str,
    content: bytes,
    operations: list[Operation],
    chunk: int | None = None,
    **options: Any,
) -> None:
    paths = directory / "original", directory / "twin"
    for path in paths:
        path.unlink(missing_ok=True)
        if "x" not in mode:
            path.write_bytes(content)
    original = Original(open(paths[0], mode, **options))  # noqa: SIM115
    twin = Twin(await asyncsys_loop.open(paths[1], mode, **options))
    if chunk is not None:
        original.file._CHUNK_SIZE = chunk
    try:
        assert state(twin.file) == state(original.file)
        written = iterated = False
        told = False
        for name, given in operations:
            arguments = given
            if arguments == (None,) and name == "read" and not original.file.readable():
                arguments = ()  # since Python 3.12, io judges None before it says that it can't
            told = told or name in {"tell", "seek", "return"}
            # After next(), a text file of `io` refuses to tell(), or, flushed, tells nonsense.
            # Ours tells: test_tell_while_iterating().
            if "b" not in mode:
                if name in {"next", "readlines"}:
                    iterated = True
                elif iterated and "+" in mode and name in {"write", "writelines"}:
                    continue  # what io then does with what it has decoded depends on its version
                elif (name == "tell" or (name, *arguments[1:]) == ("seek", 1)) and iterated:
                    continue
            if written and name in READ_ONCE:
                # read1() of `io` forgets to write first what is buffered; and text uses it.
                original.file.flush()
                written = False
            if name in {"write", "writelines"} and "+" in mode:
                written = True
            expected: Any
            got: Any
            try:
                expected = original.do(name, arguments)
            except Exception as error:  # noqa: BLE001
                expected = shown(error, paths[0])
            try:
                got = await twin.drive(name, arguments)
            except Exception as error:  # noqa: BLE001
                got = shown(error, paths[1])
            if name in {"peek", "read1", "readinto1"} and type(got) is type(expected):
                # How much they give is up to their buffers.
                if name == "readinto1" and isinstance(got[0], int):
                    expected, got = expected[1][: expected[0]], got[1][: got[0]]
                if isinstance(got, bytes):
                    more = len(got) - len(expected)
                    if more and name != "peek":
                        if more > 0:
                            await twin.file.seek(-more, os.SEEK_CUR)
                        else:
                            original.file.seek(more, os.SEEK_CUR)
                    if got and expected:
                        got, expected = got[: len(expected)], expected[: len(got)]
            if name == "state" and (told or chunk is not None):
                # It depends on how much was read ahead; and tell() of io, which decodes from the
                # start again, may forget some.
                got["newlines"] = expected["newlines"]
            if chunk is None or name not in {"tell", "seek", "return"}:
                assert got == expected, (name, arguments)
            if name in {"seek", "return"} and isinstance(got, int):
                iterated = False
    finally:
        original.file.close()
        await twin.file.close()
    assert paths[1].read_bytes() == paths[0].read_bytes()


@generated
@given(modes, lines, binary_operations, openers)
async def test_raw(
    tmp_path: Path, mode: str, content: bytes, operations: list[Operation], opener: Any
) -> None:
    await compare(tmp_path, mode + "b", content, operations, buffering=0, opener=opener)


@generated
@given(modes, lines, binary_operations, st.sampled_from([-1, 2, 3, 7, 16, 4096]), openers)
async def test_buffered(
    tmp_path: Path,
    mode: str,
    content: bytes,
    operations: list[Operation],
    buffering: int,
    opener: Any,
) -> None:
    await compare(tmp_path, mode + "b", content, operations, buffering=buffering, opener=opener)


@generated
@given(
    modes,
    lines,
    text_operations,
    st.sampled_from([-1, 1, 3, 16]),
    encodings,
    error_handlers,
    newlines,
    openers,
)
async def test_text(
    tmp_path: Path,
    mode: str,
    content: bytes,
    operations: list[Operation],
    buffering: int,
    encoding: str,
    errors: str,
    newline: str | None,
    opener: Any,
) -> None:
    await compare(
        tmp_path,
        mode,
        content,
        operations,
        buffering=buffering,
        encoding=encoding,
        errors=errors,
        newline=newline,
        opener=opener,
    )


@pytest.mark.parametrize(("mode", "buffering"), [("r+b", 0), ("r+b", -1), ("rb", -1), ("r+", -1)])
@pytest.mark.parametrize("number", [2**63, 2**64, 2**70, -(2**63) - 1, -(2**70)])
async def test_numbers_beyond_those_of_c(
    tmp_path: Path, mode: str, buffering: int, number: int
) -> None:
    """Where io raises errors of several kinds, ours does, too, or a size is just no limit."""
    path = tmp_path / "file"
    content = b"one\ntwo\nthree"
    path.write_bytes(content)
    calls: list[tuple[str, tuple[int, ...]]] = [("seek", (number, 1)), ("seek", (0, number))]
    if "b" in mode:  # a position of text has more bits
        calls.append(("seek", (number,)))
    sizes = ("read", "read1", "readline", "readlines", "truncate")
    calls += [(name, (number,)) for name in sizes]
    for name, arguments in calls:
        async with asyncsys_loop.open(path, mode, buffering) as file:
            with path.open(mode, buffering) as original:
                if not hasattr(original, name):
                    continue
                with pytest.raises((OverflowError, ValueError, OSError)):
                    getattr(original, name)(*arguments)
                unlimited = (1000,) if number > 0 else (-1,)
                expected: Any = None
                if name in sizes and name != "truncate":
                    expected = getattr(original, name)(*unlimited)
            got = None
            try:
                got = await getattr(file, name)(*arguments)
            except (OverflowError, ValueError, OSError):
                # And nothing has happened.
                assert await file.tell() == 0
                assert len(await file.read()) == len(content)
            else:
                assert got == expected
        assert path.read_bytes() == content


@generated
@given(texts, text_operations, encodings, error_handlers, newlines, st.integers(1, 9))
async def test_text_in_small_chunks(
    tmp_path: Path,
    content: str,
    operations: list[Operation],
    encoding: str,
    errors: str,
    newline: str | None,
    chunk: int,
) -> None:
    # A number that tell() returns depends on the chunks; where it leads must not.
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("asyncsys_loop._file_text._CHUNK", chunk)
        await compare(
            tmp_path,
            "r",
            content.encode(encoding, "ignore"),
            operations,
            chunk=chunk,
            encoding=encoding,
            errors=errors,
            newline=newline,
        )
