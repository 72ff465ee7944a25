"""The Api as a guest has it: what changes something is refused, and URLs lose what could be a key.

Private trackers and feeds know their members by a key in the URL: who looks gets the host, and not the key.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Collection
from typing import Any, Final, cast
from urllib.parse import urlsplit

from msgspec.structs import replace

from wildbach.base.errors import UsageError, WildbachError
from wildbach.interfaces.api import channelmodels as chm
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api import sitemodels as sm
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.api.operation import ROLES, Operation, Role, operations
from wildbach.protocol.metainfo import MutableLink
from wildbach.services.feeds.articles import mark_of

_URL: Final = re.compile(r"""magnet:\?[^\s"'<>]*|[a-z][a-z0-9+.-]{0,15}://[^\s"'<>]*""", re.IGNORECASE)
"In the words of others."
_PLAIN: Final = ("xt", "dn", "xl")
"What of a magnet link names the torrent and nobody's key."


def for_role(api: Api, role: Role, also: Collection[str] = ()) -> Api:
    """The same for who may do everything. `also`: operations of which the caller itself sees to what guests get."""
    return api if role == ROLES[-1] else cast(Api, _Restricted(api, role, also))


class _Restricted:
    def __init__(self, api: Api, role: Role, also: Collection[str]) -> None:
        self._api = api
        self._rank = ROLES.index(role)
        self._also = also

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        declared = operations(Api).get(name)
        if declared is None:
            raise AttributeError(name)
        if ROLES.index(declared.role) > self._rank and name not in self._also:
            raise UsageError("a guest may look, and change nothing", code="forbidden")
        return self._veiled(declared)

    def _veiled(self, declared: Operation) -> Callable[..., Awaitable[Any]]:
        method = getattr(self._api, declared.name)

        async def call(*given: Any, **named: Any) -> Any:
            return veiled(await method(*given, **named))

        return call


def origin(url: str) -> str:
    """Scheme, host and port of a URL; of a magnet link which torrent it is; what is no URL as it is."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    if parts.scheme == "magnet":
        kept = [part for part in parts.query.split("&") if part.partition("=")[0].partition(".")[0].lower() in _PLAIN]
        return f"magnet:?{'&'.join(kept)}"
    if not parts.scheme or not host:
        return url if "://" not in url else ""
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{f':{port}' if port else ''}"


def words(text: str) -> str:
    """A text of somebody else, such as of a tracker, with each URL in it as `origin` shows it."""
    return _URL.sub(lambda url: origin(url[0]), text)


def veiled(found: Any) -> Any:
    """A result of the Api without keys."""
    match found:
        case m.TorrentPage():
            return replace(found, torrents=tuple(_row(one) for one in found.torrents))
        case m.Changes():
            return replace(found, changed=tuple(_row(one) for one in found.changed))
        case m.TorrentDetail():
            tiers = tuple(tuple(origin(url) for url in tier) for tier in found.tracker_tiers)
            return replace(
                found, row=_row(found.row), tracker_tiers=tiers, magnet=origin(found.magnet),
                comment=words(found.comment))
        case m.TrackerPage():
            return m.TrackerPage(tuple(
                replace(one, url=origin(one.url), message=words(one.message)) for one in found.trackers))
        case m.WebSeedPage():
            return m.WebSeedPage(tuple(
                replace(one, url=origin(one.url), message=words(one.message)) for one in found.web_seeds))
        case m.Feeds():
            return replace(found, feeds=tuple(
                replace(one, url=origin(one.url), title=words(one.title), error=words(one.error))
                for one in found.feeds))
        case m.Articles():
            # Ids are mostly URLs, and a description is HTML with links of any kind.
            return replace(found, articles=tuple(
                replace(one, id=mark_of(one.id), title=words(one.title), url=origin(one.url), page=origin(one.page),
                        description="") for one in found.articles))
        case sm.Sites():
            return replace(found, sites=tuple(replace(one, link=_link(one.link)) for one in found.sites))
        case sm.SiteVersions():
            return replace(found, site=replace(found.site, link=_link(found.site.link)))
        case chm.Channels():
            return chm.Channels(tuple(replace(one, link=_link(one.link)) for one in found.channels))
        case chm.Channel():
            return replace(found, link=_link(found.link))
        case _:
            return found


def _link(text: str) -> str:
    """A link to what a key publishes, without trackers and web servers."""
    try:
        link = MutableLink.parse(text)
    except WildbachError:
        return origin(text)
    return MutableLink(link.public_key, link.salt, link.name, recovery=link.recovery).to_uri()


def _row(row: m.TorrentRow) -> m.TorrentRow:
    return replace(row, tracker=origin(row.tracker), reason=words(row.reason))
