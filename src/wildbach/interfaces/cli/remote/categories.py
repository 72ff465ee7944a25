"""`wildbach categories`: what torrents can be of."""

from __future__ import annotations

from typing import Any, Final

import click
import msgspec

from wildbach.base.words import plural
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.cli import output, reach, said, table, text
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.groups import ListGroup
from wildbach.interfaces.cli.kinds import COUNT_LIMIT, SECONDS_LIMIT
from wildbach.interfaces.cli.reach import Reach
from wildbach.interfaces.cli.remote.add import place
from wildbach.interfaces.cli.table import Column

COLUMNS: Final = (
    Column("NAME"), Column("TORRENTS", right=True), Column("FOLDER", flexible=True), Column("LIMITS", rank=1))


@click.group("categories", cls=ListGroup)
def command() -> None:
    """List, make and remove categories."""


@command.command("list")
@reach.options
@reach.as_json
def list_command(as_json: bool, reach: Reach) -> int:
    """Show all categories, and how many torrents are of each."""
    return reach.run(lambda api: show(api, as_json=as_json))


async def show(api: Api, *, as_json: bool) -> Exit:
    found = (await api.categories()).categories
    if as_json:
        said.records(found)
        return Exit.OK
    counts = (await api.facets()).categories
    if found:
        table.show(COLUMNS, [
            (text.clean(one.name), str(counts.get(one.name, 0)), text.clean(one.save_path), _limits(one))
            for one in found])
    else:
        output.line("There are no categories.")
    return Exit.OK


def _limits(one: m.Category) -> str:
    parts = [f"ratio {one.ratio_limit:g}"] if one.ratio_limit >= 0 else []
    if one.seeding_limit >= 0:
        parts.append(f"seeding {text.duration(one.seeding_limit)}")
    if one.idle_limit >= 0:
        parts.append(f"idle {text.duration(one.idle_limit)}")
    return ", ".join(parts)


@command.command("set")
@click.argument("name", metavar="NAME")
@click.option("-o", "--save-path", metavar="DIR",
              help="Where its torrents go; '' for a folder of its name in the usual one.")
@click.option("--incomplete-dir", "incomplete_path", metavar="DIR",
              help="Where its files are until they are complete; '' for none.")
@click.option("--ratio", "ratio_limit", type=COUNT_LIMIT, metavar="N",
              help="Give N times the size; `none`: for ever; `default`: as the settings say.")
@click.option("--seed-time", "seeding_limit", type=SECONDS_LIMIT, metavar="TIME",
              help="Seed so long: 90m, 12h, 7d, `none` or `default`.")
@click.option("--idle-time", "idle_limit", type=SECONDS_LIMIT, metavar="TIME",
              help="So long without anybody to give to, `none` or `default`.")
@reach.options
@reach.as_json
def set_command(name: str, as_json: bool, reach: Reach, **values: Any) -> int:
    """Make a category, or change one.

    A name with a slash, as films/old, is below another. Torrents whose folder follows their category move along.
    """
    for field in ("save_path", "incomplete_path"):
        values[field] = place(values[field], reach)
    given = {field: value for field, value in values.items() if value is not None}
    return reach.run(lambda api: put(api, name, given, as_json=as_json))


async def put(api: Api, name: str, given: dict[str, Any], *, as_json: bool) -> Exit:
    there = {one.name: one for one in (await api.categories()).categories}
    made = await api.put_category(msgspec.structs.replace(there.get(name, m.Category(name)), **given))
    if as_json:
        said.record(made)
    else:
        output.line(f"{'changed' if name in there else 'made'}: {text.clean(made.name)}")
    return Exit.OK


@command.command("rm")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@reach.options
def rm_command(names: tuple[str, ...], reach: Reach) -> int:
    """Remove categories, and those below them.

    Their torrents have none then.
    """
    return reach.run(lambda api: remove(api, names))


async def remove(api: Api, names: tuple[str, ...]) -> Exit:
    before = {one.name for one in (await api.categories()).categories}
    await api.remove_categories(m.Names(names))
    gone = before - {one.name for one in (await api.categories()).categories}
    output.line(f"removed: {plural(len(gone), 'category', 'categories')}: {text.clean(', '.join(sorted(gone)))}")
    for name in names:
        if name not in before:
            output.warn(f"there is no category {text.clean(name)}; `wildbach categories` lists them")
    return Exit.OK
