"""examples.du against du(1)."""

import asyncio
import os
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from examples.du import Du, Entry, human

from .support import ROOT, TIME_SCALE
from .trees import make


def run(*command: Any, cwd: Path) -> tuple[int, list[bytes], list[bytes]]:
    done = subprocess.run(
        list(map(os.fspath, command)),
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"},
        capture_output=True,
        timeout=50 * TIME_SCALE,
        check=False,
    )
    return done.returncode, sorted(done.stdout.splitlines()), sorted(done.stderr.splitlines())


def version() -> tuple[int, ...]:
    output = subprocess.run(["du", "--version"], capture_output=True, text=True, check=True).stdout
    match = re.search(r"coreutils\) (\d+)\.(\d+)", output)
    if match is None:
        pytest.skip("no GNU du: there is nothing to compare with")
    return int(match[1]), int(match[2])


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("du") / "t"
    chance = random.Random(3)
    directories = {
        f"d{n}": {
            f"e{m}": {f"f{k}": chance.randbytes(chance.randrange(9000)) for k in range(9)}
            for m in range(6)
        }
        for n in range(8)
    }
    make(root, {**directories, "file": b"x" * 100_000, "link": "d0", "é \n": {"a": b"1"}})
    os.truncate(root / "file", 5_000_000)
    for number in range(3):  # in one directory, so that it doesn't matter which is counted
        os.link(root / "d0" / "e0" / "f0", root / "d0" / "e0" / f"hard{number}")
    os.mkfifo(root / "d1" / "fifo")
    return root


OPTIONS = [
    *([], ["-s"], ["-a"], ["-c"], ["-h"], ["-sh"], ["-ah"], ["-d", "1"], ["-d", "0"], ["-l"]),
    *(["-x"], ["-al"], ["-ac"]),
]


@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
@pytest.mark.parametrize(
    "paths", [[], ["t"], ["t/d0", "t/d1"], ["t/d0", "t", "t/d0"], ["t/file", "t/link"]], ids=str
)
def test_as_du(tree: Path, options: list[str], paths: list[str]) -> None:
    version()
    theirs = run("du", *options, *paths, cwd=tree.parent)
    ours = run(sys.executable, "-m", "examples.du", *options, *paths, cwd=tree.parent)
    if ours != theirs:  # a file that is just written to the disk may take other blocks meanwhile
        theirs = run("du", *options, *paths, cwd=tree.parent)
        ours = run(sys.executable, "-m", "examples.du", *options, *paths, cwd=tree.parent)
    assert ours == theirs


@pytest.mark.parametrize("options", [["--apparent-size"], ["-b"], ["-ab"], ["-bs"]], ids=" ".join)
def test_apparent_sizes(tree: Path, options: list[str]) -> None:
    ours = run(sys.executable, "-m", "examples.du", *options, "t", cwd=tree.parent)
    if version() < (9, 2):
        assert ours == run("du", *options, "t", cwd=tree.parent)
    # Newer ones count no directories.
    sizes = {path.lstat().st_ino: path.lstat().st_size for path in (tree, *tree.rglob("*"))}
    size = sum(sizes.values())
    expected = -(-size // 1024) if options == ["--apparent-size"] else size
    assert b"%d\tt" % expected in ours[1]


def test_the_order_is_that_of_du(tree: Path) -> None:
    command = [sys.executable, "-m", "examples.du", "-a", "t"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    output = subprocess.run(
        command, cwd=tree.parent, env=environment, capture_output=True, check=True
    )
    paths = [line.split(b"\t", 1)[1] for line in output.stdout.split(b"\n") if b"\t" in line]
    for number, path in enumerate(paths):
        assert all(not later.startswith(path + b"/") for later in paths[number:])


def test_what_cannot_be_read(tree: Path) -> None:
    for paths in (["missing"], ["missing", "t/file"]):
        theirs = run("du", *paths, cwd=tree.parent)
        assert run(sys.executable, "-m", "examples.du", *paths, cwd=tree.parent) == theirs


def test_errors_come_in_the_order_of_the_arguments(tree: Path) -> None:
    paths = ["missing", "t/d0", "nothing", "t/d1", "t/d1/missing"]
    shown = [
        subprocess.run(
            [*command, "-sc", *paths],
            cwd=tree.parent,
            env=os.environ | {"PYTHONPATH": str(ROOT), "LC_ALL": "C.UTF-8"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=50 * TIME_SCALE,
            check=False,
        ).stdout
        for command in (["du"], [sys.executable, "-m", "examples.du"])
    ]
    assert shown[1] == shown[0]


def test_wrong_options(tree: Path) -> None:
    for options in (["--nope"], ["-d", "x"], ["-sa"], ["-j", "0"], ["-j", "100000000"]):
        assert run(sys.executable, "-m", "examples.du", *options, cwd=tree)[0] == 2


@given(size=st.integers(min_value=0, max_value=2**70))
@example(size=1023 * 1024)
@example(size=1023 * 1024 + 1)
@example(size=9 * 1024 + 922)
@example(size=2**20 - 1)
def test_human(size: int) -> None:
    text = human(size)
    if size < 1024:
        assert text == str(size)
        return
    unit = 1024 ** ("KMGTPEZY".index(text[-1]) + 1)
    shown = float(text[:-1])
    assert len(text) <= 5 or text[-1] == "Y"
    assert shown * unit >= size * (1 - 1e-9)
    assert (shown - (0.1 if "." in text else 1)) * unit < size * (1 + 1e-9)


@pytest.mark.parametrize(
    "size", [1024, 1025, 1126, 1127, 10239, 10240, 10241, 1023 * 1024, 1023 * 1024 + 1, 2**20 + 1]
)
def test_human_as_numfmt(size: int) -> None:
    theirs = subprocess.run(
        ["numfmt", "--to=iec", "--round=up", str(size)], capture_output=True, text=True, check=True
    )
    assert human(size) == theirs.stdout.strip()


async def test_cancelled(tmp_path: Path) -> None:
    async def unexpected(root: Entry) -> None:
        pytest.fail(f"{root.path} is complete")

    make(tmp_path / "t", {str(n): {str(m): b"" for m in range(20)} for n in range(50)})
    for directories in (0, 1, 10):
        du = Du(done=unexpected, failed=pytest.fail)
        task = asyncio.create_task(du.run([str(tmp_path / "t")]))
        while len(du._open) < directories:
            await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not du._open
