"""`wildbach open`: the daemon in the browser."""

from __future__ import annotations

import click

from wildbach.base.errors import UsageError
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.cli import links, output, reach
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.reach import Reach


@click.command("open")
@click.option("--print", "only_print", is_flag=True, help="Print the link, and open no browser.")
@links.qr_option
@reach.options
@reach.as_json
def command(only_print: bool, qr: bool | None, as_json: bool, reach: Reach) -> int:
    """Open the daemon in the browser, by a link that lets you in.

    The link is good once, and for an hour. Where there is no screen it is only printed.
    """
    return open_browser(reach, only_print=only_print, as_json=as_json, qr=qr)


def open_browser(
    reach: Reach, *, only_print: bool = False, as_json: bool = False, qr: bool | None = None,
) -> int:
    return reach.run(lambda api: show(
        api, reach.address(), reach.away(), only_print=only_print or as_json, as_json=as_json, qr=qr))


async def show(
    api: Api, root: str, away: str = "", *, only_print: bool, as_json: bool, qr: bool | None = None,
) -> Exit:
    if not root.startswith(("http://", "https://")):
        raise UsageError("the daemon listens at its socket only: api.listen chooses a place for browsers")
    path = (await api.make_start_link()).path
    url = f"{root.rstrip('/')}/{path}"
    if as_json:
        output.record({"url": url})
    else:
        for words in links.lines(root, away, path, qr=qr):
            output.line(words)
    if not only_print:
        links.browse(url)
    return Exit.OK
