"""`wildbach web-seeds`: the web servers that have a torrent's content."""

from __future__ import annotations

from typing import Final

import click

from wildbach.base.logins import hide_logins
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.cli import naming, said, text
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.reach import Reach
from wildbach.interfaces.cli.table import Column, Row

COLUMNS: Final = (Column("URL", flexible=True), Column("STATE"), Column("DOWN", right=True), Column("MESSAGE", rank=1))


@click.command("web-seeds")
@click.option("--add", "more", multiple=True, metavar="URL", help="One more web server (BEP 19); may be repeated.")
@click.option("--remove", multiple=True, metavar="URL", help="Use it no more; may be repeated.")
@naming.for_single
def command(word: str, more: tuple[str, ...], remove: tuple[str, ...], as_json: bool, reach: Reach) -> int:
    """Show or change the web servers that have a torrent's content."""
    return reach.run(lambda api: show(api, word, more, remove, as_json=as_json))


async def show(api: Api, word: str, more: tuple[str, ...], remove: tuple[str, ...], *, as_json: bool) -> Exit:
    row = await naming.one(api, word)
    if more or remove:
        await api.change_web_seeds(row.key, m.WebSeedChange(remove=remove, add=more))
    page = await api.web_seeds(row.key)
    return said.listed(
        page.web_seeds, COLUMNS, line_of, f"{text.clean(row.name)} has no web seeds", as_json=as_json)


def line_of(seed: m.WebSeedRow) -> Row:
    return (text.clean(hide_logins(seed.url)), text.clean(seed.state), text.short(seed.down_rate),
            text.clean(seed.message))
