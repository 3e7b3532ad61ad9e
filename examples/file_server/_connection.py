"""One HTTP/1.1 connection.

Two sides meet in a queue of parsed requests. The protocol's callbacks feed the parser and fill the
queue; one task takes the requests in order, asks the site for the answer, and sends it before it
turns to the next. So pipelined answers can't be mixed up, and there is no task for each request.
When the queue is full, what was read stays unparsed and the socket isn't read, until the task has
caught up.

A connection ends in one way, `_finish`: the last answer goes out, then our half is closed, and what
still comes in is dropped until the client closes its half or the linger time is over. A plain
close() with unread input would make the kernel send a reset, and the reset would destroy the answer
on its way to the client.

Time-outs are not timers, which would be set and cancelled for each request. The server calls
`check` of every connection a few times in the shortest of them.

The task is not cancelled when the client goes away: it sees that at its next step, and so a file is
always closed by the one that opened it.
"""

import asyncio
import fcntl
import logging
import sys
import termios
import time
from collections import deque
from typing import TYPE_CHECKING, NoReturn, cast

import httptools

from ._answer import STATUS_LINES, Answer, HTTPError, method_not_allowed
from ._buffers import SIZE as BUFFER_SIZE
from ._conditional import http_date
from ._pages import error_page
from ._request import Request

if TYPE_CHECKING:
    from ._server import FileServer

logger = logging.getLogger(__package__)

# The parser gets its input in pieces of this size, so that one large read of tiny requests can't
# overfill the queue.
_PIECE = 4096
# Where the next read would be too short to be worth a call, the buffer is sent as it is.
_MIN_READ = 16 * 1024
# Less is copied behind the head, for one write(2); more goes out by writev(2).
_COPIED = 16 * 1024

_SIOCOUTQ = termios.TIOCOUTQ  # the same number: tcp(7)

_STATUS_LINES = {
    status: f"HTTP/1.1 {line}\r\nDate: ".encode() for status, line in STATUS_LINES.items()
}


class _DisconnectedError(Exception):
    pass


class Connection(asyncio.Protocol):
    """The protocol of the transport, and the callbacks of the parser (`on_…`)."""

    def __init__(self, server: "FileServer") -> None:
        self._server = server
        self._limits = server.limits
        self._loop = asyncio.get_running_loop()
        self._peer = b"-"

        # Input. _in_head: a request has begun and its head isn't complete.
        self._parser = httptools.HttpRequestParser(self)
        self._target = b""
        self._headers: dict[bytes, bytes] = {}
        self._in_head = False
        self._head_size = 0
        self._unparsed = b""
        self._input_ended = (
            False  # by the client, by an error, or by us; nothing is parsed any more
        )
        self._requests: deque[Request] = deque()
        self._wakeup: asyncio.Future[None] | None = None

        # Output. _written counts the bytes handed to the transport.
        self._paused = False
        self._drained: asyncio.Future[None] | None = None
        self._written = 0
        self._progress = (-1, 0.0)  # bytes that the client took, and since when no more

        self._deadline = self._loop.time() + self._limits.idle_time
        self._draining = False
        self._finished = False
        self._half_closed = False
        self._lost = False

    # ---- the transport ----

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's isn't a subclass
        name = transport.get_extra_info("peername")
        if name:
            self._peer = str(name[0]).encode()
        if not self._server.admit(self, self._serve()):
            answer = error_page(503, "Too many connections. Try again.", b"Retry-After: 1\r\n")
            self._write(_head(answer, b"Connection: close\r\n") + answer.body)
            self._finish()

    def data_received(self, data: bytes) -> None:
        if self._input_ended:
            return
        if self._unparsed:
            self._unparsed += data
        else:
            self._feed(data)

    def eof_received(self) -> bool:
        """The client may have closed its half only, and still waits for answers."""
        self._half_closed = True
        if self._finished:
            return False
        if not self._unparsed:
            self._end_input()
        return True

    def pause_writing(self) -> None:
        self._paused = True

    def resume_writing(self) -> None:
        self._paused = False
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost = True
        self._requests.clear()
        self._end_input()
        self.resume_writing()
        self._server.forget(self)

    # ---- the parser ----

    def _feed(self, data: bytes) -> None:
        limits = self._limits
        requests = self._requests
        while data and not self._input_ended:
            if len(requests) >= limits.pipeline:
                self._unparsed = data
                self._transport.pause_reading()
                break
            piece, data = data[:_PIECE], data[_PIECE:]
            try:
                self._parser.feed_data(piece)
            except httptools.HttpParserUpgrade as upgrade:
                # The offer to switch to another protocol is declined by answering the request.
                data = piece[upgrade.args[0] :] + data
                self._parser = httptools.HttpRequestParser(self)
            except httptools.HttpParserError as error:
                if not self._input_ended:
                    self._refuse(_parser_refusal(error, piece))
            else:
                if self._in_head:
                    self._head_size += len(piece)
                    if self._head_size > limits.head:
                        self._refuse(HTTPError(431, "The request's head is too large."))
        if requests:
            self._wake()

    def on_message_begin(self) -> None:
        self._target = b""
        self._headers = {}
        self._in_head = True
        # The piece in which it begins may be full of other requests, and isn't counted.
        self._head_size = -_PIECE
        self._deadline = self._loop.time() + self._limits.head_time

    def on_url(self, url: bytes) -> None:
        self._target += url
        if len(self._target) > self._limits.target:
            self._stop_parser(HTTPError(414, "The request target is too long."))

    def on_header(self, name: bytes, value: bytes) -> None:
        headers = self._headers
        name = name.lower()
        if name in headers:
            headers[name] += b", " + value
        elif len(headers) < self._limits.fields:
            headers[name] = value
        else:
            self._stop_parser(HTTPError(431, "The request has too many header fields."))

    def on_headers_complete(self) -> None:
        parser = self._parser
        method = parser.get_method()
        version = parser.get_http_version()
        headers = self._headers
        if version not in {"1.1", "1.0"}:
            self._stop_parser(HTTPError(505, "This server speaks HTTP/1.1 and HTTP/1.0."))
        if b"transfer-encoding" in headers or headers.get(b"content-length", b"").strip(b"0"):
            # Content isn't read, so the next request can't be found behind it.
            if method in {b"GET", b"HEAD"}:
                self._stop_parser(HTTPError(413, "A request for a file has no content."))
            self._stop_parser(method_not_allowed())
        self._in_head = False
        keep_alive = parser.should_keep_alive()
        request = Request(method, self._target, version, headers, keep_alive=keep_alive)
        self._requests.append(request)
        if not keep_alive:
            self._end_input()

    def _stop_parser(self, refused: HTTPError) -> NoReturn:
        self._refuse(refused)
        raise refused  # out of feed_data

    def _refuse(self, refused: HTTPError) -> None:
        """Queue an error answer, the last one: where a next request would begin isn't known."""
        method = self._parser.get_method() if self._target else b""
        self._requests.append(
            Request(method, self._target, "1.1", self._headers, keep_alive=False, error=refused)
        )
        self._end_input()

    def _end_input(self) -> None:
        self._input_ended = True
        self._in_head = False
        self._unparsed = b""
        self._wake()

    def _wake(self) -> None:
        if self._wakeup is not None and not self._wakeup.done():
            self._wakeup.set_result(None)

    # ---- the task ----

    async def _serve(self) -> None:
        try:
            while (request := await self._next_request()) is not None:
                if not await self._exchange(request) or self._draining:
                    break
            self._finish()
        except _DisconnectedError:
            pass
        except Exception:
            logger.exception("connection from %s", self._peer.decode())
            self._transport.abort()

    async def _next_request(self) -> Request | None:
        requests = self._requests
        while not requests:
            if self._unparsed:
                self._continue_reading()
            elif self._input_ended:
                return None
            else:
                if not self._in_head:
                    self._deadline = self._loop.time() + self._limits.idle_time
                self._wakeup = self._loop.create_future()
                await self._wakeup
                self._wakeup = None
        request = requests.popleft()
        if self._unparsed and len(requests) < self._limits.pipeline // 2:
            self._continue_reading()
        return request

    def _continue_reading(self) -> None:
        data, self._unparsed = self._unparsed, b""
        if self._in_head:  # the client's time doesn't run while it is we who don't read
            self._deadline = self._loop.time() + self._limits.head_time
        self._feed(data)
        if not self._unparsed:
            if self._half_closed:
                self._end_input()
            elif not self._transport.is_closing():
                self._transport.resume_reading()

    async def _exchange(self, request: Request) -> bool:
        """Answer one request; whether another may follow."""
        server = self._server
        answer = await server.site.answer(request)
        keep_alive = request.keep_alive and not self._draining
        if not keep_alive:
            connection = b"Connection: close\r\n"
        elif request.version == "1.0":
            connection = b"Connection: keep-alive\r\n"
        else:
            connection = b""
        head = _head(answer, connection)
        start = self._written + len(head)
        try:
            await self._drain()
            if request.method == b"HEAD":
                self._write(head)
            elif answer.parts:
                await self._stream(head, answer)
            elif len(answer.body) < _COPIED:
                self._write(head + answer.body)
            else:
                self._write(head, answer.body)
        except OSError as error:
            # The head is gone, and its Content-Length can't be kept: only a cut connection tells.
            logger.warning("%s: %s", request.line(), error)
            self._transport.abort()
            raise _DisconnectedError from error
        finally:
            server.note(self._peer, request, answer.status, max(0, self._written - start))
            if answer.fd >= 0:
                await server.files.close(answer.fd)
        return keep_alive

    async def _stream(self, head: bytes, answer: Answer) -> None:
        """Send the parts of a file, with two buffers: one is read into while the other is sent.

        What is in memory for a client, however slow, is these two and the socket's own.
        """
        files = self._server.files
        buffers = self._server.buffers
        transport = self._transport
        # From now on, "not paused" means that the transport has nothing left, and so holds no
        # buffer.
        transport.set_write_buffer_limits(high=0)
        buffer, other = buffers.take(), buffers.take()
        buffer[: len(head)] = head
        filled = len(head)
        for prefix, start, length in answer.parts:
            if BUFFER_SIZE - filled < len(prefix) + min(length, _MIN_READ):
                await self._drain()
                self._write(buffer[:filled])
                buffer, other, filled = other, buffer, 0
            buffer[filled : filled + len(prefix)] = prefix
            filled += len(prefix)
            offset, stop = start, start + length
            while offset < stop:
                room = buffer[filled : filled + stop - offset]
                count = await files.preadinto(answer.fd, room, offset)
                if not count:
                    raise OSError(f"the file ended at byte {offset} while it was sent")
                offset += count
                filled += count
                if BUFFER_SIZE - filled < _MIN_READ and offset < stop:
                    await self._drain()
                    self._write(buffer[:filled])
                    buffer, other, filled = other, buffer, 0
        await self._drain()
        self._write(buffer[:filled])
        await self._drain()
        if not transport.is_closing():
            transport.set_write_buffer_limits()
        # Only here: after a cancellation or an error, somebody may still use them.
        buffers.give(buffer)
        buffers.give(other)

    def _write(self, data: bytes | memoryview, more: bytes = b"") -> None:
        if self._transport.is_closing():
            raise _DisconnectedError
        self._written += len(data) + len(more)
        if more:
            self._transport.writelines((data, more))
        else:
            self._transport.write(data)

    async def _drain(self) -> None:
        while self._paused and not self._lost:
            self._drained = self._loop.create_future()
            await self._drained
            self._drained = None
        if self._transport.is_closing():
            raise _DisconnectedError

    # ---- the end ----

    def _finish(self) -> None:
        self._finished = True
        self._end_input()
        if self._transport.is_closing():
            return
        if self._half_closed:
            self._transport.close()
        else:
            self._transport.write_eof()
            self._transport.resume_reading()
            self._deadline = self._loop.time() + self._limits.linger_time

    def drain(self) -> None:
        """End after the answer that is being sent; at once, if there is none."""
        self._draining = True
        if self._waiting():
            self._end_input()

    def abort(self) -> None:
        self._transport.abort()

    def check(self, now: float) -> None:
        """Enforce the time-outs."""
        if self._transport.is_closing():
            return
        limits = self._limits
        pending = self._transport.get_write_buffer_size()
        if pending:
            progress = self._written - pending - self._unacknowledged()
            if progress != self._progress[0]:
                self._progress = (progress, now)
            elif now - self._progress[1] >= limits.write_time:
                self._transport.abort()
            if self._finished:
                self._deadline = now + limits.linger_time
        if now < self._deadline:
            return
        if self._finished:
            self._transport.abort()
        elif self._in_head and not self._unparsed:
            self._refuse(HTTPError(408, "The request's head did not arrive in time."))
        elif self._waiting():
            self._end_input()

    def _unacknowledged(self) -> int:
        """Bytes that the kernel holds for a slow client.

        They can be millions, and it reports the socket as writable only when many of them are gone:
        without this number, a client on a thin line would look like one that stalls.
        """
        fd = self._transport.get_extra_info("socket").fileno()
        return int.from_bytes(fcntl.ioctl(fd, _SIOCOUTQ, bytes(4)), sys.byteorder)

    def _waiting(self) -> bool:
        return self._wakeup is not None and not self._requests


def _head(answer: Answer, connection: bytes) -> bytes:
    status = _STATUS_LINES[answer.status]
    date = http_date(int(time.time()))
    if answer.length < 0:
        return b"%b%b\r\n%b%b\r\n" % (status, date, answer.fields, connection)
    return b"%b%b\r\n%bContent-Length: %d\r\n%b\r\n" % (
        status,
        date,
        answer.fields,
        answer.length,
        connection,
    )


def _parser_refusal(error: httptools.HttpParserError, piece: bytes) -> HTTPError:
    if isinstance(error, httptools.HttpParserCallbackError):
        raise error  # a bug of ours
    if isinstance(error, httptools.HttpParserInvalidMethodError):
        if piece.startswith(b"\x16"):
            return HTTPError(400, "This port speaks HTTP without TLS.")
        return HTTPError(501, "This method is not known here.")
    reason = str(error)
    if reason in {"Invalid HTTP version", "Pause on PRI/Upgrade"}:
        return HTTPError(505, "This server speaks HTTP/1.1 and HTTP/1.0.")
    return HTTPError(400, f"The request is malformed: {reason}.")
