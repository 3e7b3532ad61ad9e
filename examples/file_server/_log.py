"""The access log, in the combined format of Apache and nginx.

A request adds one line to a queue, and that is all it pays for: the lines are written together,
through the same files interface as everything else, so that a slow disk or a full pipe never holds
up an answer. When even the queue is full, lines are dropped, and the log says how many.
"""

import asyncio
import logging
import re
import time
from functools import lru_cache

from ._files import Files
from ._request import Request

logger = logging.getLogger(__package__)

_DELAY = 0.5
_QUEUE = 65536

# What a field may not contain as it is: it could forge a line, or command a terminal.
_UNSAFE = re.compile(rb"[^ !#-\[\]-~]")


class AccessLog:
    """Lines on their way to the descriptor `fd`."""

    def __init__(self, files: Files, fd: int) -> None:
        self._files = files
        self._fd = fd
        self._lines: list[bytes] = []
        self._dropped = 0
        self._broken = False
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Task[None] | None = None

    def add(self, peer: bytes, request: Request, status: int, sent: int) -> None:
        """Note an answer of which `sent` bytes of the body were handed to the connection."""
        if len(self._lines) >= _QUEUE or self._broken:
            self._dropped += 1
            return
        headers = request.headers
        self._lines.append(
            b'%b - - [%b] "%b" %d %d "%b" "%b"\n'
            % (
                peer,
                _timestamp(int(time.time())),
                _safe(request.line()),
                status,
                sent,
                _safe(headers.get(b"referer", b"-")),
                _safe(headers.get(b"user-agent", b"-")),
            )
        )
        if self._timer is None and self._writing is None:
            self._timer = asyncio.get_running_loop().call_later(_DELAY, self._start)

    def _start(self) -> None:
        self._timer = None
        self._writing = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        try:
            while self._lines:
                lines, self._lines = self._lines, []
                if self._dropped:
                    lines.append(b"(%d requests are missing here)\n" % self._dropped)
                    self._dropped = 0
                await self._files.write(self._fd, b"".join(lines))
        except OSError as error:
            self._broken = True
            logger.error("the access log can't be written, and ends here: %s", error)
        finally:
            self._writing = None

    async def close(self) -> None:
        """Write what is still there; a reader that doesn't read is given a second."""
        if self._timer is not None:
            self._timer.cancel()
            self._start()
        if self._writing is not None:
            await asyncio.wait([self._writing], timeout=1)
        if self._writing is not None:
            self._writing.cancel()


@lru_cache(4)
def _timestamp(seconds: int) -> bytes:
    return time.strftime("%d/%b/%Y:%H:%M:%S %z", time.localtime(seconds)).encode()


def _safe(field: bytes) -> bytes:
    if _UNSAFE.search(field) is None:
        return field
    return _UNSAFE.sub(lambda match: b"\\x%02x" % ord(match[0]), field)
