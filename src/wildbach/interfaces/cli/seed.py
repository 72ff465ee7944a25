"""`wildbach seed`: give what is already here."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import click

from wildbach.engine.ipfilter import require_readable
from wildbach.engine.options import AddOptions
from wildbach.engine.torrent import Torrent
from wildbach.interfaces.cli import fetching, output, running, sources, text
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.running import Stop
from wildbach.interfaces.cli.sessions import open_session
from wildbach.interfaces.cli.state import folder_for
from wildbach.interfaces.cli.wishes import Wishes, common, warn_of_variables
from wildbach.interfaces.cli.work import Work
from wildbach.protocol.metainfo.info import Info


@click.command("seed")
@click.argument("torrents", nargs=-1, required=True, metavar="TORRENT...")
@click.option("--data", type=click.Path(path_type=Path, exists=True, file_okay=False), default=".", metavar="DIR",
              help="The folder that holds the content, or the torrent's own folder.  [default: this one]")
@click.option("--seed-ratio", "ratio", type=click.FloatRange(min=0), metavar="N",
              help="End when N times the size was given.  [default: until Ctrl-C]")
@common
def command(torrents: tuple[str, ...], data: Path, ratio: float | None, wishes: Wishes) -> int:
    """Give content that is already here to others.

    The content must be there, all of it and good: it is checked first. Nothing is downloaded; `get --seed` fetches
    what is missing and gives meanwhile. Runs until Ctrl-C.
    """
    warn_of_variables()
    return running.run(lambda stop: give(torrents, data, ratio, wishes, stop))


def holder(info: Info, data: Path) -> Path:
    """The folder that holds the torrent's own one; `data` may be either of them."""
    if not info.multi_file or (data / info.name).is_dir():
        return data
    place = Path(os.path.abspath(data))
    return place.parent if place.name == info.name else data


async def give(names: tuple[str, ...], data: Path, ratio: float | None, wishes: Wishes, stop: Stop) -> Exit:
    """Seed until somebody stops it or the ratio is reached."""
    settings = wishes.settings()
    require_readable(settings.filter.sources)
    loaded = [sources.load_torrent(name) for name in names]
    places = [holder(one.info, data) for one in loaded]
    if wishes.talks and any(place != data for place in places):
        output.line(f"{text.clean(str(data))} is taken as the torrent's own folder: it has its name")
    peers = await fetching.endpoints(wishes.peers, settings)
    work = Work(seed=True, ratio=ratio, as_json=wishes.as_json, quiet=wishes.quiet, done_word="ready")
    where = places[0] if len(set(places)) == 1 else data
    async with open_session(settings, wishes, folder_for(where, wishes.state)) as session:
        options = AddOptions(peers=peers, trackers=wishes.trackers, seed_only=True)
        torrents: list[Torrent] = [
            await session.add(one, replace(options, save_path=place)) for one, place in zip(loaded, places, strict=True)
        ]
        if wishes.as_json:
            output.record({"event": "listening", "at": [str(at) for at in session.listening]})
        elif not wishes.quiet:
            for at in session.listening:
                output.line(f"listening on {at}")
        code = await work.follow(stop, session, torrents)
        if stop.asked and wishes.talks:
            running.say_stopping()
    return Exit.OK if stop.asked and not work.failed else code
