"""Buffers for large files, used again rather than allocated for each piece.

A fresh 256 KiB allocation comes from mmap, and its page faults cost more than the copy into it.
"""

SIZE = 256 * 1024
_KEPT = 64


class Buffers:
    """A free list. Give back only a buffer that neither the kernel nor a transport still uses."""

    def __init__(self) -> None:
        self._free: list[memoryview] = []

    def take(self) -> memoryview:
        return self._free.pop() if self._free else memoryview(bytearray(SIZE))

    def give(self, buffer: memoryview) -> None:
        if len(self._free) < _KEPT:
            self._free.append(buffer)
