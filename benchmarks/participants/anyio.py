"""anyio: its own threads for blocking calls, and its files and paths where they are quicker."""

import os
import shutil
from collections.abc import Awaitable
from typing import Any

import anyio
from anyio import to_thread

from . import Participant, WrongBackend, functions, threads


class Anyio(Participant):
    slow_at = frozenset(
        {"pread", "pwrite", "read_file", "open_read", "write_file", "stat", "lines"}
    )

    def backend(self, operation: str, calls: int, cached: bool) -> dict[str, Any]:
        if threads() == 1:
            raise WrongBackend("there is no pool of threads")
        return super().backend(operation, calls, cached)

    def pread(self, file: int, n: int, offset: int, /) -> Awaitable[bytes]:
        return to_thread.run_sync(os.pread, file, n, offset)

    def preadinto(self, file: int, buffer: memoryview, offset: int, /) -> Awaitable[int]:
        return to_thread.run_sync(functions.preadinto, file, buffer, offset)

    def pwrite(self, file: int, data: bytes, offset: int, /) -> Awaitable[int]:
        return to_thread.run_sync(os.pwrite, file, data, offset)

    def read_file(self, path: str, /) -> Awaitable[bytes]:
        return anyio.Path(path).read_bytes()

    async def open_read(self, path: str, /) -> bytes:
        async with await anyio.open_file(path, "rb") as file:
            return await file.read()

    async def write_file(self, path: str, data: bytes, /) -> None:
        await anyio.Path(path).write_bytes(data)

    def write_file_fsync(self, path: str, data: bytes, /) -> Awaitable[None]:
        return to_thread.run_sync(functions.write_file_fsync, path, data)

    def stat(self, path: str, /) -> Awaitable[os.stat_result]:
        return anyio.Path(path).stat()

    def listdir(self, path: str, /) -> Awaitable[list[str]]:
        return to_thread.run_sync(os.listdir, path)

    def walk(self, path: str, /) -> Awaitable[int]:
        return to_thread.run_sync(functions.walk, path)

    async def lines(self, path: str, /) -> int:
        length = 0
        async with await anyio.open_file(path, encoding="utf-8") as file:
            async for line in file:
                length += len(line)
        return length

    def copytree(self, source: str, destination: str, /) -> Awaitable[str]:
        return to_thread.run_sync(shutil.copytree, source, destination)
