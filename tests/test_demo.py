"""The demo does what it says, and notices when the server doesn't."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from examples import demo

from .support import TIME_SCALE

ROOT = Path(__file__).resolve().parent.parent


def test_the_demo(tmp_path: Path) -> None:
    result = subprocess.run(
        [sys.executable, "-m", "examples.demo", "--files", "200", "--rounds", "2"],
        cwd=ROOT,
        env=os.environ | {"TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=50 * TIME_SCALE,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    assert not result.stderr
    assert "200 files with " in result.stdout
    assert "800 files were fetched, and none differs" in result.stdout
    assert re.search(r"executor +│ +\w+ │ asyncio\.to_thread │", result.stdout)
    assert re.search(r"requests/s +│ +[\d,]+ │ +[\d,]+ │", result.stdout)
    assert re.search(r"requests +│ +400 │ +400 │", result.stdout)
    calls = re.findall(r"(?:submitted|inline) +│ +([\d,]+) │ +│", result.stdout)
    assert len(calls) == 2
    # A small file takes one call.
    assert sum(int(count.replace(",", "")) for count in calls) >= 400
    assert "round" not in result.stdout.replace("rounds", "")  # no progress bar in a pipe
    assert list(tmp_path.iterdir()) == []


def test_the_tree_is_the_same_each_time(tmp_path: Path) -> None:
    first = demo.make_tree(tmp_path / "first", 50, seed=1)
    again = demo.make_tree(tmp_path / "again", 50, seed=1)
    other = demo.make_tree(tmp_path / "other", 50, seed=2)
    assert first == again
    assert first != other
    assert len({original.path for original in first[1]}) == 50
    assert {0, 1, 4096, 65536, 65537} <= {original.size for original in first[1]}
    for original in first[1]:
        path = os.path.join(os.fsencode(tmp_path / "first"), original.path)
        assert os.path.getsize(path) == original.size


def damaged_demo(monkeypatch: pytest.MonkeyPatch, damage: str) -> Result:
    make_tree = demo.make_tree

    def make_damaged_tree(root: Path, count: int, seed: int) -> tuple[bytes, list[demo.Original]]:
        text, originals = make_tree(root, count, seed)
        victim = max(originals, key=lambda original: original.size)
        path = os.path.join(os.fsencode(root), victim.path)
        if damage == "removed":
            os.unlink(path)
        elif damage == "cut":
            os.truncate(path, victim.size - 1)
        else:
            with open(path, "r+b") as file:
                file.seek(victim.size - 1)
                byte = file.read(1)[0]
                file.seek(victim.size - 1)
                file.write(bytes([byte ^ 1]))
        return text, originals

    monkeypatch.setattr(demo, "make_tree", make_damaged_tree)
    return CliRunner().invoke(demo.main, ["--files", "30", "--rounds", "1"])


@pytest.mark.parametrize("damage", ["removed", "cut", "one bit"])
def test_a_difference_is_an_error(monkeypatch: pytest.MonkeyPatch, damage: str) -> None:
    result = damaged_demo(monkeypatch, damage)
    assert result.exit_code == 1
    assert "2 of 60 were wrong" in result.output
    assert "none differs" not in result.output


def test_a_server_that_does_not_start_is_an_error() -> None:
    result = CliRunner().invoke(demo.main, ["--files", "5", "--executor", "nonsense"])
    assert result.exit_code == 1
    assert "nonsense" in result.output
