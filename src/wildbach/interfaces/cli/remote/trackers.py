"""`wildbach trackers`: the trackers of a torrent of the daemon."""

from __future__ import annotations

from typing import Final

import click

from wildbach.base.logins import hide_logins
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.cli import naming, said, text
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.kinds import check_tracker
from wildbach.interfaces.cli.reach import Reach
from wildbach.interfaces.cli.table import Cell, Column, Row

COLUMNS: Final = (
    Column("TIER", right=True), Column("URL", flexible=True), Column("STATE"), Column("NEXT", right=True, rank=2),
    Column("PEERS", right=True, rank=3), Column("SEEDS", right=True, rank=1), Column("OTHERS", right=True, rank=1),
    Column("MESSAGE", rank=4),
)
_STYLES: Final = {"working": "green", "failing": "red", "dead": "red", "announcing": "yellow", "off": "dim"}


@click.command("trackers")
@click.option("--add", "more", multiple=True, metavar="URL", help="One more tracker, in a tier of its own.")
@click.option("--remove", multiple=True, metavar="URL", help="Use it no more; may be repeated.")
@click.option("--replace", nargs=2, multiple=True, metavar="OLD NEW", help="The new one in place of the old one.")
@click.option("--only", multiple=True, metavar="URL", help="These and no others, each in a tier of its own.")
@naming.for_single
def command(
    word: str, more: tuple[str, ...], remove: tuple[str, ...], replace: tuple[tuple[str, str], ...],
    only: tuple[str, ...], as_json: bool, reach: Reach,
) -> int:
    """Show or change the trackers of a torrent.

    First come the DHT, peer exchange and local discovery. Where something fails, the message of the tracker is there.
    """
    for url in (*more, *(new for _, new in replace), *only):
        check_tracker(url)
    change = m.TrackerChange(
        remove=remove, replace=dict(replace), add=tuple((url,) for url in more),
        **({"tiers": tuple((url,) for url in only)} if only else {}))

    async def work(api: Api) -> Exit:
        row = await naming.one(api, word)
        if more or remove or replace or only:
            await api.change_trackers(row.key, change)
        return await show(api, row.key, as_json=as_json)

    return reach.run(work)


async def show(api: Api, key: str, *, as_json: bool) -> Exit:
    page = await api.trackers(key)
    return said.listed(page.trackers, COLUMNS, line_of, "It has no trackers.", as_json=as_json)


def line_of(tracker: m.TrackerRow) -> Row:
    def number(value: int | None) -> str:
        return "" if value is None else f"{value:,}"

    return (
        str(tracker.tier + 1) if tracker.tier >= 0 else "", text.clean(hide_logins(tracker.url.strip("* "))),
        Cell(tracker.state, _STYLES.get(tracker.state, "")),
        text.duration(tracker.next_announce) if tracker.next_announce is not None else "",
        number(tracker.peers or None), number(tracker.seeds), number(tracker.leeches), text.clean(tracker.message),
    )
