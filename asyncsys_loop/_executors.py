"""Who can run the calls here, and why not: one probe for each executor, the best first."""

from __future__ import annotations

import errno
import logging
import os
from dataclasses import dataclass

from ._engine import DEFAULT_SLOTS
from ._native import ffi, lib

__all__ = ["NAMES", "Executor", "choose", "probe"]

# The best first: this is the order in which "auto" tries them.
NAMES = ("kmod", "threads")

KMOD_DEVICE = "/dev/async_syscall"
STATUS = "/proc/self/status"

_log = logging.getLogger("asyncsys_loop")


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


def _try(name: str, slots: int) -> int:
    """Make a table. Returns 0, or the errno of what failed."""
    error = ffi.new("int *")
    table = lib.async_syscall_open(name.encode(), slots, 1, 1000, error)
    if table == ffi.NULL:
        return -int(error[0])
    lib.async_syscall_close(table)
    return 0


def _watcher() -> str:
    """Tell who watches the system calls of this process, as far as /proc knows."""
    try:
        with open(STATUS, encoding="ascii", errors="replace") as file:
            status = dict(line.rstrip("\n").split(":\t", 1) for line in file)
    except (OSError, ValueError):
        status = {}
    if status.get("Seccomp", "0") != "0":
        return "this process runs under a seccomp filter, as in most containers"
    if status.get("TracerPid", "0") != "0":
        return f"process {status['TracerPid']} traces the system calls of this one"
    return "system calls of this process are audited, or dispatched to user space"


def _kmod_problem(slots: int) -> str | None:
    """Tell why the kernel module can't be used, and what to do about it; None if it can."""
    try:
        os.close(os.open(KMOD_DEVICE, os.O_RDWR | os.O_CLOEXEC))
    except FileNotFoundError:
        return f"there is no {KMOD_DEVICE}: the module isn't loaded (modprobe async_syscall)"
    except PermissionError:
        return (
            f"no permission to open {KMOD_DEVICE}: it is root's, and the group async_syscall's "
            "where its udev rule is installed"
        )
    except OSError as error:
        return f"{KMOD_DEVICE} can't be opened: {os.strerror(error.errno or 0)}"
    match _try("kmod", slots):
        case 0:
            return None
        case errno.EPERM:
            return f"the module doesn't serve watched processes: {_watcher()}"
        case errno.EPROTONOSUPPORT | errno.ENOTTY:
            return (
                "the loaded module has another ABI than this library, which has version "
                f"{lib.ASYNC_SYSCALL_ABI_VERSION}: install the two from the same release"
            )
        case errno.EINVAL:
            return f"the module's parameter max_slots allows no table of {slots} slots"
        case errno.EUSERS:
            return "this user has as many tables as the module's parameter max_tables allows"
        case code:
            return f"no table: {os.strerror(code)}"


def probe(name: str, slots: int = DEFAULT_SLOTS) -> Executor:
    """Tell whether an executor can be used here, for a table of that size.

    Raises:
        ValueError: there is no executor of that name.
    """
    if name == "kmod":
        problem = _kmod_problem(slots)
        return Executor(name, problem is None, problem or "the kernel module async_syscall")
    if name == "threads":
        failed = _try(name, slots)
        if failed == 0:
            return Executor(name, True, "native threads of this process, syscall(2)")
        return Executor(name, False, f"no table: {os.strerror(failed)}")
    raise ValueError(
        f"no executor is named {name!r}: choose from 'auto', " + ", ".join(map(repr, NAMES))
    )


def choose(name: str, slots: int = DEFAULT_SLOTS) -> str:
    """Return the name of a usable executor: the one asked for, or the best for "auto".

    Why a better one was not taken goes to the logger "asyncsys_loop", at level INFO.

    Raises:
        ValueError: there is no executor of that name.
        RuntimeError: it can't be used here; the message says why.
    """
    if name == "threads":
        return name  # opening the table says all there is to say
    if name != "auto":
        executor = probe(name, slots)
        if executor.usable:
            return name
        raise RuntimeError(
            f"the executor {name!r} can't be used here: {executor.reason}. "
            "executor='auto' takes the best that can"
        )
    reasons: list[str] = []
    for candidate in NAMES:
        found = probe(candidate, slots)
        if found.usable:
            if reasons:
                _log.info("the executor is %r, and not %s", found.name, "; ".join(reasons))
            return found.name
        reasons.append(f"{found.name!r}: {found.reason}")
    raise RuntimeError("no executor can be used here: " + "; ".join(reasons))
