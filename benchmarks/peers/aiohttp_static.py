"""aiohttp's static files: `python -m benchmarks.peers.aiohttp_static DIRECTORY PORT uvloop`."""

import asyncio
import sys

import uvloop
from aiohttp import web


def main(directory: str, port: str, base: str) -> None:
    app = web.Application()
    app.router.add_static("/", directory)
    loop = uvloop.new_event_loop() if base == "uvloop" else asyncio.SelectorEventLoop()
    web.run_app(app, host="127.0.0.1", port=int(port), access_log=None, print=None, loop=loop)


main(*sys.argv[1:])
