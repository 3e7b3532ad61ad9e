"""Directories: made, removed and listed."""

from __future__ import annotations

import fcntl
import os
import sys
from typing import TYPE_CHECKING, Any, AnyStr, Final, overload

from asyncsys_loop import _convert as convert
from asyncsys_loop._operation import operation

from ._descriptors import lseek

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asyncsys_loop._types import StrOrBytesPath

_READ_AT_ONCE: Final = 32768  # bytes, as libc's readdir() has it

_mkdir = operation("mkdirat", "dir_fd path int", function="mkdir", audit="os.mkdir 1 2 0")
_rmdir = operation("unlinkat", "dir_fd path 512", function="rmdir", audit="os.rmdir 1 0")
_open_directory = operation(
    "openat",
    f"-100 path {os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NONBLOCK} 0",
    result=int,
)
_duplicate = operation("fcntl", f"fd {fcntl.F_DUPFD_CLOEXEC} 0", result=int)
_getdents = operation("getdents64", "fd length", result=bytes)

_PATH_FD_OR_NONE: Final = "string, bytes, os.PathLike, integer or None"


async def _open_to_list(function: str, path: Any) -> tuple[Any, int]:
    """Return the path as os shows it, and a descriptor of our own of that directory."""
    if path is not None:
        path = convert.path_or_descriptor(path, function, _PATH_FD_OR_NONE)
    if isinstance(path, str | bytes):
        convert.path_bytes(path, function)
    sys.audit(f"os.{function}", path)
    if isinstance(path, int):
        # As os does it: a duplicate, so that the caller may close fd meanwhile.
        return path, await _duplicate(path)
    return path, await _open_directory("." if path is None else path)


async def _read_entries(descriptor: int, shown: Any) -> bytes:
    """Return the next entries of a directory, as the kernel has them; b"" at the end."""
    try:
        return await _getdents(descriptor, _READ_AT_ONCE)
    except OSError as error:
        raise convert.os_error(-(error.errno or 0), shown) from None


@overload
async def listdir(path: AnyStr) -> list[AnyStr]: ...
@overload
async def listdir(path: os.PathLike[AnyStr]) -> list[AnyStr]: ...
@overload
async def listdir(path: int | None = None) -> list[str]: ...
async def listdir(path: Any = None) -> list[Any]:
    """List a directory: its names in no order, without "." and "..". getdents64(2), os.listdir().

    Args:
        path: a path, or a descriptor of a directory (whose position is at its beginning
            afterwards), or None for the working directory.

    Returns:
        Names of type bytes where the path is bytes, of type str otherwise.
    """
    path, descriptor = await _open_to_list("listdir", path)
    names: list[Any] = []
    try:
        while entries := await _read_entries(descriptor, path):
            names.extend(_names(entries))
    finally:
        if isinstance(path, int):
            await lseek(descriptor, 0, os.SEEK_SET)
        os.close(descriptor)  # of a directory: this writes nothing, so it doesn't block
    return names if isinstance(path, bytes) else [os.fsdecode(name) for name in names]


def _names(entries: bytes) -> Iterator[bytes]:
    """Yield the names in an array of struct linux_dirent64: ino, off, reclen (u16), type, name."""
    start = 0
    while start < len(entries):
        name = entries[start + 19 : entries.index(0, start + 19)]
        start += entries[start + 16] | entries[start + 17] << 8
        if name not in {b".", b".."}:
            yield name


async def mkdir(path: StrOrBytesPath, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
    """Make a directory. mkdir(2), os.mkdir()."""
    await _mkdir(dir_fd, path, mode)


async def rmdir(path: StrOrBytesPath, *, dir_fd: int | None = None) -> None:
    """Remove an empty directory. rmdir(2), os.rmdir()."""
    await _rmdir(dir_fd, path)
