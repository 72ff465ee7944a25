"""The screen: wires the parts, and says which key goes where."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any, ClassVar, Final

import msgspec
from textual import events
from textual.app import App, ComposeResult
from textual.binding import BindingType
from textual.screen import Screen
from textual.timer import Timer
from textual.widgets import Input

from wildbach.base.errors import WildbachError
from wildbach.base.words import plural
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.tui import acts, columns, keys
from wildbach.interfaces.tui.acts import Adding, Came, Chosen
from wildbach.interfaces.tui.detail import Detail, Files
from wildbach.interfaces.tui.dialogs import CSS as DIALOG_CSS
from wildbach.interfaces.tui.dialogs import Ask, Choose, Field, Help
from wildbach.interfaces.tui.header import Header
from wildbach.interfaces.tui.ink import PLAIN, THEME
from wildbach.interfaces.tui.lines import Bar, Lines, Span, ink_of
from wildbach.interfaces.tui.source import PARTS, Lost, News, Opener, Shows, Source, keys_between
from wildbach.interfaces.tui.torrents import TorrentList
from wildbach.interfaces.tui.words import harmless
from wildbach.runtime.tasks import Scope

_NOTICE_SECONDS: Final = 8.0
_MARKED: Final = 200_000
"Torrents that something is done to at a time; the Api takes no more."
_SEARCH: Final = 200
_TALL: Final = 30
"Screens with as many lines have a higher picture of speeds, and details are open from the beginning on taller ones:"
_TALLER: Final = 44
CHIPS: Final = (
    "", "active", "downloading", "seeding", "stopped", "error", "queued", "stalled", "checking", "moving", "metadata",
    "complete", "incomplete",
)
"Kinds to look at, in their order; those of which there are none are left out, but for the first three."
_BUSY: Final = ("downloading", "metadata", "checking", "moving")


@dataclass(frozen=True, slots=True)
class Place:
    """Which daemon this is."""

    words: str
    near: bool = True
    "It is on this machine."
    within: bool = False
    "It runs in this process, and ends with it."


class Top(App[None]):
    ENABLE_COMMAND_PALETTE: ClassVar[bool] = False
    TITLE = "wildbach top"
    BINDINGS: ClassVar[list[BindingType]] = []
    CSS = DIALOG_CSS + """
    #search { display: none; height: 1; border: none; padding: 0 1; background: $surface; }
    #search:focus { border: none; background: $surface; }
    """

    def __init__(self, opener: Opener, scope: Scope, place: Place, *, seconds: float = 1.0) -> None:
        super().__init__(ansi_color=True if os.environ.get("NO_COLOR") is not None else None)
        self._scope = scope
        self._place = place
        self.source = Source(opener, self._deliver, seconds=seconds)
        self._seconds = seconds
        self._listing = m.Listing(sort="added_at", descending=True)
        self._facets: m.Facets | None = None
        self._transfer: m.Transfer | None = None
        self._chip = ""
        self._typed = ""
        self._notice = ""
        self._notice_bad = False
        self._notice_timer: Timer | None = None
        self._removed: list[tuple[str, ...]] = []
        "What can be had back, the latest last."
        self._told: set[str] = set()
        "Jobs of which the end was told."
        self._measured_at = float("-inf")
        self.ever = asyncio.Event()
        "Something is shown."

    def compose(self) -> ComposeResult:
        yield Header(self._place.words)
        yield Bar(id="chips")
        yield Input(id="search", placeholder="words of a name, or the beginning of an info hash", select_on_focus=False)
        yield Bar(id="head")
        yield TorrentList()
        yield Detail()
        yield Bar(id="footer")

    def on_mount(self) -> None:
        self.register_theme(THEME)
        self.theme = PLAIN if self.no_color else THEME.name
        self.animation_level = "none"
        self.torrents.focus()
        self._lay(self.size.height)
        if self.size.height >= _TALLER:
            self._show_details(True)
        self._draw()
        self._ask()
        self._scope.spawn("source", self.source.run())

    # -- parts

    @property
    def torrents(self) -> TorrentList:
        return self.main.query_one(TorrentList)

    @property
    def detail(self) -> Detail:
        return self.main.query_one(Detail)

    @property
    def header(self) -> Header:
        return self.main.query_one(Header)

    @property
    def main(self) -> Screen[Any]:
        """The screen below all dialogs."""
        return self.screen_stack[0]

    @property
    def _search_line(self) -> Input:
        return self.main.query_one("#search", Input)

    def _bar(self, name: str) -> Bar:
        return self.main.query_one(f"#{name}", Bar)

    @property
    def _in_detail(self) -> bool:
        return self.focused is self.detail.lines

    # -- news

    def _deliver(self, news: News | Lost) -> None:
        if not self.is_running or not self.screen_stack:
            return
        if isinstance(news, Lost):
            self._facets = None
            self.header.lose(news.why)
            self.torrents.lose()
            self.detail.lose()
        else:
            self._take(news)
        self._draw()
        self.ever.set()

    def _take(self, news: News) -> None:
        now = time.monotonic()
        measure = now - self._measured_at >= 0.9 * self._seconds
        if measure:
            self._measured_at = now
        self._facets, self._transfer = news.facets, news.transfer
        if news.past is not None:
            self.header.fill(news.past, self._seconds)
        self.header.take(news.transfer, loading=news.page.loading, measure=measure)
        if self._matches(news.listing):
            empty = "" if news.page.total else (
                "nothing like that: Esc shows all" if self._chip or self._typed else "no torrents yet: a adds one")
            self.torrents.take(news.listing, news.page, empty)
        self.detail.take(news)
        for job in news.jobs:
            if job.state == "failed" and job.id not in self._told:
                self._told.add(job.id)
                key = str(job.result.get("key", ""))
                if key:
                    self.torrents.trouble(key, job.message)
                self.say(f"{job.title}: {job.message}", bad=True)
        self._ask()

    def _matches(self, listing: m.Listing) -> bool:
        """It is of the list that is shown, whichever part."""
        ours = self._wanted()
        return msgspec.structs.replace(listing, offset=0, limit=1) == msgspec.structs.replace(ours, offset=0, limit=1)

    def _wanted(self) -> m.Listing:
        offset, limit = self.torrents.window()
        return msgspec.structs.replace(
            self._listing, offset=offset, limit=limit, search=self._typed[:_SEARCH],
            state=(self._chip,) if self._chip else ())

    def _ask(self) -> None:
        """Tell the source what is on the screen."""
        row = self.torrents.row
        open_details = bool(self.detail.display)
        key = row.key if row is not None and open_details else ""
        folders: tuple[tuple[str, int], ...] = ()
        if key and self.detail.part == "files":
            self.detail.files.begin(key)
            folders = tuple(self.detail.files.opened.items())
        cells = self.detail.pieces.cells if self.detail.part == "pieces" else 0
        self.source.show(Shows(self._wanted(), key, self.detail.part, folders, cells))

    # -- what is drawn

    def _lay(self, height: int) -> None:
        self.header.styles.height = 2 if height < _TALL else 4 if height < _TALLER else 5

    def _draw(self) -> None:
        ink = ink_of(self.main)
        width = self.size.width
        shown = columns.shown(width - 1)
        self._bar("head").put([
            Span(words, style, f"sort:{field}" if field else "") for words, style, field in columns.head(
                shown, self._listing.sort, descending=self._listing.descending, ink=ink)])
        spans = [Span(" ", ink.dim)]
        room = width - 1
        for chip in self._chips():
            count = self._count(chip)
            words = f" {chip or 'all'} {count:,} " if self._facets is not None else f" {chip or 'all'} "
            room -= len(words)
            if room < 0 and chip != self._chip:
                continue
            style = ink.chosen if chip == self._chip else ink.bad if chip == "error" and count else ink.dim
            spans.append(Span(words, style, f"chip:{chip}"))
        self._bar("chips").put(spans)
        self._bar("footer").put(self._footer(width))

    def _footer(self, width: int) -> list[Span]:
        ink = ink_of(self.main)
        if self._notice:
            return [Span(f" {harmless(self._notice)}", ink.bad if self._notice_bad else ink.good)]
        spans: list[Span] = []
        marks = len(self.torrents.marks)
        if self.torrents.pivot is not None:
            spans.append(Span(" marking ", ink.chosen, "visual"))
        if marks:
            spans += [Span(f" {marks:,} marked ", ink.accent, "leave"), Span("· ", ink.faint)]
        used = sum(len(span.words) for span in spans)
        hints = [(key.shown.split()[0], key.brief, key.act) for key in keys.FOOTER]
        if self._in_detail and self.detail.part == "files":
            hints = [("Space", "want or not", "mark"), ("+", "earlier", "raise"), ("-", "later", "lower"),
                     ("Enter", "open", "into"), ("h", "back", "back"), ("?", "help", "help"), ("q", "quit", "quit")]
        last = hints[-2:]
        room = width - used - sum(len(a) + len(b) + 4 for a, b, _ in last)
        listed = []
        for hint in hints[:-2]:
            room -= len(hint[0]) + len(hint[1]) + 4
            if room < 0:
                break
            listed.append(hint)
        for key, words, act in (*listed, *last):
            spans += [Span(f" {key} ", ink.accent, act), Span(f"{words}  ", ink.dim, act)]
        return spans

    def _count(self, chip: str) -> int:
        if self._facets is None:
            return 0
        return self._facets.states.get(chip, 0) if chip else self._facets.total

    def _chips(self) -> list[str]:
        return [chip for number, chip in enumerate(CHIPS) if number < 3 or self._count(chip) or chip == self._chip]

    def say(self, words: str, *, bad: bool = False) -> None:
        """A line at the foot, for some seconds."""
        self._notice, self._notice_bad = words, bad
        if self._notice_timer is not None:
            self._notice_timer.stop()
        self._notice_timer = self.set_timer(_NOTICE_SECONDS, self._forget_notice)
        self._draw()

    def _forget_notice(self) -> None:
        self._notice = ""
        self._draw()

    @property
    def notice(self) -> str:
        return self._notice

    # -- what comes from widgets

    def on_resize(self, event: events.Resize) -> None:
        self._lay(event.size.height)
        self._draw()
        self._ask()

    def on_lines_moved(self, message: Lines.Moved) -> None:
        self._ask()
        if isinstance(message.lines, TorrentList):
            self._draw()

    def on_lines_twice(self, message: Lines.Twice) -> None:
        if isinstance(message.lines, TorrentList):
            self._into()
        elif isinstance(message.lines, Files):
            message.lines.flip()

    def on_torrent_list_extend(self, message: TorrentList.Extend) -> None:
        self._spawn(self._mark_between(message.first, message.last))

    def on_files_wished(self, message: Files.Wished) -> None:
        row = self.torrents.row
        if row is not None:
            self._spawn(self._prioritize(row.key, message.priorities))

    def on_files_opened(self, _message: Files.Opened) -> None:
        self._ask()

    def on_bar_chosen(self, message: Bar.Chosen) -> None:
        self.do(message.act)

    def on_descendant_focus(self) -> None:
        if self.is_running and self.screen_stack:
            self._draw()

    def on_paste(self, event: events.Paste) -> None:
        if len(self.screen_stack) > 1:
            return
        found = [line.strip() for line in event.text.splitlines() if acts.is_source(line)]
        if found:
            event.stop()
            self._ask_what_to_add(found)

    def on_input_changed(self, event: Input.Changed) -> None:
        if event.input.id == "search":
            self._search(event.value)

    def on_input_submitted(self, event: Input.Submitted) -> None:
        if event.input.id == "search":
            self.torrents.focus()
            if not self._typed:
                self._search_line.display = False

    def on_key(self, event: events.Key) -> None:
        if len(self.screen_stack) > 1:
            return
        if isinstance(self.focused, Input):
            if event.key == "escape":
                self._end_search()
            elif event.key in ("down", "up"):
                self.torrents.focus()
            else:
                return
            event.stop()
            event.prevent_default()
            return
        name = event.key
        if event.is_printable and event.character and event.character != " ":
            name = event.character
        if name in keys.PREFIXES:
            if self._prefix != name:
                self._prefix = name
                return
            name *= 2
        self._prefix = ""
        act = keys.ACTS.get(name)
        if act is None:
            return
        event.stop()
        event.prevent_default()
        self.do(f"part:{PARTS[int(name) - 1]}" if act == "tab" else act)

    _prefix = ""

    # -- what keys do

    def do(self, act: str) -> None:
        """One of `keys`, or what a click stands for."""
        kind, _, what = act.partition(":")
        if kind == "sort":
            self._sort(what)
        elif kind == "chip":
            self._choose_chip(what)
        elif kind == "part":
            self._show_part(what)
        elif act in acts.SIMPLE:
            self._for_torrents(lambda api, chosen: acts.simple(api, act, chosen))
        elif act in _ACTS:
            _ACTS[act](self)
        self._draw()

    def _lines(self) -> Lines:
        return self.detail.lines if self._in_detail else self.torrents

    def _step(self, steps: int) -> None:
        self._lines().move(steps)

    def _extend(self, steps: int) -> None:
        if self._in_detail:
            self._step(steps)
            return
        if self.torrents.pivot is None:
            self.torrents.begin_range()
        self.torrents.move(steps)

    def _mark(self) -> None:
        if not self._in_detail:
            self.torrents.toggle()
        elif self.detail.part == "files":
            self.detail.files.toggle_want()

    def _visual(self) -> None:
        if self.torrents.pivot is None:
            self.torrents.begin_range()
        else:
            self.torrents.end_range()

    def _mark_all(self) -> None:
        self.torrents.end_range()
        self._spawn(self._mark_between(0, min(self.torrents.count, _MARKED) - 1))

    async def _mark_between(self, first: int, last: int) -> None:
        found = await keys_between(self.source.api, self._wanted(), first, last)
        self.torrents.mark(found)
        self._draw()

    def _leave(self) -> None:
        """One thing at a time: what is nearest first."""
        torrents = self.torrents
        if self._notice:
            self._forget_notice()
        if torrents.marks or torrents.pivot is not None:
            torrents.forget_marks()
        elif torrents.troubles:
            torrents.troubles.clear()
            torrents.refresh()
        elif self._in_detail:
            torrents.focus()
        elif self.detail.display and self.size.height < _TALLER:
            self._show_details(False)
        elif self._typed or self._search_line.display:
            self._end_search()
        elif self._chip:
            self._choose_chip("")

    def _into(self) -> None:
        if self._in_detail:
            if self.detail.part == "files":
                self.detail.files.open()
            return
        self._show_details(True)
        self.detail.lines.focus()

    def _back(self) -> None:
        if self._in_detail and not (self.detail.part == "files" and self.detail.files.shut()):
            self.torrents.focus()

    def _other(self) -> None:
        if self._in_detail:
            self.torrents.focus()
        elif self.detail.display:
            self.detail.lines.focus()

    def _show_details(self, on: bool) -> None:
        inside = self._in_detail
        self.detail.display = on
        if inside and not on:
            self.torrents.focus()
        self.detail.styles.height = "2fr" if on and self.size.height < _TALLER else "1fr"
        self.call_after_refresh(self._settle)
        self._ask()

    def _settle(self) -> None:
        """The list has its new height."""
        self.torrents.reveal()
        self._ask()

    def _show_part(self, what: str) -> None:
        part = next(one for one in PARTS if one == what)
        inside = self._in_detail
        self.detail.choose(part)
        self._show_details(True)
        if inside:
            self.detail.lines.focus()

    def _begin_search(self) -> None:
        line = self._search_line
        line.display = True
        line.focus()

    def _end_search(self) -> None:
        line = self._search_line
        line.value = ""
        line.display = False
        self.torrents.focus()
        self._search("")

    def _search(self, words: str) -> None:
        if words != self._typed:
            self._typed = words
            self._from_the_top()

    def _from_the_top(self) -> None:
        """Another list is looked at."""
        self.torrents.begin()
        self._ask()
        self._draw()

    def _next(self, steps: int) -> None:
        lines = self._lines()
        if lines.count:
            lines.go((lines.cursor + steps) % lines.count)

    def _sort(self, field: str) -> None:
        same = field == self._listing.sort
        descending = not self._listing.descending if same else field not in ("name", "state", "category", "tags", "eta")
        self._listing = msgspec.structs.replace(self._listing, sort=field, descending=descending)
        self._from_the_top()

    def _sort_by_next(self, steps: int) -> None:
        fields = [column.field for column, _ in columns.shown(self.size.width - 1)]
        at = fields.index(self._listing.sort) if self._listing.sort in fields else (-1 if steps > 0 else 0)
        self._sort(fields[(at + steps) % len(fields)])

    def _choose_chip(self, chip: str) -> None:
        self._chip = chip
        self._from_the_top()

    def _chip_by(self, steps: int) -> None:
        chips = self._chips()
        self._choose_chip(chips[(chips.index(self._chip) + steps) % len(chips)])

    def _raise(self, up: int) -> None:
        if self._in_detail and self.detail.part == "files":
            self.detail.files.step(up)

    # -- what is done to torrents

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        self._scope.spawn("act", work, contain=self._failed)

    def _failed(self, error: Exception) -> None:
        if not isinstance(error, WildbachError | TimeoutError):
            raise error
        self.say(error.message if isinstance(error, WildbachError) else "the daemon does not answer", bad=True)

    def _chosen(self) -> Chosen:
        found = self.torrents.targets()
        return Chosen(found, self.torrents.name_of(found[0]) if len(found) == 1 else "")

    def _for_torrents(self, work: Callable[[Api, Chosen], Awaitable[Came]]) -> None:
        chosen = self._chosen()
        if chosen.keys:
            self._spawn(self._do(lambda api: work(api, chosen), chosen))

    async def _do(self, work: Callable[[Api], Awaitable[Came]], chosen: Chosen | None = None) -> None:
        """Do it, and show what came of it: at each row where it failed too."""
        for key in chosen.keys if chosen is not None else ():
            self.torrents.trouble(key, "")
        try:
            came = await work(self.source.api)
        except WildbachError as error:
            if chosen is not None and len(chosen.keys) == 1:
                self.torrents.trouble(chosen.keys[0], error.message)
            raise
        finally:
            self.source.look()
        for failure in came.failed:
            self.torrents.trouble(failure.key, failure.error)
        if came.removed:
            self._removed.append(came.removed)
            for key in came.removed:
                self.torrents.marks.pop(key, None)
        if came.copied:
            self.copy_to_clipboard(came.copied)
        self.say(came.words, bad=bool(came.failed))

    async def _prioritize(self, key: str, priorities: m.FilePriorities) -> None:
        await self.source.api.set_priorities(key, priorities)
        self.source.look()

    def _undo(self) -> None:
        if not self._removed:
            self.say("nothing was removed that can be had back")
            return
        gone = self._removed.pop()
        self._spawn(self._do(lambda api: acts.undo(api, gone)))

    def _slow(self) -> None:
        self._spawn(self._do(acts.slow_mode))

    def _remove(self) -> None:
        chosen = self._chosen()
        if not chosen.keys:
            return

        def answered(way: int | None) -> None:
            if way is not None:
                files, now = way in (1, 2), way == 2
                self._spawn(self._do(lambda api: acts.remove(api, chosen, files=files, now=now), chosen))

        self.push_screen(Choose(f"Remove {chosen.words}?", (
            ("Remove", "the files stay; u has it back"),
            ("Remove with the files", "they go with the trash; u has it back"),
            ("Delete now", "with the files, for good"))), answered)

    def _ask_for(
        self, title: str, fields: tuple[Field, ...], hint: str,
        work: Callable[[Api, Chosen, tuple[str, ...]], Awaitable[Came]], *, without: bool = False,
    ) -> None:
        chosen = self._chosen()
        if not chosen.keys and not without:
            return

        def answered(typed: tuple[str, ...] | None) -> None:
            if typed is not None:
                self._spawn(self._do(lambda api: work(api, chosen, typed), chosen))

        self.push_screen(Ask(f"{title}{f' · {chosen.words}' if chosen.keys else ''}", fields, hint=hint), answered)

    def _ask_what_to_add(self, given: list[str] | None = None) -> None:
        near = self._place.near
        several = tuple(given or ()) if given and len(given) > 1 else ()
        first = Field("Magnet link, info hash, URL or torrent file", given[0] if given and not several else "")
        fields = (*(() if several else (first,)), Field("Folder", "", "the usual one"),
                  Field("Start", "yes", "yes or no"))

        def answered(typed: tuple[str, ...] | None) -> None:
            if typed is None:
                return
            found = several or tuple(word for word in (typed[0].strip(),) if word)
            adding = Adding(found, typed[-2].strip(), typed[-1].strip().lower()[:1] == "n", near)
            self._spawn(self._do(lambda api: acts.add(api, adding)))

        title = f"Add {plural(len(several), 'torrent')}" if several else "Add a torrent"
        self.push_screen(Ask(title, fields), answered)

    def _ask_where_to(self) -> None:
        row = self.torrents.row
        self._ask_for("Move", (Field("Folder of the daemon's machine", row.save_path if row is not None else ""),),
                      "It is seeded and downloaded on while its files are moved.",
                      lambda api, chosen, typed: acts.move(api, chosen, typed[0].strip(), near=self._place.near))

    def _single(self) -> m.TorrentRow | None:
        """The chosen torrent where it is one, whose values can be shown; what others have is no wish for all."""
        row = self.torrents.row
        return row if row is not None and self.torrents.targets() == (row.key,) else None

    def _ask_limits(self) -> None:
        row, transfer = self._single(), self._transfer
        self._ask_for("Speed limits", (
            Field("Down, of the chosen torrents", _limit(row.down_limit if row is not None else 0), "as it is"),
            Field("Up, of the chosen torrents", _limit(row.up_limit if row is not None else 0), "as it is"),
            Field("Down, of all together", _limit(transfer.down_limit if transfer else 0), "as it is"),
            Field("Up, of all together", _limit(transfer.up_limit if transfer else 0), "as it is"),
        ), "Bytes a second, as 500K or 2M; none for no limit.", acts.limits, without=True)

    def _ask_category(self) -> None:
        row = self._single()
        there = ", ".join(sorted(name for name in self._facets.categories if name)) if self._facets else ""
        self._ask_for("Category", (Field("Name", row.category if row is not None else "", "none"),),
                      f"There are: {there[:400]}" if there else "",
                      lambda api, chosen, typed: acts.category(api, chosen, typed[0]))

    def _ask_tags(self) -> None:
        there = ", ".join(sorted(name for name in self._facets.tags if name)) if self._facets else ""
        self._ask_for("Tags", (Field("Names, with commas; -name takes one away"),),
                      f"There are: {there[:400]}" if there else "",
                      lambda api, chosen, typed: acts.tags(api, chosen, typed[0]))

    def _copy(self) -> None:
        self._for_torrents(acts.magnets)

    def _help(self) -> None:
        self.push_screen(Help())

    def _quit(self) -> None:
        busy = sum(self._count(state) for state in _BUSY)
        if not self._place.within or not busy:
            self.exit()
            return

        def answered(way: int | None) -> None:
            if way == 0:
                self.exit()

        self.push_screen(Choose("Leave?", (
            ("Leave", "the daemon within ends too, and goes on at the next start"), ("Stay", "")),
            hint=f"{plural(busy, 'torrent')} at work"), answered)

    async def action_quit(self) -> None:
        self._quit()

    def action_help_quit(self) -> None:
        self._quit()


def _limit(limit: int) -> str:
    """As it is typed."""
    if not limit:
        return ""
    for unit, letter in ((1 << 30, "G"), (1 << 20, "M"), (1 << 10, "K")):
        if limit % unit == 0:
            return f"{limit // unit}{letter}"
    return str(limit)


_ACTS: Final[dict[str, Callable[[Top], None]]] = {
    "down": lambda app: app._step(1), "up": lambda app: app._step(-1),
    "first": lambda app: app._lines().go(0), "last": lambda app: app._lines().go(app._lines().count - 1),
    "half_down": lambda app: app._step(max(1, app._lines().page // 2)),
    "half_up": lambda app: app._step(-max(1, app._lines().page // 2)),
    "page_down": lambda app: app._step(app._lines().page), "page_up": lambda app: app._step(-app._lines().page),
    "into": Top._into, "back": Top._back, "other": Top._other,
    "details": lambda app: app._show_details(not app.detail.display),
    "search": Top._begin_search, "next": lambda app: app._next(1), "previous": lambda app: app._next(-1),
    "chip_next": lambda app: app._chip_by(1), "chip_previous": lambda app: app._chip_by(-1),
    "sort_next": lambda app: app._sort_by_next(1), "sort_previous": lambda app: app._sort_by_next(-1),
    "reverse": lambda app: app._sort(app._listing.sort),
    "mark": Top._mark, "visual": Top._visual, "mark_all": Top._mark_all, "leave": Top._leave,
    "extend_down": lambda app: app._extend(1), "extend_up": lambda app: app._extend(-1),
    "raise": lambda app: app._raise(1), "lower": lambda app: app._raise(-1),
    "slow": Top._slow, "undo": Top._undo, "help": Top._help, "quit": Top._quit, "copy": Top._copy,
    "add": lambda app: app._ask_what_to_add(), "remove": Top._remove, "move": Top._ask_where_to,
    "limits": Top._ask_limits, "category": Top._ask_category, "tags": Top._ask_tags,
}
