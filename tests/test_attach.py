"""The engine on loops that aren't ours: attach(), and the first call on a plain loop."""

import asyncio
import os
import threading
import unittest
from typing import Any

import anyio
import pytest

import asyncsys_loop
from asyncsys_loop import attach, stats, syscall
from asyncsys_loop._attach import engine_of
from asyncsys_loop._loop import default_base

from .conftest import foreign_loop
from .support import stuck

foreign = pytest.mark.loop(foreign=True)


@foreign
async def test_first_call_attaches() -> None:
    loop = asyncio.get_running_loop()
    assert engine_of(loop) is None
    assert await syscall("getppid") == os.getppid()
    now = stats()
    assert (now.base, now.slots, now.max_workers) == (default_base(), 1024, 64)


@foreign
async def test_stats_attach_too() -> None:
    assert stats().submitted == 0


@foreign
async def test_attach_with_options() -> None:
    attach(executor="threads", slots=4, max_workers=2)
    assert (stats().slots, stats().max_workers, stats().executor) == (4, 2, "threads")
    assert len(await asyncio.gather(*(syscall("getppid") for _ in range(50)))) == 50


@foreign
async def test_cancellation_settles_on_any_loop() -> None:
    async with stuck(3):
        assert await syscall("getppid") == os.getppid()
    assert stats().in_flight == 0


def test_attach_to_a_loop_that_does_not_run_yet() -> None:
    loop = foreign_loop()
    attach(loop, slots=8)

    async def main() -> int:
        assert await syscall("getppid") == os.getppid()
        return stats().slots

    assert loop.run_until_complete(main()) == 8
    loop.close()
    assert loop.is_closed()
    engine = engine_of(loop)
    assert engine is not None
    assert engine.closed
    loop.close()  # again


def test_closing_ends_calls_in_flight() -> None:
    reader, writer = os.pipe()
    loop = foreign_loop()
    call = syscall("read", reader, bytearray(4), 4)

    async def start() -> None:
        call.send(None)
        await asyncio.sleep(0.01)

    loop.run_until_complete(start())
    loop.close()
    call.close()
    os.write(writer, b"data")
    assert os.read(reader, 4) == b"data"
    os.close(reader)
    os.close(writer)


@foreign
async def test_running_loop_is_not_closed() -> None:
    loop = asyncio.get_running_loop()
    await syscall("getppid")
    with pytest.raises(RuntimeError):
        loop.close()
    assert await syscall("getppid") == os.getppid()


@foreign
async def test_twice() -> None:
    attach()
    with pytest.raises(RuntimeError, match=r"has an engine already.*before the first call"):
        attach(slots=4)


@foreign
async def test_after_the_first_call() -> None:
    await syscall("getppid")
    with pytest.raises(RuntimeError, match="has an engine already"):
        attach(asyncio.get_running_loop())


async def test_our_own_loop_has_one() -> None:
    with pytest.raises(RuntimeError, match=r"has an engine already.*new_event_loop\(\)"):
        attach()


@foreign
@pytest.mark.parametrize(
    ("options", "expected", "message"),
    [
        ({"slots": 3}, ValueError, "power of two, not 3: say 4"),
        ({"max_workers": 0}, ValueError, "max_workers must be from 1"),
        ({"executor": "fast"}, ValueError, "choose from 'auto', 'kmod', 'threads'"),
        ({"base": "uvloop"}, TypeError, "no option named 'base'"),
        ({"loop": 3}, TypeError, "loop must be an asyncio event loop, not int"),
    ],
)
async def test_bad_options(
    options: dict[str, Any], expected: type[Exception], message: str
) -> None:
    with pytest.raises(expected, match=message):
        attach(**options)
    assert engine_of(asyncio.get_running_loop()) is None
    attach()  # nothing is half done


def test_closed_loop() -> None:
    loop = foreign_loop()
    loop.close()
    with pytest.raises(RuntimeError, match="closed"):
        attach(loop)


def test_from_another_thread() -> None:
    loop = foreign_loop()
    ready = threading.Event()
    stop = asyncio.Event()

    async def main() -> None:
        ready.set()
        await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=(main(),))
    thread.start()
    ready.wait()
    try:
        with pytest.raises(RuntimeError, match="thread"):
            attach(loop)
        assert engine_of(loop) is None
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
        loop.close()


async def test_several_loops_in_several_threads() -> None:
    async def work() -> tuple[int, int]:
        results = await asyncio.gather(*(syscall("getppid") for _ in range(300)))
        assert set(results) == {os.getppid()}
        return id(engine_of(asyncio.get_running_loop())), stats().completed

    def on_foreign() -> tuple[int, int]:
        with asyncio.Runner(loop_factory=foreign_loop) as runner:
            return runner.run(work())

    def on_ours() -> tuple[int, int]:
        return asyncsys_loop.run(work())

    threads = [asyncio.to_thread(on_foreign if n % 2 else on_ours) for n in range(6)]
    results = await asyncio.gather(*threads)
    assert [completed for _, completed in results] == [300] * 6


def test_several_loops_in_one_thread() -> None:
    loops = [foreign_loop(), asyncsys_loop.new_event_loop(), foreign_loop()]
    for _ in range(2):
        for loop in loops:
            assert loop.run_until_complete(syscall("getppid")) == os.getppid()
    for loop in loops:
        engine = engine_of(loop)
        assert engine is not None
        assert engine.stats("").completed == 2
        loop.close()


def test_isolated_asyncio_test_case() -> None:
    class Case(unittest.IsolatedAsyncioTestCase):
        async def asyncSetUp(self) -> None:
            self.fd = await asyncsys_loop.os.open("/dev/zero", os.O_RDONLY)

        async def asyncTearDown(self) -> None:
            await asyncsys_loop.os.close(self.fd)

        async def test_read(self) -> None:
            assert await asyncsys_loop.os.read(self.fd, 4) == bytes(4)

    result = unittest.TestResult()
    Case("test_read").run(result)
    assert (result.testsRun, result.failures, result.errors) == (1, [], [])


def test_anyio_takes_the_loop_factory() -> None:
    async def main() -> str:
        async with anyio.create_task_group() as group:
            for _ in range(10):
                group.start_soon(syscall, "getppid")
        with anyio.move_on_after(0.01) as scope:
            await syscall("read", reader, bytearray(4), 4)
        assert scope.cancelled_caught
        return stats().base

    reader, writer = os.pipe()
    options = {"loop_factory": asyncsys_loop.new_event_loop}
    assert anyio.run(main, backend="asyncio", backend_options=options) == default_base()
    os.close(reader)
    os.close(writer)


async def test_loop_of_somebody_else() -> None:
    class TheirLoop(asyncio.SelectorEventLoop):
        pass

    async def main() -> str:
        await syscall("getppid")
        return stats().base

    def on_theirs() -> str:
        with asyncio.Runner(loop_factory=TheirLoop) as runner:
            return runner.run(main())

    assert await asyncio.to_thread(on_theirs) == "asyncio"
