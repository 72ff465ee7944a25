"""`wildbach bans`: peers that nothing is exchanged with."""

from __future__ import annotations

from typing import Final

import click

from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.cli import reach, said, text
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.reach import Reach
from wildbach.interfaces.cli.table import Column

COLUMNS: Final = (Column("ADDRESS"), Column("WHY", flexible=True))


@click.command("bans")
@click.option("--add", "more", multiple=True, metavar="ADDRESS", help="Ban this peer; may be repeated.")
@click.option("--remove", multiple=True, metavar="ADDRESS", help="Take a ban back; may be repeated.")
@reach.options
@reach.as_json
def command(more: tuple[str, ...], remove: tuple[str, ...], as_json: bool, reach: Reach) -> int:
    """List, ban and pardon peers.

    Those that sent bad data are banned without being asked for.
    """
    return reach.run(lambda api: show(api, more, remove, as_json=as_json))


async def show(api: Api, more: tuple[str, ...], remove: tuple[str, ...], *, as_json: bool) -> Exit:
    change = m.BanChange(more, remove)
    found = (await api.change_bans(change) if more or remove else await api.bans()).bans
    return said.listed(
        found, COLUMNS, lambda ban: (text.clean(ban.address), text.clean(ban.reason)), "Nobody is banned.",
        as_json=as_json)
