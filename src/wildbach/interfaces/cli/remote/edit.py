"""`wildbach edit`: what is remembered of torrents."""

from __future__ import annotations

from typing import Any

import click

from wildbach.base.errors import UsageError
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.cli import naming, said
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.kinds import COUNT_LIMIT, SECONDS_LIMIT, SIZE
from wildbach.interfaces.cli.reach import Reach


@click.command("edit")
@click.option("--name", metavar="NAME", help="Another name in the list; '' for its own.")
@click.option("--category", metavar="NAME", help="One that there is; '' for none.")
@click.option("--tag", "tags", multiple=True, metavar="NAME", help="These tags and no others; may be repeated.")
@click.option("--add-tag", "add_tags", multiple=True, metavar="NAME", help="One more tag; may be repeated.")
@click.option("--remove-tag", "remove_tags", multiple=True, metavar="NAME", help="One tag less; may be repeated.")
@click.option("--limit-down", "down_limit", type=SIZE, metavar="RATE", help="Bytes a second: 500K, 2M; 0 for none.")
@click.option("--limit-up", "up_limit", type=SIZE, metavar="RATE", help="Bytes a second: 500K, 2M; 0 for none.")
@click.option("--ratio", "ratio_limit", type=COUNT_LIMIT, metavar="N",
              help="Give N times the size; `none`: for ever; `default`: as the settings say.")
@click.option("--seed-time", "seeding_limit", type=SECONDS_LIMIT, metavar="TIME",
              help="Seed so long: 90m, 12h, 7d, `none` or `default`.")
@click.option("--idle-time", "idle_limit", type=SECONDS_LIMIT, metavar="TIME",
              help="So long without anybody to give to, `none` or `default`.")
@click.option("--at-limit", "limit_action",
              type=click.Choice(["default", "stop", "remove", "remove_files", "super_seed"]),
              help="What then happens.")
@click.option("--sequential/--no-sequential", default=None, help="From the front to the end.")
@click.option("--ends-first/--no-ends-first", default=None, help="The first and the last piece of each file first.")
@click.option("--super-seed/--no-super-seed", default=None, help="Give each piece once, for a first seed.")
@click.option("--auto/--no-auto", default=None, help="Whether its folder follows its category.")
@click.option("--forced/--no-forced", default=None, help="Run whatever the queue says.")
@naming.for_several
def command(words: tuple[str, ...], everything: bool, as_json: bool, reach: Reach, **values: Any) -> int:
    """Change torrents: name, category, tags, limits, order.

    What is not given stays as it is. TORRENT is the beginning of a key, at least four characters, or a name.
    """
    given = {name: value for name, value in values.items() if value is not None and value != ()}
    if given.get("limit_action") == "default":
        given["limit_action"] = ""
    if not given:
        raise UsageError("nothing to change: `wildbach edit --help` lists what can be")
    return reach.run(lambda api: edit(api, words, everything, m.TorrentPatch(**given), as_json=as_json))


async def edit(api: Api, words: tuple[str, ...], everything: bool, patch: m.TorrentPatch, *, as_json: bool) -> Exit:
    chosen = await naming.chosen(api, words, everything)
    if isinstance(patch.name, str) and len(chosen.keys) != 1:
        raise UsageError("one name is for one torrent")
    outcome = await api.change_torrents(m.TorrentsPatch(patch, chosen.keys, chosen.everything))
    return said.outcome(outcome, f"changed: {chosen.words()}", as_json=as_json)
