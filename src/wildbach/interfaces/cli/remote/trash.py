"""`wildbach trash`: what was removed and can be had back."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Final

import click

from wildbach.base.errors import UsageError
from wildbach.base.words import plural
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.cli import output, reach, said, text
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.groups import ListGroup
from wildbach.interfaces.cli.naming import SHORT
from wildbach.interfaces.cli.reach import Reach
from wildbach.interfaces.cli.table import Column, Row

COLUMNS: Final = (
    Column("KEY", style="dim"), Column("NAME", flexible=True), Column("SIZE", right=True, rank=2),
    Column("REMOVED", rank=3), Column("GONE", rank=1), Column("FILES"),
)
_LEAST: Final = 4


@click.group("trash", cls=ListGroup)
def command() -> None:
    """Show the trash, have torrents back from it, or empty it."""


@command.command("list")
@reach.options
@reach.as_json
def list_command(as_json: bool, reach: Reach) -> int:
    """Show what was removed, and when it is gone for good."""
    return reach.run(lambda api: show(api, as_json=as_json))


async def show(api: Api, *, as_json: bool) -> Exit:
    return said.listed((await api.trash()).torrents, COLUMNS, line_of, "The trash is empty.", as_json=as_json)


def line_of(one: m.Trashed) -> Row:
    return (one.key[:SHORT], text.clean(one.name), text.short(one.size), text.moment(one.removed_at),
            text.moment(one.gone_at), "go too" if one.files else "stay")


_words = click.argument("words", nargs=-1, metavar="TORRENT...")
_all = click.option("--all", "everything", is_flag=True, help="All that is in the trash.")


@command.command("restore")
@_words
@_all
@reach.options
@reach.as_json
def restore_command(words: tuple[str, ...], everything: bool, as_json: bool, reach: Reach) -> int:
    """Have torrents back."""
    return reach.run(lambda api: restore(api, words, everything, as_json=as_json))


async def restore(api: Api, words: Sequence[str], everything: bool, *, as_json: bool) -> Exit:
    found = await _named(api, words, everything)
    came = await api.restore(m.Selection(tuple(one.key for one in found)))
    return said.outcome(came, f"back: {plural(came.done, 'torrent')}", as_json=as_json)


@command.command("empty")
@_words
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@reach.options
@reach.as_json
def empty_command(words: tuple[str, ...], yes: bool, as_json: bool, reach: Reach) -> int:
    """Remove what is in the trash for good, or some of it.

    Their files are deleted where that was asked when they were removed. On a terminal it asks before.
    """
    found = reach.ask(lambda api: _named(api, words, not words))
    with_files = sum(one.files for one in found)
    if found and not yes and sys.stdin.isatty() and sys.stdout.isatty():
        files = f", {with_files} of them with their files" if with_files else ""
        if not click.confirm(f"Remove {plural(len(found), 'torrent')} for good{files}?"):
            output.line("Nothing was removed.")
            return Exit.FAILED
    return reach.run(lambda api: empty(api, found, as_json=as_json))


async def empty(api: Api, found: Sequence[m.Trashed], *, as_json: bool) -> Exit:
    came = await api.empty_trash(m.Selection(tuple(one.key for one in found)))
    if not found and not as_json:
        output.line("The trash is empty.")
        return Exit.OK
    code = said.outcome(came, f"removed for good: {plural(came.done, 'torrent')}", as_json=as_json)
    return Exit.OK if not found else code


async def _named(api: Api, words: Sequence[str], everything: bool) -> list[m.Trashed]:
    """Raises UsageError."""
    there = (await api.trash()).torrents
    if everything:
        return list(there)
    if not words:
        raise UsageError("which torrent? Give the beginning of its key, or its name, or --all")
    found: dict[str, m.Trashed] = {}
    for word in words:
        mine = [
            one for one in there
            if one.name == word or (len(word) >= _LEAST and one.key.startswith(word.lower()))]
        if len(mine) != 1:
            what = "may mean several torrents in the trash" if mine else "is not in the trash"
            raise UsageError(f"{text.clean(word)!r} {what}", code="ambiguous" if mine else "not_found")
        found[mine[0].key] = mine[0]
    return list(found.values())
