"""asyncsys_loop.os has every name of `os`, or says why not; and what is there is as `os` has it."""

import inspect
import os
import re
import sys
from types import ModuleType
from typing import Any

import pytest

import asyncsys_loop
from asyncsys_loop.os import _constants, _others

from .support import ROOT

twins = asyncsys_loop.os
paths = asyncsys_loop.os.path

# What Linux has, and os lacks, or has in a later Python.
OURS = {
    *("ScandirIterator", "Entries", "FileHandle", "statx_result"),
    *("fallocate", "flock", "name_to_handle_at", "open_by_handle_at", "openat2", "preadinto"),
    *("read_file", "readinto", "renameat2", "statx", "sync_file_range", "path"),
    *("timerfd_create", "timerfd_gettime", "timerfd_gettime_ns", "timerfd_settime"),
    *("timerfd_settime_ns", *_constants.__all__),
}
# Functions of os.path that are coroutines; everything else of os.path is the same object.
ASKING = {
    *("abspath", "exists", "expanduser", "getatime", "getctime", "getmtime", "getsize", "isdir"),
    *("isfile", "islink", "ismount", "lexists", "realpath", "relpath", "samefile"),
    *("sameopenfile",),
}
PLAIN = {"scandir", "walk", "fwalk", "flock", "lockf"}  # they give what is awaited or iterated over


def public(module: ModuleType) -> list[str]:
    return [
        name
        for name in dir(module)
        if not name.startswith("_")
        and not isinstance(getattr(module, name), ModuleType)
        and name not in {"GenericAlias", "Mapping", "MutableMapping"}  # which os has imported
    ]


@pytest.mark.parametrize("name", [*public(os), "_exit"])
def test_every_name_of_os(name: str) -> None:
    """A new one fails: write a twin, or write down why there is none."""
    if name in _others.LEFT_OUT:
        assert name not in twins.__all__
        with pytest.raises(AttributeError, match=rf"has no {name}\(\): .*[:;].*use"):
            getattr(twins, name)
    elif name in twins.__all__:
        assert name not in _others.UNCHANGED
        assert getattr(twins, name) is not getattr(os, name)
    else:
        assert getattr(twins, name) is getattr(os, name)
        assert name in dir(twins) or name.startswith("_")
        if inspect.isroutine(getattr(os, name)):
            assert name in _others.UNCHANGED


@pytest.mark.parametrize("name", public(os.path))
def test_every_name_of_os_path(name: str) -> None:
    assert name in paths.__all__
    if name in ASKING:
        assert inspect.iscoroutinefunction(getattr(paths, name))
    elif name == "ALLOW_MISSING" or callable(getattr(os.path, name)):
        assert getattr(paths, name) is getattr(os.path, name)
    else:
        assert getattr(paths, name) == getattr(os.path, name)


def test_lists_name_what_there_is() -> None:
    known = {*dir(os), *LATER}
    assert known >= _others.UNCHANGED
    assert _others.LEFT_OUT.keys() <= known
    assert not _others.UNCHANGED & _others.LEFT_OUT.keys()
    assert set(twins.__all__) - known == OURS - {*dir(os)}
    assert len(set(twins.__all__)) == len(twins.__all__)


def test_type_checkers_know_what_is_unchanged() -> None:
    stub = (ROOT / "asyncsys_loop" / "os" / "_unchanged.pyi").read_text()
    listed = set(re.findall(r"^ +(\w+) as \1,$", stub, re.MULTILINE))
    unchanged = {*dir(twins), "_exit"} - {*twins.__all__}
    assert unchanged <= listed
    assert not listed & {*twins.__all__}


# Names of later Pythons than 3.11.
LATER = {
    *("grantpt", "posix_openpt", "process_cpu_count", "ptsname", "reload_environ", "setns"),
    *("unlockpt", "unshare"),
}


def test_unknown_names() -> None:
    module: Any = twins
    with pytest.raises(AttributeError, match=r"module 'asyncsys_loop.os' has no attribute 'nope'"):
        _ = module.nope
    for name in ("sys", "abc", "st", "Mapping"):  # what os has imported
        assert not hasattr(module, name)


def passing(function: Any) -> list[tuple[str, Any, Any]]:
    """Return how each argument can be passed, by name where it can be."""
    return [
        ("" if p.kind is p.POSITIONAL_ONLY else p.name, p.kind, p.default)
        for p in inspect.signature(function).parameters.values()
    ]


@pytest.mark.parametrize(
    ("ours", "original"),
    [
        *((getattr(twins, n), getattr(os, n)) for n in twins.__all__ if hasattr(os, n)),
        *((getattr(paths, n), getattr(os.path, n)) for n in ASKING),
    ],
    ids=lambda function: getattr(function, "__name__", ""),
)
def test_signatures_are_those_of_os(ours: Any, original: Any) -> None:
    if isinstance(original, ModuleType | type):
        return
    try:
        expected = passing(original)
    except ValueError:
        # utime() has a default that can't be written; chmod() has, too, in Python 3.13.
        assert original.__name__ in {"utime", "chmod"}
        return
    if original.__name__ == "timerfd_create":  # see DIFFERENCES in test_os_parity.py
        expected = [expected[0], ("flags", expected[1][1], os.O_CLOEXEC)]
    if original.__name__ == "realpath":  # ALLOW_MISSING is in some Pythons only
        assert [p[:2] for p in passing(ours)] == [p[:2] for p in expected]
        return
    assert passing(ours) == expected


@pytest.mark.parametrize("name", [n for n in twins.__all__ if n not in _constants.__all__])
def test_documented_and_annotated(name: str) -> None:
    exported = getattr(twins, name)
    assert inspect.getdoc(exported)
    if not inspect.isfunction(exported):
        return
    signature = inspect.signature(exported)
    assert signature.return_annotation is not inspect.Signature.empty
    for parameter in signature.parameters.values():
        assert parameter.annotation is not inspect.Parameter.empty, parameter
    documented = inspect.getdoc(exported) or ""
    assert "(2)" in documented or "(3)" in documented or "os." in documented, "it names its source"
    assert inspect.iscoroutinefunction(exported) == (name not in PLAIN)


def test_constants_are_the_kernel_s() -> None:
    for module in (os, __import__("stat")):
        for name in _constants.__all__:
            assert getattr(module, name, getattr(twins, name)) == getattr(twins, name), name


def test_page_is_up_to_date() -> None:
    from . import os_page

    if sys.version_info[:2] == (3, 11):  # names are those of the oldest Python
        assert os_page.PAGE.read_text() == os_page.page(), "run: python -m tests.os_page"
