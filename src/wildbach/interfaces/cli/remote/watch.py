"""`wildbach watch`: the list, drawn anew as it changes."""

from __future__ import annotations

from typing import Final

import click
import msgspec
from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.subscription import Shown, Subscription
from wildbach.interfaces.cli import output, reach, said, table, text
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.reach import Reach
from wildbach.interfaces.cli.remote import listing as lists
from wildbach.interfaces.client import RemoteApi

_LEAST_LINES: Final = 4
_DRAWN: Final = 200
"Torrents of a screen that may yet grow."
_TOLD: Final = 1000
_REASONS: Final = 3
"Lines about what is wrong with torrents."
_FRAME: Final = 3
"Lines that are no torrents."


@click.command("watch")
@lists.options
@reach.options
@reach.as_json
def command(listing: m.Listing, as_json: bool, reach: Reach) -> int:
    """Watch the list while it changes.

    On a terminal as many torrents as fit, until Ctrl-C. Elsewhere a line for each torrent whose state or progress is
    another than before, of the first 1,000. WORD is as in `wildbach ls`.
    """
    return reach.run(lambda api: watch(api, listing, as_json=as_json))


async def watch(api: RemoteApi, listing: m.Listing, *, as_json: bool) -> Exit:
    """Does not end."""
    live = output.is_live() and not as_json
    shows = Subscription(msgspec.structs.replace(listing, limit=_DRAWN if live else _TOLD), transfer=live)
    async with api.push(shows) as line:
        if live:
            with Live(console=table.console(), screen=True, refresh_per_second=1) as screen:
                shown = Shown()
                async for news in line:
                    _take(shown, news)
                    screen.update(Picture(shown), refresh=True)
        else:
            shown = Shown()
            told: dict[str, object] = {}
            warned = False
            async for news in line:
                _take(shown, news)
                if shown.total > len(shown.rows) and not warned:
                    warned = True
                    output.warn(
                        f"the first {len(shown.rows):,} of {shown.total:,} torrents are watched; name words, or a "
                        "--state or --category, for others")
                _tell(shown, told, as_json=as_json)
    return Exit.OK


def _take(shown: Shown, news: dict[str, object]) -> None:
    """Raises UsageError where the list cannot be as it was asked for."""
    shown.take(news)
    for error in shown.errors.values():
        raise error


def _tell(shown: Shown, told: dict[str, object], *, as_json: bool) -> None:
    for row in shown.changed:
        if as_json:
            said.record(row)
            continue
        mark = (row.state, int(row.progress * 100), text.without_numbers(row.reason))
        if told.get(row.key) != mark:
            told[row.key] = mark
            output.line(_plain(row))


def _plain(row: m.TorrentRow) -> str:
    why = f" · {text.clean(row.reason)}" if row.reason else ""
    return (
        f"{text.clean(row.name)}: {row.state} {text.percent(row.progress)} · ↓ {text.rate(row.down_rate)} · "
        f"↑ {text.rate(row.up_rate)}{why}")


class Picture:
    """What a terminal shows, of whatever size it then is."""

    def __init__(self, shown: Shown) -> None:
        self._shown = shown

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width, height = options.max_width, options.height or options.max_height
        room = max(_LEAST_LINES, height - _FRAME)
        reasons = [words for row in self._shown.rows[:room] if (words := lists.reason_of(row))][:_REASONS]
        rows = self._shown.rows[: max(_LEAST_LINES, room - len(reasons))]
        yield from table.lines(lists.COLUMNS, [lists.line_of(row) for row in rows], width)
        for words in reasons:
            yield Text(words, "red", no_wrap=True, overflow="ellipsis")
        yield Text("")
        if self._shown.transfer is not None:
            summary = lists.summary(self._shown.transfer, len(rows), self._shown.total)
            yield Text(f"{summary} · Ctrl-C ends", "dim", no_wrap=True, overflow="ellipsis")
