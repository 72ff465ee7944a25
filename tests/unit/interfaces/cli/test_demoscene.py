from __future__ import annotations

import io
from pathlib import Path

from rich.console import Console

from wildbach.base import bitfield
from wildbach.interfaces import scenery
from wildbach.interfaces.cli import demoscene
from wildbach.interfaces.cli.demoscene import Actor


def actors() -> list[Actor]:
    full = bitfield.full(100)
    half = bitfield.span(0, 50, bitfield.width_of(100))
    return [
        Actor("seed", full, 100, 1.0, 0.0, 9 << 20, 3, True),
        Actor("one", half, 100, 0.5, 3 << 20, 1 << 20, 3, False),
        Actor("two", 0, 100, 0.0, 0.0, 0.0, 0, False),
    ]


def test_the_picture_has_a_row_of_pieces_for_each_client() -> None:
    for width in (80, 120):
        stream = io.StringIO()
        Console(file=stream, width=width).print(demoscene.picture("a swarm", actors(), width))
        lines = stream.getvalue().splitlines()
        assert lines[0].startswith("a swarm") and len(lines) == 4
        assert "█" in lines[1] and "·" not in lines[1]
        assert "█" in lines[2] and "·" in lines[2] and "50.0 %" in lines[2] and "3.0 MiB/s" in lines[2]
        assert "█" not in lines[3]
        assert max(map(len, lines)) <= width


def test_the_plain_lines_say_the_same() -> None:
    lines = list(demoscene.plain_lines("a swarm", actors()))
    assert len(lines) == 4 and "50.0 %" in lines[2]


def test_content_has_its_size_and_is_the_same_every_time(tmp_path: Path) -> None:
    size = 3 << 20
    for name in ("a", "b"):
        scenery.make_content(tmp_path / name, size)
    first = demoscene.digest_of(tmp_path / "a")
    assert first == demoscene.digest_of(tmp_path / "b")
    assert len(set(first.values())) == len(first) == 10
    total = sum(path.stat().st_size for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert size * 0.99 < total <= size * 1.01
