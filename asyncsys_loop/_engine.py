"""The engine: it joins one event loop to one table of system calls.

Theory of operation
===================

A coroutine that wants a system call gives its number and six integers to `Engine.call()`. That
takes a free slot, writes the request (NONE -> HASCALL), and awaits an ordinary future of the loop.
The first request of a tick schedules one callback that rings the doorbell for all of them. An exec
thread runs the calls, without the GIL. The first completion makes an eventfd readable; the loop's
reader then takes everything that is complete in one C call, sets the futures, and so frees the
slots. While completions keep coming, the engine looks again in each tick by itself, and the
executor writes no eventfd: a busy loop is told nothing that it finds out anyway.

Nothing here is locked. The engine belongs to the thread of its loop; what is shared with exec
threads lives in the table (native/include/async_syscall.h).

What is in flight
=================

`_calls[slot]` is the one record of a call: its future, what must be kept alive, how to undo it, and
whether it must run whatever happens to its caller. It is set when the request is written, and
cleared when its result is taken. A future that is done before that was cancelled; then the result
is undone, by who takes it from the table. So for each call, one of two happens, and exactly once:

* the future gets the result, and the coroutine that awaits it goes on; or
* the future was cancelled, and the call is withdrawn, or completes and is undone.

Cancellation settles first
==========================

asyncio cancels a future at once and then tells the coroutine. But the call is still in the table,
and its exec thread may write into the buffer at any moment. So `call()` catches the cancellation,
and withdraws the call if nobody has claimed it. Otherwise it interrupts the call, awaits its end,
and only then lets CancelledError go on. Further cancellations meanwhile change nothing: it is
already on its way out.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
import warnings
from collections import OrderedDict
from dataclasses import dataclass
from errno import EAGAIN, EBUSY, EINVAL, ENOENT
from typing import TYPE_CHECKING, Any, Final

from ._native import ffi, lib

if TYPE_CHECKING:
    from collections.abc import Callable

    Discard = Callable[[int, object], None]
    Call = tuple[asyncio.Future[int], object, Discard | None, bool]  # see "What is in flight"

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

# Calls that outlived their loop: the kernel may still write to what they keep.
_abandoned: list[Any] = []

_submit = lib.async_syscall_submit
_submit_memory = lib.async_syscall_submit_memory
_ring = lib.async_syscall_ring
_reap = lib.async_syscall_reap
_withdraw = lib.async_syscall_withdraw
_interrupt = lib.async_syscall_interrupt
_unpack = ffi.unpack


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
        inline: calls that were answered without the table. 0 until there is a fast path.
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
    doorbells: int
    reinforcements: int
    notifications: int
    wakeups: int
    sleeps: int


def close_descriptor(result: int, _kept: object) -> None:
    """Undo a call that returned a descriptor."""
    if result >= 0:
        os.close(result)


def _release(keep: Any) -> None:
    """Let go of memory before an exception is raised: its traceback keeps frames, and they this."""
    for memory in keep if isinstance(keep, tuple | list) else (keep,):
        if isinstance(memory, ffi.CData):
            ffi.release(memory)


class _Queued:
    """A call that waits for a free slot."""

    __slots__ = ("arguments", "call", "slot", "submit")

    def __init__(self, call: Call, submit: Any, arguments: tuple[Any, ...]) -> None:
        self.call = call
        self.submit = submit
        self.arguments = arguments
        self.slot = -1  # none yet


class Engine:
    """One table of system calls, served for one event loop.

    Args:
        loop: any asyncio event loop that has add_reader().
        executor: name of the executor, one that can be used here.
        slots: size of the table, a power of two from 1 to 65536.
        max_workers: the most exec threads, from 1 to 32768.

    Raises:
        ValueError: a size that can't be.
        OSError: no memory, no descriptors.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, *, executor: str, slots: int, max_workers: int
    ) -> None:
        error = ffi.new("int *")
        self._table = lib.async_syscall_open(
            executor.encode(), slots, max_workers, IDLE_MILLISECONDS, error
        )
        if self._table == ffi.NULL:
            if error[0] == -ENOENT:
                raise ValueError(f"this build has no executor named {executor!r}")
            if error[0] == -EINVAL:
                raise ValueError(f"slots={slots} or max_workers={max_workers} is out of range")
            raise OSError(-error[0], f"asyncsys_loop: no table: {os.strerror(-error[0])}")
        self.executor = executor
        self._loop = loop
        self._call_soon = loop.call_soon
        self._create_future = loop.create_future
        self._calls: list[Call | None] = [None] * slots
        self._queue: OrderedDict[_Queued, None] = OrderedDict()
        self._ending: dict[asyncio.Future[int], asyncio.Future[None] | None] = {}
        self._reaped = ffi.new("int64_t[]", 1 + 2 * slots)
        self._ring_scheduled = False
        self._closed = False
        self._cancelled = 0
        self._wakeups = 0
        self._event_fd = lib.async_syscall_event_fd(self._table)
        try:
            loop.add_reader(self._event_fd, self._on_notified)
        except BaseException:
            lib.async_syscall_close(self._table)
            raise

    async def call(
        self,
        number: int,
        a0: int = 0,
        a1: Any = 0,
        a2: int = 0,
        a3: int = 0,
        a4: int = 0,
        a5: int = 0,
        *,
        keep: object = None,
        discard: Discard | None = None,
        must_run: bool = False,
    ) -> int:
        """Run one system call, and return its result, or -errno.

        Args:
            number: number of the system call. It isn't checked here.
            a0: first of six arguments: integers of 64 bits with a sign. A pointer is the address of
                memory that stays where it is as long as `keep` lives; for a1, which is where most
                calls have theirs, it may be that memory itself, which is quicker.
            keep: what must stay alive until the call has ended: memory, or a tuple or list of it.
                It is released where the call fails.
            discard: called with the result and `keep` where the call ran and its caller doesn't
                learn of it. Must not block.
            must_run: a cancelled caller doesn't stop the call, it only waits for it: close().

        Raises:
            asyncio.CancelledError: after the call has settled.
            RuntimeError: the table is closed, or was made before a fork.
        """
        future = self._create_future()
        call = (future, keep, discard, must_run)
        submit = _submit if type(a1) is int else _submit_memory
        slot = -EAGAIN if self._queue else submit(self._table, number, a0, a1, a2, a3, a4, a5)
        queued = None
        if slot >= 0:
            self._calls[slot] = call
            if not self._ring_scheduled:
                self._ring_scheduled = True
                self._call_soon(self._ring)
        elif slot == -EAGAIN and not lib.async_syscall_is_forked(self._table):
            queued = _Queued(call, submit, (number, a0, a1, a2, a3, a4, a5))
            self._queue[queued] = None
        else:
            raise self._unusable()
        try:
            result: int = await future
        except GeneratorExit:
            # The coroutine was closed or collected: nothing can be awaited any more.
            self._disown(call, slot, queued)
            raise
        except BaseException:
            await self._settle(call, slot, queued)
            _release(keep)
            raise
        if result < 0:
            _release(keep)
        return result

    # Cancellation

    async def _settle(self, call: Call, slot: int, queued: _Queued | None) -> None:
        """Return when a call whose caller was cancelled is out of the table, and undone."""
        future, _, _, must_run = call
        self._cancelled += 1
        if future.done() and not future.cancelled():
            # The result was on its way already.
            if future.exception() is None:
                self._discard(call, future.result())
            return
        if self._closed:
            return
        future.cancel()
        if queued is not None:
            slot = queued.slot
            if slot < 0 and not must_run:
                del self._queue[queued]
                return
        if slot >= 0:
            if self._calls[slot] is not call:
                return  # it ended after the cancellation, and was undone there
            if not must_run:
                if self._withdraw(call, slot):
                    return
                self._interrupt(call, slot, FIRST_REPEAT)
        ending = self._ending
        ending[future] = None
        while future in ending:
            waiter = ending[future] = self._create_future()
            # Cancelled again: CancelledError is what the caller raises in the end anyway.
            with contextlib.suppress(asyncio.CancelledError):
                await waiter

    def _disown(self, call: Call, slot: int, queued: _Queued | None) -> None:
        """Nobody awaits this call any more, nor its end. What it returns will be undone."""
        future, _, _, must_run = call
        if future.done() and not future.cancelled():
            if future.exception() is None:
                self._discard(call, future.result())
            return
        if self._closed:
            return
        future.cancel()
        if must_run:
            return
        if queued is not None:
            slot = queued.slot
            if slot < 0:
                del self._queue[queued]
                return
        if self._calls[slot] is call and not self._withdraw(call, slot):
            self._interrupt(call, slot, FIRST_REPEAT)

    def _withdraw(self, call: Call, slot: int) -> bool:
        if not _withdraw(self._table, slot):
            return False
        self._calls[slot] = None
        self._feed()
        return True

    def _interrupt(self, call: Call, slot: int, repeat: float) -> None:
        """Interrupt a call, again and again: one that hadn't entered the kernel didn't notice."""
        if self._closed or self._calls[slot] is not call:
            return
        _interrupt(self._table, slot)
        self._loop.call_later(repeat, self._interrupt, call, slot, min(repeat * 2, LONGEST_REPEAT))

    def _discard(self, call: Call, result: int) -> None:
        """Undo a call whose caller doesn't learn of its result."""
        _, keep, discard, _ = call
        if discard is None:
            return
        try:
            discard(result, keep)
        except Exception as error:  # noqa: BLE001  (nobody is there to raise it to)
            self._loop.call_exception_handler(
                {"message": "undoing a cancelled system call failed", "exception": error}
            )

    def _undo(self, call: Call, result: int) -> None:
        """A call ended whose future was cancelled before."""
        self._discard(call, result)
        waiter = self._ending.pop(call[0], None)
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    # The loop's side

    def _ring(self) -> None:
        self._ring_scheduled = False
        if _ring(self._table) < 0:
            self._fail_unclaimed()

    def _fail_unclaimed(self) -> None:
        """No exec thread, and the system gives none: nobody would ever run what is in the table."""
        for slot, call in enumerate(self._calls):
            if call is not None and _withdraw(self._table, slot):
                self._calls[slot] = None
                if call[0].done():
                    self._undo(call, -EAGAIN)
                else:
                    call[0].set_exception(
                        OSError(EAGAIN, "asyncsys_loop: no exec thread could be started")
                    )
        self._feed()

    def _on_notified(self) -> None:
        self._wakeups += 1
        self._take(1)

    def _look(self) -> None:
        if not self._closed:
            self._take(0)

    def _take(self, notified: int) -> None:
        count = _reap(self._table, notified, self._reaped)
        pairs = _unpack(self._reaped, 1 + 2 * count)
        calls = self._calls
        for slot, result in zip(pairs[1::2], pairs[2::2], strict=True):
            call: Any = calls[slot]
            calls[slot] = None
            future = call[0]
            if future.done():
                self._undo(call, result)
            else:
                future.set_result(result)
        if self._queue:
            self._feed()
        if pairs[0]:
            self._call_soon(self._look)

    def _feed(self) -> None:
        """Give free slots to those who wait for one, first come, first served."""
        queue = self._queue
        while queue:
            queued = next(iter(queue))
            slot = queued.submit(self._table, *queued.arguments)
            if slot < 0:
                break
            del queue[queued]
            queued.slot = slot
            self._calls[slot] = queued.call
            if not self._ring_scheduled:
                self._ring_scheduled = True
                self._call_soon(self._ring)

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
        if lib.async_syscall_is_forked(table):
            # The loop's selector is the parent's too: removing the reader would remove it there.
            self._table = ffi.NULL
            lib.async_syscall_close(table)
            return
        self._loop.remove_reader(self._event_fd)
        self._end_calls()
        self._table = ffi.NULL
        if lib.async_syscall_close(table) == -EBUSY:
            lib.async_syscall_abandon(table)
            stuck = [call for call in self._calls if call is not None]
            _abandoned.append((table, stuck))
            warnings.warn(
                f"asyncsys_loop: {len(stuck)} system calls could not be interrupted; their threads "
                "and memory are left behind",
                ResourceWarning,
                stacklevel=3,
            )

    def _end_calls(self) -> None:
        table, calls = self._table, self._calls
        for queued in [queued for queued in self._queue if not queued.call[3]]:
            del self._queue[queued]
        for slot, call in enumerate(calls):
            if call is not None and not call[3] and _withdraw(table, slot):
                calls[slot] = None
        deadline = time.monotonic() + CLOSE_PATIENCE
        pause = FIRST_REPEAT / 10
        while True:
            count = _reap(table, 0, self._reaped)
            pairs = _unpack(self._reaped, 1 + 2 * count)
            for i in range(1, 2 * count, 2):
                ended: Any = calls[pairs[i]]
                calls[pairs[i]] = None
                self._discard(ended, pairs[i + 1])
            self._feed()
            _ring(table)
            waiting = [slot for slot, call in enumerate(calls) if call is not None]
            if not waiting or time.monotonic() > deadline:
                return
            for slot in waiting:
                if not calls[slot][3]:  # type: ignore[index]
                    _interrupt(table, slot)
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
            queued=len(self._queue),
            submitted=counted.submitted,
            completed=counted.completed,
            cancelled=self._cancelled,
            withdrawn=counted.withdrawn,
            inline=0,
            doorbells=counted.doorbells,
            reinforcements=counted.reinforcements,
            notifications=counted.notifications,
            wakeups=self._wakeups,
            sleeps=counted.sleeps,
        )
