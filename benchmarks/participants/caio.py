"""caio: reads and writes through Linux AIO, io_uring or C threads.

`deferred` submits once per tick of the loop, which is quicker with many reads in flight and slower
with one. In io_uring the kernel polls the ring (SQPOLL) by default, where that is allowed, and
`deferred` means nothing then. Without SQPOLL, what is cached is answered while it is submitted. No
form is the best in all cases; all are here.
"""

import os
from collections.abc import Awaitable, Mapping
from types import MappingProxyType
from typing import Any

import caio

from . import Participant, Unavailable, WrongBackend, threads

# More than there are coroutines, so that none waits for caio's semaphore.
_REQUESTS = 512


class Caio(Participant):
    adapter: Any = None
    deferred = False
    options: Mapping[str, Any] = MappingProxyType({})

    def __init__(self) -> None:
        if self.adapter is None:
            raise Unavailable(f"this build of caio has no {type(self).__name__}")
        self._context: Any = None

    async def start(self) -> None:
        try:
            self._context = self.adapter.AsyncioContext(
                _REQUESTS, deferred=self.deferred, **self.options
            )
        except OSError as error:
            raise Unavailable(f"caio {type(self).__name__}: {error}") from error

    async def stop(self) -> None:
        self._context.close()

    def really(self) -> bool:
        """Tell by what /proc shows of this process whether the backend is the one asked for."""
        raise NotImplementedError

    def backend(self, operation: str, calls: int, cached: bool) -> dict[str, Any]:
        if not self.really():
            raise WrongBackend(f"caio doesn't use {type(self).__name__}")
        return super().backend(operation, calls, cached) | {"deferred": self.deferred}

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


def _rings() -> set[str]:
    """Return the descriptors of this process's rings, by their names in /proc."""
    with os.scandir("/proc/self/fd") as entries:
        links = [(entry.name, os.readlink(entry.path)) for entry in entries if entry.is_symlink()]
    return {name for name, link in links if "[io_uring]" in link}


class IoUring(Caio):
    adapter = caio.linux_uring_asyncio

    def __init__(self, sqpoll: bool, deferred: bool) -> None:
        super().__init__()
        self.options = {"sqpoll": sqpoll}
        self.deferred = deferred

    async def start(self) -> None:
        others = _rings()  # libuv may have one
        await super().start()
        self._ring = _rings() - others
        if self.options["sqpoll"] and not self._context.context.sqpoll:
            raise Unavailable("this process may not have the kernel poll a ring (SQPOLL)")

    def really(self) -> bool:
        if len(self._ring) != 1:
            return False
        with open(f"/proc/self/fdinfo/{min(self._ring)}", encoding="ascii") as file:
            polled = int(next(line for line in file if line.startswith("SqThread:")).split()[1]) > 0
        return bool(polled == self.options["sqpoll"])

    def backend(self, operation: str, calls: int, cached: bool) -> dict[str, Any]:
        return super().backend(operation, calls, cached) | {"sqpoll": self.options["sqpoll"]}


class Threads(Caio):
    slow_at = frozenset({"pread", "pwrite"})
    adapter = caio.thread_aio_asyncio

    def really(self) -> bool:
        return threads() > 1
