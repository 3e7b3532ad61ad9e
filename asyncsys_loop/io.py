"""Files that are awaited: the layers that open() makes, by the names that they have in `io`.

open() and wrap() make them; a Buffered* takes a FileIO, and TextIOWrapper a Buffered*, as in `io`.
What holds for all of them is told by AsyncFile; docs/files.md has the whole.
"""

from __future__ import annotations

from io import SEEK_CUR, SEEK_END, SEEK_SET, UnsupportedOperation, text_encoding

from ._file_buffered import DEFAULT_BUFFER_SIZE, BufferedRandom, BufferedReader, BufferedWriter
from ._file_raw import AsyncFile, FileIO
from ._file_text import TextIOWrapper
from ._file_wrapped import WrappedFile, wrap
from ._open import Opening, open

__all__ = [
    "DEFAULT_BUFFER_SIZE",
    "SEEK_CUR",
    "SEEK_END",
    "SEEK_SET",
    "AsyncFile",
    "BufferedRandom",
    "BufferedReader",
    "BufferedWriter",
    "FileIO",
    "Opening",
    "TextIOWrapper",
    "UnsupportedOperation",
    "WrappedFile",
    "open",
    "text_encoding",
    "wrap",
]
