"""`os.path`: what looks at the file system is a coroutine, the rest is the same function.

`from asyncsys_loop.os import path` has all public names of os.path. The coroutines raise and return
what their originals do. abspath(), relpath() and expanduser() are coroutines as well: they ask for
the working directory, or for a user's home.
"""

# ruff: noqa: ASYNC240  (what is used of os.path here is pure)

from __future__ import annotations

import asyncio
import os
import stat
import sys
from os.path import (
    altsep,
    basename,
    commonpath,
    commonprefix,
    curdir,
    defpath,
    devnull,
    dirname,
    expandvars,
    extsep,
    isabs,
    join,
    normcase,
    normpath,
    pardir,
    pathsep,
    samestat,
    sep,
    split,
    splitdrive,
    splitext,
    supports_unicode_filenames,
)
from typing import TYPE_CHECKING, Any, AnyStr, overload

from ._directories import getcwd, getcwdb
from ._names import readlink
from ._status import fstat as _fstat
from ._status import lstat as _lstat
from ._status import stat as _stat

if TYPE_CHECKING:
    from asyncsys_loop._types import FileDescriptorOrPath, StrOrBytesPath, StrPath

__all__ = [
    "abspath",
    "altsep",
    "basename",
    "commonpath",
    "commonprefix",
    "curdir",
    "defpath",
    "devnull",
    "dirname",
    "exists",
    "expanduser",
    "expandvars",
    "extsep",
    "getatime",
    "getctime",
    "getmtime",
    "getsize",
    "isabs",
    "isdir",
    "isfile",
    "islink",
    "ismount",
    "join",
    "lexists",
    "normcase",
    "normpath",
    "pardir",
    "pathsep",
    "realpath",
    "relpath",
    "samefile",
    "sameopenfile",
    "samestat",
    "sep",
    "split",
    "splitdrive",
    "splitext",
    "supports_unicode_filenames",
]

if sys.version_info >= (3, 12):
    from os.path import isjunction, splitroot

    __all__ += ["isjunction", "splitroot"]
if sys.version_info >= (3, 13):
    from os.path import isdevdrive

    __all__ += ["isdevdrive"]
# In Python 3.14, and in the later ones of each before it.
_ALLOW_MISSING: Any = getattr(os.path, "ALLOW_MISSING", object())
if hasattr(os.path, "ALLOW_MISSING"):
    ALLOW_MISSING: Any = _ALLOW_MISSING
    __all__ += ["ALLOW_MISSING"]


def _refuses_slash_behind_file() -> bool:
    try:
        os.path.realpath("/dev/null/", strict=True)
    except NotADirectoryError:
        return True
    except OSError:
        return False
    return False


# Whether a strict realpath() looks if what "/" stands behind is a directory: from Python 3.14 on.
_ONLY_DIRECTORIES = _refuses_slash_behind_file()


async def exists(path: FileDescriptorOrPath) -> bool:
    """Tell whether there is something at a path; a dangling symbolic link isn't. os.path.exists().

    False, too, if it can't be known, and for a descriptor that isn't open.
    """
    try:
        await _stat(path)
    except (OSError, ValueError):
        return False
    return True


async def lexists(path: StrOrBytesPath) -> bool:
    """As exists(), of a symbolic link itself. os.path.lexists()."""
    try:
        await _lstat(path)
    except (OSError, ValueError):
        return False
    return True


async def isfile(path: FileDescriptorOrPath) -> bool:
    """Tell whether it is a regular file, or a symbolic link to one. os.path.isfile()."""
    try:
        return stat.S_ISREG((await _stat(path)).st_mode)
    except (OSError, ValueError):
        return False


async def isdir(s: FileDescriptorOrPath) -> bool:
    """Tell whether it is a directory, or a symbolic link to one. os.path.isdir()."""
    try:
        return stat.S_ISDIR((await _stat(s)).st_mode)
    except (OSError, ValueError):
        return False


async def islink(path: StrOrBytesPath) -> bool:
    """Tell whether it is a symbolic link. os.path.islink()."""
    try:
        return stat.S_ISLNK((await _lstat(path)).st_mode)
    except (OSError, ValueError, AttributeError):
        return False


async def ismount(path: FileDescriptorOrPath) -> bool:
    """Tell whether a file system is mounted there. os.path.ismount().

    As in os.path, a bind mount in the same file system isn't noticed; statx() tells of each.
    """
    try:
        here: os.stat_result = await _lstat(path)  # type: ignore[arg-type]
    except (OSError, ValueError):
        return False
    if stat.S_ISLNK(here.st_mode):
        return False
    name: Any = os.fspath(path)  # type: ignore[arg-type]
    parent = join(name, b".." if isinstance(name, bytes) else "..")
    try:
        above = await _lstat(parent)
    except OSError:
        try:
            above = await _lstat(await realpath(parent))
        except OSError:
            return False
    return here.st_dev != above.st_dev or here.st_ino == above.st_ino


async def getsize(filename: FileDescriptorOrPath) -> int:
    """Return the length of a file in bytes. os.path.getsize()."""
    return (await _stat(filename)).st_size


async def getmtime(filename: FileDescriptorOrPath) -> float:
    """Return when a file was last changed, in seconds since 1970. os.path.getmtime()."""
    return (await _stat(filename)).st_mtime


async def getatime(filename: FileDescriptorOrPath) -> float:
    """Return when a file was last read, in seconds since 1970. os.path.getatime()."""
    return (await _stat(filename)).st_atime


async def getctime(filename: FileDescriptorOrPath) -> float:
    """Return when a file's metadata last changed, in seconds since 1970. os.path.getctime()."""
    return (await _stat(filename)).st_ctime


async def samefile(f1: FileDescriptorOrPath, f2: FileDescriptorOrPath) -> bool:
    """Tell whether two paths or descriptors are one file. os.path.samefile()."""
    return samestat(await _stat(f1), await _stat(f2))


async def sameopenfile(fp1: int, fp2: int) -> bool:
    """Tell whether two descriptors are one file. os.path.sameopenfile()."""
    return samestat(await _fstat(fp1), await _fstat(fp2))


@overload
async def abspath(path: os.PathLike[AnyStr]) -> AnyStr: ...
@overload
async def abspath(path: AnyStr) -> AnyStr: ...
async def abspath(path: Any) -> Any:
    """Return an absolute path, normalized, without a look at symbolic links. os.path.abspath()."""
    path = os.fspath(path)
    if not isabs(path):
        path = join(await getcwdb() if isinstance(path, bytes) else await getcwd(), path)
    return normpath(path)


@overload
async def relpath(path: bytes, start: bytes | None = None) -> bytes: ...
@overload
async def relpath(path: StrPath, start: StrPath | None = None) -> str: ...
async def relpath(path: Any, start: Any = None) -> Any:
    """Return a path relative to `start`, or to the working directory. os.path.relpath()."""
    if path:
        absolute = await abspath(path)
        current = curdir.encode() if isinstance(absolute, bytes) else curdir
        beginning = current if start is None else os.fspath(start)
        return os.path.relpath(absolute, await abspath(beginning))
    return os.path.relpath(path, start)  # which refuses it


@overload
async def expanduser(path: os.PathLike[AnyStr]) -> AnyStr: ...
@overload
async def expanduser(path: AnyStr) -> AnyStr: ...
async def expanduser(path: Any) -> Any:
    """Replace "~" and "~user" at the beginning by a home directory. os.path.expanduser().

    Where that is looked up in the user database, libc does it, in a thread of asyncio's pool.
    """
    path = os.fspath(path)
    tilde, slash = (b"~", b"/") if isinstance(path, bytes) else ("~", "/")
    if not path.startswith(tilde) or ("HOME" in os.environ and path.partition(slash)[0] == tilde):
        return os.path.expanduser(path)
    return await asyncio.to_thread(os.path.expanduser, path)


def _goes_on(rest: list[Any]) -> bool:
    """Tell whether there is more to walk than the ends of links."""
    at = len(rest)
    while at and rest[at - 1] is None:
        at -= 2
    return at > 0


@overload
async def realpath(filename: os.PathLike[AnyStr], *, strict: Any = False) -> AnyStr: ...
@overload
async def realpath(filename: AnyStr, *, strict: Any = False) -> AnyStr: ...
async def realpath(filename: Any, *, strict: Any = False) -> Any:
    """Return the absolute path without any symbolic link. os.path.realpath().

    Args:
        filename: a path.
        strict: raise an OSError if something on the way doesn't exist or is a loop; otherwise the
            path goes on as it is written. From where os.path has it: ALLOW_MISSING, to raise
            every OSError but for what doesn't exist.
    """
    path = os.fspath(filename)
    empty, dot, dotdot, slash, cwd = (
        (b"", b".", b"..", b"/", getcwdb)
        if isinstance(path, bytes)
        else ("", ".", "..", "/", getcwd)
    )
    ignored: Any
    if strict is True:
        ignored = ()
    elif strict is _ALLOW_MISSING:
        ignored = FileNotFoundError
    elif strict:
        ignored = ()
    else:
        ignored = OSError
    # What is left to walk, the next part last. A None says that the link named before it is done.
    rest: list[Any] = path.split(slash)[::-1]
    done: Any = slash if path.startswith(slash) else await cwd()
    seen: dict[Any, Any] = {}
    while rest:
        name = rest.pop()
        if name is None:
            seen[rest.pop()] = done
            continue
        if name in (empty, dot):
            continue
        if name == dotdot:
            done = done[: done.rindex(slash)] or slash
            continue
        new = done + name if done == slash else done + slash + name
        try:
            status = await _lstat(new)
            if not stat.S_ISLNK(status.st_mode):
                if (
                    strict
                    and _ONLY_DIRECTORIES
                    and _goes_on(rest)
                    and not stat.S_ISDIR(status.st_mode)
                ):
                    raise NotADirectoryError(20, os.strerror(20), new)
                done = new
                continue
            if new in seen:
                done = seen[new]
                if done is not None:
                    continue
                if strict:
                    await _stat(new)  # raises the error of the loop
                done = new
                continue
            target = await readlink(new)
        except ignored:
            done = new
            continue
        seen[new] = None
        if target.startswith(slash):
            done = slash
        rest.append(new)
        rest.append(None)
        rest.extend(target.split(slash)[::-1])
    return done
