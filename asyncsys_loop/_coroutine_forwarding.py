"""Coroutines that are another coroutine, with something beside it."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["ForwardingCoroutine"]

_Result = TypeVar("_Result")


class ForwardingCoroutine(Coroutine[Any, Any, _Result]):
    """A coroutine that is another one, `_coroutine`: awaited, or made a task of, as that is."""

    __slots__ = ("_coroutine",)

    _coroutine: Coroutine[Any, Any, _Result]

    def __await__(self) -> Generator[Any, Any, _Result]:
        return self._coroutine.__await__()

    def send(self, value: Any) -> Any:
        return self._coroutine.send(value)

    def throw(self, *exception: Any) -> Any:
        return self._coroutine.throw(*exception)

    def close(self) -> None:
        self._coroutine.close()
