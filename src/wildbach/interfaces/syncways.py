"""What synced folders need of a session: how devices are found and called, and how contents go."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from functools import partial

from wildbach.base import limits
from wildbach.engine.meeting import Meetings
from wildbach.engine.session import Session
from wildbach.net.meeting import Met
from wildbach.protocol.sync.devices import DeviceKeys
from wildbach.runtime.rng import Rng
from wildbach.runtime.tasks import Scope
from wildbach.services.sync.neighbours import Neighbours
from wildbach.services.sync.service import Name, Ways
from wildbach.services.sync.settings import SyncSettings, relays_of


def ways_of(
    session: Session, settings: Callable[[], SyncSettings], rng: Rng, report: Callable[[Exception], None],
) -> Ways:
    neighbours = Neighbours(asyncio.get_running_loop().time)
    session.devices.use_folders(neighbours)
    return Ways(
        partial(_meetings, session, rng, report), session.devices,
        session.dht if session.settings.dht.enabled else None, session.contents, neighbours, session.devices.announce,
        session.devices.forget, lambda: session.listening, session.devices.on_moved,
        lambda: relays_of(settings().relays), loopback=True)


def _meetings(
    session: Session, rng: Rng, report: Callable[[Exception], None], scope: Scope, keys: DeviceKeys,
    met: Callable[[Met[Name]], None],
) -> Meetings[Name]:
    return Meetings(scope, session.door, session.call, keys.static, rng, met, report)


def host_name() -> str:
    """What this device calls itself where nobody has said."""
    name = "".join(char for char in socket.gethostname().partition(".")[0] if char.isprintable())
    return name[: limits.SYNC_NAME_CHARS] or "device"
