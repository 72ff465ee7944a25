"""`wildbach serve`: the daemon in the foreground, as service managers and containers want it."""

from __future__ import annotations

import contextlib
import gc
import json
import logging
import os
import sys
from pathlib import Path

import click

from wildbach.base.errors import NetworkError, UsageError
from wildbach.base.settings import Layers
from wildbach.interfaces.api import places
from wildbach.interfaces.api.local import LocalApi
from wildbach.interfaces.cli import links, output, running, text
from wildbach.interfaces.cli.exits import LISTEN_CODES, PEERS_LISTEN, Exit
from wildbach.interfaces.cli.given import Given
from wildbach.interfaces.cli.running import Stop
from wildbach.interfaces.cli.state import daemon_folder
from wildbach.interfaces.cli.wishes import warn_of_variables
from wildbach.interfaces.daemon import Daemon, run_daemon
from wildbach.interfaces.doors.qbittorrent import door as qbittorrent
from wildbach.interfaces.doors.transmission import door as transmission
from wildbach.interfaces.http.server import WebServer
from wildbach.interfaces.settings import ClientSettings

LEVELS = ("debug", "info", "warning", "error")


@click.command("serve")
@click.option("--listen", "at", multiple=True, metavar="HOST:PORT",
              help="Where the API listens; may be repeated.  [default: 127.0.0.1:8080]")
@click.option("--interface", metavar="NAME",
              help="Keep to this network interface, as tun0 of a VPN; nothing leaves while it is away.")
@click.option("--proxy", metavar="URL", help="Go through a proxy: socks5://[USER:PASSWORD@]HOST:PORT or http://...")
@click.option("--downloads", "folder", metavar="DIR",
              help="Where torrents go; made where it is not there.  [default: ~/Downloads]")
@click.option("--set", "words", multiple=True, metavar="KEY=VALUE", help="Any setting; may be repeated.")
@click.option("--config", "config_path", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="The configuration file (TOML).  [default: $WILDBACH_CONFIG or ~/.config/wildbach/config.toml]")
@click.option("--state", "--state-dir", "state", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="Where everything is remembered.  [default: $WILDBACH_STATE or ~/.local/state/wildbach]")
@click.option("--log-level", type=click.Choice(LEVELS), default="info", help="What is written to stderr.")
@click.option("--log-json", is_flag=True, help="One JSON object a line of log.")
@click.option("--open", "browser", is_flag=True, help="Open the browser, where there is a screen.")
@links.qr_option
def command(
    at: tuple[str, ...], interface: str | None, proxy: str | None, folder: str | None, words: tuple[str, ...],
    config_path: Path | None, state: Path | None, log_level: str, log_json: bool, browser: bool, qr: bool | None,
) -> int:
    """Run the daemon: torrents in the background, and an API.

    It stays in the foreground until Ctrl-C or SIGTERM, and goes on where it was when it is started again.
    """
    given = Given()
    for place in at:
        given.take("api.listen", place, "--listen")
    if interface is not None:
        given.take("network.interface", interface, "--interface")
    if proxy is not None:
        given.take("network.proxy", proxy, "--proxy")
    if folder is not None:
        given.put("downloads.folder", made(Path(folder).expanduser().absolute()), "--downloads")
    for word in words:
        given.take_word(word)
    warn_of_variables()
    layers = given.layers(config_path)
    log_to_stderr(log_level, as_json=log_json)
    return running.run(lambda stop: serve(
        layers, daemon_folder(state), stop, browser=browser, qr=qr, config_path=config_path))


def made(folder: Path) -> Path:
    """A folder for downloads, which is made where it is not there. Raises UsageError."""
    if folder.is_dir():
        return folder
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise UsageError(
            f"--downloads {text.clean(str(folder))}: there is no such folder, and it cannot be made: "
            f"{'a file is in its place' if folder.exists() else error.strerror}") from None
    output.line(f"made the folder {text.clean(str(folder))}, where torrents go")
    return folder


async def serve(
    layers: Layers[ClientSettings], folder: Path, stop: Stop, *, browser: bool, qr: bool | None = None,
    config_path: Path | None = None,
) -> Exit:
    async with contextlib.AsyncExitStack() as stack:
        try:
            daemon = await stack.enter_async_context(
                run_daemon(layers, folder, mount=mount, config_path=config_path))
        except NetworkError as error:
            if error.code in LISTEN_CODES:
                error.facts.setdefault("setting", PEERS_LISTEN)
            raise
        # What a daemon is made of lasts as long as it does: to look for garbage in it stops all threads for nothing.
        gc.freeze()
        _greet(daemon)
        if daemon.urls and (browser or qr or not daemon.access.password_set):
            await _let_in(daemon, browser=browser, qr=qr)
        await stop.wait()
        output.line("Stopping cleanly (Ctrl-C again ends at once) …")
    return Exit.OK


def mount(web: WebServer, api: LocalApi) -> None:
    """The doors of other clients' programs."""
    web.mount(qbittorrent.PREFIX, qbittorrent.Door(api))
    web.mount(transmission.PREFIX, transmission.Door(api))


def _greet(daemon: Daemon) -> None:
    for url in daemon.urls:
        output.line(f"wildbach listens at {url}")
    folder = places.home(daemon.api.core.settings.downloads.folder)
    there = next((place for place in (folder, *folder.parents) if place.is_dir()), folder)
    if not os.access(there, os.W_OK):
        output.warn(text.clean(
            f"nothing can be written to {folder}, where torrents go; downloads.folder (--downloads) chooses another"))
    obstacle = daemon.api.core.session.network.obstacle
    if obstacle:
        output.warn(text.clean(obstacle))


async def _let_in(daemon: Daemon, *, browser: bool, qr: bool | None) -> None:
    """A link for who is to use it first."""
    path = (await daemon.api.make_start_link()).path
    is_first = not daemon.access.password_set
    output.line(f"{'No password is set yet. ' if is_first else ''}This link lets you in, once, within the hour:")
    for words in links.lines(daemon.urls[0], daemon.away, path, qr=qr):
        output.line(f"  {words}")
    if is_first:
        output.line("`wildbach password` sets one for programs such as Sonarr.")
    if browser:
        links.browse(f"{daemon.urls[0]}/{path}")


class _Lines(logging.Formatter):
    """For people and for the journal, which has the time itself."""

    def format(self, record: logging.LogRecord) -> str:
        words = f"{record.levelname.lower()}: {record.getMessage()}"
        if record.exc_info:
            words += "\n" + self.formatException(record.exc_info)
        return "\n".join(text.clean(line) for line in words.splitlines())


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        facts: dict[str, object] = {
            "time": record.created, "level": record.levelname.lower(), "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            facts["trace"] = self.formatException(record.exc_info)
        return json.dumps(facts)


def log_to_stderr(level: str, *, as_json: bool) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if as_json else _Lines())
    handler.setLevel(level.upper())
    root = logging.getLogger("wildbach")
    root.addHandler(handler)
    root.setLevel(min(logging.INFO, handler.level))
    root.propagate = False
