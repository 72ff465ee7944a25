"""`wildbach ls`: the list of torrents."""

from __future__ import annotations

from typing import Final

import click

from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.cli import output, reach, said, table
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.reach import Reach
from wildbach.interfaces.cli.remote import listing as lists

LIMIT: Final = 200


@click.command("ls")
@lists.options
@click.option("--limit", type=click.IntRange(1), default=LIMIT, show_default=True, metavar="N", help="At most so many.")
@click.option("--all", "everything", is_flag=True, help="All, however many.")
@reach.options
@reach.as_json
def command(listing: m.Listing, limit: int, everything: bool, as_json: bool, reach: Reach) -> int:
    """List torrents.

    With WORD only those that have all words in their names, or the one whose info hash begins so. Sizes and rates count
    in 1024s: 1.5M is 1.5 MiB.
    """
    return reach.run(lambda api: show(api, listing, 0 if everything else limit, as_json=as_json))


async def show(api: Api, listing: m.Listing, limit: int, *, as_json: bool) -> Exit:
    rows: list[m.TorrentRow] = []
    total = 0
    async for page in lists.pages(api, listing, limit):
        total = page.total
        if as_json:
            said.records(page.torrents)
        else:
            rows += page.torrents
    if as_json:
        return Exit.OK
    if rows:
        table.show(lists.COLUMNS, [lists.line_of(row) for row in rows])
    for row in rows:
        if (words := lists.reason_of(row)):
            output.line(words)
    if output.is_live() or len(rows) < total or not rows:
        output.line(lists.summary(await api.transfer(), len(rows), total) + (
            "; --all lists all" if len(rows) < total else ""))
    return Exit.OK
