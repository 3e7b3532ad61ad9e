"""An ASGI app that serves files: it takes the place of Starlette's `StaticFiles`.

    from examples.asgi_static import StaticFiles   # was: from starlette.staticfiles import …

    app.mount("/static", StaticFiles(directory="static", html=True))

Arguments, methods, answers and headers are Starlette's, so that validators in caches stay good, and
subclasses that override `get_response`, `file_response` or `is_not_modified` work on. It needs no
Starlette: alone under an ASGI server it answers what Starlette's application would make of an
HTTPException.

What is different is the file work. No thread is involved. openat2(2) resolves a path beneath its
directory in the call that opens the file, so that no link which is swapped meanwhile leads out of
it. What is sent is the file that was looked at, whatever becomes of its name.
"""

import asyncio
import errno
import hashlib
import importlib.util
import os
import re
import secrets
import stat
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from email.utils import formatdate, parsedate
from http import HTTPStatus
from mimetypes import guess_type
from typing import Any, Union
from urllib.parse import quote

from asyncsys_loop import os as aos

try:
    from starlette.exceptions import HTTPException
except ImportError:

    class HTTPException(Exception):  # type: ignore[no-redef]  # noqa: N818  (its name there)
        """An answer that is an error."""

        def __init__(
            self,
            status_code: int,
            detail: str | None = None,
            headers: Mapping[str, str] | None = None,
        ) -> None:
            super().__init__(status_code, detail)
            self.status_code = status_code
            self.detail = HTTPStatus(status_code).phrase if detail is None else detail
            self.headers = headers


Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
PathLike = Union[str, "os.PathLike[str]"]

_CHUNK = 256 * 1024
_HOST = re.compile(r"[A-Za-z0-9._-]+(:[0-9]+)?|\[[0-9A-Fa-f:.]+\](:[0-9]+)?")
_MAX_RANGES = 100
_OPEN = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY
_KEPT_WHEN_NOT_MODIFIED = {"cache-control", "content-location", "etag", "expires", "vary"}
# There is no such file, whatever the reason. ENXIO: a socket.
_NOT_THERE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO, errno.EXDEV}


class Headers(MutableMapping[str, str]):
    """Header fields; case doesn't count."""

    def __init__(self, fields: Mapping[str, str] | None = None) -> None:
        self._fields = {name.lower(): value for name, value in (fields or {}).items()}

    @classmethod
    def of(cls, scope: Scope) -> "Headers":
        """The fields of a request, of each name the first one."""
        pairs = reversed(scope["headers"])
        return cls({name.decode("latin-1"): value.decode("latin-1") for name, value in pairs})

    @property
    def raw(self) -> list[tuple[bytes, bytes]]:
        return [(n.encode("latin-1"), v.encode("latin-1")) for n, v in self._fields.items()]

    def __getitem__(self, name: str) -> str:
        return self._fields[name.lower()]

    def __setitem__(self, name: str, value: str) -> None:
        self._fields[name.lower()] = value

    def __delitem__(self, name: str) -> None:
        del self._fields[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)


class Response:
    """An answer whose content is at hand. An ASGI app, as each answer is."""

    def __init__(
        self, status_code: int, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> None:
        self.status_code = status_code
        self.body = body
        self.headers = Headers(headers)

    @classmethod
    def text(
        cls, status_code: int, text: str, headers: Mapping[str, str] | None = None
    ) -> "Response":
        fields = {**(headers or {}), "content-length": str(len(text))}
        return cls(
            status_code, text.encode(), {**fields, "content-type": "text/plain; charset=utf-8"}
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.start(send)
        await send({"type": "http.response.body", "body": self.body})

    async def start(self, send: Send, status: int | None = None, **fields: str) -> None:
        headers = Headers({**self.headers, **{n.replace("_", "-"): v for n, v in fields.items()}})
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code if status is None else status,
                "headers": headers.raw,
            }
        )


class FileResponse(Response):
    """An answer that sends an open file, whole or in ranges, and closes it."""

    def __init__(
        self, path: str, fd: int, stat_result: os.stat_result, status_code: int = 200
    ) -> None:
        super().__init__(status_code)
        self.path = path
        self.stat_result = stat_result
        self._fd = fd
        media_type = guess_type(path)[0] or "application/octet-stream"
        if media_type.startswith("text/"):
            media_type += "; charset=utf-8"
        tag = f"{stat_result.st_mtime}-{stat_result.st_size}".encode()
        self.headers.update(
            {
                "content-type": media_type,
                "accept-ranges": "bytes",
                "content-length": str(stat_result.st_size),
                "last-modified": formatdate(stat_result.st_mtime, usegmt=True),
                "etag": f'"{hashlib.md5(tag, usedforsecurity=False).hexdigest()}"',
            }
        )

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)  # nothing was written, so it doesn't block

    __del__ = close

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            ranges: list[tuple[int, int]] | Response | None = None
            request = Headers.of(scope)
            field = request.get("range")
            if self.status_code == 200 and field is not None and self._range_counts(request):
                ranges = _ranges(field, self.stat_result.st_size)
            if isinstance(ranges, Response):
                await ranges(scope, receive, send)
                return
            if scope["method"] == "HEAD":
                await self._send(ranges, _without_bodies(send), head=True)
                return
            await _while_connected(receive, self._send(ranges, send))
        finally:
            self.close()

    def _range_counts(self, request: Headers) -> bool:
        condition = request.get("if-range")
        return condition is None or (
            condition in {self.headers["last-modified"], self.headers["etag"]}
        )

    async def _send(
        self, ranges: list[tuple[int, int]] | None, send: Send, *, head: bool = False
    ) -> None:
        size = self.stat_result.st_size
        if not ranges:
            await self.start(send)
            await self._send_part(send, 0, 0 if head else size, last=True)
        elif len(ranges) == 1:
            ((start, end),) = ranges
            content_range = f"bytes {start}-{end - 1}/{size}"
            await self.start(
                send, 206, content_range=content_range, content_length=str(end - start)
            )
            await self._send_part(send, start, start if head else end, last=True)
        else:
            boundary = secrets.token_hex(13)
            heads = [
                f"--{boundary}\r\nContent-Type: {self.headers['content-type']}\r\n"
                f"Content-Range: bytes {start}-{end - 1}/{size}\r\n\r\n".encode("latin-1")
                for start, end in ranges
            ]
            final = f"--{boundary}--".encode()
            length = sum(map(len, heads)) + sum(end - start + 2 for start, end in ranges)
            await self.start(
                send,
                206,
                content_type=f"multipart/byteranges; boundary={boundary}",
                content_length=str(length + len(final)),
            )
            for part, (start, end) in zip(heads, ranges, strict=True):
                await send({"type": "http.response.body", "body": part, "more_body": True})
                await self._send_part(send, start, start if head else end)
                await send({"type": "http.response.body", "body": b"\r\n", "more_body": True})
            await send({"type": "http.response.body", "body": final, "more_body": False})

    async def _send_part(self, send: Send, start: int, end: int, *, last: bool = False) -> None:
        while start < end:
            data = await aos.pread(self._fd, min(_CHUNK, end - start), start)
            if not data:
                raise RuntimeError(f"{self.path} became shorter while it was sent")
            start += len(data)
            more = start < end or not last
            await send({"type": "http.response.body", "body": data, "more_body": more})
            if not more:
                return
        if last:
            await send({"type": "http.response.body", "body": b"", "more_body": False})


def _without_bodies(send: Send) -> Send:
    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.start":
            await send(message)
        elif not message.get("more_body", False):
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    return send_head


async def _while_connected(receive: Receive, sending: Any) -> None:
    """Send until all is sent, or the client has gone: it may tell that in no other way."""

    async def gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    tasks = [asyncio.ensure_future(sending), asyncio.ensure_future(gone())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    if not tasks[0].cancelled():
        tasks[0].result()


def _ranges(field: str, size: int) -> list[tuple[int, int]] | Response | None:
    """The parts, [start, end), that a Range field asks for; None to ignore it; or an error."""
    unit, separator, parts = field.partition("=")
    if not separator:
        return Response.text(400, "Malformed range header.")
    if unit.strip().lower() != "bytes":
        return Response.text(400, "Only support bytes range")
    if parts.count(",") >= _MAX_RANGES:
        return None
    ranges = []
    for part in parts.split(","):
        first, dash, last = (word.strip() for word in part.partition("-"))
        if not dash or not (first or last):
            continue
        try:
            if first:
                start, end = int(first), min(int(last) + 1, size) if last else size
            else:
                start, end = max(size - int(last), 0), size
        except ValueError:
            continue
        ranges.append((start, end))
    if not ranges:
        return Response.text(400, "Range header: range must be requested")
    if any(not 0 <= start < size for start, _ in ranges):
        return Response.text(416, "", {"content-range": f"bytes */{size}"})
    if any(start >= end for start, end in ranges):
        return Response.text(400, "Range header: start must be less than end")
    merged: list[tuple[int, int]] = []
    for start, end in sorted(ranges):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


class StaticFiles:
    """The app.

    Args:
        directory: the files that are served.
        packages: Python packages whose directory "statics" is served, or (package, directory).
        html: a directory is answered by its index.html, what isn't there by 404.html.
        check_dir: raise RuntimeError at once if there is no such directory.
        follow_symlink: follow symbolic links out of the directory.
    """

    def __init__(
        self,
        *,
        directory: PathLike | None = None,
        packages: list[str | tuple[str, str]] | None = None,
        html: bool = False,
        check_dir: bool = True,
        follow_symlink: bool = False,
    ) -> None:
        self.directory = directory
        self.packages = packages
        self.all_directories = self.get_directories(directory, packages)
        self.html = html
        self.config_checked = False
        self.follow_symlink = follow_symlink
        if check_dir and directory is not None and not os.path.isdir(directory):
            raise RuntimeError(f"Directory '{directory}' does not exist")

    def get_directories(
        self,
        directory: PathLike | None = None,
        packages: list[str | tuple[str, str]] | None = None,
    ) -> list[PathLike]:
        """All directories that files are looked for in, in this order."""
        directories: list[PathLike] = [] if directory is None else [directory]
        for entry in packages or []:
            package, name = (entry, "statics") if isinstance(entry, str) else entry
            spec = importlib.util.find_spec(package)
            assert spec is not None, f"Package {package!r} could not be found."
            assert spec.origin is not None, f"Package {package!r} could not be found."
            path = os.path.join(os.path.dirname(spec.origin), name)
            assert os.path.isdir(path), (
                f"Directory '{name!r}' in package {package!r} could not be found."
            )
            directories.append(path)
        return directories

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000, "reason": ""})
            return
        assert scope["type"] == "http"
        if not self.config_checked:
            await self.check_config()
            self.config_checked = True
        try:
            response = await self.get_response(self.get_path(scope), scope)
        except HTTPException as error:
            if "app" in scope:  # an application around it has its own way to answer errors
                raise
            response = Response.text(error.status_code, error.detail, error.headers)
        await response(scope, receive, send)

    def get_path(self, scope: Scope) -> str:
        """The path of a request below where the app is mounted, without "." and ".."."""
        path: str = scope["path"]
        root = scope.get("root_path", "")
        if root and (path == root or path.startswith(root + "/")):
            path = path[len(root) :]
        return os.path.normpath(os.path.join(*path.split("/")))

    async def get_response(self, path: str, scope: Scope) -> Any:
        """The answer to a GET or HEAD for a path.

        Raises:
            HTTPException: 405, or 404, or 401 for a file that may not be read.
        """
        if scope["method"] not in ("GET", "HEAD"):
            raise HTTPException(status_code=405, headers={"Allow": "GET, HEAD"})
        try:
            found = await self.lookup_path(path)
        except PermissionError:
            raise HTTPException(status_code=401) from None
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            raise HTTPException(status_code=404) from None
        except ValueError:  # a null byte
            raise HTTPException(status_code=404) from None
        if found is not None and stat.S_ISREG(found[2].st_mode):
            return self.file_response(*found, scope)
        is_directory = found is not None and stat.S_ISDIR(found[2].st_mode)
        if found is not None:
            os.close(found[1])
        if is_directory and self.html:
            found = await self._regular_file(os.path.join(path, "index.html"))
            if found is not None:
                if scope["path"].endswith("/"):
                    return self.file_response(*found, scope)
                os.close(found[1])
                location = quote(_url(scope, "/"), safe=":/%#?=@[]!$&'()*+,;")
                return Response(307, headers={"content-length": "0", "location": location})
        if self.html:
            found = await self._regular_file("404.html")
            if found is not None:
                return FileResponse(*found, 404)
        raise HTTPException(status_code=404)

    async def _regular_file(self, path: str) -> tuple[str, int, os.stat_result] | None:
        found = await self.lookup_path(path)
        if found is not None and not stat.S_ISREG(found[2].st_mode):
            os.close(found[1])
            return None
        return found

    async def lookup_path(self, path: str) -> tuple[str, int, os.stat_result] | None:
        """Open a file in one of the directories: its path, a descriptor, and what it is."""
        if path.startswith(("/", "\\")):
            return None
        for directory in self.all_directories:
            try:
                fd, full_path = await self._open(directory, path)
            except OSError as error:
                if error.errno not in _NOT_THERE:
                    raise
                continue
            try:
                return full_path, fd, await aos.fstat(fd)
            except BaseException:
                os.close(fd)
                raise
        return None

    async def _open(self, directory: PathLike, path: str) -> tuple[int, str]:
        """Open a file; return its descriptor and its path, which tells the type of its content."""
        full_path = os.path.join(directory, path)
        root = await aos.open(directory, os.O_PATH | os.O_DIRECTORY)
        try:
            if self.follow_symlink:
                if path == ".." or path.startswith("../"):
                    raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
                return await aos.open(path, _OPEN, dir_fd=root), full_path
            resolve = aos.RESOLVE_BENEATH | aos.RESOLVE_NO_SYMLINKS
            try:
                return await aos.openat2(path, _OPEN, 0, resolve, dir_fd=root), full_path
            except OSError as error:
                if error.errno != errno.ELOOP:
                    raise
            # There is a link on the way, which may stay inside. On the way around it is none left,
            # or somebody is at work there.
            full_path = await aos.path.realpath(full_path)
            above = await aos.path.realpath(directory)
            inside = os.path.relpath(full_path, above)  # noqa: ASYNC240  (both are absolute)
            return await aos.openat2(inside, _OPEN, 0, resolve, dir_fd=root), full_path
        finally:
            os.close(root)  # O_PATH: doesn't block

    def file_response(
        self,
        full_path: str,
        fd: int,
        stat_result: os.stat_result,
        scope: Scope,
        status_code: int = 200,
    ) -> Response:
        """The answer that sends a file, or says that the client has it."""
        response = FileResponse(full_path, fd, stat_result, status_code)
        if self.is_not_modified(response.headers, Headers.of(scope)):
            response.close()
            kept = {n: v for n, v in response.headers.items() if n in _KEPT_WHEN_NOT_MODIFIED}
            return Response(304, headers=kept)
        return response

    async def check_config(self) -> None:
        """Raise RuntimeError if there is no such directory."""
        if self.directory is None:
            return
        try:
            status = await aos.stat(self.directory)
        except FileNotFoundError:
            raise RuntimeError(
                f"StaticFiles directory '{self.directory}' does not exist."
            ) from None
        if not stat.S_ISDIR(status.st_mode):
            raise RuntimeError(f"StaticFiles path '{self.directory}' is not a directory.")

    def is_not_modified(
        self, response_headers: Mapping[str, str], request_headers: Mapping[str, str]
    ) -> bool:
        """Whether the client has what would be sent."""
        tags = request_headers.get("if-none-match")
        if tags:
            if tags.strip() == "*":
                return True
            own = response_headers["etag"]
            return own in [tag.strip().removeprefix("W/") for tag in tags.split(",")]
        since = parsedate(request_headers.get("if-modified-since"))
        modified = parsedate(response_headers["last-modified"])
        return since is not None and modified is not None and since >= modified


def _url(scope: Scope, suffix: str) -> str:
    """The URL of a request, with something after its path."""
    path = scope["path"].replace("?", "%3F").replace("#", "%23").replace("\\", "%5C") + suffix
    query = scope.get("query_string", b"").decode()
    scheme, host = scope.get("scheme", "http"), Headers.of(scope).get("host")
    if (host is None or not _HOST.fullmatch(host)) and scope.get("server") is not None:
        name, port = scope["server"]
        name = f"[{name}]" if ":" in name and not name.startswith("[") else name
        default = {"http": 80, "https": 443}.get(scheme)
        host = name if port in {None, default} else f"{name}:{port}"
    if host is not None:
        path = f"{scheme}://{host}{path}"
    elif path.startswith("//"):  # it would be taken for a host
        path = "/%2F" + path[2:]
    return f"{path}?{query}" if query else path
