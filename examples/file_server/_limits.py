"""Every bound of the server in one place: what a client may cost, and for how long."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes are in bytes, times in seconds."""

    connections: int = 1024
    """Connections served at once; the next ones are told 503."""
    target: int = 8192
    """Length of a request target; a longer one is answered 414."""
    head: int = 16384
    """Size of a request's head (checked to within one piece of input); more is answered 431."""
    fields: int = 100
    """Distinct header fields in a request; more are answered 431."""
    pipeline: int = 64
    """Parsed requests that wait for their turn on one connection; then reading stops."""
    ranges: int = 32
    """Ranges in one request; a Range field with more is ignored."""
    listing: int = 10_000
    """Entries of a directory shown on its page."""

    head_time: float = 10.0
    """From a request's first byte to the end of its head; then 408."""
    idle_time: float = 60.0
    """Between two requests of a connection that is kept alive; then it is closed."""
    write_time: float = 30.0
    """Without one byte taken by the client while an answer waits; then the connection is cut."""
    linger_time: float = 2.0
    """For a client to read the last answer before the socket is closed under it."""
    grace_time: float = 10.0
    """For running answers at shutdown."""
