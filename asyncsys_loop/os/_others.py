"""The functions of `os` that have no twin: those that are os's own here, and those left out.

One list, which asyncsys_loop.os.__getattr__(), the tests and docs/os.md are made from. What is
neither a function with a twin, nor here, nor data (a constant, a type, os.environ) isn't forwarded:
a function of a later Python could stop the loop.
"""

import os
from types import ModuleType
from typing import Final

# Pure, or it never waits for anything: it asks or sets what the kernel holds of this process, of
# its descriptors and terminals, in memory. They are the very functions of os.
UNCHANGED: Final = frozenset(
    {
        # pure
        *("WCOREDUMP", "WEXITSTATUS", "WIFCONTINUED", "WIFEXITED", "WIFSIGNALED", "WIFSTOPPED"),
        *("WSTOPSIG", "WTERMSIG", "waitstatus_to_exitcode", "fsdecode", "fsencode", "fspath"),
        *("major", "makedev", "minor", "strerror", "get_exec_path", "device_encoding"),
        *("confstr", "sysconf", "ctermid", "register_at_fork"),
        # the environment
        *("getenv", "getenvb", "putenv", "unsetenv", "reload_environ"),
        # who the process is
        *("getegid", "geteuid", "getgid", "getgroups", "getpgid", "getpgrp", "getpid", "getppid"),
        *("getresgid", "getresuid", "getsid", "getuid", "setegid", "seteuid", "setgid"),
        *("setgroups", "setpgid", "setpgrp", "setregid", "setresgid", "setresuid", "setreuid"),
        *("setsid", "setuid", "umask", "kill", "killpg", "abort", "_exit", "nice"),
        *("getpriority", "setpriority"),
        # descriptors' flags, terminals
        *("get_blocking", "set_blocking", "get_inheritable", "set_inheritable", "isatty"),
        *("get_terminal_size", "tcgetpgrp", "tcsetpgrp", "ttyname", "openpty", "login_tty"),
        *("grantpt", "posix_openpt", "ptsname", "unlockpt"),
        # the system
        *("cpu_count", "process_cpu_count", "getloadavg", "times", "uname"),
        *("sched_get_priority_max", "sched_get_priority_min", "sched_getaffinity"),
        *("sched_getparam", "sched_getscheduler", "sched_rr_get_interval", "sched_setaffinity"),
        *("sched_setparam", "sched_setscheduler", "sched_yield"),
        # they don't return
        *("execl", "execle", "execlp", "execlpe", "execv", "execve", "execvp", "execvpe"),
    }
)

_SUBPROCESS: Final = "it stops the loop: use asyncio.create_subprocess_exec()"
_USER_DATABASE: Final = "libc looks it up in the user database: use asyncio.to_thread(os.{name}, …)"
_LIBC: Final = "libc answers it, not a system call: use asyncio.to_thread(os.{name}, …)"
_NAMESPACES: Final = (
    "it would leave the exec threads, which run the calls, behind: use os.{name}() before the loop"
)

# Why there is nothing under the name, and what to use.
LEFT_OUT: Final[dict[str, str]] = {
    "fdopen": "it makes a file that stops the loop: use asyncsys_loop.open(fd, …)",
    "popen": "it stops the loop: use asyncio.create_subprocess_shell()",
    "system": "it stops the loop: use asyncio.create_subprocess_shell()",
    **dict.fromkeys(
        (
            *("posix_spawn", "posix_spawnp", "spawnl", "spawnle", "spawnlp", "spawnlpe"),
            *("spawnv", "spawnve", "spawnvp", "spawnvpe"),
        ),
        _SUBPROCESS,
    ),
    **dict.fromkeys(
        ("fork", "forkpty"),
        "a running loop isn't for two processes: use asyncio.create_subprocess_exec(), "
        "or os.{name}() before the loop",
    ),
    **dict.fromkeys(("getlogin", "getgrouplist", "initgroups"), _USER_DATABASE),
    **dict.fromkeys(("pathconf", "fpathconf"), _LIBC),
    **dict.fromkeys(("setns", "unshare"), _NAMESPACES),
}


def reason(name: str) -> str:
    """Return why a function of os has no twin."""
    return LEFT_OUT[name].format(name=name)


def is_unchanged(name: str) -> bool:
    """Tell whether a name of os is here as it is there: data, a type, a function of UNCHANGED."""
    found = getattr(os, name)
    if name.startswith("__") or isinstance(found, ModuleType):
        return False
    if isinstance(found, type):
        return found.__module__ in {"os", "posix", "builtins"}  # and not what os has imported
    return name in UNCHANGED or not callable(found)
