"""run(), new_event_loop(), the policy, the variables; and asyncio's own features on our loops."""

import asyncio
import concurrent.futures
import contextvars
import logging
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import asyncsys_loop
from asyncsys_loop import new_event_loop, run, stats, syscall
from asyncsys_loop._attach import engine_of
from asyncsys_loop._loop import default_base

from .support import output_of, run_python

# Making one


async def report() -> asyncsys_loop.Stats:
    assert await syscall("getppid") == os.getppid()
    return stats()


def test_run_returns_the_result() -> None:
    assert run(report()).base == default_base()


def test_run_raises_what_the_coroutine_raises() -> None:
    async def fail() -> None:
        await report()
        raise LookupError("not found")

    with pytest.raises(LookupError, match="not found"):
        run(fail())


@pytest.mark.parametrize("debug", [True, False, None])
def test_run_in_debug_mode(debug: bool | None) -> None:
    async def main() -> bool:
        await report()
        return asyncio.get_running_loop().get_debug()

    assert run(main(), debug=debug) is (debug if debug is not None else sys.flags.dev_mode)


def test_run_with_options() -> None:
    for base in ("asyncio", "uvloop"):
        now = run(report(), base=base, slots=16, max_workers=2, executor="threads")
        assert (now.base, now.slots, now.max_workers, now.executor) == (base, 16, 2, "threads")


async def test_run_inside_a_running_loop() -> None:
    coroutine = report()
    with pytest.raises(RuntimeError, match=r"run\(\) cannot be called from a running event loop"):
        run(coroutine)
    coroutine.close()


def test_the_class_is_the_bases() -> None:
    import uvloop

    for base, cls in (("asyncio", asyncio.SelectorEventLoop), ("uvloop", uvloop.Loop)):
        loop = new_event_loop(base=base)
        assert cls in type(loop).__mro__
        loop.close()


def test_runner_takes_it() -> None:
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        assert runner.run(report()).completed == 1
        assert runner.run(report()).completed == 2


@pytest.mark.parametrize(
    ("options", "expected", "message"),
    [
        ({"slots": 0}, ValueError, "slots must be from 1 to 65536, not 0"),
        ({"slots": -4}, ValueError, "slots must be from 1 to 65536"),
        ({"slots": 1000}, ValueError, "slots must be a power of two, not 1000: say 1024"),
        ({"slots": 65537}, ValueError, "slots must be from 1 to 65536"),
        ({"slots": 2**70}, ValueError, "slots must be from 1 to 65536"),
        ({"slots": "64"}, TypeError, "slots must be an int, not str"),
        ({"slots": 64.0}, TypeError, "slots must be an int, not float"),
        ({"slots": True}, TypeError, "slots must be an int, not bool"),
        ({"max_workers": 0}, ValueError, "max_workers must be from 1 to 32768, not 0"),
        ({"max_workers": 32769}, ValueError, "max_workers must be from 1 to 32768"),
        ({"max_workers": None}, TypeError, "max_workers must be an int, not NoneType"),
        (
            {"executor": "fast"},
            ValueError,
            "no executor is named 'fast'.*'auto', 'kmod', 'threads'",
        ),
        ({"executor": 3}, TypeError, "executor must be a str, not int"),
        ({"base": "trio"}, ValueError, "no base is named 'trio': choose from 'uvloop', 'asyncio'"),
    ],
)
@pytest.mark.parametrize("base", ["uvloop", "asyncio"])
def test_bad_options(
    base: str, options: dict[str, Any], expected: type[Exception], message: str
) -> None:
    with pytest.raises(expected, match=message):
        new_event_loop(**{"base": base, **options})
    coroutine = report()
    with pytest.raises(expected, match=message):
        run(coroutine, **{"base": base, **options})
    coroutine.close()


def test_unknown_options() -> None:
    options: dict[str, Any] = {"workers": 3}
    coroutine = report()
    with pytest.raises(TypeError, match=r"^run\(\) has no option named 'workers'$"):
        run(coroutine, **options)
    coroutine.close()
    with pytest.raises(TypeError, match=r"^new_event_loop\(\) has no option named 'workers'$"):
        new_event_loop(**options)


def test_unusable_executor_says_why() -> None:
    from asyncsys_loop._executors import probe

    found = probe("kmod")
    if found.usable:
        pytest.skip("the kernel module is loaded: its absence was not tested")
    with pytest.raises(
        RuntimeError, match=r"'kmod' can't be used here: .+executor='auto'"
    ) as caught:
        new_event_loop(executor="kmod")
    assert found.reason in str(caught.value)


@pytest.mark.parametrize("slots", [1, 65536])
def test_extreme_sizes(slots: int) -> None:
    assert run(report(), slots=slots, max_workers=1).slots == slots


# The variables of the environment

PRINT = "import asyncsys_loop, asyncio; s = asyncsys_loop.run(main()); print(s.base, s.executor)"
MAIN = "async def main():\n    import asyncsys_loop\n    return asyncsys_loop.stats()\n"


@pytest.mark.parametrize("base", ["uvloop", "asyncio"])
def test_variables_choose(base: str) -> None:
    output = output_of(MAIN + PRINT, ASYNCSYS_BASE=base, ASYNCSYS_EXECUTOR="threads")
    assert output == f"{base} threads\n"


def test_empty_variables_choose_nothing() -> None:
    output = output_of(MAIN + PRINT, ASYNCSYS_BASE="", ASYNCSYS_EXECUTOR="")
    assert output.split()[0] == "uvloop"


def test_arguments_come_before_variables() -> None:
    call = PRINT.replace("main()", "main(), base='asyncio', executor='threads'")
    output = output_of(MAIN + call, ASYNCSYS_BASE="uvloop", ASYNCSYS_EXECUTOR="nonsense")
    assert output == "asyncio threads\n"


@pytest.mark.parametrize("name", ["ASYNCSYS_BASE", "ASYNCSYS_EXECUTOR"])
def test_nonsense_in_variables(name: str) -> None:
    environment = {name: "nonsense"}
    done = run_python(MAIN + PRINT, **environment)  # type: ignore[arg-type]
    assert done.returncode == 1
    assert "ValueError: no " in done.stderr.splitlines()[-2] + done.stderr.splitlines()[-1]
    assert "'nonsense'" in done.stderr


def test_without_uvloop() -> None:
    hide = "import sys; sys.modules['uvloop'] = None\n"
    assert output_of(hide + MAIN + PRINT, ASYNCSYS_BASE="").split()[0] == "asyncio"
    done = run_python(hide + MAIN + PRINT, ASYNCSYS_BASE="uvloop")
    assert done.returncode == 1
    assert "pip install 'asyncsys-loop[uvloop]'" in done.stderr


# Policies

policies = pytest.mark.skipif(
    not hasattr(asyncio, "AbstractEventLoopPolicy"),
    reason="asyncio has no policies any more: EventLoopPolicy and install() were not tested",
)


@policies
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_policy() -> None:
    policy = asyncsys_loop.EventLoopPolicy(slots=8, base="asyncio")
    loop = policy.new_event_loop()
    assert loop.run_until_complete(report()).slots == 8
    loop.close()


@policies
@pytest.mark.skipif(sys.version_info < (3, 14), reason="policies aren't deprecated before 3.14")
def test_policy_is_deprecated_as_asyncios_are() -> None:
    with pytest.warns(DeprecationWarning, match="asyncsys_loop.run"):
        asyncsys_loop.EventLoopPolicy()


@policies
def test_install() -> None:
    source = """
import asyncio, asyncsys_loop
asyncsys_loop.install()
async def main():
    await asyncio.get_running_loop().syscall("getppid")
    print(type(asyncio.get_running_loop()).__mro__[0].__module__)
asyncio.run(main())
"""
    assert output_of(source, "-W", "ignore").startswith("asyncsys_loop")


# What asyncio's loops do, ours do


async def test_streams_beside_calls() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1000):
            writer.write(data)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    async def talk(number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(10):
            message = f"{number}\n".encode()
            writer.write(message)
            assert await reader.readline() == message
            assert await syscall("getppid") == os.getppid()
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(talk(number) for number in range(20)))
    server.close()
    await server.wait_closed()


async def test_unix_sockets_and_datagrams(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    received = loop.create_future()

    class Receiver(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: Any) -> None:
            received.set_result(data)

    receiving, _ = await loop.create_datagram_endpoint(Receiver, local_addr=("127.0.0.1", 0))
    address = receiving.get_extra_info("sockname")
    sending, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=address)
    sending.sendto(b"datagram")
    assert await received == b"datagram"
    sending.close()
    receiving.close()

    server = await asyncio.start_unix_server(lambda _, writer: writer.close(), tmp_path / "socket")
    reader, writer = await asyncio.open_unix_connection(tmp_path / "socket")
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
    server.close()
    await server.wait_closed()


async def test_subprocess() -> None:
    process = await asyncio.create_subprocess_exec(
        "cat", stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    output, _ = await process.communicate(b"through cat")
    assert (output, process.returncode) == (b"through cat", 0)


async def test_signals() -> None:
    loop = asyncio.get_running_loop()
    caught = loop.create_future()
    loop.add_signal_handler(signal.SIGUSR2, caught.set_result, "caught")
    os.kill(os.getpid(), signal.SIGUSR2)
    assert await caught == "caught"
    assert loop.remove_signal_handler(signal.SIGUSR2)


async def test_timers_keep_their_order() -> None:
    loop = asyncio.get_running_loop()
    order: list[int] = []
    done = loop.create_future()
    for number in (3, 1, 2):
        loop.call_later(number * 0.02, order.append, number)
    loop.call_later(0.1, done.set_result, None)
    await asyncio.gather(done, *(syscall("getppid") for _ in range(50)))
    assert order == [1, 2, 3]


async def test_executors() -> None:
    loop = asyncio.get_running_loop()
    assert await loop.run_in_executor(None, os.getppid) == os.getppid()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        assert await loop.run_in_executor(pool, os.getpid) == os.getpid()
    assert await asyncio.to_thread(os.getppid) == os.getppid()


async def test_context_is_kept() -> None:
    variable: contextvars.ContextVar[int] = contextvars.ContextVar("variable")

    async def work(number: int) -> None:
        variable.set(number)
        for _ in range(5):
            await syscall("getppid")
            assert variable.get() == number

    await asyncio.gather(*(work(number) for number in range(20)))


async def test_add_reader() -> None:
    loop = asyncio.get_running_loop()
    reader, writer = os.pipe()
    readable = loop.create_future()

    def on_readable() -> None:
        loop.remove_reader(reader)
        readable.set_result(None)

    loop.add_reader(reader, on_readable)
    await syscall("write", writer, b"x", 1)
    await readable
    os.close(reader)
    os.close(writer)


def test_debug_mode_finds_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        fd = await asyncsys_loop.os.open("/dev/zero", os.O_RDONLY)
        await asyncio.gather(*(asyncsys_loop.os.read(fd, 10) for _ in range(200)))
        await asyncsys_loop.os.close(fd)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(syscall("nanosleep", bytes([9] + [0] * 15), None), 0.01)

    with caplog.at_level(logging.WARNING):
        run(main(), debug=True)
    assert [record.message for record in caplog.records if "took" not in record.message] == []


async def test_cancelled_task_of_the_loop_reports_no_exception() -> None:
    problems: list[Any] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: problems.append(context))
    tasks = [asyncio.create_task(syscall("nanosleep", bytes([9] + [0] * 15), None)) for _ in "abc"]
    await asyncio.sleep(0.01)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    del task, tasks
    assert problems == []


def test_loops_are_independent() -> None:
    first, second = new_event_loop(slots=2), new_event_loop(slots=4)
    assert first.run_until_complete(report()).slots == 2
    assert second.run_until_complete(report()).slots == 4
    first.close()
    assert second.run_until_complete(report()).completed == 2
    second.close()
    assert engine_of(first) is not engine_of(second)


def test_hundreds_of_loops_one_after_another() -> None:
    for _ in range(200):
        assert run(report()).submitted == 1
