"""The process that one participant and one case get: `python -m benchmarks._worker REQUEST`.

The request and the answer are JSON. It imports nothing of other participants.
"""

import asyncio
import importlib
import inspect
import json
import math
import sys
from pathlib import Path
from typing import Any

from ._data import Data
from .cases import Bench, Case
from .participants import PARTICIPANTS, Participant, Unavailable, participant


def _case(module: str, name: str) -> Case:
    cases: list[Case] = importlib.import_module(module).CASES
    return next(case for case in cases if case.name == name)


async def _on_loop(case: Case, bench: Bench) -> None:
    await bench.participant.start()
    try:
        await case.run(bench)
    finally:
        await bench.participant.stop()


def _measure(request: dict[str, Any]) -> dict[str, Any]:
    case = _case(request["module"], request["case"])
    name, parameter = request["participant"], request["parameter"]
    bench = Bench(
        participant=participant(name) if name in PARTICIPANTS else Participant(),
        name=name,
        base=request["base"],
        parameter=parameter,
        operation=case.operation,
        work=0,
        data=Data(Path(request["directory"]), request["tree_files"], request["blocks"]),
        perf=request.get("perf"),
    )
    slow = case.operation in bench.participant.slow_at
    work = case.slow_work if slow else case.work
    bench.work = math.ceil(work / request["divisor"])
    if inspect.iscoroutinefunction(case.run):

        def factory() -> asyncio.AbstractEventLoop:
            options = case.options(parameter)
            return bench.participant.new_event_loop(bench.base, **options)

        with asyncio.Runner(loop_factory=factory) as runner:
            loop = type(runner.get_loop())
            if not any(cls.__module__.startswith(bench.base) for cls in loop.__mro__):
                raise RuntimeError(f"the loop is {loop}, not of {bench.base}")
            runner.run(_on_loop(case, bench))
    else:
        case.run(bench)
    return {"figures": bench.figures, "backend": bench.backend}


def main() -> None:
    try:
        answer = _measure(json.loads(sys.argv[1]))
    except Unavailable as reason:
        answer = {"unavailable": str(reason)}
    print(json.dumps(answer))


main()
