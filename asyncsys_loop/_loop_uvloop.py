"""uvloop's loop with an engine. A file of its own, as only who asks for it pays for uvloop."""

import uvloop

from ._loop import EventLoop

__all__ = ["UvloopEventLoop"]


# uvloop's own annotations differ from asyncio's.
class UvloopEventLoop(EventLoop, uvloop.Loop):  # type: ignore[misc]
    """uvloop.Loop with an engine."""
