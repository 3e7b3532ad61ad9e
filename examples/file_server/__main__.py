"""The command line: `python -m examples.file_server DIR`."""

import asyncio
import errno
import json
import logging
import signal
import time
from pathlib import Path
from typing import Any

import click

import asyncsys_loop

from . import AccessLog, Files, FileServer, Limits, TableFiles, ThreadFiles
from ._resolve import SYMLINKS

_DEFAULTS = Limits()
_STDOUT = 1
_SECONDS = click.FloatRange(min=0, min_open=True)


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.argument("directory", type=click.Path(exists=True, file_okay=False))
@click.option("--host", default="127.0.0.1", help="Address to listen on.")
@click.option("--port", default=8000, type=click.IntRange(0, 65535), help="0 takes a free one.")
@click.option("--base", type=click.Choice(["uvloop", "asyncio"]), help="Base of the loop.")
@click.option("--executor", help="Who runs the system calls: auto, threads, kmod.")
@click.option(
    "--files",
    "access",
    type=click.Choice(["table", "to_thread"]),
    default="table",
    help="File work through asyncsys_loop, or, to compare, with asyncio.to_thread.",
)
@click.option(
    "--symlinks",
    type=click.Choice(list(SYMLINKS)),
    default="never",
    help="Follow no symbolic link, those that stay beneath DIRECTORY, or all.",
)
@click.option("--listing/--no-listing", default=True, help="Show directories without index.html.")
@click.option("--access-log/--no-access-log", default=True, help="Log to the standard output.")
@click.option(
    "--max-connections",
    "connections",
    type=click.IntRange(min=1),
    default=_DEFAULTS.connections,
    help="More are told 503.",
)
@click.option("--head-time", type=_SECONDS, default=_DEFAULTS.head_time, help="For a head, in s.")
@click.option("--idle-time", type=_SECONDS, default=_DEFAULTS.idle_time, help="Of keep-alive.")
@click.option(
    "--write-time", type=_SECONDS, default=_DEFAULTS.write_time, help="For a client to take a byte."
)
@click.option(
    "--grace-time", type=_SECONDS, default=_DEFAULTS.grace_time, help="To end at shutdown."
)
@click.option(
    "--stats-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write counters there at the end, as JSON.",
)
def main(
    directory: str,
    host: str,
    port: int,
    base: str | None,
    executor: str | None,
    access: str,
    symlinks: str,
    *,
    listing: bool,
    access_log: bool,
    stats_file: Path | None,
    **limits: Any,
) -> None:
    """Serve the files of DIRECTORY over HTTP until Ctrl-C (once: finish; twice: stop at once)."""
    logging.basicConfig(format="%(levelname)s %(name)s: %(message)s")
    try:
        if executor is None:
            loop = asyncsys_loop.new_event_loop(base=base)
        else:
            loop = asyncsys_loop.new_event_loop(base=base, executor=executor)
    except (ValueError, OSError, RuntimeError, ImportError) as error:
        raise click.ClickException(str(error)) from error
    files: Files = TableFiles(symlinks) if access == "table" else ThreadFiles(symlinks)
    log = AccessLog(files, _STDOUT) if access_log else None
    server = FileServer(files, Limits(**limits), listings=listing, log=log)
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        stats = runner.run(_serve(server, directory, host, port))
    if stats_file is not None:
        stats_file.write_text(json.dumps(stats, indent=2) + "\n")


async def _serve(server: FileServer, directory: str, host: str, port: int) -> dict[str, Any]:
    files = server.files
    try:
        await files.start(directory)
    except OSError as error:
        if error.errno == errno.ENOSYS:
            hint = "openat2(2) is missing: this needs Linux 5.6, and a sandbox that knows the call"
            raise click.ClickException(hint) from error
        raise click.ClickException(f"{directory} can't be served: {error.strerror}") from error
    try:
        addresses = await server.start(host, port)
    except OSError as error:
        raise click.ClickException(f"can't listen on {host} port {port}: {error}") from error

    stopping = asyncio.Event()

    def stop() -> None:
        if stopping.is_set():
            server.abort()
        stopping.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop)
    base = "uvloop" if any(c.__module__ == "uvloop" for c in type(loop).__mro__) else "asyncio"
    executor = files.stats()["executor"]
    for address, actual_port in addresses:
        name = f"[{address}]" if ":" in address else address
        url = f"http://{name}:{actual_port}/"
        click.echo(f"Serving {directory} at {url} (executor {executor}, base {base})", err=True)
    await stopping.wait()
    await server.stop()
    stats = {
        "base": base,
        "connections": server.connections,
        "refused": server.refused,
        "requests": server.requests,
        "bytes": server.bytes,
        "cpu_seconds": time.process_time(),
        "files": files.stats(),
    }
    await files.stop()
    return stats


if __name__ == "__main__":
    main(prog_name="python -m examples.file_server")
