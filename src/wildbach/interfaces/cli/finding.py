"""Waiting for the DHT: until there are nodes, and until it knows which torrent a link leads to."""

from __future__ import annotations

import time

from wildbach.base.words import plural
from wildbach.engine.options import AddOptions
from wildbach.engine.session import Session
from wildbach.engine.torrent import Torrent
from wildbach.interfaces.cli import output, text
from wildbach.interfaces.cli.running import Stop
from wildbach.interfaces.cli.wishes import Wishes
from wildbach.protocol.metainfo import Magnet, Metainfo, MutableLink

TURN_SECONDS = 0.2
TELL_SECONDS = 5.0


def state_of(session: Session) -> str:
    """The DHT in a few words."""
    view = session.dht.view()
    words = f"DHT: {plural(view.nodes_v4 + view.nodes_v6, 'node')}"
    return f"{words}, {text.clean(view.reason)}" if view.reason else words


async def until_ready(session: Session, stop: Stop, wishes: Wishes) -> bool:
    """Wait until the DHT has nodes to be asked, and say how it goes. False where somebody asked to stop."""
    told = time.monotonic()
    while not await session.dht.ready(TURN_SECONDS):
        if stop.asked or not session.dht.running:
            break
        if wishes.talks and time.monotonic() - told >= TELL_SECONDS:
            told = time.monotonic()
            output.line(state_of(session))
    return not stop.asked


async def add(
    session: Session, source: Metainfo | Magnet | MutableLink, options: AddOptions, stop: Stop, wishes: Wishes,
    patience: float | None,
) -> Torrent | None:
    """Add a torrent; a link to one that changes is first looked up. None where that was stopped or took too long."""
    if not isinstance(source, MutableLink):
        return await session.add(source, options)
    following = await session.mutables.follow(source, options)
    began = told = time.monotonic()
    if wishes.talks:
        output.line(f"Asking the DHT for the newest torrent of {source.public_key.hex()[:16]}… ({state_of(session)})")
    while not following.found.is_set():
        await stop.pause(TURN_SECONDS)
        now = time.monotonic()
        if stop.asked:
            return None
        if patience is not None and now - began >= patience:
            why = following.reason or "no answer yet"
            output.fail(f"nothing is known of the link after {patience:g} seconds: {text.clean(why)}")
            return None
        if wishes.talks and now - told >= TELL_SECONDS:
            told = now
            output.line("; ".join(filter(None, (state_of(session), text.clean(following.reason)))))
    return await session.mutables.torrent_of(following)
