"""`wildbach keys`: what programs get in with."""

from __future__ import annotations

from typing import Final

import click

from wildbach.base.words import plural
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.cli import output, reach, said, text
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.groups import ListGroup
from wildbach.interfaces.cli.reach import Reach
from wildbach.interfaces.cli.table import Column, Row

COLUMNS: Final = (
    Column("ID", style="dim"), Column("NAME", flexible=True), Column("MAY"), Column("MADE", rank=2),
    Column("USED", rank=1),
)
_ROLES: Final = {"user": "all", "guest": "look"}


@click.group("keys", cls=ListGroup)
def command() -> None:
    """List, make and remove keys for programs."""


@command.command("list")
@reach.options
@reach.as_json
def list_command(as_json: bool, reach: Reach) -> int:
    """Show the keys there are, without their secrets."""
    return reach.run(lambda api: show(api, as_json=as_json))


async def show(api: Api, *, as_json: bool) -> Exit:
    return said.listed((await api.api_keys()).keys, COLUMNS, line_of, "There are no keys.", as_json=as_json)


def line_of(key: m.ApiKey) -> Row:
    return (key.id, text.clean(key.name), _ROLES.get(key.role, key.role), text.moment(key.made_at),
            text.moment(key.used_at) or "never")


@command.command("make")
@click.argument("name")
@click.option("--guest", is_flag=True, help="A key that may look, and change nothing.")
@reach.options
@reach.as_json
def make_command(name: str, guest: bool, as_json: bool, reach: Reach) -> int:
    """Make a key, and print it: it is never shown again.

    NAME says what it is for. Programs send it as `Authorization: Bearer KEY`, or as their password.
    """
    return reach.run(lambda api: make(api, name, guest=guest, as_json=as_json))


async def make(api: Api, name: str, *, guest: bool, as_json: bool) -> Exit:
    key = await api.make_api_key(m.KeyRequest(name, "guest" if guest else "user"))
    if as_json:
        said.record(key)
    else:
        output.line(key.secret)
    return Exit.OK


@command.command("rm")
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@reach.options
def rm_command(ids: tuple[str, ...], reach: Reach) -> int:
    """Remove keys: they are good no more."""
    return reach.run(lambda api: remove(api, ids))


async def remove(api: Api, ids: tuple[str, ...]) -> Exit:
    for one in ids:
        await api.remove_api_key(one)
    output.line(f"removed: {plural(len(ids), 'key')}")
    return Exit.OK
