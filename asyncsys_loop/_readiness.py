"""Descriptors that can be waited for: pipes, sockets, terminals, eventfds, inotify, pidfds.

A read of an empty pipe may take for ever, and 5,000 of them would take 5,000 exec threads. So a
read or write that would block waits here first: an epoll of the engine's own watches the
descriptor, and the loop watches that epoll. (The loop's own add_reader() has room for one callback
per descriptor, and that belongs to the application.)

When the descriptor is ready the call is tried again. Between the two somebody else may have taken
what was there; then it waits again, or, if the kernel can't try without blocking (no RWF_NOWAIT for
this kind of file), it goes through the table, and an exec thread waits after all: as it must, and
until it is interrupted.

A descriptor is watched for one event (EPOLLONESHOT), and then again if somebody still waits. For an
epoll goes on watching a file whose descriptor was closed, if it has another one: nobody can tell it
to stop then, and level-triggered it would wake the loop for ever.

A write is ready when there is room for something, not for all. Where the kernel can't write a part
of it without blocking, it goes in pieces for which there is room: PIPE_BUF bytes, which a pipe that
is ready takes at once.
"""

from __future__ import annotations

import fcntl
import os
import select
from errno import EBADF
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import asyncio

    from ._native import Call, EngineBase

__all__ = ["Readiness"]

READING: Final = select.EPOLLIN | select.EPOLLPRI | select.EPOLLRDHUP
WRITING: Final = select.EPOLLOUT
# What Call.retry() says.
CALL: Final = 1
PIECE: Final = 2
ENDED: Final = select.EPOLLERR | select.EPOLLHUP


class _Waiters:
    """Who waits for one descriptor."""

    __slots__ = ("readers", "writers")

    def __init__(self) -> None:
        self.readers: dict[asyncio.Future[None], None] = {}
        self.writers: dict[asyncio.Future[None], None] = {}

    @property
    def mask(self) -> int:
        mask = (READING if self.readers else 0) | (WRITING if self.writers else 0)
        return mask and mask | select.EPOLLONESHOT


class Readiness:
    """The descriptors that calls of one engine wait for."""

    def __init__(self, engine: EngineBase, loop: asyncio.AbstractEventLoop) -> None:
        self._engine = engine
        self._loop = loop
        self._epoll = select.epoll()
        self._waiters: dict[int, _Waiters] = {}
        self._stale: set[int] = set()  # an earlier file of that number may be watched, too
        self.waiting = 0
        loop.add_reader(self._epoll.fileno(), self._on_ready)

    async def run(self, call: Call[Any]) -> Any:
        """Await a call whose descriptor wasn't ready, and return its result.

        Nothing of it is in the table while it waits. Who cancels a write that has written a part
        is told how much.
        """
        while True:
            try:
                await self.event(call.words[0], writing=call.writes)
            except BaseException as error:
                call.leave(error)  # the traceback would keep the caller's buffer
                raise
            what = call.retry()
            if what == CALL:
                return await call
            if what == PIECE:
                fd, address, length, *_ = call.words
                # The call has the buffer: it stays alive with it.
                words = (fd, address, min(length, select.PIPE_BUF))
                try:
                    count = await self._engine.call(call.number, words, keep=call)
                except GeneratorExit:
                    raise  # the piece may still be at it
                except BaseException as error:
                    call.advance(getattr(error, "result", 0))
                    call.leave(error)
                    raise
                if call.advance(count):
                    return await call

    async def ready(self, fd: int, *, writing: bool) -> bool:
        """Return when a descriptor is ready that blocks, and can be waited for; else at once.

        Returns:
            Whether it had to be waited for.
        """
        waited = False
        while _may_block(fd, writing=writing):
            await self.event(fd, writing=writing)
            waited = True
        return waited

    async def event(self, fd: int, *, writing: bool) -> None:
        """Return when something has happened to a descriptor: it may be ready."""
        waiters = self._waiters.get(fd)
        if waiters is None:
            waiters = self._waiters[fd] = _Waiters()
        side = waiters.writers if writing else waiters.readers
        future = self._loop.create_future()
        side[future] = None
        self.waiting += 1
        try:
            self._watch(fd, waiters, future)
            await future
        finally:
            self.waiting -= 1
            side.pop(future, None)
            self._forget(fd, waiters)

    def _watch(self, fd: int, waiters: _Waiters, newest: asyncio.Future[None]) -> None:
        try:
            self._epoll.modify(fd, waiters.mask)
        except FileNotFoundError:
            # The others, if there are, waited for a file that is closed; this one got its number.
            for side in (waiters.readers, waiters.writers):
                for future in [future for future in side if future is not newest]:
                    del side[future]
                    if not future.done():
                        future.set_exception(OSError(EBADF, os.strerror(EBADF)))
                        self._stale.add(fd)
            self._epoll.register(fd, waiters.mask)

    def _forget(self, fd: int, waiters: _Waiters) -> None:
        if self._epoll.closed or self._waiters.get(fd) is not waiters:
            return
        try:
            if waiters.mask:
                self._epoll.modify(fd, waiters.mask)
            else:
                self._epoll.unregister(fd)
        except OSError:
            # A closed descriptor has left the epoll by itself, if its file has no other one.
            self._stale.add(fd)
        if not waiters.mask:
            del self._waiters[fd]

    def _on_ready(self) -> None:
        for fd, events in self._epoll.poll(0):
            waiters = self._waiters.get(fd)
            if waiters is None:
                continue  # it was the last event
            if fd in self._stale and not _has_event(fd, waiters):
                self._forget(fd, waiters)  # the event was the other's; this one is watched on
                continue
            if events & (READING | ENDED):
                self._wake(waiters.readers)
            if events & (WRITING | ENDED):
                self._wake(waiters.writers)
            self._forget(fd, waiters)

    @staticmethod
    def _wake(side: dict[asyncio.Future[None], None]) -> None:
        for future in side:
            if not future.done():
                future.set_result(None)
        side.clear()

    def close(self, *, forked: bool = False) -> None:
        """Close the epoll. Who waits is cancelled with the tasks of its loop."""
        if not forked:
            self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()


def _has_event(fd: int, waiters: _Waiters) -> bool:
    poll = select.poll()
    poll.register(fd, waiters.mask & (READING | WRITING))
    return bool(poll.poll(0))


def _may_block(fd: int, *, writing: bool) -> bool:
    """As may_block() of native/engine/inline.c, for any call."""
    if fd < 0:
        return False
    poll = select.poll()
    poll.register(fd, WRITING if writing else select.POLLIN)
    if poll.poll(0):
        return False
    try:
        flags = fcntl.fcntl(fd, fcntl.F_GETFL)
    except OSError:
        return False
    # At the wrong end of a pipe the call fails at once.
    wrong = os.O_RDONLY if writing else os.O_WRONLY
    return not flags & os.O_NONBLOCK and flags & os.O_ACCMODE != wrong
