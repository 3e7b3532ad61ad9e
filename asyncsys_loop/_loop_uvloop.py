"""uvloop's loop with an engine. A file of its own, as only who asks for it pays for uvloop."""

import uvloop

from ._loop import _WithEngine

__all__ = ["UvloopEventLoop"]


class UvloopEventLoop(_WithEngine, uvloop.Loop):
    """uvloop.Loop with an engine."""
