"""What the demo shows: the picture of a swarm, and whether copies are alike."""

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

_CHUNK = MIB


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
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
            tick()
    return digest.hexdigest()
