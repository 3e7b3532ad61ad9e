"""Types of arguments that more than one module takes. For type checkers: nothing imports it."""

from __future__ import annotations

import os
from typing import AnyStr, Protocol, TypeAlias


class HasFileno(Protocol):
    """An object with a descriptor, as files and sockets are."""

    def fileno(self) -> int: ...


StrPath: TypeAlias = str | os.PathLike[str]
BytesPath: TypeAlias = bytes | os.PathLike[bytes]
StrOrBytesPath: TypeAlias = str | bytes | os.PathLike[str] | os.PathLike[bytes]
GenericPath: TypeAlias = AnyStr | os.PathLike[AnyStr]
FileDescriptorLike: TypeAlias = int | HasFileno
FileDescriptorOrPath: TypeAlias = int | StrOrBytesPath
