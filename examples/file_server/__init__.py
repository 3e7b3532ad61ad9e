"""A static file server over HTTP/1.1, whose file work goes through asyncsys_loop.

Run it with `python -m examples.file_server DIR`. In the order of a request's way:

_connection  the socket: parsing, pipelining, back-pressure, time-outs, and sending
_site        from a request to an answer
_resolve     from the target to a path that can't leave the root
_files       open, read, list: through the table, or for comparison with asyncio.to_thread
_conditional, _ranges, _mime, _pages, _log, _limits   what their names say
_server      accepts, counts, and shuts down
"""

from ._files import Files, TableFiles, ThreadFiles
from ._limits import Limits
from ._log import AccessLog
from ._server import FileServer

__all__ = ["AccessLog", "FileServer", "Files", "Limits", "TableFiles", "ThreadFiles"]
