"""How a command reaches the daemon: the one of the data directory, or the one that `--url` names."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import click

from wildbach.base.addresses import Reach as Nearness
from wildbach.base.addresses import classify
from wildbach.interfaces.cli import running
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.running import Stop
from wildbach.interfaces.cli.state import daemon_folder
from wildbach.interfaces.client import RemoteApi, connect
from wildbach.interfaces.whereabouts import local_token, no_daemon, whereabouts

T = TypeVar("T")

_ANSWER_SECONDS: Final = 600.0
"Adding many torrents, some of them behind slow URLs, takes a while; Ctrl-C ends the waiting."

Opener = Callable[[], AbstractAsyncContextManager[RemoteApi]]
"Gives an Api in place of that of a daemon. `main.run` hands it to commands."


@dataclass(frozen=True, slots=True)
class Reach:
    """Where the daemon is."""

    url: str = ""
    "Empty: the one of the data directory."
    key: str = ""
    ca: str = ""
    state: Path | None = None
    opener: Opener | None = field(default=None, compare=False)

    @property
    def near(self) -> bool:
        """It is on this machine and of this user: paths mean the same there."""
        return not self.url

    def runs(self) -> bool:
        """Whether there is a daemon, as far as can be told without calling it."""
        return bool(self.url) or self.opener is not None or whereabouts(daemon_folder(self.state)) is not None

    def address(self) -> str:
        """For a browser of this machine; empty where it listens at its socket only. Raises NetworkError, code
        `no_daemon`.
        """
        if self.url:
            return self.url
        folder = daemon_folder(self.state)
        found = whereabouts(folder)
        if found is None:
            raise no_daemon(folder)
        return found.urls[0] if found.urls else ""

    def away(self) -> str:
        """For a browser of another machine; empty where it would not get there."""
        if self.url:
            host = urlsplit(self.url).hostname or ""
            near = host in ("", "localhost") or classify(host) is Nearness.LOCAL
            return "" if near else self.url
        found = whereabouts(daemon_folder(self.state))
        return found.away if found is not None else ""

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[RemoteApi]:
        """Raises NetworkError, code `no_daemon`, where none runs."""
        if self.opener is not None:
            async with self.opener() as api:
                yield api
            return
        if self.url:
            async with connect(self.url, token=self.key, ca=self.ca, seconds=_ANSWER_SECONDS) as api:
                yield api
            return
        folder = daemon_folder(self.state)
        found = whereabouts(folder)
        if found is None or not (found.socket or found.urls):
            raise no_daemon(folder)
        url = f"unix:{found.socket}" if found.socket else found.urls[0]
        async with connect(url, token=local_token(folder), seconds=_ANSWER_SECONDS) as api:
            yield api

    def run(self, work: Callable[[RemoteApi], Awaitable[Exit]]) -> int:
        """Run `work` with the Api; its exit code. Ctrl-C ends it at once: the daemon goes on with what it was told."""
        async def ended_by_ctrl_c(stop: Stop) -> Exit:
            async def alone() -> Exit:
                async with self.open() as api:
                    return await work(api)

            done = await running.unless_stopped(stop, alone)
            return stop.code if done is None else done

        return running.run(ended_by_ctrl_c)


    def ask(self, work: Callable[[RemoteApi], Awaitable[T]]) -> T:
        """What `work` gives, for a command that then asks a person: while it waits for an answer no loop runs, which
        would keep Ctrl-C from it.
        """
        found: list[T] = []

        async def keep(api: RemoteApi) -> Exit:
            found.append(await work(api))
            return Exit.OK

        self.run(keep)
        if not found:
            raise click.Abort
        return found[0]


_URL: Final = click.option(
    "--url", envvar="WILDBACH_URL", metavar="URL",
    help="A daemon elsewhere, as http://HOST:8080.  [default: $WILDBACH_URL, or the one of the data directory]")
_KEY: Final = click.option(
    "--key", envvar="WILDBACH_KEY", metavar="KEY",
    help="The key for it, which `wildbach keys make` gives; better in $WILDBACH_KEY, which no list of processes shows.")
_DAEMON_KEY: Final = click.option(
    "--daemon-key", "key", envvar="WILDBACH_KEY", metavar="KEY",
    help="The key for a daemon elsewhere, which `wildbach keys make` gives; better in $WILDBACH_KEY.")
_CA: Final = click.option(
    "--ca", type=click.Path(dir_okay=False), metavar="FILE", help="Certificates to trust in place of the system's.")
_STATE: Final = click.option(
    "--state-dir", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
    help="The --state of the daemon's `serve`.  [default: $WILDBACH_STATE or ~/.local/state/wildbach]")


def options(function: Callable[..., int]) -> Callable[..., int]:
    """Add the flags to a command, which gets them as one argument `reach`."""
    return _with(function, (_URL, _KEY, _CA, _STATE))


def options_but_state(function: Callable[..., int]) -> Callable[..., int]:
    """The same for a command that has `--state` of its own."""
    return _with(function, (_URL, _KEY, _CA))


def options_but_key(function: Callable[..., int]) -> Callable[..., int]:
    """The same for a command that has `--key` of its own."""
    return _with(function, (_URL, _DAEMON_KEY, _CA, _STATE))


def _with(function: Callable[..., int], flags: tuple[Callable[[Any], Any], ...]) -> Callable[..., int]:
    @wraps(function)
    def gathered(
        *, url: str | None, key: str | None, ca: str | None, **values: Any,
    ) -> int:
        state = values.pop("state_dir") if _STATE in flags else None
        return function(reach=made(click.get_current_context(), url, key, ca, state), **values)

    for flag in reversed(flags):
        gathered = flag(gathered)
    return gathered


def made(context: click.Context, url: str | None, key: str | None, ca: str | None, state: Path | None) -> Reach:
    opener = context.find_root().obj
    return Reach(url or "", key or "", ca or "", state, opener if callable(opener) else None)


as_json: Final = click.option("--json", "as_json", is_flag=True, help="One JSON object a line in place of words.")
