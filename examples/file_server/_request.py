"""A request as the connection parsed it."""

from ._answer import HTTPError


class Request:
    """`headers` has the names in lower case; fields of one name are joined by commas (RFC 9110,
    section 5.3).

    `error` is set for one that can't be answered: what was parsed of it is there for the access
    log.
    """

    __slots__ = ("error", "headers", "keep_alive", "method", "target", "version")

    def __init__(
        self,
        method: bytes,
        target: bytes,
        version: str,
        headers: dict[bytes, bytes],
        *,
        keep_alive: bool,
        error: HTTPError | None = None,
    ) -> None:
        self.method = method
        self.target = target
        self.version = version
        self.headers = headers
        self.keep_alive = keep_alive
        self.error = error

    def line(self) -> bytes:
        """The request line, as far as there was one."""
        if not self.method:
            return b"-"
        return b"%b %b HTTP/%b" % (self.method, self.target, self.version.encode())
