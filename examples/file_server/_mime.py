"""Content types by extension: Python's and the system's table, and what older ones lack."""

import mimetypes
import os
from functools import lru_cache

_TYPES = mimetypes.MimeTypes([name for name in mimetypes.knownfiles if os.path.exists(name)])
for _type, _extension in [
    ("application/manifest+json", ".webmanifest"),
    ("application/wasm", ".wasm"),
    ("font/woff", ".woff"),
    ("font/woff2", ".woff2"),
    ("image/avif", ".avif"),
    ("image/svg+xml", ".svg"),
    ("image/webp", ".webp"),
    ("text/javascript", ".js"),
    ("text/javascript", ".mjs"),
    ("text/markdown", ".md"),
    ("text/plain", ".log"),
    ("text/x-rst", ".rst"),
]:
    _TYPES.add_type(_type, _extension)

# A compressed file is sent as what it is, not as a Content-Encoding of what is in it:
# who asks for backup.tar.gz wants to have backup.tar.gz.
_COMPRESSED = {
    ".br": "application/x-brotli",
    ".bz2": "application/x-bzip2",
    ".gz": "application/gzip",
    ".xz": "application/x-xz",
    ".z": "application/x-compress",
    ".zst": "application/zstd",
}


def content_type(path: bytes) -> bytes:
    """The Content-Type of a file, from its name; text is declared to be UTF-8."""
    name = path[path.rfind(b"/") + 1 :]
    dot = name.rfind(b".")
    return _content_type(name[dot:]) if dot > 0 else b"application/octet-stream"


@lru_cache(512)
def _content_type(extension: bytes) -> bytes:
    suffix = extension.decode("utf-8", "replace").lower()
    types = _TYPES.types_map[True]
    kind = _COMPRESSED.get(suffix) or types.get(suffix) or "application/octet-stream"
    if kind.startswith("text/"):
        kind += "; charset=utf-8"
    return kind.encode("ascii")
