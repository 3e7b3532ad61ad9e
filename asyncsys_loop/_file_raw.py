"""What all files share, and raw files: a descriptor, and who may use it now.

Files are `io`'s, layer by layer: FileIO makes system calls, a Buffered* keeps bytes, TextIOWrapper
keeps text. Names, arguments, results and errors are those of `io`; what moves bytes is a coroutine.
Three things that `io` needn't think of are settled here, in the lowest layer:

* Two tasks. A file of several layers has one turn, which lies in its FileIO: a flag, and a queue
  that exists only once two tasks want it. Who needs the descriptor takes the turn, first come,
  first served, and keeps it until its method is through, so that bytes of two tasks never mix. What
  is answered from a buffer needs no turn, as nothing else runs meanwhile. Raw files have no turn:
  one method is one system call, and the kernel keeps those apart. Closing waits for all of them, or
  the call of one file could hit the next that gets the number of its descriptor.

* Cancellation. A cancelled system call has settled, and the exception has its result, if it had
  ended (_engine.py). So a cancelled write is known to the byte, and a cancelled read is taken back:
  the position is, and where there is none (pipes, ttys, sockets) the bytes are kept for the next.

* A descriptor with O_NONBLOCK. `io` would return None; here the caller awaits, so it waits.
"""

from __future__ import annotations

import asyncio
import io
import os
import stat
import struct
import warnings
from collections import deque
from operator import index
from typing import TYPE_CHECKING, Any, AnyStr, Final, Generic, Protocol, TypeVar, overload

from ._attach import running_engine
from ._convert import memoryview_of
from ._operation import operation

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable, Iterator
    from types import TracebackType
    from typing import Self

    from typing_extensions import Buffer

__all__ = ["Answer", "AsyncFile", "FileIO"]

_Result = TypeVar("_Result")

# Calls on a descriptor. The files convert their arguments themselves, with the messages of `io`.
read_once = operation("read", "fd length", result=bytes)
_read_into = operation("read", "fd out", result=int)
_write = operation("write", "fd in", result=int)
close = operation("close", "fd")
_lseek = operation("lseek", "fd off_t int", result=int)
_ftruncate = operation("ftruncate", "fd off_t")
# AT_EMPTY_PATH | AT_STATX_DONT_SYNC; STATX_TYPE | STATX_MODE | STATX_SIZE. What the kernel has at
# hand will do: it was asked for just before, by the open, and only the hint about the size is old
# where a network's file grows meanwhile.
status_of = operation("statx", "fd empty 20480 515 struct:256", function="open", result=bytes)
status_fields: Final = struct.Struct("=4xI20xH10xQ").unpack_from  # blocks' size, mode, size

# A read of unknown length asks for this many bytes first.
_CHUNK: Final = 65536
# Who asks for a byte more than there is learns at once that it is the end; but what is read short
# is copied, in the loop's thread. From this length on, another read is cheaper.
LARGE: Final = 262144


class Answer(int):
    """True or False, which may be awaited: with aiofiles one awaits seekable(), with anyio not."""

    __slots__ = ()

    def __await__(self) -> Generator[Any, Any, bool]:
        yield from ()
        return bool(self)

    def __repr__(self) -> str:
        return repr(bool(self))

    __str__ = __repr__


YES: Final = Answer(1)
NO: Final = Answer(0)


def _unsupported(operation_name: str) -> io.UnsupportedOperation:
    return io.UnsupportedOperation(operation_name)


class Gone:
    """Stands in for a buffer or a layer that is gone: whatever is asked of it raises ValueError."""

    __slots__ = ("_message",)

    def __init__(self, message: str) -> None:
        self._message = message

    def __getattr__(self, name: str) -> Any:
        raise ValueError(self._message.format(name))

    def __iter__(self) -> Iterator[Any]:
        raise ValueError(self._message.format("readline"))


class AsyncFile(Generic[AnyStr]):
    """What all open files have: the methods of `io`, as coroutines.

    Made by open() and wrap(). `async with` closes it, `async for` yields its lines.

    Cancellation: a cancelled read has taken nothing, and the next one returns the same bytes. A
    cancelled write has taken all of its data or nothing of it: the CancelledError has a `result`,
    as write() returns it, or hasn't. A cancelled close() closes, and writes what was buffered
    before if the file can't keep it waiting for ever: that is, if it has a position.
    """

    __slots__ = ()

    # The descriptor

    def fileno(self) -> int:
        """Return the descriptor."""
        raise _unsupported("fileno")

    def isatty(self) -> Answer:
        """Tell whether this is a terminal."""
        return NO

    def readable(self) -> Answer:
        """Tell whether this can be read."""
        return NO

    def writable(self) -> Answer:
        """Tell whether this can be written."""
        return NO

    def seekable(self) -> Answer:
        """Tell whether this has a position."""
        return NO

    @property
    def closed(self) -> bool:
        """Whether this is closed."""
        raise NotImplementedError

    @property
    def name(self) -> Any:
        """The path or the descriptor that open() was given."""
        raise NotImplementedError

    @property
    def mode(self) -> str:
        """The mode."""
        raise NotImplementedError

    # Reading and writing

    async def read(self, size: int | None = -1, /) -> AnyStr:
        """Read `size` bytes or characters, fewer only at the end; all that follow by default."""
        raise _unsupported("read")

    async def readline(self, size: int | None = -1, /) -> AnyStr:
        """Read a line with its end, at most `size` of it; an empty one at the end of the file."""
        raise _unsupported("read")

    async def readlines(self, hint: int | None = -1, /) -> list[AnyStr]:
        """Read lines until they have more than `hint` bytes or characters; all by default."""
        raise _unsupported("read")

    def _most(self, hint: int | None) -> int:
        """Judge the argument of readlines()."""
        most = -1 if hint is None else index(hint)
        if self.closed:
            raise ValueError("I/O operation on closed file.")
        return most

    if TYPE_CHECKING:
        # Of binary files alone.

        async def read1(self: AsyncFile[bytes], size: int = -1, /) -> bytes:
            """Read at most `size` bytes, by one system call at most."""
            raise NotImplementedError

        async def readinto(self: AsyncFile[bytes], buffer: Buffer, /) -> int:
            """Fill a writable buffer, and return how many bytes it was."""
            raise NotImplementedError

        async def readinto1(self: AsyncFile[bytes], buffer: Buffer, /) -> int:
            """Read into a writable buffer, by one system call at most."""
            raise NotImplementedError

    @overload
    async def write(self: AsyncFile[bytes], data: Buffer, /) -> int: ...
    @overload
    async def write(self: AsyncFile[str], data: str, /) -> int: ...
    async def write(self, data: Any, /) -> int:
        """Write all of `data`, into the buffer first, and return its length."""
        raise _unsupported("write")

    @overload
    async def writelines(self: AsyncFile[bytes], lines: Iterable[Buffer], /) -> None: ...
    @overload
    async def writelines(self: AsyncFile[str], lines: Iterable[str], /) -> None: ...
    async def writelines(self, lines: Iterable[Any], /) -> None:
        """Write one after the other; ends of lines aren't added."""
        if self.closed:
            raise ValueError("I/O operation on closed file.")
        for line in lines:
            await self.write(line)

    async def flush(self) -> None:
        """Hand what is buffered to the kernel. (os.fsync() hands it to the disk.)"""
        if self.closed:
            raise ValueError("I/O operation on closed file.")

    async def seek(self, offset: int, whence: int = 0, /) -> int:
        """Set the position, and return it."""
        raise _unsupported("seek")

    async def tell(self) -> int:
        """Return the position."""
        return await self.seek(0, 1)

    async def truncate(self, size: int | None = None, /) -> int:
        """Make the file `size` bytes long, and return that; as long as its position by default."""
        raise _unsupported("truncate")

    # The end

    async def close(self) -> None:
        """Write what is buffered, and close the file; once it is closed, do nothing.

        Raises:
            OSError: what was buffered can't be written. The file is closed nevertheless.
        """
        raise NotImplementedError

    async def aclose(self) -> None:
        """close() by another name."""
        await self.close()

    async def __aenter__(self) -> Self:
        if self.closed:
            raise ValueError("I/O operation on closed file.")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        raw = self._lowest()
        try:
            await self.close()
        finally:
            if raw is not None and raw._at_exit is not None:
                await raw._at_exit()

    def _lowest(self) -> FileIO | None:
        """Return the raw file that is below, if one is."""
        return None

    def __aiter__(self) -> Self:
        if self.closed:
            raise ValueError("I/O operation on closed file.")
        return self

    async def __anext__(self) -> AnyStr:
        line = await self.readline()
        if not line:
            raise StopAsyncIteration
        return line


_NOTHING: Final = bytearray()  # pending in a file that isn't written


class Cleanup(Protocol):
    """What is to be done when a file has been closed."""

    async def run(self) -> None:
        """Do it, even if cancelled."""

    def now(self) -> None:
        """Do it in place: the file was collected."""


class Turn:
    """Whose turn it is: first come, first served."""

    __slots__ = ("_busy", "_waiting")

    _busy: bool
    _waiting: deque[asyncio.Future[None]] | None

    def __init__(self) -> None:
        self._busy = False  # somebody has the turn
        self._waiting = None

    async def _wait_for_turn(self) -> None:
        """Return when the turn is ours; it is somebody else's now."""
        if self._waiting is None:
            self._waiting = deque()
        future = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        try:
            await future
        except BaseException:
            if future.done() and not future.cancelled():
                self._end_turn()
            else:
                self._waiting.remove(future)
            raise

    def _end_turn(self) -> None:
        waiting = self._waiting
        while waiting:
            future = waiting.popleft()
            if not future.done():
                future.set_result(None)  # and so _busy stays
                return
        self._busy = False

    async def _in_turn(
        self, function: Callable[..., Coroutine[Any, Any, _Result]], *arguments: Any
    ) -> _Result:
        if self._busy:
            await self._wait_for_turn()
        else:
            self._busy = True
        try:
            return await function(*arguments)
        finally:
            self._end_turn()


class FileIO(Turn, AsyncFile[bytes]):
    """A file without a buffer: each method is one system call. io.FileIO.

    Made by open(…, buffering=0) and wrap(…, buffering=0), and found as the `raw` of others.
    """

    __slots__ = (
        "__weakref__",
        "_at_exit",
        "_block_size",
        "_calls",
        "_cleanup",
        "_closefd",
        "_closing",
        "_fd",
        "_late",
        "_mode",
        "_name",
        "_pending",
        "_position",
        "_readers",
        "_size",
    )

    def __init__(
        self, fd: int, name: Any, mode: str, closefd: bool, position: int, size: int, block: int
    ) -> None:
        self._fd = fd
        self._name = name
        self._mode = mode
        self._closefd = closefd
        # The kernel's position after our last call, -1 if there is none. The user may move it, by
        # fileno(): tell() asks.
        self._position = position
        self._late = b""  # what cancelled reads got, where there is no position
        self._readers: Turn | None = None
        # Of a regular file when it was opened, -1 if it isn't known: a hint, used once.
        self._size = size
        self._block_size = block
        self._busy = False  # somebody has the turn
        self._waiting = None
        self._calls = 0  # methods of this class that are in the kernel
        self._closing: tuple[int, asyncio.Future[None]] | None = None  # once those are through
        # What the layers above have buffered for writing: here, as __del__ must save it.
        self._pending = bytearray() if mode != "rb" else _NOTHING
        self._cleanup: Cleanup | None = None
        # What is to be done at the end of `async with`, even if cancelled.
        self._at_exit: Callable[[], Awaitable[None]] | None = None

    # System calls, for who has the turn

    async def _fetch(self, size: int) -> bytes:
        """Read once."""
        if self._late:
            return self._take_late(size)
        try:
            data = await read_once(self._fd, size)
        except BlockingIOError:
            await running_engine().readiness.event(self._fd, writing=False)
            return await self._fetch(size)
        except asyncio.CancelledError as error:
            self._give_back(late_result(error, b""))
            raise
        if self._position >= 0:
            self._position += len(data)
        return data

    async def _fetch_into(self, buffer: memoryview) -> int:
        """Read once, into a buffer."""
        if self._late:
            data = self._take_late(len(buffer))
            buffer[: len(data)] = data
            return len(data)
        try:
            count = await _read_into(self._fd, buffer)
        except BlockingIOError:
            await running_engine().readiness.event(self._fd, writing=False)
            return await self._fetch_into(buffer)
        except asyncio.CancelledError as error:
            self._give_back(bytes(buffer[: late_result(error, 0)]))
            raise
        if self._position >= 0:
            self._position += count
        return count

    def _take_late(self, size: int) -> bytes:
        data, self._late = self._late[:size], self._late[size:]
        return data

    def _give_back(self, data: bytes) -> None:
        """The last bytes that were read are to be read again."""
        if not data:
            return
        if self._position >= 0:
            self._position = os.lseek(self._fd, -len(data), os.SEEK_CUR)
        else:
            self._late = data + self._late

    async def _store(self, data: Buffer) -> int:
        """Write once. Where this is cancelled, the exception may have a result."""
        try:
            count = await _write(self._fd, data)
        except BlockingIOError:
            await running_engine().readiness.event(self._fd, writing=True)
            return await self._store(data)
        except asyncio.CancelledError as error:
            self._moved(getattr(error, "result", 0))
            raise
        self._moved(count)
        return count

    def _moved(self, count: int) -> None:
        """Bytes were written."""
        if self._position >= 0 and count:
            if "a" in self._mode:
                self._position = os.lseek(self._fd, 0, os.SEEK_CUR)
            else:
                self._position += count

    async def _flush_pending(self) -> None:
        """Write what is buffered. What can't be written stays."""
        data, self._pending = self._pending, bytearray()
        done, size = 0, len(data)
        try:
            while done < size:
                done += await self._store(memoryview(data)[done:] if done else data)
        except asyncio.CancelledError as error:
            done += late_result(error, 0)
            raise
        finally:
            if done < size:
                self._pending = data[done:] + self._pending

    async def _expected(self) -> int:
        """Return how many bytes there are from here to the end, -1 if nobody knows."""
        size, self._size = self._size, -1
        if size < 0:
            try:
                _, mode, size = status_fields(await status_of(self._fd))
            except asyncio.CancelledError as error:
                late_result(error, None)
                raise
            # What has no size, as in /proc, may still have content.
            if self._position < 0 or not stat.S_ISREG(mode) or size == 0:
                return -1
        return max(size - self._position, 0)

    async def _fetch_rest(self, parts: list[bytes]) -> None:
        """Read all that follows."""
        expected = await self._expected()
        size = _CHUNK if expected < 0 else expected + (expected < LARGE)
        while data := await self._fetch(size):
            parts.append(data)
            if len(data) == expected and len(data) < size:
                return  # the file has the size that it is said to have, and was read beyond that
            size = max(_CHUNK, len(data))

    async def _fetch_all(self) -> bytes:
        parts: list[bytes] = []
        try:
            await self._fetch_rest(parts)
        except asyncio.CancelledError:
            self._give_back(b"".join(parts))
            raise
        return b"".join(parts)

    async def _fetch_line(self, limit: int) -> bytes:
        line = b""
        # Bytes behind the line can be given back only where there is a position.
        most = 8192 if self._position >= 0 else 1
        try:
            while limit < 0 or len(line) < limit:
                data = await self._fetch(most if limit < 0 else min(most, limit - len(line)))
                end = data.find(b"\n") + 1
                if end:
                    self._give_back(data[end:])
                    return line + data[:end]
                if not data:
                    break
                line += data
        except asyncio.CancelledError:
            self._give_back(line)
            raise
        return line

    async def _fetch_lines(self, most: int) -> list[bytes]:
        lines: list[bytes] = []
        size = 0
        try:
            while line := await self._fetch_line(-1):
                lines.append(line)
                size += len(line)
                if 0 < most < size:
                    break
        except asyncio.CancelledError:
            self._give_back(b"".join(lines))
            raise
        return lines

    def _tell(self) -> int:
        # In place, as it only asks for a number. It would wait while another thread is in a read,
        # but who has the turn is alone here.
        position = os.lseek(self._fd, 0, os.SEEK_CUR)
        if self._position >= 0:
            self._position = position
        return position

    async def _seek(self, offset: int, whence: int) -> int:
        if whence in {os.SEEK_SET, os.SEEK_CUR} and not self._calls:
            self._position = os.lseek(self._fd, offset, whence)
        else:
            try:
                self._position = await _lseek(self._fd, offset, whence)
            except asyncio.CancelledError as error:
                self._position = getattr(error, "result", self._position)
                raise
        return self._position

    async def _resize(self, size: int | None) -> int:
        if size is None:
            size = self._tell()
        await _ftruncate(self._fd, size)
        return size

    async def _shut(self) -> None:
        """Close the descriptor, cancelled or not."""
        self._pending = _NOTHING
        fd, self._fd = self._fd, -1
        if fd < 0:
            return
        try:
            if self._calls:
                future = asyncio.get_running_loop().create_future()
                self._closing = fd, future
                await future
            elif self._closefd:
                await close(fd)
        finally:
            cleanup, self._cleanup = self._cleanup, None
            if cleanup is not None:
                await cleanup.run()

    def __del__(self) -> None:
        fd = self._fd
        if fd < 0:
            return
        self._fd = -1
        # Nobody is there to await it. A regular file doesn't keep this waiting for ever.
        try:
            if self._pending and self._position >= 0:
                view = memoryview(self._pending)
                while view:
                    view = view[os.write(fd, view) :]
        finally:
            if self._closefd:
                os.close(fd)
            if self._cleanup is not None:
                self._cleanup.now()
            if self._closefd:
                warnings.warn(
                    f"unclosed file {_representation(self, name=self._name)}",
                    ResourceWarning,
                    source=self,
                    stacklevel=2,
                )

    def _lowest(self) -> FileIO:
        return self

    # The interface

    def _check(self, *, reading: bool = False, writing: bool = False) -> None:
        if self._fd < 0:
            raise ValueError("I/O operation on closed file")
        if reading and not self._is("r+"):
            raise io.UnsupportedOperation("File not open for reading")
        if writing and not self._is("wxa+"):
            raise io.UnsupportedOperation("File not open for writing")

    def _is(self, letters: str) -> bool:
        return any(letter in self._mode for letter in letters)

    async def _call(
        self, function: Callable[..., Coroutine[Any, Any, _Result]], *arguments: Any
    ) -> _Result:
        """Run a method whose descriptor must not be closed meanwhile."""
        self._calls += 1
        try:
            return await function(*arguments)
        finally:
            self._calls -= 1
            if self._closing is not None and not self._calls:
                fd, future = self._closing
                self._closing = None
                try:
                    if self._closefd:
                        await close(fd)
                finally:
                    if not future.done():
                        future.set_result(None)

    async def _read_in_turn(
        self, function: Callable[..., Coroutine[Any, Any, _Result]], *arguments: Any
    ) -> _Result:
        # Who waited for bytes that another got, and gave back, would wait for ever: one at a time,
        # where they can't be given back to the kernel.
        if self._position >= 0:
            return await function(*arguments)
        if self._readers is None:
            self._readers = Turn()
        return await self._readers._in_turn(function, *arguments)

    @property
    def closed(self) -> bool:
        """Whether this is closed."""
        return self._fd < 0

    @property
    def closefd(self) -> bool:
        """Whether closing this closes the descriptor."""
        return self._closefd

    @property
    def name(self) -> Any:
        """The path or the descriptor that open() was given."""
        return self._name

    @property
    def mode(self) -> str:
        """The mode: "rb", "wb", "xb", "ab", "rb+", "xb+" or "ab+"."""
        return self._mode

    def fileno(self) -> int:
        """Return the descriptor."""
        self._check()
        return self._fd

    def isatty(self) -> Answer:
        """Tell whether this is a terminal."""
        self._check()
        return Answer(os.isatty(self._fd))

    def readable(self) -> Answer:
        """Tell whether this can be read."""
        self._check()
        return Answer(self._is("r+"))

    def writable(self) -> Answer:
        """Tell whether this can be written."""
        self._check()
        return Answer(self._is("wxa+"))

    def seekable(self) -> Answer:
        """Tell whether this has a position."""
        self._check()
        return Answer(self._position >= 0)

    async def read(self, size: int | None = -1, /) -> bytes:
        """Read once, at most `size` bytes; with None or -1, as readall()."""
        self._check(reading=True)
        size = -1 if size is None else index(size)
        if size < 0:
            return await self.readall()
        return await self._call(self._read_in_turn, self._fetch, size)

    async def readall(self) -> bytes:
        """Read all bytes to the end of the file."""
        self._check()
        return await self._call(self._read_in_turn, self._fetch_all)

    async def readinto(self, buffer: Buffer, /) -> int:
        """Read once, into a writable buffer, and return how many bytes it was; 0 at the end.

        What a cancelled call had read stands in the buffer, and is read again by the next.
        """
        self._check(reading=True)
        view = writable_view(buffer, "readinto")
        return await self._call(self._read_in_turn, self._fetch_into, view)

    async def readline(self, size: int | None = -1, /) -> bytes:
        """Read a line with its end, at most `size` bytes of it; b"" at the end of the file."""
        limit = -1 if size is None else index(size)
        self._check(reading=limit != 0)
        return await self._call(self._read_in_turn, self._fetch_line, limit)

    async def readlines(self, hint: int | None = -1, /) -> list[bytes]:
        """Read lines until they have more than `hint` bytes; all by default."""
        most = self._most(hint)
        self._check(reading=True)
        return await self._call(self._read_in_turn, self._fetch_lines, most)

    async def write(self, data: Buffer, /) -> int:
        """Write once, and return how many bytes were written.

        If a cancelled call had written any, the CancelledError has their number as its `result`.
        """
        self._check(writing=True)
        return await self._call(self._store, readable_view(data))

    async def seek(self, offset: int, whence: int = 0, /) -> int:
        """Set the position, in bytes from the start, from here (1) or from the end (2)."""
        self._check()
        return await self._seek(index(offset), whence)

    async def truncate(self, size: int | None = None, /) -> int:
        """Make the file `size` bytes long, and return that; as long as its position by default."""
        self._check(writing=True)
        return await self._call(self._resize, size)

    async def close(self) -> None:
        """Close the descriptor; once it is closed, do nothing."""
        if self._fd >= 0:
            asyncio.get_running_loop()  # without one it stays open, for __del__
            await self._in_turn(self._shut)

    def __repr__(self) -> str:
        if self._fd < 0:
            return _representation(self)
        return _representation(self, name=self._name, mode=self._mode, closefd=self._closefd)


def _representation(file: object, **attributes: object) -> str:
    words = "".join(f" {name}={value!r}" for name, value in attributes.items())
    return f"<asyncsys_loop.io.{type(file).__name__}{words or ' [closed]'}>"


async def settled(work: Awaitable[_Result]) -> _Result:
    """Await work to its end; if the caller was cancelled meanwhile, CancelledError comes then."""
    task = asyncio.ensure_future(work)
    cancelled: BaseException | None = None
    while not task.done():
        try:
            await asyncio.wait([task])
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        if not task.cancelled() and task.exception() is None:
            cancelled.result = task.result()  # type: ignore[attr-defined]
        raise cancelled
    return task.result()


def late_result(error: asyncio.CancelledError, nothing: _Result) -> _Result:
    """Take what a cancelled call returned, as it is the file's, and not the user's."""
    result: _Result = error.__dict__.pop("result", nothing)
    return result


def readable_view(data: object) -> memoryview:
    """Return the bytes of an object, or raise what `io` raises where it has none."""
    return memoryview_of(data).cast("B")


def writable_view(buffer: object, function: str) -> memoryview:
    """Return the bytes of an object that can be changed."""
    try:
        view = memoryview(buffer)  # type: ignore[arg-type]
    except TypeError:
        view = None
    if view is None or view.readonly or not view.c_contiguous:
        kind = type(buffer).__name__
        raise TypeError(f"{function}() argument must be read-write bytes-like object, not {kind}")
    return view.cast("B")
