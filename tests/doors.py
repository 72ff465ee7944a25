"""What tests of doors need: an Api that holds a list in memory, and a caller who is logged in."""

from __future__ import annotations

import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

from tests.api_fakes import PASSWORD, FakeApi, FakeKeeper, row

from wildbach.base.ids import Endpoint
from wildbach.interfaces.api import models as m
from wildbach.interfaces.doors.qbittorrent.door import Door
from wildbach.interfaces.http.access import Access
from wildbach.interfaces.settings import ApiSettings
from wildbach.net.httpd import BodyError, Request, Response, Stream

SETTINGS: dict[str, Any] = {
    "downloads.folder": "/downloads", "downloads.incomplete_folder": "", "downloads.incomplete_suffix": "",
    "downloads.layout": "original", "downloads.start": True, "downloads.auto": False, "downloads.exclude": [],
    "downloads.recheck": False, "downloads.watch": [], "filter.sources": [], "dht.enabled": True,
    "queue.enabled": True, "queue.downloads": 5, "queue.seeds": 0,
    "queue.total": 0, "queue.slow_down": 2048, "queue.slow_up": 2048, "queue.slow_seconds": 60,
    "seeding.ratio": -1.0, "seeding.seconds": -1, "seeding.idle_seconds": -1, "seeding.action": "stop",
    "slow_mode.start": "08:00", "slow_mode.end": "20:00", "slow_mode.scheduled": False, "slow_mode.down": 10240,
    "slow_mode.up": 1024, "slow_mode.days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "rates.down": 0,
    "rates.up": 0, "rates.limit_local": False, "connections.listen": ["0.0.0.0:6881-6891", "[::]:6881-6891"],
    "connections.tcp": True, "connections.utp": True, "connections.most": 1000, "connections.per_torrent": 200,
    "discovery.upnp": True, "discovery.natpmp": True, "discovery.lsd": True, "peers.pex": True,
    "peers.encryption": "prefer", "peers.seed_choking": "round_robin", "peers.anonymous": False,
    "peers.upload_slots": 8, "trackers.idna": False, "trackers.announce_all_tiers": False,
    "trackers.announce_all_trackers": False, "network.interface": "", "disk.preallocate": False,
}


class ListApi(FakeApi):
    """Knows what changed since when; what is done to torrents is noted in `done`."""

    def __init__(self, count: int = 0) -> None:
        super().__init__()
        self.rows = {found.key: found for found in (
            row(number, tracker=f"http://tracker{number % 3}.example/announce") for number in range(1, count + 1))}
        self.values = dict(SETTINGS)
        self.done: list[Any] = []
        self.rows_told = 0
        self._changed: dict[str, int] = {}
        self._removed: dict[str, int] = {}

    def put(self, one: m.TorrentRow) -> None:
        super().put(one)
        self._changed[one.key] = self.revision
        self._removed.pop(one.key, None)

    def drop(self, key: str) -> None:
        self.revision += 1
        del self.rows[key]
        self._changed.pop(key, None)
        self._removed[key] = self.revision

    async def list_torrents(self, listing: m.Listing) -> m.TorrentPage:
        keys = [key for key in listing.keys if key in self.rows] if listing.keys else list(self.rows)
        if listing.category:
            keys = [key for key in keys if self.rows[key].category in listing.category]
        page = keys[listing.offset:listing.offset + listing.limit]
        self.rows_told += len(page)
        return m.TorrentPage(
            self.revision, len(keys), listing.offset, tuple(self.rows[key] for key in page), False)

    async def changes(self, since: m.Since) -> m.Changes:
        changed = sorted((at, key) for key, at in self._changed.items() if at > since.revision)[:since.limit]
        more = len(changed) == since.limit
        self.rows_told += len(changed)
        return m.Changes(
            changed[-1][0] if more else self.revision, False, more, tuple(self.rows[key] for _, key in changed),
            tuple(key for key, at in self._removed.items() if at > since.revision))

    async def add_torrents(self, request: m.AddRequest) -> m.AddResult:
        if any(not data.startswith(b"d") for data in request.files):
            return m.AddResult((m.Added("file 1", "", "", False, "bad_format", "byte 0: no dictionary"),))
        return await super().add_torrents(request)

    async def act(self, action: m.Action) -> m.Outcome:
        self.done.append(action)
        return await super().act(action)

    async def change_torrents(self, change: m.TorrentsPatch) -> m.Outcome:
        self.done.append(change)
        return await super().change_torrents(change)

    async def change_settings(self, patch: m.SettingsPatch) -> m.SettingsView:
        self.done.append(patch)
        self.values.update(patch.values)
        return await self.settings()

    async def settings(self) -> m.SettingsView:
        return m.SettingsView(dict(self.values), {}, ())


class Said:
    """An answer, whole."""

    def __init__(self, answer: Response | Stream, body: bytes) -> None:
        self.status = answer.status
        self.content_type = answer.content_type
        self.headers = answer.headers
        self.body = body

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        assert self.content_type == "application/json"
        return json.loads(self.body)


class Caller:
    """Somebody at the qBittorrent door. Sends back the whole line of the cookie, as cross-seed does."""

    def __init__(self, door: Door, access: Access) -> None:
        self.door = door
        self.access = access
        self.headers = {"host": "localhost:8080"}

    async def login(self) -> Said:
        said = await self.post("auth/login", username="admin", password=PASSWORD)
        self.headers["cookie"] = said.headers["Set-Cookie"]
        return said

    async def get(self, name: str, **query: object) -> Said:
        return await self.ask("GET", name, urlencode(query))

    async def post(self, name: str, **fields: object) -> Said:
        return await self.ask("POST", name, body=urlencode(fields).encode())

    async def ask(
        self, method: str, name: str, query: str = "", body: bytes = b"",
        content_type: str = "application/x-www-form-urlencoded", **headers: str,
    ) -> Said:
        async def read(limit: int) -> bytes:
            if len(body) > limit:
                raise BodyError("the body is too long", 413, "body_too_long")
            return body

        answer = await self.door(Request(
            method, f"/api/v2/{name}", query, Endpoint("127.0.0.1", 4000),
            {**self.headers, "content-type": content_type, **headers}, False, read,
        ), self.access)
        if isinstance(answer, Stream):
            return Said(answer, b"".join([chunk async for chunk in answer.chunks]))
        return Said(answer, answer.body)


@contextlib.asynccontextmanager
async def at_door(api: object, *, login: bool = True) -> AsyncIterator[Caller]:
    """A caller at a new door, logged in or not."""
    access = Access(FakeKeeper(), ApiSettings)
    await access.load()
    await access.set_password(m.Password(PASSWORD))
    caller = Caller(Door(api), access)  # type: ignore[arg-type]  # what tests need of the Api
    if login:
        assert (await caller.login()).text == "Ok."
    try:
        yield caller
    finally:
        access.close()
