"""Draws docs/demo.svg from a real run of the demo: `python docs/make_picture.py`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.terminal_theme import TerminalTheme
from rich.text import Text

from wildbach.interfaces.cli import demo, demoscene, output, running
from wildbach.interfaces.cli.demoscene import Actor

TARGET = Path(__file__).with_name("demo.svg")
WIDTH = 104
SHARES = (0.25, 0.6, 0.9)
"How far the downloaders are in the frames that are shown."

THEME = TerminalTheme(
    (16, 20, 24), (216, 222, 228),
    [(60, 68, 76), (224, 108, 117), (80, 200, 120), (229, 192, 123), (97, 175, 239), (198, 120, 221), (86, 200, 214),
     (216, 222, 228)],
)

frames: list[tuple[float, list[Actor]]] = []
lines: list[str] = []


class Recorder(demo._Show):
    """Keeps the frames that the demo would have drawn."""

    def frame(self, actors: Sequence[Actor], seconds: float) -> None:
        frames.append((seconds, list(actors)))


def chosen() -> list[RenderableType]:
    parts: list[RenderableType] = []
    for share in SHARES:
        seconds, actors = min(frames, key=lambda frame: abs(frame[1][1].share - share))
        parts += [demoscene.picture(f"{seconds:5.1f} s", actors, WIDTH), Text()]
    return parts


def main() -> None:
    demo._Show = Recorder  # type: ignore[misc]  # the picture of this run is drawn here
    output.line = lambda words="": lines.append(words)
    plan = demo.Plan(path=None, size=128 << 20, downloaders=3, seconds=15.0, keep=None, as_json=False)
    code = running.run(lambda stop: demo.perform(plan, stop))
    if code:
        raise SystemExit(code)
    with Path("/dev/null").open("w") as nowhere:
        console = Console(record=True, width=WIDTH, file=nowhere, force_terminal=True, color_system="truecolor")
        console.print(Text("$ wildbach demo", style="bold"))
        before = [Text(words) for words in lines[:3]]
        after = [Text(words) for words in lines[3:]]
        console.print(Group(*before, Text(), *chosen(), *after))
        svg = console.export_svg(title="wildbach demo", theme=THEME)
    # Fonts of the reader's machine instead of ones from elsewhere: the picture fetches nothing.
    svg = re.sub(r"\s*@font-face \{.*?\}", "", svg, flags=re.DOTALL)
    svg = svg.replace("Fira Code", "ui-monospace, Menlo, Consolas")
    TARGET.write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
