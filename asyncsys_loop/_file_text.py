"""Text files: characters above a binary file with a buffer.

What is decoded and not yet read is an io.StringIO, whose own read() and readline() do the work in
C; line iteration takes line after line from it, and awaits once for each chunk. What is written is
encoded at once and put into the buffer of the binary file. Decoders, encoders and universal
newlines are those of `codecs` and `io`.

tell() has to name a place in the middle of what is decoded, in terms of the file's bytes. So for
each chunk that has unread characters there is a snapshot: the decoder's state before it, the bytes
it was made from, and where its characters begin. tell() decodes such a chunk again, up to the
character in question, and packs what it takes to do so into a number, as `io` does
(_pyio.TextIOWrapper.tell tells how); seek() takes that number.
"""

from __future__ import annotations

import asyncio
import codecs
import functools
import io
import locale
from operator import index
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ._file_buffered import count_taken
from ._file_raw import Answer, AsyncFile, FileIO, Gone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeAlias

    from ._file_buffered import BufferedRandom, BufferedReader, BufferedWriter

    Buffered: TypeAlias = BufferedReader | BufferedWriter | BufferedRandom

__all__ = ["TextIOWrapper"]

# One read for this many bytes, and more for a line that is longer.
_CHUNK: Final = 32768

_CLOSED: Final[Any] = Gone("I/O operation on closed file.")
_DETACHED: Final[Any] = Gone("underlying buffer has been detached")

# Encodings whose encoders keep nothing from one call to the next: str.encode() is quicker.
_STATELESS: Final = frozenset({"utf-8", "ascii", "iso8859-1", "cp1252"})


class _Codec(NamedTuple):
    """What encoding=, errors= and newline= come to."""

    encoding: str
    errors: str
    stateless: bool
    utf8: bool
    make_decoder: Callable[[], Any]
    make_encoder: Callable[[], Any]
    newline: str | None  # as it was given
    lines: str  # how io.StringIO finds the ends of lines
    end: str  # a last character that tells the end of a line for sure, or more than one
    ends: tuple[str, ...]  # all of them
    written: str  # what "\n" becomes
    nothing: io.StringIO  # what is decoded and unread, if nothing is


@functools.lru_cache(maxsize=64)
def _codec(encoding: str, errors: str | None, newline: str | None, _locale: str) -> _Codec:
    # `io` itself judges the arguments, with its own messages.
    judged = io.TextIOWrapper(io.BytesIO(), encoding, errors, newline)
    encoding, strict = judged.encoding, judged.errors
    assert strict is not None
    judged.detach()
    info = codecs.lookup(encoding)

    def make_decoder() -> Any:
        assert info.incrementaldecoder is not None
        decoder = info.incrementaldecoder(strict)
        if newline:
            return decoder
        return io.IncrementalNewlineDecoder(decoder, newline is None)

    def make_encoder() -> Any:
        assert info.incrementalencoder is not None
        return info.incrementalencoder(strict)

    return _Codec(
        encoding,
        strict,
        info.name in _STATELESS,
        info.name == "utf-8",
        make_decoder,
        make_encoder,
        newline,
        "\n" if newline is None else newline,
        {"\r": "\r", "\r\n": "more"}.get(newline or "", "\n"),
        (newline,) if newline else ("\n",) if newline is None else ("\n", "\r"),
        newline or "\n",
        io.StringIO(newline="\n" if newline is None else newline),
    )


class _Snapshot(NamedTuple):
    first: int  # where, in _decoded, its first character stands; negative if that is gone
    flags: int  # of the decoder, before
    given: bytes  # what the decoder was given, with what it had kept from before
    size: int  # how many bytes of it were read


# The layout of the number is that of `io` in C. _pyio has another.


def _pack_cookie(
    position: int, flags: int = 0, feed: int = 0, need_eof: bool = False, skip: int = 0
) -> int:
    if flags >> 32:
        # As in `io`, whose limit is 2**31: iso2022_kr and its like, within a shift sequence.
        raise OverflowError("the decoder's state is too large to be a part of a position")
    return position | flags << 64 | feed << 96 | skip << 128 | need_eof << 160


def _unpack_cookie(cookie: int) -> tuple[int, int, int, bool, int]:
    flags, feed, skip = (cookie >> shift & 0xFFFFFFFF for shift in (64, 96, 128))
    return cookie & 0xFFFFFFFFFFFFFFFF, flags, feed, bool(cookie >> 160), skip


class TextIOWrapper(AsyncFile[str]):
    """A text file above a binary one. io.TextIOWrapper.

    Args:
        buffer: the binary file; closing this closes it.
        encoding: as for open(), and errors and newline too.
        line_buffering: write() flushes after the end of a line.
        write_through: write() leaves nothing in the buffer.
    """

    __slots__ = (
        "__weakref__",
        "_buffer",
        "_codec",
        "_decoded",
        "_decoder",
        "_encoder",
        "_end",
        "_line_buffering",
        "_mode",
        "_raw",
        "_snapshots",
        "_utf8",
        "_write_through",
        "_writes_buffered",
    )

    def __init__(
        self,
        buffer: BufferedReader | BufferedWriter | BufferedRandom,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = None,
        line_buffering: bool = False,
        write_through: bool = False,
    ) -> None:
        self._buffer: Buffered = buffer
        self._raw: FileIO = buffer._raw
        self._mode: str | None = None
        self._line_buffering = bool(line_buffering)
        self._write_through = bool(write_through)
        self._writes_buffered = not (line_buffering or write_through)
        self._set_codec(self._judged(encoding, errors, newline))
        if buffer._writes and self._raw._position > 0 and not self._codec.stateless:
            self._reset_encoder(buffer._tell())

    def _judged(self, encoding: str | None, errors: str | None, newline: str | None) -> _Codec:
        encoding = io.text_encoding(encoding, 4)
        return _codec(
            encoding, errors, newline, locale.getencoding() if encoding == "locale" else ""
        )

    def _set_codec(self, codec: _Codec) -> None:
        self._codec = codec
        self._end = codec.end
        self._utf8 = codec.utf8 and codec.errors == "strict" and codec.written == "\n"
        self._decoder: Any = None
        self._encoder: Any = None
        self._set_decoded("")

    def _set_decoded(self, text: str, snapshots: list[_Snapshot] | None = None) -> None:
        self._decoded = self._stream(text) if text else self._codec.nothing
        self._snapshots = snapshots or []

    def _stream(self, text: str) -> io.StringIO:
        lines = self._codec.lines
        stream = io.StringIO(newline=lines)
        # Not by its constructor, which would translate the ends of lines.
        stream.__setstate__((text, lines, 0, None))  # type: ignore[attr-defined]
        return stream

    def _lowest(self) -> FileIO:
        return self._raw

    def _check(self) -> None:
        if self._raw._fd < 0:
            raise ValueError("I/O operation on closed file.")

    # Reading, for who has the turn

    def _need_decoder(self) -> Any:
        if self._decoder is None:
            if not self._buffer._reads:
                raise io.UnsupportedOperation("not readable")
            self._decoder = self._codec.make_decoder()
        return self._decoder

    async def _more(self, size: int) -> bool:
        """Decode another chunk behind what is unread; say whether there was one."""
        decoder = self._decoder
        kept, flags = decoder.getstate()
        data = await self._buffer._read1(max(size, _CHUNK))
        text = decoder.decode(data, not data)
        snapshots: list[_Snapshot] = []
        used = self._decoded.tell()
        rest = self._decoded.read()
        if rest:
            # Those whose characters are all read aren't needed any more.
            old = self._snapshots
            for i, snapshot in enumerate(old):
                if i + 1 == len(old) or old[i + 1].first > used:
                    snapshots.append(snapshot._replace(first=snapshot.first - used))
        snapshots.append(_Snapshot(len(rest), flags, kept + data, len(data)))
        self._set_decoded(rest + text, snapshots)
        return bool(data or text)

    async def _read(self, size: int) -> str:
        self._check()
        decoder = self._need_decoder()
        if size < 0:
            return self._with_rest(decoder.decode(await self._buffer._read_rest(), True))
        used = self._decoded.tell()
        while True:
            text = self._decoded.read(size)
            if len(text) == size:
                return text
            self._decoded.seek(used)
            if not await self._more(size - len(text)):
                return self._decoded.read(size)
            used = 0

    def _with_rest(self, decoded: str) -> str:
        """Return what was decoded before and wasn't read, with this behind it."""
        text = self._decoded.read() + decoded
        self._set_decoded("")
        return text

    async def _readline(self, limit: int) -> str:
        self._check()
        self._need_decoder()
        used = self._decoded.tell()
        if limit == 0:
            # As `io`, which decodes a chunk before it looks at the limit.
            while self._decoded.tell() == self._length():
                if not await self._more(0):
                    self._set_decoded("")
                    break
            return ""
        while True:
            line = self._decoded.readline(limit)
            if len(line) == limit or line.endswith(self._codec.ends):
                return line
            self._decoded.seek(used)
            if not await self._more(len(line)):
                line = self._decoded.read()
                self._set_decoded("")
                return line
            used = 0

    async def _readlines(self, most: int) -> list[str]:
        if most <= 0:
            return self._stream(await self._read(-1)).readlines()
        self._check()
        self._need_decoder()
        used = self._decoded.tell()
        while True:
            lines: list[str] = []
            size = 0
            for line in self._decoded:
                if not line.endswith(self._codec.ends):
                    break
                lines.append(line)
                size += len(line)
                if size > most:
                    return lines
            # Nothing is taken before there is enough.
            self._decoded.seek(used)
            if not await self._more(size):
                lines = self._decoded.readlines()
                self._set_decoded("")
                return lines
            used = 0

    # Writing, for who has the turn

    def _encode(self, text: str) -> bytes:
        codec = self._codec
        if codec.written != "\n" and "\n" in text:
            text = text.replace("\n", codec.written)
        if codec.stateless:
            return text.encode(codec.encoding, codec.errors)
        if self._encoder is None:
            self._encoder = codec.make_encoder()
        encoded: bytes = self._encoder.encode(text)
        return encoded

    def _reset_encoder(self, position: int) -> None:
        if self._codec.stateless or not self._buffer._writes:
            return
        if self._encoder is None:
            self._encoder = self._codec.make_encoder()
        if position:
            self._encoder.setstate(0)
        else:
            self._encoder.reset()

    async def _write(self, text: str) -> int:
        self._check()
        if not self._buffer._writes:
            raise io.UnsupportedOperation("not writable")
        state = self._encoder_state()
        return await self._write_encoded(self._encode(text), text, state)

    def _encoder_state(self) -> Any:
        return self._encoder.getstate() if self._encoder is not None else None

    async def _write_encoded(self, data: bytes, text: str, state: Any) -> int:
        taken = False
        try:
            await self._buffer._write(data)
            taken = True
            if self._write_through or (self._line_buffering and ("\n" in text or "\r" in text)):
                await self._buffer._flush()
        except asyncio.CancelledError as error:
            taken = taken or hasattr(error, "result")
            if taken:
                error.result = len(text)  # type: ignore[attr-defined]
            elif self._encoder is not None and state is not None:
                self._encoder.setstate(state)
            else:
                self._encoder = None
            raise
        finally:
            if taken and self._decoder is not None:
                self._set_decoded("")
                self._decoder.reset()
        return len(text)

    async def _writelines(self, lines: Iterable[str]) -> None:
        raw, buffer = self._raw, self._buffer
        for taken, line in enumerate(lines):
            if not isinstance(line, str):
                raise TypeError(f"write() argument must be str, not {type(line).__name__}")
            try:
                if not (self._writes_buffered and buffer._writing):
                    await self._write(line)
                    continue
                state = self._encoder_state()
                data = self._encode(line)
                if len(raw._pending) + len(data) <= buffer._buffer_size:
                    raw._pending += data  # as in write()
                else:
                    await self._write_encoded(data, line, state)
            except asyncio.CancelledError as error:
                count_taken(error, taken)
                raise

    async def _flush(self) -> None:
        self._check()
        await self._buffer._flush()

    # The position, for who has the turn

    async def _tell(self) -> int:
        self._check()
        if self._raw._position < 0:
            raise io.UnsupportedOperation("underlying stream is not seekable")
        await self._buffer._flush()
        position = self._buffer._tell()
        decoder, snapshots = self._decoder, self._snapshots
        if decoder is None or not snapshots:
            return position
        used = self._decoded.tell()
        at = max((i for i, s in enumerate(snapshots) if s.first <= used), default=0)
        first, flags, given, _ = snapshots[at]
        kept = len(given) - snapshots[at].size
        position -= sum(snapshot.size for snapshot in snapshots[at:]) + kept
        skip = used - first
        if skip == 0:
            return _pack_cookie(position, flags)

        saved = decoder.getstate()
        try:
            # From where on to decode byte by byte: where the decoder keeps nothing.
            end = snapshots[at + 1].first if at + 1 < len(snapshots) else self._length()
            start = self._guess(decoder, given, flags, skip, len(given) / (end - first))
            decoder.setstate((b"", flags))
            skip -= len(decoder.decode(given[:start]))
            _, flags = decoder.getstate()
            position += start
            if skip == 0:
                return _pack_cookie(position, flags)

            # Byte by byte, while the decoder keeps nothing the start moves along.
            fed = decoded = 0
            start_flags = flags
            for i in range(start, len(given)):
                fed += 1
                decoded += len(decoder.decode(given[i : i + 1]))
                buffered, flags = decoder.getstate()
                if not buffered and decoded <= skip:
                    position += fed
                    skip -= decoded
                    start_flags, fed, decoded = flags, 0, 0
                if decoded >= skip:
                    return _pack_cookie(position, start_flags, fed, False, skip)
            decoded += len(decoder.decode(b"", True))
            if decoded < skip:
                raise OSError("can't reconstruct logical file position")
            return _pack_cookie(position, start_flags, fed, True, skip)
        finally:
            decoder.setstate(saved)

    def _length(self) -> int:
        used = self._decoded.tell()
        length = self._decoded.seek(0, 2)
        self._decoded.seek(used)
        return length

    @staticmethod
    def _guess(decoder: Any, given: bytes, flags: int, skip: int, ratio: float) -> int:
        """Return how many bytes make at most `skip` characters and leave the decoder empty."""
        start = int(skip * ratio)
        step = 1
        while start > 0:
            decoder.setstate((b"", flags))
            if len(decoder.decode(given[:start])) <= skip:
                buffered, _ = decoder.getstate()
                if not buffered:
                    return start
                start -= len(buffered)
                step = 1
            else:
                start -= step
                step *= 2
        return 0

    async def _seek(self, cookie: int, whence: int) -> int:
        self._check()
        if self._raw._position < 0:
            raise io.UnsupportedOperation("underlying stream is not seekable")
        if whence == 1:
            if cookie != 0:
                raise io.UnsupportedOperation("can't do nonzero cur-relative seeks")
            cookie = await self._tell()
        elif whence == 2:
            if cookie != 0:
                raise io.UnsupportedOperation("can't do nonzero end-relative seeks")
            await self._buffer._flush()
            try:
                position = await self._buffer._seek(0, 2)
            except asyncio.CancelledError as error:
                if hasattr(error, "result"):
                    self._start_at(error.result)
                raise
            self._start_at(position)
            return position
        elif whence != 0:
            raise ValueError(f"invalid whence ({whence}, should be 0, 1 or 2)")
        if cookie < 0:
            raise ValueError(f"negative seek position {cookie!r}")
        await self._buffer._flush()
        position, flags, feed, need_eof, skip = _unpack_cookie(cookie)
        await self._buffer._seek(position, 0)
        self._set_decoded("")
        decoder = self._decoder
        if cookie == 0:
            if decoder is not None:
                decoder.reset()
        elif self._buffer._reads:
            decoder = self._need_decoder()
            decoder.setstate((b"", flags))
            self._set_decoded("", [_Snapshot(0, flags, b"", 0)])
        if skip:
            given = await self._buffer._read(feed)
            text = decoder.decode(given, need_eof)
            if len(text) < skip:
                raise OSError("can't restore logical file position")
            self._set_decoded(text, [_Snapshot(0, flags, given, len(given))])
            self._decoded.seek(skip)
        self._reset_encoder(cookie)
        return cookie

    def _start_at(self, position: int) -> None:
        self._set_decoded("")
        if self._decoder is not None:
            self._decoder.reset()
        self._reset_encoder(position)

    async def _truncate(self, size: int | None) -> int:
        self._check()
        await self._buffer._flush()
        return await self._buffer._truncate(size)

    async def _detach(self) -> Buffered:
        await self._flush()
        buffer = self._buffer
        self._buffer = self._raw = self._decoded = _DETACHED
        return buffer

    async def _reconfigure(
        self,
        encoding: str | None,
        errors: str | None,
        newline: Any,
        line_buffering: bool | None,
        write_through: bool | None,
    ) -> None:
        self._check()
        unset = newline is Ellipsis
        if self._decoder is not None and not (encoding is None and errors is None and unset):
            raise io.UnsupportedOperation(
                "It is not possible to set the encoding or newline of stream after the first read"
            )
        # All of it is judged before anything is done.
        if line_buffering is not None:
            line_buffering = bool(index(line_buffering))
        if write_through is not None:
            write_through = bool(index(write_through))
        codec = None
        if not (encoding is None and errors is None and unset):
            codec = self._codec
            if errors is None:
                errors = codec.errors if encoding is None else "strict"
            if encoding is None:
                encoding = codec.encoding
            if unset:
                newline = codec.newline
            codec = self._judged(encoding, errors, newline)
        await self._buffer._flush()
        if codec is not None:
            self._set_codec(codec)
            if self._buffer._writes and self._raw._position >= 0 and self._buffer._tell():
                self._reset_encoder(1)
        if line_buffering is not None:
            self._line_buffering = line_buffering
        if write_through is not None:
            self._write_through = write_through
        self._writes_buffered = not (self._line_buffering or self._write_through)

    # The interface

    @property
    def buffer(self) -> BufferedReader | BufferedWriter | BufferedRandom:
        """The binary file below."""
        if self._raw is _DETACHED:
            return None  # type: ignore[return-value]  # as `io` has it
        return self._buffer

    @property
    def encoding(self) -> str:
        """The name of the encoding."""
        return self._codec.encoding

    @property
    def errors(self) -> str:
        """What is done about what can't be encoded or decoded."""
        return self._codec.errors

    @property
    def newlines(self) -> str | tuple[str, ...] | None:
        """The ends of lines that were met so far."""
        if self._raw is _DETACHED:
            self._check()
        return getattr(self._decoder, "newlines", None)

    @property
    def line_buffering(self) -> bool:
        """Whether write() flushes after the end of a line."""
        return self._line_buffering

    @property
    def write_through(self) -> bool:
        """Whether write() leaves nothing in the buffer."""
        return self._write_through

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
        """The mode that open() was given."""
        return self._raw._mode if self._mode is None else self._mode

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._raw.fileno()

    def isatty(self) -> Answer:
        """Tell whether this is a terminal."""
        return self._raw.isatty()

    def readable(self) -> Answer:
        """Tell whether this can be read."""
        return self._buffer.readable()

    def writable(self) -> Answer:
        """Tell whether this can be written."""
        return self._buffer.writable()

    def seekable(self) -> Answer:
        """Tell whether this has a position."""
        return self._raw.seekable()

    async def read(self, size: int | None = -1, /) -> str:
        """Read `size` characters, fewer only at the end of the file; all that follow by default."""
        size = -1 if size is None else index(size)
        if size < 0 and not self._raw._busy:
            self._check()
            decoder = self._need_decoder()
            # What is read is decoded before anybody else runs.
            return self._with_rest(decoder.decode(await self._buffer.read(), True))
        return await self._raw._in_turn(self._read, size)

    async def readline(self, size: int = -1, /) -> str:  # type: ignore[override]
        """Read a line with its end, at most `size` characters; "" at the end of the file."""
        return await self._raw._in_turn(self._readline, max(index(size), -1))

    async def readlines(self, hint: int | None = -1, /) -> list[str]:
        """Read lines until they have more than `hint` characters; all by default."""
        return await self._raw._in_turn(self._readlines, self._most(hint))

    async def write(self, text: str, /) -> int:
        """Write a text, and return its length; to the buffer if there is room."""
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        raw = self._raw
        buffer = self._buffer
        if self._writes_buffered and buffer._writing and not raw._busy:
            state = None if self._utf8 else self._encoder_state()
            data = str.encode(text) if self._utf8 else self._encode(text)
            pending = raw._pending
            if len(pending) + len(data) <= buffer._buffer_size:
                pending += data
                return len(text)
            return await raw._in_turn(self._write_encoded, data, text, state)
        return await raw._in_turn(self._write, text)

    async def writelines(self, lines: Iterable[str], /) -> None:
        """Write one after the other; ends of lines aren't added."""
        self._check()
        await self._raw._in_turn(self._writelines, lines)

    async def flush(self) -> None:
        """Hand what is buffered to the kernel. (os.fsync() hands it to the disk.)"""
        await self._raw._in_turn(self._flush)

    async def seek(self, cookie: int, whence: int = 0, /) -> int:
        """Go to the start (0), to the end (0, 2), or to where tell() was called."""
        return await self._raw._in_turn(self._seek, index(cookie), index(whence))

    async def tell(self) -> int:
        """Return the position: a number for seek(), which needn't be one of bytes."""
        return await self._raw._in_turn(self._tell)

    async def truncate(self, size: int | None = None, /) -> int:
        """Make the file `size` bytes long, and return that; as long as its position by default."""
        return await self._raw._in_turn(self._truncate, size)

    async def detach(self) -> BufferedReader | BufferedWriter | BufferedRandom:
        """Write what is buffered, and return the binary file; this can't be used any more."""
        return await self._raw._in_turn(self._detach)

    async def reconfigure(
        self,
        *,
        encoding: str | None = None,
        errors: str | None = None,
        newline: str | None = ...,  # type: ignore[assignment]
        line_buffering: bool | None = None,
        write_through: bool | None = None,
    ) -> None:
        """Change the arguments that the file was made with; most of them only before reading."""
        await self._raw._in_turn(
            self._reconfigure, encoding, errors, newline, line_buffering, write_through
        )

    async def close(self) -> None:
        """Write what is buffered, and close the file; once it is closed, do nothing.

        Raises:
            OSError: what was buffered can't be written. The file is closed nevertheless.
        """
        if self._raw._fd >= 0:
            try:
                await self._buffer.close()
            finally:
                if self._raw._fd < 0:
                    self._decoded = _CLOSED

    async def __anext__(self) -> str:
        for line in self._decoded:
            if line[-1] == self._end:
                return line
            self._decoded.seek(self._decoded.tell() - len(line))
            break
        line = await self._raw._in_turn(self._readline, -1)
        if line:
            return line
        raise StopAsyncIteration

    def __repr__(self) -> str:
        name = f"name={self._raw._name!r} mode={self.mode!r}"
        return f"<asyncsys_loop.io.TextIOWrapper {name} encoding={self.encoding!r}>"
