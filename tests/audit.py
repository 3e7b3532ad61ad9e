"""What audit hooks are told, for a function and its twin."""

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

Event = tuple[str, tuple[Any, ...]]

_listener: Callable[[Event], None] | None = None
_main = threading.get_ident()
_heard = ("open", "os.", "shutil.", "tempfile.", "pathlib.")


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    # A hook stays for ever: it does nothing unless a test listens.
    if _listener is not None and event.startswith(_heard) and threading.get_ident() == _main:
        _listener((event, arguments))


sys.addaudithook(_hook)


class RefusedError(Exception):
    """A hook doesn't allow it."""


@contextlib.contextmanager
def heard(refused: int = -1) -> Iterator[list[Event]]:
    """Listen, and refuse the event of that number."""
    global _listener  # noqa: PLW0603
    events: list[Event] = []

    def listener(event: Event) -> None:
        events.append(event)
        if len(events) - 1 == refused:
            raise RefusedError

    _listener = listener
    try:
        yield events
    finally:
        _listener = None
