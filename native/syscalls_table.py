"""Reads native/syscalls.tbl, and writes what is made from it.

The head of syscalls.tbl tells what the table means; this file is its grammar. Everything that can
be wrong with a row is said here, with the number of the line, so that nothing that reads the
product needs to check it again.

    python native/syscalls_table.py stub     writes asyncsys_loop/_sys.pyi
    python native/syscalls_table.py docs     writes docs/syscalls.md
    python native/syscalls_table.py check    fails if one of the two isn't what it would write
    python native/syscalls_table.py c        prints the C source that the build compiles
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

NATIVE = Path(__file__).resolve().parent
TABLE = NATIVE / "syscalls.tbl"
HEADER = NATIVE / "syscall_table.h"
STUB = NATIVE.parent / "asyncsys_loop" / "_sys.pyi"
DOCS = NATIVE.parent / "docs" / "syscalls.md"

ARCHITECTURES = ("x86_64", "aarch64")
NUMBER_KINDS = ("int",)
POINTER_KINDS = ("path", "string", "in", "out", "inout", "address", "any")
MEASURED_KINDS = ("in", "out", "inout")
MAX_ARGUMENTS = 6
MAX_FD_VALUES = 16

# Traits that are a flag and nothing more: the word in the table, and its bit in syscall_table.h.
TRAITS = {
    "refused": "SYSCALL_REFUSED",
    "never-blocks": "SYSCALL_NEVER_BLOCKS",
    "interruptible": "SYSCALL_INTERRUPTIBLE",
    "kernel": "SYSCALL_KERNEL",
}

NOTHING_INSTEAD = "there is nothing to use instead"


class TableError(Exception):
    """The table breaks its own rules. The message tells where and how."""


@dataclass(frozen=True, slots=True)
class Type:
    """A size that the rows call by name.

    size is a number, or the C expression that header makes known.
    """

    name: str
    size: str
    header: str | None


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes: times the size of a type, or times one byte if type is None."""

    times: int
    type: str | None


@dataclass(frozen=True, slots=True)
class Length:
    """How long a buffer must be; rule is the name of an enum syscall_length_rule."""

    rule: str
    index: int | None
    base: Size | None
    unit: Size | None


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a call. text is how the table writes it."""

    kind: str
    nullable: bool
    length: Length | None
    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """One row."""

    name: str
    arguments: tuple[Argument, ...]
    required: int
    flags: frozenset[str]
    returns_fd: bool
    fd_argument: int | None
    fd_values: tuple[int, ...]
    fds_argument: int | None
    architecture: str | None
    number: int | None
    traits_text: str
    note: str
    section: str
    line: int


@dataclass(frozen=True, slots=True)
class Table:
    """All of it, in the order of the file."""

    types: dict[str, Type]
    calls: tuple[Call, ...]


_TYPE = re.compile(r"type\s+(\w+)\s+(\d+|sizeof\([\w ]+\))(?:\s+<([\w/.]+)>)?\s*(?:#.*)?")
_ARGUMENT = re.compile(r"([a-z]+)(?:=([\w*]+)|\[([^\[\]]*)\])?(\?)?")
_SIZE = re.compile(r"(?:(\d+)\*)?([a-z]\w*)|(\d+)")
_BY_ARGUMENT = re.compile(r"(\d+)(?:([*+])(\w+)|(/8))?|\*(\d+)")
_FD_CONDITION = re.compile(r"fd\?(\d+)=((?:-?\w+)(?:\|-?\w+)*)")


class _Parser:
    def __init__(self, text: str, source: str) -> None:
        self.text = text
        self.source = source
        self.line = 0
        self.section = ""
        self.types: dict[str, Type] = {}
        self.used_types: set[str] = set()
        self.calls: dict[str, Call] = {}

    def fail(self, problem: str) -> NoReturn:
        raise TableError(f"{self.source}:{self.line}: {problem}")

    def parse(self) -> Table:
        for number, line in enumerate(self.text.splitlines(), 1):
            self.line = number
            if "\t" in line or not line.isascii():
                self.fail("only ASCII, and blanks instead of tabs")
            words = line.split(None, 3)
            if not words or words[0].startswith("#"):
                continue
            if words[0] == "type":
                self.parse_type(line)
            elif words[0] == "section":
                self.section = line.removeprefix("section").strip()
            else:
                self.parse_call(words)
        for name in self.types.keys() - self.used_types:
            raise TableError(f"{self.source}: no row uses type {name!r}")
        return Table(self.types, tuple(self.calls.values()))

    def parse_type(self, line: str) -> None:
        match = _TYPE.fullmatch(line)
        if match is None:
            self.fail("a type is: type NAME BYTES, or type NAME sizeof(TYPE) <HEADER>")
        name, size, header = match.groups()
        if size.isdigit() == (header is not None):
            self.fail(f"type {name!r}: sizeof() needs a <HEADER>, a number has none")
        if name in self.types:
            self.fail(f"type {name!r} stands here for the second time")
        self.types[name] = Type(name, size, header)

    def parse_call(self, words: list[str]) -> None:
        if len(words) < 3:
            self.fail("a row has a name, arguments, traits and a note; write - for none")
        name, arguments_text, traits_text = words[:3]
        note = words[3].strip() if len(words) == 4 else ""
        if re.fullmatch(r"[a-z_][a-z0-9_]*", name) is None:
            self.fail(f"{name!r} isn't the name of a system call")
        if name in self.calls:
            first = self.calls[name].line
            self.fail(f"{name!r} stands here for the second time, the first is in line {first}")
        arguments = self.parse_arguments(arguments_text)
        required = len(arguments)
        while required and arguments[required - 1].nullable:
            required -= 1
        for index, argument in enumerate(arguments):
            if argument.kind in NUMBER_KINDS and argument.nullable and index < required:
                self.fail(f"argument {index} is an int that others follow: it can't be left out")

        flags = set()
        returns_fd = False
        fd_argument = fds_argument = architecture = number = None
        fd_values: tuple[int, ...] = ()
        traits = [] if traits_text == "-" else traits_text.split(",")
        if len(set(traits)) != len(traits):
            self.fail(f"a trait stands twice in {traits_text!r}")
        for trait in traits:
            if trait in TRAITS:
                flags.add(trait)
            elif trait == "fd":
                returns_fd = True
            elif match := _FD_CONDITION.fullmatch(trait):
                returns_fd = True
                fd_argument = self.index(match[1], arguments, NUMBER_KINDS, trait)
                fd_values = tuple(self.number(value) for value in match[2].split("|"))
                if len(fd_values) > MAX_FD_VALUES:
                    self.fail(f"{trait!r} has more than {MAX_FD_VALUES} values")
            elif match := re.fullmatch(r"fds\[(\d+)\]", trait):
                fds_argument = self.index(match[1], arguments, ("out",), trait)
            elif trait in ARCHITECTURES:
                architecture = trait
            elif match := re.fullmatch(r"nr=(\d+)", trait):
                number = int(match[1])
            else:
                known = ", ".join([*TRAITS, "fd", "fd?N=V|V", "fds[N]", "nr=N", *ARCHITECTURES])
                self.fail(f"{trait!r} is no trait; the traits are {known}")
        if {"never-blocks", "interruptible"} <= flags:
            self.fail("a call that never blocks can't be interrupted in it")
        if "refused" in flags and len(flags) > 1:
            self.fail("a refused call never runs: it doesn't block, and isn't interrupted")
        if "refused" in flags and (returns_fd or fds_argument is not None):
            self.fail("a refused call never runs: it returns no descriptor")
        if returns_fd and fds_argument is not None:
            self.fail("a call returns one descriptor or writes two, not both")
        if "refused" in flags and ": use " not in note and NOTHING_INSTEAD not in note:
            self.fail(f"the note of a refused call ends in ': use ...', or in '{NOTHING_INSTEAD}'")
        if number is not None:
            if number < 424 and architecture is None:
                self.fail("numbers below 424 are one architecture's: say which, or leave out nr=")
            for other in self.calls.values():
                if other.number == number:
                    self.fail(f"number {number} is {other.name}'s, in line {other.line}")
        if not self.section:
            self.fail("no section has begun: section TITLE")
        self.calls[name] = Call(
            name=name,
            arguments=arguments,
            required=required,
            flags=frozenset(flags),
            returns_fd=returns_fd,
            fd_argument=fd_argument,
            fd_values=fd_values,
            fds_argument=fds_argument,
            architecture=architecture,
            number=number,
            traits_text=traits_text,
            note=note,
            section=self.section,
            line=self.line,
        )

    def parse_arguments(self, text: str) -> tuple[Argument, ...]:
        if text == "-":
            return ()
        parts = text.split(",")
        if len(parts) > MAX_ARGUMENTS:
            self.fail(f"{len(parts)} arguments; a system call takes at most {MAX_ARGUMENTS}")
        matches = []
        for part in parts:
            match = _ARGUMENT.fullmatch(part)
            if match is None:
                self.fail(f"{part!r} is no argument: KIND, KIND=SIZE or KIND[RULE], then maybe ?")
            if match[1] not in (*NUMBER_KINDS, *POINTER_KINDS):
                known = ", ".join((*NUMBER_KINDS, *POINTER_KINDS))
                self.fail(f"{match[1]!r} is no kind of argument; the kinds are {known}")
            if match[1] not in MEASURED_KINDS and (match[2] or match[3] is not None):
                self.fail(f"{part!r}: only {', '.join(MEASURED_KINDS)} have a length")
            matches.append(match)
        # A rule may point at an argument further on, so the kinds come first.
        bare = tuple(Argument(match[1], bool(match[4]), None, match[0]) for match in matches)
        return tuple(
            Argument(argument.kind, argument.nullable, self.parse_length(match, bare), match[0])
            for argument, match in zip(bare, matches, strict=True)
        )

    def parse_length(self, match: re.Match[str], arguments: tuple[Argument, ...]) -> Length | None:
        one = Size(1, None)
        if match[2]:
            return Length("SYSCALL_LENGTH_FIXED", None, self.size(match[2]), None)
        if match[3] is None:
            return None
        rule = _BY_ARGUMENT.fullmatch(match[3])
        if rule is None:
            self.fail(f"{match[0]!r}: a length is [N], [N*SIZE], [N+SIZE], [N/8] or [*N]")
        count, operator, size, bits, pointer = rule.groups()
        if pointer:
            index = self.index(pointer, arguments, ("inout",), match[0])
            return Length("SYSCALL_LENGTH_POINTED", index, None, one)
        index = self.index(count, arguments, NUMBER_KINDS, match[0])
        if bits:
            return Length("SYSCALL_LENGTH_BITS", index, None, self.size("long"))
        if operator == "*":
            return Length("SYSCALL_LENGTH_COUNT", index, None, self.size(size))
        base = self.size(size) if operator == "+" else None
        return Length("SYSCALL_LENGTH_COUNT", index, base, one)

    def size(self, text: str) -> Size:
        match = _SIZE.fullmatch(text)
        if match is None:
            self.fail(f"{text!r} is no size: a number, a type, or N*type")
        times, name, number = match.groups()
        if number:
            return Size(int(number), None)
        if name not in self.types:
            self.fail(f"{name!r} is no type; declare it: type {name} sizeof(struct {name}) <...>")
        self.used_types.add(name)
        return Size(int(times or 1), name)

    def index(
        self, text: str, arguments: tuple[Argument, ...], kinds: tuple[str, ...], where: str
    ) -> int:
        index = int(text)
        if index >= len(arguments):
            self.fail(f"{where!r}: there is no argument {index}, they count from 0")
        if arguments[index].kind not in kinds:
            self.fail(
                f"{where!r}: argument {index} is {arguments[index].text!r}, "
                f"and should be {' or '.join(kinds)}"
            )
        return index

    def number(self, text: str) -> int:
        try:
            value = int(text, 0)
        except ValueError:
            self.fail(f"{text!r} is no number")
        if not -(2**31) <= value < 2**32:
            self.fail(f"{text!r} doesn't fit into 32 bits")
        return value & 0xFFFFFFFF


def parse(text: str, source: str = "syscalls.tbl") -> Table:
    """Read the text of a table.

    Raises TableError with the line and what to put right.
    """
    return _Parser(text, source).parse()


def load(path: Path = TABLE) -> Table:
    """Read the table from its file."""
    return parse(path.read_text(encoding="utf-8"), path.name)


def cdef() -> str:
    """Return the declarations of syscall_table.h, as cffi wants them."""
    text = HEADER.read_text(encoding="utf-8")
    _, _, text = text.partition("/* cffi reads from here on. */\n")
    text, stop, _ = text.partition("/* cffi stops reading here. */")
    if not stop:
        raise TableError(f"{HEADER.name}: the comments that say what cffi reads are gone")
    return text


# ------------------------------------------------------------------------------------------- C


def _c_string(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _c_size(size: Size | None) -> str:
    if size is None:
        return "0"
    if size.type is None:
        return str(size.times)
    name = f"SIZE_{size.type}"
    return name if size.times == 1 else f"{size.times} * {name}"


def _c_argument(argument: Argument) -> str:
    kind = f"SYSCALL_ARGUMENT_{argument.kind.upper()}"
    nullable = int(argument.nullable)
    length = argument.length
    if length is None:
        return f"{{{kind}, {nullable}, SYSCALL_LENGTH_NONE, -1, 0, 0}}"
    index = -1 if length.index is None else length.index
    base, unit = _c_size(length.base), _c_size(length.unit)
    return f"{{{kind}, {nullable}, {length.rule}, {index}, {base}, {unit}}}"


def _c_call(call: Call) -> list[str]:
    traits = [TRAITS[flag] for flag in TRAITS if flag in call.flags]
    fd_argument = -1
    if call.returns_fd:
        traits.append("SYSCALL_FD")
        fd_argument = -1 if call.fd_argument is None else call.fd_argument
    if call.fds_argument is not None:
        traits.append("SYSCALL_FDS")
        fd_argument = call.fds_argument
    lines = [
        f"\t\t.name = {_c_string(call.name)},",
        f"\t\t.note = {_c_string(call.note)},",
        f"\t\t.arity = {len(call.arguments)},",
        f"\t\t.required = {call.required},",
        f"\t\t.traits = {' | '.join(traits) or '0'},",
        f"\t\t.fd_argument = {fd_argument},",
    ]
    if call.fd_values:
        values = ", ".join(f"{value}u" for value in call.fd_values)
        lines += [
            f"\t\t.fd_value_count = {len(call.fd_values)},",
            f"\t\t.fd_values = {{{values}}},",
        ]
    if call.arguments:
        lines.append("\t\t.argument =")
        lines.append("\t\t\t{")
        lines += [f"\t\t\t\t{_c_argument(argument)}," for argument in call.arguments]
        lines.append("\t\t\t},")
    return lines


def generate_c(table: Table | None = None) -> str:
    """Return the C source that defines syscall_descriptions.

    Whether a call exists, its number and the sizes of its structs are for the compiler to say.
    """
    table = table or load()
    headers = sorted({item.header for item in table.types.values() if item.header})
    lines = [
        "/* Made of syscalls.tbl by syscalls_table.py. */",
        "#ifndef _GNU_SOURCE",
        "#define _GNU_SOURCE",
        "#endif",
        "#include <stddef.h>",
        "",
        "#include <asm/unistd.h>",
        *[f"#include <{header}>" for header in headers],
        "",
        '#include "syscall_table.h"',
        "",
        "#if !defined(__linux__) || !defined(__LP64__)",
        '#error "asyncsys-loop is for 64-bit Linux: the table has the calls of 64-bit processes"',
        "#endif",
        "",
    ]
    for item in table.types.values():
        lines.append(f"#define SIZE_{item.name} {item.size}")
    lines += ["", "const struct syscall_description syscall_descriptions[] = {"]
    for call in table.calls:
        condition = f"defined(__NR_{call.name})"
        index = f"__NR_{call.name}"
        if call.number is not None:
            index = str(call.number)
            condition = f"defined(__{call.architecture}__)" if call.architecture else ""
        if condition:
            lines.append(f"#if {condition}")
        lines += [f"\t[{index}] =", "\t\t{", *_c_call(call), "\t\t},"]
        if condition:
            lines.append("#endif")
    lines += [
        "};",
        "",
        "const int syscall_description_count =",
        "\t(int)(sizeof(syscall_descriptions) / sizeof(syscall_descriptions[0]));",
        "",
    ]
    for call in table.calls:
        if call.number is not None:
            lines += [
                f"#ifdef __NR_{call.name}",
                f'_Static_assert(__NR_{call.name} == {call.number}, "{call.name}");',
                "#endif",
            ]
    return "\n".join(lines) + "\n"


# ------------------------------------------------------------------------------ stub and docs


def generate_stub(table: Table) -> str:
    """Return asyncsys_loop/_sys.pyi: SYS with all members, for type checkers."""
    lines = [
        "# Made of native/syscalls.tbl by native/syscalls_table.py. `make docs` renews it.",
        "from enum import IntEnum",
        "",
        "from asyncsys_loop._syscalls import Argument as Argument",
        "from asyncsys_loop._syscalls import SyscallDescription as SyscallDescription",
        "from asyncsys_loop._syscalls import description as description",
        "from asyncsys_loop._syscalls import descriptions as descriptions",
        "from asyncsys_loop._syscalls import resolve as resolve",
        "",
        "class SYS(IntEnum):",
    ]
    for call in sorted(table.calls, key=lambda call: call.name):
        only = f"  # {call.architecture} only" if call.architecture else ""
        lines.append(f"    {call.name} = ...{only}")
    return "\n".join(lines) + "\n"


def generate_docs(table: Table) -> str:
    """Return docs/syscalls.md: the table for people."""

    def cell(text: str) -> str:
        return text.replace("|", "\\|")

    def code(text: str) -> str:
        return "" if text == "-" else f"`{cell(text)}`"

    refused = sum("refused" in call.flags for call in table.calls)
    accepted = len(table.calls) - refused
    fixed = [item for item in table.types.values() if item.header is None]
    measured = [item for item in table.types.values() if item.header is not None]
    lines = [
        "<!-- Made of native/syscalls.tbl by native/syscalls_table.py. Edit that one. -->",
        "",
        "# System calls",
        "",
        (
            f"These {len(table.calls)} calls are all that Linux has on x86_64 and aarch64. "
            f"`await asyncsys_loop.syscall(name, *arguments)` takes {accepted} of "
            f"them; {refused} are refused, as an exec thread is the wrong place for them, and the "
            "note says what to use instead. The library reads the same table."
        ),
        "",
        "**Arguments** count from 0, and are those of the kernel's own function, not of libc's.",
        "",
        "| argument | is |",
        "| --- | --- |",
        "| `int` | a number: descriptor, size, flags, offset |",
        "| `path` | the name of a file: str, bytes or PathLike. An OSError names it. |",
        "| `string` | other text: str or bytes |",
        "| `in` | a buffer that the kernel reads |",
        "| `out`, `inout` | a writable buffer that the kernel writes, or reads and writes |",
        "| `address` | a place in memory: a buffer, or its address as a number |",
        "| `any` | a number, a buffer or text, according to another argument |",
        "| `in=N` | a buffer of at least N bytes |",
        "| `in[2]` | of at least as many bytes as argument 2 says |",
        "| `in[2*N]`, `in[2+N]` | of argument 2 times N bytes, or plus N bytes |",
        "| `in[2/8]` | argument 2 counts bits, and whole longs are moved |",
        "| `out[*2]` | argument 2 is a buffer with the number of bytes, 32 bits wide |",
        "| `?` | None or 0 will do; at the end of the arguments it may be left out |",
        "",
        "A name in the place of N is the size of that struct: "
        + ", ".join(f"{item.name} {item.size}" for item in fixed)
        + "; and as the headers have it: "
        + ", ".join(item.name for item in measured)
        + ".",
        "",
        "**Traits**",
        "",
        "| trait | means |",
        "| --- | --- |",
        "| `refused` | raises at once; the note says why, and what to use instead |",
        "| `fd` | the result is a new descriptor, which is closed if the caller was cancelled |",
        "| `fd?1=V\\|V` | likewise, if argument 1 is one of these values |",
        "| `fds[0]` | likewise for the two descriptors in buffer 0 |",
        "| `never-blocks` | answers from memory |",
        "| `interruptible` | may wait without end; cancelling interrupts it |",
        "| `kernel` | the kernel module runs it; other calls go by syscall(2) on `kmod` too |",
        "| `x86_64`, `aarch64` | only there |",
        "| `nr=N` | its number, the same on both |",
    ]
    section = None
    for call in table.calls:
        if call.section != section:
            section = call.section
            lines += [
                "",
                f"## {section}",
                "",
                "| call | arguments | traits | note |",
                "| --- | --- | --- | --- |",
            ]
        lines.append(
            f"| `{call.name}` | {code(','.join(a.text for a in call.arguments) or '-')} "
            f"| {code(call.traits_text)} | {cell(call.note)} |".replace("  ", " ")
        )
    return "\n".join(lines) + "\n"


def stale(table: Table) -> list[Path]:
    """Return the generated files that aren't what the table says."""
    products = {STUB: generate_stub(table), DOCS: generate_docs(table)}
    return [
        path
        for path, text in products.items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]


def main(arguments: list[str]) -> int:
    if len(arguments) != 1 or arguments[0] not in ("stub", "docs", "check", "c"):
        print("usage: python native/syscalls_table.py stub | docs | check | c", file=sys.stderr)
        return 2
    try:
        table = load()
    except TableError as error:
        print(error, file=sys.stderr)
        return 1
    match arguments[0]:
        case "stub":
            STUB.write_text(generate_stub(table), encoding="utf-8")
        case "docs":
            DOCS.parent.mkdir(exist_ok=True)
            DOCS.write_text(generate_docs(table), encoding="utf-8")
        case "c":
            sys.stdout.write(generate_c(table))
        case "check":
            for path in stale(table):
                command = "stub" if path == STUB else "docs"
                print(
                    f"{path.name} is stale: run python native/syscalls_table.py {command}",
                    file=sys.stderr,
                )
            return 1 if stale(table) else 0
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
