"""The file work of the server, behind one small interface, in two ways.

`TableFiles` sends every call through asyncsys_loop. `ThreadFiles` does the same with
asyncio.to_thread, and is here to be compared with: since each hop to a Python thread is dear, it
does as much as it can in one.

Neither is cancelled in the middle when a client goes away: the connection lets the call end and
then closes the file. With to_thread there is no other way, since the thread can't be stopped, and
what it opened would be lost.
"""

import asyncio
import ctypes
import errno
import os
import stat
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple, Protocol, TypeVar

import asyncsys_loop

from ._resolve import OPEN, SYMLINKS, open_how

_T = TypeVar("_T")

# O_PATH: enough to look at what a link leads to, without opening it.
_LOOK = os.O_PATH | os.O_CLOEXEC
_ROOT = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
# A rename that races with the resolution of `..` or a link makes RESOLVE_BENEATH give up with
# EAGAIN; the manual asks to try again, a bounded number of times.
_ATTEMPTS = 8
# Calls that one listing has under way, so that a large directory leaves room for others.
_SCAN_BATCH = 64


class Opened(NamedTuple):
    """A file that was opened, with its `content` if it is small; `fd` is -1 if it's closed."""

    fd: int
    status: os.stat_result
    content: bytes | None


class Entry(NamedTuple):
    """A line of a listing; only regular files and directories have one."""

    name: str
    directory: bool
    size: int
    modified: float


class Files(Protocol):
    async def start(self, root: str) -> None:
        """Open the root. OSError with ENOSYS or EPERM where there is no openat2."""

    async def stop(self) -> None: ...

    async def open(self, path: bytes, small: int) -> Opened:
        """Open `path` beneath the root; a regular file of at most `small` bytes is read as well.

        An empty one may be read in any case.
        """

    async def preadinto(self, fd: int, buffer: memoryview, offset: int) -> int: ...

    async def close(self, fd: int) -> None: ...

    async def scan(self, fd: int, path: bytes, limit: int) -> tuple[list[Entry], int]:
        """The first `limit` entries of the open directory `path`, and how many names it has."""

    async def write(self, fd: int, data: bytes) -> None: ...

    def stats(self) -> dict[str, Any]: ...


class TableFiles:
    """Every call through the table of asyncsys_loop."""

    def __init__(self, symlinks: str) -> None:
        self._root = -1
        self._resolve = SYMLINKS[symlinks]
        self._links_are_followed = symlinks != "never"

    async def start(self, root: str) -> None:
        self._root = await asyncsys_loop.os.open(root, _ROOT)
        await self.close(await self._openat2(b".", OPEN))

    async def stop(self) -> None:
        root, self._root = self._root, -1
        await self.close(root)

    async def _beneath(
        self, call: Callable[..., Awaitable[_T]], path: bytes, *arguments: int
    ) -> _T:
        attempts = _ATTEMPTS
        while True:
            try:
                return await call(path, *arguments, self._resolve, dir_fd=self._root)
            except BlockingIOError:
                attempts -= 1
                if not attempts:
                    raise

    async def _openat2(self, path: bytes, flags: int) -> int:
        return await self._beneath(asyncsys_loop.os.openat2, path, flags, 0)

    async def open(self, path: bytes, small: int) -> Opened:
        read_file = asyncsys_loop.os.read_file
        status, content = await self._beneath(read_file, path or b".", max(small, 0), OPEN)
        if isinstance(content, bytes):
            return Opened(-1, status, content)
        return Opened(content, status, None)

    async def preadinto(self, fd: int, buffer: memoryview, offset: int) -> int:
        return await asyncsys_loop.os.preadinto(fd, buffer, offset)

    async def close(self, fd: int) -> None:
        await asyncsys_loop.os.close(fd)

    async def scan(self, fd: int, path: bytes, limit: int) -> tuple[list[Entry], int]:
        names = sorted(await asyncsys_loop.os.listdir(fd))
        entries: list[Entry] = []
        for start in range(0, min(len(names), limit), _SCAN_BATCH):
            batch = names[start : min(start + _SCAN_BATCH, limit)]
            statuses = await asyncio.gather(*[self._status(fd, path, name) for name in batch])
            entries += _entries(batch, statuses)
        return entries, len(names)

    async def _status(self, fd: int, path: bytes, name: str) -> os.stat_result | None:
        try:
            status = await asyncsys_loop.os.stat(name, dir_fd=fd, follow_symlinks=False)
            if not stat.S_ISLNK(status.st_mode):
                return status
            if not self._links_are_followed:
                return None
            # As a request for it would be resolved, so that a link which leads out shows nothing.
            target = await self._openat2(path + os.fsencode(name), _LOOK)
            try:
                return await asyncsys_loop.os.fstat(target)
            finally:
                await self.close(target)
        except OSError:
            return None  # gone since it was listed, or not for us

    async def write(self, fd: int, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[await asyncsys_loop.os.write(fd, view) :]

    def stats(self) -> dict[str, Any]:
        return asdict(asyncsys_loop.stats())


class ThreadFiles:
    """The same work in asyncio's pool of Python threads."""

    def __init__(self, symlinks: str) -> None:
        self._root = -1
        self._how = open_how(symlinks)
        self._look = None if symlinks == "never" else open_how(symlinks, _LOOK)
        self._calls = 0

    async def _run(self, function: Callable[..., _T], *args: object) -> _T:
        self._calls += 1
        return await asyncio.to_thread(function, *args)

    async def start(self, root: str) -> None:
        def start() -> None:
            self._root = os.open(root, _ROOT)
            os.close(_openat2(self._root, b".", self._how))

        await self._run(start)

    async def stop(self) -> None:
        root, self._root = self._root, -1
        await self._run(os.close, root)

    async def open(self, path: bytes, small: int) -> Opened:
        return await self._run(self._open, path, small)

    def _open(self, path: bytes, small: int) -> Opened:
        fd = _openat2(self._root, path or b".", self._how)
        try:
            status = os.fstat(fd)
            if status.st_size > small or not stat.S_ISREG(status.st_mode):
                return Opened(fd, status, None)
            content = os.pread(fd, status.st_size, 0)
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)
        return Opened(-1, status, content)

    async def preadinto(self, fd: int, buffer: memoryview, offset: int) -> int:
        return await self._run(os.preadv, fd, [buffer], offset)

    async def close(self, fd: int) -> None:
        await self._run(os.close, fd)

    async def scan(self, fd: int, path: bytes, limit: int) -> tuple[list[Entry], int]:
        return await self._run(self._scan, fd, path, limit)

    def _scan(self, fd: int, path: bytes, limit: int) -> tuple[list[Entry], int]:
        names = sorted(os.listdir(fd))
        shown = names[:limit]
        return _entries(shown, [self._status(fd, path, name) for name in shown]), len(names)

    def _status(self, fd: int, path: bytes, name: str) -> os.stat_result | None:
        try:
            status = os.stat(name, dir_fd=fd, follow_symlinks=False)
            if not stat.S_ISLNK(status.st_mode):
                return status
            if self._look is None:
                return None
            target = _openat2(self._root, path + os.fsencode(name), self._look)
            try:
                return os.fstat(target)
            finally:
                os.close(target)
        except OSError:
            return None

    async def write(self, fd: int, data: bytes) -> None:
        def write() -> None:
            view = memoryview(data)
            while view:
                view = view[os.write(fd, view) :]

        await self._run(write)

    def stats(self) -> dict[str, Any]:
        return {"executor": "asyncio.to_thread", "calls": self._calls}


def _entries(names: Sequence[str], statuses: Sequence[os.stat_result | None]) -> list[Entry]:
    entries = []
    for name, status in zip(names, statuses, strict=True):
        if status is not None:
            directory = stat.S_ISDIR(status.st_mode)
            if directory or stat.S_ISREG(status.st_mode):
                entries.append(Entry(name, directory, status.st_size, status.st_mtime))
    return entries


_libc = ctypes.CDLL(None, use_errno=True)
# Calls added to Linux since 2019 have the same number on every architecture.
_SYS_OPENAT2 = 437


def _openat2(root: int, path: bytes, how: bytes) -> int:
    # The os module has no openat2. ctypes lets go of the GIL during the call, as os would.
    error = 0
    for _ in range(_ATTEMPTS):
        fd: int = _libc.syscall(
            ctypes.c_long(_SYS_OPENAT2), root, path, how, ctypes.c_size_t(len(how))
        )
        if fd >= 0:
            return fd
        error = ctypes.get_errno()
        if error != errno.EAGAIN:
            break
    raise OSError(error, os.strerror(error), path)
