"""Locks on files: awaited until they are had, and given back at the end of a block.

    await flock(fd, fcntl.LOCK_EX)

    async with flock(fd, fcntl.LOCK_EX):
        ...

A lock that is waited for holds an exec thread, at most half of them; the others are waited for in
order, and asked for again now and then. Who is cancelled meanwhile doesn't have it: should
it have come at that very moment, it is given back. Unlocking is always done, cancelled or not.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import struct
import sys
from errno import EACCES, EINVAL
from fcntl import F_GETLK, F_SETLK, F_SETLKW, F_UNLCK, F_WRLCK, LOCK_NB, LOCK_UN
from typing import TYPE_CHECKING, Any, Final

from asyncsys_loop import _convert as convert
from asyncsys_loop._attach import running_engine
from asyncsys_loop._coroutine_forwarding import ForwardingCoroutine
from asyncsys_loop._operation import operation

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from types import TracebackType

    from asyncsys_loop._types import FileDescriptorLike

_flock = operation("flock", "fildes int")
_unlock = operation("flock", f"fildes {LOCK_UN}", must_run=True)
_fcntl = operation("fcntl", "fd int memory")
_lseek = operation("lseek", "fd off_t int", result=int)
_unlock_range = operation("fcntl", f"fd {F_SETLK} memory", must_run=True)

_FLOCK: Final = struct.Struct("=hh4xqqi4x")  # type, whence, start, length, pid


class _Locking(ForwardingCoroutine[None]):
    """A coroutine that takes a lock, and an async context manager that gives it back, too."""

    __slots__ = ("_unlock",)

    def __init__(
        self, lock: Coroutine[Any, Any, None], unlock: Callable[[], Awaitable[None]]
    ) -> None:
        self._coroutine = lock
        self._unlock = unlock

    async def __aenter__(self) -> None:
        await self._coroutine

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._unlock()


def flock(fd: FileDescriptorLike, operation: int) -> _Locking:
    """Lock an open file as a whole, or unlock it. flock(2), fcntl.flock().

    Await it, or use it as an async context manager, which unlocks the file in the end.

    Args:
        fd: a descriptor, or an object with fileno().
        operation: fcntl.LOCK_SH, LOCK_EX or LOCK_UN, with LOCK_NB not to wait. Who is cancelled
            while he changes a lock that he has, has none.

    Raises:
        BlockingIOError: LOCK_NB, and somebody else has the lock.
    """

    async def attempt() -> bool:
        try:
            await _flock(fd, convert.c_int(operation) | LOCK_NB)
        except BlockingIOError:
            return False
        return True

    async def lock() -> None:
        if operation == LOCK_UN:
            await _unlock(fd)
            return
        try:
            if convert.c_int(operation) & LOCK_NB:
                await _flock(fd, operation)
            else:
                await running_engine().blocking(attempt, lambda: _flock(fd, operation))
        except asyncio.CancelledError:
            await _unlock(fd)
            raise

    return _Locking(lock(), lambda: _unlock(fd))


def lockf(fd: int, command: int, length: int, /) -> _Locking:
    """Lock a part of a file for this process, from the position of fd on. lockf(3), os.lockf().

    Await it, or use it as an async context manager, which unlocks that part in the end. Closing any
    descriptor of the file in this process gives up the lock.

    Args:
        fd: a descriptor that is open for writing.
        command: os.F_LOCK waits for the lock, F_TLOCK doesn't, F_TEST looks whether it could be
            had, F_ULOCK unlocks.
        length: how many bytes; 0 for all that follow, negative for those before the position.

    Raises:
        BlockingIOError, PermissionError: F_TLOCK or F_TEST, and another process has a lock.
        OSError: EDEADLK: the other one waits for a lock of this one.
    """
    start = 0

    async def lock() -> None:
        nonlocal start
        start = await _lockf(fd, command, length)

    async def unlock() -> None:
        sys.audit("os.lockf", fd, os.F_ULOCK, length)
        await _unlock_range(fd, _FLOCK.pack(F_UNLCK, os.SEEK_SET, start, length, 0))

    return _Locking(lock(), unlock)


async def _lockf(fd: int, command: int, length: int) -> int:
    """Return where the part begins: who has the lock may move the position."""
    fd, command, length = convert.c_int(fd), convert.c_int(command), convert.off_t(length)
    commands = {os.F_LOCK: F_SETLKW, os.F_TLOCK: F_SETLK, os.F_ULOCK: F_SETLK, os.F_TEST: F_GETLK}
    sys.audit("os.lockf", fd, command, length)
    if command not in commands:
        raise convert.os_error(-EINVAL)
    start = 0
    if command == os.F_ULOCK:
        # Of the position as it is now, by one call: nothing comes before, to be cancelled.
        await _unlock_range(fd, _FLOCK.pack(F_UNLCK, os.SEEK_CUR, 0, length, 0))
        return start
    with contextlib.suppress(OSError):  # no position, as pipes: it counts as 0
        start = await _lseek(fd, 0, os.SEEK_CUR)
    memory = bytearray(_FLOCK.pack(F_WRLCK, os.SEEK_SET, start, length, 0))

    async def attempt() -> bool:
        try:
            await _fcntl(fd, F_SETLK, memory)
        except (BlockingIOError, PermissionError):
            return False
        return True

    try:
        if command == os.F_LOCK:
            await running_engine().blocking(attempt, lambda: _fcntl(fd, F_SETLKW, memory))
        else:
            await _fcntl(fd, commands[command], memory)
    except asyncio.CancelledError:
        if command != os.F_TEST:
            await _unlock_range(fd, _FLOCK.pack(F_UNLCK, os.SEEK_SET, start, length, 0))
        raise
    if command == os.F_TEST:
        found, *_, owner = _FLOCK.unpack(memory)
        if found != F_UNLCK and owner != os.getpid():
            raise convert.os_error(-EACCES)
    return start
