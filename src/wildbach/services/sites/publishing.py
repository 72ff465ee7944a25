"""Publishing a folder as a site: what changed, a torrent of it, seeded where it lies, and the head that leads to it.

The folder is only read, but for the address for tips where one is named. In the torrent's place comes the next one when
that is published; readers keep the older versions.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

import msgspec

from wildbach.base import limits
from wildbach.base.errors import UsageError
from wildbach.protocol.metainfo import Metainfo, MutableLink
from wildbach.protocol.payouts import checked
from wildbach.protocol.sitefiles import Difference, SiteTree, difference
from wildbach.services.sites import state
from wildbach.services.sites.events import SitePublished
from wildbach.services.sites.seams import Copy, Head, Maker, Stamps
from wildbach.services.sites.service import Sites, checked_name, led_to, payout_of, with_payout, with_version
from wildbach.services.sites.state import Keeper, Site


@dataclass(frozen=True, slots=True)
class Plan:
    """What to publish."""

    folder: Path
    key: str
    "The name of the secret key."
    name: str = ""
    "What the site is called; empty: as before, or like the key."
    web_seeds: tuple[str, ...] = ()
    "URLs at which the same folder is served by a web server."
    adopt: bool = False
    hidden: bool = False
    "Hidden files, too."
    dry_run: bool = False
    payout: str = ""
    "Where tips go: it is written into the folder's /.well-known/wildbach.json; empty: what that says, if it is there."


@dataclass(frozen=True, slots=True)
class Outcome:
    key: bytes
    "The public key; empty where a dry run has made none."
    difference: Difference
    size: int
    files: int
    hashed: int
    passed_over: tuple[str, ...]
    has_start: bool
    "There is an index.html at the top."
    seq: int = -1
    "-1: nothing was published."
    nodes: int = 0
    confirmed: bool = False
    "A fresh look into the network gave it back."
    version: str = ""
    link: str = ""


class Publisher:
    def __init__(self, sites: Sites, keeper: Keeper, maker: Maker, *, wall: Callable[[], float] = time.time) -> None:
        self._sites = sites
        self._keeper = keeper
        self._maker = maker
        self._wall = wall

    async def publish(self, plan: Plan, progress: Callable[[float], None]) -> Outcome:
        """Raises UsageError, StorageError; NetworkError where the head reached nobody, and then nothing has changed."""
        checked_name(plan.name)
        if plan.payout:
            checked(plan.payout)
        key = await self._sites.heads.public_key(plan.key, make=not plan.dry_run)
        site = (self._sites.get(key) if key is not None else None) or self._named(plan.key)
        former = await self._former(site)
        web_seeds, torrent_name = _web_seeds(plan.web_seeds)
        seeds = web_seeds or (site.web_seeds if site is not None else ())
        old = former.metainfo if former is not None else None
        name = torrent_name or (old.info.name if old is not None else "") or _safe(plan.key)
        known = (old, await self._stamps(site)) if old is not None and site is not None else None
        if plan.payout and not plan.dry_run:
            await self._maker.name_payout(plan.folder, plan.payout)
        built = await self._maker.build(
            plan.folder, name, known=known, web_seeds=seeds, hidden=plan.hidden, progress=progress)
        info = built.metainfo.info
        if len(info.files) > limits.SITE_FILES:
            raise UsageError(f"{len(info.files)} files are more than SITE_FILES = {limits.SITE_FILES}",
            code="too_large")
        outcome = Outcome(
            key or b"", difference(old.info if old is not None else None, info), info.size,
            sum(file.written for file in info.files), built.hashed, built.passed_over, SiteTree(info).has_start)
        if plan.dry_run or key is None:
            return outcome
        return await self._send(plan, key, built.metainfo, built.stamps, seeds, former, outcome)

    async def _send(
        self, plan: Plan, key: bytes, metainfo: Metainfo, stamps: Stamps, seeds: tuple[str, ...], former: Copy | None,
        outcome: Outcome,
    ) -> Outcome:
        sites, info = self._sites, metainfo.info
        old = self._named(plan.key)
        site = sites.get(key) or Site(key.hex(), opened_at=int(self._wall()), name=old.name if old is not None else "")
        name = plan.name or site.name or plan.key
        there = sites.torrents.find(info.hashes)
        copy = there if there is not None else await sites.torrents.seed(metainfo, plan.folder, name=name)
        try:
            payout = await payout_of(copy, info)
            sent = await sites.heads.publish(plan.key, info.hashes, adopt=plan.adopt)
        except BaseException:
            # Nobody heard of it: what was published before goes on.
            if there is None:
                await sites.torrents.remove(copy)
            raise
        link = MutableLink(key, name=name, web_seeds=seeds, recovery=sent.recovery)
        now = int(self._wall())
        before = {one.key for one in site.versions}
        site = sites.get(key) or site
        site = led_to(site, Head(info.hashes, sent.seq), now)
        version = msgspec.structs.replace(
            site.versions[-1], size=info.size, files=outcome.files, complete=True, refused="", payout=payout)
        site = with_version(msgspec.structs.replace(
            site, name=name, own=plan.key, folder=str(plan.folder), seq=sent.seq, heard_at=now, used_at=now,
            link=link.to_uri(), web_seeds=seeds), version)
        site = with_payout(site)
        await self._keeper.keep(state.STAMPS, {site.key: state.encode_stamps(stamps)})
        await sites.save(site, durable=True)
        if old is not None and old.id != key:
            # Its key gave way to another: the old address is followed like that of anybody.
            await sites.save(msgspec.structs.replace(old, own="", folder=""), durable=True)
        if former is not None and former is not copy and version.key not in before:
            await sites.torrents.remove(former)
        sites.tell(SitePublished(site.label, site.name, sent.seq, version.label))
        return replace(
            outcome, seq=sent.seq, nodes=sent.nodes, confirmed=sent.confirmed, version=version.label,
            link=link.to_uri())

    def _named(self, name: str) -> Site | None:
        """The site that is published under this name of a key, whichever key that was."""
        return next((view.site for view in self._sites.views() if view.site.own == name), None)

    async def _former(self, site: Site | None) -> Copy | None:
        """The version that was published from here last."""
        newest = site.newest if site is not None and site.folder else None
        copy = self._sites.torrents.find(newest.hashes) if newest is not None else None
        if copy is not None and copy.whole:
            await copy.metadata()
        return copy

    async def _stamps(self, site: Site) -> Stamps:
        raw = (await self._keeper.kept(state.STAMPS)).get(site.key)
        return state.decode_stamps(raw) if raw is not None else {}

    async def changed(self, site: Site) -> tuple[str, ...]:
        """The files of the folder that are not as they were published."""
        if not site.folder:
            return ()
        return await self._maker.changed(Path(site.folder), await self._stamps(site))


def _web_seeds(urls: tuple[str, ...]) -> tuple[tuple[str, ...], str]:
    """URLs of the folder as a web server shows it → those of BEP 19, which lack the name of the torrent at the end,
    and that
    name. Raises UsageError where they disagree.
    """
    names: dict[str, None] = {}
    out = []
    for url in urls:
        try:
            parts = urlsplit(url)
        except ValueError:
            parts = urlsplit("")
        path = parts.path.rstrip("/")
        above, _, name = path.rpartition("/")
        if parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment:
            raise UsageError(f"{url!r} is no web seed: http or https, and the folder of the site, are needed")
        if not name:
            raise UsageError(
                f"{url}: a web seed has the site in a folder (BEP 19), as in https://example.org/blog/, because the "
                "name of the folder is the name of the torrent")
        names[unquote(name)] = None
        out.append(f"{parts.scheme}://{parts.netloc}{above}/")
    if len(names) > 1:
        raise UsageError("the folders at the web seeds have different names; a torrent has one")
    return tuple(dict.fromkeys(out)), next(iter(names), "")


def _safe(name: str) -> str:
    return name.strip(".") or "site"
