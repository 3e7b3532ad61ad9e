"""Children, and how they ended.

Who waits for the end of one child holds no exec thread: a pidfd of it (Linux 5.3) tells the loop.
Waiting for any of several, or for a child to stop, is a call that blocks; it can be cancelled.
"""

from __future__ import annotations

import asyncio
import os
import resource
import struct
import sys
from typing import Any, Final

from asyncsys_loop import _convert as convert
from asyncsys_loop._operation import operation

from ._descriptors import dup

_pidfd_open = operation("pidfd_open", "int int", result=int)
_wait4 = operation("wait4", "int memory int memory", result=int)
_waitid = operation("waitid", "int word struct:128 int 0", result=bytes)

_RUSAGE: Final = struct.Struct("=4q14q")
_SIGINFO: Final = struct.Struct("=3i4x3i")  # signo, errno, code; pid, uid, status


async def waitpid(pid: int, options: int, /) -> tuple[int, int]:
    """Wait for a child to end, and return its process id and status. waitpid(2), os.waitpid().

    The children of asyncio's subprocesses are for asyncio to wait for.

    Returns:
        The process id, 0 if os.WNOHANG is among the options and none has ended; and a status, for
        os.waitstatus_to_exitcode().

    Raises:
        ChildProcessError: there is no such child.
    """
    if options == 0:
        await _ended(os.P_PID, pid)
    status = bytearray(4)
    child = await _wait4(pid, status, options, None)
    return child, int.from_bytes(status, sys.byteorder)


async def _ended(idtype: int, ident: int) -> None:
    """Return when a child has ended; at once where it isn't one child of ours."""
    if type(ident) is not int or ident <= 0:
        return
    try:
        if idtype == os.P_PID:
            pidfd = await _pidfd_open(ident, 0)
        elif idtype == os.P_PIDFD:
            pidfd = await dup(ident)  # the application may be watching its own one
        else:
            return
    except OSError:
        return
    try:
        # Of a process that is no child of ours, nobody waits for the end.
        await _waitid(os.P_PIDFD, pidfd, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        await _readable(pidfd)
    except OSError:
        return
    finally:
        os.close(pidfd)


async def _readable(pidfd: int) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(pidfd, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(pidfd)


async def wait() -> tuple[int, int]:
    """Wait for any child to end. wait(2), os.wait()."""
    return await waitpid(-1, 0)


async def wait3(options: int) -> tuple[int, int, Any]:
    """Wait for any child, and tell what it used: a resource.struct_rusage. wait4(2), os.wait3()."""
    return await wait4(-1, options)


async def wait4(pid: int, options: int) -> tuple[int, int, Any]:
    """As waitpid(), and tell what it used: a resource.struct_rusage. wait4(2), os.wait4()."""
    if options == 0:
        await _ended(os.P_PID, pid)
    status, usage = bytearray(4), bytearray(_RUSAGE.size)
    child = await _wait4(pid, status, options, usage)
    user, user_us, system, system_us, *counts = _RUSAGE.unpack(usage)
    used = resource.struct_rusage((user + user_us * 1e-6, system + system_us * 1e-6, *counts))
    return child, int.from_bytes(status, sys.byteorder), used


async def waitid(idtype: int, ident: int, options: int, /) -> os.waitid_result | None:
    """Wait for a child to change its state. waitid(2), os.waitid().

    Args:
        idtype: os.P_PID, os.P_PGID, os.P_PIDFD or os.P_ALL.
        ident: which child or group.
        options: os.WEXITED, os.WSTOPPED, os.WCONTINUED, with os.WNOHANG and os.WNOWAIT.

    Returns:
        What is known of the child; None with os.WNOHANG if there is none in such a state.
    """
    if options == os.WEXITED:
        await _ended(idtype, ident)
    signo, _errno, code, pid, uid, status = _SIGINFO.unpack_from(
        await _waitid(idtype, ident, options)
    )
    if pid == 0:
        return None
    return os.waitid_result((pid, uid, signo, status, code))


async def pidfd_open(pid: int, flags: int = 0) -> int:
    """Return a descriptor of a process; it isn't inheritable. pidfd_open(2), os.pidfd_open().

    Args:
        pid: the process.
        flags: os.PIDFD_NONBLOCK, from Python 3.12.
    """
    return await _pidfd_open(pid, convert.unsigned_int(flags))
