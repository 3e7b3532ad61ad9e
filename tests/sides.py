"""Python's own modules and this library's, by the same names: a test calls both sides alike."""

import inspect
import os
import pathlib
import shutil
import tempfile
from collections.abc import Callable
from typing import Any

import asyncsys_loop


class Originals:
    shutil: Any = shutil
    tempfile: Any = tempfile
    Path: Any = pathlib.Path
    open: Any = staticmethod(open)


class Twins:
    shutil: Any = asyncsys_loop.shutil
    tempfile: Any = asyncsys_loop.tempfile
    Path: Any = asyncsys_loop.Path
    open: Any = staticmethod(asyncsys_loop.open)


# What is called with a side.
Call = Callable[[Any], Any]


async def settled(value: Any) -> Any:
    """Await what is to be awaited, and read what is to be iterated."""
    if inspect.isawaitable(value):
        value = await value
    if hasattr(value, "__aiter__") and not hasattr(value, "close"):
        return [item async for item in value]
    if hasattr(value, "__next__") and not hasattr(value, "read"):
        return list(value)
    return value


async def ended(value: Any, *ends: str) -> Any:
    """Await what a call gives, and call those of its methods that it has: it may be open."""
    value = await settled(value)
    for end in ends:
        if hasattr(value, end):
            await settled(getattr(value, end)())
    if isinstance(value, tuple) and value and isinstance(value[0], int) and len(value) == 2:
        os.close(value[0])  # of mkstemp()
    return value
