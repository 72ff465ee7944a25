"""`wildbach show`: all about a torrent of the daemon."""

from __future__ import annotations

import click
import msgspec
from rich.text import Text

from wildbach.base.words import plural
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.cli import naming, output, table, text
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.picture import row_of_states
from wildbach.interfaces.cli.reach import Reach

_BAR = 60


@click.command("show")
@naming.for_single
def command(word: str, as_json: bool, reach: Reach) -> int:
    """Show all about a torrent.

    TORRENT is the beginning of a key, at least four characters, or a name. For its files, peers and trackers there are
    commands of their own.
    """
    return reach.run(lambda api: show(api, word, as_json=as_json))


async def show(api: Api, word: str, *, as_json: bool) -> Exit:
    row = await naming.one(api, word)
    detail = await api.torrent(row.key)
    if as_json:
        facts = msgspec.to_builtins(detail)
        output.record(facts.pop("row") | facts)
        return Exit.OK
    pieces = await api.pieces(row.key, m.PieceQuery())
    at = table.console()
    at.print(Text(text.clean(detail.row.name), style="bold"))
    table.facts(at, facts_of(detail))
    if pieces.pieces and not detail.row.complete:
        width = max(10, min(_BAR, at.width - 4)) if output.is_live() else _BAR
        at.print(Text(f"  {row_of_states(pieces.pieces, width)}", "cyan"))
    return Exit.OK


def facts_of(detail: m.TorrentDetail) -> list[tuple[str, str]]:
    """What a person wants to know, by label. Empty for what does not apply."""
    row = detail.row
    state = row.state + (" (forced)" if row.forced else "") + (f": {row.reason}" if row.reason else "")
    return [
        ("key", row.key),
        ("state", state),
        ("progress", _progress(detail)),
        ("time left", text.duration(row.eta) if row.eta is not None and row.state == "downloading" else ""),
        ("in the queue", f"place {row.place}" if row.place else ""),
        ("speed", f"↓ {text.rate(row.down_rate)} · ↑ {text.rate(row.up_rate)}"),
        ("limits", _limits(row)),
        ("transferred", f"↓ {text.size(row.downloaded)} · ↑ {text.size(row.uploaded)} · ratio {row.ratio:.2f}"
            + (f" · {text.size(row.wasted)} wasted" if row.wasted else "")),
        ("peers", _peers(detail)),
        ("copies", f"{row.availability:.2f} at the peers" if row.availability >= 0 else ""),
        ("stops after", _goals(row)),
        ("folder", row.save_path + (" (follows the category)" if row.auto else "")),
        ("unfinished in", row.incomplete_path if not row.complete else ""),
        ("content", row.content_path),
        ("category", row.category),
        ("tags", ", ".join(row.tags)),
        ("comes", ", ".join(words for words, on in (
            ("from the front to the end", row.sequential), ("ends of files first", row.ends_first),
            ("super seeding", row.super_seed)) if on)),
        ("size", f"{text.size(row.size)} ({row.size:,} bytes) in {plural(detail.files, 'file')}"
            if row.has_metadata else ""),
        ("pieces", f"{detail.pieces_have:,} of {detail.pieces:,} of {text.size(detail.piece_length)}"
            if detail.pieces else ""),
        ("private", "yes: peers come from its trackers only" if row.private else ""),
        ("info hash v1", row.infohash_v1),
        ("info hash v2", row.infohash_v2),
        *((("tracker" if len(detail.tracker_tiers) == 1 else f"tracker {number + 1}"), ", ".join(tier))
          for number, tier in enumerate(detail.tracker_tiers)),
        ("comment", detail.comment),
        ("created", " ".join(part for part in (
            text.moment(detail.created_at), f"by {detail.created_by}" if detail.created_by else "") if part)),
        ("added by", detail.source),
        ("added", text.moment(row.added_at)),
        ("completed", text.moment(row.completed_at)),
        ("last active", text.moment(row.active_at)),
        ("active for", text.duration(row.active_seconds) + (
            f", seeded {text.duration(row.seeding_seconds)}" if row.seeding_seconds else "")
            if row.active_seconds else ""),
        ("magnet", detail.magnet),
    ]


def _progress(detail: m.TorrentDetail) -> str:
    row = detail.row
    if not row.has_metadata:
        return ""
    if row.complete:
        return text.percent(1.0) + (f", {text.size(row.wanted)} of it wanted" if row.wanted < row.size else "")
    return f"{text.percent(row.progress)}, {text.size(row.done)} of {text.size(row.wanted)}"


def _limits(row: m.TorrentRow) -> str:
    return " · ".join(
        f"{arrow} {text.rate(limit)}" for arrow, limit in (("↓", row.down_limit), ("↑", row.up_limit)) if limit)


def _peers(detail: m.TorrentDetail) -> str:
    row = detail.row
    words = f"{plural(row.peers, 'peer')}, {plural(row.seeds, 'seed')} among them; {detail.known_peers:,} known"
    if row.swarm_seeds is not None or row.swarm_peers is not None:
        words += f"; trackers say {plural(row.swarm_seeds or 0, 'seed')}, {plural(row.swarm_peers or 0, 'other')}"
    return words


def _goals(row: m.TorrentRow) -> str:
    """When it stops by itself, where that is its own."""
    parts = []
    for name, value, shown in (
        ("ratio", row.ratio_limit, f"{row.ratio_limit:g}"),
        ("seeding", row.seeding_limit, text.duration(row.seeding_limit)),
        ("idle", row.idle_limit, text.duration(row.idle_limit)),
    ):
        if value != -2:
            parts.append(f"{name} {'without end' if value == -1 else shown}")
    return ", ".join(parts) + (f", then {row.limit_action}" if parts and row.limit_action else "")
