"""The door: who asks, the session id against other web pages, and what is answered to each call of a request.

As with Transmission, whatever is asked gets 200 and says itself how it went; other answers are 401 for strangers, 409
with the session id for who does not have it, 405 for what is no POST, and 204 where there were notifications only.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import secrets
from collections.abc import AsyncIterator
from typing import Final

import msgspec

from wildbach.base import limits
from wildbach.base.errors import FormatError, UsageError, WildbachError
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.api.operation import ROLES
from wildbach.interfaces.api.restricted import for_role
from wildbach.interfaces.doors.transmission import methods, names, refusal
from wildbach.interfaces.doors.transmission.asked import Asked, Given, Shared
from wildbach.interfaces.doors.transmission.messages import Call, Message, head, read, refused
from wildbach.interfaces.doors.transmission.names import Dialect, spelled
from wildbach.interfaces.doors.transmission.numbers import Numbers
from wildbach.interfaces.doors.transmission.parameters import Params
from wildbach.interfaces.doors.transmission.refusal import Refusal
from wildbach.interfaces.http.access import Access, Who
from wildbach.net.httpd import BodyError, Request, Response, Stream

_log = logging.getLogger(__name__)

PREFIX: Final = "/transmission/rpc"
HEADER: Final = "X-Transmission-Session-Id"
_ROTATE_SECONDS: Final = 3600.0
_JSON: Final = "application/json"
_LARGE: Final = 64 * 1024
"Larger requests are read in a thread."


class Door:
    """Speaks Transmission's RPC at /transmission/rpc. Made in the loop that serves it."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._clock = asyncio.get_running_loop().time
        self._shared = Shared(Numbers(api, self._clock), {}, self._clock())
        self._made_at = float("-inf")

    def session_id(self) -> str:
        """The one that is good now; another one every hour."""
        if self._clock() - self._made_at > _ROTATE_SECONDS:
            self._shared.session_id = secrets.token_urlsafe(36)
            self._made_at = self._clock()
        return self._shared.session_id

    async def __call__(self, request: Request, access: Access) -> Response | Stream:
        try:
            who = await access.identify(request)
        except UsageError as error:
            retry = error.facts.get("retry_after")
            return _text(403, error.message, {"Retry-After": str(retry)} if retry is not None else {})
        if who is None:
            return _text(401, "Unauthorized User", {"WWW-Authenticate": 'Basic realm="Transmission", charset="UTF-8"'})
        if request.path.rstrip("/") != PREFIX:
            return _text(404, "Not Found", {})
        given = request.headers.get(HEADER.lower(), "")
        good = self.session_id()
        if not hmac.compare_digest(given.encode(), good.encode()):
            return _text(
                409, f"Your request had an invalid session-id header. Send it again with {HEADER}: {good}",
                {HEADER: good, "X-Transmission-Rpc-Version": names.MODERN_RPC_SEMVER})
        if request.method != "POST":
            return _text(405, "Method Not Allowed", {"Allow": "POST"})
        try:
            body = await request.body(limits.RPC_BYTES)
        except BodyError as error:
            return _text(error.status, error.message, {"Connection": "close"})
        try:
            message = await asyncio.to_thread(read, body) if len(body) > _LARGE else read(body)
        except FormatError as error:
            return Response(_unreadable(body, error), content_type=_JSON)
        return await self._answer(message, who)

    async def _answer(self, message: Message, who: Who) -> Response | Stream:
        if len(message.calls) == 1 and not message.batch:
            call = message.calls[0]
            answer = await self._call(call, who)
            if call.silent:
                await _finish(answer)
                return Response(status=204)
            if isinstance(answer, bytes):
                return Response(answer, content_type=_JSON)
            return Stream(answer, content_type=_JSON)
        if all(call.silent for call in message.calls):
            for call in message.calls:
                await _finish(await self._call(call, who))
            return Response(status=204)
        return Stream(self._batch(message, who), content_type=_JSON)

    async def _batch(self, message: Message, who: Who) -> AsyncIterator[bytes]:
        """One after the other, in the order in which they came."""
        separator = b"["
        for call in message.calls:
            answer = await self._call(call, who)
            if call.silent:
                await _finish(answer)
                continue
            yield separator
            separator = b","
            if isinstance(answer, bytes):
                yield answer
            else:
                async for part in answer:
                    yield part
        yield b"]"

    async def _call(self, call: Call, who: Who) -> bytes | AsyncIterator[bytes]:
        method = None
        try:
            if call.fault is not None:
                raise call.fault
            method = methods.find(call.method, call.dialect)
            if method is None:
                raise Refusal(
                    refusal.METHOD_NOT_FOUND,
                    "method name not recognized" if call.dialect is Dialect.CLASSIC else "")
            if ROLES.index(who.role) < ROLES.index(method.role):
                raise Refusal(refusal.SYSTEM_ERROR, "a guest may look, and change nothing")
            if call.silent and method.role == "guest":
                return b""  # it only looks, and nobody wants to know
            # `preferences` chooses what a guest gets of the settings.
            api = for_role(self._api, who.role, ("settings",))
            given = await method.handler(Asked(api, self._shared, Params(call), call.dialect, who))
        except Refusal as why:
            return refused(call, why, _told(why.facts, method, call.dialect))
        except WildbachError as error:
            _log.info("the Transmission door refused %s: %s", call.method[:100], error.message)
            return refused(call, refusal.of(error), {})
        before, after = head(call)
        if isinstance(given, dict):
            return before + msgspec.json.encode(_told(given, method, call.dialect)) + after
        return _framed(before, given, after)


def _told(given: Given, method: methods.Method | None, dialect: Dialect) -> Given:
    """In the words of the dialect."""
    if method is None or dialect is Dialect.MODERN:
        return given
    return spelled(given, method.classic_names)  # type: ignore[no-any-return]  # a dict stays one


async def _framed(before: bytes, parts: AsyncIterator[bytes], after: bytes) -> AsyncIterator[bytes]:
    yield before
    async for part in parts:
        yield part
    yield after


async def _finish(answer: bytes | AsyncIterator[bytes]) -> None:
    """Nobody wants it."""
    if not isinstance(answer, bytes):
        async for _ in answer:
            pass


def _unreadable(body: bytes, error: FormatError) -> bytes:
    dialect = Dialect.MODERN if b'"jsonrpc"' in body[:10_000] else Dialect.CLASSIC
    call = Call(dialect, "", {}, b"null" if dialect is Dialect.MODERN else b"")
    return refused(call, Refusal(refusal.PARSE_ERROR, f"Parse error: {error.message}"), {})


def _text(status: int, text: str, headers: dict[str, str]) -> Response:
    return Response(text.encode(), status, headers=headers)
