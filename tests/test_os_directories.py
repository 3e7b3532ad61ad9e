"""scandir(), walk() and fwalk() beyond what they list, which tests/test_os_parity.py compares."""

import asyncio
import contextlib
import os
import stat
from pathlib import Path
from typing import Any

import pytest

import asyncsys_loop
from asyncsys_loop import _native, stats
from asyncsys_loop.os import _directories

from .support import descriptors

twins = asyncsys_loop.os


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "a" / "b" / "c").mkdir(parents=True)
    (root / "d").mkdir()
    for name in ("file", "a/one", "a/b/two", "a/b/c/three"):
        (root / name).write_text(name)
    (root / "link").symlink_to("a")
    (root / "dangling").symlink_to("nowhere")
    (root / "loop").symlink_to("loop")
    return root


def calls() -> int:
    """Return how many calls were made, whoever answered them."""
    return stats().completed + stats().inline


# scandir()


async def test_answers_cost_no_call(tree: Path) -> None:
    entries = [entry async for entry in twins.scandir(tree)]
    before = calls()
    for entry in entries:
        await entry.is_dir(follow_symlinks=False)
        await entry.is_file(follow_symlinks=False)
        entry.is_symlink()
        assert entry.inode() == os.lstat(entry.path).st_ino
        if not entry.is_symlink():
            assert await entry.is_dir() == os.path.isdir(entry)
            assert await entry.is_file() == os.path.isfile(entry)
    assert calls() == before
    for entry in entries:  # one call for what a link points at, and then it is known
        if entry.name == "link":
            assert await entry.is_dir()
            assert calls() == before + 1
            assert not await entry.is_file()
            assert (await entry.stat()).st_ino == os.stat(tree / "a").st_ino
            assert calls() == before + 1
            assert stat.S_ISLNK((await entry.stat(follow_symlinks=False)).st_mode)


async def test_directories_without_types(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file system may leave the type out: it is asked for while listing."""
    original: Any = _native.directory_entries

    def untyped(entries: bytes, decode: bool) -> list[tuple[Any, int, int]]:
        return [(name, 0, inode) for name, _, inode in original(entries, decode)]

    monkeypatch.setattr(_directories, "directory_entries", untyped)
    found = {entry.name: entry async for entry in twins.scandir(tree)}
    with os.scandir(tree) as expected:
        for theirs in expected:
            ours = found.pop(theirs.name)
            assert ours.is_symlink() == theirs.is_symlink()
            for follow in (True, False):
                with contextlib.suppress(OSError):  # the loop
                    assert await ours.is_dir(follow_symlinks=follow) == theirs.is_dir(
                        follow_symlinks=follow
                    )
                    assert await ours.is_file(follow_symlinks=follow) == theirs.is_file(
                        follow_symlinks=follow
                    )
    assert not found
    assert sorted([name async for _, names, _ in twins.walk(tree) for name in names]) == sorted(
        name for _, names, _ in os.walk(tree) for name in names
    )


async def test_scandir_is_used_in_many_ways(tree: Path) -> None:
    expected = sorted(os.listdir(tree))
    assert sorted([entry.name async for entry in twins.scandir(tree)]) == expected
    async with twins.scandir(tree) as entries:
        assert sorted([entry.name async for entry in entries]) == expected
    assert sorted(entry.name for entry in await twins.scandir(tree)) == expected
    with await twins.scandir(tree) as listed:
        next(listed)
        listed.close()
        assert not list(listed)
    async with twins.scandir(tree) as entries:
        await anext(entries)
        await entries.aclose()
        await entries.aclose()
    of_bytes = twins.scandir(os.fsencode(tree))
    assert os.fsdecode((await anext(of_bytes)).name) in expected
    await of_bytes.aclose()
    with pytest.raises(StopAsyncIteration):
        await anext(of_bytes)
    entry = next(iter(await twins.scandir(tree)))
    assert repr(entry) == f"<DirEntry {entry.name!r}>"
    assert os.fspath(entry) == entry.path
    assert entry.is_junction() is False


async def test_errors_come_when_it_is_awaited(tmp_path: Path) -> None:
    missing = twins.scandir(tmp_path / "missing")
    with pytest.raises(FileNotFoundError):
        await anext(missing)
    with pytest.raises(FileNotFoundError):
        async with missing:
            pytest.fail("it isn't there")
    with pytest.raises(TypeError, match="scandir: path should be string"):
        twins.scandir(1.5)  # type: ignore[call-overload]


async def test_entries_of_a_descriptor(tree: Path) -> None:
    fd = os.open(tree, os.O_RDONLY)
    for _ in range(2):  # its position is at the beginning again
        entries = [entry async for entry in twins.scandir(fd)]
        assert sorted(entry.name for entry in entries) == sorted(os.listdir(fd))
        for entry in entries:
            assert entry.path == entry.name
            status = await entry.stat(follow_symlinks=False)
            assert status.st_ino == os.lstat(entry.name, dir_fd=fd).st_ino
    os.close(fd)


@pytest.mark.parametrize("count", [0, 1, 3000])
async def test_big_directories(count: int, tmp_path: Path) -> None:
    def fill() -> None:
        for number in range(count):
            os.mknod(tmp_path / f"{number}-{'x' * (number % 200)}")

    await asyncio.to_thread(fill)
    names = [entry.name async for entry in twins.scandir(tmp_path)]
    assert names == await asyncio.to_thread(os.listdir, tmp_path)
    assert names == await twins.listdir(tmp_path)


async def test_a_directory_that_is_removed_is_at_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As POSIX and readdir(3) have it; getdents64(2) says ENOENT.
    directory = tmp_path / "directory"
    directory.mkdir()
    monkeypatch.chdir(directory)
    fd = os.open(directory, os.O_RDONLY)
    directory.rmdir()
    for path in (fd, None, "."):
        assert await twins.listdir(path) == os.listdir(path) == []
        assert [entry async for entry in twins.scandir(path)] == []
    assert [found async for found in twins.walk(".")] == [*os.walk(".")]
    os.close(fd)
    with pytest.raises(FileNotFoundError):
        await twins.listdir(directory)


# walk() and fwalk()


@pytest.mark.parametrize("topdown", [True, False])
@pytest.mark.parametrize("follow", [True, False])
@pytest.mark.parametrize("kind", [str, os.fsencode, Path])
async def test_walk_goes_as_os_goes(topdown: bool, follow: bool, kind: Any, tree: Path) -> None:
    (tree / "loop").unlink()
    top = kind(tree)
    expected = list(os.walk(top, topdown=topdown, followlinks=follow))
    assert [w async for w in twins.walk(top, topdown=topdown, followlinks=follow)] == expected
    there = [w[:3] for w in os.fwalk(top, topdown=topdown, follow_symlinks=follow)]
    here = [w[:3] async for w in twins.fwalk(top, topdown=topdown, follow_symlinks=follow)]
    assert here == there


async def test_walk_is_pruned(tree: Path) -> None:
    visited = []
    async for top, directories, _ in twins.walk(tree):
        visited.append(os.path.relpath(top, tree))
        if "b" in directories:
            directories.remove("b")
    assert sorted(visited) == [".", "a", "d"]
    visited = []
    async for top, directories, _, fd in twins.fwalk(tree):
        visited.append(os.path.relpath(top, tree))
        assert os.path.samestat(os.fstat(fd), os.stat(top))
        directories.clear()
    assert visited == ["."]


async def test_errors_of_a_walk(tree: Path) -> None:
    told: list[OSError] = []
    assert [w async for w in twins.walk(tree / "missing")] == []
    assert [w async for w in twins.walk(tree / "missing", onerror=told.append)] == []
    assert [type(error) for error in told] == [FileNotFoundError]

    def refuse(error: OSError) -> None:
        raise error

    with pytest.raises(NotADirectoryError):
        await anext(twins.walk(tree / "file", onerror=refuse))
    with pytest.raises(FileNotFoundError):
        await anext(twins.fwalk(tree / "missing"))
    # A directory that goes away meanwhile.
    told.clear()
    async for top, *_ in twins.fwalk(tree, onerror=told.append):
        if top == str(tree):
            (tree / "d").rmdir()
    assert [error.filename for error in told] == ["d"]


async def test_fwalk_left_early_closes_what_it_opened(tree: Path) -> None:
    before = descriptors()
    async with contextlib.aclosing(twins.fwalk(tree)) as walking:
        async for top, *_ in walking:
            if top.endswith("c"):
                break
    assert descriptors() == before


async def test_fwalk_is_not_led_elsewhere(tree: Path, tmp_path: Path) -> None:
    """A directory that becomes a symbolic link meanwhile isn't followed."""
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key").touch()
    visited = []
    async for top, _, files, _ in twins.fwalk(tree):
        visited.append(os.path.relpath(top, tree))
        assert "key" not in files
        if top == str(tree):
            (tree / "d").rmdir()
            (tree / "d").symlink_to(tmp_path / "secret")
    assert "d" not in visited


# Making and removing several


async def test_makedirs_by_many_at_once(tmp_path: Path) -> None:
    path = tmp_path / "/".join("abcdefgh")
    paths = [path / str(number) for number in range(20)]
    await asyncio.gather(*(twins.makedirs(p) for p in paths))
    assert all(p.is_dir() for p in paths)
    await asyncio.gather(*(twins.makedirs(path, exist_ok=True) for _ in range(20)))
    with pytest.raises(FileExistsError):
        await twins.makedirs(path)


async def test_working_directory_far_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(12):
        os.mkdir("x" * 200)
        os.chdir("x" * 200)
    assert await twins.getcwd() == os.getcwd()
    assert await twins.getcwdb() == os.getcwdb()
    assert await twins.path.abspath("y") == os.path.abspath("y")
    os.chdir(tmp_path)
    os.mkdir("gone")
    os.chdir("gone")
    os.rmdir("../gone")
    with pytest.raises(FileNotFoundError):
        await twins.getcwd()
