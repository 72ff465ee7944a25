"""The progress display: one bar a torrent, redrawn in place on a terminal, plain lines elsewhere.

It shows rows, plain values made from snapshots of the engine, and so knows no engine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from wildbach.base.words import plural
from wildbach.interfaces.cli import output, text
from wildbach.interfaces.cli.paper import Paper

SHOWN_ROWS = 12
"Torrents in the picture; the rest is one line."


@dataclass(frozen=True, slots=True)
class Row:
    """One torrent as a person sees it. Sizes in bytes, rates in bytes a second, `eta` in seconds."""

    name: str
    state: str
    done: int
    wanted: int
    down: float
    up: float
    peers: int
    eta: float | None
    complete: bool
    why: str
    "Why nothing moves, in plain words; empty while something does."

    local: bool = False
    "True for work on this machine's disk, which has no peers."

    @property
    def share(self) -> float:
        """Done of wanted, 0 to 1; 0 while the size is not known."""
        if self.complete:
            return 1.0
        return self.done / self.wanted if self.wanted else 0.0


def facts(row: Row) -> str:
    """The numbers beside a bar: `12.0 MiB of 1.0 GiB · ↓ 3.0 MiB/s · ↑ 1.0 KiB/s · 5 peers · 5:42 left`."""
    parts = []
    if row.wanted and not row.complete:
        parts.append(f"{text.size(row.done)} of {text.size(row.wanted)}")
    elif row.complete:
        parts.append(text.size(row.wanted))
    if row.local:
        parts.append(text.rate(row.down))
    else:
        if not row.complete:
            parts.append(f"↓ {text.rate(row.down)}")
        parts.append(f"↑ {text.rate(row.up)}")
        parts.append(plural(row.peers, "peer"))
    if not row.complete and row.eta is not None:
        parts.append(f"{text.duration(row.eta)} left")
    return " · ".join(parts)


def plain(row: Row) -> str:
    """One line for logs and pipes."""
    if row.state == "stopped":
        where = f" at {text.percent(row.share)}" if row.wanted else ""
        return f"{text.clean(row.name)}: stopped{where}{f': {text.clean(row.why)}' if row.why else ''}"
    words = f"{text.clean(row.name)}: {row.state} {text.percent(row.share)} · {facts(row)}"
    return f"{words} · {text.clean(row.why)}" if row.why else words


def picture(rows: Sequence[Row]) -> RenderableType:
    """The display of a terminal."""
    parts: list[RenderableType] = []
    # What is complete moves to the end, so that the torrents being waited for are always on the screen.
    order = sorted(rows, key=lambda row: row.complete)
    for row in order[:SHOWN_ROWS]:
        parts.append(_bar(row))
        detail = Text(f"  {facts(row)}", style="dim", no_wrap=True, overflow="ellipsis")
        parts.append(detail)
        if row.why:
            parts.append(Text(f"  {text.clean(row.why)}", style="yellow"))
    if len(order) > SHOWN_ROWS:
        rest = order[SHOWN_ROWS:]
        complete = sum(row.complete for row in rest)
        parts.append(Text(f"… and {len(rest)} more, {complete} of them complete", style="dim"))
    return Group(*parts)


def _bar(row: Row) -> Table:
    table = Table.grid(expand=True, padding=(0, 1))
    table.add_column(ratio=3, no_wrap=True, overflow="ellipsis")
    table.add_column(ratio=4)
    table.add_column(width=7, justify="right")
    table.add_column(width=11, no_wrap=True)
    bar = ProgressBar(total=max(row.wanted, 1), completed=max(row.wanted, 1) if row.complete else row.done)
    table.add_row(Text(text.clean(row.name), style="bold"), bar, text.percent(row.share), row.state)
    return table


class Board:
    """`show` as often as there is something new; in a `with`, so that the terminal is left as it was."""

    def __init__(self, *, quiet: bool = False, every: float = 5.0, patient: bool = False) -> None:
        """`patient`: no plain line before `every` seconds have passed, for work that is mostly done by then."""
        self._quiet = quiet
        self._live: Live | None = None
        self._every = every
        self._patient = patient
        self._last: tuple[float, tuple[str, ...]] | None = None
        if not quiet and output.is_live():
            console = Paper()
            self._live = Live(console=console, auto_refresh=False, transient=False)

    def __enter__(self) -> Board:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def show(self, rows: Sequence[Row], now: float) -> None:
        """Draw, or print a line for each torrent where its state changed or `every` seconds have passed."""
        if self._quiet:
            return
        if self._live is not None:
            self._live.update(picture(rows), refresh=True)
            return
        # Seconds that count down in a reason are no news.
        states = tuple(f"{row.state}{text.without_numbers(row.why)}" for row in rows)
        if self._last is None and self._patient:
            self._last = (now, states)
            return
        if self._last is None or now - self._last[0] >= self._every or states != self._last[1]:
            self._last = (now, states)
            for row in rows:
                output.line(plain(row))

    def say(self, words: str) -> None:
        """A line that stays, above the picture. The caller cleans it."""
        if self._live is not None:
            self._live.console.print(Text(words))
        else:
            output.line(words)
