"""The file server against its peers: wrk on loopback, one client thread, 32 connections.

Each server is as its documentation recommends for speed, without an access log; every one keeps
connections alive and looks at the file anew for each request.
"""

import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from re import search

from benchmarks._data import SERVED_SIZES, Data
from benchmarks.participants import Unavailable, WrongBackend

from . import Bench, Case, Figure, Wrong

_CONNECTIONS = 32
_WARM_UP = 200
_START_TIME = 15
_STOP_TIME = 10

_TICKS = os.sysconf("SC_CLK_TCK")


def _tool(name: str) -> str:
    # Debian keeps servers where only root looks.
    found = shutil.which(name, path=os.environ.get("PATH", os.defpath) + ":/usr/sbin")
    if found is None:
        raise Unavailable(f"{name} isn't installed")
    return found


def _command(name: str, data: Data, port: int, scratch: Path) -> list[str]:
    python = [sys.executable, "-m"]
    if name == "nginx":
        program = _tool("nginx")
        configuration = scratch / "nginx.conf"
        template = Path(__file__).parents[1] / "peers" / "nginx.conf"
        filled = template.read_text(encoding="utf-8")
        user = "user root;" if os.geteuid() == 0 else ""
        values = {"SCRATCH": scratch, "PORT": port, "ROOT": data.served, "USER": user}
        for key, value in values.items():
            filled = filled.replace(f"@{key}@", str(value))
        configuration.write_text(filled, encoding="utf-8")
        return [program, "-e", "stderr", "-p", str(scratch), "-c", str(configuration)]
    if name.startswith("aiohttp"):
        base = name.rpartition(" ")[2]
        return [*python, "benchmarks.peers.aiohttp_static", data.served, str(port), base]
    if name == "Starlette":
        return [*python, "benchmarks.peers.starlette_static", data.served, str(port)]
    import asyncsys_loop  # noqa: PLC0415  (not for the servers of others)

    executor = name.split()[1].rstrip(",")
    try:
        asyncsys_loop.new_event_loop(base="asyncio", executor=executor).close()
    except RuntimeError as reason:
        raise Unavailable(str(reason)) from None
    base = "asyncio" if name.endswith("asyncio") else "uvloop"
    options = ["--no-access-log", "--executor", executor, "--base", base, "--port", str(port)]
    options += ["--stats-file", str(scratch / "stats.json")]
    return [*python, "examples.file_server", data.served, *options]


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@contextlib.contextmanager
def _running(command: list[str], table: bool, log: Path) -> Iterator[int]:
    environment = os.environ | {"ASYNCSYS_FAST_PATH": "0" if table else "1"}
    with log.open("wb") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
    try:
        yield server.pid
    finally:
        server.send_signal(signal.SIGINT if "examples.file_server" in command else signal.SIGTERM)
        try:
            server.wait(_STOP_TIME)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
            raise


def _connect(port: int, log: Path) -> http.client.HTTPConnection:
    deadline = time.monotonic() + _START_TIME
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            connection.connect()
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise Wrong("the server doesn't start: " + log.read_text()) from None
            time.sleep(0.02)
        else:
            return connection


def _family(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(process for child in children for process in _family(int(child)))]


def _processor_seconds(pid: int) -> float:
    total = 0
    for process in _family(pid):
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / _TICKS


def _peak(pid: int) -> int:
    found = (search(r"VmHWM:\s+(\d+)", Path(f"/proc/{p}/status").read_text()) for p in _family(pid))
    return sum(int(match[1]) for match in found if match)


def _wrk(bench: Bench, url: str) -> None:
    command = [_tool("wrk"), "-t1", f"-c{_CONNECTIONS}", f"-d{bench.work}s", "--latency", url]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    if "Non-2xx" in output or "Socket errors" in output:
        raise Wrong(f"{bench.name}: {output}")
    rate, p99 = search(r"Requests/sec:\s+([\d.]+)", output), search(r"99%\s+([\d.]+)(\w+)", output)
    requests = search(r"(\d+) requests in", output)
    if not rate or not p99 or not requests:
        raise Wrong(f"wrk says something new: {output}")
    bench.figures["requests/s"] = float(rate[1])
    bench.figures["p99 ms"] = float(p99[1]) * {"us": 1e-3, "ms": 1, "s": 1e3}[p99[2]]
    bench.figures["operations"] = int(requests[1])


def _serve(bench: Bench) -> None:
    _tool("wrk")
    ours, table = bench.name.startswith("asyncsys"), bench.name.endswith("table")
    scratch, port = bench.data.scratch(), _free_port()
    path = f"/{bench.parameter}.bin"
    expected = Path(bench.data.served + path).read_bytes()
    log = scratch / "log"
    with _running(_command(bench.name, bench.data, port, scratch), table, log) as pid:
        connection = _connect(port, log)
        for _ in range(_WARM_UP):
            connection.request("GET", path)
            bench.check(connection.getresponse().read() == expected, True)
        connection.close()
        before = _processor_seconds(pid)
        _wrk(bench, f"http://127.0.0.1:{port}{path}")
        spent = _processor_seconds(pid) - before
        bench.figures["CPU µs"] = spent / bench.figures["operations"] * 1e6
        bench.figures["peak MiB"] = _peak(pid) / 1024
    if ours:
        stats = json.loads((scratch / "stats.json").read_text())
        found = {key: stats["files"][key] for key in ("executor", "submitted", "inline")}
        bench.backend = found | {"base": stats["base"]}
        if found["executor"] not in bench.name or bool(found["inline"]) == table:
            raise WrongBackend(f"{bench.name}: {bench.backend}")
    shutil.rmtree(scratch)


CASES = [
    Case(
        name="server",
        title="Static files over HTTP: wrk with 32 connections, requests per second",
        run=_serve,
        operation="",
        work=2,  # seconds: wrk knows no other measure
        slow_work=2,
        parameters=SERVED_SIZES,
        parameter_name="bytes",
        figures=(
            Figure("requests/s", ".0f", more_is_better=True),
            Figure("p99 ms", ".2f"),
            Figure("CPU µs"),
            Figure("peak MiB", ".0f"),
        ),
        participants=(
            "nginx",
            "aiohttp on uvloop",
            "aiohttp on asyncio",
            "Starlette",
            "asyncsys threads",
            "asyncsys threads, table",
            "asyncsys threads on asyncio",
            "asyncsys kmod",
        ),
        bases=("",),
        rounds=3,
        quick_rounds=1,
        notes="Each participant's loop is in its name; without one it is uvloop.",
    )
]
