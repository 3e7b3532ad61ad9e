"""Several system calls in one trip: the whole of a directory, the whole of a small file."""

import asyncio
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import asyncsys_loop
from asyncsys_loop import os as twins
from asyncsys_loop import stats

from .support import both_ways, claimed, descriptors, until


def touch(directory: Path, names: set[str]) -> None:
    for name in names:
        (directory / name).touch()


@both_ways
@pytest.mark.parametrize("size", [0, 1, 4096, 65535, 65536, 65537, 300_000])
async def test_whole_files(tmp_path: Path, size: int, fast_path: bool) -> None:
    before = descriptors()
    path = tmp_path / "file"
    path.write_bytes(os.urandom(size))
    assert await asyncsys_loop.Path(path).read_bytes() == path.read_bytes()
    assert await asyncsys_loop.Path(path).read_bytes() == path.read_bytes()
    if size < 65536 and not fast_path:
        assert stats().submitted == 2  # one trip each
    assert descriptors() == before


@both_ways
async def test_what_is_no_regular_file(tmp_path: Path, fast_path: bool) -> None:
    del fast_path  # an option of the loop
    before = descriptors()
    with pytest.raises(IsADirectoryError) as caught:
        await asyncsys_loop.Path(tmp_path).read_bytes()
    assert caught.value.filename == str(tmp_path)
    for _ in range(2):
        with pytest.raises(FileNotFoundError) as missing:
            await asyncsys_loop.Path(tmp_path / "missing").read_bytes()
        assert missing.value.filename == str(tmp_path / "missing")
    status = await asyncsys_loop.Path("/proc/self/status").read_bytes()
    assert status.startswith(b"Name:")
    assert descriptors() == before


@both_ways
async def test_fifo(tmp_path: Path, fast_path: bool) -> None:
    del fast_path  # an option of the loop
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    reading = asyncio.create_task(asyncsys_loop.Path(fifo).read_bytes())
    writer = await twins.open(fifo, os.O_WRONLY)
    os.write(writer, b"all of it")
    os.close(writer)
    assert await reading == b"all of it"


@both_ways
@pytest.mark.parametrize("count", [0, 1, 1000, 5000])
async def test_whole_directories(tmp_path: Path, count: int, fast_path: bool) -> None:
    names = {f"a name that is rather long, number {number}" for number in range(count)}
    await asyncio.to_thread(touch, tmp_path, names)
    before = descriptors()
    assert set(await twins.listdir(tmp_path)) == names
    assert set(await twins.listdir(bytes(tmp_path))) == {os.fsencode(name) for name in names}
    assert {entry.name async for entry in twins.scandir(tmp_path)} == names
    async with twins.scandir(tmp_path) as entries:
        async for entry in entries:
            assert await entry.is_file()
            break
    if count <= 1000 and not fast_path:
        assert stats().submitted == 4
    assert descriptors() == before


@pytest.mark.parametrize(
    "call",
    [
        lambda path: asyncsys_loop.Path(path / "small").read_bytes(),
        lambda path: asyncsys_loop.Path(path / "large").read_bytes(),
        twins.listdir,
        lambda path: twins.listdir(path / "many"),
    ],
    ids=["small", "large", "listdir", "many"],
)
@both_ways
async def test_cancelled_anywhere(
    tmp_path: Path, call: Callable[[Path], Any], fast_path: bool
) -> None:
    del fast_path  # an option of the loop
    (tmp_path / "small").write_bytes(bytes(100))
    (tmp_path / "large").write_bytes(bytes(100_000))
    (tmp_path / "many").mkdir()
    names = {f"a name that is rather long, number {number}" for number in range(3000)}
    await asyncio.to_thread(touch, tmp_path / "many", names)
    before = descriptors()
    chance = random.Random(5)
    ended = 0
    for _ in range(200):
        task = asyncio.create_task(call(tmp_path))
        for _ in range(chance.randrange(6)):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        ended += not task.cancelled()
    assert ended < 200
    assert stats().in_flight == 0
    assert descriptors() == before


@pytest.mark.loop(fast_path=False)
async def test_cancelled_where_it_blocks(tmp_path: Path) -> None:
    before = descriptors()
    os.mkfifo(tmp_path / "fifo")
    task = asyncio.create_task(asyncsys_loop.Path(tmp_path / "fifo").read_bytes())
    await claimed()
    await until(lambda: stats().in_flight == 1)  # between a look at the FIFO and its opening: none
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert descriptors() == before


async def test_end_of_a_local_file_is_known_from_its_status(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(4096))
    reading = asyncsys_loop.Path(path)
    assert await reading.read_bytes() == bytes(4096)
    with path.open("ab") as file:
        file.write(b"more")
    assert await reading.read_bytes() == bytes(4096) + b"more"
    os.truncate(path, 10)
    assert await reading.read_bytes() == bytes(10)
