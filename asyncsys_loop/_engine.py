"""The engine: it joins one event loop to one table of system calls.

Theory of operation
===================

A coroutine that wants a system call awaits a Call (native/engine/call.c): its number, six words,
and what must stay alive. If it can be answered at once without blocking, it is. Otherwise it takes
a free slot, the request is written (NONE -> HASCALL), and the coroutine waits for an ordinary
future of the loop. The first request of a tick schedules one callback that rings the doorbell for
all of them. An exec thread runs the calls, without the GIL. The first completion makes an eventfd
readable; the loop's reader then takes everything that is complete, writes the results into the
Calls, and wakes their futures. While completions keep coming, the engine looks again in each tick
by itself, and the executor writes no eventfd: a busy loop is told nothing that it finds out anyway.

The part of this that every call passes through is C, EngineBase; this file has the rest. Nothing is
locked. The engine belongs to the thread of its loop; what is shared with exec threads lives in the
table (native/include/async_syscall.h).

Cancellation settles first
==========================

asyncio cancels a future at once and then tells the coroutine. But the call is still in the table,
and its exec thread may write into the buffer at any moment. So the Call doesn't let CancelledError
through: it hands it to `_settle()`, which withdraws the call if nobody has claimed it. Otherwise it
interrupts the call and awaits its end; only then CancelledError goes on. Further cancellations
meanwhile change nothing: it is already on its way out.

So for each call, one of three happens, and exactly once: who awaits it gets the result; or the call
is withdrawn, or completes and is undone (a descriptor that it returned is closed); or it completes
and can't be undone, as bytes were moved, and its result is that of the exception:
`CancelledError.result`. (asyncio passes the same exception on, and looks only at its class.)

Descriptors that aren't ready
=============================

A read of an empty pipe may take for ever. It waits for readiness in the loop, as a socket does, and
goes on when there is something to read: _readiness.py.

Calls that block for long
=========================

A lock that somebody has, a FIFO that nobody writes to: such a call holds an exec thread until it
returns. Were there as many as threads, nothing else would run. So they have places, half as many as
exec threads, first come, first served. What they wait for may depend on one that has no place yet;
so who waits for a place looks now and then whether it would return at once: blocking(). With a
single exec thread there are no places, and it's all looking; only a FIFO that is opened to be read,
where nobody can look, holds that thread. What opens something that isn't in the kernel's cache of
names first looks, through the table, what that is.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
import warnings
from dataclasses import dataclass
from errno import EAGAIN, EBUSY, EEXIST, EINVAL, ENOENT, ENXIO
from typing import TYPE_CHECKING, Any, Final

from ._convert import address, open_how, readable
from ._native import EngineBase, ffi, is_fifo, lib
from ._readiness import CALL, Readiness
from ._syscalls import resolve

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from ._native import Call

__all__ = ["Engine", "Stats", "close_descriptor"]

DEFAULT_SLOTS: Final = 1024
DEFAULT_MAX_WORKERS: Final = 64
IDLE_MILLISECONDS: Final = 5000

# How soon an interruption is repeated that came before the call had entered the kernel, and how
# far that grows while a call doesn't listen, in seconds.
FIRST_REPEAT: Final = 0.001
LONGEST_REPEAT: Final = 0.1

# How long closing a loop waits for calls that can't be interrupted, in seconds.
CLOSE_PATIENCE: Final = 5.0

# How soon and how rarely it is looked whether a call that waits for its place would return at once.
FIRST_LOOK: Final = 0.002
RAREST_LOOK: Final = 1.0
# And whether a FIFO has a reader by now.
RAREST_FIFO_LOOK: Final = 0.05

# Calls that outlived their loop: the kernel may still write to what they keep.
_abandoned: list[Any] = []

_OPENAT: Final = resolve("openat").number
_OPENAT2: Final = resolve("openat2").number
_ring = lib.async_syscall_ring
_interrupt = lib.async_syscall_interrupt


@dataclass(frozen=True, slots=True)
class Stats:
    """Counters of one engine, from its beginning.

    Attributes:
        executor: who runs the calls: "kmod" or "threads".
        base: the loop that the engine is attached to: "uvloop", "asyncio", or its class's name.
        slots: size of the table.
        max_workers: the most exec threads there can be.
        workers: exec threads at the moment.
        in_flight: calls in the table at the moment.
        queued: calls that wait for a free slot at the moment.
        submitted: calls that were written into the table.
        completed: calls that ran, whatever their result.
        cancelled: calls whose caller was cancelled; withdrawn ones are among them.
        withdrawn: calls that were cancelled before anybody had claimed them, and never ran.
        inline: calls that were answered at once, without the table.
        waiting: reads and writes that wait until their descriptor is ready, at the moment.
        doorbells: times that an exec thread was woken for requests.
        reinforcements: times that threads were added because the others were stuck.
        notifications: writes to the eventfd.
        wakeups: times that the eventfd called the engine.
        sleeps: times that an exec thread went to sleep.
    """

    executor: str
    base: str
    slots: int
    max_workers: int
    workers: int
    in_flight: int
    queued: int
    submitted: int
    completed: int
    cancelled: int
    withdrawn: int
    inline: int
    waiting: int
    doorbells: int
    reinforcements: int
    notifications: int
    wakeups: int
    sleeps: int


def close_descriptor(result: int, _kept: object) -> None:
    """Undo a call that returned a descriptor."""
    if result >= 0:
        os.close(result)


def _how(call: Call[Any]) -> tuple[int, int, int]:
    """Return the flags, the mode and the resolution by which a call opens a file."""
    _directory, _path, how, mode, *_ = call.words
    if call.number == _OPENAT:
        return how, mode, 0
    flags, mode, resolution = open_how.unpack(ffi.buffer(ffi.cast("char *", how), open_how.size))
    return flags, mode, resolution


def _release(keep: list[Any]) -> None:
    """Let go of memory before an exception is raised: its traceback keeps frames, and they this."""
    for memory in keep:
        if isinstance(memory, ffi.CData):
            ffi.release(memory)


class Engine(EngineBase):
    """One table of system calls, served for one event loop.

    Args:
        loop: any asyncio event loop that has add_reader().
        executor: name of the executor, one that can be used here.
        slots: size of the table, a power of two from 1 to 65536.
        max_workers: the most exec threads, from 1 to 32768. With 1, a call that blocks holds up all
            others.
        fast_path: whether calls that can't block are answered without the table.

    Raises:
        ValueError: a size that can't be.
        OSError: no memory, no descriptors.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        *,
        executor: str,
        slots: int,
        max_workers: int,
        fast_path: bool,
    ) -> None:
        error = ffi.new("int *")
        self._closed = True  # until there is something to close
        self._table = lib.async_syscall_open(
            executor.encode(), slots, max_workers, IDLE_MILLISECONDS, error
        )
        if self._table == ffi.NULL:
            if error[0] == -ENOENT:
                raise ValueError(f"this build has no executor named {executor!r}")
            if error[0] == -EINVAL:
                raise ValueError(f"slots={slots} or max_workers={max_workers} is out of range")
            raise OSError(-error[0], f"asyncsys_loop: no table: {os.strerror(-error[0])}")
        super().__init__(loop, int(ffi.cast("uintptr_t", self._table)), slots, fast_path)
        self.executor = executor
        self._loop = loop
        self._ending: dict[Call[Any], asyncio.Future[None] | None] = {}
        self._readiness: Readiness | None = None
        self._places: asyncio.Semaphore | None = None
        self._max_workers = max_workers
        self._cancelled = 0
        self._event_fd = lib.async_syscall_event_fd(self._table)
        try:
            loop.add_reader(self._event_fd, self._on_notified)
        except BaseException:
            self._detach()
            lib.async_syscall_close(self._table)
            raise
        self._closed = False

    async def run(
        self,
        number: int,
        words: list[int],
        keep: list[Any],
        discard: Callable[[int, object], None] | None,
        must_run: bool,
        answer: Callable[[int], Any] | None = None,
    ) -> int:
        """As call(), for cffi's memory: it is released before an exception is raised.

        Of a cancelled call that had ended, the exception's result is what `answer` makes of it.
        """
        try:
            result: int = await self.call(number, words, keep, discard, must_run)
        except GeneratorExit:
            raise  # the call may still be at it
        except BaseException as error:
            result = getattr(error, "result", -1)
            if result >= 0 and answer is not None:
                error.result = answer(result)  # type: ignore[attr-defined]
            _release(keep)
            raise
        if result < 0:
            _release(keep)
        return result

    # Cancellation

    async def _settle(self, call: Call[Any]) -> None:
        """Return when a call whose caller was cancelled is out of the table, and undone."""
        self._cancelled += 1
        if call.state == "ended":
            call.undo()  # its result was on its way already
            return
        if self._closed:
            return
        if not call.must_run:
            if self._withdraw(call):
                self._feed()
                return
            self._interrupt(call, FIRST_REPEAT)
        call.settling = True
        ending = self._ending
        ending[call] = None
        while call in ending:
            waiter = ending[call] = self._loop.create_future()
            # Cancelled again: CancelledError is what the caller raises in the end anyway.
            with contextlib.suppress(asyncio.CancelledError):
                await waiter

    def _disown(self, call: Call[Any]) -> None:
        """Nobody awaits this call any more, nor its end. What it returns will be undone."""
        if self._closed or call.must_run:
            return
        if self._withdraw(call):
            self._feed()
        else:
            self._interrupt(call, FIRST_REPEAT)

    def _settled(self, call: Call[Any]) -> None:
        """A call has ended whose caller was cancelled, or is gone."""
        call.undo()
        waiter = self._ending.pop(call, None)
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    def _interrupt(self, call: Call[Any], repeat: float) -> None:
        """Interrupt a call, again and again: one that hadn't entered the kernel didn't notice."""
        if self._closed or call.state != "submitted":
            return
        _interrupt(self._table, call.slot)
        self._loop.call_later(repeat, self._interrupt, call, min(repeat * 2, LONGEST_REPEAT))

    def _discard(self, discard: Callable[[int, object], None], result: int, keep: object) -> None:
        """Undo a call whose caller doesn't learn of its result."""
        try:
            discard(result, keep)
        except Exception as error:  # noqa: BLE001  (nobody is there to raise it to)
            self._loop.call_exception_handler(
                {"message": "undoing a cancelled system call failed", "exception": error}
            )

    async def _give_way(self, call: Call[Any]) -> Any:
        """Let the rest of the loop have its turn, and only then read or write.

        A read of a pipe that was answered before would have taken what a cancelled caller never
        gets.
        """
        try:
            await asyncio.sleep(0)
        except BaseException:
            call.close()  # the traceback would keep the caller's buffer
            raise
        if self._closed:
            raise self._unusable()
        return await (call if call.retry() == CALL else self._when_ready(call))

    async def _when_ready(self, call: Call[Any]) -> Any:
        """Await a read or write whose descriptor wasn't ready."""
        return await self.readiness.run(call)

    @property
    def readiness(self) -> Readiness:
        """The descriptors that are waited for."""
        if self._closed or lib.async_syscall_is_forked(self._table):
            raise self._unusable()
        if self._readiness is None:
            self._readiness = Readiness(self, self._loop)
        return self._readiness

    # What blocks for long

    @property
    def places(self) -> asyncio.Semaphore:
        """For calls that may hold an exec thread for long."""
        if self._places is None:
            self._places = asyncio.Semaphore(self._max_workers // 2)
        return self._places

    async def blocking(
        self, attempt: Callable[[], Awaitable[bool]], block: Callable[[], Awaitable[object]]
    ) -> None:
        """Make a call that may block for long.

        Args:
            attempt: makes it if it wouldn't block, and says whether that was so.
            block: makes it, and blocks an exec thread.
        """
        if await attempt():
            return
        places = self.places
        place = asyncio.ensure_future(places.acquire())
        pause = FIRST_LOOK
        try:
            while not place.done():
                await asyncio.wait([place], timeout=pause)
                if not place.done() and await attempt():
                    return
                pause = min(pause * 2, RAREST_LOOK)
            await block()
        finally:
            if not place.cancel():
                places.release()

    async def _in_place(self, call: Call[Any]) -> Any:
        """Await the opening of a FIFO, or of what isn't known to be none."""
        try:
            placed = await self._placed(call)
        except GeneratorExit:
            raise  # the call that looks may still be at it
        except BaseException as error:
            call.leave(error)
            raise
        try:
            return await call
        finally:
            if placed:
                self.places.release()

    async def _placed(self, call: Call[Any]) -> bool:
        """Do what an opening needs first; whether that is a place, which is to be released."""
        flags, mode, resolution = _how(call)
        only_opens = call.number in {_OPENAT, _OPENAT2}
        if flags & os.O_CREAT and only_opens:
            # Most often the file is to be made. What is made is no FIFO.
            result = await self._open(call, flags | os.O_EXCL, mode, resolution)
            if result != -EEXIST:
                call.answer(result)
                return False
        # O_PATH opens nothing, and so waits for nobody.
        look = flags & os.O_NOFOLLOW | os.O_PATH | os.O_CLOEXEC
        found = await self._open(call, look, 0, resolution)
        if found < 0:
            return False  # it will find the same error
        fifo = is_fifo(found)
        os.close(found)
        if not fifo:
            return False
        if flags & os.O_ACCMODE == os.O_WRONLY and only_opens:
            call.answer(await self._write_to_fifo(call, flags | os.O_NONBLOCK, mode, resolution))
            return False
        if self._max_workers == 1:
            return False  # there are none: it holds the only thread
        await self.places.acquire()
        return True

    async def _write_to_fifo(self, call: Call[Any], flags: int, mode: int, resolution: int) -> int:
        """Open a FIFO when it has a reader. Those may have all the places, and wait for this.

        Nothing tells when it has one; but the kernel opens it without blocking only then.
        """
        pause = FIRST_LOOK
        while (result := await self._open(call, flags, mode, resolution)) == -ENXIO:
            await asyncio.sleep(pause)
            pause = min(pause * 2, RAREST_FIFO_LOOK)
        if result >= 0:
            os.set_blocking(result, True)
        return result

    def _open(self, call: Call[Any], flags: int, mode: int, resolution: int) -> Call[int]:
        """Make a call that opens what `call` opens, but so. It gives the descriptor, or -errno."""
        directory, path, *_ = call.words
        if call.number == _OPENAT:
            return self.call(_OPENAT, (directory, path, flags, mode), call, close_descriptor)
        memory = readable(open_how.pack(flags, mode, resolution))
        words = (directory, path, address(memory), open_how.size)
        return self.call(_OPENAT2, words, (call, memory), close_descriptor)

    # The loop's side

    def _ring(self) -> None:
        self._ring_scheduled = False
        if self._closed:
            return
        if _ring(self._table) < 0:
            self._fail_unclaimed()

    def _fail_unclaimed(self) -> None:
        """No exec thread, and the system gives none: nobody would ever run what is in the table."""
        for call in self._calls():
            if self._withdraw(call):
                call.fail(OSError(EAGAIN, "asyncsys_loop: no exec thread could be started"))
        self._feed()

    # The end

    def _unusable(self) -> RuntimeError:
        if not self._closed and lib.async_syscall_is_forked(self._table):
            return RuntimeError(
                "this event loop was made before a fork and belongs to the parent process: "
                "make a new loop in the child, e.g. with asyncsys_loop.run()"
            )
        return RuntimeError("Event loop is closed: its table of system calls is gone")

    def close(self) -> None:
        """End the exec threads and free the table.

        Calls that nobody has claimed never run; the others are interrupted, and what they return is
        undone. Where a call can't be interrupted (a server that doesn't answer, say), this waits
        for it for some seconds, and then leaves its thread and its memory behind, with a
        ResourceWarning.
        """
        if self._closed:
            return
        self._closed = True
        table = self._table
        forked = lib.async_syscall_is_forked(table)
        if self._readiness is not None:
            self._readiness.close(forked=forked)
        if forked:
            # The loop's selector is the parent's too: removing the reader would remove it there.
            self._detach()
            self._table = ffi.NULL
            lib.async_syscall_close(table)
            return
        self._loop.remove_reader(self._event_fd)
        self._end_calls()
        self._detach()
        self._table = ffi.NULL
        if lib.async_syscall_close(table) == -EBUSY:
            lib.async_syscall_abandon(table)
            stuck = self._calls()
            _abandoned.append((table, stuck))
            warnings.warn(
                f"asyncsys_loop: {len(stuck)} system calls could not be interrupted; their threads "
                "and memory are left behind",
                ResourceWarning,
                stacklevel=3,
            )

    def _end_calls(self) -> None:
        table = self._table
        for call in self._queue() + self._calls():
            if not call.must_run:
                self._withdraw(call)
        deadline = time.monotonic() + CLOSE_PATIENCE
        pause = FIRST_REPEAT / 10
        while True:
            for call in self._reap():
                call.undo()
            _ring(table)
            waiting = self._calls()
            if not waiting or time.monotonic() > deadline:
                return
            for call in waiting:
                if not call.must_run:
                    _interrupt(table, call.slot)
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_REPEAT)

    def __del__(self) -> None:
        if getattr(self, "_closed", True):
            return
        # Loops that are collected unclosed say so themselves, but not all of them close.
        warnings.warn(
            f"unclosed {self!r} of {self._loop!r}", ResourceWarning, source=self, stacklevel=1
        )
        with contextlib.suppress(Exception):
            self.close()

    @property
    def closed(self) -> bool:
        """Whether close() was called."""
        return self._closed

    def stats(self, base: str) -> Stats:
        """Return the counters."""
        if self._closed:
            raise self._unusable()
        counted = ffi.new("struct async_syscall_statistics *")
        lib.async_syscall_statistics(self._table, counted)
        return Stats(
            executor=self.executor,
            base=base,
            slots=counted.slots,
            max_workers=counted.max_workers,
            workers=counted.workers,
            in_flight=counted.in_flight,
            queued=self.queued,
            submitted=counted.submitted,
            completed=counted.completed,
            cancelled=self._cancelled,
            withdrawn=counted.withdrawn,
            inline=self.answered_inline,
            waiting=0 if self._readiness is None else self._readiness.waiting,
            doorbells=counted.doorbells,
            reinforcements=counted.reinforcements,
            notifications=counted.notifications,
            wakeups=self.wakeups,
            sleeps=counted.sleeps,
        )
