"""From a request target to a path that can't leave the root.

The text of the target is checked here, and only for what HTTP says about it: percent-encoding and
dot segments. That the path stays beneath the root is the kernel's work, in the same call that opens
the file: `openat2(2)` (Linux 5.6) resolves the path and refuses to step out, whatever is renamed or
linked in the tree meanwhile. No check in user space can promise that.
"""

import os
import re
import struct
from urllib.parse import unquote_to_bytes

from ._answer import HTTPError

# linux/openat2.h
_RESOLVE_NO_MAGICLINKS = 0x02
_RESOLVE_NO_SYMLINKS = 0x04
_RESOLVE_BENEATH = 0x08

SYMLINKS = {
    "never": _RESOLVE_BENEATH | _RESOLVE_NO_MAGICLINKS | _RESOLVE_NO_SYMLINKS,
    "beneath": _RESOLVE_BENEATH | _RESOLVE_NO_MAGICLINKS,
    "follow": _RESOLVE_NO_MAGICLINKS,
}
"""The choices for symbolic links. `beneath` follows relative ones that stay in the root; an
absolute one leaves it by definition. `follow` goes wherever links lead, which is only right where
every writer is trusted."""

# O_NONBLOCK: a FIFO is opened without waiting for its writer, seen for what it is, and refused.
OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC

_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_ABSOLUTE = re.compile(rb"https?://[^/?#]*", re.IGNORECASE)
_SPECIAL = re.compile(rb"[%#?\0]|//|/\.")


def open_how(symlinks: str, flags: int = OPEN) -> bytes:
    """`struct open_how` for one of SYMLINKS."""
    return struct.pack("=QQQ", flags, 0, SYMLINKS[symlinks])


def split_target(target: bytes) -> tuple[bytes, bytes]:
    """The path of a request target, decoded and relative to the root, and its query, as it came.

    The path is b"" for the root, and ends in a slash where the target does. Raises HTTPError for a
    target that names nothing that could be served.
    """
    if not target.startswith(b"/"):
        # The absolute form is for proxies, but a server must take it: RFC 9112, section 3.2.2.
        match = _ABSOLUTE.match(target)
        if match is None:
            raise HTTPError(400, "The request target is neither a path nor a URL.")
        target = b"/" + target[match.end() :].removeprefix(b"/")
    if not _SPECIAL.search(target):
        return target[1:], b""
    if b"#" in target:
        raise HTTPError(400, "A request target has no fragment.")
    path, _, query = target.partition(b"?")
    if _BAD_ESCAPE.search(path):
        raise HTTPError(400, "A percent sign is not followed by two hexadecimal digits.")
    segments: list[bytes] = []
    last = b""
    for raw in path.split(b"/"):
        last = unquote_to_bytes(raw)
        if b"\0" in last:
            raise HTTPError(400, "A path has no NUL.")
        if b"/" in last:
            raise HTTPError(404, "No file has a slash in its name.")
        if last == b"..":
            if not segments:
                raise HTTPError(400, "The path leads out of the root.")
            segments.pop()
        elif last not in (b"", b"."):
            segments.append(last)
    resolved = b"/".join(segments)
    if segments and last in (b"", b".", b".."):
        resolved += b"/"
    return resolved, query
