"""Random bytes from the kernel."""

from __future__ import annotations

from asyncsys_loop import _convert as convert
from asyncsys_loop._operation import operation

_getrandom = operation("getrandom", "length int", result=bytes)


async def getrandom(size: int, flags: int = 0) -> bytes:
    """Return at most `size` random bytes. getrandom(2), os.getrandom().

    Args:
        size: how many.
        flags: os.GRND_NONBLOCK, os.GRND_RANDOM.

    Raises:
        BlockingIOError: GRND_NONBLOCK, and the kernel has no entropy yet.
    """
    return await _getrandom(size, flags)


async def urandom(size: int, /) -> bytes:
    """Return `size` random bytes for keys and the like. getrandom(2), os.urandom()."""
    size = convert.ssize_t(size)
    if size < 0:
        raise ValueError("negative argument not allowed")
    parts = [await _getrandom(size, 0)]
    left = size - len(parts[0])
    while left:  # getrandom(2) gives at most 32 MiB less one byte
        parts.append(await _getrandom(left, 0))
        left -= len(parts[-1])
    return b"".join(parts)
