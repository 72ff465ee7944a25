"""A client in memory that speaks the whole Api, and a web server in front of it."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from tests.sync_fakes import FakeSyncing

from wildbach.base.errors import StorageError, UsageError
from wildbach.interfaces.api import channelmodels as chm
from wildbach.interfaces.api import contentmodels as cm
from wildbach.interfaces.api import keymodels as km
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api import paymodels as pay
from wildbach.interfaces.api import playmodels as pm
from wildbach.interfaces.api import sitemodels as sm
from wildbach.interfaces.api import walletmodels as wm
from wildbach.interfaces.http.access import Access
from wildbach.interfaces.http.server import WebServer
from wildbach.interfaces.http.site import Site
from wildbach.interfaces.settings import ApiSettings
from wildbach.protocol.channels.items import Item
from wildbach.protocol.sites import label, parse_link

PASSWORD = "correct horse"
PAYER = "TPX6HK2NRN4XKRX1JAhbC827bm7gMmy5w1"
PAYEE = "TWer2Ygk5TEheHp3TPuYeqxmB6SsGZmaL6"


class FakeKeeper:
    def __init__(self) -> None:
        self.areas: dict[str, dict[str, bytes]] = {}
        self.full = False

    async def kept(self, area: str) -> dict[str, bytes]:
        return dict(self.areas.get(area, {}))

    async def keep(self, area: str, changes: Mapping[str, bytes | None], *, durable: bool = False) -> None:
        if self.full:
            raise StorageError("no space left", errno=28)
        kept = self.areas.setdefault(area, {})
        for name, value in changes.items():
            if value is None:
                kept.pop(name, None)
            else:
                kept[name] = value


def row(number: int, **different: object) -> m.TorrentRow:
    values = {
        "key": f"{number:040x}", "name": f"torrent {number}", "state": "seeding", "reason": "", "code": "",
        "complete": True, "forced": False, "place": 0, "size": 1000, "wanted": 1000, "done": 1000, "progress": 1.0,
        "down_rate": 0.0, "up_rate": 0.0, "eta": None, "uploaded": 0, "downloaded": 0, "wasted": 0,
        "session_uploaded": 0, "session_downloaded": 0, "ratio": 0.0, "peers": 0, "seeds": 0, "swarm_seeds": None,
        "swarm_peers": None, "availability": -1.0, "category": "", "tags": (), "tracker": "", "added_at": number,
        "completed_at": 0, "active_at": 0, "active_seconds": 0, "seeding_seconds": 0, "save_path": "/d",
        "incomplete_path": "", "content_path": f"/d/{number}", "infohash_v1": f"{number:040x}", "infohash_v2": "",
        "private": False, "has_metadata": True, "auto": False, "sequential": False, "ends_first": False,
        "super_seed": False, "down_limit": 0, "up_limit": 0, "ratio_limit": -2.0, "seeding_limit": -2,
        "idle_limit": -2, "limit_action": "",
    }
    return m.TorrentRow(**{**values, **different})


def channel_view(title: str, *, name: str = "", **more: object) -> chm.Channel:
    fields: dict[str, object] = {
        "text": "", "author": "", "lang": "", "links": (), "art": "", "payout": "", "payout_was": "", "own": "",
        "auto": False, **more}
    return chm.Channel(
        key="a" * 52, title=name or title, says=title, link="magnet:?xs=urn:btpk:" + "ab" * 32, torrent="", seq=3,
        shown=3, heard_at=1, followed_at=1, items=2, new=1, drafts=0, rotated=False, recovery_differs=False,
        progress=1.0, seeds=2, reason="", **fields)  # type: ignore[arg-type]  # fields by name


def channel_item(title: str) -> chm.ChannelItem:
    item = Item("g1", title, date=1, duration=61.0)
    return chm.ChannelItem("a" * 52, "Birds", item, "video", "magnet:?xt=urn:btih:" + "ab" * 20, "", False, new=True)


class FakeApi(FakeSyncing):
    def __init__(self, access: Access | None = None) -> None:
        super().__init__()
        self.who = access
        self.rows: dict[str, m.TorrentRow] = {}
        self.revision = 1
        self.cats: dict[str, m.Category] = {}
        self.marks: dict[str, None] = {}
        self.banned: dict[str, m.Ban] = {}
        self.slow = False
        self.added: list[m.AddRequest] = []
        self.looked: list[bytes] = []
        self.lines = tuple(m.LogLine(n, float(n), "info", f"line {n}") for n in range(5))
        self.works: dict[str, m.Job] = {}
        self.rules: dict[str, dict] = {}
        self.cached: dict[str, cm.CachedTorrent] = {}
        self.known_sites: dict[str, sm.Site] = {}
        self.known_channels: dict[str, chm.Channel] = {}
        self.queries: list[object] = []
        self.plays: dict[str, str] = {}
        self.positions: dict[str, pm.PlayPosition] = {}
        self.lan = False
        self.known_keys: dict[str, km.PublishingKey] = {}
        self.purse: wm.WalletStatus | None = None
        self.purse_limits = wm.WalletLimits()
        self.purse_book: dict[str, wm.WalletKnown] = {}
        self.licences: dict[str, pay.Licence] = {}
        self.agreements: dict[str, pay.PaySponsored] = {}
        self.seedings: dict[str, pay.PaySeeding] = {}
        self.purse_sends: dict[str, wm.WalletSend] = {}
        self.paths: dict[str, str] = {}
        self.values: dict[str, object] = {"api.metrics_public": False}

    def put(self, one: m.TorrentRow) -> None:
        self.rows[one.key] = one
        self.revision += 1

    def one(self, key: str) -> m.TorrentRow:
        if key not in self.rows:
            raise UsageError("there is no such torrent", code="not_found", key=key)
        return self.rows[key]

    def chosen(self, selection) -> list[m.TorrentRow]:
        return list(self.rows.values()) if selection.all else [self.rows[k] for k in selection.keys if k in self.rows]

    def outcome(self, selection) -> m.Outcome:
        known = self.chosen(selection)
        failed = tuple(m.Failure(k, "not_found", "no such torrent") for k in selection.keys if k not in self.rows)
        return m.Outcome(len(known), failed)

    async def list_torrents(self, listing: m.Listing) -> m.TorrentPage:
        if listing.sort not in m.TorrentRow.__struct_fields__:
            raise UsageError(f"torrents cannot be sorted by {listing.sort}", code="bad_request")
        found = [one for one in self.rows.values() if not listing.state or one.state in listing.state]
        word = listing.search.lower()
        found = [one for one in found if word in one.name.lower() or (len(word) >= 4 and one.key.startswith(word))]
        found.sort(key=lambda one: (str(getattr(one, listing.sort)), one.key), reverse=listing.descending)
        part = tuple(found[listing.offset:listing.offset + listing.limit])
        return m.TorrentPage(self.revision, len(found), listing.offset, part, False)

    async def changes(self, since: m.Since) -> m.Changes:
        return m.Changes(self.revision, True, False, (), ())

    async def facets(self) -> m.Facets:
        return m.Facets(len(self.rows), {"seeding": len(self.rows)}, {}, {}, {})

    async def start_demo(self) -> m.Job:
        return m.Job("d", "demo", "a demonstration", "running", None, "", 0, {})

    async def history(self, query: m.HistoryQuery) -> m.History:
        if query.key:
            self.one(query.key)
        return m.History(60.0, 1000.0, (1, 2), (3, 4))

    async def add_torrents(self, request: m.AddRequest) -> m.AddResult:
        self.added.append(request)
        added = []
        for source in (*request.urls, *(f"file {n}" for n in range(len(request.files)))):
            new = row(len(self.rows) + 1, name=source)
            self.put(new)
            added.append(m.Added(source, new.key, new.name, False, "", ""))
        return m.AddResult(tuple(added))

    async def torrent(self, key: str) -> m.TorrentDetail:
        return m.TorrentDetail(
            self.one(key), f"magnet:?xt=urn:btih:{key}", "", "", 0, "", 16384, 1, 1, 1, (), 0, 0, None, True, None)

    async def change_torrent(self, key: str, patch: m.TorrentPatch) -> m.TorrentRow:
        values = {name: value for name in ("name", "category", "tags", "sequential", "down_limit")
                  if (value := getattr(patch, name)) is not msgspec.UNSET}
        self.put(msgspec.structs.replace(self.one(key), **values))
        return self.rows[key]

    async def change_torrents(self, change: m.TorrentsPatch) -> m.Outcome:
        return self.outcome(change)

    async def act(self, action: m.Action) -> m.Outcome:
        for one in self.chosen(action):
            if action.act in ("start", "stop"):
                self.put(msgspec.structs.replace(one, state="stopped" if action.act == "stop" else "seeding"))
        return self.outcome(action)

    async def remove_torrents(self, removal: m.Removal) -> m.Outcome:
        outcome = self.outcome(removal)
        for one in self.chosen(removal):
            del self.rows[one.key]
        self.revision += 1
        return outcome

    async def move_torrents(self, move: m.Move) -> m.Jobs:
        return m.Jobs(())

    async def files(self, key: str, listing: m.FileListing) -> m.FilePage:
        self.one(key)
        files = tuple(m.FileRow(n, f"a/{n}", 10, 10, 1, 1.0) for n in range(20_000))
        return m.FilePage(len(files), files[listing.offset:listing.offset + listing.limit])

    async def tree(self, key: str, query: m.TreeQuery) -> m.Tree:
        self.one(key)
        if query.under:
            raise UsageError("there is no such folder", code="not_found")
        return m.Tree("", 1, 10, 10, 1, (m.TreeEntry("a", "a", False, 0, 1, 10, 10, 10, 1, 1.0),))

    async def keys(self, listing: m.KeyListing) -> m.AllKeys:
        return m.AllKeys(tuple(sorted(self.rows)))

    async def preview(self, request: m.PreviewRequest) -> m.Preview:
        self.looked.append(request.file)
        return await self.previewed("a1")

    async def previewed(self, id: str) -> m.Preview:
        if id != "a1":
            raise UsageError("there is no such preview any more", code="not_found")
        return m.Preview(
            "a1", "x", "failed", "", "", 0, 0, 0, False, "", "", 0, "", "", (), False, 0, 0, 0, "", "format_error", "x")

    async def end_preview(self, id: str) -> None:
        await self.previewed(id)

    async def preview_tree(self, id: str, query: m.TreeQuery) -> m.Tree:
        await self.previewed(id)
        raise UsageError("the metadata is not here yet", code="no_metadata")

    async def test_notifications(self) -> m.NotificationTest:
        raise UsageError("no notify.urls are set", code="not_set_up")

    async def set_priorities(self, key: str, priorities: m.FilePriorities) -> None:
        self.one(key)

    async def rename(self, key: str, rename: m.Rename) -> None:
        self.one(key)
        raise UsageError("there is such a file already", code="target_exists")

    async def peers(self, key: str) -> m.PeerPage:
        self.one(key)
        return m.PeerPage(())

    async def add_peers(self, key: str, peers: m.PeerList) -> None:
        self.one(key)

    async def trackers(self, key: str) -> m.TrackerPage:
        self.one(key)
        return m.TrackerPage((m.TrackerRow("http://t/a", 0, "working", "", 10.0, 1, 2, 3, 4, 0),))

    async def change_trackers(self, key: str, change: m.TrackerChange) -> None:
        self.one(key)

    async def web_seeds(self, key: str) -> m.WebSeedPage:
        self.one(key)
        return m.WebSeedPage(())

    async def change_web_seeds(self, key: str, change: m.WebSeedChange) -> None:
        self.one(key)

    async def pieces(self, key: str, query: m.PieceQuery) -> m.PieceMap:
        self.one(key)
        return m.PieceMap(16384, "#" * 200_000, tuple(range(200_000)))

    async def export(self, key: str) -> bytes:
        self.one(key)
        return b"d4:infod4:name1:aee"

    async def trash(self) -> m.Trash:
        return m.Trash(())

    async def restore(self, selection: m.Selection) -> m.Outcome:
        return self.outcome(selection)

    async def empty_trash(self, selection: m.Selection) -> m.Outcome:
        return m.Outcome(0)

    async def categories(self) -> m.Categories:
        return m.Categories(tuple(self.cats.values()))

    async def put_category(self, category: m.Category) -> m.Category:
        if not category.name:
            raise UsageError("a category has a name")
        self.cats[category.name] = category
        return category

    async def remove_categories(self, names: m.Names) -> None:
        for name in names.names:
            self.cats.pop(name, None)

    async def tags(self) -> m.Names:
        return m.Names(tuple(self.marks))

    async def add_tags(self, names: m.Names) -> None:
        self.marks.update(dict.fromkeys(names.names[:100]))

    async def remove_tags(self, names: m.Names) -> None:
        for name in names.names:
            self.marks.pop(name, None)

    async def transfer(self) -> m.Transfer:
        return m.Transfer(
            1.0, 2.0, 3, 4, 5, 6, 0, 0, self.slow, 7, 8, "yes", ("127.0.0.1:1",), (), 1 << 40, len(self.rows),
            self.revision)

    async def set_limits(self, limits: m.RateLimits) -> None:
        return

    async def set_slow_mode(self, mode: m.SlowMode) -> m.SlowMode:
        self.slow = (not self.slow) if mode.on is None else mode.on
        return m.SlowMode(self.slow)

    async def statistics(self) -> m.Statistics:
        return m.Statistics(1, 2, 3, 4, 5, 6)

    async def health(self) -> m.Health:
        return m.Health("0", 1, False, len(self.rows))

    async def settings(self) -> m.SettingsView:
        return m.SettingsView(dict(self.values), {}, ())

    async def change_settings(self, patch: m.SettingsPatch) -> m.SettingsView:
        for key in patch.values:
            if key not in self.values:
                raise UsageError(f"{key}: there is no such setting", code="bad_setting", key=key)
        return await self.settings()

    async def settings_schema(self) -> m.Schema:
        return m.Schema({"type": "object"})

    async def bans(self) -> m.Bans:
        return m.Bans(tuple(self.banned.values()))

    async def change_bans(self, change: m.BanChange) -> m.Bans:
        self.banned.update({one: m.Ban(one) for one in change.add[:100]})
        for one in change.remove:
            self.banned.pop(one, None)
        return await self.bans()

    async def log(self, query: m.LogQuery) -> m.Log:
        return m.Log(tuple(line for line in self.lines if line.id > query.after)[:query.limit])

    async def jobs(self) -> m.Jobs:
        return m.Jobs(tuple(self.works.values()))

    async def cancel_job(self, id: str) -> m.Job:
        if id not in self.works:
            raise UsageError("there is no such job", code="not_found")
        return self.works.pop(id)

    async def create_torrent(self, request: m.CreateRequest) -> m.Job:
        raise StorageError("there is no such file", path=request.path, errno=2)

    async def created_file(self, id: str) -> bytes:
        raise UsageError("there is no such job", code="not_found")

    async def import_client(self, request: m.ImportRequest) -> m.Job:
        raise UsageError("there is nothing to import", code="not_found")

    async def folder(self, query: m.FolderQuery) -> m.Folder:
        return m.Folder(query.path, "", (), None, None)

    async def interfaces(self) -> m.Interfaces:
        return m.Interfaces((m.Interface("lo", ("127.0.0.1",)),))

    async def doctor(self) -> m.Checkup:
        return m.Checkup(())

    async def feeds(self) -> m.Feeds:
        return m.Feeds((), tuple(self.paths))

    async def add_feed(self, request: m.FeedRequest) -> None:
        self.paths[request.path] = request.url

    async def change_feed(self, patch: m.FeedPatch) -> None:
        self.feed(patch.path)

    def feed(self, path: str) -> None:
        if path not in self.paths:
            raise UsageError("there is no such feed", code="not_found")

    async def remove_feed(self, feed: m.FeedPath) -> None:
        self.feed(feed.path)
        del self.paths[feed.path]

    async def refresh_feed(self, feed: m.FeedPath) -> None:
        self.feed(feed.path)

    async def articles(self, query: m.ArticleQuery) -> m.Articles:
        return m.Articles(0, ())

    async def mark_read(self, mark: m.ReadMark) -> None:
        self.feed(mark.path)

    async def feed_rules(self) -> m.FeedRules:
        return m.FeedRules(dict(self.rules))

    async def put_feed_rule(self, rule: m.FeedRule) -> None:
        self.rules[rule.name] = rule.rule

    async def rename_feed_rule(self, name: m.RuleName) -> None:
        if name.name not in self.rules:
            raise UsageError("there is no such rule", code="not_found")
        self.rules[name.to] = self.rules.pop(name.name)

    async def remove_feed_rule(self, name: m.RuleName) -> None:
        self.rules.pop(name.name, None)

    async def try_feed_rule(self, rule: m.FeedRule) -> m.RuleMatches:
        return m.RuleMatches(())

    async def storage(self) -> cm.Storage:
        torrents = tuple(self.cached.values())
        used = sum(one.size for one in torrents)
        owners = {"stream": cm.StorageOwner(len(torrents), used)} if torrents else {}
        return cm.Storage(1000, 800, used, sum(one.planned for one in torrents), 500, owners, torrents)

    def _cached(self, keys: tuple[str, ...]) -> tuple[list[str], tuple[m.Failure, ...]]:
        missing = [key for key in keys if key not in self.cached]
        return [key for key in keys if key in self.cached], tuple(
            m.Failure(key, "not_found", "that is no torrent of the cache") for key in missing)

    async def pin_storage(self, pins: cm.StoragePins) -> m.Outcome:
        there, missing = self._cached((*pins.pin, *pins.unpin))
        for key in there:
            self.cached[key] = msgspec.structs.replace(self.cached[key], pinned=key in pins.pin)
        return m.Outcome(len(there), missing)

    async def keep_storage(self, keeping: cm.StorageKeeping) -> cm.StorageKept:
        there, missing = self._cached(keeping.keys)
        jobs = tuple(m.Job("abc", "move", keeping.folder, "done", 1.0, "", 1) for _ in there if keeping.folder)
        self.works |= {job.id: job for job in jobs}
        for key in there:
            del self.cached[key]
        return cm.StorageKept(len(there), missing, jobs)

    async def free_storage(self, need: cm.StorageNeed) -> cm.StorageFreed:
        freed = 0
        for key, one in list(self.cached.items()):
            if freed < need.size and not one.pinned:
                freed += one.size
                del self.cached[key]
        return cm.StorageFreed(freed)

    async def evict_storage(self, eviction: cm.StorageEviction) -> m.Outcome:
        there, failed = self._cached(eviction.keys)
        pinned = [key for key in there if self.cached[key].pinned]
        for key in set(there).difference(pinned):
            del self.cached[key]
        return m.Outcome(len(there) - len(pinned), (
            *failed, *(m.Failure(key, "pinned", "it is pinned: unpin it first") for key in pinned)))

    def play_file(self, key: str) -> pm.PlayFile:
        name = self.one(key).name
        return pm.PlayFile(
            0, name, "", 1000, 500, 0, "video", "video/mp4", "", -1, -1, False, "tag",
            f"/{'0' * 32}/0/film.mp4", -1, (), self.positions.get(key, pm.PlayPosition()))

    async def playables(self, key: str) -> pm.Playables:
        return pm.Playables(
            key, self.one(key).name, (self.play_file(key),), 0, f"/{'0' * 32}/playlist.m3u8", await self.media())

    async def renew_media_token(self, key: str) -> pm.Playables:
        return await self.playables(key)

    async def forget_watched(self, key: str) -> None:
        self.one(key)
        self.positions.pop(key, None)

    async def start_play(self, request: pm.PlayRequest) -> pm.Play:
        if not request.key:
            raise UsageError("a play is of one key, one url or one torrent file")
        self.one(request.key)
        self.plays[f"{len(self.plays):016x}"] = request.key
        return await self.play(f"{len(self.plays) - 1:016x}")

    async def play(self, id: str) -> pm.Play:
        if id not in self.plays:
            raise UsageError("there is no such play any more", code="not_found")
        key = self.plays[id]
        file = self.play_file(key)
        return pm.Play(
            id, key, self.one(key).name, "ready", "", "", file, None, f"http://127.0.0.1:9092{file.path}",
            f"http://media.localhost:9092{file.path}", "", f"http://127.0.0.1:9092/{'0' * 32}/playlist.m3u8?from=0", 0,
            500, None, 0, 0.0, 0.0, 0, 0, "#-", 20.0)

    async def end_play(self, id: str) -> pm.PlayEnd:
        await self.play(id)
        del self.plays[id]
        return pm.PlayEnd(False)

    async def put_watched(self, watched: pm.Watched) -> pm.PlayPosition:
        self.one(watched.key)
        seconds = 0.0 if watched.seconds is msgspec.UNSET else watched.seconds
        self.positions[watched.key] = pm.PlayPosition(seconds=seconds, resume=seconds, updated_at=1)
        return self.positions[watched.key]

    async def watching(self, query: pm.WatchingQuery) -> pm.Watching:
        return pm.Watching(tuple(
            pm.WatchingItem(key, self.one(key).name, self.play_file(key), False, 1) for key in self.positions))

    async def media(self) -> pm.Media:
        return pm.Media(
            9092, "http://127.0.0.1:9092", "http://media.localhost:9092",
            "http://192.168.1.5:9092" if self.lan else "", self.lan, "")

    async def change_media(self, patch: pm.MediaPatch) -> pm.Media:
        if patch.lan is not msgspec.UNSET:
            self.lan = patch.lan
        return await self.media()

    async def sites(self) -> sm.Sites:
        return sm.Sites(tuple(self.known_sites.values()), 9092)

    def _site(self, word: str) -> sm.Site:
        if word not in self.known_sites:
            raise UsageError(f"there is no site {word}", code="not_found")
        return self.known_sites[word]

    async def open_site(self, opening: sm.SiteOpening) -> sm.Site:
        link = parse_link(opening.address)
        key = label(link.key)
        self.known_sites[key] = sm.Site(
            key=key, name=opening.name, url=link.url(9092), link=link.to_uri(), own="", folder="", seq=3, shown=3,
            versions=1, pinned=-1, keep=False, foreign=False, opened_at=1, used_at=1, heard_at=1, size=10, progress=1.0,
            updating=False, seeds=2, peers=3, reason="")
        return self.known_sites[key]

    async def site(self, word: str) -> sm.SiteVersions:
        version = sm.SiteVersion(
            seq=3, hash="0" * 64, url="", seen_at=1, size=10, files=2, here=True, progress=1.0, shown=True, reason="")
        return sm.SiteVersions(self._site(word), (version,), ("index.html",))

    async def change_site(self, word: str, patch: sm.SitePatch) -> sm.Site:
        given = {key: value for key, value in msgspec.structs.asdict(patch).items() if value is not msgspec.UNSET}
        if given.pop("payout_seen"):
            given["payout_was"] = ""
        if "pin" in given:
            pin = given.pop("pin")
            given["pinned"] = int(pin) if pin.isascii() and pin.isdigit() else -1
        self.known_sites[word] = msgspec.structs.replace(self._site(word), **given)
        return self.known_sites[word]

    async def forget_site(self, word: str) -> None:
        self._site(word)
        del self.known_sites[word]

    async def site_difference(self, word: str, query: sm.SiteDifferenceQuery) -> sm.SiteDifference:
        self._site(word)
        return sm.SiteDifference(("new.html",), ("index.html",), (), 10)

    async def publish_site(self, request: sm.SitePublication) -> m.Job:
        result = {
            "key": "", "seq": -1 if request.dry_run else 4, "nodes": 8, "link": "magnet:?xs=urn:btpk:", "version": "",
            "size": 10, "files": 2, "hashed": 10, "added": ["new.html"], "changed": ["index.html"], "removed": ["old"],
            "fetch": 10, "more": 0, "passed_over": [".git"], "has_start": True}
        job = m.Job("abc", "publish", request.folder, "done", 1.0, "", 1, result)
        self.works[job.id] = job
        return job

    async def publishing_keys(self) -> km.PublishingKeys:
        return km.PublishingKeys(tuple(self.known_keys.values()))

    def _publishing_key(self, name: str) -> km.PublishingKey:
        if name not in self.known_keys:
            raise UsageError(f"there is no key {name}", code="no_key")
        return self.known_keys[name]

    async def make_publishing_key(self, request: km.PublishingKeyRequest) -> km.PublishingKey:
        if request.name in self.known_keys:
            raise UsageError(f"there is a key {request.name} already", code="key_exists")
        self.known_keys[request.name] = km.PublishingKey(request.name, "ab" * 32, "cd" * 32, True, 0, "")
        return self.known_keys[request.name]

    async def export_publishing_key(self, name: str, request: km.KeyExport) -> km.KeyFile:
        self.known_keys[name] = msgspec.structs.replace(self._publishing_key(name), exported_at=1_800_000_000)
        return km.KeyFile(f"wildbach-key 1\n{len(request.passphrase)}\n")

    async def import_publishing_key(self, request: km.KeyImport) -> km.PublishingKey:
        if request.passphrase != PASSWORD:
            raise UsageError("the passphrase is another one, or the file was changed", code="wrong_passphrase")
        return await self.make_publishing_key(km.PublishingKeyRequest(request.name or "copy"))

    async def recovery_words(self, name: str, request: km.RecoveryWish) -> km.RecoveryWords:
        if not self._publishing_key(name).recovery_here:
            raise UsageError(f"the recovery key of {name} was erased from here", code="recovery_needed")
        return km.RecoveryWords("wbr-0000")

    async def erase_recovery(self, name: str, request: km.RecoveryWords) -> km.PublishingKey:
        if request.words != "wbr-0000":
            raise UsageError(f"this is not the recovery key of {name}, so nothing was erased", code="wrong_recovery")
        self.known_keys[name] = msgspec.structs.replace(self._publishing_key(name), recovery_here=False)
        return self.known_keys[name]

    async def rotate_publishing_key(self, name: str, request: km.KeyRotation) -> km.KeyRotated:
        key = self._publishing_key(name)
        if not key.recovery_here and not request.words:
            raise UsageError(f"the recovery key of {name} was erased from here", code="recovery_needed")
        self.known_keys[name] = msgspec.structs.replace(key, public="ef" * 32, recovery_here=True)
        return km.KeyRotated(
            self.known_keys[name], key.public, (f"magnet:?xs=urn:btpk:{'ef' * 32}",), request.good, 8,
            bool(request.good), ("77622d6368",) if request.words else ())

    # -- the wallet

    def _purse(self) -> wm.WalletStatus:
        if self.purse is None:
            raise UsageError("there is no wallet here: make one, or import one", code="no_wallet")
        return self.purse

    def _unlocked(self, passphrase: str) -> None:
        if passphrase != PASSWORD:
            raise UsageError("this is not the passphrase of the wallet", code="wrong_passphrase")

    def _filled(self, kind: str) -> wm.WalletStatus:
        if self.purse is not None:
            raise UsageError("there is a wallet here already", code="wallet_exists")
        self.purse = wm.WalletStatus(
            exists=True, kind=kind, address=PAYER, network="nile", chain_id="0xcd8690dc", play_money=True, witnesses=1,
            consent="", locked=kind != "watched", signer=PAYEE, funds=wm.WalletFunds(
                5_000_000, True, 7, 1_800_000_000, 600, 0, 0))
        return self.purse

    async def wallet(self) -> wm.WalletStatus:
        return self.purse if self.purse is not None else wm.WalletStatus(
            exists=False, network="nile", chain_id="0xcd8690dc", play_money=True, witnesses=1, consent="")

    async def agree_to_wallet(self, consent: wm.WalletConsent) -> wm.WalletStatus:
        raise UsageError("this network asks for no confirmation", code="not_needed")

    async def draft_wallet(self, request: wm.WalletWordsRequest) -> wm.WalletWords:
        return wm.WalletWords("d", tuple(f"word{number}" for number in range(1, request.words + 1)), (2, 5))

    async def create_wallet(self, making: wm.WalletMaking) -> wm.WalletStatus:
        if making.id != "d":
            raise UsageError("these words are not known any more", code="not_found")
        if making.answers != ("word2", "word5"):
            raise UsageError("these are not the words that were asked for", code="not_written")
        return self._filled("words")

    async def import_wallet(self, request: wm.WalletImport) -> wm.WalletStatus:
        return self._filled("watched" if request.address else "words" if request.words else "key")

    async def change_wallet_passphrase(self, change: wm.WalletPassphraseChange) -> None:
        self._purse()
        self._unlocked(change.old)

    async def export_wallet_keystore(self, request: wm.WalletPassphrase) -> wm.WalletKeystore:
        self._purse()
        self._unlocked(request.passphrase)
        return wm.WalletKeystore("{}")

    async def check_wallet_words(self, paper: wm.WalletPaper) -> wm.WalletStatus:
        self.purse = msgspec.structs.replace(self._purse(), backed_up_at=1)
        return self.purse

    async def quote_wallet_send(self, request: wm.WalletQuoteRequest) -> wm.WalletQuote:
        return wm.WalletQuote(
            "q", request.to, "", request.amount, 0, 0, 1_100_000, 0, 1_100_000, 5_000_000, 0,
            (wm.WalletCaution("first_time", "nothing was sent to this address before"),))

    async def quote_tip(self, word: str, tip: wm.WalletTip) -> wm.WalletQuote:
        await self.channel(word)
        self._purse()
        return await self.quote_wallet_send(wm.WalletQuoteRequest(PAYEE, tip.amount, tip.memo))

    async def quote_site_tip(self, word: str, tip: wm.WalletTip) -> wm.WalletQuote:
        self._site(word)
        self._purse()
        return await self.quote_wallet_send(wm.WalletQuoteRequest(PAYEE, tip.amount, tip.memo))

    async def tip_targets(self, key: str) -> wm.WalletTipTargets:
        return wm.WalletTipTargets((wm.WalletTipTarget("channel", "a" * 52, "Birds", PAYEE, ""),))

    async def send_from_wallet(self, request: wm.WalletSendRequest) -> wm.WalletSend:
        self._purse()
        self._unlocked(request.passphrase)
        if request.quote != "q":
            raise UsageError("what was shown is too old", code="not_found")
        self.purse_sends["q"] = wm.WalletSend(
            "q", "transfer", "pending", PAYEE, "", 5, 0, "ab" * 32, 0, 1_800_000_000, 0, "")
        return self.purse_sends["q"]

    async def wallet_sends(self, query: wm.WalletSendsQuery) -> wm.WalletSends:
        self._purse()
        found = tuple(self.purse_sends.values())
        return wm.WalletSends(found[query.offset :][: query.limit], len(found))

    async def wallet_table(self) -> bytes:
        self._purse()
        return b"created\r\n"

    async def wallet_book(self) -> wm.WalletBook:
        self._purse()
        return wm.WalletBook(tuple(self.purse_book.values()))

    async def put_wallet_address(self, known: wm.WalletKnown) -> wm.WalletKnown:
        self._purse()
        self.purse_book[known.address] = known
        return known

    async def remove_wallet_address(self, known: wm.WalletKnownAddress) -> None:
        self._purse()
        if self.purse_book.pop(known.address, None) is None:
            raise UsageError("this address is not in the book", code="not_found")

    async def make_fee_key(self) -> wm.WalletStatus:
        self._purse()
        if self.purse.fee_key:
            raise UsageError("there is a fee key already", code="key_exists")
        self.purse = msgspec.structs.replace(self._purse(), fee_key=PAYEE)
        return self.purse

    async def renew_signer(self, request: wm.WalletPassphrase) -> wm.WalletStatus:
        self._purse()
        self._unlocked(request.passphrase)
        self.purse = msgspec.structs.replace(self._purse(), signer=PAYEE)
        return self.purse

    async def forget_adrift(self, request: wm.WalletPassphrase) -> wm.WalletBounds:
        return await self.reopen_wallet_day(request)

    async def reopen_wallet_day(self, request: wm.WalletPassphrase) -> wm.WalletBounds:
        self._purse()
        self._unlocked(request.passphrase)
        return await self.wallet_limits()

    async def wallet_limits(self) -> wm.WalletBounds:
        self._purse()
        return wm.WalletBounds(self.purse_limits, wm.WalletUsage(0, 0, 0, False))

    async def set_wallet_limits(self, change: wm.WalletLimitsChange) -> wm.WalletBounds:
        self._purse()
        if change.limits.per_day > self.purse_limits.per_day:
            self._unlocked(change.passphrase)
        self.purse_limits = change.limits
        return await self.wallet_limits()

    async def payments(self) -> pay.PayStatus:
        return pay.PayStatus(
            sell=True, buy=False, price=33_000, most=33_000, open=False, problem="no vault is configured",
            code="no_vault", vault="", delay=0,
            torrents=tuple(pay.PayTorrent(key, key, licence) for key, licence in self.licences.items()))

    async def set_payment(self, key: str, mark: pay.PayMark) -> pay.PayTorrent:
        if key not in self.rows:
            raise UsageError("there is no such torrent", code="not_found")
        self.licences[key] = mark.licence
        return pay.PayTorrent(key, key, mark.licence)

    async def quote_payment(self, wanted: pay.PayOrder) -> wm.WalletQuote:
        self._purse()
        return wm.WalletQuote("q", PAYEE, "", wanted.amount, 0, 2_206_500, 0, 0, 2_206_500, 5_000_000, 0, ())

    async def payment_rows(self, query: pay.PayRowsQuery) -> pay.PayRows:
        row = pay.PayRow(1, 1_800_000_000, "voucher", "held", "earned", 5, PAYEE, "")
        return pay.PayRows((row,)[: query.limit], {"held": 5, "earned": -5})

    async def payment_table(self) -> bytes:
        return b"number\r\n"

    async def sponsored(self) -> pay.PaySponsoredList:
        return pay.PaySponsoredList(tuple(self.agreements.values()))

    async def sponsor(self, wanted: pay.PaySponsoring) -> pay.PaySponsored:
        if wanted.key not in self.rows:
            raise UsageError("there is no such torrent", code="not_found")
        made = pay.PaySponsored(
            1, wanted.key, wanted.key, wanted.payee, f"{wanted.host}:{wanted.port}", wanted.rate, wanted.price,
            wanted.period, wanted.periods, wanted.probes, 1_800_000_000, 0, 0, 0, 0, 0, 0, 0, wanted.price, False, "")
        self.agreements["1"] = made
        return made

    async def stop_sponsoring(self, id: str) -> None:
        if self.agreements.pop(id, None) is None:
            raise UsageError("nobody is sponsored under this number", code="not_found")

    async def sponsored_probes(self, id: str) -> pay.PayProbes:
        if id not in self.agreements:
            raise UsageError("nobody is sponsored under this number", code="not_found")
        return pay.PayProbes((pay.PayProbe(1_800_000_000, 0, "passed", 65_536, 1_000_000),))

    async def sponsored_periods(self, id: str) -> pay.PayPeriods:
        if id != "1":
            raise UsageError("there is no such agreement", code="no_such_agreement")
        return pay.PayPeriods((
            pay.PayPeriod(0, 1, 8, 8, "passed", True), pay.PayPeriod(1, 86_401, 2, 1, "running", False)))

    async def seeded_for(self) -> pay.PaySeedings:
        return pay.PaySeedings(tuple(self.seedings.values()))

    async def seed_for(self, key: str, wanted: pay.PaySeedingWanted) -> pay.PaySeeding:
        if key not in self.rows:
            raise UsageError("there is no such torrent", code="not_found")
        made = self.seedings[key] = pay.PaySeeding(
            key, key, wanted.payer, wanted.price, wanted.period, wanted.periods, 1_800_000_000, 0, 0, 0, "unknown", 0)
        return made

    async def stop_seeding_for(self, key: str) -> None:
        if self.seedings.pop(key, None) is None:
            raise UsageError("nobody pays for the seeding of this torrent", code="not_found")

    async def channels(self) -> chm.Channels:
        return chm.Channels(tuple(self.known_channels.values()))

    async def channel(self, word: str) -> chm.Channel:
        if word not in self.known_channels:
            raise UsageError(f"there is no channel {word}", code="not_found")
        return self.known_channels[word]

    async def follow_channel(self, following: chm.ChannelFollowing) -> chm.Channel:
        made = channel_view("Birds", name=following.name, auto=following.auto)
        self.known_channels[made.title] = made
        return made

    async def create_channel(self, making: chm.ChannelMaking) -> chm.Channel:
        made = channel_view(making.title, own=making.key, text=making.text, payout=making.payout)
        self.known_channels[made.title] = made
        return made

    async def change_channel(self, word: str, patch: chm.ChannelPatch) -> chm.Channel:
        there = await self.channel(word)
        given = {key: value for key, value in msgspec.structs.asdict(patch).items() if value is not msgspec.UNSET}
        given.pop("picture", None)
        if given.pop("payout_seen"):
            given["payout_was"] = ""
        if "name" in given:
            given["title"] = given.pop("name")
        self.known_channels[word] = msgspec.structs.replace(there, **given)
        return self.known_channels[word]

    async def unfollow_channel(self, word: str) -> None:
        await self.channel(word)
        del self.known_channels[word]

    async def channel_items(self, query: chm.ItemQuery) -> chm.ChannelItems:
        self.queries.append(query)
        return chm.ChannelItems((channel_item("The owl"),), more=False)

    async def look_at_channel(self, word: str) -> chm.Channel:
        self.known_channels[word] = msgspec.structs.replace(await self.channel(word), new=0)
        return self.known_channels[word]

    async def download_item(self, word: str, item: chm.ItemWord) -> chm.Download:
        await self.channel(word)
        return chm.Download("ab" * 20)

    async def channel_feed(self, word: str) -> bytes:
        await self.channel(word)
        return b"<rss/>"

    async def channel_drafts(self, word: str) -> chm.ChannelItems:
        await self.channel(word)
        return chm.ChannelItems((channel_item("Waiting"),), more=False)

    async def add_channel_items(self, word: str, making: chm.ItemMaking) -> m.Job:
        await self.channel(word)
        self.queries.append(making)
        made = [{"guid": f"g{number}", "title": path} for number, path in enumerate((*making.paths, *making.torrents))]
        return self._worked("channel_add", word, {"items": made, "count": len(made)})

    async def change_channel_item(self, word: str, change: chm.ItemChange) -> chm.ChannelItem:
        await self.channel(word)
        return channel_item(str(change.words.title))

    async def remove_channel_item(self, word: str, item: chm.ItemWord) -> None:
        await self.channel(word)

    async def publish_channel(self, word: str, publishing: chm.Publishing) -> m.Job:
        await self.channel(word)
        self.queries.append(publishing)
        return self._worked("channel_publish", word, {
            "key": "", "seq": 4, "nodes": 8, "link": "magnet:?xs=urn:btpk:", "added": 2, "sealed": 0, "items": 2})

    def _worked(self, kind: str, title: str, result: dict[str, Any]) -> m.Job:
        job = m.Job("abc", kind, title, "done", 1.0, "", 1, result)
        self.works[job.id] = job
        return job

    async def access(self) -> m.AccessView:
        return await self.who.access()

    async def change_access(self, patch: m.AccessPatch) -> m.AccessView:
        return await self.who.change_access(patch)

    async def set_password(self, password: m.Password) -> None:
        await self.who.set_password(password)

    async def api_keys(self) -> m.ApiKeys:
        return await self.who.api_keys()

    async def make_api_key(self, request: m.KeyRequest) -> m.ApiKey:
        return await self.who.make_api_key(request)

    async def remove_api_key(self, id: str) -> None:
        await self.who.remove_api_key(id)

    async def make_start_link(self) -> m.StartLink:
        return await self.who.make_start_link()

    async def login_sessions(self) -> m.LoginSessions:
        return await self.who.login_sessions()

    async def end_login_session(self, id: str) -> None:
        await self.who.end_login_session(id)


@dataclass
class Serving:
    web: WebServer
    access: Access
    api: FakeApi
    keeper: FakeKeeper
    port: int
    key: str
    "An API key of a user; empty where no password is set."
    guest_key: str
    settings: ApiSettings
    "Those that hold now."

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextlib.asynccontextmanager
async def serving(
    settings: ApiSettings | None = None, *, password: str = PASSWORD, site: Site | None = None,
) -> AsyncIterator[Serving]:
    """A client with a user `admin`, a web server on a port of its own, and keys for both roles."""
    keeper = FakeKeeper()
    there: list[Serving] = []
    first = settings if settings is not None else ApiSettings()
    access = Access(keeper, lambda: there[0].settings if there else first)
    await access.load()
    api = FakeApi(access)
    key = guest = ""
    if password:
        await access.set_password(m.Password(password))
        key = (await access.make_api_key(m.KeyRequest("user"))).secret
        guest = (await access.make_api_key(m.KeyRequest("guest", "guest"))).secret
    web = WebServer(api, access, lambda: there[0].settings if there else first, site)
    at = await web.http.start("127.0.0.1", 0)
    there.append(Serving(web, access, api, keeper, at.port, key, guest, first))
    try:
        yield there[0]
    finally:
        await web.close()
        access.close()
