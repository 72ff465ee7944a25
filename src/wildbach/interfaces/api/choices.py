"""The settings of a running daemon: from where each value comes, and what changes at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from wildbach.base.errors import FormatError
from wildbach.base.settings import Layers, PinnedError, SettingError, flatten, from_dict, json_schema, options, to_flat
from wildbach.engine import ways
from wildbach.engine.dhtnodes import parse_node
from wildbach.engine.ipfilter import bad_sources
from wildbach.engine.session import Session
from wildbach.engine.settings import Settings
from wildbach.interfaces.api.models import SettingsView
from wildbach.interfaces.settings import HOST_CHOSEN, HOST_ONLY, ClientSettings
from wildbach.net.httpd import server_tls
from wildbach.runtime.workers import Threads
from wildbach.services.library import schedule
from wildbach.services.library.library import Library
from wildbach.services.sync.settings import relays_of

AREA: Final = "settings"
NAME: Final = "saved"


def decode(kept: Mapping[str, bytes]) -> dict[str, object]:
    """What was saved, by key. Raises FormatError."""
    raw = kept.get(NAME)
    if raw is None:
        return {}
    try:
        return msgspec.json.decode(raw, type=dict[str, object])
    except msgspec.MsgspecError as error:
        raise FormatError(str(error), where="saved settings") from error


class Choices:
    """The layers of settings, and the values in effect."""

    def __init__(self, layers: Layers[ClientSettings], threads: Threads) -> None:
        self.layers = layers
        self._threads = threads
        self.followers: list[Callable[[ClientSettings], Awaitable[None]]] = []
        "Told of what holds when it is different: of other sessions than the one that the library has."
        self._started = layers.settings
        self._now = layers.settings

    @property
    def settings(self) -> ClientSettings:
        """As they hold now: what is not live is as it was at the start."""
        return self._now

    def view(self) -> SettingsView:
        known = options(ClientSettings)
        chosen = to_flat(self.layers.settings)
        effective = to_flat(self._now)
        values = {
            key: None if option.secret and chosen[key] else _plain(chosen[key]) for key, option in known.items()
            if not key.startswith(HOST_ONLY)
        }
        sources = {key: source for key in known if (source := self.layers.source(key)) != "default"}
        return SettingsView(
            values, sources, tuple(key for key in known if chosen[key] != effective[key]))

    def schema(self) -> dict[str, Any]:
        return json_schema(ClientSettings)

    async def change(self, values: Mapping[str, Any], session: Session, library: Library) -> None:
        """All or none, saved before it holds. None stands for what it was before it was saved. Raises SettingError,
        PinnedError, StorageError.
        """
        flat = flatten(ClientSettings, values)
        known = options(ClientSettings)
        for key in flat:
            if key.startswith(HOST_CHOSEN):
                raise PinnedError(key, "the configuration file", always=True)
        back = [key for key, value in flat.items() if value is None and not known[key].optional]
        layers = self.layers.patched({key: value for key, value in flat.items() if key not in back})
        layers = layers.without(back)
        schedule.check(layers.settings.slow_mode)
        await self._threads.run(check_start, layers.settings, tuple(flat))
        await session.keep(AREA, {NAME: msgspec.json.encode(layers.saved)}, durable=True)
        self.layers = layers
        await self.apply(session, library)

    async def apply(self, session: Session, library: Library) -> None:
        """Let the live ones hold, slow mode and all."""
        known = options(ClientSettings)
        chosen, started = to_flat(self.layers.settings), to_flat(self._started)
        self._now = from_dict(ClientSettings, {
            key: chosen[key] if option.live else started[key] for key, option in known.items()})
        down, up = library.rates()
        engine = {key: value for key, value in to_flat(self._now).items() if key in options(Settings)}
        await session.configure(from_dict(Settings, engine | {"rates.down": down, "rates.up": up}))
        for follow in list(self.followers):
            await follow(self._now)


def check_start(settings: ClientSettings, changed: Sequence[str]) -> None:
    """Whether a daemon can begin with these: what is saved and cannot be used would keep out who could mend it. Blocks.
    Raises UsageError.
    """
    ways.check(settings)
    for text in settings.dht.bootstrap:
        parse_node(text)
    for text in settings.api.listen:
        ways.parse_listen(text, "api.listen")
    ways.parse_listen(settings.media.listen, "media.listen")
    relays_of(settings.sync.relays)
    if any(key.startswith("api.tls_") for key in changed) and settings.api.tls_certificate:
        server_tls(settings.api.tls_certificate, settings.api.tls_key)
    if "filter.sources" in changed:
        for name, reason in bad_sources(settings.filter.sources).items():
            raise SettingError("filter.sources", f"{name}: {reason}")


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else str(value.expanduser()) if isinstance(value, Path) else value
