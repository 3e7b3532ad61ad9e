"""The C library: `lib` has its functions and `ffi` its types. Built by native/build_native.py."""

from typing import Any

try:
    import _asyncsys_loop
except ImportError as error:
    raise ImportError(
        "asyncsys_loop: the native module _asyncsys_loop isn't installed for this Python. "
        "In a checkout, `make` builds it into build/venv-*; elsewhere: pip install asyncsys-loop"
    ) from error

ffi: Any = _asyncsys_loop.ffi
lib: Any = _asyncsys_loop.lib

__all__ = ["ffi", "lib"]
