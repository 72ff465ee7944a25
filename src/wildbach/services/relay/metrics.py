"""The numbers of a relay for a monitoring system (Prometheus text), at an own address."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from wildbach.base.ids import Endpoint
from wildbach.net.httpd import HttpServer, Request, Response
from wildbach.protocol.sync.relay import RelayStats

_CONNECTIONS: Final = 20
_GAUGES: Final = {
    "connections": "Connections open now.",
    "waiting": "Of these, connections that wait for the other side.",
    "pairs": "Pairs that are joined now.",
}
_COUNTERS: Final = {
    "joined": "Pairs that were joined.",
    "moved": "Bytes that were passed on.",
    "refused": "Connections that were no greeting, or did not come to one in time.",
    "turned_away": "Connections there was no room for, or too many of one address.",
    "nobody": "Connections that waited in vain.",
    "cut": "Pairs that were ended for being idle, stalled, or above what one may send.",
}


def prometheus(stats: RelayStats) -> str:
    """The text format, version 0.0.4."""
    lines = []
    for kind, rows in (("gauge", _GAUGES), ("counter", _COUNTERS)):
        for name, text in rows.items():
            full = f"wildbach_relay_{name}{'_total' if kind == 'counter' else ''}"
            lines += [f"# HELP {full} {text}", f"# TYPE {full} {kind}", f"{full} {getattr(stats, name)}"]
    return "\n".join(lines) + "\n"


class MetricsServer:
    """`/metrics`. `look` gives the numbers."""

    def __init__(self, look: Callable[[], RelayStats]) -> None:
        self._look = look
        self._server = HttpServer(self._serve, connections=_CONNECTIONS)

    async def start(self, host: str, port: int) -> Endpoint:
        """Raises NetworkError."""
        return await self._server.start(host, port)

    async def close(self) -> None:
        await self._server.close()

    async def _serve(self, request: Request) -> Response:
        if request.method not in ("GET", "HEAD"):
            return Response(b"only GET\n", 405, headers={"Allow": "GET, HEAD"})
        if request.path == "/metrics":
            return Response(prometheus(self._look()).encode(), content_type="text/plain")
        return Response(b"not here: /metrics has the numbers\n", 404)
