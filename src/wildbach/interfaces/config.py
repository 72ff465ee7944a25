"""The configuration file, and the layers of settings that a command begins with."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from wildbach.base.errors import UsageError
from wildbach.base.settings import Layers, Section, parse_environment, parse_toml

S = TypeVar("S", bound=Section)
_BYTES = 1 << 20


def default_path() -> Path:
    """`$WILDBACH_CONFIG`, else `$XDG_CONFIG_HOME/wildbach/config.toml`, by default in `~/.config`."""
    given = os.environ.get("WILDBACH_CONFIG", "")
    if given:
        return Path(given)
    base = os.environ.get("XDG_CONFIG_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".config") / "wildbach" / "config.toml"


def read(kind: type[Section], path: Path | None = None) -> dict[str, object]:
    """What the file says, by key; a file that was not named need not exist. Raises UsageError that names it."""
    place = path if path is not None else default_path()
    try:
        with place.open("rb") as file:
            raw = file.read(_BYTES + 1)
    except FileNotFoundError:
        if path is None and not os.environ.get("WILDBACH_CONFIG"):
            return {}
        raise UsageError(f"there is no configuration file {place}") from None
    except OSError as error:
        raise UsageError(f"cannot read {place}: {error.strerror}") from error
    if len(raw) > _BYTES:
        raise UsageError(f"{place} is longer than a configuration file can be")
    try:
        return parse_toml(kind, raw.decode("utf-8"), str(place))
    except UnicodeDecodeError as error:
        raise UsageError(f"{place} is not UTF-8") from error
    except UsageError as error:
        raise UsageError(f"{place}: {error.message}") from error


def layers(
    kind: type[S], flags: Mapping[str, object], *, path: Path | None = None, saved: Mapping[str, object] | None = None,
) -> Layers[S]:
    """Defaults, the file, what was saved, the environment, flags. Raises UsageError."""
    return Layers(
        kind, file=read(kind, path), saved=saved, environment=parse_environment(kind, os.environ), flags=flags)
