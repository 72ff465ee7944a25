"""`wildbach log`: what happened lately."""

from __future__ import annotations

import asyncio
import datetime
from typing import Final

import click
from rich.text import Text

from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.cli import reach, said, table, text
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.reach import Reach

_LOOK_SECONDS: Final = 0.5
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


async def show(api: Api, query: m.LogQuery, *, follow: bool, as_json: bool) -> Exit:
    while True:
        lines = (await api.log(query)).lines
        for line in lines:
            _tell(line, as_json=as_json)
        if not follow:
            return Exit.OK
        query = m.LogQuery(lines[-1].id if lines else query.after, 5000, query.level)
        await asyncio.sleep(_LOOK_SECONDS)


def _tell(line: m.LogLine, *, as_json: bool) -> None:
    if as_json:
        said.record(line)
        return
    when = datetime.datetime.fromtimestamp(line.at).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    table.console().print(
        Text.assemble((when, "dim"), " ", (f"{line.level:<7}", _STYLES.get(line.level, "")), " ",
                      text.clean(line.text)))
