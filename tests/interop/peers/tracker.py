"""A tracker in 60 lines that shares no code with wildbach, to prove the drivers of the other programs without it."""

from __future__ import annotations

import http.server
import socket
import threading
import time
import urllib.parse
from types import TracebackType
from typing import Self


class TinyTracker:
    """HTTP only, compact IPv4 answers, remembers every peer that did not say `stopped`."""

    def __init__(self) -> None:
        peers: dict[bytes, dict[tuple[str, int], bool]] = {}
        changed = threading.Condition()

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                query = self.path.partition("?")[2]
                if not self.path.startswith("/announce"):
                    self.send_error(404)
                    return
                words = dict(part.split("=", 1) for part in query.split("&") if "=" in part)
                swarm = urllib.parse.unquote_to_bytes(words["info_hash"])
                me = (self.client_address[0], int(words["port"]))
                with changed:
                    known = peers.setdefault(swarm, {})
                    if words.get("event") == "stopped":
                        known.pop(me, None)
                    else:
                        known[me] = words.get("left") == "0"
                    others = [peer for peer in known if peer != me]
                    changed.notify_all()
                packed = b"".join(socket.inet_aton(host) + port.to_bytes(2, "big") for host, port in others)
                body = b"d8:intervali30e5:peers%d:%se" % (len(packed), packed)
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._peers = peers
        self._changed = changed
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/announce"

    def wait_for(self, count: int, seconds: float = 30.0) -> None:
        """Until `count` peers are known, over all swarms."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while sum(len(known) for known in self._peers.values()) < count:
                if not self._changed.wait(deadline - time.monotonic()):
                    raise AssertionError(f"{count} peers did not announce within {seconds:.0f} s: {self._peers}")

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None,
    ) -> None:
        self.close()
