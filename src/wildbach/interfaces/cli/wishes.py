"""What commands that speak with the network have in common: flags about the way out, peers, speed and state, and the
settings they make.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any, Final

import click

from wildbach.base.settings import SettingError, strange_variables
from wildbach.interfaces.cli import output, text
from wildbach.interfaces.cli.given import Given
from wildbach.interfaces.cli.kinds import HOST_PORT, SIZE, HostPort, check_tracker
from wildbach.interfaces.settings import ClientSettings

_OTHER_VARIABLES: Final = (
    "WILDBACH_STATE", "WILDBACH_CONFIG", "WILDBACH_DEBUG", "WILDBACH_TRACKER_STORE", "WILDBACH_URL", "WILDBACH_KEY",
)
_FLAGS: Final[dict[str, Callable[[Any], Any]]] = {
    "peers": click.option(
        "--peer", "peers", type=HOST_PORT, multiple=True, help="Connect to this peer; may be repeated."),
    "trackers": click.option("--tracker", "trackers", multiple=True, metavar="URL",
                             help="One more tracker; may be repeated."),
    "listen": click.option("--listen", multiple=True, metavar="HOST:PORT",
                           help="Where peers reach us; HOST:FIRST-LAST takes the first free port, port 0 any; may be "
                                "repeated.  [default: port 6881 or one after it]"),
    "interface": click.option("--interface", metavar="NAME",
                              help="Keep to this network interface, as tun0 of a VPN, or to this address; nothing "
                                   "leaves while it is away."),
    "proxy": click.option("--proxy", metavar="URL",
                          help="Go through a proxy: socks5://[USER:PASSWORD@]HOST:PORT or http://...; "
                               "$WILDBACH_NETWORK_PROXY keeps the password out of the list of processes."),
    "ip_filter": click.option("--ip-filter", multiple=True, metavar="FILE|URL",
                              help="Exchange nothing with the addresses in this list; may be repeated."),
    "limit_down": click.option("--limit-down", type=SIZE, default=0, metavar="RATE", help="Bytes a second: 500K, 2M."),
    "limit_up": click.option("--limit-up", type=SIZE, default=0, metavar="RATE", help="Bytes a second: 500K, 2M."),
    "settings_given": click.option(
        "--set", "settings_given", multiple=True, metavar="KEY=VALUE",
        help="Any setting, as in peers.anonymous=true; may be repeated; commas part lists. `wildbach settings` lists "
             "them."),
    "state": click.option("--state", "--state-dir", "state", type=click.Path(path_type=Path, file_okay=False),
                          metavar="DIR",
                          help="Where progress is remembered.  [default: $WILDBACH_STATE or ~/.local/state/wildbach]"),
    "as_json": click.option("--json", "as_json", is_flag=True, help="One JSON object a line in place of words."),
    "quiet": click.option("-q", "--quiet", is_flag=True, help="Only errors."),
}
"""By the name of the field of `Wishes` that each fills."""
_OF_ONE_TORRENT: Final = ("peers", "trackers", "limit_down", "limit_up")


@dataclass(frozen=True, slots=True)
class Wishes:
    """The values of the common flags. Limits in bytes a second, 0 for none."""

    peers: tuple[HostPort, ...] = ()
    trackers: tuple[str, ...] = ()
    listen: tuple[str, ...] = ()
    interface: str | None = None
    proxy: str | None = None
    ip_filter: tuple[str, ...] = ()
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

    @property
    def names_ports(self) -> bool:
        """This command line says where to listen; else the configuration file and the environment may."""
        return bool(self.listen) or any(word.startswith("connections.listen=") for word in self.settings_given)

    def settings(self) -> ClientSettings:
        """The defaults, then the configuration file, the environment, the flags.

        A limit asked for by hand holds for local peers too. Raises UsageError that names the setting and where its
        value comes from.
        """
        given = Given()
        for at in self.listen:
            given.take("connections.listen", at, "--listen")
        if self.interface is not None:
            given.take("network.interface", self.interface, "--interface")
        if self.proxy is not None:
            given.take("network.proxy", self.proxy, "--proxy")
        for name in self.ip_filter:
            # No commas part it: a name may have one.
            if not name.strip():
                raise SettingError("filter.sources", "the name of a list is empty", origin="--ip-filter")
            given.put("filter.sources", (name,), "--ip-filter")
        if self.limit_down or self.limit_up:
            for key, value in (("down", self.limit_down), ("up", self.limit_up), ("limit_local", True)):
                given.put(f"rates.{key}", value, "--limit-down, --limit-up")
        for word in self.settings_given:
            given.take_word(word)
        return given.layers().settings


def warn_of_variables() -> None:
    """Say which variables of the environment look like settings and are none: what they were to do is not done."""
    for words in variable_warnings():
        output.warn(words)


def variable_warnings() -> list[str]:
    return [
        f"${text.clean(name)} is no setting, and does nothing" + (f"; did you mean {near}?" if near else "")
        for name, near in strange_variables(ClientSettings, os.environ, _OTHER_VARIABLES).items()
    ]


def common(function: Callable[..., int]) -> Callable[..., int]:
    """Add the common flags to a command, which gets them as one argument `wishes`."""
    return _with(function, tuple(_FLAGS))


def network(function: Callable[..., int]) -> Callable[..., int]:
    """The same with those flags only that do not speak of one torrent's peers and speed."""
    return _with(function, tuple(name for name in _FLAGS if name not in _OF_ONE_TORRENT))


def outward(function: Callable[..., int]) -> Callable[..., int]:
    """The same with those flags only that say how servers are asked, and where something is remembered of it."""
    return _with(function, ("interface", "proxy", "settings_given", "state", "as_json", "quiet"))


def _with(function: Callable[..., int], flags: tuple[str, ...]) -> Callable[..., int]:
    @wraps(function)
    def gathered(**values: Any) -> int:
        wishes = Wishes(**{name: values.pop(name) for name in flags})
        for url in wishes.trackers:
            check_tracker(url)
        return function(wishes=wishes, **values)

    for name in reversed(flags):
        gathered = _FLAGS[name](gathered)
    return gathered
