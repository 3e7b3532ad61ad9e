"""The ends of files, and what is added to them: `python -m examples.tail -F FILE…`.

inotify watches tell of each followed file: one on the file itself, by its descriptor, so that it
works under whatever name the file goes on; with -F one more on its directory, and that which a link
leads to, where a new file of that name would appear. One coroutine awaits the events of all files,
and looks at those that changed.

A look is a comparison, not a guess from events: the file got longer, shorter, or its name leads to
another file now. So it doesn't matter if events come together, twice, or late. Each second, names
that lead nowhere are tried anyway, as inotify doesn't see what happens in directories that aren't
there yet.
"""

import asyncio
import os
import stat
import struct
import sys
from collections.abc import Awaitable, Callable

import click

import asyncsys_loop
from asyncsys_loop import os as aos

from ._output import write

_BLOCK = 64 * 1024

# inotify(7)
_IN_MODIFY, _IN_ATTRIB, _IN_MOVED_TO, _IN_CREATE = 0x2, 0x4, 0x80, 0x100
_IN_DELETE_SELF, _IN_MOVE_SELF, _IN_IGNORED = 0x400, 0x800, 0x8000
_FILE_EVENTS = _IN_MODIFY | _IN_ATTRIB | _IN_DELETE_SELF | _IN_MOVE_SELF
_DIRECTORY_EVENTS = _IN_CREATE | _IN_MOVED_TO
_IN_CLOEXEC = os.O_CLOEXEC
_EVENT = struct.Struct("iIII")  # wd, mask, cookie, length of the name that follows

_RETRY = 1.0  # seconds

Write = Callable[[bytes], Awaitable[object]]


class _File:
    """A file that is shown, or a name that leads to none at the moment (fd is -1)."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.shown = "standard input" if name == "-" else name
        self.fd = -1
        self.position = 0
        self.identity = (0, 0)
        self.watches: set[int] = set()


class Tail:
    """One run.

    Args:
        count: how many lines (or bytes) are shown first; with `from_start` the number of the first
            one that is shown.
        follow: go on showing what is added. "descriptor": to the file that was opened, whatever it
            is called; "name": to the file that has the name now.
        headers: show the name before what comes from another file than before.
        write: awaited with what is to be shown.
        warn: called with a sentence about each thing that went wrong or changed.
    """

    def __init__(
        self,
        *,
        count: int = 10,
        in_bytes: bool = False,
        from_start: bool = False,
        follow: str | None = None,
        headers: bool = False,
        write: Write,
        warn: Callable[[str], object],
    ) -> None:
        self._count = count
        self._in_bytes = in_bytes
        self._from_start = from_start
        self._follow = follow
        self._headers = headers
        self._write = write
        self._warn = warn
        self._inotify = -1
        self._watched: dict[int, set[_File]] = {}
        self._last: _File | None = None
        self.failed = False

    async def run(self, names: list[str]) -> None:
        """Show the ends of files; then, if they are followed, go on until cancelled."""
        if self._count == 0 and not self._from_start and self._follow is None:
            return
        files = [_File(name) for name in names]
        try:
            if self._follow is not None:
                self._inotify = await asyncsys_loop.syscall("inotify_init1", _IN_CLOEXEC)
            for file in files:
                await self._begin(file)
            if self._follow is not None:
                await self._go_on(files)
        finally:
            for fd in {file.fd for file in files} | {self._inotify}:
                if fd > 0:
                    os.close(fd)  # opened to read: doesn't block

    async def _begin(self, file: _File) -> None:
        try:
            await self._open(file)
        except OSError as error:
            self.failed = True
            self._warn(f"cannot open {file.shown!r} for reading: {error.strerror}")
        else:
            await self._show_end(file)
        await self._watch_directories(file)

    async def _open(self, file: _File) -> None:
        file.fd = 0 if file.name == "-" else await aos.open(file.name, os.O_RDONLY)
        status = await aos.fstat(file.fd)
        file.identity = (status.st_dev, status.st_ino)
        if stat.S_ISDIR(status.st_mode):
            await self._forget(file)
            raise IsADirectoryError(21, os.strerror(21))
        if self._inotify >= 0:
            # By the descriptor: the name may lead elsewhere by now.
            await self._watch(file, f"/proc/self/fd/{file.fd}", _FILE_EVENTS)

    async def _forget(self, file: _File) -> None:
        fd, file.fd, file.position = file.fd, -1, 0
        if fd > 0:
            os.close(fd)

    # The end of a file

    async def _show_end(self, file: _File) -> None:
        await self._header(file)
        try:
            size = await aos.lseek(file.fd, 0, os.SEEK_END)
        except OSError:  # a pipe or a terminal
            await self._show_end_of_stream(file)
            return
        start = 0
        if self._in_bytes:
            start = self._count - 1 if self._from_start else size - self._count
        elif not self._from_start:
            start = await self._start_of_last_lines(file, size)
        elif self._count > 1:
            start = await self._start_of_line(file)
        file.position = max(start, 0)
        await self._show_added(file)

    async def _start_of_last_lines(self, file: _File, size: int) -> int:
        """Read backwards; the line break that ends the last line ends no line before it."""
        if self._count == 0:
            return size
        left, end = self._count, size
        while end > 0:
            start = max(0, end - _BLOCK)
            block = await aos.pread(file.fd, end - start, start)
            at = len(block) - (end == size and block.endswith(b"\n"))
            while (at := block.rfind(b"\n", 0, at)) >= 0:
                left -= 1
                if left == 0:
                    return start + at + 1
            end = start
        return 0

    async def _start_of_line(self, file: _File) -> int:
        left, position = self._count - 1, 0
        while block := await aos.pread(file.fd, _BLOCK, position):
            at = -1
            while (at := block.find(b"\n", at + 1)) >= 0:
                left -= 1
                if left == 0:
                    return position + at + 1
            position += len(block)
        return position

    async def _show_end_of_stream(self, file: _File) -> None:
        """Read all, and keep no more than may be shown."""
        kept = b""
        skip = self._count - 1 if self._from_start else 0
        while block := await aos.read(file.fd, _BLOCK):
            if self._from_start:
                while skip > 0 and block:
                    if self._in_bytes:
                        skip, block = max(0, skip - len(block)), block[skip:]
                    else:
                        _, newline, block = block.partition(b"\n")
                        skip -= bool(newline)
                if block:
                    await self._write(block)
            else:
                kept = self._last_of(kept + block)
        if kept:
            await self._write(kept)

    def _last_of(self, data: bytes) -> bytes:
        if self._count == 0:
            return b""
        if self._in_bytes:
            return data[-self._count :]
        lines = data.splitlines(keepends=True) if b"\r" not in data else _lines(data)
        return b"".join(lines[-self._count :])

    async def _header(self, file: _File) -> None:
        if self._headers and file is not self._last:
            first = b"" if self._last is None else b"\n"
            await self._write(first + b"==> " + os.fsencode(file.shown) + b" <==\n")
        self._last = file

    # What is added

    async def _show_added(self, file: _File) -> None:
        while data := await aos.pread(file.fd, _BLOCK, file.position):
            await self._header(file)
            file.position += len(data)
            await self._write(data)

    async def _look(self, file: _File) -> None:
        """Show what has become of a file since the last look."""
        if file.fd >= 0:
            status = await aos.fstat(file.fd)
            if not stat.S_ISREG(status.st_mode):
                return  # what came through a pipe was shown to its end
            if status.st_size < file.position:
                self._warn(f"{file.shown}: file truncated")
                file.position = 0
            await self._show_added(file)
        if self._follow == "name" and file.name != "-":
            await self._look_at_name(file)

    async def _look_at_name(self, file: _File) -> None:
        try:
            status = await aos.stat(file.name)
        except OSError as error:
            if file.identity != (0, 0):
                self._warn(f"{file.shown!r} has become inaccessible: {error.strerror}")
                # The file is kept open: who has it open may still add to it.
                file.identity = (0, 0)
            return
        if (status.st_dev, status.st_ino) == file.identity:
            return
        had = file.fd >= 0
        replaced = file.identity != (0, 0)
        await self._forget(file)
        try:
            await self._open(file)
        except OSError as error:
            if replaced:
                self._warn(f"{file.shown!r} has become inaccessible: {error.strerror}")
            file.identity = (0, 0)
            return
        what = "been replaced" if had and replaced else "appeared"
        self._warn(f"{file.shown!r} has {what};  following new file")
        await self._watch_directories(file)
        await self._show_added(file)

    # Events

    async def _watch(self, file: _File, path: str, events: int) -> None:
        try:
            watch = await asyncsys_loop.syscall("inotify_add_watch", self._inotify, path, events)
        except (FileNotFoundError, NotADirectoryError, PermissionError):
            return  # it is tried each second
        self._watched.setdefault(watch, set()).add(file)

    async def _watch_directories(self, file: _File) -> None:
        """Watch where the name would appear: in its directory, and in that of a link's target."""
        if self._follow != "name" or file.name == "-":
            return
        for path in {os.path.abspath(file.name), await aos.path.realpath(file.name)}:  # noqa: ASYNC240
            await self._watch(file, os.path.dirname(path), _DIRECTORY_EVENTS)

    async def _go_on(self, files: list[_File]) -> None:
        followed = [file for file in files if file.fd >= 0 or self._follow == "name"]
        if not followed:
            self._warn("no files remaining")
            return
        for file in followed:  # something may have happened before the watch
            await self._look(file)
        # One read goes on from second to second: what a cancelled one had read would be lost.
        reading = asyncio.ensure_future(self._changed())
        try:
            while True:
                await asyncio.wait([reading], timeout=_RETRY)
                changed = {file for file in followed if file.identity == (0, 0)}
                if reading.done():
                    changed |= reading.result()
                    reading = asyncio.ensure_future(self._changed())
                for file in followed:
                    if file in changed:
                        await self._look(file)
        finally:
            reading.cancel()
            await asyncio.wait([reading])

    async def _changed(self) -> set[_File]:
        """Wait for events, and return whom they concern."""
        events = await aos.read(self._inotify, _BLOCK)
        changed: set[_File] = set()
        at = 0
        while at < len(events):
            watch, mask, _cookie, length = _EVENT.unpack_from(events, at)
            at += _EVENT.size + length
            changed |= self._watched.get(watch, set())
            if mask & _IN_IGNORED:  # the file is gone, and its watch
                self._watched.pop(watch, None)
        return changed


def _lines(data: bytes) -> list[bytes]:
    """Split at line feeds alone."""
    lines = [line + b"\n" for line in data.split(b"\n")]
    lines[-1] = lines[-1][:-1]
    return lines if lines[-1] else lines[:-1]


class _Count(click.ParamType[tuple[int, bool]]):
    """A number; with + before it, one from the start on."""

    name = "[+]NUM"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, bool]:
        text = str(value)
        digits = text[1:] if text[:1] in {"+", "-"} else text
        if not (digits.isascii() and digits.isdecimal()):
            self.fail(f"{text!r} is not a number", param, ctx)
        return int(digits), text.startswith("+")


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("files", nargs=-1)
@click.option("-n", "--lines", type=_Count(), help="Show that many lines, or from that line on.")
@click.option("-c", "--bytes", "in_bytes", type=_Count(), help="Likewise of bytes.")
@click.option("-f", "follow", flag_value="descriptor", help="Go on with what is added.")
@click.option("-F", "follow", flag_value="name", help="Likewise, by name: a new file is taken up.")
@click.option("-q", "--quiet", is_flag=True, help="No headers.")
@click.option("-v", "--verbose", is_flag=True, help="Headers, for one file, too.")
def main(
    files: tuple[str, ...],
    lines: tuple[int, bool] | None,
    in_bytes: tuple[int, bool] | None,
    follow: str | None,
    *,
    quiet: bool,
    verbose: bool,
) -> None:
    """Show the last 10 lines of FILES, or of the standard input; then, with -f or -F, go on.

    -F goes on with the name: when a log is rotated, with the new one; when there is none yet, with
    the one that appears.
    """
    count, from_start = in_bytes or lines or (10, False)

    tail = Tail(
        count=count,
        in_bytes=in_bytes is not None,
        from_start=from_start,
        follow=follow,
        headers=not quiet and (verbose or len(files) > 1),
        write=write,
        warn=lambda message: click.echo(f"tail: {message}", err=True),
    )
    try:
        asyncsys_loop.run(tail.run(list(files) or ["-"]))
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(1) from None
    raise SystemExit(1 if tail.failed else 0)


if __name__ == "__main__":
    main(prog_name="python -m examples.tail")
