"""Trees: listing, walking, copying."""

import filecmp
import os
import shutil

from benchmarks._data import COPY_FILES, DIRECTORY_FILES

from . import Bench, Case


async def _listdir(bench: Bench) -> None:
    listdir, directories = bench.participant.listdir, bench.data.directories()

    async def work(i: int) -> int:
        count = 0
        for path in directories[i :: bench.parameter]:
            count += len(await listdir(path))
        return count

    bench.check(set(await listdir(directories[0])), set(os.listdir(directories[0])))
    await bench.together(work)
    with bench.clock(len(directories)):
        count = await bench.together(work)
    bench.check(count, len(directories) * DIRECTORY_FILES)


async def _walk(bench: Bench) -> None:
    await bench.participant.walk(bench.data.copied)
    with bench.clock(len(bench.data.directories()), operations=bench.data.tree_files):
        count = await bench.participant.walk(bench.data.tree)
    bench.check(count, bench.data.tree_files)


async def _copytree(bench: Bench) -> None:
    directory = bench.data.scratch()
    source, destination = bench.data.copied, str(directory / "copy")
    await bench.participant.copytree(f"{source}/00", str(directory / "warm-up"))
    with bench.clock(COPY_FILES):
        await bench.participant.copytree(source, destination)
    copies = 0
    for parent, _, names in os.walk(source):
        copy = destination + parent.removeprefix(source)
        _, different, failed = filecmp.cmpfiles(parent, copy, names, shallow=False)
        bench.check(different + failed, [])
        copies += len(names)
    bench.check(copies, COPY_FILES)
    shutil.rmtree(directory)


CASES = [
    Case(
        name="listdir",
        title="Listing a directory of 100 files",
        run=_listdir,
        operation="listdir",
        work=0,  # all directories of the tree
        slow_work=0,
        parameters=(1, 32),
        quick_parameters=(1,),
    ),
    Case(
        name="walk",
        title="Walking a tree, per file",
        run=_walk,
        operation="walk",
        work=0,
        slow_work=0,
    ),
    Case(
        name="copytree",
        title="Copying a tree of 1,000 files (14 MiB), per file",
        run=_copytree,
        operation="copytree",
        work=0,
        slow_work=0,
        rounds=3,
    ),
]
