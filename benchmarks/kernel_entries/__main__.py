"""What the kernel module saves: kernel entries per file read, in a guest, as table and chart.

    python -m benchmarks.kernel_entries [--check] [KERNEL]

Builds kernel_entries.c, runs every participant at every depth in guests of kmod/vm with that kernel
(6.12), and writes results.md and results.svg beside this file. --check writes nothing, and fails
where the library on the module enters the kernel more often than LIMIT says.

The time of these guests counts their instructions (vm run --icount): so results don't depend on
what else the machine does. Entries are those of a guest with two processors. In one with a single
processor, the nanoseconds of a process are its instructions, the kernel's on its behalf included.
"""

import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PROGRAM = ROOT / "build" / "kernel_entries" / "kernel_entries"
PARTICIPANTS = ("plain", "threads", "kmod", "io_uring")
LOOPS = tuple((base, on) for on in ("threads", "kmod") for base in ("asyncio", "uvloop"))
DEPTHS = (1, 8, 32, 128)
COLOURS = {"plain": "#888888", "threads": "#d08700", "kmod": "#0a7d3c", "io_uring": "#2255bb"}

# The library on the module: entries per call, from this many calls in flight on.
LIMIT, LIMIT_FROM = 0.05, 32

Results = dict[tuple[str, int], dict[str, float]]


def build() -> None:
    PROGRAM.parent.mkdir(parents=True, exist_ok=True)
    command = [
        "gcc",
        "-std=c11",
        "-O2",
        "-static",
        "-pthread",
        "-I",
        "native/include",
        "-I",
        "native",
    ]
    sources = [HERE / "kernel_entries.c", *sorted((ROOT / "native").glob("*.c"))]
    subprocess.run([*command, "-o", PROGRAM, *sources], cwd=ROOT, check=True)


def run_guest(kernel: str, cpus: int, commands: list[str]) -> Results:
    program = str(ROOT / "kmod" / "vm" / "vm")
    options = ["--icount", "--cpus", str(cpus), "--timeout", "3000"]
    done = subprocess.run(
        [program, "run", *options, kernel, "; ".join(["set -e", *commands])],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {(line["participant"], line["depth"]): line for line in lines}


def programs(depths: tuple[int, ...]) -> list[str]:
    return [f"{PROGRAM} {name} {depth}" for depth in depths for name in PARTICIPANTS]


def loops(depths: tuple[int, ...], executors: tuple[str, ...]) -> list[str]:
    return [
        f"python -m benchmarks.kernel_entries.event_loop {base} {executor} {depth}"
        for depth in depths
        for base, executor in LOOPS
        if executor in executors
    ]


def check(kernel: str) -> int:
    depths = tuple(depth for depth in DEPTHS if depth >= LIMIT_FROM)
    results = run_guest(kernel, 2, loops(depths, ("kmod",)))
    for (name, depth), result in results.items():
        entries = result["entries_per_call"]
        verdict = "ok" if entries < LIMIT else "TOO MANY"
        print(f"{name}, {depth} in flight: {entries:.4f} entries per call: {verdict}")
    return int(any(result["entries_per_call"] >= LIMIT for result in results.values()))


def table(entries: Results, instructions: Results, kernel: str) -> str:
    head = ["| calls in flight | " + " | ".join(map(str, DEPTHS)) + " |", "| --- " * 5 + "|"]

    def rows(results: Results, names: tuple[str, ...], field: str, form: str) -> list[str]:
        return head + [
            f"| {name} | "
            + " | ".join(format(results[name, depth][field], form) for depth in DEPTHS)
            + " |"
            for name in names
        ]

    by_loop = tuple(f"{base} on {executor}" for base, executor in LOOPS)
    lines = [
        "<!-- Made by python -m benchmarks.kernel_entries -->",
        "# Kernel entries per 4 KiB pread of a cached file",
        "",
        f"In a guest with Linux {kernel} and two processors, by raw_syscalls:sys_enter, over all",
        "threads of the process.",
        "",
        "![chart](results.svg)",
        "",
        "## The library, fast path off: all that the process asks of the kernel, the loop included",
        "",
        *rows(entries, by_loop, "entries_per_call", ".4f"),
        "",
        "## A C program that does nothing with what it reads, and so waits most of the time",
        "",
        *rows(entries, PARTICIPANTS, "entries_per_call", ".4f"),
        "",
        "## Instructions per call of the C program, the kernel's included, on one processor",
        "",
        *rows(instructions, PARTICIPANTS, "nanoseconds_per_call", ".0f"),
    ]
    return "\n".join(lines) + "\n"


def chart(results: Results) -> str:
    """Bars of entries per call: a group for each depth, on a scale that ends at 2."""
    top = 2.0
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 320">',
        '<g font-family="sans-serif" font-size="12"><rect width="640" height="320" fill="white"/>',
        '<text x="20" y="20">kernel entries per call (bars are cut at 2)</text>',
    ]
    for i, depth in enumerate(DEPTHS):
        left = 30 + i * 150
        parts.append(f'<text x="{left + 50}" y="290">{depth} in flight</text>')
        for j, name in enumerate(PARTICIPANTS):
            value = results[name, depth]["entries_per_call"]
            height = min(value, top) / top * 220
            x, y = left + j * 32, 270 - height
            parts.append(
                f'<rect x="{x}" y="{y:.1f}" width="28" height="{height:.1f}" '
                f'fill="{COLOURS[name]}"/>'
                f'<text x="{x}" y="{y - 4:.1f}" font-size="10">{value:.2f}</text>'
            )
    for j, name in enumerate(PARTICIPANTS):
        parts.append(f'<text x="{30 + j * 90}" y="312" fill="{COLOURS[name]}">{name}</text>')
    return "\n".join([*parts, "</g></svg>"]) + "\n"


def main() -> int:
    arguments = sys.argv[1:]
    if arguments[:1] == ["--check"]:
        return check(arguments[1] if arguments[1:] else "6.12")
    kernel = arguments[0] if arguments else "6.12"
    build()
    entries = run_guest(kernel, 2, programs(DEPTHS) + loops(DEPTHS, ("threads", "kmod")))
    instructions = run_guest(kernel, 1, programs(DEPTHS))
    text = table(entries, instructions, kernel)
    (HERE / "results.md").write_text(text, encoding="utf-8")
    (HERE / "results.svg").write_text(chart(entries), encoding="utf-8")
    print(text)
    return 0


sys.exit(main())
