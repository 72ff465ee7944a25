"""One WebSocket of a client that called us: text messages both ways, bounded, with pings that find who is gone."""

from __future__ import annotations

import asyncio
import contextlib

from aiohttp import WSCloseCode, WSMsgType, web

_PING_SECONDS = 20.0
_SEND_SECONDS = 30.0
"For a client to make room for one more message."
_CLOSE_SECONDS = 2.0
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
            timeout=_CLOSE_SECONDS, heartbeat=_PING_SECONDS, compress=False, max_msg_size=message_bytes,
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
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._response.close(code=code, message=reason.encode()[:100])
