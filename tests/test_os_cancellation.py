"""A twin that is cancelled leaves nothing: no descriptor, no lock, no open directory.

What is tested for each is the worst moment: the call has run, its result is on its way, and then
its caller is cancelled. And every moment: the task is cancelled after 0, 1, 2 … turns of the loop.
"""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import asyncsys_loop

from .support import both_ways, descriptors, until

twins = asyncsys_loop.os


async def every_entry(path: Path) -> None:
    async with twins.scandir(path) as entries:
        async for entry in entries:
            await entry.stat()


async def within_scandir(path: Path) -> None:
    async with twins.scandir(path) as entries:
        async for _ in entries:
            await asyncio.sleep(0)


async def every_fwalk(path: Path) -> None:
    async for _ in twins.fwalk(path):
        await asyncio.sleep(0)


async def close_range(path: Path) -> None:
    """Not cancelled but done, whatever happens."""
    fd = os.open(path, os.O_RDONLY)
    await twins.closerange(fd, fd + 1)


async def read_file_that_opens(path: Path) -> int:
    _, opened = await twins.read_file(path, 100)
    assert isinstance(opened, int)
    return opened


CALLS: dict[str, Callable[[Path], Any]] = {
    "open": lambda path: twins.open(path / "file", os.O_RDONLY),
    "open a new file": lambda path: twins.open(path / "new", os.O_CREAT | os.O_RDWR),
    "openat2": lambda path: twins.openat2(path / "file", os.O_RDONLY),
    "read_file": lambda path: twins.read_file(path / "file", 100),
    "read_file that opens": read_file_that_opens,
    "dup": lambda _: twins.dup(0),
    "pipe": lambda _: twins.pipe(),
    "pipe2": lambda _: twins.pipe2(os.O_NONBLOCK),
    "memfd_create": lambda _: twins.memfd_create("name"),
    "eventfd": lambda _: twins.eventfd(1),
    "timerfd_create": lambda _: twins.timerfd_create(1),
    "pidfd_open": lambda _: twins.pidfd_open(os.getpid()),
    "listdir": twins.listdir,
    "await scandir": lambda path: twins.scandir(path)._all(),
    "scandir": every_entry,
    "scandir as a context manager": within_scandir,
    "fwalk": every_fwalk,
    "closerange": close_range,
    "chmod": lambda path: twins.chmod(path / "file", 0o600, follow_symlinks=False),
    "realpath": lambda path: twins.path.realpath(path / "file"),
}


@pytest.mark.parametrize("call", CALLS)
@both_ways
async def test_nothing_is_left_at_any_moment(call: str, fast_path: bool, tmp_path: Path) -> None:
    for name in ("file", "another"):
        (tmp_path / name).touch()
    (tmp_path / "directory" / "inner").mkdir(parents=True)
    before = descriptors()
    ended = 0
    for turns in range(40):
        task = asyncio.ensure_future(CALLS[call](tmp_path))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        try:
            result = await task
        except asyncio.CancelledError:
            pass
        else:
            ended += 1
            for fd in result if isinstance(result, tuple) else (result,):
                if isinstance(fd, int) and fd > 2:
                    os.close(fd)
        del task
        # An async generator that is left early is closed by the loop, a moment later.
        await until(lambda: descriptors() == before)
    assert ended < 40, "it was never cancelled"


async def test_result_on_its_way(tmp_path: Path) -> None:
    """All have run when all are cancelled."""
    (tmp_path / "file").touch()
    before = descriptors()
    calls = [CALLS[name](tmp_path) for name in list(CALLS)[:10] for _ in range(5)]
    tasks = [asyncio.ensure_future(call) for call in calls]
    await asyncio.sleep(0)
    for _ in range(3):
        await asyncsys_loop.syscall("getppid")
    for task in tasks:
        task.cancel()
    for result in await asyncio.gather(*tasks, return_exceptions=True):
        for fd in result if isinstance(result, tuple) else (result,):
            if isinstance(fd, int):
                os.close(fd)
    assert descriptors() == before


async def test_unclosed_scandir_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    fd = os.open(tmp_path, os.O_RDONLY)  # which isn't read at once, as a small directory is
    entries = twins.scandir(fd)
    await anext(entries)
    os.close(fd)
    with pytest.warns(ResourceWarning, match="unclosed scandir iterator"):
        del entries
