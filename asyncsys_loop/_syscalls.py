"""What the library knows of each system call: native/syscalls.tbl, as the C library has it.

The build makes a C array of the table, with the numbers and sizes of this architecture. A call's
entry becomes a Python object when somebody first asks for it, and is kept; so importing costs
little, and the hot path finds everything that it needs in the fields of one object. (They are
named tuples because making two dataclasses takes longer than all the rest of this module.)
"""

import operator
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any, Final, Literal, NamedTuple

from ._native import ffi, lib

__all__ = ["Argument", "SyscallDescription", "description", "descriptions", "resolve"]

Kind = Literal["int", "path", "string", "in", "out", "inout", "address", "any"]
LengthRule = Literal["fixed", "count", "bits", "pointed"]

_KINDS: Final[dict[int, Kind]] = {
    lib.SYSCALL_ARGUMENT_INT: "int",
    lib.SYSCALL_ARGUMENT_PATH: "path",
    lib.SYSCALL_ARGUMENT_STRING: "string",
    lib.SYSCALL_ARGUMENT_IN: "in",
    lib.SYSCALL_ARGUMENT_OUT: "out",
    lib.SYSCALL_ARGUMENT_INOUT: "inout",
    lib.SYSCALL_ARGUMENT_ADDRESS: "address",
    lib.SYSCALL_ARGUMENT_ANY: "any",
}
_LENGTH_RULES: Final[dict[int, LengthRule | None]] = {
    lib.SYSCALL_LENGTH_NONE: None,
    lib.SYSCALL_LENGTH_FIXED: "fixed",
    lib.SYSCALL_LENGTH_COUNT: "count",
    lib.SYSCALL_LENGTH_BITS: "bits",
    lib.SYSCALL_LENGTH_POINTED: "pointed",
}
_LOW_32_BITS: Final = 0xFFFFFFFF


class Argument(NamedTuple):
    """One argument of a system call.

    Attributes:
        kind: "int", "path" (a file's name), "string" (other text), "in", "out" or "inout" (a buffer
            that the kernel reads, writes, or both), "address" (a number or a buffer), "any" (a
            number, a buffer or text).
        nullable: None and 0 will do for the pointer. An int with this may be left out.
        length_rule: how long a buffer must be, or None if nothing is known: "fixed", "count"
            (an argument counts bytes or structs), "bits" (an argument counts bits), "pointed" (an
            argument points at a 32-bit word with the number of bytes).
        length_index: the argument that the rule looks at, counted from 0; -1 if none.
        length_base: bytes that are needed in any case.
        length_unit: bytes for each that is counted.
    """

    kind: Kind
    nullable: bool
    length_rule: LengthRule | None
    length_index: int
    length_base: int
    length_unit: int

    def minimum_bytes(self, arguments: Sequence[object]) -> int:
        """Return how many bytes a buffer given for this argument must have at least.

        arguments are all arguments of the call, as the caller gave them; trailing ones may lack.
        Raises ValueError for a negative length, which the kernel would take for a very large one.
        What can't be known counts as 0: without a rule, where a length stands at a bare address,
        and where it isn't an int at all, which is for the check of that argument to say.
        """
        rule = self.length_rule
        if rule is None:
            return 0
        if rule == "fixed":
            return self.length_base
        index = self.length_index
        value = arguments[index] if index < len(arguments) else None
        if rule == "pointed":
            if value is None or isinstance(value, int):
                return 0
            word = memoryview(value).cast("B")[:4]  # type: ignore[arg-type]
            return self.length_base + self.length_unit * int.from_bytes(word, sys.byteorder)
        if not hasattr(type(value), "__index__"):
            return 0
        count = operator.index(value)  # type: ignore[arg-type]
        if count < 0:
            raise ValueError(
                f"argument {index}, counted from 0, is the length of a buffer: "
                f"{count} isn't possible"
            )
        if rule == "bits":
            bits = 8 * self.length_unit
            count = (count + bits - 1) // bits
        return self.length_base + self.length_unit * count


class SyscallDescription(NamedTuple):
    """What is special about one system call of this architecture.

    Attributes:
        number: its number.
        name: its name in <asm/unistd.h>.
        arguments: one Argument for each argument of the kernel's function.
        required: how many of them must be given; the rest is 0 when left out.
        refusal: None, or why the call isn't made on an exec thread and what to use instead.
        never_blocks: it answers from memory.
        interruptible: it may wait without end, and a signal ends that with EINTR.
        returns_fd: its result is a new descriptor, if returns_fd_for() doesn't say otherwise.
        fd_argument: which argument decides whether the result is one; -1: always.
        fd_values: the values of it, in its low 32 bits, for which the result is one.
        fds_argument: the buffer in which two new descriptors stand, as ints; -1: none.
        note: what else there is to know. Can be empty.
    """

    number: int
    name: str
    arguments: tuple[Argument, ...]
    required: int
    refusal: str | None
    never_blocks: bool
    interruptible: bool
    returns_fd: bool
    fd_argument: int
    fd_values: frozenset[int]
    fds_argument: int
    note: str

    @property
    def traits(self) -> frozenset[str]:
        """The traits as native/syscalls.tbl names them, without their parameters."""
        traits = {
            "refused": self.refusal is not None,
            "never-blocks": self.never_blocks,
            "interruptible": self.interruptible,
            "fd": self.returns_fd,
            "fds": self.fds_argument >= 0,
        }
        return frozenset(name for name, present in traits.items() if present)

    def returns_fd_for(self, arguments: Sequence[int]) -> bool:
        """Tell whether the result of a call with these arguments is a new descriptor."""
        if self.fd_argument < 0 or not self.returns_fd:
            return self.returns_fd
        value = arguments[self.fd_argument] if self.fd_argument < len(arguments) else 0
        return value & _LOW_32_BITS in self.fd_values


def _text(pointer: Any) -> str:
    text: bytes = ffi.string(pointer)
    return sys.intern(text.decode("ascii"))


def _describe(number: int) -> SyscallDescription | None:
    if not 0 <= number < lib.syscall_description_count:
        return None
    entry = lib.syscall_descriptions[number]
    if not entry.name:
        return None
    name, note, traits = _text(entry.name), _text(entry.note), entry.traits
    return SyscallDescription(
        number=number,
        name=name,
        arguments=tuple(
            Argument(
                kind=_KINDS[argument.kind],
                nullable=bool(argument.nullable),
                length_rule=_LENGTH_RULES[argument.length],
                length_index=argument.length_index,
                length_base=argument.length_base,
                length_unit=argument.length_unit,
            )
            for argument in entry.argument[0 : entry.arity]
        ),
        required=entry.required,
        refusal=f"{name} is refused: {note}" if traits & lib.SYSCALL_REFUSED else None,
        never_blocks=bool(traits & lib.SYSCALL_NEVER_BLOCKS),
        interruptible=bool(traits & lib.SYSCALL_INTERRUPTIBLE),
        returns_fd=bool(traits & lib.SYSCALL_FD),
        fd_argument=entry.fd_argument if traits & lib.SYSCALL_FD else -1,
        fd_values=frozenset(entry.fd_values[0 : entry.fd_value_count]),
        fds_argument=entry.fd_argument if traits & lib.SYSCALL_FDS else -1,
        note=note,
    )


def descriptions() -> Iterator[SyscallDescription]:
    """Yield the description of every call of this architecture, in the order of their numbers."""
    for number in range(lib.syscall_description_count):
        found = description(number)
        if found is not None:
            yield found


def names() -> dict[str, int]:
    """Return the name and number of every call of this architecture."""
    entries = lib.syscall_descriptions
    return {
        _text(entries[number].name): number
        for number in range(lib.syscall_description_count)
        if entries[number].name
    }


class _Known(dict[int | str, SyscallDescription]):
    """Descriptions by number and by name: a hit is one look-up in a dict, a miss fills it."""

    __slots__ = ()

    def __missing__(self, key: int | str) -> SyscallDescription:
        if isinstance(key, str):
            number = names().get(key)
            if number is None:
                raise ValueError(_unknown_name(key))
            found = self[number]
        else:
            key = int(key)  # a member of SYS would be kept as such
            described = _describe(key)
            if described is None:
                raise ValueError(_unknown_number(key))
            found = described
        self[key] = found
        return found


_known: Final = _Known()


def description(number: int) -> SyscallDescription | None:
    """Return the description of the call of that number, or None if no call has it here."""
    try:
        return _known[number]
    except ValueError:
        return None


def resolve(number_or_name: int | str) -> SyscallDescription:
    """Return the description of a call that is named by its number, its name or a member of SYS.

    Raises ValueError if there is no such call, and TypeError for anything but an int or a str. A
    refused call is found like any other: look at its refusal.
    """
    # An exact int or str, as nearly always. (True and 1.0 would find the call of number 1.)
    kind = type(number_or_name)
    if kind is int or kind is str:
        return _known[number_or_name]
    if isinstance(number_or_name, bool) or not isinstance(number_or_name, int | str):
        raise TypeError(
            "a system call is given as its number, its name or a member of asyncsys_loop.SYS, "
            f"not as {kind.__name__}: {number_or_name!r}"
        )
    return _known[number_or_name]


def _unknown_name(name: str) -> str:
    # Only on the way to an error: difflib isn't quick to import.
    import difflib  # noqa: PLC0415

    machine = os.uname().machine
    known = names()
    wanted = name.lower().removeprefix("sys_")
    # libc's names are often the beginning of the kernel's: pread64, openat, umount2.
    longer = sorted((known_name for known_name in known if known_name.startswith(wanted)), key=len)
    near = longer[:3] if wanted else []
    near = near or difflib.get_close_matches(wanted, known, n=3, cutoff=0.6)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else "see asyncsys_loop.SYS"
    return f"there is no system call {name!r} on {machine}: {hint}"


def _unknown_number(number: int) -> str:
    return (
        f"there is no system call of number {number} on {os.uname().machine}: the last that this "
        f"release knows is {lib.syscall_description_count - 1}, see asyncsys_loop.SYS"
    )
