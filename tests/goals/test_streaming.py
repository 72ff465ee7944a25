"""How soon a film plays, and plays on, while it comes: the first picture, seeks, stalls, and what is sent in vain.

A film of 8 Mbit/s, made with PyAV, in the swarm `testing.swarms.WARM`. What PyAV reads for a picture is recorded once,
from the file; then exactly that is read from the torrent, and the time of decoding is added to the virtual clock.
"""

from __future__ import annotations

import io
import math
import os
import statistics
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from random import Random

import av
import pytest
from tests import mediafiles, pace

from wildbach.base import bitfield
from wildbach.engine.options import AddOptions
from wildbach.engine.reader import Reader
from wildbach.engine.settings import Settings
from wildbach.engine.timemap import read_map
from wildbach.protocol.media.index import MediaIndex
from wildbach.protocol.metainfo.document import Metainfo
from wildbach.protocol.metainfo.magnet import Magnet
from wildbach.runtime.tasks import Scope
from wildbach.testing.content import Content, content
from wildbach.testing.loop import sim, simloop
from wildbach.testing.player import Picture, Player
from wildbach.testing.swarm import SETTINGS, Link, Node, Swarm
from wildbach.testing.swarms import WARM, Profile

pytestmark = pytest.mark.goal

SEED = int(os.environ.get("WILDBACH_SEED", "1"))
RUNS = int(os.environ.get("WILDBACH_STREAMING_RUNS", "6"))
SEEKS = 5
SECONDS = 100.0
KINDS = ("v2", "v1")
WEB = Link(50e6 / 8, 0.0, 0.015)
"With the viewer's 5 ms, 40 ms there and back."
PIECE_SECONDS = WARM.piece_length / (WARM.bitrate * WARM.supply)
"One piece from all peers together."
VIEWER = replace(SETTINGS, disk=replace(SETTINGS.disk, memory=Settings().disk.memory))
"With as much memory as everybody has."
_STEP = 0.01
"Decoding takes a few milliseconds of the machine of the goals; rounded up, so that a run is the same every time."


@dataclass
class Figures:
    """Of all runs of one case, in seconds."""

    first: list[float] = field(default_factory=list)
    seeks: list[tuple[float, int]] = field(default_factory=list)
    "How long, and how many pieces the picture touches."
    stalls: list[float] = field(default_factory=list)
    "The share of the time."
    vain: list[float] = field(default_factory=list)
    "Of the bytes that came, those that were not needed."
    doubled: list[float] = field(default_factory=list)
    "Of the bytes that came, those that two peers were asked for."


class Recorder:
    """A file that PyAV reads, and what it read."""

    def __init__(self, data: bytes) -> None:
        self._file = io.BytesIO(data)
        self.reads: list[tuple[int, int]] = []

    def read(self, size: int) -> bytes:
        at = self._file.tell()
        data = self._file.read(size)
        self.reads.append((at, len(data)))
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


class Film:
    """A file, its index, and what its pictures take."""

    def __init__(self, path: Path) -> None:
        self.data = path.read_bytes()
        self._file = Recorder(self.data)
        began = time.process_time()
        self._source = av.open(self._file)
        self.first = self._picture(0.0, began)
        "From opening the file on."
        self._known: dict[float, Picture] = {}

    def picture(self, seconds: float) -> Picture:
        """That of a player that has opened the file already."""
        if seconds not in self._known:
            self._file.reads.clear()
            began = time.process_time()
            self._source.seek(int(seconds * 1_000_000))
            self._known[seconds] = self._picture(seconds, began)
        return self._known[seconds]

    def _picture(self, seconds: float, began: float) -> Picture:
        frame = next(self._source.decode(self._source.streams.video[0]))
        assert 0.0 <= seconds - frame.time < WARM.gop + 0.1, "it begins with the keyframe before"
        cpu = math.ceil((time.process_time() - began) / pace.factor() / _STEP) * _STEP
        return Picture(seconds, tuple(read for read in self._file.reads if read[1]), cpu)


@cache
def film() -> Film:
    return Film(mediafiles.mp4("first", seconds=SECONDS, gop=WARM.gop, bit_rate=int(WARM.bitrate * 8)))


@cache
def made(kind: str) -> Content:
    return content(piece_length=WARM.piece_length, kind=kind, data=film().data)


def touched(picture: Picture) -> int:
    """How many pieces."""
    length = WARM.piece_length
    return len({piece for at, size in picture.reads for piece in range(at // length, (at + size - 1) // length + 1)})


async def opened(reader: Reader) -> tuple[Player, MediaIndex]:
    """As a player does: the index first."""
    index = await read_map(reader.read, reader.size)
    assert index is not None
    reader.set_map(index)
    return Player(reader, index), index


class Evening:
    """A swarm and somebody who comes to watch. From then on some leave and others come."""

    def __init__(self, kind: str, profile: Profile, swarm: Swarm, scope: Scope, figures: Figures) -> None:
        self.kind = kind
        self.figures = figures
        self.swarm = swarm
        self._profile = profile
        self._scope = scope
        self._peers: list[Node] = []

    async def begin(self) -> None:
        self._peers = await self._profile.gather(self.swarm)
        await self.swarm.sleep(5)

    async def viewer(self, options: AddOptions | None = None, *, link: bool = False) -> Node:
        source = Magnet(Metainfo.parse(self.swarm.content.torrent).info.hashes) if link else None
        viewer = await self.swarm.leech(self._profile.viewer, options, source=source, settings=VIEWER)
        self._scope.spawn("churn", self._profile.churn(self.swarm, self._peers, viewer))
        return viewer

    async def first(self, viewer: Node, start: float) -> MediaIndex:
        """Wait for the first picture after everything was begun at `start`."""
        await viewer.torrent.metadata()
        async with viewer.torrent.open(0) as reader:
            player, index = await opened(reader)
            await player.show(film().first)
        self.figures.first.append(simloop().time() - start)
        return index


Case = Callable[[Evening], Awaitable[Node]]


async def run(kind: str, figures: Figures, case: Case, profile: Profile) -> None:
    async with Swarm(made(kind), watch=False) as swarm, Scope("churn") as scope:
        evening = Evening(kind, profile, swarm, scope, figures)
        await evening.begin()
        viewer = await case(evening)
        content = viewer.torrent.content
        assert content is not None
        downloads = content.downloads
        figures.vain.append(downloads.wasted / downloads.received)
        figures.doubled.append(downloads.doubled / downloads.received)
        assert viewer.session.internal_errors == 0
        scope.cancel()


def measure(kind: str, case: Case, runs: int = RUNS, profile: Profile = WARM) -> Figures:
    figures = Figures()
    for seed in range(SEED, SEED + runs):
        sim(seed).run(run(kind, figures, case, profile))
    return figures


async def seeking(evening: Evening) -> Node:
    """From a torrent file: the first picture; then it jumps to places that are not here, and plays a little there."""
    start = simloop().time()
    viewer = await evening.viewer()
    index = await evening.first(viewer, start)
    rng = Random(f"{simloop().seed}:seeks")
    for _ in range(SEEKS):
        places = [at for at in index.times[1:-4] if not here(viewer, index.offset(at))]
        if not places:
            break
        picture = film().picture(rng.choice(places) + rng.uniform(0.0, WARM.gop - 0.2))
        async with viewer.torrent.open(0) as reader:
            reader.set_map(index)
            player = Player(reader, index)
            evening.figures.seeks.append((await player.show(picture), touched(picture)))
            await player.play(picture.seconds, 5.0)
    return viewer


def here(viewer: Node, offset: int) -> bool:
    """The pieces that a picture at that byte needs are had."""
    known = viewer.torrent.content
    assert known is not None
    return bitfield.has(known.picker.have, offset // WARM.piece_length, known.picker.width)


async def watching(evening: Evening) -> Node:
    """The whole film, from a torrent file."""
    viewer = await evening.viewer()
    async with viewer.torrent.open(0) as reader:
        player, index = await opened(reader)
        played = await player.play(0.0, index.duration)
    evening.figures.stalls.append(played.share)
    return viewer


async def from_a_link(evening: Evening) -> Node:
    start = simloop().time()
    viewer = await evening.viewer(link=True)
    await evening.first(viewer, start)
    return viewer


async def with_a_web_seed(evening: Evening) -> Node:
    server = await evening.swarm.web_server(WEB)
    start = simloop().time()
    viewer = await evening.viewer(AddOptions(web_seeds=(server.url,)))
    await evening.first(viewer, start)
    assert server.requests
    return viewer


def p95(values: list[float]) -> float:
    return sorted(values)[math.ceil(len(values) * 0.95) - 1]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", KINDS)
def test_a_film_plays_soon_and_plays_on(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    cpu = time.process_time()
    warm = measure(kind, seeking)
    magnet = measure(kind, from_a_link)
    web = measure(kind, with_a_web_seed)
    long = measure(kind, watching, max(RUNS // 3, 2), replace(WARM, supply=1.3))
    cpu = time.process_time() - cpu
    one = touched(film().first) * PIECE_SECONDS if kind == "v1" else 0.0
    web_one = one * WARM.bitrate * WARM.supply / (WARM.bitrate * WARM.supply + WEB.up)
    allowed = {"web": 1.0 + web_one, "warm": 1.0 + one, "magnet": 5.0 + one} if kind == "v1" else {
        "web": 1.0, "warm": 2.0, "magnet": 6.0}
    seeks = [seconds for seconds, _ in warm.seeks]
    # Of v1 each seek is held to the pieces that it touches.
    over = [seconds - pieces * PIECE_SECONDS * (kind == "v1") for seconds, pieces in warm.seeks]
    # Wanted of v1 is 1.0; what peers send after a jump that was asked for before it takes half of that.
    most = 1.1 if kind == "v1" else 1.5
    rows = [
        ("web seed, first picture p50", statistics.median(web.first), allowed["web"]),
        ("torrent file, first picture p50", statistics.median(warm.first), allowed["warm"]),
        ("magnet, first picture p50", statistics.median(magnet.first), allowed["magnet"]),
        ("seek p50", statistics.median(seeks), math.inf),
        ("seek p95", p95(seeks), math.inf if kind == "v1" else most),
        ("seek p95 without the pieces", p95(over), most),
        ("stalls at 1.3 x, % of time", statistics.mean(long.stalls) * 100, 1.0),
        ("asked of two peers, %", max(statistics.mean(case.doubled) for case in (warm, long)) * 100, 5.0),
        ("came in vain, %", max(statistics.mean(case.vain) for case in (warm, long)) * 100, math.inf),
    ]
    with capsys.disabled():
        print(f"\n{kind}: {RUNS} runs a case, {len(seeks)} seeks, {cpu:.0f} s of CPU")
        for name, value, limit in rows:
            print(f"  {name:<36}{value:7.2f}" + (f"   wanted <= {limit:.2f}" if limit < math.inf else ""))
    assert not [(name, value, limit) for name, value, limit in rows if value > limit]
