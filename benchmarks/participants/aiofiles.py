"""aiofiles, by its documentation. It has no positional reads: seek() and read(), each a hop."""

import os
from typing import Any, Literal

import aiofiles
import aiofiles.os

from . import Participant, WrongBackend, threads


class Aiofiles(Participant):
    slow_at = frozenset(
        {"pread", "pwrite", "read_file", "open_read", "write_file", "stat", "lines"}
    )

    def backend(self, operation: str, calls: int, cached: bool) -> dict[str, Any]:
        if threads() == 1:
            raise WrongBackend("there is no pool of threads")
        return super().backend(operation, calls, cached)

    async def open(self, path: str, flags: int, /) -> Any:
        mode: Literal["rb", "r+b"] = "rb" if flags & os.O_ACCMODE == os.O_RDONLY else "r+b"
        extra = flags & ~os.O_ACCMODE

        def opener(path: str, flags: int) -> int:
            return os.open(path, flags | extra)

        # Unbuffered, which is quicker for reads of blocks.
        return await aiofiles.open(path, mode, buffering=0, opener=opener)

    async def close(self, file: Any, /) -> None:
        await file.close()

    async def pread(self, file: Any, n: int, offset: int, /) -> bytes:
        await file.seek(offset)
        data: bytes = await file.read(n)
        return data

    async def preadinto(self, file: Any, buffer: memoryview, offset: int, /) -> int:
        await file.seek(offset)
        length: int = await file.readinto(buffer)
        return length

    async def pwrite(self, file: Any, data: bytes, offset: int, /) -> int:
        await file.seek(offset)
        length: int = await file.write(data)
        return length

    async def read_file(self, path: str, /) -> bytes:
        async with aiofiles.open(path, "rb") as file:
            data: bytes = await file.read()
            return data

    open_read = read_file

    async def write_file(self, path: str, data: bytes, /) -> None:
        async with aiofiles.open(path, "wb") as file:
            await file.write(data)

    async def write_file_fsync(self, path: str, data: bytes, /) -> None:
        async with aiofiles.open(path, "wb") as file:
            await file.write(data)
            await file.flush()
            await aiofiles.os.wrap(os.fsync)(file.fileno())

    stat = staticmethod(aiofiles.os.stat)
    listdir = staticmethod(aiofiles.os.listdir)

    async def lines(self, path: str, /) -> int:
        length = 0
        async with aiofiles.open(path, encoding="utf-8") as file:
            async for line in file:
                length += len(line)
        return length
