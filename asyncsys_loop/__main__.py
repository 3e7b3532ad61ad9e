"""`python -m asyncsys_loop`: what would run here, and why.

python -m asyncsys_loop           for people
python -m asyncsys_loop --json    for programs, one object
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from importlib import metadata
from typing import Any

from . import _executors
from ._convert import address, readable
from ._loop import BASES, default_base
from ._native import ffi, lib
from ._syscalls import names
from ._version import __version__

RWF_NOWAIT = 0x8
RESOLVE_CACHED = 0x20


def _version_of(distribution: str) -> str | None:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return None


def _base(name: str) -> dict[str, Any]:
    if name == "asyncio":
        return {"usable": True, "reason": f"Python {platform.python_version()}"}
    version = _version_of("uvloop")
    if version is None:
        return {"usable": False, "reason": "not installed: pip install 'asyncsys-loop[uvloop]'"}
    return {"usable": True, "reason": f"uvloop {version}"}


def _called(name: str, *args: int) -> str:
    """Make a system call on this thread, and tell how it went: "yes", or the error."""
    arguments = ffi.new("uint64_t[6]", [value & 0xFFFFFFFFFFFFFFFF for value in args])
    result = lib.do_syscall(names()[name], arguments)
    if result < 0:
        return os.strerror(-result)
    if name.startswith("open"):
        os.close(result)
    return "yes"


def _features() -> dict[str, str]:
    """What this kernel, this container and the file system of the temporary folder can do."""
    how = readable((os.O_RDONLY | os.O_DIRECTORY).to_bytes(8, sys.byteorder) + bytes(8))
    path, memory = readable(b"/\0"), ffi.new("char[256]")
    cached = readable(ffi.buffer(how)[:] + RESOLVE_CACHED.to_bytes(8, sys.byteorder))
    plain = readable(ffi.buffer(how)[:] + bytes(8))
    found = {
        "statx": _called("statx", -100, address(path), 0, 0x7FF, address(memory), 0),
        "openat2": _called("openat2", -100, address(path), address(plain), 24),
        "openat2 RESOLVE_CACHED": _called("openat2", -100, address(path), address(cached), 24),
    }
    with tempfile.TemporaryFile() as file:
        file.write(b"x")
        file.flush()
        vector = ffi.new("uint64_t[2]", [address(memory), 1])
        found["preadv2 RWF_NOWAIT"] = _called(
            "preadv2", file.fileno(), address(vector), 1, 0, 0, RWF_NOWAIT
        )
    return found


def report() -> dict[str, Any]:
    """Return everything that is shown, as plain data."""
    executors = [_executors.probe(name) for name in _executors.NAMES]
    asked = os.environ.get("ASYNCSYS_EXECUTOR") or "auto"
    try:
        executor, problem = _executors.choose(asked), None
    except (RuntimeError, ValueError) as error:
        executor, problem = None, str(error)
    return {
        "executor": executor,
        "problem": problem,
        "base": default_base(),
        "executors": {
            found.name: {"usable": found.usable, "reason": found.reason} for found in executors
        },
        "bases": {name: _base(name) for name in BASES},
        "environment": {
            name: os.environ[name]
            for name in ("ASYNCSYS_EXECUTOR", "ASYNCSYS_BASE")
            if name in os.environ
        },
        "features": _features(),
        "versions": {
            "asyncsys-loop": __version__,
            "ABI of the table": lib.ASYNC_SYSCALL_ABI_VERSION,
            "Python": platform.python_version(),
            "cffi": _version_of("cffi"),
            "uvloop": _version_of("uvloop"),
            "kernel": platform.release(),
            "machine": platform.machine(),
            "processors": len(os.sched_getaffinity(0)),
        },
    }


def _lines(found: dict[str, Any]) -> list[str]:
    lines = []
    if found["problem"]:
        lines += [f"Nothing would run here: {found['problem']}"]
    else:
        lines += [f"Runs here: executor {found['executor']!r} on base {found['base']!r}"]
    for title, key in (("Executors, the best first", "executors"), ("Base loops", "bases")):
        lines += ["", title]
        for name, state in found[key].items():
            lines += [f"  {'+' if state['usable'] else '-'} {name:10} {state['reason']}"]
    for title, key in (
        ("Environment", "environment"),
        ("Kernel features", "features"),
        ("Versions", "versions"),
    ):
        if found[key]:
            lines += ["", title]
            lines += [f"    {name:24} {value}" for name, value in found[key].items()]
    return lines


def main() -> int:
    """Print the report; the exit status is 1 if nothing can run here."""
    parser = argparse.ArgumentParser(
        prog="python -m asyncsys_loop", description="Tell what would run here, and why."
    )
    parser.add_argument("--json", action="store_true", help="one JSON object, for programs")
    found = report()
    if parser.parse_args().json:
        print(json.dumps(found, indent=2))
    else:
        print("\n".join(_lines(found)))
    return 0 if found["executor"] else 1


if __name__ == "__main__":
    sys.exit(main())
