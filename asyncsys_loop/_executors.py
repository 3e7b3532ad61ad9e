"""Who can run the calls here, and why not: one probe for each executor, the best first."""

from __future__ import annotations

import os
from dataclasses import dataclass

from ._native import ffi, lib

__all__ = ["NAMES", "Executor", "choose", "probe"]

# The best first: this is the order in which "auto" tries them.
NAMES = ("kmod", "threads")


@dataclass(frozen=True, slots=True)
class Executor:
    """An executor, and whether it can be used here.

    Attributes:
        name: "kmod" or "threads".
        usable: whether a table can be served by it, in this process, now.
        reason: why it can't be used; or what speaks for it.
    """

    name: str
    usable: bool
    reason: str


def _try(name: str) -> str | None:
    """Make a small table, and return why that failed."""
    error = ffi.new("int *")
    table = lib.async_syscall_open(name.encode(), 1, 1, 1000, error)
    if table == ffi.NULL:
        return os.strerror(-error[0])
    lib.async_syscall_close(table)
    return None


def probe(name: str) -> Executor:
    """Tell whether an executor can be used here.

    Raises:
        ValueError: there is no executor of that name.
    """
    if name == "kmod":
        return Executor(name, False, "this build has no executor for the kernel module")
    if name == "threads":
        failed = _try(name)
        if failed is None:
            return Executor(name, True, "native threads of this process, syscall(2)")
        return Executor(name, False, f"no table: {failed}")
    raise ValueError(
        f"no executor is named {name!r}: choose from 'auto', " + ", ".join(map(repr, NAMES))
    )


def choose(name: str) -> str:
    """Return the name of a usable executor: the one asked for, or the best for "auto".

    Raises:
        ValueError: there is no executor of that name.
        RuntimeError: it can't be used here; the message says why.
    """
    if name == "threads":
        return name  # opening the table says all there is to say
    if name != "auto":
        executor = probe(name)
        if executor.usable:
            return name
        raise RuntimeError(
            f"the executor {name!r} can't be used here: {executor.reason}. "
            "executor='auto' takes the best that can"
        )
    reasons = []
    for candidate in map(probe, NAMES):
        if candidate.usable:
            return candidate.name
        reasons.append(f"{candidate.name}: {candidate.reason}")
    raise RuntimeError("no executor can be used here: " + "; ".join(reasons))
