"""SYS, the system calls of this architecture by name, and what the library knows of them.

SYS is made when somebody first asks for it: hundreds of enum members take longer to make than all
the rest of the import. Type checkers see its members in _sys.pyi, which is made from
native/syscalls.tbl.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

from ._syscalls import Argument, SyscallDescription, description, descriptions, names, resolve

__all__ = ["SYS", "Argument", "SyscallDescription", "description", "descriptions", "resolve"]

SYS: type[IntEnum]  # see __getattr__


def _make_sys() -> type[IntEnum]:
    # The members can't be written down in a class body, as the C library has them.
    made = IntEnum("SYS", names(), module=__name__, qualname="SYS")  # type: ignore[misc]
    made.__doc__ = (
        "The system calls of this architecture: name and number, as in <asm/unistd.h>.\n\n"
        "asyncsys_loop.syscall() takes a member as well as its name or its number. A call that\n"
        "exists on another architecture only isn't here; docs/syscalls.md lists all of them."
    )
    return made


def __getattr__(name: str) -> Any:
    if name == "SYS":
        globals()["SYS"] = made = _make_sys()
        return made
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
