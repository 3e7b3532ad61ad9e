"""The demo: serve a tree of files, fetch all of them, and compare each byte with the original.

A file server (examples/file_server) runs twice, each in its own process: once with its file work
in the table of asyncsys_loop, once with asyncio.to_thread. An aiohttp client fetches every file
from one, then from the other, several times over, and in turn, so that whatever else this machine
does meanwhile hits both. The figures are medians of the rounds.

The client is Python too, and busier than the server. So requests per second say how fast the two
are together; what a server costs is its processor time.
"""

import asyncio
import contextlib
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from yarl import URL

ROOT = Path(__file__).resolve().parent.parent
MIB = 1024 * 1024

# All content is cut from one random text, so that the originals needn't be kept.
_TEXT_SIZE = 8 * MIB
_EDGES = [0, 1, 2, 4095, 4096, 4097, 65535, 65536, 65537, 262143, 262144, 262145, MIB, 6 * MIB]
_ODD_NAMES = [
    b"with space.txt",
    b"100%.txt",
    b"question?mark#hash&more.txt",
    b"colon:name",
    b"<b>bold.html",
    b'"quotes".txt',
    b"back\\slash",
    b"new\nline",
    "Grüße, мир, 世界 \U0001f600.txt".encode(),
    b"not-utf8-\xff\xfe",
    b"-dash",
    b"..dots",
    b"x" * 255,
]


@dataclass(frozen=True)
class Original:
    """A file of the tree: its path below the root, and where its content is in the text."""

    path: bytes
    start: int
    size: int


@dataclass
class Server:
    """One of the two servers, and what was measured of it."""

    access: str
    process: subprocess.Popen[str]
    url: str
    stats_file: Path
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    stats: dict[str, Any] = field(default_factory=dict)

    def cpu_time(self) -> float:
        """Seconds of processor time so far, of all its threads."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def make_tree(root: Path, count: int, seed: int) -> tuple[bytes, list[Original]]:
    """Write `count` files of many sizes below `root`; the text they are cut from, and where."""
    generator = random.Random(seed)
    text = generator.randbytes(_TEXT_SIZE)
    originals = []
    for i in range(count):
        if i < len(_EDGES):
            size = _EDGES[i]
        else:
            # As in real trees: half of the files are below 5 KiB, and a few have most of the bytes.
            size = min(int(generator.lognormvariate(8.5, 1.9)), 4 * MIB)
        folder = b"/".join(b"%02x" % generator.randrange(20) for _ in range(i % 3))
        name = _ODD_NAMES[i] if i < len(_ODD_NAMES) else b"file-%05d.bin" % i
        path = os.path.join(folder, name)
        originals.append(Original(path, generator.randrange(_TEXT_SIZE - size + 1), size))
    base = os.fsencode(root)
    for original in originals:
        path = os.path.join(base, original.path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(text[original.start : original.start + original.size])
    generator.shuffle(originals)
    return text, originals


@contextlib.contextmanager
def serving(tree: Path, access: str, stats_file: Path, options: list[str]) -> Iterator[Server]:
    """Run a server of the tree in a process of its own; its counters are there at the end."""
    command = [sys.executable, "-m", "examples.file_server", str(tree), "--port", "0"]
    command += ["--files", access, "--no-access-log", "--stats-file", str(stats_file), *options]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            line = process.stderr.readline()
            match = re.search(r" at (http://\S+/) ", line)
            if match is None:
                raise click.ClickException(f"no server: {line}{process.stderr.read()}")
            server = Server(access, process, match[1], stats_file)
            yield server
            process.terminate()
            complaints = process.stderr.read()
            if process.wait(30) or complaints:
                raise click.ClickException(f"the server ended badly: {complaints}")
            server.stats = json.loads(stats_file.read_text())
        finally:
            process.kill()


class Client:
    """Fetches the tree from a server, and compares."""

    def __init__(
        self, text: bytes, originals: list[Original], concurrency: int, progress: Progress
    ) -> None:
        self._text = text
        self._originals = originals
        self._concurrency = concurrency
        self._progress = progress
        self.compared = 0
        self.wrong: list[str] = []

    async def fetch_all(self, server: Server, title: str) -> None:
        bar = self._progress.add_task(title, total=len(self._originals))
        todo = iter(self._originals)
        connector = aiohttp.TCPConnector(limit=self._concurrency)
        async with aiohttp.ClientSession(connector=connector) as session:

            async def worker() -> None:
                for original in todo:
                    await self._fetch(session, server, original)
                    self._progress.advance(bar)

            cpu = server.cpu_time()
            start = time.perf_counter()
            async with asyncio.TaskGroup() as group:
                for _ in range(self._concurrency):
                    group.create_task(worker())
            server.seconds.append(time.perf_counter() - start)
            server.cpu.append(server.cpu_time() - cpu)
        self._progress.remove_task(bar)

    async def _fetch(
        self, session: aiohttp.ClientSession, server: Server, original: Original
    ) -> None:
        url = URL(server.url + quote(original.path), encoded=True)
        try:
            async with session.get(url) as response:
                body = await response.read()
        except aiohttp.ClientError as error:
            self.wrong.append(f"{url}: {error!r}")
            return
        expected = self._text[original.start : original.start + original.size]
        if response.status != 200:
            self.wrong.append(f"{url}: status {response.status}")
        elif body != expected:
            self.wrong.append(f"{url}: {len(body)} bytes that aren't its {len(expected)}")
        else:
            self.compared += 1


def report(servers: list[Server], requests: int, size: int, console: Console) -> None:
    """Print what ran, the medians, and the counters."""
    seconds = [statistics.median(server.seconds) for server in servers]
    cpu = [statistics.median(server.cpu) for server in servers]
    table = Table(title="Median of the rounds", title_justify="left")
    table.add_column("file access", no_wrap=True)
    for server in servers:
        table.add_column(server.access, justify="right", no_wrap=True)
    table.add_row("executor", *(str(server.stats["files"]["executor"]) for server in servers))
    table.add_row("base loop", *(server.stats["base"] for server in servers))
    table.add_section()
    table.add_row("requests/s", *(f"{requests / value:,.0f}" for value in seconds))
    table.add_row("MiB/s", *(f"{size / MIB / value:,.1f}" for value in seconds))
    table.add_row("server CPU per request", *(f"{v / requests * 1e6:,.0f} µs" for v in cpu))
    console.print(table)

    table = Table(title="Counters of the servers", title_justify="left")
    table.add_column("")
    rows: dict[str, list[str]] = {}
    for position, server in enumerate(servers):
        table.add_column(server.access, justify="right", no_wrap=True)
        counters = {name: server.stats[name] for name in ("connections", "requests", "bytes")}
        for name, value in (counters | server.stats["files"]).items():
            if isinstance(value, int):
                rows.setdefault(name, [""] * len(servers))[position] = f"{value:,}"
    for name, cells in rows.items():
        table.add_row(name, *cells)
    console.print(table)


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.option("--files", "count", type=click.IntRange(min=1), default=4000, help="In the tree.")
@click.option("--rounds", type=click.IntRange(min=1), default=3, help="Per way of file access.")
@click.option(
    "--concurrency", type=click.IntRange(1, 1024), default=32, help="Connections at once."
)
@click.option("--seed", default=2026, help="For names, sizes and content.")
@click.option("--executor", help="Who runs the system calls: auto, threads, kmod.")
@click.option("--base", type=click.Choice(["uvloop", "asyncio"]), help="Base of the loops.")
def main(
    count: int, rounds: int, concurrency: int, seed: int, executor: str | None, base: str | None
) -> None:
    """Serve a tree of files, fetch all of them, and compare each byte with the original."""
    console = Console()
    options = [f"--executor={executor}"] if executor else []
    options += [f"--base={base}"] if base else []
    with tempfile.TemporaryDirectory(prefix="asyncsys-demo-") as folder:
        root = Path(folder, "tree")
        text, originals = make_tree(root, count, seed)
        size = sum(original.size for original in originals)
        console.print(f"{count:,} files with {size / MIB:,.1f} MiB in {root}")
        with (
            serving(root, "table", Path(folder, "table.json"), options) as table,
            serving(root, "to_thread", Path(folder, "to_thread.json"), options) as to_thread,
            progress_bar(console) as progress,
        ):
            servers = [table, to_thread]
            client = Client(text, originals, concurrency, progress)
            for number in range(rounds):
                # In turn, and turned around each time: neither is always the first.
                for server in servers if number % 2 == 0 else reversed(servers):
                    title = f"round {number + 1} of {rounds}, {server.access}"
                    asyncio.run(client.fetch_all(server, title))
        report(servers, count, size, console)
    for line in client.wrong[:20]:
        console.print(line, style="red", markup=False)
    if client.wrong:
        raise click.ClickException(f"{len(client.wrong):,} of {2 * rounds * count:,} were wrong")
    console.print(f"{client.compared:,} files were fetched, and none differs from its original.")


def progress_bar(console: Console) -> Progress:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


if __name__ == "__main__":
    main(prog_name="python -m examples.demo")
