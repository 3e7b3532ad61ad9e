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

from ._descriptors import close, lseek, open
from ._directories import listdir, mkdir, rmdir
from ._names import remove, rename, unlink
from ._status import fstat, lstat, stat
from ._storage import fdatasync, fsync, ftruncate
from ._transfer import pread, preadinto, pwrite, read, readinto, write

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
