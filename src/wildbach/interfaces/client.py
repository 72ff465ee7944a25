"""The Api of a daemon somewhere else, over HTTP.

    async with connect("http://127.0.0.1:8080", token=token) as api:
        page = await api.list_torrents(Listing(limit=10))

Errors come back as what they were there: UsageError, StorageError, NetworkError, each with its `code`.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, cast
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Struct

from wildbach.base.errors import NetworkError, RemoteError, StorageError, UsageError, WildbachError
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.api.operation import Operation, operations
from wildbach.interfaces.http import answers, problems
from wildbach.net.httpcall import HttpCaller, Reply
from wildbach.protocol.proxy.connect import basic

_ROOT = "/api/v1"
_REPLY_BYTES = 256 << 20
"A page of the longest lists has some megabytes, a torrent file up to 160."


@contextlib.asynccontextmanager
async def connect(
    url: str, *, token: str = "", user: str = "", password: str = "", ca: str = "", seconds: float = 60.0,
) -> AsyncIterator[Api]:
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
        yield cast(Api, _Remote(caller, seconds))
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
