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
import errno
import io
import os
import stat
import sys
import warnings
from operator import index
from typing import TYPE_CHECKING, Any, Final, Literal, NoReturn, TypeVar, overload

from ._convert import warn_of_bool
from ._coroutine_forwarding import ForwardingCoroutine
from ._file_buffered import (
    DEFAULT_BUFFER_SIZE,
    BufferedRandom,
    BufferedReader,
    BufferedWriter,
)
from ._file_raw import AsyncFile, FileIO, close, status_fields, status_of
from ._file_text import TextIOWrapper
from ._operation import operation

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine
    from types import TracebackType
    from typing import Self

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


class Mode:
    """What a mode of open() comes to."""

    __slots__ = ("binary", "flags", "kind", "name", "raw", "simple")

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
        self.simple = self.binary and self.raw == "r"
        self.kind: type[BufferedReader | BufferedWriter | BufferedRandom] = (
            BufferedRandom if update else BufferedReader if way == "r" else BufferedWriter
        )


_modes: Final[dict[Any, Mode]] = {}


def _is_mode(mode: Any) -> bool:
    if not isinstance(mode, str):
        return False
    letters = set(mode)
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


def judge(mode: Any, buffering: Any, encoding: Any, errors: Any, newline: Any) -> Mode:
    """Return what a mode comes to, or raise what io.open() raises for these arguments."""
    words = (encoding, errors, newline)
    if not (
        _is_mode(mode)
        and isinstance(buffering, int)
        and -(2**31) <= buffering < 2**31
        and all(
            word is None or ("b" not in mode and isinstance(word, str) and "\0" not in word)
            for word in words
        )
    ):
        with contextlib.suppress(_NotOpened):
            builtins.open("", mode, buffering, *words, opener=_refuse).close()
    elif buffering == 1 and "b" in mode:
        # io.open() warns with these words, but wouldn't name the caller's line.
        warnings.warn(
            "line buffering (buffering=1) isn't supported in binary mode, "
            "the default buffer size will be used",
            RuntimeWarning,
            stacklevel=3,
        )
    plan = _modes[mode] = Mode(mode)
    return plan


class Opening(ForwardingCoroutine[_File]):
    """A file that is about to be opened: await it, enter it by `async with`, or make a task of it.

    Its methods are no coroutine functions: each is of the one coroutine that there has to be.
    """

    __slots__ = ("_file",)

    _file: _File  # set by the coroutine

    @classmethod
    def by(cls, function: Callable[..., Coroutine[Any, Any, _File]], *arguments: Any) -> Self:
        """Make one that is opened by function(opening, *arguments), which sets _file."""
        opening = cls()
        opening._coroutine = function(opening, *arguments)
        return opening

    def __aenter__(self) -> Coroutine[Any, Any, _File]:
        return self._coroutine

    def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> Coroutine[Any, Any, None]:
        return self._file.close()


async def open_file(
    opening: Opening[Any],
    file: Any,
    mode: str,
    buffering: int,
    encoding: str | None,
    errors: str | None,
    newline: str | None,
    closefd: bool,
    opener: Opener | None,
) -> Any:
    if type(file) is not str and not isinstance(file, int):
        file = index(file) if hasattr(type(file), "__index__") else os.fspath(file)
    plan = _modes.get(mode)
    if (
        plan is None
        or not (encoding is errors is newline is None and type(buffering) is int)
        or buffering == 1
        or not -(2**31) <= buffering < 2**31
    ):
        plan = judge(mode, buffering, encoding, errors, newline)
        buffering = index(buffering)
    if isinstance(file, int):
        warn_of_bool(file)
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
    # From here on a descriptor that isn't given is closed where something fails.
    given = fd is file
    positioned = given or opener is not None  # it may have a position
    try:
        about = status_fields(await status_of(fd))
        block_size, kind, size = about
        if buffering == -1 and plan.simple and kind & 0o170000 == 0o100000 and not positioned:
            # What is opened most, in few steps: a regular file to be read in binary mode.
            raw = FileIO(fd, file, "rb", closefd, 0, size or -1, block_size)
            opening._file = reader = BufferedReader(raw, max(block_size, DEFAULT_BUFFER_SIZE))
            return reader
        raw = make_raw(fd, file, plan, closefd, positioned, about)
    except BaseException:
        if not given:
            await close(fd)
        raise
    try:
        opening._file = opened = build(
            raw, about[1], mode, plan, buffering, encoding, errors, newline
        )
    except BaseException:
        await raw.close()
        raise
    return opened


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


def make_raw(
    fd: int, name: Any, plan: Mode, closefd: bool, positioned: bool, about: tuple[int, ...]
) -> FileIO:
    """Make a raw file of a descriptor.

    Args:
        fd: the descriptor.
        name: what the file is called.
        plan: what its mode comes to.
        closefd: whether closing the file closes the descriptor.
        positioned: it may have a position, as somebody else opened it.
        about: the size of its blocks, its mode, its size.
    """
    block_size, kind, size = about
    if stat.S_ISDIR(kind):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
    regular = stat.S_ISREG(kind)
    appends = plan.raw[0] == "a"
    position = 0
    if positioned or appends or not regular:
        # In place: only a number is set. (SEEK_END may ask a server.)
        try:
            if appends and regular:
                position = os.lseek(fd, size, os.SEEK_SET)
            else:
                position = os.lseek(fd, 0, os.SEEK_END if appends else os.SEEK_CUR)
        except OSError:
            position = -1
    hint = size if regular and size else -1
    return FileIO(fd, name, plan.name, closefd, position, hint, block_size)


def build(
    raw: FileIO,
    kind: int,
    mode: str,
    plan: Mode,
    buffering: int,
    encoding: str | None,
    errors: str | None,
    newline: str | None,
) -> Any:
    """Make the layers above a raw file."""
    if buffering == 0:
        if plan.binary:
            return raw
        raise ValueError("can't have unbuffered text I/O")
    line_buffering = buffering == 1 or (buffering < 0 and stat.S_ISCHR(kind) and os.isatty(raw._fd))
    size = buffering if buffering > 1 else max(raw._block_size, DEFAULT_BUFFER_SIZE)
    buffer = plan.kind(raw, size)
    if plan.binary:
        return buffer
    text = TextIOWrapper(buffer, encoding, errors, newline, line_buffering)
    text._mode = mode
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
    opening: Opening[Any] = Opening()
    opening._coroutine = open_file(
        opening, file, mode, buffering, encoding, errors, newline, closefd, opener
    )
    return opening
