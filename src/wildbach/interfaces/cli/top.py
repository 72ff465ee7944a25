"""`wildbach top`: the daemon on the whole terminal."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import click

from wildbach.base.errors import UsageError
from wildbach.interfaces.cli import output, reach, running
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.given import Given
from wildbach.interfaces.cli.reach import Reach
from wildbach.interfaces.cli.running import Stop
from wildbach.interfaces.cli.state import daemon_folder


@click.command("top")
@click.option("--alone", is_flag=True,
              help="Run a daemon within, as where none runs; it is an error where one does.")
@click.option("--config", "config_path", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="The configuration file of a daemon within.")
@reach.options
def command(alone: bool, config_path: Path | None, reach: Reach) -> int:
    """Show and steer the daemon on the whole terminal.

    All torrents, their files, peers, trackers and pieces, with keys or the mouse; `?` shows the keys. Where no daemon
    runs, one runs within, with the same state as that of `wildbach serve`, and ends with the screen. Else leaving
    does nothing to the daemon.
    """
    if find_spec("textual") is None:
        raise UsageError("the screen needs the extra `tui`: pip install 'wildbach[tui]'; `wildbach watch` goes without")
    if not (output.is_live() and sys.stdin.isatty()):
        raise UsageError("`wildbach top` needs a terminal; `wildbach ls` and `wildbach watch` go without one")
    # By name: the screen is built of what commands print, and none of them is to wait for its library.
    screen = import_module("wildbach.interfaces.tui.screen")
    if alone or not reach.runs():
        return running.run(lambda stop: _within(screen, reach, config_path, stop))
    words = reach.url or reach.address().removeprefix("http://") or "at its socket"
    place = screen.Place(f"daemon {words}", near=reach.near)
    return running.run(lambda stop: screen.run(reach.open, place, stop))


async def _within(screen: Any, reach: Reach, config_path: Path | None, stop: Stop) -> Exit:
    if reach.url:
        raise UsageError("--alone runs a daemon here, and --url names one elsewhere: one of them")
    from wildbach.interfaces.cli.serve import mount  # noqa: PLC0415 - it brings the whole engine
    from wildbach.interfaces.daemon import run_daemon  # noqa: PLC0415

    logger = logging.getLogger("wildbach")
    # What is logged is in the tab of the log; on stderr it would be in the picture.
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    layers = Given().layers(config_path)
    async with run_daemon(layers, daemon_folder(reach.state), mount=mount, environ=os.environ) as daemon:
        at = f" at {daemon.urls[0].removeprefix('http://')}" if daemon.urls else ""
        code: Exit = await screen.run(
            lambda: contextlib.nullcontext(daemon.api), screen.Place(f"a daemon within{at}", within=True), stop)
        output.line("Stopping cleanly (Ctrl-C again ends at once) …")
    return code
