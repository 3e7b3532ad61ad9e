"""examples.asgi_static beside Starlette's StaticFiles: the same requests, the same answers."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles as Theirs

from examples.asgi_static import FileResponse, StaticFiles

from .support import ROOT, descriptors
from .trees import PAST, Tree, make


@pytest.fixture
def site(tmp_path: Path) -> Path:
    tree: Tree = {
        "file.txt": b"0123456789" * 20,
        "empty": b"",
        "page.html": b"<p>",
        "large.bin": os.urandom(700_000),
        "sp ace\xe9.svg": b"<svg/>",
        "archive.tar.gz": b"gz",
        "dir": {"index.html": b"index", "a.css": b"a"},
        "plain": {"b.js": b"b"},
        "odd": {"index.html": {}},
        "fifo": None,
        "inside": "dir/a.css",
        "outside": "../secret/key",
        "out_dir": "../secret",
        "absolute": str(tmp_path / "site" / "file.txt"),
        "abs_out": str(tmp_path / "secret" / "key"),
        "dangling": "nope",
        "404.html": b"not here",
    }
    make(tmp_path / "site", tree)
    make(tmp_path / "secret", {"key": b"secret"})
    make(tmp_path / "site2", {"file.txt": b"second", "second.txt": b"2"})
    return tmp_path / "site"


async def ask(
    app: Any,
    path: str,
    method: str = "GET",
    headers: Iterable[tuple[str, str]] = (),
    **scope: Any,
) -> tuple[int, dict[str, str], bytes]:
    """Make a request without a server; return status, header fields and content."""
    messages: list[Any] = []

    async def receive() -> dict[str, Any]:
        await asyncio.Event().wait()
        raise AssertionError

    async def send(message: Any) -> None:
        messages.append(message)

    request = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "query_string": b"",
        "root_path": "",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers],
        "server": ("example.org", 8000),
        **scope,
    }
    await app(request, receive, send)
    start, *bodies = messages
    assert start["type"] == "http.response.start"
    assert [body.get("more_body", False) for body in bodies] == [True] * (len(bodies) - 1) + [False]
    fields = {name.decode(): value.decode("latin-1") for name, value in start["headers"]}
    assert len(fields) == len(start["headers"])
    return start["status"], fields, b"".join(body.get("body", b"") for body in bodies)


def normal(answer: tuple[int, dict[str, str], bytes]) -> Any:
    """Leave out the boundary, which is random."""
    status, fields, body = answer
    match = re.search("boundary=([0-9a-f]+)", fields.get("content-type", ""))
    if match is None:
        return answer
    fields = {name: value.replace(match[1], "BOUNDARY") for name, value in fields.items()}
    return status, fields, body.replace(match[1].encode(), b"BOUNDARY")


async def compare(options: dict[str, Any], *arguments: Any, **named: Any) -> Any:
    """Ask both, mounted in an application and, ours, alone; return the one answer."""

    async def answer(app: Any) -> Any:
        return normal(await ask(app, *arguments, **named))

    theirs = await answer(Starlette(routes=[Mount("/", Theirs(**options))]))
    ours = await answer(Starlette(routes=[Mount("/", StaticFiles(**options))]))
    assert ours == theirs, arguments
    alone = await answer(StaticFiles(**options))
    if alone != theirs:
        assert "allow" in theirs[1] or alone[0] == theirs[0] >= 400, arguments
    return ours


PATHS = [
    *("/file.txt", "/empty", "/page.html", "/large.bin", "/sp ace\xe9.svg", "/archive.tar.gz"),
    *("/", "/dir", "/dir/", "/dir/index.html", "/dir/a.css", "/plain", "/plain/", "/odd", "/odd/"),
    *("/fifo", "/inside", "/outside", "/out_dir/key", "/out_dir", "/absolute", "/abs_out"),
    *("/dangling", "/missing", "/file.txt/", "/file.txt/x", "//file.txt", "/./file.txt"),
    *("/dir/../file.txt", "/../secret/key", "/../../../../etc/passwd", "/..", "/dir/..", "//etc"),
    *("/a\0b", "/" + "x" * 300, "/\\etc", "/..\\secret", "/dir//a.css", "/\udcff", "/404.html"),
]


@pytest.mark.parametrize("html", [False, True])
@pytest.mark.parametrize("follow_symlink", [False, True])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
async def test_paths(site: Path, html: bool, follow_symlink: bool, method: str) -> None:
    options = {"directory": site, "html": html, "follow_symlink": follow_symlink}
    for path in PATHS:
        status, _, body = await compare(options, path, method)
        if not follow_symlink:
            assert b"secret" not in body
        assert status in {200, 404, 405, 307}


async def test_redirects(site: Path) -> None:
    options = {"directory": site, "html": True}
    for scope in (
        {},
        {"query_string": b"a=b&c=%20"},
        {"server": None},
        {"server": ("::1", 80)},
        {"scheme": "https", "server": ("example.org", 443)},
        {"headers": [("host", "other.example:81")]},
        {"headers": [("host", "evil.example/path?")]},
    ):
        status, fields, _ = await compare(options, "/dir", **scope)
        assert status == 307
        assert fields["location"].partition("?")[0].endswith("/dir/")
    status, fields, _ = await compare(options, "//dir", server=None)
    assert not fields["location"].startswith("//")


RANGES = [
    *("bytes=0-9", "bytes=5-", "bytes=-5", "bytes=0-0", "bytes=199-", "bytes=200-", "bytes=-500"),
    *("bytes=0-1,5-6", "bytes=0-5,3-9", "bytes=5-6,0-1", "bytes=0-9999", "bytes=5-1", "bytes=-0"),
    *("bytes=", "bytes=-", "bytes=a-b", "bytes", "lines=0-1", "bytes=0-1,,", "bytes = 0-1", ""),
    *("bytes=" + "0-1," * 200, "bytes=0-1,500-", "BYTES=0-1", "bytes=--1", "bytes=1-2-3"),
]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", ["/file.txt", "/empty", "/large.bin", "/missing"])
async def test_ranges(site: Path, path: str, method: str) -> None:
    for value in RANGES:
        await compare({"directory": site}, path, method, [("range", value)])


async def test_conditions(site: Path) -> None:
    options = {"directory": site}
    _, fields, _ = await compare(options, "/file.txt")
    tag, date = fields["etag"], fields["last-modified"]
    assert date == formatdate(PAST + 0.125, usegmt=True)
    seen = set()
    for name in ("if-none-match", "if-modified-since", "if-range"):
        for value in (
            *(tag, f"W/{tag}", f'"x", {tag}', '"x"', "*", "", date, "no date", f'"a,b", W/{tag}'),
            *(formatdate(PAST - 10, usegmt=True), formatdate(PAST + 10, usegmt=True)),
        ):
            for extra in ([], [("range", "bytes=0-1")], [("if-modified-since", date)]):
                headers = [(name, value), *(pair for pair in extra if pair[0] != name)]
                status, fields, _ = await compare(options, "/file.txt", "GET", headers)
                seen.add(status)
    assert seen == {200, 206, 304}


async def test_directories_and_packages(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = site.parent / "some_package"
    make(package, {"__init__.py": b"", "statics": {"s": b"1"}, "other": {"o": b"2"}})
    monkeypatch.syspath_prepend(str(site.parent))
    options = {"directory": site, "packages": ["some_package", ("some_package", "other")]}
    for path in ("/s", "/o", "/file.txt", "/missing"):
        await compare(options, path)
    for cls in (Theirs, StaticFiles):
        for packages in (["no_such_package"], [("some_package", "nothing")]):
            with pytest.raises(AssertionError, match="could not be found"):
                cls(packages=packages)  # type: ignore[arg-type]


async def test_wrong_directories(site: Path) -> None:
    for cls in (Theirs, StaticFiles):
        with pytest.raises(RuntimeError, match="does not exist"):
            cls(directory=site / "nothing")
        for name, reason in (("nothing", "does not exist"), ("file.txt", "is not a directory")):
            app = cls(directory=site / name, check_dir=False)
            with pytest.raises(RuntimeError, match=reason):
                await ask(app, "/x")


async def test_mounted_below(site: Path) -> None:
    for cls in (Theirs, StaticFiles):
        app = Starlette(routes=[Mount("/static", cls(directory=site, html=True))])
        status, _, body = await ask(app, "/static/file.txt")
        assert (status, body[:10]) == (200, b"0123456789")
        assert (await ask(app, "/static/dir"))[1]["location"] == (
            "http://example.org:8000/static/dir/"
        )


async def test_an_application_answers_errors(site: Path) -> None:
    async def not_found(request: Request, error: Exception) -> PlainTextResponse:
        return PlainTextResponse("my own", 404)

    app = Starlette(
        routes=[Mount("/", StaticFiles(directory=site))], exception_handlers={404: not_found}
    )
    assert (await ask(app, "/missing"))[2] == b"my own"


async def test_subclasses(site: Path) -> None:
    class Single(StaticFiles):
        async def get_response(self, path: str, scope: Any) -> Any:
            try:
                response = await super().get_response(path, scope)
            except HTTPException:
                response = await super().get_response("page.html", scope)
            response.headers.setdefault("Cache-Control", "no-cache")
            return response

    status, fields, body = await ask(Single(directory=site), "/some/route")
    assert (status, body, fields["cache-control"]) == (200, b"<p>", "no-cache")


async def test_websockets_are_closed(site: Path) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    await StaticFiles(directory=site)({"type": "websocket", "path": "/"}, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1000, "reason": ""}]


async def test_a_client_that_leaves(site: Path) -> None:
    started = asyncio.Event()

    async def receive() -> Any:
        await started.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            started.set()
            await asyncio.Event().wait()  # the client takes nothing any more

    scope = {"type": "http", "method": "GET", "path": "/large.bin", "headers": []}
    await StaticFiles(directory=site)(scope, receive, send)


async def test_an_answer_that_is_not_sent_is_closed(site: Path) -> None:
    scope = {"type": "http", "method": "GET", "path": "/file.txt", "headers": []}
    response = await StaticFiles(directory=site).get_response("file.txt", scope)
    assert isinstance(response, FileResponse)
    before = descriptors()
    del response
    assert len(before - descriptors()) == 1


async def test_a_file_that_shrinks(site: Path) -> None:
    app = StaticFiles(directory=site)
    scope: dict[str, Any] = {"method": "GET", "headers": [], "path": "/large.bin"}
    response = await app.get_response("large.bin", scope)
    os.truncate(site / "large.bin", 10)
    with pytest.raises(RuntimeError, match="became shorter"):
        await ask(response, "/large.bin")


def test_without_starlette(site: Path) -> None:
    program = """
import sys
sys.modules["starlette"] = sys.modules["starlette.exceptions"] = None
import asyncsys_loop, examples.asgi_static as static
assert static.HTTPException.__module__ == "examples.asgi_static"
sent = []
async def send(message):
    sent.append(message)
async def receive():
    import asyncio
    await asyncio.Event().wait()
async def main():
    app = static.StaticFiles(directory=sys.argv[1])
    for path in "/file.txt", "/missing":
        await app(
            {"type": "http", "method": "GET", "path": path, "headers": []}, receive, send
        )
asyncsys_loop.run(main())
print(sent[0]["status"], sent[2]["status"], sent[3]["body"])
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(site)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "200 404 b'Not Found'\n", "")
