"""The operations of the Api as routes. Every one of them wants somebody who may."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from msgspec import Struct, structs

from wildbach.base import limits
from wildbach.base.errors import UsageError
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.api.operation import Operation, operations
from wildbach.interfaces.api.restricted import for_role
from wildbach.interfaces.http import answers, payloads
from wildbach.interfaces.http.access import Who, caller
from wildbach.net.httpd import Request, Response, Stream

TORRENT: Final = "application/x-bittorrent"
"A torrent file may be the body when torrents are added; what else is asked of it is then the query."


@dataclass(frozen=True, slots=True)
class Match:
    operation: Operation
    parameters: dict[str, str | int]


class Routes:
    """Finds an operation by method and path."""

    def __init__(self) -> None:
        self._by_length: dict[int, list[tuple[tuple[str, ...], dict[str, Operation]]]] = {}
        for operation in operations(Api).values():
            parts = tuple(operation.path.split("/")[1:])
            rows = self._by_length.setdefault(len(parts), [])
            methods = next((found for path, found in rows if path == parts), None)
            if methods is None:
                methods = {}
                rows.append((parts, methods))
            methods[operation.method] = operation
        for rows in self._by_length.values():
            # A plain word goes before a parameter.
            rows.sort(key=lambda row: [part.startswith("{") for part in row[0]])

    def find(self, method: str, path: str) -> Match:
        """Raises UsageError: `not_found`, or `method_not_allowed` with those that are."""
        parts = tuple(path.split("/")[1:])
        for pattern, methods in self._by_length.get(len(parts), ()):
            if all(known == part or known.startswith("{") for known, part in zip(pattern, parts, strict=True)):
                operation = methods.get("GET" if method == "HEAD" else method)
                if operation is None:
                    raise UsageError(f"{method} is not for this", code="method_not_allowed", allow=sorted(methods))
                kinds = dict(operation.parameters)
                return Match(operation, {
                    known[1:-1]: payloads.from_segment(part, kinds[known[1:-1]])
                    for known, part in zip(pattern, parts, strict=True) if known.startswith("{")
                })
        raise UsageError("there is nothing here", code="not_found")


class Rest:
    def __init__(self, api: Api) -> None:
        self._api = api
        self._routes = Routes()

    async def __call__(self, request: Request, path: str, who: Who) -> Response | Stream:
        """`path` is below the API's root. Raises the errors of the Api."""
        found = self._routes.find(request.method, path)
        operation = found.operation
        if operation.role == "user" and who.role != "user":
            raise UsageError("a guest may look, and change nothing", code="forbidden")
        given: dict[str, Any] = dict(found.parameters)
        if operation.payload:
            given[operation.payload] = await _payload(request, operation)
        elif request.query:
            payloads.from_query(request.query, _Nothing)
        if not operation.payload and _has_body(request):
            raise payloads.bad("nothing is to be sent along here")
        token = caller.set(who)
        try:
            result = await getattr(for_role(self._api, who.role), operation.name)(**given)
        finally:
            caller.reset(token)
        if result is None:
            return Response(status=204, content_type=answers.CONTENT_TYPE)
        if isinstance(result, bytes):
            return Response(result, 200, operation.content_type, {"Content-Disposition": "attachment"})
        return answers.answer(result)


class _Nothing(Struct, forbid_unknown_fields=True):
    """A query of nothing."""


async def _payload(request: Request, operation: Operation) -> Struct:
    kind: type[Struct] = operation.payload_type
    if operation.in_query:
        return payloads.from_query(request.query, kind)
    content_type = media_type(request)
    if operation.payload_type is m.PreviewRequest and content_type == TORRENT:
        return m.PreviewRequest(file=await request.body(limits.API_BODY_BYTES))
    if operation.payload_type is m.AddRequest and content_type == TORRENT:
        wishes = payloads.from_query(request.query, m.AddRequest)
        body = await request.body(limits.API_BODY_BYTES)
        return structs.replace(wishes, files=(body, *wishes.files))
    require_json(request)
    if request.query:
        payloads.from_query(request.query, _Nothing)
    return await payloads.from_json(await request.body(limits.API_BODY_BYTES), kind)


def media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def require_json(request: Request) -> None:
    """A form of another web page can send other types without asking, but not this one. Raises UsageError."""
    if media_type(request) != answers.CONTENT_TYPE:
        raise UsageError(
            f"the body has to be {answers.CONTENT_TYPE}", code="bad_type",
            got=media_type(request)[:100])


def _has_body(request: Request) -> bool:
    return request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers
