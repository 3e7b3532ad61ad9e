"""From a request to an answer: the static files and listings of one directory tree."""

import errno
import logging
import re
import secrets
import stat
import time
from functools import lru_cache
from urllib.parse import quote

from ._answer import Answer, HTTPError, method_not_allowed
from ._conditional import CONDITIONS, http_date, precondition, range_applies
from ._files import Files, Opened
from ._limits import Limits
from ._mime import content_type
from ._pages import error_page, listing
from ._ranges import parse_range
from ._request import Request
from ._resolve import split_target

logger = logging.getLogger(__package__)

# A file up to this size is read in one go and sent in one write together with its head.
_SMALL = 64 * 1024

_HOST = re.compile(rb"(?:[\w.~!$&'()*+,;=%-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?", re.ASCII)

_NOT_FOUND = "There is no such file here."
_FORBIDDEN = "This file may not be read."
_OUTSIDE = "A symbolic link in the path is not followed."
_SPECIAL = "This is neither a file nor a directory."
_BUSY = "The server is out of resources. Try again."
_OF_ERRNO = {
    errno.ENOENT: (404, _NOT_FOUND),
    errno.ENOTDIR: (404, _NOT_FOUND),
    errno.ENAMETOOLONG: (404, _NOT_FOUND),
    errno.EACCES: (403, _FORBIDDEN),
    errno.EPERM: (403, _FORBIDDEN),
    errno.ELOOP: (403, _OUTSIDE),
    errno.EXDEV: (403, _OUTSIDE),
    errno.ENXIO: (403, _SPECIAL),
    errno.ENODEV: (403, _SPECIAL),
    errno.EMFILE: (503, _BUSY),
    errno.ENFILE: (503, _BUSY),
    errno.ENOMEM: (503, _BUSY),
    errno.EAGAIN: (503, _BUSY),
}


class Site:
    """What is served. A bad request and a file error have answers of their own."""

    def __init__(self, files: Files, limits: Limits, *, listings: bool) -> None:
        self._files = files
        self._limits = limits
        self._listings = listings

    async def answer(self, request: Request) -> Answer:
        """The answer to `request`. The caller owns its descriptor, if it has one."""
        try:
            return await self._answer(request)
        except HTTPError as refused:
            return error_page(refused.status, refused.detail, refused.fields)
        except OSError as error:
            known = _OF_ERRNO.get(error.errno or 0)
            if known is not None:
                return error_page(*known, b"Retry-After: 1\r\n" if known[0] == 503 else b"")
            logger.error("%s: %s", request.line(), error)
            return error_page(500, "The file could not be read.")
        except Exception:
            logger.exception("%s", request.line())
            return error_page(500, "The server has a bug.")

    async def _answer(self, request: Request) -> Answer:
        if request.error is not None:
            raise request.error
        if request.method not in (b"GET", b"HEAD"):
            raise method_not_allowed()
        headers = request.headers
        host = headers.get(b"host")
        if host is None:
            if request.version != "1.0":
                raise HTTPError(400, "An HTTP/1.1 request needs a Host field.")
        elif not _HOST.fullmatch(host):
            raise HTTPError(400, "The Host field is malformed, or there are several.")
        expect = headers.get(b"expect")
        if expect is not None and request.version != "1.0" and expect.lower() != b"100-continue":
            raise HTTPError(417, "The only expectation that is known here is 100-continue.")
        path, query = split_target(request.target)
        plain = request.method == b"GET" and CONDITIONS.isdisjoint(headers)
        small = _SMALL if plain else -1
        opened = await self._files.open(path, small)
        if stat.S_ISDIR(opened.status.st_mode):
            opened, path = await self._directory(opened, path, query, small)
            if path.endswith(b"/") or not path:
                return await self._listing(opened.fd, path)
        try:
            return self._file(request, path, opened, plain=plain)
        except BaseException:
            if opened.fd >= 0:
                await self._files.close(opened.fd)
            raise

    async def _directory(
        self, opened: Opened, path: bytes, query: bytes, small: int
    ) -> tuple[Opened, bytes]:
        """The index of a directory, or, if there is none, the directory itself again."""
        keep = False
        try:
            if path and not path.endswith(b"/"):
                # Made from the normalized path, this can't become //host and lead elsewhere.
                location = "/" + quote(path) + "/"
                fields = b"Location: %b%b\r\n" % (location.encode(), b"?" + query if query else b"")
                raise HTTPError(301, f"This directory is at {location}", fields)
            try:
                index = await self._files.open(path + b"index.html", small)
            except FileNotFoundError:
                pass
            else:
                if not stat.S_ISDIR(index.status.st_mode):
                    return index, path + b"index.html"
                await self._files.close(index.fd)
            if not self._listings:
                raise HTTPError(403, "Directories are not listed here.")
            keep = True
            return opened, path
        finally:
            if not keep:
                await self._files.close(opened.fd)

    async def _listing(self, fd: int, path: bytes) -> Answer:
        try:
            entries, total = await self._files.scan(fd, path, self._limits.listing)
        finally:
            await self._files.close(fd)
        return await listing(path, entries, total)

    def _file(self, request: Request, path: bytes, opened: Opened, *, plain: bool) -> Answer:
        fd, status, content = opened
        if not stat.S_ISREG(status.st_mode):
            raise HTTPError(403, _SPECIAL)
        size = status.st_size
        now = time.time()
        # Not later than Date: RFC 9110, section 8.8.2.1. The entity tag has the exact time.
        modified = max(0, min(int(status.st_mtime), int(now)))
        etag, validators, fields = _fields(
            content_type(path), status.st_mtime_ns, size, status.st_ino, modified
        )
        if content is not None and plain:
            if len(content) != size:
                raise HTTPError(500, "The file changed while it was read.")
            return Answer(200, fields, content, fd=fd)
        if plain:
            return Answer(200, fields, length=size, fd=fd, parts=[(b"", 0, size)])

        headers = request.headers
        outcome = precondition(headers, etag, modified)
        if outcome == 304:
            return Answer(304, validators, length=-1, fd=fd)
        if outcome == 412:
            raise HTTPError(412, "The file is not in the state that the request demands.")
        if request.method == b"HEAD":  # Range has a meaning for GET alone: section 14.2
            return Answer(200, fields, length=size, fd=fd)
        field = headers.get(b"range")
        ranges = None
        if field is not None and range_applies(headers, etag, modified, now):
            ranges = parse_range(field, size, self._limits.ranges)
        if ranges is None:
            return Answer(200, fields, length=size, fd=fd, parts=[(b"", 0, size)])
        if not ranges:
            raise HTTPError(
                416, f"The file has {size} bytes.", b"Content-Range: bytes */%d\r\n" % size
            )
        if len(ranges) == 1:
            ((start, stop),) = ranges
            fields += b"Content-Range: bytes %d-%d/%d\r\n" % (start, stop - 1, size)
            parts = [(b"", start, stop - start)]
            return Answer(206, fields, length=stop - start, fd=fd, parts=parts)
        boundary = secrets.token_hex(16).encode()
        parts = []
        length = 0
        for start, stop in ranges:
            prefix = b"\r\n--%b\r\nContent-Type: %b\r\nContent-Range: bytes %d-%d/%d\r\n\r\n" % (
                boundary,
                content_type(path),
                start,
                stop - 1,
                size,
            )
            parts.append((prefix, start, stop - start))
            length += len(prefix) + stop - start
        parts.append((b"\r\n--%b--\r\n" % boundary, 0, 0))
        length += len(parts[-1][0])
        fields = (
            b"Content-Type: multipart/byteranges; boundary=%b\r\n%bAccept-Ranges: bytes\r\n"
            % (boundary, validators)
        )
        return Answer(206, fields, length=length, fd=fd, parts=parts)


@lru_cache(4096)
def _fields(
    kind: bytes, exact_time: int, size: int, inode: int, modified: int
) -> tuple[bytes, bytes, bytes]:
    """The entity tag of a file, the lines of its validators, and those of a whole answer."""
    etag = b'"%x-%x-%x"' % (exact_time, size, inode)
    validators = b"ETag: %b\r\nLast-Modified: %b\r\n" % (etag, http_date(modified))
    fields = (
        b"Content-Type: %b\r\n%bAccept-Ranges: bytes\r\nX-Content-Type-Options: nosniff\r\n"
        % (kind, validators)
    )
    return etag, validators, fields
