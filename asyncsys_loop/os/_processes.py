"""Children, and how they ended.

Each wait first looks, without waiting; then it waits for a change, which it doesn't take; and looks
again. So what a child has to tell is taken by a call that can't block, made here at once: whoever
is cancelled while he waits has taken nothing, and the child is there for others.

Who waits for the end of one child holds no exec thread: a pidfd of it (Linux 5.3) tells the loop.
Waiting for any of several, or for a child to stop, is a call that blocks, until it is interrupted;
at most half of the exec threads are held by such calls.
"""

from __future__ import annotations

import os
from operator import index
from typing import TYPE_CHECKING, Any, Final, TypeVar

from asyncsys_loop import _convert as convert
from asyncsys_loop._attach import running_engine
from asyncsys_loop._operation import operation

from ._descriptors import dup

if TYPE_CHECKING:
    from collections.abc import Callable

_pidfd_open = operation("pidfd_open", "int int", result=int)
_waitid = operation("waitid", "int word struct:128 int 0", result=bytes)

_Child = TypeVar("_Child", tuple[int, int], tuple[int, int, Any])

_STATES: Final = os.WEXITED | os.WSTOPPED | os.WCONTINUED


async def waitpid(pid: int, options: int, /) -> tuple[int, int]:
    """Wait for a child to end, and return its process id and status. waitpid(2), os.waitpid().

    Whoever is cancelled has taken nothing. The children of asyncio's subprocesses are for asyncio
    to wait for.

    Returns:
        The process id, 0 if os.WNOHANG is among the options and none has ended; and a status, for
        os.waitstatus_to_exitcode().

    Raises:
        ChildProcessError: there is no such child.
    """
    return await _waited(os.waitpid, pid, options)


async def wait() -> tuple[int, int]:
    """Wait for any child to end. wait(2), os.wait()."""
    return await _waited(os.waitpid, -1, 0)


async def wait3(options: int) -> tuple[int, int, Any]:
    """Wait for any child, and tell what it used: a resource.struct_rusage. wait4(2), os.wait3()."""
    return await _waited(os.wait4, -1, options)


async def wait4(pid: int, options: int) -> tuple[int, int, Any]:
    """As waitpid(), and tell what it used: a resource.struct_rusage. wait4(2), os.wait4()."""
    return await _waited(os.wait4, pid, options)


async def waitid(idtype: int, ident: int, options: int, /) -> os.waitid_result | None:
    """Wait for a child to change its state. waitid(2), os.waitid().

    Args:
        idtype: os.P_PID, os.P_PGID, os.P_PIDFD or os.P_ALL.
        ident: which child or group.
        options: os.WEXITED, os.WSTOPPED, os.WCONTINUED, with os.WNOHANG and os.WNOWAIT.

    Returns:
        What is known of the child; None with os.WNOHANG if there is none in such a state.
    """
    while True:
        result = os.waitid(idtype, ident, _now(options))  # noqa: ASYNC222  (WNOHANG)
        idtype, ident, options = index(idtype), index(ident), index(options)
        if result is not None or options & os.WNOHANG:
            return result
        await _changed(idtype, ident, options)


async def _waited(wait: Callable[[int, int], _Child], pid: int, options: int) -> _Child:
    while True:
        result = wait(pid, _now(options))
        pid, options = index(pid), index(options)
        if result[0] or options & os.WNOHANG:
            return result
        # As waitpid(2) has it: a child, a group, the own group, any.
        if pid > 0:
            await _changed(os.P_PID, pid, options | os.WEXITED)
        elif pid == -1:
            await _changed(os.P_ALL, 0, options | os.WEXITED)
        else:
            await _changed(os.P_PGID, -pid, options | os.WEXITED)


def _now(options: Any) -> Any:
    """Return the options with WNOHANG; what can't be options is for os to refuse."""
    return index(options) | os.WNOHANG if hasattr(type(options), "__index__") else options


async def _changed(idtype: int, ident: int, options: int) -> None:
    """Return when there is something to be taken, or somebody else may have taken it."""
    if options & _STATES == os.WEXITED and idtype in {os.P_PID, os.P_PIDFD}:
        try:
            # A duplicate: the application may be watching its own one.
            pidfd = await (_pidfd_open(ident, 0) if idtype == os.P_PID else dup(ident))
        except OSError:
            pass  # it was waited for meanwhile, or this Linux has none: waitid(2) tells
        else:
            try:
                # Of a process that is no child of ours (any more), nobody waits for the end.
                await _waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG | os.WNOWAIT)
                await running_engine().readiness.event(pidfd, writing=False)
            finally:
                os.close(pidfd)
            return

    async def attempt() -> bool:
        return os.waitid(idtype, ident, options | os.WNOWAIT | os.WNOHANG) is not None  # noqa: ASYNC222

    async def block() -> None:
        await _waitid(idtype, ident, options | os.WNOWAIT)

    await running_engine().blocking(attempt, block)


async def pidfd_open(pid: int, flags: int = 0) -> int:
    """Return a descriptor of a process; it isn't inheritable. pidfd_open(2), os.pidfd_open().

    Args:
        pid: the process.
        flags: os.PIDFD_NONBLOCK, from Python 3.12.
    """
    return await _pidfd_open(pid, convert.unsigned_int(flags))
