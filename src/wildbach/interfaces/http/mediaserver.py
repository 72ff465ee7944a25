"""The second web server of the daemon: players and sites, at a port of its own, and never the web UI or the API.

The Host decides who answers: `media.localhost`, a literal address or a name of the settings is the media host; any
other `LABEL.localhost` is a site, and only for callers on this machine; all else is refused before anything is looked
at. A host of its own and not only a port, because browsers share cookies between ports.

It listens on loopback. One switch, `media.lan`, opens the same port on all addresses, for callers in the networks of
this machine; it can be turned while players play.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from wildbach.base import limits
from wildbach.base.addresses import Network, Reach, classify, parse
from wildbach.base.errors import NetworkError, WildbachError
from wildbach.base.ids import Endpoint
from wildbach.engine.ways import parse_listen
from wildbach.interfaces.http import headers
from wildbach.interfaces.http.away import away_url
from wildbach.interfaces.http.refusals import Refusals
from wildbach.interfaces.settings import MediaSettings
from wildbach.net.httpd import Answer, HttpServer, Request, Response
from wildbach.net.interfaces import interfaces

log = logging.getLogger(__name__)

Handler = Callable[[Request], Awaitable[Answer]]

NAME: Final = "media.localhost"
_LOOPBACK: Final = ("127.0.0.1", "::1")
_EVERYWHERE: Final = ("0.0.0.0", "::")
_NETWORKS_SECONDS: Final = 30.0
"For which the networks of this machine are taken to be the same."
_OTHER_NAME: Final = (
    "This name is not one of this server's.\n\nIf it is yours, add it to the setting media.hosts "
    "(WILDBACH_MEDIA_HOSTS=name). Literal addresses of this machine work where media.lan is on.\n"
)


class MediaServer:
    """`settings` gives those that hold now. `start` it, tell it with `follow` when they change, `close` it."""

    def __init__(self, settings: Callable[[], MediaSettings], media: Handler) -> None:
        self._settings = settings
        self._media = media
        self.gateway: Handler | None = None
        "Answers for sites; None: there are none."
        self.http = HttpServer(
            self.handle, connections=limits.MEDIA_CONNECTIONS, line_bytes=limits.MEDIA_LINE_BYTES,
            fetch_seconds=limits.MEDIA_PAUSE_SECONDS)
        self.port = 0
        self.host = ""
        "A literal address by which players of this machine call."
        self.away = ""
        "A URL for other machines; empty where they are not let in."
        self.problem = ""
        "Why it does not listen as the settings say; empty where it does."
        self._refusals = Refusals()
        self._networks: tuple[float, tuple[Network, ...]] = (0.0, ())
        self._changing = asyncio.Lock()

    # -- listening

    async def start(self) -> None:
        """Listen. Where no port is to be had `problem` says so: torrents run without players."""
        host, ports = parse_listen(self._settings().listen, "media.listen")
        async with self._changing:
            for port in (*ports, 0):
                try:
                    self.port = (await self.http.start(host, port)).port
                except NetworkError as error:
                    self.problem = self.problem or error.message
                else:
                    self.host, self.problem = host, ""
                    break
            else:
                log.error("players cannot fetch anything: %s; media.listen chooses another place", self.problem)
                return
            if self._settings().lan:
                await self._open()
            else:
                await self._more_loopback()

    async def follow(self) -> None:
        """The settings are others."""
        async with self._changing:
            if not self.port:
                return
            if self._settings().lan and not self.away:
                await self._open()
            elif not self._settings().lan and self.away:
                await self._shut()
            elif self.away:
                self.away = await self._away()

    async def close(self) -> None:
        await self.http.close()

    async def _open(self) -> None:
        """The same port, on all addresses. Between the two there is a moment without a listener, and open connections
        go on.
        """
        self.http.stop_listening()
        try:
            await self.http.start(_EVERYWHERE[0], self.port)
        except NetworkError as error:
            self.problem = f"other machines are not let in: {error.message}"
            log.error("%s", self.problem)
            await self._listen_near()
            return
        with contextlib.suppress(NetworkError):
            await self.http.start(_EVERYWHERE[1], self.port)
        self.problem = ""
        self.away = await self._away()

    async def _shut(self) -> None:
        self.http.stop_listening()
        self.away = ""
        self.http.cut_off(lambda host: not _is_near(host))
        await self._listen_near()

    async def _listen_near(self) -> None:
        try:
            await self.http.start(self.host, self.port)
        except NetworkError as error:
            self.problem = error.message
            log.error("players cannot fetch anything: %s", error.message)
            return
        await self._more_loopback()

    async def _more_loopback(self) -> None:
        """Browsers take either address for *.localhost."""
        if self.host == _LOOPBACK[0]:
            with contextlib.suppress(NetworkError):
                await self.http.start(_LOOPBACK[1], self.port)

    async def _away(self) -> str:
        found = self._settings().url.rstrip("/") or await asyncio.get_running_loop().run_in_executor(
            None, away_url, "http", [Endpoint(_EVERYWHERE[0], self.port)])
        return found or f"http://{Endpoint(self.host, self.port)}"

    # -- where it is

    @property
    def near_url(self) -> str:
        """For players of this machine, which mostly cannot look up *.localhost; empty where nothing listens."""
        return f"http://{Endpoint(self._own_host(), self.port)}" if self.port else ""

    @property
    def browser_url(self) -> str:
        """For browsers of this machine; empty where nothing listens."""
        return f"http://{NAME}:{self.port}" if self.port else ""

    def _own_host(self) -> str:
        return {"0.0.0.0": _LOOPBACK[0], "::": _LOOPBACK[1]}.get(self.host, self.host)

    # -- answering

    async def handle(self, request: Request) -> Answer:
        try:
            return await self._dispatch(request)
        except WildbachError as error:
            return _plain(503, f"{error.message}\n")
        except Exception:
            log.exception("a bug in the media server")
            return _plain(500, "an error of wildbach itself; its log says more\n")

    async def _dispatch(self, request: Request) -> Answer:
        near = _is_near(request.remote.host)
        if not near and not (self._settings().lan and await self._is_neighbour(request.remote.host)):
            self._refusals.tell("the media host refused a caller from elsewhere", request.remote.host)
            return _plain(403, "this is for the networks of this machine only\n")
        own = headers.place(request.headers.get("host", ""))
        # Only what a caller asks of us in plain form: nothing here is a proxy.
        if own is not None and request.path.startswith("/"):
            if self._is_media(own.host, near=near):
                return await self._media(replace(request, headers=_without_cookies(request.headers)))
            label, _, rest = own.host.partition(".")
            if near and rest == "localhost" and label and own.host != NAME and self.gateway is not None:
                return await self.gateway(request)
        self._refusals.tell("the media host refused a request for another name", request.remote.host)
        return _plain(421, _OTHER_NAME)

    def _is_media(self, host: str, *, near: bool) -> bool:
        if host == NAME:
            return near
        if parse(host) is not None:
            return (near and classify(host) is Reach.LOCAL) or self._settings().lan
        return any(
            host == name or (name.startswith("*.") and host.endswith(name[1:]))
            for name in (name.lower().removesuffix(".") for name in self._settings().hosts))

    async def _is_neighbour(self, host: str) -> bool:
        """In a private network, or in one that this machine is in."""
        address = parse(host)
        if address is None:
            return False
        if classify(host) is Reach.PRIVATE or address.is_link_local:
            return True
        when, known = self._networks
        if time.monotonic() - when > _NETWORKS_SECONDS:
            found = await asyncio.get_running_loop().run_in_executor(None, interfaces)
            known = tuple(one.network for interface in found for one in interface.addresses)
            self._networks = time.monotonic(), known
        return any(address in network for network in known)


def root_of(settings: MediaSettings, request: Request) -> str:
    """The URL by which a caller reached us; what the settings say for who called by a name of theirs."""
    own = headers.place(request.headers.get("host", ""))
    if own is None:
        return ""
    if own.host != NAME and parse(own.host) is None and settings.url:
        return settings.url.rstrip("/")
    host = f"[{own.host}]" if ":" in own.host else own.host
    return f"http://{host}" + (f":{own.port}" if own.port is not None else "")


def _is_near(host: str) -> bool:
    return classify(host) is Reach.LOCAL


def _without_cookies(given: dict[str, str]) -> dict[str, str]:
    """What the browser has for another port of this address is none of the media host's business."""
    return {name: value for name, value in given.items() if name not in ("cookie", "authorization")}


def _plain(status: int, text: str) -> Response:
    return Response(text.encode(), status, "text/plain", {
        "Connection": "close", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'"})
