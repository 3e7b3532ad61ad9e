"""asyncsys_loop.os does what `os` does: each call is made both ways, on twin trees.

What is compared is all that a caller sees: the result, or the exception with its class, text, errno
and filenames; the audit events; and the tree afterwards.
"""

import array
import asyncio
import errno
import mmap
import os
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

import asyncsys_loop
from asyncsys_loop import stats

from .support import examples

twins = asyncsys_loop.os

# What a caller sees


@dataclass(frozen=True)
class Outcome:
    """What a call did, as its caller sees it."""

    result: object
    error: tuple[Any, ...] | None
    events: tuple[tuple[str, tuple[Any, ...]], ...]


_events: list[tuple[str, tuple[Any, ...]]] | None = None
HOOKED = ("open", "os.")
_main = threading.get_ident()


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if _events is not None and event.startswith(HOOKED) and threading.get_ident() == _main:
        _events.append((event, arguments))


sys.addaudithook(_hook)


def _error(error: Exception) -> tuple[Any, ...]:
    if isinstance(error, OSError):
        return (type(error), str(error), error.errno, error.filename, error.filename2, error.args)
    if "embedded null" in str(error):
        return (type(error), "embedded null")  # Python 3.11 has two texts for it, 3.13 one
    return (type(error), str(error))


def _visible(result: object) -> object:
    if isinstance(result, os.stat_result):
        # All fields, with and without names. (The times of access move when somebody looks.)
        return [getattr(result, name) for name in dir(result) if name.startswith("st_")], [*result]
    return result


def by_os(name: str, *arguments: Any, **keywords: Any) -> Outcome:
    global _events  # noqa: PLW0603
    events: list[tuple[str, tuple[Any, ...]]] = []
    _events = events
    try:
        result = getattr(os, name)(*arguments, **keywords)
    except Exception as error:  # noqa: BLE001  (whatever it is, it is compared)
        return Outcome(None, _error(error), tuple(events))
    finally:
        _events = None
    return Outcome(_visible(result), None, tuple(events))


async def by_twin(name: str, *arguments: Any, **keywords: Any) -> Outcome:
    global _events  # noqa: PLW0603
    events: list[tuple[str, tuple[Any, ...]]] = []
    _events = events
    try:
        result = await getattr(twins, name)(*arguments, **keywords)
    except Exception as error:  # noqa: BLE001  (whatever it is, it is compared)
        return Outcome(None, _error(error), tuple(events))
    finally:
        _events = None
    return Outcome(_visible(result), None, tuple(events))


async def same(name: str, *arguments: Any, **keywords: Any) -> Outcome:
    """Make a call that changes nothing both ways; return the outcome, which is the same."""
    expected = by_os(name, *arguments, **keywords)
    assert await by_twin(name, *arguments, **keywords) == expected
    return expected


@dataclass
class Tree:
    """A directory with one of everything."""

    root: Path

    @classmethod
    def make(cls, root: Path) -> "Tree":
        root.mkdir()
        (root / "file").write_bytes(b"0123456789")
        (root / "empty").touch()
        (root / "directory").mkdir()
        (root / "directory" / "inner").write_bytes(b"inner")
        (root / "link").symlink_to("file")
        (root / "dangling").symlink_to("nowhere")
        (root / "loop").symlink_to("loop")
        (root / "link-to-directory").symlink_to("directory")
        os.mkfifo(root / "fifo")
        (root / "names").mkdir()
        for name in ODD_NAMES:
            (root / "names" / os.fsdecode(name)).touch()
        for path in [root, *root.rglob("*")]:
            os.utime(path, ns=(1_234_567_890_123_456_789, -1_500_000_001), follow_symlinks=False)
        return cls(root)

    def contents(self) -> dict[str, tuple[int, int, bytes]]:
        found = {}
        for path in sorted(self.root.rglob("*")):
            status = path.lstat()
            data = path.read_bytes() if stat.S_ISREG(status.st_mode) else b""
            found[str(path.relative_to(self.root))] = (status.st_mode, status.st_size, data)
        return found


ODD_NAMES = [b"caf\xc3\xa9", b"\xff\xfe", b" ", b"new\nline", b"-rf", b"...", b"x" * 255, b"\x01"]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree.make(tmp_path / "tree")


@pytest.fixture
def trees(tmp_path: Path) -> tuple[Tree, Tree]:
    # Names of one length, so that texts that hold them can be compared.
    return Tree.make(tmp_path / "A"), Tree.make(tmp_path / "B")


async def same_on(
    trees: tuple[Tree, Tree], call: Callable[[Tree], tuple[Any, ...]], **keywords: Any
) -> Outcome:
    """Make a call that changes something on twin trees, and compare the trees too."""

    def renamed(value: object) -> object:
        if isinstance(value, str):
            return value.replace(str(trees[1].root), str(trees[0].root))
        if isinstance(value, bytes):
            return value.replace(os.fsencode(trees[1].root), os.fsencode(trees[0].root))
        if isinstance(value, Path):
            return Path(str(renamed(str(value))))
        if isinstance(value, tuple | list):
            return type(value)(renamed(item) for item in value)
        return value

    name, *arguments = call(trees[0])
    expected = by_os(name, *arguments, **keywords)
    name, *arguments = call(trees[1])
    got = await by_twin(name, *arguments, **keywords)
    assert Outcome(got.result, renamed(got.error), renamed(got.events)) == expected  # type: ignore[arg-type]
    assert trees[0].contents() == trees[1].contents()
    return expected


# Paths: of each type, to each thing, good and bad

NAMES = [
    *("file", "empty", "directory", "link", "dangling", "loop", "link-to-directory", "fifo"),
    *("missing", "missing/x", "file/x", "directory/inner", "directory/", "file/", "", "."),
    *("x" * 256, "x/" * 3000, "nul\0", "names/..."),
]


class Pathlike:
    """An os.PathLike, which pathlib's isn't for names with a NUL or a slash at the end."""

    def __init__(self, path: str | bytes) -> None:
        self.path = path

    def __fspath__(self) -> str | bytes:
        return self.path

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Pathlike) and other.path == self.path

    def __hash__(self) -> int:
        return hash(self.path)


KINDS: dict[str, Callable[[str], Any]] = {
    "str": str,
    "bytes": os.fsencode,
    "Path": Pathlike,
    "Path of bytes": lambda path: Pathlike(os.fsencode(path)),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("function", ["stat", "lstat", "listdir"])
async def test_looking_at_paths(function: str, kind: str, tree: Tree) -> None:
    outcomes = [await same(function, KINDS[kind](os.path.join(tree.root, name))) for name in NAMES]
    assert any(outcome.error is None for outcome in outcomes)
    assert any(outcome.error is not None for outcome in outcomes)


@pytest.mark.parametrize("follow", [True, False])
async def test_stat_follows_symlinks(follow: bool, tree: Tree) -> None:
    for name in NAMES:
        await same("stat", os.path.join(tree.root, name), follow_symlinks=follow)


@pytest.mark.parametrize("path", ["/", "/dev/null", "/dev/zero", "/proc/self/status", "/tmp"])
async def test_stat_of_system_files(path: str) -> None:
    expected, got = os.stat(path), await twins.stat(path)
    for name in ("st_mode", "st_ino", "st_dev", "st_rdev", "st_nlink", "st_blksize", "st_uid"):
        assert getattr(got, name) == getattr(expected, name)
    assert type(got) is os.stat_result
    assert len(got) == 10
    assert stat.filemode(got.st_mode) == stat.filemode(expected.st_mode)


@pytest.mark.parametrize("function", ["stat", "fstat"])
async def test_stat_of_descriptors(function: str, tree: Tree) -> None:
    fd = os.open(tree.root / "file", os.O_RDONLY)
    reader, writer = os.pipe()
    for descriptor in (fd, reader, 12345, -100, -(2**31)):
        await same(function, descriptor)
    # os.stat(-1) passes a NULL pointer, by mistake.
    with pytest.raises(OSError, match="Bad file descriptor"):
        await getattr(twins, function)(-1)
    for bad in (2**31, -(2**31) - 1, 2**80):
        outcome = await same(function, bad)
        assert outcome.error is not None
        assert outcome.error[0] is OverflowError
    for descriptor in (fd, reader, writer):
        os.close(descriptor)


class Index:
    """Stands for an int."""

    def __init__(self, value: int) -> None:
        self.value = value

    def __index__(self) -> int:
        return self.value


@pytest.mark.parametrize("value", [None, 1.5, "text", b"bytes", [], object, Index(12345), True])
@pytest.mark.parametrize("function", ["stat", "lstat", "listdir", "fstat", "mkdir", "unlink"])
async def test_wrong_types(function: str, value: Any, tree: Tree) -> None:
    if function == "listdir" and value in (None, True):
        return  # the working directory, and stdout: see below
    if function == "mkdir" and isinstance(value, str | bytes):
        return  # nothing is wrong with it
    if (function == "fstat" and value is True) or (function == "stat" and value is True):
        value = 12345
    expected = by_os(function, value)
    got = await by_twin(function, value)
    assert expected.error is not None
    assert got.error is not None
    assert got.error[0] is expected.error[0]
    if not isinstance(value, Index):
        assert got.error == expected.error


async def test_dir_fd(trees: tuple[Tree, Tree]) -> None:
    fds = [os.open(tree.root, os.O_RDONLY) for tree in trees]
    by_tree = dict(zip((id(tree) for tree in trees), fds, strict=True))
    for function, arguments in {
        "stat": ("file",),
        "lstat": ("link",),
        "mkdir": ("made", 0o711),
        "rmdir": ("made",),
        "unlink": ("empty",),
        "remove": ("fifo",),
        "open": ("missing", os.O_RDONLY),
    }.items():
        for dir_fd in (None, *by_tree.values()):
            if dir_fd is None:
                continue
        expected = by_os(function, *arguments, dir_fd=fds[0])
        got = await by_twin(function, *arguments, dir_fd=fds[1])
        if function in {"stat", "lstat"}:
            assert got.error is None
            assert (await by_twin(function, *arguments, dir_fd=fds[0])) == expected
        else:
            assert (got.result, got.error) == (expected.result, expected.error)
            assert [event for event, _ in got.events] == [event for event, _ in expected.events]
        assert trees[0].contents() == trees[1].contents()
    for fd in fds:
        os.close(fd)


@pytest.mark.parametrize("dir_fd", [12345, -1, 2**31, -(2**31) - 1, "text", 1.5, Index(12345)])
@pytest.mark.parametrize("function", ["stat", "lstat", "mkdir", "rmdir", "unlink", "remove"])
async def test_bad_dir_fd(function: str, dir_fd: Any) -> None:
    outcome = await same(function, "missing", dir_fd=dir_fd)
    assert outcome.error is not None


async def test_dir_fd_with_a_descriptor(tree: Tree) -> None:
    await same("stat", 0, dir_fd=3)
    await same("stat", 0, follow_symlinks=False)


# Directories


async def test_listdir_of_odd_names(tree: Tree) -> None:
    for kind in (str, os.fsencode):
        outcome = await same("listdir", kind(tree.root / "names"))
        assert isinstance(outcome.result, list)
        assert len(outcome.result) == len(ODD_NAMES)


async def test_listdir_of_the_working_directory(
    tree: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tree.root)
    for arguments in ((), (None,), (".",), (b".",), ("",)):
        await same("listdir", *arguments)


async def test_listdir_of_descriptors(tree: Tree) -> None:
    fd = os.open(tree.root, os.O_RDONLY)
    first = await same("listdir", fd)
    assert first.result is not None
    assert await same("listdir", fd) == first  # the position is at the beginning again
    os.close(fd)
    file = os.open(tree.root / "file", os.O_RDONLY)
    for bad in (file, 12345, -100):
        outcome = await same("listdir", bad)
        assert outcome.error is not None
    # os.listdir(-1) lists the working directory, by mistake.
    with pytest.raises(OSError, match="Bad file descriptor"):
        await twins.listdir(-1)
    os.close(file)


@pytest.mark.parametrize("count", [0, 1, 2000])
async def test_listdir_of_big_directories(count: int, tmp_path: Path) -> None:
    def fill() -> None:
        for number in range(count):
            os.mknod(tmp_path / f"{number}-{'x' * (number % 200)}")

    await asyncio.to_thread(fill)
    before = stats().submitted
    outcome = await same("listdir", tmp_path)
    assert len(outcome.result) == count  # type: ignore[arg-type]
    if count > 1000:
        assert stats().submitted - before > 3  # several reads of the directory


async def test_listdir_while_files_come_and_go(tmp_path: Path) -> None:
    stay = {str(number) for number in range(1000)}
    for name in stay:
        (tmp_path / name).touch()

    async def churn() -> None:
        for number in range(300):
            path = tmp_path / f"new{number}"
            fd = await twins.open(path, os.O_CREAT | os.O_WRONLY)
            await twins.close(fd)
            await twins.unlink(path)

    _, *listings = await asyncio.gather(churn(), *(twins.listdir(tmp_path) for _ in range(10)))
    for names in listings:
        assert names is not None
        assert stay <= set(names)
        assert len(names) == len(set(names))


# Names that change


CHANGES: dict[str, Callable[[Path], tuple[Any, ...]]] = {
    **{
        f"{function} {name or 'nothing'}": lambda root, f=function, n=name: (  # type: ignore[misc]
            f,
            os.path.join(root, n) if n else "",
        )
        for function in ("mkdir", "rmdir", "unlink", "remove")
        for name in [*NAMES[:-4], "new", ""]
    },
    "mkdir with a mode": lambda root: ("mkdir", root / "new", 0o705),
    "mkdir with the sticky bit": lambda root: ("mkdir", root / "new", 0o1777),
    "rename file": lambda root: ("rename", root / "file", root / "new"),
    "rename over": lambda root: ("rename", str(root / "file"), str(root / "empty")),
    "rename bytes": lambda root: ("rename", os.fsencode(root / "file"), os.fsencode(root / "b")),
    "rename mixed": lambda root: ("rename", str(root / "file"), os.fsencode(root / "b")),
    "rename missing": lambda root: ("rename", str(root / "missing"), str(root / "new")),
    "rename onto a directory": lambda root: ("rename", root / "file", root / "directory"),
    "rename a directory": lambda root: ("rename", root / "directory", root / "moved"),
    "rename into itself": lambda root: ("rename", root / "directory", root / "directory/x"),
    "rename onto a full one": lambda root: ("rename", root / "names", root / "directory"),
    "rename across": lambda root: ("rename", str(root / "file"), "/proc/self/x"),
    "rename nul": lambda root: ("rename", str(root / "file"), "a\0b"),
    "rename nul first": lambda root: ("rename", "a\0b", str(root / "file")),
    "rename int": lambda root: ("rename", 3, str(root / "file")),
    "rename None": lambda root: ("rename", str(root / "file"), None),
    "mkdir mode of a wrong type": lambda root: ("mkdir", str(root / "new"), "0o700"),
    "mkdir large mode": lambda root: ("mkdir", str(root / "new"), 2**31),
    "unlink in a missing directory": lambda root: ("unlink", root / "missing" / "x"),
}


@pytest.mark.parametrize("change", CHANGES)
async def test_changes(change: str, trees: tuple[Tree, Tree]) -> None:
    await same_on(trees, lambda tree: CHANGES[change](tree.root))


async def test_rename_with_directories(trees: tuple[Tree, Tree]) -> None:
    for tree, how in ((trees[0], "os"), (trees[1], "twin")):
        source = os.open(tree.root, os.O_RDONLY)
        target = os.open(tree.root / "directory", os.O_RDONLY)
        keywords = {"src_dir_fd": source, "dst_dir_fd": target}
        if how == "os":
            os.rename("file", "moved", **keywords)
        else:
            await twins.rename("file", "moved", **keywords)
        os.close(source)
        os.close(target)
    assert trees[0].contents() == trees[1].contents()
    assert (trees[1].root / "directory" / "moved").read_bytes() == b"0123456789"


# Opening and closing


FLAGS = {
    "read": os.O_RDONLY,
    "write": os.O_WRONLY,
    "create": os.O_CREAT | os.O_RDWR,
    "exclusive": os.O_CREAT | os.O_EXCL | os.O_WRONLY,
    "truncate": os.O_WRONLY | os.O_TRUNC,
    "directory": os.O_DIRECTORY,
    "nofollow": os.O_NOFOLLOW,
    "path": os.O_PATH,
    "fifo": os.O_RDONLY | os.O_NONBLOCK,
}


@pytest.mark.parametrize("flags", FLAGS)
async def test_open(flags: str, trees: tuple[Tree, Tree]) -> None:
    for name in [*NAMES, "new"]:
        if name == "fifo" and flags != "fifo":
            continue  # it waits for the other end

        def opened(tree: Tree, name: str = name) -> str:
            return os.path.join(tree.root, name)

        expected = by_os("open", opened(trees[0]), FLAGS[flags], 0o640)
        got = await by_twin("open", opened(trees[1]), FLAGS[flags], 0o640)
        if expected.error is None:
            assert got.error is None
            for fd in (got.result, expected.result):
                assert isinstance(fd, int)
                assert not os.get_inheritable(fd)
                os.close(fd)
        else:
            assert got.error is not None
            text = str(got.error).replace(str(trees[1].root), str(trees[0].root))
            assert text == str(expected.error)
        events = str(got.events).replace(str(trees[1].root), str(trees[0].root))
        assert events == str(expected.events)
        assert trees[0].contents() == trees[1].contents()


@pytest.mark.parametrize(
    "arguments",
    [
        ("x", "flags"),
        ("x", 1.5),
        ("x", 2**31),
        ("x", -(2**31) - 1),
        ("x", 0, "mode"),
        ("x", 0, 2**31),
        (3, 0),
        (None, 0),
        ("a\0", 0),
    ],
)
async def test_open_with_bad_arguments(arguments: tuple[Any, ...]) -> None:
    expected = by_os("open", *arguments)
    got = await by_twin("open", *arguments)
    assert expected.error is not None
    assert got.error == expected.error


async def test_close() -> None:
    for bad in (12345, -1, 2**31, -(2**31) - 1, "text", None, 1.5):
        await same("close", bad)
    fd = os.open("/", os.O_RDONLY)
    assert await twins.close(fd) is None  # type: ignore[func-returns-value]
    await same("close", fd)


# Reading and writing


@pytest.mark.parametrize("length", [0, 1, 9, 10, 11, 100_000])
async def test_read(length: int, tree: Tree) -> None:
    fds = [os.open(tree.root / "file", os.O_RDONLY) for _ in range(2)]
    for _ in range(3):
        expected, got = os.read(fds[0], length), await twins.read(fds[1], length)
        assert got == expected
        assert type(got) is bytes
    for offset in (0, 3, 10, 11, 2**40):
        assert await twins.pread(fds[1], length, offset) == os.pread(fds[0], length, offset)
    for fd in fds:
        os.close(fd)


BAD_READS: list[tuple[Any, ...]] = [
    ("read", 12345, 1),
    ("read", -1, 1),
    ("read", "0", 1),
    ("read", 0, -1),
    ("read", 0, "1"),
    ("read", 0, 1.0),
    ("read", 0, 2**63),
    ("read", 2**31, 1),
    ("pread", 12345, 1, 0),
    ("pread", 0, -1, 0),
    ("pread", 0, 1, 2**63),
    ("pread", 0, 1, "0"),
    ("write", 12345, b"x"),
    ("write", 0, "text"),
    ("write", 0, None),
    ("write", 0, 5),
    ("write", 2**31, b""),
    ("write", 0, memoryview(b"abcd")[::2]),
    ("pwrite", 12345, b"x", 0),
    ("pwrite", 0, b"x", 2**63),
    ("pwrite", 0, "x", 0),
    ("lseek", 12345, 0, 0),
    ("lseek", 0, 2**63, 0),
    ("lseek", 0, "0", 0),
    ("lseek", 0, 0, 2**31),
    ("ftruncate", 12345, 0),
    ("ftruncate", 0, 2**63),
    ("ftruncate", 0, None),
    ("fsync", 12345),
    ("fsync", -1),
    ("fsync", "x"),
    ("fsync", 2**31),
    ("fdatasync", 12345),
    ("fdatasync", None),
]


@pytest.mark.parametrize("call", BAD_READS, ids=str)
async def test_bad_arguments(call: tuple[Any, ...]) -> None:
    outcome = await same(*call)
    assert outcome.error is not None


async def test_negative_offsets_and_whence(tree: Tree) -> None:
    fd = os.open(tree.root / "file", os.O_RDWR)
    calls: list[tuple[Any, ...]] = [
        ("pread", fd, 1, -1),
        ("pwrite", fd, b"x", -1),
        ("lseek", fd, -1, os.SEEK_SET),
        ("lseek", fd, 0, 99),
        ("ftruncate", fd, -1),
        ("read", fd, -1),
    ]
    for call in calls:
        outcome = await same(*call)
        assert outcome.error is not None
        assert outcome.error[2] == errno.EINVAL
    os.close(fd)


class WithFileno:
    def __init__(self, result: object) -> None:
        self.result = result

    def fileno(self) -> object:
        return self.result


async def test_fsync_takes_objects_with_a_descriptor(tree: Tree) -> None:
    with (tree.root / "file").open("r+b") as file:
        for function in ("fsync", "fdatasync"):
            for value in (file, file.fileno(), WithFileno(file.fileno())):
                assert (await same(function, value)).error is None
            for bad in (WithFileno("3"), WithFileno(-1), WithFileno(2**31), WithFileno(12345)):
                assert (await same(function, bad)).error is not None


def buffers(data: bytes) -> Iterator[Any]:
    yield data
    yield bytearray(data)
    yield memoryview(data)
    yield memoryview(bytearray(data))
    yield array.array("B", data)
    yield memoryview(b"." + data + b".")[1:-1]
    if len(data) % 4 == 0 and data:
        yield array.array("i", data)
        yield memoryview(data).cast("i")
        yield memoryview(data).cast("B", (len(data) // 4, 4))


@pytest.mark.parametrize("data", [b"", b"x", b"12345678", bytes(range(256)) * 1000])
async def test_write_of_every_buffer(data: bytes, tmp_path: Path) -> None:
    for number, buffer in enumerate(buffers(data)):
        fd = os.open(tmp_path / str(number), os.O_RDWR | os.O_CREAT)
        assert await twins.write(fd, buffer) == len(data)
        assert await twins.pwrite(fd, buffer, 1) == len(data)
        assert os.pread(fd, len(data) + 1, 0) == (data[:1] + data if data else b"")
        os.close(fd)


async def test_write_of_an_mmap(tmp_path: Path) -> None:
    fd = os.open(tmp_path / "file", os.O_RDWR | os.O_CREAT)
    with mmap.mmap(-1, 4096) as mapped:
        mapped[:4] = b"data"
        assert await twins.write(fd, mapped) == 4096
        mapped[:] = bytes(4096)
        assert await twins.preadinto(fd, mapped, 0) == 4096
        assert mapped[:5] == b"data\0"
    os.close(fd)


@pytest.mark.parametrize("length", [0, 1, 8, 12])
async def test_readinto(length: int, tree: Tree) -> None:
    fd = os.open(tree.root / "file", os.O_RDONLY)
    content = b"0123456789"
    for buffer in buffers(bytes(length)):
        view = memoryview(buffer)
        if view.readonly:
            with pytest.raises(TypeError, match=r"read-only.*bytearray"):
                await twins.readinto(fd, buffer)
            with pytest.raises(TypeError, match=r"read-only.*bytearray"):
                await twins.preadinto(fd, buffer, 0)
            continue
        os.lseek(fd, 0, os.SEEK_SET)
        assert await twins.readinto(fd, buffer) == min(length, 10)
        assert bytes(view)[:10] == content[:length]
        assert await twins.preadinto(fd, buffer, 8) == min(length, 2)
        assert bytes(view)[:2] == content[8:][:length]
    for bad in ("text", None, 5):
        with pytest.raises(TypeError, match="a bytes-like object is required"):
            await twins.readinto(fd, bad)  # type: ignore[arg-type]
    with pytest.raises(BufferError, match="not C-contiguous"):
        await twins.readinto(fd, memoryview(bytearray(8))[::2])
    os.close(fd)


@pytest.mark.parametrize("excess", [0, 1, 2**20])
async def test_two_gigabytes_are_clipped(excess: int) -> None:
    """One read(2) moves at most 0x7ffff000 bytes; longer ones are cut, as Python cuts them."""
    length = 0x7FFFF000 + excess
    fd = os.memfd_create("empty")
    with mmap.mmap(-1, length) as sparse:
        assert await twins.readinto(fd, sparse) == 0
        assert await twins.preadinto(fd, sparse, 0) == 0
    assert await twins.pread(fd, 2**62, 0) == b"" if excess == 0 else True
    os.close(fd)
    null = os.open("/dev/null", os.O_WRONLY)
    with mmap.mmap(-1, length) as sparse:
        assert await twins.write(null, sparse) == 0x7FFFF000 == os.write(null, sparse)
    os.close(null)


async def test_lseek_and_ftruncate(trees: tuple[Tree, Tree]) -> None:
    fds = [os.open(tree.root / "file", os.O_RDWR) for tree in trees]
    for position, how in [(3, 0), (2, 1), (-1, 2), (2**40, 0), (0, os.SEEK_END), (0, os.SEEK_CUR)]:
        assert await twins.lseek(fds[1], position, how) == os.lseek(fds[0], position, how)
    for length in (5, 0, 10_000):
        os.ftruncate(fds[0], length)
        await twins.ftruncate(fds[1], length)
        assert trees[0].contents() == trees[1].contents()
    for fd in fds:
        os.close(fd)


async def test_pipes_and_fifos(tree: Tree) -> None:
    path = tree.root / "fifo"
    reading = asyncio.create_task(twins.open(path, os.O_RDONLY))
    writing = asyncio.create_task(twins.open(path, os.O_WRONLY))  # each waits for the other
    reader, writer = await asyncio.gather(reading, writing)
    read = asyncio.create_task(twins.read(reader, 100))
    assert await twins.write(writer, b"through") == 7
    assert await read == b"through"
    await twins.close(writer)
    assert await twins.read(reader, 100) == b""
    with pytest.raises(OSError, match="Illegal seek"):
        await twins.lseek(reader, 0, 0)
    await twins.close(reader)

    reader, writer = os.pipe()
    os.close(reader)
    with pytest.raises(BrokenPipeError):  # and no SIGPIPE
        await twins.write(writer, b"to nobody")
    os.close(writer)


async def test_nonblocking_descriptors() -> None:
    reader, writer = os.pipe2(os.O_NONBLOCK)
    await same("read", reader, 1)
    outcome = await by_twin("read", reader, 1)
    assert outcome.error is not None
    assert outcome.error[0] is BlockingIOError
    os.close(reader)
    os.close(writer)


async def test_audit_hooks_can_forbid(tmp_path: Path) -> None:
    global _events  # noqa: PLW0603

    class Forbidding(list[Any]):
        def append(self, event: Any) -> None:
            raise PermissionError(f"forbidden: {event[0]}")

    for call in (
        twins.mkdir(tmp_path / "x"),
        twins.open(tmp_path / "y", os.O_CREAT),
        twins.listdir(tmp_path),
    ):
        before = stats().submitted
        _events = Forbidding()
        with pytest.raises(PermissionError, match="forbidden: "):
            await call
        _events = None
        assert stats().submitted == before
    assert os.listdir(tmp_path) == []


# Anything, generated

paths = st.one_of(
    st.text(max_size=20),
    st.binary(max_size=20),
    st.sampled_from(NAMES),
    st.sampled_from([".", "..", "/", "//", "/proc/self", "/dev/null", "/nonexistent"]),
)


@settings(max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(path=paths, function=st.sampled_from(["stat", "lstat", "listdir"]))
async def test_any_path(path: str | bytes, function: str) -> None:
    expected = by_os(function, path)
    got = await by_twin(function, path)
    if path in ("/proc/self", "/", "//", "..", ".", b".", b"/", b".."):
        assert (got.error, got.events) == (expected.error, expected.events)
    else:
        assert got == expected


integers = st.one_of(
    st.integers(-3, 3), st.sampled_from([2**31 - 1, 2**31, -(2**31), 2**63, -(2**63) - 1, 2**64])
)
anything = st.one_of(integers, st.none(), st.floats(), st.text(max_size=3), st.binary(max_size=3))


@settings(max_examples=examples(200), deadline=None)
@given(
    function=st.sampled_from(["pread", "pwrite", "lseek", "ftruncate", "read", "write"]),
    first=anything,
    second=anything,
)
async def test_any_argument(function: str, first: Any, second: Any) -> None:
    # Of two errors, only one is told.
    assume(function != "pread" or not isinstance(first, int) or first >= 0 or second == 0)
    outcomes = []
    for call in (by_os, by_twin):
        fd = os.memfd_create("file")
        os.write(fd, b"0123456789")
        os.lseek(fd, 0, os.SEEK_SET)
        arguments = (
            [fd, first] if function in {"read", "write", "ftruncate"} else [fd, first, second]
        )
        if function in {"read", "pread"} and isinstance(first, int) and first > 2**20:
            first = 2**20
            arguments[1] = first
        outcome = call(function, *arguments)
        if not isinstance(outcome, Outcome):
            outcome = await outcome
        events = [
            (event, values[1:] if event == "os.truncate" else values)
            for event, values in outcome.events
        ]
        size = os.fstat(fd).st_size
        data = os.pread(fd, 100, 0) if size < 2**20 else b""
        outcomes.append((outcome.result, outcome.error, events, size, data))
        os.close(fd)
    assert outcomes[0] == outcomes[1]


class TwinFiles(RuleBasedStateMachine):
    """Any sequence of operations on a file leaves the same file, and gives the same results."""

    @initialize()
    def make(self) -> None:
        self.runner = asyncio.Runner(loop_factory=asyncsys_loop.new_event_loop)
        self.fds = (os.memfd_create("os"), os.memfd_create("twin"))

    def both(self, function: str, *arguments: Any) -> None:
        expected = by_os(function, self.fds[0], *arguments)
        got = self.runner.run(by_twin(function, self.fds[1], *arguments))
        assert (got.result, got.error) == (expected.result, expected.error)

    @rule(data=st.binary(max_size=64))
    def write(self, data: bytes) -> None:
        self.both("write", data)

    @rule(data=st.binary(max_size=64), offset=st.integers(0, 200))
    def pwrite(self, data: bytes, offset: int) -> None:
        self.both("pwrite", data, offset)

    @rule(length=st.integers(-1, 100))
    def read(self, length: int) -> None:
        self.both("read", length)

    @rule(length=st.integers(0, 100), offset=st.integers(-1, 200))
    def pread(self, length: int, offset: int) -> None:
        self.both("pread", length, offset)

    @rule(position=st.integers(-100, 200), how=st.integers(-1, 5))
    def lseek(self, position: int, how: int) -> None:
        self.both("lseek", position, how)

    @rule(length=st.integers(-1, 300))
    def ftruncate(self, length: int) -> None:
        self.both("ftruncate", length)

    @rule()
    def sync(self) -> None:
        self.both("fsync")
        self.both("fdatasync")

    def teardown(self) -> None:
        if not hasattr(self, "fds"):
            return
        sizes = [os.fstat(fd).st_size for fd in self.fds]
        assert sizes[0] == sizes[1]
        assert os.pread(self.fds[0], sizes[0], 0) == os.pread(self.fds[1], sizes[1], 0)
        for fd in self.fds:
            os.close(fd)
        self.runner.close()


TwinFiles.TestCase.settings = settings(
    max_examples=examples(30), stateful_step_count=20, deadline=None
)
TestTwinFiles = TwinFiles.TestCase
