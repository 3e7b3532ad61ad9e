"""wrap(): what is open already. And the standard streams.

A descriptor gets the layers that open() makes; so does a binary file of `io`, whose descriptor is
taken over. Any other file is asked itself: in place if it only keeps memory, else in a thread of
asyncio's default executor, as anyio.wrap_file() does; a text file of `io` too, as it doesn't tell
which newline= it was made with.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import io
import os
import sys
from typing import IO, TYPE_CHECKING, Any, AnyStr, Final, TypeVar, overload

from ._file_forwarding import ForwardingFile
from ._file_raw import Answer, AsyncFile, Turn, settled
from ._file_text import TextIOWrapper
from ._open import Mode, build, judge, make_raw

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Literal

    from _typeshed import (
        OpenBinaryMode,
        OpenBinaryModeReading,
        OpenBinaryModeUpdating,
        OpenBinaryModeWriting,
        OpenTextMode,
    )

    from ._file_buffered import BufferedRandom, BufferedReader, BufferedWriter
    from ._file_raw import FileIO

__all__ = ["WrappedFile", "standard_stream", "wrap"]

_Result = TypeVar("_Result")


class _OriginalOwner:
    """The file of `io` whose descriptor was taken over, and which closes it."""

    def __init__(self, file: Any) -> None:
        self._file = file

    async def run(self) -> None:
        # Nothing is in its buffer, but closing may wait for a network or a FUSE server.
        await settled(asyncio.to_thread(self._file.close))

    def now(self) -> None:
        """Leave it to the original, which may be in use."""


class WrappedFile(Turn, ForwardingFile[AnyStr]):
    """A file object whose methods block, each run where it blocks nobody. Made by wrap().

    Two tasks: one method runs after the other. Cancellation: CancelledError comes after the method
    has ended, what it did stays done, and what it returned is the `result` of the exception.
    """

    __slots__ = ("_file", "_in_place")

    def __init__(self, file: IO[AnyStr]) -> None:
        self._file: Any = file
        self._busy = False
        self._waiting = None
        self._in_place = _is_in_memory(file)

    @property
    def wrapped(self) -> IO[AnyStr]:
        """The file object."""
        return self._file  # type: ignore[no-any-return]

    @property
    def buffer(self) -> WrappedFile[bytes]:
        """The binary file below a text file, wrapped likewise."""
        return WrappedFile(self._file.buffer)

    async def _run(self, method: Callable[..., _Result], *arguments: Any) -> _Result:
        if self._in_place:
            return method(*arguments)
        return await settled(asyncio.to_thread(method, *arguments))

    async def _ask(self, name: str, *arguments: Any) -> Any:
        return await self._in_turn(self._run, getattr(self._file, name), *arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    @property
    def name(self) -> Any:
        """The name that the file object has."""
        return self._file.name

    @property
    def mode(self) -> str:
        """The mode that the file object has."""
        return self._file.mode  # type: ignore[no-any-return]

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._file.fileno()  # type: ignore[no-any-return]

    def isatty(self) -> Answer:
        """Tell whether this is a terminal."""
        return Answer(self._file.isatty())

    def readable(self) -> Answer:
        """Tell whether this can be read."""
        return Answer(self._file.readable())

    def writable(self) -> Answer:
        """Tell whether this can be written."""
        return Answer(self._file.writable())

    def seekable(self) -> Answer:
        """Tell whether this has a position."""
        return Answer(self._file.seekable())

    async def peek(self, size: int = 0, /) -> bytes:
        """Return bytes that come next, without reading them."""
        return await self._ask("peek", size)  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"<asyncsys_loop.io.WrappedFile {self._file!r}>"


def _is_in_memory(file: object) -> bool:
    return type(file) in {io.BytesIO, io.StringIO} or (
        isinstance(file, io.TextIOWrapper) and type(file.buffer) is io.BytesIO
    )


def _take_over(file: Any) -> AsyncFile[bytes] | None:
    """Make layers of our own for the descriptor of a binary file of `io`, if it is one."""
    raw = file
    if isinstance(file, io.BufferedReader | io.BufferedWriter | io.BufferedRandom):
        raw = file.raw
    if type(raw) is not io.FileIO:
        return None
    if file.closed:
        raise ValueError("I/O operation on closed file.")
    if file.writable():
        file.flush()
    fd = raw.fileno()
    if file is not raw and file.readable() and file.seekable():
        # What the original has read ahead is read again.
        os.lseek(fd, file.tell(), os.SEEK_SET)
    plan = Mode(raw.mode)
    about = _status(fd)
    ours = make_raw(fd, raw.name, plan, False, True, about)
    ours._cleanup = _OriginalOwner(file)
    return build(ours, about[1], raw.mode, plan, 0 if raw is file else -1, None, None, None)  # type: ignore[no-any-return]


def _status(fd: int) -> tuple[int, int, int]:
    status = os.fstat(fd)  # of what is open, and needn't be looked up
    return status.st_blksize, status.st_mode, status.st_size


@overload
def wrap(
    file: int,
    mode: OpenTextMode = "r",
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    closefd: bool = True,
) -> TextIOWrapper: ...
@overload
def wrap(
    file: int,
    mode: OpenBinaryMode,
    buffering: Literal[0],
    encoding: None = None,
    errors: None = None,
    newline: None = None,
    closefd: bool = True,
) -> FileIO: ...
@overload
def wrap(
    file: int,
    mode: OpenBinaryModeUpdating,
    buffering: Literal[-1, 1] = -1,
    encoding: None = None,
    errors: None = None,
    newline: None = None,
    closefd: bool = True,
) -> BufferedRandom: ...
@overload
def wrap(
    file: int,
    mode: OpenBinaryModeWriting,
    buffering: Literal[-1, 1] = -1,
    encoding: None = None,
    errors: None = None,
    newline: None = None,
    closefd: bool = True,
) -> BufferedWriter: ...
@overload
def wrap(
    file: int,
    mode: OpenBinaryModeReading,
    buffering: Literal[-1, 1] = -1,
    encoding: None = None,
    errors: None = None,
    newline: None = None,
    closefd: bool = True,
) -> BufferedReader: ...
@overload
def wrap(
    file: int,
    mode: str,
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    closefd: bool = True,
) -> AsyncFile[Any]: ...
@overload
def wrap(file: IO[AnyStr]) -> AsyncFile[AnyStr]: ...
@overload
def wrap(file: io.RawIOBase | io.BufferedIOBase) -> AsyncFile[bytes]: ...
@overload
def wrap(file: io.TextIOBase) -> AsyncFile[str]: ...
def wrap(
    file: Any,
    mode: str = "r",
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    closefd: bool = True,
) -> AsyncFile[Any]:
    """Return an awaitable file for what is open already.

    Args:
        file: a descriptor; or a file object, which takes no more arguments. A file object must not
            be used by itself meanwhile; closing ours closes it.
        mode: as for open(), and the others too.
        buffering: 0 for none, 1 for lines of text, more for bytes.
        encoding: of text.
        errors: what is done about text that can't be decoded or encoded.
        newline: how lines of text end.
        closefd: whether closing this closes the descriptor.

    Raises:
        OSError: not a descriptor, or one of a directory.
        ValueError, TypeError, LookupError: arguments that can't be.
    """
    if not isinstance(file, int):
        if (mode, buffering, closefd) != ("r", -1, True) or encoding or errors or newline:
            raise TypeError("wrap() takes a mode and the like only for a descriptor")
        if not hasattr(file, "read") and not hasattr(file, "write"):
            raise TypeError(
                f"wrap() takes a descriptor or a file object, not {type(file).__name__}: "
                "open() takes a path"
            )
        return _take_over(file) or WrappedFile(file)
    if encoding is None and sys.flags.warn_default_encoding and "b" not in mode:
        encoding = io.text_encoding(None, 2)
    plan = judge(mode, buffering, encoding, errors, newline)
    if file < 0:
        raise ValueError("negative file descriptor")
    sys.audit("open", file, plan.raw, plan.flags)
    about = _status(file)
    raw = make_raw(file, file, plan, closefd, True, about)
    try:
        return build(raw, about[1], mode, plan, buffering, encoding, errors, newline)  # type: ignore[no-any-return]
    except BaseException:
        raw._fd = -1  # the caller's, still
        raise


# The standard streams

_streams: Final[dict[str, Any]] = {}


def standard_stream(name: str) -> Any:
    """Return stdin, stdout or stderr: of sys as it is when this is first asked for."""
    stream = _streams.get(name)
    if stream is None:
        stream = _streams[name] = _standard_stream(getattr(sys, name))
    return stream


def _standard_stream(original: Any) -> Any:
    try:
        fd = original.fileno()
        reads = original.readable()
    except (AttributeError, OSError, ValueError):  # something else is in its place
        return WrappedFile(original)
    if not reads:
        original.flush()
    plan = Mode("rb" if reads else "wb")
    about = _status(fd)
    raw = make_raw(fd, original.name, plan, False, True, about)
    text = TextIOWrapper(
        build(raw, about[1], plan.name, plan, -1, None, None, None),
        original.encoding,
        original.errors,
        None if reads else "\n",
        getattr(original, "line_buffering", False),
        getattr(original, "write_through", False),
    )
    text._mode = original.mode
    if not reads:
        atexit.register(_write_rest, raw)
    return text


def _write_rest(raw: FileIO) -> None:
    """The interpreter ends: as it does for sys.stdout, what is buffered is written."""
    view = memoryview(bytes(raw._pending))
    raw._pending.clear()
    with contextlib.suppress(OSError):
        while view:
            view = view[os.write(raw._fd, view) :]
