"""Directories: made, removed and listed."""

from __future__ import annotations

import contextlib
import fcntl
import os
import sys
import warnings
from collections.abc import Iterator
from errno import EFBIG, ENOENT, ERANGE
from operator import index
from stat import S_IFMT, S_ISDIR, S_ISLNK, S_ISREG
from typing import TYPE_CHECKING, Any, AnyStr, Final, Generic, overload

from asyncsys_loop import _convert as convert
from asyncsys_loop._native import directory_entries, directory_names
from asyncsys_loop._operation import converted, operation

from ._descriptors import lseek
from ._descriptors import open as open_descriptor
from ._names import rename
from ._status import fstat, lstat, stat

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator
    from types import TracebackType

    from asyncsys_loop._types import (
        BytesPath,
        FileDescriptorLike,
        FileDescriptorOrPath,
        GenericPath,
        StrOrBytesPath,
        StrPath,
    )

_READ_AT_ONCE: Final = 65536  # bytes: about two thousand names

_mkdir = operation("mkdirat", "dir_fd path int", function="mkdir", audit="os.mkdir 1 2 0")
_rmdir = operation("unlinkat", "dir_fd path 512", function="rmdir", audit="os.rmdir 1 0")
_open_directory = operation(
    "openat",
    f"-100 path {os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NONBLOCK} 0",
    result=int,
)
_duplicate = operation("fcntl", f"fd {fcntl.F_DUPFD_CLOEXEC} 0", result=int)
_list_directory = operation("list_directory", "dir_fd path length", result=bytes)
_getdents = operation("getdents64", "fd length", result=bytes)

_chdir = operation("chdir", "path", audit="os.chdir 0")
_chdir_descriptor = operation("fchdir", "path_fd", audit="os.chdir 0")
_fchdir = operation("fchdir", "fildes", audit="os.chdir 0")
_chroot = operation("chroot", "path")
_getcwd = operation("getcwd", "length", result=bytes)

_DT_UNKNOWN: Final = 0
_DT_DIR: Final = 4
_DT_REG: Final = 8
_DT_LNK: Final = 10

_PATH_FD_OR_NONE: Final = "string, bytes, os.PathLike, integer or None"


def _path_to_list(function: str, path: Any) -> Any:
    """Return the path as os shows it, checked; hooks are told."""
    if path is not None:
        path = convert.path_or_descriptor(path, function, _PATH_FD_OR_NONE)
    if isinstance(path, str | bytes):
        convert.path_bytes(path, function)
    sys.audit(f"os.{function}", path)
    return path


async def _open_directory_of(path: Any) -> int:
    """Return a descriptor of our own of that directory."""
    if path is None or isinstance(path, str | bytes):
        return await _open_directory("." if path is None else path)
    return await _duplicate(path)  # as os does it: the caller may close fd meanwhile


async def _read_at_once(path: Any) -> bytes | None:
    """Return all entries of a directory, in one trip to an exec thread; None if there are many."""
    if not (path is None or isinstance(path, str | bytes)):
        return None  # a descriptor: its position matters
    try:
        return await _list_directory(None, "." if path is None else path, _READ_AT_ONCE)
    except OSError as error:
        if error.errno == EFBIG:
            return None
        raise convert.os_error(-(error.errno or 0), path) from None


async def _read_entries(descriptor: int, shown: Any) -> bytes:
    """Return the next entries of a directory, as the kernel has them; b"" at the end."""
    try:
        return await _getdents(descriptor, _READ_AT_ONCE)
    except OSError as error:
        if error.errno == ENOENT:  # it was removed: its end, as POSIX and readdir(3) have it
            return b""
        raise convert.os_error(-(error.errno or 0), shown) from None


async def _close_directory(descriptor: int, path: Any) -> None:
    """Close what _open_directory_of() opened; what it is a duplicate of is at its beginning."""
    try:
        if not (path is None or isinstance(path, str | bytes)):
            with contextlib.suppress(OSError):  # it may be no directory
                await lseek(descriptor, 0, os.SEEK_SET)
    finally:
        os.close(descriptor)  # of a directory: this writes nothing, so it doesn't block


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
    path = _path_to_list("listdir", path)
    decode = not isinstance(path, bytes)

    def names_in(entries: bytes | None) -> list[Any] | None:
        return None if entries is None else directory_names(entries, decode)

    found = await converted(_read_at_once(path), names_in)
    if found is not None:
        return found
    descriptor = await _open_directory_of(path)
    names: list[Any] = []
    try:
        while entries := await _read_entries(descriptor, path):
            names += directory_names(entries, decode)
    finally:
        await _close_directory(descriptor, path)
    return names


async def mkdir(path: StrOrBytesPath, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
    """Make a directory. mkdir(2), os.mkdir()."""
    await _mkdir(dir_fd, path, mode)


async def rmdir(path: StrOrBytesPath, *, dir_fd: int | None = None) -> None:
    """Remove an empty directory. rmdir(2), os.rmdir()."""
    await _rmdir(dir_fd, path)


async def makedirs(name: StrOrBytesPath, mode: int = 0o777, exist_ok: bool = False) -> None:
    """Make a directory, and those above it that don't exist. os.makedirs().

    Args:
        name: its path.
        mode: permissions of the last one, less the umask; the others get the default.
        exist_ok: it may exist already.
    """
    head, tail = os.path.split(name)
    if not tail:
        head, tail = os.path.split(head)
    if head and tail and not await _exists(head):
        # Somebody else may make it at the same time.
        with contextlib.suppress(FileExistsError):
            await makedirs(head, exist_ok=exist_ok)
        if tail in (os.curdir, os.curdir.encode()):  # "xxx/newdir/." is there when xxx/newdir is
            return
    try:
        await mkdir(name, mode)
    except OSError:
        # Not only FileExistsError: the file system may be read-only, and the directory there.
        if not exist_ok or not await _is_directory(name):
            raise


async def _exists(path: StrOrBytesPath) -> bool:
    try:
        await stat(path)
    except (OSError, ValueError):
        return False
    return True


async def _is_directory(path: StrOrBytesPath) -> bool:
    try:
        return S_ISDIR((await stat(path)).st_mode)
    except (OSError, ValueError):
        return False


async def removedirs(name: StrOrBytesPath) -> None:
    """Remove an empty directory, and those above it as far as they are empty. os.removedirs()."""
    await rmdir(name)
    head, tail = os.path.split(name)
    if not tail:
        head, tail = os.path.split(head)
    while head and tail:
        try:
            await rmdir(head)
        except OSError:
            break
        head, tail = os.path.split(head)


async def renames(old: StrOrBytesPath, new: StrOrBytesPath) -> None:
    """Rename a file; make directories for its new name, and remove empty ones. os.renames()."""
    head, tail = os.path.split(new)
    if head and tail and not await _exists(head):
        await makedirs(head)
    await rename(old, new)
    head, tail = os.path.split(old)
    if head and tail:
        with contextlib.suppress(OSError):
            await removedirs(head)


async def chdir(path: FileDescriptorOrPath) -> None:
    """Change the working directory, which is the whole process's. chdir(2), os.chdir()."""
    file = convert.path_or_descriptor(path, "chdir")
    await (_chdir if isinstance(file, str | bytes) else _chdir_descriptor)(file)


async def fchdir(fd: FileDescriptorLike) -> None:
    """As chdir(), by a descriptor. fchdir(2), os.fchdir()."""
    await _fchdir(fd)


async def chroot(path: StrOrBytesPath) -> None:
    """Change the root directory, which is the whole process's. chroot(2), os.chroot()."""
    await _chroot(path)


async def getcwdb() -> bytes:
    """Return the working directory as bytes. getcwd(2), os.getcwdb()."""
    size = 1024
    while True:
        try:
            path = await converted(_getcwd(size), _without_end)
        except OSError as error:
            if error.errno != ERANGE:
                raise
            size *= 2
        else:
            if not path.startswith(b"/"):  # "(unreachable)", of another root
                raise convert.os_error(-ENOENT)
            return path


def _without_end(path: bytes) -> bytes:
    return path[:-1]


async def getcwd() -> str:
    """Return the working directory. getcwd(2), os.getcwd()."""
    return await converted(getcwdb(), os.fsdecode)


# scandir()


class DirEntry(Generic[AnyStr]):
    """One entry of a directory, as os.DirEntry. scandir() makes it.

    What asks the kernel is a coroutine: is_dir(), is_file() and stat(). The first two make no call
    where the directory told the type, which nearly all file systems do, but for a symbolic link
    that is to be followed. The rest is known: name, path, inode(), is_symlink().
    Results are kept: asked again, there is no call.
    """

    __slots__ = ("__weakref__", "_dir_fd", "_inode", "_lstat", "_stat", "_type", "name", "path")

    name: AnyStr
    path: AnyStr

    def __init__(self, name: AnyStr, path: AnyStr, inode: int, kind: int, dir_fd: int | None):
        self.name = name
        self.path = path
        self._inode = inode
        self._type = kind
        self._dir_fd = dir_fd
        self._stat: os.stat_result | None = None
        self._lstat: os.stat_result | None = None

    def inode(self) -> int:
        """Return the number of the file, without a call. os.DirEntry.inode()."""
        return self._inode

    def is_symlink(self) -> bool:
        """Tell whether it is a symbolic link, without a call. os.DirEntry.is_symlink()."""
        return self._type == _DT_LNK

    def is_junction(self) -> bool:
        """Tell whether it is a junction: no, on Linux. os.DirEntry.is_junction()."""
        return False

    async def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """Tell whether it is a directory. os.DirEntry.is_dir()."""
        if self._type == _DT_LNK and follow_symlinks:
            return S_ISDIR(await self._mode())
        return self._type == _DT_DIR

    async def is_file(self, *, follow_symlinks: bool = True) -> bool:
        """Tell whether it is a regular file. os.DirEntry.is_file()."""
        if self._type == _DT_LNK and follow_symlinks:
            return S_ISREG(await self._mode())
        return self._type == _DT_REG

    async def _mode(self) -> int:
        """Return the mode of what a symbolic link points at, 0 if there is nothing."""
        try:
            return (await self.stat()).st_mode
        except FileNotFoundError:
            return 0

    async def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """Tell what it is. stat(2), os.DirEntry.stat()."""
        if follow_symlinks and self._type == _DT_LNK:
            if self._stat is None:
                self._stat = await self._ask(follow_symlinks=True)
            return self._stat
        if self._lstat is None:
            self._lstat = await self._ask(follow_symlinks=False)
        return self._lstat

    async def _ask(self, *, follow_symlinks: bool) -> os.stat_result:
        if self._dir_fd is None:
            return await stat(self.path, follow_symlinks=follow_symlinks)
        return await stat(self.name, dir_fd=self._dir_fd, follow_symlinks=follow_symlinks)

    async def _learn_type(self) -> None:
        """Ask for the type, on a file system whose directories don't have it."""
        with contextlib.suppress(FileNotFoundError):
            self._type = S_IFMT((await self.stat(follow_symlinks=False)).st_mode) >> 12

    def __fspath__(self) -> AnyStr:
        return self.path

    def __repr__(self) -> str:
        return f"<DirEntry {self.name!r}>"


class ScandirIterator(Generic[AnyStr]):
    """The entries of a directory: what scandir() returns.

    An async iterator and an async context manager, which closes the directory in the end. It is
    closed, too, when all entries were seen. Awaited, it reads all of them at once, into an iterator
    and context manager as os.scandir() gives it.
    """

    def __init__(self, shown: Any) -> None:
        self._shown = shown
        self._descriptor = -1
        self._entries: Iterator[DirEntry[AnyStr]] = iter(())
        self._state = "new"

    def __aiter__(self) -> ScandirIterator[AnyStr]:
        return self

    async def __anext__(self) -> DirEntry[AnyStr]:
        while True:
            for entry in self._entries:
                if entry._type == _DT_UNKNOWN:
                    await entry._learn_type()
                return entry
            if not await self._read():
                raise StopAsyncIteration

    async def _read(self) -> bool:
        """Read the next entries; tell whether there are any."""
        if self._state == "new":
            await self._open()
            return True
        if self._state == "closed":
            return False
        try:
            entries = await _read_entries(self._descriptor, self._shown)
        except BaseException:
            await self.aclose()
            raise
        if not entries:
            await self.aclose()
            return False
        self._entries = iter(self._parsed(entries))
        return True

    async def _open(self) -> None:
        entries = await _read_at_once(self._shown)
        if entries is not None:
            self._entries = iter(self._parsed(entries))
            self._state = "closed"
            return
        self._descriptor = await _open_directory_of(self._shown)
        self._state = "open"

    def _parsed(self, entries: bytes) -> list[DirEntry[Any]]:
        shown, dir_fd, prefix = self._shown, None, ""
        if shown is None or isinstance(shown, str | bytes):
            prefix = os.fsdecode("." if shown is None else shown)
            if not prefix.endswith("/"):
                prefix += "/"
        else:
            dir_fd = index(shown)
        before: Any = os.fsencode(prefix) if isinstance(shown, bytes) else prefix
        return [
            DirEntry(name, before + name, inode, kind, dir_fd)
            for name, kind, inode in directory_entries(entries, not isinstance(shown, bytes))
        ]

    async def aclose(self) -> None:
        """Close the directory. Entries that were seen stay useful."""
        self._entries = iter(())
        self._state = "closed"
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor < 0:
            return
        await _close_directory(descriptor, self._shown)

    async def __aenter__(self) -> ScandirIterator[AnyStr]:
        if self._state == "new":
            await self._open()
        return self

    async def __aexit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __await__(self) -> Generator[Any, Any, Entries[AnyStr]]:
        return self._all().__await__()

    async def _all(self) -> Entries[AnyStr]:
        async with self:
            return Entries([entry async for entry in self])

    def __del__(self) -> None:
        if self._descriptor >= 0:
            warnings.warn(
                f"unclosed scandir iterator {self!r}", ResourceWarning, stacklevel=2, source=self
            )
            os.close(self._descriptor)


class Entries(Iterator[DirEntry[AnyStr]]):
    """All entries of a directory, read: what `await scandir()` gives, used as os.scandir() is."""

    def __init__(self, entries: list[DirEntry[AnyStr]]) -> None:
        self._entries: Iterator[DirEntry[AnyStr]] = iter(entries)

    def __next__(self) -> DirEntry[AnyStr]:
        return next(self._entries)

    def close(self) -> None:
        """Forget the entries that weren't seen."""
        self._entries = iter(())

    def __enter__(self) -> Entries[AnyStr]:
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


@overload
def scandir(path: None = None) -> ScandirIterator[str]: ...
@overload
def scandir(path: int) -> ScandirIterator[str]: ...
@overload
def scandir(path: AnyStr) -> ScandirIterator[AnyStr]: ...
@overload
def scandir(path: os.PathLike[AnyStr]) -> ScandirIterator[AnyStr]: ...
def scandir(path: Any = None) -> ScandirIterator[Any]:
    """List a directory with the types of what is in it. getdents64(2), os.scandir().

        async with scandir(path) as entries:
            async for entry in entries:
                if await entry.is_dir(): ...

        for entry in await scandir(path): ...

    Args:
        path: a path, or a descriptor of a directory (whose position is at its beginning
            afterwards), or None for the working directory.

    Returns:
        An async iterator of DirEntry, in no order, without "." and "..". The directory is opened
        when it is first awaited.
    """
    return ScandirIterator(_path_to_list("scandir", path))


# walk() and fwalk()


async def walk(
    top: GenericPath[AnyStr],
    topdown: bool = True,
    onerror: Callable[[OSError], object] | None = None,
    followlinks: bool = False,
) -> AsyncGenerator[tuple[AnyStr, list[AnyStr], list[AnyStr]], None]:
    """Yield path, names of directories and names of other files, for a tree. os.walk().

        async for path, directories, files in walk(top): ...

    Args:
        top: where to begin.
        topdown: a directory comes before those in it, and what is taken from the list of
            directories isn't visited; otherwise it comes after them.
        onerror: called with each OSError of a directory that can't be listed; what it raises ends
            the walk. Without it, such directories are passed over.
        followlinks: visit directories that symbolic links point at, too.
    """
    sys.audit("os.walk", top, topdown, onerror, followlinks)
    stack: list[Any] = [os.fspath(top)]
    while stack:
        item = stack.pop()
        if isinstance(item, tuple):
            yield item
            continue
        directories: list[Any] = []
        others: list[Any] = []
        to_walk: list[Any] = []
        try:
            async with scandir(item) as entries:
                async for entry in entries:
                    is_directory = await _is_dir(entry)
                    (directories if is_directory else others).append(entry.name)
                    if is_directory and not topdown and (followlinks or not entry.is_symlink()):
                        to_walk.append(entry.path)
        except OSError as error:
            if onerror is not None:
                onerror(error)
            continue
        if topdown:
            yield item, directories, others
            for name in reversed(directories):
                path = os.path.join(item, name)
                if followlinks or not await _is_symlink(path):
                    stack.append(path)
        else:
            stack.append((item, directories, others))
            stack.extend(reversed(to_walk))


async def _is_dir(entry: DirEntry[Any]) -> bool:
    try:
        return await entry.is_dir()
    except OSError:
        return False


async def _is_symlink(path: Any) -> bool:
    try:
        return S_ISLNK((await lstat(path)).st_mode)
    except (OSError, ValueError):
        return False


@overload
def fwalk(
    top: StrPath = ".",
    topdown: bool = True,
    onerror: Callable[[OSError], object] | None = None,
    *,
    follow_symlinks: bool = False,
    dir_fd: int | None = None,
) -> AsyncGenerator[tuple[str, list[str], list[str], int], None]: ...
@overload
def fwalk(
    top: BytesPath,
    topdown: bool = True,
    onerror: Callable[[OSError], object] | None = None,
    *,
    follow_symlinks: bool = False,
    dir_fd: int | None = None,
) -> AsyncGenerator[tuple[bytes, list[bytes], list[bytes], int], None]: ...
async def fwalk(
    top: Any = ".",
    topdown: bool = True,
    onerror: Callable[[OSError], object] | None = None,
    *,
    follow_symlinks: bool = False,
    dir_fd: int | None = None,
) -> AsyncGenerator[tuple[Any, list[Any], list[Any], int], None]:
    """As walk(), with a descriptor of each directory, which is open until the next. os.fwalk().

    Nothing that is renamed or replaced meanwhile leads the walk elsewhere. Descriptors are open
    while it goes on: use contextlib.aclosing() where it may be left early.
    """
    sys.audit("os.fwalk", top, topdown, onerror, follow_symlinks, dir_fd)
    top = os.fspath(top)
    # What is left to do, the next last: to close a descriptor, to yield what was listed, or to walk
    # (descriptor of the directory above, path, name, entry).
    stack: list[tuple[str, Any]] = [("walk", (dir_fd, top, top, None))]
    is_root = True
    try:
        while stack:
            action, value = stack.pop()
            if action == "yield":
                yield value
                continue
            if action == "close":
                os.close(value)
                continue
            parent_fd, path, name, entry = value
            try:
                before, descriptor = await _open_to_walk(parent_fd, name, entry, follow_symlinks)
            except OSError as error:
                if is_root:
                    raise
                if onerror is not None:
                    onerror(error)
                continue
            finally:
                is_root = False
            stack.append(("close", descriptor))
            if before is not None and not (
                S_ISDIR(before.st_mode) and os.path.samestat(before, await fstat(descriptor))
            ):
                continue  # a symbolic link, or something that has taken its place
            directories, others, entries = await _list_to_walk(descriptor, isinstance(path, bytes))
            if topdown:
                yield path, directories, others, descriptor
            else:
                stack.append(("yield", (path, directories, others, descriptor)))
            base = os.path.join(path, path[:0])
            # Of what may be pruned or reordered meanwhile, the entries are of no use.
            below: list[Any] = [None] * len(directories) if topdown or follow_symlinks else entries
            stack.extend(
                ("walk", (descriptor, base + child, child, child_entry))
                for child, child_entry in zip(directories[::-1], below[::-1], strict=True)
            )
    finally:
        for action, value in reversed(stack):
            if action == "close":
                os.close(value)


async def _open_to_walk(
    parent_fd: int | None, name: Any, entry: DirEntry[Any] | None, follow_symlinks: bool
) -> tuple[os.stat_result | None, int]:
    """Open a directory; tell what it was before, if that matters."""
    before = None
    if not follow_symlinks:
        if entry is None:
            before = await stat(name, follow_symlinks=False, dir_fd=parent_fd)
        else:
            before = await entry.stat(follow_symlinks=False)
    flags = os.O_RDONLY | os.O_NONBLOCK
    return before, await open_descriptor(name, flags, dir_fd=parent_fd)


async def _list_to_walk(
    descriptor: int, as_bytes: bool
) -> tuple[list[Any], list[Any], list[DirEntry[str]]]:
    """Return the names of directories, of all others, and the entries of the directories."""
    directories: list[Any] = []
    others: list[Any] = []
    entries: list[DirEntry[str]] = []
    async with scandir(descriptor) as found:
        async for entry in found:
            name: Any = os.fsencode(entry.name) if as_bytes else entry.name
            try:
                if await entry.is_dir():
                    directories.append(name)
                    entries.append(entry)
                else:
                    others.append(name)
            except OSError:
                if entry.is_symlink():  # to itself, or where nobody may look
                    others.append(name)
    return directories, others, entries
