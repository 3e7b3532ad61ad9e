"""The table of system calls: its grammar, headers and kernel agree with it, SYS is made of it."""

import ctypes
import os
import pickle
import platform
import re
import select
import shlex
import shutil
import subprocess
import sys
import sysconfig
from array import array
from collections.abc import Iterator
from pathlib import Path

import pytest

from asyncsys_loop._sys import SYS, SyscallDescription, description, descriptions, resolve

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "native"))

import syscalls_table  # noqa: E402  (it stands beside the C sources, which are no package)

TABLE = syscalls_table.load()
BY_NAME = {call.name: call for call in TABLE.calls}
LIBC = ctypes.CDLL(None, use_errno=True)
CANARY = 0xA5


def compiler() -> list[str]:
    command = shlex.split(os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc")
    if shutil.which(command[0]) is None:
        pytest.skip(f"no C compiler ({command[0]}): the kernel's headers were not compared")
    return command[:1]


@pytest.fixture(scope="module")
def header_numbers() -> dict[str, int]:
    """What <asm/unistd.h> of this machine says."""
    listing = subprocess.run(
        [*compiler(), "-E", "-dM", "-x", "c", "-"],
        input="#include <asm/unistd.h>\n",
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    macros = dict(re.findall(r"#define (__NR\w+) (\w+)", listing))
    numbers = {}
    for name, defined in macros.items():
        value = defined
        while value in macros:  # aarch64: __NR_fstat is __NR3264_fstat
            value = macros[value]
        if name.startswith("__NR_") and value.isdigit():
            numbers[name.removeprefix("__NR_")] = int(value)
    # Not calls: how many there are, and where those of an architecture begin.
    return {
        name: number
        for name, number in numbers.items()
        if name not in ("syscalls", "arch_specific_syscall")
    }


# ---- the grammar


def row(arguments: str = "-", traits: str = "-", note: str = "") -> str:
    return f"type long 8\nsection S\nuser int,in=long -\ncall {arguments} {traits} {note}\n"


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("section S\nread\n", 2, "a row has a name, arguments, traits"),
        ("section S\nread int\n", 2, "write - for none"),
        ("section S\nread int -\nwrite int -\nread int -\n", 4, "the first is in line 2"),
        ("section S\nRead int -\n", 2, "'Read' isn't the name of a system call"),
        ("section S\nread\tint -\n", 2, "blanks instead of tabs"),
        ("section S\nread int - caf\u00e9\n", 2, "only ASCII"),
        ("read int -\n", 1, "no section has begun"),
        ("type stat\n", 1, "a type is: type NAME BYTES"),
        ("type stat sizeof(struct stat)\n", 1, "needs a <HEADER>"),
        ("type stat 144 <sys/stat.h>\n", 1, "a number has none"),
        ("type a 1\ntype a 2\n", 2, "second time"),
        (row("int,,int"), 4, "'' is no argument"),
        (row("int,out[2"), 4, "'out[2' is no argument"),
        (row("number"), 4, "'number' is no kind of argument; the kinds are int, path"),
        (row("int,int,int,int,int,int,int"), 4, "7 arguments; a system call takes at most 6"),
        (row("int?,int"), 4, "argument 0 is an int that others follow"),
        (row("path[1],int"), 4, "only in, out, inout have a length"),
        (row("out[1]"), 4, "there is no argument 1, they count from 0"),
        (row("path,out[0]"), 4, "argument 0 is 'path', and should be int"),
        (row("out[*1],int"), 4, "argument 1 is 'int', and should be inout"),
        (row("out[int],int"), 4, "a length is [N], [N*SIZE]"),
        (row("out[],int"), 4, "a length is [N], [N*SIZE]"),
        (row("out[1-long],int"), 4, "a length is [N], [N*SIZE]"),
        (row("out=stat"), 4, "'stat' is no type; declare it"),
        (row("out=2*"), 4, "'2*' is no size"),
        (row("-", "blocks"), 4, "'blocks' is no trait; the traits are refused, never-blocks"),
        (row("-", "fd,fd"), 4, "a trait stands twice"),
        (row("-", "never-blocks,interruptible"), 4, "can't be interrupted in it"),
        (row("-", "refused", "bad idea"), 4, "ends in ': use ...'"),
        (row("-", "refused,interruptible", "no: use x"), 4, "a refused call never runs"),
        (row("-", "refused,fd", "no: use x"), 4, "it returns no descriptor"),
        (row("out=8", "fd,fds[0]"), 4, "not both"),
        (row("int", "fds[0]"), 4, "argument 0 is 'int', and should be out"),
        (row("int", "fd?1=3"), 4, "there is no argument 1"),
        (row("path", "fd?0=3"), 4, "argument 0 is 'path', and should be int"),
        (row("int", "fd?0=F_DUPFD"), 4, "'F_DUPFD' is no number"),
        (row("int", "fd?0=0x100000000"), 4, "doesn't fit into 32 bits"),
        (row("int", "fd?0=" + "|".join("1" * 17)), 4, "more than 16 values"),
        (row("-", "nr=17"), 4, "numbers below 424 are one architecture's"),
        ("section S\na - nr=500\nb - nr=500\n", 3, "number 500 is a's, in line 2"),
    ],
)
def test_a_broken_table_says_where_and_how(text: str, line: int, problem: str) -> None:
    with pytest.raises(syscalls_table.TableError) as error:
        syscalls_table.parse(text, "t.tbl")
    assert str(error.value).startswith(f"t.tbl:{line}: ")
    assert problem in str(error.value)


def test_a_type_that_nobody_uses_is_an_error() -> None:
    with pytest.raises(syscalls_table.TableError, match="no row uses type 'unused'"):
        syscalls_table.parse("type unused 8\nsection S\nread int -\n")


def test_a_row_is_read_as_written() -> None:
    text = row("int,out[2*long]?,int,inout=3*long,int?", "interruptible,fd?0=-1|0x10", "a  note")
    call = syscalls_table.parse(text).calls[-1]
    assert (call.name, call.note, call.section, call.line) == ("call", "a  note", "S", 4)
    assert [argument.kind for argument in call.arguments] == ["int", "out", "int", "inout", "int"]
    assert [argument.nullable for argument in call.arguments] == [False, True, False, False, True]
    assert call.required == 4
    assert call.flags == {"interruptible"}
    assert call.returns_fd
    assert (call.fd_argument, call.fd_values) == (0, (0xFFFFFFFF, 0x10))
    length = call.arguments[1].length
    assert length is not None
    assert (length.rule, length.index) == ("SYSCALL_LENGTH_COUNT", 2)
    assert length.unit == syscalls_table.Size(1, "long")


# ---- the table against the headers, and what is made from it


def test_every_call_of_this_machine_has_a_row(header_numbers: dict[str, int]) -> None:
    assert len(header_numbers) > 250
    assert sorted(header_numbers.keys() - BY_NAME.keys()) == []


def test_numbers_are_those_of_the_header(header_numbers: dict[str, int]) -> None:
    for name, number in header_numbers.items():
        assert SYS[name] == number, name


def test_calls_are_there_where_the_table_says(header_numbers: dict[str, int]) -> None:
    machine = platform.machine()
    for call in TABLE.calls:
        if call.architecture not in (None, machine):
            assert call.name not in header_numbers, call.name
            assert call.name not in SYS.__members__, call.name
        else:
            # Without a number of its own, a row needs the header to know it.
            assert call.number is not None or call.name in header_numbers, call.name
            assert call.name in SYS.__members__, call.name


def test_the_c_source_compiles_without_a_warning(tmp_path: Path) -> None:
    source = tmp_path / "syscall_table.c"
    source.write_text(syscalls_table.generate_c())
    flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]
    subprocess.run([*compiler(), *flags, "-I", ROOT / "native", source], check=True)


def test_what_is_generated_is_not_stale() -> None:
    stale = [path.name for path in syscalls_table.stale(TABLE)]
    assert stale == [], "run: python native/syscalls_table.py stub (and docs)"


def test_a_stale_product_is_noticed() -> None:
    changed = syscalls_table.TABLE.read_text() + "another_call - -\n"
    assert len(syscalls_table.stale(syscalls_table.parse(changed))) == 2


def test_the_library_has_the_table_as_it_is_written() -> None:
    for name, member in SYS.__members__.items():
        call, found = BY_NAME[name], description(member)
        assert found is not None
        assert (found.number, found.name) == (member, name)
        assert [(a.kind, a.nullable) for a in found.arguments] == [
            (a.kind, a.nullable) for a in call.arguments
        ], name
        for built, written in zip(found.arguments, call.arguments, strict=True):
            assert (built.length_rule is None) == (written.length is None), name
            if built.length_index >= 0:
                rule = f"[{'*' if built.length_rule == 'pointed' else ''}{built.length_index}"
                assert rule in written.text, name
        assert found.required == call.required, name
        assert found.note == call.note, name
        assert found.never_blocks == ("never-blocks" in call.flags), name
        assert found.interruptible == ("interruptible" in call.flags), name
        assert found.returns_fd == call.returns_fd, name
        assert found.fd_argument == (-1 if call.fd_argument is None else call.fd_argument), name
        assert found.fd_values == frozenset(call.fd_values), name
        assert found.fds_argument == (-1 if call.fds_argument is None else call.fds_argument), name
        refusal = f"{name} is refused: {call.note}" if "refused" in call.flags else None
        assert found.refusal == refusal, name


MUST_BE_REFUSED = frozenset(
    {
        "arch_prctl",
        "brk",
        "capset",
        "clone",
        "clone3",
        "execve",
        "execveat",
        "exit",
        "exit_group",
        "fork",
        "getcpu",
        "gettid",
        "ioprio_set",
        "keyctl",
        "landlock_restrict_self",
        "pause",
        "personality",
        "prctl",
        "ptrace",
        "restart_syscall",
        "rseq",
        "rt_sigprocmask",
        "rt_sigreturn",
        "rt_sigsuspend",
        "sched_setaffinity",
        "sched_setattr",
        "sched_setparam",
        "sched_setscheduler",
        "seccomp",
        "set_mempolicy",
        "set_robust_list",
        "set_tid_address",
        "setfsgid",
        "setfsuid",
        "setgid",
        "setgroups",
        "setns",
        "setpriority",
        "setregid",
        "setresgid",
        "setresuid",
        "setreuid",
        "setuid",
        "sigaltstack",
        "unshare",
        "vfork",
    }
)


def test_calls_of_one_thread_are_refused() -> None:
    refused = {found.name for found in descriptions() if found.refusal is not None}
    assert MUST_BE_REFUSED & SYS.__members__.keys() - refused == set()
    for found in descriptions():
        if found.refusal is not None:
            assert re.search(r"\buse\b", found.refusal), found.refusal


# ---- the table against the kernel


def buffer_of(
    found: SyscallDescription, index: int, *arguments: object
) -> "ctypes.Array[ctypes.c_char]":
    """The shortest buffer that the table allows, with a canary behind its end."""
    needed = found.arguments[index].minimum_bytes(arguments)
    assert needed > 0
    return ctypes.create_string_buffer(bytes([CANARY]) * (needed + 256), needed + 256)


def kernel(name: str, *arguments: object) -> int:
    """Make the call here and now, with six arguments."""
    padded = [
        ctypes.c_long(argument) if isinstance(argument, int) else argument
        for argument in [*arguments, *[0] * (6 - len(arguments))]
    ]
    ctypes.set_errno(0)
    result: int = LIBC.syscall(ctypes.c_long(SYS[name]), *padded)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error), name)
    return result


OUT = object()
# Calls that fill the whole of their buffers, with their other arguments.
FILLED = [
    ("uname", (OUT,)),
    ("fstat", (1, OUT)),
    ("stat", (b"/", OUT)),
    ("lstat", (b"/", OUT)),
    ("newfstatat", (-100, b"/", OUT, 0)),
    ("statx", (-100, b"/", 0, 0x7FF, OUT)),
    ("statfs", (b"/", OUT)),
    ("sysinfo", (OUT,)),
    ("times", (OUT,)),
    ("getrusage", (0, OUT)),
    ("getrlimit", (7, OUT)),
    ("prlimit64", (0, 7, None, OUT)),
    ("getitimer", (0, OUT)),
    ("clock_gettime", (0, OUT)),
    ("clock_getres", (0, OUT)),
    ("gettimeofday", (OUT, None)),
    ("time", (OUT,)),
    ("sched_getparam", (0, OUT)),
    ("sched_rr_get_interval", (0, OUT)),
    ("sched_getattr", (0, OUT, 48, 0)),
    ("getresuid", (OUT, OUT, OUT)),
    ("socketpair", (1, 1, 0, OUT)),
    ("pipe2", (OUT, 0)),
    ("getrandom", (OUT, 100, 0)),
]


@pytest.mark.parametrize(("name", "arguments"), FILLED, ids=[name for name, _ in FILLED])
def test_the_kernel_fills_exactly_what_the_table_says(
    name: str, arguments: tuple[object, ...]
) -> None:
    if name not in SYS.__members__:
        pytest.skip(f"{name} doesn't exist on {platform.machine()}")
    found = resolve(name)
    buffers = {
        index: buffer_of(found, index, *arguments)
        for index, argument in enumerate(arguments)
        if argument is OUT
    }
    kernel(name, *[buffers.get(index, argument) for index, argument in enumerate(arguments)])
    for index, buffer in buffers.items():
        needed = len(buffer) - 256
        assert buffer.raw[needed:] == bytes([CANARY]) * 256, "the kernel wrote behind the end"
        # Some byte of the last word was written: the table doesn't ask for more than is needed.
        # (utsname's fields end in NULs, statx in reserved words that are zeroed.)
        assert buffer.raw[max(0, needed - 8) : needed] != bytes([CANARY]) * min(8, needed)
        if found.fds_argument == index:
            for descriptor in array("i", buffer.raw[:needed]):
                os.close(descriptor)


def test_epoll_events_have_the_size_of_this_architecture() -> None:
    read_end, write_end = os.pipe()
    epoll = select.epoll()
    try:
        os.write(write_end, b"x")
        epoll.register(read_end, select.EPOLLIN)
        epoll.register(write_end, select.EPOLLOUT)
        found = resolve("epoll_pwait")
        arguments = (epoll.fileno(), OUT, 2, 0)
        buffer = buffer_of(found, 1, *arguments)
        assert kernel("epoll_pwait", epoll.fileno(), buffer, 2, 0, None, 8) == 2
        assert buffer.raw[-256:] == bytes([CANARY]) * 256
        assert buffer.raw[-260:-256] != bytes([CANARY]) * 4
    finally:
        epoll.close()
        os.close(read_end)
        os.close(write_end)


def test_getsockname_stays_within_the_length_that_is_pointed_at() -> None:
    listening = resolve("getsockname")
    length = array("i", [16])
    assert listening.arguments[1].minimum_bytes((3, OUT, length)) == 16
    assert listening.arguments[1].minimum_bytes((3, OUT, memoryview(length))) == 16
    assert listening.arguments[1].minimum_bytes((3, OUT, None)) == 0
    # A bare address: nobody looks behind it.
    assert listening.arguments[1].minimum_bytes((3, OUT, 0x1000)) == 0


@pytest.fixture
def descriptor() -> Iterator[int]:
    made = os.open("/", os.O_RDONLY)
    yield made
    os.close(made)


def open_descriptors() -> set[int]:
    poll = select.poll()
    for number in range(256):
        poll.register(number, 0)
    closed = {number for number, event in poll.poll(0) if event & select.POLLNVAL}
    return set(range(256)) - closed


NEW_DESCRIPTORS = [
    ("open", (b"/", 0, 0)),
    ("openat", (-100, b"/", 0, 0)),
    ("openat2", (-100, b"/", bytes(24), 24)),
    ("memfd_create", (b"name", 0)),
    ("eventfd", (0,)),
    ("eventfd2", (0, 0)),
    ("epoll_create", (1,)),
    ("epoll_create1", (0,)),
    ("signalfd", (-1, bytes(8), 8)),
    ("signalfd4", (-1, bytes(8), 8, 0)),
    ("timerfd_create", (1, 0)),
    ("inotify_init", ()),
    ("inotify_init1", (0,)),
    ("pidfd_open", (os.getpid(), 0)),
    ("socket", (1, 1, 0)),
    ("dup", (1,)),
    ("fcntl", (1, 0, 0)),
    ("fcntl", (1, 1030, 0)),
]


@pytest.mark.parametrize(
    ("name", "arguments"), NEW_DESCRIPTORS, ids=[name for name, _ in NEW_DESCRIPTORS]
)
def test_the_result_is_a_new_descriptor(name: str, arguments: tuple[int | bytes, ...]) -> None:
    if name not in SYS.__members__:
        pytest.skip(f"{name} doesn't exist on {platform.machine()}")
    numbers = [argument if isinstance(argument, int) else 0x1000 for argument in arguments]
    assert resolve(name).returns_fd_for(numbers)
    before = open_descriptors()
    try:
        made = kernel(name, *arguments)
    except OSError as error:
        if isinstance(error, PermissionError) or error.errno == 38:
            pytest.skip(f"{name} is forbidden here ({error.strerror}): its result was not seen")
        raise
    try:
        assert open_descriptors() - before == {made}
    finally:
        os.close(made)


def test_the_result_is_a_new_descriptor_only_under_the_condition(descriptor: int) -> None:
    assert not resolve("fcntl").returns_fd_for([descriptor, 1, 0])  # F_GETFD
    assert resolve("signalfd4").returns_fd_for([0xFFFFFFFF, 0, 8, 0])
    assert resolve("signalfd4").returns_fd_for([2**64 - 1, 0, 8, 0])
    assert not resolve("signalfd4").returns_fd_for([descriptor, 0, 8, 0])
    assert not resolve("read").returns_fd_for([descriptor, 0, 8])
    assert not resolve("dup3").returns_fd_for([descriptor, 100, 0])


# ---- lengths


def test_minimum_bytes() -> None:
    def needed(name: str, index: int, *arguments: object) -> int:
        return resolve(name).arguments[index].minimum_bytes(arguments)

    assert needed("read", 1, 0, OUT, 4096) == 4096
    assert needed("read", 1, 0, OUT, 0) == 0
    assert needed("read", 0, 0, OUT, 10) == 0
    assert needed("readv", 1, 0, OUT, 3) == 48
    assert needed("msgrcv", 1, 0, OUT, 100, 0, 0) == 108
    assert needed("pselect6", 1, 0, OUT) == 0
    assert needed("pselect6", 1, 1, OUT) == 8
    assert needed("pselect6", 1, 64, OUT) == 8
    assert needed("pselect6", 1, 65, OUT) == 16
    assert needed("utimensat", 2, -100, None, OUT, 0) == 32
    assert needed("sendto", 4, 3, b"", 0, 0) == 0  # left out
    assert needed("fstat", 1, 0, OUT) == {"x86_64": 144, "aarch64": 128}[platform.machine()]


def test_a_negative_length_is_an_error() -> None:
    with pytest.raises(ValueError, match="argument 2, counted from 0, is the length of a buffer"):
        resolve("getdents64").arguments[1].minimum_bytes((3, OUT, -1))


# ---- SYS, and finding a call


def test_sys() -> None:
    assert SYS.__doc__ is not None
    assert len(SYS) == len(list(descriptions()))
    assert [member.value for member in SYS] == sorted(SYS)
    assert SYS.getpid == SYS["getpid"] == SYS(int(SYS.getpid))
    assert pickle.loads(pickle.dumps(SYS.getpid)) is SYS.getpid
    assert kernel("getpid") == os.getpid()


def test_importing_makes_nothing_that_is_needed_later_only() -> None:
    program = """
import sys
import asyncsys_loop._sys as module
assert "SYS" not in vars(module), "SYS was made by the import"
assert "difflib" not in sys.modules
module.SYS
assert "SYS" in vars(module)
"""
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)


def test_a_call_is_found_by_number_name_and_member() -> None:
    found = resolve("pread64")
    assert found.name == "pread64"
    assert found.traits == {"interruptible"}
    assert resolve(SYS.pread64) is found
    assert resolve(int(SYS.pread64)) is found
    assert description(SYS.pread64) is found
    assert type(resolve(SYS.fchdir).number) is int
    with pytest.raises(AttributeError):
        found.number = 1  # type: ignore[misc]


@pytest.mark.parametrize("number", [-1, 2**31, 2**64, 423])
def test_an_unknown_number(number: int) -> None:
    assert description(number) is None
    with pytest.raises(ValueError, match=f"no system call of number {number} on .*see .*SYS"):
        resolve(number)


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("raed", "did you mean 'read'"),
        ("SYS_pread64", "did you mean 'pread64'"),
        ("GETPID", "did you mean 'getpid'"),
        ("pread", "'pread64'"),
        ("", "see asyncsys_loop.SYS"),
        ("xyzzy", "see asyncsys_loop.SYS"),
    ],
)
def test_an_unknown_name(name: str, hint: str) -> None:
    with pytest.raises(ValueError, match=re.escape(f"no system call {name!r} on ")) as error:
        resolve(name)
    assert hint in str(error.value)


@pytest.mark.parametrize("wrong", [True, 1.0, None, b"read", ["read"], object()], ids=repr)
def test_neither_a_number_nor_a_name(wrong: object) -> None:
    resolve(1)  # True and 1.0 are equal to a key that is known
    with pytest.raises(TypeError, match=r"its number, its name or a member of asyncsys_loop\.SYS"):
        resolve(wrong)  # type: ignore[arg-type]
