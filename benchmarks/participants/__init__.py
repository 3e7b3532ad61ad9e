"""The participants: each way of doing file work in a coroutine, behind the same few operations.

A participant is written as its own documentation shows it, in the fastest form that it offers, or
in each form that is the fastest somewhere: a pool of Python threads does as much as it can in one
hop, caio is there with and without batches and SQPOLL. What a library doesn't offer, its
participant doesn't override, and it isn't in that table.

Each runs in a process of its own, and only that process imports it.
"""

from __future__ import annotations

import asyncio
import importlib
import os
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Awaitable

__all__ = ["PARTICIPANTS", "Participant", "Unavailable", "WrongBackend", "offers", "participant"]


class Unavailable(Exception):  # noqa: N818  (no error: something that this machine hasn't got)
    """The participant can't take part on this machine; the message says why."""


class WrongBackend(Exception):  # noqa: N818
    """Something else did the work than the participant's name says. The whole run stops."""


class Participant:
    """The operations. A file is what open() returned: a descriptor, or the library's own object."""

    # Operations of which it gets the smaller amount of work, as it needs ten times as long.
    slow_at: frozenset[str] = frozenset()

    def new_event_loop(self, base: str, **options: Any) -> asyncio.AbstractEventLoop:
        """Make a loop; the options are for loops of ours, and mean nothing elsewhere."""
        del options
        if base == "asyncio":
            return asyncio.SelectorEventLoop()
        loop: asyncio.AbstractEventLoop = importlib.import_module("uvloop").new_event_loop()
        return loop

    async def start(self) -> None:
        """Make what the library needs in a running loop."""

    async def stop(self) -> None:
        """Undo start()."""

    def begin(self) -> None:
        """Look at the counters: the timed part begins."""

    def backend(self, operation: str, calls: int, cached: bool) -> dict[str, Any]:
        """Tell what did the work since begin(): at least `calls` calls, of `cached` data or not.

        Raises:
            WrongBackend: it isn't what the participant is named after.
        """
        del operation, calls, cached
        return {"threads": threads()}

    async def open(self, path: str, flags: int, /) -> Any:
        return os.open(path, flags | os.O_CLOEXEC)

    async def close(self, file: Any, /) -> None:
        os.close(file)

    def pread(self, file: Any, n: int, offset: int, /) -> Awaitable[bytes]:
        raise NotImplementedError

    def preadinto(self, file: Any, buffer: Any, offset: int, /) -> Awaitable[int]:
        raise NotImplementedError

    def pwrite(self, file: Any, data: bytes, offset: int, /) -> Awaitable[int]:
        raise NotImplementedError

    def read_file(self, path: str, /) -> Awaitable[bytes]:
        raise NotImplementedError

    def open_read(self, path: str, /) -> Awaitable[bytes]:
        """As read_file(), but by a file object, as in `with open(path, "rb") as file`."""
        raise NotImplementedError

    def write_file(self, path: str, data: bytes, /) -> Awaitable[None]:
        raise NotImplementedError

    def write_file_fsync(self, path: str, data: bytes, /) -> Awaitable[None]:
        raise NotImplementedError

    def stat(self, path: str, /) -> Awaitable[os.stat_result]:
        raise NotImplementedError

    def listdir(self, path: str, /) -> Awaitable[list[str]]:
        raise NotImplementedError

    def walk(self, path: str, /) -> Awaitable[int]:
        """Walk a tree, and return how many files it has."""
        raise NotImplementedError

    def lines(self, path: str, /) -> Awaitable[int]:
        """Iterate in a coroutine over the lines of a text file, and return the sum of lengths."""
        raise NotImplementedError

    def copytree(self, source: str, destination: str, /) -> Awaitable[Any]:
        raise NotImplementedError


def threads() -> int:
    return len(os.listdir("/proc/self/task"))


class Declared(NamedTuple):
    module: str
    name: str
    arguments: tuple[Any, ...] = ()


PARTICIPANTS = {
    "nothing": Declared("blocking", "Nothing"),
    "blocking": Declared("blocking", "Blocking"),
    "run_in_executor": Declared("pools", "RunInExecutor"),
    "to_thread": Declared("pools", "ToThread"),
    "aiofiles": Declared("aiofiles", "Aiofiles"),
    "anyio": Declared("anyio", "Anyio"),
    "caio linux aio": Declared("caio", "LinuxAio", (False,)),
    "caio linux aio, deferred": Declared("caio", "LinuxAio", (True,)),
    "caio io_uring": Declared("caio", "IoUring", (True, False)),
    "caio io_uring, no SQPOLL": Declared("caio", "IoUring", (False, False)),
    "caio io_uring, no SQPOLL, deferred": Declared("caio", "IoUring", (False, True)),
    "caio threads": Declared("caio", "Threads"),
    "asyncsys threads": Declared("asyncsys", "AsyncSys", ("threads", True)),
    "asyncsys threads, table": Declared("asyncsys", "AsyncSys", ("threads", False)),
    "asyncsys kmod": Declared("asyncsys", "AsyncSys", ("kmod", True)),
    "asyncsys kmod, table": Declared("asyncsys", "AsyncSys", ("kmod", False)),
}


def _class(name: str) -> type[Participant]:
    declared = PARTICIPANTS[name]
    module = importlib.import_module(f"benchmarks.participants.{declared.module}")
    found: type[Participant] = getattr(module, declared.name)
    return found


def participant(name: str) -> Participant:
    """Make the participant of that name; Unavailable where it can't be had."""
    return _class(name)(*PARTICIPANTS[name].arguments)


def offers(name: str, operation: str) -> bool:
    """Tell whether a participant has an operation."""
    return getattr(_class(name), operation) is not getattr(Participant, operation)
