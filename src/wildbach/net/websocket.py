"""One WebSocket, of a client that called us or to a server that we called: text messages both ways, bounded, with pings
that find who is gone.
"""

from __future__ import annotations

import asyncio
import contextlib

from aiohttp import ClientWebSocketResponse, WSCloseCode, WSMsgType, web

PING_SECONDS = 20.0
_SEND_SECONDS = 30.0
"For a client to make room for one more message."
CLOSE_SECONDS = 2.0
_WRITE_AHEAD = 64 * 1024


class WebSocket:
    """Reading ends with None once the client is gone; sending waits until the client has room, so what is not sent yet
    is never more than one message.
    """

    def __init__(self, response: web.WebSocketResponse, request: web.BaseRequest) -> None:
        self._response = response
        self._request = request

    @staticmethod
    def response(message_bytes: int) -> web.WebSocketResponse:
        """What the HTTP library makes of the request."""
        return web.WebSocketResponse(
            timeout=CLOSE_SECONDS, heartbeat=PING_SECONDS, compress=False, max_msg_size=message_bytes,
            writer_limit=_WRITE_AHEAD,
        )

    @property
    def closed(self) -> bool:
        return self._response.closed

    async def receive(self) -> str | None:
        """The next text; None where the socket is closed, too much came, or something else than text."""
        while True:
            message = await self._response.receive()
            if message.type is WSMsgType.TEXT:
                return str(message.data)
            if message.type is WSMsgType.BINARY:
                await self._shut(WSCloseCode.UNSUPPORTED_DATA, "text only")
            return None

    async def send(self, text: str) -> None:
        """Raises ConnectionError where the client is gone, or took none of it for half a minute."""
        if self._response.closed:
            raise ConnectionResetError("the WebSocket is closed")
        try:
            async with asyncio.timeout(_SEND_SECONDS):
                await self._response.send_str(text)
        except TimeoutError:
            if self._request.transport is not None:
                self._request.transport.abort()
            raise ConnectionAbortedError("the client does not read") from None

    async def close(self, reason: str = "") -> None:
        """Say good-bye. Idempotent."""
        await self._shut(WSCloseCode.GOING_AWAY if reason else WSCloseCode.OK, reason)

    async def refuse(self, reason: str) -> None:
        """Close it: the client may not, or not any more."""
        await self._shut(WSCloseCode.POLICY_VIOLATION, reason)

    async def _shut(self, code: int, reason: str) -> None:
        with contextlib.suppress(ConnectionError, TimeoutError, RuntimeError):
            async with asyncio.timeout(CLOSE_SECONDS):
                await self._response.close(code=code, message=reason.encode()[:100])


class CalledWebSocket:
    """Our end of one that we opened; `HttpCaller.websocket` gives and closes it."""

    def __init__(self, response: ClientWebSocketResponse) -> None:
        self._response = response

    @property
    def refused(self) -> bool:
        """It was closed because we may not, or not any more."""
        return self._response.close_code == WSCloseCode.POLICY_VIOLATION

    async def receive(self) -> str | None:
        """The next text; None where the socket is closed, too much came, or something else than text."""
        message = await self._response.receive()
        return str(message.data) if message.type is WSMsgType.TEXT else None

    async def send(self, text: str) -> None:
        """Raises ConnectionError where the server is gone, or took none of it for half a minute."""
        try:
            async with asyncio.timeout(_SEND_SECONDS):
                await self._response.send_str(text)
        except TimeoutError:
            raise ConnectionAbortedError("the server does not read") from None
