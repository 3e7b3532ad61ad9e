"""What aiofiles and anyio document works with another import: each program runs on both.

Left out: aiofiles' loop= and executor= (nothing runs on an executor here) and its advice to patch
`aiofiles.threadpool.sync_open` in tests (there is no such thing to patch); anyio's limiter=.
"""

from pathlib import Path

from .support import output_of

AIOFILES = """
import asyncio
import os

IMPORT

async def main():
    async with aiofiles.open("filename", mode="w") as f:
        await f.write("My file contents\\n")
        await f.writelines(["one\\n", "two\\n"])
    async with aiofiles.open("filename", mode="r") as f:
        contents = await f.read()
    print(contents)

    async with aiofiles.open("filename") as f:
        async for line in f:
            print(line, end="")
        print(await f.seek(3), await f.readline(), await f.tell(), await f.readlines())
        print(await f.seekable(), await f.writable(), await f.isatty(), f.closed, f.name, f.mode)
    print(f.closed)

    f = await aiofiles.open("filename", "rb+")
    try:
        print(await f.read1(2), await f.peek(1) != b"", await f.readinto(bytearray(3)))
        print(await f.truncate(10), await f.flush())
        f.fileno()
    finally:
        await f.close()
    async with aiofiles.open("filename", "rb", buffering=0) as f:
        print(await f.readall())

    async with aiofiles.tempfile.TemporaryFile("wb") as f:
        await f.write(b"Hello, World!")
    async with aiofiles.tempfile.NamedTemporaryFile("wb+") as f:
        await f.write(b"Line1\\n Line2")
        await f.seek(0)
        async for line in f:
            print(line)
        path = f.name
        print(await aiofiles.os.path.exists(path))
    print(await aiofiles.os.path.exists(path))
    async with aiofiles.tempfile.SpooledTemporaryFile(max_size=5, mode="w+") as f:
        await f.write("spooled")
        await f.seek(0)
        print(await f.read())
    async with aiofiles.tempfile.TemporaryDirectory() as d:
        filename = os.path.join(d, "file.ext")
        async with aiofiles.open(filename, "w") as f:
            await f.write("in a directory")
        print(await aiofiles.os.listdir(d), (await aiofiles.os.stat(filename)).st_size)
    print(os.path.exists(d))

    await aiofiles.os.makedirs("a/b", exist_ok=True)
    await aiofiles.os.rename("filename", "a/b/renamed")
    print(await aiofiles.os.path.isfile("a/b/renamed"))
    print(await aiofiles.os.path.getsize("a/b/renamed"))
    await aiofiles.os.remove("a/b/renamed")
    await aiofiles.os.removedirs("a/b")

    await aiofiles.stdout.write("to stdout\\n")
    await aiofiles.stdout.flush()
    await aiofiles.stdout_bytes.write(b"bytes to stdout\\n")
    await aiofiles.stdout_bytes.flush()

os.chdir(DIRECTORY)
asyncio.run(main())
"""

ANYIO = """
import io
import os

from anyio import run
IMPORT

async def main():
    async with await open_file("somewhere", "w") as f:
        await f.write("contents\\nof a file\\n")
    async with await open_file("somewhere") as f:
        contents = await f.read()
        print(contents)
    async with await open_file("somewhere") as f:
        async for line in f:
            print(line, end="")
        print(f.closed, f.readable(), f.writable(), f.seekable(), f.isatty(), f.name, f.encoding)
        await f.aclose()

    with open("somewhere") as f:
        async for line in wrap_file(f):
            print(line, end="")
    with open("somewhere", "rb") as f:
        wrapped = wrap_file(f)
        print(await wrapped.readline(), await wrapped.tell())
        await wrapped.aclose()
        print(f.closed)
    memory = wrap_file(io.StringIO("in memory"))
    print(await memory.read(), memory.wrapped.closed)

    async with TemporaryFile(mode="w+") as f:
        await f.write("Temporary file content")
        await f.seek(0)
        print(await f.read())
    async with NamedTemporaryFile(mode="w+", delete=True) as f:
        path = f.name
        await f.write("Named temp file content")
        await f.seek(0)
        print(await f.read(), os.path.exists(path))
    print(os.path.exists(path))
    async with SpooledTemporaryFile(max_size=1024, mode="w+") as f:
        await f.write("Spooled temp file content")
        await f.seek(0)
        print(await f.read())
        await f.rollover()
        await f.seek(0)
        print(await f.read())
    async with TemporaryDirectory() as temp_dir:
        print(os.path.isdir(temp_dir))
    print(os.path.isdir(temp_dir))

    fd, path = await mkstemp(suffix=".txt", prefix="mkstemp_", text=True)
    print(os.path.basename(path).startswith("mkstemp_"), path.endswith(".txt"))
    temp_dir = await mkdtemp(prefix="mkdtemp_")
    print(os.path.basename(temp_dir)[:8], await gettempdir(), await gettempdirb())
    os.close(fd)
    os.remove(path)
    os.rmdir(temp_dir)
    print(isinstance(wrapped, AsyncFile))

os.chdir(DIRECTORY)
run(main)
"""

ANYIO_NAMES = "AsyncFile, open_file, wrap_file"
TEMPFILE_NAMES = (
    "NamedTemporaryFile, SpooledTemporaryFile, TemporaryDirectory, TemporaryFile, gettempdir, "
    "gettempdirb, mkdtemp, mkstemp"
)


def shown(program: str, imports: str, directory: Path) -> str:
    directory.mkdir()
    source = program.replace("IMPORT", imports).replace("DIRECTORY", repr(str(directory)))
    # Not of `-X dev`: the peers leave temporary files to the garbage collector.
    return output_of(source, "-W", "error::DeprecationWarning").replace(str(directory), "DIR")


def test_aiofiles(tmp_path: Path) -> None:
    imports = "import aiofiles, aiofiles.os, aiofiles.tempfile"
    expected = shown(AIOFILES, imports, tmp_path / "theirs")
    assert shown(AIOFILES, "import asyncsys_loop as aiofiles", tmp_path / "ours") == expected


def test_anyio(tmp_path: Path) -> None:
    imports = f"from anyio import {ANYIO_NAMES}, {TEMPFILE_NAMES}"
    expected = shown(ANYIO, imports, tmp_path / "theirs")
    imports = (
        f"from asyncsys_loop import {ANYIO_NAMES}\n"
        f"from asyncsys_loop.tempfile import {TEMPFILE_NAMES}"
    )
    assert shown(ANYIO, imports, tmp_path / "ours") == expected
