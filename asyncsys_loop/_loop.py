"""Event loops with an engine from birth: asyncio's and uvloop's own, and nothing else changed.

The subclass makes the engine, closes it before the loop closes, and has `syscall()`. Everything
that a loop does otherwise is done by the base.
"""

from __future__ import annotations

import asyncio
import os
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from ._attach import Options, check_names, engine_of, make_engine
from ._native import set_running
from ._syscall import syscall

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from ._engine import Engine

__all__ = ["BASES", "EventLoop", "default_base", "new_event_loop", "run"]

BASES = ("uvloop", "asyncio")

_Result = TypeVar("_Result")


# For type checkers a loop; at run time the base comes second, and does all that a loop does.
if TYPE_CHECKING:
    _Loop = asyncio.AbstractEventLoop
else:
    _Loop = object


class EventLoop(_Loop):
    """What our loops have beside their base."""

    _asyncsys_engine: Engine

    def __init__(self, **options: Unpack[Options]) -> None:
        super().__init__()
        try:
            make_engine(self, **options)
        except BaseException:
            super().close()
            raise

    def run_forever(self) -> None:
        """Run until stop() is called, as the base does."""
        before = set_running(self._asyncsys_engine)
        try:
            super().run_forever()
        finally:
            set_running(before)

    def close(self) -> None:
        """Close the engine, then the loop: calls in flight are ended first."""
        engine = engine_of(self)
        if engine is not None and not self.is_running():
            engine.close()
        super().close()

    async def syscall(self, number: int | str, /, *args: Any) -> int:
        """As asyncsys_loop.syscall(), for this loop, which must be the running one."""
        if asyncio.get_running_loop() is not self:
            raise RuntimeError(
                "this loop isn't the one that runs in this thread: use "
                "asyncio.run_coroutine_threadsafe(loop.syscall(...), loop)"
            )
        return await syscall(number, *args)


class SelectorEventLoop(EventLoop, asyncio.SelectorEventLoop):
    """asyncio.SelectorEventLoop with an engine."""


def _uvloop_class() -> type[EventLoop]:
    from ._loop_uvloop import UvloopEventLoop  # noqa: PLC0415  (uvloop is optional, and slow to load)

    return UvloopEventLoop


def default_base() -> str:
    """Return the base where none is named: ASYNCSYS_BASE, else uvloop if it is installed."""
    base = os.environ.get("ASYNCSYS_BASE")
    if base:
        return base
    return "uvloop" if find_spec("uvloop") is not None else "asyncio"


def new_event_loop(*, base: str | None = None, **options: Unpack[Options]) -> EventLoop:
    """Make an event loop that can await system calls: the loop_factory of Runner, uvicorn, anyio.

    Args:
        base: "uvloop" or "asyncio". By default what the variable ASYNCSYS_BASE says, else uvloop
            where it is installed.
        **options: executor ("auto", "kmod" or "threads"; ASYNCSYS_EXECUTOR sets the default),
            slots (a power of two; 1024), max_workers (64; with 1, a call that blocks holds up all
            others) and fast_path (True; ASYNCSYS_FAST_PATH).

    Returns:
        A subclass of uvloop.Loop or asyncio.SelectorEventLoop, with a method syscall().

    Raises:
        ValueError, TypeError: an option that can't be.
        RuntimeError: the executor can't be used here; the message says why.
        ImportError: uvloop was asked for and isn't installed.
        OSError: no descriptors, no memory.
    """
    check_names("new_event_loop", options)
    if base is None:
        base = default_base()
    if base == "asyncio":
        return SelectorEventLoop(**options)
    if base != "uvloop":
        raise ValueError(f"no base is named {base!r}: choose from " + ", ".join(map(repr, BASES)))
    try:
        cls = _uvloop_class()
    except ImportError as error:
        raise ImportError(
            "base='uvloop' needs uvloop: pip install 'asyncsys-loop[uvloop]', or base='asyncio'"
        ) from error
    return cls(**options)


def run(
    main: Coroutine[Any, Any, _Result],
    *,
    debug: bool | None = None,
    base: str | None = None,
    **options: Unpack[Options],
) -> _Result:
    """Run a coroutine on a new loop of ours, as asyncio.run() does, and return its result.

    Args:
        main: a coroutine.
        debug: asyncio's debug mode; None leaves it to PYTHONASYNCIODEBUG.
        base: as for new_event_loop().
        **options: as for new_event_loop().

    Raises:
        RuntimeError: a loop is running in this thread already.
        Exception: what the coroutine or new_event_loop() raises.
    """
    check_names("run", options)
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        raise RuntimeError("asyncsys_loop.run() cannot be called from a running event loop")
    with asyncio.Runner(
        debug=debug, loop_factory=lambda: new_event_loop(base=base, **options)
    ) as runner:
        return runner.run(main)
