"""Arguments that can't be, for shutil, tempfile, paths and files: the errors of Python's own.

Each call is made both ways, on twin trees. Compared are the class of the exception, errno and the
filenames of an OSError, the classes and words of warnings, and the tree that is left. (Words of
other errors are another one's in each Python.) test_os_parity.py does it for os.
"""

import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .sides import Call, Originals, Twins, ended, settled
from .trees import Tree, make, snapshot, working_directory

TREE: Tree = {"file": b"content", "other": b"x", "dir": {"a": b"a"}, "link": "file"}


class Object:
    def __repr__(self) -> str:
        return "Object()"


# A bytearray is no path, and a negative descriptor isn't open: docs/os.md.
NO_NUMBERS = [None, 1.5, "a\0b", b"a\0b", "\ud800", Object(), "", b"", ["x"], b"file", Path("file")]
VALUES = [*NO_NUMBERS, 12345, 2**40]
LONG = "x" * 300


def shown(value: Any) -> str:
    return ascii(value).replace("\\0", "NUL").replace("\\x00", "NUL").replace("\\", "")[:30]


def each(
    module: str, function: str, values: list[Any], *before: Any, **options: Any
) -> Iterator[tuple[str, Call]]:
    for value in values:
        name = f"{function}({', '.join(map(shown, [*before, value]))}, {options or ''})"
        yield (
            name,
            lambda side, v=value: getattr(getattr(side, module), function)(  # type: ignore[misc]
                *before, v, **options
            ),
        )


def named(
    module: str, function: str, name: str, values: list[Any], *before: Any, **options: Any
) -> Iterator[tuple[str, Call]]:
    for value in values:
        given = {**options, name: value}
        yield (
            f"{function}({', '.join(map(shown, before))}, {name}={shown(value)}, {options or ''})",
            lambda side, g=given: getattr(getattr(side, module), function)(*before, **g),  # type: ignore[misc]
        )


def on(path: str, method: str, values: list[Any], name: str = "") -> Iterator[tuple[str, Call]]:
    for value in values:
        arguments, options = ((), {name: value}) if name else ((value,), {})
        yield (
            f"Path({shown(path)}).{method}({name}={shown(value)})",
            lambda side, a=arguments, o=options: getattr(side.Path(path), method)(*a, **o),  # type: ignore[misc]
        )


def of_shutil() -> Iterator[tuple[str, Call]]:
    for function in ("copyfile", "copymode", "copystat", "copy", "copy2", "copytree", "move"):
        # Of a descriptor, shutil copies the file: docs/shutil.md.
        values = VALUES if function in {"copymode", "copystat", "move"} else NO_NUMBERS
        if function == "copytree":  # None is a working directory, half of the way
            values = values[1:]
        for other in ("new", b"new"):
            yield from (
                (name, lambda side, v=v, f=function, o=other: getattr(side.shutil, f)(v, o))
                for v, name in ((v, f"{function}({shown(v)}, {other!r})") for v in values)
            )
        for src in ("file", "dir", "missing", b"file", "link"):
            yield from each("shutil", function, values, src)
    if sys.version_info >= (3, 13):  # before, they were ignored, too
        yield from each("shutil", "rmtree", VALUES, ignore_errors=True)
    yield from each("shutil", "rmtree", [v for v in VALUES if not isinstance(v, Path)])
    yield from named("shutil", "rmtree", "dir_fd", VALUES if sys.version_info >= (3, 13) else [])
    yield from each("shutil", "disk_usage", VALUES)
    yield from each("shutil", "chown", VALUES, user=0)
    yield from each("shutil", "chown", VALUES, "file")
    yield from each("shutil", "chown", VALUES, "file", 0)
    yield from each("shutil", "which", VALUES)
    yield from each("shutil", "which", VALUES, "sh")
    yield from each("shutil", "which", VALUES, "sh", 1)
    yield from each("shutil", "which", VALUES, b"sh", 1)
    yield from each("shutil", "copyfileobj", VALUES, None)
    yield from named("shutil", "copytree", "ignore", VALUES, "dir", "new")
    yield from named("shutil", "copytree", "copy_function", VALUES, "dir", "new")
    yield from named("shutil", "move", "copy_function", VALUES, "file", "missing/new")


def of_tempfile() -> Iterator[tuple[str, Call]]:
    for function in ("mkstemp", "mkdtemp", "TemporaryFile", "NamedTemporaryFile"):
        for name in ("suffix", "prefix", "dir"):
            values = NO_NUMBERS if name == "dir" else VALUES
            yield from named("tempfile", function, name, values)
    for name in ("suffix", "prefix", "dir"):
        yield from named("tempfile", "TemporaryDirectory", name, VALUES)
    for function in ("TemporaryFile", "NamedTemporaryFile", "SpooledTemporaryFile"):
        for name in ("buffering", "encoding", "newline", "errors"):
            for mode in ("w+", "w+b"):
                yield from named("tempfile", function, name, VALUES, mode=mode)
        yield from named("tempfile", function, "mode", VALUES)
        yield from named("tempfile", function, "buffering", [1, -5, True], mode="w+b")


def of_paths() -> Iterator[tuple[str, Call]]:
    for path in ("file", "new", "dir"):
        for method in ("mkdir", "chmod", "lchmod", "touch", "rename", "replace", "symlink_to"):
            yield from on(path, method, VALUES)
        for method in ("hardlink_to", "samefile", "write_bytes", "write_text"):
            # What the encoding hasn't leaves the file as it was: docs/paths.md.
            yield from on(path, method, [v for v in VALUES if v != "\ud800"])
        if sys.version_info >= (3, 13):
            for method in ("glob", "rglob"):
                yield from on(path, method, VALUES)
    for name in ("mode", "buffering", "encoding", "errors", "newline"):
        yield from on("file", "open", VALUES, name)
    for name in ("encoding", "errors"):
        yield from on("file", "read_text", VALUES, name)
    for name in ("encoding", "errors", "newline"):
        yield from on("file", "write_text", VALUES, name)
    for path in ("a\0b", "\ud800", LONG, "file/x"):
        for method, *arguments in (
            *(("stat",), ("lstat",), ("open",), ("read_bytes",), ("write_bytes", b"x")),
            *(("mkdir",), ("touch",), ("readlink",), ("iterdir",), ("resolve",), ("owner",)),
            *(("rmdir",), ("unlink",), ("rename", "q"), ("samefile", "file"), ("chmod", 0o600)),
            *(("symlink_to", "q"), ("hardlink_to", "q"), ("absolute",), ("expanduser",)),
        ):
            yield (
                f"Path({shown(path)}).{method}{arguments}",
                lambda side, p=path, m=method, a=arguments: getattr(side.Path(p), m)(*a),  # type: ignore[misc]
            )
    full = "/dev/full"
    for method, value in (("write_bytes", b"x"), ("write_text", "x"), ("write_bytes", b"")):
        yield from on(full, method, [value])


Step = tuple[str, tuple[Any, ...]]
ASKING: list[Step] = [
    *((name, ()) for name in ("tell", "fileno", "isatty", "readable", "writable", "seekable")),
    *((name, ()) for name in ("flush", "mode", "name", "closed", "encoding", "newlines")),
    *(("seek", (v,)) for v in (-1, "x", None, 2**62)),
    *(("seek", v) for v in ((0, 5), (0, "x"), (0, -1), (5, 1), (-5, 2))),
    *(("truncate", (v,)) for v in (-1, "x", 1.5)),
]
READING: list[Step] = [
    *(("read", (v,)) for v in (None, -2, "x", 1.5, True)),
    *(("readline", (v,)) for v in (None, "x", 1.5, -2)),
    *(("readlines", (v,)) for v in (None, "x", -2)),
    *((n, ()) for n in ("read", "read1", "readline", "readlines", "readall", "peek")),
    *(("peek", (v,)) for v in (-1, "x", None, 0)),
    *(("read1", (v,)) for v in (-1, "x", None)),
]
FILLING: list[Step] = [
    ("readinto", (v,)) for v in (b"x", None, 5, "x", memoryview(bytearray(8))[::2])
]
WRITING: list[Step] = [
    *(("write", (v,)) for v in (b"x", "x", None, 5, memoryview(b"abcd")[::2], [1], "\ud800")),
    *(("writelines", (v,)) for v in ([b"x"], ["x"], None, 5, "xy", b"xy", [None])),
]
# Of a file that isn't read, or is closed, with arguments that are right.
RIGHT: list[Step] = [
    *(("read", ()), ("read", (1,)), ("readline", ()), ("readlines", ()), ("readall", ())),
    *(("peek", ()), ("read1", (1,)), ("readinto", (bytearray(1),)), ("truncate", (1,))),
    *(("tell", ()), ("seek", (0,)), ("flush", ()), ("fileno", ()), ("isatty", ()), ("close", ())),
    *(("write", (b"",)), ("writelines", ([],)), ("readable", ()), ("writable", ())),
    *(("seekable", ()), ("detach", ())),
]


async def step(
    side: Any, mode: str, buffering: int, closed: bool, name: str, arguments: Any
) -> Any:
    file = await settled(side.open("file", mode, buffering))
    try:
        if closed:
            await settled(file.close())
        value = getattr(file, name)
        return await settled(value(*arguments)) if callable(value) else value
    finally:
        await settled(file.close())


def of_files() -> Iterator[tuple[str, Call]]:
    for mode, buffering in (
        *(("r", -1), ("w", -1), ("r+", -1), ("rb", -1), ("wb", -1), ("r+b", -1), ("ab", -1)),
        *(("rb", 0), ("wb", 0), ("r+b", 0), ("ab", 0)),
    ):
        reads, writes = mode[0] == "r", mode[0] != "r" or "+" in mode
        steps = [
            (False, s) for s in ASKING + (READING if reads else []) + (WRITING if writes else [])
        ]
        steps += [(False, s) for s in (FILLING if reads and "b" in mode else [])]
        for closed, (name, arguments) in [*steps, *((c, s) for s in RIGHT for c in (False, True))]:
            if name == "detach" and not closed:
                continue  # what is below is open then
            yield (
                f"{name}({', '.join(map(shown, arguments))}) of {mode} {buffering}"
                + " closed" * closed,
                lambda side, a=(mode, buffering, closed, name, arguments): step(side, *a),  # type: ignore[misc]
            )
    for arguments in (
        *((None,), (1.5,), (2**40,), (-1,), (12345,), ("a\0b",), ("\ud800",), ("",), ("dir",)),
        *(("file", "U"), ("file", "q"), ("file", 5), ("file", "r", "x"), ("file", "r", None)),
        *(("file", "rb", 2**70), ("file", "rb", -(2**70)), ("file", "rb", -5), ("file", "rb", 1)),
        *(("file", "rt", 0), ("file", "r", -1, 5), ("file", "r", -1, "nonsense")),
        *(("file", "r", -1, "utf-8", "nonsense"), ("file", "r", -1, "utf-8", None, "q")),
        *(("file", "rb", -1, "utf-8"), ("file", "r", -1, "a\0b"), ("file", "r", True)),
    ):
        yield f"open({', '.join(map(shown, arguments))})", lambda side, a=arguments: side.open(*a)  # type: ignore[misc]


GROUPS = {"shutil": of_shutil, "tempfile": of_tempfile, "paths": of_paths, "files": of_files}


class Names:
    """Stands in for random names."""

    def __init__(self) -> None:
        self.count = 0

    def __iter__(self) -> "Names":
        return self

    def __next__(self) -> str:
        self.count += 1
        return f"name{self.count}"


def error_of(error: Exception) -> tuple[Any, ...]:
    if isinstance(error, OSError) and error.errno is not None:
        return type(error), error.errno, error.filename, error.filename2
    if isinstance(error, shutil.Error):
        return type(error), sorted(map(repr, error.args[0]))
    return (type(error),)


async def outcome_of(call: Call, side: Any, root: Path) -> tuple[Any, ...]:
    make(root, TREE)
    with working_directory(root), pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "_name_sequence", Names())
        patch.setattr(tempfile, "tempdir", str(root))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            error: Any = None
            try:
                await ended(call(side), "rollover", "close", "cleanup")
            except Exception as raised:  # noqa: BLE001  (whatever it is, it is compared)
                error = error_of(raised)
            # Not of files that were left open: test_tempfile.py and test_files.py tell of them.
            told = [
                (w.category, str(w.message)) for w in caught if w.category is not ResourceWarning
            ]
    left = snapshot(root, times=False)
    shutil.rmtree(root)
    return error, told, left


# What tempfile couldn't make, it can't collect either.
@pytest.mark.filterwarnings("ignore:.*__del__:pytest.PytestUnraisableExceptionWarning")
@pytest.mark.blocks_loop("the originals are called, and trees are made, in the loop's thread")
@pytest.mark.parametrize("group", GROUPS)
async def test_errors(group: str, tmp_path: Path) -> None:
    wrong = []
    for name, call in GROUPS[group]():
        expected = await outcome_of(call, Originals, tmp_path / "root")
        got = await outcome_of(call, Twins, tmp_path / "root")
        if expected != got:
            differ = [f"{e} is {g}" for e, g in zip(expected, got, strict=True) if e != g]
            wrong.append(f"{name}: {'; '.join(differ)}")
    assert not wrong, "\n".join(wrong)
