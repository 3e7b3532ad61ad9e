"""What every test is held to is itself tested: each of these tests must fail, and does."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from .support import ROOT, TIME_SCALE

# All that happens in the first one's fixture.
pytestmark = pytest.mark.timeout(180 * TIME_SCALE)

TESTS = """
import asyncio
import os
import threading
import time

import pytest

import asyncsys_loop
from asyncsys_loop import stats, syscall

# Not in a test's own code, nor called by it alone: the library's.
exec(
    compile(
        "def hold_up(thread):\\n    thread.join(30)",
        os.path.join(os.path.dirname(asyncsys_loop.__file__), "imaginary.py"),
        "exec",
    )
)


async def test_good():
    assert await syscall("getppid") == os.getppid()
    await asyncio.sleep(0.3)


async def test_blocks_the_loop():
    # Until it is noticed.
    (heartbeat,) = (thread for thread in threading.enumerate() if thread.name == "heartbeat")
    hold_up(heartbeat)


async def test_is_slow_itself():
    time.sleep(1.5)


async def test_is_slow_in_what_it_calls():
    threading.Event().wait(1.5)


@pytest.mark.blocks_loop("it is meant to")
async def test_may_block_the_loop():
    threading.Event().wait(1.5)


def test_without_loop_may_block():
    time.sleep(1.5)


async def test_leaves_a_descriptor():
    os.pipe()


def test_closes_what_is_not_its_own():
    os.close(SPARE)


SPARE = os.open("/dev/null", os.O_RDONLY)
calls = []


async def test_leaves_a_call():
    call = syscall("nanosleep", bytes(8) + bytes([0, 0, 0, 9] + [0] * 4), None)
    call.send(None)
    calls.append(call)


@pytest.mark.leaves_calls("it is meant to")
async def test_may_leave_a_call():
    call = syscall("nanosleep", bytes(8) + bytes([0, 0, 0, 9] + [0] * 4), None)
    call.send(None)
    calls.append(call)


def test_leaves_threads():
    import asyncsys_loop

    async def start():
        # An exec thread that is in a call doesn't leave because it is idle.
        call = loop.syscall("nanosleep", bytes([99] + [0] * 15), None)
        call.send(None)
        calls.append(call)
        await loop.syscall("getppid")

    loop = asyncsys_loop.new_event_loop()
    loop.run_until_complete(start())
    calls.append(loop)


def test_closes_the_loop_with_the_threads():
    calls.pop().close()
    for call in calls:
        call.close()


@pytest.mark.loop(slots=8, max_workers=2)
async def test_options():
    assert (stats().slots, stats().max_workers) == (8, 2)


@pytest.mark.parametrize(
    "slots", [pytest.param(n, marks=pytest.mark.loop(slots=n)) for n in (2, 4)]
)
async def test_options_of_parameters(slots):
    assert stats().slots == slots


async def test_warns():
    import warnings

    warnings.warn("an error")


async def test_never_awaits():
    syscall("getppid")


@pytest.mark.timeout(1)
async def test_hangs():
    await asyncio.sleep(100)
"""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The outcome of each test, and the output of all of them."""
    directory = tmp_path_factory.mktemp("suite")
    package = directory / "tests"
    package.mkdir()
    for name in ("__init__.py", "conftest.py", "support.py"):
        (package / name).write_bytes((ROOT / "tests" / name).read_bytes())
    (package / "test_these.py").write_text(TESTS)
    (directory / "pyproject.toml").write_bytes((ROOT / "pyproject.toml").read_bytes())
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-v", "--no-header", "-rA", f"--rootdir={directory}"],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(ROOT), "ASYNCSYS_TIME_SCALE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    found = {"output": done.stdout + done.stderr}
    for line in done.stdout.splitlines():
        outcome, _, rest = line.partition(" ")
        if outcome in {"PASSED", "FAILED", "ERROR"} and "::" in rest:
            name = rest.split("::")[1].split(" ")[0]
            found[name] = f"{found[name]} {outcome}" if name in found else outcome
    return found


@pytest.mark.parametrize(
    "name",
    [
        *("test_good", "test_may_block_the_loop", "test_without_loop_may_block", "test_options"),
        *("test_may_leave_a_call", "test_is_slow_itself", "test_options_of_parameters[2]"),
        *("test_options_of_parameters[4]", "test_is_slow_in_what_it_calls"),
    ],
)
def test_passes(name: str, outcomes: dict[str, str]) -> None:
    assert outcomes[name] == "PASSED", outcomes["output"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("test_blocks_the_loop", "the loop stood still for 1.0 s"),
        ("test_blocks_the_loop", "in hold_up"),
        ("test_leaves_a_descriptor", "the test left behind: descriptor"),
        ("test_closes_what_is_not_its_own", "was closed: /dev/null"),
        (
            "test_leaves_a_call",
            "the test left behind: 1 calls in flight, 1 calls that keep buffers",
        ),
        ("test_leaves_threads", "thread asyncsys-exec0"),
        ("test_warns", "UserWarning: an error"),
        ("test_never_awaits", "was never awaited"),
        ("test_hangs", "Timeout"),
    ],
)
def test_fails(name: str, message: str, outcomes: dict[str, str]) -> None:
    assert outcomes[name] in {"FAILED", "PASSED ERROR", "ERROR PASSED"}, outcomes["output"]
    assert message in outcomes["output"]


def test_nothing_of_this_machine_is_needed(tmp_path: Path) -> None:
    """The suite can be started from a copy of the checkout, wherever that is."""
    assert not any(str(ROOT) in path.read_text() for path in (ROOT / "tests").glob("*.py"))
