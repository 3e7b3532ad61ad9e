"""The native code, built by native/build_native.py: two modules in one shared object.

`lib` has the functions of the C library, and `ffi` its types. `Call`, `EngineBase` and `Operation`
are the hot path of the engine, written against CPython's own API: native/engine/engine.h.
"""

from importlib.machinery import ExtensionFileLoader
from importlib.util import module_from_spec, spec_from_file_location
from typing import Any

try:
    import _asyncsys_loop
except ImportError as error:
    raise ImportError(
        "asyncsys_loop: the native module _asyncsys_loop isn't installed for this Python. "
        "In a checkout, `make` builds it into build/venv-*; elsewhere: pip install asyncsys-loop"
    ) from error


def _load(name: str, path: str) -> Any:
    # The way that PEP 489 gives for several modules in one file.
    spec = spec_from_file_location(name, path, loader=ExtensionFileLoader(name, path))
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


engine: Any = _load("_asyncsys_engine", _asyncsys_loop.__file__)

ffi: Any = _asyncsys_loop.ffi
lib: Any = _asyncsys_loop.lib
Call: Any = engine.Call
EngineBase: Any = engine.EngineBase
Operation: Any = engine.Operation
running_engine: Any = engine.running_engine
set_look_up: Any = engine.set_look_up
set_running: Any = engine.set_running
directory_entries: Any = engine.directory_entries
directory_names: Any = engine.directory_names
is_fifo: Any = engine.is_fifo
stat_result: Any = engine.stat_result

__all__ = [
    "Call",
    "EngineBase",
    "Operation",
    "directory_entries",
    "directory_names",
    "engine",
    "ffi",
    "is_fifo",
    "lib",
    "running_engine",
    "set_look_up",
    "set_running",
    "stat_result",
]
