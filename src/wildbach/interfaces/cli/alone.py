"""`wildbach` without a command: the daemon in the browser."""

from __future__ import annotations

import click

from wildbach.interfaces.cli import output
from wildbach.interfaces.cli.reach import made
from wildbach.interfaces.cli.remote.opening import open_browser


def begin(context: click.Context) -> int:
    """Open the browser at the daemon that runs, else run one and open the browser there."""
    reach = made(context, None, None, None, None)
    if reach.runs():
        output.line("The daemon runs already (`wildbach status` tells about it). This link lets you in, once:")
        return open_browser(reach)
    output.line("Starting the daemon: it runs until Ctrl-C. `wildbach --help` lists the commands.")
    from wildbach.interfaces.cli import serve  # noqa: PLC0415 - it brings the whole engine

    return int(context.invoke(serve.command, browser=True))
