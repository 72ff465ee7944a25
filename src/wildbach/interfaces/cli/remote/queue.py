"""`wildbach queue`: the order in which torrents are downloaded."""

from __future__ import annotations

from typing import Final

import click

from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.cli import naming, output, reach, said, table
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.groups import ListGroup
from wildbach.interfaces.cli.reach import Reach
from wildbach.interfaces.cli.remote import listing as lists
from wildbach.interfaces.cli.remote.acts import act
from wildbach.interfaces.cli.table import Column

COLUMNS: Final = (Column("PLACE", right=True), *lists.COLUMNS)


@click.group("queue", cls=ListGroup)
def command() -> None:
    """Show the queue of downloads, or change its order."""


@command.command("list")
@reach.options
@reach.as_json
def list_command(as_json: bool, reach: Reach) -> int:
    """Show the queue: what is downloaded, and what waits for its turn."""
    return reach.run(lambda api: show(api, as_json=as_json))


async def show(api: Api, *, as_json: bool) -> Exit:
    rows: list[m.TorrentRow] = []
    async for page in lists.pages(api, m.Listing(sort="place"), 0):
        mine = [row for row in page.torrents if row.place]
        rows += mine
        if len(mine) < len(page.torrents):
            break
    if as_json:
        said.records(rows)
    elif rows:
        table.show(COLUMNS, [(str(row.place), *lists.line_of(row)) for row in rows])
    else:
        output.line("Nothing is in the queue.")
    return Exit.OK


def _mover(name: m.Act, told: str, doc: str) -> None:
    @command.command(name, help=f"{doc}\n\nTORRENT is the beginning of a key, at least four characters, or a name.")
    @naming.for_several
    def move_command(words: tuple[str, ...], everything: bool, as_json: bool, reach: Reach) -> int:
        return reach.run(lambda api: act(api, name, words, everything, told, as_json=as_json))


_mover("top", "now at the top", "Let torrents come first.")
_mover("up", "one place up", "Let torrents come one place earlier.")
_mover("down", "one place down", "Let torrents come one place later.")
_mover("bottom", "now at the bottom", "Let torrents come last.")
