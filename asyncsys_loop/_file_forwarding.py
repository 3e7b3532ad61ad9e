"""Files that hand all that moves bytes on to another file, each in its own way."""

from __future__ import annotations

from typing import Any, AnyStr

from ._file_raw import AsyncFile

__all__ = ["ForwardingFile"]


class ForwardingFile(AsyncFile[AnyStr]):
    """A file whose methods are those of another one, `_file`; `_ask()` says how they are called."""

    __slots__ = ()

    _file: Any

    async def _ask(self, name: str, *arguments: Any) -> Any:
        raise NotImplementedError

    @property
    def closed(self) -> bool:
        """Whether this is closed."""
        return bool(getattr(self._file, "closed", False))  # any object with the methods will do

    async def read(self, size: int | None = -1, /) -> AnyStr:
        """Read `size` bytes or characters, fewer only at the end; all that follow by default."""
        return await self._ask("read", size)  # type: ignore[no-any-return]

    async def read1(self, size: int = -1, /) -> bytes:
        """Read at most `size` bytes, by one call of what is below at most."""
        return await self._ask("read1", size)  # type: ignore[no-any-return]

    async def readinto(self, buffer: Any, /) -> int:
        """Fill a writable buffer, and return how many bytes it was."""
        return await self._ask("readinto", buffer)  # type: ignore[no-any-return]

    async def readinto1(self, buffer: Any, /) -> int:
        """Read into a writable buffer, by one call of what is below at most."""
        return await self._ask("readinto1", buffer)  # type: ignore[no-any-return]

    async def readline(self, size: int | None = -1, /) -> AnyStr:
        """Read a line with its end, at most `size` of it; an empty one at the end of the file."""
        return await self._ask("readline", size)  # type: ignore[no-any-return]

    async def readlines(self, hint: int | None = -1, /) -> list[AnyStr]:
        """Read lines until they have more than `hint` bytes or characters; all by default."""
        return await self._ask("readlines", hint)  # type: ignore[no-any-return]

    async def write(self, data: Any, /) -> int:
        """Write `data`, and return how much of it was written."""
        return await self._ask("write", data)  # type: ignore[no-any-return]

    async def writelines(self, lines: Any, /) -> None:
        """Write one after the other; ends of lines aren't added."""
        await self._ask("writelines", lines)

    async def flush(self) -> None:
        """Hand on what is buffered."""
        await self._ask("flush")

    async def seek(self, offset: int, whence: int = 0, /) -> int:
        """Set the position, and return it."""
        return await self._ask("seek", offset, whence)  # type: ignore[no-any-return]

    async def tell(self) -> int:
        """Return the position."""
        return await self._ask("tell")  # type: ignore[no-any-return]

    async def truncate(self, size: int | None = None, /) -> int:
        """Make the file `size` bytes long, and return that; as long as its position by default."""
        return await self._ask("truncate", size)  # type: ignore[no-any-return]

    async def detach(self) -> Any:
        """Flush, and return what is below; this can't be used any more."""
        return await self._ask("detach")

    async def close(self) -> None:
        """Close the file object; once it is closed, do nothing."""
        await self._ask("close")
