"""Every twin of asyncsys_loop.os does what `os` does, by one list.

PARITY tells, for each function, the values that each of its parameters is tried with; the first is
a good one. Each other value is tried with the good ones of all other parameters, and hypothesis
tries any mixture. A call is made both ways, each in a fresh tree of its own, and all that a caller
sees is compared: the result, or the exception with its class, text, errno and filenames; the audit
events; the tree, and the descriptors, that are left.

What differs stands in DIFFERENCES, and nowhere else; docs/os.md has it from there.
"""

import asyncio
import contextlib
import errno
import fcntl
import inspect
import os
import re
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import asyncsys_loop

from .audit import heard
from .support import both_ways, examples

twins = asyncsys_loop.os

# The tree, and descriptors of what is in it. Calls are made with the tree as working directory.

OLD = 1_234_567_890_123_456_789
FILE, DIRECTORY, READER, WRITER, MEMFD, OTHER, READONLY, SPARE = range(500, 508)
CLOSED = 12345
# How fwalk() opens a directory: Python 3.11 would wait if somebody had put a FIFO in its place.
READ = os.O_CLOEXEC | os.O_NONBLOCK
NEW = 600  # a number for dup2()


def make_tree(root: Path) -> None:
    root.mkdir()
    (root / "file").write_bytes(b"0123456789")
    (root / "other").write_bytes(b"other")
    (root / "empty").touch()
    (root / "directory" / "deep" / "deeper").mkdir(parents=True)
    (root / "directory" / "inner").write_bytes(b"inner")
    (root / "vacant").mkdir()
    (root / "link").symlink_to("file")
    (root / "dangling").symlink_to("nowhere")
    (root / "loop").symlink_to("loop")
    (root / "link-to-directory").symlink_to("directory")
    (root / "up").symlink_to("directory/../vacant")
    os.mkfifo(root / "fifo")
    (root / os.fsdecode(b"\xff")).touch()
    with contextlib.suppress(OSError):  # EOPNOTSUPP: on tmpfs before Linux 6.6
        os.setxattr(root / "file", "user.one", b"1")
        os.setxattr(root / "file", "user.empty", b"")
    for path in [*root.rglob("*"), root]:
        os.utime(path, ns=(OLD, OLD), follow_symlinks=False)


@dataclass
class Tree:
    """A tree, made when it is needed, and again when the call before changed it."""

    root: Path
    pristine: dict[str, Any] | None = None

    @contextlib.contextmanager
    def entered(self) -> Iterator[None]:
        """The tree as working directory, with descriptors of it under fixed numbers."""
        if self.pristine is None:
            shutil.rmtree(self.root, ignore_errors=True)
            make_tree(self.root)
        before = os.open(".", os.O_RDONLY)
        os.chdir(self.root)
        try:
            with opened():
                if self.pristine is None:
                    self.pristine = left(self.root)
            with opened():
                yield
        finally:
            os.fchdir(before)
            os.close(before)

    def look(self) -> dict[str, Any]:
        """Return what a call has left."""
        found = left(self.root)
        if found != self.pristine:
            self.pristine = None
        return found


@contextlib.contextmanager
def opened() -> Iterator[None]:
    reader, writer = os.pipe2(os.O_NONBLOCK)
    os.write(writer, b"in the pipe")
    memfd = os.memfd_create("memory")
    os.write(memfd, b"in memory")
    opened = {
        FILE: os.open("file", os.O_RDWR),
        DIRECTORY: os.open("directory", os.O_RDONLY),
        READER: reader,
        WRITER: writer,
        MEMFD: memfd,
        OTHER: os.open("other", os.O_RDWR),
        READONLY: os.open("file", os.O_RDONLY),
        SPARE: os.open("/dev/null", os.O_RDONLY),
    }
    for number, fd in opened.items():
        os.dup2(fd, number, inheritable=False)
        os.close(fd)
    try:
        yield
    finally:
        for number in opened:
            with contextlib.suppress(OSError):
                os.close(number)


def left(root: Path) -> dict[str, Any]:
    """Return what is in the tree, and what the descriptors are, after a call."""

    def when(ns: int) -> object:
        return "now" if abs(ns - time.time_ns()) < 10**12 else ns

    found: dict[str, Any] = {}
    paths = [os.path.join(base, name) for base, ds, fs in os.walk(root) for name in [*ds, *fs]]
    for path in [str(root), *paths]:
        status = os.lstat(path)
        contents: object = None
        if stat.S_ISREG(status.st_mode):
            contents = Path(path).read_bytes() if status.st_size < 2**20 else "large"
        elif stat.S_ISLNK(status.st_mode):
            contents = os.readlink(path).replace(str(root), "ROOT")
        found[os.path.relpath(path, root)] = (
            *(status.st_mode, status.st_uid, status.st_gid, status.st_rdev, contents),
            *(status.st_size if stat.S_ISREG(status.st_mode) else 0, status.st_nlink),
            *(when(status.st_mtime_ns), when(status.st_atime_ns)),
            {
                n: os.getxattr(path, n, follow_symlinks=False)
                for n in os.listxattr(path, follow_symlinks=False)
            },
        )
    for number in (FILE, DIRECTORY, MEMFD, OTHER, READONLY, SPARE):
        try:
            found[str(number)] = (os.lseek(number, 0, os.SEEK_CUR), os.get_inheritable(number))
        except OSError as error:
            found[str(number)] = error.errno
    try:
        found["pipe"] = os.read(READER, 100)
    except OSError as error:
        found["pipe"] = error.errno
    return found


# What a caller sees


def describe_descriptor(fd: int, root: Path) -> tuple[Any, ...]:
    """Return what a new descriptor is, and close it."""
    name = os.readlink(f"/proc/self/fd/{fd}").replace(str(root), "ROOT")
    name = re.sub(r"\[\d+\]", "", name)
    seen = (os.get_inheritable(fd), fcntl.fcntl(fd, fcntl.F_GETFL), name)
    os.close(fd)
    return seen


RETURNS_DESCRIPTORS = {
    *("open", "dup", "dup2", "memfd_create", "eventfd", "pidfd_open", "timerfd_create"),
    *("pipe", "pipe2"),
}
RANDOM = {"getrandom", "urandom"}


def visible(function: str, result: Any, root: Path) -> object:
    if function in RETURNS_DESCRIPTORS:
        fds = result if isinstance(result, tuple) else (result,)
        return type(result), [describe_descriptor(fd, root) for fd in fds]
    if function in RANDOM:
        return len(result)
    if isinstance(result, os.stat_result):
        times = {"st_atime", "st_mtime", "st_ctime"}
        names = [n for n in dir(result) if n.startswith("st_") and not n.startswith("st_ctime")]
        values: dict[str, Any] = {n: getattr(result, n) for n in names if n != "st_ino"}
        assert {n: type(getattr(result, n)) for n in times} == dict.fromkeys(times, float)
        for name in ("st_atime", "st_mtime", "st_atime_ns", "st_mtime_ns"):
            seconds = values[name] / (10**9 if name.endswith("ns") else 1)
            if abs(seconds - time.time()) < 1000:
                values[name] = "now"
        return type(result), len(result), values
    if isinstance(result, os.statvfs_result):
        changing = {"f_bfree", "f_bavail", "f_ffree", "f_favail"}
        names = [n for n in dir(result) if n.startswith("f_") and n not in changing]
        return type(result), len(result), {n: getattr(result, n) for n in names}
    if isinstance(result, str):
        return result.replace(str(root), "ROOT")
    if isinstance(result, bytes):
        return result.replace(os.fsencode(root), b"ROOT")
    if isinstance(result, float) and abs(result - time.time()) < 1000:
        return "now"
    if isinstance(result, list) and function != "walk":
        return type(result), sorted(result)
    return type(result), result


def told(error: BaseException, root: Path) -> tuple[Any, ...]:
    def named(value: Any) -> Any:
        if isinstance(value, str):
            return value.replace(str(root), "ROOT")
        if isinstance(value, bytes):
            return value.replace(os.fsencode(root), b"ROOT")
        return value

    text = str(error).replace(str(root), "ROOT")
    if "embedded null" in text:
        text = "embedded null"  # Python 3.11 has two texts for it, 3.13 one
    if isinstance(error, OverflowError):
        text = ""  # each function of os has another one, in each Python
    if isinstance(error, OSError):
        names = (named(error.filename), named(error.filename2))
        return (type(error), text, error.errno, *names, len(error.args))
    return (type(error), text)


@dataclass
class Outcome:
    result: object = None
    error: tuple[Any, ...] | None = None
    events: object = None
    left: dict[str, Any] = field(default_factory=dict)

    def see(
        self,
        function: str,
        result: object,
        arguments: tuple[Any, ...],
        events: list[tuple[str, tuple[Any, ...]]],
        tree: Tree,
    ) -> None:
        if self.error is None:
            self.result = visible(function, result, tree.root), buffers_in([*arguments])
        self.events = comparable(events, tree.root)
        self.left = tree.look()

    def differs(self, other: "Outcome") -> str:
        """Say in what a twin's outcome isn't this one."""
        parts = [
            f"{name}: os {getattr(self, name)}, twin {getattr(other, name)}"
            for name in ("result", "error", "events")
            if getattr(self, name) != getattr(other, name)
        ]
        parts += [
            f"{path}: os {self.left.get(path)}, twin {other.left.get(path)}"
            for path in {*self.left, *other.left}
            if self.left.get(path) != other.left.get(path)
        ]
        return "; ".join(parts)


# What is compared where there is no one call to compare


def entry_of(entry: Any, is_dir: object, is_file: object, status: object) -> tuple[Any, ...]:
    return (entry.name, entry.path, is_dir, is_file, entry.is_symlink(), status, os.fspath(entry))


def answer(function: Callable[[], Any]) -> object:
    try:
        return function()
    except OSError as error:
        return told(error, Path("/nowhere"))


async def answer_of(awaitable: Awaitable[Any]) -> object:
    try:
        return await awaitable
    except OSError as error:
        return told(error, Path("/nowhere"))


def scandir_by_os(*arguments: Any) -> Any:
    with os.scandir(*arguments) as entries:
        return sorted(
            entry_of(
                entry,
                [answer(lambda f=f: entry.is_dir(follow_symlinks=f)) for f in (True, False)],  # type: ignore[misc]  # noqa: B023
                [answer(lambda f=f: entry.is_file(follow_symlinks=f)) for f in (True, False)],  # type: ignore[misc]  # noqa: B023
                [mode_of(answer(lambda f=f: entry.stat(follow_symlinks=f))) for f in (True, False)],  # type: ignore[misc]  # noqa: B023
            )
            for entry in entries
        )


def mode_of(status: Any) -> object:
    return status.st_mode if isinstance(status, os.stat_result) else status


async def scandir_by_twin(*arguments: Any) -> Any:
    found = []
    async with twins.scandir(*arguments) as entries:
        async for entry in entries:
            found.append(
                entry_of(
                    entry,
                    [await answer_of(entry.is_dir(follow_symlinks=f)) for f in (True, False)],
                    [await answer_of(entry.is_file(follow_symlinks=f)) for f in (True, False)],
                    [
                        mode_of(await answer_of(entry.stat(follow_symlinks=f)))
                        for f in (True, False)
                    ],
                )
            )
    return sorted(found)


def in_order(walked: list[Any]) -> list[Any]:
    """Sort what comes from directories, which have no order, and cut descriptors off."""
    return sorted((top, sorted(ds), sorted(fs)) for top, ds, fs, *_ in walked)


def walk_by_os(*arguments: Any, **keywords: Any) -> Any:
    return in_order(list(os.walk(*arguments, **keywords)))


async def walk_by_twin(*arguments: Any, **keywords: Any) -> Any:
    return in_order([item async for item in twins.walk(*arguments, **keywords)])


def fwalk_by_os(*arguments: Any, **keywords: Any) -> Any:
    return in_order([item for item in os.fwalk(*arguments, **keywords) if os.fstat(item[3]).st_ino])


async def fwalk_by_twin(*arguments: Any, **keywords: Any) -> Any:
    return in_order(
        [item async for item in twins.fwalk(*arguments, **keywords) if os.fstat(item[3]).st_ino]
    )


ADAPTED: dict[str, tuple[Callable[..., Any], Callable[..., Awaitable[Any]]]] = {
    "scandir": (scandir_by_os, scandir_by_twin),
    "walk": (walk_by_os, walk_by_twin),
    "fwalk": (fwalk_by_os, fwalk_by_twin),
}


# Both ways

Call = tuple[str, tuple[Any, ...], dict[str, Any]]


def resolved(value: Any) -> Any:
    """Make what must be fresh for each call."""
    return value() if isinstance(value, Fresh) else value


class Fresh:
    """A value that is made anew for each call: a buffer that is written to."""

    def __init__(self, make: Callable[[], Any], shown: str) -> None:
        self.make = make
        self.shown = shown

    def __call__(self) -> Any:
        return self.make()

    def __repr__(self) -> str:
        return self.shown


def buffers_in(values: list[Any]) -> list[bytes]:
    found = []
    for value in values:
        for item in value if isinstance(value, list | tuple) else [value]:
            if isinstance(item, bytearray):
                found.append(bytes(item))
    return found


def named(function: str, module: Any) -> Any:
    for part in function.split("."):
        module = getattr(module, part)
    return module


def fresh(call: Call) -> Call:
    function, arguments, keywords = call
    return function, tuple(map(resolved, arguments)), {n: resolved(a) for n, a in keywords.items()}


def by_os(call: Call, tree: Tree) -> Outcome:
    function, arguments, keywords = fresh(call)
    original = ADAPTED[function][0] if function in ADAPTED else named(function, os)
    result, outcome = None, Outcome()
    with tree.entered():
        with heard() as events:
            try:
                result = original(*arguments, **keywords)
            except Exception as error:  # noqa: BLE001  (whatever it is, it is compared)
                outcome.error = told(error, tree.root)
        outcome.see(function, result, arguments, events, tree)
    return outcome


async def by_twin(call: Call, tree: Tree) -> Outcome:
    function, arguments, keywords = fresh(call)
    twin = ADAPTED[function][1] if function in ADAPTED else named(function, twins)
    result, outcome = None, Outcome()
    with tree.entered():
        with heard() as events:
            try:
                result = await twin(*arguments, **keywords)
            except Exception as error:  # noqa: BLE001  (whatever it is, it is compared)
                outcome.error = told(error, tree.root)
        outcome.see(function, result, arguments, events, tree)
    return outcome


def comparable(events: list[tuple[str, tuple[Any, ...]]], root: Path) -> str:
    # Numbers of descriptors that fwalk() opens.
    events = [
        (event, ("fd",)) if event == "os.scandir" and values[0] in range(FILE) else (event, values)
        for event, values in events
    ]
    return str(events).replace(str(root), "ROOT").replace(str(READ), str(os.O_CLOEXEC))


class Trees:
    """Twin trees."""

    def __init__(self, directory: Path) -> None:
        self.of_os, self.of_twin = Tree(directory / "A"), Tree(directory / "B")

    async def both(self, call: Call) -> tuple[Outcome, Outcome]:
        """Make a call both ways."""
        return by_os(call, self.of_os), await by_twin(call, self.of_twin)


# The list


class Pathlike:
    """An os.PathLike, which pathlib's isn't for names with a NUL or a slash at the end."""

    def __init__(self, path: str | bytes) -> None:
        self.path = path

    def __fspath__(self) -> str | bytes:
        return self.path

    def __repr__(self) -> str:
        return f"Pathlike({self.path!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pathlike) and other.path == self.path

    def __hash__(self) -> int:
        return hash(self.path)


class Index:
    """Stands for an int."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __index__(self) -> int:
        return self.value

    def __repr__(self) -> str:
        return f"Index({self.value})"


class WithFileno:
    def __init__(self, result: object) -> None:
        self.result = result

    def fileno(self) -> object:
        return self.result

    def __repr__(self) -> str:
        return f"WithFileno({self.result})"


OPTIONAL = "not given"  # as the first value: the parameter isn't passed

WRONG: list[Any] = [None, 1.5, [], object, {}]
THINGS = [
    *("file", "empty", "directory", "vacant", "link", "dangling", "loop", "link-to-directory"),
    *("fifo", "missing", "missing/x", "file/x", "directory/inner", "directory/", "file/", "", "."),
    *("./file", "up", "link-to-directory/deep", "x" * 256, "x/" * 3000, "nul\0"),
    *("\udcff", b"\xff", b"file", b"missing", b"directory", b"nul\0", b"", b"link"),
    *(Pathlike("file"), Pathlike(b"file"), Pathlike("missing"), Pathlike(b"missing")),
    *(Pathlike("directory"), Pathlike("nul\0"), Pathlike(3)),  # type: ignore[arg-type]
    *("/proc/nonexistent", "/dev/null/x"),
]
PATHS = [*THINGS, *WRONG, 3, Index(3)]
NUMBERS = [FILE, DIRECTORY, READER, CLOSED, -100, -(2**31), 2**31, -(2**31) - 1, 2**80]
PATHS_OR_FDS = [
    *THINGS,
    *(w for w in WRONG if w is not None),
    *(*NUMBERS, Index(FILE), Index(CLOSED)),
]
DIR_FDS = [
    *(OPTIONAL, None, DIRECTORY, FILE, CLOSED, -1, -100, 2**31, -(2**31) - 1, "text", 1.5),
    Index(DIRECTORY),
]
BOOLS = [OPTIONAL, False, True, 0, 2, "", "x"]
FDS = [*NUMBERS, WRITER, MEMFD, READONLY, -1, "text", b"x", None, 1.5, Index(CLOSED), Index(FILE)]
FILENOS = [*FDS, WithFileno(FILE), WithFileno(CLOSED), WithFileno("3"), WithFileno(-1)]
INTS = [0, 1, -1, 2**31 - 1, 2**31, -(2**31) - 1, 2**63, 2**64, "1", None, 1.5, Index(1), True]
OFFSETS = [3, *INTS, 2**63 - 1, -(2**63), -(2**63) - 1, 2**40]
OPTIONAL_OFFSETS = [OPTIONAL, *OFFSETS]
MODES = [0o640, 0, 0o7777, 0o1777, -1, 2**31, "0o700", None, 1.5, Index(0o600)]
IDS = [1234, 0, -1, -2, 2**32 - 1, 2**32 - 2, 2**32, 2**64, "0", None, 1.5, Index(5)]
DATA = [
    *(b"data", b"", bytearray(b"data"), memoryview(b"data"), memoryview(b"abcd")[::2]),
    *(memoryview(b"abcdefgh").cast("i"), "text", None, 5, [1]),
]


def into(size: int) -> Fresh:
    return Fresh(lambda: bytearray(size), f"bytearray({size})")


VECTORS_IN = [
    *([b"one", bytearray(b"two")], [], (b"x",), [b""] * 3, iter([b"x"]), b"xy", "text", None, 5),
    *({0: b"x"}, [None], ["x"], [b"x"] * 1024, [b"x"] * 1025),
]
VECTORS_OUT = [
    Fresh(lambda: [bytearray(3), bytearray(4)], "[bytearray(3), bytearray(4)]"),
    *(Fresh(lambda: (bytearray(1),), "(bytearray(1),)"), [], "text", None, 5, [None]),
    *([b"readonly"], Fresh(lambda: [bytearray(1)] * 1025, "1025 of bytearray(1)")),
]
NAMESPACES = [
    *("user.new", "user.one", "user.missing", b"user.one", Pathlike("user.one"), "nonsense"),
    *("nonsense.x", "", "user." + "x" * 300, "nul\0", 3, None),
]
TIMES = [
    *(OPTIONAL, None, (1.5, 2.5), (1, 2), (-1.25, 1e9), (0.1, 0.3), (1, 2, 3), (1,), [1, 2]),
    *("12", ("a", 1), (1, None), (float("nan"), 1), (1, 1e300), (2**63, 0), (-(2**63), 0)),
    *((1e-10, 0.999999999999), (Index(5), True), (float("inf"), 1)),
]
NANOSECONDS = [
    *(OPTIONAL, (OLD, -OLD), (0, 0), (-1, 1), (1, 2, 3), [1, 2], (1.5, 2), ("a", 1), None),
    *((2**100, 0), (Index(5), 7)),
]

READ_FLAGS = [
    os.O_RDONLY | os.O_NONBLOCK,
    *(os.O_PATH, os.O_PATH | os.O_NOFOLLOW, os.O_DIRECTORY | os.O_NONBLOCK),
    os.O_CREAT | os.O_RDWR | os.O_NONBLOCK,
    os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_NONBLOCK,
    os.O_WRONLY | os.O_TRUNC | os.O_NONBLOCK,
    *(os.O_NOFOLLOW | os.O_NONBLOCK, os.O_APPEND | os.O_RDWR | os.O_NONBLOCK, os.O_TMPFILE),
    *("0", None, 1.5, 2**31, -(2**31) - 1),
]

NOT_NEGATIVE = [p for p in PATHS_OR_FDS if p not in (-100, -(2**31))]  # see DIFFERENCES
SHORT = [p for p in PATHS if p != "x/" * 3000]  # makedirs() and its like are recursive
TOPS = [".", *PATHS, b"."]

# Names of parameters by which a value is passed as a keyword stand after a "*".
Parameters = list[tuple[str, list[Any]]]

PARITY: dict[str, Parameters] = {
    # descriptors
    "open": [
        ("path", PATHS),
        ("flags", READ_FLAGS),
        ("mode", [OPTIONAL, *MODES]),
        ("*dir_fd", DIR_FDS),
    ],
    "close": [("fd", [SPARE, CLOSED, -1, 2**31, -(2**31) - 1, "text", None, 1.5, Index(SPARE)])],
    "closerange": [
        ("low", [SPARE, CLOSED, 2**31, "x", None]),
        ("high", [SPARE + 1, SPARE, SPARE - 1, 2**31, "x"]),
    ],
    "dup": [("fd", FDS)],
    "dup2": [
        ("fd", FDS),
        ("fd2", [NEW, SPARE, FILE, -1, 2**31 - 1, 2**31, "x", None]),
        ("inheritable", BOOLS),
    ],
    "lseek": [("fd", FDS), ("position", OFFSETS), ("whence", [0, 1, 2, 3, 4, 99, -1, 2**31, "0"])],
    "pipe": [],
    "pipe2": [("flags", [os.O_CLOEXEC, 0, os.O_NONBLOCK, os.O_DIRECT, -1, 2**31, "x", None])],
    "memfd_create": [
        ("name", ["name", b"name", "", "x" * 250, "a\0b", Pathlike("p"), 3, None]),
        ("flags", [OPTIONAL, 0, os.MFD_ALLOW_SEALING, -1, 2**31, 2**40, "x", None]),
    ],
    "eventfd": [
        ("initval", [7, *(i for i in INTS if not isinstance(i, Index))]),
        ("flags", [OPTIONAL, 0, os.EFD_SEMAPHORE, -1, "x"]),
    ],
    "timerfd_create": [("clockid", [0, 1, 99, -1, 2**31, "x"])],
    # reading and writing
    "read": [("fd", FDS), ("length", [4, 0, 100, -1, 2**63, "1", 1.0, None, Index(4)])],
    "pread": [("fd", FDS), ("length", [4, 0, 100, -1, 2**63, "1", 1.0]), ("offset", OFFSETS)],
    "write": [("fd", FDS), ("data", DATA)],
    "pwrite": [("fd", FDS), ("data", DATA), ("offset", [o for o in OFFSETS if o != 2**40])],
    "readv": [("fd", FDS), ("buffers", VECTORS_OUT)],
    "writev": [("fd", FDS), ("buffers", VECTORS_IN)],
    "preadv": [
        ("fd", FDS),
        ("buffers", VECTORS_OUT),
        ("offset", OFFSETS),
        ("flags", [OPTIONAL, 0, os.RWF_HIPRI, 2**20, 2**31, "x"]),
    ],
    "pwritev": [
        ("fd", FDS),
        ("buffers", VECTORS_IN),
        ("offset", [o for o in OFFSETS if o != 2**40]),
        ("flags", [OPTIONAL, 0, os.RWF_SYNC, 2**20, 2**31, "x"]),
    ],
    "sendfile": [
        ("out_fd", [OTHER, *FDS]),
        ("in_fd", FDS),
        ("offset", [0, None, 3, -1, 2**63, "x", 2**40]),
        ("count", [4, 0, 100, -1, 2**63, "x", None]),
    ],
    "splice": [
        ("src", [READER, *FDS]),
        ("dst", [OTHER, *FDS]),
        ("count", [4, 0, 100, -1, 2**63, "x"]),
        ("*offset_src", [OPTIONAL, None, 0, -1, 2**63, "x"]),
        ("*offset_dst", [OPTIONAL, None, 2, -1, 2**63, "x"]),
        ("*flags", [OPTIONAL, 0, os.SPLICE_F_NONBLOCK, -1, 2**40, "x"]),
    ],
    "copy_file_range": [
        ("src", FDS),
        ("dst", [OTHER, *FDS]),
        ("count", [4, 0, 100, -1, 2**63, "x"]),
        ("offset_src", [OPTIONAL, None, 3, -1, 2**63, "x"]),
        ("offset_dst", [OPTIONAL, None, 2, -1, 2**63, "x"]),
    ],
    # storage
    "fsync": [("fd", FILENOS)],
    "fdatasync": [("fd", FILENOS)],
    "truncate": [("path", PATHS_OR_FDS), ("length", [5, *INTS, 100])],
    "ftruncate": [("fd", FDS), ("length", [5, *INTS, 100])],
    # (A memfd would be given all of the memory that there is.)
    "posix_fallocate": [
        ("fd", FDS),
        ("offset", [0, 5, -1, 2**63, "x", 2**62]),
        ("length", [100, 0, -1, 2**63, "x"]),
    ],
    "posix_fadvise": [
        ("fd", FDS),
        ("offset", [0, 5, -1, 2**63, "x"]),
        ("length", [100, 0, -1, 2**63, "x"]),
        ("advice", [0, 1, 3, 99, -1, 2**31, "x"]),
    ],
    # what a file is
    "stat": [("path", PATHS_OR_FDS), ("*dir_fd", DIR_FDS), ("*follow_symlinks", BOOLS)],
    "lstat": [("path", PATHS), ("*dir_fd", DIR_FDS)],
    "fstat": [("fd", FDS)],
    "statvfs": [("path", PATHS_OR_FDS)],
    "fstatvfs": [("fd", FDS)],
    "access": [
        ("path", PATHS),
        ("mode", [os.F_OK, os.R_OK | os.W_OK, os.X_OK, 99, -1, 2**31, "x"]),
        ("*dir_fd", DIR_FDS),
        ("*effective_ids", BOOLS),
        ("*follow_symlinks", BOOLS),
    ],
    # directories
    "listdir": [("path", [OPTIONAL, None, *PATHS_OR_FDS])],
    "scandir": [("path", [OPTIONAL, None, *PATHS_OR_FDS])],
    "walk": [("top", TOPS), ("*topdown", BOOLS), ("*followlinks", BOOLS[:2])],
    "fwalk": [
        ("top", [t for t in TOPS if t != "fifo"]),
        ("*topdown", BOOLS),
        ("*follow_symlinks", BOOLS[:2]),
        ("*dir_fd", DIR_FDS),
    ],
    "mkdir": [("path", ["new", *PATHS]), ("mode", [OPTIONAL, *MODES]), ("*dir_fd", DIR_FDS)],
    "makedirs": [
        ("name", ["new/two/three", "new/two/", "new/.", "directory/new", *SHORT, b"new/two"]),
        ("mode", [OPTIONAL, *MODES]),
        ("exist_ok", BOOLS),
    ],
    "rmdir": [("path", ["vacant", *PATHS]), ("*dir_fd", DIR_FDS)],
    "removedirs": [
        (
            "name",
            [
                "directory/deep/deeper",
                "directory/deep/deeper/",
                "vacant",
                *PATHS,
                b"directory/deep/deeper",
            ],
        )
    ],
    "chdir": [("path", ["directory", *PATHS_OR_FDS])],
    "fchdir": [("fd", [DIRECTORY, *FILENOS])],
    "getcwd": [],
    "getcwdb": [],
    "chroot": [("path", ["missing", "file", "nul\0", b"missing", *WRONG, 3])],
    # names
    "unlink": [("path", PATHS), ("*dir_fd", DIR_FDS)],
    "remove": [("path", PATHS), ("*dir_fd", DIR_FDS)],
    "rename": [
        ("src", PATHS),
        ("dst", ["new", *PATHS]),
        ("*src_dir_fd", DIR_FDS),
        ("*dst_dir_fd", DIR_FDS),
    ],
    "replace": [
        ("src", PATHS),
        ("dst", ["new", *PATHS]),
        ("*src_dir_fd", DIR_FDS),
        ("*dst_dir_fd", DIR_FDS),
    ],
    "renames": [("old", ["directory/inner", *PATHS]), ("new", ["a/b/c", *PATHS])],
    "link": [
        ("src", ["file", *PATHS]),
        ("dst", ["new", *PATHS]),
        ("*src_dir_fd", DIR_FDS),
        ("*dst_dir_fd", DIR_FDS),
        ("*follow_symlinks", BOOLS),
    ],
    "symlink": [
        ("src", ["target", *PATHS]),
        ("dst", ["new", *PATHS]),
        ("target_is_directory", BOOLS),
        ("*dir_fd", DIR_FDS),
    ],
    "readlink": [("path", ["link", *PATHS]), ("*dir_fd", DIR_FDS)],
    "mkfifo": [("path", ["new", *PATHS]), ("mode", [OPTIONAL, *MODES]), ("*dir_fd", DIR_FDS)],
    "mknod": [
        ("path", ["new", *PATHS]),
        (
            "mode",
            [
                OPTIONAL,
                *MODES,
                stat.S_IFIFO | 0o600,
                stat.S_IFCHR | 0o600,
                stat.S_IFSOCK,
                stat.S_IFDIR,
            ],
        ),
        ("device", [OPTIONAL, 0, 259, os.makedev(8, 300), -1, 2**32, 2**64, "x", None]),
        ("*dir_fd", DIR_FDS),
    ],
    # attributes
    "chmod": [
        ("path", PATHS_OR_FDS),
        ("mode", MODES),
        ("*dir_fd", DIR_FDS),
        ("*follow_symlinks", BOOLS),
    ],
    "fchmod": [("fd", FDS), ("mode", MODES)],
    "chown": [
        ("path", PATHS_OR_FDS),
        ("uid", IDS),
        ("gid", IDS),
        ("*dir_fd", DIR_FDS),
        ("*follow_symlinks", BOOLS),
    ],
    "fchown": [("fd", FDS), ("uid", IDS), ("gid", IDS)],
    "lchown": [("path", PATHS), ("uid", IDS), ("gid", IDS)],
    "utime": [
        ("path", PATHS_OR_FDS),
        ("times", TIMES),
        ("*ns", NANOSECONDS),
        ("*dir_fd", DIR_FDS),
        ("*follow_symlinks", BOOLS),
    ],
    "getxattr": [
        ("path", NOT_NEGATIVE),
        ("attribute", ["user.one", "user.empty", *NAMESPACES]),
        ("*follow_symlinks", BOOLS),
    ],
    "setxattr": [
        ("path", NOT_NEGATIVE),
        ("attribute", NAMESPACES),
        ("value", [*DATA, b"x" * 70000]),
        ("flags", [OPTIONAL, 0, 1, 2, 3, -1, 2**31, "x"]),
        ("*follow_symlinks", BOOLS),
    ],
    "listxattr": [("path", [*NOT_NEGATIVE, OPTIONAL, None]), ("*follow_symlinks", BOOLS)],
    "removexattr": [
        ("path", NOT_NEGATIVE),
        ("attribute", ["user.one", *NAMESPACES]),
        ("*follow_symlinks", BOOLS),
    ],
    # the rest
    "lockf": [
        ("fd", FDS),
        ("command", [os.F_LOCK, os.F_TLOCK, os.F_TEST, os.F_ULOCK, 99, -1, 2**31, "x"]),
        ("length", [0, 5, -1, 2**63, "x"]),
    ],
    "getrandom": [  # a page at most: a signal may cut a longer one short
        ("size", [16, 0, 4096, -1, "x", None, 2**63]),
        ("flags", [OPTIONAL, 0, os.GRND_NONBLOCK, 99, 2**31, "x"]),
    ],
    "urandom": [("size", [16, 0, 4096, -1, "x", None, 1.5])],
    "pidfd_open": [
        ("pid", [os.getpid(), 0, -1, 2**22 + 5, 2**31, "x", None]),
        ("flags", [OPTIONAL, 0, os.O_NONBLOCK, 1, -1, 2**40, "x"]),
    ],
    "waitpid": [
        ("pid", [2**22 + 5, -(2**22) - 5, "x", None, 2**31]),
        ("options", [os.WNOHANG, -1, 2**31, "x"]),
    ],
    "wait4": [("pid", [2**22 + 5, "x", None, 2**31]), ("options", [os.WNOHANG, -1, 2**31, "x"])],
    "waitid": [
        ("idtype", [os.P_PID, 99, "x"]),
        ("id", [2**22 + 5, "x", None, 2**64]),
        ("options", [os.WNOHANG | os.WEXITED, os.WNOHANG, -1, 2**31, "x"]),
    ],
    "eventfd_read": [("fd", [CLOSED, "x", None, -1, WithFileno(CLOSED)])],
    "eventfd_write": [("fd", [CLOSED, "x", None, -1]), ("value", [1, -1, 2**64, "x", 1.5])],
    # os.path
    **{
        f"path.{name}": [("path", PATHS_OR_FDS)]
        for name in ("exists", "isfile", "isdir", "ismount", "getsize", "getmtime", "getatime")
    },
    **{
        f"path.{name}": [("path", PATHS)] for name in ("lexists", "islink", "abspath", "expanduser")
    },
    "path.getctime": [("path", ["missing", None, "nul\\0", 2**31])],
    "path.samefile": [("f1", PATHS_OR_FDS), ("f2", PATHS_OR_FDS)],
    "path.sameopenfile": [("fp1", FDS), ("fp2", [FILE, READONLY, *FDS])],
    "path.realpath": [("filename", PATHS), ("*strict", [OPTIONAL, False, True])],
    "path.relpath": [
        ("path", PATHS),
        ("start", [OPTIONAL, None, "directory", b"directory", "", "file/x"]),
    ],
}


def passed(parameters: Parameters, values: list[Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return the arguments; positional ones after one that isn't given go without, too."""
    arguments: list[Any] = []
    keywords: dict[str, Any] = {}
    ended = False
    for (name, _), value in zip(parameters, values, strict=True):
        if name.startswith("*"):
            if value is not OPTIONAL:
                keywords[name[1:]] = value
        elif value is OPTIONAL:
            ended = True
        elif not ended:
            arguments.append(value)
    return tuple(arguments), keywords


def calls_of(function: str) -> Iterator[Call]:
    """Yield the good call, and those in which one argument is another one."""
    parameters = PARITY[function]
    good = [values[0] for _, values in parameters]
    yield (function, *passed(parameters, good))
    for position, (_, values) in enumerate(parameters):
        # Those before it must be given, too, if it is to be.
        filled = [
            first if first is not OPTIONAL or p >= position else others[1]
            for p, (first, (_, others)) in enumerate(zip(good, parameters, strict=True))
        ]
        for value in values[1:]:
            filled[position] = value
            yield (function, *passed(parameters, filled))


def here(function: str) -> bool:
    """Tell whether this Python has the function."""
    return hasattr(os, function.partition(".")[0])


@pytest.fixture
def trees(tmp_path: Path) -> Trees:
    return Trees(tmp_path)


# A tree takes as long as the disk takes.
blocks_loop = pytest.mark.blocks_loop("os is called, and trees are made, in the loop's thread")


@both_ways
@blocks_loop
@pytest.mark.parametrize("function", [f for f in PARITY if here(f)])
async def test_parity(function: str, fast_path: bool, trees: Trees) -> None:
    wrong = []
    for call in calls_of(function):
        expected, got = await trees.both(call)
        if expected != got:
            wrong.append(f"{call}:\n    {expected.differs(got)}")
    assert not wrong, "\n".join(wrong[:20])


@both_ways
@blocks_loop
async def test_strict_realpath(fast_path: bool, trees: Trees) -> None:
    wrong = []
    more = ["file/.", "file/..", "link/", "link/.", "loop/", "loop/x", "directory/../file/"]
    for path in [*PATHS, *more]:
        call = ("path.realpath", (path,), {"strict": True})
        expected, got = await trees.both(call)
        if sys.version_info < (3, 13):
            expected.error, got.error = as_relative(expected.error), as_relative(got.error)
        if expected != got:
            wrong.append(f"{call}:\n    {expected.differs(got)}")
    assert not wrong, "\n".join(wrong)


def as_relative(error: tuple[Any, ...] | None) -> tuple[Any, ...] | None:
    """Return an error as of a path in the tree: see DIFFERENCES."""

    def relative(value: Any) -> Any:
        if isinstance(value, bytes):
            return value.replace(b"ROOT/", b"")
        return value.replace("ROOT/", "") if isinstance(value, str) else value

    return error and tuple(map(relative, error))


@blocks_loop
@settings(
    max_examples=examples(25),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
@pytest.mark.parametrize("function", [f for f in PARITY if here(f) and len(PARITY[f]) > 1])
async def test_any_mixture(function: str, trees: Trees, data: st.DataObject) -> None:
    """Of several arguments that can't be, any may be told; all else is as for one."""
    values = [data.draw(st.sampled_from(range(len(v))), label=n) for n, v in PARITY[function]]
    chosen = [v[at] for at, (_, v) in zip(values, PARITY[function], strict=True)]
    expected, got = await trees.both((function, *passed(PARITY[function], chosen)))
    if expected.error is not None and got.error is not None:
        assert expected.left == got.left
    else:
        assert expected == got, expected.differs(got)


# Every twin is a call in the table

Twin = Callable[[], Awaitable[object]]


async def first_of(iterating: AsyncIterator[object]) -> None:
    await anext(iterating)


async def timers() -> None:
    timer = await twins.timerfd_create(1)
    await asyncio.gather(
        *(twins.timerfd_settime(timer), twins.timerfd_settime_ns(timer)),
        *(twins.timerfd_gettime(timer), twins.timerfd_gettime_ns(timer)),
    )
    os.close(timer)


async def eventfds() -> None:
    fd = os.eventfd(0)
    await twins.eventfd_write(fd, 1)
    await twins.eventfd_read(fd)
    os.close(fd)


async def a_child(wait: Callable[[int], Awaitable[object]]) -> None:
    child = subprocess.Popen(["sleep", "0.05"])
    child.returncode = 0  # nobody else waits for it
    await wait(child.pid)


async def opened_and_closed(opening: Awaitable[int]) -> None:
    os.close(await opening)


async def handles() -> None:
    with contextlib.suppress(OSError):  # the file system may have none
        await twins.name_to_handle_at("file")
    handle = twins.FileHandle(1, b"nonsense", 1)
    with contextlib.suppress(OSError):
        os.close(await twins.open_by_handle_at(DIRECTORY, handle, os.O_RDONLY))


# Those that PARITY has no good call of, or none at all.
OTHER_TWINS: dict[str, Twin] = {
    "chroot": lambda: answer_of(twins.chroot("file")),
    "closerange": lambda: twins.closerange(SPARE, SPARE + 1),
    "eventfd_read": eventfds,
    "eventfd_write": eventfds,
    "fallocate": lambda: twins.fallocate(FILE, 0, 0, 20),
    "flock": lambda: twins.flock(FILE, fcntl.LOCK_SH),
    "fwalk": lambda: first_of(twins.fwalk(".")),
    "name_to_handle_at": handles,
    "open_by_handle_at": handles,
    "openat2": lambda: opened_and_closed(twins.openat2("file", os.O_RDONLY)),
    "read_file": lambda: twins.read_file("file", 10**6),
    "path.expanduser": lambda: twins.stat("file"),  # it makes none, or libc makes it
    "path.getctime": lambda: twins.path.getctime("file"),
    "preadinto": lambda: twins.preadinto(FILE, bytearray(1), 0),
    "readinto": lambda: twins.readinto(FILE, bytearray(1)),
    "renameat2": lambda: twins.renameat2("file", "new"),
    "scandir": lambda: twins.scandir("."),
    "statx": lambda: twins.statx("file", twins.STATX_BASIC_STATS),
    "sync": twins.sync,
    "sync_file_range": lambda: twins.sync_file_range(FILE, 0, 0, 0),
    "timerfd_create": timers,
    "timerfd_gettime": timers,
    "timerfd_gettime_ns": timers,
    "timerfd_settime": timers,
    "timerfd_settime_ns": timers,
    "wait": lambda: a_child(lambda _: twins.wait()),
    "wait3": lambda: a_child(lambda _: twins.wait3(0)),
    "wait4": lambda: a_child(lambda pid: twins.wait4(pid, 0)),
    "waitid": lambda: a_child(lambda pid: twins.waitid(os.P_PID, pid, os.WEXITED)),
    "waitpid": lambda: a_child(lambda pid: twins.waitpid(pid, 0)),
    "walk": lambda: first_of(twins.walk(".")),
}


def all_twins() -> Iterator[str]:
    for module, prefix in ((twins, ""), (twins.path, "path.")):
        for name in module.__all__:
            function = getattr(module, name)
            if inspect.isfunction(function) and function.__module__.startswith("asyncsys_loop"):
                yield prefix + name


@pytest.mark.loop(fast_path=False)
@pytest.mark.parametrize("name", sorted(all_twins()))
async def test_every_twin_goes_through_the_table(name: str, trees: Trees) -> None:
    """A new twin fails here until it is on one of the lists."""
    with trees.of_twin.entered():
        before = asyncsys_loop.stats()
        if name in OTHER_TWINS:
            await OTHER_TWINS[name]()
        else:
            _, arguments, keywords = fresh(next(calls_of(name)))
            try:
                result = await named(name, twins)(*arguments, **keywords)
                visible(name, result, trees.of_twin.root)  # which closes descriptors
            except OSError as error:
                if error.errno != errno.EOPNOTSUPP:  # no attributes: tmpfs before Linux 6.6
                    raise
        after = asyncsys_loop.stats()
        assert after.completed > before.completed
        assert after.inline == before.inline


# What differs from os. docs/os.md is made from it.

DIFFERENCES = {
    "A negative descriptor in place of a path": (
        "is one that isn't open: EBADF. os takes -1 for the working directory in listdir() and "
        "scandir(), and any in getxattr() and its like for no path at all: EFAULT."
    ),
    "OverflowError": "has a text of its own: that of os is another one for each function.",
    "Of several wrong arguments": "another one may be told than by os.",
    "A bytearray as a path": "is a TypeError. os takes it with a DeprecationWarning.",
    "closerange(fd, 0)": "closes nothing. os closes everything from fd on.",
    "fwalk()": "opens directories with O_NONBLOCK on every Python, as os does from 3.13 on.",
    "walk()": "tells audit hooks when it is first awaited, as os does from 3.12 on.",
    "scandir()": (
        "opens the directory when it is first awaited; is_dir(), is_file() and stat() of its "
        "entries are coroutines; a DirEntry's type is asked for while listing, where the "
        "directory doesn't have it, and it may be pickled."
    ),
    "posix_fallocate()": (
        "raises OSError with EOPNOTSUPP where a file system can't do it; libc writes to every "
        "block there."
    ),
    "realpath() of a relative path, strict": (
        "names what it didn't find by its absolute path, as os does from 3.13 on."
    ),
    "timerfd_create()": "makes a descriptor that isn't inheritable; Python 3.13.0 forgot it.",
    "eventfd() and its like": "take any object with __index__, where os takes an int only.",
}


@pytest.mark.parametrize("function", ["stat", "listdir", "scandir", "truncate", "chmod", "statvfs"])
@pytest.mark.parametrize("fd", [-1, -100, -(2**31)])
async def test_no_negative_descriptor_is_open(function: str, fd: int) -> None:
    arguments = {"truncate": (5,), "chmod": (0o600,)}.get(function, ())
    with pytest.raises(OSError, match="Bad file descriptor"):
        await getattr(twins, function)(fd, *arguments)


@pytest.mark.parametrize("fd", [-1, -100, -(2**31)])
async def test_no_negative_descriptor_has_attributes(fd: int) -> None:
    for call in (
        twins.getxattr(fd, "user.one"),
        twins.setxattr(fd, "user.one", b""),
        twins.listxattr(fd),
        twins.removexattr(fd, "user.one"),
    ):
        with pytest.raises(OSError, match="Bad file descriptor"):
            await call


async def test_closerange_of_nothing() -> None:
    fd = os.open("/dev/null", os.O_RDONLY)
    await twins.closerange(fd, 0)
    await twins.closerange(fd, fd)
    os.close(fd)
