"""The command line: `python -m examples.acp SOURCE… DEST`."""

import asyncio
import os
import signal
import sys

import click
import rich.progress

import asyncsys_loop

from . import Copy


@click.command(context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.argument("sources", nargs=-1, required=True, type=click.Path())
@click.argument("dest", type=click.Path())
@click.option("-j", "--jobs", default=32, type=click.IntRange(1, 1024), help="Files at a time.")
@click.option("-T", "--no-target-directory", "exact", is_flag=True, help="DEST is the new name.")
@click.option("-x", "--one-file-system", is_flag=True, help="Stay on the file systems of SOURCES.")
@click.option("-v", "--verbose", is_flag=True, help="Print the path of each copy.")
@click.option("--progress/--no-progress", default=None, help="Default: on a terminal.")
def main(
    sources: tuple[str, ...],
    dest: str,
    jobs: int,
    *,
    exact: bool,
    one_file_system: bool,
    verbose: bool,
    progress: bool | None,
) -> None:
    """Copy SOURCES to DEST as they are, many files at a time: a parallel `cp -a`.

    Hard links, symbolic links, holes, special files, owners, permissions, times and extended
    attributes are kept. Into DEST if that is a directory. Each file appears under its name when it
    is complete, in place of the one that was there. Ctrl-C leaves what is complete.
    """
    if exact and len(sources) > 1:
        raise click.UsageError("-T takes one SOURCE")
    into = not exact and os.path.isdir(dest)
    if len(sources) > 1 and not into:
        raise click.UsageError(f"{dest!r} is not a directory")
    pairs = []
    for source in sources:
        name = os.path.basename(source.rstrip("/"))
        pairs.append((source, os.path.join(dest, name) if into else dest))

    bar = rich.progress.Progress(
        rich.progress.SpinnerColumn(),
        rich.progress.TextColumn("{task.fields[done]:,} of {task.fields[found]:,} files"),
        rich.progress.BarColumn(),
        rich.progress.DownloadColumn(),
        rich.progress.TransferSpeedColumn(),
        console=rich.console.Console(stderr=True),
        disable=not (sys.stderr.isatty() if progress is None else progress),
        transient=True,
    )
    task = bar.add_task("", total=0, found=0, done=0)
    counts = [0, 0, 0, 0]

    def tell(*added: int) -> None:
        for at, number in enumerate(added):
            counts[at] += number

    def failed(message: str) -> None:
        bar.console.print(f"acp: {message}", markup=False, highlight=False, soft_wrap=True)

    copy = Copy(
        jobs,
        one_file_system=one_file_system,
        failed=failed,
        progress=tell,
        done=print if verbose else lambda _: None,
    )

    async def show() -> None:
        while True:
            found, done, total, completed = counts
            bar.update(task, found=found, done=done, total=total, completed=completed)
            await asyncio.sleep(0.1)

    async def run() -> None:
        loop, this = asyncio.get_running_loop(), asyncio.current_task()
        assert this is not None
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, this.cancel)
        shown = asyncio.create_task(show())
        try:
            await copy.run(pairs)
        finally:
            shown.cancel()

    with bar:
        try:
            asyncsys_loop.run(run())
        except asyncio.CancelledError:
            failed("stopped; what has a name is complete")
            raise SystemExit(130) from None
    raise SystemExit(1 if copy.failures else 0)


if __name__ == "__main__":
    main(prog_name="python -m examples.acp")
