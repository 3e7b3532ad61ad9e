"""Copy trees as they are: content, holes, hard links, symbolic links, special files, metadata.

Many small jobs, one for each entry of a directory, lie on a stack, and a fixed number of workers
takes them, the newest first: depth first, so that few directories are open at once.

Everything is done relative to the descriptors of directories that are open already, with
O_NOFOLLOW. So nobody who renames directories or swaps them for links meanwhile leads the copy out
of its trees.

Nothing half done has a final name: a file, link or device is made under a temporary name, gets its
content and metadata, and is renamed. A directory gets its metadata when everything in it is done,
as that may forbid to write to it, and sets its times.

A file with several names is copied under the first one that a worker comes to. The others wait for
that, and are linked to it.
"""

import asyncio
import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Callable
from typing import Any

from asyncsys_loop import os as aos
from asyncsys_loop import shutil as ashutil

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
_PRIVILEGES = stat.S_ISUID | stat.S_ISGID | stat.S_ISVTX

Identity = tuple[int, int]


class Place:
    """A name in an open directory; without one, a path from the working directory on."""

    __slots__ = ("above", "fd", "name")

    def __init__(self, fd: int | None, name: str, above: str = "") -> None:
        self.fd = fd
        self.name = name
        self.above = above  # the path of the directory

    @property
    def path(self) -> str:
        return os.path.join(self.above, self.name)

    def sibling(self, name: str) -> "Place":
        if self.fd is None:
            name = os.path.join(os.path.dirname(self.name), name)
        return Place(self.fd, name, self.above)

    @property
    def through_proc(self) -> str:
        """For calls without a dir_fd: a path that leads to the open directory, whatever it is."""
        return self.name if self.fd is None else f"/proc/self/fd/{self.fd}/{self.name}"


class _Directory:
    """A directory on its way. It's done when nothing in it is pending any more."""

    def __init__(self, above: "_Directory | None", src: Place, dst: Place) -> None:
        self.above = above
        self.src, self.dst = src, dst
        self.src_fd = self.dst_fd = -1
        self.device = -1
        self.is_new = False
        self.pending = 1  # its own listing

    def close(self) -> None:
        for fd in (self.src_fd, self.dst_fd):
            if fd >= 0:
                os.close(fd)  # of a directory: doesn't block
        self.src_fd = self.dst_fd = -1


class Copy:
    """One run of acp.

    Args:
        workers: how many entries are worked on at a time.
        one_file_system: leave directories empty that are on another file system.
        failed: called with a sentence about each thing that could not be copied.
        progress: called with the entries that were found, those that were done, the bytes that were
            found, and those that were copied: what was added since the last call.
        done: called with the new path of each entry when it has its final name.
    """

    def __init__(
        self,
        workers: int = 32,
        *,
        one_file_system: bool = False,
        failed: Callable[[str], object],
        progress: Callable[[int, int, int, int], object] = lambda *_: None,
        done: Callable[[str], object] = lambda _: None,
    ) -> None:
        self._workers = workers
        self._one_file_system = one_file_system
        self._failed = failed
        self._progress = progress
        self._done = done
        self._jobs: asyncio.LifoQueue[tuple[_Directory | None, Place, Place, int]]
        self._open: set[_Directory] = set()
        self._firsts: dict[Identity, asyncio.Future[str | None]] = {}
        self._made: set[Identity] = set()  # top directories that this run made
        self._is_root = os.geteuid() == 0
        self.failures = 0

    async def run(self, pairs: list[tuple[str, str]]) -> None:
        """Copy each source to its new path. Returns when all is done that could be."""
        self._jobs = asyncio.LifoQueue()
        for src, dst in reversed(pairs):
            self._add(None, Place(None, src), Place(None, dst), 0)
        try:
            async with asyncio.TaskGroup() as group:
                workers = [group.create_task(self._work()) for _ in range(self._workers)]
                await self._jobs.join()
                for worker in workers:
                    worker.cancel()
        finally:
            for directory in self._open:
                directory.close()
            self._open.clear()

    def _add(self, directory: _Directory | None, src: Place, dst: Place, kind: int) -> None:
        if directory is not None:
            directory.pending += 1
        self._jobs.put_nowait((directory, src, dst, kind))
        self._progress(1, 0, 0, 0)

    async def _work(self) -> None:
        while True:
            directory, src, dst, kind = await self._jobs.get()
            try:
                await self._entry(directory, src, dst, kind)
            except OSError as error:
                self._fail(f"cannot copy {src.path!r} to {dst.path!r}: {error.strerror or error}")
            self._progress(0, 1, 0, 0)
            if directory is not None:
                await self._leave(directory)
            self._jobs.task_done()

    def _fail(self, message: str) -> None:
        self.failures += 1
        self._failed(message)

    # Entries

    async def _entry(self, directory: _Directory | None, src: Place, dst: Place, kind: int) -> None:
        if kind != stat.S_IFREG:
            status = await aos.stat(src.name, dir_fd=src.fd, follow_symlinks=False)
            kind = stat.S_IFMT(status.st_mode)
            if kind == stat.S_IFDIR:
                await self._directory(directory, src, dst, status)
                return
            if kind != stat.S_IFREG:
                await self._file(directory, src, dst, status, -1)
                return
        fd = await aos.open(src.name, _FILE, dir_fd=src.fd)
        try:
            status = await aos.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                raise OSError("it was replaced while it was copied")
            await self._file(directory, src, dst, status, fd)
        finally:
            os.close(fd)  # nothing was written, so it doesn't block

    async def _file(
        self,
        directory: _Directory | None,
        src: Place,
        dst: Place,
        status: os.stat_result,
        fd: int,
    ) -> None:
        if directory is None or not directory.is_new:
            await self._refuse(src, dst, status)
        if status.st_nlink == 1:
            await self._make(src, dst, status, fd)
        else:
            await self._make_or_link(src, dst, status, fd)
        self._done(dst.path)

    async def _refuse(self, src: Place, dst: Place, status: os.stat_result) -> None:
        """Raise if what is at the new path must not be replaced by a file."""
        try:
            there = await aos.stat(dst.name, dir_fd=dst.fd, follow_symlinks=False)
        except FileNotFoundError:
            return
        if os.path.samestat(there, status):
            raise OSError(f"{src.path!r} and {dst.path!r} are the same file")
        if stat.S_ISDIR(there.st_mode):
            raise OSError(f"cannot overwrite directory {dst.path!r} with non-directory")

    async def _make_or_link(self, src: Place, dst: Place, status: os.stat_result, fd: int) -> None:
        identity = (status.st_dev, status.st_ino)
        while (first := self._firsts.get(identity)) is not None:
            path = await asyncio.shield(first)
            if path is not None:
                await self._link(path, dst)
                return
            # It could not be copied under that name. Perhaps it can under this one.
        first = self._firsts[identity] = asyncio.get_running_loop().create_future()
        try:
            await self._make(src, dst, status, fd)
        except BaseException:
            del self._firsts[identity]
            first.set_result(None)
            raise
        first.set_result(dst.path)

    async def _link(self, path: str, dst: Place) -> None:
        async def link(new: Place) -> None:
            await aos.link(path, new.name, dst_dir_fd=new.fd, follow_symlinks=False)

        try:
            await link(dst)
        except FileExistsError:
            temporary = await self._under_final_name(dst, link)
            # Where both were links to the same file already, rename(2) did nothing.
            await _remove(temporary)

    async def _under_final_name(self, dst: Place, make: Callable[[Place], Any]) -> Place:
        """Let something be made under a temporary name, which is returned, and rename it."""
        temporary = dst.sibling(f".acp-{secrets.token_hex(8)}")
        try:
            await make(temporary)
            await aos.rename(temporary.name, dst.name, src_dir_fd=temporary.fd, dst_dir_fd=dst.fd)
        except BaseException:
            await _to_its_end(_remove(temporary))
            raise
        return temporary

    async def _make(self, src: Place, dst: Place, status: os.stat_result, fd: int) -> None:
        async def make(new: Place) -> None:
            if stat.S_ISREG(status.st_mode):
                await self._make_file(src, new, status, fd)
            elif stat.S_ISLNK(status.st_mode):
                await self._make_symlink(src, new, status)
            else:
                await self._make_special(src, new, status)

        await self._under_final_name(dst, make)

    async def _make_file(self, src: Place, new: Place, status: os.stat_result, fd: int) -> None:
        self._progress(0, 0, status.st_size, 0)
        new_fd = await aos.open(new.name, _NEW, 0o600, dir_fd=new.fd)
        try:
            before = 0

            def progress(copied: int, _size: int) -> None:
                nonlocal before
                self._progress(0, 0, 0, copied - before)
                before = copied

            await ashutil.copyfd(fd, new_fd, status, progress=progress)
            await self._describe_open(status, fd, new_fd)
        finally:
            await aos.close(new_fd)

    async def _describe_open(self, status: os.stat_result, fd: int, new_fd: int) -> None:
        mode = stat.S_IMODE(status.st_mode)
        if not await self._chown(status, new_fd):
            mode &= ~_PRIVILEGES
        await _copy_xattrs(fd, new_fd)
        await aos.chmod(new_fd, mode)
        await aos.utime(new_fd, ns=(status.st_atime_ns, status.st_mtime_ns))

    async def _make_symlink(self, src: Place, new: Place, status: os.stat_result) -> None:
        target = await aos.readlink(src.name, dir_fd=src.fd)
        await aos.symlink(target, new.name, dir_fd=new.fd)
        await self._describe(src, new, status)

    async def _make_special(self, src: Place, new: Place, status: os.stat_result) -> None:
        """Make a FIFO, a socket or a device."""
        kind = stat.S_IFMT(status.st_mode)
        await aos.mknod(new.name, kind | 0o600, status.st_rdev, dir_fd=new.fd)
        await self._describe(src, new, status)

    async def _describe(self, src: Place, new: Place, status: os.stat_result) -> None:
        """Give metadata to what can't be opened."""
        where: Any = {"dir_fd": new.fd, "follow_symlinks": False}
        keeps_privileges = await self._chown(status, new.name, **where)
        await _copy_xattrs(src.through_proc, new.through_proc, follow_symlinks=False)
        if not stat.S_ISLNK(status.st_mode):  # links have no mode
            mode = stat.S_IMODE(status.st_mode)
            if not keeps_privileges:
                mode &= ~_PRIVILEGES
            await aos.chmod(new.name, mode, dir_fd=new.fd)
        await aos.utime(new.name, ns=(status.st_atime_ns, status.st_mtime_ns), **where)

    async def _chown(self, status: os.stat_result, path: int | str, **where: Any) -> bool:
        """Give a file away, and tell whether it may keep bits such as set-user-ID.

        As cp does it: who isn't root often can't, and that is no error.
        """
        try:
            await aos.chown(path, status.st_uid, status.st_gid, **where)
        except OSError as error:
            if self._is_root or error.errno not in {errno.EPERM, errno.EINVAL}:
                raise
            return False
        return True

    # Directories

    async def _directory(
        self, above: _Directory | None, src: Place, dst: Place, status: os.stat_result
    ) -> None:
        directory = _Directory(above, src, dst)
        if above is not None:
            above.pending += 1
        try:
            await self._open_directory(directory, status)
        except BaseException:
            self._open.discard(directory)
            directory.close()
            if above is not None:
                above.pending -= 1
            raise
        await self._leave(directory)

    async def _open_directory(self, directory: _Directory, status: os.stat_result) -> None:
        src, dst, above = directory.src, directory.dst, directory.above
        if (status.st_dev, status.st_ino) in self._made:
            raise OSError(f"cannot copy a directory into itself, {src.path!r}")
        self._open.add(directory)
        directory.src_fd = await aos.open(src.name, _DIRECTORY, dir_fd=src.fd)
        try:
            await aos.mkdir(dst.name, 0o700, dir_fd=dst.fd)
            directory.is_new = True
        except FileExistsError:
            pass  # then what is in both comes together
        try:
            directory.dst_fd = await aos.open(dst.name, _DIRECTORY, dir_fd=dst.fd)
        except NotADirectoryError:
            message = f"cannot overwrite non-directory {dst.path!r} with directory"
            raise OSError(message) from None
        directory.device = status.st_dev
        if above is None:
            made = await aos.fstat(directory.dst_fd)
            self._made.add((made.st_dev, made.st_ino))
        elif self._one_file_system and above.device != status.st_dev:
            return
        src_path, dst_path = src.path, dst.path
        for entry in await aos.scandir(directory.src_fd):
            kind = stat.S_IFREG if await entry.is_file(follow_symlinks=False) else 0
            self._add(
                directory,
                Place(directory.src_fd, entry.name, src_path),
                Place(directory.dst_fd, entry.name, dst_path),
                kind,
            )

    async def _leave(self, directory: _Directory) -> None:
        """One thing less is pending in a directory; the last one completes it, and those above."""
        current: _Directory | None = directory
        while current is not None:
            current.pending -= 1
            if current.pending:
                return
            try:
                status = await aos.fstat(current.src_fd)
                await self._describe_open(status, current.src_fd, current.dst_fd)
            except OSError as error:
                self._fail(f"cannot preserve what {current.dst.path!r} is: {error.strerror}")
            else:
                self._done(current.dst.path)
            self._open.discard(current)
            current.close()
            current = current.above


async def _copy_xattrs(src: int | str, dst: int | str, **follow: bool) -> None:
    """Copy the extended attributes that the new place takes; cp leaves out others as well."""
    try:
        names = await aos.listxattr(src, **follow)
    except OSError as error:
        if error.errno != errno.ENOTSUP:
            raise
        return
    for name in names:
        try:
            await aos.setxattr(dst, name, await aos.getxattr(src, name, **follow), **follow)
        except OSError as error:
            if error.errno not in {errno.ENOTSUP, errno.EPERM, errno.EACCES, errno.ENODATA}:
                raise


async def _remove(place: Place) -> None:
    # It may not have been made yet, or have its final name.
    with contextlib.suppress(FileNotFoundError):
        await aos.unlink(place.name, dir_fd=place.fd)


async def _to_its_end(work: Any) -> None:
    """Await something even if this task is cancelled meanwhile."""
    task = asyncio.ensure_future(work)
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            continue
        except OSError:
            return
