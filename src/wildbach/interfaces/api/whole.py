"""What is not of one torrent: speeds, settings, bans, log, jobs, folders."""

from __future__ import annotations

import math
import os
from collections import Counter
from ipaddress import ip_address
from pathlib import Path
from typing import Final, Literal

from msgspec import UNSET

from wildbach import __version__
from wildbach.base.addresses import Reach, classify
from wildbach.base.errors import UsageError
from wildbach.base.ids import Endpoint
from wildbach.base.settings import flatten
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.core import Core
from wildbach.interfaces.api.freespace import space
from wildbach.interfaces.settings import ClientSettings
from wildbach.net.interfaces import interfaces

API_VERSION: Final = 1
_ENTRIES: Final = 5000
_FOLDERS: Final = ("downloads.folder", "downloads.incomplete_folder", "downloads.watch")
"Settings that let files be read or written."


def _from_outside(endpoint: str) -> bool:
    """Neighbours need no router to let them in."""
    host = endpoint.rpartition(":")[0].removeprefix("[").removesuffix("]")
    return classify(host) is Reach.GLOBAL


class Whole:
    """A part of the Api."""

    core: Core

    async def transfer(self) -> m.Transfer:
        core, session = self.core, self.core.session
        down, up = core.library.rates()
        counting = core.library.counting
        totals = Counter(await session.statistics()) + counting.untold
        dht = session.dht.view()
        down_rate, up_rate, peers = core.catalog.rates()
        return m.Transfer(
            down_rate=down_rate, up_rate=up_rate, session_downloaded=counting.downloaded,
            session_uploaded=counting.uploaded, downloaded=totals["downloaded"], uploaded=totals["uploaded"],
            down_limit=down, up_limit=up,
            slow_mode=core.library.slow, peers=peers, dht_nodes=dht.nodes_v4 + dht.nodes_v6,
            reachable=self._reachable(), listening=tuple(str(at) for at in session.listening),
            external_ips=session.external_ips,
            free_space=await core.free_space(),
            torrents=core.catalog.facets().total, revision=core.catalog.revision,
        )

    async def history(self, query: m.HistoryQuery) -> m.History:
        if query.key:
            self.core.catalog.torrent(query.key)
        found = self.core.library.history.read(query.key, query.span)
        return m.History(found.step, found.until, found.down, found.up)

    def _reachable(self) -> Literal["unknown", "yes", "no", "offline"]:
        session = self.core.session
        if session.network.obstacle:
            return "offline"
        if not session.listening:
            return "no"
        if any(ports.state == "mapped" for ports in session.discovery.ports):
            return "yes"
        if not self.core.was_called:
            self.core.was_called = any(
                not peer.outgoing and _from_outside(peer.endpoint)
                for torrent in session.awake for peer in torrent.peers())
        return "yes" if self.core.was_called else "unknown"

    async def set_limits(self, limits: m.RateLimits) -> None:
        section = "slow_mode" if self.core.library.slow else "rates"
        values = {
            f"{section}.{name}": value
            for name, value in (("down", limits.down), ("up", limits.up)) if value is not UNSET
        }
        await self.core.choices.change(values, self.core.session, self.core.library)

    async def set_slow_mode(self, mode: m.SlowMode) -> m.SlowMode:
        on = not self.core.library.slow if mode.on is None else mode.on
        await self.core.library.set_slow(on)
        await self.core.choices.apply(self.core.session, self.core.library)
        return m.SlowMode(on)

    async def statistics(self) -> m.Statistics:
        totals = Counter(await self.core.session.statistics()) + self.core.library.counting.untold
        return m.Statistics(
            uploaded=totals["uploaded"], downloaded=totals["downloaded"], wasted=totals["wasted"],
            active_seconds=totals["active_seconds"], completed=totals["completed"], started=totals["started"],
        )

    async def health(self) -> m.Health:
        return m.Health(
            __version__, API_VERSION, self.core.catalog.loading, self.core.catalog.facets().total)

    async def settings(self) -> m.SettingsView:
        return self.core.choices.view()

    async def change_settings(self, patch: m.SettingsPatch) -> m.SettingsView:
        now = self.core.choices.view().values
        for key, value in flatten(ClientSettings, patch.values).items():
            if value == now.get(key):
                continue  # sent back as it was shown
            folders = value if isinstance(value, list | tuple) else [value]
            for folder in folders if key in _FOLDERS else ():
                if isinstance(folder, str) and folder:
                    await self.core.place(folder.partition("=")[0] if key == "downloads.watch" else folder)
        await self.core.choices.change(patch.values, self.core.session, self.core.library)
        return self.core.choices.view()

    async def settings_schema(self) -> m.Schema:
        return m.Schema(self.core.choices.schema())

    # -- bans

    async def bans(self) -> m.Bans:
        return m.Bans(tuple(m.Ban(ban.who, ban.reason) for ban in self.core.session.bans))

    async def change_bans(self, change: m.BanChange) -> m.Bans:
        add = [_endpoint(who) for who in change.add]
        for endpoint in add:
            self.core.session.ban(endpoint, "by hand", math.inf)
            self.core.log.write("info", f"banned {endpoint.host}")
        for who in change.remove:
            self.core.session.unban(who)
        return await self.bans()

    # -- log, jobs, folders

    async def log(self, query: m.LogQuery) -> m.Log:
        return self.core.log.read(query)

    async def jobs(self) -> m.Jobs:
        return m.Jobs(self.core.jobs.views())

    async def cancel_job(self, id: str) -> m.Job:
        return await self.core.jobs.cancel(id)

    async def folder(self, query: m.FolderQuery) -> m.Folder:
        path = await self.core.place(query.path or str(self.core.settings.downloads.folder), whole=False)
        return await self.core.threads.run(_look, path, query.folders_only)

    async def interfaces(self) -> m.Interfaces:
        return m.Interfaces(tuple(
            m.Interface(interface.name, tuple(str(address.ip) for address in interface.addresses))
            for interface in await self.core.threads.run(interfaces)
        ))


def _endpoint(who: str) -> Endpoint:
    """An address, or ADDRESS:PORT. Raises UsageError."""
    text = who.strip()
    host = text
    if text.startswith("[") or text.count(":") == 1:
        host = text.rpartition(":")[0].strip("[]") if not text.endswith("]") else text.strip("[]")
    try:
        return Endpoint(str(ip_address(host)), 0)
    except ValueError:
        raise UsageError(f"{who!r} is no address") from None


def _look(path: Path, folders_only: bool) -> m.Folder:
    entries = []
    try:
        with os.scandir(path) as found:
            for entry in found:
                if entry.name.startswith("."):
                    continue
                if entry.is_dir():
                    entries.append(entry.name + "/")
                elif not folders_only:
                    entries.append(entry.name)
                if len(entries) >= _ENTRIES:
                    break
    except FileNotFoundError:
        raise UsageError(f"there is no folder {path}", code="not_found") from None
    except OSError as error:
        raise UsageError(f"cannot look into {path}: {error.strerror}", code="forbidden_path") from error
    return m.Folder(str(path), str(path.parent), tuple(sorted(entries, key=str.casefold)), *space(path))

