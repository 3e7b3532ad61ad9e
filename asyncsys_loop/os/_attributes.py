"""What is said of a file beside its contents: permissions, owner, times, extended attributes."""

from __future__ import annotations

import os
import struct
import sys
from errno import ENOSYS, EOPNOTSUPP
from operator import index
from stat import S_ISLNK
from typing import TYPE_CHECKING, Any, Final, SupportsIndex

from asyncsys_loop import _convert as convert
from asyncsys_loop._operation import converted, operation

from ._status import fstat

if TYPE_CHECKING:
    from typing_extensions import Buffer  # for type checkers, which all have it

    from asyncsys_loop._types import FileDescriptorOrPath, StrOrBytesPath

_AT_SYMLINK_NOFOLLOW: Final = 0x100
_XATTR_SIZE_MAX: Final = 65536  # of a value, and of the list of names

_chmod = operation("fchmodat", "dir_fd path int", function="chmod", audit="os.chmod 1 2 0")
_chmod_descriptor = operation("fchmod", "path_fd int")
_fchmodat2 = operation(
    "fchmodat2",
    f"dir_fd path int {_AT_SYMLINK_NOFOLLOW}",
    function="chmod",
    audit="os.chmod 1 2 0",
)
_open_itself = operation(
    "openat", f"dir_fd path {os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC} 0", result=int
)
_chmod_opened = operation("fchmodat", "-100 string int")
_fchmod = operation("fchmod", "fd int", audit="os.chmod 0 1 =-1")
_chown = operation(
    "fchownat", "dir_fd path id:uid id:gid int", function="chown", audit="os.chown 1 2 3 0"
)
_chown_descriptor = operation("fchown", "path_fd id:uid id:gid", audit="os.chown 0 1 2 =-1")
_fchown = operation("fchown", "fd id:uid id:gid", audit="os.chown 0 1 2 =-1")
_lchown = operation(
    "fchownat",
    f"-100 path id:uid id:gid {_AT_SYMLINK_NOFOLLOW}",
    function="lchown",
    audit="os.chown 0 1 2 =-1",
)
# An OSError of os.utime() names the file from Python 3.13 on: before, it might be the times' fault.
_named: Final = sys.version_info >= (3, 13)
_utime = operation(
    "utimensat", f"dir_fd {'path' if _named else 'string:path'} memory int", function="utime"
)
_utime_descriptor = operation("utimensat", f"{'path_fd' if _named else 'fd'} 0 memory 0")

# Each for a descriptor, a path, and a symbolic link itself.
_getxattr, _lgetxattr, _fgetxattr = (
    operation(
        f"{prefix}getxattr",
        f"{file} string length",
        function="getxattr",
        audit="os.getxattr 0 1",
        result=bytes,
    )
    for prefix, file in (("", "path"), ("l", "path"), ("f", "path_fd"))
)
_setxattr, _lsetxattr, _fsetxattr = (
    operation(
        f"{prefix}setxattr",
        f"{file} string in int",
        function="setxattr",
        audit="os.setxattr 0 1 2 3",
    )
    for prefix, file in (("", "path"), ("l", "path"), ("f", "path_fd"))
)
_listxattr, _llistxattr, _flistxattr = (
    operation(f"{prefix}listxattr", f"{file} length", function="listxattr", result=bytes)
    for prefix, file in (("", "path"), ("l", "path"), ("f", "path_fd"))
)
_removexattr, _lremovexattr, _fremovexattr = (
    operation(
        f"{prefix}removexattr",
        f"{file} string",
        function="removexattr",
        audit="os.removexattr 0 1",
    )
    for prefix, file in (("", "path"), ("l", "path"), ("f", "path_fd"))
)


async def chmod(
    path: FileDescriptorOrPath,
    mode: int,
    *,
    dir_fd: int | None = None,
    follow_symlinks: bool = True,
) -> None:
    """Change permissions, by a path or a descriptor. chmod(2), os.chmod().

    Raises:
        NotImplementedError: follow_symlinks=False, for a symbolic link: Linux has no permissions
            for them.
    """
    file = convert.path_or_descriptor(path, "chmod")
    if not isinstance(file, str | bytes):
        directory, mode = convert.dir_descriptor(dir_fd), convert.c_int(mode)
        shown = -1 if directory == convert.AT_FDCWD else directory  # not refused, but not used
        sys.audit("os.chmod", file, mode, shown)
        await _chmod_descriptor(file, mode)
    elif follow_symlinks:
        await _chmod(dir_fd, file, mode)
    else:
        try:
            await _chmod_itself(file, mode, dir_fd)
        except OSError as error:
            if error.errno != EOPNOTSUPP:
                raise
            if dir_fd is not None:
                message = "chmod: cannot use dir_fd and follow_symlinks together"
                raise ValueError(message) from None
            message = "chmod: follow_symlinks unavailable on this platform"
            raise NotImplementedError(message) from None


async def _chmod_itself(path: str | bytes, mode: int, dir_fd: int | None) -> None:
    try:
        await _fchmodat2(dir_fd, path, mode)
    except OSError as error:
        if error.errno != ENOSYS:
            raise
    else:
        return
    # Before Linux 6.6, as libc does it.
    descriptor = await _open_itself(dir_fd, path)
    try:
        if S_ISLNK((await fstat(descriptor)).st_mode):
            raise convert.os_error(-EOPNOTSUPP, path)
        await _chmod_opened(f"/proc/self/fd/{descriptor}", mode)
    finally:
        os.close(descriptor)  # opened with O_PATH: there is nothing to write


async def fchmod(fd: int, mode: int) -> None:
    """Change the permissions of an open file. fchmod(2), os.fchmod()."""
    await _fchmod(fd, mode)


async def chown(
    path: FileDescriptorOrPath,
    uid: int,
    gid: int,
    *,
    dir_fd: int | None = None,
    follow_symlinks: bool = True,
) -> None:
    """Change user and group, by a path or a descriptor; -1 leaves one. chown(2), os.chown()."""
    file = convert.path_or_descriptor(path, "chown")
    if not isinstance(file, str | bytes):
        convert.refuse_beside_descriptor("chown", file, dir_fd, follow_symlinks)
        await _chown_descriptor(file, uid, gid)
    else:
        await _chown(dir_fd, file, uid, gid, 0 if follow_symlinks else _AT_SYMLINK_NOFOLLOW)


async def fchown(fd: int, uid: int, gid: int) -> None:
    """Change user and group of an open file; -1 leaves one. fchown(2), os.fchown()."""
    await _fchown(fd, uid, gid)


async def lchown(path: StrOrBytesPath, uid: int, gid: int) -> None:
    """As chown(), of a symbolic link itself. lchown(2), os.lchown()."""
    await _lchown(path, uid, gid)


# utime(): ns has no default in os; this one tells that it wasn't given.
_UNSET: Any = type("Unset", (), {"__repr__": lambda self: "<unrepresentable>"})()


async def utime(
    path: FileDescriptorOrPath,
    times: tuple[float, float] | None = None,
    *,
    ns: tuple[int, int] = _UNSET,
    dir_fd: int | None = None,
    follow_symlinks: bool = True,
) -> None:
    """Set the times of last access and change, by a path or descriptor. utimensat(2), os.utime().

    Args:
        path: a path, or a descriptor.
        times: access and modification, in seconds; None for now.
        ns: both in nanoseconds, instead of `times`.
        dir_fd: the directory that a relative path begins at.
        follow_symlinks: whether a symbolic link stands for what it points at.

    Raises:
        ValueError: both `times` and `ns` are given.
    """
    file = convert.path_or_descriptor(path, "utime")
    directory = convert.dir_descriptor(dir_fd)
    if times is not None and ns is not _UNSET:
        raise ValueError("utime: you may specify either 'times' or 'ns' but not both")
    memory: bytes | None = None
    if times is not None:
        if not _is_pair(times):
            raise TypeError("utime: 'times' must be either a tuple of two ints or None")
        memory = struct.pack("=4q", *_timespec(times[0]), *_timespec(times[1]))
    elif ns is not _UNSET:
        if not _is_pair(ns):
            raise TypeError("utime: 'ns' must be a tuple of two ints")
        memory = struct.pack("=4q", *_split_ns(ns[0]), *_split_ns(ns[1]))
    if isinstance(file, str | bytes):
        convert.path_bytes(file, "utime")
    else:
        convert.refuse_beside_descriptor("utime", file, dir_fd, follow_symlinks)
    shown = -1 if directory == convert.AT_FDCWD else directory
    sys.audit("os.utime", file, times, None if ns is _UNSET else ns, shown)
    if isinstance(file, str | bytes):
        flags = 0 if follow_symlinks else _AT_SYMLINK_NOFOLLOW
        await _utime(dir_fd, file, memory, flags)
    else:
        await _utime_descriptor(file if _named else index(file), memory)


def _is_pair(value: object) -> bool:
    return isinstance(value, tuple) and len(value) == 2


def _timespec(value: Any) -> tuple[int, int]:
    """Return seconds, rounded down to nanoseconds."""
    if isinstance(value, float):
        if value != value:  # noqa: PLR0124  (NaN)
            raise ValueError("Invalid value NaN (not a number)")
        whole = value // 1
        nanoseconds = (value - whole) * 1e9 // 1
        if nanoseconds >= 1e9:
            whole, nanoseconds = whole + 1, nanoseconds - 1e9
        if not -(2.0**63) <= whole < 2.0**63:
            raise OverflowError("timestamp out of range for platform time_t")
        return int(whole), int(nanoseconds)
    seconds = index(value)
    if not -(2**63) <= seconds < 2**63:
        raise OverflowError("timestamp out of range for platform time_t")
    return seconds, 0


def _split_ns(value: Any) -> tuple[int, int]:
    seconds, nanoseconds = map(index, divmod(value, 1_000_000_000))
    if not -(2**63) <= seconds < 2**63:
        raise OverflowError("timestamp out of range for platform time_t")
    return seconds, nanoseconds


async def getxattr(
    path: FileDescriptorOrPath, attribute: StrOrBytesPath, *, follow_symlinks: bool = True
) -> bytes:
    """Return an extended attribute of a file. getxattr(2), os.getxattr()."""
    file = convert.path_or_descriptor(path, "getxattr")
    get = _for_path("getxattr", file, follow_symlinks, _getxattr, _lgetxattr, _fgetxattr)
    value: bytes = await get(file, attribute, _XATTR_SIZE_MAX)
    return value


async def setxattr(
    path: FileDescriptorOrPath,
    attribute: StrOrBytesPath,
    value: Buffer,
    flags: int = 0,
    *,
    follow_symlinks: bool = True,
) -> None:
    """Set an extended attribute of a file. setxattr(2), os.setxattr().

    Args:
        path: a path, or a descriptor.
        attribute: its name, with the namespace: "user.comment".
        value: what to set it to.
        flags: os.XATTR_CREATE: FileExistsError if it exists; os.XATTR_REPLACE: OSError if not.
        follow_symlinks: whether a symbolic link stands for what it points at.
    """
    file = convert.path_or_descriptor(path, "setxattr")
    put = _for_path("setxattr", file, follow_symlinks, _setxattr, _lsetxattr, _fsetxattr)
    await put(file, attribute, bytes(convert.memoryview_of(value)), flags)


async def listxattr(
    path: FileDescriptorOrPath | None = None, *, follow_symlinks: bool = True
) -> list[str]:
    """Return the names of the extended attributes of a file. listxattr(2), os.listxattr().

    Args:
        path: a path, or a descriptor, or None for the working directory.
        follow_symlinks: whether a symbolic link stands for what it points at.
    """
    allowed = "string, bytes, os.PathLike, integer or None"
    shown = None if path is None else convert.path_or_descriptor(path, "listxattr", allowed)
    file: str | bytes | SupportsIndex = "." if shown is None else shown
    names = _for_path("listxattr", file, follow_symlinks, _listxattr, _llistxattr, _flistxattr)
    if isinstance(file, str | bytes):
        convert.path_bytes(file, "listxattr")
    sys.audit("os.listxattr", shown)
    return await converted(names(file, _XATTR_SIZE_MAX), _names_in)


def _names_in(memory: bytes) -> list[str]:
    return [os.fsdecode(name) for name in memory.split(b"\0")[:-1]]


async def removexattr(
    path: FileDescriptorOrPath, attribute: StrOrBytesPath, *, follow_symlinks: bool = True
) -> None:
    """Remove an extended attribute of a file. removexattr(2), os.removexattr()."""
    file = convert.path_or_descriptor(path, "removexattr")
    take = _for_path(
        "removexattr", file, follow_symlinks, _removexattr, _lremovexattr, _fremovexattr
    )
    await take(file, attribute)


def _for_path(
    function: str,
    path: str | bytes | SupportsIndex,
    follow_symlinks: bool,
    of_path: Any,
    of_link: Any,
    of_descriptor: Any,
) -> Any:
    if isinstance(path, str | bytes):
        return of_path if follow_symlinks else of_link
    convert.refuse_beside_descriptor(function, path, None, follow_symlinks)
    return of_descriptor
