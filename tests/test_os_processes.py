"""Waiting for children: what `os` tells of them, without an exec thread, and until cancelled."""

import asyncio
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

import asyncsys_loop
from asyncsys_loop import stats
from asyncsys_loop._attach import running_engine

from .support import claimed, descriptors, until

twins = asyncsys_loop.os


class Children:
    """Child processes that nobody else waits for."""

    def __init__(self) -> None:
        self.running: list[subprocess.Popen[bytes]] = []

    def start(self, source: str) -> int:
        child = subprocess.Popen([sys.executable, "-S", "-E", "-c", source])
        self.running.append(child)
        return child.pid

    def sleeping(self) -> int:
        return self.start("import time; time.sleep(60)")

    def end(self) -> None:
        for child in self.running:
            child.returncode = 0  # for Popen
            try:
                os.kill(child.pid, signal.SIGKILL)
                os.waitpid(child.pid, 0)
            except (ProcessLookupError, ChildProcessError):
                pass


@pytest.fixture
def children() -> Iterator[Children]:
    found = Children()
    yield found
    found.end()


WAITS: dict[str, Callable[[int], Coroutine[Any, Any, Any]]] = {
    "waitpid": lambda pid: twins.waitpid(pid, 0),
    "wait4": lambda pid: twins.wait4(pid, 0),
    "waitid": lambda pid: twins.waitid(os.P_PID, pid, os.WEXITED),
    "wait": lambda _: twins.wait(),
    "wait3": lambda _: twins.wait3(0),
    "any": lambda _: twins.waitpid(-1, 0),
    "group": lambda _: twins.waitpid(0, os.WUNTRACED),
    "all": lambda _: twins.waitid(os.P_ALL, 0, os.WEXITED),
}


@pytest.mark.parametrize("wait", WAITS)
@pytest.mark.parametrize("how", ["raise SystemExit(7)", "import os; os.kill(os.getpid(), 9)"])
async def test_how_a_child_ended(wait: str, how: str, children: Children) -> None:
    pid = children.start(how)
    result = await WAITS[wait](pid)
    if isinstance(result, os.waitid_result):
        code, status = (os.CLD_EXITED, 7) if "Exit" in how else (os.CLD_KILLED, signal.SIGKILL)
        assert result == os.waitid_result((pid, os.getuid(), signal.SIGCHLD, status, code))
        return
    assert result[0] == pid
    assert os.waitstatus_to_exitcode(result[1]) == (7 if "Exit" in how else -signal.SIGKILL)
    if len(result) == 3:
        assert type(result[2]) is resource.struct_rusage
        assert result[2].ru_maxrss > 1000
        assert 0 < result[2].ru_utime + result[2].ru_stime < 60


async def test_usage_is_what_os_tells(children: Children) -> None:
    pids = [children.start("x = bytes(50_000_000)") for _ in range(2)]
    _, _, ours = await twins.wait4(pids[0], 0)
    _, _, expected = await asyncio.to_thread(os.wait4, pids[1], 0)
    assert len(ours) == len(expected) == 16
    assert ours.ru_maxrss == pytest.approx(expected.ru_maxrss, rel=0.2)
    assert ours.ru_minflt == pytest.approx(expected.ru_minflt, rel=0.2)


async def test_wnohang(children: Children) -> None:
    pid = children.sleeping()
    assert await twins.waitpid(pid, os.WNOHANG) == os.waitpid(pid, os.WNOHANG) == (0, 0)
    assert (await twins.wait4(pid, os.WNOHANG))[:2] == (0, 0)
    assert await twins.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG) is None


async def test_stopped_and_continued(children: Children) -> None:
    pid = children.sleeping()
    os.kill(pid, signal.SIGSTOP)
    child, status = await twins.waitpid(pid, os.WUNTRACED)
    assert (child, os.WIFSTOPPED(status), os.WSTOPSIG(status)) == (pid, True, signal.SIGSTOP)
    os.kill(pid, signal.SIGCONT)
    child, status = await twins.waitpid(pid, os.WCONTINUED)
    assert (child, os.WIFCONTINUED(status)) == (pid, True)


async def test_left_to_wait_for(children: Children) -> None:
    pid = children.start("")
    left = await twins.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert left is not None
    assert await twins.waitid(os.P_PID, pid, os.WEXITED) == left
    with pytest.raises(ChildProcessError):
        await twins.waitpid(pid, 0)


async def test_a_pidfd(children: Children) -> None:
    pid = children.start("raise SystemExit(3)")
    pidfd = await twins.pidfd_open(pid)
    assert not os.get_inheritable(pidfd)
    result = await twins.waitid(os.P_PIDFD, pidfd, os.WEXITED)
    assert result is not None
    assert (result.si_pid, result.si_status) == (pid, 3)
    os.close(pidfd)


async def test_no_child_of_ours() -> None:
    for pid in (1, os.getppid(), os.getpid()):
        with pytest.raises(ChildProcessError):
            await twins.waitpid(pid, 0)
        with pytest.raises(ChildProcessError):
            await twins.waitid(os.P_PID, pid, os.WEXITED)


@pytest.mark.loop(max_workers=1)
async def test_hundreds_wait_and_hold_no_exec_thread(children: Children) -> None:
    pid = children.sleeping()
    calls = [twins.waitpid(pid, 0), twins.wait4(pid, 0), twins.waitid(os.P_PID, pid, os.WEXITED)]
    calls += [twins.waitpid(pid, 0) for _ in range(200)]
    waiting: list[asyncio.Task[Any]] = [asyncio.create_task(call) for call in calls]
    for _ in range(5):
        await claimed()
    await until(lambda: stats().in_flight == 0)
    os.kill(pid, signal.SIGKILL)
    results = await asyncio.gather(*waiting, return_exceptions=True)
    # One of them takes the child; it is gone for all others.
    assert sum(not isinstance(result, ChildProcessError) for result in results) == 1


@pytest.mark.parametrize("wait", WAITS)
@pytest.mark.parametrize("turns", range(8))
async def test_cancelled_when_it_has_ended(wait: str, turns: int, children: Children) -> None:
    """Whoever is cancelled has taken nothing, however late it comes."""
    pid = children.sleeping()
    waiting = asyncio.create_task(WAITS[wait](pid))
    for _ in range(5):
        await claimed()
    os.kill(pid, signal.SIGKILL)
    for _ in range(turns):
        await asyncio.sleep(0)
    if waiting.cancel():
        try:
            result = await waiting
        except asyncio.CancelledError:
            assert (await twins.waitpid(pid, 0))[0] == pid
            return
    else:
        result = waiting.result()
    assert pid in {result[0], getattr(result, "si_pid", 0)}


@pytest.mark.parametrize("wait", WAITS)
async def test_cancelled(wait: str, children: Children) -> None:
    assert running_engine().readiness  # has an epoll, from its first use on
    pid, before = children.sleeping(), descriptors()
    waiting = asyncio.create_task(WAITS[wait](pid))
    for _ in range(5):
        await claimed()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert descriptors() == before
    os.kill(pid, signal.SIGKILL)
    assert (await twins.waitpid(pid, 0))[0] == pid  # the child is still there for others
