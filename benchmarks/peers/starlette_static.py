"""Starlette's static files under uvicorn: `… benchmarks.peers.starlette_static DIRECTORY PORT`."""

import sys

import uvicorn
from starlette.staticfiles import StaticFiles


def main(directory: str, port: str) -> None:
    uvicorn.run(
        StaticFiles(directory=directory),
        host="127.0.0.1",
        port=int(port),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )


main(*sys.argv[1:])
