"""asyncio's own answer: blocking functions in its pool of Python threads."""

import asyncio
import os
import shutil
from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, TypeVar

from . import Participant, WrongBackend, functions, threads

P = ParamSpec("P")
T = TypeVar("T")

# Lines come in batches of this size, since a hop for each would be absurd.
_BATCH = 64 * 1024


class Pool(Participant):
    """What all pools of Python threads have in common, so that they differ in call() only."""

    slow_at = frozenset({"pread", "pwrite", "read_file", "write_file", "stat"})

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        raise NotImplementedError

    def backend(self, operation: str, calls: int, cached: bool) -> dict[str, Any]:
        if threads() == 1:
            raise WrongBackend("there is no pool of threads")
        return super().backend(operation, calls, cached)

    def pread(self, file: int, n: int, offset: int, /) -> Awaitable[bytes]:
        return self.call(os.pread, file, n, offset)

    def preadinto(self, file: int, buffer: memoryview, offset: int, /) -> Awaitable[int]:
        return self.call(functions.preadinto, file, buffer, offset)

    def pwrite(self, file: int, data: bytes, offset: int, /) -> Awaitable[int]:
        return self.call(os.pwrite, file, data, offset)

    def read_file(self, path: str, /) -> Awaitable[bytes]:
        return self.call(functions.read_file, path)

    def write_file(self, path: str, data: bytes, /) -> Awaitable[None]:
        return self.call(functions.write_file, path, data)

    def write_file_fsync(self, path: str, data: bytes, /) -> Awaitable[None]:
        return self.call(functions.write_file_fsync, path, data)

    def stat(self, path: str, /) -> Awaitable[os.stat_result]:
        return self.call(os.stat, path)

    def listdir(self, path: str, /) -> Awaitable[list[str]]:
        return self.call(os.listdir, path)

    def walk(self, path: str, /) -> Awaitable[int]:
        return self.call(functions.walk, path)

    async def lines(self, path: str, /) -> int:
        length = 0
        file = await self.call(open, path, encoding="utf-8")
        while batch := await self.call(file.readlines, _BATCH):
            for line in batch:
                length += len(line)
        await self.call(file.close)
        return length

    def copytree(self, source: str, destination: str, /) -> Awaitable[str]:
        return self.call(shutil.copytree, source, destination)


class RunInExecutor(Pool):
    _loop: asyncio.AbstractEventLoop

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()

    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        if kwargs:
            return self._loop.run_in_executor(None, lambda: function(*args, **kwargs))
        return self._loop.run_in_executor(None, function, *args)


class ToThread(Pool):
    def call(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Awaitable[T]:
        return asyncio.to_thread(function, *args, **kwargs)
