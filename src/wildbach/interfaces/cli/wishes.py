"""What `get` and `seed` have in common: flags about peers, speed and state, and the settings they make."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import Any

import click

from wildbach.engine.settings import ConnectionSettings, RateSettings, Settings
from wildbach.interfaces.cli.kinds import HOST_PORT, SIZE, HostPort

_OPTIONS = (
    click.option("--peer", "peers", type=HOST_PORT, multiple=True, help="Connect to this peer; may be repeated."),
    click.option("--tracker", "trackers", multiple=True, metavar="URL", help="One more tracker; may be repeated."),
    click.option("--listen", type=HOST_PORT, multiple=True,
                 help="Where peers reach us; port 0 takes any; may be repeated.  [default: port 6881 or one after it]"),
    click.option("--limit-down", type=SIZE, default=0, metavar="RATE", help="Bytes a second: 500K, 2M."),
    click.option("--limit-up", type=SIZE, default=0, metavar="RATE", help="Bytes a second: 500K, 2M."),
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
    limit_down: int = 0
    limit_up: int = 0
    state: Path | None = None
    as_json: bool = False
    quiet: bool = False

    @property
    def talks(self) -> bool:
        """Words for people are wanted."""
        return not (self.as_json or self.quiet)

    def settings(self) -> Settings:
        """The defaults, and what the flags say. A limit asked for by hand holds for local peers too."""
        connections = ConnectionSettings()
        if self.listen:
            connections = ConnectionSettings(listen=tuple(_spelled(at) for at in self.listen), port_tries=0)
        limited = bool(self.limit_down or self.limit_up)
        return Settings(
            connections=connections,
            rates=RateSettings(down=self.limit_down, up=self.limit_up, limit_local=limited),
        )


def common(function: Callable[..., int]) -> Callable[..., int]:
    """Add the common flags to a command, which gets them as one argument `wishes`."""

    @wraps(function)
    def gathered(**values: Any) -> int:
        wishes = Wishes(**{name: values.pop(name) for name in Wishes.__dataclass_fields__})
        return function(wishes=wishes, **values)

    for option in reversed(_OPTIONS):
        gathered = option(gathered)
    return gathered


def _spelled(at: HostPort) -> str:
    host = at.host or "0.0.0.0"
    return f"[{host}]:{at.port}" if ":" in host else f"{host}:{at.port}"
