"""A client with a fixed list for pictures of the terminal screen, and the screen before it without a clock."""

from __future__ import annotations

import contextlib
import math
import re
from collections.abc import AsyncIterator, Sequence

from textual.pilot import Pilot

from api_fakes import FakeApi, row
from wildbach.interfaces.api import models as m
from wildbach.interfaces.tui.app import Place, Top
from wildbach.runtime.tasks import Scope

GIB = 1 << 30
MIB = 1 << 20
_ADDED = 1_790_000_000


def _row(number: int, name: str, state: str, size: float, share: float, **more: object) -> m.TorrentRow:
    whole = int(size * GIB)
    return row(
        number, name=name, state=state, size=whole, wanted=whole, done=int(whole * share), progress=share,
        complete=share >= 1, added_at=_ADDED - number, save_path="/srv/downloads",
        content_path=f"/srv/downloads/{name}", **more)


ROWS = (
    _row(1, "debian-13.2.0-amd64-DVD-1.iso", "downloading", 3.7, 0.62, down_rate=8.4 * MIB, up_rate=310_000, eta=171,
         peers=41, seeds=33, uploaded=1 * GIB, ratio=0.31, category="linux", tags=("iso",)),
    _row(2, "Fedora-Workstation-Live-43.x86_64", "downloading", 2.3, 0.17, down_rate=3.1 * MIB, up_rate=52_000, eta=644,
         peers=18, seeds=12, uploaded=20 * MIB, ratio=0.04, category="linux", tags=("iso",)),
    _row(3, "Big Buck Bunny (2008) 4K", "seeding", 0.7, 1.0, up_rate=1.2 * MIB, peers=9, uploaded=3 * GIB, ratio=4.41,
         category="films"),
    _row(4, "Sintel – Die Drachentöterin", "checking", 5.1, 0.44, category="films"),
    _row(5, "archlinux-2026.11.01-x86_64.iso", "seeding", 1.2, 1.0, up_rate=640_000, peers=5, uploaded=10 * GIB,
         ratio=8.12, category="linux"),
    _row(6, "宮沢賢治 全集", "stopped", 0.2, 0.88, uploaded=30 * MIB, ratio=0.2, category="books"),
    _row(7, "OpenStreetMap planet-261102.osm.pbf", "downloading", 84.0, 0.03, down_rate=0.9 * MIB, eta=96_000, peers=6,
         seeds=6, tags=("maps", "slow")),
    _row(8, "Nobody has this any more", "downloading", 1.4, 0.51, reason="nobody who is connected has the rest of it"),
    _row(9, "Cosmos Laundromat", "error", 2.0, 0.33, reason="the disk is full: /srv/downloads", code="disk_full",
         category="films"),
    _row(10, "magnet of an old friend", "metadata", 0.0, 0.0, has_metadata=False, peers=3),
    _row(11, "LibriVox: Moby Dick", "queued", 0.9, 0.0, place=1, category="books"),
    _row(12, "Tears of Steel", "seeding", 1.6, 1.0, uploaded=2 * GIB, ratio=1.25, category="films"),
)
_FILES = (
    ("debian-13.2.0/README.html", 12_000, 1.0, 1), ("debian-13.2.0/dists/Release", 190_000, 1.0, 1),
    ("debian-13.2.0/dists/main/Packages.xz", 9_800_000, 0.7, 7), ("debian-13.2.0/pool/main.iso", 3_200 * MIB, 0.61, 1),
    ("debian-13.2.0/pool/extra.iso", 480 * MIB, 0.0, 0),
)


def _pieces(count: int) -> str:
    """Most of it there, some coming, holes."""
    return "".join(
        "#" if math.sin(at / 37) + math.sin(at / 11) > -0.6 else ">" if at % 53 < 9 else "-" for at in range(count))


class Stage(FakeApi):
    """Answers alike however often it is asked."""

    def __init__(self, rows: Sequence[m.TorrentRow] = ROWS) -> None:
        super().__init__()
        self.rows = {one.key: one for one in rows}

    async def facets(self) -> m.Facets:
        states: dict[str, int] = {}
        for one in self.rows.values():
            moving = one.down_rate or one.up_rate
            for state in (one.state, *(("active",) if moving else ())):
                states[state] = states.get(state, 0) + 1
        return m.Facets(len(self.rows), states, {"linux": 3, "films": 4, "books": 2}, {"iso": 2, "maps": 1}, {})

    async def transfer(self) -> m.Transfer:
        rates = [(one.down_rate, one.up_rate) for one in self.rows.values()]
        return m.Transfer(
            sum(down for down, _ in rates), sum(up for _, up in rates), 3, 4, 5, 6, 0, 2 * MIB, self.slow, 82, 412,
            "yes", ("0.0.0.0:6881",), (), 918 * GIB, len(self.rows), self.revision)

    async def torrent(self, key: str) -> m.TorrentDetail:
        one = self.one(key)
        return m.TorrentDetail(
            one, f"magnet:?xt=urn:btih:{key}", "Debian 13.2.0, disc 1", "mktorrent 1.1", 0, "", 4 * MIB, 947, 590, 5,
            (("https://bttracker.debian.org/announce",),), 41, 160, 612.0, True, None)

    async def tree(self, key: str, query: m.TreeQuery) -> m.Tree:
        lead = query.under + "/" if query.under else ""
        found: dict[str, list[tuple[int, tuple[str, int, float, int]]]] = {}
        for number, file in enumerate(_FILES):
            if file[0].startswith(lead):
                found.setdefault(lead + file[0][len(lead):].split("/")[0], []).append((number, file))
        entries = sorted((_entry(path, files) for path, files in found.items()), key=lambda one: not one.folder)
        return m.Tree(query.under, len(entries), 0, 0, len(_FILES), tuple(entries))

    async def pieces(self, key: str, query: m.PieceQuery) -> m.PieceMap:
        return m.PieceMap(4 * MIB, _pieces(947), (2,) * 947, 947)

    async def history(self, query: m.HistoryQuery) -> m.History:
        numbers = range(300)
        return m.History(
            1, 0, tuple(_speed(14 * MIB, number) for number in numbers),
            tuple(_speed(2.6 * MIB, number + 40) for number in numbers))

    async def trackers(self, key: str) -> m.TrackerPage:
        return m.TrackerPage((
            m.TrackerRow("** [DHT] **", -1, "working", "", None, None, None, None, 88, 0),
            m.TrackerRow("https://bttracker.debian.org/announce", 0, "working", "", 612.0, 733, 21, 4, 50, 0),
            m.TrackerRow("udp://tracker.example:6969", 1, "failing", "connection refused", 44.0, None, None, None, 0,
                         3),
        ))

    async def peers(self, key: str) -> m.PeerPage:
        return m.PeerPage(tuple(
            m.PeerRow(
                f"198.51.100.{number}:51413", client, "tracker", "utp" if number % 2 else "tcp", True, True, False,
                share, down, up, int(down * 90), int(up * 60), False, up == 0, True, True, False, 12, "")
            for number, client, share, down, up in (
                (7, "qBittorrent 5.1.2", 1.0, 3.9 * MIB, 0), (12, "Transmission 4.1.0", 1.0, 2.2 * MIB, 0),
                (33, "libtorrent 2.1.1", 0.82, 1.4 * MIB, 190_000), (54, "wildbach 0.1.0", 0.4, 900_000, 120_000),
            )))


def _entry(path: str, files: list[tuple[int, tuple[str, int, float, int]]]) -> m.TreeEntry:
    size = sum(size for _, (_, size, _, _) in files)
    have = sum(int(size * share) for _, (_, size, share, _) in files)
    wanted = sum(size for _, (_, size, _, priority) in files if priority)
    priorities = {priority for _, (_, _, _, priority) in files}
    folder = files[0][1][0] != path
    return m.TreeEntry(
        path, path.rsplit("/", 1)[-1], folder, -1 if folder else files[0][0], len(files), size, have, wanted,
        priorities.pop() if len(priorities) == 1 else -1, 3.0)


def _speed(base: float, number: int) -> int:
    return int(max(0.0, base * (0.62 + 0.28 * math.sin(number / 9) + 0.1 * math.sin(number / 2.3))))


@contextlib.asynccontextmanager
async def staged(stage: Stage, size: tuple[int, int]) -> AsyncIterator[Pilot[None]]:
    """The screen before it, which asks only when something else is shown; with speeds of the last minutes."""
    async with Scope("stage") as scope:
        app = Top(lambda: contextlib.nullcontext(stage), scope, Place("daemon 127.0.0.1:8080"), seconds=3600)
        async with app.run_test(size=size) as pilot:
            await app.ever.wait()
            yield pilot


def picture(app: Top) -> str:
    """An SVG that fetches nothing: fonts of the reader's machine in place of ones from elsewhere."""
    svg = app.export_screenshot(title="wildbach top", simplify=True)
    svg = re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    svg = svg.replace("Fira Code", "ui-monospace, Menlo, Consolas")
    # Names of styles are made of a sum over the text; a plain one changes less.
    return re.sub(r"terminal-\d+", "terminal", svg) + "\n"


async def drawn(stage: Stage, size: tuple[int, int], *keys: str) -> str:
    """The picture after these keys."""
    async with staged(stage, size) as pilot:
        for key in keys:
            await pilot.press(key)
            await pilot.pause()
        # What a key asked for is here when the source rests again.
        await pilot.app.source.rested()
        await pilot.pause()
        return picture(pilot.app)
