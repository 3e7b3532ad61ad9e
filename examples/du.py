"""How much room trees take: `python -m examples.du PATH…`, many directories at a time.

Counts as du(1) does: blocks of 512 bytes of everything, directories too; a file with several names
once; with several arguments, nothing twice. Each directory is a job on a stack, and a fixed number
of workers takes the jobs, the newest first, so that few directories are open at once. They are done
in any order, and shown in the order of du: what is in a directory stands before it.
"""

import asyncio
import os
import stat
from collections.abc import Awaitable, Callable

import click

import asyncsys_loop
from asyncsys_loop import os as aos

from ._output import write

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_NONBLOCK
_AT_ONCE = 64


class Entry:
    """A file or directory: its own size, and with all that is in it, in bytes."""

    __slots__ = ("above", "depth", "entries", "fd", "path", "pending", "size", "status")

    def __init__(self, above: "Entry | None", path: str, status: os.stat_result) -> None:
        self.above = above
        self.path = path
        self.status = status
        self.depth: int = 0 if above is None else above.depth + 1
        self.size = 0
        self.entries: list[Entry] = []
        self.fd = -1
        self.pending = 0  # directories in it that are being read, and itself

    @property
    def is_directory(self) -> bool:
        return stat.S_ISDIR(self.status.st_mode)


class Du:
    """One run.

    Args:
        apparent: count sizes as stat(2) tells them, instead of the blocks that are taken: as du of
            coreutils up to 9.1, Debian 12's. From 9.2 on, files and symbolic links alone have one.
        one_file_system: leave out what is on another file system than its argument.
        count_links: count a file with several names as often as it is found.
        done: awaited with each argument's Entry when it is complete, in the order of the arguments.
        failed: called with a sentence about each thing that could not be read.
    """

    def __init__(
        self,
        *,
        apparent: bool = False,
        one_file_system: bool = False,
        count_links: bool = False,
        workers: int = 16,
        done: Callable[[Entry], Awaitable[object]],
        failed: Callable[[str], object],
    ) -> None:
        self._apparent = apparent
        self._one_file_system = one_file_system
        self._count_links = count_links
        self._workers = workers
        self._done = done
        self._failed = failed
        self._seen: set[tuple[int, int]] = set()
        self._jobs: asyncio.LifoQueue[Entry]
        self._open: set[Entry] = set()
        self._seen_twice = False
        self.failures = 0

    async def run(self, paths: list[str]) -> None:
        """Count each path that isn't in one before it."""
        # Only among several arguments can a file be met again that has one name.
        self._seen_twice = len(paths) > 1
        for path in paths:
            try:
                root = Entry(None, path, await aos.lstat(path))
            except OSError as error:
                self._fail(f"cannot access {path!r}: {error.strerror}")
                continue
            if self._counts(root):
                await self._tree(root)
                await self._done(root)

    async def _tree(self, root: Entry) -> None:
        self._jobs = asyncio.LifoQueue()
        if not root.is_directory:
            return
        self._start(root)
        try:
            async with asyncio.TaskGroup() as group:
                workers = [group.create_task(self._work()) for _ in range(self._workers)]
                await self._jobs.join()
                for worker in workers:
                    worker.cancel()
        finally:
            for entry in self._open:
                os.close(entry.fd)
            self._open.clear()

    def _fail(self, message: str) -> None:
        self.failures += 1
        self._failed(message)

    def _counts(self, entry: Entry) -> bool:
        """Give an entry its own size, unless it was counted before."""
        status = entry.status
        if not self._count_links and (
            self._seen_twice or (status.st_nlink > 1 and not entry.is_directory)
        ):
            identity = (status.st_dev, status.st_ino)
            if identity in self._seen:
                return False
            self._seen.add(identity)
        entry.size = status.st_size if self._apparent else status.st_blocks * 512
        return True

    def _start(self, directory: Entry) -> None:
        directory.pending = 1
        if directory.above is not None:
            directory.above.pending += 1
        self._jobs.put_nowait(directory)

    async def _work(self) -> None:
        while True:
            directory = await self._jobs.get()
            try:
                await self._read(directory)
            except OSError as error:
                self._fail(f"cannot read directory {directory.path!r}: {error.strerror}")
            self._leave(directory)
            self._jobs.task_done()

    async def _read(self, directory: Entry) -> None:
        above = directory.above
        name, dir_fd = directory.path, None
        if above is not None:
            name, dir_fd = os.path.basename(directory.path), above.fd
        directory.fd = await aos.open(name, _DIRECTORY, dir_fd=dir_fd)
        self._open.add(directory)
        names = await aos.listdir(directory.fd)
        for start in range(0, len(names), _AT_ONCE):
            some = names[start : start + _AT_ONCE]
            await asyncio.gather(*(self._look(directory, name) for name in some))

    async def _look(self, directory: Entry, name: str) -> None:
        path = os.path.join(directory.path, name)
        try:
            status = await aos.stat(name, dir_fd=directory.fd, follow_symlinks=False)
        except OSError as error:
            self._fail(f"cannot access {path!r}: {error.strerror}")
            return
        if self._one_file_system and status.st_dev != directory.status.st_dev:
            return
        entry = Entry(directory, path, status)
        if self._counts(entry):
            directory.entries.append(entry)
            if entry.is_directory:
                self._start(entry)

    def _leave(self, directory: Entry) -> None:
        """A directory was read, or one in it is complete; the last one completes those above."""
        current: Entry | None = directory
        while current is not None:
            current.pending -= 1
            if current.pending:
                return
            current.size += sum(entry.size for entry in current.entries)
            if current.fd >= 0:
                self._open.discard(current)
                os.close(current.fd)
            current = current.above


def human(size: int) -> str:
    """A size with a unit, rounded up, as du -h has it: 4.0K, 12K, 1.5M."""
    if size < 1024:
        return str(size)
    power = 0
    while size > 1023 * 1024**power and power < 8:  # what is more rounds up to the next unit
        power += 1
    unit = 1024**power
    tenths = -(-size * 10 // unit)
    text = f"{tenths // 10}.{tenths % 10}" if tenths < 100 else str(-(-size // unit))
    return text + "KMGTPEZY"[power - 1]


def lines(
    root: Entry, show: Callable[[int], str], *, depth: int | None, everything: bool
) -> list[str]:
    """What is shown of a tree: its directories after what is in them."""
    shown: list[str] = []
    stack = [(root, False)]
    while stack:
        entry, done = stack.pop()
        if not done and entry.is_directory:
            stack.append((entry, True))
            stack.extend((inner, False) for inner in reversed(entry.entries))
        elif (depth is None or entry.depth <= depth) and (
            everything or entry.is_directory or entry.depth == 0
        ):
            shown.append(f"{show(entry.size)}\t{entry.path}")
    return shown


@click.command(context_settings={"help_option_names": ["--help"]})
@click.argument("paths", nargs=-1, type=click.Path())
@click.option("-a", "--all", "everything", is_flag=True, help="Show files, too.")
@click.option("-b", "--bytes", "in_bytes", is_flag=True, help="--apparent-size, in bytes.")
@click.option("-c", "--total", is_flag=True, help="Show the sum of all.")
@click.option("-d", "--max-depth", "depth", type=click.IntRange(min=0), help="Show no deeper ones.")
@click.option("-h", "--human-readable", "readable", is_flag=True, help="Sizes such as 1.5M.")
@click.option("-l", "--count-links", is_flag=True, help="Count each name of a file.")
@click.option("-s", "--summarize", is_flag=True, help="Show the arguments alone.")
@click.option("-x", "--one-file-system", is_flag=True, help="Leave out other file systems.")
@click.option("--apparent-size", "apparent", is_flag=True, help="Sizes, not the blocks they take.")
@click.option(
    "-j", "--jobs", default=16, type=click.IntRange(1, 1024), help="Directories at a time."
)
def main(
    paths: tuple[str, ...],
    jobs: int,
    *,
    everything: bool,
    in_bytes: bool,
    total: bool,
    depth: int | None,
    readable: bool,
    count_links: bool,
    summarize: bool,
    one_file_system: bool,
    apparent: bool,
) -> None:
    """Show how much room PATHS take, in KiB, as du(1) does; many directories at a time."""
    if summarize and (everything or depth):
        raise click.UsageError("-s shows neither files nor deeper directories")

    def show(size: int) -> str:
        if in_bytes:
            return str(size)
        return human(size) if readable else str(-(-size // 1024))

    sizes: list[int] = []

    async def done(root: Entry) -> None:
        sizes.append(root.size)
        shown = lines(root, show, depth=0 if summarize else depth, everything=everything)
        await write(os.fsencode("".join(f"{line}\n" for line in shown)))

    du = Du(
        apparent=apparent or in_bytes,
        one_file_system=one_file_system,
        count_links=count_links,
        workers=jobs,
        done=done,
        failed=lambda message: click.echo(f"du: {message}", err=True),
    )

    async def run() -> None:
        await du.run(list(paths) or ["."])
        if total:
            await write(f"{show(sum(sizes))}\ttotal\n".encode())

    asyncsys_loop.run(run())
    raise SystemExit(1 if du.failures else 0)


if __name__ == "__main__":
    main(prog_name="python -m examples.du")
