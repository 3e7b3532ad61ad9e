"""Binary files with a buffer.

What was read ahead is an io.BytesIO, whose own read() and readline() then do the work in C: a
method that it can satisfy awaits nothing. What waits to be written is a bytearray. Never both: who
reads writes first what waits, who writes gives back to the kernel what was read ahead. So the
position is always the kernel's, less what is unread, plus what is pending.

Methods with a leading underscore are for who has the turn (see _file_raw.py): the public methods,
and the text layer.
"""

from __future__ import annotations

import asyncio
import errno
import io
import os
from operator import index
from typing import TYPE_CHECKING, Any, Final

from ._file_raw import (
    LARGE,
    NO,
    Answer,
    AsyncFile,
    FileIO,
    Gone,
    close,
    late_result,
    read_once,
    readable_view,
    writable_view,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from typing_extensions import Buffer

__all__ = ["DEFAULT_BUFFER_SIZE", "Buffered", "BufferedRandom", "BufferedReader", "BufferedWriter"]

# A trip to an exec thread costs about as much as copying this many bytes. (`io` takes 8 KiB, and
# 128 KiB in later versions.)
DEFAULT_BUFFER_SIZE: Final = 65536

_EMPTY: Final = io.BytesIO()  # nothing is unread
_CLOSED: Final[Any] = Gone("{} of closed file")
_DETACHED: Final[Any] = Gone("raw stream has been detached")


class Buffered(AsyncFile[bytes]):
    """What BufferedReader, BufferedWriter and BufferedRandom share."""

    __slots__ = ("__weakref__", "_buffer_size", "_filled", "_raw", "_unread", "_writing")

    _reads = True
    _writes = True

    def __init__(self, raw: FileIO, buffer_size: int = DEFAULT_BUFFER_SIZE) -> None:
        if buffer_size <= 0:
            raise ValueError("buffer size must be strictly positive")
        if raw._mode != "rb" or self._writes:
            raw._check()
            if self._reads and not raw.readable():
                raise io.UnsupportedOperation("File or stream is not readable.")
            if self._writes and not raw.writable():
                raise io.UnsupportedOperation("File or stream is not writable.")
            if self._reads and self._writes and raw._position < 0:
                raise io.UnsupportedOperation(NOT_SEEKABLE)
        self._raw = raw
        self._buffer_size = buffer_size
        self._unread = _EMPTY
        self._filled = 0  # the length of all that _unread holds, read or not
        self._writing = False  # nothing is unread, and the raw file may be written

    def _lowest(self) -> FileIO:
        return self._raw

    # For who has the turn

    def _check(self, name: str) -> None:
        if self._raw._fd < 0:
            raise ValueError(f"{name} of closed file")

    def _keep(self, data: bytes) -> None:
        """Keep what was read ahead."""
        self._unread = io.BytesIO(data) if data else _EMPTY
        self._filled = len(data)
        self._writing = False

    def _ahead(self) -> int:
        return self._filled - self._unread.tell()

    def _check_reading(self, name: str, unsupported: str = "read") -> bool:
        """Say whether something has to be written first."""
        if not self._reads:
            raise io.UnsupportedOperation(unsupported)
        self._check(name)
        self._writing = False
        return bool(self._raw._pending)

    async def _give_back(self) -> None:
        """Set the kernel's position to ours."""
        ahead = self._ahead()
        if ahead:
            try:
                await self._raw._seek(-ahead, os.SEEK_CUR)
            except asyncio.CancelledError as error:
                if late_result(error, None) is not None:
                    self._keep(b"")
                raise
        if self._filled:
            self._unread = _EMPTY
            self._filled = 0

    async def _fill(self) -> bool:
        """Read ahead, where nothing is unread; say whether there was anything."""
        data = await self._raw._fetch(self._buffer_size)
        self._keep(data)
        return bool(data)

    async def _read(self, size: int) -> bytes:
        if self._check_reading("read"):
            await self._raw._flush_pending()
        data = self._unread.read(size)
        missing = size - len(data)
        if not missing:
            return data
        parts = [data]
        try:
            while missing:
                if missing >= self._buffer_size:
                    data = await self._raw._fetch(missing)
                elif await self._fill():
                    data = self._unread.read(missing)
                else:
                    break
                if not data:
                    break
                parts.append(data)
                missing -= len(data)
        except BaseException:
            self._put_back(parts)
            raise
        return b"".join(parts)

    def _put_back(self, parts: list[bytes]) -> None:
        """Nobody gets what was taken: it is unread again."""
        self._keep(b"".join(parts) + self._unread.read())

    async def _read_rest(self) -> bytes:
        if self._check_reading("read"):
            await self._raw._flush_pending()
        head = self._unread.read()
        parts = [head] if head else []
        try:
            await self._raw._fetch_rest(parts)
        except BaseException:
            self._put_back(parts)
            raise
        self._keep(b"")
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def _read1(self, size: int) -> bytes:
        if self._check_reading("read", "read1"):
            await self._raw._flush_pending()
        return self._unread.read(size) or await self._raw._fetch(size)

    async def _readline(self, limit: int) -> bytes:
        if limit == 0 and not self._reads:
            return b""
        if self._check_reading("readline"):
            await self._raw._flush_pending()
        parts: list[bytes] = []
        try:
            while True:
                part = self._unread.readline(limit)
                parts.append(part)
                if part.endswith(b"\n"):
                    break
                if limit >= 0:
                    limit -= len(part)
                    if not limit:
                        break
                if not await self._fill():
                    break
        except BaseException:
            self._put_back(parts)
            raise
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def _readlines(self, most: int) -> list[bytes]:
        if most <= 0:
            return io.BytesIO(await self._read_rest()).readlines()
        lines: list[bytes] = []
        size = 0
        try:
            while size <= most and (line := await self._readline(-1)):
                lines.append(line)
                size += len(line)
        except BaseException:
            if lines:
                self._put_back(lines)
            raise
        return lines

    async def _peek(self) -> bytes:
        if self._check_reading("peek"):
            await self._raw._flush_pending()
        if not self._ahead():
            await self._fill()
        return self._unread.getvalue()[self._unread.tell() :]

    async def _readinto(self, buffer: Any, once: bool) -> int:
        if self._check_reading("readinto", "read1" if once else "read"):
            await self._raw._flush_pending()
        view = writable_view(buffer, "readinto1" if once else "readinto")
        done = self._unread.readinto(view)
        if once and done:
            return done
        taken = [bytes(view[:done])]
        try:
            while done < len(view):
                if len(view) - done >= self._buffer_size:
                    count = await self._raw._fetch_into(view[done:])
                elif await self._fill():
                    count = self._unread.readinto(view[done:])
                else:
                    break
                if not count:
                    break
                done += count
                if once:
                    break
        except BaseException:
            # The buffer is the caller's, who may have it changed by now: but not before this.
            taken = [bytes(view[:done])]
            self._put_back(taken)
            raise
        return done

    async def _write(self, data: Any) -> int:
        raw = self._raw
        if not self._writes:
            raise io.UnsupportedOperation("write")
        if raw._fd < 0:
            raise ValueError("write to closed file")
        view = readable_view(data)
        size = len(view)
        await self._give_back()
        self._writing = True
        if len(raw._pending) + size > self._buffer_size:
            if raw._pending:
                await raw._flush_pending()
            done = 0
            try:
                while size - done > self._buffer_size:
                    done += await raw._store(view[done:])
            except asyncio.CancelledError as error:
                # All of it or nothing: the rest is written with what comes next.
                done += late_result(error, 0)
                raw._pending += view[done:]
                error.result = size  # type: ignore[attr-defined]
                raise
            view = view[done:]
        raw._pending += view
        return size

    async def _writelines(self, lines: Iterable[Any]) -> None:
        raw = self._raw
        for taken, line in enumerate(lines):
            if (
                self._writing
                and type(line) is bytes
                and len(raw._pending) + len(line) <= self._buffer_size
            ):
                raw._pending += line  # as in write()
                continue
            try:
                await self._write(line)
            except asyncio.CancelledError as error:
                count_taken(error, taken)
                raise

    async def _flush(self) -> None:
        if not self._writes:
            self._raw._check()
            return
        self._check("flush")
        if self._raw._pending:
            await self._raw._flush_pending()
        if self._reads:
            await self._give_back()

    async def _seek(self, offset: int, whence: int) -> int:
        self._check("seek")
        raw = self._raw
        if raw._position < 0:
            raise io.UnsupportedOperation(NOT_SEEKABLE)
        if not 0 <= whence <= 4:
            raise ValueError(f"whence value {whence} unsupported")
        ahead = self._ahead()
        if whence in {os.SEEK_SET, os.SEEK_CUR} and ahead:
            end = raw._tell()
            target = offset if whence == os.SEEK_SET else end - ahead + offset
            if end - self._filled <= target <= end:
                self._unread.seek(target - (end - self._filled))
                return target
        if raw._pending:
            await raw._flush_pending()
        if whence == os.SEEK_CUR:
            offset -= ahead
        try:
            position = await raw._seek(offset, whence)
        except asyncio.CancelledError as error:
            if hasattr(error, "result"):
                self._keep(b"")
            raise
        self._keep(b"")
        return position

    def _tell(self) -> int:
        self._raw._check()
        if self._raw._position < 0:
            raise OSError(errno.ESPIPE, os.strerror(errno.ESPIPE))
        return max(self._raw._tell() - self._ahead() + len(self._raw._pending), 0)

    async def _tell_in_turn(self) -> int:
        return self._tell()

    async def _truncate(self, size: int | None) -> int:
        self._check("truncate")
        if not self._writes:
            raise io.UnsupportedOperation("truncate")
        await self._flush()
        return await self._raw._resize(size)

    async def _detach(self) -> FileIO:
        await self._flush()
        raw = self._raw
        self._raw = self._unread = _DETACHED
        self._writing = False
        return raw

    async def _finish(self) -> None:
        """Write what is buffered, even if cancelled where that can't take for ever; and close."""
        raw = self._raw
        cancelled: BaseException | None = None
        try:
            while raw._pending:
                try:
                    await raw._flush_pending()
                except asyncio.CancelledError as error:
                    if raw._position < 0:
                        raise
                    cancelled = error
        finally:
            self._unread = _CLOSED
            self._writing = False
            await raw._shut()
        if cancelled is not None:
            raise cancelled

    # The interface

    @property
    def raw(self) -> FileIO:
        """The file below the buffer."""
        if self._raw is _DETACHED:
            return None  # type: ignore[return-value]  # as `io` has it
        return self._raw

    @property
    def closed(self) -> bool:
        """Whether this is closed."""
        return self._raw._fd < 0

    @property
    def name(self) -> Any:
        """The path or the descriptor that open() was given."""
        return self._raw._name

    @property
    def mode(self) -> str:
        """The mode of the raw file."""
        return self._raw._mode

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._raw.fileno()

    def isatty(self) -> Answer:
        """Tell whether this is a terminal."""
        return self._raw.isatty()

    def readable(self) -> Answer:
        """Tell whether this can be read."""
        return self._raw.readable() if self._reads else NO

    def writable(self) -> Answer:
        """Tell whether this can be written."""
        return self._raw.writable() if self._writes else NO

    def seekable(self) -> Answer:
        """Tell whether this has a position."""
        return self._raw.seekable()

    async def read(self, size: int | None = -1, /) -> bytes:
        """Read `size` bytes, fewer only at the end of the file; all that follow by default."""
        raw = self._raw
        if size == -1 or size is None or size < -1:
            if size is not None and size < -1 and self._reads:
                raise ValueError("read length must be non-negative or -1")
            if (
                0 < raw._size < LARGE
                and raw._fd >= 0
                and raw._position == 0 == self._filled
                and not (raw._busy or raw._pending)
                and self._reads
            ):
                # All of a small file that was just opened: what programs do most, in one frame.
                size, raw._size = raw._size, -1
                raw._busy = True
                try:
                    data = await read_once(raw._fd, size + 1)
                    raw._position = len(data)
                    if len(data) == size:
                        return data
                    self._keep(data)
                except asyncio.CancelledError as error:
                    raw._give_back(late_result(error, b""))
                    raise
                finally:
                    if raw._waiting:
                        raw._end_turn()
                    else:
                        raw._busy = False
            return await raw._in_turn(self._read_rest)
        size = index(size)
        if raw._fd >= 0 and not raw._busy and self._ahead() >= size > 0:
            return self._unread.read(size)
        return await raw._in_turn(self._read, size)

    async def read1(self, size: int = -1, /) -> bytes:
        """Read at most `size` bytes, by one system call at most; what is buffered, if anything."""
        size = index(size)
        return await self._raw._in_turn(self._read1, self._buffer_size if size < 0 else size)

    async def readinto(self, buffer: Buffer, /) -> int:
        """Fill a writable buffer, and return how many bytes it was; fewer only at the end."""
        return await self._raw._in_turn(self._readinto, buffer, False)

    async def readinto1(self, buffer: Buffer, /) -> int:
        """Read into a writable buffer, by one system call at most, and return how much it was."""
        return await self._raw._in_turn(self._readinto, buffer, True)

    async def readline(self, size: int | None = -1, /) -> bytes:
        """Read a line with its end, at most `size` bytes of it; b"" at the end of the file."""
        limit = -1 if size is None else index(size)
        return await self._raw._in_turn(self._readline, limit)

    async def readlines(self, hint: int | None = -1, /) -> list[bytes]:
        """Read lines until they have more than `hint` bytes; all by default."""
        return await self._raw._in_turn(self._readlines, self._most(hint))

    async def write(self, data: Buffer, /) -> int:
        """Write all of `data`, and return its length; to the buffer if there is room."""
        raw = self._raw
        if (
            self._writing
            and type(data) is bytes
            and len(raw._pending) + len(data) <= self._buffer_size
            and not raw._busy
        ):
            raw._pending += data
            return len(data)
        return await raw._in_turn(self._write, data)

    async def writelines(self, lines: Iterable[Buffer], /) -> None:
        """Write one after the other; ends of lines aren't added."""
        if self._raw._fd < 0:
            raise ValueError("I/O operation on closed file.")
        await self._raw._in_turn(self._writelines, lines)

    async def flush(self) -> None:
        """Hand what is buffered to the kernel. (os.fsync() hands it to the disk.)"""
        await self._raw._in_turn(self._flush)

    async def seek(self, offset: int, whence: int = 0, /) -> int:
        """Set the position, in bytes from the start, from here (1) or from the end (2)."""
        return await self._raw._in_turn(self._seek, index(offset), index(whence))

    async def tell(self) -> int:
        """Return the position, in bytes."""
        if self._raw._busy:
            return await self._raw._in_turn(self._tell_in_turn)
        return self._tell()

    async def truncate(self, size: int | None = None, /) -> int:
        """Make the file `size` bytes long, and return that; as long as its position by default."""
        return await self._raw._in_turn(self._truncate, size)

    async def detach(self) -> FileIO:
        """Write what is buffered, and return the raw file; this can't be used any more."""
        return await self._raw._in_turn(self._detach)

    async def close(self) -> None:
        """Write what is buffered, and close the file; once it is closed, do nothing.

        Raises:
            OSError: what was buffered can't be written. The file is closed nevertheless.
        """
        raw = self._raw
        fd = raw._fd
        if fd < 0:
            return
        asyncio.get_running_loop()  # without one nothing can be written: the file stays as it is
        if raw._busy or raw._pending or raw._calls or raw._cleanup is not None:
            await raw._in_turn(self._finish)
        else:
            self._unread = _CLOSED
            self._writing = False
            raw._fd = -1
            if raw._closefd:
                await close(fd)

    async def __anext__(self) -> bytes:
        for line in self._unread:
            if line[-1] == 10:
                return line
            self._unread.seek(-len(line), os.SEEK_CUR)
            break
        line = await self._raw._in_turn(self._readline, -1)
        if line:
            return line
        raise StopAsyncIteration

    def __repr__(self) -> str:
        name = "" if self._raw is _DETACHED else f" name={self._raw._name!r}"
        return f"<asyncsys_loop.io.{type(self).__name__}{name}>"


def count_taken(error: asyncio.CancelledError, before: int) -> None:
    """Tell how many items a cancelled writelines() took: with the last one, if that was taken."""
    error.result = before + hasattr(error, "result")  # type: ignore[attr-defined]


NOT_SEEKABLE: Final = "File or stream is not seekable."


class BufferedReader(Buffered):
    """A binary file that is read. io.BufferedReader."""

    __slots__ = ()
    _writes = False

    async def peek(self, size: int = 0, /) -> bytes:
        """Return bytes that come next, without reading them; by one system call at most."""
        index(size)  # a hint, of which nothing is made
        return await self._raw._in_turn(self._peek)


class BufferedWriter(Buffered):
    """A binary file that is written. io.BufferedWriter."""

    __slots__ = ()
    _reads = False


class BufferedRandom(Buffered):
    """A binary file that is read and written. io.BufferedRandom."""

    __slots__ = ()

    async def peek(self, size: int = 0, /) -> bytes:
        """Return bytes that come next, without reading them; by one system call at most."""
        index(size)  # a hint, of which nothing is made
        return await self._raw._in_turn(self._peek)
