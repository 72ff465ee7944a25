"""The settings of synced folders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wildbach.base import addresses, limits
from wildbach.base.ids import Endpoint
from wildbach.base.settings import Section, SettingError, setting


@dataclass(frozen=True, slots=True)
class SyncSettings(Section):
    relays: tuple[str, ...] = setting(
        (), "Relays (`wildbach relay`) at which devices meet that reach each other in no other way: ADDRESS:PORT. The "
        "other devices are told of them.", live=True)


def relays_of(texts: Sequence[str]) -> tuple[Endpoint, ...]:
    """Addresses with ports, `203.0.113.7:6990` or `[2001:db8::7]:6990`. Raises SettingError."""
    if len(texts) > limits.SYNC_ENDPOINTS:
        raise SettingError("sync.relays", f"more than {limits.SYNC_ENDPOINTS} relays are not told of")
    return tuple(_relay(text) for text in texts)


def _relay(text: str) -> Endpoint:
    host, _, port = text.strip().rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if addresses.parse(host) is None or not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise SettingError("sync.relays", f"{text!r} is no address with a port, as 203.0.113.7:6990 or [fd00::7]:6990")
    return Endpoint(host, int(port))
