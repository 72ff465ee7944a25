"""The gateway: sites in the browser, each key an origin of its own. Only the Host says whose content is asked for.

Any page on the web can point at such an address. So a request that another page's content makes is refused before
anything is
looked up, with the same bytes for every key; only somebody's own navigation is answered, and for a key that nobody
said yes
to the answer is a question. There is no API here, no cookie of ours, and nothing of another site.
"""

from __future__ import annotations

import asyncio
import html
import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qs, quote

from wildbach.base import limits
from wildbach.base.addresses import Reach, classify
from wildbach.base.errors import FormatError, StorageError, UsageError, WildbachError
from wildbach.interfaces.http import headers, sitepages
from wildbach.interfaces.http.sitepages import age_of, page, size_of, words
from wildbach.net import ranges
from wildbach.net.httpd import Answer, Handler, Request, Response, Stream
from wildbach.protocol import sites as addresses
from wildbach.protocol.metainfo.info import Info
from wildbach.protocol.sitefiles import Place, SiteTree, type_of
from wildbach.protocol.sites import Host, SiteLink
from wildbach.services.sites.seams import Copy, ReadsFile
from wildbach.services.sites.service import Sites
from wildbach.services.sites.settings import SiteSettings
from wildbach.services.sites.state import Site
from wildbach.services.sites.views import Shown

log = logging.getLogger(__name__)

_OURS: Final = "/.wildbach/"
"Below it are our own pages; no file of a site has such a path."
_YES: Final = _OURS + "yes"
_TICKET_SECONDS: Final = 600.0
_PAGE_SECONDS: Final = 3.0
"A navigation waits so long before it is told how far the site is."
_PART_SECONDS: Final = 30.0
"Pictures, styles and scripts wait so long for the site's list of files."
_READ_SECONDS: Final = 90.0
"And for more of their own content."
_MANY: Final = 5000
"Files of which a tree is made apart, so that nobody waits for it."

_OWN: Final = "default-src 'self' 'unsafe-inline' 'wasm-unsafe-eval' data: blob:"
_ALWAYS: Final = "; frame-ancestors 'self'; base-uri 'self'; object-src 'self'; form-action 'self'"
POLICY: Final = _OWN + _ALWAYS
"""What pages of a site may use: what is in the site, and nothing from elsewhere. Scripts and styles in the page are
common in
sites and stay within its origin."""
FOREIGN_POLICY: Final = (
    "default-src 'self' 'unsafe-inline' 'unsafe-eval' data: blob: https: wss:"
    "; frame-ancestors 'self'; base-uri 'self'; form-action 'self' https:")
"Where the reader lets a site use other web sites. Never plain http: that is what programs of this machine speak."
_PERMISSIONS: Final = ", ".join(f"{name}=()" for name in (
    "camera", "microphone", "geolocation", "usb", "serial", "hid", "bluetooth", "midi", "payment", "display-capture",
    "local-fonts", "idle-detection"))
SITE_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff", "X-Frame-Options": "SAMEORIGIN", "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin",
    "Origin-Agent-Cluster": "?1", "Permissions-Policy": _PERMISSIONS, "X-DNS-Prefetch-Control": "off",
}
_REFUSED: Final = b"Another page asked for this, so it was refused. Open the address itself.\n"
_REFUSED_HEADERS: Final = {
    "X-Content-Type-Options": "nosniff", "Cross-Origin-Resource-Policy": "same-origin", "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'", "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin", "Referrer-Policy": "no-referrer",
}


@dataclass(frozen=True, slots=True)
class _Ticket:
    """A question that was asked, once."""

    key: bytes
    path: str
    until: float
    size: int
    "Bytes that are said yes to; 0 where they are not known."


class Gateway:
    """Answers requests for `KEY.localhost`. `settings` gives those that hold now."""

    def __init__(
        self, sites: Sites, settings: Callable[[], SiteSettings], *, clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time, patience: float = 1.0,
    ) -> None:
        """`patience`: how much longer or shorter than usual is waited."""
        self._sites = sites
        self._settings = settings
        self._clock = clock
        self._wall = wall
        self._patience = patience
        self._tickets: OrderedDict[str, _Ticket] = OrderedDict()
        self._trees: OrderedDict[str, SiteTree] = OrderedDict()
        self._waiting = 0

    async def __call__(self, request: Request) -> Response | Stream:
        if classify(request.remote.host) is not Reach.LOCAL:
            return _plain(403, b"Sites are shown on this machine only.\n")
        own = headers.place(request.headers.get("host", ""))
        if own is None or not request.path.startswith("/"):
            return _plain(421, b"This name is none of ours.\n")
        if not allowed(request):
            return Response(_REFUSED, 403, headers=_REFUSED_HEADERS)
        host = addresses.host_of(own.host)
        if host is None:
            found = redirect(request, own)
            if found is not None:
                return found
            known = addresses.looks_like_site(own.host)
            return _plain(404 if known else 421, b"There is no such site.\n" if known else b"This name is none of "
                b"ours.\n")
        lang = sitepages.language(request.headers.get("accept-language", ""))
        if not self._settings().enabled:
            return page(lang, words(lang)["stopped"], [words(lang)["off"]], status=503)
        if request.method == "POST" and request.path == _YES and host.kind == "live":
            return await self._yes(request, host, own, lang)
        if request.method not in ("GET", "HEAD"):
            return _plain(405, b"Sites can only be read.\n", {"Allow": "GET, HEAD"})
        if "upgrade" in request.headers:
            return _plain(404, b"There is nothing to talk to.\n")
        if host.kind == "live" and not self._sites.known(host.id):
            if not is_page(request):
                return Response(_REFUSED, 403, headers=_REFUSED_HEADERS)
            return self._ask(host, request, lang)
        try:
            return await self._show(request, host, lang)
        except WildbachError as error:
            return page(lang, words(lang)["stopped"], [error.message], status=503)

    # -- the question

    def _ask(self, host: Host, request: Request, lang: str, *, size: int = 0) -> Response:
        say = words(lang)
        path = request.path + (f"?{request.query}" if request.query else "")
        if len(path) > limits.SITE_PATH_BYTES or path.startswith(_OURS):
            path = "/"
        ticket = secrets.token_urlsafe(24)
        self._tickets[ticket] = _Ticket(host.id, path, self._clock() + _TICKET_SECONDS, size)
        while len(self._tickets) > limits.SITE_TICKETS:
            self._tickets.popitem(last=False)
        form = (_YES, say["large_yes" if size else "ask_yes"], {"ticket": ticket})
        facts = [(say["key"], addresses.label(host.id))]
        if size:
            return page(lang, say["large"], [say["large_text"].format(size=size_of(size))], facts=facts, form=form)
        facts.append((say["most"], size_of(self._settings().most_size)))
        return page(lang, say["ask"], [say["ask_text"], say["ask_no"]], facts=facts, form=form)

    async def _yes(self, request: Request, host: Host, own: headers.Place, lang: str) -> Response:
        """The answer to the question, from its own page only."""
        if (
            request.headers.get("sec-fetch-site") != "same-origin" or request.headers.get("sec-fetch-user") != "?1"
            or not is_page(request) or not headers.is_own(request.headers.get("origin", ""), own)
        ):
            return Response(_REFUSED, 403, headers=_REFUSED_HEADERS)
        try:
            form = parse_qs((await request.body(limits.SITE_FORM_BYTES)).decode("ascii"), max_num_fields=5)
        except ValueError:
            form = {}
        ticket = self._tickets.pop(form.get("ticket", [""])[0], None)
        if ticket is None or ticket.key != host.id or ticket.until < self._clock():
            say = words(lang)
            return page(lang, say["expired"], [say["expired_text"]], status=403, links=[("/", say["again"])])
        await self._sites.open(SiteLink(host.id), most_size=ticket.size)
        return Response(status=303, headers={**sitepages.HEADERS, "Location": ticket.path})

    # -- what is in the site

    async def _show(self, request: Request, host: Host, lang: str) -> Response | Stream:
        navigation = is_page(request) or "sec-fetch-mode" not in request.headers
        shown = await self._shown(host, navigation)
        if shown is None and host.kind == "version":
            say = words(lang)
            return page(lang, say["unknown_version"], [say["unknown_version_text"]], status=404)
        copy = shown.copy if shown is not None else None
        if shown is None or copy is None or copy.info is None or (
            shown.version.refused and (copy.info.private or not copy.whole)
        ):
            return self._waits(host, request, shown, lang, navigation)
        tree = await self._tree(shown, copy.info)
        try:
            parts, folder = addresses.parse_path(request.path)
        except FormatError:
            return self._missing(lang, navigation)
        place = tree.find(parts, folder)
        if place is None:
            return self._missing(lang, navigation)
        if place.to is not None:
            query = f"?{request.query}" if request.query else ""
            return Response(status=308, headers={
                **SITE_HEADERS, "Location": addresses.path_of(place.to) + "/" + query, "Cache-Control": "no-cache"})
        if place.folder is not None:
            return _listing(lang, tree, place.folder)
        return await self._file(request, host, shown, copy, copy.info, place, lang, navigation)

    async def _shown(self, host: Host, navigation: bool) -> Shown | None:
        seconds = self._patience * (_PAGE_SECONDS if navigation else _PART_SECONDS)
        if host.kind == "version":
            found = self._sites.shown_version(host.id)
            if found is not None and found.copy is not None and found.copy.info is None and found.copy.whole:
                await found.copy.metadata()
            return found
        self._sites.use(host.id)
        with self._seat():
            return await self._sites.arrived(host.id, seconds)

    def _seat(self) -> _Seat:
        return _Seat(self)

    async def _tree(self, shown: Shown, info: Info) -> SiteTree:
        tree = self._trees.get(shown.version.key)
        if tree is None:
            many = len(info.files) > _MANY
            tree = await asyncio.get_running_loop().run_in_executor(None, SiteTree, info) if many else SiteTree(info)
            self._trees[shown.version.key] = tree
            while len(self._trees) > limits.SITE_TREES:
                self._trees.popitem(last=False)
        else:
            self._trees.move_to_end(shown.version.key)
        return tree

    async def _file(
        self, request: Request, host: Host, shown: Shown, copy: Copy, info: Info, place: Place, lang: str,
        navigation: bool,
    ) -> Response | Stream:
        index = place.file if place.file is not None else 0
        file = info.files[index]
        kind = type_of(file.path.parts[-1])
        own = self._headers(host, shown.site, missing=place.missing)
        given = {} if place.missing else request.headers
        part = ranges.part_of(given, file.length, tag_of(info, index))
        own |= dict(part.headers) if not place.missing else {}
        status = 404 if place.missing else part.status
        if part.status in (304, 416):
            return Response(status=status, content_type=kind.partition(";")[0], headers=own)
        if request.method == "HEAD" or not part.length:
            return Stream(_nothing(), status, kind, own, part.length)
        sending = _Sending(self, copy, index, part.first, part.length, self._patience * _READ_SECONDS)
        if not copy.whole and navigation:
            try:
                async with asyncio.timeout(self._patience * _PAGE_SECONDS):
                    with self._seat():
                        await sending.begin()
            except TimeoutError:
                await sending.aclose()
                return self._waits(host, request, shown, lang, navigation)
            except BaseException:
                await sending.aclose()
                raise
        return Stream(sending, status, kind, own, part.length)

    def _headers(self, host: Host, site: Site | None, *, missing: bool) -> dict[str, str]:
        for_ever = host.kind == "version" and not missing
        return {
            **SITE_HEADERS, "Content-Security-Policy": self._policy(host, site),
            "Cache-Control": "max-age=31536000, immutable" if for_ever else "no-cache",
        }

    def _policy(self, host: Host, site: Site | None) -> str:
        """A version may be that of several sites: what one of them may, it does not."""
        return FOREIGN_POLICY if host.kind == "live" and site is not None and site.foreign else POLICY

    # -- what is not there

    def _missing(self, lang: str, navigation: bool) -> Response:
        if not navigation:
            return _plain(404, b"There is no such file in this site.\n")
        return page(lang, words(lang)["missing"], [words(lang)["missing_text"]], status=404, links=[("/", "/")])

    def _waits(
        self, host: Host, request: Request, shown: Shown | None, lang: str, navigation: bool,
    ) -> Response:
        """How far it is, what was tried, and how old what is known is."""
        if not navigation:
            return _plain(503, b"This is not here yet.\n", {"Retry-After": "5"})
        say = words(lang)
        site = shown.site if shown is not None else self._sites.get(host.id)
        if shown is not None and shown.version.refused and host.kind == "live" and shown.version.size:
            most = max(self._settings().most_size, site.most_size if site is not None else 0)
            if shown.version.size > most:
                return self._ask(host, request, lang, size=shown.version.size)
        problem = self._sites.problem(site.id) if site is not None else ""
        progress = shown.copy.progress() if shown is not None and shown.copy is not None else None
        facts = []
        if site is not None:
            facts.append((say["key"], site.label))
        if shown is not None:
            facts.append((say["number"], str(shown.version.seq)))
        if site is not None:
            age = age_of(lang, self._wall() - site.heard_at)
            facts.append((say["heard"], say["ago"].format(age=age) if site.heard_at else say["never"]))
        if progress is not None and progress.size:
            facts.append((say["here"], f"{size_of(progress.done)} / {size_of(progress.size)}"))
        if progress is not None:
            facts.append((say["peers"], say["peers_of"].format(peers=progress.peers, seeds=progress.seeds)))
        reason = problem or (progress.reason if progress is not None else "")
        if reason:
            facts.append((say["tried"], reason))
        share = progress.done / progress.size if progress is not None and progress.size else None
        moving = progress is not None and (progress.down_rate > 0 or progress.peers > 0)
        word = "coming" if not reason or moving else "gone"
        return page(
            lang, say[word], [say[f"{word}_text"]], facts=facts, status=503, share=share,
            refresh=2 if moving or not reason else 10)


class _Seat:
    """Who waits for content takes one; there are so many."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def __enter__(self) -> None:
        if self._gateway._waiting >= limits.SITE_ASKERS:
            raise UsageError("too many requests wait for sites already", code="busy")
        self._gateway._waiting += 1

    def __exit__(self, *error: object) -> None:
        self._gateway._waiting -= 1


class _Sending:
    """A part of a file on its way: an iterator over chunks. `aclose` lets go of the reader at once."""

    def __init__(self, gateway: Gateway, copy: Copy, index: int, first: int, length: int, seconds: float) -> None:
        self._gateway = gateway
        self._copy = copy
        self._index = index
        self._at = first
        self._left = length
        self._seconds = seconds
        self._stack = AsyncExitStack()
        self._reader: ReadsFile | None = None
        self._first = b""

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def begin(self) -> None:
        """Have the first bytes ready."""
        self._first = await self._read()

    async def __anext__(self) -> bytes:
        if not self._left:
            raise StopAsyncIteration
        data, self._first = self._first, b""
        if not data:
            try:
                async with asyncio.timeout(self._seconds):
                    data = await self._read()
            except (TimeoutError, WildbachError) as error:
                # The head is sent: all that is left is to break off, so that nobody takes a part for the whole.
                log.info("a file of a site was broken off: %s", str(error) or "it does not come")
                raise ConnectionAbortedError("broken off") from None
        self._at += len(data)
        self._left -= len(data)
        return data

    async def _read(self) -> bytes:
        if self._reader is None:
            self._reader = await self._stack.enter_async_context(self._copy.open(self._index))
        data = await self._reader.read(self._at, min(self._left, limits.SITE_CHUNK_BYTES))
        if not data:
            raise StorageError("the file is shorter than it was")
        return data

    async def aclose(self) -> None:
        self._reader = None
        await self._stack.aclose()


def allowed(request: Request) -> bool:
    """Whether a request may be looked at: it is of a page of this very origin, of nobody's page, or a navigation of the
    whole window. What browsers say in Sec-Fetch-* no page can change; who says nothing is no browser of today.
    """
    given = request.headers
    site = given.get("sec-fetch-site")
    if "sec-purpose" in given or "purpose" in given or "x-moz" in given:
        # Prefetched for somebody who has not come.
        return site in ("same-origin", None) and "sec-fetch-mode" in given
    if site in (None, "same-origin", "none"):
        return True
    return is_page(request) and request.method in ("GET", "HEAD")


def is_page(request: Request) -> bool:
    """A navigation of the whole window, as the browser says."""
    given = request.headers
    return given.get("sec-fetch-mode") == "navigate" and given.get("sec-fetch-dest") == "document"


def redirect(request: Request, own: headers.Place) -> Response | None:
    """From `127.0.0.1/KEY/path`, where all sites would share an origin, to the site's own. None for other paths."""
    if own.host not in ("127.0.0.1", "::1", "localhost") or request.method not in ("GET", "HEAD"):
        return None
    word, _, rest = request.path.removeprefix("/").partition("/")
    if len(word) not in (52, 64):
        return None
    try:
        link = addresses.parse_link(word)
        addresses.parse_path("/" + rest)
    except FormatError:
        return None
    at = f":{own.port}" if own.port is not None else ""
    query = f"?{request.query}" if request.query else ""
    return Response(status=308, headers={
        **_REFUSED_HEADERS, "Location": f"http://{Host('live', link.key).name}{at}/{rest}{query}"})


def or_site(other: Handler) -> Handler:
    """A handler for literal addresses: paths that begin with a key lead to the site's own address, others to
    `other`."""
    async def handle(request: Request) -> Answer:
        own = headers.place(request.headers.get("host", ""))
        found = redirect(request, own) if own is not None else None
        return found if found is not None else await other(request)

    return handle


def tag_of(info: Info, index: int) -> str:
    """What is in the file decides it: the root of its hashes, or the torrent and the number."""
    file = info.files[index]
    if file.root is not None:
        return file.root.hex()
    return "empty" if not file.length else f"{info.hashes.key}-{index}"


def _listing(lang: str, tree: SiteTree, folder: tuple[str, ...]) -> Response:
    say = words(lang)
    inside = sorted(tree.folders[folder].items(), key=lambda one: (not one[1], one[0]))[: limits.SITE_LISTED]
    rows = "".join(
        f'<li><a href="{quote(name, safe="")}{"/" if below else ""}">{html.escape(name)}{"/" if below else ""}</a></li>'
        for name, below in inside)
    up = f'<p><a href="../">{say["up"]}</a></p>' if folder else ""
    return page(lang, say["list"].format(path="/" + "/".join(folder)), raw=f"{up}<ul>{rows}</ul>")


async def _nothing() -> AsyncIterator[bytes]:
    nothing: tuple[bytes, ...] = ()
    for chunk in nothing:
        yield chunk


def _plain(status: int, text: bytes, more: dict[str, str] | None = None) -> Response:
    return Response(text, status, headers={**_REFUSED_HEADERS, **(more or {})})
