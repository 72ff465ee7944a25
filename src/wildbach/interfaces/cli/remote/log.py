"""`wildbach log`: what happened lately."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Final

import click
from rich.text import Text

from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.subscription import Shown, Subscription
from wildbach.interfaces.cli import reach, said, table, text
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.reach import Reach
from wildbach.interfaces.client import RemoteApi

_LEVELS: Final = ("debug", "info", "warning", "error")
_STYLES: Final = {"debug": "dim", "warning": "yellow", "error": "red"}


@click.command("log")
@click.option("-f", "--follow", is_flag=True, help="Go on until Ctrl-C.")
@click.option("-n", "--lines", "count", type=click.IntRange(1, 5000), default=50, show_default=True, metavar="N",
              help="The last so many lines.")
@click.option("--level", type=click.Choice(_LEVELS), default="info", show_default=True,
              help="This and what is worse.")
@reach.options
@reach.as_json
def command(follow: bool, count: int, level: str, as_json: bool, reach: Reach) -> int:
    """Show what happened.

    The daemon remembers the last 10,000 lines of this run; what it writes to stderr has all.
    """
    query = m.LogQuery(limit=count, level=level)  # type: ignore[arg-type]  # one of the four
    return reach.run(lambda api: show(api, query, follow=follow, as_json=as_json))


async def show(api: RemoteApi, query: m.LogQuery, *, follow: bool, as_json: bool) -> Exit:
    if not follow:
        _tell((await api.log(query)).lines, as_json=as_json)
        return Exit.OK
    async with api.push(Subscription(log=query.level)) as line:
        # The line begins with lines of before: those that were asked for are said, and none twice.
        lines = (await api.log(query)).lines
        _tell(lines, as_json=as_json)
        last = lines[-1].id if lines else -1
        shown = Shown()
        async for news in line:
            shown.take(news)
            fresh = [one for one in shown.log if one.id > last]
            if fresh:
                last = fresh[-1].id
                _tell(fresh, as_json=as_json)
    return Exit.OK


def _tell(lines: Sequence[m.LogLine], *, as_json: bool) -> None:
    for line in lines:
        if as_json:
            said.record(line)
        else:
            _say(line)


def _say(line: m.LogLine) -> None:
    when = datetime.datetime.fromtimestamp(line.at).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    table.console().print(
        Text.assemble((when, "dim"), " ", (f"{line.level:<7}", _STYLES.get(line.level, "")), " ",
                      text.clean(line.text)))
