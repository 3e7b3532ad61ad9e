"""The files that are read: made once, below build/bench, and the same for every participant.

Random bytes, so that a read of the wrong block is noticed: each case adds up the last byte of every
block that it read, and compares the sum with what `last_bytes` says.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import random
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from .participants import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["BLOCK", "DIRECTORY_FILES", "Data"]

BLOCK = 4096
SMALL_FILES = 1000
DIRECTORY_FILES = 100
COPY_FILES = 1000
SERVED_SIZES = (4 << 10, 64 << 10, 1 << 20)


class Data:
    """The files below a directory.

    Attributes:
        tree_files: files of the large tree.
        large: path of a file of so many `blocks`.
        cached_blocks: how many of them the cached cases read.
    """

    def __init__(self, directory: Path, tree_files: int, blocks: int) -> None:
        self.directory = directory
        self.tree_files = tree_files
        self.blocks = blocks
        self.cached_blocks = blocks // 4
        self.large = str(directory / f"blocks-{blocks}")
        self.tree = str(directory / f"tree-{tree_files}")
        self.copied = str(directory / "copied")
        self.served = str(directory / "served")

    @property
    def small(self) -> list[str]:
        return [str(self.directory / "small" / f"{i:04}") for i in range(SMALL_FILES)]

    def directories(self) -> list[str]:
        """Return the directories of the large tree that hold files, DIRECTORY_FILES each."""
        count = self.tree_files // DIRECTORY_FILES
        return [f"{self.tree}/{i // 32:03}/{i % 32:02}" for i in range(count)]

    def text(self, lines: int) -> str:
        """Return the path of a text file with so many lines."""
        path = self.directory / f"lines-{lines}.txt"
        self._make(path, lambda path: path.write_text("".join(_lines(lines)), encoding="utf-8"))
        return str(path)

    def last_bytes(self) -> bytes:
        """Return the last byte of each block of the large file."""
        return Path(self.large + ".last_bytes").read_bytes()

    def prepare(self) -> None:
        """Make all that isn't there yet."""
        self.directory.mkdir(parents=True, exist_ok=True)
        self._make(Path(self.large), self._make_large)
        self._make(self.directory / "small", _make_small)
        self._make(Path(self.tree), self._make_tree)
        self._make(Path(self.copied), _make_copied)
        self._make(Path(self.served), _make_served)

    def scratch(self) -> Path:
        """Return a new empty directory; who asked for it removes it."""
        path = self.directory / f"scratch-{os.getpid()}"
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir()
        return path

    def _make(self, path: Path, make: Callable[[Path], object]) -> None:
        """Make a file or a tree under another name first: an interrupted one doesn't count."""
        if path.exists():
            return
        unfinished = path.with_name(path.name + ".unfinished")
        if unfinished.is_dir():
            shutil.rmtree(unfinished)
        make(unfinished)
        unfinished.rename(path)

    def _make_large(self, path: Path) -> None:
        last_bytes = bytearray()
        with path.open("wb") as file:
            for _ in range(self.blocks * BLOCK >> 20):
                data = os.urandom(1 << 20)
                last_bytes += data[BLOCK - 1 :: BLOCK]
                file.write(data)
            file.flush()
            os.fsync(file.fileno())  # pages that wait for the disk can't be dropped
        Path(self.large + ".last_bytes").write_bytes(last_bytes)

    def _make_tree(self, path: Path) -> None:
        for directory in self.directories():
            target = path / Path(directory).relative_to(self.tree)
            target.mkdir(parents=True)
            for i in range(DIRECTORY_FILES):
                (target / f"file-{i:02}").touch()

    def warm(self) -> None:
        """Bring the part of the large file that the cached cases read into the page cache."""
        with open(self.large, "rb", buffering=0) as file:
            buffer = bytearray(1 << 20)
            for _ in range(self.cached_blocks * BLOCK >> 20):
                file.readinto(buffer)

    def cool(self) -> None:
        """Drop the large file from the page cache, and make sure that it is gone.

        Raises:
            Unavailable: it isn't, as on tmpfs.
        """
        fd = os.open(self.large, os.O_RDWR | os.O_CLOEXEC)
        try:
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
            resident = resident_pages(fd, self.blocks * BLOCK)
        finally:
            os.close(fd)
        if resident > self.blocks // 1000:
            raise Unavailable(f"{resident} pages stay cached: these reads wouldn't be cold")


def resident_pages(fd: int, length: int) -> int:
    """Count the pages of a file in the page cache. `fd` is open for reading and writing."""
    with mmap.mmap(fd, length) as mapping:
        address = ctypes.c_char.from_buffer(mapping)
        pages = ctypes.create_string_buffer(length // mmap.PAGESIZE)
        libc = ctypes.CDLL(None, use_errno=True)
        pointer, size = ctypes.c_void_p(ctypes.addressof(address)), ctypes.c_size_t(length)
        failed = libc.mincore(pointer, size, pages)
        del address  # the mapping can't be closed while it is exported
    if failed:
        raise OSError(ctypes.get_errno(), "mincore")
    return sum(page & 1 for page in pages.raw)


def _lines(count: int) -> Iterable[str]:
    generator = random.Random(count)
    return ("x" * generator.randrange(20, 100) + "\n" for _ in range(count))


def _make_small(path: Path) -> None:
    path.mkdir()
    for i in range(SMALL_FILES):
        (path / f"{i:04}").write_bytes(os.urandom(BLOCK))


def _make_copied(path: Path) -> None:
    for i in range(COPY_FILES):
        directory = path / f"{i // 50:02}"
        directory.mkdir(parents=True, exist_ok=True)
        # Each hundredth is large, the others are small, as in trees of sources.
        (directory / f"{i % 50:02}").write_bytes(os.urandom(1 << 20 if i % 100 == 0 else BLOCK))


def _make_served(path: Path) -> None:
    path.mkdir()
    for size in SERVED_SIZES:
        (path / f"{size}.bin").write_bytes(os.urandom(size))
