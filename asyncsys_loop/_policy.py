"""The event loop policy, for programs that still choose their loop that way.

asyncio deprecated policies in Python 3.14 and takes them away in 3.16. This module is imported when
somebody asks for one, and not before.
"""

from __future__ import annotations

import asyncio
import sys
import warnings
from typing import TYPE_CHECKING, Unpack

from ._loop import new_event_loop

if TYPE_CHECKING:
    from ._attach import Options

__all__ = ["EventLoopPolicy", "install"]

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)
    _DefaultEventLoopPolicy = asyncio.DefaultEventLoopPolicy


def _warn(name: str) -> None:
    if sys.version_info >= (3, 14):
        warnings.warn(
            f"asyncsys_loop.{name} is deprecated, as asyncio's policies are: "
            "use asyncsys_loop.run(), or loop_factory=asyncsys_loop.new_event_loop",
            DeprecationWarning,
            stacklevel=3,
        )


class EventLoopPolicy(_DefaultEventLoopPolicy):
    """A policy whose loops can await system calls.

    Args:
        base: as for new_event_loop().
        **options: as for new_event_loop().
    """

    def __init__(self, *, base: str | None = None, **options: Unpack[Options]) -> None:
        _warn("EventLoopPolicy")
        super().__init__()
        self._base = base
        self._options = options

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        """Make a loop, as new_event_loop() does."""
        return new_event_loop(base=self._base, **self._options)


def install() -> None:
    """Make EventLoopPolicy the policy of this process: asyncio.run() then runs on our loop."""
    _warn("install")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        asyncio.set_event_loop_policy(EventLoopPolicy())
