"""Paths with awaitable I/O.

`Path` is a `pathlib.PurePosixPath`: what needs no system call is inherited, and so equality, hash,
order, `os.fspath()` and pickling are those of `pathlib`. What does I/O is a coroutine or an
asynchronous iterator, and has the names, arguments and results of `pathlib.Path` of Python 3.14, on
older Pythons too.

`glob()` and `walk()` read directories themselves; no thread runs `pathlib`. A pattern is worked off
part by part, with a stack in place of recursion. Up to `_AT_ONCE` directories are read at a time.
"""

from __future__ import annotations

import asyncio
import errno
import fnmatch
import io
import os
import pathlib
import re
import stat
import sys
from typing import TYPE_CHECKING, Any, Final, Literal, Self, TypeGuard, overload

from . import os as aos
from . import shutil
from ._convert import open_how
from ._file_raw import readable_view
from ._jobs import Jobs
from ._open import open as open_file
from ._operation import CONTENT, operation

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable

    from _typeshed import (
        OpenBinaryMode,
        OpenBinaryModeReading,
        OpenBinaryModeUpdating,
        OpenBinaryModeWriting,
        OpenTextMode,
    )
    from typing_extensions import Buffer

    from ._file_buffered import BufferedRandom, BufferedReader, BufferedWriter
    from ._file_raw import AsyncFile, FileIO
    from ._file_text import TextIOWrapper
    from ._open import Opening
    from ._types import StrOrBytesPath, StrPath

__all__ = ["Path", "PathInfo"]

_READ_FIRST: Final = 64 * 1024

# The whole of a small file in one trip, or inline; else its descriptor.
_read_file = operation(
    "read_file",
    f"dir_fd path memory {open_how.size} limit",
    function="open",
    audit=f"open 1 'r' ={os.O_CLOEXEC}",
    result=CONTENT,
)
_WRITE_ONLY: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC
_open_to_write = operation(
    "openat",
    f"dir_fd path {_WRITE_ONLY} 438",  # 0o666
    function="open",
    audit=f"open 1 'w' ={_WRITE_ONLY}",
    result=int,
)
_READ_ONLY: Final = open_how.pack(os.O_RDONLY | os.O_CLOEXEC, 0, 0)
_AT_ONCE: Final = 16

_ANOTHER_TYPE: Final = -1  # neither a directory nor a regular file nor a symbolic link

_MAGIC: Final = re.compile(r"[*?\[]")
# What glob() takes for a name that isn't there; up to Python 3.12, also one that no file can have.
_NOT_THERE: Final = OSError if sys.version_info >= (3, 13) else (OSError, ValueError)


def _is_written_so(path: StrPath) -> TypeGuard[str]:
    """Tell whether pathlib would write a path just so, as most are: it takes its time for that."""
    return (
        type(path) is str
        and path[:1] not in {"", "."}
        and path[-1] != "/"
        and "//" not in path
        and "/." not in path
    )


class PathInfo:
    """What is known about a path's type, and is asked for at most once. pathlib.types.PathInfo.

    Paths that iterdir() yields know their type from the directory. The answers are cached: a new
    Path asks again.
    """

    __slots__ = ("_entry", "_known", "_path")

    def __init__(self, path: str, entry: aos.DirEntry[str] | None = None) -> None:
        self._path = path
        self._entry = entry
        self._known: dict[bool, int] = {}  # follow_symlinks: type of the file, 0 without a file

    def __repr__(self) -> str:
        return f"<Path.info of {self._path!r}>"

    async def _type(self, follow_symlinks: bool) -> int:
        if follow_symlinks not in self._known:
            self._known[follow_symlinks] = await self._ask(follow_symlinks)
        return self._known[follow_symlinks]

    async def _ask(self, follow_symlinks: bool) -> int:
        entry = self._entry
        if entry is not None and entry.is_symlink():
            if not follow_symlinks:
                return stat.S_IFLNK
        elif entry is not None:
            if await entry.is_dir():
                return stat.S_IFDIR
            return stat.S_IFREG if await entry.is_file() else _ANOTHER_TYPE
        try:
            status = await aos.stat(self._path, follow_symlinks=follow_symlinks)
        except (OSError, ValueError):
            return 0
        return stat.S_IFMT(status.st_mode)

    async def exists(self, *, follow_symlinks: bool = True) -> bool:
        """Tell whether the path exists."""
        return await self._type(follow_symlinks) != 0

    async def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """Tell whether the path is a directory."""
        return await self._type(follow_symlinks) == stat.S_IFDIR

    async def is_file(self, *, follow_symlinks: bool = True) -> bool:
        """Tell whether the path is a regular file."""
        return await self._type(follow_symlinks) == stat.S_IFREG

    async def is_symlink(self) -> bool:
        """Tell whether the path is a symbolic link."""
        return await self._type(False) == stat.S_IFLNK


class Path(pathlib.PurePosixPath):
    """A path with awaitable I/O: `pathlib.Path` of Python 3.14, with `await` before what does I/O.

        async for path in asyncsys_loop.Path("src").rglob("*.py"):
            print(path, len(await path.read_bytes()))

    It equals the `pathlib` path of the same name, hashes and sorts with it, and can be pickled.
    `cwd()`, `home()`, `absolute()`, `expanduser()` and `resolve()` are awaited, as in anyio.Path.

    Errors are those of `pathlib`: OSError with the path as its filename. After a cancelled method
    nothing is open; what it did to the file system stays done.
    """

    __slots__ = ("_info", "_text")

    _info: PathInfo
    _text: str  # what os.fspath() gives

    if sys.version_info >= (3, 12):

        def __init__(self, *pathsegments: StrPath) -> None:
            super().__init__(*pathsegments)
            if len(pathsegments) == 1 and _is_written_so(text := pathsegments[0]):
                self._text = text

    else:  # parses it when it must, as later ones do: that takes longer than an open()
        _str: str

        def __new__(cls, *pathsegments: StrPath) -> Self:
            if len(pathsegments) != 1 or not _is_written_so(text := pathsegments[0]):
                return super().__new__(cls, *pathsegments)
            self = object.__new__(cls)
            self._text = self._str = text
            return self

        if not TYPE_CHECKING:  # which would believe that there is every attribute

            def __getattr__(self, name: str) -> Any:
                if name not in {"_drv", "_root", "_parts"}:  # pathlib's own, in its slots
                    raise AttributeError(
                        f"{type(self).__name__!r} object has no attribute {name!r}"
                    )
                self._drv, self._root, self._parts = self._parse_args((self._text,))
                return getattr(self, name)

    def __fspath__(self) -> str:
        try:
            return self._text
        except AttributeError:
            self._text = str(self)
            return self._text

    if TYPE_CHECKING:  # so that type checkers let it be compared with paths of pathlib

        def __eq__(self, other: object) -> bool: ...
        def __hash__(self) -> int: ...

    # What PurePosixPath lacks in older Pythons

    if sys.version_info < (3, 13):
        parser = os.path

        def full_match(self, pattern: StrPath, *, case_sensitive: bool | None = None) -> bool:
            """Tell whether the whole path matches a pattern; "**" is any number of parts."""
            flags = re.IGNORECASE if case_sensitive is False else re.NOFLAG
            return _match_parts(self.parts, self.with_segments(pattern).parts, flags)

    if sys.version_info < (3, 12):

        def with_segments(self, *pathsegments: StrPath) -> Self:
            """Make a path of the same class."""
            return type(self)(*pathsegments)

        def relative_to(self, *other: StrPath, walk_up: bool = False) -> Self:
            """Return the way from another path to this one; `walk_up` lets it begin with ".."."""
            if not walk_up:
                return super().relative_to(*other)
            start = self.with_segments(*other)
            for steps, above in enumerate((start, *start.parents)):
                if self.is_relative_to(above):
                    return self.with_segments(*[".."] * steps, *self.parts[len(above.parts) :])
                if above.name == "..":
                    raise ValueError(f"'..' segment in {str(start)!r} cannot be walked")
            raise ValueError(f"{str(self)!r} and {str(start)!r} have different anchors")

        def match(self, path_pattern: StrPath, *, case_sensitive: bool | None = None) -> bool:
            """Tell whether the end of the path matches a pattern, or all of it an absolute one."""
            pattern = self.with_segments(path_pattern).parts
            if not pattern:
                raise ValueError("empty pattern")
            parts = self.parts
            if len(parts) < len(pattern) or (pattern[0] == "/" and len(parts) != len(pattern)):
                return False
            flags = re.IGNORECASE if case_sensitive is False else re.NOFLAG
            return all(
                _compiled(wanted, flags)(part) is not None
                for part, wanted in zip(parts[-len(pattern) :], pattern, strict=True)
            )

    def as_uri(self) -> str:
        """Return the path as a "file" URI.

        Raises:
            ValueError: it's relative.
        """
        from urllib.parse import quote_from_bytes  # noqa: PLC0415

        if not self.is_absolute():
            raise ValueError("relative path can't be expressed as a file URI")
        return "file://" + quote_from_bytes(bytes(self))

    @classmethod
    def from_uri(cls, uri: str) -> Self:
        """Return the path of a "file" URI.

        Raises:
            ValueError: it's another URI, or the path isn't absolute.
        """
        from urllib.parse import unquote_to_bytes  # noqa: PLC0415

        scheme, separator, rest = uri.partition(":")
        if scheme != "file" or not separator:
            raise ValueError(f"URI does not start with 'file:': {uri!r}")
        for authority in ("//localhost/", "///"):
            if rest.startswith(authority):
                rest = rest[len(authority) - 1 :]
                break
        path = cls(os.fsdecode(unquote_to_bytes(rest)))
        if not path.is_absolute():
            raise ValueError(f"URI is not absolute: {uri!r}")
        return path

    # Where it is

    @classmethod
    async def cwd(cls) -> Self:
        """Return the working directory. getcwd(2) doesn't block."""
        return cls(os.getcwd())

    @classmethod
    async def home(cls) -> Self:
        """Return the user's home directory.

        Raises:
            RuntimeError: there is none.
        """
        return await cls("~").expanduser()

    async def absolute(self) -> Self:
        """Return the path from the root on. Neither ".." nor symbolic links are resolved."""
        return self if self.is_absolute() else self.with_segments(os.getcwd(), self)

    async def expanduser(self) -> Self:
        """Return the path with ~ and ~user replaced by home directories.

        A name, and ~ without HOME, is looked up in a thread of asyncio, as only libc knows where
        users stand.

        Raises:
            RuntimeError: there is no such directory.
        """
        if not self.parts or self.parts[0][:1] != "~":
            return self
        user, *rest = self.parts
        home = await aos.path.expanduser(user)
        if home[:1] == "~":
            raise RuntimeError("Could not determine home directory.")
        return self.with_segments(home, *rest)

    async def resolve(self, strict: bool = False) -> Self:
        """Return the absolute path without symbolic links and "..".

        Args:
            strict: raise an OSError where something isn't there, or links go round in a circle.
        """
        return self.with_segments(await aos.path.realpath(self, strict=strict))

    async def readlink(self) -> Self:
        """Return where the symbolic link leads to. readlink(2)."""
        return self.with_segments(await aos.readlink(self))

    # What it is

    @property
    def info(self) -> PathInfo:
        """The path's type, asked for at most once; what iterdir() yields knows it already."""
        try:
            return self._info
        except AttributeError:
            self._info = PathInfo(str(self))
            return self._info

    async def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        """Tell what the file is. stat(2), os.stat()."""
        return await aos.stat(self, follow_symlinks=follow_symlinks)

    async def lstat(self) -> os.stat_result:
        """Tell what the file is, or the symbolic link itself. lstat(2), os.lstat()."""
        return await aos.lstat(self)

    async def _mode(self, *, follow_symlinks: bool = True) -> int:
        """Return st_mode, or 0 where there is no such file."""
        try:
            return (await aos.stat(self, follow_symlinks=follow_symlinks)).st_mode
        except (OSError, ValueError):
            return 0

    async def exists(self, *, follow_symlinks: bool = True) -> bool:
        """Tell whether the path exists; False where that can't be told."""
        return await self._mode(follow_symlinks=follow_symlinks) != 0

    async def is_dir(self, *, follow_symlinks: bool = True) -> bool:
        """Tell whether it is a directory."""
        return stat.S_ISDIR(await self._mode(follow_symlinks=follow_symlinks))

    async def is_file(self, *, follow_symlinks: bool = True) -> bool:
        """Tell whether it is a regular file."""
        return stat.S_ISREG(await self._mode(follow_symlinks=follow_symlinks))

    async def is_symlink(self) -> bool:
        """Tell whether it is a symbolic link."""
        return stat.S_ISLNK(await self._mode(follow_symlinks=False))

    async def is_mount(self) -> bool:
        """Tell whether it is a mount point."""
        return await aos.path.ismount(self)

    async def is_junction(self) -> bool:
        """Tell whether it is a junction: never, on Linux."""
        return False

    async def is_block_device(self) -> bool:
        """Tell whether it is a block device."""
        return stat.S_ISBLK(await self._mode())

    async def is_char_device(self) -> bool:
        """Tell whether it is a character device."""
        return stat.S_ISCHR(await self._mode())

    async def is_fifo(self) -> bool:
        """Tell whether it is a FIFO."""
        return stat.S_ISFIFO(await self._mode())

    async def is_socket(self) -> bool:
        """Tell whether it is a socket."""
        return stat.S_ISSOCK(await self._mode())

    async def samefile(self, other_path: StrPath) -> bool:
        """Tell whether another path is the same file.

        Raises:
            OSError: one of them isn't there.
        """
        status = await aos.stat(self)
        return os.path.samestat(status, await aos.stat(self.with_segments(other_path)))

    async def owner(self, *, follow_symlinks: bool = True) -> str:
        """Return the name of the file's owner, looked up in a thread of asyncio.

        Raises:
            KeyError: the user has no name.
        """
        import pwd  # noqa: PLC0415

        uid = (await self.stat(follow_symlinks=follow_symlinks)).st_uid
        return (await asyncio.to_thread(pwd.getpwuid, uid)).pw_name

    async def group(self, *, follow_symlinks: bool = True) -> str:
        """Return the name of the file's group, looked up in a thread of asyncio.

        Raises:
            KeyError: the group has no name.
        """
        import grp  # noqa: PLC0415

        gid = (await self.stat(follow_symlinks=follow_symlinks)).st_gid
        return (await asyncio.to_thread(grp.getgrgid, gid)).gr_name

    # Content

    @overload
    def open(
        self,
        mode: OpenTextMode = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> Opening[TextIOWrapper]: ...
    @overload
    def open(
        self,
        mode: OpenBinaryMode,
        buffering: Literal[0],
        encoding: None = None,
        errors: None = None,
        newline: None = None,
    ) -> Opening[FileIO]: ...
    @overload
    def open(
        self,
        mode: OpenBinaryModeUpdating,
        buffering: Literal[-1, 1] = -1,
        encoding: None = None,
        errors: None = None,
        newline: None = None,
    ) -> Opening[BufferedRandom]: ...
    @overload
    def open(
        self,
        mode: OpenBinaryModeWriting,
        buffering: Literal[-1, 1] = -1,
        encoding: None = None,
        errors: None = None,
        newline: None = None,
    ) -> Opening[BufferedWriter]: ...
    @overload
    def open(
        self,
        mode: OpenBinaryModeReading,
        buffering: Literal[-1, 1] = -1,
        encoding: None = None,
        errors: None = None,
        newline: None = None,
    ) -> Opening[BufferedReader]: ...
    @overload
    def open(
        self,
        mode: OpenBinaryMode,
        buffering: int = -1,
        encoding: None = None,
        errors: None = None,
        newline: None = None,
    ) -> Opening[AsyncFile[bytes]]: ...
    @overload
    def open(
        self,
        mode: str,
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> Opening[Any]: ...
    def open(
        self,
        mode: str = "r",
        buffering: int = -1,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> Opening[Any]:
        """Open the file: `await path.open()`, or `async with path.open() as file`.

        Arguments, errors and the file are those of asyncsys_loop.open().
        """
        if "b" not in mode:
            encoding = io.text_encoding(encoding)
        opening: Opening[Any] = open_file(str(self), mode, buffering, encoding, errors, newline)
        return opening

    async def read_bytes(self) -> bytes:
        """Return the content of the file."""
        content = await _read_file(None, self, _READ_ONLY, _READ_FIRST)
        if isinstance(content, bytes):
            return content
        fd = content  # it is longer, or nobody knows how long
        try:
            # Most files end in the first read. Only a read of nothing tells the end for sure. (What
            # is read short, or in pieces, is copied in the loop's thread: so all at once.)
            size = (await aos.fstat(fd)).st_size
            data = await aos.read(fd, max(size, _READ_FIRST))
            if not data:
                return data
            if len(data) < _READ_FIRST:
                more = await aos.read(fd, _READ_FIRST)
                if not more:
                    return data
                pieces = [data, more]
            else:
                pieces = [data]
            length = sum(map(len, pieces))
            while True:
                left = (await aos.fstat(fd)).st_size - length
                more = await aos.read(fd, max(left, _READ_FIRST))
                if not more:
                    return b"".join(pieces)
                pieces.append(more)
                length += len(more)
        except OSError as error:
            error.filename = str(self)
            raise
        finally:
            await aos.close(fd)

    async def read_text(
        self, encoding: str | None = None, errors: str | None = None, newline: str | None = None
    ) -> str:
        """Return the content of the file as text.

        Args:
            encoding: as for open().
            errors: as for open().
            newline: as for open().

        Raises:
            UnicodeDecodeError: it isn't text of this encoding.
        """
        encoding = io.text_encoding(encoding)
        data = await self.read_bytes()
        return io.TextIOWrapper(io.BytesIO(data), encoding, errors, newline).read()

    async def write_bytes(self, data: Buffer) -> int:
        """Make `data` the content of the file, and return its length in bytes.

        A cancelled call leaves a part of it in the file.
        """
        view = readable_view(data)  # before the file loses its content
        fd = await _open_to_write(None, self)
        try:
            written = await aos.write(fd, view) if view else 0
            while written < len(view):
                written += await aos.write(fd, view[written:])
        finally:
            await aos.close(fd)
        return written

    async def write_text(
        self,
        data: str,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
    ) -> int:
        """Make `data` the content of the file, and return its length in characters.

        Args:
            data: the text.
            encoding: as for open().
            errors: as for open().
            newline: as for open().

        Raises:
            UnicodeEncodeError: the encoding doesn't have it; the file is as it was.
        """
        encoding = io.text_encoding(encoding)
        if not isinstance(data, str):
            raise TypeError(f"data must be str, not {type(data).__name__}")
        content = io.BytesIO()
        text = io.TextIOWrapper(content, encoding, errors, newline)
        text.write(data)
        text.flush()
        await self.write_bytes(content.getbuffer())
        return len(data)

    async def touch(self, mode: int = 0o666, exist_ok: bool = True) -> None:
        """Make the file, or set its times to now.

        Raises:
            FileExistsError: `exist_ok` is false, and there is one.
        """
        flags = os.O_CREAT | os.O_WRONLY
        if exist_ok:
            try:
                await aos.utime(self, None)
            except OSError:
                pass
            else:
                return
        else:
            flags |= os.O_EXCL
        await aos.close(await aos.open(self, flags, mode))

    # Names

    async def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        """Make the directory. mkdir(2).

        Args:
            mode: its permissions, less the umask.
            parents: make those above it, too, with the default permissions.
            exist_ok: there may be such a directory.
        """
        try:
            await aos.mkdir(self, mode)
        except FileNotFoundError:
            if not parents or self.parent == self:
                raise
            await self.parent.mkdir(parents=True, exist_ok=True)
            await self.mkdir(mode, parents=False, exist_ok=exist_ok)
        except OSError:
            # Not EEXIST alone: the kernel may complain of something else first.
            if not exist_ok or not await self.is_dir():
                raise

    async def rmdir(self) -> None:
        """Remove the empty directory. rmdir(2)."""
        await aos.rmdir(self)

    async def unlink(self, missing_ok: bool = False) -> None:
        """Remove the file or symbolic link. unlink(2).

        Args:
            missing_ok: it needn't be there.
        """
        try:
            await aos.unlink(self)
        except FileNotFoundError:
            if not missing_ok:
                raise

    async def rename(self, target: StrPath) -> Self:
        """Rename it, and return its new path; a file of that name is replaced. rename(2)."""
        await aos.rename(self, target)
        return self.with_segments(target)

    async def replace(self, target: StrPath) -> Self:
        """Do as rename(), which on Linux is the same. rename(2)."""
        await aos.replace(self, target)
        return self.with_segments(target)

    async def symlink_to(self, target: StrOrBytesPath, target_is_directory: bool = False) -> None:
        """Make this path a symbolic link to `target`. symlink(2)."""
        await aos.symlink(target, self, target_is_directory)

    async def hardlink_to(self, target: StrOrBytesPath) -> None:
        """Make this path one more name of the file `target`. link(2)."""
        await aos.link(target, self)

    async def chmod(self, mode: int, *, follow_symlinks: bool = True) -> None:
        """Set the permissions. chmod(2).

        Raises:
            NotImplementedError: `follow_symlinks` is false, which Linux lacks.
        """
        await aos.chmod(self, mode, follow_symlinks=follow_symlinks)

    async def lchmod(self, mode: int) -> None:
        """Set the permissions of a symbolic link itself.

        Raises:
            NotImplementedError: always: Linux lacks that.
        """
        await self.chmod(mode, follow_symlinks=False)

    # Copies

    async def copy(
        self, target: StrPath, *, follow_symlinks: bool = True, preserve_metadata: bool = False
    ) -> Self:
        """Copy the file or tree to a new path, and return that.

        Args:
            target: the new path. A file there is overwritten; a directory must not be there.
            follow_symlinks: if false, symbolic links are copied as such.
            preserve_metadata: copy permissions, times and extended attributes, too.

        Raises:
            OSError: EINVAL: both are the same, or `target` is in this directory.
        """
        new = self.with_segments(target)
        _refuse_same(self, new, self == new, "Source and target are the same path")
        _refuse_same(self, new, self in new.parents, "Source path is a parent of target path")
        await _Copy(follow_symlinks, preserve_metadata).run(self, new)
        return new

    async def copy_into(
        self, target_dir: StrPath, *, follow_symlinks: bool = True, preserve_metadata: bool = False
    ) -> Self:
        """Copy the file or tree into a directory, under its own name. As copy().

        Raises:
            ValueError: this path has no name.
        """
        return await self.copy(
            self._in(target_dir),
            follow_symlinks=follow_symlinks,
            preserve_metadata=preserve_metadata,
        )

    async def move(self, target: StrPath) -> Self:
        """Move the file or tree, to another file system, too, and return its new path.

        Raises:
            OSError: EINVAL: both are the same file.
        """
        new = self.with_segments(target)
        same = await _same_file(self, new)
        _refuse_same(self, new, same, "Source and target are the same file")
        try:
            await aos.replace(self, new)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
        else:
            return new
        await self.copy(new, follow_symlinks=False, preserve_metadata=True)
        if await self.is_dir(follow_symlinks=False):
            await shutil.rmtree(self)
        else:
            await self.unlink()
        return new

    async def move_into(self, target_dir: StrPath) -> Self:
        """Move the file or tree into a directory, under its own name. As move().

        Raises:
            ValueError: this path has no name.
        """
        return await self.move(self._in(target_dir))

    def _in(self, directory: StrPath) -> Self:
        if not self.name:
            raise ValueError(f"{self!r} has an empty name")
        return self.with_segments(directory, self.name)

    # Directories

    async def iterdir(self) -> AsyncGenerator[Self, None]:
        """Yield the paths in the directory, in no order."""
        for entry in await _read_directory(str(self)):
            path = self / entry.name
            path._info = PathInfo(str(path), entry)
            yield path

    async def walk(
        self,
        top_down: bool = True,
        on_error: Callable[[OSError], object] | None = None,
        follow_symlinks: bool = False,
    ) -> AsyncGenerator[tuple[Self, list[str], list[str]], None]:
        """Yield (path, names of directories, names of files) for each directory of the tree.

        Args:
            top_down: a directory comes before those in it; what is taken from its list of
                directories is not walked. Otherwise it comes after them.
            on_error: called with the OSError of a directory that can't be read.
            follow_symlinks: walk what symbolic links lead to; else they are files.
        """
        sys.audit("pathlib.Path.walk", self, on_error, follow_symlinks)
        stack: list[Self | tuple[Self, list[str], list[str]]] = [self]
        while stack:
            path = stack.pop()
            if isinstance(path, tuple):
                yield path
                continue
            try:
                entries = await _read_directory(str(path))
            except OSError as error:
                if on_error is not None:
                    on_error(error)
                continue
            directories: list[str] = []
            files: list[str] = []
            for entry in entries:
                is_directory = await _is_directory(entry, follow_symlinks)
                (directories if is_directory else files).append(entry.name)
            if top_down:
                yield path, directories, files
            else:
                stack.append((path, directories, files))
            stack += [path / name for name in reversed(directories)]

    def glob(
        self,
        pattern: StrPath,
        *,
        case_sensitive: bool | None = None,
        recurse_symlinks: bool = False,
    ) -> AsyncGenerator[Self, None]:
        """Yield the paths beneath this one that match a pattern, in no order, each once.

        What can't be read is left out.

        Args:
            pattern: relative, of "*", "?", "[…]" and, as a whole part, "**": any number of
                directories. With "/" at the end it matches directories alone.
            case_sensitive: whether case counts; it does unless this is False.
            recurse_symlinks: let "**" follow symbolic links.

        Raises:
            NotImplementedError: the pattern is absolute.
            ValueError: the pattern is empty.
        """
        sys.audit("pathlib.Path.glob", self, pattern)
        return self._glob(os.fspath(pattern), case_sensitive, recurse_symlinks)

    def rglob(
        self,
        pattern: StrPath,
        *,
        case_sensitive: bool | None = None,
        recurse_symlinks: bool = False,
    ) -> AsyncGenerator[Self, None]:
        """Do as glob(), with "**/" before the pattern."""
        sys.audit("pathlib.Path.rglob", self, pattern)
        pattern = os.path.join("**", os.fspath(pattern))
        return self._glob(pattern, case_sensitive, recurse_symlinks)

    def _glob(
        self, pattern: str, case_sensitive: bool | None, recurse_symlinks: bool
    ) -> AsyncGenerator[Self, None]:
        if pattern.startswith("/"):
            raise NotImplementedError("Non-relative patterns are unsupported")
        parts = [part for part in pattern.split("/") if part not in {"", "."}]
        if not parts:
            raise ValueError(f"Unacceptable pattern: {pattern!r}")
        if pattern.endswith("/"):
            parts.append("")
        return self._paths(_Glob(parts, case_sensitive, recurse_symlinks))

    async def _paths(self, glob: _Glob) -> AsyncGenerator[Self, None]:
        root = str(self)
        async for path in glob.select("" if root == "." else os.path.join(root, "")):
            yield self.with_segments(path)


# Copies


def _refuse_same(source: Path, target: Path, refused: bool, reason: str) -> None:
    if refused:
        error = OSError(errno.EINVAL, reason)
        error.filename, error.filename2 = str(source), str(target)
        raise error


async def _same_file(path: Path, other: Path) -> bool:
    try:
        return await path.samefile(other)
    except (OSError, ValueError):
        return False


class _Copy:
    """One file or tree that is copied. The first error ends it."""

    def __init__(self, follow_symlinks: bool, preserve_metadata: bool) -> None:
        self.follow_symlinks = follow_symlinks
        self.preserve_metadata = preserve_metadata
        self.jobs = Jobs(_AT_ONCE)
        # They get their metadata at the end, the innermost first: it may forbid to write to them.
        self.directories: list[tuple[Path, Path]] = []

    async def run(self, source: Path, target: Path) -> None:
        self.jobs.add(self.copy, source, target)
        await self.jobs.run()
        if self.preserve_metadata:
            for old, new in reversed(self.directories):
                await shutil.copystat(old, new)

    async def copy(self, source: Path, target: Path) -> None:
        follow = self.follow_symlinks
        if not follow and await source.info.is_symlink():
            await aos.symlink(await aos.readlink(source), target)
            if self.preserve_metadata:
                await shutil.copystat(source, target, follow_symlinks=False)
        elif await source.info.is_dir():
            self.directories.append((source, target))
            children = [child async for child in source.iterdir()]
            await aos.mkdir(target)
            for child in children:
                self.jobs.add(self.copy, child, target / child.name)
        else:
            same = await _same_file(source, target)
            _refuse_same(source, target, same, "Source and target are the same file")
            await shutil.copyfile(source, target)
            if self.preserve_metadata:
                await shutil.copystat(source, target)


# Directories and patterns


async def _read_directory(path: str) -> list[aos.DirEntry[str]]:
    return list(await aos.scandir(path))


async def _is_directory(entry: aos.DirEntry[str], follow_symlinks: bool) -> bool:
    try:
        return await entry.is_dir(follow_symlinks=follow_symlinks)
    except OSError:
        return False


def _compiled(part: str, flags: re.RegexFlag) -> Callable[[str], object]:
    return re.compile(fnmatch.translate(part), flags).match


def _match_parts(parts: tuple[str, ...], pattern: tuple[str, ...], flags: re.RegexFlag) -> bool:
    """Match a path part by part. The set holds how many parts of it the pattern may have taken."""
    reached = {0}
    for index, wanted in enumerate(pattern):
        if wanted == "**":
            start, is_last = min(reached), index + 1 == len(pattern)
            # "a/**" is what is in a. "**/a" at the root isn't /a. So has it Python 3.13.
            at_least_one = is_last and index > 0 and pattern[index - 1] != "/"
            reached = set(range(start + at_least_one, len(parts) + 1))
            if start == 0 and not is_last and parts[:1] == ("/",):
                reached.discard(1)
        else:
            match = "/".__eq__ if wanted == "/" else _compiled(wanted, flags)
            reached = {
                at + 1
                for at in reached
                if at < len(parts) and (parts[at] == "/") <= (wanted == "/") and match(parts[at])
            }
        if not reached:
            return False
    return len(parts) in reached


class _Glob:
    """A pattern, and what has been found of it so far.

    A state is (path, index, exists): the parts before `index` have been matched by `path`, which is
    "" for the working directory; `exists` says that it is known to be there.
    """

    def __init__(
        self, parts: list[str], case_sensitive: bool | None, recurse_symlinks: bool
    ) -> None:
        self.recurse_symlinks = recurse_symlinks
        self.flags = re.IGNORECASE if case_sensitive is False else re.NOFLAG
        # Who says that case counts, or doesn't, knows better than the file system: names that a
        # pattern spells out are looked for in the directory, not asked for.
        self.pedantic = case_sensitive is not None
        self.parts: list[str] = []
        for part in parts:
            if part != "**" or self.parts[-1:] != ["**"]:
                self.parts.append(part)
        self.stack: list[tuple[str, int, bool]] = []
        self.matches = [
            None if part in {"*", "**"} else _compiled(part, self.flags) for part in self.parts
        ]
        # Only two "**" can come to a state in two ways. What is found has an index past the parts.
        self.seen: set[tuple[str, int]] | None = set() if self.parts.count("**") > 1 else None

    async def select(self, root: str) -> AsyncGenerator[str, None]:
        self.stack.append((root, 0, False))
        while self.stack:
            found: list[str] = []
            directories: list[tuple[str, int]] = []
            while self.stack and len(directories) < _AT_ONCE:
                await self._step(*self.stack.pop(), found, directories)
            if len(directories) == 1:
                found += await self._read(*directories[0])
            elif directories:
                for paths in await asyncio.gather(*(self._read(*d) for d in directories)):
                    found += paths
            for path in found:
                yield path

    async def _step(
        self,
        path: str,
        index: int,
        exists: bool,
        found: list[str],
        directories: list[tuple[str, int]],
    ) -> None:
        """Take a state on until it is found, lost, or needs a directory to be read."""
        parts = self.parts
        if self.seen is not None:
            if (path, index) in self.seen:
                return
            self.seen.add((path, index))
        while index < len(parts):
            part = parts[index]
            if part == "**":
                if index + 1 == len(parts):
                    # What is known to be there is so from a directory that was read for it.
                    if exists or await _is_there(path, as_directory=index > 0):
                        self._find(path, found)
                elif not self._is_combined(index):
                    self.stack.append((path, index + 1, exists))
                directories.append((path, index))
                return
            if part in {"", ".."}:
                path = os.path.join(path, part)
            elif self._is_wildcard(part):
                directories.append((path, index))
                return
            else:
                path, exists = os.path.join(path, part), False
            index += 1
        if exists or await _is_there(path):
            self._find(path, found)

    def _find(self, path: str, found: list[str]) -> None:
        if self.seen is not None:
            if (path, len(self.parts)) in self.seen:
                return
            self.seen.add((path, len(self.parts)))
        found.append(path)

    async def _read(self, path: str, index: int) -> list[str]:
        """Read a directory for the part at `index`; return what is found, and stack what isn't."""
        try:
            entries = await _read_directory(path or ".")
        except _NOT_THERE:
            return []
        recursive = self.parts[index] == "**"
        combined = recursive and self._is_combined(index)
        wanted = index + 1 if combined else index
        match, is_last = self.matches[wanted], wanted + 1 == len(self.parts)
        found: list[str] = []
        for entry in entries:
            child = os.path.join(path, entry.name)
            matched = match is None or match(entry.name) is not None
            if recursive:
                is_directory = await _is_directory(entry, self.recurse_symlinks)
                if is_directory:
                    self.stack.append((child, index, True))
                if matched and (combined or (is_last and not is_directory)):
                    self._find(child, found)
            elif matched and is_last:
                self._find(child, found)
            elif matched and await _is_directory(entry, True):
                self.stack.append((child, index + 1, True))
        return found

    def _is_combined(self, index: int) -> bool:
        """Tell whether "**" and the last part are matched in one reading of each directory."""
        return index + 2 == len(self.parts) and self._is_wildcard(self.parts[index + 1])

    def _is_wildcard(self, part: str) -> bool:
        return part not in {"", "..", "**"} and (self.pedantic or bool(_MAGIC.search(part)))


async def _is_there(path: str, as_directory: bool = False) -> bool:
    try:
        status = await aos.stat(path or ".", follow_symlinks=as_directory)
    except _NOT_THERE:
        return False
    return not as_directory or stat.S_ISDIR(status.st_mode)
