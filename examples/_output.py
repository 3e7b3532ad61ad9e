"""The standard output of the examples that write much."""

from asyncsys_loop import os as aos


async def write(data: bytes) -> None:
    """Write all of it, though a pipe may take less at a time."""
    view = memoryview(data)
    while view:
        view = view[await aos.write(1, view) :]
