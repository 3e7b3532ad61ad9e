"""Descriptors: how they are made, moved and closed."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from asyncsys_loop import _convert as convert
from asyncsys_loop._operation import operation

if TYPE_CHECKING:
    from asyncsys_loop._types import StrOrBytesPath

_openat = operation(
    "openat", "dir_fd path int int", function="open", audit="open 1 None 2", result=int
)
_close = operation("close", "fd")
_lseek = operation("lseek", "fd off_t int", result=int)


async def open(
    path: StrOrBytesPath, flags: int, mode: int = 0o777, *, dir_fd: int | None = None
) -> int:
    """Open a file, and return its descriptor, which isn't inheritable. open(2), os.open().

    A cancelled open() leaves no descriptor behind.
    """
    return await _openat(dir_fd, path, convert.c_int(flags) | os.O_CLOEXEC, mode)


async def close(fd: int) -> None:
    """Close a descriptor. close(2), os.close().

    This runs even if the caller is cancelled: afterwards the descriptor is closed, always.
    """
    await _close(fd)


async def lseek(fd: int, position: int, whence: int, /) -> int:
    """Set the position of a descriptor, and return it, in bytes. lseek(2), os.lseek()."""
    return await _lseek(fd, position, whence)
