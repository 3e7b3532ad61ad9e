"""asyncsys_loop.shutil against shutil: the same calls on twin trees; swaps, cancellation, holes."""

import asyncio
import errno
import inspect
import itertools
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import asyncsys_loop
from asyncsys_loop import os as aos
from asyncsys_loop import shutil as ashutil

from .support import examples
from .trees import PAST, Tree, error_of, make, snapshot, trees, working_directory

LEFT_OUT = {
    "ExecError": "of archives alone",
    "get_archive_formats": "archives",
    "get_terminal_size": "doesn't block",
    "get_unpack_formats": "archives",
    "make_archive": "work for the processor: asyncio.to_thread(shutil.make_archive, …)",
    "register_archive_format": "archives",
    "register_unpack_format": "archives",
    "unpack_archive": "work for the processor: asyncio.to_thread(shutil.unpack_archive, …)",
    "unregister_archive_format": "archives",
    "unregister_unpack_format": "archives",
}
OURS = {"copyfd"}
# Arguments that we have on every Python, and those that are ours alone.
ADDED = {"progress", "concurrency", "onexc", "dir_fd", "follow_symlinks"}


def test_names_of_shutil() -> None:
    ours = {*ashutil.__all__} - OURS
    assert ours <= {*shutil.__all__}
    assert {*shutil.__all__} - ours == {*LEFT_OUT}
    public = {name for name in vars(ashutil) if not name.startswith("_")}
    assert public - {"annotations", "Any", "Final", "TYPE_CHECKING", "TypeVar", "overload"} == {
        *ashutil.__all__
    }


@pytest.mark.parametrize("name", sorted({*ashutil.__all__} - OURS))
def test_signature(name: str) -> None:
    original, twin = getattr(shutil, name), getattr(ashutil, name)
    assert inspect.getdoc(twin)
    if not inspect.iscoroutinefunction(twin):
        assert twin is original
        return
    theirs = inspect.signature(original).parameters
    ours = inspect.signature(twin).parameters
    assert [n for n in ours if n not in ADDED or n in theirs] == list(theirs)
    for parameter in theirs.values():
        mine = ours[parameter.name]
        assert mine.kind is parameter.kind
        if parameter.name != "copy_function":
            assert mine.default == parameter.default
    for parameter in ours.values():
        assert parameter.name in theirs or parameter.kind is parameter.KEYWORD_ONLY
        assert parameter.annotation is not parameter.empty


# The same calls on twin trees

TREE: Tree = {
    "file": b"content",
    "other": b"of another length",
    "empty": b"",
    "private": 0o600,
    "program": 0o4755,
    "dir": {"a": b"a", "b": {"c": b"c"}},
    "link": "file",
    "to_other": "other",
    "to_dir": "dir",
    "dangling": "nope",
    "loop": "loop",
    "fifo": None,
    "\udcff\n": b"odd",
}


class Twins:
    """Two equal trees, one for shutil, one for us."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.number = itertools.count()

    async def compare(
        self,
        tree: Tree,
        function: str,
        *arguments: Any,
        ours: dict[str, Any] | None = None,
        **options: Any,
    ) -> Any:
        """Make a call on both sides; return the difference, if there is one."""
        base = self.root / str(next(self.number))
        base.mkdir()
        outcomes = []
        for side in ("shutil", "ours"):
            root = base / side
            make(root, tree)
            before = snapshot(root)
            with working_directory(root):
                try:
                    if side == "shutil":
                        result = getattr(shutil, function)(*arguments, **options)
                    else:
                        options = {**options, **(ours or {})}
                        result = await getattr(ashutil, function)(*arguments, **options)
                    outcome: Any = ("returned", result)
                except Exception as error:  # noqa: BLE001  (whatever it is, it is compared)
                    outcome = ("raised", *error_of(error))
            left = {path: node for path, node in snapshot(root).items() if before.get(path) != node}
            left |= {path: None for path in before if not os.path.lexists(root / path)}
            outcomes.append((outcome, left))
        shutil.rmtree(base)
        return None if outcomes[0] == outcomes[1] else (function, arguments, options, outcomes)


@pytest.fixture
def twins(tmp_path: Path) -> Twins:
    return Twins(tmp_path)


SOURCES = [
    *("file", "empty", "private", "program", "dir", "link", "to_dir", "dangling", "loop", "fifo"),
    *("missing", "file/x", "\udcff\n", b"file", Path("file")),
]
TARGETS = [
    *("new", "other", "dir", "to_other", "to_dir", "dangling", "loop", "fifo", "nodir/x"),
    *("file/x", "newdir/", "file", b"new", Path("new")),
]


@pytest.mark.parametrize("follow_symlinks", [True, False])
@pytest.mark.parametrize("function", ["copyfile", "copymode", "copystat", "copy", "copy2"])
async def test_files(twins: Twins, function: str, follow_symlinks: bool) -> None:
    for src, dst in itertools.product(SOURCES, TARGETS):
        if isinstance(src, bytes) != isinstance(dst, bytes):
            continue
        if dst not in {"new", "other"} and src in {"program", "missing", "file/x", "\udcff\n"}:
            continue  # they differ as sources, not in what they meet
        found = await twins.compare(TREE, function, src, dst, follow_symlinks=follow_symlinks)
        assert not found, found


async def test_bytes_and_str_mixed_are_what_they_are_there(twins: Twins) -> None:
    for function in ("copyfile", "copy", "copy2"):
        for dst in (b"new", b"dir"):
            assert not await twins.compare(TREE, function, "file", dst)


async def test_attributes_are_copied(tmp_path: Path) -> None:
    file, copies = tmp_path / "file", [tmp_path / "theirs", tmp_path / "ours"]
    file.write_bytes(b"x")
    try:
        os.setxattr(file, "user.one", b"1")
    except OSError as error:
        if error.errno != errno.EOPNOTSUPP:
            raise
        pytest.skip("NOT TESTED: attributes: this file system has none (tmpfs before Linux 6.6)")
    os.setxattr(file, "user.empty", b"")
    os.utime(file, ns=(PAST * 10**9 + 1, PAST * 10**9 + 123456789))
    file.chmod(0o4755)
    shutil.copy2(file, copies[0])
    await ashutil.copy2(file, copies[1])
    for copy in copies:
        assert {n: os.getxattr(copy, n) for n in os.listxattr(copy)} == {
            "user.one": b"1",
            "user.empty": b"",
        }
        assert copy.stat().st_mtime_ns == PAST * 10**9 + 123456789
        assert copy.stat().st_mode == file.stat().st_mode


FUNCTIONS = settings(
    max_examples=examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def run(test: Callable[[], Any]) -> None:
    asyncsys_loop.run(test())


@FUNCTIONS
@given(
    tree=trees(),
    # Links that can be written through make the result depend on the order.
    old=st.none() | trees(st.just("/nowhere/else")),
    symlinks=st.booleans(),
    dirs_exist_ok=st.booleans(),
    ignore=st.booleans(),
    function=st.sampled_from(["copy", "copy2", "custom"]),
)
def test_copytree(
    tmp_path_factory: pytest.TempPathFactory,
    tree: Tree,
    old: Tree | None,
    symlinks: bool,
    dirs_exist_ok: bool,
    ignore: bool,
    function: str,
) -> None:
    twins = Twins(tmp_path_factory.mktemp("twins"))
    both = {"src": tree} | ({} if old is None else {"dst": old})
    options: dict[str, Any] = {"symlinks": symlinks, "dirs_exist_ok": dirs_exist_ok}
    if ignore:
        options["ignore"] = shutil.ignore_patterns("*.py", "b")
    ours = {}
    if function == "custom":
        options["copy_function"] = os.symlink
    else:
        options["copy_function"] = getattr(shutil, function)
        ours["copy_function"] = getattr(ashutil, function)

    async def test() -> None:
        found = await twins.compare(both, "copytree", "src", "dst", ours=ours, **options)
        assert not found, found

    run(test)


@FUNCTIONS
@given(tree=trees(st.sampled_from(["nope", "../nope", "/nowhere/else"])))
def test_copytree_without_dangling_links(
    tmp_path_factory: pytest.TempPathFactory, tree: Tree
) -> None:
    twins = Twins(tmp_path_factory.mktemp("twins"))

    async def test() -> None:
        found = await twins.compare(
            {"src": tree}, "copytree", "src", "dst/new", ignore_dangling_symlinks=True
        )
        assert not found, found

    run(test)


@pytest.mark.parametrize(
    ("src", "dst"),
    [
        ("missing", "new"),
        ("file", "new"),
        ("dir", "file"),
        ("dir", "dir"),
        ("to_dir", "new"),
        ("dangling", "new"),
        ("loop", "new"),
        ("dir", "file/x"),
        ("dir", "dangling"),
        (b"dir", b"new"),
        (b"dir", "new"),
        (Path("dir"), Path("new")),
    ],
)
async def test_copytree_of_the_root(twins: Twins, src: Any, dst: Any) -> None:
    found = await twins.compare(TREE, "copytree", src, dst)
    assert not found, found


async def test_copytree_of_links_in_a_circle(twins: Twins) -> None:
    tree: Tree = {"src": {"a": b"1", "again": "."}}
    found = await twins.compare(tree, "copytree", "src", "dst")
    assert not found, found


async def test_links_to_nothing_are_those_of_their_directory(tmp_path: Path) -> None:
    # shutil asks whether the target is there from the working directory on.
    make(tmp_path / "src", {"a": b"1", "good": "a", "bad": "b"})
    await ashutil.copytree(tmp_path / "src", tmp_path / "dst", ignore_dangling_symlinks=True)
    assert sorted(os.listdir(tmp_path / "dst")) == ["a", "good"]


async def test_the_same_file_is_one_error(tmp_path: Path) -> None:
    # shutil takes the message apart into letters.
    make(tmp_path / "src", {"a": b"1"})
    with pytest.raises(shutil.Error) as caught:
        await ashutil.copytree(tmp_path / "src", tmp_path / "src", dirs_exist_ok=True)
    ((src, dst, reason),) = caught.value.args[0]
    assert src == dst == str(tmp_path / "src" / "a")
    assert "are the same file" in reason
    assert (tmp_path / "src" / "a").read_bytes() == b"1"


async def test_coroutine_functions_are_awaited(tmp_path: Path) -> None:
    make(tmp_path / "src", {"a": b"1", "b": b"2"})

    async def ignore(path: str, names: list[str]) -> set[str]:
        await asyncio.sleep(0)
        assert path == str(tmp_path / "src")
        return {"b"} & {*names}

    async def copy(src: str, dst: str) -> None:
        await ashutil.copyfile(src, dst + ".copy")

    await ashutil.copytree(tmp_path / "src", tmp_path / "dst", ignore=ignore, copy_function=copy)
    assert os.listdir(tmp_path / "dst") == ["a.copy"]


async def test_what_a_function_raises_ends_the_copy(tmp_path: Path) -> None:
    make(tmp_path / "src", {str(n): {str(m): b"x" for m in range(20)} for n in range(20)})

    async def copy(src: str, dst: str) -> None:
        if src.endswith("7"):
            raise ZeroDivisionError(src)
        await ashutil.copyfile(src, dst)

    with pytest.raises(ZeroDivisionError):
        await ashutil.copytree(tmp_path / "src", tmp_path / "dst", copy_function=copy)


# rmtree


@FUNCTIONS
@given(tree=trees())
def test_rmtree(tmp_path_factory: pytest.TempPathFactory, tree: Tree) -> None:
    twins = Twins(tmp_path_factory.mktemp("twins"))

    async def test() -> None:
        found = await twins.compare({"x": tree, "y": tree}, "rmtree", "x")
        assert not found, found

    run(test)


class Handled:
    """A handler that notes what it is called with."""

    def __init__(self, *, exceptions: bool) -> None:
        self.exceptions = exceptions
        self.calls: list[Any] = []

    def __call__(self, function: Any, path: Any, error: Any) -> None:
        exception: OSError = error if self.exceptions else error[1]
        if not self.exceptions:
            assert error[0] is type(exception)
            assert error[2] is exception.__traceback__
        assert sys.exc_info()[1] is exception
        self.calls.append((function, path, type(exception), exception.errno))


@pytest.mark.parametrize("handler", ["none", "ignore", "onerror", "onexc"])
@pytest.mark.parametrize(
    "path", ["missing", "file", "to_dir", "link", "dangling", "loop", b"dir", Path("dir")]
)
async def test_rmtree_of_the_root(twins: Twins, path: Any, handler: str) -> None:
    if handler == "none":
        found = await twins.compare(TREE, "rmtree", path)
    elif handler == "ignore":
        found = await twins.compare(TREE, "rmtree", path, ignore_errors=True)
    else:
        theirs = Handled(exceptions=handler == "onexc" and sys.version_info >= (3, 12))
        mine = Handled(exceptions=handler == "onexc")
        name = handler if sys.version_info >= (3, 12) else "onerror"
        found = await twins.compare(
            TREE, "rmtree", path, **{name: theirs}, ours={name: None, handler: mine}
        )
        assert mine.calls == theirs.calls
    assert not found, found


@pytest.mark.parametrize("path", [None, 1.5, 3])
async def test_rmtree_of_what_is_no_path(path: Any) -> None:
    with pytest.raises(TypeError) as expected:
        shutil.rmtree(path)
    with pytest.raises(TypeError) as found:
        await ashutil.rmtree(path)
    assert str(found.value) == str(expected.value)


async def test_rmtree_goes_on_after_errors(tmp_path: Path) -> None:
    root = tmp_path / "x"
    make(root, {"kept": {"a": b"1", "b": b"2"}, "gone": {"c": b"3"}})
    handled = Handled(exceptions=True)

    def disturb(path: str) -> None:
        if path == str(root / "kept" / "a"):
            (root / "kept" / "new").write_bytes(b"of somebody else")

    await ashutil.rmtree(root, onexc=handled, progress=disturb)
    assert sorted(str(p.relative_to(root)) for p in root.rglob("*")) == ["kept", "kept/new"]
    assert [(f, p, e) for f, p, _, e in handled.calls] == [
        (os.rmdir, str(root / "kept"), errno.ENOTEMPTY),
        (os.rmdir, root, errno.ENOTEMPTY),
    ]


async def test_rmtree_raises_the_first_error(tmp_path: Path) -> None:
    make(tmp_path / "x", {"kept": {"a": b"1"}})

    def disturb(path: str) -> None:
        (tmp_path / "x" / "kept" / "new").write_bytes(b"")

    with pytest.raises(OSError, match="not empty") as caught:
        await ashutil.rmtree(tmp_path / "x", progress=disturb)
    assert caught.value.filename == str(tmp_path / "x" / "kept")


async def test_rmtree_awaits_a_handler(tmp_path: Path) -> None:
    make(tmp_path / "x", {"kept": {"a": b"1"}})
    made: list[Path] = []

    def disturb(path: str) -> None:
        if not made:
            made.append(tmp_path / "x" / "kept" / "new")
            made[0].write_bytes(b"")

    async def handler(function: Any, path: Any, error: Any) -> None:
        await aos.unlink(made[0])
        await aos.rmdir(path)

    await ashutil.rmtree(tmp_path / "x", onexc=handler, progress=disturb)
    assert not (tmp_path / "x").exists()


async def test_rmtree_with_dir_fd(tmp_path: Path) -> None:
    make(tmp_path / "x", {"y": {"a": b"1"}})
    fd = os.open(tmp_path / "x", os.O_RDONLY)
    try:
        await ashutil.rmtree("y", dir_fd=fd)
    finally:
        os.close(fd)
    assert os.listdir(tmp_path / "x") == []
    assert ashutil.rmtree.avoids_symlink_attacks  # type: ignore[attr-defined]


async def test_deep_trees(tmp_path: Path) -> None:
    # Deeper than the recursion of some Pythons goes, and longer than a path may be.
    depth, root = 300, tmp_path / "deep"
    root.mkdir()
    before = os.open(".", os.O_RDONLY)
    try:
        os.chdir(root)
        for _ in range(depth):
            os.mkdir("d" * 20)
            os.chdir("d" * 20)
        Path("file").write_bytes(b"x")
    finally:
        os.fchdir(before)
        os.close(before)
    with pytest.raises(OSError, match="too long"):
        os.stat(root / "/".join(["d" * 20] * depth))
    copy = tmp_path / "copy"
    await ashutil.copytree(root, copy)
    found = [None async for _ in aos.fwalk(copy)]
    assert len(found) == depth + 1
    await ashutil.rmtree(root)
    await ashutil.rmtree(copy)
    assert list(tmp_path.iterdir()) == []


# Symbolic links that take the place of directories and files meanwhile


class Swapping:
    """Stands in for opening: at the first opening of a name in a directory, it is a link already.

    That is the moment of an attack: the name was seen to be a directory or a file, and made one.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, name: str, target: Path, nth: int) -> None:
        self.open_directory, self.open_file = aos.open, ashutil._open
        self.name, self.target, self.nth = name, target, nth
        self.seen = 0
        monkeypatch.setattr(aos, "open", self.opening_directory)
        monkeypatch.setattr(ashutil, "_open", self.opening_file)

    async def opening_directory(self, path: Any, flags: int, **where: Any) -> int:
        self.swap(path, where.get("dir_fd"))
        return await self.open_directory(path, flags, **where)

    async def opening_file(self, dir_fd: int | None, path: Any, flags: int) -> int:
        self.swap(path, dir_fd)
        return await self.open_file(dir_fd, path, flags)

    def swap(self, path: Any, dir_fd: int | None) -> None:
        if path == self.name and dir_fd is not None:
            self.seen += 1
            if self.seen == self.nth:
                os.rename(self.name, "moved", src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
                os.symlink(self.target, self.name, dir_fd=dir_fd)


async def test_rmtree_stays_in_its_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "precious", {"kept": b"1"})
    make(tmp_path / "x", {"victim": {"a": b"1"}})
    swap = Swapping(monkeypatch, "victim", tmp_path / "precious", 1)
    handled = Handled(exceptions=True)
    await ashutil.rmtree(tmp_path / "x", onexc=handled)
    assert swap.seen == 1
    assert os.listdir(tmp_path / "precious") == ["kept"]
    assert handled.calls[0][:3] == (os.path.islink, str(tmp_path / "x" / "victim"), OSError)


@pytest.mark.parametrize("name", ["victim", "file"])
async def test_copytree_reads_its_tree_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    make(tmp_path / "secret", {"key": b"secret"})
    make(tmp_path / "src", {"victim": {"a": b"1"}, "file": b"2"})
    target = tmp_path / "secret" if name == "victim" else tmp_path / "secret" / "key"
    swap = Swapping(monkeypatch, name, target, 1)
    with pytest.raises(shutil.Error) as caught:
        await ashutil.copytree(tmp_path / "src", tmp_path / "dst")
    assert swap.seen
    (error,) = caught.value.args[0]
    assert error[:2] == (str(tmp_path / "src" / name), str(tmp_path / "dst" / name))
    contents = [entry[1] for entry in snapshot(tmp_path / "dst").values()]
    assert b"secret" not in contents
    assert len(contents) == (2 if name == "victim" else 3)


async def test_copytree_writes_its_tree_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "precious", {})
    make(tmp_path / "src", {"victim": {"a": b"1"}})
    swap = Swapping(monkeypatch, "victim", tmp_path / "precious", 2)  # first src, then dst
    with pytest.raises(shutil.Error):
        await ashutil.copytree(tmp_path / "src", tmp_path / "dst")
    assert swap.seen == 2
    assert os.listdir(tmp_path / "precious") == []


async def test_a_new_tree_overwrites_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "src", {"a": b"new"})
    (tmp_path / "precious").write_bytes(b"old")
    original = ashutil._open

    async def plant(dir_fd: int | None, path: Any, flags: int) -> int:
        if path == "a" and flags & os.O_CREAT:
            os.symlink(tmp_path / "precious", "a", dir_fd=dir_fd)
        return await original(dir_fd, path, flags)

    monkeypatch.setattr(ashutil, "_open", plant)
    with pytest.raises(shutil.Error, match="File exists"):
        await ashutil.copytree(tmp_path / "src", tmp_path / "dst")
    assert (tmp_path / "precious").read_bytes() == b"old"


# How content is copied

MIB = 1024 * 1024


def sparse_file(path: Path) -> None:
    with path.open("wb") as file:
        file.seek(3 * MIB)
        file.write(b"x" * MIB)
        file.seek(20 * MIB)
        file.write(b"y" * 5000)
        file.truncate(33 * MIB)


@pytest.fixture(params=["copy_file_range", "sendfile", "read and write"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    async def unavailable(*_arguments: Any) -> int:
        raise OSError(errno.EXDEV, "not here")

    if request.param != "copy_file_range":
        monkeypatch.setattr(aos, "copy_file_range", unavailable)
        monkeypatch.setattr(ashutil, "_copy_on", unavailable)
    if request.param == "read and write":
        monkeypatch.setattr(aos, "sendfile", unavailable)
    return str(request.param)


@pytest.mark.parametrize("size", [0, 1, 4096, 300_000, 40 * MIB + 1])
async def test_content(tmp_path: Path, way: str, size: int) -> None:
    src, dst = tmp_path / "src", tmp_path / "dst"
    src.write_bytes(os.urandom(size))
    told: list[tuple[Any, int, int]] = []
    await ashutil.copyfile(src, dst, progress=lambda *what: told.append(what))
    assert dst.read_bytes() == src.read_bytes()
    assert told[-1] == (str(src), size, size)
    assert [copied for _, copied, _ in told] == sorted({copied for _, copied, _ in told})


async def test_holes_stay_holes(tmp_path: Path, way: str) -> None:
    src, dst = tmp_path / "src", tmp_path / "dst"
    sparse_file(src)
    if src.stat().st_blocks * 512 > 8 * MIB:
        pytest.skip("this file system has no holes: sparse files are not tested")
    dst.write_bytes(b"z" * 100_000)
    await ashutil.copyfile(src, dst)
    assert dst.read_bytes() == src.read_bytes()
    assert dst.stat().st_blocks * 512 <= src.stat().st_blocks * 512 + MIB


async def test_only_a_hole(tmp_path: Path) -> None:
    (tmp_path / "src").touch()
    os.truncate(tmp_path / "src", 5 * MIB)
    await ashutil.copyfile(tmp_path / "src", tmp_path / "dst")
    assert (tmp_path / "dst").stat().st_size == 5 * MIB
    assert (tmp_path / "dst").stat().st_blocks == 0


async def test_large_files_are_cloned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    src, dst = tmp_path / "src", tmp_path / "dst"
    src.write_bytes(os.urandom(2 * MIB))
    clones: list[int] = []

    async def clone(to: int, request: int, source: int) -> None:
        assert request == ashutil._FICLONE
        clones.append(request)
        os.pwrite(to, os.pread(source, 2 * MIB, 0), 0)

    async def forbidden(*_arguments: Any) -> int:
        raise AssertionError("it was cloned already")

    monkeypatch.setattr(ashutil, "_clone", clone)
    monkeypatch.setattr(ashutil, "_copy_on", forbidden)
    for name in ("copy_file_range", "sendfile", "pread"):
        monkeypatch.setattr(aos, name, forbidden)
    told: list[Any] = []
    await ashutil.copyfile(src, dst, progress=lambda *what: told.append(what))
    assert clones
    assert told == [(str(src), 2 * MIB, 2 * MIB)]
    assert dst.read_bytes() == src.read_bytes()


async def test_files_of_proc(tmp_path: Path) -> None:
    await ashutil.copyfile("/proc/version", tmp_path / "version")
    assert (tmp_path / "version").read_bytes() == Path("/proc/version").read_bytes()


async def test_to_another_file_system(tmp_path: Path) -> None:
    for other in (Path("/dev/shm"), Path("/var/tmp")):
        if other.is_dir() and other.stat().st_dev != tmp_path.stat().st_dev:
            break
    else:
        pytest.skip("no second file system: copies and moves between two are not tested")
    sparse_file(tmp_path / "file")
    place = other / f"asyncsys-test-{os.getpid()}"
    place.mkdir()
    try:
        await ashutil.copyfile(tmp_path / "file", place / "file")
        assert (place / "file").read_bytes() == (tmp_path / "file").read_bytes()
        assert (place / "file").stat().st_blocks <= (tmp_path / "file").stat().st_blocks + 2048
        make(tmp_path / "tree", {k: v for k, v in TREE.items() if k not in {"fifo", "loop"}})
        before = snapshot(tmp_path / "tree")
        assert await ashutil.move(tmp_path / "tree", place / "tree") == place / "tree"
        assert snapshot(place / "tree") == before
        assert not (tmp_path / "tree").exists()
        assert await ashutil.move(place / "tree" / "file", tmp_path) == str(tmp_path / "file")
    except shutil.Error as error:
        assert "already exists" in str(error)  # noqa: PT017
    finally:
        shutil.rmtree(place)


async def test_copyfileobj(tmp_path: Path) -> None:
    content = os.urandom(200_000)
    (tmp_path / "src").write_bytes(content)
    told: list[int] = []
    async with (
        asyncsys_loop.open(tmp_path / "src", "rb") as src,
        asyncsys_loop.open(tmp_path / "dst", "wb") as dst,
    ):
        await src.read(10)
        await ashutil.copyfileobj(src, dst, progress=told.append)
    assert (tmp_path / "dst").read_bytes() == content[10:]
    assert told[-1] == len(content) - 10
    assert len(told) > 1
    async with (
        asyncsys_loop.open(tmp_path / "src", "rb") as src,
        asyncsys_loop.open(tmp_path / "dst", "wb") as dst,
    ):
        await ashutil.copyfileobj(src, dst, -1)
    assert (tmp_path / "dst").read_bytes() == content


# Cancellation


async def test_a_cancelled_copy_leaves_no_new_file(tmp_path: Path) -> None:
    src = tmp_path / "src"
    src.write_bytes(b"x" * (40 * MIB))
    (tmp_path / "old").write_bytes(b"old")

    async def cancelled(dst: Path) -> None:
        def cancel(_path: Any, copied: int, size: int) -> None:
            assert copied < size
            task.cancel()

        task = asyncio.create_task(ashutil.copyfile(src, dst, progress=cancel))
        with pytest.raises(asyncio.CancelledError):
            await task

    await cancelled(tmp_path / "new")
    await cancelled(tmp_path / "old")
    assert sorted(os.listdir(tmp_path)) == ["old", "src"]


@pytest.mark.parametrize("after", range(0, 400, 37))
async def test_a_cancelled_tree(tmp_path: Path, after: int) -> None:
    tree = {f"{n}": {f"{m}": os.urandom(2000) for m in range(15)} for n in range(15)}
    make(tmp_path / "src", tree)
    seen = itertools.count()

    def cancel(*_what: Any) -> None:
        if next(seen) == after:
            task.cancel()

    copying = ashutil.copytree(tmp_path / "src", tmp_path / "dst", progress=cancel)
    task: asyncio.Task[Any] = asyncio.create_task(copying)
    if after < 225:
        with pytest.raises(asyncio.CancelledError):
            await task
    else:
        await task
    for path in (tmp_path / "dst").rglob("*"):
        if path.is_file():
            assert path.read_bytes() == tree[path.parent.name][path.name]
    seen = itertools.count()
    removing = ashutil.rmtree(tmp_path / "src", progress=cancel)
    task = asyncio.create_task(removing)
    if after < 241:
        with pytest.raises(asyncio.CancelledError):
            await task
    else:
        await task
    assert (tmp_path / "src").exists() == (after < 241)


async def test_progress_that_cannot_be_called_is_refused_first(tmp_path: Path) -> None:
    make(tmp_path / "src", {"a": b"1"})
    src, new = tmp_path / "src", tmp_path / "new"
    wrong: Any = 5
    for call in (
        lambda: ashutil.copyfile(src / "a", new, progress=wrong),
        lambda: ashutil.copy(src / "a", new, progress=wrong),
        lambda: ashutil.copy2(src / "a", new, progress=wrong),
        lambda: ashutil.copytree(src, new, progress=wrong),
        lambda: ashutil.move(src, new, progress=wrong),
        lambda: ashutil.rmtree(src, progress=wrong),
    ):
        with pytest.raises(TypeError, match="progress must be callable, not int"):
            await call()
        assert os.listdir(tmp_path) == ["src"]
        assert os.listdir(src) == ["a"]


async def test_concurrency_is_bounded(tmp_path: Path) -> None:
    make(tmp_path / "src", {str(n): b"x" for n in range(50)})
    running = most = 0
    enough = asyncio.Event()

    async def copy(src: str, dst: str) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        if running == 5:
            enough.set()
        await enough.wait()  # the first ones for one another
        await asyncio.sleep(0.001)
        running -= 1

    await ashutil.copytree(tmp_path / "src", tmp_path / "dst", copy_function=copy, concurrency=5)
    assert most == 5
    for wrong, error in ((0, ValueError), (-1, ValueError), ("3", TypeError)):
        with pytest.raises(error, match="concurrency"):
            await ashutil.rmtree(tmp_path / "src", concurrency=wrong)  # type: ignore[arg-type]
    assert (tmp_path / "src").exists()


# move, and what only looks

MOVES = [
    ("file", "new"),
    ("file", "other"),
    ("file", "dir"),
    ("file", "file"),
    ("dir", "new"),
    ("dir", "dir"),
    ("dir", "dir/b"),
    ("dir", "to_dir"),
    ("dir/", "new"),
    ("dir/b", "."),
    ("dir/a", "file"),
    ("link", "dir"),
    *([("to_dir", "dir")] if sys.version_info >= (3, 13) else []),  # was an error before
    ("dangling", "new"),
    ("dangling", "dir"),
    ("missing", "new"),
    ("file", "nodir/x"),
    ("dir", "file"),
    (Path("dir"), Path("new")),
    (Path("file"), "dir"),
]


@pytest.mark.parametrize(("src", "dst"), MOVES, ids=str)
async def test_move(twins: Twins, src: Any, dst: Any) -> None:
    found = await twins.compare(TREE, "move", src, dst)
    assert not found, found


async def test_move_into_a_directory_that_has_it(twins: Twins) -> None:
    tree = {"file": b"1", "dir": {"file": b"2"}}
    assert not await twins.compare(tree, "move", "file", "dir")


@pytest.mark.parametrize("path", ["/", ".", 0, b"/"])
async def test_disk_usage(path: Any) -> None:
    expected = shutil.disk_usage(path)
    found = await ashutil.disk_usage(path)
    later = shutil.disk_usage(path)
    assert type(found) is type(expected)
    assert found.total == expected.total
    # Others write and remove files meanwhile.
    free = sorted([expected.free, later.free])
    assert free[0] - (1 << 30) < found.free < free[1] + (1 << 30)


async def test_disk_usage_of_nothing(twins: Twins) -> None:
    assert not await twins.compare(TREE, "disk_usage", "missing")


async def test_chown(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for user, group, error in (
        (None, None, ValueError),
        ("no such user", None, LookupError),
        (None, "no such group", LookupError),
    ):
        with pytest.raises(error) as caught:
            await ashutil.chown(file, user, group)
        with pytest.raises(error) as expected:
            cast("Any", shutil.chown)(file, user, group)
        assert str(caught.value) == str(expected.value)
    if os.geteuid() != 0:
        pytest.skip("only root gives files away: owners and groups are not tested")
    await ashutil.chown(file, "root", 12345)
    assert (file.stat().st_uid, file.stat().st_gid) == (0, 12345)
    await ashutil.chown(file, 23456)
    assert (file.stat().st_uid, file.stat().st_gid) == (23456, 12345)
    os.symlink("file", tmp_path / "link")
    await ashutil.chown(tmp_path / "link", group="root", follow_symlinks=False)
    assert (tmp_path / "link").lstat().st_gid == 0
    assert file.stat().st_gid == 12345


async def test_which(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "bin", {"tool": 0o755, "data": 0o644, "dir": {}, "link": "tool"})
    make(tmp_path / "sbin", {"tool": 0o755, "data": 0o755})
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{tmp_path / 'sbin'}:/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)
    names = ["tool", "data", "dir", "link", "nothing", "sh", "bin/tool", "./bin/data", b"tool"]
    for name, path in itertools.product(names, [None, "", str(tmp_path / "sbin"), ":bin"]):
        for mode in (os.F_OK | os.X_OK, os.F_OK):
            expected = cast("Any", shutil.which)(name, mode, path)
            assert await cast("Any", ashutil.which)(name, mode, path) == expected
    monkeypatch.delenv("PATH")
    assert await ashutil.which("sh") == shutil.which("sh")


# Audit events


@pytest.fixture
def audited() -> Iterator[list[str]]:
    events: list[str] = []
    _audits.append(events)
    yield events
    _audits.remove(events)


_audits: list[list[str]] = []


def _audit(event: str, _arguments: Any) -> None:
    if _audits and event.startswith("shutil."):
        _audits[-1].append(event)


sys.addaudithook(_audit)


async def test_audit_events(tmp_path: Path, audited: list[str]) -> None:
    make(tmp_path / "src", {"a": b"1", "b": {"c": b"2"}, "l": "a"})
    shutil.copytree(tmp_path / "src", tmp_path / "theirs", symlinks=True)
    shutil.copymode(tmp_path / "src" / "a", tmp_path / "theirs" / "a")
    shutil.move(tmp_path / "theirs", tmp_path / "moved")
    shutil.rmtree(tmp_path / "moved")
    expected = sorted(audited)
    audited.clear()
    await ashutil.copytree(tmp_path / "src", tmp_path / "ours", symlinks=True)
    await ashutil.copymode(tmp_path / "src" / "a", tmp_path / "ours" / "a")
    await ashutil.move(tmp_path / "ours", tmp_path / "moved")
    await ashutil.rmtree(tmp_path / "moved")
    assert sorted(audited) == expected
