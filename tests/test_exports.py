"""The public surface, pinned; and what importing costs."""

import asyncio
import inspect
import json
import typing
from types import ModuleType
from typing import Any

import pytest

import asyncsys_loop

from .support import output_of

POLICY = ["EventLoopPolicy", "install"] if hasattr(asyncio, "AbstractEventLoopPolicy") else []
PUBLIC: dict[ModuleType, list[str]] = {
    asyncsys_loop: [
        *("AsyncFile", "Path", "SYS", "Stats", "__version__", "attach", "io", "new_event_loop"),
        *("open", "open_file", "os", "run", "shutil", "stats", "stderr", "stderr_bytes", "stdin"),
        *("stdin_bytes", "stdout", "stdout_bytes", "syscall", "tempfile", "wrap", "wrap_file"),
        *POLICY,
    ],
}


@pytest.mark.parametrize("module", PUBLIC, ids=lambda module: module.__name__)
def test_all_is_what_is_pinned(module: ModuleType) -> None:
    assert sorted(module.__all__) == sorted(PUBLIC[module])
    public = {name for name in dir(module) if not name.startswith("_")} | {"__version__"}
    assert public - {*dir(typing), "annotations"} <= {*PUBLIC[module], "__version__"}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module, names in PUBLIC.items() for name in names]
)
def test_each_has_a_docstring_and_annotations(module: ModuleType, name: str) -> None:
    exported = getattr(module, name)
    if name == "__version__":
        assert exported.count(".") == 2
        return
    assert inspect.getdoc(exported)
    if inspect.isfunction(exported):
        signature = inspect.signature(exported)
        assert signature.return_annotation is not inspect.Signature.empty
        for parameter in signature.parameters.values():
            assert parameter.annotation is not inspect.Parameter.empty, parameter


def test_unknown_attribute() -> None:
    module: Any = asyncsys_loop
    with pytest.raises(AttributeError, match="module 'asyncsys_loop' has no attribute 'nonsense'"):
        _ = module.nonsense


def test_marked_as_typed() -> None:
    from importlib.resources import files

    assert (files("asyncsys_loop") / "py.typed").is_file()
    assert typing.get_type_hints(asyncsys_loop.Stats)


def modules_after(statement: str) -> set[str]:
    source = f"""
import sys
before = set(sys.modules)
{statement}
imported = sys.modules.keys() - before
import json
print(json.dumps(sorted(imported)))
"""
    return set(json.loads(output_of(source)))


def test_import_is_lean() -> None:
    # Beside asyncio's own, which every program that uses this has.
    imported = modules_after("import asyncio; before = set(sys.modules); import asyncsys_loop")
    ours = {name for name in imported if name.startswith(("asyncsys_loop", "_asyncsys_loop"))}
    assert not {"asyncsys_loop._policy", "asyncsys_loop._sys", "asyncsys_loop._loop_uvloop"} & ours
    foreign = {name.partition(".")[0] for name in imported - ours}
    assert not foreign & {
        *("uvloop", "ctypes", "difflib", "pathlib", "urllib", "cffi", "typing_extensions"),
        *("multiprocessing", "unittest", "json", "argparse", "tempfile", "shutil"),
    }, foreign


def test_sys_is_made_when_asked_for() -> None:
    assert "asyncsys_loop._sys" in modules_after("import asyncsys_loop; asyncsys_loop.SYS.read")
