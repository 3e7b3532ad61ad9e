"""syscall(): any call by number, name or SYS, and what is said to those who call it wrongly."""

import asyncio
import ctypes
import errno
import os
import threading
from array import array
from pathlib import Path
from typing import Any

import pytest

import asyncsys_loop
from asyncsys_loop import SYS, stats, syscall
from asyncsys_loop._sys import SyscallDescription, descriptions

GETDENTS = "getdents64"


# Numbers, names, arguments


@pytest.mark.parametrize("call", [int(SYS["getppid"]), SYS["getppid"], "getppid"])
async def test_by_number_member_and_name(call: int | str) -> None:
    assert await syscall(call) == os.getppid()


async def test_loop_has_it_too() -> None:
    loop: Any = asyncio.get_running_loop()
    assert await loop.syscall("getppid") == os.getppid()


async def test_exec_threads_are_of_this_process() -> None:
    assert await syscall("getpid") == os.getpid()
    assert await syscall("tgkill", os.getpid(), threading.get_native_id(), 0) == 0


async def test_reads_in_place_and_returns_the_kernels_result(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"0123456789")
    fd = await syscall("openat", -100, path, os.O_RDONLY)
    buffer = bytearray(8)
    assert await syscall("pread64", fd, buffer, 4, 3) == 4
    assert buffer == b"3456\0\0\0\0"
    assert await syscall("pread64", fd, memoryview(buffer)[4:], 4, 6) == 4
    assert buffer == b"34566789"
    assert await syscall("close", fd) == 0


@pytest.mark.parametrize("kind", [str, bytes, Path, os.fsencode, bytearray])
async def test_paths(kind: Any, tmp_path: Path) -> None:
    text = str(tmp_path / "d\u00efr")
    path = kind(text.encode() if kind in {bytes, bytearray} else text)
    assert await syscall("mkdirat", -100, path, 0o700) == 0
    assert os.path.isdir(text)


async def test_ints_of_all_64_bits() -> None:
    fd = os.memfd_create("file")
    assert await syscall("lseek", fd, 2**40, os.SEEK_SET) == 2**40
    for invalid in (-1, 2**64 - 1):  # the same bits
        with pytest.raises(OSError, match="Invalid argument"):
            await syscall("lseek", fd, invalid, os.SEEK_SET)
    os.close(fd)
    for too_large in (2**64, -(2**63) - 1):
        with pytest.raises(OverflowError, match=r"lseek: argument 1.*64 bits"):
            await syscall("lseek", 0, too_large, 0)


async def test_an_address_is_the_callers_responsibility() -> None:
    memory = ctypes.create_string_buffer(4)
    reader, writer = os.pipe()
    os.write(writer, b"data")
    assert await syscall("read", reader, ctypes.addressof(memory), 4) == 4
    assert memory.raw == b"data"
    os.close(reader)
    os.close(writer)


async def test_a_bad_address_is_an_error_of_the_kernel() -> None:
    reader, writer = os.pipe()
    os.write(writer, b"data")
    with pytest.raises(OSError, match="Bad address") as caught:
        await syscall("read", reader, 8, 4)
    assert caught.value.errno == errno.EFAULT
    assert os.read(reader, 4) == b"data"
    os.close(reader)
    os.close(writer)


async def test_arguments_that_may_be_left_out() -> None:
    fd = await syscall("openat", -100, "/", os.O_RDONLY)
    assert await syscall("fcntl", fd, 1) == 0
    os.close(fd)


async def test_null_pointers() -> None:
    nothing = bytearray(16)
    assert await syscall("nanosleep", nothing, None) == 0
    assert await syscall("nanosleep", nothing, 0) == 0


async def test_openat2(tmp_path: Path) -> None:
    directory = os.open(tmp_path, os.O_RDONLY)
    how = array("Q", [os.O_RDONLY, 0, 0x08])  # RESOLVE_BENEATH
    try:
        with pytest.raises(OSError, match="Invalid cross-device link") as caught:
            await syscall("openat2", directory, "../x", how, 24)
        assert caught.value.filename == "../x"
    finally:
        os.close(directory)


# Errors of the kernel are those of Python


@pytest.mark.parametrize(
    ("arguments", "expected", "number"),
    [
        (("openat", -100, "/nonexistent", 0, 0), FileNotFoundError, errno.ENOENT),
        (("mkdirat", -100, "/", 0), FileExistsError, errno.EEXIST),
        (("unlinkat", -100, "/dev", 0), IsADirectoryError, errno.EISDIR),
        (("openat", -100, "/dev/null/x", 0, 0), NotADirectoryError, errno.ENOTDIR),
        (("kill", 2**22 + 1, 0), ProcessLookupError, errno.ESRCH),
        (("close", 12345), OSError, errno.EBADF),
    ],
)
async def test_errors(arguments: tuple[Any, ...], expected: type[OSError], number: int) -> None:
    with pytest.raises(OSError, match=os.strerror(number)) as caught:
        await syscall(*arguments)
    assert type(caught.value) is expected
    assert caught.value.errno == number
    path = next((value for value in arguments[1:] if isinstance(value, str)), None)
    assert (caught.value.filename, caught.value.filename2) == (path, None)


async def test_errors_of_calls_with_two_paths(tmp_path: Path) -> None:
    old, new = tmp_path / "old", str(tmp_path / "new").encode()
    with pytest.raises(FileNotFoundError) as caught:
        await syscall("renameat2", -100, old, -100, new, 0)
    assert (caught.value.filename, caught.value.filename2) == (str(old), new)


# What can't be is refused at once


@pytest.mark.parametrize(
    ("arguments", "expected", "message"),
    [
        (
            ("no_such_call",),
            ValueError,
            "there is no system call 'no_such_call'.*asyncsys_loop.SYS",
        ),
        (("opena",), ValueError, "did you mean 'openat'"),
        ((100_000,), ValueError, "no system call of number 100000.*SYS"),
        ((-1,), ValueError, "no system call of number -1"),
        ((1.0,), TypeError, "its number, its name or a member of asyncsys_loop.SYS"),
        ((None,), TypeError, "its number, its name or a member"),
        ((True,), TypeError, "its number, its name or a member"),
        ((b"read",), TypeError, "its number, its name or a member"),
        (("getppid", 1), TypeError, "getppid takes 0 arguments.*not 1"),
        (("read", 0, bytearray(1)), TypeError, "read takes 3 arguments.*int, out, int.*not 2"),
        (("read", 0, bytearray(1), 1, 1), TypeError, "read takes 3 arguments.*not 4"),
        (("openat", 0), TypeError, "openat takes 3 to 4 arguments.*not 1"),
        (("read", "0", bytearray(1), 1), TypeError, "read: argument 0.*an int, not str"),
        (("read", 0.0, bytearray(1), 1), TypeError, "read: argument 0.*an int, not float"),
        (("read", None, bytearray(1), 1), TypeError, "read: argument 0.*an int, not None"),
        (("read", 0, "text", 1), TypeError, "read: argument 1.*a writable buffer, not str"),
        (("read", 0, None, 1), TypeError, "read: argument 1.*a writable buffer, not None"),
        (("read", 0, 0, 1), TypeError, "read: argument 1.*not a NULL pointer"),
        (("read", 0, object(), 1), TypeError, "read: argument 1.*a writable buffer"),
        (("read", 0, bytes(1), 1), TypeError, "read: argument 1.*read-only.*bytearray"),
        (
            ("read", 0, memoryview(b"x"), 1),
            TypeError,
            "read: argument 1.*read-only.*bytearray",
        ),
        (("read", 0, bytearray(1), 2), ValueError, "read: argument 1.*1 bytes.*2"),
        (("read", 0, bytearray(1), -1), ValueError, "-1 isn't possible"),
        (("write", 1, b"x", 2), ValueError, "write: argument 1.*1 bytes.*would read 2"),
        (("fstat", 0, bytearray(8)), ValueError, "fstat: argument 1.*8 bytes"),
        (("mkdirat", -100, 3.5, 0), TypeError, "mkdirat: argument 1"),
        (("mkdirat", -100, "a\0b", 0), ValueError, "mkdirat: embedded null character"),
        (("write", 1, memoryview(b"abcd")[::2], 2), BufferError, "not C-contiguous"),
        (("read", 0, memoryview(bytearray(4))[::2], 2), BufferError, "not C-contiguous"),
    ],
)
async def test_bad_input(
    arguments: tuple[Any, ...], expected: type[Exception], message: str
) -> None:
    before = stats().submitted
    with pytest.raises(expected, match=message):
        await syscall(*arguments)
    assert stats().submitted == before


REFUSED = [call for call in descriptions() if call.refusal is not None]


@pytest.mark.parametrize("call", REFUSED, ids=lambda call: call.name)
async def test_refused(call: SyscallDescription) -> None:
    arguments = [0] * len(call.arguments)
    for how in (call.name, call.number, SYS[call.name]):
        with pytest.raises(RuntimeError, match=f"^{call.name} is refused: .+") as caught:
            await syscall(how, *arguments)
        assert str(caught.value) == call.refusal
    assert stats().submitted == 0


def test_what_must_be_refused_is() -> None:
    names = {call.name for call in REFUSED}
    assert names >= {
        *("clone", "clone3", "execve", "execveat", "exit", "exit_group", "rt_sigreturn"),
        *("setuid", "setgid", "setresuid", "setgroups", "unshare", "setns", "prctl"),
        *("rt_sigprocmask", "sched_setaffinity"),
    }


# Who may call, and where


def test_no_running_loop() -> None:
    coroutine = syscall("getppid")
    with pytest.raises(RuntimeError, match=r"no running event loop.*asyncsys_loop.run"):
        coroutine.send(None)
    for call in (stats, asyncsys_loop.attach):
        with pytest.raises(RuntimeError, match="no running event loop"):
            call()


async def test_other_thread() -> None:
    loop: Any = asyncio.get_running_loop()

    def without_loop() -> None:
        with pytest.raises(RuntimeError, match="no running event loop"):
            syscall("getppid").send(None)
        with pytest.raises(RuntimeError, match=r"run_coroutine_threadsafe|no running event loop"):
            loop.syscall("getppid").send(None)

    async def other_loop() -> None:
        with pytest.raises(RuntimeError, match="run_coroutine_threadsafe"):
            await loop.syscall("getppid")
        assert await syscall("getppid") == os.getppid()  # this thread's own table

    await asyncio.to_thread(without_loop)
    await asyncio.to_thread(asyncsys_loop.run, other_loop())


async def test_from_another_thread_as_the_message_says() -> None:
    loop: Any = asyncio.get_running_loop()

    def call() -> object:
        return asyncio.run_coroutine_threadsafe(loop.syscall("getppid"), loop).result()

    assert await asyncio.to_thread(call) == os.getppid()


def test_closed_loop() -> None:
    loop: Any = asyncsys_loop.new_event_loop()
    loop.run_until_complete(loop.syscall("getppid"))
    loop.close()
    coroutine = loop.syscall("getppid")
    with pytest.raises(RuntimeError, match="Event loop is closed"):
        loop.run_until_complete(coroutine)
    coroutine.close()


async def test_many_threads_each_with_its_loop() -> None:
    async def work() -> int:
        await asyncio.gather(*(syscall("getppid") for _ in range(200)))
        return stats().completed

    results = await asyncio.gather(
        *(asyncio.to_thread(asyncsys_loop.run, work()) for _ in range(8))
    )
    assert results == [200] * 8
