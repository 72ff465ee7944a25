"""What `ls` and `watch` have in common: which torrents, and their table."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from functools import wraps
from typing import Any, Final

import click
import msgspec

from wildbach.base.words import plural
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.cli import text
from wildbach.interfaces.cli.naming import SHORT
from wildbach.interfaces.cli.table import Cell, Column, Row

STATES: Final = (
    "metadata", "checking", "moving", "downloading", "seeding", "queued", "stopped", "error", "active", "inactive",
    "stalled", "complete", "incomplete", "running",
)
_STYLES: Final = {
    "downloading": "green", "seeding": "cyan", "error": "red", "checking": "yellow", "moving": "yellow",
    "metadata": "yellow", "stopped": "dim", "queued": "dim",
}
COLUMNS: Final = (
    Column("KEY", style="dim"), Column("NAME", flexible=True), Column("STATE"), Column("DONE", right=True),
    Column("SIZE", right=True, rank=3), Column("DOWN", right=True, rank=1), Column("UP", right=True, rank=2),
    Column("ETA", right=True, rank=4), Column("RATIO", right=True, rank=5), Column("PEERS", right=True, rank=6),
    Column("CATEGORY", rank=7), Column("TAGS", rank=8),
)
_PAGE: Final = 1000


_FLAGS: Final = (
    click.argument("words", nargs=-1, metavar="[WORD]..."),
    click.option("--state", "state", type=click.Choice(STATES), multiple=True, metavar="STATE",
                 help=f"Only those: {', '.join(STATES)}; may be repeated."),
    click.option("--category", multiple=True, metavar="NAME",
                 help="Only of this category and those below it; '' for those without; may be repeated."),
    click.option("--tag", multiple=True, metavar="NAME", help="Only with this tag; '' for those without."),
    click.option("--tracker", multiple=True, metavar="HOST", help="Only of this tracker; '' for those without."),
    click.option("--sort", metavar="FIELD", default="name", show_default=True,
                 help="name, state, size, progress, down_rate, up_rate, eta, ratio, peers, category, added_at, …; "
                      "with - before it the other way round."),
)


def options(function: Callable[..., int]) -> Callable[..., int]:
    """Add words and filters to a command, which gets them as one argument `listing`."""
    @wraps(function)
    def gathered(
        *, words: tuple[str, ...], state: tuple[str, ...], category: tuple[str, ...], tag: tuple[str, ...],
        tracker: tuple[str, ...], sort: str, **values: Any,
    ) -> int:
        listing = m.Listing(
            sort=sort.removeprefix("-").replace("-", "_"), descending=sort.startswith("-"), state=state,
            category=category, tag=tag, tracker=tracker, search=" ".join(words))
        return function(listing=listing, **values)

    for flag in reversed(_FLAGS):
        gathered = flag(gathered)
    return gathered


async def pages(api: Api, listing: m.Listing, limit: int) -> AsyncIterator[m.TorrentPage]:
    """One page after the other, until there are `limit` rows; 0: all."""
    offset = 0
    while True:
        count = min(_PAGE, limit - offset) if limit else _PAGE
        page = await api.list_torrents(msgspec.structs.replace(listing, offset=offset, limit=count))
        yield page
        offset += len(page.torrents)
        if not page.torrents or offset >= page.total or (limit and offset >= limit):
            return


def line_of(row: m.TorrentRow) -> Row:
    """The cells of a torrent."""
    done = "" if not row.has_metadata else "100%" if row.progress >= 1 else f"{int(row.progress * 1000) / 10:.1f}%"
    return (
        row.key[:SHORT], text.clean(row.name), Cell(row.state, _STYLES.get(row.state, "")), done,
        text.short(row.size), text.short(row.down_rate), text.short(row.up_rate),
        text.duration(row.eta) if row.eta is not None and row.state == "downloading" else "",
        f"{row.ratio:.2f}" if row.uploaded else "", str(row.peers or ""), text.clean(row.category),
        text.clean(",".join(row.tags)),
    )


def reason_of(row: m.TorrentRow) -> str:
    """A line about what is wrong with it; empty where nothing is."""
    return f"{row.key[:SHORT]} {text.clean(row.name)}: {text.clean(row.reason)}" if row.state == "error" else ""


def summary(transfer: m.Transfer, shown: int, total: int) -> str:
    """The line below the table."""
    count = plural(total, "torrent") if shown == total else f"{shown:,} of {plural(total, 'torrent')}"
    return f"{count} · ↓ {text.rate(transfer.down_rate)} · ↑ {text.rate(transfer.up_rate)}" + (
        " · slow mode" if transfer.slow_mode else "")
