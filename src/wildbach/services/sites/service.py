"""The sites that were opened here or are published from here: what each leads to, and what of it is on this disk.

Nothing is asked or fetched for a key that nobody said yes to: only `open` and `publish` make one known. A head with a
lower
number than the highest seen is passed over,
and silence is never taken for "unchanged": `heard_at` says when the network last
told of a head.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import msgspec

from wildbach.base import limits
from wildbach.base.errors import FormatError, NetworkError, StorageError, UsageError, WildbachError
from wildbach.base.events import Event
from wildbach.base.words import plural
from wildbach.protocol import payouts
from wildbach.protocol.metainfo.info import Info
from wildbach.protocol.sites import SiteLink
from wildbach.runtime.tasks import Scope
from wildbach.services.sites import state
from wildbach.services.sites.events import SiteFailed, SitePayoutChanged, SiteUpdated
from wildbach.services.sites.seams import Copy, Head, Heads, Torrents
from wildbach.services.sites.settings import SiteSettings
from wildbach.services.sites.state import Keeper, Site, Version
from wildbach.services.sites.views import Shown, SiteView, VersionView

_AT_ONCE: Final = 4
"Sites that are looked up at the same time."
_AGAIN_SECONDS: Final = 60.0
"A site that is in use is asked for no more often."
_RETRY_SECONDS: Final = 30.0
"Until one of which nothing is known yet is asked for again; doubled each time, up to the setting."
_NOTE_SECONDS: Final = 60


@dataclass(slots=True)
class _Live:
    """What holds for this run only."""

    due: float = 0.0
    asked: float = float("-inf")
    fails: int = 0
    problem: str = ""
    looking: bool = False
    fetching: asyncio.Task[None] | None = None
    fetched: str = ""
    "`Version.key` of what is being fetched."
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class Sites:
    """Make it, `load` it, `close` it. What changes something raises UsageError or StorageError, and nothing changed."""

    def __init__(
        self, scope: Scope, *, settings: Callable[[], SiteSettings], keeper: Keeper, heads: Heads, torrents: Torrents,
        publish: Callable[[Event], None], report: Callable[[Exception], None], wall: Callable[[], float] = time.time,
    ) -> None:
        """`wall`: seconds since 1970."""
        self._scope = scope.child("sites")
        self._settings = settings
        self._keeper = keeper
        self.heads = heads
        self.torrents = torrents
        self.tell = publish
        self._report = report
        self.wall = wall
        self._clock = asyncio.get_running_loop().time
        self._sites: dict[bytes, Site] = {}
        self._live: dict[bytes, _Live] = {}
        self._versions: dict[bytes, bytes] = {}
        "Which site has a version, by its v2 hash."
        self._lock = asyncio.Lock()
        self._wake = asyncio.Event()
        self._back = False
        "The torrents of the last run are listed."

    async def load(self) -> None:
        """Take what the last run kept, and begin."""
        for name, raw in (await self._keeper.kept(state.AREA)).items():
            try:
                self._take(state.decode(name, raw))
            except FormatError as error:
                self._report(error)
        self._scope.spawn("look", self._run(), contain=self._report)

    async def close(self) -> None:
        await self._scope.close()

    # -- looking at what is known

    def get(self, key: bytes) -> Site | None:
        return self._sites.get(key)

    def known(self, key: bytes) -> bool:
        """Somebody said yes to this key, or publishes under it."""
        return key in self._sites

    def find(self, word: str) -> Site:
        """By its name, the beginning of its label, or its key in hex. Raises UsageError where none or several fit."""
        named = [site for site in self._sites.values() if site.name == word or site.own == word]
        found = named or [
            site for site in self._sites.values()
            if word and (site.label.startswith(word.lower()) or site.key.startswith(word.lower()))]
        if len(found) == 1:
            return found[0]
        raise UsageError(
            f"there is no site {word}" if not found else f"{word} stands for {len(found)} sites; say more of the key",
            code="not_found" if not found else "ambiguous")

    def views(self) -> list[SiteView]:
        """All, what was used last first."""
        return sorted((self.view(site) for site in self._sites.values()), key=lambda view: -view.site.used_at)

    def view(self, site: Site) -> SiteView:
        shown = self._shown(site)
        newest = site.newest
        coming = newest if newest is not None and newest != shown and not newest.refused and not site.pinned else None
        size, share = 0, 0.0
        for version in site.versions:
            copy = self.torrents.find(version.hashes)
            if copy is None:
                continue
            progress = copy.progress()
            size += progress.done
            if version == (coming or shown):
                share = 1.0 if copy.whole else progress.done / progress.size if progress.size else 0.0
        copy = self.torrents.find(shown.hashes) if shown is not None else None
        now = copy.progress() if copy is not None else None
        return SiteView(
            site, shown, coming, share, size, now.seeds if now is not None else 0, now.peers if now is not None else 0,
            self._reason(site, copy))

    def versions(self, site: Site) -> list[VersionView]:
        """Newest first."""
        shown, out = self._shown(site), []
        for version in reversed(site.versions):
            copy = self.torrents.find(version.hashes)
            progress = copy.progress() if copy is not None else None
            share = progress.done / progress.size if progress is not None and progress.size else 0.0
            whole = copy is not None and copy.whole
            out.append(VersionView(version, whole, 1.0 if whole else share, version == shown))
        return out

    def _reason(self, site: Site, copy: Copy | None) -> str:
        problem = self._of(site.id).problem
        if problem:
            return problem
        if site.newest is None:
            asked = self._of(site.id).asked != float("-inf")
            return "looking for the site" if asked else "the network was not asked yet"
        if site.newest.refused:
            return site.newest.refused
        return copy.progress().reason if copy is not None and not copy.whole else ""

    def shown(self, key: bytes) -> Shown | None:
        """What the address of a key leads to; None while nothing is known of it."""
        site = self._sites.get(key)
        version = self._shown(site) if site is not None else None
        if site is None or version is None:
            return None
        return Shown(site, version, self.torrents.find(version.hashes), version == site.newest)

    def shown_version(self, v2: bytes) -> Shown | None:
        """One version for ever; None where it is in no known site's history."""
        site = self._sites.get(self._versions.get(v2, b""))
        version = next((one for one in site.versions if one.v2 == v2.hex()), None) if site is not None else None
        if version is None:
            return None
        return Shown(site, version, self.torrents.find(version.hashes), site is not None and version == site.newest)

    def _shown(self, site: Site) -> Version | None:
        """The pinned version; else the newest that is complete; else the newest of which something is here."""
        best: Version | None = None
        for version in reversed(site.versions):
            if site.pinned and version.key == site.pinned:
                return version
            copy = self.torrents.find(version.hashes) if not site.pinned else None
            # Only what was looked at once: a head may name any torrent, also one that the reader has on their own.
            if copy is not None and copy.whole and version.complete:
                return version
            if best is None and copy is not None and copy.info is not None and not version.refused:
                best = version
        if site.pinned:
            return next((one for one in site.versions if one.key == site.pinned), site.newest)
        return best or site.newest

    async def arrived(self, key: bytes, seconds: float) -> Shown | None:
        """The same as `shown`, waited for until its files are listed, or so long."""
        try:
            async with asyncio.timeout(seconds):
                while True:
                    shown = self.shown(key)
                    if shown is not None and shown.copy is not None and shown.copy.whole:
                        await shown.copy.metadata()
                        return shown
                    if shown is not None and shown.copy is not None and shown.copy.info is not None:
                        return shown
                    live = self._of(key)
                    live.changed.clear()
                    await live.changed.wait()
        except TimeoutError:
            return self.shown(key)

    def problem(self, key: bytes) -> str:
        """What is wrong with a site, in plain words."""
        site = self._sites.get(key)
        if site is None:
            return ""
        version = self._shown(site)
        return self._reason(site, self.torrents.find(version.hashes) if version is not None else None)

    # -- what people do

    async def open(self, link: SiteLink, *, name: str = "", most_size: int = 0) -> Site:
        """Say yes to a site: it is looked up, fetched and given to others from now on. Of one that is known: its
        trackers
        and peers are learned, and it is asked for now. Raises UsageError where there are too many.
        """
        name = checked_name(name)
        async with self._lock:
            now = int(self.wall())
            site = self._sites.get(link.key)
            if site is None:
                if len(self._sites) >= limits.SITES:
                    raise UsageError(f"no more than SITES = {limits.SITES} sites are known at a time; forget some")
                site = Site(link.key.hex(), opened_at=now)
            uri = link.mutable.to_uri() if link.mutable is not None else site.link
            web_seeds = tuple(dict.fromkeys((*(link.mutable.web_seeds if link.mutable is not None else ()),
            *site.web_seeds)))
            called = name or site.name or (link.mutable.name[: limits.SITE_NAME] if link.mutable is not None else "")
            site = msgspec.structs.replace(
                site, name=called, used_at=now, link=uri, web_seeds=web_seeds[: limits.WEB_SEEDS_PER_TORRENT],
                most_size=max(site.most_size, most_size))
            if most_size and site.newest is not None and site.newest.refused:
                site = with_version(site, msgspec.structs.replace(site.newest, refused=""))
            await self.save(site, durable=True)
        newest = self.torrents.find(site.newest.hashes) if site.newest is not None else None
        if newest is not None and link.mutable is not None:
            await self.torrents.meet(newest, site.link)
        self._ensure(site, used=True)
        self.look_soon(link.key, force=True)
        return site

    async def forget(self, key: bytes) -> None:
        """Its files and what is remembered of it go; a folder it was published from stays as it is."""
        async with self._lock:
            site = self._must(key)
            live = self._live.pop(key, _Live())
            if live.fetching is not None:
                live.fetching.cancel()
            for version in site.versions:
                await self._drop(site, version)
            await self._keeper.keep(state.AREA, {site.key: None}, durable=True)
            await self._keeper.keep(state.STAMPS, {site.key: None})
            del self._sites[key]
            for version in site.versions:
                if version.v2:
                    self._versions.pop(bytes.fromhex(version.v2), None)
            for other in list(self._sites.values()):
                self._take(other)  # versions that it shared with others
        self.heads.tell(key, None)
        self.heads.forget(key)
        live.changed.set()

    async def change(
        self, key: bytes, *, name: str | None = None, keep: bool | None = None, foreign: bool | None = None,
        pinned: str | None = None, payout_seen: bool = False,
    ) -> Site:
        """`pinned`: a version as `Site.version` finds it; empty for the newest. `payout_seen`: the address for tips
        that it names now is right.
        """
        async with self._lock:
            site = self._must(key)
            if pinned:
                version = site.version(pinned)
                if version is None:
                    raise UsageError(f"there is no version {pinned} of this site", code="not_found")
                pinned = version.key
            site = msgspec.structs.replace(
                site, name=site.name if name is None else checked_name(name), keep=site.keep if keep is None else keep,
                foreign=site.foreign if foreign is None else foreign, pinned=site.pinned if pinned is None else pinned,
                payout_was="" if payout_seen else site.payout_was)
            await self.save(site, durable=True)
            await self._pins(site)
        self._ensure(site, used=True)
        if pinned == "":
            await self.tidy(key)
        return site

    def use(self, key: bytes) -> None:
        """Somebody looks at it: it is asked for again, if that is a while ago."""
        site = self._sites.get(key)
        if site is None:
            return
        now = int(self.wall())
        if now - site.used_at >= _NOTE_SECONDS:
            noted = msgspec.structs.replace(site, used_at=now)
            self._take(noted)
            self._scope.spawn("note", self._note(noted), contain=self._report)
        self._ensure(site, used=True)
        version = self._shown(site)
        copy = self.torrents.find(version.hashes) if version is not None else None
        if copy is not None:
            self.torrents.touch(copy)
        self.look_soon(key)

    async def _note(self, site: Site) -> None:
        try:
            await self._keeper.keep(state.AREA, {site.key: state.encode(site)})
        except StorageError as error:
            self._of(site.id).problem = error.message

    def look_soon(self, key: bytes, *, force: bool = False) -> None:
        live = self._of(key)
        if force or self._clock() - live.asked >= _AGAIN_SECONDS:
            live.due = self._clock()
            self._wake.set()

    # -- following

    async def _run(self) -> None:
        """One loop for all sites."""
        await self.torrents.ready()
        self._back = True
        for site in list(self._sites.values()):
            self.heads.tell(site.id, self._told(site.id))
            self._ensure(site)
            self._of(site.id).changed.set()
        gate = asyncio.Semaphore(_AT_ONCE)
        while True:
            self._wake.clear()
            now, soonest = self._clock(), float("inf")
            if self._settings().enabled:
                for key, site in list(self._sites.items()):
                    live = self._of(key)
                    if live.looking:
                        continue
                    if live.due <= now:
                        live.looking = True
                        self._scope.spawn(f"look:{site.label[:8]}", self._look(key, gate), contain=self._report)
                    else:
                        soonest = min(soonest, live.due)
            try:
                async with asyncio.timeout(None if soonest == float("inf") else max(0.0, soonest - now)):
                    await self._wake.wait()
            except TimeoutError:
                continue

    def _told(self, key: bytes) -> Callable[[], None]:
        return lambda: self.look_soon(key, force=True)

    async def _look(self, key: bytes, gate: asyncio.Semaphore) -> None:
        live = self._of(key)
        try:
            async with gate:
                live.asked = self._clock()
                await self._ask(key, live)
        finally:
            live.looking = False
            live.due = self._clock() + self._wait(key, live)
            live.changed.set()
            self._wake.set()

    def _wait(self, key: bytes, live: _Live) -> float:
        """Seconds until it is asked again."""
        settings, site = self._settings(), self._sites.get(key)
        period = settings.refresh_minutes * 60
        if site is not None and not site.versions:
            return min(period, _RETRY_SECONDS * float(1 << min(live.fails, 10)))
        if site is not None and not site.own and self.wall() - site.used_at > settings.forget_days * 86400:
            return float("inf")
        return period

    async def _ask(self, key: bytes, live: _Live) -> None:
        try:
            site = self._sites.get(key)
            head = await self.heads.newest(key, site.link if site is not None else "")
        except (NetworkError, FormatError) as error:
            live.problem = error.message
            live.fails += 1
            return
        if head is None:
            live.problem = "the network knows nothing under this key"
            live.fails += 1
            return
        live.fails = 0
        try:
            await self._heard(key, head, live)
        except StorageError as error:
            live.problem = error.message

    async def _heard(self, key: bytes, head: Head, live: _Live) -> None:
        async with self._lock:
            site = self._sites.get(key)
            if site is None:
                return
            newest = site.newest
            same = newest is not None and newest.hashes.matches(head.hashes)
            moved = head.signer.hex() if head.signer not in (b"", key) else ""
            if moved == site.signer and head.seq < site.seq:
                live.problem = (
                    f"the network answered with number {head.seq}, which is older than number {site.seq} that is "
                    "known; it is passed over")
                return
            if moved == site.signer and not same and head.seq == site.seq:
                live.problem = f"two versions have the number {head.seq}; the first one that was seen counts"
                return
            live.problem = head.reason
            now = int(self.wall())
            heard = now if head.heard_at is None else max(head.heard_at, site.heard_at)
            before = site
            site = msgspec.structs.replace(site, heard_at=heard, seq=head.seq, signer=moved)
            if not same:
                site = with_payout(led_to(site, head, now))
            elif newest is not None and newest.seq != head.seq:
                site = with_version(site, msgspec.structs.replace(newest, seq=head.seq))
            await self.save(site, durable=not same)
            self._tell_payout(before, site)
        self._ensure(site)

    # -- fetching

    def _ensure(self, site: Site, *, used: bool = False) -> None:
        """Have what the site is to show fetched, unless that goes on already. What the cache had no room for comes back
        only when it is `used`.
        """
        live = self._of(site.id)
        wanted = site.version(site.pinned) if site.pinned else site.newest
        if not self._back or wanted is None or wanted.refused:
            return
        if live.fetching is not None and not live.fetching.done():
            if live.fetched == wanted.key:
                return
            live.fetching.cancel()
        copy = self.torrents.find(wanted.hashes)
        if wanted.complete and (copy.whole if copy is not None else not used):
            return
        live.fetched = wanted.key
        live.fetching = self._scope.spawn(
            f"fetch:{site.label[:8]}", self._fetch(site.id, wanted), contain=self._report)

    async def _fetch(self, key: bytes, version: Version) -> None:
        live = self._of(key)
        try:
            await self._bring(key, version, live)
        except WildbachError as error:
            live.problem = error.message
            site = self._sites.get(key)
            if site is not None:
                self.tell(SiteFailed(site.label, site.name, error.message))
        finally:
            live.changed.set()

    async def _bring(self, key: bytes, version: Version, live: _Live) -> None:
        site = self._must(key)
        copy = self.torrents.find(version.hashes)
        if copy is None:
            former = next((
                found for one in reversed(site.versions)
                if one.key != version.key and (found := self.torrents.find(one.hashes)) is not None), None)
            copy = await self.torrents.fetch(
                version.hashes, link=site.link, web_seeds=site.web_seeds, similar=former, name=site.name or site.label)
        info = await copy.metadata()
        live.changed.set()
        refused = self._judge(self._must(key), info, here=copy.whole)
        v1, v2 = (info.hashes.v1 or b"").hex(), (info.hashes.v2 or b"").hex()
        version = msgspec.structs.replace(
            version, v1=v1, v2=v2, size=info.size, files=sum(file.written for file in info.files), refused=refused)
        await self._update(key, version)
        if refused:
            return
        await copy.begin()
        live.changed.set()
        await copy.complete()
        if not version.complete:
            version = msgspec.structs.replace(version, complete=True, payout=await payout_of(copy, info))
            await self._update(key, version)
            site = self._must(key)
            self.tell(SiteUpdated(site.label, site.name, version.seq, version.label))
        live.problem = ""
        live.changed.set()
        await self._pins(self._must(key))
        await self.tidy(key)

    def _judge(self, site: Site, info: Info, *, here: bool) -> str:
        """Why a version is not fetched, or not shown though all of it is `here`; empty where it is."""
        most = max(self._settings().most_size, site.most_size)
        if info.private:
            return "it is a private torrent, which no site can be"
        if here:
            return ""
        if len(info.files) > limits.SITE_FILES:
            return f"it has {plural(len(info.files), 'file')}, more than SITE_FILES = {limits.SITE_FILES}"
        if info.size > most:
            return f"it has {info.size:,} bytes, more than sites.most_size = {most:,}; nobody said yes to that yet"
        return ""

    async def _update(self, key: bytes, version: Version) -> None:
        """A version is known better."""
        async with self._lock:
            site = self._sites.get(key)
            if site is not None:
                now = with_payout(with_version(site, version))
                await self.save(now, durable=version.complete)
                self._tell_payout(site, now)

    def _tell_payout(self, before: Site, site: Site) -> None:
        if site.payout_was and site.payout != before.payout:
            self.tell(SitePayoutChanged(site.label, site.name, site.payout_was, site.payout))

    # -- what stays on the disk

    async def tidy(self, key: bytes) -> None:
        """Let go of versions that are older than those that are to stay."""
        site = self._must(key)
        shown = self._shown(site)
        if shown is None or shown not in site.versions:
            return
        spare = self._settings().versions if not site.own else 0
        for version in reversed(site.versions[: site.versions.index(shown)]):
            copy = self.torrents.find(version.hashes)
            if copy is None or version.key == site.pinned:
                continue
            if copy.whole and spare > 0:
                spare -= 1
                continue
            await self._drop(site, version)

    async def _pins(self, site: Site) -> None:
        """What is to stay stays; all else goes when the cache has no room."""
        for version in site.versions:
            copy = self.torrents.find(version.hashes)
            if copy is not None and not site.folder:
                await self.torrents.pin(copy, site.keep or version.key == site.pinned)

    async def _drop(self, site: Site, version: Version) -> None:
        copy = self.torrents.find(version.hashes)
        if copy is None:
            return
        # A head may name any torrent, also one of another site: that is not this key's to take away.
        others = (one for other in self._sites.values() if other.key != site.key for one in other.versions)
        if not any(one.hashes.matches(version.hashes) for one in others):
            await self.torrents.remove(copy)

    # -- state

    async def save(self, site: Site, *, durable: bool) -> None:
        """Written, then true."""
        await self._keeper.keep(state.AREA, {site.key: state.encode(site)}, durable=durable)
        fresh = site.id not in self._sites
        self._take(site)
        if fresh:
            self.heads.tell(site.id, self._told(site.id))
        self._of(site.id).changed.set()

    def _take(self, site: Site) -> None:
        self._sites[site.id] = site
        for version in site.versions:
            if version.v2:
                self._versions[bytes.fromhex(version.v2)] = site.id

    def _must(self, key: bytes) -> Site:
        site = self._sites.get(key)
        if site is None:
            raise UsageError("this site is not known here", code="not_found")
        return site

    def _of(self, key: bytes) -> _Live:
        live = self._live.get(key)
        if live is None:
            live = self._live[key] = _Live()
        return live


async def payout_of(copy: Copy, info: Info) -> str:
    """Where a version says that tips go; empty where it says nothing that can be read. Raises StorageError."""
    number = next((number for number, file in enumerate(info.files) if file.path.parts == payouts.PATH), None)
    if number is None or not 0 < info.files[number].length <= limits.SITE_FACTS_BYTES:
        return ""
    raw = b""
    async with copy.open(number) as file:
        while part := await file.read(len(raw), limits.SITE_FACTS_BYTES):
            raw += part
    try:
        return payouts.read_facts(raw).payout
    except FormatError:
        return ""


def led_to(site: Site, head: Head, now: int) -> Site:
    """Its newest version is another one. One that it led to before is not made twice."""
    before = next((one for one in site.versions if one.hashes.matches(head.hashes)), None)
    fresh = before if before is not None else Version(
        (head.hashes.v1 or b"").hex(), (head.hashes.v2 or b"").hex(), head.seq, now)
    fresh = msgspec.structs.replace(fresh, seq=head.seq)
    others = tuple(one for one in site.versions if one is not before)
    return msgspec.structs.replace(site, versions=(*others, fresh)[-limits.SITE_VERSIONS:])


def with_version(site: Site, version: Version) -> Site:
    """With this in place of the one that has a hash in common with it."""
    versions = tuple(version if one.hashes.matches(version.hashes) else one for one in site.versions)
    return msgspec.structs.replace(site, versions=versions)


def with_payout(site: Site) -> Site:
    """With the address for tips that its newest version names, once that is complete; another one is to be confirmed,
    but by who publishes it.
    """
    newest = site.newest
    if newest is None or not newest.complete:
        return site
    was = "" if site.own else payouts.former(site.payout_was, site.payout, newest.payout)
    return msgspec.structs.replace(site, payout=newest.payout, payout_was=was)


def checked_name(name: str) -> str:
    """Raises UsageError for what cannot be shown in a line."""
    name = name.strip()
    if len(name) > limits.SITE_NAME or not name.isprintable():
        raise UsageError(f"the name of a site has up to SITE_NAME = {limits.SITE_NAME} characters that can be shown")
    return name
