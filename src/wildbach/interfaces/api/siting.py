"""Sites: those that were opened here, and those that are published from here."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Final, Protocol

from msgspec import UNSET

from wildbach.base import limits
from wildbach.base.errors import UsageError
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api import sitemodels as sm
from wildbach.interfaces.api.core import Core
from wildbach.interfaces.api.jobs import Progress
from wildbach.protocol import sites as addresses
from wildbach.protocol.metainfo import MutableLink
from wildbach.protocol.sitefiles import Difference, difference
from wildbach.protocol.sites import Host
from wildbach.services.sites.publishing import Outcome, Plan, Publisher
from wildbach.services.sites.service import Sites
from wildbach.services.sites.state import Site, Version
from wildbach.services.sites.views import SiteView

_LISTED: Final = limits.SITE_LISTED


class Gateway(Protocol):
    """Where sites are shown."""

    @property
    def port(self) -> int: ...


class Siting:
    """A part of the Api."""

    core: Core
    site_service: Sites
    site_publisher: Publisher
    site_gateway: Gateway | None = None

    async def sites(self) -> sm.Sites:
        return sm.Sites(tuple(self._site(view) for view in self.site_service.views()), self._port)

    async def site(self, word: str) -> sm.SiteVersions:
        site = self.site_service.find(word)
        versions = tuple(
            sm.SiteVersion(
                seq=view.version.seq, hash=view.version.key, url=self._version_url(view.version),
                seen_at=view.version.at, size=view.version.size, files=view.version.files, here=view.here,
                progress=view.share, shown=view.shown, reason=view.version.refused)
            for view in self.site_service.versions(site))
        changed = await self.site_publisher.changed(site)
        return sm.SiteVersions(self._site(self.site_service.view(site)), versions, changed[:_LISTED])

    async def open_site(self, opening: sm.SiteOpening) -> sm.Site:
        link = addresses.parse_link(opening.address)
        site = await self.site_service.open(link, name=opening.name, most_size=opening.most_size)
        self.core.log.write("info", f"opened the site {site.name or site.label}")
        return self._site(self.site_service.view(site), path=link.path)

    async def change_site(self, word: str, patch: sm.SitePatch) -> sm.Site:
        site = await self.site_service.change(
            self.site_service.find(word).id, name=None if patch.name is UNSET else patch.name,
            keep=None if patch.keep is UNSET else patch.keep,
            foreign=None if patch.foreign is UNSET else patch.foreign,
            pinned=None if patch.pin is UNSET else patch.pin, payout_seen=patch.payout_seen)
        return self._site(self.site_service.view(site))

    async def forget_site(self, word: str) -> None:
        site = self.site_service.find(word)
        await self.site_service.forget(site.id)
        self.core.log.write("info", f"forgot the site {site.name or site.label}")

    async def site_difference(self, word: str, query: sm.SiteDifferenceQuery) -> sm.SiteDifference:
        site = self.site_service.find(word)
        new = _version(site, query.new) if query.new else next(
            (view.version for view in self.site_service.versions(site) if view.here), None)
        if new is None:
            raise UsageError("no version of it is here yet", code="not_found")
        place = site.versions.index(new)
        old = _version(site, query.old) if query.old else site.versions[place - 1] if place else None
        torrents = self.site_service.torrents
        infos = []
        for version in (old, new):
            copy = torrents.find(version.hashes) if version is not None else None
            if version is not None and (copy is None or (copy.info is None and not copy.whole)):
                raise UsageError(f"number {version.seq} is not here any more", code="not_found")
            infos.append(await copy.metadata() if copy is not None else None)
        if infos[1] is None:
            raise UsageError("no version of it is here yet", code="not_found")
        return _difference(difference(infos[0], infos[1]))

    async def publish_site(self, request: sm.SitePublication) -> m.Job:
        folder = await self.core.place(request.folder)
        plan = Plan(
            folder, request.key, request.name, request.web_seeds, request.adopt, request.hidden, request.dry_run,
            request.payout.strip())
        return self.core.jobs.start("publish", str(folder), partial(self._publish, plan))

    async def _publish(self, plan: Plan, progress: Progress) -> None:
        def hashed(share: float) -> None:
            progress.share = share

        progress.message = "reading the folder"
        done = await self.site_publisher.publish(plan, hashed)
        progress.message = ""
        progress.result |= _outcome(done)
        if done.key and done.seq >= 0:
            progress.result["url"] = self._url(Host("live", done.key))
            self.core.log.write("info", f"published {plan.folder} as number {done.seq} under the key {plan.key}")

    # -- as they are shown

    @property
    def _port(self) -> int:
        return self.site_gateway.port if self.site_gateway is not None else 0

    def _url(self, host: Host, path: str = "/") -> str:
        return f"http://{host.name}:{self._port}{path}" if self._port else ""

    def _version_url(self, version: Version) -> str:
        return self._url(Host("version", bytes.fromhex(version.v2))) if version.v2 else ""

    def _site(self, view: SiteView, *, path: str = "/") -> sm.Site:
        site = view.site
        pinned = next((version.seq for version in site.versions if version.key == site.pinned), -1)
        link = _link(site)
        whole = view.coming is None and view.share >= 1
        return sm.Site(
            key=site.label, name=site.name, url=self._url(Host("live", site.id), path), link=link.to_uri(),
            own=site.own, folder=site.folder, seq=site.seq, shown=view.shown.seq if view.shown is not None else -1,
            versions=len(site.versions), pinned=pinned, keep=site.keep, foreign=site.foreign, opened_at=site.opened_at,
            used_at=site.used_at, heard_at=site.heard_at, size=view.size, progress=1.0 if whole else view.share,
            updating=view.coming is not None, seeds=view.seeds, peers=view.peers, reason=view.reason,
            payout=site.payout, payout_was=site.payout_was)


def _link(site: Site) -> MutableLink:
    """To give to others: under the key that counts now, with what its readers were told of, and without peers."""
    known = MutableLink.parse(site.link) if site.link else MutableLink(site.id)
    if site.signer:
        return MutableLink(bytes.fromhex(site.signer), name=site.name, web_seeds=site.web_seeds)
    return replace(known, name=site.name, web_seeds=site.web_seeds, peers=(), first=None)


def _version(site: Site, word: str) -> Version:
    version = site.version(word)
    if version is None:
        raise UsageError(f"there is no version {word} of this site", code="not_found")
    return version


def _difference(found: Difference) -> sm.SiteDifference:
    more = sum(max(0, len(paths) - _LISTED) for paths in (found.added, found.changed, found.removed))
    return sm.SiteDifference(
        found.added[:_LISTED], found.changed[:_LISTED], found.removed[:_LISTED], found.fetch, more)


def _outcome(done: Outcome) -> dict[str, object]:
    """As JSON."""
    changes = _difference(done.difference)
    return {
        "key": addresses.label(done.key) if done.key else "", "seq": done.seq, "nodes": done.nodes,
        "confirmed": done.confirmed, "link": done.link,
        "version": done.version, "size": done.size, "files": done.files, "hashed": done.hashed,
        "added": list(changes.added), "changed": list(changes.changed), "removed": list(changes.removed),
        "fetch": changes.fetch, "more": changes.more, "passed_over": list(done.passed_over[:100]),
        "has_start": done.has_start,
    }

