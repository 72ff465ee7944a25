"""What the screen looks like, kept as pictures; `pytest --snapshot-update` accepts another look.

The client before it is fixed, and the speeds of the last minutes are made up, so every run draws the same.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode

from tui_stage import Stage, drawn, picture, staged


class Svg(SingleFileSnapshotExtension):
    """As that of pytest-textual-snapshot, whose own loop a screen with a scope around it cannot run in."""

    file_extension = "svg"
    _write_mode = WriteMode.TEXT


GUIDE = Path(__file__).parents[4] / "docs" / "top.svg"


def picture_of(size: tuple[int, int], *keys: str) -> str:
    return asyncio.run(drawn(Stage(), size, *keys))


@pytest.mark.parametrize("keys", [(), ("2", "l", "j"), ("d",)], ids=["list", "files", "remove"])
def test_a_small_terminal(keys: tuple[str, ...], snapshot: SnapshotAssertion) -> None:
    assert picture_of((80, 24), *keys) == snapshot.use_extension(Svg)


def test_the_picture_of_the_guide_is_what_the_screen_shows() -> None:
    assert picture_of((120, 40), "5") == GUIDE.read_text(encoding="utf-8"), "python docs/make_top_picture.py"


def test_no_picture_fetches_anything() -> None:
    for svg in (picture_of((80, 24)), GUIDE.read_text(encoding="utf-8")):
        assert "@font-face" not in svg and "url(http" not in svg and "cdn" not in svg
        assert svg.count("http") == svg.count("http://www.w3.org/2000/svg") + svg.count("https://www.textualize.io")


def test_without_colours_nothing_is_coloured_and_the_cursor_is_still_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    async def main() -> None:
        async with staged(Stage(), (80, 24)) as pilot:
            styles = [
                segment.style for strip in pilot.app.screen._compositor.render_strips() for segment in strip
                if segment.style is not None]
            assert any(style.reverse for style in styles)
            for style in styles:
                for colour in (style.color, style.bgcolor):
                    assert colour is None or colour.is_default or colour.name.startswith("ansi"), style
            assert "terminal" in picture(pilot.app)

    asyncio.run(main())
