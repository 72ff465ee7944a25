"""`wildbach open`: the daemon in the browser."""

from __future__ import annotations

import webbrowser

import click

from wildbach.base.errors import UsageError
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.cli import output, reach
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.reach import Reach


@click.command("open")
@click.option("--print", "only_print", is_flag=True, help="Print the link, and open no browser.")
@reach.options
@reach.as_json
def command(only_print: bool, as_json: bool, reach: Reach) -> int:
    """Open the daemon in the browser, by a link that lets you in.

    The link is good once, and for an hour.
    """
    return open_browser(reach, only_print=only_print, as_json=as_json)


def open_browser(reach: Reach, *, only_print: bool = False, as_json: bool = False) -> int:
    return reach.run(lambda api: show(api, reach.address(), only_print=only_print or as_json, as_json=as_json))


async def show(api: Api, root: str, *, only_print: bool, as_json: bool) -> Exit:
    if not root.startswith(("http://", "https://")):
        raise UsageError("the daemon listens at its socket only: api.listen chooses a place for browsers")
    url = f"{root.rstrip('/')}/{(await api.make_start_link()).path}"
    if as_json:
        output.record({"url": url})
    else:
        output.line(url)
    if not only_print:
        webbrowser.open(url)
    return Exit.OK
