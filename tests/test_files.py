"""Files: what `io` has no word on. Opening, two tasks, cancellation, failures, ends."""

import asyncio
import codecs
import errno
import gc
import gzip
import io
import locale
import os
import random
import resource
import socket
import sys
import threading
import time
import warnings
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, AnyStr, assert_type

import pytest

import asyncsys_loop
from asyncsys_loop import io as layers
from asyncsys_loop import tempfile
from asyncsys_loop._file_raw import FileIO

from .support import both_ways, bytes_in, claimed, descriptors, output_of, run_python, until


async def awaited(value: Any) -> Any:
    return await value if hasattr(value, "__await__") else value


# Opening


async def test_awaited_and_entered(tmp_path: Path) -> None:
    path = tmp_path / "file"
    async with asyncsys_loop.open(path, "w") as writer:
        assert writer.fileno() > 2
        await writer.write("content")
    assert writer.closed
    reader = await asyncsys_loop.open(path)
    async with reader as same:
        assert same is reader
        assert await reader.read() == "content"
    assert reader.closed
    async with await asyncsys_loop.open(path, "rb") as binary:
        assert await binary.read() == b"content"
    await reader.close()
    await reader.aclose()
    async with asyncio.TaskGroup() as group:  # as aiofiles' and anyio's
        opening = group.create_task(asyncsys_loop.open(path))
    async with opening.result() as reader:
        assert await reader.read() == "content"
    opening = asyncio.create_task(asyncsys_loop.open(path))
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening


BAD_ARGUMENTS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    (("{}",), {}),
    (("{}", "rb"), {}),
    (("{}", "r+b", 0), {}),
    (("{}", "ab"), {}),
    (("{}", "x"), {}),
    (("",), {}),
    ((b"",), {}),
    (("a\0b",), {}),
    ((b"a\0b",), {}),
    ((1.5,), {}),
    ((None,), {}),
    (([],), {}),
    ((-1,), {}),
    ((-1,), {"closefd": False}),
    ((2**40,), {}),
    ((-(2**40),), {}),
    ((999999,), {}),
    (("{}", "rt+b"), {}),
    (("{}", "q"), {}),
    (("{}", "rr"), {}),
    (("{}", "rw"), {}),
    (("{}", "+"), {}),
    (("{}", "b"), {}),
    (("{}", ""), {}),
    (("{}", "U"), {}),
    (("{}", "rU"), {}),
    (("{}", 3), {}),
    (("{}", "rb"), {"encoding": "utf-8"}),
    (("{}", "rb"), {"errors": "strict"}),
    (("{}", "rb"), {"newline": "\n"}),
    (("{}", "r", 0), {}),
    (("{}", "r", "0"), {}),
    (("{}", "rb", -2), {}),
    (("{}", "r"), {"newline": "u"}),
    (("{}", "r"), {"newline": 3}),
    (("{}", "r"), {"encoding": "nonsense"}),
    (("{}", "r"), {"encoding": "hex"}),
    (("{}", "r"), {"encoding": 3}),
    (("{}", "r"), {"encoding": "a\0b"}),
    (("{}", "r"), {"errors": 3}),
    (("{}",), {"closefd": False}),
    (("{}/",), {}),
    (("{}/below",), {}),
    (("{}-missing",), {}),
    (("{}-missing", "r+b"), {}),
    (("/",), {}),
    (("/", "w"), {}),
    (("/", "rb", 0), {}),
    (("{}", "rb"), {"opener": lambda _path, _flags: -3}),
    (("{}", "rb"), {"opener": lambda _path, _flags: 1.5}),
    (("{}", "rb"), {"opener": lambda _path, _flags: None}),
    (("{}", "rb"), {"opener": lambda _path, _flags: 1 // 0}),
    (("{}", "rb"), {"opener": lambda path, _flags: os.open(os.path.dirname(path), os.O_RDONLY)}),
]

_hooked: list[Any] | None = None


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if _hooked is None or event != "open" or arguments[1] is None:
        return
    # Others are imports, and the thread that watches the loop.
    is_import = str(arguments[0]).endswith((".py", ".pyc"))
    if threading.current_thread() is threading.main_thread() and not is_import:
        _hooked.append(arguments)


sys.addaudithook(_audit)


async def outcome(do: Callable[[], Any]) -> tuple[Any, ...]:
    """Return what became of an attempt: what is shown or was raised, and what was audited."""
    global _hooked  # noqa: PLW0603
    _hooked = []
    try:
        file = await awaited(do())
    except Exception as error:  # noqa: BLE001
        return type(error), error.args, getattr(error, "filename", None), _hooked
    finally:
        audited, _hooked = _hooked, None
    shown = repr(file).replace("asyncsys_loop.io.", "").replace("_io.", "")
    if hasattr(file, "close"):
        await awaited(file.close())
    return shown, audited


@pytest.mark.parametrize(("arguments", "options"), BAD_ARGUMENTS)
async def test_open_is_judged_as_by_io(
    tmp_path: Path, arguments: tuple[Any, ...], options: dict[str, Any]
) -> None:
    path = tmp_path / "file"
    path.write_text("content")
    first = arguments[0].format(path) if isinstance(arguments[0], str) else arguments[0]
    arguments = (first, *arguments[1:])
    # They import what they need before anything is audited: an import may write bytecode.
    assert locale.getencoding()
    codecs.lookup("hex")
    expected = await outcome(lambda: open(*arguments, **options))  # noqa: SIM115
    assert await outcome(lambda: asyncsys_loop.open(*arguments, **options)) == expected
    gc.collect()


@pytest.mark.parametrize("mode", ["r", "rb", "w", "wb", "a", "ab", "r+", "w+b", "a+"])
@pytest.mark.parametrize("buffering", [-1, 0, 1, 2, 100])
async def test_modes(tmp_path: Path, mode: str, buffering: int) -> None:
    path = tmp_path / "file"
    path.write_text("content")
    found = []
    for opening in (open, asyncsys_loop.open):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")

            async def opened() -> Any:
                return await awaited(opening(path, mode, buffering))  # noqa: B023

            shown = await outcome(opened)
        found.append((shown, [(w.category, str(w.message), w.filename) for w in caught]))
    assert found[1] == found[0]


@pytest.mark.parametrize("file", [b"{}", "{}"])
async def test_names(tmp_path: Path, file: str | bytes) -> None:
    path = tmp_path / "file"
    path.write_text("content")
    given = os.fsencode(path) if isinstance(file, bytes) else str(path)
    async with asyncsys_loop.open(given) as found:
        assert found.name == given == found.buffer.name == found.buffer.raw.name
    async with asyncsys_loop.open(path) as found:
        assert found.name == str(path)


async def test_encoding_warning() -> None:
    source = """
import asyncio, warnings
import asyncsys_loop

async def main():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        async with asyncsys_loop.open("/dev/null"):
            pass
        async with asyncsys_loop.open("/dev/null", "rb"):
            pass
        async with asyncsys_loop.open("/dev/null", encoding="utf-8"):
            pass
    print([(w.category.__name__, str(w.message), w.filename, w.lineno) for w in caught])

asyncsys_loop.run(main())
"""
    shown = output_of(source, "-X", "warn_default_encoding")
    assert shown == "[('EncodingWarning', \"'encoding' argument not specified\", '<string>', 8)]\n"


async def test_openers(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    called: list[tuple[Any, int]] = []

    def opener(name: str, flags: int) -> int:
        called.append((name, flags))
        return os.open(path, flags)

    async def async_opener(name: str, flags: int) -> int:
        called.append((name, flags))
        fd = await asyncsys_loop.os.open(path, flags)
        os.set_inheritable(fd, True)
        return fd

    for each in (opener, async_opener):
        async with asyncsys_loop.open("imaginary", "rb", opener=each) as file:
            assert await file.read() == b"content"
            assert file.name == "imaginary"
            assert not os.get_inheritable(file.fileno())
    assert called == [("imaginary", os.O_RDONLY | os.O_CLOEXEC)] * 2


async def test_an_opener_that_sets_a_position(tmp_path: Path) -> None:
    path = tmp_path / "file"

    def opener(name: str, flags: int) -> int:
        fd = os.open(name, flags)
        os.lseek(fd, 6, os.SEEK_SET)
        return fd

    for mode in ("r+", "a"):
        path.write_bytes("abcd".encode("utf-16"))
        async with asyncsys_loop.open(path, mode, encoding="utf-16", opener=opener) as text:
            await text.write("x")
        expected = "abxd" if mode == "r+" else "abcdx"
        assert path.read_bytes() == expected.encode("utf-16")  # no second byte order mark
    path.write_bytes(bytes(range(20)))
    async with asyncsys_loop.open(path, "rb", opener=opener) as file:
        assert file.raw._position == 6
        reading = asyncio.create_task(file.read(4))
        await passed(1)
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        assert await file.read() in {bytes(range(6, 20)), bytes(range(10, 20))}


async def test_a_descriptor_that_was_given(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    fd = os.open(path, os.O_RDWR)
    os.lseek(fd, 3, os.SEEK_SET)
    async with asyncsys_loop.open(fd, "rb", closefd=False) as file:
        assert file.name == fd
        assert await file.tell() == 3
        assert await file.read(2) == b"34"
        assert not file.raw.closefd
    os.fstat(fd)

    class Index:
        def __index__(self) -> int:
            return fd

    given: Any = Index()
    async with asyncsys_loop.open(given, "rb", closefd=False) as file:
        assert file.fileno() == file.name == fd
    async with asyncsys_loop.open(fd, "a") as appending:
        assert await appending.tell() == 10
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


@both_ways
async def test_cancelled_open_leaves_nothing(tmp_path: Path, fast_path: bool) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    before = descriptors()
    for pause in range(60):
        task = asyncio.create_task(opened_and_left(path))
        await passed(pause % 6)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    await until(lambda: descriptors() == before)


async def opened_and_left(path: Path) -> None:
    async with asyncsys_loop.open(path) as file:
        await file.read()


async def passed(turns: int) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)


async def test_layers_that_cannot_be(tmp_path: Path) -> None:
    path = tmp_path / "file"
    async with asyncsys_loop.open(path, "wb", 0) as writer:
        with pytest.raises(io.UnsupportedOperation, match="not readable"):
            layers.BufferedReader(writer)
        with pytest.raises(io.UnsupportedOperation, match="not readable"):
            layers.BufferedRandom(writer)
    async with asyncsys_loop.open(path, "rb", 0) as reader:
        with pytest.raises(io.UnsupportedOperation, match="not writable"):
            layers.BufferedWriter(reader)
        with pytest.raises(ValueError, match="strictly positive"):
            layers.BufferedReader(reader, 0)
    with pytest.raises(ValueError, match="closed"):
        layers.BufferedWriter(writer)


async def types_that_checkers_find(path: str, mode: str) -> None:
    """Not called: mypy looks at it."""
    assert_type(await asyncsys_loop.open(path), layers.TextIOWrapper)
    assert_type(await asyncsys_loop.open(path, "w+", 1), layers.TextIOWrapper)
    assert_type(await asyncsys_loop.open(path, "rb"), layers.BufferedReader)
    assert_type(await asyncsys_loop.open(path, "xb"), layers.BufferedWriter)
    assert_type(await asyncsys_loop.open(path, "r+b"), layers.BufferedRandom)
    assert_type(await asyncsys_loop.open(path, "wb", 0), layers.FileIO)
    assert_type(await asyncsys_loop.open(path, "rb", 512), asyncsys_loop.AsyncFile[bytes])
    async with asyncsys_loop.open(path, "ab") as binary:
        assert_type(binary, layers.BufferedWriter)
    async with asyncsys_loop.open(path) as text:
        assert_type(text, layers.TextIOWrapper)
        async for line in text:
            assert_type(line, str)
    anything = await asyncsys_loop.open(path, mode)
    assert_type(anything, Any)
    assert_type(asyncsys_loop.wrap(3, "rb"), layers.BufferedReader)
    assert_type(asyncsys_loop.wrap(io.StringIO()), asyncsys_loop.AsyncFile[str])
    async with tempfile.TemporaryFile() as temporary:
        assert_type(temporary, layers.BufferedRandom)
    async with tempfile.NamedTemporaryFile("w+") as named:
        assert_type(named, layers.TextIOWrapper)
    assert_type(await tempfile.TemporaryFile("w", dir=b"/tmp"), layers.TextIOWrapper)
    assert_type(await tempfile.TemporaryFile("wb"), layers.BufferedWriter)
    assert_type(await tempfile.TemporaryFile("rb", suffix=".x"), layers.BufferedReader)
    assert_type(await tempfile.TemporaryFile("wb", 0), layers.FileIO)
    assert_type(await tempfile.TemporaryFile(buffering=0, prefix=b"x"), layers.FileIO)
    assert_type(await tempfile.TemporaryFile(buffering=512), asyncsys_loop.AsyncFile[bytes])
    assert_type(await tempfile.TemporaryFile(mode), Any)
    assert_type(await tempfile.NamedTemporaryFile(delete=False), layers.BufferedRandom)
    assert_type(await tempfile.NamedTemporaryFile("ab"), layers.BufferedWriter)
    assert_type(await tempfile.NamedTemporaryFile("rb"), layers.BufferedReader)
    assert_type(await tempfile.NamedTemporaryFile("wb", buffering=0), layers.FileIO)
    assert_type(await tempfile.NamedTemporaryFile(buffering=0), layers.FileIO)
    assert_type(
        await tempfile.NamedTemporaryFile("w+b", 512, delete_on_close=False),
        asyncsys_loop.AsyncFile[bytes],
    )
    assert_type(await tempfile.NamedTemporaryFile(mode), Any)
    async with tempfile.TemporaryDirectory() as directory:
        assert_type(directory, str)
    spooled: asyncsys_loop.AsyncFile[bytes] = tempfile.SpooledTemporaryFile()
    assert_type(await spooled.read(), bytes)
    assert_type(await spooled.readinto(bytearray(1)), int)


# Reading


async def test_what_has_no_size() -> None:
    for path in ("/proc/self/status", "/proc/sys/kernel/pid_max", "/proc/sys/kernel/ostype"):
        async with asyncsys_loop.open(path, "rb") as file:
            content = await file.read()
        assert len(content) > 1
        if "sys" in path:
            assert content == Path(path).read_bytes()


async def test_a_file_that_grows_or_shrinks_after_it_was_opened(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for size in (0, 10, 50, 200, 100_000):
        for buffering in (-1, 0):
            path.write_bytes(b"x" * 50)
            async with asyncsys_loop.open(path, "rb", buffering) as file:
                path.write_bytes(b"y" * size)
                assert await file.read() == b"y" * size
                with path.open("ab") as appending:
                    appending.write(b"more")
                assert await file.read() == b"more"
                assert await file.read() == b""


async def test_line_iteration_costs_a_call_per_buffer(tmp_path: Path) -> None:
    path = tmp_path / "file"
    lines = [f"line {i}\n" for i in range(50_000)]
    path.write_text("".join(lines))

    def calls() -> int:
        stats = asyncsys_loop.stats()
        return stats.submitted + stats.inline

    for mode in ("r", "rb"):
        before = calls()
        async with asyncsys_loop.open(path, mode) as file:
            found = [line async for line in file]
        assert len(found) == len(lines)
        assert calls() - before < path.stat().st_size / 16384 + 10


async def test_reading_on_while_iterating(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("one\ntwo\nthree\nfour\nfive\nsix")
    for mode in ("r", "rb"):
        async with asyncsys_loop.open(path, mode) as file:

            def text(data: str | bytes) -> str:
                return data.decode() if isinstance(data, bytes) else data

            assert [text(await anext(file)), text(await file.readline())] == ["one\n", "two\n"]
            async for line in file:
                assert text(line) == "three\n"
                break
            assert text(await file.read(3)) == "fou"
            assert [text(line) async for line in file] == ["r\n", "five\n", "six"]
            assert text(await file.read()) == ""
            with pytest.raises(StopAsyncIteration):
                await anext(file)


async def test_tell_while_iterating(tmp_path: Path) -> None:
    path = tmp_path / "file"
    text = "".join(f"zeile {i} ä€\U0001f600\n" for i in range(3000))
    path.write_text(text, encoding="utf-8")
    async with asyncsys_loop.open(path, encoding="utf-8") as file:
        told = [0]
        async for _ in file:
            told.append(await file.tell())
        expected = 0
        for position, line in zip(told, text.splitlines(keepends=True), strict=False):
            assert position == expected
            expected += len(line.encode())
        for number in random.Random(1).sample(range(3000), 30):
            assert await file.seek(told[number]) == told[number]
            assert (await anext(file)).startswith(f"zeile {number} ")


@pytest.mark.parametrize("encoding", ["iso2022_kr", "iso2022_jp", "iso2022_jp_2"])
async def test_tell_with_large_states_of_the_decoder(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "file"
    path.write_text("日本語abc漢字かな\n" * 3, encoding=encoding, errors="ignore")
    whole = path.read_text(encoding)
    async with asyncsys_loop.open(path, encoding=encoding) as file:
        refused = 0
        for i in range(len(whole)):
            await file.seek(0)
            await file.read(i)
            try:
                told = await file.tell()
            except OverflowError:
                refused += 1
                continue
            await file.seek(told)
            assert await file.read() == whole[i:]
    assert 0 < refused < len(whole) if encoding == "iso2022_kr" else refused == 0


async def test_tell_right_after_seek(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asyncsys_loop._file_text._CHUNK", 3)
    path = tmp_path / "file"
    path.write_bytes("a\r\nä\r\r\n€\n\rb\r\n".encode() * 5)
    for newline in (None, "", "\r"):
        async with asyncsys_loop.open(path, encoding="utf-8", newline=newline) as file:
            whole = await file.read()
            await file.seek(0)
            for i in range(len(whole)):
                assert await file.read(1) == whole[i]
                told = await file.tell()
                await file.seek(told)
                assert await file.tell() == told


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "shift_jis"])
async def test_lines_longer_than_buffers(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "file"
    text = "a" * 200_000 + "\n" + "b" * 70_000 + "\r\n" + "c" * 300_000
    path.write_text(text, encoding=encoding, newline="")
    expected = text.replace("\r\n", "\n").splitlines(keepends=True)
    async with asyncsys_loop.open(path, encoding=encoding) as file:
        assert [line async for line in file] == expected
        assert file.newlines == ("\n", "\r\n")
        await file.seek(0)
        assert await file.read(400_000) == "".join(expected)[:400_000]
        position = await file.tell()
        assert await file.read() == "".join(expected)[400_000:]
        await file.seek(position)
        assert await file.read() == "".join(expected)[400_000:]
    async with asyncsys_loop.open(path, "rb") as binary:
        content = path.read_bytes()
        assert [line async for line in binary] == content.splitlines(keepends=True) or (
            encoding == "utf-16"
        )


async def test_undecodable(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"good\n" + b"\xff\xfe\n")
    async with asyncsys_loop.open(path, encoding="utf-8") as file:
        with pytest.raises(UnicodeDecodeError):
            await file.read()
    path.write_bytes(b"a" * 40_000 + b"\xff")
    async with asyncsys_loop.open(path, encoding="utf-8") as file:
        assert await file.read(5) == "aaaaa"
        for read in (file.read, file.readlines):
            with pytest.raises(UnicodeDecodeError):
                await read()
            assert await file.read(10) == "a" * 10  # what was decoded before is there still
            await file.seek(0)
            await file.read(5)
    async with asyncsys_loop.open(path, "w", encoding="ascii") as file:
        with pytest.raises(UnicodeEncodeError):
            await file.write("ä")
        await file.write("a")
    assert path.read_bytes() == b"a"


async def test_a_pipe_that_does_not_block() -> None:
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    os.set_blocking(writer, False)
    async with asyncsys_loop.open(reader, "rb") as read, asyncsys_loop.open(writer, "wb") as write:
        reading = asyncio.create_task(read.read(300_000))
        await passed(5)
        assert not reading.done()
        await write.write(b"x" * 300_000)
        await write.flush()
        assert await reading == b"x" * 300_000
        raw = asyncio.create_task(read.raw.read(10))
        await passed(5)
        raw.cancel()
        with pytest.raises(asyncio.CancelledError):
            await raw


async def test_terminal() -> None:
    primary, secondary = os.openpty()
    async with (
        asyncsys_loop.open(secondary, "w") as terminal,
        asyncsys_loop.open(primary, "rb", 0) as screen,
    ):
        assert terminal.line_buffering
        assert terminal.isatty()
        assert await terminal.isatty() is True
        assert not terminal.seekable()
        await terminal.write("hello\n")
        seen = b""
        while not seen.endswith(b"\n"):  # what is written may come in pieces
            seen += await screen.read(100)
        assert seen == b"hello\r\n"
        with pytest.raises(io.UnsupportedOperation, match="seekable"):
            await terminal.tell()
        with pytest.raises(io.UnsupportedOperation, match="not seekable"):
            await asyncsys_loop.open(secondary, "r+b", closefd=False)


# Writing, and its failures


async def test_appending_together(tmp_path: Path) -> None:
    path = tmp_path / "file"
    async with asyncsys_loop.open(path, "a") as one, asyncsys_loop.open(path, "a") as other:
        await one.write("one\n")
        await other.write("other\n")
        await other.flush()
        assert await other.tell() == 6
        await one.flush()
        assert await one.tell() == 10
    assert path.read_text() == "other\none\n"


async def test_line_buffering_and_write_through(tmp_path: Path) -> None:
    path = tmp_path / "file"
    async with asyncsys_loop.open(path, "w", 1) as file:
        assert file.line_buffering
        await file.write("part")
        assert path.read_text() == ""
        await file.write(" of a line\nand")
        assert path.read_text() == "part of a line\nand"
        await file.reconfigure(line_buffering=False, write_through=True)
        await file.write(" more")
        assert path.read_text() == "part of a line\nand more"
        assert (file.line_buffering, file.write_through) == (False, True)


async def test_reconfigure(tmp_path: Path) -> None:
    path = tmp_path / "file"
    async with asyncsys_loop.open(path, "w", encoding="ascii", newline="\n") as file:
        await file.write("a\n")
        await file.reconfigure(encoding="utf-16-le", newline="\r\n")
        assert file.encoding == "utf-16-le"
        await file.write("ä\n")
    assert path.read_bytes() == b"a\n" + "ä\r\n".encode("utf-16-le")
    async with asyncsys_loop.open(path, "r", encoding="latin-1") as file:
        await file.read(1)
        with pytest.raises(io.UnsupportedOperation, match="after the first read"):
            await file.reconfigure(encoding="utf-8")
        await file.reconfigure(line_buffering=True)
    path.write_bytes(b"a\r\nb\rc\nd")
    newlines: list[Any] = [None, "", "\n", "\r", "\r\n"]
    for newline in newlines:
        async with asyncsys_loop.open(path, encoding="ascii", newline=newline) as file:
            await file.reconfigure(encoding="latin-1")
            found = await file.readlines()
        with path.open(encoding="latin-1", newline=newline) as original:
            assert found == original.readlines()


async def test_wrong_arguments_of_reconfigure(tmp_path: Path) -> None:
    path = tmp_path / "file"
    wrong: list[tuple[Any, type[Exception]]] = [
        ({"newline": "x"}, ValueError),
        ({"encoding": "none such"}, LookupError),
        ({"newline": "", "line_buffering": "x"}, TypeError),
        ({"line_buffering": True, "write_through": object}, TypeError),
    ]
    async with asyncsys_loop.open(path, "w") as file:
        await file.write("buffered")
        for options, error in wrong:
            with pytest.raises(error):
                await file.reconfigure(**options)
            with path.open("w") as original, pytest.raises(error):
                original.reconfigure(**options)
        await file.write("\n")
        assert path.read_text() == ""  # nothing was done


@pytest.mark.parametrize("mode", ["r", "rb", "r+", "r+b"])
@pytest.mark.parametrize("gone", ["close", "detach"])
async def test_a_file_that_is_gone_while_it_is_iterated(
    tmp_path: Path, mode: str, gone: str
) -> None:
    path = tmp_path / "file"
    path.write_text("one\ntwo\n")
    original = open(path, mode)  # noqa: SIM115
    file: Any = await asyncsys_loop.open(path, mode)
    below: list[Any] = []

    def theirs() -> None:
        for _ in original:
            below.append(getattr(original, gone)())

    async def ours() -> None:
        async for _ in file:
            below.append(await getattr(file, gone)())

    with pytest.raises(ValueError, match=r"file|detached") as expected:
        theirs()
    with pytest.raises(ValueError, match=str(expected.value)):
        await ours()
    if gone == "detach":
        below[0].close()
        await below[1].close()


async def test_position_of_a_pipe(pipe: tuple[int, int]) -> None:
    for fd, mode in zip(pipe, ("rb", "wb"), strict=True):
        with open(fd, mode, closefd=False) as original, pytest.raises(OSError) as theirs:  # noqa: PT011
            original.tell()
        async with asyncsys_loop.wrap(fd, mode, closefd=False) as file:
            with pytest.raises(OSError) as ours:  # noqa: PT011
                await file.tell()
        assert (type(ours.value), ours.value.args) == (type(theirs.value), theirs.value.args)


async def test_detach(tmp_path: Path) -> None:
    path = tmp_path / "file"
    text = await asyncsys_loop.open(path, "w")
    await text.write("text")
    buffer = await text.detach()
    with pytest.raises(ValueError, match="underlying buffer has been detached"):
        await text.write("more")
    with pytest.raises(ValueError, match="underlying buffer has been detached"):
        await text.read()
    with pytest.raises(ValueError, match="underlying buffer has been detached"):
        _ = text.newlines
    await buffer.write(b"bytes")
    raw = await buffer.detach()
    with pytest.raises(ValueError, match="raw stream has been detached"):
        await buffer.write(b"more")
    with pytest.raises(ValueError, match="raw stream has been detached"):
        await buffer.read(1)
    assert repr(buffer) == "<asyncsys_loop.io.BufferedWriter>"
    for file, below in ((text, "buffer"), (buffer, "raw")):
        assert getattr(file, below) is None
    assert path.read_bytes() == b"textbytes"
    again = asyncsys_loop.io.TextIOWrapper(asyncsys_loop.io.BufferedWriter(raw), "utf-8")
    await again.write("more")
    await again.close()
    assert raw.closed
    assert path.read_bytes() == b"textbytesmore"


async def test_closed_files(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("content")
    for mode, buffering in (("r", -1), ("rb", -1), ("rb", 0), ("w", -1), ("wb", -1), ("r+b", -1)):
        ours: Any = await asyncsys_loop.open(path, mode, buffering)
        theirs: Any = open(path, mode, buffering)  # noqa: SIM115
        await ours.close()
        theirs.close()
        assert ours.closed
        for name, arguments in (
            ("read", (1,)),
            ("read", ()),
            ("readline", ()),
            ("readlines", ()),
            ("write", ("x" if "b" not in mode else b"x",)),
            ("writelines", ([],)),
            ("seek", (0,)),
            ("tell", ()),
            ("truncate", ()),
            ("flush", ()),
            ("fileno", ()),
            ("isatty", ()),
            ("readable", ()),
            ("__aiter__", ()),
        ):
            got = await outcome(lambda: getattr(ours, name)(*arguments))  # noqa: B023
            theirs_name = name.replace("__aiter__", "__iter__")
            expected = await outcome(lambda: getattr(theirs, theirs_name)(*arguments))  # noqa: B023
            assert got[0] == expected[0], (mode, name)
            assert str(got[1]).rstrip(".,)('") == str(expected[1]).rstrip(".,)('"), (mode, name)


async def test_full_disk() -> None:
    for buffering in (-1, 100):
        file = await asyncsys_loop.open("/dev/full", "wb", buffering)
        assert await file.write(b"x" * 50) == 50
        for _ in range(2):
            with pytest.raises(OSError, match="No space left") as failed:
                await file.flush()
            assert failed.value.errno == errno.ENOSPC
        with pytest.raises(OSError, match="No space left"):
            await file.write(b"x" * 100_000)
        fd = file.fileno()
        with pytest.raises(OSError, match="No space left"):
            await file.close()
        assert file.closed
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)
    with pytest.raises(OSError, match="No space left"):
        async with asyncsys_loop.open("/dev/full", "w") as text:
            await text.write("x")
    assert text.closed
    with pytest.raises(ZeroDivisionError):  # noqa: PT012
        async with asyncsys_loop.open("/dev/null", "w") as text:
            await text.write("x")
            raise ZeroDivisionError
    assert text.closed


def test_limit_of_size(tmp_path: Path) -> None:
    path = tmp_path / "file"
    source = f"""
import errno, os, resource
import asyncsys_loop

resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))

async def main():
    file = await asyncsys_loop.open({str(path)!r}, "wb")
    await file.write(bytes(range(256)) * 8)
    for _ in range(2):
        try:
            await file.flush()
        except OSError as error:
            print(errno.errorcode[error.errno], await file.tell(), os.path.getsize(file.name))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    await file.close()
    print(os.path.getsize({str(path)!r}))

asyncsys_loop.run(main())
"""
    assert output_of(source) == "EFBIG 2048 1000\nEFBIG 2048 1000\n2048\n"
    assert path.read_bytes() == bytes(range(256)) * 8
    assert resource.getrlimit(resource.RLIMIT_FSIZE)


# Two tasks


@both_ways
async def test_two_tasks_do_not_mix_their_bytes(tmp_path: Path, fast_path: bool) -> None:
    path = tmp_path / "file"

    async def write(file: Any, number: int) -> None:
        for i in range(100):
            line = f"{number}:{i}:" + "x" * (number * 37 % 200) + "\n"
            await file.write(line if "b" not in file.mode else line.encode())

    written: list[str] = []
    for mode, buffering in (("w", 64), ("wb", 100), ("w", -1), ("w", 1)):
        async with asyncsys_loop.open(path, mode, buffering) as file:
            await asyncio.gather(*(write(file, number) for number in range(10)))
        written = path.read_text().splitlines()
        assert len(written) == 1000
        for number in range(10):
            own = [line for line in written if line.startswith(f"{number}:")]
            assert own == [f"{number}:{i}:" + "x" * (number * 37 % 200) for i in range(100)]

    async def write_lines(file: Any, number: int) -> None:
        text = [f"{number}:", "x" * (number * 37 % 200), "\n"] * 100
        await file.writelines(text if "b" not in file.mode else [part.encode() for part in text])

    for mode, buffering in (("w", 64), ("wb", 100), ("w", -1), ("w", 1)):
        async with asyncsys_loop.open(tmp_path / "lines", mode, buffering) as file:
            await asyncio.gather(*(write_lines(file, number) for number in range(10)))
        lines = [f"{number}:" + "x" * (number * 37 % 200) for number in range(10)]
        found = (tmp_path / "lines").read_text().splitlines()
        assert found == [line for line in lines for _ in range(100)]

    async def read(file: Any, into: list[str]) -> None:
        while line := await file.readline():
            into.append(line if isinstance(line, str) else line.decode())

    async def iterate(file: Any, into: list[str]) -> None:
        async for line in file:
            into.append(line if isinstance(line, str) else line.decode())
            await asyncio.sleep(0)

    for mode, buffering in (("r", 64), ("rb", 50), ("r", -1)):
        async with asyncsys_loop.open(path, mode, buffering) as file:
            found = []
            await asyncio.gather(read(file, found), iterate(file, found), iterate(file, found))
        assert sorted(found) == sorted(line + "\n" for line in written)


async def test_turns_are_taken_in_order_and_given_up() -> None:
    reader, writer = os.pipe()
    async with asyncsys_loop.open(reader, "rb") as file:
        tasks = [asyncio.create_task(file.read(4)) for _ in range(5)]
        await passed(5)
        tasks[2].cancel()
        await passed(2)
        os.write(writer, b"00001111")
        assert [await tasks[0], await tasks[1]] == [b"0000", b"1111"]
        tasks[3].cancel()  # which has the turn
        await passed(5)
        os.write(writer, b"4444")
        assert await tasks[4] == b"4444"
        for cancelled in (tasks[2], tasks[3]):
            with pytest.raises(asyncio.CancelledError):
                await cancelled
        os.write(writer, b"rest")
        os.close(writer)
        assert await file.read() == b"rest"


async def test_closing_waits_for_who_reads() -> None:
    for buffering in (-1, 0):
        reader, writer = os.pipe()
        file = await asyncsys_loop.open(reader, "rb", buffering)
        reading = asyncio.create_task(file.read(4))
        await passed(3)
        closing = asyncio.create_task(file.close())
        await passed(5)
        assert not closing.done()
        os.fstat(reader)
        os.write(writer, b"data")
        assert await reading == b"data"
        await closing
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(reader)
        os.close(writer)


async def test_cancelled_closing_of_a_raw_file_that_is_read() -> None:
    reader, writer = os.pipe()
    file = await asyncsys_loop.open(reader, "rb", 0)
    reading = asyncio.create_task(file.read(4))
    await passed(3)
    closing = asyncio.create_task(file.close())
    await passed(3)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert file.closed
    with pytest.raises(ValueError, match="closed"):
        await file.read(1)
    os.fstat(reader)
    os.write(writer, b"data")
    assert await reading == b"data"
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(reader)
    os.close(writer)


# Cancellation


async def cancelled_at_random(
    chance: random.Random, call: Callable[[], Awaitable[Any]]
) -> tuple[bool, Any]:
    """Make a call, and cancel it sooner or later, or never; say whether it was."""
    task = asyncio.ensure_future(call())
    pause = chance.randrange(8)
    if pause < 6:
        await passed(pause)
        if chance.random() < 0.3:
            await asyncio.sleep(chance.random() * 2e-4)
        task.cancel()
    try:
        return False, await task
    except asyncio.CancelledError:
        return True, None


async def read_lines(file: asyncsys_loop.AsyncFile[AnyStr], hint: int, between: AnyStr) -> AnyStr:
    return between.join(await file.readlines(hint))


@both_ways
@pytest.mark.parametrize("buffering", [0, 16, 4096])
async def test_cancelled_reads_lose_nothing(
    tmp_path: Path, buffering: int, fast_path: bool
) -> None:
    chance = random.Random(buffering)
    path = tmp_path / "file"
    content = bytes(chance.randbytes(60_000))
    path.write_bytes(content)
    found = bytearray()
    cancelled = 0
    async with asyncsys_loop.open(path, "rb", buffering) as file:
        while len(found) < len(content):
            assert await file.tell() == len(found)
            size = chance.choice([1, 10, 100, 1000])
            methods: list[Callable[[], Awaitable[bytes]]] = [
                lambda: file.read(size),  # noqa: B023
                file.readline,
                lambda: file.read(size),  # noqa: B023
                lambda: read_lines(file, size, b""),  # noqa: B023
            ]
            stopped, data = await cancelled_at_random(chance, chance.choice(methods))
            cancelled += stopped
            found += data or b""
    assert found == content
    assert cancelled or fast_path


@both_ways
async def test_cancelled_reads_of_text_lose_nothing(tmp_path: Path, fast_path: bool) -> None:
    chance = random.Random(1)
    path = tmp_path / "file"
    text = "".join(
        chance.choice(["ä", "b", "€", "\n", "\r\n", "\U0001f600"]) for _ in range(20_000)
    )
    path.write_text(text, encoding="utf-8", newline="")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("asyncsys_loop._file_text._CHUNK", 64)
        async with asyncsys_loop.open(path, encoding="utf-8", newline="") as file:
            found = ""
            while True:
                size = chance.choice([1, 10, 100])
                methods: list[Callable[[], Awaitable[str]]] = [
                    lambda: file.read(size),  # noqa: B023
                    file.readline,
                    lambda: anext(file, ""),
                    lambda: read_lines(file, size, ""),  # noqa: B023
                ]
                stopped, data = await cancelled_at_random(chance, chance.choice(methods))
                if not stopped and not data:
                    break
                if chance.random() < 0.1:
                    await file.seek(await file.tell())
                found += data or ""
    assert found == text


@pytest.mark.parametrize("mode", ["r", "rb"])
@pytest.mark.parametrize("hint", [-1, 20])
async def test_cancelled_readlines_take_no_line(mode: str, hint: int) -> None:
    reader, writer = os.pipe()
    file: Any
    async with asyncsys_loop.open(reader, mode) as file:
        os.write(writer, b"one\ntwo\nthr")
        reading = asyncio.create_task(file.readlines(hint))
        await until(lambda: bytes_in(reader) == 0)
        await passed(5)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        os.write(writer, b"ee\n")
        os.close(writer)
        expected = b"one\ntwo\nthree\n"
        assert await file.read() == (expected if mode == "rb" else expected.decode())


@both_ways
@pytest.mark.parametrize(("mode", "buffering"), [("wb", 16), ("wb", 5000), ("ab", 16), ("r+b", 16)])
async def test_cancelled_writes_write_all_or_nothing(
    tmp_path: Path, mode: str, buffering: int, fast_path: bool
) -> None:
    chance = random.Random(buffering)
    path = tmp_path / "file"
    path.write_bytes(b"")
    written = bytearray()
    async with asyncsys_loop.open(path, mode, buffering) as file:
        for _ in range(600):
            data = chance.randbytes(chance.choice([1, 10, 100, 3000]))
            stopped, _count = await cancelled_at_random(chance, lambda: file.write(data))  # noqa: B023
            position = await file.tell()
            assert position in {len(written), len(written) + len(data)}
            if not stopped:
                assert position == len(written) + len(data)
            if position != len(written):
                written += data
            if chance.random() < 0.1:
                await cancelled_at_random(chance, file.flush)
    assert path.read_bytes() == written


@pytest.mark.parametrize("mode", ["wb", "ab", "w"])
async def test_a_cancelled_write_that_was_written_in_part(
    tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def piece(fd: int, data: Any) -> int:
        count = os.write(fd, bytes(data[:7]))
        try:
            await asyncio.sleep(0)  # here it is cancelled; the engine says:
        except asyncio.CancelledError as error:
            error.result = count  # type: ignore[attr-defined]
            raise
        return count

    monkeypatch.setattr("asyncsys_loop._file_raw._write", piece)
    for pause in range(1, 40):
        path = tmp_path / f"{mode}{pause}"
        file: Any = await asyncsys_loop.open(path, mode, 20)
        text = mode == "w"
        written = b""
        for size in (15, 100, 3, 50):
            data = os.urandom(size).hex()[:size]
            task = asyncio.create_task(file.write(data if text else data.encode()))
            await passed(pause % 20)
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            position = await file.tell()
            assert position in {len(written), len(written) + size}
            if position > len(written):
                written += data.encode()
        flushing = asyncio.create_task(file.flush())
        await passed(pause % 7)
        flushing.cancel()
        await asyncio.gather(flushing, return_exceptions=True)
        await file.close()
        assert path.read_bytes() == written


@both_ways
async def test_cancelled_closing_writes_and_closes(tmp_path: Path, fast_path: bool) -> None:
    for pause in range(30):
        path = tmp_path / str(pause)
        file = await asyncsys_loop.open(path, "w")
        await file.write("content")
        fd = file.fileno()
        closing = asyncio.create_task(file.close())
        await passed(pause % 6)
        closing.cancel()
        await asyncio.gather(closing, return_exceptions=True)
        if pause % 6 == 0:  # it hadn't begun
            await file.close()
        assert file.closed
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(fd)
        assert path.read_text() == "content"


async def test_cancelled_closing_of_a_full_pipe() -> None:
    reader, writer = os.pipe()
    file = await asyncsys_loop.open(writer, "wb", 10_000_000)
    await file.write(b"x" * 1_000_000)
    closing = asyncio.create_task(file.close())
    await claimed()
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    assert file.closed
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(writer)
    os.close(reader)


async def test_cancelled_in_the_context(tmp_path: Path) -> None:
    path = tmp_path / "file"

    async def work() -> None:
        async with asyncsys_loop.open(path, "w") as file:
            await file.write("content")
            written.set()
            await asyncio.sleep(3600)

    written = asyncio.Event()
    task = asyncio.create_task(work())
    await written.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert path.read_text() == "content"


# Ends


async def test_unclosed(tmp_path: Path) -> None:
    path = tmp_path / "file"
    for mode, buffering in (("w", -1), ("wb", -1), ("wb", 0), ("r", -1)):
        before = descriptors()
        file: Any = await asyncsys_loop.open(path, mode, buffering)
        if mode != "r":
            await file.write("content" if mode == "w" else b"content")
        collect = gc.collect
        with pytest.warns(ResourceWarning, match="unclosed file .*name="):
            file = collect()
        await until(lambda: descriptors() == before)  # noqa: B023
        assert path.read_text() == "content"
    given = os.open(path, os.O_RDONLY)
    file = await asyncsys_loop.open(given, "rb", closefd=False)
    del file
    os.close(given)


@pytest.mark.parametrize(("mode", "buffering"), [("w", -1), ("wb", -1), ("wb", 0), ("rb", -1)])
def test_closed_without_a_loop(tmp_path: Path, mode: str, buffering: int) -> None:
    """It isn't closed then, so that what is buffered isn't lost."""
    path = tmp_path / "file"
    path.write_text("content")

    async def opened() -> Any:
        file = await asyncsys_loop.open(path, mode, buffering)
        if mode != "rb":
            await file.write("content" if mode == "w" else b"content")
        return file

    file: Any = asyncsys_loop.run(opened())
    closing = file.close()
    with pytest.raises(RuntimeError, match="no running event loop"):
        closing.send(None)
    os.fstat(file.fileno())
    assert not file.closed
    collect = gc.collect
    with pytest.warns(ResourceWarning, match="unclosed file .*name="):
        file = closing = collect()
    assert path.read_text() == "content"


def test_unclosed_at_exit(tmp_path: Path) -> None:
    path = tmp_path / "file"
    source = f"""
import asyncsys_loop

async def main():
    global file
    file = await asyncsys_loop.open({str(path)!r}, "w")
    await file.write("content")

asyncsys_loop.run(main())
"""
    assert output_of(source) == ""
    assert path.read_text() == "content"
    assert "ResourceWarning: unclosed file" in run_python(source, "-X", "dev").stderr


async def test_no_cycles(tmp_path: Path) -> None:
    gc.collect()
    before = {id(found) for found in gc.get_objects() if isinstance(found, FileIO)}  # the streams
    gc.disable()
    try:
        async with asyncsys_loop.open(tmp_path / "file", "w+") as file:
            await file.write("a\nb\n")
            await file.seek(0)
            assert [line async for line in file] == ["a\n", "b\n"]
        del file
        left = [found for found in gc.get_objects() if isinstance(found, FileIO)]
        assert not [found for found in left if id(found) not in before]
    finally:
        gc.enable()


# wrap()


async def test_wrap_a_descriptor(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one\ntwo\n")
    file = asyncsys_loop.wrap(os.open(path, os.O_RDWR), "r+b")
    async with file:
        assert await file.readlines() == [b"one\n", b"two\n"]
    with pytest.raises(OSError, match="Bad file descriptor"):
        asyncsys_loop.wrap(file.raw.fileno() if not file.closed else 999_999)
    with pytest.raises(ValueError, match="negative"):
        asyncsys_loop.wrap(-1)
    wrap: Any = asyncsys_loop.wrap
    with pytest.raises(TypeError, match=r"open\(\) takes a path"):
        wrap(str(path))
    with pytest.raises(TypeError, match="only for a descriptor"):
        wrap(io.BytesIO(), "rb")
    fd = os.open(path, os.O_RDONLY)
    with pytest.raises(LookupError, match="unknown encoding"):
        asyncsys_loop.wrap(fd, encoding="nonsense")
    os.close(fd)


async def test_wrap_takes_a_binary_file_over(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"one\ntwo\nthree\n")
    original = path.open("r+b")
    assert original.readline() == b"one\n"
    file = asyncsys_loop.wrap(original)
    assert isinstance(file, asyncsys_loop.io.BufferedRandom)
    assert await file.readline() == b"two\n"
    await file.write(b"3")
    await file.close()
    assert original.closed
    assert path.read_bytes() == b"one\ntwo\n3hree\n"
    with pytest.raises(ValueError, match="closed"):
        asyncsys_loop.wrap(original)
    raw = path.open("rb", buffering=0)
    async with asyncsys_loop.wrap(raw) as wrapped:
        assert isinstance(wrapped, FileIO)
        assert await wrapped.read(3) == b"one"


async def test_wrap_others(tmp_path: Path) -> None:
    path = tmp_path / "file.gz"
    with gzip.open(path, "wb") as packed:
        packed.write(b"one\ntwo\n" * 1000)
    async with asyncsys_loop.wrap(gzip.open(path)) as unpacked:
        assert await unpacked.readline() == b"one\n"
        assert len([line async for line in unpacked]) == 1999
    assert unpacked.closed
    memory = asyncsys_loop.wrap(io.StringIO("one\ntwo"))
    assert [line async for line in memory] == ["one\n", "two"]
    await memory.write("!")
    assert isinstance(memory, asyncsys_loop.io.WrappedFile)
    assert memory.wrapped.read() == ""
    assert memory.getvalue() == "one\ntwo!"
    text_path = tmp_path / "text"
    async with asyncsys_loop.wrap(text_path.open("w+", newline="\r\n")) as text:
        await text.write("one\ntwo\n")
        await text.seek(0)
        assert await text.readlines() == ["one\r\n", "two\r\n"]
        assert text.name == str(text_path)


async def test_a_cancelled_call_of_a_wrapped_file_has_ended() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, theirs.makefile("rwb") as blocking:
        file = asyncsys_loop.wrap(blocking)
        reading = asyncio.create_task(file.readline())
        await asyncio.sleep(0.01)
        reading.cancel()
        await asyncio.sleep(0.01)
        assert not reading.done()
        ours.sendall(b"line\n")
        with pytest.raises(asyncio.CancelledError) as raised:
            await reading
        assert raised.value.result == b"line\n"  # type: ignore[attr-defined]


async def test_any_object_with_the_methods_can_be_wrapped() -> None:
    class Duck:
        ended = False

        def read(self, size: int) -> bytes:
            return b"quack"[:size]

        def close(self) -> None:
            self.ended = True

    duck: Any = Duck()
    async with asyncsys_loop.wrap_file(duck) as file:
        assert await file.read(3) == b"qua"
    assert duck.ended


def test_standard_streams() -> None:
    source = """
import asyncio
import codecs
import asyncsys_loop as aiofiles

async def main():
    ticks = 0

    async def tick():
        nonlocal ticks
        while True:
            await asyncio.sleep(0)
            ticks += 1

    ticking = asyncio.create_task(tick())
    await aiofiles.stderr.write("ready\\n")  # now there is something to wait for
    assert aiofiles.stdin is aiofiles.stdin
    async for line in aiofiles.stdin:
        await aiofiles.stdout.write("got " + line)
        if line == "b\\n":
            break
    assert await aiofiles.stdin.readline() == "ä\\n"
    assert await aiofiles.stdin_bytes.read() == b""
    await aiofiles.stdout.flush()
    await aiofiles.stdout_bytes.write(b"bytes\\n")
    await aiofiles.stderr.write("error\\n")
    ticking.cancel()
    assert ticks
    await aiofiles.stdout.close()

aiofiles.run(main())
print("still open")
"""
    import subprocess

    with subprocess.Popen(
        [sys.executable, "-X", "utf8", "-c", source],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).resolve().parent.parent,
        encoding="utf-8",
    ) as child:
        assert child.stderr is not None
        assert child.stderr.readline() == "ready\n"
        time.sleep(0.1)  # it waits
        out, errors = child.communicate("a\nb\nä\n", timeout=30)
    assert (out, errors) == ("got a\ngot b\nbytes\nstill open\n", "error\n")


def test_standard_output_at_exit() -> None:
    source = """
import asyncsys_loop

async def main():
    await asyncsys_loop.stdout.write("not flushed\\n")

asyncsys_loop.run(main())
"""
    assert output_of(source) == "not flushed\n"


# The public names of io

LEFT_OUT = {
    "BlockingIOError": "a builtin exception; nothing here would block",
    "BufferedIOBase": "AsyncFile is the base of all files",
    "BufferedRWPair": "two descriptors are two files: wrap() each",
    "BytesIO": "memory doesn't block; wrap() gives it awaitable methods",
    "IOBase": "AsyncFile is the base of all files",
    "IncrementalNewlineDecoder": "makes no system call",
    "RawIOBase": "AsyncFile is the base of all files",
    "StringIO": "memory doesn't block; wrap() gives it awaitable methods",
    "TextIOBase": "AsyncFile is the base of all files",
    "open_code": "hooks of the interpreter, for imports",
    "Reader": "a protocol of blocking files",
    "Writer": "a protocol of blocking files",
}


def test_public_names_of_io() -> None:
    ours = set(asyncsys_loop.io.__all__)
    missing = set(io.__all__) - ours - LEFT_OUT.keys()
    assert not missing, "neither here nor left out"
    assert not ours & LEFT_OUT.keys()


@pytest.mark.parametrize(
    "name", ["FileIO", "BufferedReader", "BufferedWriter", "BufferedRandom", "TextIOWrapper"]
)
def test_public_names_of_its_classes(name: str) -> None:
    theirs = {found for found in dir(getattr(io, name)) if not found.startswith("_")}
    ours = {found for found in dir(getattr(asyncsys_loop.io, name)) if not found.startswith("_")}
    assert not theirs - ours, "neither here nor left out"
    # Those of `io` have name and mode, too, but not as attributes of the class.
    assert ours - theirs <= {"aclose", "name", "mode"}
