"""A parallel `cp -a`. Run it with `python -m examples.acp SOURCE… DEST`.

_copy      the copy itself: jobs, directories, hard links, metadata
__main__   the command line, the progress bar, and what Ctrl-C does
"""

from ._copy import Copy

__all__ = ["Copy"]
