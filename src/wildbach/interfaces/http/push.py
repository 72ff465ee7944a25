"""What changes, sent to who looks: one WebSocket for a page, which says what it shows.

The client sends `{"subscribe": {...}}` (a `Subscription`) whenever it shows something else. It gets objects that hold
only what is different from what it was sent before:

    {"hello": {"version": "…", "now": 1795726429.5, "role": "user"}}
    {"torrents": {"total": 7, "keys": [...], "rows": [{...}]}, "transfer": {...}, "detail": {...}, ...}

`keys` is the order of the shown part of the list, given when it is another. A row is whole the first time, later its
`key` and the fields that are different. After a subscription what it has in common with the one before goes on; all
else comes anew. What is sent next is made when the client has taken what was sent before, so a slow one gets fewer
and never old news. `hello` comes once, first of all; `now` is the daemon's clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec
from msgspec import Struct

from wildbach.base import limits
from wildbach.base.errors import UsageError, WildbachError
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.api.operation import Role
from wildbach.interfaces.api.restricted import for_role
from wildbach.interfaces.api.subscription import Detail, Message, Subscription
from wildbach.interfaces.http import payloads, problems
from wildbach.interfaces.http.access import Access, Who, caller
from wildbach.interfaces.settings import ApiSettings
from wildbach.net.httpd import WebSocketUpgrade
from wildbach.net.websocket import WebSocket
from wildbach.runtime.tasks import Scope

_EMPTY: dict[str, Any] = {}
_MESSAGE_SECONDS: Final = 0.02
"From one message of a client to the next."
_REST: Final = 4.0
"Times as long as it took to say what is new, nothing is said."


class Push:
    def __init__(self, api: Api, access: Access, settings: Callable[[], ApiSettings]) -> None:
        self._api = api
        self._access = access
        self._settings = settings
        self._open: Counter[Role] = Counter()

    def upgrade(self, who: Who) -> WebSocketUpgrade:
        """Raises UsageError, code `busy`."""
        guests_full = who.role == "guest" and self._open["guest"] >= limits.PUSH_SOCKETS_GUESTS
        if guests_full or self._open.total() >= limits.PUSH_SOCKETS:
            raise UsageError("too many pages are open", code="busy")
        return WebSocketUpgrade(lambda websocket: self._talk(websocket, who), limits.PUSH_MESSAGE_BYTES)

    async def _talk(self, websocket: WebSocket, who: Who) -> None:
        self._open[who.role] += 1
        token = caller.set(who)
        page = _Page(for_role(self._api, who.role), websocket, who)
        try:
            await page.greet()
            async with Scope("push") as scope:
                # The page ends when reading does: nothing of a socket that broke leaves either task.
                scope.spawn("changes", self._keep_sending(page, who), contain=_broken)
                await page.listen()
        except ConnectionError:
            return  # it left before it was greeted, or while it was told what is wrong
        finally:
            caller.reset(token)
            self._open[who.role] -= 1

    async def _keep_sending(self, page: _Page, who: Who) -> None:
        loop = asyncio.get_running_loop()
        while True:
            if not self._access.still(who):
                await page.websocket.refuse("logged out")
                return
            began = loop.time()
            await page.send()
            # Who subscribes to something else all the time does not keep the loop busy with it.
            await asyncio.sleep(min(_REST * (loop.time() - began), self._settings().push_seconds))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._settings().push_seconds):
                    await page.changed.wait()


class _Page:
    """One client: what it shows."""

    def __init__(self, api: Api, websocket: WebSocket, who: Who) -> None:
        self._api = api
        self.websocket = websocket
        self._who = who
        self.changed = asyncio.Event()
        "Something else is subscribed to, since the last sending."
        self._next: Subscription | None = None
        "What it shows since then."
        self._view: _View | None = None

    async def listen(self) -> None:
        while (text := await self.websocket.receive()) is not None:
            try:
                message = await payloads.from_json(text.encode("utf-8", "surrogatepass"), Message)
                shows = message.subscribe
                if self._who.role != "user" and (shows.log is not None or shows.previews):
                    raise UsageError("a guest sees neither the log nor previews", code="forbidden")
            except UsageError as error:
                await self._say({"error": _problem(error)})
            else:
                self._next = shows
                self.changed.set()
            finally:
                await asyncio.sleep(_MESSAGE_SECONDS)

    async def greet(self) -> None:
        """Raises ConnectionError."""
        health = await self._api.health()
        await self._say({"hello": {"version": health.version, "now": time.time(), "role": self._who.role}})

    async def send(self) -> None:
        """Raises ConnectionError."""
        self.changed.clear()
        if self._next is not None:
            self._view, self._next = _View(self._api, self._next, self._view), None
        if self._view is None:
            return
        news = await self._view.news()
        if self.changed.is_set():
            # Something else is shown by now. The page was not told of these news, so that no view can go on from them.
            self._view = None
        elif news:
            await self._say(news)

    async def _say(self, news: dict[str, Any]) -> None:
        await self.websocket.send(msgspec.json.encode(news).decode())


class _View:
    """What one subscription shows, and what was sent of it."""

    def __init__(self, api: Api, shows: Subscription, before: _View | None) -> None:
        self._api = api
        self._shows = shows
        self._sent: dict[str, Any] = {}
        self._keys: tuple[str, ...] | None = None
        self._rows: dict[str, m.TorrentRow] = {}
        self._line = -1
        self._failed: dict[str, Any] = {}
        if before is not None:
            self._go_on(before)

    def _go_on(self, before: _View) -> None:
        """What the page has already it need not be told again: most new subscriptions are a list that was scrolled."""
        old, new = before._shows, self._shows
        whole = ("facets", "transfer", "jobs", "trash", "sync")
        kept = {name for name in whole if getattr(old, name) and getattr(new, name)}
        if old.torrents is not None and new.torrents is not None:
            kept.add("torrents")
            self._keys, self._rows = before._keys, before._rows
        if old.detail is not None and old.detail == new.detail:
            kept.add("detail")
        if old.log == new.log:
            self._line = before._line
        self._sent = {
            key: value for key, value in before._sent.items()
            if key.partition(".")[0] in kept or (key.startswith("preview.") and key[8:] in new.previews)}

    async def news(self) -> dict[str, Any]:
        """What is different since it was last asked for."""
        shows = self._shows
        found: dict[str, Any] = {}
        api = self._api
        if shows.torrents is not None:
            listing = shows.torrents
            await self._add(found, "torrents", lambda: self._torrents(listing))
        if shows.facets:
            await self._add(found, "facets", lambda: self._whole("facets", api.facets()))
        if shows.transfer:
            await self._add(found, "transfer", lambda: self._whole("transfer", api.transfer()))
        if shows.detail is not None:
            detail = shows.detail
            await self._add(found, "detail", lambda: self._detail(detail))
        if shows.jobs:
            await self._add(found, "jobs", lambda: self._whole("jobs", api.jobs()))
        if shows.trash:
            await self._add(found, "trash", self._trash)
        if shows.sync:
            await self._add(found, "sync", lambda: self._whole("sync", api.synced_folders()))
        if shows.previews:
            await self._add(found, "previews", lambda: self._previews(shows.previews))
        if shows.log is not None:
            query = m.LogQuery(self._line, 500 if self._line < 0 else 5000, shows.log)
            await self._add(found, "log", lambda: self._log(query))
        return found

    async def _add(self, found: dict[str, Any], name: str, look: Callable[[], Awaitable[Any]]) -> None:
        """An error is news too, once."""
        try:
            news = await look()
        except WildbachError as error:
            problem = _problem(error)
            if self._failed.get(name) == problem:
                return
            self._forget(name)
            self._failed[name] = problem
            news = {"error": problem}
        else:
            self._failed.pop(name, None)
        if news is not None:
            found[name] = news

    async def _whole(self, name: str, look: Awaitable[Struct]) -> Struct | None:
        value = await look
        if self._sent.get(name) == value:
            return None
        self._sent[name] = value
        return value

    async def _torrents(self, listing: m.Listing) -> dict[str, Any] | None:
        page = await self._api.list_torrents(listing)
        news: dict[str, Any] = {}
        rows = {row.key: row for row in page.torrents}
        keys = tuple(rows)
        if keys != self._keys:
            news["keys"] = keys
        changed = [
            difference for key, row in rows.items() if (difference := _difference(self._rows.get(key), row))
        ]
        if changed:
            news["rows"] = changed
        whole = (page.total, page.offset, page.loading)
        if whole != self._sent.get("torrents"):
            news |= {"total": page.total, "offset": page.offset, "loading": page.loading}
        self._keys, self._rows, self._sent["torrents"] = keys, rows, whole
        return news or None

    async def _detail(self, detail: Detail) -> dict[str, Any] | None:
        api, key = self._api, detail.key
        news: dict[str, Any] = {}
        looks: dict[str, Callable[[], Awaitable[Struct]]] = {
            "files": lambda: api.files(key, detail.files), "peers": lambda: api.peers(key),
            "trackers": lambda: api.trackers(key), "web_seeds": lambda: api.web_seeds(key),
            "pieces": lambda: api.pieces(key, m.PieceQuery(detail.buckets)),
        }
        value = await self._whole("detail.torrent", api.torrent(key))
        if value is not None:
            news["torrent"] = value
        for part in detail.parts:
            value = await self._whole(f"detail.{part}", looks[part]())
            if value is not None:
                news[part] = value
        trees = [
            {"query": number, "tree": tree} for number, query in enumerate(detail.trees)
            if (tree := await self._tree(key, number, query)) is not None]
        if trees:
            news["trees"] = trees
        return news or None

    async def _tree(self, key: str, number: int, query: m.TreeQuery) -> Struct | dict[str, Any] | None:
        """One that is not there (any more) does not hide the others."""
        name = f"detail.tree.{number}"
        try:
            return await self._whole(name, self._api.tree(key, query))
        except WildbachError as error:
            problem = {"error": _problem(error)}
            if self._sent.get(name) == problem:
                return None
            self._sent[name] = problem
            return problem

    async def _trash(self) -> dict[str, Any] | None:
        count = len((await self._api.trash()).torrents)
        if self._sent.get("trash") == count:
            return None
        self._sent["trash"] = count
        return {"count": count}

    async def _previews(self, ids: tuple[str, ...]) -> dict[str, Any] | None:
        news: dict[str, Any] = {}
        for id in ids:
            try:
                value: m.Preview | None = await self._api.previewed(id)
            except UsageError:
                value = None
            name = f"preview.{id}"
            if name not in self._sent or self._sent[name] != value:
                self._sent[name] = news[id] = value
        return news or None

    async def _log(self, query: m.LogQuery) -> tuple[m.LogLine, ...] | None:
        lines = (await self._api.log(query)).lines
        if lines:
            self._line = lines[-1].id
        return lines or None

    def _forget(self, name: str) -> None:
        """Where something can be seen again it comes whole."""
        for key in [key for key in self._sent if key == name or key.startswith(name + ".")]:
            del self._sent[key]
        if name == "torrents":
            self._keys, self._rows = None, {}


def _difference(old: m.TorrentRow | None, new: m.TorrentRow) -> m.TorrentRow | dict[str, Any]:
    if old is None:
        return new
    if old == new:
        return _EMPTY
    found = {
        name: value for name in new.__struct_fields__
        if (value := getattr(new, name)) != getattr(old, name)
    }
    return {"key": new.key, **found}


def _problem(error: WildbachError) -> dict[str, Any]:
    return {"status": problems.status_of(error), "code": error.code, "detail": str(error)}


def _broken(error: Exception) -> None:
    if not isinstance(error, ConnectionError):
        raise error
