"""The Api of a daemon somewhere else, over HTTP.

    async with connect("http://127.0.0.1:8080", token=token) as api:
        page = await api.list_torrents(Listing(limit=10))
        async with api.push(Subscription(torrents=Listing())) as line:
            async for news in line:
                ...

Errors come back as what they were there: UsageError, StorageError, NetworkError, each with its `code`.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, cast
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Struct

from wildbach.base.errors import NetworkError, RemoteError, StorageError, UsageError, WildbachError
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.api.operation import Operation, operations
from wildbach.interfaces.api.subscription import Message, Subscription, error_of
from wildbach.interfaces.http import answers, problems
from wildbach.net.httpcall import HttpCaller, NoWebSocketError, Reply
from wildbach.net.websocket import CalledWebSocket
from wildbach.protocol.proxy.connect import basic

_ROOT = "/api/v1"
_REPLY_BYTES = 256 << 20
"A page of the longest lists has some megabytes, a torrent file up to 160."
_PUSH = f"{_ROOT}/push"
_NEWS_BYTES = 64 << 20


class RemoteApi(Api, Protocol):
    """The Api, and the line on which the daemon tells what changes."""

    def push(self, shows: Subscription) -> AbstractAsyncContextManager[PushLine]:
        """Open it. Raises NetworkError; UsageError where the daemon refuses."""
        ...


class PushLine:
    """News of what was subscribed to, as docs/guide-api.md has them; `Shown` makes a whole of them. The daemon sends
    the next when these were read. Iterating does not end: it raises NetworkError where the line breaks, UsageError
    where the daemon ends it (code `unauthorized`) or takes no such subscription.
    """

    def __init__(self, socket: CalledWebSocket, where: str) -> None:
        self._socket = socket
        self._where = where

    async def show(self, shows: Subscription) -> None:
        """Something else is shown from now on. Raises NetworkError."""
        try:
            await self._socket.send(msgspec.json.encode(Message(shows)).decode())
        except ConnectionError as error:
            raise NetworkError(f"the line to {self._where} is broken: {error}", code="unreachable") from None

    def __aiter__(self) -> PushLine:
        return self

    async def __anext__(self) -> dict[str, Any]:
        text = await self._socket.receive()
        if text is None:
            if self._socket.refused:
                raise UsageError(f"{self._where} lets us in no more", code="unauthorized")
            raise NetworkError(f"the line to {self._where} has ended: the daemon stopped, or the network is away",
                               code="unreachable")
        try:
            news = msgspec.json.decode(text, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise RemoteError(f"{self._where} said what cannot be understood") from None
        if "error" in news:
            raise error_of(news["error"])
        return news


@contextlib.asynccontextmanager
async def connect(
    url: str, *, token: str = "", user: str = "", password: str = "", ca: str = "", seconds: float = 60.0,
) -> AsyncIterator[RemoteApi]:
    """`url`: http://…, https://… or unix:/path of the daemon. `token`: a key for programs, or that of the file
    api.token; or `user` and `password`. `ca`: a file with certificates to trust. `seconds`: how long one answer may
    take.

    Raises UsageError for a URL that cannot be; nothing is sent before the first operation.
    """
    headers = {}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    elif user or password:
        headers["Authorization"] = basic(user, password)
    caller = HttpCaller(url, headers=headers, ca=ca)
    try:
        yield cast(RemoteApi, _Remote(caller, seconds))
    finally:
        await caller.close()


class _Remote:
    """Has every operation of the Api as a method."""

    def __init__(self, caller: HttpCaller, seconds: float) -> None:
        self._caller = caller
        self._seconds = seconds

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        operation = operations(Api).get(name)
        if operation is None:
            raise AttributeError(f"the Api has no operation {name}")

        async def call(*args: Any, **given: Any) -> Any:
            return await self._ask(operation, args, given)

        return call

    @contextlib.asynccontextmanager
    async def push(self, shows: Subscription) -> AsyncIterator[PushLine]:
        try:
            async with self._caller.websocket(_PUSH, limit=_NEWS_BYTES, seconds=self._seconds) as socket:
                line = PushLine(socket, self._caller.where)
                await line.show(shows)
                yield line
        except NoWebSocketError:
            reply = await self._caller.request("GET", _PUSH, limit=_REPLY_BYTES, seconds=self._seconds)
            raise _error(reply, self._caller.where) from None

    async def _ask(self, operation: Operation, args: tuple[Any, ...], given: dict[str, Any]) -> Any:
        names = [name for name, _ in operation.parameters] + ([operation.payload] if operation.payload else [])
        values = dict(zip(names, args, strict=False)) | given
        if len(args) > len(names) or set(values) != set(names):
            raise TypeError(f"{operation.name} takes {', '.join(names) or 'nothing'}")
        path = operation.path
        for name, _ in operation.parameters:
            path = path.replace(f"{{{name}}}", quote(str(values[name]), safe=""))
        query, body, content_type = "", None, ""
        if operation.in_query:
            query = _query(values[operation.payload])
        elif operation.payload:
            body, content_type = msgspec.json.encode(values[operation.payload]), answers.CONTENT_TYPE
        reply = await self._caller.request(
            operation.method, _ROOT + path, query=query, body=body, content_type=content_type, limit=_REPLY_BYTES,
            seconds=self._seconds)
        if reply.status >= 300:
            raise _error(reply, self._caller.where)
        if operation.result is None:
            return None
        if operation.result is bytes:
            return reply.body
        try:
            return msgspec.json.decode(reply.body, type=operation.result)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise RemoteError(f"{self._caller.where} speaks another version of the API: {error}") from None


def _query(payload: Struct) -> str:
    """What is not as it is by default."""
    pairs: list[tuple[str, str]] = []
    for field in msgspec.structs.fields(payload):
        value = getattr(payload, field.name)
        if field.default is not msgspec.NODEFAULT and value == field.default:
            continue
        for one in value if isinstance(value, tuple) else (value,):
            text = ("true" if one else "false") if isinstance(one, bool) else "null" if one is None else str(one)
            pairs.append((field.encode_name, text))
    return urlencode(pairs)


def _error(reply: Reply, where: str) -> WildbachError:
    """What went wrong there, as if it had here."""
    if reply.content_type != problems.CONTENT_TYPE:
        text = reply.body[:500].decode("utf-8", "replace").strip().partition("\n")[0]
        return UsageError(f"{where} refused: {text or reply.status}", code="refused", status=reply.status)
    try:
        problem = msgspec.json.decode(reply.body, type=problems.Problem)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return RemoteError(f"{where} answered what cannot be understood (HTTP {reply.status})")
    facts, text = problem.facts, problem.detail
    if problem.kind == "usage":
        error: WildbachError = UsageError(text, code=problem.code)
    elif problem.kind == "storage":
        number = facts.get("errno")
        error = StorageError(
            text, path=str(facts.get("path", "")), errno=number if isinstance(number, int) else 0, code=problem.code)
    elif problem.kind == "network":
        error = NetworkError(text, code=problem.code)
    else:
        error = problems.KINDS.get(problem.kind, RemoteError)(text)
        error.code = problem.code  # type: ignore[misc]  # an instance may name a finer code than its class
    error.facts.update(facts)
    return error
