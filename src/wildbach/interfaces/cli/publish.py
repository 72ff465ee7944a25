"""`wildbach publish`: say in the DHT which torrent is the newest under a key (BEP 46)."""

from __future__ import annotations

from functools import partial

import click

from wildbach.base import limits
from wildbach.base.errors import UsageError
from wildbach.base.ids import InfoHashes
from wildbach.base.words import plural
from wildbach.disk.keys import Keys
from wildbach.engine.mutable import Published
from wildbach.engine.session import Session
from wildbach.interfaces.cli import output, running, sources
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.finding import until_ready
from wildbach.interfaces.cli.running import Stop
from wildbach.interfaces.cli.state import daemon_folder, state_folder
from wildbach.interfaces.cli.wishes import Wishes, network, warn_of_variables
from wildbach.protocol.metainfo import Metainfo, MutableLink


@click.command("publish")
@click.argument("source", metavar="TORRENT")
@click.option("--key", default="default", metavar="NAME",
              help="The key to publish under; made when it is first used.  [default: default]")
@click.option("--salt", default="", metavar="TEXT", help="Several torrents under one key: each has a salt of its own.")
@click.option("--once", is_flag=True, help="End when it is stored. Nodes forget it in two hours.")
@click.option("--adopt", is_flag=True,
              help="Go on from what another machine with this key published, or this one before a backup was put back.")
@network
def command(source: str, key: str, salt: str, once: bool, adopt: bool, wishes: Wishes) -> int:
    """Publish a torrent in the DHT under a key, or put another one in its place.

    TORRENT is a .torrent file, a magnet link or an info hash. Prints a link that does not change: who follows it gets
    whatever was published last. Runs until Ctrl-C and keeps what was published alive; `wildbach seed` gives the
    content. Make a copy of the key (`wildbach key export`), for nobody can make it again.
    """
    warn_of_variables()
    hashes = _hashes(source)
    raw = salt.encode()
    if len(raw) > limits.DHT_SALT_BYTES:
        raise UsageError(f"a salt has at most {limits.DHT_SALT_BYTES} bytes")
    return running.run(lambda stop: _publish(hashes, key, raw, once, adopt, wishes, stop))


def _hashes(source: str) -> InfoHashes:
    loaded = sources.load(source)
    if isinstance(loaded, MutableLink):
        raise UsageError("this link is one that was published; name the torrent that is to be the newest")
    if isinstance(loaded, Metainfo):
        if loaded.info.private:
            raise UsageError("the torrent is private, so the DHT must not hear of it")
        return loaded.info.hashes
    return loaded.hashes


async def _publish(
    hashes: InfoHashes, key: str, salt: bytes, once: bool, adopt: bool, wishes: Wishes, stop: Stop,
) -> Exit:
    async with Session(wishes.settings(), data_dir=state_folder(wishes.state) / "published") as session:
        session.mutables.use_keys(Keys(daemon_folder(wishes.state)))  # one place for all keys
        if not await until_ready(session, stop, wishes):
            return stop.code
        publish = partial(session.mutables.publish, hashes, key=key, salt=salt, adopt=adopt)
        found = await running.unless_stopped(stop, publish)
        if found is None:
            return stop.code
        _say(found, wishes)
        if not once:
            if wishes.talks:
                output.line("It is stored again every hour, until Ctrl-C.")
            await stop.wait()
    return Exit.OK


def _say(found: Published, wishes: Wishes) -> None:
    link = found.link.to_uri()
    if wishes.as_json:
        output.record({"event": "published", "link": link, "seq": found.seq, "nodes": found.nodes,
                       "confirmed": found.confirmed})
    elif wishes.quiet:
        output.line(link)
    else:
        if not found.confirmed:
            output.line("the DHT has not given it back yet: it is stored again, look once more in a while")
        output.line(f"published as number {found.seq} at {plural(found.nodes, 'node')}; the link for those who follow:")
        output.line(link)
