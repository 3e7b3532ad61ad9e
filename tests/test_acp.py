"""examples.acp: copies are what `cp -a` makes, and are whole or not there."""

import asyncio
import contextlib
import os
import random
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import asyncsys_loop
from examples.acp import Copy

from .support import ROOT, TIME_SCALE, until
from .trees import Tree, make, snapshot


def acp(*arguments: Any, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "examples.acp", *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=50 * TIME_SCALE,
        check=False,
    )


def cp(*arguments: Any) -> None:
    subprocess.run(["cp", "-a", *map(str, arguments)], check=True)


def metadata(root: Path) -> dict[str, Any]:
    """Return all that `cp -a` keeps, with the groups of hard links by their first name."""
    firsts: dict[int, str] = {}
    found = {}
    paths = sorted([root, *root.rglob("*")], key=os.fsencode)
    for path in paths:
        status = path.lstat()
        name = os.path.relpath(path, root)
        first = firsts.setdefault(status.st_ino, name)
        attributes = {
            key: os.getxattr(path, key, follow_symlinks=False)
            for key in os.listxattr(path, follow_symlinks=False)
        }
        found[name] = (
            oct(status.st_mode),
            *(status.st_uid, status.st_gid, status.st_nlink, status.st_rdev),
            *(status.st_mtime_ns, attributes, None if stat.S_ISDIR(status.st_mode) else first),
            None if stat.S_ISDIR(status.st_mode) else status.st_size,
            os.readlink(path) if path.is_symlink() else None,
        )
    return found


def many_files(root: Path, count: int) -> None:
    """Make a tree with something of everything in it."""
    chance = random.Random(1)
    root.mkdir()
    directories = [root]
    for number in range(count // 40):
        directory = chance.choice(directories[-30:]) / f"d{number}"
        directory.mkdir()
        directories.append(directory)
    block = chance.randbytes(100_000)
    for number in range(count):
        path = chance.choice(directories) / f"f{number}"
        size = min(int(chance.expovariate(1 / 2000)), len(block))
        with path.open("wb", buffering=0) as file:
            file.write(block[-size:] if size else b"")
        match number % 100:
            case 0:
                os.link(path, chance.choice(directories) / f"hard{number}")
            case 1:
                os.symlink(f"f{number}", f"{path}.link")
            case 2:
                with contextlib.suppress(OSError):
                    os.setxattr(path, "user.number", b"%d" % number)
            case 3:
                os.truncate(path, 1_000_000)
            case 4:
                path.chmod(chance.choice([0o400, 0o755, 0o4711, 0o600]))
            case 5:
                os.rename(path, os.fsencode(path.parent) + b"/\xff\n%d" % number)
            case 6:
                os.utime(path, ns=(number, number * 1_000_000_007))
    for directory in directories[::7]:
        directory.chmod(0o750)
    for number, directory in enumerate(directories):
        os.utime(directory, ns=(0, 10**18 + number))


@pytest.mark.timeout(120 * TIME_SCALE)
def test_twenty_thousand_files(tmp_path: Path) -> None:
    src, dst = tmp_path / "src", tmp_path / "dst"
    many_files(src, 20_000)
    done = acp(src, dst)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    diff = subprocess.run(
        ["diff", "-r", "--no-dereference", src, dst], capture_output=True, check=False
    )
    assert (diff.returncode, diff.stdout, diff.stderr) == (0, b"", b"")
    assert metadata(dst) == metadata(src)
    used = [sum(p.lstat().st_blocks for p in root.rglob("*")) for root in (src, dst)]
    assert used[1] <= used[0] * 1.05 + 1000


@pytest.fixture
def special(tmp_path: Path) -> Iterator[Path]:
    root = tmp_path / "special"
    make(root, {"dir": {}, "file": b"content", "empty": b""})
    os.mkfifo(root / "fifo", 0o640)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(root / "socket"))
        if os.geteuid() == 0:
            with contextlib.suppress(PermissionError):
                os.mknod(root / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
                os.mknod(root / "loop", stat.S_IFBLK | 0o660, os.makedev(7, 0))
            os.chown(root / "file", 1234, 5678)
            os.chmod(root / "file", 0o6755)
            os.chown(root / "dir", 1, 2)
        os.symlink("\udcff nowhere", root / "link")
        if os.geteuid() == 0:
            os.chown(root / "link", 3, 4, follow_symlinks=False)
        os.utime(root / "link", ns=(5, 6), follow_symlinks=False)
        os.utime(root / "fifo", ns=(7, 8))
        os.link(root / "fifo", root / "fifo2")
        os.link(root / "link", root / "link2", follow_symlinks=False)
        yield root


def test_special_files(special: Path, tmp_path: Path) -> None:
    done = acp(special, tmp_path / "ours")
    assert (done.returncode, done.stderr) == (0, "")
    cp(special, tmp_path / "theirs")
    assert metadata(tmp_path / "ours") == metadata(tmp_path / "theirs") == metadata(special)


OLD: Tree = {
    "file": b"old",
    "dir": {"kept": b"kept", "a": b"old a", "sub": b"a file"},
    "link": "file",
    "sub": {"deep": b"old"},
}
NEW: Tree = {
    "file": b"new",
    "dir": {"a": b"new a", "sub2": {"x": b"x"}},
    "link": b"no link any more",
    "other": "file",
}


def test_trees_come_together(tmp_path: Path) -> None:
    for name in ("ours", "theirs"):
        make(tmp_path / name, OLD)
    (tmp_path / "theirs" / "link").unlink()  # cp writes through it; we replace it
    make(tmp_path / "new", NEW)
    cp("-T", tmp_path / "new", tmp_path / "theirs")
    done = acp("-T", tmp_path / "new", tmp_path / "ours")
    assert (done.returncode, done.stderr) == (0, "")
    assert snapshot(tmp_path / "ours") == snapshot(tmp_path / "theirs")
    assert (tmp_path / "ours" / "file").read_bytes() == b"new"


def test_what_cannot_be_overwritten(tmp_path: Path) -> None:
    make(tmp_path / "old", {"a": {"x": b""}, "b": b"", "c": b"old"})
    make(tmp_path / "new", {"a": b"a file", "b": {"y": b""}, "c": b"new"})
    done = acp("-T", tmp_path / "new", tmp_path / "old")
    assert done.returncode == 1
    assert "with non-directory" in done.stderr
    assert "with directory" in done.stderr
    assert done.stderr.count("acp: ") == 2
    assert (tmp_path / "old" / "c").read_bytes() == b"new"
    assert snapshot(tmp_path / "old").keys() == {".", "a", "a/x", "b", "c"}


def test_where_copies_go(tmp_path: Path) -> None:
    make(tmp_path / "t", {"a": b"1", "b": {"c": b"2"}, "into": {}})
    t = tmp_path / "t"
    assert acp(t / "a", t / "new").returncode == 0
    assert acp(t / "a", f"{t / 'b'}/", t / "into").returncode == 0
    assert acp("-T", t / "b", t / "into").returncode == 0
    assert snapshot(t / "into").keys() == {".", "a", "b", "b/c", "c"}
    assert acp(t / "a", t / "b", t / "missing").returncode == 2
    assert acp("-T", t / "a", t / "b", t / "into").returncode == 2
    for jobs in (0, 100_000_000):
        assert "-j" in acp("-j", jobs, t / "a", t / "b").stderr
    done = acp(t / "missing", t / "a", t / "into")
    assert done.returncode == 1
    assert "No such file" in done.stderr
    done = acp(t / "a", t / "a")
    assert done.returncode == 1
    assert "are the same file" in done.stderr
    done = acp(t, t / "into")
    assert done.returncode == 1
    assert "into itself" in done.stderr
    done = acp("-v", t / "b", t / "verbose")
    assert done.stdout.split() == [str(t / "verbose" / "c"), str(t / "verbose")]
    done = acp("--progress", t / "b", t / "progress")
    assert done.returncode == 0


def test_hard_links_to_what_is_there(tmp_path: Path) -> None:
    make(tmp_path / "src", {"a": b"1"})
    os.link(tmp_path / "src" / "a", tmp_path / "src" / "b")
    for _ in range(2):  # the second time the copies are links to one another already
        assert acp("-T", tmp_path / "src", tmp_path / "dst").returncode == 0
        assert metadata(tmp_path / "dst") == metadata(tmp_path / "src")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root drops privileges: owners aren't tested")
def test_without_privileges(tmp_path: Path) -> None:
    make(tmp_path / "src", {"file": b"x"})
    (tmp_path / "src" / "file").chmod(0o6755)
    for directory in (tmp_path, *tmp_path.parents[:-2]):
        directory.chmod(directory.stat().st_mode | 0o5)
    place = tmp_path / "place"
    place.mkdir()
    os.chown(place, 12345, 12345)
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            os.setgroups([])
            os.setgid(12345)
            os.setuid(12345)
            failures: list[str] = []
            copy = Copy(failed=failures.append)
            # The device of the kernel module is root's.
            copying = copy.run([(str(tmp_path / "src"), str(place / "dst"))])
            asyncsys_loop.run(copying, executor="threads")
            code = len(failures)
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    status = (place / "dst" / "file").stat()
    assert (status.st_uid, stat.S_IMODE(status.st_mode)) == (12345, 0o755)


# Cancellation


def whole(src: Path, dst: Path) -> int:
    """Check that each file of a copy is whole, and return how many there are."""
    count = 0
    for path in dst.rglob("*"):
        assert not path.name.startswith(".acp-"), path
        if path.is_file() and not path.is_symlink():
            assert path.read_bytes() == (src / path.relative_to(dst)).read_bytes()
            count += 1
    return count


@pytest.mark.parametrize("after", [0, 1, 50, 500, 900])
async def test_cancelled_in_the_middle(tmp_path: Path, after: int) -> None:
    # The fixture nothing_left looks for descriptors and exec threads.
    await asyncio.to_thread(many_files, tmp_path / "src", 1000)
    (tmp_path / "src" / "large").write_bytes(os.urandom(20_000_000))
    finished = 0

    def progress(_found: int, done: int, _bytes: int, _copied: int) -> None:
        nonlocal finished
        finished += done
        if finished >= after:
            task.cancel()

    def failed(message: str) -> None:
        pytest.fail(message)

    copy = Copy(failed=failed, progress=progress)
    task = asyncio.create_task(copy.run([(str(tmp_path / "src"), str(tmp_path / "dst"))]))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await asyncio.to_thread(whole, tmp_path / "src", tmp_path / "dst") <= after + 100


async def test_a_large_file_that_is_cancelled_has_no_name(tmp_path: Path) -> None:
    (tmp_path / "src").write_bytes(b"x" * 40_000_000)
    (tmp_path / "dst").write_bytes(b"old")

    def progress(_found: int, _done: int, _bytes: int, copied: int) -> None:
        if copied:
            task.cancel()

    copy = Copy(failed=pytest.fail, progress=progress)
    task = asyncio.create_task(copy.run([(str(tmp_path / "src"), str(tmp_path / "dst"))]))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sorted(os.listdir(tmp_path)) == ["dst", "src"]
    assert (tmp_path / "dst").read_bytes() == b"old"


# The command, to which one file is never opened: it can't be done before it is interrupted.
ENDLESS = """
import asyncio

from asyncsys_loop import os as aos
from examples.acp.__main__ import main

original = aos.open


async def opened(path, *arguments, **where):
    if path == "f3050":
        await asyncio.Event().wait()
    return await original(path, *arguments, **where)


aos.open = opened
main()
"""


async def test_ctrl_c(tmp_path: Path) -> None:
    await asyncio.to_thread(many_files, tmp_path / "src", 4000)
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", ENDLESS, "-j", "4", tmp_path / "src", tmp_path / "dst"),
        cwd=ROOT,
        stderr=subprocess.PIPE,
    )
    await until((tmp_path / "dst" / "d0").exists)
    process.send_signal(signal.SIGINT)
    _, errors = await process.communicate()
    assert (process.returncode, errors) == (130, b"acp: stopped; what has a name is complete\n")
    await asyncio.to_thread(whole, tmp_path / "src", tmp_path / "dst")
    assert [*(tmp_path / "src").rglob("f3050")]
    assert not [*(tmp_path / "dst").rglob("f3050")]


# Somebody else


async def test_a_swapped_directory_leads_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(tmp_path / "secret", {"key": b"secret"})
    make(tmp_path / "src", {"victim": {"a": b"1"}})
    original = asyncsys_loop.os.open
    seen: list[Any] = []

    async def swap(path: Any, flags: int, mode: int = 0o777, **where: Any) -> int:
        if path == "victim" and not seen:
            seen.append(path)
            (tmp_path / "src" / "victim").rename(tmp_path / "moved")
            (tmp_path / "src" / "victim").symlink_to(tmp_path / "secret")
        return await original(path, flags, mode, **where)

    monkeypatch.setattr(asyncsys_loop.os, "open", swap)
    failures: list[str] = []
    copy = Copy(failed=failures.append)
    await copy.run([(str(tmp_path / "src"), str(tmp_path / "dst"))])
    assert len(failures) == 1
    assert snapshot(tmp_path / "dst").keys() == {"."}


async def test_one_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(tmp_path / "src", {"a": b"1", "mounted": {"b": b"2"}})
    original = asyncsys_loop.os.stat

    async def another_device(path: Any, **where: Any) -> os.stat_result:
        status = await original(path, **where)
        if path != "mounted":
            return status
        fields = list(status)
        fields[2] += 1  # st_dev
        return os.stat_result(fields)

    monkeypatch.setattr(asyncsys_loop.os, "stat", another_device)
    copy = Copy(failed=pytest.fail, one_file_system=True)
    await copy.run([(str(tmp_path / "src"), str(tmp_path / "dst"))])
    assert snapshot(tmp_path / "dst").keys() == {".", "a", "mounted"}
