"""Twin trees: the same tree twice, for a function and its twin, and what is left of both."""

import contextlib
import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

# Files are from the past, so that times that were copied can be told from those of now.
PAST = 1_000_000_000
NOW = 1_700_000_000

Node = Any  # bytes: a file; str: a symbolic link to it; int: permissions of a file; None: a FIFO
Tree = Mapping[str, Node]


def make(root: Path, tree: Tree) -> None:
    """Make a tree; a nested mapping is a directory."""
    root.mkdir()
    for number, (name, node) in enumerate(tree.items()):
        path = root / name
        if isinstance(node, str):
            path.symlink_to(node)
        elif isinstance(node, bytes):
            path.write_bytes(node)
        elif isinstance(node, int):
            path.write_bytes(b"x" * (node & 0o77))
            path.chmod(node)
        elif node is None:
            os.mkfifo(path)
        else:
            make(path, node)
            continue
        os.utime(path, (PAST, PAST + number + 0.125), follow_symlinks=False)
    os.utime(root, (PAST, PAST))


def _time(status: os.stat_result) -> int | str:
    return status.st_mtime_ns if status.st_mtime < NOW else "now"


def snapshot(root: Path, *, times: bool = True) -> dict[str, Any]:
    """Return what is in a tree: for each path its type, permissions, content, time, attributes."""
    found: dict[str, Any] = {}

    def look(path: Path) -> None:
        status = path.lstat()
        content: Any = None
        if stat.S_ISREG(status.st_mode):
            content = path.read_bytes()
        elif stat.S_ISLNK(status.st_mode):
            content = os.readlink(path)
        attributes = {
            name: os.getxattr(path, name, follow_symlinks=False)
            for name in os.listxattr(path, follow_symlinks=False)
        }
        time = _time(status) if times else None
        found[str(path.relative_to(root))] = (oct(status.st_mode), content, time, attributes)
        if stat.S_ISDIR(status.st_mode):
            for child in path.iterdir():
                look(child)

    if os.path.lexists(root):
        look(root)
    return found


def error_of(error: BaseException) -> tuple[Any, ...]:
    """Return what two equal exceptions have in common."""
    if isinstance(error, OSError) and error.errno is not None:
        return type(error), error.errno, error.filename, error.filename2
    if isinstance(error, OSError) and error.args and isinstance(error.args[0], list):
        return type(error), sorted(map(repr, error.args[0]))
    return type(error), error.args


@contextlib.contextmanager
def working_directory(path: Path) -> Iterator[None]:
    before = Path.cwd()
    os.chdir(path)
    try:
        yield
    finally:
        os.chdir(before)


# Few names, so that trees that are laid over one another meet; some that need care.
NAMES = st.sampled_from(["a", "b", "c.py", "d d", "é\n", "\udcff", "-rf", "..x"])
# None leads upwards: who follows two such links walks 2 ** 40 directories.
TARGETS = st.sampled_from(["a", "b", "a/b", "d d", "nope", "/nowhere/else"])


def trees(targets: st.SearchStrategy[str] = TARGETS) -> st.SearchStrategy[Tree]:
    """Trees with at most a few levels."""
    leaf = st.one_of(
        st.binary(max_size=20),
        targets,
        st.sampled_from([0o400, 0o644, 0o755, 0o4711, 0o611]),
        st.none(),
    )
    return st.dictionaries(
        NAMES,
        st.recursive(leaf, lambda node: st.dictionaries(NAMES, node, max_size=4), max_leaves=12),
        max_size=5,
    )
