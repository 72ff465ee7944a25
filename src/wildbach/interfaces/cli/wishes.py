"""What `get` and `seed` have in common: flags about peers, speed and state, and the settings they make."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click

from wildbach.base.errors import UsageError
from wildbach.base.settings import Layers, options, parse_environment
from wildbach.engine.settings import Settings
from wildbach.interfaces.cli import text
from wildbach.interfaces.cli.kinds import HOST_PORT, SIZE, HostPort, check_tracker

_OPTIONS = (
    click.option("--peer", "peers", type=HOST_PORT, multiple=True, help="Connect to this peer; may be repeated."),
    click.option("--tracker", "trackers", multiple=True, metavar="URL", help="One more tracker; may be repeated."),
    click.option("--listen", type=HOST_PORT, multiple=True,
                 help="Where peers reach us; port 0 takes any; may be repeated.  [default: port 6881 or one after it]"),
    click.option("--interface", metavar="NAME",
                 help="Keep to this network interface, as tun0 of a VPN, or to this address; nothing leaves while it "
                      "is away."),
    click.option("--proxy", metavar="URL",
                 help="Go through a proxy: socks5://[USER:PASSWORD@]HOST:PORT or http://...; $WILDBACH_NETWORK_PROXY "
                      "keeps the password out of the list of processes."),
    click.option("--limit-down", type=SIZE, default=0, metavar="RATE", help="Bytes a second: 500K, 2M."),
    click.option("--limit-up", type=SIZE, default=0, metavar="RATE", help="Bytes a second: 500K, 2M."),
    click.option("--set", "settings_given", multiple=True, metavar="KEY=VALUE",
                 help="Any setting, as in peers.anonymous=true; may be repeated."),
    click.option("--state", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
                 help="Where progress is remembered.  [default: $WILDBACH_STATE or ~/.local/state/wildbach]"),
    click.option("--json", "as_json", is_flag=True, help="One JSON object a line: events and progress."),
    click.option("-q", "--quiet", is_flag=True, help="Only errors."),
)


@dataclass(frozen=True, slots=True)
class Wishes:
    """The values of the common flags. Limits in bytes a second, 0 for none."""

    peers: tuple[HostPort, ...] = ()
    trackers: tuple[str, ...] = ()
    listen: tuple[HostPort, ...] = ()
    interface: str | None = None
    proxy: str | None = None
    limit_down: int = 0
    limit_up: int = 0
    settings_given: tuple[str, ...] = ()
    state: Path | None = None
    as_json: bool = False
    quiet: bool = False

    @property
    def talks(self) -> bool:
        """Words for people are wanted."""
        return not (self.as_json or self.quiet)

    def settings(self) -> Settings:
        """The defaults, then the environment, then the flags.

        A limit asked for by hand holds for local peers too. Raises UsageError that names the setting.
        """
        flags: dict[str, object] = {}
        if self.listen:
            flags["connections.listen"] = [_spelled(at) for at in self.listen]
        if self.interface is not None:
            flags["network.interface"] = self.interface
        if self.proxy is not None:
            flags["network.proxy"] = self.proxy
        if self.limit_down or self.limit_up:
            flags |= {"rates.down": self.limit_down, "rates.up": self.limit_up, "rates.limit_local": True}
        known = options(Settings)
        for word in self.settings_given:
            key, equals, value = word.partition("=")
            if key not in known:
                near = difflib.get_close_matches(key, known, 3, 0.5) or [name for name in known if key in name]
                raise UsageError(
                    f"--set {text.clean(word)}: there is no setting of this name; "
                    + (f"near it: {', '.join(near)}" if near else f"there are {', '.join(known)}")
                )
            if not equals:
                raise UsageError(f"--set {text.clean(word)}: a value is missing: KEY=VALUE, as in peers.anonymous=true")
            flags[key] = known[key].parse(value)
        return Layers(Settings, environment=parse_environment(Settings, os.environ), flags=flags).settings


def common(function: Callable[..., int]) -> Callable[..., int]:
    """Add the common flags to a command, which gets them as one argument `wishes`."""
    return _with(function, _OPTIONS)


def network(function: Callable[..., int]) -> Callable[..., int]:
    """The same with those flags only that do not speak of one torrent's peers and speed."""
    return _with(function, [_OPTIONS[number] for number in (2, 3, 4, 7, 8, 9, 10)])


def _with(function: Callable[..., int], flags: Sequence[Callable[[Any], Any]]) -> Callable[..., int]:
    @wraps(function)
    def gathered(**values: Any) -> int:
        known = Wishes.__dataclass_fields__
        wishes = Wishes(**{name: values.pop(name) for name in list(values) if name in known})
        for url in wishes.trackers:
            check_tracker(url)
        return function(wishes=wishes, **values)

    for option in reversed(flags):
        gathered = option(gathered)
    return gathered


def _spelled(at: HostPort) -> str:
    host = at.host or "0.0.0.0"
    return f"[{host}]:{at.port}" if ":" in host else f"{host}:{at.port}"
