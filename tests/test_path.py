"""asyncsys_loop.Path against pathlib.Path: the same calls on twin trees.

Path is that of Python 3.14 on each Python. Where an older pathlib differs, ALSO_OLD says how, and
the newest Python that runs this is the one to compare with.
"""

import asyncio
import contextlib
import copy
import errno
import inspect
import itertools
import os
import pathlib
import pickle
import stat
import sys
from pathlib import Path
from typing import Any, cast

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import asyncsys_loop
from asyncsys_loop import os as aos

from .support import examples
from .trees import NAMES, Tree, error_of, make, snapshot, trees, working_directory

APath = asyncsys_loop.Path

LEFT_OUT_OF_PATH = {"link_to": "deprecated, and gone in Python 3.12: hardlink_to()"}
LEFT_OUT = {
    "PosixPath": "on Linux, Path is it",
    "PurePath": "makes no calls: pathlib's is what Path is",
    "PurePosixPath": "makes no calls: pathlib's is what Path is",
    "PureWindowsPath": "makes no calls",
    "UnsupportedOperation": "nothing is unsupported on Linux; lchmod() raises NotImplementedError",
    "WindowsPath": "Linux only",
}
# What pathlib imports, in Pythons in which it has no __all__ that dir() respects.
IMPORTED = {
    *("EBADF", "ELOOP", "ENOENT", "ENOTDIR", "S_ISBLK", "S_ISCHR", "S_ISDIR", "S_ISFIFO"),
    *("S_ISLNK", "S_ISREG", "S_ISSOCK", "Sequence", "attrgetter", "fnmatch", "functools", "io"),
    *("ntpath", "os", "posixpath", "re", "sys", "urlquote_from_bytes", "warnings", "types"),
}
NEW = {
    *("copy", "copy_into", "from_uri", "full_match", "info", "is_junction", "move", "move_into"),
    *("parser", "walk", "with_segments"),
}
ASYNC_ITERATORS = {"glob", "iterdir", "rglob", "walk"}
# Arguments that pathlib has since Python 3.12, 3.13 or 3.14.
NEW_ARGUMENTS = {"case_sensitive", "follow_symlinks", "newline", "recurse_symlinks", "walk_up"}


def test_names_of_pathlib() -> None:
    names = {name for name in dir(pathlib) if not name.startswith("_")} - IMPORTED
    assert names == {"Path", *LEFT_OUT} - (
        set() if sys.version_info >= (3, 13) else {"UnsupportedOperation"}
    )
    theirs = {name for name in dir(pathlib.Path) if not name.startswith("_")}
    ours = {name for name in dir(APath) if not name.startswith("_")}
    assert theirs - ours == {*LEFT_OUT_OF_PATH} & theirs
    assert ours - theirs == NEW - theirs


def test_names_of_anyio() -> None:
    theirs = {name for name in dir(anyio.Path) if not name.startswith("_")}
    assert theirs - {*dir(APath)} == {"limiter"} & theirs  # there are no threads to limit
    for name in theirs - {"limiter"}:
        original, twin = getattr(anyio.Path, name), getattr(APath, name)
        if inspect.iscoroutinefunction(original):
            assert inspect.iscoroutinefunction(twin) or name == "open", name
        elif inspect.isfunction(original):
            assert not inspect.iscoroutinefunction(twin), name


@pytest.mark.parametrize("name", sorted(n for n in vars(APath) if not n.startswith("_")))
def test_signature(name: str) -> None:
    twin = getattr(APath, name)
    assert inspect.getdoc(twin)
    if not hasattr(pathlib.Path, name) or not callable(twin):
        return
    theirs = inspect.signature(getattr(pathlib.Path, name)).parameters
    ours = inspect.signature(twin).parameters
    named = [p for p in theirs.values() if p.kind is not p.VAR_POSITIONAL and p.name != "kwargs"]
    for parameter in named:
        if name in {"full_match", "relative_to", "with_segments"}:
            continue  # their first one has changed its name
        assert ours[parameter.name].kind is parameter.kind, parameter
        assert ours[parameter.name].default == parameter.default, parameter
    if name not in {"copy", "copy_into", "full_match", "relative_to", "with_segments"}:
        assert {*ours} - {*theirs} <= NEW_ARGUMENTS, name


# Values


VALUES = ["", ".", "a", "/", "//a", "///a", "a/b", "a/./b/", "../a", "/a/b.tar.gz", "é", "\udcff"]


@pytest.mark.parametrize("value", VALUES)
def test_a_path_is_what_pathlib_has(value: str) -> None:
    path: pathlib.PurePath = APath(value)
    original: pathlib.PurePath = Path(value)
    assert path == original
    assert original == path
    assert hash(path) == hash(original)
    assert {path: 1}[cast("Any", original)] == 1
    assert os.fspath(path) == os.fspath(original)
    assert str(path) == str(original)
    assert repr(path) == repr(original).replace("PosixPath", "Path")
    assert bytes(path) == bytes(original)
    assert path.parts == original.parts
    for name in ("drive", "root", "anchor", "name", "suffix", "suffixes", "stem", "parent"):
        assert getattr(path, name) == getattr(original, name)
    assert list(path.parents) == list(original.parents)
    for copied in (pickle.loads(pickle.dumps(path)), copy.copy(path), copy.deepcopy(path)):
        assert type(copied) is APath
        assert copied == path
    assert path / "x" == original / "x" == path.joinpath("x")
    assert type("x" / path) is APath
    assert "x" / path == "x" / original
    if path.is_absolute():
        assert isinstance(path, APath)
        assert path.as_uri() == original.as_uri()
        assert APath.from_uri(path.as_uri()) == path or value.startswith("//")
    else:
        with pytest.raises(ValueError, match="relative path"):
            path.as_uri()


def test_types_of_derived_paths() -> None:
    path = APath("/a/b.c")
    derived = [
        *(path.parent, path.parents[0], path / "x", "x" / path, path.joinpath("y")),
        *(path.with_name("n"), path.with_stem("s"), path.with_suffix(".t")),
        *(path.relative_to("/a"), path.relative_to("/x", walk_up=True), path.with_segments("q")),
    ]
    assert {type(p) for p in derived} == {APath}


def test_order() -> None:
    originals = [Path(value) for value in VALUES]
    assert sorted(map(APath, VALUES)) == sorted(originals)
    assert APath("a") < Path("b")
    assert Path("a") <= APath("a")
    with pytest.raises(TypeError):
        _ = APath("a") < "b"  # type: ignore[operator]
    assert APath("a") != "a"


@pytest.mark.parametrize(
    "uri", ["file:/a/b", "file:///a/b%20c", "file://localhost/a/b", "file:///"]
)
def test_from_uri(uri: str) -> None:
    expected = {"file:/a/b": "/a/b", "file:///a/b%20c": "/a/b c", "file://localhost/a/b": "/a/b"}
    assert APath.from_uri(uri) == Path(expected.get(uri, "/"))
    if sys.version_info >= (3, 13) and uri != "file:///":  # an error in 3.13.0
        assert APath.from_uri(uri) == Path.from_uri(uri)
    for wrong in ("a", "http://x/", "file:a", "file:", "FILE:///a"):
        with pytest.raises(ValueError, match="URI"):
            APath.from_uri(wrong)


PATTERNS = ["a", "*", "**", "**/*", "*/*", "a/**", "**/b", "**/b/**", "?", "[ab]", "/a", "/**", "A"]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_full_match(pattern: str) -> None:
    expected = {
        # what Python 3.13 finds among these, in order
        "a": ["a"],
        "*": ["a", "b"],
        "**": ["", "a", "b", "a/b", "a/b/c", "/a", "/a/b"],
        "**/*": ["a", "b", "a/b", "a/b/c", "/a/b"],
        "*/*": ["a/b"],
        "a/**": ["a/b", "a/b/c"],
        "**/b": ["b", "a/b", "/a/b"],
        "**/b/**": ["a/b/c"],
        "?": ["a", "b"],
        "[ab]": ["a", "b"],
        "/a": ["/a"],
        "/**": ["/a", "/a/b"],
        "A": [],
    }
    paths = ["", "a", "b", "a/b", "a/b/c", "/a", "/a/b"]
    found = [path for path in paths if APath(path).full_match(pattern)]
    if sys.version_info >= (3, 13):
        assert found == [path for path in paths if Path(path).full_match(pattern)]
    assert found == expected[pattern]
    assert APath("a/B").full_match("A/b", case_sensitive=False)
    assert not APath("a/B").full_match("a/b", case_sensitive=True)


def test_match() -> None:
    for path, pattern in itertools.product(["a/b.py", "/a/b.py", "b.py"], ["*.py", "a/*", "/*/*"]):
        assert APath(path).match(pattern) == Path(path).match(pattern)
    assert APath("a/B.PY").match("*.py", case_sensitive=False)
    with pytest.raises(ValueError, match="empty pattern"):
        APath("a").match("")


def test_relative_to() -> None:
    assert str(APath("/a/b").relative_to("/c/d", walk_up=True)) == "../../a/b"
    assert str(APath("a/b").relative_to("a")) == "b"
    for path, other, walk_up in (("/a", "/b", False), ("/a", "b", True), ("a", "../b", True)):
        with pytest.raises(ValueError, match=r"subpath|anchors|walked"):
            APath(path).relative_to(other, walk_up=walk_up)


# The same calls on twin trees

TREE: Tree = {
    "file": b"content",
    "text": "h\xe9llo\r\nworld\n".encode(),
    "other": b"of another length",
    "private": 0o600,
    "dir": {"a.py": b"a", "b": {"c.py": b"c", ".hidden": b"h"}, "empty": {}},
    "link": "file",
    "to_dir": "dir",
    "dangling": "nope",
    "loop": "loop",
    "fifo": None,
    "\udcff\n": b"odd",
}
PATHS = [
    *("file", "text", "dir", "link", "to_dir", "dangling", "loop", "missing", "file/x", "dir/b"),
    *("\udcff\n", "", "dir/empty", "nodir/x", "/dev/null", "a\0b"),
]
METHODS: list[tuple[Any, ...]] = [
    *(("stat",), ("lstat",), ("exists",), ("is_dir",), ("is_file",), ("is_symlink",)),
    *(("is_mount",), ("is_block_device",), ("is_char_device",), ("is_fifo",), ("is_socket",)),
    *(("owner",), ("group",), ("readlink",), ("resolve",), ("absolute",), ("expanduser",)),
    *(("read_bytes",), ("read_text", "utf-8"), ("read_text", "ascii"), ("iterdir",)),
    *(("read_text", "utf-8", "replace"), ("resolve", True), ("rmdir",), ("unlink",)),
    *(("unlink", True), ("mkdir",), ("mkdir", 0o700, True), ("mkdir", 0o777, False, True)),
    *(("mkdir", 0o777, True, True), ("touch",), ("touch", 0o600, False), ("chmod", 0o611)),
    *(("write_bytes", b"new"), ("write_bytes", b""), ("write_bytes", bytearray(b"x"))),
    *(("write_bytes", "str"), ("write_text", "n\xe9w\n", "utf-8")),
    *(("write_text", "a\n", "utf-8", None, "\r\n"), ("write_text", b"bytes"), ("lchmod", 0o600)),
    *(("rename", "new"), ("replace", "other"), ("rename", "dir"), ("rename", "nodir/x")),
    *(("symlink_to", "target"), ("hardlink_to", "file"), ("hardlink_to", "missing")),
    *(("samefile", "file"), ("samefile", "missing"), ("samefile", "link")),
]
# 3.14: no error where it can't be told. 3.13: no RuntimeError about circles.
NOT_AS_OLD = [("resolve",), ("resolve", True)]


def plain(value: Any) -> Any:
    """Return a result in a form that compares."""
    if isinstance(value, os.stat_result):
        return (value.st_mode, value.st_size, value.st_nlink)
    if isinstance(value, pathlib.PurePath):
        return str(value)
    return value


async def outcome_of(path: Any, method: str, arguments: Any, options: Any) -> Any:
    try:
        result = getattr(path, method)(*arguments, **options)
        if inspect.isawaitable(result):
            result = await result
        if hasattr(result, "__aiter__"):
            result = sorted([plain(item) async for item in result])
        elif inspect.isgenerator(result) or type(result).__name__ in {"map", "chain"}:
            result = sorted(map(plain, result))
    except Exception as error:  # noqa: BLE001  (whatever it is, it is compared)
        if isinstance(error, OSError):
            return ("raised", *error_of(error))
        return ("raised", type(error))
    return ("returned", plain(result))


async def compare(base: Path, tree: Tree, path: str, method: str, *arguments: Any) -> Any:
    outcomes = []
    base.mkdir()
    for kind in (Path, APath):
        root = base / "root"  # the same name, as some results have it
        make(root, tree)
        with working_directory(root):
            outcome = await outcome_of(kind(path), method, arguments, {})
        if method == "resolve" and outcome[0] == "raised":
            outcome = outcome[:3]  # which path is named has changed from one Python to the next
        outcomes.append((outcome, snapshot(root)))
        await asyncsys_loop.shutil.rmtree(root)
    return None if outcomes[0] == outcomes[1] else (path, method, arguments, outcomes)


@pytest.mark.parametrize("method", METHODS, ids=lambda method: str(method).replace("\0", ""))
async def test_methods(tmp_path: Path, method: tuple[Any, ...]) -> None:
    for number, path in enumerate(PATHS):
        if method in NOT_AS_OLD and sys.version_info < (3, 13) and path == "loop":
            continue
        if path == "/dev/null" and method[0] in {"unlink", "rename", "replace", "chmod", "lchmod"}:
            continue  # it is the machine's
        if path == "/dev/null" and method[0] in {"touch", "resolve"}:
            continue
        if path == "" and method == ("is_mount",) and sys.version_info < (3, 12):
            continue  # it was said of each working directory
        found = await compare(tmp_path / str(number), TREE, path, *method)
        assert not found, found


async def test_fifos_and_sockets(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    os.mknod(tmp_path / "socket", stat.S_IFSOCK | 0o600)
    assert await APath(tmp_path / "fifo").is_fifo()
    assert await APath(tmp_path / "socket").is_socket()
    assert not await APath(tmp_path / "fifo").is_file()
    reading = asyncio.create_task(APath(tmp_path / "fifo").read_bytes())
    await APath(tmp_path / "fifo").write_bytes(b"x" * 200_000)
    assert await reading == b"x" * 200_000


async def test_what_cannot_be_told_is_false(tmp_path: Path) -> None:
    # Before Python 3.14, some errors were raised.
    long = APath(tmp_path / ("x" * 300))
    for name in ("exists", "is_dir", "is_file", "is_symlink", "is_fifo", "is_mount"):
        assert await getattr(long, name)() is False
        assert await getattr(APath("a\0b"), name)() is False
    assert await APath(tmp_path).exists(follow_symlinks=False)
    (tmp_path / "l").symlink_to("nope")
    assert await APath(tmp_path / "l").exists(follow_symlinks=False)
    assert not await APath(tmp_path / "l").is_dir(follow_symlinks=False)


async def test_follow_symlinks(tmp_path: Path) -> None:
    make(tmp_path / "t", TREE)
    link, to_dir = APath(tmp_path, "t", "link"), APath(tmp_path, "t", "to_dir")
    assert await link.is_file()
    assert not await link.is_file(follow_symlinks=False)
    assert await to_dir.is_dir()
    assert not await to_dir.is_dir(follow_symlinks=False)
    assert stat.S_ISLNK((await link.stat(follow_symlinks=False)).st_mode)
    assert await link.owner(follow_symlinks=False) == (tmp_path / "t").owner()
    with pytest.raises(NotImplementedError):
        await link.lchmod(0o600)


async def test_home_and_cwd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert await APath.cwd() == Path.cwd()
    assert type(await APath.cwd()) is APath
    assert await APath("a").absolute() == tmp_path / "a"
    assert await APath.home() == Path.home()
    monkeypatch.setenv("HOME", "/somewhere")
    assert await APath("~/x").expanduser() == Path("/somewhere/x")
    monkeypatch.delenv("HOME")
    assert await APath.home() == Path.home()
    assert await APath("~root/x").expanduser() == Path("~root/x").expanduser()
    assert await APath("a/~").expanduser() == Path("a/~")
    with pytest.raises(RuntimeError, match="home directory"):
        await APath("~no such user").expanduser()


@pytest.mark.parametrize("size", [0, 1, 4096, 65535, 65536, 65537, 1_000_000])
async def test_content(tmp_path: Path, size: int) -> None:
    content = os.urandom(size)
    path = APath(tmp_path / "file")
    assert await path.write_bytes(content) == size
    assert await path.read_bytes() == content
    array = memoryview(bytearray(8 * 10)).cast("d")
    assert await path.write_bytes(array) == 80
    with pytest.raises(BufferError, match="contiguous"):
        await path.write_bytes(array[::2])
    assert await path.read_bytes() == bytes(80)


async def test_what_cannot_be_encoded_is_not_written(tmp_path: Path) -> None:
    # pathlib empties the file before it encodes.
    (tmp_path / "file").write_bytes(b"precious")
    with pytest.raises(UnicodeEncodeError):
        await APath(tmp_path / "file").write_text("\xe9", "ascii")
    assert (tmp_path / "file").read_bytes() == b"precious"


async def test_files_without_a_size() -> None:
    assert await APath("/proc/self/maps").read_bytes()
    assert await APath("/proc/version").read_text() == Path("/proc/version").read_text()
    listing = await APath("/proc/kallsyms").read_bytes()
    assert listing.count(b"\n") == Path("/proc/kallsyms").read_bytes().count(b"\n")


async def test_open(tmp_path: Path) -> None:
    path = APath(tmp_path / "file")
    async with path.open("w", encoding="utf-8") as file:
        await file.write("a\nb\n")
    async with await path.open() as file:
        assert [line async for line in file] == ["a\n", "b\n"]
    raw = await path.open("rb", 0)
    assert await raw.read() == b"a\nb\n"
    await raw.close()
    with pytest.raises(FileNotFoundError):
        await APath(tmp_path / "none").open()


# Directories


def found_before_3_12(path: str, pattern: str) -> bool:
    last = pattern.rstrip("/").rpartition("/")[2]
    return os.path.exists(path) or any(character in last for character in "*?[")


@settings(
    max_examples=examples(100),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    tree=trees(st.sampled_from(["a", "b", "a/b", "../b", "nope", ".", "/nowhere/else"])),
    pattern=st.lists(
        st.sampled_from(["*", "**", "a", "b", "?", "[ab]*", "*.py", "..", "A", "d d", "***", ""]),
        min_size=1,
        max_size=4,
    ).map("/".join),
    recursive=st.booleans(),
    options=st.fixed_dictionaries(
        {}, optional={"case_sensitive": st.sampled_from([None, True, False])}
    ),
    start=st.sampled_from(["", "tree", "tree/a", "tree/nothing", "tree/../tree"]),
)
def test_glob(
    tmp_path_factory: pytest.TempPathFactory,
    tree: Tree,
    pattern: str,
    recursive: bool,
    options: dict[str, Any],
    start: str,
) -> None:
    if sys.version_info < (3, 13) and ("**" in pattern or options or recursive):
        # "**" found no files at the end, "***" was an error, case_sensitive wasn't there, …
        return
    base = tmp_path_factory.mktemp("glob")
    make(base / "tree", tree)
    method = "rglob" if recursive else "glob"

    async def test() -> None:
        with working_directory(base):
            theirs = await outcome_of(Path(start), method, (pattern,), options)
            ours = await outcome_of(APath(start), method, (pattern,), options)
            if sys.version_info < (3, 12) and ours[0] == "returned":
                # It followed a link that a part without wildcards names: one that leads nowhere
                # wasn't found.
                ours = ("returned", [path for path in ours[1] if found_before_3_12(path, pattern)])
        if theirs[0] == "returned":
            # Each once; pathlib may find one in two ways.
            theirs = ("returned", sorted({*theirs[1]}))
        assert ours == theirs

    asyncsys_loop.run(test())


async def test_glob_on_each_python(tmp_path: Path) -> None:
    make(tmp_path / "t", TREE)
    with working_directory(tmp_path / "t"):

        async def found(pattern: str, path: str = ".", **options: bool) -> list[str]:
            return sorted([str(p) async for p in APath(path).glob(pattern, **options)])

        assert await found("**") == sorted(
            [".", *map(str, [p.relative_to(".") for p in Path().rglob("*")])]
        )
        assert await found("**/") == [".", "dir", "dir/b", "dir/empty"]
        assert await found("*/") == ["dir", "to_dir"]
        assert await found("**/*.py") == ["dir/a.py", "dir/b/c.py"]
        assert await found("DIR/*.PY", case_sensitive=False) == ["dir/a.py"]
        assert await found("DIR/*.PY") == []
        assert await found("**/c.py", recurse_symlinks=True) == ["dir/b/c.py", "to_dir/b/c.py"]
        assert await found("dir/../file") == ["dir/../file"]
        assert await found("**/b/**/c.py", "dir") == ["dir/b/c.py"]
        # What isn't a directory has nothing below it, not even itself.
        for pattern in ("file/**", "**/file/**", "file/./**", "to_file/**", "nowhere/**"):
            assert await found(pattern) == []
        assert await found("to_dir/b/**") == [*("to_dir/b", "to_dir/b/.hidden", "to_dir/b/c.py")]
        recursive = sorted([str(p) async for p in APath("dir").rglob("*.py")])
        assert recursive == ["dir/a.py", "dir/b/c.py"]
    for pattern, error in (("", ValueError), (".", ValueError), ("/a", NotImplementedError)):
        with pytest.raises(error, match="pattern"):
            APath().glob(pattern)


async def test_glob_finds_each_once(tmp_path: Path) -> None:
    make(tmp_path / "t", {"a": {"a": {"a": {"b": b""}}}})
    found = [str(p.relative_to(tmp_path)) async for p in APath(tmp_path).glob("**/a/**/b")]
    assert found == ["t/a/a/a/b"]
    make(tmp_path / "u", {"a": {"a": "."}})  # by the last "**" and as what "*" matched
    found = [str(p.relative_to(tmp_path)) async for p in APath(tmp_path).glob("u/**/*/**")]
    assert sorted(found) == ["u/a", "u/a/a", "u/a/a/a"]


async def test_glob_that_is_given_up_leaves_nothing(tmp_path: Path) -> None:
    make(tmp_path / "t", {str(n): {str(m): b"" for m in range(10)} for n in range(30)})
    top = APath(tmp_path)
    for paths in (top.rglob("*"), top.glob("*/*"), top.iterdir()):
        assert isinstance(await anext(paths), APath)
        await paths.aclose()
    async with contextlib.aclosing(top.walk()) as walk:
        assert (await anext(walk))[0] == top

    async def first() -> object:
        return await anext(APath(tmp_path).rglob("nothing"))

    task = asyncio.create_task(first())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@settings(max_examples=examples(40), deadline=None)
@given(tree=trees(), top_down=st.booleans(), follow_symlinks=st.booleans())
def test_walk(
    tmp_path_factory: pytest.TempPathFactory, tree: Tree, top_down: bool, follow_symlinks: bool
) -> None:
    base = tmp_path_factory.mktemp("walk")
    make(base / "tree", tree)

    def normal(walked: Any) -> Any:
        return sorted((str(path), sorted(d), sorted(f)) for path, d, f in walked)

    async def test() -> None:
        with working_directory(base):
            ours = [
                item async for item in APath("tree").walk(top_down, follow_symlinks=follow_symlinks)
            ]
            if sys.version_info >= (3, 12):
                theirs = Path("tree").walk(top_down, follow_symlinks=follow_symlinks)
                assert normal(ours) == normal(theirs)
        order = [str(path) for path, _, _ in ours]
        for path in order[1:] if top_down else order[:-1]:
            parent = order.index(os.path.dirname(path))
            assert (parent < order.index(path)) is top_down

    asyncsys_loop.run(test())


async def test_walk_is_pruned(tmp_path: Path) -> None:
    make(tmp_path / "t", {"a": {"b": {}}, "c": {"d": {}}})
    seen = []
    async for path, directories, _ in APath(tmp_path / "t").walk():
        seen.append(path.name)
        if "a" in directories:
            directories.remove("a")
    assert seen == ["t", "c", "d"]
    errors: list[OSError] = []
    assert [p async for p in APath(tmp_path / "no").walk(on_error=errors.append)] == []
    assert errors[0].errno == errno.ENOENT


async def test_info(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "t", TREE)
    asked = []
    original = aos.stat

    async def count(*arguments: Any, **options: Any) -> os.stat_result:
        asked.append(arguments)
        return await original(*arguments, **options)

    monkeypatch.setattr(aos, "stat", count)
    for path in [path async for path in APath(tmp_path / "t").iterdir()]:
        before = Path(path)
        asked.clear()
        assert await path.info.is_symlink() == before.is_symlink()
        assert await path.info.exists(follow_symlinks=False)
        assert asked == []
        if not before.is_symlink():
            assert await path.info.is_dir() == before.is_dir()
            assert await path.info.is_file() == before.is_file()
            assert await path.info.exists()
            assert asked == []
        elif path.name != "loop":
            assert await path.info.is_dir() == before.is_dir()
            assert await path.info.exists() == before.exists()
            assert len(asked) == 1
    info = APath(tmp_path / "new").info
    assert not await info.exists()
    (tmp_path / "new").touch()
    assert not await info.exists()
    assert await APath(tmp_path / "new").info.exists()


# Copies and moves

COPIES: Tree = {
    "file": b"content",
    "tree": {"a": b"a", "x": 0o755, "b": {"c": b"c"}, "l": "a", "d": "nope"},
    "good": {"a": b"a", "b": {"c": b"c"}, "l": "a"},
    "link": "file",
    "to_tree": "good",
    "dir": {"file": b"old"},
}


@pytest.mark.parametrize("preserve_metadata", [False, True])
@pytest.mark.parametrize("follow_symlinks", [False, True])
@pytest.mark.parametrize("src", ["file", "tree", "good", "link", "to_tree", "missing"])
@pytest.mark.parametrize("dst", ["new", "file", "dir", "dir/new", "tree/b/new", "no/new"])
async def test_copy(
    tmp_path: Path, src: str, dst: str, follow_symlinks: bool, preserve_metadata: bool
) -> None:
    options = {"follow_symlinks": follow_symlinks, "preserve_metadata": preserve_metadata}
    outcomes = []
    for kind in (Path, APath) if sys.version_info >= (3, 14) else (APath,):
        root = tmp_path / kind.__module__
        make(root, COPIES)
        with working_directory(root):
            outcome = await outcome_of(kind(src), "copy", (dst,), options)
        outcomes.append((outcome, snapshot(root)))
    assert outcomes[0] == outcomes[-1]
    (outcome, left), before = outcomes[-1], snapshot_of(COPIES, tmp_path / "before")
    if outcome[0] == "raised":
        assert src == "missing" or dst in {"file", "dir", "tree/b/new", "no/new"} or src == "tree"
        return
    assert outcome == ("returned", dst)
    if follow_symlinks and src in {"link", "to_tree"}:
        src = {"link": "file", "to_tree": "good"}[src]
    for path, (mode, content, time, attributes) in before.items():
        if path == src or path.startswith(src + "/"):
            copied = left[dst + path.removeprefix(src)]
            if follow_symlinks and mode.startswith("0o12"):
                continue
            assert copied[1] == content
            if preserve_metadata:
                assert copied == (mode, content, time, attributes)


def snapshot_of(tree: Tree, root: Path) -> dict[str, Any]:
    make(root, tree)
    return snapshot(root)


async def test_copies_to_impossible_places(tmp_path: Path) -> None:
    make(tmp_path / "t", COPIES)
    tree = APath(tmp_path / "t" / "tree")
    for target in (tree, tree / "b" / "new"):
        with pytest.raises(OSError, match="Source") as caught:
            await tree.copy(target)
        assert caught.value.errno == errno.EINVAL
        assert (caught.value.filename, caught.value.filename2) == (str(tree), str(target))
    with pytest.raises(OSError, match="same file"):
        await APath(tmp_path / "t" / "file").copy(tmp_path / "t" / "link")
    with pytest.raises(OSError, match="same file"):
        await APath(tmp_path / "t" / "file").move(tmp_path / "t" / "link")
    with pytest.raises(ValueError, match="empty name"):
        await APath("/").copy_into(tmp_path)
    with pytest.raises(ValueError, match="empty name"):
        await APath("").move_into(tmp_path)


async def test_copy_into_and_move(tmp_path: Path) -> None:
    make(tmp_path / "t", COPIES)
    root = APath(tmp_path / "t")
    before = snapshot(tmp_path / "t" / "good")
    copied = await (root / "good").copy_into(root / "dir", preserve_metadata=True)
    assert copied == tmp_path / "t" / "dir" / "good"
    assert type(copied) is APath
    assert snapshot(tmp_path / "t" / "dir" / "good")["b/c"] == before["b/c"]
    assert await (root / "tree").move(root / "moved") == tmp_path / "t" / "moved"
    assert not (tmp_path / "t" / "tree").exists()
    assert await (root / "link").move_into(root / "dir") == tmp_path / "t" / "dir" / "link"
    assert os.readlink(tmp_path / "t" / "dir" / "link") == "file"


@pytest.mark.parametrize("name", ["file", "tree", "link"])
async def test_move_to_another_file_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    async def elsewhere(*_arguments: Any) -> None:
        raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))

    make(tmp_path / "t", COPIES)
    before = {path: node for path, node in snapshot(tmp_path / "t" / name).items() if path != "."}
    monkeypatch.setattr(aos, "replace", elsewhere)
    await APath(tmp_path / "t" / name).move(tmp_path / "new")
    after = snapshot(tmp_path / "new")
    assert {path: node for path, node in after.items() if path != "."} == before
    assert not os.path.lexists(tmp_path / "t" / name)


@settings(max_examples=examples(20), deadline=None)
@given(name=NAMES)
def test_odd_names(tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    base = tmp_path_factory.mktemp("names")

    async def test() -> None:
        path = APath(base) / name
        await path.write_bytes(b"x")
        assert [p.name async for p in APath(base).iterdir()] == [name]
        assert await path.read_bytes() == b"x"
        assert [p async for p in APath(base).glob("*")] == [path]

    asyncsys_loop.run(test())


async def test_anyio_documentation(tmp_path: Path) -> None:
    # https://anyio.readthedocs.io/en/stable/fileio.html, with Path from here
    path = APath(tmp_path / "file.txt")
    (tmp_path / "file.txt").write_text("hello", encoding="utf-8")
    assert await path.is_file()
    assert await path.read_text() == "hello"
    async for path in APath(tmp_path).iterdir():
        assert await path.is_file()


@pytest.mark.parametrize(
    "text",
    ["a", "/a/b", "a/", "", ".", "./a", "a//b", "a/./b", "..", "//a", "/", ".a", "a/.b", "a."],
)
def test_fspath_is_what_pathlib_writes(text: str) -> None:
    path = asyncsys_loop.Path(text)
    assert os.fspath(path) == str(path) == os.fspath(pathlib.PurePosixPath(text))
    assert os.fspath(path / "b") == str(pathlib.PurePosixPath(text) / "b")
    assert os.fspath(pickle.loads(pickle.dumps(path))) == str(path)


def test_path_is_parsed_when_it_must_be() -> None:
    plain = pathlib.PurePosixPath("/a/b.c")
    for ask in (
        lambda path: path.parts,
        lambda path: (path.root, path.drive, path.anchor),
        lambda path: (path.parent, path.name, path.suffix, path.stem),
        lambda path: (hash(path), path == plain, plain == path, path < plain, plain <= path),
        lambda path: (path / "d", path.joinpath("e"), path.with_name("f"), path.relative_to("/a")),
        lambda path: (copy.copy(path), copy.deepcopy(path), pickle.loads(pickle.dumps(path))),
        lambda path: (str(path), bytes(path), path.as_uri(), path.as_posix()),
        lambda path: list(path.parents),
    ):
        assert ask(asyncsys_loop.Path("/a/b.c")) == ask(plain)
    with pytest.raises(AttributeError, match="'Path' object has no attribute 'missing'"):
        asyncsys_loop.Path("a").missing  # type: ignore[attr-defined]  # noqa: B018
