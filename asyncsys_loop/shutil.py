"""Awaitable twins of functions of `shutil`: names, arguments, results, errors and audit events.

Beside what `shutil` does:

* A copy is a clone where the file system can share blocks (FICLONE); else the kernel copies
  (copy_file_range, sendfile). Holes of sparse files stay holes.
* `copytree()` and `rmtree()` work on many files at once, at most `concurrency` of them. Both walk
  by descriptors of directories: who swaps a directory for a symbolic link meanwhile doesn't make
  them leave the tree. For `copytree()` that holds with `copy2` and `copy` of this module; another
  `copy_function` gets paths.
* `progress` is called as the work goes on. It must not block. What it raises ends the work.

Cancellation: nothing is left open. A file that a cancelled copy made is removed, as its content is
not whole; one that was there before has lost its content, and keeps what was copied. What was done
to a tree stays done.

What `shutil` has and this module hasn't: archives are work for the processor
(`asyncio.to_thread(shutil.make_archive, …)`), and the size of a terminal doesn't block.
"""

from __future__ import annotations

import asyncio as _asyncio
import errno as _errno
import fcntl as _fcntl
import inspect as _inspect
import os as _os
import stat as _stat
import sys as _sys
from shutil import Error, SameFileError, SpecialFileError, _ntuple_diskusage, ignore_patterns
from typing import TYPE_CHECKING, Any, Final, TypeVar, overload

from . import os as _aos
from ._jobs import Jobs as _Jobs
from ._operation import operation as _operation

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from typing import Protocol, TypeAlias

    from ._types import BytesPath, FileDescriptorOrPath, StrOrBytesPath, StrPath

    CopyProgress: TypeAlias = Callable[[str | bytes, int, int], object]
    RemoveProgress: TypeAlias = Callable[[str], object]
    Ignore: TypeAlias = Callable[[Any, list[str]], Iterable[str] | Awaitable[Iterable[str]]]
    OnError: TypeAlias = Callable[[Callable[..., Any], str, Any], object]

    _Data_co = TypeVar("_Data_co", covariant=True)
    _Data_contra = TypeVar("_Data_contra", contravariant=True)

    class SupportsRead(Protocol[_Data_co]):
        """A file whose read() is awaited."""

        def read(self, size: int, /) -> Awaitable[_Data_co]: ...

    class SupportsWrite(Protocol[_Data_contra]):
        """A file whose write() is awaited."""

        def write(self, data: _Data_contra, /) -> Awaitable[object]: ...


_StrPathT = TypeVar("_StrPathT", bound="StrPath")
_BytesPathT = TypeVar("_BytesPathT", bound="BytesPath")
_StrOrBytesPathT = TypeVar("_StrOrBytesPathT", bound="StrOrBytesPath")

__all__ = [
    "Error",
    "SameFileError",
    "SpecialFileError",
    "chown",
    "copy",
    "copy2",
    "copyfd",
    "copyfile",
    "copyfileobj",
    "copymode",
    "copystat",
    "copytree",
    "disk_usage",
    "ignore_patterns",
    "move",
    "rmtree",
    "which",
]

# One call copies no more than this, so that progress is told and a cancellation is noticed.
_PIECE: Final = 16 * 1024 * 1024
# copy_file_range(2) clones, too, where it can. One call for the whole is worth trying for these.
_CLONE_FROM: Final = 1024 * 1024
_BUFFER: Final = 256 * 1024
_COPYFILEOBJ_LENGTH: Final = 64 * 1024

_CONCURRENCY: Final = 16

# The kernel follows no more symbolic links than these in one path: path_resolution(7).
_MOST_SYMLINKS: Final = 40

_DIRECTORY: Final = _os.O_RDONLY | _os.O_DIRECTORY | _os.O_NONBLOCK

# Linux's, which Python names since 3.13 or so; the same number on all architectures with these
# directions of ioctl(2), which are those of Python's wheels.
_FICLONE: Final = getattr(_fcntl, "FICLONE", 0x40049409)

# The events are those of open(), which shutil copies with: _copy_file() tells them.
_TO_READ: Final = _os.O_RDONLY | _os.O_CLOEXEC
_TO_WRITE: Final = _os.O_WRONLY | _os.O_CREAT | _os.O_CLOEXEC
_open = _operation("openat", "dir_fd path int 438", function="open", result=int)  # 0o666

_clone = _operation("ioctl", "fd word fd", result=None)
_copy_on = _operation("copy_file_range", "fd 0 fd 0 size 0", result=int)

# A way that isn't there for these files; the next one is taken. EBADF: a descriptor that appends.
_NOT_THIS_WAY: Final = {
    _errno.EBADF,
    _errno.EINVAL,
    _errno.ENOSYS,
    _errno.ENOTTY,
    _errno.EOPNOTSUPP,
    _errno.EPERM,
    _errno.ETXTBSY,
    _errno.EXDEV,
}
# What an attribute can't do at its new place is left out, as shutil does.
_NO_XATTR: Final = {
    _errno.EPERM,
    _errno.ENOTSUP,
    _errno.ENODATA,
    _errno.EINVAL,
    _errno.EACCES,
}


# What is there isn't a directory, nor a symbolic link to one.
_NO_DIRECTORY: Final = {_errno.ENOTDIR, _errno.ENOENT, _errno.ELOOP}


async def _finished(work: Awaitable[object]) -> None:
    """Await work to its end, however often the caller is cancelled meanwhile."""
    task = _asyncio.ensure_future(work)
    while not task.done():
        try:
            await _asyncio.shield(task)
        except _asyncio.CancelledError:
            continue
        except OSError:
            return


# Content


async def copyfileobj(
    fsrc: SupportsRead[Any],
    fdst: SupportsWrite[Any],
    length: int = 0,
    *,
    progress: Callable[[int], object] | None = None,
) -> None:
    """Copy what can be read from one file object to another. shutil.copyfileobj().

    Args:
        fsrc: an object with `await read(n)`, from its position on.
        fdst: an object with `await write(data)`.
        length: how much is read at a time; 64 Ki if it is 0, everything if it is negative.
        progress: called after each write with the length of all that was copied so far.
    """
    _check_progress(progress)
    length = length or _COPYFILEOBJ_LENGTH
    copied = 0
    while data := await fsrc.read(length):
        await fdst.write(data)
        if progress is not None:
            copied += len(data)
            progress(copied)


class _Ways:
    """Which ways to copy have turned out not to be there, by device of the source."""

    __slots__ = ("no_clone", "no_copy_file_range", "no_sendfile")

    def __init__(self) -> None:
        self.no_clone: set[int] = set()
        self.no_copy_file_range: set[int] = set()
        self.no_sendfile: set[int] = set()


async def copyfd(
    src: int,
    dst: int,
    status: _os.stat_result | None = None,
    *,
    progress: Callable[[int, int], object] | None = None,
) -> int:
    """Copy the content of one open file into another, empty one, the quickest way there is.

    A clone, if the file system shares blocks (FICLONE); else copy_file_range(2), sendfile(2), or
    reading and writing. Holes stay holes. The positions of both descriptors are undefined
    afterwards. This is what copyfile() does; `shutil` has no such function.

    Args:
        src: a descriptor to read, at the beginning of the file.
        dst: a descriptor to write, of an empty file.
        status: what fstat() told about `src`, if that is known.
        progress: called with the bytes that were copied so far, and the size of the file.

    Returns:
        How many bytes were copied, holes included.

    Raises:
        OSError: no way to copy worked.
    """
    _check_progress(progress)
    if status is None:
        status = await _aos.fstat(src)
    return await _copy_content(src, dst, status, _Ways(), progress)


async def _copy_content(
    src: int,
    dst: int,
    status: _os.stat_result,
    ways: _Ways,
    progress: Callable[[int, int], object] | None,
) -> int:
    size, device = status.st_size, status.st_dev
    if not _stat.S_ISREG(status.st_mode) or size == 0:
        # Files of /proc say that they are empty, and to the calls below they are.
        return await _read_and_write(src, dst, progress)
    if size > _CLONE_FROM and device not in ways.no_clone:
        try:
            await _clone(dst, _FICLONE, src)
        except OSError as error:
            if error.errno not in _NOT_THIS_WAY:
                raise
            ways.no_clone.add(device)
        else:
            if progress is not None:
                progress(size, size)
            return size
    if status.st_blocks * 512 >= size:
        copied = await _copy_from_beginning(src, dst, status, ways, progress)
    else:
        copied = await _copy_between_holes(src, dst, status, ways, progress)
    if progress is not None:
        progress(copied, size)
    return copied


async def _copy_from_beginning(
    src: int,
    dst: int,
    status: _os.stat_result,
    ways: _Ways,
    progress: Callable[[int, int], object] | None,
) -> int:
    """Let copy_file_range(2) move the positions, which is quicker than to give it others."""
    size, copied = status.st_size, 0
    while copied < size and status.st_dev not in ways.no_copy_file_range:
        try:
            more = await _copy_on(src, dst, min(size - copied, _PIECE))
        except OSError as error:
            if error.errno not in _NOT_THIS_WAY:
                raise
            ways.no_copy_file_range.add(status.st_dev)
            break
        if more == 0:
            return copied
        copied += more
        if progress is not None and copied < size:
            progress(copied, size)
    return await _copy_range(src, dst, copied, size, status, ways, progress)


async def _copy_between_holes(
    src: int,
    dst: int,
    status: _os.stat_result,
    ways: _Ways,
    progress: Callable[[int, int], object] | None,
) -> int:
    size, end = status.st_size, 0
    while end < size:
        try:
            start = await _aos.lseek(src, end, _os.SEEK_DATA)
        except OSError as error:
            if error.errno == _errno.ENXIO:  # a hole up to the end
                break
            if error.errno != _errno.EINVAL:
                raise
            start = end  # this file system doesn't tell holes
        try:
            end = await _aos.lseek(src, start, _os.SEEK_HOLE) if start < size else size
        except OSError as error:
            if error.errno not in {_errno.EINVAL, _errno.ENXIO}:
                raise
            end = size
        end = min(end, size)
        if start >= end:
            break
        stop = await _copy_range(src, dst, start, end, status, ways, progress)
        if stop < end:  # the file was cut meanwhile
            return stop
    await _aos.ftruncate(dst, size)
    return size


async def _copy_range(
    src: int,
    dst: int,
    start: int,
    end: int,
    status: _os.stat_result,
    ways: _Ways,
    progress: Callable[[int, int], object] | None,
) -> int:
    """Copy the bytes from `start` to `end`, and return where the copy ended."""
    device, at = status.st_dev, start
    while at < end:
        length = min(end - at, _PIECE)
        if device not in ways.no_copy_file_range:
            try:
                copied = await _aos.copy_file_range(src, dst, length, at, at)
            except OSError as error:
                if error.errno not in _NOT_THIS_WAY:
                    raise
                ways.no_copy_file_range.add(device)
                continue
        elif device not in ways.no_sendfile:
            try:
                await _aos.lseek(dst, at, _os.SEEK_SET)
                copied = await _aos.sendfile(dst, src, at, length)
            except OSError as error:
                if error.errno not in _NOT_THIS_WAY:
                    raise
                ways.no_sendfile.add(device)
                continue
        else:
            data = await _aos.pread(src, min(length, _BUFFER), at)
            copied = len(data)
            await _write_all(dst, data, at)
        if copied == 0:
            break
        at += copied
        if progress is not None and at < end:
            progress(at, status.st_size)
    return at


async def _write_all(dst: int, data: bytes, offset: int) -> None:
    view = memoryview(data)
    while view:
        written = await _aos.pwrite(dst, view, offset)
        view, offset = view[written:], offset + written


async def _read_and_write(src: int, dst: int, progress: Callable[[int, int], object] | None) -> int:
    copied = 0
    while data := await _aos.read(src, _BUFFER):
        view = memoryview(data)
        while view:
            view = view[await _aos.write(dst, view) :]
        copied += len(data)
        if progress is not None:
            progress(copied, copied)
    if progress is not None and copied == 0:
        progress(0, 0)
    return copied


async def _status_or_none(path: Any) -> _os.stat_result | None:
    try:
        return await _aos.stat(path)
    except OSError:
        return None


async def _status(path: Any) -> _os.stat_result | None:
    """As _status_or_none(), of what may be no path at all: it isn't there."""
    try:
        return await _status_or_none(path)
    except ValueError:
        return None


async def _is_directory(path: Any) -> bool:
    status = await _status(path)
    return status is not None and _stat.S_ISDIR(status.st_mode)


async def _is_link(path: Any) -> bool:
    try:
        return _stat.S_ISLNK((await _aos.lstat(path)).st_mode)
    except (OSError, ValueError, AttributeError):
        return False


def _same(a: _os.stat_result | None, b: _os.stat_result | None) -> bool:
    return a is not None and b is not None and _os.path.samestat(a, b)


def _shown(path: Any) -> Any:
    """Return a path as errors and `progress` show it."""
    return _os.fspath(path) if isinstance(path, _os.PathLike) else path


def _name(error: OSError, *paths: Any) -> None:
    """Let an error name the paths that the caller knows, not what a call was given."""
    if error.errno is not None:
        error.filename = _shown(paths[0])
        if len(paths) > 1:  # None would be shown
            error.filename2 = _shown(paths[1])


async def copyfile(
    src: StrOrBytesPath,
    dst: _StrOrBytesPathT,
    *,
    follow_symlinks: bool = True,
    progress: CopyProgress | None = None,
) -> _StrOrBytesPathT:
    """Copy the content of a file to a file, and return `dst`. shutil.copyfile().

    Args:
        src: the file.
        dst: the new file; one that is there gets a new content.
        follow_symlinks: if false, and `src` is a symbolic link, `dst` becomes such a link.
        progress: called with `src`, the bytes that were copied so far, and the size of the file.

    Raises:
        SameFileError: both are the same file.
        SpecialFileError: one of them is a FIFO.
        OSError: one can't be opened, read or written.
    """
    _check_progress(progress)
    _sys.audit("shutil.copyfile", src, dst)
    source, target = await _status_or_none(src), await _status_or_none(dst)
    if _same(source, target):
        raise SameFileError(f"{src!r} and {dst!r} are the same file")
    for path, status in ((src, source), (dst, target)):
        if status is not None and _stat.S_ISFIFO(status.st_mode):
            raise SpecialFileError(f"`{_shown(path)}` is a named pipe")
    if not follow_symlinks and await _is_link(src):
        await _aos.symlink(await _aos.readlink(src), dst)
        return dst
    tell = None if progress is None else _telling(progress, src)
    await _copy_file(src, dst, src, dst, flags=0, new=target is None, ways=_Ways(), progress=tell)
    return dst


def _check_progress(progress: object) -> None:
    """Refuse what can't be called before anything is done."""
    if progress is not None and not callable(progress):
        raise TypeError(f"progress must be callable, not {type(progress).__name__}")


def _telling(progress: CopyProgress, path: Any) -> Callable[[int, int], object]:
    shown = _shown(path)

    def tell(copied: int, size: int) -> None:
        progress(shown, copied, size)

    return tell


async def _copy_file(
    src: Any,
    dst: Any,
    shown_src: Any,
    shown_dst: Any,
    *,
    flags: int,
    new: bool,
    ways: _Ways,
    progress: Callable[[int, int], object] | None,
    metadata: Callable[[_os.stat_result, int, int], Awaitable[None]] | None = None,
    src_dir_fd: int | None = None,
    dst_dir_fd: int | None = None,
    exclusive: bool = False,
) -> None:
    """Copy one file. Errors and audit events show these paths, whatever the calls were given.

    `flags`: what is added to those that `src` is opened with.
    `new`: nothing is expected at `dst`; then O_EXCL tells who makes it, and so who may remove it.
    `exclusive`: what is there nevertheless is an error.
    """
    shown: tuple[Any, ...] = (shown_src,)
    descriptor, making, made = -1, False, False
    try:
        _sys.audit("open", _shown(shown_src), "r", _TO_READ)
        fd = await _open(src_dir_fd, src, _TO_READ | flags)
        try:
            status = await _aos.fstat(fd)
            if _stat.S_ISFIFO(status.st_mode):
                raise SpecialFileError(f"`{_shown(shown_src)}` is a named pipe")
            if _stat.S_ISDIR(status.st_mode):
                raise IsADirectoryError(_errno.EISDIR, _os.strerror(_errno.EISDIR))
            if flags & _os.O_NONBLOCK and not _stat.S_ISREG(status.st_mode):
                _os.set_blocking(fd, True)
            shown = (shown_dst,)
            _sys.audit("open", _shown(shown_dst), "w", _TO_WRITE | _os.O_TRUNC)
            if new:
                making = True
                try:
                    descriptor = await _open(dst_dir_fd, dst, _TO_WRITE | _os.O_EXCL)
                    made = True
                except FileExistsError:
                    making = False
                    if exclusive:
                        raise
                    await _refuse_target(shown_src, shown_dst, status, dst, dst_dir_fd)
            if not made:  # it's there, or a symbolic link to nothing is
                descriptor = await _open(dst_dir_fd, dst, _TO_WRITE | _os.O_TRUNC)
            try:
                shown = (shown_src, shown_dst)
                await _copy_content(fd, descriptor, status, ways, progress)
                shown = (shown_dst,)
                if metadata is not None:
                    await metadata(status, fd, descriptor)
            finally:
                await _aos.close(descriptor)
        finally:
            _os.close(fd)
    except OSError as error:
        _name(error, *shown)
        if (
            isinstance(error, IsADirectoryError)
            and shown == (shown_dst,)
            and await _status(shown_dst) is None
        ):
            raise FileNotFoundError(f"Directory does not exist: {shown_dst!s}") from error
        raise
    except _asyncio.CancelledError:
        if making:
            await _finished(_remove(dst, dst_dir_fd, made))
        raise


async def _remove(path: Any, dir_fd: int | None, made: bool) -> None:
    """Remove a file that isn't whole. Unless `made`, only an empty one: open(2) was cancelled."""
    if not made:
        status = await _aos.stat(path, dir_fd=dir_fd, follow_symlinks=False)
        if not _stat.S_ISREG(status.st_mode) or status.st_size or status.st_uid != _os.geteuid():
            return
    await _aos.unlink(path, dir_fd=dir_fd)


async def _refuse_target(
    shown_src: Any, shown_dst: Any, source: _os.stat_result, dst: Any, dir_fd: int | None
) -> None:
    """Raise what copyfile() raises for files that are there and can't be written."""
    try:
        target = await _aos.stat(dst, dir_fd=dir_fd)
    except OSError:
        return  # a symbolic link to nothing
    if _same(source, target):
        raise SameFileError(f"{shown_src!r} and {shown_dst!r} are the same file")
    if _stat.S_ISFIFO(target.st_mode):
        raise SpecialFileError(f"`{_shown(shown_dst)}` is a named pipe")


# Metadata


async def copymode(
    src: StrOrBytesPath, dst: StrOrBytesPath, *, follow_symlinks: bool = True
) -> None:
    """Copy the permission bits of a file to another. shutil.copymode().

    Args:
        src: the file that has them.
        dst: the file that gets them.
        follow_symlinks: if false, and both are symbolic links, nothing is done: on Linux they have
            no permissions.

    Raises:
        OSError: one isn't there, or may not be changed.
    """
    _sys.audit("shutil.copymode", src, dst)
    if not follow_symlinks and await _is_link(src) and await _is_link(dst):
        return
    await _aos.chmod(dst, _stat.S_IMODE((await _aos.stat(src)).st_mode))


async def copystat(
    src: StrOrBytesPath, dst: StrOrBytesPath, *, follow_symlinks: bool = True
) -> None:
    """Copy permission bits, times (in ns) and extended attributes. shutil.copystat().

    Owner and group are left alone, and so are attributes that the new place doesn't take.

    Args:
        src: the file that has them; a descriptor does, too.
        dst: the file that gets them; a descriptor does, too.
        follow_symlinks: if false, and both are symbolic links, they are copied between the links.

    Raises:
        OSError: one isn't there, or may not be changed.
    """
    _sys.audit("shutil.copystat", src, dst)
    follow = follow_symlinks or not (await _is_link(src) and await _is_link(dst))
    await _copy_metadata(await _aos.stat(src, follow_symlinks=follow), src, dst, follow=follow)


async def _copy_metadata(
    status: _os.stat_result, src: Any, dst: Any, *, follow: bool = True
) -> None:
    times = (status.st_atime_ns, status.st_mtime_ns)
    await _aos.utime(dst, ns=times, follow_symlinks=follow)
    # Before chmod(), which may take away the permission to set them.
    await _copy_xattrs(src, dst, follow=follow)
    if follow:  # symbolic links have no mode on Linux
        await _aos.chmod(dst, _stat.S_IMODE(status.st_mode))


async def _copy_mode(status: _os.stat_result, src: int, dst: int) -> None:
    await _aos.chmod(dst, _stat.S_IMODE(status.st_mode))


async def _copy_xattrs(src: Any, dst: Any, *, follow: bool) -> None:
    try:
        names = await _aos.listxattr(src, follow_symlinks=follow)
    except OSError as error:
        if error.errno not in {_errno.ENOTSUP, _errno.ENODATA, _errno.EINVAL}:
            raise
        return
    for name in names:
        try:
            value = await _aos.getxattr(src, name, follow_symlinks=follow)
            await _aos.setxattr(dst, name, value, follow_symlinks=follow)
        except OSError as error:
            if error.errno not in _NO_XATTR:
                raise


async def _target_in(dst: Any, src: Any) -> Any:
    return _os.path.join(dst, _os.path.basename(src)) if await _is_directory(dst) else dst


@overload
async def copy(
    src: StrPath,
    dst: _StrPathT,
    *,
    follow_symlinks: bool = True,
    progress: CopyProgress | None = None,
) -> _StrPathT | str: ...
@overload
async def copy(
    src: BytesPath,
    dst: _BytesPathT,
    *,
    follow_symlinks: bool = True,
    progress: CopyProgress | None = None,
) -> _BytesPathT | bytes: ...
async def copy(
    src: Any, dst: Any, *, follow_symlinks: bool = True, progress: CopyProgress | None = None
) -> Any:
    """Copy content and permission bits, and return the new file's path. shutil.copy().

    Args, errors and cancellation: as copyfile(). Where `dst` is a directory, the new file is in it,
    under the name of `src`.
    """
    dst = await _target_in(dst, src)
    await copyfile(src, dst, follow_symlinks=follow_symlinks, progress=progress)
    await copymode(src, dst, follow_symlinks=follow_symlinks)
    return dst


@overload
async def copy2(
    src: StrPath,
    dst: _StrPathT,
    *,
    follow_symlinks: bool = True,
    progress: CopyProgress | None = None,
) -> _StrPathT | str: ...
@overload
async def copy2(
    src: BytesPath,
    dst: _BytesPathT,
    *,
    follow_symlinks: bool = True,
    progress: CopyProgress | None = None,
) -> _BytesPathT | bytes: ...
async def copy2(
    src: Any, dst: Any, *, follow_symlinks: bool = True, progress: CopyProgress | None = None
) -> Any:
    """Copy content and metadata, as copystat(), and return the new file's path. shutil.copy2().

    Args, errors and cancellation: as copyfile(). Where `dst` is a directory, the new file is in it,
    under the name of `src`.
    """
    dst = await _target_in(dst, src)
    await copyfile(src, dst, follow_symlinks=follow_symlinks, progress=progress)
    await copystat(src, dst, follow_symlinks=follow_symlinks)
    return dst


# Trees


class _Directory:
    """A directory that is copied or removed. It ends when nothing in it is `pending` any more."""

    __slots__ = ("dst", "dst_fd", "fd", "kept", "links", "name", "parent", "path", "pending")

    def __init__(self, parent: _Directory | None, name: Any, path: Any, dst: Any = None) -> None:
        self.parent = parent
        self.name = name  # in the parent, or the whole path where there is none
        self.path = path
        self.dst = dst
        self.fd = self.dst_fd = -1
        self.links: int = 0 if parent is None else parent.links
        self.kept = False
        self.pending = 1  # itself, until its entries are known
        if parent is not None:
            parent.pending += 1

    def close(self) -> None:
        # Directories: closing them writes nothing, so it doesn't block.
        for fd in (self.fd, self.dst_fd):
            if fd >= 0:
                _os.close(fd)
        self.fd = self.dst_fd = -1


class _Walk:
    """What copying and removing a tree share: directories that are open, and jobs."""

    def __init__(self, concurrency: int) -> None:
        self.jobs = _Jobs(concurrency)
        self.opened: set[_Directory] = set()

    def close(self) -> None:
        for directory in self.opened:
            directory.close()
        self.opened.clear()

    async def left(self, directory: _Directory | None) -> None:
        """One of the things that a directory waits for has ended."""
        while directory is not None:
            directory.pending -= 1
            if directory.pending:
                return
            await self.end(directory)
            self.opened.discard(directory)
            directory.close()
            directory = directory.parent

    async def end(self, directory: _Directory) -> None:
        raise NotImplementedError


class _TreeCopy(_Walk):
    def __init__(
        self,
        *,
        symlinks: bool,
        ignore: Ignore | None,
        copy_function: Callable[..., Any],
        ignore_dangling_symlinks: bool,
        dirs_exist_ok: bool,
        progress: CopyProgress | None,
        concurrency: int,
    ) -> None:
        super().__init__(concurrency)
        self.symlinks = symlinks
        self.ignore = ignore
        self.copy_function = copy_function
        self.ignore_dangling_symlinks = ignore_dangling_symlinks
        self.dirs_exist_ok = dirs_exist_ok
        _check_progress(progress)
        self.progress = progress
        self.ways = _Ways()
        self.errors: list[Any] = []
        self.metadata: Callable[[_os.stat_result, int, int], Awaitable[None]] | None = None
        self.metadata_event = ""
        if copy_function is copy2:
            self.metadata, self.metadata_event = _copy_metadata, "shutil.copystat"
        elif copy_function is copy:
            self.metadata, self.metadata_event = _copy_mode, "shutil.copymode"

    async def open(self, directory: _Directory, *, link: bool = False) -> None:
        """Open the directory, make the new one, and put the entries on the stack."""
        self.opened.add(directory)
        parent = directory.parent
        shown = directory.path
        try:
            if parent is None:
                directory.fd = await _aos.open(directory.name, _DIRECTORY)
            else:
                _sys.audit("shutil.copytree", directory.path, directory.dst)
                flags = _DIRECTORY if link else _DIRECTORY | _os.O_NOFOLLOW
                directory.fd = await _aos.open(directory.name, flags, dir_fd=parent.fd)
            entries = await _entries(directory.fd)
            names: list[Any] = [entry.name for entry in entries]
            if isinstance(directory.path, bytes):
                names = [_os.fsencode(name) for name in names]
            ignored: Any = ()
            if self.ignore is not None:
                ignored = self.ignore(_os.fspath(directory.path), names.copy())
                if _inspect.isawaitable(ignored):
                    ignored = await ignored
            shown = directory.dst
            await self._make(directory)
        except OSError as error:
            _name(error, shown)
            raise
        for name, entry in zip(names, entries, strict=True):
            if name not in ignored:
                directory.pending += 1
                self.jobs.add(self._copy_entry, directory, name, entry)

    async def _make(self, directory: _Directory) -> None:
        parent = directory.parent
        flags = _DIRECTORY
        if parent is None:
            await _aos.makedirs(directory.dst, exist_ok=self.dirs_exist_ok)
            directory.dst_fd = await _aos.open(directory.dst, flags)
            return
        try:
            await _aos.mkdir(directory.name, dir_fd=parent.dst_fd)
            flags |= _os.O_NOFOLLOW  # what was made here is no link
        except FileExistsError:
            if not self.dirs_exist_ok:
                raise
        try:
            directory.dst_fd = await _aos.open(directory.name, flags, dir_fd=parent.dst_fd)
        except OSError as error:
            if flags & _os.O_NOFOLLOW or error.errno not in _NO_DIRECTORY:
                raise
            code = _errno.EEXIST  # as os.makedirs() has it
            raise FileExistsError(code, _os.strerror(code)) from None

    async def _copy_entry(
        self, directory: _Directory, name: Any, entry: _aos.DirEntry[str]
    ) -> None:
        src, dst = _os.path.join(directory.path, name), _os.path.join(directory.dst, name)
        try:
            await self._copy(directory, name, entry, src, dst)
        except SameFileError as error:
            self.errors.append((src, dst, str(error)))
        except Error as error:
            self.errors.extend(error.args[0])
        except OSError as error:
            self.errors.append((src, dst, str(error)))
        await self.left(directory)

    async def _copy(
        self, directory: _Directory, name: Any, entry: _aos.DirEntry[str], src: Any, dst: Any
    ) -> None:
        link = entry.is_symlink()
        if link and self.symlinks:
            await self._copy_link(directory, name, src, dst)
            return
        if link:
            status = await _status_in(directory.fd, name, src)
            if status is None and self.ignore_dangling_symlinks:
                return
            is_directory = status is not None and _stat.S_ISDIR(status.st_mode)
        else:
            is_directory = await entry.is_dir(follow_symlinks=False)
        if is_directory:
            child = _Directory(directory, name, src, dst)
            child.links += link
            if child.links > _MOST_SYMLINKS:
                child.close()
                directory.pending -= 1
                raise OSError(_errno.ELOOP, _os.strerror(_errno.ELOOP), src)
            try:
                await self.open(child, link=link)
            except BaseException:
                self.opened.discard(child)
                child.close()
                directory.pending -= 1
                raise
            await self.left(child)
        elif self.metadata is None:
            result = self.copy_function(src, dst)
            if _inspect.isawaitable(result):
                await result
        else:
            if not link and not await entry.is_file(follow_symlinks=False):
                await self._refuse_special(directory, name, src, dst)
            try:
                await self._copy_file(directory, name, name, src, dst, link=link)
            except IsADirectoryError:
                if not self.dirs_exist_ok:
                    raise
                # As copy() has it: into the directory that has the name.
                name_in = _os.path.join(name, name)
                dst = _os.path.join(dst, name)
                await self._copy_file(directory, name, name_in, src, dst, link=link)

    async def _copy_file(
        self, directory: _Directory, name: Any, new_name: Any, src: Any, dst: Any, *, link: bool
    ) -> None:
        async def metadata(status: _os.stat_result, fd: int, new_fd: int) -> None:
            _sys.audit(self.metadata_event, src, dst)
            if self.metadata is not None:
                await self.metadata(status, fd, new_fd)

        _sys.audit("shutil.copyfile", src, dst)
        await _copy_file(
            name,
            new_name,
            src,
            dst,
            flags=_os.O_NONBLOCK if link else _os.O_NONBLOCK | _os.O_NOFOLLOW,
            new=True,
            exclusive=not self.dirs_exist_ok,
            ways=self.ways,
            progress=None if self.progress is None else _telling(self.progress, src),
            metadata=metadata,
            src_dir_fd=directory.fd,
            dst_dir_fd=directory.dst_fd,
        )

    async def _refuse_special(self, directory: _Directory, name: Any, src: Any, dst: Any) -> None:
        """Raise for a FIFO. Opening one wakes those who wait to write to it."""
        status = await _aos.stat(name, dir_fd=directory.fd, follow_symlinks=False)
        if _stat.S_ISFIFO(status.st_mode):
            _sys.audit("shutil.copyfile", src, dst)
            raise SpecialFileError(f"`{src}` is a named pipe")

    async def _copy_link(self, directory: _Directory, name: Any, src: Any, dst: Any) -> None:
        shown: tuple[Any, ...] = (src,)
        try:
            target = await _aos.readlink(name, dir_fd=directory.fd)
            status = await _aos.stat(name, dir_fd=directory.fd, follow_symlinks=False)
            shown = (target, dst)
            await _aos.symlink(target, name, dir_fd=directory.dst_fd)
            _sys.audit("shutil.copystat", src, dst)
            shown = (dst,)
            times = (status.st_atime_ns, status.st_mtime_ns)
            await _aos.utime(name, ns=times, dir_fd=directory.dst_fd, follow_symlinks=False)
            # These calls have no dir_fd. A link of /proc leads to the directory that is open.
            text = _os.fsdecode(name)
            await _copy_xattrs(
                f"/proc/self/fd/{directory.fd}/{text}",
                f"/proc/self/fd/{directory.dst_fd}/{text}",
                follow=False,
            )
        except OSError as error:
            _name(error, *shown)
            raise

    async def end(self, directory: _Directory) -> None:
        _sys.audit("shutil.copystat", directory.path, directory.dst)
        try:
            status = await _aos.fstat(directory.fd)
            await _copy_metadata(status, directory.fd, directory.dst_fd)
        except OSError as error:
            _name(error, directory.dst)
            self.errors.append((directory.path, directory.dst, str(error)))


async def _status_in(dir_fd: int, name: Any, shown: Any) -> _os.stat_result | None:
    try:
        return await _aos.stat(name, dir_fd=dir_fd)
    except FileNotFoundError:
        return None
    except OSError as error:
        _name(error, shown)
        raise


async def _entries(fd: int) -> list[_aos.DirEntry[str]]:
    return list(await _aos.scandir(fd))


async def copytree(
    src: StrPath,
    dst: _StrPathT,
    symlinks: bool = False,
    ignore: Ignore | None = None,
    copy_function: Callable[[str, str], object] = copy2,
    ignore_dangling_symlinks: bool = False,
    dirs_exist_ok: bool = False,
    *,
    progress: CopyProgress | None = None,
    concurrency: int = _CONCURRENCY,
) -> _StrPathT:
    """Copy a tree of directories, and return `dst`. shutil.copytree().

    Args:
        src: the directory.
        dst: the new directory; those above it are made as well.
        symlinks: copy symbolic links as links, not what they lead to.
        ignore: called with a directory and the list of its names; returns those to leave out. It
            may be a coroutine function.
        copy_function: called with the paths of a file and of its copy. It may be a coroutine
            function; another one must not block. With copy2 and copy of this module, files are
            opened in the directories that were walked, not by their paths.
        ignore_dangling_symlinks: where links are followed, leave out those that lead to nothing.
        dirs_exist_ok: directories may be there; files in them are overwritten.
        progress: called for each file with its path, the bytes that were copied so far, and its
            size; it isn't called for what another `copy_function` copies.
        concurrency: how many files are copied at a time.

    Raises:
        Error: what could not be copied, after all else was: a list of (src, dst, reason).
        OSError: `src` can't be listed, or `dst` can't be made.
    """
    _sys.audit("shutil.copytree", src, dst)
    tree = _TreeCopy(
        symlinks=symlinks,
        ignore=ignore,
        copy_function=copy_function,
        ignore_dangling_symlinks=ignore_dangling_symlinks,
        dirs_exist_ok=dirs_exist_ok,
        progress=progress,
        concurrency=concurrency,
    )
    try:
        root = _Directory(None, src, src, dst)
        await tree.open(root)
        await tree.left(root)
        await tree.jobs.run()
    finally:
        tree.close()
    if tree.errors:
        raise Error(tree.errors)
    return dst


_NO_LINK: Final = "Cannot call rmtree on a symbolic link"


class _TreeRemoval(_Walk):
    def __init__(
        self,
        handle: Callable[[Any, Any, OSError], object] | None,
        progress: RemoveProgress | None,
        dir_fd: int | None,
        concurrency: int,
    ) -> None:
        super().__init__(concurrency)
        self.handle = handle
        _check_progress(progress)
        self.progress = progress
        self.dir_fd = dir_fd  # of the tree's own path

    async def failed(self, function: Any, path: Any, error: OSError) -> None:
        """Tell of an error, within its except clause: handlers may look at sys.exc_info()."""
        _name(error, path)
        if self.handle is None:
            raise error
        answer = self.handle(function, path, error)
        if _inspect.isawaitable(answer):
            await answer

    async def open(self, directory: _Directory) -> None:
        """Open a directory, and put its entries on the stack."""
        parent = directory.parent
        dir_fd = self.dir_fd if parent is None else parent.fd
        function: Any = _os.open
        try:
            if parent is None:
                function = _os.lstat
                status = await _aos.lstat(directory.name, dir_fd=dir_fd)
                if _stat.S_ISLNK(status.st_mode):
                    function = _os.open
                    await _aos.stat(directory.name, dir_fd=dir_fd)
                    function = _os.path.islink
                    raise OSError(_NO_LINK)
                function = _os.open if _stat.S_ISDIR(status.st_mode) else _os.scandir
            flags = _DIRECTORY | _os.O_NOFOLLOW
            directory.fd = await _aos.open(directory.name, flags, dir_fd=dir_fd)
            self.opened.add(directory)
            function = _os.scandir
            for entry in await _entries(directory.fd):
                self.jobs.add(self.remove, directory, entry)
                directory.pending += 1
        except FileNotFoundError as error:
            directory.kept = True
            if parent is None:
                await self.failed(function, directory.path, error)
        except OSError as error:
            directory.kept = function is not _os.scandir
            if function is not _os.open or not isinstance(error, NotADirectoryError):
                await self.failed(function, directory.path, error)
                return
            try:
                raise OSError(_NO_LINK) from error  # it was a directory a moment ago
            except OSError as refused:
                await self.failed(_os.path.islink, directory.path, refused)

    async def remove(self, directory: _Directory, entry: _aos.DirEntry[str]) -> None:
        path = _os.path.join(directory.path, entry.name)
        if await entry.is_dir(follow_symlinks=False):
            child = _Directory(directory, entry.name, path)
            await self.open(child)
            await self.left(child)
        else:
            try:
                await _aos.unlink(entry.name, dir_fd=directory.fd)
            except FileNotFoundError:
                pass  # somebody else was quicker
            except OSError as error:
                await self.failed(_os.unlink, path, error)
            else:
                if self.progress is not None:
                    self.progress(path)
        await self.left(directory)

    async def end(self, directory: _Directory) -> None:
        parent = directory.parent
        directory_fd, directory.fd = directory.fd, -1
        if directory_fd >= 0:
            _os.close(directory_fd)
        if directory.kept:
            return
        try:
            dir_fd = self.dir_fd if parent is None else parent.fd
            await _aos.rmdir(directory.name, dir_fd=dir_fd)
        except FileNotFoundError as error:
            if parent is None:
                await self.failed(_os.rmdir, directory.path, error)
        except OSError as error:
            await self.failed(_os.rmdir, directory.path, error)
        else:
            if self.progress is not None:
                self.progress(directory.path)


async def rmtree(
    path: StrOrBytesPath,
    ignore_errors: bool = False,
    onerror: OnError | None = None,
    *,
    onexc: OnError | None = None,
    dir_fd: int | None = None,
    progress: RemoveProgress | None = None,
    concurrency: int = _CONCURRENCY,
) -> None:
    """Remove a tree of directories. shutil.rmtree().

    No symbolic link is followed, even if one takes the place of a directory meanwhile.

    Args:
        path: the directory. A symbolic link to one is refused.
        ignore_errors: go on after errors, and don't tell them.
        onerror: as onexc, with the tuple of sys.exc_info().
        onexc: called for each error with the function of `os` that failed, the path, and the
            exception; what can be removed nevertheless is. It may be a coroutine function.
        dir_fd: a descriptor of the directory that `path` is relative to.
        progress: called with the path of each file and directory that was removed.
        concurrency: how many files are removed at a time.

    Raises:
        OSError: the first error, if there is no handler. No more is removed then.
    """
    _sys.audit("shutil.rmtree", path, dir_fd)
    handle: Callable[[Any, Any, OSError], object] | None = onexc
    if ignore_errors:

        def handle(function: Any, path: Any, error: OSError) -> None:
            pass

    elif onexc is None and onerror is not None:

        def handle(function: Any, path: Any, error: OSError) -> object:
            return onerror(function, path, (type(error), error, error.__traceback__))

    name: Any = _os.fsdecode(path) if isinstance(path, bytes) else path
    tree = _TreeRemoval(handle, progress, dir_fd, concurrency)
    try:
        root = _Directory(None, name, name)
        await tree.open(root)
        await tree.left(root)
        await tree.jobs.run()
    finally:
        tree.close()


rmtree.avoids_symlink_attacks = True  # type: ignore[attr-defined]


async def move(
    src: StrPath,
    dst: _StrPathT,
    copy_function: Callable[[str, str], object] = copy2,
    *,
    progress: CopyProgress | None = None,
    concurrency: int = _CONCURRENCY,
) -> _StrPathT | str:
    """Move a file or a tree, to another file system, too, and return its new path. shutil.move().

    Args:
        src: the file or directory.
        dst: its new path; or an existing directory that it is moved into.
        copy_function: copies files to another file system, as for copytree().
        progress: called as for copytree(), where it must be copied.
        concurrency: how many files are copied or removed at a time.

    Raises:
        Error: there is such a file in `dst`, or `dst` is in `src`.
        OSError: it can't be copied, or `src` can't be removed.
    """
    _check_progress(progress)
    _sys.audit("shutil.move", src, dst)
    new: Any = dst
    if await _is_directory(dst):
        if not await _is_link(src) and _same(await _status(src), await _status(dst)):
            # As shutil: a file system that doesn't tell cases apart may rename it nevertheless.
            await _aos.rename(src, dst)
            return None  # type: ignore[return-value]
        new = _os.path.join(dst, _os.path.basename(_os.fspath(src).rstrip(_os.sep)))
        if await _status(new) is not None:
            raise Error(f"Destination path '{new}' already exists")
    try:
        await _aos.rename(src, new)
    except OSError:
        if await _is_link(src):
            await _aos.symlink(await _aos.readlink(src), new)
            await _aos.unlink(src)
        elif await _is_directory(src):
            if _is_in(dst, src):
                raise Error(f"Cannot move a directory '{src}' into itself '{dst}'.") from None
            await copytree(
                src,
                new,
                symlinks=True,
                copy_function=copy_function,
                progress=progress,
                concurrency=concurrency,
            )
            await rmtree(src, concurrency=concurrency)
        else:
            options = {"progress": progress} if copy_function in (copy, copy2) else {}
            result = copy_function(src, new, **options)  # type: ignore[arg-type]
            if _inspect.isawaitable(result):
                await result
            await _aos.unlink(src)
    return new  # type: ignore[no-any-return]


def _is_in(path: StrPath, directory: StrPath) -> bool:
    below = _os.path.join(_os.path.abspath(path), "")
    return below.startswith(_os.path.join(_os.path.abspath(directory), ""))


# About files


async def disk_usage(path: FileDescriptorOrPath) -> _ntuple_diskusage:
    """Tell the size of a file system: (total, used, free), in bytes. shutil.disk_usage().

    Args:
        path: of any file on it, or a descriptor.
    """
    status = await _aos.statvfs(path)
    size = status.f_frsize
    return _ntuple_diskusage(
        status.f_blocks * size,
        (status.f_blocks - status.f_bfree) * size,
        status.f_bavail * size,
    )


async def chown(
    path: FileDescriptorOrPath,
    user: str | int | None = None,
    group: str | int | None = None,
    *,
    dir_fd: int | None = None,
    follow_symlinks: bool = True,
) -> None:
    """Change the owner and the group of a file. shutil.chown().

    Args:
        path: the file, or a descriptor of it.
        user: name or number of the user, or None. Names are looked up in a thread of asyncio, as
            only libc knows where they stand.
        group: name or number of the group, or None.
        dir_fd: a descriptor of the directory that `path` is relative to.
        follow_symlinks: if false, the owner of a symbolic link is changed.

    Raises:
        LookupError: there is no such user or group.
        ValueError: neither of both was given.
    """
    _sys.audit("shutil.chown", path, user, group)
    if user is None and group is None:
        raise ValueError("user and/or group must be set")
    uid = gid = -1
    if isinstance(user, str):
        uid = await _number_of("user", user)
    elif user is not None:
        uid = user
    if isinstance(group, int):
        gid = group
    elif group is not None:
        gid = await _number_of("group", group)
    await _aos.chown(path, uid, gid, dir_fd=dir_fd, follow_symlinks=follow_symlinks)


async def _number_of(kind: str, name: str) -> int:
    import grp  # noqa: PLC0415
    import pwd  # noqa: PLC0415

    try:
        if kind == "user":
            return (await _asyncio.to_thread(pwd.getpwnam, name)).pw_uid
        return (await _asyncio.to_thread(grp.getgrnam, name)).gr_gid
    except KeyError:
        raise LookupError(f"no such {kind}: {name!r}") from None


@overload
async def which(cmd: StrPath, mode: int = 1, path: StrPath | None = None) -> str | None: ...
@overload
async def which(cmd: bytes, mode: int = 1, path: StrPath | None = None) -> bytes | None: ...
async def which(cmd: Any, mode: int = _os.F_OK | _os.X_OK, path: Any = None) -> Any:
    """Find a command on the search path; None if there is none. shutil.which().

    Args:
        cmd: its name; with a directory in it, that is where it must be.
        mode: what must be allowed with it, as for os.access().
        path: directories with colons between them; None is PATH of the environment.
    """
    directory, name = _os.path.split(cmd)
    if directory:
        directories = [directory]
    else:
        if path is None:
            path = _os.environ.get("PATH")
            if path is None:
                path = _os.confstr("CS_PATH") or _os.defpath
        if not path:
            return None
        if isinstance(cmd, bytes):
            directories = _os.fsencode(path).split(_os.fsencode(_os.pathsep))
        else:
            directories = _os.fsdecode(path).split(_os.pathsep)
    for directory in dict.fromkeys(directories):
        file = _os.path.join(directory, name)
        status = await _status(file)
        if (
            status is not None
            and await _aos.access(file, mode)
            and not _stat.S_ISDIR(status.st_mode)
        ):
            return file
    return None
