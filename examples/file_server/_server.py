"""The listening socket, the connections behind it, and the end of both."""

import asyncio
import resource
from collections.abc import Coroutine
from typing import Any

from ._buffers import Buffers
from ._connection import Connection
from ._files import Files
from ._limits import Limits
from ._log import AccessLog
from ._request import Request
from ._site import Site

# Descriptors beside those of the connections and the files they send.
_RESERVED_DESCRIPTORS = 64


class FileServer:
    """Serves the tree that `files` was started with."""

    def __init__(
        self,
        files: Files,
        limits: Limits | None = None,
        *,
        listings: bool = True,
        log: AccessLog | None = None,
    ) -> None:
        self.files = files
        self.limits = limits or Limits()
        self.site = Site(files, self.limits, listings=listings)
        self.buffers = Buffers()
        self._log = log
        self._connections: set[Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._server: asyncio.Server | None = None
        self._sweeper: asyncio.Task[None] | None = None
        self.connections = self.refused = self.requests = self.bytes = 0

    async def start(self, host: str, port: int) -> list[tuple[str, int]]:
        """Accept connections; returns the addresses, which tell the port where `port` is 0."""
        _raise_descriptor_limit(2 * self.limits.connections + _RESERVED_DESCRIPTORS)
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: Connection(self), host, port, backlog=1024)
        self._sweeper = loop.create_task(self._sweep())
        return [socket.getsockname()[:2] for socket in self._server.sockets]

    async def stop(self) -> None:
        """Stop accepting, let what runs end within the grace time, then cut it off."""
        assert self._server is not None
        assert self._sweeper is not None
        self._server.close()
        for connection in list(self._connections):
            connection.drain()
        try:
            async with asyncio.timeout(self.limits.grace_time):
                await self._idle.wait()
        except TimeoutError:
            self.abort()
        self._sweeper.cancel()
        if self._tasks:
            # A cut connection's task ends with the call that it is in. Only a call that hangs is
            # cancelled.
            await asyncio.wait(self._tasks, timeout=1)
        for task in self._tasks:
            task.cancel()
        if self._log is not None:
            await self._log.close()

    def abort(self) -> None:
        """Cut all connections; a `stop` that waits for them goes on."""
        for connection in list(self._connections):
            connection.abort()

    async def _sweep(self) -> None:
        limits = self.limits
        shortest = min(limits.head_time, limits.idle_time, limits.write_time, limits.linger_time)
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(min(1.0, shortest / 4))
            now = loop.time()
            for connection in list(self._connections):
                connection.check(now)

    # ---- for connections ----

    def admit(self, connection: Connection, serve: Coroutine[Any, Any, None]) -> bool:
        """Run `serve` as the task of a new connection, unless there are too many."""
        self._connections.add(connection)
        self._idle.clear()
        if len(self._tasks) >= self.limits.connections:
            serve.close()
            self.refused += 1
            if len(self._connections) >= 2 * self.limits.connections:
                connection.abort()  # too many even to be told so
            return False
        self.connections += 1
        task = asyncio.get_running_loop().create_task(serve)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    def forget(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if not self._connections:
            self._idle.set()

    def note(self, peer: bytes, request: Request, status: int, sent: int) -> None:
        self.requests += 1
        self.bytes += sent
        if self._log is not None:
            self._log.add(peer, request, status, sent)


def _raise_descriptor_limit(wanted: int) -> None:
    # The usual soft limit of 1024 is for programs that use select().
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < limit:
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
