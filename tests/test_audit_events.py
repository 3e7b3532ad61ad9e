"""What audit hooks are told of shutil, tempfile, paths and files, and what they may refuse.

By one list, each call is made both ways, on twin trees, and what hooks heard is compared: all of
it, in order, where both make the same calls (SAME); else what docs/shutil.md and docs/paths.md
promise (TREES, LISTINGS). test_os_parity.py does it for os.

Then each event is refused once: nothing has been done by then that Python's own hasn't done.
"""

import itertools
import os
import pathlib
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest

from .audit import Event, RefusedError, heard
from .sides import Call, Originals, Twins, ended, settled
from .trees import NOW, Tree, error_of, make, snapshot, working_directory

TREE: Tree = {
    "file": b"content",
    "other": b"of another length",
    "private": 0o600,
    "dir": {"a.py": b"a", "program": 0o4711, "b": {"c.py": b"c", "d": {}}},
    "dir2": {"a.py": b"old"},
    "link": "file",
    "to_dir": "dir",
    "dangling": "nope",
    "fifo": None,
}


def calls(
    module: str, function: str, *variants: tuple[Any, ...], **options: Any
) -> dict[str, Call]:
    def call(arguments: tuple[Any, ...]) -> Call:
        return lambda side: getattr(getattr(side, module), function)(*arguments, **options)

    return {f"{function}{v}{options or ''}".replace("\0", ""): call(v) for v in variants}


def methods(function: str, *variants: tuple[Any, ...], **options: Any) -> dict[str, Call]:
    def call(path: str, *arguments: Any) -> Call:
        return lambda side: getattr(side.Path(path), function)(*arguments, **options)

    return {f"Path.{function}{v}": call(*v) for v in variants}


def files(*variants: tuple[Any, ...], **options: Any) -> dict[str, Call]:
    return {f"open{v}{options or ''}": lambda side, v=v: side.open(*v, **options) for v in variants}  # type: ignore[misc]


def opener(path: str, flags: int) -> int:
    return os.open(path, flags)


async def rolled(side: Any) -> None:
    file = side.tempfile.SpooledTemporaryFile(max_size=3)
    try:
        await settled(file.write(b"more"))
    finally:
        await settled(file.close())


COPIES = [
    *(("file", "new"), ("file", "other"), ("file", "dir"), ("link", "new"), ("missing", "new")),
    *(("file", "nodir/x"), ("file", "file"), ("fifo", "new"), ("file", Path("new"))),
    *((b"file", b"new"), ("dangling", "new"), ("file", "dangling"), ("dir", "new")),
    *((Path("file"), "new"), ("file", "a\0b"), ("a\0b", "new"), ("missing", "a\0b")),
]
SAME: dict[str, Call] = {
    **{
        name: call
        for function in ("copyfile", "copymode", "copystat", "copy", "copy2")
        for options in ({}, {"follow_symlinks": False})
        for name, call in calls("shutil", function, *COPIES, **options).items()
    },
    **calls("shutil", "move", ("file", "new"), ("file", "dir"), ("dir", "new"), ("missing", "new")),
    **calls("shutil", "move", ("dir", "dir/b"), ("file", "dir/a.py"), ("link", "dir")),
    **calls("shutil", "chown", ("file", -1, -1), ("file", "nobody"), ("file",), ("missing", 0, 0)),
    **calls("shutil", "disk_usage", (".",), ("missing",)),
    **calls("shutil", "which", ("sh",), ("missing",)),
    **calls("tempfile", "mkstemp", (), (".x", "p"), (None, None, "dir"), (None, None, "missing")),
    **calls("tempfile", "mkdtemp", (), (".x", "p"), (None, None, "dir"), (None, None, "missing")),
    **calls("tempfile", "TemporaryFile", (), ("w+", -1, "utf-8"), suffix=".x", dir="dir"),
    **calls("tempfile", "NamedTemporaryFile", (), ("w+", -1, "utf-8"), suffix=".x", dir="dir"),
    **calls("tempfile", "NamedTemporaryFile", (), ("q",), dir="missing"),
    **calls("tempfile", "NamedTemporaryFile", ("w+b", 0), delete=False),
    "SpooledTemporaryFile": rolled,
    "gettempdir": lambda side: side.tempfile.gettempdir(),
    **{
        name: call
        for function in ("stat", "lstat", "exists", "is_dir", "is_symlink", "is_mount", "resolve")
        for name, call in methods(function, ("file",), ("missing",), ("link",), ("",)).items()
    },
    **{
        name: call
        for function in ("read_bytes", "touch", "mkdir", "rmdir", "unlink", "owner", "readlink")
        for name, call in methods(function, ("file",), ("missing",), ("dir",), ("link",)).items()
    },
    **methods("read_text", ("file", "utf-8"), ("missing", "utf-8"), ("dir", "utf-8")),
    **methods("write_bytes", ("file", b"new"), ("new", b""), ("dir", b"x"), ("nodir/x", b"x")),
    **methods("write_text", ("file", "new", "utf-8"), ("new", "", "utf-8"), ("dir", "x", "utf-8")),
    **methods("mkdir", ("new/a/b", 0o700, True), ("dir", 0o777, False, True)),
    **methods("touch", ("file", 0o600, False), ("new", 0o600, False)),
    **methods("open", ("file",), ("file", "rb"), ("new", "x"), ("file", "a"), ("missing", "r+")),
    **methods("rename", ("file", "new"), ("missing", "new")),
    **methods("replace", ("file", "other"), ("missing", "new")),
    **methods("symlink_to", ("new", "file"), ("file", "x")),
    **methods("hardlink_to", ("new", "file"), ("new", "missing")),
    **methods("samefile", ("file", "link"), ("file", "missing")),
    **methods("chmod", ("file", 0o611), ("missing", 0o611)),
    **methods("unlink", ("missing", True)),
    **files(("file",), (b"file",), (Path("file"),), ("missing",), ("dir",), ("new", "w+b")),
    **files(("file", "rb", 0), ("file", "q"), ("file", "rt", 0), (12345,), (-1,), ("a\0b",)),
    **files(("file", "r"), ("missing", "x"), opener=opener),
    **files(("file",), (12345,), closefd=False),
}
TREES: dict[str, Call] = {
    **calls("shutil", "copytree", ("dir", "new"), ("missing", "new"), ("dir", "file")),
    **calls("shutil", "copytree", ("to_dir", "new"), (Path("dir"), Path("new"))),
    **calls("shutil", "copytree", (".", "../new"), symlinks=True),
    **calls("shutil", "copytree", ("dir", "dir2"), dirs_exist_ok=True),
    **calls("shutil", "rmtree", ("dir",), ("missing",), ("file",), ("to_dir",), (Path("dir"),)),
    **calls("shutil", "rmtree", ("dir",), ("missing",), ("file",), ignore_errors=True),
    "TemporaryDirectory": lambda side: side.tempfile.TemporaryDirectory(),
}
LISTINGS: dict[str, Call] = {
    **methods("iterdir", ("dir",), ("",), ("missing",)),
    **methods("glob", ("dir", "*"), ("", "*/*.py"), ("dir", "**/*.py")),
    **methods("rglob", ("dir", "*.py"), ("", "c.py")),
    **(methods("walk", ("dir",), ("", False)) if hasattr(Path, "walk") else {}),
}


def plain(value: Any, root: Path) -> Any:
    """Return an argument as it compares."""
    if isinstance(value, os.DirEntry):
        value = value.path  # copytree() of shutil shows some, some as paths
    if isinstance(value, str):
        return value.replace(str(root), "ROOT")
    if isinstance(value, bytes):
        return value.replace(os.fsencode(root), b"ROOT")
    if isinstance(value, pathlib.PurePath):
        return "path", str(value)
    if isinstance(value, tuple):
        return tuple(plain(item, root) for item in value)
    return "now" if isinstance(value, int) and value > NOW * 10**9 else value


def all_of(events: list[Event], root: Path) -> list[Any]:
    return [(event, plain(arguments, root)) for event, arguments in events]


def of_trees(events: list[Event], root: Path) -> list[Any]:
    """What shutil tells itself, and each file that is opened to be copied: by whole paths.

    Of what else happens to files and directories: how often, as it is known by other names.
    """
    kept: list[Any] = []
    for event, arguments in events:
        if event.startswith(("shutil.", "tempfile.")):
            kept.append((event, plain(arguments, root)))
        elif event == "open":
            if arguments[1] is not None:
                kept.append((event, plain(arguments, root)))
        elif event != "os.scandir":
            named = event in {"os.mkdir", "os.remove", "os.rmdir"}
            kept.append((event, os.path.basename(arguments[0]) if named else ""))
    return sorted(kept, key=repr)


def of_listings(events: list[Event], root: Path) -> list[Any]:
    """The first event, and each directory that is listed, once, however it is spelled."""
    first = [(event, plain(arguments, root)) for event, arguments in events[:1]]
    if first and not first[0][0].startswith("pathlib."):
        first = []
    listed = {
        os.path.normpath(plain(arguments[0], root))
        for event, arguments in events
        if event in {"os.scandir", "os.listdir"}
    }
    return [first, sorted(listed)]


class Names:
    """Stands in for random names."""

    def __init__(self) -> None:
        self.count = 0

    def __iter__(self) -> "Names":
        return self

    def __next__(self) -> str:
        self.count += 1
        return f"name{self.count}"


@pytest.fixture(autouse=True)
def no_random_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "_RandomNameSequence", Names)


class Outcome:
    """What a call did, and what was heard of it."""

    def __init__(self) -> None:
        self.ended: Any = None
        self.events: list[Event] = []
        self.left: dict[str, Any] = {}


async def outcome_of(call: Call, side: Any, root: Path, refused: int = -1) -> Outcome:
    outcome = Outcome()
    make(root, TREE)
    # By the same name for both: filenames of errors have it.
    with working_directory(root), pytest.MonkeyPatch.context() as patch:
        patch.setattr(tempfile, "_name_sequence", Names())
        patch.setattr(tempfile, "tempdir", None)
        patch.setenv("TMPDIR", str(root))
        if call is not SAME["gettempdir"]:
            tempfile.gettempdir()
        with heard(refused) as outcome.events:
            try:
                await ended(call(side), "close", "cleanup")
            except Exception as error:  # noqa: BLE001  (whatever it is, it is compared)
                outcome.ended = error_of(error)
                if "embedded null" in str(error):  # Python 3.11 has two texts for it, 3.13 one
                    outcome.ended = type(error), "embedded null"
    outcome.left = snapshot(root, times=False)
    shutil.rmtree(root)
    shutil.rmtree(root.parent / "new", ignore_errors=True)
    return outcome


def function_of(name: str) -> str:
    return name.partition("(")[0]


GROUPS: dict[str, list[tuple[str, Call, Any]]] = {}
for listed, comparable_of in ((SAME, all_of), (TREES, of_trees), (LISTINGS, of_listings)):
    for case, called in listed.items():
        GROUPS.setdefault(function_of(case), []).append((case, called, comparable_of))

blocks_loop = pytest.mark.blocks_loop("the originals are called in the loop's thread")


@blocks_loop
@pytest.mark.parametrize("function", GROUPS)
async def test_hooks_are_told(function: str, tmp_path: Path) -> None:
    root = tmp_path / "root"
    for name, call, comparable in GROUPS[function]:
        expected = await outcome_of(call, Originals, root)
        got = await outcome_of(call, Twins, root)
        assert comparable(got.events, root) == comparable(expected.events, root), name
        assert got.left == expected.left, name
        if comparable is all_of:
            assert got.ended == expected.ended, name


# The ways that copying goes, with fewer paths.
REFUSED = [n for n in SAME if not n.startswith("copy") or "'file', 'new'" in n or "'link'" in n]


@blocks_loop
@pytest.mark.parametrize("function", dict.fromkeys(map(function_of, REFUSED)))
async def test_hooks_may_refuse(function: str, tmp_path: Path) -> None:
    root = tmp_path / "root"
    for name in REFUSED:
        refused, more = 0, function_of(name) == function
        while more:
            expected = await outcome_of(SAME[name], Originals, root, refused)
            got = await outcome_of(SAME[name], Twins, root, refused)
            assert all_of(got.events, root) == all_of(expected.events, root), (name, refused)
            assert got.left == expected.left, (name, refused)
            more = len(expected.events) > refused
            if more:
                assert got.ended == expected.ended, (name, refused)
                refused += 1


@blocks_loop
async def test_what_is_refused_of_a_tree_is_not_done(tmp_path: Path) -> None:
    root, call = tmp_path / "root", TREES["copytree('dir', 'new')"]
    files = {"new/a.py", "new/program", "new/b/c.py"}
    expected = {
        "shutil.copyfile": files,
        "shutil.copystat": {"new", "new/b", "new/b/d"} | files,
    }
    refused: dict[str, set[Any]] = {}
    count = len((await outcome_of(call, Twins, root)).events)
    # Files are copied side by side: the events of one time may have another order than the next's.
    for number in itertools.cycle(range(count)):
        got = await outcome_of(call, Twins, root, number)
        assert got.ended == (RefusedError, ())
        event, arguments = got.events[number]
        made = {path: mode for path, (mode, *_) in got.left.items()}
        if event in expected:
            refused.setdefault(event, set()).add(arguments[1])
        if event == "shutil.copyfile":
            assert arguments[1] not in made
        elif event == "open" and arguments[1] == "w":
            assert arguments[0] not in made
        elif event == "shutil.copystat" and arguments[1] == "new/program":
            assert made["new/program"] != made["dir/program"]
        if number == count - 1 and refused == expected:
            break
