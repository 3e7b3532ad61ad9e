"""The pages that the server writes itself: listings and errors. No script, one style sheet."""

import asyncio
import os
import time
from functools import lru_cache
from html import escape
from urllib.parse import quote

from ._answer import STATUS_LINES, Answer
from ._files import Entry

# Rows are made in steps, so that a long listing doesn't stop the loop.
_ROWS_PER_STEP = 200
_UNITS = ("KiB", "MiB", "GiB", "TiB", "PiB", "EiB")

_FIELDS = (
    b"Content-Type: text/html; charset=utf-8\r\n"
    b"Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\n"
    b"X-Content-Type-Options: nosniff\r\n"
)

_HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
:root {{
  --text: #1f2328; --quiet: #656d76; --line: #d8dee4; --back: #fff; --stripe: #f6f8fa;
  --link: #0a58ca; --folder: #54aeff; --file: #8c959f;
}}
@media (prefers-color-scheme: dark) {{
  :root {{
    --text: #e6edf3; --quiet: #8d96a0; --line: #30363d; --back: #0d1117; --stripe: #161b22;
    --link: #6cb6ff; --folder: #539bf5; --file: #768390;
  }}
}}
* {{ box-sizing: border-box }}
[hidden] {{ display: none }}
body {{
  margin: 0 auto; max-width: 60rem; padding: 2rem 1rem;
  color: var(--text); background: var(--back);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}}
a {{ color: var(--link); text-decoration: none }}
a:hover, a:focus {{ text-decoration: underline }}
h1 {{ font-size: 1.25rem; font-weight: 600; margin: 0 0 1rem; overflow-wrap: anywhere }}
h1 .slash {{ color: var(--quiet); font-weight: 400; margin: 0 .25em }}
.list {{ border: 1px solid var(--line); border-radius: .5rem; overflow: hidden }}
table {{ width: 100%; border-collapse: collapse }}
th, td {{ padding: .4rem .9rem; text-align: left; vertical-align: top; line-height: 1.5rem }}
tbody tr {{ border-top: 1px solid var(--line) }}
tbody tr:hover {{ background: var(--stripe) }}
.name {{ width: 100%; overflow-wrap: anywhere }}
.name a {{ display: flex; gap: .6rem; white-space: pre-wrap }}
.name svg {{ flex: none; width: 1rem; height: 1.5rem; fill: var(--file) }}
.dir svg {{ fill: var(--folder) }}
.size, .time {{
  white-space: nowrap; color: var(--quiet); font-size: .9rem;
  font-variant-numeric: tabular-nums
}}
th.name, th.size, th.time {{
  font-size: .8rem; font-weight: 600; color: var(--quiet); background: var(--stripe)
}}
.size {{ text-align: right }}
footer, .empty {{ color: var(--quiet); font-size: .85rem }}
footer {{ margin-top: .75rem }}
.empty {{ padding: 1.5rem; text-align: center }}
@media (max-width: 36rem) {{ .time {{ display: none }} }}
</style>
</head>
<body>
"""

_ICONS = """<svg hidden xmlns="http://www.w3.org/2000/svg">
<symbol id="d" viewBox="0 0 16 16"><path d="M2 2h4l1.5 2H14a2 2 0 0 1 2 2v6a2 2 0 0 1-2 2H2a2 2 0
0 1-2-2V4a2 2 0 0 1 2-2z"/></symbol>
<symbol id="f" viewBox="0 0 16 16"><path fill-rule="evenodd" d="M4 0h5.5L14 4.5V14a2 2 0 0 1-2 2H4
a2 2 0 0 1-2-2V2a2 2 0 0 1 2-2zm0 1.5a.5.5 0 0 0-.5.5v12a.5.5 0 0 0 .5.5h8a.5.5 0 0 0 .5-.5V6H9.5
A1.5 1.5 0 0 1 8 4.5v-3z"/></symbol>
</svg>
"""
_TABLE = """<div class="list"><table>
<thead><tr><th class="name">Name</th><th class="size">Size</th>
<th class="time">Modified (UTC)</th></tr></thead>
<tbody>
"""


async def listing(path: bytes, entries: list[Entry], total: int) -> Answer:
    """The page of the directory `path` (relative to the root, b"" or with a slash at its end)."""
    entries.sort(key=lambda entry: (not entry.directory, entry.name.casefold(), entry.name))
    shown = "/" + _shown(os.fsdecode(path))
    page = [
        _HEAD.format(title=escape(shown)),
        _ICONS,
        f"<h1>{_breadcrumb(path)}</h1>\n",
        _TABLE,
    ]
    if path:
        page.append(_row("../", "..", directory=True))
    for start in range(0, len(entries), _ROWS_PER_STEP):
        for name, directory, size, modified in entries[start : start + _ROWS_PER_STEP]:
            # "./" keeps a colon in a name from being read as the end of a URL scheme.
            link = "./" + quote(os.fsencode(name)) + ("/" if directory else "")
            page.append(_row(link, _shown(name), size, modified, directory=directory))
        await asyncio.sleep(0)
    page.append("</tbody>\n</table>")
    if not entries:
        page.append('<div class="empty">This folder is empty.</div>')
    page.append("</div>\n")
    folders = sum(entry.directory for entry in entries)
    files = len(entries) - folders
    summary = f"{_count(folders, 'folder')}, {_count(files, 'file')}"
    size = sum(entry.size for entry in entries if not entry.directory)
    if files:
        summary += f", {_human(size)}"
    if total > len(entries):
        summary += f"; {total - len(entries):,} of {total:,} names are not shown"
    page.append(f"<footer>{summary}</footer>\n</body>\n</html>\n")
    return Answer(200, _FIELDS, "".join(page).encode())


@lru_cache(64)
def error_page(status: int, detail: str, fields: bytes = b"") -> Answer:
    """An error answer: what went wrong, in a sentence for people, and additional header lines."""
    title = escape(STATUS_LINES[status])
    page = (
        f"{_HEAD.format(title=title)}<h1>{title}</h1>\n<p>{escape(detail)}</p>\n</body>\n</html>\n"
    )
    return Answer(status, _FIELDS + fields, page.encode())


def _breadcrumb(path: bytes) -> str:
    names = ["root", *(_shown(os.fsdecode(segment)) for segment in path.split(b"/")[:-1])]
    here = f'<bdi aria-current="page">{escape(names.pop())}</bdi>'
    # Relative links, so that the server can stand behind a proxy under any prefix.
    crumbs = [
        f'<a href="{"../" * (len(names) - depth)}"><bdi>{escape(name)}</bdi></a>'
        for depth, name in enumerate(names)
    ]
    return '<span class="slash">/</span>'.join([*crumbs, here])


def _row(
    link: str, name: str, size: int = 0, modified: float | None = None, *, directory: bool
) -> str:
    kind, icon, slash = ("dir", "d", "/") if directory else ("file", "f", "")
    measure = "" if directory else f'<span title="{size:,} bytes">{_human(size)}</span>'
    date = "" if modified is None else _time(modified)
    # bdi: a name in a right-to-left script doesn't turn the rest of its line around.
    return (
        f'<tr class="{kind}"><td class="name"><a href="{link}">'
        f'<svg aria-hidden="true"><use href="#{icon}"/></svg>'
        f"<bdi>{escape(name)}{slash}</bdi></a></td>"
        f'<td class="size">{measure}</td><td class="time">{date}</td></tr>\n'
    )


def _shown(name: str) -> str:
    # Bytes that aren't UTF-8 come as lone surrogates, which no page can contain.
    return os.fsencode(name).decode("utf-8", "replace")


def _time(seconds: float) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M", time.gmtime(seconds))
    except (OverflowError, OSError, ValueError):
        return ""  # file systems can hold years that the C library can't


def _human(size: int) -> str:
    if size < 1024:
        return f"{size} B"
    power = min((size.bit_length() - 1) // 10, len(_UNITS))
    return f"{size / 1024**power:.1f} {_UNITS[power - 1]}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
