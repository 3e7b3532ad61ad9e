"""System calls that asyncio can await.

    import os
    import asyncsys_loop

    async def main():
        fd = await asyncsys_loop.os.open("/etc/hostname", os.O_RDONLY)
        print(await asyncsys_loop.os.read(fd, 4096))
        await asyncsys_loop.os.close(fd)

    asyncsys_loop.run(main())

`asyncsys_loop.os` has awaitable twins of functions of `os`; `syscall()` awaits any system call of
Linux. They run on any asyncio loop; `run()` and `new_event_loop()` make one that has its table of
calls from birth.
"""

from __future__ import annotations

import asyncio
import importlib
from typing import TYPE_CHECKING, Any

from . import os
from ._attach import attach, stats
from ._engine import Stats
from ._loop import new_event_loop, run
from ._syscall import syscall
from ._version import __version__

if TYPE_CHECKING:
    from . import io, shutil, tempfile
    from ._file_raw import AsyncFile
    from ._file_text import TextIOWrapper
    from ._file_wrapped import wrap
    from ._open import open
    from ._path import Path
    from ._policy import EventLoopPolicy, install
    from ._sys import SYS

    # anyio's names.
    open_file = open
    wrap_file = wrap

    stdin: TextIOWrapper
    stdout: TextIOWrapper
    stderr: TextIOWrapper
    # aiofiles' names of their buffers.
    stdin_bytes: io.BufferedReader
    stdout_bytes: io.BufferedWriter
    stderr_bytes: io.BufferedWriter

__all__ = [
    "SYS",
    "AsyncFile",
    "Path",
    "Stats",
    "__version__",
    "attach",
    "io",
    "new_event_loop",
    "open",
    "open_file",
    "os",
    "run",
    "shutil",
    "stats",
    "stderr",
    "stderr_bytes",
    "stdin",
    "stdin_bytes",
    "stdout",
    "stdout_bytes",
    "syscall",
    "tempfile",
    "wrap",
    "wrap_file",
]
if hasattr(asyncio, "AbstractEventLoopPolicy"):  # gone in Python 3.16
    __all__ += ["EventLoopPolicy", "install"]


def __getattr__(name: str) -> Any:
    if name in {"EventLoopPolicy", "install"} and name in __all__:
        from . import _policy  # noqa: PLC0415  (asyncio warns where policies are deprecated)

        return getattr(_policy, name)
    if name in {"AsyncFile", "open", "open_file", "wrap", "wrap_file"}:
        from . import io  # noqa: PLC0415  (text, codecs: only for who opens files)

        globals()[name] = getattr(io, name.removesuffix("_file"))
        return globals()[name]
    if name.removesuffix("_bytes") in {"stdin", "stdout", "stderr"}:
        from ._file_wrapped import standard_stream  # noqa: PLC0415  (made when asked for)

        stream = standard_stream(name.removesuffix("_bytes"))
        return stream.buffer if name.endswith("_bytes") else stream
    if name == "Path":
        from . import _path  # noqa: PLC0415  (pathlib: only for who uses it)

        globals()[name] = _path.Path
        return _path.Path
    if name in {"io", "shutil", "tempfile"}:
        return importlib.import_module(f".{name}", __name__)
    if name == "SYS":
        from . import _sys  # noqa: PLC0415  (hundreds of members: only for who asks)

        return _sys.SYS
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
