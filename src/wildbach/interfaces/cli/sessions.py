"""A session for a command that works alone, beside a daemon that may have the same settings."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

from wildbach.base.errors import NetworkError
from wildbach.engine.session import Session
from wildbach.engine.ways import parse_listen
from wildbach.interfaces.cli import output
from wildbach.interfaces.cli.wishes import Wishes
from wildbach.interfaces.settings import ClientSettings


@contextlib.asynccontextmanager
async def open_session(settings: ClientSettings, wishes: Wishes, data_dir: Path) -> AsyncIterator[Session]:
    """With the ports of the settings; where these are taken, and were not asked for by this command line, with any that
    are free. Raises NetworkError.
    """
    async with contextlib.AsyncExitStack() as stack:
        try:
            session = await stack.enter_async_context(Session(settings, data_dir=data_dir))
        except NetworkError as error:
            if error.code != "port_in_use" or wishes.names_ports:
                raise
            if wishes.talks:
                output.line(f"{error.message}, as connections.listen says; another port is used this time")
            session = await stack.enter_async_context(Session(_on_any_port(settings), data_dir=data_dir))
        yield session


def _on_any_port(settings: ClientSettings) -> ClientSettings:
    hosts = dict.fromkeys(parse_listen(text)[0] for text in settings.connections.listen)
    places = tuple(f"[{host}]:0" if ":" in host else f"{host}:0" for host in hosts)
    return replace(settings, connections=replace(settings.connections, listen=places))
