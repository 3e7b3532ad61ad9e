"""The ABI header: its layout is what the kernel module relies on, and nobody has a copy of it."""

import shlex
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from asyncsys_loop._native import ffi, lib

ROOT = Path(__file__).resolve().parent.parent
NATIVE = ROOT / "native"
HEADER = NATIVE / "include" / "async_syscall.h"

CACHE_LINE = 64

INFO_OFFSETS = {"state": 0, "num": 4, "arg": 8, "ret": 56}
CONTROL_OFFSETS = {
    "abi_version": 0,
    "slots": 4,
    "event_fd": 8,
    "pending_tail": 64,
    "pending_head": 128,
    "completed": 192,
    "awake": 256,
    "doorbell": 260,
    "sleepers": 264,
    "watching": 268,
    "executed": 320,
    "sleeps": 328,
    "notifications": 336,
}


def compile_c(source: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Compile C source from standard input, with every warning an error."""
    command = shlex.split(sysconfig.get_config_var("CC") or "cc")[:1]
    if shutil.which(command[0]) is None:
        pytest.skip(f"no C compiler ({command[0]}): the header was not compiled")
    command += ["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-x", "c", *options, "-"]
    return subprocess.run(command, input=source, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    ("name", "size", "offsets"),
    [
        ("struct syscall_info", CACHE_LINE, INFO_OFFSETS),
        ("struct async_syscall_control", 6 * CACHE_LINE, CONTROL_OFFSETS),
    ],
)
def test_layout(name: str, size: int, offsets: dict[str, int]) -> None:
    assert ffi.sizeof(name) == size
    fields = dict(ffi.typeof(name).fields)
    assert {field: fields[field].offset for field in offsets} == offsets
    # Nothing is left out above but what fills up a cache line.
    assert all(field in offsets or field.startswith("reserved") for field in fields)


def test_each_kind_of_writer_has_its_own_cache_lines() -> None:
    lines = [
        {"abi_version", "slots", "event_fd"},  # written once
        {"pending_tail"},  # the owner
        {"pending_head"},  # exec threads, for each request
        {"completed"},  # both, by exchange
        {"awake", "doorbell", "sleepers", "watching"},  # on the way to sleep and back
        {"executed", "sleeps", "notifications"},  # counters
    ]
    for number, fields in enumerate(lines):
        assert {CONTROL_OFFSETS[field] // CACHE_LINE for field in fields} == {number}
    assert set().union(*lines) == set(CONTROL_OFFSETS)


def test_numbers() -> None:
    states = {"NONE": 0, "HASCALL": 1, "EXECUTING": 2, "COMPLETED": 3, "END": 4}
    assert ffi.typeof("enum async_syscall_state").relements == {
        f"SYSCALL_{name}": number for name, number in states.items()
    }
    limits = ffi.typeof("enum async_syscall_limits").relements
    assert limits["ASYNC_SYSCALL_ABI_VERSION"] == 1
    assert limits["ASYNC_SYSCALL_MAX_SLOTS"] == 65536
    assert limits["ASYNC_SYSCALL_CACHE_LINE"] == CACHE_LINE
    # What says that the stack is empty can't be taken for a slot.
    completed = ffi.typeof("enum async_syscall_completed").relements
    assert completed == {"COMPLETED_ARMED": 0x7FFFFFFF, "COMPLETED_POLLED": 0x7FFFFFFE}
    assert min(completed.values()) >= limits["ASYNC_SYSCALL_MAX_SLOTS"]


def test_a_table_holds_its_arrays_without_overlap() -> None:
    """Sizes for all numbers of slots, computed by the header's own macros."""
    checks = []
    for slots in (2**exponent for exponent in range(17)):
        info = (384 + 12 * slots + CACHE_LINE - 1) // CACHE_LINE * CACHE_LINE
        checks += [
            f'_Static_assert(ASYNC_SYSCALL_NEXT_OFFSET({slots}) == 384 + 4 * {slots}, "");',
            f'_Static_assert(ASYNC_SYSCALL_RUNNER_OFFSET({slots}) == 384 + 8 * {slots}, "");',
            f'_Static_assert(ASYNC_SYSCALL_INFO_OFFSET({slots}) == {info}, "");',
            f'_Static_assert(ASYNC_SYSCALL_TABLE_BYTES({slots}) == {info + 64 * slots}, "");',
        ]
    source = "\n".join(['#include "async_syscall.h"', *checks])
    result = compile_c(source, "-fsyntax-only", f"-I{HEADER.parent}")
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("option", ["-std=c11", "-std=c17"])
def test_the_header_compiles_alone(option: str) -> None:
    source = '#include "async_syscall.h"\n#include "async_syscall.h"\n'  # twice is as good as once
    result = compile_c(source, option, "-fsyntax-only", f"-I{HEADER.parent}")
    assert result.returncode == 0, result.stderr


def test_the_header_compiles_for_the_kernel(tmp_path: Path) -> None:
    """With stand-ins for the kernel headers that it takes; kmod/ builds it against real ones."""
    linux = tmp_path / "linux"
    linux.mkdir()
    (linux / "build_bug.h").write_text("#define static_assert(e) _Static_assert(e, #e)\n")
    (linux / "stddef.h").write_text("#define offsetof(t, m) __builtin_offsetof(t, m)\n")
    (linux / "types.h").write_text(
        "typedef unsigned int __u32;\ntypedef int __s32;\ntypedef unsigned long size_t;\n"
        "typedef unsigned long long __u64;\ntypedef long long __s64;\n"
    )
    (linux / "ioctl.h").write_text("")
    source = (
        # The kernel's own struct of the paper's name must not get in the way.
        "struct syscall_info { int of_the_kernel; };\n"
        '#include "async_syscall.h"\nstruct async_syscall_info info;\n'
    )
    result = compile_c(
        source,
        "-D__KERNEL__",
        "-nostdinc",
        "-fsyntax-only",
        f"-I{tmp_path}",
        f"-I{HEADER.parent}",
    )
    assert result.returncode == 0, result.stderr


def test_a_wrong_layout_does_not_compile() -> None:
    """The header's own assertions see a member that was added."""
    text = HEADER.read_text().replace("\t__s64 ret;", "\t__u32 more;\n\t__s64 ret;")
    assert text != HEADER.read_text()
    result = compile_c(text, "-fsyntax-only")
    assert result.returncode != 0
    assert "static assertion failed" in result.stderr


def test_the_binding_is_made_from_the_header(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A state that is added to the header, and nowhere else, is in the declarations for cffi."""
    monkeypatch.setattr(sys, "path", [str(NATIVE), *sys.path])
    import build_native

    changed = tmp_path / "async_syscall.h"
    changed.write_text(
        HEADER.read_text().replace("SYSCALL_END = 4,", "SYSCALL_END = 4, SYSCALL_SIXTH = 5,")
    )
    assert "SYSCALL_SIXTH" in build_native.declarations(changed)
    assert "SYSCALL_SIXTH" not in build_native.declarations(HEADER)
    assert "SYSCALL_HASCALL" not in (NATIVE / "build_native.py").read_text()


def test_the_installed_binding_is_that_of_this_header(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each struct and enum of the header, parsed anew, is as in the module that is imported."""
    from cffi import FFI

    monkeypatch.setattr(sys, "path", [str(NATIVE), *sys.path])
    import build_native

    present = FFI()
    present.cdef(build_native.KERNEL_TYPES)
    present.cdef(build_native.declarations(HEADER))
    for name in (
        "struct syscall_info",
        "struct async_syscall_control",
        "enum async_syscall_state",
        "enum async_syscall_limits",
        "enum async_syscall_completed",
    ):
        new, installed = present.typeof(name), ffi.typeof(name)
        if new.kind == "enum":
            assert new.relements == installed.relements, f"{name} has changed: run `make native`"
            continue
        layout, installed_layout = (
            [(field, kind.offset, str(kind.type)) for field, kind in of.fields]
            for of in (new, installed)
        )
        assert layout == installed_layout, f"{name} has changed: run `make native`"


def test_the_table_of_transitions_speaks_of_the_states() -> None:
    states = {
        name.removeprefix("SYSCALL_") for name in ffi.typeof("enum async_syscall_state").relements
    }
    named = set()
    number = 0
    while (row := lib.async_syscall_transitions[number]).who != ffi.NULL:
        named |= {ffi.string(row.to).decode(), ffi.string(getattr(row, "from")).decode()}
        assert ffi.string(row.who) in {b"OWNER", b"EXEC"}
        assert ffi.string(row.how)
        number += 1
    assert named == states
