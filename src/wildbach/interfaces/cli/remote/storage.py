"""`wildbach storage`: what is kept only for now."""

from __future__ import annotations

from typing import Final

import click

from wildbach.base.words import plural
from wildbach.interfaces.api import contentmodels as cm
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.cli import naming, output, reach, said, table, text
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.groups import ListGroup
from wildbach.interfaces.cli.kinds import SIZE
from wildbach.interfaces.cli.reach import Reach
from wildbach.interfaces.cli.remote.add import place
from wildbach.interfaces.cli.table import Column, Row

COLUMNS: Final = (
    Column("NAME", flexible=True), Column("SIZE", right=True), Column("USED", right=True, rank=1),
    Column("FOR", rank=2), Column("STAYS"), Column("KEY", rank=3),
)


class ShowGroup(ListGroup):
    default = "show"


@click.group("storage", cls=ShowGroup)
def command() -> None:
    """Show what is kept only for now; pin, keep and remove of it.

    What is fetched to be watched or read at once is cache: the longest unused leaves when content.quota is reached or
    the disk gets full. TORRENT is a name or the beginning of a key, as everywhere.
    """


@command.command("show")
@reach.options
@reach.as_json
def show_command(as_json: bool, reach: Reach) -> int:
    """Show how full the cache is, and what is in it: the longest unused, which leaves first, is the first."""
    return reach.run(lambda api: show(api, as_json=as_json))


async def show(api: Api, *, as_json: bool) -> Exit:
    found = await api.storage()
    if as_json:
        said.record(found)
        return Exit.OK
    limit = f" of {text.short(found.limit)}"
    if found.limit < found.quota:
        limit += f" (the disk allows no more; content.quota is {text.short(found.quota)})"
    output.line(f"the cache has {text.short(found.used) or '0'}{limit}: {plural(len(found.torrents), 'torrent')}")
    if found.planned > found.used:
        output.line(f"still to come: {text.short(found.planned - found.used)}")
    for owner, part in found.owners.items():
        output.line(f"  {text.clean(owner)}: {plural(part.torrents, 'torrent')}, {text.short(part.size)}")
    if found.torrents:
        table.show(COLUMNS, [line_of(one) for one in found.torrents])
    return Exit.OK


def line_of(one: cm.CachedTorrent) -> Row:
    stays = "pinned" if one.pinned else "in use" if one.in_use else ""
    return text.clean(one.name), text.short(one.size), text.moment(one.used_at), text.clean(one.owner), stays, one.key


@command.command("pin")
@naming.for_several
def pin_command(words: tuple[str, ...], everything: bool, as_json: bool, reach: Reach) -> int:
    """Let torrents stay however full the cache is. They still count for it."""
    return reach.run(lambda api: pin(api, words, everything, pinned=True, as_json=as_json))


@command.command("unpin")
@naming.for_several
def unpin_command(words: tuple[str, ...], everything: bool, as_json: bool, reach: Reach) -> int:
    """Let torrents leave again when room is needed."""
    return reach.run(lambda api: pin(api, words, everything, pinned=False, as_json=as_json))


async def pin(api: Api, words: tuple[str, ...], everything: bool, *, pinned: bool, as_json: bool) -> Exit:
    keys = await chosen(api, words, everything)
    came = await api.pin_storage(cm.StoragePins(pin=keys) if pinned else cm.StoragePins(unpin=keys))
    verb = "pinned" if pinned else "unpinned"
    return said.outcome(came, f"{verb}: {plural(came.done, 'torrent')}", as_json=as_json)


@command.command("keep")
@click.option("--to", "folder", metavar="DIR", help="A folder of the daemon's machine for their files.")
@naming.for_several
def keep_command(words: tuple[str, ...], everything: bool, folder: str | None, as_json: bool, reach: Reach) -> int:
    """Make downloads of torrents: they stay, and count for the cache no more.

    Without --to their files stay where they are.
    """
    target = place(folder, reach) or ""
    return reach.run(lambda api: keep(api, words, everything, target, as_json=as_json))


async def keep(api: Api, words: tuple[str, ...], everything: bool, folder: str, *, as_json: bool) -> Exit:
    keys = await chosen(api, words, everything)
    came = await api.keep_storage(cm.StorageKeeping(keys, folder))
    exit_ = said.outcome(m.Outcome(came.done, came.failed), f"kept: {plural(came.done, 'torrent')}", as_json=as_json)
    for job in await said.follow(api, came.jobs, as_json=as_json):
        if as_json:
            said.record(job)
        exit_ = said.ended(job) or exit_
    return exit_


@command.command("free")
@click.argument("size", type=SIZE, metavar="SIZE")
@reach.options
@reach.as_json
def free_command(size: int, as_json: bool, reach: Reach) -> int:
    """Remove what was not used for longest, with its files, until SIZE more is free, as 10G."""
    return reach.run(lambda api: free(api, size, as_json=as_json))


async def free(api: Api, size: int, *, as_json: bool) -> Exit:
    freed = await api.free_storage(cm.StorageNeed(size))
    if as_json:
        said.record(freed)
    else:
        output.line(f"freed: {text.short(freed.size)}")
    if freed.size < size:
        output.warn("that is less than was asked for: the rest of the cache is pinned or in use, or there is none")
        return Exit.FAILED
    return Exit.OK


@command.command("rm")
@naming.for_several
def rm_command(words: tuple[str, ...], everything: bool, as_json: bool, reach: Reach) -> int:
    """Remove torrents from the cache now, with their files. What is pinned or in use stays."""
    return reach.run(lambda api: remove(api, words, everything, as_json=as_json))


async def remove(api: Api, words: tuple[str, ...], everything: bool, *, as_json: bool) -> Exit:
    came = await api.evict_storage(cm.StorageEviction(await chosen(api, words, everything)))
    return said.outcome(came, f"removed: {plural(came.done, 'torrent')}", as_json=as_json)


async def chosen(api: Api, words: tuple[str, ...], everything: bool) -> tuple[str, ...]:
    """Their keys. `--all` means all of the cache here."""
    if everything and not words:
        return tuple(one.key for one in (await api.storage()).torrents)
    return (await naming.chosen(api, words, everything)).keys
