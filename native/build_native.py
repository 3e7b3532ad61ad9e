"""Builds `_asyncsys_loop`, the cffi binding of the C library.

Nothing is declared here a second time. What Python sees is what stands between the marks "cffi
reads from here on" and "cffi stops reading here" in the C headers, with the preprocessor run over
it; and the table of system calls is generated from syscalls.tbl.
"""

import os
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

from cffi import FFI

NATIVE = Path(__file__).resolve().parent
sys.path.insert(0, str(NATIVE))

import syscalls_table  # noqa: E402  (it stands beside this file, which isn't a package)

SOURCES = ["table.c", "exec.c", "compound.c", "pool.c", "executor_kmod.c", "executor_threads.c"]
# The engine's hot path, against CPython's stable API: a second module in the same shared object.
SOURCES += sorted(f"engine/{path.name}" for path in NATIVE.glob("engine/*.c"))
HEADERS = ["include/async_syscall.h", "exec.h", "compound.h", "table.h"]
BEGIN, END = "/* cffi reads from here on", "/* cffi stops reading here. */"

# cffi doesn't know the kernel's names for the integers of fixed size.
KERNEL_TYPES = """
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef int __s32;
typedef long long __s64;
"""


def declarations(header: Path) -> str:
    """The part of a header that is meant for cffi."""
    text = header.read_text()
    marked = text[text.index(BEGIN) : text.index(END)]
    compiler = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    preprocessed = subprocess.run(
        [compiler[0], "-E", "-P", "-x", "c", "-"],
        input=marked,
        capture_output=True,
        text=True,
        check=True,
    )
    return preprocessed.stdout


def builder(extra_compile_args: list[str] | None = None) -> FFI:
    """The FFI of the binding; setuptools compiles what it describes."""
    ffi = FFI()
    ffi.cdef(KERNEL_TYPES)
    for header in HEADERS:
        ffi.cdef(declarations(NATIVE / header))
    ffi.cdef(syscalls_table.cdef())
    ffi.set_source(
        "_asyncsys_loop",
        "".join(f'#include "{header}"\n' for header in (*HEADERS, "syscall_table.h"))
        + syscalls_table.generate_c(),
        sources=[os.path.relpath(NATIVE / source) for source in SOURCES],
        depends=[os.path.relpath(path) for path in sorted(NATIVE.glob("**/*.h"))],
        include_dirs=[os.path.relpath(NATIVE), os.path.relpath(NATIVE / "include")],
        extra_compile_args=["-std=c11", "-O2", "-Wall", "-Wextra", *(extra_compile_args or [])],
        libraries=["pthread", "dl"],
    )
    return ffi


if __name__ != "__main__":
    ffibuilder = builder()
