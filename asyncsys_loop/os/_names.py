"""Names in directories: how they are given, changed and taken away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asyncsys_loop._operation import operation

if TYPE_CHECKING:
    from asyncsys_loop._types import StrOrBytesPath

_unlink = operation("unlinkat", "dir_fd path 0", function="unlink", audit="os.remove 1 0")
_remove = operation("unlinkat", "dir_fd path 0", function="remove", audit="os.remove 1 0")
_rename = operation(
    "renameat2",
    "dir_fd path:src dir_fd path:dst 0",
    function="rename",
    audit="os.rename 1 3 0 2",
)


async def unlink(path: StrOrBytesPath, *, dir_fd: int | None = None) -> None:
    """Remove a file. unlink(2), os.unlink()."""
    await _unlink(dir_fd, path)


async def remove(path: StrOrBytesPath, *, dir_fd: int | None = None) -> None:
    """Remove a file: the same as unlink(). os.remove()."""
    await _remove(dir_fd, path)


async def rename(
    src: StrOrBytesPath,
    dst: StrOrBytesPath,
    *,
    src_dir_fd: int | None = None,
    dst_dir_fd: int | None = None,
) -> None:
    """Rename a file; what was at `dst` is replaced. rename(2), os.rename()."""
    await _rename(src_dir_fd, src, dst_dir_fd, dst)
