"""examples.tail against tail(1), and what it makes of rotation, truncation and new files."""

import asyncio
import itertools
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from examples.tail import Tail

from .support import ROOT, until

CONTENTS = {
    "empty": b"",
    "newline": b"\n",
    "one": b"one line\n",
    "unfinished": b"a\nb\nc",
    "many": b"".join(b"line %d\n" % n for n in range(50_000)),
    "long": b"x" * 200_000 + b"\n" + b"y" * 100_000,
    "cr": b"a\r\nb\r\rc\nd\n",
}
OPTIONS = [
    *([], ["-n", "3"], ["-n", "0"], ["-n", "1"], ["-n", "20000"], ["-n", "+1"], ["-n", "+3"]),
    *(["-n", "+49999"], ["-c", "5"], ["-c", "0"], ["-c", "150000"], ["-c", "+1"], ["-c", "+4"]),
    *(["-n", "+0"], ["-c", "+0"], ["-v"], ["-n", "-2"], ["-c", "+900000"], ["-n", "+900000"]),
]


@pytest.fixture
def files(tmp_path: Path) -> Path:
    for name, content in CONTENTS.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "examples.tail", *arguments]


@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
def test_as_tail(files: Path, options: list[str]) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}

    def both(*names: str, stdin: bytes | None = None) -> None:
        theirs, ours = (
            subprocess.run(
                [*program, *options, *names],
                cwd=files,
                env=environment,
                input=stdin,
                stdin=subprocess.DEVNULL if stdin is None else None,
                capture_output=True,
                check=False,
            )
            for program in (["tail"], command())
        )
        assert ours.stdout == theirs.stdout, names
        assert ours.returncode == theirs.returncode
        assert ours.stderr.decode().splitlines()[:1] == [
            re.sub("[\u2018\u2019]", "'", line) for line in theirs.stderr.decode().splitlines()[:1]
        ]

    both(*CONTENTS, "missing")
    both("-q", "one", "unfinished")
    both("many")
    both(stdin=CONTENTS["many"])
    both("-", stdin=CONTENTS["cr"])
    both(stdin=b"")


def test_directories_and_wrong_counts(files: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    wrong = [["-n", count, "one"] for count in ("x", "+", "\N{ARABIC-INDIC DIGIT THREE}")]
    for arguments, code in ((["."], 1), *((options, 2) for options in wrong)):
        done = subprocess.run(
            command(*arguments), cwd=files, env=environment, capture_output=True, check=False
        )
        assert done.returncode == code
        assert done.stderr


def test_a_reader_that_leaves(files: Path) -> None:
    process = subprocess.Popen(
        command("-n", "+1", "many"),
        cwd=files,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.read(10)
    process.stdout.close()
    errors = process.stderr.read()
    process.stderr.close()
    assert (process.wait(), errors) == (1, b"")


class Following:
    """A Tail that runs beside the test."""

    def __init__(self, *names: Path, follow: str, headers: bool = False) -> None:
        self.output = bytearray()
        self.warnings: list[str] = []
        tail = Tail(follow=follow, headers=headers, write=self._write, warn=self.warnings.append)
        self.task = asyncio.create_task(tail.run(list(map(str, names))))

    async def _write(self, data: bytes) -> None:
        self.output += data

    async def shows(self, output: bytes) -> None:
        """Return when this was shown, and nothing else."""
        await until(lambda: self.task.done() or len(self.output) >= len(output))
        assert bytes(self.output) == output
        self.output.clear()

    async def warned(self, warning: str) -> None:
        await until(lambda: self.task.done() or self.warnings)
        assert self.warnings.pop(0).endswith(warning)

    async def stop(self) -> None:
        self.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await self.task
        assert not self.output
        assert not self.warnings


def append(path: Path, data: bytes) -> None:
    with path.open("ab", buffering=0) as file:
        file.write(data)


@pytest.fixture(params=["descriptor", "name"])
def follow(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "log"
    path.write_bytes(b"".join(b"%d\n" % n for n in range(20)))
    return path


async def test_what_is_added(log: Path, follow: str) -> None:
    tail = Following(log, follow=follow)
    await tail.shows(b"".join(b"%d\n" % n for n in range(10, 20)))
    for n in range(5):
        append(log, b"more %d" % n)
        await tail.shows(b"more %d" % n)
    append(log, b"x" * 500_000)
    await tail.shows(b"x" * 500_000)
    await tail.stop()


async def test_truncated(log: Path, follow: str) -> None:
    tail = Following(log, follow=follow)
    await tail.shows(b"".join(b"%d\n" % n for n in range(10, 20)))
    os.truncate(log, 0)
    await tail.warned("log: file truncated")
    append(log, b"new\n")
    await tail.shows(b"new\n")
    await tail.stop()


async def test_rotated_by_name(log: Path, tmp_path: Path) -> None:
    tail = Following(log, follow="name")
    await tail.shows(b"".join(b"%d\n" % n for n in range(10, 20)))
    for n in range(3):
        log.rename(tmp_path / f"log.{n}")
        await tail.warned("has become inaccessible: No such file or directory")
        append(tmp_path / f"log.{n}", b"late\n")  # by who has it open still
        await tail.shows(b"late\n")
        append(log, b"new %d\n" % n)
        await tail.warned("has appeared;  following new file")
        await tail.shows(b"new %d\n" % n)
    (tmp_path / "next").write_bytes(b"replaced\n")
    os.replace(tmp_path / "next", log)
    await tail.warned("has been replaced;  following new file")
    await tail.shows(b"replaced\n")
    await tail.stop()


async def test_renamed_and_followed_by_descriptor(log: Path, tmp_path: Path) -> None:
    tail = Following(log, follow="descriptor")
    await tail.shows(b"".join(b"%d\n" % n for n in range(10, 20)))
    (tmp_path / "elsewhere").mkdir()
    log.rename(tmp_path / "elsewhere" / "renamed")
    log.write_bytes(b"another file\n")
    append(tmp_path / "elsewhere" / "renamed", b"more\n")
    await tail.shows(b"more\n")
    (tmp_path / "elsewhere" / "renamed").unlink()
    await tail.stop()


async def test_files_that_are_not_there_yet(tmp_path: Path) -> None:
    names = [tmp_path / "a", tmp_path / "no" / "directory" / "b", tmp_path / "c"]
    names[2].write_bytes(b"c\n")
    tail = Following(*names, follow="name", headers=True)
    header = b"==> " + bytes(names[2]) + b" <==\n"
    await tail.shows(header + b"c\n")
    for _ in names[:2]:
        await tail.warned("for reading: No such file or directory")
    names[0].write_bytes(b"a\n")
    await tail.warned("has appeared;  following new file")
    await tail.shows(b"\n==> " + bytes(names[0]) + b" <==\na\n")
    names[1].parent.mkdir(parents=True)
    names[1].write_bytes(b"b\n")
    await tail.warned("has appeared;  following new file")
    await tail.shows(b"\n==> " + bytes(names[1]) + b" <==\nb\n")
    append(names[2], b"d\n")
    await tail.shows(b"\n" + header + b"d\n")
    await tail.stop()


async def test_a_link_that_is_moved_on(tmp_path: Path) -> None:
    for n in range(2):
        (tmp_path / str(n)).mkdir()
        (tmp_path / str(n) / "log").write_bytes(b"%d\n" % n)
    (tmp_path / "current").symlink_to("0/log")
    tail = Following(tmp_path / "current", follow="name")
    await tail.shows(b"0\n")
    (tmp_path / "new").symlink_to("1/log")
    os.replace(tmp_path / "new", tmp_path / "current")
    await tail.warned("has been replaced;  following new file")
    await tail.shows(b"1\n")
    (tmp_path / "1" / "log").rename(tmp_path / "1" / "old")
    await tail.warned("has become inaccessible: No such file or directory")
    (tmp_path / "1" / "log").write_bytes(b"2\n")
    await tail.warned("has appeared;  following new file")
    await tail.shows(b"2\n")
    await tail.stop()


async def test_many_files(tmp_path: Path) -> None:
    names = [tmp_path / str(n) for n in range(200)]
    for name in names:
        name.touch()
    tail = Following(*names, follow="descriptor")
    await until(lambda: len(os.listdir("/proc/self/fd")) > 200)
    for name, n in zip(names, itertools.count(), strict=False):
        append(name, b"%03d\n" % n)
    await until(lambda: len(tail.output) == 800)
    assert sorted(tail.output.split()) == [b"%03d" % n for n in range(200)]
    tail.output.clear()
    await tail.stop()


async def test_nothing_to_follow(tmp_path: Path) -> None:
    tail = Following(tmp_path / "none", follow="descriptor")
    await tail.task
    assert tail.warnings[1:] == ["no files remaining"]


def test_the_command_follows(log: Path) -> None:
    process = subprocess.Popen(
        command("-n", "1", "-F", "log"),
        cwd=log.parent,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"19\n"
    append(log, b"more\n")
    assert process.stdout.readline() == b"more\n"
    process.send_signal(2)
    assert process.wait() == 130
    process.stdout.close()
