"""Temporary files and directories: what `tempfile` makes, awaitable. Names and arguments are alike.

    async with asyncsys_loop.tempfile.TemporaryFile() as file:
        await file.write(b"…")

Each of the four classes of `tempfile` is here something to await or to enter by `async with`.

Cancellation leaves nothing behind: what a cancelled call had made is gone when CancelledError
comes, and the end of an `async with` removes what it has to remove, cancelled or not.

What `tempfile` has and this module hasn't: mktemp(), as somebody else may take the name that it
gives, and `template`, a name of old.
"""

from __future__ import annotations

import asyncio as _asyncio
import contextlib as _contextlib
import errno as _errno
import io as _io
import os as _os
import sys as _sys
import tempfile as _tempfile
import warnings as _warnings
import weakref as _weakref
from tempfile import TMP_MAX, gettempprefix, gettempprefixb
from typing import TYPE_CHECKING, Any, AnyStr, Generic, Literal, TypeVar, overload

from . import os as _aos
from ._file_forwarding import ForwardingFile as _ForwardingFile
from ._file_raw import Turn as _Turn
from ._file_raw import settled as _settled
from ._file_wrapped import WrappedFile as _WrappedFile
from ._open import Opening as _Opening
from ._open import open_file as _open_file
from .shutil import rmtree as _rmtree

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator
    from types import TracebackType

    from _typeshed import (
        OpenBinaryMode,
        OpenBinaryModeReading,
        OpenBinaryModeUpdating,
        OpenBinaryModeWriting,
        OpenTextMode,
    )

    from .io import (
        AsyncFile,
        BufferedRandom,
        BufferedReader,
        BufferedWriter,
        FileIO,
        TextIOWrapper,
    )

    _Dir = str | _os.PathLike[str] | bytes | _os.PathLike[bytes] | None
    _Buffered = BufferedRandom | BufferedReader | BufferedWriter

__all__ = [
    "TMP_MAX",
    "NamedTemporaryFile",
    "SpooledTemporaryFile",
    "TemporaryDirectory",
    "TemporaryFile",
    "gettempdir",
    "gettempdirb",
    "gettempprefix",
    "gettempprefixb",
    "mkdtemp",
    "mkstemp",
]

_Result = TypeVar("_Result")

_FLAGS = _os.O_RDWR | _os.O_NOFOLLOW | _os.O_CLOEXEC
_NEW = _os.O_CREAT | _os.O_EXCL
# With O_EXCL, a file without a name can't be given one later.
_NAMELESS = _FLAGS | _os.O_TMPFILE | _os.O_EXCL
# In one directory, to find out whether it can be used.
_TRIES = 100


_absolute = _os.path.abspath  # asks for the working directory at most


async def _made(
    making: Coroutine[Any, Any, _Result], undo: Callable[[_Result], Coroutine[Any, Any, None]]
) -> _Result:
    """Make something; if the caller is cancelled, make it to the end, and undo that."""

    async def make() -> None:
        made.append(await making)

    made: list[_Result] = []
    try:
        await _settled(make())
    except _asyncio.CancelledError:
        if made:
            await _settled(undo(made[0]))
        raise
    return made[0]


# Where, and by what name


async def gettempdir() -> str:
    """Return the directory for temporary files, which the first call finds. tempfile.gettempdir().

    Raises:
        FileNotFoundError: no file can be written in any of the usual ones.
    """
    return _os.fsdecode(await _default_directory())


async def gettempdirb() -> bytes:
    """As gettempdir(), as bytes. tempfile.gettempdirb()."""
    return _os.fsencode(await _default_directory())


async def _default_directory() -> str | bytes:
    # tempfile.tempdir is what programs set, so it is the one truth here, too.
    if _tempfile.tempdir is None:
        _tempfile.tempdir = await _find_directory()
    return _tempfile.tempdir


async def _find_directory() -> str:
    named = [_os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP")]
    candidates = [path for path in named if path] + ["/tmp", "/var/tmp", "/usr/tmp"]
    try:
        candidates.append(_os.getcwd())
    except OSError:
        candidates.append(_os.curdir)
    for candidate in candidates:
        directory = candidate if candidate == _os.curdir else _absolute(candidate)
        if await _is_usable(directory):
            return directory
    raise FileNotFoundError(_errno.ENOENT, f"No usable temporary directory found in {candidates}")


async def _is_usable(directory: str) -> bool:
    """Tell whether a file can be made there and written, as tempfile does: by names of its own."""
    names = _tempfile._RandomNameSequence()  # type: ignore[attr-defined]
    for _ in range(_TRIES):
        path = _os.path.join(directory, next(names))
        try:
            made = await _made(_open_new(path), _discard)
        except FileExistsError:
            continue
        except OSError:
            return False
        try:
            await _aos.write(made[0], b"blat")
        except OSError:
            return False
        finally:
            await _settled(_discard(made))
        return True
    return False


async def _open_new(path: Any) -> tuple[int, Any]:
    """Make a file, and return its descriptor and path."""
    return await _aos.open(path, _FLAGS | _NEW, 0o600), path


async def _parameters(suffix: Any, prefix: Any, dir: Any) -> tuple[Any, Any, Any]:
    """Return the three, of one type."""
    kinds = {
        bytes if isinstance(part, bytes) else str
        for part in (suffix, prefix, None if dir is None else _os.fspath(dir))
        if part is not None
    }
    if len(kinds) > 1:
        raise TypeError("Can't mix bytes and non-bytes in path components.")
    if dir is None:
        directory = await _default_directory()
        if not kinds:
            kinds = {type(directory)}
    else:
        directory = _os.fspath(dir)
    if kinds == {bytes}:
        return (
            suffix or b"",
            gettempprefixb() if prefix is None else prefix,
            _os.fsencode(directory),
        )
    return suffix or "", gettempprefix() if prefix is None else prefix, _os.fsdecode(directory)


def _candidates() -> Any:
    return _tempfile._get_candidate_names()  # type: ignore[attr-defined]


async def _new_file(directory: Any, prefix: Any, suffix: Any) -> tuple[int, Any]:
    """Make a file of a new name, and open it; return the descriptor and the absolute path."""
    names = _candidates()
    directory = _absolute(directory)
    for _ in range(TMP_MAX):
        name = next(names)
        path = _os.path.join(directory, prefix + _like(prefix, name) + suffix)
        _sys.audit("tempfile.mkstemp", path)
        try:
            return await _open_new(path)
        except FileExistsError:
            continue
    raise FileExistsError(_errno.EEXIST, "No usable temporary file name found")


def _like(part: Any, name: str) -> Any:
    return _os.fsencode(name) if isinstance(part, bytes) else name


async def _new_directory(directory: Any, prefix: Any, suffix: Any) -> Any:
    names = _candidates()
    for _ in range(TMP_MAX):
        path = _os.path.join(directory, prefix + _like(prefix, next(names)) + suffix)
        _sys.audit("tempfile.mkdtemp", path)
        try:
            await _aos.mkdir(path, 0o700)
        except FileExistsError:
            continue
        return _absolute(path)
    raise FileExistsError(_errno.EEXIST, "No usable temporary directory name found")


async def _discard(made: tuple[int, Any]) -> None:
    fd, path = made
    try:
        await _aos.close(fd)
    finally:
        await _aos.unlink(path)


@overload
async def mkstemp(
    suffix: str | None = None,
    prefix: str | None = None,
    dir: str | _os.PathLike[str] | None = None,
    text: bool = False,
) -> tuple[int, str]: ...
@overload
async def mkstemp(
    suffix: bytes | None = None,
    prefix: bytes | None = None,
    dir: bytes | _os.PathLike[bytes] | None = None,
    text: bool = False,
) -> tuple[int, bytes]: ...
async def mkstemp(
    suffix: Any = None, prefix: Any = None, dir: Any = None, text: bool = False
) -> tuple[int, Any]:
    """Make a file of a new name that only this user can read and write. tempfile.mkstemp().

    Args:
        suffix: the end of its name.
        prefix: the beginning of its name.
        dir: its directory; that of gettempdir() by default.
        text: nothing, on Linux.

    Returns:
        A descriptor, and the absolute path. Closing and removing are the caller's.
    """
    suffix, prefix, directory = await _parameters(suffix, prefix, dir)
    return await _made(_new_file(directory, prefix, suffix), _discard)


@overload
async def mkdtemp(
    suffix: str | None = None,
    prefix: str | None = None,
    dir: str | _os.PathLike[str] | None = None,
) -> str: ...
@overload
async def mkdtemp(
    suffix: bytes | None = None,
    prefix: bytes | None = None,
    dir: bytes | _os.PathLike[bytes] | None = None,
) -> bytes: ...
async def mkdtemp(suffix: Any = None, prefix: Any = None, dir: Any = None) -> Any:
    """Make a directory of a new name that only this user can enter. tempfile.mkdtemp().

    Returns:
        Its absolute path. Removing it is the caller's.
    """
    suffix, prefix, directory = await _parameters(suffix, prefix, dir)
    return await _made(_new_directory(directory, prefix, suffix), _aos.rmdir)


# Files


class _Removal:
    """A file that goes when it is closed."""

    def __init__(self, path: Any) -> None:
        self._path = path

    async def run(self) -> None:
        await _settled(_unlink(self._path))

    def now(self) -> None:
        _unlink_now(self._path)


async def _unlink(path: Any) -> None:
    # Who moved it has taken it over. tempfile is of this opinion from Python 3.12 on.
    with _contextlib.suppress(FileNotFoundError):
        await _aos.unlink(path)


def _unlink_now(path: Any) -> None:
    with _contextlib.suppress(FileNotFoundError):
        _os.unlink(path)


async def _temporary_file(
    opening: _Opening[Any],
    mode: str,
    buffering: int,
    encoding: str | None,
    newline: str | None,
    suffix: Any,
    prefix: Any,
    dir: Any,
    errors: str | None,
) -> Any:
    suffix, prefix, directory = await _parameters(suffix, prefix, dir)

    async def opener(_path: object, _flags: int) -> int:
        with _contextlib.suppress(OSError):  # not on this file system
            nameless: int = await _aos.open(directory, _NAMELESS, 0o600)
            return nameless
        fd, path = await _made(_new_file(directory, prefix, suffix), _discard)
        try:
            await _settled(_unlink(path))
        except BaseException:
            await _aos.close(fd)
            raise
        return fd

    file: Any = await _open_file(
        opening, directory, mode, buffering, encoding, errors, newline, True, opener
    )
    raw = file._lowest()
    raw._name = raw._fd
    return file


@overload
def TemporaryFile(
    mode: OpenTextMode,
    buffering: int = -1,
    encoding: str | None = None,
    newline: str | None = None,
    suffix: AnyStr | None = None,
    prefix: AnyStr | None = None,
    dir: _Dir = None,
    *,
    errors: str | None = None,
) -> _Opening[TextIOWrapper]: ...
@overload
def TemporaryFile(
    mode: OpenBinaryMode,
    buffering: Literal[0],
    encoding: None = None,
    newline: None = None,
    suffix: AnyStr | None = None,
    prefix: AnyStr | None = None,
    dir: _Dir = None,
    *,
    errors: None = None,
) -> _Opening[FileIO]: ...
@overload
def TemporaryFile(
    mode: OpenBinaryMode = "w+b",
    *,
    buffering: Literal[0],
    encoding: None = None,
    newline: None = None,
    suffix: AnyStr | None = None,
    prefix: AnyStr | None = None,
    dir: _Dir = None,
    errors: None = None,
) -> _Opening[FileIO]: ...
@overload
def TemporaryFile(
    mode: OpenBinaryModeUpdating = "w+b",
    buffering: Literal[-1, 1] = -1,
    encoding: None = None,
    newline: None = None,
    suffix: AnyStr | None = None,
    prefix: AnyStr | None = None,
    dir: _Dir = None,
    *,
    errors: None = None,
) -> _Opening[BufferedRandom]: ...
@overload
def TemporaryFile(
    mode: OpenBinaryModeWriting,
    buffering: Literal[-1, 1] = -1,
    encoding: None = None,
    newline: None = None,
    suffix: AnyStr | None = None,
    prefix: AnyStr | None = None,
    dir: _Dir = None,
    *,
    errors: None = None,
) -> _Opening[BufferedWriter]: ...
@overload
def TemporaryFile(
    mode: OpenBinaryModeReading,
    buffering: Literal[-1, 1] = -1,
    encoding: None = None,
    newline: None = None,
    suffix: AnyStr | None = None,
    prefix: AnyStr | None = None,
    dir: _Dir = None,
    *,
    errors: None = None,
) -> _Opening[BufferedReader]: ...
@overload
def TemporaryFile(
    mode: OpenBinaryMode = "w+b",
    buffering: int = -1,
    encoding: None = None,
    newline: None = None,
    suffix: AnyStr | None = None,
    prefix: AnyStr | None = None,
    dir: _Dir = None,
    *,
    errors: None = None,
) -> _Opening[AsyncFile[bytes]]: ...
@overload
def TemporaryFile(
    mode: str,
    buffering: int = -1,
    encoding: str | None = None,
    newline: str | None = None,
    suffix: AnyStr | None = None,
    prefix: AnyStr | None = None,
    dir: _Dir = None,
    *,
    errors: str | None = None,
) -> _Opening[Any]: ...
def TemporaryFile(  # noqa: N802
    mode: str = "w+b",
    buffering: int = -1,
    encoding: str | None = None,
    newline: str | None = None,
    suffix: Any = None,
    prefix: Any = None,
    dir: _Dir = None,
    *,
    errors: str | None = None,
) -> _Opening[Any]:
    """Open a file without a name, which is gone when it is closed. tempfile.TemporaryFile().

    It never has a name where the file system knows O_TMPFILE. The arguments are those of open()
    and mkstemp().
    """
    encoding = _text_encoding(mode, encoding)
    return _Opening[Any].by(
        _temporary_file, mode, buffering, encoding, newline, suffix, prefix, dir, errors
    )


def _text_encoding(mode: str, encoding: str | None) -> str | None:
    if encoding is None and _sys.flags.warn_default_encoding and "b" not in mode:
        return _io.text_encoding(None, 3)
    return encoding


async def _named_temporary_file(
    opening: _Opening[Any],
    mode: str,
    buffering: int,
    encoding: str | None,
    newline: str | None,
    suffix: Any,
    prefix: Any,
    dir: Any,
    delete: bool,
    errors: str | None,
    delete_on_close: bool,
) -> Any:
    path: Any = None

    async def opener(_path: object, _flags: int) -> int:
        nonlocal path
        fd: int
        fd, path = await mkstemp(suffix, prefix, dir)
        return fd

    try:
        name = dir if dir is not None else await _default_directory()
        file: Any = await _open_file(
            opening, name, mode, buffering, encoding, errors, newline, True, opener
        )
    except BaseException:
        if path is not None:
            await _settled(_unlink(path))
        raise
    raw = file._lowest()
    raw._name = path
    if delete and delete_on_close:
        raw._cleanup = _Removal(path)
    elif delete:
        finalizer = _weakref.finalize(raw, _unlink_now, path)

        async def remove() -> None:
            if finalizer.detach() is not None:
                await _settled(_unlink(path))

        raw._at_exit = remove
    return file


class _NamedOpening(_Opening[Any]):
    """A file that is about to be made, and may go at the end of `async with`."""

    __slots__ = ()

    def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> Coroutine[Any, Any, None]:
        exiting: Coroutine[Any, Any, None] = self._file.__aexit__(kind, error, traceback)
        return exiting


@overload
def NamedTemporaryFile(
    mode: OpenTextMode,
    buffering: int = -1,
    encoding: str | None = None,
    newline: str | None = None,
    suffix: AnyStr | None = None,
    prefix: AnyStr | None = None,
    dir: _Dir = None,
    delete: bool = True,
    *,
    errors: str | None = None,
    delete_on_close: bool = True,
) -> _Opening[TextIOWrapper]: ...
@overload
def NamedTemporaryFile(
    mode: OpenBinaryMode,
    buffering: Literal[0],
    encoding: None = None,
    newline: None = None,
    suffix: AnyStr | None = None,
    prefix: AnyStr | None = None,
    dir: _Dir = None,
    delete: bool = True,
    *,
    errors: None = None,
    delete_on_close: bool = True,
) -> _Opening[FileIO]: ...
@overload
def NamedTemporaryFile(
    mode: OpenBinaryMode = "w+b",
    *,
    buffering: Literal[0],
    encoding: None = None,
    newline: None = None,
    suffix: AnyStr | None = None,
    prefix: AnyStr | None = None,
    dir: _Dir = None,
    delete: bool = True,
    errors: None = None,
    delete_on_close: bool = True,
) -> _Opening[FileIO]: ...
@overload
def NamedTemporaryFile(
    mode: OpenBinaryModeUpdating = "w+b",
    buffering: Literal[-1, 1] = -1,
    encoding: None = None,
    newline: None = None,
    suffix: AnyStr | None = None,
    prefix: AnyStr | None = None,
    dir: _Dir = None,
    delete: bool = True,
    *,
    errors: None = None,
    delete_on_close: bool = True,
) -> _Opening[BufferedRandom]: ...
@overload
def NamedTemporaryFile(
    mode: OpenBinaryModeWriting,
    buffering: Literal[-1, 1] = -1,
    encoding: None = None,
    newline: None = None,
    suffix: AnyStr | None = None,
    prefix: AnyStr | None = None,
    dir: _Dir = None,
    delete: bool = True,
    *,
    errors: None = None,
    delete_on_close: bool = True,
) -> _Opening[BufferedWriter]: ...
@overload
def NamedTemporaryFile(
    mode: OpenBinaryModeReading,
    buffering: Literal[-1, 1] = -1,
    encoding: None = None,
    newline: None = None,
    suffix: AnyStr | None = None,
    prefix: AnyStr | None = None,
    dir: _Dir = None,
    delete: bool = True,
    *,
    errors: None = None,
    delete_on_close: bool = True,
) -> _Opening[BufferedReader]: ...
@overload
def NamedTemporaryFile(
    mode: OpenBinaryMode = "w+b",
    buffering: int = -1,
    encoding: None = None,
    newline: None = None,
    suffix: AnyStr | None = None,
    prefix: AnyStr | None = None,
    dir: _Dir = None,
    delete: bool = True,
    *,
    errors: None = None,
    delete_on_close: bool = True,
) -> _Opening[AsyncFile[bytes]]: ...
@overload
def NamedTemporaryFile(
    mode: str,
    buffering: int = -1,
    encoding: str | None = None,
    newline: str | None = None,
    suffix: AnyStr | None = None,
    prefix: AnyStr | None = None,
    dir: _Dir = None,
    delete: bool = True,
    *,
    errors: str | None = None,
    delete_on_close: bool = True,
) -> _Opening[Any]: ...
def NamedTemporaryFile(  # noqa: N802
    mode: str = "w+b",
    buffering: int = -1,
    encoding: str | None = None,
    newline: str | None = None,
    suffix: Any = None,
    prefix: Any = None,
    dir: _Dir = None,
    delete: bool = True,
    *,
    errors: str | None = None,
    delete_on_close: bool = True,
) -> _Opening[Any]:
    """Open a file of a new name, which is its `name`. tempfile.NamedTemporaryFile().

    Args:
        mode: as for open(), and buffering, encoding, newline and errors too.
        buffering: see there.
        encoding: see there.
        newline: see there.
        suffix: as for mkstemp(), and prefix and dir too.
        prefix: see there.
        dir: see there.
        delete: whether the file is removed.
        errors: see open().
        delete_on_close: when it is closed; else at the end of `async with`, or when nobody has the
            file object any more.
    """
    encoding = _text_encoding(mode, encoding)
    return _NamedOpening.by(
        _named_temporary_file,
        *(mode, buffering, encoding, newline, suffix, prefix, dir, delete, errors, delete_on_close),
    )


class SpooledTemporaryFile(_Turn, _ForwardingFile[AnyStr]):
    """A temporary file that is in memory until it is large. tempfile.SpooledTemporaryFile().

    It can be awaited, which does nothing, and entered.

    Args:
        max_size: the most bytes or characters in memory; 0 for no limit to what is written. What
            is more goes to a real file. Where fileno() is needed, await rollover().
        mode: as for TemporaryFile(), and the others too.
        buffering: see there.
        encoding: see there.
        newline: see there.
        suffix: see there.
        prefix: see there.
        dir: see there.
        errors: see there.
    """

    __slots__ = ("_arguments", "_file", "_max_size", "_rolled", "_text")

    @overload
    def __init__(
        self: SpooledTemporaryFile[bytes],
        max_size: int = 0,
        mode: OpenBinaryMode = "w+b",
        buffering: int = -1,
        encoding: None = None,
        newline: None = None,
        suffix: str | None = None,
        prefix: str | None = None,
        dir: _Dir = None,
        *,
        errors: None = None,
    ) -> None: ...
    @overload
    def __init__(
        self: SpooledTemporaryFile[str],
        max_size: int,
        mode: OpenTextMode,
        buffering: int = -1,
        encoding: str | None = None,
        newline: str | None = None,
        suffix: str | None = None,
        prefix: str | None = None,
        dir: _Dir = None,
        *,
        errors: str | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self: SpooledTemporaryFile[str],
        max_size: int = 0,
        *,
        mode: OpenTextMode,
        buffering: int = -1,
        encoding: str | None = None,
        newline: str | None = None,
        suffix: str | None = None,
        prefix: str | None = None,
        dir: _Dir = None,
        errors: str | None = None,
    ) -> None: ...
    def __init__(
        self,
        max_size: int = 0,
        mode: str = "w+b",
        buffering: int = -1,
        encoding: str | None = None,
        newline: str | None = None,
        suffix: str | None = None,
        prefix: str | None = None,
        dir: _Dir = None,
        *,
        errors: str | None = None,
    ) -> None:
        self._busy = False
        self._waiting = None
        self._text = "b" not in mode
        memory: Any = _io.BytesIO()
        if self._text:
            encoding = _io.text_encoding(encoding)
            memory = _io.TextIOWrapper(memory, encoding, errors, newline)
        self._file: Any = _WrappedFile(memory)
        self._max_size = max_size
        self._rolled = False
        self._arguments = (mode, buffering, encoding, newline, suffix, prefix, dir, errors)

    def __del__(self) -> None:
        # A real file says so itself. (There may be no file yet: arguments that can't be.)
        if not getattr(self, "_rolled", True) and not self.closed:
            _warnings.warn(f"Unclosed file {self!r}", ResourceWarning, stacklevel=2, source=self)
            self._file.wrapped.close()

    def __await__(self) -> Generator[Any, Any, SpooledTemporaryFile[AnyStr]]:
        yield from ()
        return self

    async def _ask(self, name: str, *arguments: Any) -> Any:
        return await self._in_turn(self._ask_in_turn, name, *arguments)

    async def _ask_in_turn(self, name: str, *arguments: Any) -> Any:
        answer = await getattr(self._file, name)(*arguments)
        writes = name in {"write", "writelines"}
        if writes and self._max_size and not self._rolled:
            size = await self._file.tell()
            if size > self._max_size:
                await self._roll()
        return answer

    async def _roll(self) -> None:
        if self._rolled:
            return
        memory = self._file.wrapped
        position = memory.tell()
        if self._text:
            memory.flush()
        file = await _Opening[Any].by(_temporary_file, *self._arguments)
        try:
            binary: _Buffered = file.buffer if self._text else file
            content = (memory.buffer if self._text else memory).getbuffer()
            try:
                if file._lowest() is file:
                    while content:
                        content = content[await file.write(content) :]
                else:
                    await binary.write(content)
            finally:
                content.release()
            await file.seek(position)
        except BaseException:
            await _settled(file.close())
            raise
        memory.close()
        self._file = file
        self._rolled = True

    async def rollover(self) -> None:
        """Move to a real file now. If that is cancelled or fails, all is still in memory."""
        await self._in_turn(self._roll)

    @property
    def name(self) -> Any:
        """The descriptor of the real file, None in memory."""
        return self._file.name if self._rolled else None

    @property
    def mode(self) -> str:
        """The mode."""
        mode: str = self._file.mode if self._rolled else self._arguments[0]
        return mode

    @property
    def encoding(self) -> str:
        """The name of the encoding; AttributeError where it isn't text."""
        return self._file.encoding  # type: ignore[no-any-return]

    @property
    def errors(self) -> str | None:
        """What is done about what can't be encoded; AttributeError where it isn't text."""
        return self._file.errors  # type: ignore[no-any-return]

    @property
    def newlines(self) -> Any:
        """The ends of lines that were met so far; AttributeError where it isn't text."""
        return self._file.newlines

    def fileno(self) -> int:
        """Return the descriptor of the real file.

        Raises:
            io.UnsupportedOperation: it is in memory: await rollover() first.
        """
        if not self._rolled:
            raise _io.UnsupportedOperation("fileno: this is in memory, await rollover() first")
        return self._file.fileno()  # type: ignore[no-any-return]

    def isatty(self) -> Any:
        """Tell whether this is a terminal."""
        return self._file.isatty()

    def readable(self) -> Any:
        """Tell whether this can be read."""
        return self._file.readable()

    def writable(self) -> Any:
        """Tell whether this can be written."""
        return self._file.writable()

    def seekable(self) -> Any:
        """Tell whether this has a position."""
        return self._file.seekable()

    async def truncate(self, size: int | None = None, /) -> int:
        """Make the file `size` bytes long; beyond max_size, be it 0, in a real file."""
        # Memory doesn't grow by truncate(). So this is for files without a limit, too.
        if size is not None and size > self._max_size:
            await self.rollover()
        return await self._ask("truncate", size)  # type: ignore[no-any-return]


# Directories


class TemporaryDirectory(Generic[AnyStr]):
    """A directory of a new name, removed with all that is in it. tempfile.TemporaryDirectory().

    `async with TemporaryDirectory() as path:` makes it, and removes it at the end, even if
    cancelled. Or `directory = await TemporaryDirectory()`, and `await directory.cleanup()`.

    Args:
        suffix: as for mkdtemp(), and prefix and dir too.
        prefix: see there.
        dir: see there.
        ignore_cleanup_errors: go on where something can't be removed, and don't tell.
        delete: whether it is removed.
    """

    @overload
    def __init__(
        self: TemporaryDirectory[str],
        suffix: str | None = None,
        prefix: str | None = None,
        dir: str | _os.PathLike[str] | None = None,
        ignore_cleanup_errors: bool = False,
        *,
        delete: bool = True,
    ) -> None: ...
    @overload
    def __init__(
        self: TemporaryDirectory[bytes],
        suffix: bytes | None = None,
        prefix: bytes | None = None,
        dir: bytes | _os.PathLike[bytes] | None = None,
        ignore_cleanup_errors: bool = False,
        *,
        delete: bool = True,
    ) -> None: ...
    def __init__(
        self,
        suffix: Any = None,
        prefix: Any = None,
        dir: Any = None,
        ignore_cleanup_errors: bool = False,
        *,
        delete: bool = True,
    ) -> None:
        self._arguments: tuple[Any, Any, Any] = (suffix, prefix, dir)
        self._ignore_cleanup_errors = ignore_cleanup_errors
        self._delete = delete
        self._finalizer: _weakref.finalize[..., Any] | None = None
        self._name: AnyStr | None = None

    @property
    def name(self) -> AnyStr:
        """Its path."""
        if self._name is None:
            raise ValueError("this directory isn't made yet: await it, or use `async with`")
        return self._name

    async def _make(self) -> TemporaryDirectory[AnyStr]:
        if self._name is None:
            self._name = await mkdtemp(*self._arguments)
            message = f"Implicitly cleaning up {self!r}"
            self._finalizer = _weakref.finalize(
                self, _clean_up_now, self._name, self._delete, self._ignore_cleanup_errors, message
            )
        return self

    def __await__(self) -> Generator[Any, Any, TemporaryDirectory[AnyStr]]:
        return self._make().__await__()

    async def __aenter__(self) -> AnyStr:
        return (await self._make()).name

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._delete:
            await self.cleanup()

    async def cleanup(self) -> None:
        """Remove it with all that is in it, to the end even if cancelled."""
        if self._finalizer is not None:
            self._finalizer.detach()
            await _settled(_remove_tree(self.name, self._ignore_cleanup_errors))

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._name!r}>"


def _clean_up_now(path: Any, delete: bool, ignore_errors: bool, message: str) -> None:
    if delete:
        # As cleanup() does: what its owner may not remove is made removable first.
        _tempfile.TemporaryDirectory._rmtree(path, ignore_errors)  # type: ignore[attr-defined]
        # Nobody's line is to blame: the collector, or the end of the interpreter, has come here.
        _warnings.warn(message, ResourceWarning, stacklevel=1)


async def _allow(path: str) -> None:
    # Where a link leads is outside (CVE-2023-6597), and a link itself has no permissions to set.
    with _contextlib.suppress(NotImplementedError):
        await _aos.chmod(path, 0o700, follow_symlinks=False)


async def _remove_tree(path: Any, ignore_errors: bool, repeated: bool = False) -> None:
    path = _os.fsdecode(path)

    async def handle(_function: object, at: str, error: BaseException) -> None:
        if isinstance(error, FileNotFoundError):
            return
        if not isinstance(error, PermissionError) or (repeated and at == path):
            if ignore_errors:
                return
            raise error
        # What can't be removed may have been made so by its owner.
        try:
            if at != path:
                await _allow(_os.path.dirname(at))
            await _allow(at)
            if await _aos.path.isdir(at) and not await _aos.path.islink(at):
                await _remove_tree(at, ignore_errors, repeated=at == path)
            else:
                await _aos.unlink(at)
        except FileNotFoundError:
            return
        except PermissionError:
            if not ignore_errors:
                raise

    await _rmtree(path, onexc=handle)
