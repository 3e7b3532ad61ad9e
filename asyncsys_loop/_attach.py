"""Which loop has which engine.

The engine hangs on its loop as an attribute, so that finding it costs one look-up and it lives
as long as the loop. A loop that isn't ours gets one when the first call is made on it, or by
attach(); its close() is replaced by one that closes the engine first, since asyncio tells nobody
that a loop closes.
"""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any, Final, TypedDict

from . import _executors
from ._engine import DEFAULT_MAX_WORKERS, DEFAULT_SLOTS, Engine, Stats
from ._native import lib, running_engine, set_look_up, set_running

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "Options",
    "attach",
    "base_name",
    "check_names",
    "engine_of",
    "make_engine",
    "running_engine",
    "stats",
]

ATTRIBUTE: Final = "_asyncsys_engine"


class Options(TypedDict, total=False):
    """Options of an engine, the same wherever one can be made.

    Attributes:
        executor: "auto" (the default; the variable ASYNCSYS_EXECUTOR sets another), "kmod" or
            "threads".
        slots: size of the table, a power of two up to 65536; 1024 by default. Calls for which
            there is no free slot wait in order.
        max_workers: the most exec threads; 64 by default. Calls that block occupy one each. With
            1, what blocks holds up all others: syscall(), and a FIFO that is opened to be read
            until it has a writer. Locks and children don't: they are looked for, at least once a
            second.
        fast_path: whether calls of asyncsys_loop.os and files that can't block are answered at
            once, without the table: True by default; ASYNCSYS_FAST_PATH=0 sets another default.
    """

    executor: str
    slots: int
    max_workers: int
    fast_path: bool


def check_names(function: str, options: Iterable[str]) -> None:
    """Raise TypeError, in the name of the function that took them, if an option isn't one."""
    unknown = sorted(set(options) - Options.__annotations__.keys())
    if unknown:
        raise TypeError(f"{function}() has no option named {unknown[0]!r}")


def _checked(name: str, value: object, largest: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} must be an int, not {type(value).__name__}")
    if not 1 <= value <= largest:
        raise ValueError(f"{name} must be from 1 to {largest}, not {value}")
    return value


def _fast_path_by_default() -> bool:
    value = os.environ.get("ASYNCSYS_FAST_PATH") or "1"
    if value not in {"0", "1"}:
        raise ValueError(f"ASYNCSYS_FAST_PATH must be 0 or 1, not {value!r}")
    return value == "1"


def make_engine(
    loop: asyncio.AbstractEventLoop,
    executor: str | None = None,
    slots: int = DEFAULT_SLOTS,
    max_workers: int = DEFAULT_MAX_WORKERS,
    fast_path: bool | None = None,
) -> Engine:
    """Check the options and make an engine for a loop that has none."""
    largest = lib.ASYNC_SYSCALL_MAX_SLOTS
    slots = _checked("slots", slots, largest)
    if slots & (slots - 1):
        nearest = 1 << slots.bit_length()
        raise ValueError(f"slots must be a power of two, not {slots}: say {nearest}")
    max_workers = _checked("max_workers", max_workers, largest // 2)
    if executor is None:
        executor = os.environ.get("ASYNCSYS_EXECUTOR") or "auto"
    if not isinstance(executor, str):
        raise TypeError(f"executor must be a str, not {type(executor).__name__}")
    if fast_path is None:
        fast_path = _fast_path_by_default()
    if not isinstance(fast_path, bool):
        raise TypeError(f"fast_path must be a bool, not {type(fast_path).__name__}")
    engine = Engine(
        loop,
        executor=_executors.choose(executor, slots),
        slots=slots,
        max_workers=max_workers,
        fast_path=fast_path,
    )
    setattr(loop, ATTRIBUTE, engine)
    return engine


def engine_of(loop: asyncio.AbstractEventLoop) -> Engine | None:
    """Return the engine of a loop, None if it has none."""
    engine: Engine | None = getattr(loop, ATTRIBUTE, None)
    return engine


def _attach_foreign(loop: asyncio.AbstractEventLoop, options: dict[str, Any]) -> Engine:
    if loop.is_closed():
        raise RuntimeError("Event loop is closed")
    engine = make_engine(loop, **options)
    close = loop.close

    def close_with_engine() -> None:
        if not loop.is_running():  # otherwise the loop itself raises
            engine.close()
        close()

    loop.close = close_with_engine  # type: ignore[method-assign]
    return engine


# Which engine runs in this thread is C's to know: the hot path starts there, and
# asyncio.get_running_loop() would make a system call of its own, getpid(), before Python 3.12.


def _forget_running() -> None:
    set_running(None)


# asyncio forgets the running loop in a forked child, too.
os.register_at_fork(after_in_child=_forget_running)


def _look_up_engine() -> Engine:
    try:
        loop: Any = asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError(
            "no running event loop: call this from a coroutine, for example one that "
            "asyncsys_loop.run() runs"
        ) from None
    try:
        engine: Engine = loop._asyncsys_engine
    except AttributeError:
        return _attach_foreign(loop, {})
    return engine


set_look_up(_look_up_engine)


def _runs_here(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False


def attach(loop: asyncio.AbstractEventLoop | None = None, **options: Any) -> None:
    """Give an event loop that isn't ours an engine with these options.

    A loop without one gets it, with the default options, when the first call is made on it: this
    is only needed for other options. Closing the loop closes the engine.

    Args:
        loop: any asyncio or uvloop loop that isn't closed; the running one by default. Call it
            from the loop's own thread.
        **options: executor, slots and max_workers, as for new_event_loop().

    Raises:
        RuntimeError: the loop has an engine already, is closed, or runs in another thread; no
            loop was given and none is running; the executor can't be used here.
        TypeError, ValueError: an option that can't be.
    """
    if loop is None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            raise RuntimeError("no running event loop: pass the loop to attach()") from None
    if not isinstance(loop, asyncio.AbstractEventLoop):
        raise TypeError(f"loop must be an asyncio event loop, not {type(loop).__name__}")
    check_names("attach", options)
    if loop.is_running() and not _runs_here(loop):
        raise RuntimeError(
            "this loop runs in another thread: call attach() there, for example by "
            "loop.call_soon_threadsafe()"
        )
    if engine_of(loop) is not None:
        raise RuntimeError(
            "this loop has an engine already: attach() comes before the first call, "
            "and our own loops take these options in new_event_loop()"
        )
    _attach_foreign(loop, options)


def base_name(loop: asyncio.AbstractEventLoop) -> str:
    """Tell what a loop is made on: "uvloop", "asyncio", or its own module."""
    for cls in type(loop).__mro__:
        package = cls.__module__.partition(".")[0]
        if package in {"uvloop", "asyncio"}:
            return package
    return type(loop).__module__


def stats() -> Stats:
    """Return the counters of the running loop's engine.

    Raises:
        RuntimeError: no loop is running in this thread.
    """
    engine: Engine = running_engine()
    return engine.stats(base_name(asyncio.get_running_loop()))
