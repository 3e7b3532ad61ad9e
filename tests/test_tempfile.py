"""Temporary files and directories: what is made, what goes when, that cancelling leaves none."""

import asyncio
import gc
import inspect
import io
import os
import random
import stat
import tempfile as original
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import asyncsys_loop
from asyncsys_loop import tempfile

from .support import both_ways, descriptors, output_of, until


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A directory of its own for what each test makes, which has to be empty at the end."""
    path = tmp_path / "temporary"
    path.mkdir()
    monkeypatch.setattr(original, "tempdir", str(path))
    yield path
    gc.collect()
    assert os.listdir(path) == []


def in_directory(path: Path) -> set[str]:
    return set(os.listdir(path))


async def test_temporary_file(directory: Path) -> None:
    async with tempfile.TemporaryFile() as file:
        assert isinstance(file, asyncsys_loop.io.BufferedRandom)
        assert file.name == file.fileno()
        assert in_directory(directory) == set()
        assert stat.S_IMODE(os.fstat(file.fileno()).st_mode) == 0o600
        await file.write(b"content")
        await file.seek(0)
        assert await file.read() == b"content"
    text = await tempfile.TemporaryFile("w+", encoding="utf-16", newline="\r\n")
    async with text:
        await text.write("ä\n")
        await text.seek(0)
        assert await text.read() == "ä\r\n"
        assert text.encoding == "utf-16"
    raw: Any = await tempfile.TemporaryFile("w+b", 0)
    assert isinstance(raw, asyncsys_loop.io.FileIO)
    await raw.close()


async def test_temporary_file_without_o_tmpfile(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = asyncsys_loop.os.open

    async def without(path: Any, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_TMPFILE == os.O_TMPFILE:
            raise OSError(95, "Operation not supported")
        return await really(path, flags, mode)

    monkeypatch.setattr(asyncsys_loop.os, "open", without)
    async with tempfile.TemporaryFile() as file:
        assert in_directory(directory) == set()
        assert os.readlink(f"/proc/self/fd/{file.fileno()}").endswith(" (deleted)")


async def test_named_temporary_file(directory: Path) -> None:
    async with tempfile.NamedTemporaryFile("w+", suffix=".x", prefix="p-") as file:
        path = file.name
        assert os.path.basename(path).startswith("p-")
        assert path.endswith(".x")
        assert in_directory(directory) == {os.path.basename(path)}
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        await file.write("content")
        await file.flush()
        assert Path(path).read_text() == "content"
    assert not os.path.exists(path)

    awaited = await tempfile.NamedTemporaryFile()
    assert os.path.exists(awaited.name)
    await awaited.close()
    assert not os.path.exists(awaited.name)

    async with tempfile.NamedTemporaryFile(delete=False) as kept:
        pass
    os.unlink(kept.name)

    async with tempfile.NamedTemporaryFile(delete_on_close=False) as later:
        await later.close()
        assert os.path.exists(later.name)
    assert not os.path.exists(later.name)
    for mode in ("w+", "w+b"):
        for buffering in (-1, 0) if mode == "w+b" else (-1,):
            ours: Any = await tempfile.NamedTemporaryFile(mode, buffering, delete_on_close=False)
            async with ours as later:
                await later.close()
                assert os.path.exists(later.name)
            assert not os.path.exists(later.name)
    text = await tempfile.NamedTemporaryFile("w+", delete_on_close=False)
    buffer = await text.detach()
    del text
    async with buffer:
        assert os.path.exists(buffer.name)
    assert not os.path.exists(buffer.name)


@pytest.mark.parametrize("delete_on_close", [True, False])
async def test_named_temporary_file_that_was_moved(directory: Path, delete_on_close: bool) -> None:
    kept = directory / "kept"
    async with tempfile.NamedTemporaryFile(delete_on_close=delete_on_close) as file:
        await file.write(b"content")
        os.rename(file.name, kept)
    assert file.closed
    assert kept.read_bytes() == b"content"
    kept.unlink()
    async with tempfile.NamedTemporaryFile(delete_on_close=delete_on_close) as file:
        os.unlink(file.name)
        await file.close()
    assert file.closed
    file = await tempfile.NamedTemporaryFile(delete_on_close=delete_on_close)
    await file.aclose()
    if not delete_on_close:
        os.unlink(file.name)
    del file
    gc.collect()


async def test_named_temporary_file_that_is_collected(directory: Path) -> None:
    before = descriptors()
    file: Any = await tempfile.NamedTemporaryFile()
    with pytest.warns(ResourceWarning, match="unclosed file"):
        file = gc.collect()
    file = await tempfile.NamedTemporaryFile(delete_on_close=False)
    await file.close()
    assert in_directory(directory)
    file = gc.collect()
    assert not in_directory(directory)
    await until(lambda: descriptors() == before)


async def test_arguments_that_cannot_be(directory: Path) -> None:
    before = descriptors()
    for make in (tempfile.TemporaryFile, tempfile.NamedTemporaryFile):
        anything: Any = make
        with pytest.raises(ValueError, match="invalid mode"):
            await anything("q")
        with pytest.raises(ValueError, match="doesn't take an encoding"):
            await anything(encoding="utf-8")
        with pytest.raises(LookupError, match="unknown encoding"):
            await anything("w", encoding="nonsense")
        with pytest.raises(TypeError, match="Can't mix bytes and non-bytes"):
            await anything(prefix="a", suffix=b"b")
        with pytest.raises(FileNotFoundError):
            await anything(dir=directory / "missing")
    with pytest.raises(FileNotFoundError):
        await tempfile.mkdtemp(dir=str(directory / "missing"))
    await until(lambda: descriptors() == before)


async def test_mkstemp_and_mkdtemp(directory: Path) -> None:
    fd, path = await tempfile.mkstemp(".end", "begin.")
    assert os.path.samestat(os.fstat(fd), os.stat(path))
    assert os.path.dirname(path) == str(directory)
    assert not os.get_inheritable(fd)
    os.close(fd)
    os.unlink(path)

    fd, encoded = await tempfile.mkstemp(prefix=b"bytes")
    assert isinstance(encoded, bytes)
    os.close(fd)
    os.unlink(encoded)

    made = await tempfile.mkdtemp(".end", "begin.", directory)
    assert stat.S_IMODE(os.stat(made).st_mode) == 0o700
    os.rmdir(made)
    fd, path = await tempfile.mkstemp(dir=os.path.relpath(directory))
    assert os.path.isabs(path)
    os.close(fd)
    os.unlink(path)


async def test_names_that_are_taken(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "_candidates", lambda: iter(["one", "one", "two"]))
    first = await tempfile.mkdtemp(prefix="")
    assert os.path.basename(first) == "one"
    fd, path = await tempfile.mkstemp(prefix="")
    assert os.path.basename(path) == "two" or os.path.basename(path) == "one"
    os.close(fd)
    os.unlink(path)
    os.rmdir(first)


def test_default_directory(tmp_path: Path) -> None:
    source = """
import tempfile
import asyncsys_loop

async def main():
    print(await asyncsys_loop.tempfile.gettempdir(), await asyncsys_loop.tempfile.gettempdirb())
    assert tempfile.tempdir == await asyncsys_loop.tempfile.gettempdir()
    tempfile.tempdir = b"/set/by/hand"
    print(await asyncsys_loop.tempfile.gettempdirb())

asyncsys_loop.run(main())
"""
    shown = output_of(source, TMPDIR=str(tmp_path))
    assert shown == f"{tmp_path} {os.fsencode(tmp_path)!r}\nb'/set/by/hand'\n"
    assert os.listdir(tmp_path) == ["temporary"]
    assert output_of(source, TMPDIR=str(tmp_path / "missing"), TEMP="", TMP="").startswith("/tmp ")


@pytest.mark.parametrize("mode", ["w+b", "w+"])
async def test_spooled(mode: Any) -> None:
    def data(text: str) -> Any:
        return text if mode == "w+" else text.encode()

    options: dict[str, Any] = {} if mode == "w+b" else {"encoding": "utf-8", "newline": "\n"}
    ours: Any
    async with tempfile.SpooledTemporaryFile(10, mode, **options) as ours:
        with original.SpooledTemporaryFile(10, mode, **options) as theirs:
            for text in ("12345\n", "67\n", "", "89ab\n", "more\n"):
                assert await ours.write(data(text)) == theirs.write(data(text))
                assert ours._rolled == theirs._rolled  # type: ignore[attr-defined]
                assert await ours.tell() == theirs.tell()
            await ours.seek(3)
            theirs.seek(3)
            assert await ours.read(2) == theirs.read(2)
            assert await ours.readline() == theirs.readline()
            assert [line async for line in ours] == list(theirs)
            assert ours.fileno() == ours.name
            for name in ("encoding", "errors"):
                assert getattr(ours, name, "none") == getattr(theirs, name, "none")


async def test_spooled_in_memory() -> None:
    async with await tempfile.SpooledTemporaryFile() as file:
        await file.writelines([b"one\n", b"two\n"])
        await file.seek(0)
        assert await file.readlines() == [b"one\n", b"two\n"]
        buffer = bytearray(3)
        await file.seek(0)
        assert (await file.readinto(buffer), bytes(buffer)) == (3, b"one")
        with pytest.raises(io.UnsupportedOperation, match=r"await rollover\(\) first"):
            file.fileno()
        assert file.name is None
        assert (file.readable(), file.writable(), file.seekable()) == (True, True, True)
        await file.rollover()
        await file.rollover()
        assert await file.tell() == 3
        assert await file.read() == b"\ntwo\n"
        assert await file.truncate(2) == 2
        assert os.fstat(file.fileno()).st_size == 2
    assert file.closed
    with pytest.raises(ValueError, match="closed"):
        await file.read()


@pytest.mark.parametrize("mode", ["w+b", "w+"])
@pytest.mark.parametrize("max_size", [0, 5])
@pytest.mark.parametrize("size", [None, 0, 2, 5, 100])
async def test_spooled_truncate(mode: Any, max_size: int, size: int | None) -> None:
    data: Any = "content" if mode == "w+" else b"content"
    ours: Any
    for written in (data[:3], data):
        async with tempfile.SpooledTemporaryFile(max_size, mode) as ours:
            with original.SpooledTemporaryFile(max_size, mode) as theirs:
                assert await ours.write(written) == theirs.write(written)
                assert await ours.truncate(size) == theirs.truncate(size)
                assert ours._rolled == theirs._rolled  # type: ignore[attr-defined]
                assert await ours.tell() == theirs.tell()
                assert await ours.seek(0) == theirs.seek(0)
                assert await ours.read() == theirs.read()


async def test_temporary_directory(directory: Path) -> None:
    async with tempfile.TemporaryDirectory(suffix=".x") as path:
        assert path.endswith(".x")
        os.makedirs(os.path.join(path, "a", "b"))
        Path(path, "a", "file").write_text("content")
        Path(path, "link").symlink_to(directory)
    assert not os.path.exists(path)
    made = await tempfile.TemporaryDirectory()
    assert os.path.isdir(made.name)
    await made.cleanup()
    await made.cleanup()
    async with tempfile.TemporaryDirectory(delete=False) as path:
        pass
    os.rmdir(path)
    async with tempfile.TemporaryDirectory() as path:
        os.rmdir(path)
    made = await tempfile.TemporaryDirectory()
    name = made.name
    with pytest.warns(ResourceWarning, match="Implicitly cleaning up"):
        made = gc.collect()  # type: ignore[assignment]
    assert not os.path.exists(name)
    with pytest.raises(ValueError, match="isn't made yet"):
        _ = tempfile.TemporaryDirectory().name


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: chattr needs root")
async def test_temporary_directory_that_cannot_go(directory: Path) -> None:
    import fcntl
    import struct

    def immutable(path: str, on: bool) -> None:
        fd = os.open(path, os.O_RDONLY)
        try:
            flags = bytearray(8)
            fcntl.ioctl(fd, 0x80086601, flags)  # FS_IOC_GETFLAGS
            number = struct.unpack("=q", flags)[0]
            fcntl.ioctl(fd, 0x40086602, struct.pack("=q", number & ~16 | 16 * on))
        finally:
            os.close(fd)

    for ignore in (False, True):
        made = await tempfile.TemporaryDirectory(ignore_cleanup_errors=ignore)
        stuck = os.path.join(made.name, "stuck")
        Path(stuck).touch()
        try:
            immutable(stuck, True)
        except OSError as error:
            await made.cleanup()
            pytest.skip(f"NOT TESTED: this file system has no immutable files: {error}")
        if ignore:
            await made.cleanup()
        else:
            with pytest.raises(PermissionError):
                await made.cleanup()
        assert os.path.exists(stuck)
        immutable(stuck, False)
        os.unlink(stuck)
        os.rmdir(made.name)


@pytest.mark.skipif(os.geteuid() != 0, reason="NOT TESTED: root alone becomes somebody else")
@pytest.mark.parametrize("target", ["outside", "missing"])
def test_links_in_a_directory_that_cannot_be_written(
    tmp_path: Path, directory: Path, target: str
) -> None:
    """CVE-2023-6597: permissions are set to remove what is in it, but not of what links lead to."""
    for each in (directory, *directory.parents[:-2]):
        each.chmod(each.stat().st_mode | 0o5)
    outside = tmp_path / "outside"
    outside.touch()
    outside.chmod(0o600)
    for path in (directory, outside):
        os.chown(path, 12345, 12345)

    async def clean_up() -> None:
        made = await tempfile.TemporaryDirectory()
        below = os.path.join(made.name, "below")
        os.mkdir(below)
        os.symlink(tmp_path / target, os.path.join(below, "link"))
        os.chmod(below, 0o500)
        await made.cleanup()

    asyncsys_loop.run(asyncio.sleep(0))  # imports what it needs as root
    pid = os.fork()
    if pid == 0:
        code = 99
        try:
            os.setgroups([])
            os.setgid(12345)
            os.setuid(12345)
            # The device of the kernel module is root's.
            asyncsys_loop.run(clean_up(), executor="threads")
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert os.listdir(directory) == []
    assert stat.S_IMODE(outside.stat().st_mode) == 0o600


# Cancellation


async def use(kind: str) -> None:
    if kind == "mkstemp":
        fd, path = await tempfile.mkstemp()
        os.close(fd)
        os.unlink(path)
    elif kind == "mkdtemp":
        os.rmdir(await tempfile.mkdtemp())
    elif kind == "directory":
        async with tempfile.TemporaryDirectory() as path:
            Path(path, "file").touch()
            await asyncio.sleep(0)
            Path(path, "file2").touch()
    elif kind == "spooled":
        async with tempfile.SpooledTemporaryFile(3) as spooled:
            await spooled.write(b"12345")
            await asyncio.sleep(0)
    else:
        make: Any = getattr(tempfile, kind)
        async with make() as file:
            await file.write(b"content")
            await asyncio.sleep(0)


@both_ways
@pytest.mark.parametrize(
    "kind",
    ["mkstemp", "mkdtemp", "directory", "spooled", "TemporaryFile", "NamedTemporaryFile"],
)
async def test_cancelled(directory: Path, kind: str, fast_path: bool) -> None:
    chance = random.Random(kind)
    await use(kind)
    before = descriptors()
    for pause in range(40):
        task = asyncio.create_task(use(kind))
        for _ in range(pause % 20):
            await asyncio.sleep(0)
        if chance.random() < 0.5:
            await asyncio.sleep(chance.random() * 5e-4)
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        (result,) = await asyncio.gather(task, return_exceptions=True)
        assert result is None or isinstance(result, asyncio.CancelledError)
        gc.collect()
        assert in_directory(directory) == set()
        await until(lambda: descriptors() == before)


# Names

LEFT_OUT = {
    "mktemp": "somebody else may take the name that it gives",
    "tempdir": "a setting: that of tempfile is used",
    "template": "a name of old",
}


def test_public_names() -> None:
    missing = set(original.__all__) - set(tempfile.__all__) - LEFT_OUT.keys()
    assert not missing, "neither here nor left out"
    for name in ("TemporaryFile", "NamedTemporaryFile", "SpooledTemporaryFile"):
        ours = inspect.signature(getattr(tempfile, name)).parameters
        theirs = inspect.signature(getattr(original, name)).parameters
        assert [*theirs] == [n for n in ours if n in theirs]
        assert ours.keys() - theirs.keys() <= {"delete_on_close"}
        assert {n: p.default for n, p in theirs.items()} == {n: ours[n].default for n in theirs}
    spooled = {n for n in dir(original.SpooledTemporaryFile) if not n.startswith("_")}
    assert spooled <= {n for n in dir(tempfile.SpooledTemporaryFile) if not n.startswith("_")}
