"""A whole daemon beside a test: in a thread of its own, at its socket and a port on loopback."""

from __future__ import annotations

import asyncio
import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cli_torrents import torrent_of
from clients import layers_for, until
from wildbach.interfaces.api.local import LocalApi
from wildbach.interfaces.cli import main
from wildbach.interfaces.daemon import Daemon, run_daemon


class House:
    """A daemon that runs. `state` is what WILDBACH_STATE is to name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.state = folder / "state"
        self.daemon: Daemon | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._ready = threading.Event()
        self._leave: asyncio.Event | None = None
        self._error: BaseException | None = None

    @property
    def url(self) -> str:
        assert self.daemon is not None
        return self.daemon.urls[0]

    def until(self, what: Callable[[LocalApi], bool]) -> None:
        """Returns when it is so."""
        assert self.daemon is not None and self._loop is not None
        api = self.daemon.api
        asyncio.run_coroutine_threadsafe(until(lambda: what(api), api), self._loop).result(30)

    async def _live(self, **settings: object) -> None:
        self._loop = asyncio.get_running_loop()
        self._leave = asyncio.Event()
        layers = layers_for(self.folder, **{"api__listen": ["127.0.0.1:0"], "api__push_seconds": 0.2} | settings)
        try:
            async with run_daemon(layers, self.state / "daemon", environ={}) as self.daemon:
                await self.daemon.loaded.wait()
                self._ready.set()
                await self._leave.wait()
        except BaseException as error:
            self._error = error
            self._ready.set()
            raise

    @contextlib.contextmanager
    def open(self, **settings: object) -> Iterator[House]:
        thread = threading.Thread(target=lambda: asyncio.run(self._live(**settings)))
        thread.start()
        try:
            assert self._ready.wait(30) and self._error is None, self._error
            yield self
        finally:
            if self._loop is not None and self._leave is not None and thread.is_alive():
                self._loop.call_soon_threadsafe(self._leave.set)
            thread.join(30)


class Shell:
    """Command lines, and what they print."""

    def __init__(self, house: House, capsys: pytest.CaptureFixture[str]) -> None:
        self.house = house
        self._capsys = capsys
        self.err = ""

    def run(self, *args: object) -> tuple[int, str]:
        """The exit code and what came on stdout; `err` is what came on stderr."""
        code = main.run([str(arg) for arg in args])
        out, self.err = self._capsys.readouterr()
        return code, out

    def good(self, *args: object) -> str:
        code, out = self.run(*args)
        assert code == 0, (args, out, self.err)
        return out

    def json(self, *args: object) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.good(*args, "--json").splitlines()]

    def add(self, name: str, *args: object, **kind: Any) -> str:
        """Add a torrent of that name; its key."""
        path = self.house.folder / f"{name}.torrent"
        path.write_bytes(torrent_of(name=name, **kind).to_bytes())
        (added,) = self.json("add", path, *args)
        return str(added["key"])

    def add_link(self, link: str) -> None:
        self.good("add", link)

    def printed(self) -> str:
        """What came on stdout since the last command."""
        return self._capsys.readouterr().out

    def until_state(self, key: str, state: str) -> None:
        self.house.until(lambda api: api.core.catalog.fresh(key).state == state)

    def row(self, key: str) -> dict[str, Any]:
        return self.json("show", key)[0]
