"""The head of the screen: where the daemon is, how it fares, and speeds of the last minutes."""

from __future__ import annotations

from collections import deque
from typing import Final

from rich.cells import cell_len
from rich.segment import Segment
from rich.style import Style
from textual.strip import Strip
from textual.widget import Widget

from wildbach.base.words import plural
from wildbach.interfaces.api import models as m
from wildbach.interfaces.cli import text
from wildbach.interfaces.tui import chart
from wildbach.interfaces.tui.ink import Ink
from wildbach.interfaces.tui.lines import ink_of
from wildbach.interfaces.tui.words import fit, harmless

_KEPT: Final = 600
_LABEL: Final = 14
_REACHED: Final = {
    "yes": "peers can call", "no": "peers cannot call", "offline": "offline", "unknown": "",
}


class Header(Widget):
    DEFAULT_CSS = "Header { height: 2; background: $background; }"

    def __init__(self, where: str) -> None:
        super().__init__(id="header")
        self._where = where
        self._down: deque[float] = deque(maxlen=_KEPT)
        self._up: deque[float] = deque(maxlen=_KEPT)
        self._transfer: m.Transfer | None = None
        self.lost = ""
        "Why there is no connection."
        self._ever = False
        self._loading = False

    def fill(self, past: m.History, every: float) -> None:
        """Speeds from before the screen was there; a point of the picture is of `every` seconds."""
        times = max(1, round(past.step / every))
        for values, kept in ((past.down, self._down), (past.up, self._up)):
            kept.clear()
            kept.extend(float(value) for value in values for _ in range(times))

    def take(self, transfer: m.Transfer, *, loading: bool, measure: bool) -> None:
        """`measure`: the time has come for a point of the picture."""
        was = (self._transfer, self.lost, self._loading)
        self._transfer, self.lost, self._ever, self._loading = transfer, "", True, loading
        if measure:
            self._down.append(transfer.down_rate)
            self._up.append(transfer.up_rate)
        if was != (transfer, "", loading) or any(self._down) or any(self._up):
            self.refresh()

    def lose(self, why: str) -> None:
        self.lost = why
        # What was not seen was no standstill: the picture begins anew.
        self._down.clear()
        self._up.clear()
        self.refresh()

    @property
    def words(self) -> str:
        """The first line."""
        return self.render_line(0).text

    def render_line(self, y: int) -> Strip:
        ink = ink_of(self)
        width = self.size.width
        segments = self._title(width, ink) if y == 0 else self._graphs(y - 1, width, ink)
        return Strip(segments).adjust_cell_length(width).apply_style(self.rich_style)

    def _title(self, width: int, ink: Ink) -> list[Segment]:
        left = [Segment(" wildbach ", ink.strong)]
        if self.lost:
            words = f"{'connection lost' if self._ever else 'no connection'}: {self.lost} · trying again"
            where = f"{self._where} · " if width > 110 else ""
            return [*left, Segment(" " + fit(where + words, width - 12), ink.bad)]
        transfer = self._transfer
        if transfer is None:
            return [*left, Segment(fit(" connecting …", width - 10), ink.dim)]
        facts: list[tuple[str, Style]] = []
        if transfer.slow_mode:
            facts.append(("slow mode", ink.warn))
        if self._loading:
            facts.append(("still reading the list", ink.warn))
        limits = " ".join(
            f"{arrow}≤{text.rate(limit)}" for arrow, limit in (("↓", transfer.down_limit), ("↑", transfer.up_limit))
            if limit)
        for words in (
            limits, _REACHED[transfer.reachable], plural(transfer.peers, "peer"),
            f"{transfer.dht_nodes:,} DHT nodes" if transfer.dht_nodes else "",
            f"{text.size(transfer.free_space)} free" if transfer.free_space is not None else "",
        ):
            if words:
                facts.append((words, ink.warn if words == _REACHED["no"] or words == "offline" else ink.dim))
        where = harmless(self._where)
        right = facts
        room = width - 12
        while right and cell_len(" · ".join(words for words, _ in right)) + cell_len(where) + 3 > room:
            right = right[:-1]
        if not right and facts and facts[0][1] is ink.warn:
            right = facts[:1]
        words = " · ".join(words for words, _ in right)
        out = [*left, Segment(fit(where, max(0, room - cell_len(words) - 1)), ink.faint), Segment(" ")]
        for number, (word, style) in enumerate(right):
            if number:
                out.append(Segment(" · ", ink.faint))
            out.append(Segment(word, style))
        return [*out, Segment(" ")]

    def _graphs(self, y: int, width: int, ink: Ink) -> list[Segment]:
        height = max(1, self.size.height - 1)
        half = width // 2
        transfer = self._transfer if not self.lost else None
        down = self._graph("↓", transfer.down_rate if transfer else None, self._down, y, height, half, ink.good, ink)
        up = self._graph("↑", transfer.up_rate if transfer else None, self._up, y, height, width - half, ink.calm, ink)
        return [*down, *up]

    @staticmethod
    def _graph(
        arrow: str, rate: float | None, values: deque[float], y: int, height: int, width: int, style: Style, ink: Ink,
    ) -> list[Segment]:
        room = max(0, width - _LABEL - 2)
        shown = list(values)[-2 * room :] if room else []
        top = chart.ceiling(shown)
        if y == 0:
            words = f" {arrow} {text.rate(rate) if rate is not None else '-'}"
        elif y == height - 1 and shown and any(shown):
            words = f"   of {text.rate(top)}".replace(".0 ", " ")
        else:
            words = ""
        line = chart.columns(shown, room, height, top)[y] if room else ""
        return [Segment(fit(words, _LABEL), style if y == 0 else ink.faint), Segment(" "), Segment(line, style),
                Segment(" ")]
