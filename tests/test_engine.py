"""Guarantees 1, 3, 4, 5: calls end once, buffers stay, the queue is fair, threads come and go."""

import asyncio
import contextvars
import dataclasses
import errno
import gc
import mmap
import os
import textwrap
import time
import weakref
from array import array
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

import asyncsys_loop
from asyncsys_loop import _engine, stats, syscall
from asyncsys_loop._attach import running_engine
from asyncsys_loop._loop import default_base

from .support import Stuck, claimed, exec_threads, output_of, stuck, until

pytestmark = pytest.mark.through_the_table

if TYPE_CHECKING:
    from collections.abc import Callable

# The counters


async def test_stats_say_what_runs() -> None:
    await syscall("getppid")
    now = stats()
    asked_for = os.environ.get("ASYNCSYS_EXECUTOR") or "auto"
    assert asked_for in {"auto", now.executor}
    assert now.base == default_base()
    assert (now.slots, now.max_workers) == (1024, 64)
    await one_thread_unless_it_got_no_processor()
    with pytest.raises(dataclasses.FrozenInstanceError):
        now.slots = 1  # type: ignore[misc]


async def one_thread_unless_it_got_no_processor() -> None:
    """Then it looks blocked: the watch adds one, perhaps again, and then counts that."""
    assert stats().workers >= 1
    await until(lambda: stats().workers <= 1 + stats().reinforcements)


@pytest.mark.loop(slots=64, max_workers=3)
async def test_stats_count_calls_through_the_table() -> None:
    assert (stats().slots, stats().max_workers) == (64, 3)
    before = stats()
    await asyncio.gather(*(syscall("getppid") for _ in range(100)))
    fd = await asyncsys_loop.os.open("/dev/null", os.O_RDWR)
    await asyncsys_loop.os.write(fd, b"data")
    await asyncsys_loop.os.close(fd)
    after = stats()
    assert after.submitted - before.submitted == 103
    assert after.completed - before.completed == 103
    assert (after.in_flight, after.queued, after.cancelled, after.inline) == (0, 0, 0, 0)
    assert after.wakeups > 0


async def test_few_doorbells_for_all_calls_of_a_tick() -> None:
    before = stats().doorbells
    await asyncio.gather(*(syscall("getppid") for _ in range(500)))
    # One for the first, and one at the end if the thread was quicker than the loop, and slept.
    assert 1 <= stats().doorbells - before <= 2


async def test_no_doorbell_while_a_thread_is_awake() -> None:
    for _ in range(20):
        async with stuck() as (blocker,):
            # It is stuck, but nobody has noticed yet: what comes next rings no doorbell. The watch
            # finds it waiting, and sees to a thread for it.
            before = stats()
            await syscall("getppid")
            doorbells = stats().doorbells - before.doorbells
            blocker.let_go()
        if not doorbells and stats().reinforcements > before.reinforcements:
            return
        # Where this thread stood still for 20 ms, the watch has noticed before.
    pytest.fail("the doorbell was rung")


async def test_burst_costs_few_notifications() -> None:
    await syscall("getppid")
    told = 0, 0
    for _ in range(20):
        await asyncio.sleep(0.01)  # the eventfd is armed, and the thread sleeps
        before = stats()
        burst = asyncio.gather(*(syscall("getppid") for _ in range(1000)))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        deadline = time.monotonic() + 0.9
        while stats().sleeps == before.sleeps and time.monotonic() < deadline:
            time.sleep(0.001)  # the loop doesn't come to look
        await burst
        # One would do. A thread that was added to help may have gone to sleep before all was done.
        told = stats().notifications - before.notifications, stats().wakeups - before.wakeups
        if max(told) < 10:
            return
        # Whenever an exec thread gets no processor, the loop runs out of completions, and is told
        # of the next: once more.
    pytest.fail(f"(notifications, wakeups) of a burst: {told}")


async def test_thousands_of_completions_leave_the_loop_its_turns() -> None:
    calls = [asyncio.ensure_future(syscall("getppid")) for _ in range(1000)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    before = stats()
    deadline = time.monotonic() + 0.9
    while stats().sleeps == before.sleeps and time.monotonic() < deadline:
        time.sleep(0.001)  # the loop doesn't come to look, and all of them are complete
    ended = [0]
    while ended[-1] < 1000:
        await asyncio.sleep(0)
        ended.append(sum(call.done() for call in calls))
    assert max(now - before for before, now in pairwise(ended)) <= 500


# Every call ends once


async def test_each_result_goes_to_its_caller(tmp_path: Path) -> None:
    count = 2000
    path = tmp_path / "numbers"
    path.write_bytes(b"".join(number.to_bytes(4, "little") for number in range(count)))
    fd = os.open(path, os.O_RDONLY)
    results = await asyncio.gather(
        *(asyncsys_loop.os.pread(fd, 4, 4 * number) for number in range(count))
    )
    os.close(fd)
    assert [int.from_bytes(result, "little") for result in results] == [*range(count)]


async def test_each_call_runs_once(tmp_path: Path) -> None:
    fd = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    lines = [b"%d\n" % number for number in range(2000)]
    await asyncio.gather(*(asyncsys_loop.os.write(fd, line) for line in lines))
    os.close(fd)
    assert sorted((tmp_path / "log").read_bytes().splitlines(keepends=True)) == sorted(lines)


async def test_results_and_errors_side_by_side() -> None:
    calls = [syscall("getppid") if number % 2 else syscall("close", -1) for number in range(100)]
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert set(results[1::2]) == {os.getppid()}
    assert all(isinstance(error, OSError) and error.errno == errno.EBADF for error in results[::2])


@pytest.mark.parametrize(("slots", "calls"), [(64, 3), (2, 9)])
def test_no_exec_thread_to_be_had(slots: int, calls: int) -> None:
    # With no room for a stack; in a process of its own, as the C library keeps stacks for later.
    source = f"""
        import asyncio, os, resource, asyncsys_loop
        from asyncsys_loop import stats, syscall

        async def many():
            calls = (syscall("getppid") for _ in range({calls}))
            return await asyncio.gather(*calls, return_exceptions=True)

        async def main():
            await asyncio.gather(*(asyncio.sleep(0) for _ in range(100)))
            pages = int(open("/proc/self/statm").read().split()[0])
            _, most = resource.getrlimit(resource.RLIMIT_AS)
            resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize(), most))
            for result in await many():
                assert isinstance(result, BlockingIOError), result
                assert "no exec thread could be started" in str(result)
            assert (stats().in_flight, stats().queued) == (0, 0)
            resource.setrlimit(resource.RLIMIT_AS, (most, most))
            assert await many() == [os.getppid()] * {calls}

        asyncsys_loop.run(main(), slots={slots})
        """
    assert output_of(textwrap.dedent(source)) == ""


@pytest.mark.loop(slots=1)
async def test_no_exec_thread_for_a_close_that_was_cancelled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with stuck() as (blocker,):
        task = asyncio.create_task(asyncsys_loop.os.close(-1))
        await until(lambda: stats().queued == 1)
        task.cancel()
        await asyncio.sleep(0)
        monkeypatch.setattr(_engine, "_ring", lambda table: -errno.EAGAIN)
        blocker.let_go()
        await asyncio.wait([task])  # the call can't be made, and its caller waits no longer
        assert task.cancelled()
        monkeypatch.undo()


# Buffers stay alive and where they are


class Watched(bytearray):
    """A bytearray whose end can be seen."""


@pytest.mark.parametrize("method", ["extend", "clear", "append", "pop"])
async def test_buffer_cannot_be_resized_in_flight(method: str) -> None:
    reader, writer = os.pipe()
    buffer = bytearray(8)
    task = asyncio.create_task(syscall("read", reader, buffer, 8))
    await claimed()
    resizes: dict[str, Callable[[], object]] = {
        "extend": lambda: buffer.extend(bytes(4096)),
        "clear": buffer.clear,
        "append": lambda: buffer.append(0),
        "pop": buffer.pop,
    }
    with pytest.raises(BufferError):
        resizes[method]()
    os.write(writer, b"12345678")
    assert await task == 8
    assert buffer == b"12345678"
    resizes[method]()
    os.close(reader)
    os.close(writer)


@pytest.mark.loop(slots=2, max_workers=1)
@pytest.mark.parametrize("place", ["executing", "unclaimed", "queued"])
async def test_buffer_lives_as_long_as_its_call(place: str) -> None:
    reader, writer = os.pipe()
    async with stuck() as (blocker,):
        fill = {"executing": 0, "unclaimed": 0, "queued": 1}[place]
        others = [asyncio.create_task(syscall("getppid")) for _ in range(fill)]
        await asyncio.sleep(0)
        buffer = Watched(8)
        alive = weakref.ref(buffer)
        coroutine = syscall("write", writer, buffer, 8)
        buffer[:] = b"kept for"
        future = coroutine.send(None)
        del buffer
        assert stats().queued == fill
        if place == "executing":
            blocker.let_go()
            await until(lambda: len(os.read(reader, 8)) == 8)
            await until(future.done)
        gc.collect()
        _trash = [bytearray(b"trash" * 20) for _ in range(1000)]
        assert alive() is not None
        if place != "executing":
            blocker.let_go()
            await until(future.done)
            assert os.read(reader, 8) == b"kept for"
        with pytest.raises(StopIteration):
            coroutine.send(None)
        del coroutine, future
        assert alive() is None
        await asyncio.gather(*others)
    os.close(reader)
    os.close(writer)


async def test_buffer_outlives_its_caller_as_long_as_the_call(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_engine, "_interrupt", lambda table, slot: 0)  # a call that doesn't listen
    reader, writer = os.pipe()
    buffer = Watched(8)
    alive = weakref.ref(buffer)
    coroutine = syscall("read", reader, buffer, 8)
    coroutine.send(None)
    await claimed()
    coroutine.close()
    del coroutine, buffer
    gc.collect()
    assert alive() is not None
    os.write(writer, b"too late")
    await until(lambda: stats().in_flight == 0)
    # The timer that would have repeated the interruption may hold it for a moment.
    await until(lambda: alive() is None)
    os.close(reader)
    os.close(writer)


async def test_temporary_path_and_data_live_long_enough(tmp_path: Path) -> None:
    def call(number: int) -> "asyncio.Task[int]":
        path = str(tmp_path / ("x" * 100 + str(number)))
        return asyncio.create_task(asyncsys_loop.os.open(path, os.O_CREAT | os.O_WRONLY))

    for fd in await asyncio.gather(*(call(number) for number in range(200))):
        os.close(fd)
    assert sorted(os.listdir(tmp_path)) == sorted("x" * 100 + str(n) for n in range(200))


async def test_every_kind_of_buffer_is_written_in_place() -> None:
    reader, writer = os.pipe()
    with mmap.mmap(-1, 4096) as mapped:
        backing = bytearray(64)
        kinds: list[Any] = [
            bytearray(8),
            array("B", bytes(8)),
            array("i", [0, 0]),
            memoryview(backing)[16:24],
        ]
        for buffer in [*kinds, mapped]:
            os.write(writer, b"12345678")
            assert await asyncsys_loop.os.readinto(reader, buffer) == 8
            assert bytes(memoryview(buffer).cast("B")[:8]) == b"12345678"
        assert backing[16:24] == b"12345678"
        assert backing.count(0) == 56
    os.close(reader)
    os.close(writer)


# A full table makes callers wait in order


@pytest.mark.parametrize(
    "_slots", [pytest.param(n, marks=pytest.mark.loop(slots=n)) for n in (1, 2)]
)
async def test_full_table_never_fails(_slots: int) -> None:
    results = await asyncio.gather(*(syscall("getppid") for _ in range(500)))
    assert results == [os.getppid()] * 500
    now = stats()
    assert (now.slots, now.submitted, now.completed) == (_slots, 500, 500)


@pytest.mark.parametrize(
    "_slots",
    [pytest.param(n, marks=pytest.mark.loop(slots=n, max_workers=1)) for n in (1, 2, 8)],
)
async def test_full_table_is_first_come_first_served(_slots: int, tmp_path: Path) -> None:
    fd = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    came: list[int] = []

    async def caller(number: int) -> None:
        for _ in range(5):  # who comes back goes to the end of the queue
            came.append(number)
            await asyncsys_loop.os.write(fd, bytes([number]))

    await asyncio.gather(*(caller(number) for number in range(50)))
    os.close(fd)
    assert [*(tmp_path / "log").read_bytes()] == came


@pytest.mark.loop(slots=2, max_workers=2)
async def test_latecomer_does_not_overtake(tmp_path: Path) -> None:
    async with stuck(2) as blockers:
        fd = os.open(tmp_path / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        first = [asyncio.create_task(asyncsys_loop.os.write(fd, b"%d" % n)) for n in range(3)]
        await until(lambda: stats().queued == 3)
        # A slot is free, the queue isn't fed yet, and somebody comes.
        engine = running_engine()
        blockers[0].let_go()
        late: list[asyncio.Task[int]] = []
        blockers[0].call.add_done_callback(
            lambda _: late.append(asyncio.create_task(asyncsys_loop.os.write(fd, b"9")))
        )
        await asyncio.gather(*first)
        await until(lambda: late)
        await late[0]
        assert not engine._queue()
        os.close(fd)
        blockers[1].let_go()
    assert (tmp_path / "log").read_bytes() == b"0129"


# Blocked calls never starve others


@pytest.mark.loop(max_workers=65)
async def test_blocked_calls_do_not_hold_up_a_quick_one() -> None:
    async with stuck(64):
        assert await syscall("getppid") == os.getppid()
        assert stats().in_flight == 64
        assert 64 < stats().workers <= 65
        assert await asyncio.gather(*(syscall("getppid") for _ in range(100)))


@pytest.mark.loop(max_workers=3)
async def test_there_are_never_more_threads_than_stated() -> None:
    async with stuck(3) as blockers:
        task = asyncio.create_task(syscall("getppid"))
        for _ in range(50):
            await asyncio.sleep(0.001)
            assert stats().workers == 3
        assert not task.done()
        blockers[1].let_go()
        assert await task == os.getppid()
        assert stats().workers == 3


async def test_a_call_that_blocks_later_than_others_is_noticed() -> None:
    # The thread has run many calls, and gets stuck in the middle of a burst.
    for _ in range(20):
        blocker = Stuck()
        quick = [asyncio.create_task(syscall("getppid")) for _ in range(50)]
        await asyncio.gather(*quick)
        await blocker.leave()


def test_no_thread_before_the_first_call() -> None:
    async def main() -> None:
        assert stats().workers == 0
        await asyncio.sleep(0.01)
        assert stats().workers == 0
        assert exec_threads() == {}
        await syscall("getppid")
        await one_thread_unless_it_got_no_processor()

    asyncsys_loop.run(main())


def switches() -> dict[int, list[str]]:
    """Return how often each exec thread has been given the processor."""
    return {
        thread: [
            line
            for line in Path(f"/proc/self/task/{thread}/status").read_text().splitlines()
            if "ctxt_switches" in line
        ]
        for thread in exec_threads()
    }


@pytest.fixture
def short_idle_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_engine, "IDLE_MILLISECONDS", 50)


async def test_threads_leave_when_idle(short_idle_time: None) -> None:
    async with stuck(8) as blockers:
        assert stats().workers >= 8
        for blocker in blockers[1:]:
            blocker.let_go()
        # One that is in a call stays.
        await until(lambda: stats().workers == 1)
        blockers[0].let_go()
    await until(lambda: stats().workers == 0)
    await until(lambda: len(exec_threads()) <= 1)  # the watch, which sleeps
    assert await syscall("getppid") == os.getppid()
    assert await asyncio.gather(*(syscall("getppid") for _ in range(100)))


async def test_calls_are_not_lost_where_threads_are_leaving(short_idle_time: None) -> None:
    for number in range(40):
        assert await syscall("getppid") == os.getppid()
        await asyncio.sleep(0.045 + number * 0.0003)


@pytest.mark.parametrize("blocked", [0, 3])
async def test_idle_table_costs_no_processor(blocked: int) -> None:
    async with stuck(blocked):
        await asyncio.gather(*(syscall("getppid") for _ in range(200)))
        assert switches()
        await asyncio.sleep(0.2)
        # A thread that got no processor until now goes to sleep in the next second. One that
        # polls does so in each.
        for _ in range(10):
            before, wakeups = switches(), stats().wakeups
            await asyncio.sleep(1)
            if (switches(), stats().wakeups) == (before, wakeups):
                return
        pytest.fail("somebody is never idle")


async def test_exec_threads_block_signals_and_have_names() -> None:
    async with stuck(2):
        names = set()
        for thread in exec_threads():
            status = Path(f"/proc/self/task/{thread}/status").read_text()
            blocked = int(status.split("SigBlk:\t")[1].split()[0], 16)
            # All but the one that interrupts, SIGKILL and SIGSTOP; libc keeps two for itself.
            assert blocked.bit_count() >= 59, hex(blocked)
            names.add(status.splitlines()[0].split("\t")[1].rstrip("0123456789"))
        assert names == {"asyncsys-exec", "asyncsys-watch"}


async def test_call_that_computes_does_not_starve_others() -> None:
    random = os.open("/dev/urandom", os.O_RDONLY)
    buffer = bytearray(256 << 20)  # more than half a second of work for the kernel
    starved = True
    for _ in range(10):  # as often as the loop, or the other exec thread, stands still so long
        long = asyncio.create_task(asyncsys_loop.os.readinto(random, buffer))
        await asyncio.sleep(0.01)
        await asyncsys_loop.os.stat("/")
        starved = long.done()
        assert starved or stats().in_flight == 1
        await long
        if not starved:
            break
    os.close(random)
    assert not starved


# A loop that fails


class FailingLoop(asyncio.SelectorEventLoop):
    """Its call_soon() has no memory for what is named in `failing`, once."""

    def __init__(self) -> None:
        super().__init__()
        self.failing = ""
        self.reported: list[Any] = []
        self.set_exception_handler(lambda _loop, context: self.reported.append(context))

    def call_soon(  # type: ignore[override]  # typeshed joins the types of both
        self, callback: Any, *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        if self.failing and getattr(callback, "__name__", "") == self.failing:
            self.failing = ""
            raise MemoryError("call_soon")
        return super().call_soon(callback, *args, context=context)


def test_a_request_that_could_not_be_announced_was_not_made() -> None:
    async def main(loop: FailingLoop) -> None:
        asyncsys_loop.attach()
        reader, writer = os.pipe()
        buffer = bytearray(100)
        os.write(writer, b"data")
        loop.failing = "_ring"
        with pytest.raises(MemoryError):
            await syscall("read", reader, buffer, 100)
        assert stats().in_flight == 0
        buffer.extend(b"nobody has it")
        assert await syscall("read", reader, buffer, 100) == 4
        os.close(reader)
        os.close(writer)

    loop = FailingLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(main(loop))
    assert not loop.failing


def test_completions_are_noticed_after_an_error() -> None:
    async def main(loop: FailingLoop) -> None:
        asyncsys_loop.attach()
        for _ in range(20):
            loop.failing = "_look"
            async with stuck(2) as calls:
                await asyncio.gather(*(syscall("getppid") for _ in range(50)))
                for call in calls:
                    call.let_go()
                await asyncio.gather(*(call.call for call in calls))

    loop = FailingLoop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(main(loop))
    assert loop.reported
    assert all(isinstance(context["exception"], MemoryError) for context in loop.reported)
