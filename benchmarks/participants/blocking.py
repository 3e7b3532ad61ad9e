"""No waiting at all: the blocking call in the coroutine. The limit, and what stops the loop."""

import os
import shutil
from typing import Any

from . import Participant, WrongBackend, functions, threads


class Nothing(Participant):
    """A loop without any file work: what the others are compared with."""

    def backend(self, operation: str, calls: int, cached: bool) -> dict[str, Any]:
        if threads() != 1:
            raise WrongBackend("there are threads, though nothing is done")
        return super().backend(operation, calls, cached)


class Blocking(Participant):
    def backend(self, operation: str, calls: int, cached: bool) -> dict[str, Any]:
        if threads() != 1:
            raise WrongBackend("blocking has threads")
        return super().backend(operation, calls, cached)

    async def pread(self, file: int, n: int, offset: int, /) -> bytes:
        return os.pread(file, n, offset)

    async def preadinto(self, file: int, buffer: Any, offset: int, /) -> int:
        return os.preadv(file, [buffer], offset)

    async def pwrite(self, file: int, data: bytes, offset: int, /) -> int:
        return os.pwrite(file, data, offset)

    async def read_file(self, path: str, /) -> bytes:
        with open(path, "rb") as file:
            return file.read()

    async def open_read(self, path: str, /) -> bytes:
        with open(path, "rb") as file:
            return file.read()

    async def write_file(self, path: str, data: bytes, /) -> None:
        with open(path, "wb") as file:
            file.write(data)

    async def write_file_fsync(self, path: str, data: bytes, /) -> None:
        functions.write_file_fsync(path, data)

    async def stat(self, path: str, /) -> os.stat_result:
        return os.stat(path)

    async def listdir(self, path: str, /) -> list[str]:
        return os.listdir(path)

    async def walk(self, path: str, /) -> int:
        return functions.walk(path)

    async def lines(self, path: str, /) -> int:
        length = 0
        with open(path, encoding="utf-8") as file:
            for line in file:
                length += len(line)
        return length

    async def copytree(self, source: str, destination: str, /) -> None:
        shutil.copytree(source, destination)
