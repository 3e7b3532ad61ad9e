"""What the site hands to the connection: an answer that is ready to be sent."""

from http import HTTPStatus

STATUS_LINES = {status.value: f"{status.value} {status.phrase}" for status in HTTPStatus}


class Answer:
    """One response, without what belongs to the connection (Date, Connection).

    The content is `body`, or, if there are any, the `parts` of the file `fd`. A part is (prefix,
    offset, length): bytes to send as they are, then a piece of the file. Whoever holds the answer
    owns the descriptor, and closes it when the answer is sent; -1 is none. `length` is that of the
    content, which a HEAD announces and does not send; -1 leaves Content-Length out.
    """

    __slots__ = ("body", "fd", "fields", "length", "parts", "status")

    def __init__(
        self,
        status: int,
        fields: bytes,
        body: bytes = b"",
        *,
        length: int | None = None,
        fd: int = -1,
        parts: list[tuple[bytes, int, int]] | None = None,
    ) -> None:
        self.status = status
        self.fields = fields
        self.body = body
        self.length = len(body) if length is None else length
        self.fd = fd
        self.parts = parts or []


class HTTPError(Exception):
    """The request gets an error answer: a status, a sentence for people, more header lines."""

    def __init__(self, status: int, detail: str, fields: bytes = b"") -> None:
        super().__init__(status, detail)
        self.status = status
        self.detail = detail
        self.fields = fields


def method_not_allowed() -> HTTPError:
    return HTTPError(405, "Only GET and HEAD are answered here.", b"Allow: GET, HEAD\r\n")
