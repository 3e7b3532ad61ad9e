"""What the kernel module saves: kernel entries per file read, in a guest, as table and chart.

    python -m benchmarks.kernel_entries [KERNEL]

Builds kernel_entries.c, runs every participant at every depth in a guest of kmod/vm with that
kernel (6.12), and writes results.md and results.svg beside this file. The figures of processor time
come from a guest, where they say little; the entries are counted, and are what they are.
"""

import json
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PROGRAM = ROOT / "build" / "kernel_entries" / "kernel_entries"
PARTICIPANTS = ("plain", "threads", "kmod", "io_uring")
DEPTHS = (1, 8, 32, 128)
COLOURS = {"plain": "#888888", "threads": "#d08700", "kmod": "#0a7d3c", "io_uring": "#2255bb"}

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


def measure(kernel: str) -> Results:
    runs = "; ".join(f"{PROGRAM} {name} {depth}" for depth in DEPTHS for name in PARTICIPANTS)
    guest = [str(ROOT / "kmod" / "vm" / "vm"), "run", kernel, f"set -e; uname -r >&2; {runs}"]
    done = subprocess.run(guest, stdout=subprocess.PIPE, text=True, check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return {(line["participant"], line["depth"]): line for line in lines}


def table(results: Results, kernel: str) -> str:
    def row(name: str, field: str, form: str) -> str:
        cells = " | ".join(format(results[name, depth][field], form) for depth in DEPTHS)
        return f"| {name} | {cells} |"

    head = ["| calls in flight | " + " | ".join(map(str, DEPTHS)) + " |", "| --- " * 5 + "|"]
    lines = [
        "<!-- Made by python -m benchmarks.kernel_entries -->",
        f"# Kernel entries per 4 KiB pread of a cached file (guest, Linux {kernel})",
        "",
        "Counted by raw_syscalls:sys_enter over all threads of the process; ![chart](results.svg)",
        "",
        *head,
        *(row(name, "entries_per_call", ".4f") for name in PARTICIPANTS),
        "",
        "## Processor time per call, µs (all threads; in a guest: only ratios mean something)",
        "",
        *head,
        *(row(name, "processor_microseconds_per_call", ".1f") for name in PARTICIPANTS),
        "",
        "## Instructions per call",
        "",
    ]
    if any(result["instructions_per_call"] for result in results.values()):
        lines += [*head, *(row(name, "instructions_per_call", ".0f") for name in PARTICIPANTS)]
    else:
        lines.append("This guest's processor doesn't count them (no hardware virtualisation).")
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


def main() -> None:
    kernel = sys.argv[1] if len(sys.argv) > 1 else "6.12"
    build()
    results = measure(kernel)
    (HERE / "results.md").write_text(table(results, kernel), encoding="utf-8")
    (HERE / "results.svg").write_text(chart(results), encoding="utf-8")
    print(table(results, kernel))


main()
