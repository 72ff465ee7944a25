"""`wildbach status`: the whole at a glance."""

from __future__ import annotations

from typing import Final

import click
import msgspec

from wildbach.base.words import plural
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.cli import output, reach, table, text
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.reach import Reach

_REACHABLE: Final = {
    "yes": "yes", "no": "no, it does not listen", "offline": "no, the network is away",
    "unknown": "not known yet: no peer has called, and no router let them in",
}


@click.command("status")
@reach.options
@reach.as_json
def command(as_json: bool, reach: Reach) -> int:
    """Show speeds, limits, totals and whether peers can call."""
    return reach.run(lambda api: show(api, as_json=as_json))


async def show(api: Api, *, as_json: bool) -> Exit:
    health, transfer, totals = await api.health(), await api.transfer(), await api.statistics()
    if as_json:
        output.record({
            "health": msgspec.to_builtins(health), "transfer": msgspec.to_builtins(transfer),
            "statistics": msgspec.to_builtins(totals),
        })
        return Exit.OK
    states = (await api.facets()).states
    table.facts(table.console(), facts_of(health, transfer, totals, states))
    return Exit.OK


def facts_of(
    health: m.Health, transfer: m.Transfer, totals: m.Statistics, states: dict[str, int],
) -> list[tuple[str, str]]:
    kinds = ("downloading", "metadata", "seeding", "queued", "checking", "moving", "stopped", "error")
    told = ", ".join(f"{states[kind]:,} {kind}" for kind in kinds if states.get(kind))
    ratio = f" · ratio {totals.uploaded / totals.downloaded:.2f}" if totals.downloaded else ""
    return [
        ("version", health.version + (", still reading its torrents" if health.loading else "")),
        ("torrents", f"{health.torrents:,}" + (f": {told}" if told else "")),
        ("speed", f"↓ {text.rate(transfer.down_rate)} · ↑ {text.rate(transfer.up_rate)}"),
        ("limits", limits(transfer)),
        ("this run", f"↓ {text.size(transfer.session_downloaded)} · ↑ {text.size(transfer.session_uploaded)}"),
        ("in all", f"↓ {text.size(totals.downloaded)} · ↑ {text.size(totals.uploaded)}{ratio}"),
        ("peers", f"{plural(transfer.peers, 'peer')}, {plural(transfer.dht_nodes, 'node')} in the DHT"),
        ("reachable", _REACHABLE[transfer.reachable]),
        ("listens at", ", ".join(transfer.listening)),
        ("seen as", ", ".join(transfer.external_ips)),
        ("free space", text.size(transfer.free_space) if transfer.free_space is not None else ""),
    ]


def limits(transfer: m.Transfer) -> str:
    def word(limit: int) -> str:
        return text.rate(limit) if limit else "none"

    slow = " (slow mode)" if transfer.slow_mode else ""
    return f"↓ {word(transfer.down_limit)} · ↑ {word(transfer.up_limit)}{slow}"
