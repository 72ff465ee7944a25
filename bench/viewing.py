"""What a viewer of the streaming bench does, whichever engine brings the film: begin, watch, jump.

The two viewers (viewer_wb.py and viewer_lt.py) give their engine's reader; all that is timed is here, once for both.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from wildbach.engine.timemap import read_map
from wildbach.protocol.media.index import MediaIndex
from wildbach.testing.player import Player, ReadsFile

FIRST = 300_000
"Bytes from a keyframe on after which a player has its picture."
AT_ONCE = 64 << 10
_AFTER_JUMP = 1.0
"Seconds of film that are played after each jump."


@dataclass(frozen=True)
class Words:
    """What the parent asks for, as JSON in the first argument."""

    host: str
    torrent: str
    film: str
    "The path of the whole film, for its index alone."
    home: str
    peers: list[list[Any]]
    seed: int
    seeks: int
    seconds: float
    "Watched from the beginning, before the jumps."


def words() -> Words:
    return Words(**json.loads(sys.argv[1]))


async def index_of(path: Path) -> MediaIndex:
    """What the file at hand says; that both viewers know it costs neither anything."""
    with path.open("rb") as file:
        async def read(offset: int, limit: int) -> bytes:
            file.seek(offset)
            return file.read(limit)

        index = await read_map(read, path.stat().st_size)
    if index is None:
        raise SystemExit("the film has no index")
    return index


async def read_picture(reader: ReadsFile, offset: int) -> float:
    """The seconds until FIRST bytes from there on were read."""
    begin, stop = time.monotonic(), min(offset + FIRST, reader.size)
    while offset < stop:
        offset += len(await reader.read(offset, min(AT_ONCE, stop - offset)))
    return time.monotonic() - begin


async def evening(
    asked: Words, began: float, reader: ReadsFile, index: MediaIndex, here: Callable[[int], bool],
) -> None:
    """Say on standard output what was seen. `began`: when the torrent was added; `here` tells whether the piece with
    that byte is had, which no jump goes to."""
    await read_picture(reader, 0)
    first = time.monotonic() - began
    player = Player(reader, index)
    played = await player.play(0.0, asked.seconds)
    rng = Random(asked.seed)
    jumps = []
    for _ in range(asked.seeks):
        places = [at for at in index.times[1:-4] if not here(index.offset(at)) and not here(index.offset(at) + FIRST)]
        if not places:
            break
        at = rng.choice(places)
        jumps.append(round(await read_picture(reader, index.offset(at)), 3))
        await player.play(at, _AFTER_JUMP)
    print(json.dumps({
        "event": "watched", "first": round(first, 3), "stalled": round(played.stalled, 3),
        "stops": played.stops, "jumps": jumps,
    }), flush=True)


def main(view: Callable[[Words], Any]) -> None:
    asyncio.run(view(words()))
