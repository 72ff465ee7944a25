"""The numbers of the client for a monitoring system: Prometheus text, version 0.0.4."""

from __future__ import annotations

from typing import Final

from wildbach.interfaces.api.contract import Api
from wildbach.net.httpd import Response

_TRANSFER: Final = {
    "down_rate": ("download_bytes_per_second", "Bytes of content received a second."),
    "up_rate": ("upload_bytes_per_second", "Bytes of content sent a second."),
    "down_limit": ("download_limit_bytes_per_second", "The limit that holds now; 0 for none."),
    "up_limit": ("upload_limit_bytes_per_second", "The limit that holds now; 0 for none."),
    "peers": ("peers", "Connected peers."),
    "dht_nodes": ("dht_nodes", "Nodes of the DHT that are known."),
    "free_space": ("free_bytes", "Bytes that are free where downloads go."),
}
_TOTALS: Final = {
    "downloaded": ("downloaded_bytes_total", "Bytes of content received, in all runs."),
    "uploaded": ("uploaded_bytes_total", "Bytes of content sent, in all runs."),
    "wasted": ("wasted_bytes_total", "Bytes received for nothing, in all runs."),
    "completed": ("completed_total", "Torrents that became complete, in all runs."),
    "started": ("starts_total", "How often the daemon was started."),
}


async def page(api: Api) -> Response:
    transfer, totals, facets = await api.transfer(), await api.statistics(), await api.facets()
    lines: list[str] = []
    for field, (name, text) in _TRANSFER.items():
        value = getattr(transfer, field)
        if value is not None:
            _add(lines, name, "gauge", text, [("", value)])
    _add(lines, "slow_mode", "gauge", "1 while the alternative speed limits hold.", [("", int(transfer.slow_mode))])
    _add(lines, "reachable", "gauge", "1 once peers could call.", [("", int(transfer.reachable == "yes"))])
    for field, (name, text) in _TOTALS.items():
        _add(lines, name, "counter", text, [("", getattr(totals, field))])
    _add(lines, "torrents", "gauge", "Torrents of each state.", [
        (f'{{state="{_escaped(state)}"}}', count) for state, count in facets.states.items()])
    return Response(("\n".join(lines) + "\n").encode(), content_type="text/plain")


def _add(lines: list[str], name: str, kind: str, text: str, rows: list[tuple[str, float]]) -> None:
    full = f"wildbach_{name}"
    lines += [f"# HELP {full} {text}", f"# TYPE {full} {kind}"]
    lines += [f"{full}{labels} {value}" for labels, value in rows]


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
