"""open(): what `io.open` does, awaitable, and an async context manager at once.

    async with asyncsys_loop.open(path) as file:
        async for line in file: …

    file = await asyncsys_loop.open(path, "rb")

Whatever isn't quite usual about the arguments is judged by io.open() itself, with an opener that
opens nothing: so its errors, messages and warnings are the ones of the running Python.
"""

from __future__ import annotations

import builtins
import contextlib
import io
import os
import stat
import sys
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, NoReturn, TypeVar, overload

from ._file_buffered import (
    DEFAULT_BUFFER_SIZE,
    BufferedRandom,
    BufferedReader,
    BufferedWriter,
)
from ._file_raw import AsyncFile, FileIO, close, status
from ._file_text import TextIOWrapper
from ._operation import operation

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator
    from types import TracebackType

    from _typeshed import (
        FileDescriptorOrPath,
        OpenBinaryMode,
        OpenBinaryModeReading,
        OpenBinaryModeUpdating,
        OpenBinaryModeWriting,
        OpenTextMode,
    )

    Opener = Callable[[Any, int], int | Awaitable[int]]

__all__ = ["Opening", "open"]

_File = TypeVar("_File", bound=AsyncFile[Any])

_openat = operation("openat", "dir_fd path int int", function="open", result=int)


class _Mode:
    """What a mode of open() comes to."""

    __slots__ = ("binary", "flags", "kind", "name", "raw")

    def __init__(self, mode: str) -> None:
        letters = set(mode)
        update = "+" in letters
        way = next(letter for letter in "xrwa" if letter in letters)
        self.binary = "b" in letters
        # As audit hooks see it, and as FileIO.mode shows it.
        self.raw = way + "+" * update
        self.name = {"r+": "rb+", "w+": "rb+", "x+": "xb+", "a+": "ab+"}.get(self.raw, way + "b")
        self.flags = (
            os.O_CLOEXEC
            | (os.O_RDWR if update else os.O_RDONLY if way == "r" else os.O_WRONLY)
            | {"r": 0, "w": os.O_CREAT | os.O_TRUNC, "a": os.O_CREAT | os.O_APPEND}.get(
                way, os.O_CREAT | os.O_EXCL
            )
        )
        self.kind: type[BufferedReader | BufferedWriter | BufferedRandom] = (
            BufferedRandom if update else BufferedReader if way == "r" else BufferedWriter
        )


_modes: Final[dict[Any, _Mode]] = {}


def _is_mode(mode: Any) -> bool:
    letters = set(mode) if isinstance(mode, str) else set()
    return (
        len(letters) == len(mode)
        and letters <= set("xrwabt+")
        and len(letters & set("xrwa")) == 1
        and not {"b", "t"} <= letters
    )


class _NotOpened(Exception):  # noqa: N818  (it isn't one)
    """io.open() found nothing wrong, and came to its opener."""


def _refuse(_path: object, _flags: int) -> NoReturn:
    raise _NotOpened


def _judge(mode: Any, buffering: Any, encoding: Any, errors: Any, newline: Any) -> _Mode:
    """Return what a mode comes to, or raise what io.open() raises for these arguments."""
    words = (encoding, errors, newline)
    if not (
        _is_mode(mode)
        and isinstance(buffering, int)
        and all(word is None if "b" in mode else isinstance(word, str | None) for word in words)
    ):
        with contextlib.suppress(_NotOpened):
            builtins.open("", mode, buffering, *words, opener=_refuse).close()
    plan = _modes[mode] = _Mode(mode)
    return plan


class Opening(Generic[_File]):
    """A file that is about to be opened: await it, or enter it by `async with`."""

    __slots__ = ("_arguments", "_file")

    def __init__(self, *arguments: Any) -> None:
        self._arguments = arguments
        self._file: _File | None = None

    def __await__(self) -> Generator[Any, Any, _File]:
        return _open(*self._arguments).__await__()

    async def __aenter__(self) -> _File:
        file: _File
        file = self._file = await _open(*self._arguments)
        return file

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._file is not None
        await self._file.close()


async def _open(
    file: Any,
    mode: str,
    buffering: int,
    encoding: str | None,
    errors: str | None,
    newline: str | None,
    closefd: bool,
    opener: Opener | None,
) -> Any:
    if not isinstance(file, int):
        file = os.fspath(file)
    plan = _modes.get(mode)
    if plan is None or not (encoding is errors is newline is None and type(buffering) is int):
        plan = _judge(mode, buffering, encoding, errors, newline)
    if isinstance(file, int):
        if not -(2**31) <= file < 2**31:
            raise TypeError(f"expected str, bytes or os.PathLike object, not {type(file).__name__}")
        if file < 0:
            raise ValueError("negative file descriptor")
        sys.audit("open", file, plan.raw, plan.flags)
        fd = file
    else:
        if (b"\0" if isinstance(file, bytes) else "\0") in file:
            raise ValueError("embedded null byte")
        sys.audit("open", file, plan.raw, plan.flags)
        if not closefd:
            raise ValueError("Cannot use closefd=False with file name")
        if opener is None:
            fd = await _openat(None, file, plan.flags, 0o666)
        else:
            fd = await _ask(opener, file, plan.flags)
    return await _make(
        fd, file, mode, plan, buffering, encoding, errors, newline, closefd, file is fd
    )


async def _ask(opener: Opener, path: str | bytes, flags: int) -> int:
    answer = opener(path, flags)
    fd: Any = answer if isinstance(answer, int) else None
    if fd is None and hasattr(answer, "__await__"):
        fd = await answer
    if not isinstance(fd, int):
        raise TypeError("expected integer from opener")
    if fd < 0:
        raise ValueError(f"opener returned {fd}")
    os.set_inheritable(fd, False)
    return fd


async def _make(
    fd: int,
    name: Any,
    mode: str,
    plan: _Mode,
    buffering: int,
    encoding: str | None,
    errors: str | None,
    newline: str | None,
    closefd: bool,
    given: bool,
) -> Any:
    """Make the layers above a descriptor, which is closed where that fails, unless it was given."""
    try:
        block_size, kind, size = await status(fd)
        if stat.S_ISDIR(kind):
            raise IsADirectoryError(21, os.strerror(21), name)
        regular = stat.S_ISREG(kind)
        position = 0
        if not regular or given or plan.raw[0] == "a":
            try:
                end = os.SEEK_END if plan.raw[0] == "a" else os.SEEK_CUR
                position = os.lseek(fd, 0, end)
            except OSError:
                position = -1
        raw = FileIO(fd, name, plan.name, closefd, position, size if regular else -1, block_size)
    except BaseException:
        if not given:
            await close(fd)
        raise
    try:
        line_buffering = False
        if buffering == 1 and not plan.binary:
            line_buffering = True
        elif buffering == 0:
            if not plan.binary:
                raise ValueError("can't have unbuffered text I/O")
            return raw
        elif buffering < 0 and stat.S_ISCHR(kind) and os.isatty(fd):
            line_buffering = True
        if buffering <= 1:
            buffering = max(block_size, DEFAULT_BUFFER_SIZE)
        if position < 0 and plan.kind is BufferedRandom:
            raise io.UnsupportedOperation("File or stream is not seekable.")
        buffer = plan.kind(raw, buffering)
        if plan.binary:
            return buffer
        text = TextIOWrapper(buffer, encoding, errors, newline, line_buffering)
        text._mode = mode
    except BaseException:
        await raw.close()
        raise
    return text


@overload
def open(
    file: FileDescriptorOrPath,
    mode: OpenTextMode = "r",
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    closefd: bool = True,
    opener: Opener | None = None,
) -> Opening[TextIOWrapper]: ...
@overload
def open(
    file: FileDescriptorOrPath,
    mode: OpenBinaryMode,
    buffering: Literal[0],
    encoding: None = None,
    errors: None = None,
    newline: None = None,
    closefd: bool = True,
    opener: Opener | None = None,
) -> Opening[FileIO]: ...
@overload
def open(
    file: FileDescriptorOrPath,
    mode: OpenBinaryModeUpdating,
    buffering: Literal[-1, 1] = -1,
    encoding: None = None,
    errors: None = None,
    newline: None = None,
    closefd: bool = True,
    opener: Opener | None = None,
) -> Opening[BufferedRandom]: ...
@overload
def open(
    file: FileDescriptorOrPath,
    mode: OpenBinaryModeWriting,
    buffering: Literal[-1, 1] = -1,
    encoding: None = None,
    errors: None = None,
    newline: None = None,
    closefd: bool = True,
    opener: Opener | None = None,
) -> Opening[BufferedWriter]: ...
@overload
def open(
    file: FileDescriptorOrPath,
    mode: OpenBinaryModeReading,
    buffering: Literal[-1, 1] = -1,
    encoding: None = None,
    errors: None = None,
    newline: None = None,
    closefd: bool = True,
    opener: Opener | None = None,
) -> Opening[BufferedReader]: ...
@overload
def open(
    file: FileDescriptorOrPath,
    mode: OpenBinaryMode,
    buffering: int = -1,
    encoding: None = None,
    errors: None = None,
    newline: None = None,
    closefd: bool = True,
    opener: Opener | None = None,
) -> Opening[AsyncFile[bytes]]: ...
@overload
def open(
    file: FileDescriptorOrPath,
    mode: str,
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    closefd: bool = True,
    opener: Opener | None = None,
) -> Opening[Any]: ...
def open(
    file: FileDescriptorOrPath,
    mode: str = "r",
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    closefd: bool = True,
    opener: Opener | None = None,
) -> Opening[Any]:
    r"""Open a file: `await open(…)` returns it, `async with open(…) as file` closes it, too.

    Arguments, errors, the audit event and the file's methods are those of io.open(), and the
    methods that move bytes are coroutines. A default buffer has 64 KiB or more.

    Args:
        file: a path, or a descriptor.
        mode: "r", "w", "x" or "a", with "+", "b" or "t".
        buffering: 0 for none, 1 for lines of text, more for bytes.
        encoding: of text.
        errors: what is done about text that can't be decoded or encoded.
        newline: None, "", "\n", "\r" or "\r\n".
        closefd: whether a descriptor that was given is closed in the end.
        opener: called with the path and the flags of open(2), returns a descriptor; may be async.

    Raises:
        OSError: it can't be opened.
        ValueError, TypeError, LookupError: arguments that can't be.
        asyncio.CancelledError: nothing is open then; a file that was made may be there.
    """
    if encoding is None and sys.flags.warn_default_encoding and "b" not in mode:
        encoding = io.text_encoding(None, 2)
    return Opening(file, mode, buffering, encoding, errors, newline, closefd, opener)
