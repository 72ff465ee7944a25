"""The configuration file, which every command reads."""

from __future__ import annotations

import os
from pathlib import Path

from wildbach.base.errors import UsageError
from wildbach.base.settings import Section, SettingError, parse_toml

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
    except SettingError as error:
        # What is wrong with the file as a whole names it already.
        raise UsageError(error.message if error.key == str(place) else f"{place}: {error.message}") from error

