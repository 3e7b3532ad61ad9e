"""Awaitable twins of functions of `os`: names, arguments, results, errors and audit events alike.

`from asyncsys_loop import os` takes the place of `import os`: each function that works on files,
descriptors or children is a coroutine, run as a system call in the table of the running loop. What
never waits (constants, getpid(), fspath(), environ …) is os's own. What would stop the loop and has
no twin isn't here, and says what to use. What holds for all coroutines:

* Cancellation: CancelledError is raised when the call has settled. A call that nobody has claimed
  never runs, one that blocks is interrupted, and what a cancelled call returned is undone. Buffers
  and descriptors are free again when the exception arrives. What a cancelled call did to the
  file system stays done. If it had ended, the exception has what it returned as its `result`: the
  bytes that were read, the number of those that were written.
* Errors: the subclass of OSError that `os` raises, with the same errno, filename and filename2;
  TypeError, ValueError and OverflowError for arguments that can't be, before anything is submitted;
  RuntimeError where no loop runs.
* They belong to the loop's thread, as all of asyncio does.

Linux has more than `os`: fallocate(), flock(), name_to_handle_at(), open_by_handle_at(), openat2(),
preadinto(), read_file(), renameat2(), statx() and sync_file_range() are ours. So are readinto(),
statx() and the timers in a Python that doesn't have them yet.
"""

from __future__ import annotations

import os as _os
from typing import TYPE_CHECKING

from . import _constants, path
from ._attributes import (
    chmod,
    chown,
    fchmod,
    fchown,
    getxattr,
    lchown,
    listxattr,
    removexattr,
    setxattr,
    utime,
)
from ._constants import *  # noqa: F403  (its __all__ is ours, too)
from ._descriptors import (
    close,
    closerange,
    dup,
    dup2,
    eventfd,
    eventfd_read,
    eventfd_write,
    lseek,
    memfd_create,
    open,
    openat2,
    pipe,
    pipe2,
    read_file,
    timerfd_create,
    timerfd_gettime,
    timerfd_gettime_ns,
    timerfd_settime,
    timerfd_settime_ns,
)
from ._directories import (
    DirEntry,
    Entries,
    ScandirIterator,
    chdir,
    chroot,
    fchdir,
    fwalk,
    getcwd,
    getcwdb,
    listdir,
    makedirs,
    mkdir,
    removedirs,
    renames,
    rmdir,
    scandir,
    walk,
)
from ._locks import flock, lockf
from ._names import (
    FileHandle,
    link,
    mkfifo,
    mknod,
    name_to_handle_at,
    open_by_handle_at,
    readlink,
    remove,
    rename,
    renameat2,
    replace,
    symlink,
    unlink,
)
from ._others import LEFT_OUT as _LEFT_OUT
from ._others import is_unchanged as _is_unchanged
from ._others import reason as _reason
from ._processes import pidfd_open, wait, wait3, wait4, waitid, waitpid
from ._random import getrandom, urandom
from ._status import access, fstat, fstatvfs, lstat, stat, statvfs, statx, statx_result
from ._storage import (
    fallocate,
    fdatasync,
    fsync,
    ftruncate,
    posix_fadvise,
    posix_fallocate,
    sync,
    sync_file_range,
    truncate,
)
from ._transfer import (
    copy_file_range,
    pread,
    preadinto,
    preadv,
    pwrite,
    pwritev,
    read,
    readinto,
    readv,
    sendfile,
    splice,
    write,
    writev,
)

if TYPE_CHECKING:
    from ._unchanged import *  # noqa: F403  (a stub: there is nothing at run time)

__all__ = [
    "DirEntry",
    "Entries",
    "FileHandle",
    "ScandirIterator",
    "access",
    "chdir",
    "chmod",
    "chown",
    "chroot",
    "close",
    "closerange",
    "copy_file_range",
    "dup",
    "dup2",
    "eventfd",
    "eventfd_read",
    "eventfd_write",
    "fallocate",
    "fchdir",
    "fchmod",
    "fchown",
    "fdatasync",
    "flock",
    "fstat",
    "fstatvfs",
    "fsync",
    "ftruncate",
    "fwalk",
    "getcwd",
    "getcwdb",
    "getrandom",
    "getxattr",
    "lchown",
    "link",
    "listdir",
    "listxattr",
    "lockf",
    "lseek",
    "lstat",
    "makedirs",
    "memfd_create",
    "mkdir",
    "mkfifo",
    "mknod",
    "name_to_handle_at",
    "open",
    "open_by_handle_at",
    "openat2",
    "path",
    "pidfd_open",
    "pipe",
    "pipe2",
    "posix_fadvise",
    "posix_fallocate",
    "pread",
    "preadinto",
    "preadv",
    "pwrite",
    "pwritev",
    "read",
    "read_file",
    "readinto",
    "readlink",
    "readv",
    "remove",
    "removedirs",
    "removexattr",
    "rename",
    "renameat2",
    "renames",
    "replace",
    "rmdir",
    "scandir",
    "sendfile",
    "setxattr",
    "splice",
    "stat",
    "statvfs",
    "statx",
    "statx_result",
    "symlink",
    "sync",
    "sync_file_range",
    "timerfd_create",
    "timerfd_gettime",
    "timerfd_gettime_ns",
    "timerfd_settime",
    "timerfd_settime_ns",
    "truncate",
    "unlink",
    "urandom",
    "utime",
    "wait",
    "wait3",
    "wait4",
    "waitid",
    "waitpid",
    "walk",
    "write",
    "writev",
]
__all__ += _constants.__all__


if not TYPE_CHECKING:  # who would find no fault with any name

    def __getattr__(name: str) -> object:
        """Return what of os is the same here, or say what to use."""
        if name in _LEFT_OUT and hasattr(_os, name):
            raise AttributeError(f"asyncsys_loop.os has no {name}(): {_reason(name)}")
        if hasattr(_os, name) and _is_unchanged(name):
            return getattr(_os, name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    unchanged = [n for n in dir(_os) if not n.startswith("_") and _is_unchanged(n)]
    return sorted({*__all__, *unchanged})
