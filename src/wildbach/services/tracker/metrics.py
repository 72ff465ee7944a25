"""The numbers of a tracker for a monitoring system (Prometheus text) and for a person (one page), at an own address."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from wildbach.base.ids import Endpoint
from wildbach.net.httpd import HttpServer, Request, Response
from wildbach.services.tracker.server import TrackerStats

_CONNECTIONS = 20
_SHARED = {"none": None, "up": 1, "away": 0}
_GAUGES = {
    "torrents": "Swarms in the table.",
    "peers": "Peers in the table.",
    "connections": "HTTP connections open now.",
    "interval": "Seconds that peers are told to wait.",
    "rate": "Announces a second, smoothed.",
}
_COUNTERS = {
    "http_announces": "Announces over HTTP.",
    "http_scrapes": "Scrapes over HTTP.",
    "udp_connects": "Connection ids given out.",
    "udp_announces": "Announces over UDP.",
    "udp_scrapes": "Scrapes over UDP.",
    "refused": "Requests that were not well-formed or without proof of their sender.",
    "forbidden": "Announces that are not allowed, or for which there was no room.",
    "slowed": "Requests above the rate of one address.",
    "turned_away": "Peers answered but not kept, and torrents not taken, for want of room.",
    "bytes_in": "Bytes of datagrams that came.",
    "bytes_out": "Bytes of datagrams that went.",
}


def combined(parts: list[TrackerStats]) -> TrackerStats:
    """The numbers of several processes with one table: what they did adds up, what they hold is the same."""
    if not parts:
        return TrackerStats(0, 0, 0, 0, 0, 0, 0)
    summed = {name: sum(getattr(part, name) for part in parts) for name in _COUNTERS}
    held = {name: max(getattr(part, name) for part in parts) for name in ("torrents", "peers", "interval")}
    shared = "away" if any(part.shared == "away" for part in parts) else parts[0].shared
    return TrackerStats(
        **summed, **held, shared=shared, connections=sum(part.connections for part in parts),
        rate=round(sum(part.rate for part in parts), 1),
    )


def prometheus(stats: TrackerStats) -> str:
    """The text format, version 0.0.4."""
    lines = []
    for kind, rows in (("gauge", _GAUGES), ("counter", _COUNTERS)):
        for name, text in rows.items():
            full = f"wildbach_tracker_{name}{'_total' if kind == 'counter' else ''}"
            lines += [f"# HELP {full} {text}", f"# TYPE {full} {kind}", f"{full} {getattr(stats, name)}"]
    up = _SHARED[stats.shared]
    if up is not None:
        name = "wildbach_tracker_store_up"
        lines += [f"# HELP {name} 1 while the shared table is reachable.", f"# TYPE {name} gauge", f"{name} {up}"]
    return "\n".join(lines) + "\n"


def page(stats: TrackerStats) -> str:
    """One page without scripts; it asks for itself again every ten seconds."""
    values = dataclasses.asdict(stats)
    rows = "".join(
        f"<tr><td>{text}</td><td>{values[name]}</td></tr>" for name, text in {**_GAUGES, **_COUNTERS}.items()
    )
    shared = "" if stats.shared == "none" else f"<p>Shared table: {stats.shared}.</p>"
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="10">'
        "<title>wildbach tracker</title><style>body{font:16px sans-serif;margin:2em}td{padding:.2em 1em}"
        f"td+td{{text-align:right}}</style><h1>wildbach tracker</h1>{shared}<table>{rows}</table></html>"
    )


class MetricsServer:
    """`/metrics` and a page at `/`. `look` gives the numbers."""

    def __init__(self, look: Callable[[], TrackerStats]) -> None:
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
        if request.path == "/":
            guard = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
            return Response(page(self._look()).encode(), content_type="text/html", headers=guard)
        return Response(b"not here: /metrics has the numbers\n", 404)
