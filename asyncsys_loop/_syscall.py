"""`syscall()`: any system call, with arguments from Python checked against the table of calls."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from ._attach import running_engine
from ._convert import address, os_error, path_bytes, readable, writable
from ._engine import close_descriptor
from ._native import ffi
from ._syscalls import resolve

if TYPE_CHECKING:
    from collections.abc import Callable

    from ._syscalls import Argument, SyscallDescription

__all__ = ["syscall"]

_MUST_RUN: Final = frozenset({"close", "close_range"})


async def syscall(number: int | str, /, *args: Any) -> int:
    """Run any system call in the table of the running loop, and return its result. syscall(2)

    Args:
        number: a member of SYS, a name as in <asm/unistd.h> ("getdents64"), or a number.
        *args: the call's arguments, as docs/syscalls.md lists them. An int from -2**63 to 2**64 - 1
            for a number; a contiguous buffer for memory, a writable one where the kernel writes to
            it, and at least as long as the call says; str, bytes or PathLike for a path; None for a
            NULL pointer. An int for a pointer is an address, and the caller's responsibility.

    Returns:
        What the kernel returns, 0 or more.

    Raises:
        OSError: the call failed: the subclass for its errno, with `filename` (and `filename2`)
            where a path was given.
        ValueError, TypeError: there is no such call; too many or too few arguments; an argument of
            a wrong type; a read-only buffer where the kernel writes; a buffer that is too short.
        RuntimeError: the call makes no sense on an exec thread (fork, execve, setuid ...): the
            message says what to use instead. Or no loop is running here.
        asyncio.CancelledError: when the call has settled. One that nobody has claimed never runs,
            one that blocks is interrupted, and a descriptor that it returned is closed. If it had
            ended otherwise, the exception has what it returned as its `result`.
    """
    description = resolve(number)
    if description.refusal is not None:
        raise RuntimeError(description.refusal)
    if not description.required <= len(args) <= len(description.arguments):
        raise TypeError(_wrong_count(description, len(args)))
    values: list[int] = []
    keep: list[Any] = []
    paths: list[Any] = []
    for position, (argument, value) in enumerate(zip(description.arguments, args, strict=False)):
        if type(value) is int and argument.kind == "int":
            values.append(_word(value, description, position))
        else:
            values.append(_pointer(description, argument, position, value, args, keep, paths))
    result: int = await running_engine().run(
        description.number,
        values,
        keep,
        _discard(description, values),
        description.name in _MUST_RUN,
    )
    if result < 0:
        raise os_error(result, *paths[:2])
    return result


def _wrong_count(description: SyscallDescription, given: int) -> str:
    most, least = len(description.arguments), description.required
    takes = f"{most}" if most == least else f"{least} to {most}"
    kinds = ", ".join(argument.kind for argument in description.arguments) or "none"
    return f"{description.name} takes {takes} arguments ({kinds}), not {given}"


def _word(value: int, description: SyscallDescription, position: int) -> int:
    """Return an int as one of 64 signed bits, which is how the binding passes it."""
    if -(2**63) <= value < 2**63:
        return value
    if value < 2**64 and value > 0:
        return value - 2**64
    raise OverflowError(
        f"{description.name}: argument {position}, counted from 0, doesn't fit 64 bits"
    )


def _pointer(
    description: SyscallDescription,
    argument: Argument,
    position: int,
    value: Any,
    args: tuple[Any, ...],
    keep: list[Any],
    paths: list[Any],
) -> int:
    """Return the value of an argument that isn't simply an int."""
    where = f"{description.name}: argument {position}, counted from 0,"
    kind = argument.kind
    if value is None:
        if not argument.nullable and kind not in {"any", "address"}:
            raise TypeError(f"{where} must be {_wanted(kind)}, not None")
        return 0
    if hasattr(type(value), "__index__"):
        number: int = value.__index__()
        if number == 0 and not argument.nullable and kind not in {"int", "any", "address"}:
            raise TypeError(f"{where} must be {_wanted(kind)}, not a NULL pointer")
        return _word(number, description, position)
    if kind == "int":
        raise TypeError(f"{where} must be {_wanted(kind)}, not {type(value).__name__}")
    if kind in {"path", "string"} or (
        kind == "any" and (isinstance(value, str) or hasattr(type(value), "__fspath__"))
    ):
        if isinstance(value, bytearray | memoryview):
            value = bytes(value)
        encoded = path_bytes(value, description.name, f"argument {position}")
        if kind == "path":
            paths.append(value)
        memory = readable(encoded)
        keep.append(memory)
        return address(memory)
    if isinstance(value, str) or hasattr(type(value), "__fspath__"):
        raise TypeError(f"{where} must be {_wanted(kind)}, not {type(value).__name__}")
    try:
        if kind == "any" and memoryview(value).readonly:
            # Nobody knows whether the kernel writes to it, and nobody may see it if it does.
            value = bytearray(value)
        memory = writable(value) if kind in {"out", "inout"} else readable(value)
        needed = argument.minimum_bytes(args)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{where} must be {_wanted(kind)}: {error}") from None
    if len(memory) < needed:
        raise ValueError(
            f"{where} is a buffer of {len(memory)} bytes, and the kernel would "
            f"{'read' if kind == 'in' else 'use'} {needed}"
        )
    keep.append(memory)
    return address(memory)


def _wanted(kind: str) -> str:
    return {
        "int": "an int",
        "path": "a path (str, bytes or PathLike)",
        "string": "text (str or bytes)",
        "in": "a bytes-like object",
        "out": "a writable buffer",
        "inout": "a writable buffer",
        "address": "an address or a buffer",
        "any": "an int, a buffer or text",
    }[kind]


def _discard(
    description: SyscallDescription, values: list[int]
) -> Callable[[int, object], None] | None:
    """Return what undoes the call if its caller is cancelled: descriptors are closed."""
    if description.returns_fd and description.returns_fd_for(values):
        return close_descriptor
    if description.fds_argument >= 0:
        two = values[description.fds_argument]

        def close_two(result: int, _kept: object) -> None:
            # The memory is among what is kept, or the caller gave a bare address.
            if result == 0 and two != 0:
                for descriptor in ffi.unpack(ffi.cast("int *", two), 2):
                    os.close(descriptor)

        return close_two
    return None
