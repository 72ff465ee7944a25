"""Settings as a command line gives them: which flag says what, and what else there is said of them."""

from __future__ import annotations

import difflib
import os
from pathlib import Path

from wildbach.base.errors import UsageError
from wildbach.base.settings import Layers, SettingError, options, parse_environment
from wildbach.engine import ways
from wildbach.interfaces import config
from wildbach.interfaces.cli import text
from wildbach.interfaces.settings import ClientSettings


class Given:
    """What flags say of settings, by key, and which flag says it. A list that is given twice is one list."""

    def __init__(self) -> None:
        self.values: dict[str, object] = {}
        self.origins: dict[str, str] = {}

    def take_word(self, word: str) -> None:
        """KEY=VALUE."""
        key, equals, value = word.partition("=")
        known = options(ClientSettings)
        if key not in known:
            near = difflib.get_close_matches(key, known, 3, 0.5) or [name for name in known if key in name]
            raise UsageError(
                f"--set {text.clean(word)}: there is no setting of this name; "
                + (f"near it: {', '.join(near)}" if near else "`wildbach settings` lists them")
            )
        if not equals:
            raise UsageError(f"--set {text.clean(word)}: a value is missing: KEY=VALUE, as in peers.anonymous=true")
        self.take(key, value, "--set")

    def take(self, key: str, value: str, origin: str) -> None:
        """A value as it is spelled."""
        try:
            self.put(key, options(ClientSettings)[key].parse(value), origin)
        except SettingError as error:
            raise error.told(origin) from None

    def put(self, key: str, value: object, origin: str) -> None:
        before = self.values.get(key)
        if isinstance(before, tuple) and isinstance(value, tuple):
            value = (*before, *value)
        self.values[key] = value
        self.origins[key] = origin

    def layers(self, file: Path | None = None) -> Layers[ClientSettings]:
        """With the configuration file (by default the usual one, where it is there) and the environment. Raises
        SettingError that names the key and where its value comes from.
        """
        environment = parse_environment(ClientSettings, os.environ)
        said = config.read(ClientSettings, file)
        try:
            layers = Layers(ClientSettings, file=said, environment=environment, flags=self.values)
            ways.check(layers.settings)
        except SettingError as error:
            origin = self.origins.get(error.key, "")
            if not origin and error.key in environment:
                origin = f"${options(ClientSettings)[error.key].env}"
            if not origin and error.key in said:
                origin = str(file if file is not None else config.default_path())
            raise error.told(origin) from None
        return layers
