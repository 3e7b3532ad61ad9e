"""One body of tests, for each executor and each base loop, and what every test is held to.

ASYNCSYS_EXECUTOR, ASYNCSYS_BASE and ASYNCSYS_FAST_PATH choose what the tests run on.
Coroutine tests run on a loop of asyncsys_loop.new_event_loop(); the marker `loop` has its options.

After each test everything is where it was before: no call in the table or in the queue and no
buffer kept by one when the test's body ends; no descriptor and no exec thread when the loop is
closed. A test in which the loop stands still fails too.
"""

import asyncio
import contextlib
import gc
import itertools
import os
import sys
import threading
import time
import traceback
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import hypothesis.configuration
import pytest
import pytest_timeout  # type: ignore[import-untyped]

import asyncsys_loop
from asyncsys_loop import _engine
from asyncsys_loop._attach import engine_of
from asyncsys_loop._loop import BASES, default_base

from .support import ROOT, TIME_SCALE, examples, exec_threads

# For how long a callback may hold up its loop, in seconds. Generous: who makes a blocking call by
# mistake makes one that doesn't return at all, in these tests.
STALL = 1.0 * TIME_SCALE
# How often the heartbeat looks whether it does, in seconds.
LOOK = 0.05

# For how long what a test has left may go yet, in seconds, and how often it is looked at least: all
# of the machine may stand still. A thread that was joined is in /proc until it gets a processor to
# end on; a descriptor that isn't closed is part of a cycle.
LEAVING = {"thread": 3.0 * TIME_SCALE, "descriptor": 1.0 * TIME_SCALE}
LOOKS = 30

TESTS = Path(__file__).parent
LIBRARY = (Path(asyncsys_loop.__file__).parent, ROOT / "examples", ROOT / "benchmarks")

_loops: list[asyncio.AbstractEventLoop] = []


def pytest_configure(config: pytest.Config) -> None:
    hypothesis.configuration.set_hypothesis_home_dir(config.rootpath / "build" / "hypothesis")
    hypothesis.settings.register_profile("scaled", max_examples=examples(100))
    hypothesis.settings.load_profile("scaled")
    for line in (
        (
            "loop(foreign=False, **options): options of new_event_loop() for this test's loop; "
            "foreign: a loop of the base itself, without an engine"
        ),
        "through_the_table: without the fast path, whatever the matrix says",
        "blocks_loop(reason): the loop may stand still in this test",
        "leaves_calls(reason): calls may be in flight when this test's body ends",
    ):
        config.addinivalue_line("markers", line)


def pytest_collection_finish() -> None:
    # The tests collect garbage hundreds of times, and what is there by now never is any.
    gc.freeze()


def pytest_report_header() -> str:
    loop = asyncsys_loop.new_event_loop()
    try:
        engine = engine_of(loop)
        assert engine is not None
        return f"asyncsys_loop: executor {engine.executor}, base {default_base()}"
    finally:
        loop.close()


def foreign_loop() -> asyncio.AbstractEventLoop:
    """Make a loop of the chosen base that isn't ours."""
    if default_base() == "uvloop":
        import uvloop

        return uvloop.new_event_loop()
    return asyncio.SelectorEventLoop()


def _make_loop(item: pytest.Item) -> asyncio.AbstractEventLoop:
    marker = item.get_closest_marker("loop")
    options: dict[str, Any] = dict(marker.kwargs) if marker else {}
    if options.pop("foreign", False):
        loop = foreign_loop()
    else:
        loop = asyncsys_loop.new_event_loop(**options)
    _loops.append(loop)
    return loop


_items: list[pytest.Item] = []  # the one that runs


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    _items.append(item)
    with pytest.MonkeyPatch.context() as patch:
        if item.get_closest_marker("through_the_table") is not None:
            patch.setenv("ASYNCSYS_FAST_PATH", "0")
        result = yield
    _items.pop()
    return result


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    # `item` stands for all its parameters here, whose own markers it doesn't have.
    return {default_base(): lambda: _make_loop(_items[-1])}


# A hung test is a failed test


_timed_out: set[pytest.Item] = set()


@pytest.hookimpl(tryfirst=True)
def pytest_timeout_set_timer(item: Any, settings: Any) -> bool | None:
    """Cancel the tasks of a coroutine test that takes too long.

    pytest-timeout raises an exception in a signal handler. That gets lost in uvloop, which hands
    what a handler raises to the loop's exception handler.
    """
    if item.get_closest_marker("asyncio") is None:
        return None

    def cancel_tasks(loop: asyncio.AbstractEventLoop) -> None:
        for task in asyncio.all_tasks(loop):
            task.print_stack()
            task.cancel()

    def expire() -> None:
        _timed_out.add(item)
        for loop in _loops:
            with contextlib.suppress(RuntimeError):  # closed
                loop.call_soon_threadsafe(cancel_tasks, loop)
        if not ended.wait(10):  # it doesn't help
            pytest_timeout.timeout_timer(item, settings)

    def cancel() -> None:
        ended.set()
        timer.cancel()
        timer.join()

    ended = threading.Event()
    timer = threading.Timer(settings.timeout, expire)
    timer.daemon = True
    item.cancel_timeout = cancel
    timer.start()
    return True


# Nothing is left in the table


def _left_in_table(loop: asyncio.AbstractEventLoop) -> list[str]:
    engine = engine_of(loop)
    if engine is None or engine.closed:
        return []
    stats = engine.stats(default_base())
    counts = {
        "calls in flight": stats.in_flight,
        "queued calls": stats.queued,
        "calls that keep buffers": len(engine._calls()),
        "cancelled callers that wait": len(engine._ending),
    }
    return [f"{count} {what}" for what, count in counts.items() if count]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    try:
        result = yield
    except asyncio.CancelledError:
        if item not in _timed_out:
            raise
        pytest.fail("Timeout: the stacks of its tasks are on stderr", pytrace=False)
    if item.get_closest_marker("leaves_calls") is None:
        for loop in _loops:
            left = _left_in_table(loop)
            if left:
                pytest.fail("the test left behind: " + ", ".join(left), pytrace=False)
    return result


# Nothing is left in the process


def _descriptors() -> dict[str, str]:
    found = {}
    for fd in os.listdir("/proc/self/fd"):
        try:
            found[fd] = os.readlink(f"/proc/self/fd/{fd}")
        except FileNotFoundError:
            continue  # the one that lists them
    return found


def _left_in_process(before: dict[str, str]) -> list[str]:
    left = [
        f"descriptor {fd}: {what}" for fd, what in _descriptors().items() if before.get(fd) != what
    ]
    left += [
        f"descriptor {fd} was closed: {what}"
        for fd, what in before.items()
        if not os.path.lexists(f"/proc/self/fd/{fd}")
    ]
    left += [f"thread {name}" for name in exec_threads().values()]
    return left


@pytest.fixture(scope="session")
def process_is_warm() -> None:
    """Make what a process opens once and keeps: libuv's pipe for signals."""
    for base in BASES:
        asyncsys_loop.run(asyncio.sleep(0), base=base)


@pytest.fixture(autouse=True)
def nothing_left(process_is_warm: None) -> Iterator[None]:
    """Fail if descriptors or exec threads are left when the test's loop is closed."""
    before, abandoned = _descriptors(), len(_engine._abandoned)
    yield
    _loops.clear()
    assert len(_engine._abandoned) == abandoned, "calls were abandoned"
    start = time.monotonic()
    for looks in itertools.count():
        left = _left_in_process(before)
        if not left:
            return
        patience = max(LEAVING[what.partition(" ")[0]] for what in left)
        if looks >= LOOKS and time.monotonic() - start > patience:
            pytest.fail("the test left behind: " + "; ".join(left), pytrace=False)
        if looks % 10 == 0:
            gc.collect()
        time.sleep(0.01)


# The loop never stands still


def _is_of_a_test(frame: FrameType | None) -> bool:
    """Tell whether a test itself is at work, or what it calls of Python's own: of a slow disk."""
    while frame is not None:
        path = Path(frame.f_code.co_filename)
        if path.parent == TESTS:
            return True
        if any(path.is_relative_to(place) for place in LIBRARY):
            return False
        frame = frame.f_back
    return False


class _Heartbeat(threading.Thread):
    """Asks the loop for a sign of life, again and again; time without a processor doesn't count.

    Nor does what the test itself does there, which is slow on a busy machine; nor time in which
    this thread, too, had no chance to look: then all of the machine stood still.
    """

    def __init__(self) -> None:
        super().__init__(name="heartbeat", daemon=True)
        self.stopped = threading.Event()
        self.stalled: str | None = None
        self._watched = threading.get_ident()  # (Thread has an _ident of its own)
        # Open all the time: to open it often is slow itself, and holds locks of the kernel.
        try:
            self._schedstat = os.open(
                f"/proc/self/task/{threading.get_native_id()}/schedstat", os.O_RDONLY
            )
        except FileNotFoundError:  # the kernel doesn't count it
            self._schedstat = -1

    def end(self) -> None:
        self.stopped.set()
        self.join()
        if self._schedstat >= 0:
            os.close(self._schedstat)

    def run(self) -> None:
        while not self.stopped.wait(0.1) and self.stalled is None:
            for loop in _loops:
                self._beat(loop)

    def _waited_for_processor(self) -> float:
        """Return for how long the thread has been ready without getting one, in seconds."""
        if self._schedstat < 0:
            return 0
        return int(os.pread(self._schedstat, 100, 0).split()[1]) / 1e9

    def _beat(self, loop: asyncio.AbstractEventLoop) -> None:
        answered = threading.Event()
        stood, waited, looked = 0.0, self._waited_for_processor(), time.monotonic()
        try:
            loop.call_soon_threadsafe(answered.set)
        except RuntimeError:
            return  # closed
        while not answered.wait(LOOK):
            if self.stopped.is_set() or not loop.is_running():
                return
            before, looked = looked, time.monotonic()
            stood += min(looked - before, 2 * LOOK)
            frame = sys._current_frames().get(self._watched)
            if _is_of_a_test(frame):
                stood, waited = 0.0, self._waited_for_processor()
            delay = self._waited_for_processor() - waited
            if stood - delay > STALL:
                self.stalled = "".join(traceback.format_stack(frame)[-6:])
                return


@pytest.fixture(autouse=True)
def loop_runs(request: pytest.FixtureRequest, nothing_left: None) -> Iterator[None]:
    """Fail if a callback holds up the loop for long."""
    if (
        request.node.get_closest_marker("asyncio") is None
        or request.node.get_closest_marker("blocks_loop") is not None
    ):
        yield
        return
    heartbeat = _Heartbeat()
    heartbeat.start()
    yield
    heartbeat.end()
    if heartbeat.stalled is not None:
        pytest.fail(f"the loop stood still for {STALL} s:\n{heartbeat.stalled}", pytrace=False)


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)
