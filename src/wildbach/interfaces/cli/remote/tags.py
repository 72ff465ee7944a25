"""`wildbach tags`: marks of torrents."""

from __future__ import annotations

import click

from wildbach.base.errors import UsageError
from wildbach.base.words import plural
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.cli import output, reach, table, text
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.groups import ListGroup
from wildbach.interfaces.cli.reach import Reach
from wildbach.interfaces.cli.table import Column


@click.group("tags", cls=ListGroup)
def command() -> None:
    """List, make and remove tags."""


@command.command("list")
@reach.options
@reach.as_json
def list_command(as_json: bool, reach: Reach) -> int:
    """Show all tags, and how many torrents have each."""
    return reach.run(lambda api: show(api, as_json=as_json))


async def show(api: Api, *, as_json: bool) -> Exit:
    names, counts = (await api.tags()).names, (await api.facets()).tags
    if as_json:
        for name in names:
            output.record({"name": name, "torrents": counts.get(name, 0)})
    elif names:
        table.show((Column("NAME", flexible=True), Column("TORRENTS", right=True)),
                   [(text.clean(name), str(counts.get(name, 0))) for name in names])
    else:
        output.line("There are no tags.")
    return Exit.OK


@command.command("add")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@reach.options
def add_command(names: tuple[str, ...], reach: Reach) -> int:
    """Make tags that no torrent has yet.

    `wildbach edit --add-tag` gives one to torrents.
    """
    return reach.run(lambda api: add(api, names))


async def add(api: Api, names: tuple[str, ...]) -> Exit:
    await api.add_tags(m.Names(names))
    output.line(f"made: {plural(len(names), 'tag')}")
    return Exit.OK


@command.command("rm")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@reach.options
def rm_command(names: tuple[str, ...], reach: Reach) -> int:
    """Remove tags, from their torrents too."""
    return reach.run(lambda api: remove(api, names))


async def remove(api: Api, names: tuple[str, ...]) -> Exit:
    there = (await api.tags()).names
    missing = [name for name in names if name not in there]
    if missing:
        raise UsageError(f"there is no tag {missing[0]}; `wildbach tags` lists them", code="not_found")
    await api.remove_tags(m.Names(names))
    output.line(f"removed: {plural(len(names), 'tag')}")
    return Exit.OK
