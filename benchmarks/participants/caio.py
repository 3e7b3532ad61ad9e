"""caio: reads and writes through Linux AIO, io_uring or C threads.

`deferred` makes Linux AIO submit once per tick of the loop, which is quicker with many reads in
flight and slower with one; both are here. For io_uring it means nothing where the kernel polls the
ring, which is caio's default where it is allowed.
"""

import os
from collections.abc import Awaitable
from typing import Any

import caio

from . import Participant, Unavailable, WrongBackend, threads

# More than there are coroutines, so that none waits for caio's semaphore.
_REQUESTS = 512


class Caio(Participant):
    adapter: Any = None
    deferred = False

    def __init__(self) -> None:
        if self.adapter is None:
            raise Unavailable(f"this build of caio has no {type(self).__name__}")
        self._context: Any = None

    async def start(self) -> None:
        try:
            self._context = self.adapter.AsyncioContext(_REQUESTS, deferred=self.deferred)
        except OSError as error:
            raise Unavailable(f"caio {type(self).__name__}: {error}") from error

    async def stop(self) -> None:
        self._context.close()

    def really(self) -> bool:
        """Tell by what /proc shows of this process whether the backend is the one asked for."""
        raise NotImplementedError

    def backend(self, operation: str, calls: int) -> dict[str, Any]:
        if not self.really():
            raise WrongBackend(f"caio doesn't use {type(self).__name__}")
        return super().backend(operation, calls) | {"deferred": self.deferred}

    def pread(self, file: int, n: int, offset: int, /) -> Awaitable[bytes]:
        data: Awaitable[bytes] = self._context.read(n, file, offset)
        return data

    def pwrite(self, file: int, data: bytes, offset: int, /) -> Awaitable[int]:
        length: Awaitable[int] = self._context.write(data, file, offset)
        return length


class LinuxAio(Caio):
    adapter = caio.linux_aio_asyncio

    def __init__(self, deferred: bool) -> None:
        super().__init__()
        self.deferred = deferred

    def really(self) -> bool:
        with open("/proc/self/maps", encoding="utf-8") as file:
            return "/[aio]" in file.read()


def _rings() -> int:
    with os.scandir("/proc/self/fd") as entries:
        links = [os.readlink(entry.path) for entry in entries if entry.is_symlink()]
    return sum("[io_uring]" in link for link in links)


class IoUring(Caio):
    adapter = caio.linux_uring_asyncio

    async def start(self) -> None:
        self._others = _rings()  # libuv may have one
        await super().start()

    def really(self) -> bool:
        return _rings() > self._others

    def backend(self, operation: str, calls: int) -> dict[str, Any]:
        found = super().backend(operation, calls)
        return found | {"kernel polls the ring": bool(self._context.context.sqpoll)}


class Threads(Caio):
    slow_at = frozenset({"pread", "pwrite"})
    adapter = caio.thread_aio_asyncio

    def really(self) -> bool:
        return threads() > 1
