"""`wildbach start`, `stop`, `force`, `reannounce`: one thing done to torrents."""

from __future__ import annotations

import click

from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.cli import naming, said
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.reach import Reach


async def act(
    api: Api, act: m.Act, words: tuple[str, ...], everything: bool, told: str, *, as_json: bool,
) -> Exit:
    """Do it, and say so: `told` and who."""
    chosen = await naming.chosen(api, words, everything)
    outcome = await api.act(m.Action(act, chosen.keys, chosen.everything))
    return said.outcome(outcome, f"{told}: {chosen.words()}", as_json=as_json)


@click.command("start")
@naming.for_several
def start_command(words: tuple[str, ...], everything: bool, as_json: bool, reach: Reach) -> int:
    """Start torrents.

    They download as soon as the queue has room for them. TORRENT is the beginning of a key, at least four characters,
    or a name.
    """
    return reach.run(lambda api: act(api, "start", words, everything, "started", as_json=as_json))


@click.command("stop")
@naming.for_several
def stop_command(words: tuple[str, ...], everything: bool, as_json: bool, reach: Reach) -> int:
    """Stop torrents.

    They stay in the list, and stopped until they are started. TORRENT is the beginning of a key, at least four
    characters, or a name.
    """
    return reach.run(lambda api: act(api, "stop", words, everything, "stopped", as_json=as_json))


@click.command("force")
@naming.for_several
def force_command(words: tuple[str, ...], everything: bool, as_json: bool, reach: Reach) -> int:
    """Start torrents whatever the queue says.

    Limits of seeding do not stop them either. TORRENT is the beginning of a key, at least four characters, or a name.
    """
    return reach.run(lambda api: act(api, "force_start", words, everything, "forced", as_json=as_json))


@click.command("reannounce")
@naming.for_several
def reannounce_command(words: tuple[str, ...], everything: bool, as_json: bool, reach: Reach) -> int:
    """Ask the trackers of torrents for peers now.

    A tracker that was asked a moment ago is asked once it may be. TORRENT is the beginning of a key, at least four
    characters, or a name.
    """
    return reach.run(lambda api: act(api, "reannounce", words, everything, "asked for peers", as_json=as_json))
