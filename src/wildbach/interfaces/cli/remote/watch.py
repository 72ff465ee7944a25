"""`wildbach watch`: the list, drawn anew as it changes."""

from __future__ import annotations

import asyncio
from typing import Final

import click
from rich.console import Group
from rich.live import Live
from rich.text import Text

from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.cli import output, reach, said, table, text
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.reach import Reach
from wildbach.interfaces.cli.remote import listing as lists

_LEAST_LINES: Final = 4
_ROWS: Final = 1000
_FRAME: Final = 3
"Lines that are no torrents."


@click.command("watch")
@lists.options
@click.option("--every", type=click.FloatRange(0.2, 3600), default=1.0, show_default=True, metavar="SECONDS",
              help="How often it is looked at.")
@reach.options
@reach.as_json
def command(listing: m.Listing, every: float, as_json: bool, reach: Reach) -> int:
    """Watch the list while it changes.

    On a terminal as many torrents as fit, until Ctrl-C. Elsewhere a line for each torrent whose state or progress is
    another than before. WORD is as in `wildbach ls`.
    """
    return reach.run(lambda api: watch(api, listing, every, as_json=as_json))


async def watch(api: Api, listing: m.Listing, every: float, *, as_json: bool, turns: int = 0) -> Exit:
    """`turns`: how often to look; 0: until it is cancelled."""
    if output.is_live() and not as_json:
        return await _draw(api, listing, every)
    told: dict[str, object] = {}
    while True:
        async for page in lists.pages(api, listing, 0):
            for row in page.torrents:
                mark = row if as_json else (row.state, int(row.progress * 100), row.reason)
                if told.get(row.key) != mark:
                    told[row.key] = mark
                    if as_json:
                        said.record(row)
                    else:
                        output.line(_plain(row))
        turns -= 1
        if turns == 0:
            return Exit.OK
        await asyncio.sleep(every)


def _plain(row: m.TorrentRow) -> str:
    why = f" · {text.clean(row.reason)}" if row.reason else ""
    return (
        f"{text.clean(row.name)}: {row.state} {text.percent(row.progress)} · ↓ {text.rate(row.down_rate)} · "
        f"↑ {text.rate(row.up_rate)}{why}")


async def _draw(api: Api, listing: m.Listing, every: float) -> Exit:
    at = table.console()
    with Live(console=at, auto_refresh=False, screen=True) as live:
        while True:
            live.update(await picture(api, listing, at.width, at.height), refresh=True)
            await asyncio.sleep(every)


async def picture(api: Api, listing: m.Listing, width: int, height: int) -> Group:
    """What a terminal of that size shows."""
    rows: list[m.TorrentRow] = []
    total = 0
    async for page in lists.pages(api, listing, min(_ROWS, max(_LEAST_LINES, height - _FRAME))):
        rows += page.torrents
        total = page.total
    drawn = table.lines(lists.COLUMNS, [lists.line_of(row) for row in rows], width)
    summary = lists.summary(await api.transfer(), len(rows), total)
    return Group(*drawn, Text(""), Text(f"{summary} · Ctrl-C ends", "dim", no_wrap=True, overflow="ellipsis"))
