"""Calling one HTTP server that the user named, such as a daemon of ours: over TCP, TLS or a Unix socket. No redirects,
no cookies, no proxies from the environment, bounded size and time.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import aiohttp
from yarl import URL

from wildbach.base.errors import LimitError, NetworkError, RemoteError, UsageError
from wildbach.net.websocket import CLOSE_SECONDS, PING_SECONDS, CalledWebSocket

_CONNECT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    content_type: str
    "Without its parameters."
    body: bytes


class NoWebSocketError(RemoteError):
    """The server answered in plain HTTP; a request for the same path says why."""


class HttpCaller:
    """`url` is where the server is: http://…, https://… or unix:/path. `ca` names a file with the certificates to
    trust instead of the system's. Close it at the end. Raises UsageError.
    """

    def __init__(self, url: str, *, headers: Mapping[str, str] | None = None, ca: str = "") -> None:
        connector: aiohttp.BaseConnector
        if url.startswith("unix:"):
            connector = aiohttp.UnixConnector(url.removeprefix("unix:"), limit=0)
            self._root = URL("http://localhost/")
        else:
            try:
                self._root = URL(url)
                tls = ssl.create_default_context(cafile=ca or None) if self._root.scheme == "https" else None
            except (ValueError, OSError) as error:
                raise UsageError(f"cannot call {url}: {error}") from None
            if self._root.scheme not in ("http", "https") or not self._root.host:
                raise UsageError(f"{url!r} is no address of a server: http://…, https://… or unix:/path")
            connector = aiohttp.TCPConnector(limit=0, ssl=tls if tls is not None else True)
        self.where = url
        self._session = aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False, headers=dict(headers or {}),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_SECONDS), auto_decompress=False,
            skip_auto_headers=("Accept-Encoding",),
        )

    async def request(
        self, method: str, path: str, *, query: str = "", body: bytes | None = None, content_type: str = "",
        limit: int, seconds: float,
    ) -> Reply:
        """`path` is below the server's root, percent-encoded. Raises NetworkError; LimitError where more than `limit`
        bytes come.
        """
        url = URL(str(self._root).rstrip("/") + path + (f"?{query}" if query else ""), encoded=True)
        headers = {"Content-Type": content_type} if content_type else {}
        try:
            async with asyncio.timeout(seconds), self._session.request(
                method, url, data=body, headers=headers, allow_redirects=False,
            ) as reply:
                parts, size = [], 0
                async for part in reply.content.iter_any():
                    size += len(part)
                    if size > limit:
                        reply.close()
                        raise LimitError(f"the reply is longer than {limit} bytes", where="reply")
                    parts.append(part)
                return Reply(reply.status, reply.content_type, b"".join(parts))
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise self._failed(error, seconds) from None

    @contextlib.asynccontextmanager
    async def websocket(self, path: str, *, limit: int, seconds: float) -> AsyncIterator[CalledWebSocket]:
        """One to `path`, whose messages have up to `limit` bytes. `seconds`: for the server to answer. Raises
        NetworkError; NoWebSocketError where it answers with something else.
        """
        url = URL(str(self._root).rstrip("/") + path, encoded=True)
        try:
            async with asyncio.timeout(seconds):
                response = await self._session.ws_connect(
                    url, heartbeat=PING_SECONDS, max_msg_size=limit,
                    timeout=aiohttp.ClientWSTimeout(ws_close=CLOSE_SECONDS))
        except aiohttp.WSServerHandshakeError as error:
            raise NoWebSocketError(f"{self.where} answered {error.status}") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise self._failed(error, seconds) from None
        try:
            yield CalledWebSocket(response)
        finally:
            await response.close()

    def _failed(self, error: Exception, seconds: float) -> NetworkError:
        if isinstance(error, TimeoutError):
            return NetworkError(f"{self.where} did not answer within {seconds:g} seconds")
        if isinstance(error, aiohttp.ClientConnectorCertificateError):
            return NetworkError(
                f"the certificate of {self.where} is not valid", code="bad_certificate", detail=str(error))
        reason = getattr(getattr(error, "os_error", error), "strerror", None) or str(error)
        return NetworkError(f"{self.where} cannot be reached: {reason}", code="unreachable")

    async def close(self) -> None:
        await self._session.close()
