"""Jobs: the many small pieces of one large task, such as the copy of a tree.

Their number isn't known when they begin, as jobs add jobs: a directory adds its entries. So there
is one stack and a bounded number of workers. The newest job is taken first; in a tree that is depth
first, and few directories are open at once, however wide the tree is.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

__all__ = ["Jobs"]


class Jobs:
    """A stack of jobs, done by at most `concurrency` tasks at a time.

    Raises:
        TypeError, ValueError: `concurrency` isn't a positive int.
    """

    def __init__(self, concurrency: int) -> None:
        if not isinstance(concurrency, int):
            raise TypeError(f"concurrency must be an int, not {type(concurrency).__name__}")
        if concurrency < 1:
            raise ValueError(f"concurrency must be at least 1, not {concurrency}")
        self._concurrency = concurrency
        self._stack: list[tuple[Callable[..., Coroutine[Any, Any, None]], tuple[Any, ...]]] = []
        self._workers = 0
        self._group: asyncio.TaskGroup | None = None

    def add(self, job: Callable[..., Coroutine[Any, Any, None]], *arguments: Any) -> None:
        """Put a job on the stack: `await job(*arguments)`."""
        self._stack.append((job, arguments))
        if self._group is not None:
            self._hire()

    async def run(self) -> None:
        """Do all jobs, and those that they add.

        The first exception of a job cancels the others that are at work, and is raised when they
        have ended; what is on the stack is dropped.
        """
        try:
            async with asyncio.TaskGroup() as self._group:
                for _ in self._stack[: self._concurrency]:
                    self._hire()
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None
        finally:
            self._group = None
            self._stack.clear()

    def _hire(self) -> None:
        assert self._group is not None
        if self._workers < self._concurrency:
            worker = self._work()
            try:
                self._group.create_task(worker)
            except RuntimeError:  # it is ending
                worker.close()
            else:
                self._workers += 1

    async def _work(self) -> None:
        # No await stands between the last look at the stack and the end, so no job is left behind.
        try:
            while self._stack:
                job, arguments = self._stack.pop()
                await job(*arguments)
        finally:
            self._workers -= 1
