"""Warnings of files, paths and temporary files: those of Python's own, at the same line."""

import json

from .support import output_of

# For Python's own, each without "await".
STATEMENTS = [
    *("await open('file')", "await open('file', 'rb')", "await open('file', 'rb', 1)"),
    *("await open('file', encoding='utf-8')", "await open('file', encoding='locale')"),
    *("await Path('file').open()", "await Path('file').open('rb', 1)"),
    *("await Path('file').read_text()", "await Path('file').write_text('x')"),
    *("await Path('file').read_text('utf-8')", "await Path('file').write_text('x', 'utf-8')"),
    *("await tempfile.TemporaryFile('w+')", "await tempfile.TemporaryFile('w+b', 1)"),
    "await (await tempfile.NamedTemporaryFile('w')).close()",  # docs/files.md
    *("tempfile.SpooledTemporaryFile(0, 'w+')", "tempfile.SpooledTemporaryFile()"),
    "await tempfile.SpooledTemporaryFile().close()",
    # A bool as a descriptor, from Python 3.13 on.
    *("await os.stat(True)", "await os.path.exists(True)", "await os.chmod(True, 0o600)"),
    *("await os.stat('/', dir_fd=True)", "await os.listxattr(True)", "await os.utime(True)"),
    "await open(True, 'wb', 0, closefd=False)",
    *(
        "await tempfile.TemporaryDirectory()",
        "await (await tempfile.TemporaryDirectory()).cleanup()",
    ),
]
# Modules of Python call io.open() there, or are called by the collector: their lines are told.
AT_ANOTHER_LINE = {
    "await os.path.exists(True)",
    *("await Path('file').open('rb', 1)", "await tempfile.TemporaryFile('w+b', 1)"),
    "await tempfile.TemporaryDirectory()",
}

PROGRAM = f"""
import ast, asyncio, gc, inspect, json, os, pathlib, tempfile, warnings
import asyncsys_loop, asyncsys_loop.io

ORIGINALS = {{"open": open, "os": os, "Path": pathlib.Path, "tempfile": tempfile}}
TWINS = {{name: getattr(asyncsys_loop, name) for name in ORIGINALS}}


async def told(statement, names):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        code = compile(statement, "the caller", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        running = eval(code, dict(names))
        if inspect.isawaitable(running):
            await running
        del running
        gc.collect()
    return [(warning.category.__name__, warning.filename) for warning in caught]


async def main():
    found = []
    for statement in {STATEMENTS!r}:
        plain = statement.replace("await ", "")
        found.append((await told(plain, ORIGINALS), await told(statement, TWINS)))
    print(json.dumps(found))


with tempfile.TemporaryDirectory() as directory:
    os.chdir(directory)
    pathlib.Path("file").write_bytes(b"x")
    asyncsys_loop.run(main())
"""


def test_warnings_are_those_of_python() -> None:
    found = json.loads(output_of(PROGRAM, "-X", "warn_default_encoding"))
    for statement, (expected, got) in zip(STATEMENTS, found, strict=True):
        if statement in AT_ANOTHER_LINE:
            expected, got = ([category for category, _ in told] for told in (expected, got))  # noqa: PLW2901
        assert got == expected, statement
    assert sum(len(got) for _, got in found) > 10
