"""Python's arguments made into the kernel's, with the checks and the messages of `os` itself."""

from __future__ import annotations

import os
import struct
import sys
import warnings
from operator import index
from typing import Any, Final, SupportsIndex

from ._native import ffi

__all__ = [
    "CHARS",
    "address",
    "allocate",
    "c_int",
    "dir_descriptor",
    "fildes",
    "fspath",
    "memoryview_of",
    "off_t",
    "os_error",
    "path_bytes",
    "path_or_descriptor",
    "readable",
    "refuse_beside_descriptor",
    "ssize_t",
    "taken",
    "unsigned",
    "unsigned_int",
    "warn_of_bool",
    "writable",
]

AT_FDCWD: Final = -100

INT_MAX: Final = 2**31 - 1
LONG_MAX: Final = 2**63 - 1

_UINTPTR = ffi.typeof("uintptr_t")
_cast = ffi.cast
_from_buffer = ffi.from_buffer

# Memory for the kernel to write to, with whatever it holds: allocate(CHARS, size).
CHARS: Any = ffi.typeof("char[]")
allocate: Any = ffi.new_allocator(should_clear_after_alloc=False)
# A copy of its first bytes: taken(memory, size).
taken: Any = ffi.unpack


def address(memory: Any) -> int:
    """Return the address of memory from allocate, readable() or writable()."""
    return int(_cast(_UINTPTR, memory))


def readable(buffer: Any) -> Any:
    """Return the memory of an object that the kernel reads; it can't be resized meanwhile."""
    try:
        return _from_buffer(buffer)
    except (TypeError, ValueError, BufferError):
        view = memoryview_of(buffer)
    return _from_buffer(view)


def writable(buffer: Any) -> Any:
    """Return the memory of an object that the kernel writes to."""
    try:
        return _from_buffer(buffer, require_writable=True)
    except (TypeError, ValueError, BufferError):
        view = memoryview_of(buffer)
    if view.readonly:
        raise TypeError(
            f"the kernel writes to this buffer, and {type(buffer).__name__!r} is read-only: "
            "pass a bytearray, a writable memoryview or an array"
        )
    return _from_buffer(view, require_writable=True)


def memoryview_of(buffer: Any) -> memoryview:
    """Return a contiguous view of a buffer, or raise what `os` raises where there is none."""
    try:
        view = memoryview(buffer)
    except TypeError:
        raise TypeError(f"a bytes-like object is required, not {type(buffer).__name__!r}") from None
    if not view.c_contiguous:
        raise BufferError("memoryview: underlying buffer is not C-contiguous")
    return view


# struct open_how: flags, mode, resolve. openat2(2)
open_how: Final = struct.Struct("=3Q")


def c_int(value: object) -> int:
    """Return an int that fits C's."""
    if type(value) is int and -0x80000000 <= value <= 0x7FFFFFFF:
        return value
    number = int(index(value))  # type: ignore[arg-type]  # index() leaves a bool as it is
    if -INT_MAX - 1 <= number <= INT_MAX:
        return number
    raise OverflowError("Python int too large to convert to C int")


def unsigned(value: object, bits: int) -> int:
    """Return an int that fits C's without a sign, of that many bits."""
    if not hasattr(type(value), "__index__"):
        raise TypeError("an integer is required")
    number = int(index(value))  # type: ignore[arg-type]
    if number < 0:
        raise ValueError("value must be positive")
    if number >= 2**bits:
        raise OverflowError(f"Python int too large for {bits} bits")
    return number


def unsigned_int(value: object) -> int:
    """Return an int that fits C's unsigned int, with a sign, as those of 32 bits are passed."""
    return (unsigned(value, 32) + 2**31 & 2 * INT_MAX + 1) - 2**31


def off_t(value: object) -> int:
    """Return an int that fits an offset."""
    if type(value) is int and 0 <= value <= 0x7FFFFFFFFFFFFFFF:
        return value
    number = int(index(value))  # type: ignore[arg-type]  # index() leaves a bool as it is
    if -LONG_MAX - 1 <= number <= LONG_MAX:
        return number
    raise OverflowError("Python int too large to convert to C long")


def ssize_t(value: object) -> int:
    """Return an int that fits a size; a negative one is the caller's to refuse."""
    number = int(index(value))  # type: ignore[arg-type]  # index() leaves a bool as it is
    if -LONG_MAX - 1 <= number <= LONG_MAX:
        return number
    raise OverflowError("Python int too large to convert to C ssize_t")


def warn_of_bool(descriptor: object) -> None:
    """Warn of True or False as a descriptor where `os` does, at the caller's line."""
    if sys.version_info >= (3, 13) and isinstance(descriptor, bool):
        warnings.warn(
            "bool is used as a file descriptor",
            RuntimeWarning,
            skip_file_prefixes=(os.path.dirname(__file__),),
        )


def fildes(value: Any) -> int:
    """Return the descriptor that an int, or an object with fileno(), stands for."""
    warn_of_bool(value)
    if isinstance(value, int):
        descriptor = c_int(value)
    elif (fileno := getattr(value, "fileno", None)) is not None:
        descriptor = fileno()
        if not isinstance(descriptor, int):
            raise TypeError("fileno() returned a non-integer")
        descriptor = c_int(descriptor)
    else:
        raise TypeError("argument must be an int, or have a fileno() method.")
    if descriptor < 0:
        raise ValueError(f"file descriptor cannot be a negative integer ({descriptor})")
    return descriptor


def path_descriptor(value: Any) -> int:
    """Return a descriptor that was given in place of a path."""
    number = int(index(value))
    if number > INT_MAX:
        raise OverflowError("fd is greater than maximum")
    if number < -INT_MAX - 1:
        raise OverflowError("fd is less than minimum")
    return number


def dir_descriptor(value: Any) -> int:
    """Return the descriptor of dir_fd=, AT_FDCWD for None."""
    if value is None:
        return AT_FDCWD
    if not hasattr(value, "__index__"):
        raise TypeError(f"argument should be integer or None, not {type(value).__name__}")
    warn_of_bool(value)
    return path_descriptor(value)


def fspath(
    path: Any, function: str, name: str = "path", allowed: str = "string, bytes or os.PathLike"
) -> str | bytes:
    """Return a path as an OSError and an audit hook see it: a PathLike is asked only once."""
    if isinstance(path, str | bytes):
        return path
    if not hasattr(type(path), "__fspath__"):
        raise TypeError(f"{function}: {name} should be {allowed}, not {type(path).__name__}")
    text: str | bytes = os.fspath(path)
    return text


def path_or_descriptor(
    path: Any, function: str, allowed: str = "string, bytes, os.PathLike or integer"
) -> str | bytes | SupportsIndex:
    """Return a path as fspath() does, or what stands for a descriptor in place of one, as given."""
    if isinstance(path, str | bytes):
        return path
    if hasattr(type(path), "__index__"):
        warn_of_bool(path)
        path_descriptor(path)
        return path  # type: ignore[no-any-return]  # hooks and errors show what was given
    return fspath(path, function, allowed=allowed)


def refuse_beside_descriptor(
    function: str, descriptor: SupportsIndex, dir_fd: Any = None, follow_symlinks: object = True
) -> None:
    """Refuse what makes no sense where a descriptor was given in place of a path."""
    if dir_descriptor(dir_fd) != AT_FDCWD:
        raise ValueError(f"{function}: can't specify dir_fd without matching path")
    if index(descriptor) > 0 and not follow_symlinks:  # 0 isn't refused, by a slip of CPython
        raise ValueError(f"{function}: cannot use fd and follow_symlinks together")


def path_bytes(
    path: Any, function: str, name: str = "path", allowed: str = "string, bytes or os.PathLike"
) -> bytes:
    """Return a path as the kernel takes it. (A bytes object ends with a NUL in memory.)"""
    encoded = os.fsencode(fspath(path, function, name, allowed))
    if 0 in encoded:
        raise ValueError(f"{function}: embedded null character in {name}")
    return encoded


def os_error(result: int, filename: Any = None, filename2: Any = None) -> OSError:
    """Return the exception for a call that ended with -errno, of the class that `os` raises."""
    number = -result
    message = os.strerror(number)
    if filename2 is not None:
        return OSError(number, message, os_filename(filename), None, os_filename(filename2))
    if filename is not None:
        return OSError(number, message, os_filename(filename))
    return OSError(number, message)


def os_filename(path: Any) -> Any:
    """Return what an OSError shows for a path: PathLike objects as the text that they stand for."""
    return os.fspath(path) if hasattr(type(path), "__fspath__") else path
