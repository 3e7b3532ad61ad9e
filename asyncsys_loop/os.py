"""Awaitable twins of functions of `os`: names, arguments, results, errors and audit events alike.

Each of them runs as a system call in the table of the running loop. What holds for all of them:

* Cancellation: CancelledError is raised when the call has settled. A call that nobody has claimed
  never runs, one that blocks is interrupted, and what a cancelled call returned is undone. Buffers
  and descriptors are free again when the exception arrives. What a cancelled call did to the
  file system stays done.
* Errors: the subclass of OSError that `os` raises, with the same errno, filename and filename2;
  TypeError, ValueError and OverflowError for arguments that can't be, before anything is submitted;
  RuntimeError where no loop runs.
* They belong to the loop's thread, as all of asyncio does.

`readinto()` and `preadinto()` are ours: one read into a buffer of the caller. (Python 3.14 has the
first.)
"""

from __future__ import annotations

import os as _os
import struct as _struct
import sys as _sys
from errno import EINVAL as _EINVAL
from operator import index as _index
from typing import TYPE_CHECKING, Any, AnyStr, Final, overload

from ._attach import running as _running
from ._attach import running_engine as _running_engine
from ._convert import (
    CHARS as _CHARS,
)
from ._convert import (
    address as _address,
)
from ._convert import (
    allocate as _allocate,
)
from ._convert import (
    c_int as _c_int,
)
from ._convert import (
    dir_descriptor as _dir_descriptor,
)
from ._convert import (
    fildes as _fildes,
)
from ._convert import (
    fspath as _fspath,
)
from ._convert import (
    off_t as _off_t,
)
from ._convert import (
    os_error as _os_error,
)
from ._convert import (
    path_bytes as _path_bytes,
)
from ._convert import (
    path_descriptor as _path_descriptor,
)
from ._convert import (
    readable as _readable,
)
from ._convert import (
    ssize_t as _ssize_t,
)
from ._convert import (
    taken as _taken,
)
from ._convert import (
    writable as _writable,
)
from ._engine import close_descriptor as _close_descriptor
from ._syscalls import names as _names_of_calls

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Buffer  # for type checkers, which all have it

    StrOrBytesPath = str | bytes | _os.PathLike[str] | _os.PathLike[bytes]
    FileDescriptorOrPath = int | StrOrBytesPath

__all__ = [
    "close",
    "fdatasync",
    "fstat",
    "fsync",
    "ftruncate",
    "listdir",
    "lseek",
    "lstat",
    "mkdir",
    "open",
    "pread",
    "preadinto",
    "pwrite",
    "read",
    "readinto",
    "remove",
    "rename",
    "rmdir",
    "stat",
    "unlink",
    "write",
]

_numbers = _names_of_calls()
_OPENAT: Final = _numbers["openat"]
_CLOSE: Final = _numbers["close"]
_READ: Final = _numbers["read"]
_WRITE: Final = _numbers["write"]
_PREAD: Final = _numbers["pread64"]
_PWRITE: Final = _numbers["pwrite64"]
_LSEEK: Final = _numbers["lseek"]
_STATX: Final = _numbers["statx"]
_FSYNC: Final = _numbers["fsync"]
_FDATASYNC: Final = _numbers["fdatasync"]
_FTRUNCATE: Final = _numbers["ftruncate"]
_GETDENTS: Final = _numbers["getdents64"]
_MKDIRAT: Final = _numbers["mkdirat"]
_UNLINKAT: Final = _numbers["unlinkat"]
_RENAMEAT: Final = _numbers["renameat2"]

_AT_FDCWD: Final = -100
_AT_SYMLINK_NOFOLLOW: Final = 0x100
_AT_REMOVEDIR: Final = 0x200
_AT_NO_AUTOMOUNT: Final = 0x800  # stat(2) never mounts anything
_AT_EMPTY_PATH: Final = 0x1000

# The most that one read(2) or write(2) moves; CPython cuts longer ones off likewise.
_MOST: Final = 0x7FFFF000
_INT_MAX: Final = 0x7FFFFFFF
_OFF_T_MAX: Final = 0x7FFFFFFFFFFFFFFF
_LISTDIR_BYTES: Final = 32768

_PATH_OR_FD: Final = "string, bytes, os.PathLike or integer"


def _audit_dir_fd(dir_fd: Any) -> int:
    return -1 if dir_fd is None else _index(dir_fd)


# Descriptors


async def open(
    path: StrOrBytesPath, flags: int, mode: int = 0o777, *, dir_fd: int | None = None
) -> int:
    """Open a file, and return its descriptor, which isn't inheritable. open(2), os.open().

    A cancelled open() leaves no descriptor behind.
    """
    path = _fspath(path, "open")
    name, flags, mode = _path_bytes(path, "open"), _c_int(flags) | _os.O_CLOEXEC, _c_int(mode)
    directory = _dir_descriptor(dir_fd)
    _sys.audit("open", path, None, flags)
    memory = _readable(name)
    result = await _running_engine().call(
        _OPENAT,
        directory,
        memory,
        flags,
        mode,
        keep=memory,
        discard=_close_descriptor,
    )
    if result < 0:
        raise _os_error(result, path)
    return result


async def close(fd: int) -> None:
    """Close a descriptor. close(2), os.close().

    This runs even if the caller is cancelled: afterwards the descriptor is closed, always.
    """
    result = await _running_engine().call(_CLOSE, _c_int(fd), must_run=True)
    if result < 0:
        raise _os_error(result)


async def lseek(fd: int, position: int, how: int, /) -> int:
    """Set the position of a descriptor, and return it, in bytes. lseek(2), os.lseek()."""
    result = await _running_engine().call(_LSEEK, _c_int(fd), _off_t(position), _c_int(how))
    if result < 0:
        raise _os_error(result)
    return result


async def ftruncate(fd: int, length: int, /) -> None:
    """Make a file `length` bytes long. ftruncate(2), os.ftruncate()."""
    fd, length = _c_int(fd), _off_t(length)
    _sys.audit("os.truncate", fd, length)
    result = await _running_engine().call(_FTRUNCATE, fd, length)
    if result < 0:
        raise _os_error(result)


async def fsync(fd: Any) -> None:
    """Force what was written to a file onto the disk. fsync(2), os.fsync().

    Args:
        fd: a descriptor, or an object with fileno().
    """
    result = await _running_engine().call(_FSYNC, _fildes(fd))
    if result < 0:
        raise _os_error(result)


async def fdatasync(fd: Any) -> None:
    """As fsync(), without metadata that isn't needed to read it. fdatasync(2), os.fdatasync()."""
    result = await _running_engine().call(_FDATASYNC, _fildes(fd))
    if result < 0:
        raise _os_error(result)


# Reading and writing


def _checked_length(length: object) -> int:
    if type(length) is int and 0 <= length <= 0x7FFFF000:
        return length
    number = _ssize_t(length)
    if number < 0:
        raise _os_error(-_EINVAL)
    return min(number, _MOST)


# One comparison for arguments that are as they should be; the conversions say what isn't.


async def read(fd: int, length: int, /) -> bytes:
    """Read at most `length` bytes; b"" at the end of the file. read(2), os.read()."""
    if not (type(fd) is type(length) is int and 0 <= fd <= _INT_MAX and 0 <= length <= _MOST):
        fd, length = _c_int(fd), _checked_length(length)
    memory = _allocate(_CHARS, length)
    engine = _running.engine or _running_engine()
    result = await engine.call(_READ, fd, memory, length, keep=memory)
    if result < 0:
        raise _os_error(result)
    data: bytes = _taken(memory, result)
    return data


async def pread(fd: int, length: int, offset: int, /) -> bytes:
    """Read at most `length` bytes from `offset` on; fd keeps its position. pread(2), os.pread()."""
    if not (
        type(fd) is type(length) is type(offset) is int
        and 0 <= fd <= _INT_MAX
        and 0 <= length <= _MOST
        and 0 <= offset <= _OFF_T_MAX
    ):
        fd, length, offset = _c_int(fd), _checked_length(length), _off_t(offset)
    memory = _allocate(_CHARS, length)
    engine = _running.engine or _running_engine()
    result = await engine.call(_PREAD, fd, memory, length, offset, keep=memory)
    if result < 0:
        raise _os_error(result)
    data: bytes = _taken(memory, result)
    return data


async def readinto(fd: int, buffer: Buffer, /) -> int:
    """Read into a writable buffer, and return how many bytes it was; 0 at the end. read(2).

    A bytearray can't be resized while the call is in flight.
    """
    fd = _c_int(fd)
    memory = _writable(buffer)
    length = min(len(memory), _MOST)
    result = await _running_engine().call(_READ, fd, memory, length, keep=memory)
    if result < 0:
        raise _os_error(result)
    return result


async def preadinto(fd: int, buffer: Buffer, offset: int, /) -> int:
    """As readinto(), from `offset` on. The position of fd stays. pread(2)."""
    fd, memory, offset = _c_int(fd), _writable(buffer), _off_t(offset)
    length = min(len(memory), _MOST)
    result = await _running_engine().call(_PREAD, fd, memory, length, offset, keep=memory)
    if result < 0:
        raise _os_error(result)
    return result


async def write(fd: int, data: Buffer, /) -> int:
    """Write a buffer, and return how many bytes were written. write(2), os.write()."""
    fd = _c_int(fd)
    memory = _readable(data)
    length = min(len(memory), _MOST)
    result = await _running_engine().call(_WRITE, fd, memory, length, keep=memory)
    if result < 0:
        raise _os_error(result)
    return result


async def pwrite(fd: int, data: Buffer, offset: int, /) -> int:
    """As write(), from `offset` on. The position of fd stays. pwrite(2), os.pwrite()."""
    fd, memory, offset = _c_int(fd), _readable(data), _off_t(offset)
    length = min(len(memory), _MOST)
    result = await _running_engine().call(_PWRITE, fd, memory, length, offset, keep=memory)
    if result < 0:
        raise _os_error(result)
    return result


# What a file is

# struct statx, the same on every architecture: up to and with stx_dev_minor.
_STATX_FIELDS: Final = _struct.Struct("=II8xIIIHxxQQQ8xqI4xqI4xqI4xqI4xIIII")
_STATX_BYTES: Final = 256
_STATX_BASIC_STATS: Final = 0x7FF


def _stat_result(memory: Any) -> _os.stat_result:
    (
        _mask,
        block_size,
        links,
        uid,
        gid,
        mode,
        inode,
        size,
        blocks,
        atime,
        atime_ns,
        _btime,
        _btime_ns,
        ctime,
        ctime_ns,
        mtime,
        mtime_ns,
        rdev_major,
        rdev_minor,
        dev_major,
        dev_minor,
    ) = _STATX_FIELDS.unpack_from(_taken(memory, _STATX_FIELDS.size))
    return _os.stat_result(
        (
            mode,
            inode,
            _os.makedev(dev_major, dev_minor),
            links,
            uid,
            gid,
            size,
            atime,
            mtime,
            ctime,
            atime + 1e-9 * atime_ns,
            mtime + 1e-9 * mtime_ns,
            ctime + 1e-9 * ctime_ns,
            atime * 1_000_000_000 + atime_ns,
            mtime * 1_000_000_000 + mtime_ns,
            ctime * 1_000_000_000 + ctime_ns,
            block_size,
            blocks,
            _os.makedev(rdev_major, rdev_minor),
        )
    )


async def _statx(descriptor: int, name: bytes, flags: int, shown: Any) -> _os.stat_result:
    path, memory = _readable(name), _allocate(_CHARS, _STATX_BYTES)
    result = await _running_engine().call(
        _STATX,
        descriptor,
        path,
        flags | _AT_NO_AUTOMOUNT,
        _STATX_BASIC_STATS,
        _address(memory),
        keep=(path, memory),
    )
    if result < 0:
        raise _os_error(result, shown)
    return _stat_result(memory)


async def _fstatx(descriptor: int, shown: Any) -> _os.stat_result:
    # No descriptor is negative, but AT_FDCWD would be the working directory.
    return await _statx(max(descriptor, -1), b"", _AT_EMPTY_PATH, shown)


async def stat(
    path: FileDescriptorOrPath, *, dir_fd: int | None = None, follow_symlinks: bool = True
) -> _os.stat_result:
    """Tell what a file is, by its path or its descriptor. stat(2), os.stat().

    Raises:
        ValueError: dir_fd was given with a descriptor.
    """
    directory = _dir_descriptor(dir_fd)
    if not isinstance(path, str | bytes) and hasattr(type(path), "__index__"):
        if dir_fd is not None:
            raise ValueError("stat: can't specify dir_fd without matching path")
        return await _fstatx(_path_descriptor(path), path)
    path = _fspath(path, "stat", allowed=_PATH_OR_FD)
    name = _path_bytes(path, "stat")
    return await _statx(directory, name, 0 if follow_symlinks else _AT_SYMLINK_NOFOLLOW, path)


async def lstat(path: StrOrBytesPath, *, dir_fd: int | None = None) -> _os.stat_result:
    """As stat(), of a symbolic link itself. lstat(2), os.lstat()."""
    path = _fspath(path, "lstat")
    name = _path_bytes(path, "lstat")
    return await _statx(_dir_descriptor(dir_fd), name, _AT_SYMLINK_NOFOLLOW, path)


async def fstat(fd: int) -> _os.stat_result:
    """As stat(), of a descriptor. fstat(2), os.fstat()."""
    return await _fstatx(_c_int(fd), None)


# Directories


@overload
async def listdir(path: AnyStr) -> list[AnyStr]: ...
@overload
async def listdir(path: _os.PathLike[AnyStr]) -> list[AnyStr]: ...
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
    if path is not None and not isinstance(path, str | bytes) and hasattr(type(path), "__index__"):
        path = _path_descriptor(path)
        _sys.audit("os.listdir", path)
        # As os does it: a duplicate, so that the caller may close fd meanwhile.
        descriptor = _os.dup(path)
        try:
            names = await _names(descriptor, path)
            await lseek(descriptor, 0, _os.SEEK_SET)
        finally:
            _os.close(descriptor)
        return [_os.fsdecode(name) for name in names]
    if path is not None:
        path = _fspath(path, "listdir", allowed="string, bytes, os.PathLike, integer or None")
    name = b"." if path is None else _path_bytes(path, "listdir")
    _sys.audit("os.listdir", path)
    memory = _readable(name)
    descriptor = await _running_engine().call(
        _OPENAT,
        _AT_FDCWD,
        memory,
        _os.O_RDONLY | _os.O_DIRECTORY | _os.O_CLOEXEC | _os.O_NONBLOCK,
        keep=memory,
        discard=_close_descriptor,
    )
    if descriptor < 0:
        raise _os_error(descriptor, path)
    try:
        names = await _names(descriptor, path)
    finally:
        _os.close(descriptor)  # of a directory: this writes nothing, so it doesn't block
    if isinstance(path, bytes):
        return names
    return [_os.fsdecode(name) for name in names]


async def _names(descriptor: int, shown: Any) -> list[bytes]:
    names: list[bytes] = []
    memory = _allocate(_CHARS, _LISTDIR_BYTES)
    while True:
        result = await _running_engine().call(
            _GETDENTS, descriptor, memory, _LISTDIR_BYTES, keep=memory
        )
        if result < 0:
            raise _os_error(result, shown)
        if result == 0:
            return names
        names.extend(_dirent_names(_taken(memory, result)))


def _dirent_names(entries: bytes) -> Iterator[bytes]:
    """Yield the names in an array of struct linux_dirent64: ino, off, reclen (u16), type, name."""
    start = 0
    while start < len(entries):
        name = entries[start + 19 : entries.index(0, start + 19)]
        start += entries[start + 16] | entries[start + 17] << 8
        if name not in {b".", b".."}:
            yield name


async def mkdir(path: StrOrBytesPath, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
    """Make a directory. mkdir(2), os.mkdir()."""
    path = _fspath(path, "mkdir")
    name, mode = _path_bytes(path, "mkdir"), _c_int(mode)
    directory = _dir_descriptor(dir_fd)
    _sys.audit("os.mkdir", path, mode, _audit_dir_fd(dir_fd))
    memory = _readable(name)
    result = await _running_engine().call(_MKDIRAT, directory, memory, mode, keep=memory)
    if result < 0:
        raise _os_error(result, path)


async def _unlinkat(event: str, function: str, path: Any, dir_fd: Any, flags: int) -> None:
    path = _fspath(path, function)
    name = _path_bytes(path, function)
    directory = _dir_descriptor(dir_fd)
    _sys.audit(event, path, _audit_dir_fd(dir_fd))
    memory = _readable(name)
    result = await _running_engine().call(_UNLINKAT, directory, memory, flags, keep=memory)
    if result < 0:
        raise _os_error(result, path)


async def rmdir(path: StrOrBytesPath, *, dir_fd: int | None = None) -> None:
    """Remove an empty directory. rmdir(2), os.rmdir()."""
    await _unlinkat("os.rmdir", "rmdir", path, dir_fd, _AT_REMOVEDIR)


async def unlink(path: StrOrBytesPath, *, dir_fd: int | None = None) -> None:
    """Remove a file. unlink(2), os.unlink()."""
    await _unlinkat("os.remove", "unlink", path, dir_fd, 0)


async def remove(path: StrOrBytesPath, *, dir_fd: int | None = None) -> None:
    """Remove a file: the same as unlink(). os.remove()."""
    await _unlinkat("os.remove", "remove", path, dir_fd, 0)


async def rename(
    src: StrOrBytesPath,
    dst: StrOrBytesPath,
    *,
    src_dir_fd: int | None = None,
    dst_dir_fd: int | None = None,
) -> None:
    """Rename a file; what was at `dst` is replaced. rename(2), os.rename()."""
    src, dst = _fspath(src, "rename", "src"), _fspath(dst, "rename", "dst")
    old, new = _path_bytes(src, "rename", "src"), _path_bytes(dst, "rename", "dst")
    old_directory, new_directory = _dir_descriptor(src_dir_fd), _dir_descriptor(dst_dir_fd)
    _sys.audit("os.rename", src, dst, _audit_dir_fd(src_dir_fd), _audit_dir_fd(dst_dir_fd))
    old_memory, new_memory = _readable(old), _readable(new)
    result = await _running_engine().call(
        _RENAMEAT,
        old_directory,
        old_memory,
        new_directory,
        _address(new_memory),
        0,
        keep=(old_memory, new_memory),
    )
    if result < 0:
        raise _os_error(result, src, dst)
