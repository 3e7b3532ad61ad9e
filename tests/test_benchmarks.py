"""The benchmarks measure what they say: each case runs here with little work, and each check bites.

Only the participants that need no peer's library: these are installed for `make bench` alone.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from benchmarks import _page, _profile, _run, participants
from benchmarks._data import Data
from benchmarks._results import Key, Results, Row
from benchmarks._yardstick import PEERS, yardstick
from benchmarks.cases import MICROSECONDS, Case, Figure, all_cases
from benchmarks.participants import WrongBackend, offers

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[1]
TREE_FILES = 200
BLOCKS = 2048
DIVISOR = 1000

# These take seconds whatever the work, and the server's need nginx.
SLOW = {"idle", "import", "server", "in_flight"}
# Not every file system can do these.
FILE_SYSTEM = {"cold", "direct", "stall", "workers"}

CASES = {name: case for name, case in all_cases().items() if name not in SLOW}
PARTICIPANTS = ("nothing", "blocking", "to_thread", "asyncsys threads", "asyncsys threads, table")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    data = Data(tmp_path_factory.mktemp("benchmarks"), TREE_FILES, BLOCKS)
    data.prepare()
    return data


def ask(data: Data, case: Case, participant: str) -> subprocess.CompletedProcess[str]:
    request = _run.request(case, participant, "asyncio", case.parameters[-1], data, DIVISOR)
    command = [sys.executable, "-m", "benchmarks._worker", json.dumps(request)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def takes_part(case: Case, participant: str) -> bool:
    # `case.takes_part()` imports every peer.
    if case.participants:
        return participant in case.participants
    return offers(participant, case.operation)


@pytest.mark.parametrize("participant", PARTICIPANTS)
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_case(data: Data, case: Case, participant: str) -> None:
    if not takes_part(case, participant):
        return
    done = ask(data, case, participant)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    if "unavailable" in answer and case.name in FILE_SYSTEM:
        pytest.skip(f"{case.name}: {answer['unavailable']}")
    assert "unavailable" not in answer
    # Memory may not have grown at all.
    missing = [f.name for f in case.figures if not answer["figures"].get(f.name, 0) > 0]
    assert missing in ([], ["KiB per loop"])


def test_wrong_results_are_noticed(data: Data) -> None:
    case, path = CASES["pread"], Path(data.large)
    content = path.read_bytes()
    path.write_bytes(content[4096:] + content[:4096])
    try:
        done = ask(data, case, "blocking")
    finally:
        path.write_bytes(content)
    assert done.returncode == 1
    assert "Wrong: blocking" in done.stderr


@pytest.mark.parametrize("fast_path", [True, False])
def test_calls_that_others_make_are_noticed(data: Data, fast_path: bool) -> None:
    ours = participants.participant("asyncsys threads" if fast_path else "asyncsys threads, table")

    async def read() -> None:
        ours.begin()
        file = await ours.open(data.large, os.O_RDONLY)
        await ours.pread(file, 16, 0)
        os.pread(file, 16, 0)
        await ours.close(file)
        ours.backend("pread", 1, cached=False)
        with pytest.raises(WrongBackend, match="of 2 calls"):
            ours.backend("pread", 2, cached=False)

    with asyncio.Runner(loop_factory=lambda: ours.new_event_loop("asyncio")) as runner:
        runner.run(read())


@pytest.fixture
def results() -> Callable[..., Results]:
    def make(*figures: tuple[str, str, int, str, list[float]]) -> Results:
        found = Results(machine={}, settings={"quick": False})
        for case, participant, parameter, figure, values in figures:
            found.rows += [
                Row(case, "uvloop", participant, parameter, i, {figure: value}, {})
                for i, value in enumerate(values)
            ]
        return found

    return make


def test_yardstick(results: Callable[..., Results]) -> None:
    found = results(
        ("stat", "blocking", 1, "µs", [2.0, 2.2, 1.0]),
        ("stat", "asyncsys threads", 1, "µs", [3.0, 9.0, 3.0]),
        ("stat", "to_thread", 1, "µs", [30.0, 30.0, 30.0]),
    )
    lines = [row for row in yardstick(found).rows if row[0] == "stat"]
    assert [line[2:] for line in lines] == [["1.50 ×", "reached"], ["10.00 ×", "NOT REACHED"]]
    others = [row for row in yardstick(found).rows if row[0] != "stat"]
    assert all(row[2] == "-" and row[3].startswith("NOT MEASURED") for row in others)


def test_yardstick_names_the_best_peer(results: Callable[..., Results]) -> None:
    times = dict.fromkeys(PEERS, 9.0) | {"caio io_uring": 5.0, "asyncsys threads": 1.0}
    del times["aiofiles"], times["caio threads"]
    found = results(*[("pread", name, 1, "µs", [time]) for name, time in times.items()])
    (line,) = [row for row in yardstick(found).rows if row[1].endswith("the best peer")]
    assert line[2] == "5.00 × (caio io_uring)"
    assert line[3] == "reached; NOT MEASURED: aiofiles, caio threads"


def test_summary(results: Callable[..., Results]) -> None:
    found = results(("stall", "to_thread", 1, "worst ms", [1.0, 2.0, 7.0]))
    key = Key("stall", "uvloop", "to_thread", 1)
    median = found.summary(key, Figure("worst ms"))
    assert median is not None
    assert (median.value, median.spread) == (2.0, 1.5)
    worst = found.summary(key, Figure("worst ms", over_rounds="max"))
    assert worst is not None
    assert worst.value == 7.0
    assert found.summary(key, MICROSECONDS) is None


def test_publish(tmp_path: Path, results: Callable[..., Results]) -> None:
    page, found = tmp_path / "page.md", results(("import", "caio", 1, "ms", [9.0]))
    machine: dict[str, Any] = {"libraries": {"caio": "0.12"}, "programs": {}}
    names = ("processor", "processors", "memory GiB", "kernel", "python")
    found.machine = machine | dict.fromkeys(names, "?")
    found.settings["minutes"] = 1
    found.unmeasured["asyncsys kmod"] = {"pread": "no module", "stat": "no module"}
    page.write_text(f"before\n{_page.BEGIN}\nstale text\n{_page.END}\nafter\n")
    _page.publish(found, page)
    first = page.read_text()
    assert first.startswith("before\n")
    assert first.endswith("\nafter\n")
    assert "stale" not in first
    assert "**Not measured**: asyncsys kmod (pread, stat): no module" in first
    _page.publish(found, page)
    assert page.read_text() == first
    page.write_text("no marks")
    with pytest.raises(ValueError, match="marks"):
        _page.publish(found, page)


def test_results_round_trip(tmp_path: Path, results: Callable[..., Results]) -> None:
    found = results(("stat", "blocking", 1, "µs", [2.0]))
    found.write(tmp_path / "results.json")
    assert Results.read(tmp_path / "results.json") == found
    (tmp_path / "results.json").write_text("{}")
    with pytest.raises(ValueError, match="run it again"):
        Results.read(tmp_path / "results.json")


def test_profile_tells_who_had_the_processor() -> None:
    report = """
# Overhead;Shared Object;Symbol
    40.00%;[kernel.kallsyms]     ;[k] filemap_read
    20.00%;libpython3.11.so.1.0  ;[.] _PyEval_EvalFrameDefault
    10.00%;libpython3.11.so.1.0  ;[.] gc_collect_main
     5.00%;_asyncsys_loop.abi3.so;[.] operation_call
     5.00%;libc.so.6             ;[.] malloc
    10.00%;loop.cpython-311-x86_64-linux-gnu.so;[.] __pyx_f_6uvloop_4loop_6Handle__run
    10.00%;python3.12;[.] visit_decref
"""
    assert _profile._shares(report) == {
        "kernel": 40,
        "interpreter": 20,
        "garbage collector": 20,
        "this library, in C": 5,
        "libc, others": 5,
        "event loop: uvloop, _asyncio": 10,
    }


@pytest.mark.skipif(not shutil.which("perf"), reason="NOT TESTED: a profile: there is no perf(1)")
def test_profile(data: Data, tmp_path: Path) -> None:
    table = _profile.profile(CASES["pread"], "blocking", 1, "asyncio", data, tmp_path)
    assert {"kernel", "interpreter"} <= {row[0] for row in table.rows}
    assert 90 <= sum(int(row[1].split()[0]) for row in table.rows) <= 103


@pytest.mark.parametrize(("others", "turns"), [([0.0], 1), ([0.5, 0.0], 2), ([0.5, 0.5], 2)])
def test_disturbed_turn_is_taken_again(
    monkeypatch: pytest.MonkeyPatch, others: list[float], turns: int, data: Data
) -> None:
    asked: list[object] = []
    answers = iter(others)

    def ask(request: object) -> dict[str, Any]:
        asked.append(request)
        return {"figures": {"µs": len(asked)}, "backend": {}}

    monkeypatch.setattr(_run, "ask", ask)
    monkeypatch.setattr(_run, "_others", lambda *_: next(answers))
    selection = _run.Selection([CASES["pread"]], frozenset(), frozenset(), 1, False, True)
    results = Results(machine={}, settings={})
    row = Row("pread", "uvloop", "blocking", 1, 0, {}, {})
    _run._turn(results, selection, data, row, CASES["pread"])
    assert len(asked) == turns
    assert (row.others, row.figures) == (others[-1], {"µs": turns})
