"""Why an address cannot be listened at, in words and as a code that a user interface can say more about."""

from __future__ import annotations

import errno
import os
import socket
from typing import Final

from wildbach.base.errors import NetworkError

_LISTEN_CODES: Final = {
    errno.EADDRINUSE: "port_in_use", errno.EADDRNOTAVAIL: "not_our_address", errno.EACCES: "port_forbidden",
}


def cannot_listen(at: object, error: OSError, what: str = "") -> NetworkError:
    """The NetworkError for an address that cannot be listened at. A name instead of an address is not ours either."""
    code = "not_our_address" if isinstance(error, socket.gaierror) else _LISTEN_CODES.get(error.errno or 0)
    reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror or str(error)
    return NetworkError(f"cannot listen on {at}{what}: {reason}", code=code, errno=error.errno)
