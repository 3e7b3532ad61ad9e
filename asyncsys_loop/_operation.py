"""Operations: one declaration for each system call that a twin of `os` makes.

A declaration says what the kernel wants, in the kernel's order; the rest follows from it:

    _renameat = operation(
        "renameat2", "dir_fd path:src dir_fd path:dst 0",
        function="rename", audit="os.rename 1 3 0 2",
    )

    async def rename(src, dst, *, src_dir_fd=None, dst_dir_fd=None):
        await _renameat(src_dir_fd, src, dst_dir_fd, dst)

The words are the kinds of the arguments, below. What else is special about a call (it returns a
descriptor, so a cancelled one is undone; it never blocks, so it needs no exec thread) stands in
native/syscalls.tbl already, and isn't said again.

Errors are those of `os`: what a kind can't take raises what `os` raises for it, before anything is
submitted; a call that fails raises an OSError with the paths that were given, the first as
`filename`, the second as `filename2`.

=============== ==============================================================================
kind            the argument of Python, and what the kernel gets
=============== ==============================================================================
int             an int that fits C's
fd              likewise, of a descriptor. The kernel gets -1 for each negative one: none of them is
                open, and -100 isn't the working directory here.
off_t           an int that fits 64 bits with a sign
word            an int of 64 bits, with or without a sign
ssize_t         an int that fits C's
id              a user or group: 0 to 2**32 - 1, or -1. id:gid: the argument's name
size            an int that isn't negative; at most 0x7ffff000, as CPython cuts it
fildes          an int or an object with fileno()
dir_fd          an int, or None for the working directory; converted after all others
path            str, bytes or PathLike; an OSError names it. path:src: the argument's name
path_fd         a descriptor given in place of a path: an OSError names it. As fd, if negative.
string          str, bytes or PathLike, as text: an OSError doesn't name it. string:attribute: name
in, out         a buffer that the kernel reads or writes: its address and its length
in*, out*       a sequence of such buffers: an array of struct iovec and its length
memory          a buffer or None: its address alone. A writable one is written in place.
length          an int, converted as size: memory of that size is made, and is what `result=bytes`
                returns, cut to the result of the call. Address and length.
limit           likewise, of what read_file reads at most; the memory takes the status, too
struct:SIZE     no argument: memory of that size is made, and is what `result=bytes` returns as a
                whole. Address.
empty           no argument: an empty path, for AT_EMPTY_PATH
a number        no argument: itself
=============== ==============================================================================
"""

from __future__ import annotations

import asyncio
import errno
import os
import sys
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, overload

from . import _convert as convert
from . import _native as native
from ._attach import running_engine
from ._engine import close_descriptor
from ._native import ffi, lib
from ._syscalls import SyscallDescription, resolve

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from types import GenericAlias, UnionType


__all__ = ["Operation", "converted", "operation"]

_Answer = TypeVar("_Answer")
_Result = TypeVar("_Result")

# The most that one read(2) or write(2) moves; CPython cuts longer ones off likewise.
MOST: Final = 0x7FFFF000
IOV_MAX: Final = 1024

_IOVEC = ffi.typeof("uint64_t[]")
_EMPTY: Final = convert.readable(b"\0")
_EMPTY_ADDRESS: Final = convert.address(_EMPTY)


# What an operation gives, and how a call can be answered inline: native/engine/engine.h.
CONTENT: Final = bytes | int  # the whole of a file, or its descriptor
FILE: Final = tuple[os.stat_result, bytes | int]
RESULTS: Final[dict[Any, int]] = {
    int: native.engine.RESULT_INT,
    None: native.engine.RESULT_NONE,
    bytes: native.engine.RESULT_BYTES,
    os.stat_result: native.engine.RESULT_STAT,
    CONTENT: native.engine.RESULT_CONTENT,
    FILE: native.engine.RESULT_FILE,
}
WAYS: Final[dict[str, int]] = {
    "read": native.engine.INLINE_READ,
    "pread64": native.engine.INLINE_PREAD,
    "write": native.engine.INLINE_WRITE,
    "pwrite64": native.engine.INLINE_PWRITE,
    "openat": native.engine.INLINE_OPENAT,
    "statx": native.engine.INLINE_STATX,
    "close": native.engine.INLINE_CLOSE,
    "openat2": native.engine.INLINE_OPENAT2,
    "read_file": native.engine.INLINE_READ_FILE,
}
_STATUS_SIZE: Final = 256  # of a struct statx
OTHER: Final = "other"  # a kind that only Python converts

# Not system calls, but several of them in one trip: native/compound.h.
COMPOUNDS: Final = {
    "list_directory": lib.COMPOUND_LIST_DIRECTORY,
    "read_file": lib.COMPOUND_READ_FILE,
}
OPENED: Final[int] = native.engine.COMPOUND_OPENED  # and the descriptor: what read_file may return


class _Prepared:
    """The arguments of one call, converted."""

    __slots__ = ("audited", "keep", "memory", "paths", "words")

    def __init__(self) -> None:
        self.words: list[int] = []
        self.keep: list[Any] = []
        self.paths: list[Any] = []
        self.memory: Any = None
        self.audited: list[Any] = []  # the arguments as audit hooks see them


def _size(value: object) -> int:
    number = convert.ssize_t(value)
    if number < 0:
        raise convert.os_error(-errno.EINVAL)
    return min(number, MOST)


def _id(value: Any, name: str) -> int:
    if not hasattr(type(value), "__index__"):
        raise TypeError(f"{name} should be integer, not {type(value).__name__}")
    number: int = value.__index__()
    if number == -1 or 0 <= number < 2**32 - 1:
        return number & 0xFFFFFFFF
    if number < 0:
        raise OverflowError(f"{name} is less than minimum")
    if number == 2**32 - 1:
        return number
    raise OverflowError(f"{name} is greater than maximum")


def _word(value: Any) -> int:
    number: int = value.__index__() if hasattr(type(value), "__index__") else value
    if not isinstance(number, int):
        raise TypeError(f"{type(value).__name__!r} object cannot be interpreted as an integer")
    if -(2**63) <= number < 2**63:
        return number
    if 0 < number < 2**64:
        return number - 2**64
    raise OverflowError("int too big to convert")


_SCALARS: Final[dict[str, Callable[[Any], int]]] = {
    "int": convert.c_int,
    "off_t": convert.off_t,
    "word": _word,
    "size": _size,
    "ssize_t": convert.ssize_t,
    "fildes": convert.fildes,
    "dir_fd": convert.dir_descriptor,
}


def _close_two(result: int, kept: Any) -> None:
    """Undo a call that returned two descriptors in its only memory: pipe2()."""
    if result == 0:
        for descriptor in ffi.unpack(ffi.cast("int *", kept[0]), 2):
            close_descriptor(descriptor, None)


def _close_opened(result: int, _kept: object) -> None:
    """Undo a read_file that left the file open."""
    if result >= OPENED:
        close_descriptor(result - OPENED, None)


def _audit_word(word: str) -> tuple[str, Any]:
    """Return what an audit hook sees there: an argument, by its position, or a constant."""
    if word == "None":
        return "constant", None
    if word.startswith("="):
        return "constant", int(word[1:])
    if word.startswith("'"):
        return "constant", word[1:-1]
    return "at", int(word)


class Operation(Generic[_Result]):
    """One system call with the arguments that Python code gives for it. Made by operation().

    What operation() returns is called with one argument for each kind that takes one, in the
    kernel's order. That gives what is to be awaited, which gives the result, or raises:

        OSError: the call failed.
        TypeError, ValueError, OverflowError: an argument that can't be, as `os` has it.
        RuntimeError: no loop is running here.
        asyncio.CancelledError: after the call has settled.
    """

    def __init__(
        self,
        name: str,
        arguments: str,
        function: str,
        audit: str,
        result: type[Any] | None,
        must_run: bool,
    ) -> None:
        self.name = name
        self.function = function or name
        self.arguments = arguments
        self.audit = audit
        self.result = result
        self.must_run = must_run or name in {"close", "close_range"}

    # All that follows from these is found when the call is first made, as there are many.

    @cached_property
    def kinds(self) -> list[tuple[str, ...]]:
        """The kind of each argument, and what stands behind its colon."""
        return [tuple(word.partition(":")[::2]) for word in self.arguments.split()]

    @cached_property
    def event(self) -> str | None:
        """The audit event."""
        return self.audit.partition(" ")[0] or None

    @cached_property
    def audited(self) -> list[tuple[str, Any]]:
        """What hooks see of the event's arguments."""
        return [_audit_word(word) for word in self.audit.split()[1:]]

    @cached_property
    def description(self) -> SyscallDescription:
        """What is special about the call."""
        number = COMPOUNDS.get(self.name)
        if number is not None:
            return SyscallDescription(
                number=number,
                name=self.name,
                arguments=(),
                required=0,
                refusal=None,
                never_blocks=False,
                interruptible=True,
                returns_fd=False,
                fd_argument=-1,
                fd_values=frozenset(),
                fds_argument=-1,
                note="",
            )
        return resolve(self.name)

    def prepare(self, arguments: tuple[Any, ...]) -> _Prepared:
        """Convert the arguments, or raise what `os` raises for them."""
        prepared = _Prepared()
        given = iter(arguments)
        late: list[tuple[int, int, Any]] = []
        for kind, detail in self.kinds:
            self._convert(kind, detail, given, prepared, late)
        for at, shown_at, value in late:
            prepared.words[at] = convert.dir_descriptor(value)
            at_working_directory = prepared.words[at] == convert.AT_FDCWD
            prepared.audited[shown_at] = -1 if at_working_directory else prepared.words[at]
        return prepared

    def _convert(
        self, kind: str, detail: str, given: Any, prepared: _Prepared, late: list[Any]
    ) -> None:
        words, keep, audited = prepared.words, prepared.keep, prepared.audited
        if kind.lstrip("-").isdigit():
            words.append(int(kind))
        elif kind == "empty":
            words.append(_EMPTY_ADDRESS)
        elif kind == "struct":
            memory = prepared.memory = convert.allocate(convert.CHARS, int(detail))
            keep.append(memory)
            words.append(convert.address(memory))
        elif kind == "length":
            size = _size(next(given))
            memory = prepared.memory = convert.allocate(convert.CHARS, size)
            keep.append(memory)
            words += (convert.address(memory), size)
            audited.append(size)
        elif kind == "limit":
            size = _size(next(given))
            memory = prepared.memory = convert.allocate(convert.CHARS, _STATUS_SIZE + size + 1)
            keep.append(memory)
            words += (convert.address(memory), size)
            audited.append(size)
        elif kind == "dir_fd":
            late.append((len(words), len(audited), next(given)))
            words.append(0)
            audited.append(None)
        elif kind == "path":
            path = convert.fspath(next(given), self.function, detail or "path")
            encoded = convert.path_bytes(path, self.function, detail or "path")
            memory = convert.readable(encoded)
            keep.append(memory)
            words.append(convert.address(memory))
            prepared.paths.append(path)
            audited.append(path)
        elif kind == "path_fd":
            value = next(given)
            words.append(max(convert.path_descriptor(value), -1))
            prepared.paths.append(value)
            audited.append(value)
        elif kind == "string":
            text = convert.fspath(next(given), self.function, detail or "attribute")
            memory = convert.readable(
                convert.path_bytes(text, self.function, detail or "attribute")
            )
            keep.append(memory)
            words.append(convert.address(memory))
            audited.append(text)
        elif kind in {"in", "out"}:
            value = next(given)
            memory = convert.writable(value) if kind == "out" else convert.readable(value)
            keep.append(memory)
            words += (convert.address(memory), min(len(memory), MOST))
            audited.append(value)
        elif kind in {"in*", "out*"}:
            value = next(given)
            convert_one = convert.writable if kind == "out*" else convert.readable
            memories = [convert_one(buffer) for buffer in value]
            if len(memories) > IOV_MAX:
                raise convert.os_error(-errno.EINVAL)
            pairs = [word for m in memories for word in (convert.address(m), len(m))]
            vector = ffi.new(_IOVEC, pairs)
            keep += (*memories, vector)
            words += (convert.address(vector), len(memories))
            audited.append(value)
        elif kind == "memory":
            value = next(given)
            audited.append(value)
            if value is None:
                words.append(0)
            else:
                view = convert.memoryview_of(value)
                memory = convert.readable(value) if view.readonly else convert.writable(value)
                keep.append(memory)
                words.append(convert.address(memory))
        elif kind == "fd":
            audited.append(convert.c_int(next(given)))
            words.append(max(audited[-1], -1))
        elif kind == "id":
            words.append(_id(next(given), detail or "uid"))
            audited.append(words[-1])
        else:
            words.append(_SCALARS[kind](next(given)))
            audited.append(words[-1])

    async def slowly(self, *arguments: Any) -> _Result:
        """Run the call, whatever its arguments: what C doesn't convert by itself comes here."""
        prepared = self.prepare(arguments)
        if self.event is not None:
            audited = prepared.audited
            shown = [audited[at] if kind == "at" else at for kind, at in self.audited]
            sys.audit(self.event, *shown)
        description = self.description
        discard: Callable[[int, object], None] | None = None
        if description.returns_fd_for(prepared.words):
            discard = close_descriptor
        elif description.fds_argument >= 0:
            discard = _close_two
        elif self.name == "read_file":
            discard = _close_opened
        engine = running_engine()
        if self.name in {"read", "write"}:  # as C does it: no exec thread waits
            await engine.readiness.ready(prepared.words[0], writing=self.name == "write")
        result = await engine.run(
            description.number,
            prepared.words,
            prepared.keep,
            discard,
            self.must_run,
            lambda result: self._answer(result, prepared),
        )
        if result < 0:
            raise convert.os_error(result, *prepared.paths[:2])
        return self._answer(result, prepared)  # type: ignore[no-any-return]

    def _answer(self, result: int, prepared: _Prepared) -> Any:
        """Make what the operation gives of what the kernel returned."""
        if self.result is None or self.result is int:
            return None if self.result is None else result
        if self.name == "read_file":
            return self._file(prepared.memory, result)
        whole = any(kind == "struct" for kind, _ in self.kinds)
        memory = prepared.memory
        answer = convert.taken(memory, len(memory) if whole else result)
        return native.stat_result(answer) if self.result is os.stat_result else answer

    def _file(self, memory: Any, result: int) -> Any:
        answer: Any = result - OPENED
        if result < OPENED:
            answer = convert.taken(memory, _STATUS_SIZE + result)[_STATUS_SIZE:]
        if self.result is FILE:
            answer = native.stat_result(convert.taken(memory, _STATUS_SIZE)), answer
        return answer

    def definition(self) -> tuple[Any, ...]:
        """Return the declaration as C wants it: see native/engine/operation.c."""
        kinds = tuple(
            ("constant", int(kind))
            if kind.lstrip("-").isdigit()
            else (kind, int(detail) if kind == "struct" else 0)
            for kind, detail in self.kinds
        )
        description = self.description
        result = RESULTS[self.result]
        if self.result is bytes and any(kind == "struct" for kind, _ in self.kinds):
            result = native.engine.RESULT_STRUCT
        returns_fd = description.returns_fd
        if description.fd_argument >= 0:
            kind, value = kinds[description.fd_argument]
            returns_fd = value in description.fd_values
            if kind != "constant":
                kinds = ((OTHER, 0),) * len(kinds)
        way = WAYS.get(self.name)
        if way is None:
            way = (
                native.engine.INLINE_NEVER_BLOCKS
                if description.never_blocks
                else native.engine.INLINE_NOT
            )
        return (
            description.number,
            kinds,
            result,
            way,
            returns_fd,
            description.fds_argument >= 0,
            self.must_run,
            self.event,
            tuple(at if kind == "at" else -1 for kind, at in self.audited),
            tuple(None if kind == "at" else at for kind, at in self.audited),
        )


@overload
def operation(
    name: str, arguments: str, *, result: UnionType, function: str = "", audit: str = ""
) -> Callable[..., Awaitable[bytes | int]]: ...
@overload
def operation(
    name: str, arguments: str, *, result: GenericAlias, function: str = "", audit: str = ""
) -> Callable[..., Awaitable[tuple[os.stat_result, bytes | int]]]: ...
@overload
def operation(
    name: str, arguments: str, *, result: type[_Result], function: str = "", audit: str = ""
) -> Callable[..., Awaitable[_Result]]: ...
@overload
def operation(
    name: str,
    arguments: str,
    *,
    result: None = None,
    function: str = "",
    audit: str = "",
    must_run: bool = False,
) -> Callable[..., Awaitable[None]]: ...
def operation(
    name: str,
    arguments: str,
    *,
    result: Any = None,
    function: str = "",
    audit: str = "",
    must_run: bool = False,
) -> Callable[..., Awaitable[Any]]:
    """Declare an operation.

    Args:
        name: the system call, as native/syscalls.tbl names it.
        arguments: the kinds of its arguments, in the kernel's order.
        result: int for what the call returns, bytes for the memory that it filled, os.stat_result
            for a struct statx, CONTENT or FILE for read_file, None for nothing.
        function: the name that messages say, where it isn't the call's.
        audit: the audit event, and the positions, among the given arguments, of those that hooks
            see; "None" for a None, "=-1" for a -1, "'rb'" for that text.
        must_run: it runs even if its caller is cancelled, as closing and unlocking do.
    """
    owner = Operation[Any](name, arguments, function, audit, result, must_run)
    call: Callable[..., Awaitable[Any]] = native.Operation(owner).call
    return call


async def converted(answer: Awaitable[_Answer], convert: Callable[[_Answer], _Result]) -> _Result:
    """Await an operation, and return what is made of its answer.

    If it is cancelled and had ended, that is the result of the CancelledError, too.
    """
    try:
        return convert(await answer)
    except asyncio.CancelledError as error:
        if hasattr(error, "result"):
            error.result = convert(error.result)
        raise
