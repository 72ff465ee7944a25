"""What the demo shows and what it moves: the picture of a swarm, and a folder of made-up content."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from wildbach.base.limits import KIB, MIB
from wildbach.base.words import plural
from wildbach.interfaces.cli import text
from wildbach.interfaces.cli.picture import piece_row

CHUNK = MIB

_FILES: tuple[tuple[str, float], ...] = (
    ("lies mich.txt", 0.0001),
    ("film/the stream.mkv", 0.55),
    ("film/the stream.srt", 0.0008),
    ("photos/above the weir.raw", 0.12),
    ("photos/Brücke im Nebel.raw", 0.1),
    ("photos/渓流.raw", 0.08),
    ("music/01 source.flac", 0.07),
    ("music/02 gorge.flac", 0.05),
    ("music/03 delta.flac", 0.03),
    ("empty.log", 0.0),
)
"Path and share of the size: names in several scripts, one file with no bytes."


@dataclass(frozen=True, slots=True)
class Actor:
    """One client of the demo. `pieces` is a set as in `base.bitfield`; rates in bytes a second."""

    name: str
    pieces: int
    piece_count: int
    share: float
    down: float
    up: float
    peers: int
    is_seed: bool


def picture(title: str, actors: Sequence[Actor], width: int, *, ascii_only: bool = False) -> RenderableType:
    """A row of pieces for each client, with its speed and peers."""
    table = Table.grid(padding=(0, 1))
    for _ in range(6):
        table.add_column(no_wrap=True)
    for actor in actors:
        color = "green" if actor.is_seed or actor.share >= 1 else "cyan"
        cells = piece_row(actor.pieces, actor.piece_count, max(10, width - 52), ascii_only=ascii_only)
        table.add_row(
            Text(f"{actor.name:<6}", style="bold"), Text(cells, style=color), Text(f"{text.percent(actor.share):>7}"),
            Text(f"↓ {text.rate(actor.down):>11}", style="dim" if actor.down < KIB else ""),
            Text(f"↑ {text.rate(actor.up):>11}", style="dim" if actor.up < KIB else ""),
            Text(plural(actor.peers, "peer"), style="dim"),
        )
    return Group(Text(title, style="bold"), table)


def plain_lines(title: str, actors: Sequence[Actor]) -> Iterator[str]:
    """The picture for logs and pipes."""
    yield title
    for actor in actors:
        cells = piece_row(actor.pieces, actor.piece_count, 40)
        yield (
            f"  {actor.name:<6} {cells} {text.percent(actor.share):>7}  ↓ {text.rate(actor.down):>11}"
            f"  ↑ {text.rate(actor.up):>11}  {plural(actor.peers, 'peer')}"
        )


def make_content(folder: Path, size: int, tick: Callable[[], None] = lambda: None) -> None:
    """Write about `size` bytes in some files below `folder`; the same bytes every time."""
    for name, share in _FILES:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        left = int(size * share)
        with path.open("wb") as file:
            for chunk in _noise(name, left):
                file.write(chunk)
                tick()


def _noise(name: str, length: int) -> Iterator[bytes]:
    """Bytes that compress badly and repeat for each name: one block of a long hash, turned differently each time."""
    block = hashlib.shake_256(name.encode()).digest(min(length, CHUNK)) if length else b""
    turn = 0
    while length > 0:
        part = block[turn:] + block[:turn]
        yield part[: min(length, len(part))]
        length -= len(part)
        turn = (turn + 4099) % max(len(block), 1)


def digest_of(folder: Path, tick: Callable[[], None] = lambda: None) -> dict[str, str]:
    """SHA-256 of every file below `folder`, by path; of a file alone, by its name."""
    if folder.is_file():
        return {folder.name: _digest(folder, tick)}
    found = {}
    for base, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(base, name)
            found[path.relative_to(folder).as_posix()] = _digest(path, tick)
    return found


def _digest(path: Path, tick: Callable[[], None]) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
            tick()
    return digest.hexdigest()
