"""This project: with its fast path, as users get it, or with every call through the table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import asyncsys_loop

from . import Participant, Unavailable, WrongBackend, threads

if TYPE_CHECKING:
    import asyncio

# Of calls for cached data this share has to be answered inline, where the fast path is on; the
# rest is what its budget sends through the table, and pages that the kernel took away meanwhile.
_INLINE_SHARE = 0.9


class AsyncSys(Participant):
    def __init__(self, executor: str, fast_path: bool) -> None:
        self.executor = executor
        self.fast_path = fast_path
        self._before: asyncsys_loop.Stats | None = None

    def new_event_loop(self, base: str, **options: Any) -> asyncio.AbstractEventLoop:
        try:
            options |= {"executor": self.executor, "fast_path": self.fast_path}
            return asyncsys_loop.new_event_loop(base=base, **options)
        except RuntimeError as error:
            raise Unavailable(str(error)) from error

    def begin(self) -> None:
        self._before = asyncsys_loop.stats()

    def backend(self, operation: str, calls: int, cached: bool) -> dict[str, Any]:
        before, now = self._before, asyncsys_loop.stats()
        if before is None:
            raise WrongBackend("begin() wasn't called")
        submitted, inline = now.submitted - before.submitted, now.inline - before.inline
        found = {
            "threads": threads(),
            "executor": now.executor,
            "base": now.base,
            "workers": now.workers,
            "submitted": submitted,
            "inline": inline,
        }
        if now.executor != self.executor:
            raise WrongBackend(f"the executor is {now.executor}")
        if not self.fast_path and (inline or submitted < calls):
            raise WrongBackend(f"of {calls} calls, not all went through the table: {found}")
        if submitted + inline < calls:
            raise WrongBackend(f"of {calls} calls, not all were made here: {found}")
        if cached and self.fast_path and inline < calls * _INLINE_SHARE and operation in _INLINE:
            raise WrongBackend(f"of {calls} calls, too few were answered inline: {found}")
        return found

    pread = staticmethod(asyncsys_loop.os.pread)
    preadinto = staticmethod(asyncsys_loop.os.preadinto)
    pwrite = staticmethod(asyncsys_loop.os.pwrite)
    stat = staticmethod(asyncsys_loop.os.stat)
    listdir = staticmethod(asyncsys_loop.os.listdir)

    async def read_file(self, path: str, /) -> bytes:
        data: bytes = await asyncsys_loop.Path(path).read_bytes()
        return data

    async def open_read(self, path: str, /) -> bytes:
        async with asyncsys_loop.open(path, "rb") as file:
            return await file.read()

    async def write_file(self, path: str, data: bytes, /) -> None:
        await asyncsys_loop.Path(path).write_bytes(data)

    async def write_file_fsync(self, path: str, data: bytes, /) -> None:
        async with asyncsys_loop.open(path, "wb") as file:
            await file.write(data)
            await file.flush()
            await asyncsys_loop.os.fsync(file.fileno())

    async def walk(self, path: str, /) -> int:
        count = 0
        async for _, _, files in asyncsys_loop.os.walk(path):
            count += len(files)
        return count

    async def lines(self, path: str, /) -> int:
        length = 0
        async with asyncsys_loop.open(path, encoding="utf-8") as file:
            async for line in file:
                length += len(line)
        return length

    async def copytree(self, source: str, destination: str, /) -> None:
        await asyncsys_loop.shutil.copytree(source, destination)


# Operations that the fast path answers where their data is cached.
_INLINE = frozenset({"pread", "read_file", "open_read", "stat", "lines"})
