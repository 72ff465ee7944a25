"""Fetching over HTTP: the one way wildbach opens a URL that it did not make up itself.

Every hop is checked by the Guard and then connected to exactly the address that was checked, or, where all goes through
a proxy, to the name that was. No cookies, no proxies from the environment, bounded size, time and redirects.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import zlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote, urljoin

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.client_proto import ResponseHandler
from aiohttp.tracing import Trace
from yarl import URL

from wildbach.base import limits
from wildbach.base.addresses import Reach, classify
from wildbach.base.errors import FormatError, LimitError, NetworkError
from wildbach.net.outlet import Outlet
from wildbach.net.proxy import Proxy
from wildbach.net.resolve import ForbiddenURL, Guard, Purpose, Target
from wildbach.protocol.proxy import ProxyError
from wildbach.protocol.proxy.connect import REFUSED, basic, refused

Sink = Callable[[bytes], None]


class LeadsToMagnet(ForbiddenURL):
    """The URL redirects to a magnet link, as indexers do for torrents of which they have no file."""

    code = "leads_to_magnet"

    def __init__(self, link: str) -> None:
        super().__init__("a redirect to a magnet link is not fetched", link=link)
        self.link = link


_REDIRECTS = (301, 302, 303, 307, 308)
_ADDRESSES = 3
"Addresses of one name that are tried in turn."
_CONNECT_SECONDS = 6.0
_UNAUTHORIZED = 401
_READ_AHEAD = 1 << 20
"Bytes of a body that may wait to be looked at."
_KEPT = 32
"Origins whose idle connections are kept."


@dataclass(frozen=True, slots=True)
class Response:
    """What came back, whatever the status."""

    status: int
    url: str
    "The last hop's URL."
    headers: Mapping[str, str]
    "Names in lower case."
    body: bytes
    "Empty where a sink took it."
    reach: Reach
    "Where the last hop is."
    address: str = ""
    "The address it was fetched from."


@dataclass(frozen=True, slots=True)
class Streamed:
    """A reply whose body is still to come."""

    status: int
    url: str
    "The last hop's URL."
    headers: Mapping[str, str]
    "Names in lower case."
    chunks: AsyncIterator[bytes]
    "The body as it comes, as it was sent; reading slowly slows the server down."


AddrInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[Any, ...]]
Handle = Callable[[aiohttp.ClientResponse, Target], Awaitable[Response | None]]


class _Pinned(AbstractResolver):
    """Knows one address, whatever it is asked."""

    def __init__(self, address: str) -> None:
        self._address = address

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        kind = socket.AF_INET6 if ":" in self._address else socket.AF_INET
        return [ResolveResult(hostname=host, host=self._address, port=port, family=kind, proto=0,
                              flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV)]

    async def close(self) -> None:
        return


class _Origin:
    """Connections to one address of one origin; never shared with another, so a check cannot be slipped past."""

    __slots__ = ("proxy", "session", "users")

    def __init__(self, session: aiohttp.ClientSession, proxy: URL | None = None) -> None:
        self.session = session
        self.proxy = proxy
        "An HTTP proxy that is given whole URLs; what else goes through a proxy does so below HTTP."
        self.users = 0


class HttpClient:
    """Fetches what the guard admits. Close it at the end. An empty `user_agent` sends none. `outlet`: by which
    interface; `proxy`: through which proxy, with a guard that leaves names to it.
    """

    def __init__(
        self, guard: Guard, *, user_agent: str = "wildbach", outlet: Outlet | None = None, proxy: Proxy | None = None,
    ) -> None:
        self._guard = guard
        self._outlet = outlet if outlet is not None else Outlet()
        self._proxy = proxy
        self._agent = user_agent
        self._tls: ssl.SSLContext | None = None
        self._origins: OrderedDict[tuple[str, str, int, str], _Origin] = OrderedDict()
        self._closed = False

    async def fetch(
        self, url: str, *, purpose: Purpose, limit: int, seconds: float = limits.TRACKER_SECONDS, family: int = 0,
        headers: Mapping[str, str] | None = None, sink: Sink | None = None, named_by: Reach = Reach.LOCAL,
    ) -> Response:
        """GET a URL. `limit` bounds the body in bytes, `seconds` all of it, redirects included.

        `family` (4 or 6) restricts the IP version. With a `sink` the body of a 2xx reply is handed over as it comes.
        `named_by`: the reach of who named the URL, which never leads nearer. Raises ForbiddenURL, LeadsToMagnet,
        NetworkError, LimitError (the body is too long) or FormatError (it cannot be unpacked).
        """
        try:
            async with asyncio.timeout(seconds):
                found = await self._follow(
                    url, purpose, family, dict(headers or {}),
                    lambda reply, target: _whole(reply, target, limit, sink), named_by,
                )
        except TimeoutError:
            raise NetworkError(f"no reply within {seconds:g} seconds") from None
        if found is None:
            raise NetworkError("no reply")
        return found

    async def stream(
        self, url: str, take: Callable[[Streamed], Awaitable[None]], *, purpose: Purpose,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """GET a URL and hand the reply to `take` once its head is here; redirects are followed. What `take` leaves of
        the body closes the connection. Time is the caller's to bound. Raises as `fetch`, and what `take` raises.
        """
        send = {"Accept-Encoding": "identity", **(headers or {})}
        await self._follow(url, purpose, 0, send, lambda reply, target: _hand(reply, target, take))

    async def post(
        self, url: str, body: bytes, *, content_type: str, purpose: Purpose, limit: int, seconds: float,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """POST `body` to a URL. No redirect is followed: who gets the body is who the URL names. Raises as `fetch`."""
        send = {"Content-Type": content_type, **(headers or {})}
        try:
            async with asyncio.timeout(seconds):
                target = await self._guard.admit(url, purpose)
                if target.scheme == "udp":
                    raise ForbiddenURL("udp is not fetched")
                found = await self._hop(
                    target, send, target.login, lambda reply, target: _whole(reply, target, limit, None), body)
        except TimeoutError:
            raise NetworkError(f"no reply within {seconds:g} seconds") from None
        if isinstance(found, str):
            raise NetworkError("the server sends us elsewhere, and a POST is not sent on: name the URL it is for")
        if found is None:
            raise NetworkError("no reply")
        return found

    async def close(self) -> None:
        """Close every connection."""
        self._closed = True
        await self.cut()

    async def cut(self) -> None:
        """Close every connection; new ones may be made."""
        origins = list(self._origins.values())
        self._origins.clear()
        for origin in origins:
            await origin.session.close()

    async def _follow(
        self, url: str, purpose: Purpose, family: int, headers: dict[str, str], handle: Handle,
        named_by: Reach = Reach.LOCAL,
    ) -> Response | None:
        source: Target | None = None
        login: tuple[str, str] | None = None
        for _ in range(limits.TRACKER_REDIRECTS + 1):
            target = await self._guard.admit(url, purpose, family=family, source=source, named_by=named_by)
            if target.scheme == "udp":
                raise ForbiddenURL("udp is not fetched")
            if source is None:
                login = target.login
            elif (target.scheme, target.host, target.port) != (source.scheme, source.host, source.port):
                login = None
            result = await self._hop(target, headers, login, handle)
            if not isinstance(result, str):
                return result
            if result[:7].lower() == "magnet:":
                raise LeadsToMagnet(result)
            url = urljoin(target.url, result)
            source = target
        raise NetworkError(f"more than {limits.TRACKER_REDIRECTS} redirects")

    async def _hop(
        self, target: Target, headers: dict[str, str], login: tuple[str, str] | None, handle: Handle,
        body: bytes | None = None,
    ) -> Response | str | None:
        """One request: what `handle` makes of the reply, or the Location of a redirect. With a `body` it is a POST."""
        send = {"Accept": "*/*", "Accept-Encoding": "gzip", **headers}
        if self._agent:
            send["User-Agent"] = self._agent
        if login is not None:
            user, word = (unquote(part) for part in login)
            send["Authorization"] = basic(user, word)
        if self._proxy is not None and target.scheme == "http":
            send |= _sign_in(self._proxy)
        tries = target.addresses[:_ADDRESSES]
        for number, address in enumerate(tries):
            try:
                return await self._request(target, address, send, handle, body)
            except aiohttp.ClientConnectorCertificateError as error:
                raise NetworkError("the server's certificate is not valid", detail=str(error)) from None
            except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
                if number + 1 == len(tries):
                    raise NetworkError(_plain(error), address=address) from None
            except aiohttp.ServerDisconnectedError:
                raise NetworkError("the server closed the connection without a reply") from None
            except (aiohttp.ClientError, OSError, ValueError) as error:
                raise NetworkError(_plain(error), address=address) from None
        raise NetworkError("no address")

    async def _request(
        self, target: Target, address: str, headers: dict[str, str], handle: Handle, body: bytes | None,
    ) -> Response | str | None:
        origin = await self._origin(target, address)
        origin.users += 1
        try:
            async with origin.session.request(
                "GET" if body is None else "POST", URL(target.url, encoded=True), headers=headers, data=body,
                allow_redirects=False, read_bufsize=_READ_AHEAD, proxy=origin.proxy,
            ) as reply:
                if self._proxy is not None:
                    refusal = _refusal(reply, self._proxy) if origin.proxy is not None else None
                    self._proxy.note(refusal)
                    if refusal is not None:
                        raise refusal
                if reply.status in _REDIRECTS:
                    location = reply.headers.get("Location", "")
                    reply.close()
                    if not location:
                        raise NetworkError("a redirect to nowhere")
                    return location
                return await handle(reply, replace(target, addresses=(address,)))
        finally:
            origin.users -= 1

    async def _origin(self, target: Target, address: str) -> _Origin:
        key = (target.scheme, target.host, target.port, address)
        if self._closed:
            raise NetworkError("the HTTP client is closed")
        origin = self._origins.get(key)
        if origin is None:
            origin = self._origins[key] = self._open(target.scheme, address, target.port)
        self._origins.move_to_end(key)
        if len(self._origins) > _KEPT:
            idle = next((k for k, o in self._origins.items() if not o.users and k != key), None)
            if idle is not None:
                await self._origins.pop(idle).session.close()
        return origin

    def _open(self, scheme: str, address: str, port: int) -> _Origin:
        if scheme == "https" and self._tls is None:
            self._tls = ssl.create_default_context()
        proxy = self._proxy
        if proxy is None:
            return _Origin(self._session(self._direct(address)))
        url = None
        if scheme == "http" and proxy.address.kind == "http":
            url = URL.build(scheme="http", host=proxy.address.host, port=proxy.address.port)
        return _Origin(self._session(_Through(proxy, address, port, self._tls)), url)

    def _direct(self, address: str) -> aiohttp.TCPConnector:
        return aiohttp.TCPConnector(
            resolver=_Pinned(address), use_dns_cache=False, limit=0, keepalive_timeout=15.0,
            ssl=self._tls if self._tls is not None else True,
            socket_factory=self._make_socket,
        )

    def _make_socket(self, info: AddrInfo) -> socket.socket:
        return self._outlet.call_socket(6 if info[0] == socket.AF_INET6 else 4)

    def _session(self, connector: aiohttp.BaseConnector) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False, auto_decompress=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS),
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding"),
        )


class _Through(aiohttp.BaseConnector):
    """Connections to one place through a proxy, or to an HTTP proxy that is told the place in each request."""

    def __init__(self, proxy: Proxy, host: str, port: int, tls: ssl.SSLContext | None) -> None:
        super().__init__(limit=0, keepalive_timeout=15.0)
        self._through = proxy
        self._host = host
        self._port = port
        self._tls = tls

    async def _create_connection(
        self, req: aiohttp.ClientRequest, traces: list[Trace], bounds: aiohttp.ClientTimeout
    ) -> ResponseHandler:
        if req.proxy is not None:
            sock = await self._through.reach()
        else:
            sock = await self._through.open(self._host, self._port)
        name = (req.url.raw_host or "").rstrip(".")
        try:
            _, made = await self._loop.create_connection(
                self._factory, sock=sock, ssl=self._tls if req.is_ssl() else None,
                server_hostname=name if req.is_ssl() else None,
                ssl_handshake_timeout=_CONNECT_SECONDS if req.is_ssl() else None,
            )
        except ssl.CertificateError as error:
            raise NetworkError("the server's certificate is not valid", detail=str(error)) from None
        except ssl.SSLError as error:
            raise NetworkError(f"no secure connection: {error.reason or 'the handshake failed'}") from None
        except ConnectionAbortedError:
            raise NetworkError("no secure connection within the time allowed") from None
        except OSError as error:
            raise NetworkError(error.strerror or "no connection") from None
        return made


def _sign_in(proxy: Proxy) -> dict[str, str]:
    """The header by which an HTTP proxy knows us in a request that it is to pass on."""
    at = proxy.address
    if at.kind != "http" or not (at.user or at.password):
        return {}
    return {"Proxy-Authorization": basic(at.user, at.password)}


def _refusal(reply: aiohttp.ClientResponse, proxy: Proxy) -> ProxyError | None:
    """That an HTTP proxy does not know us, where the reply is its own. A 401 is a server's as a rule; of a proxy it is
    where the proxy did not put itself on the way the reply came (RFC 9110, section 7.6.3), and was given a password.
    """
    at = proxy.address
    if reply.status not in REFUSED:
        return None
    if reply.status == _UNAUTHORIZED and ("Via" in reply.headers or not (at.user or at.password)):
        return None
    return refused(at.user, at.password)


async def _whole(reply: aiohttp.ClientResponse, target: Target, limit: int, sink: Sink | None) -> Response:
    take = sink if sink is not None and 200 <= reply.status < 300 else None
    body = await _read(reply, limit, take)
    return Response(reply.status, target.url, _names(reply), body, target.reach, target.addresses[0])


async def _hand(reply: aiohttp.ClientResponse, target: Target, take: Callable[[Streamed], Awaitable[None]]) -> None:
    await take(Streamed(reply.status, target.url, _names(reply), reply.content.iter_any()))
    if not reply.content.at_eof():
        reply.close()


def _names(reply: aiohttp.ClientResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in reply.headers.items()}


async def _read(reply: aiohttp.ClientResponse, limit: int, sink: Sink | None) -> bytes:
    """The body, unpacked, or handed to the sink. Raises LimitError above `limit` without reading on."""
    packing = reply.headers.get("Content-Encoding", "identity").strip().lower()
    if packing in ("", "identity"):
        unpack = None
    elif packing in ("gzip", "x-gzip", "deflate"):
        unpack = zlib.decompressobj(wbits=32 + zlib.MAX_WBITS)
    else:
        raise FormatError(f"packed as {packing[:20]}, which was not asked for", where="reply")
    if reply.content_length is not None and reply.content_length > limit:
        reply.close()
        raise LimitError(f"the reply has {reply.content_length} bytes, {limit} are allowed", where="reply")
    parts: list[bytes] = []
    total = 0
    async for chunk in reply.content.iter_any():
        if unpack is not None:
            try:
                chunk = unpack.decompress(chunk, limit - total + 1)
            except zlib.error:
                raise FormatError("cannot be unpacked", where="reply") from None
        total += len(chunk)
        if total > limit:
            reply.close()
            raise LimitError(f"the reply is longer than the {limit} bytes that are allowed", where="reply")
        if sink is not None:
            sink(chunk)
        else:
            parts.append(chunk)
        if unpack is not None and unpack.eof:
            # What follows is not of it, and may have no end.
            reply.close()
            break
    if total and unpack is not None and not unpack.eof:
        raise FormatError("cut short", where="reply")
    return b"".join(parts)


def _plain(error: Exception) -> str:
    """An error of the network in plain words."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return "no connection within the time allowed"
    if isinstance(error, aiohttp.ClientConnectorError):
        cause = error.os_error
        if isinstance(cause, ssl.SSLError):
            return f"no secure connection: {cause.reason or 'the handshake failed'}"
        if isinstance(cause, ConnectionRefusedError):
            return "the connection was refused"
        return cause.strerror or "no connection"
    if isinstance(error, aiohttp.ClientResponseError):
        return "the reply is not HTTP"
    return str(error)[:200] or type(error).__name__


async def ask_device(
    url: str, address: str, *, method: str = "GET", headers: Mapping[str, str] | None = None, body: bytes = b"",
    limit: int, seconds: float, outlet: Outlet | None = None,
) -> Response:
    """One request to a device of the local network, at exactly `address`. No redirect is followed, nothing is kept.

    Raises NetworkError, or LimitError where the reply has more than `limit` bytes.
    """
    by = outlet if outlet is not None else Outlet()
    connector = aiohttp.TCPConnector(
        resolver=_Pinned(address), use_dns_cache=False, force_close=True,
        socket_factory=(lambda _: by.call_socket(6 if ":" in address else 4)) if by.bound else None,
    )
    try:
        async with asyncio.timeout(seconds), aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False, auto_decompress=False,
            skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding", "Content-Type"),
        ) as session, session.request(
            method, URL(url, encoded=True), headers=dict(headers or {}), data=body or None, allow_redirects=False,
        ) as reply:
            found = await _read(reply, limit, None)
            names = {name.lower(): value for name, value in reply.headers.items()}
            return Response(reply.status, url, names, found, classify(address), address)
    except TimeoutError:
        raise NetworkError(f"no reply within {seconds:g} seconds") from None
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise NetworkError(_plain(error)) from None
