"""The child's side of `runtime.workers.WorkerProcess`. Imports little, so that a child starts quickly."""

from __future__ import annotations

import io
import marshal
import socket
from collections.abc import Callable
from typing import Any, Final

MESSAGE: Final = 64 * 1024
"Bytes of the longest message. Larger buffers would be mapped and unmapped for each."
READY: Final = b"ready"


def serve(sock: socket.socket, answer: Callable[[Any, list[int]], Any]) -> None:
    """The child's side: answer messages until the parent goes away. `answer` returns None where none is due."""
    try:
        sock.send(READY)
    except OSError:
        return  # the parent is gone already
    while True:
        try:
            raw, fds, _flags, _address = socket.recv_fds(sock, MESSAGE, 64)
        except OSError:
            return
        if not raw:
            return
        parcel = io.BytesIO(raw)
        replies = []
        while parcel.tell() < len(raw):
            reply = answer(marshal.load(parcel), fds)
            if reply is not None:
                replies.append(marshal.dumps(reply))
        if replies:
            try:
                sock.send(b"".join(replies))
            except OSError:
                return
