"""The web server of the daemon: the gate, then the Api under /api/v1, metrics, what was mounted beside them, and the
web UI.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import UsageError, WildbachError
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.http import answers, metrics, openapi, packing, problems
from wildbach.interfaces.http.access import Access, Who
from wildbach.interfaces.http.gate import Gate, security_headers
from wildbach.interfaces.http.headers import bearer
from wildbach.interfaces.http.logins import Logins
from wildbach.interfaces.http.push import Push
from wildbach.interfaces.http.rest import Rest
from wildbach.interfaces.http.site import Site
from wildbach.interfaces.settings import ApiSettings
from wildbach.net.httpd import Answer, HttpServer, Request, Response, Stream, WebSocketUpgrade

log = logging.getLogger(__name__)

ROOT: Final = "/api/v1"
_NOTE_SECONDS = 600.0

Door = Callable[[Request, Access], Awaitable[Response | Stream]]
"Another way in, which says itself who may, in its own words."

_STRANGERS: Final = frozenset((("GET", "/session"), ("POST", "/login"), ("GET", "/start"), ("POST", "/start")))
"What may be asked of the Api without being anybody."
_OWN: Final = {
    "/session": ["GET"], "/login": ["POST"], "/logout": ["POST"], "/start": ["GET", "POST"],
    "/openapi.json": ["GET"], "/push": ["GET"],
}
"What is no operation of the Api."


class WebServer:
    """Answers requests; `http` is the server that listens. `settings` gives those that hold now."""

    def __init__(
        self, api: Api, access: Access, settings: Callable[[], ApiSettings], site: Site | None = None,
    ) -> None:
        """Without a `site` there is a page that says how one gets it."""
        self._settings = settings
        self._site = site if site is not None else Site({})
        self._api = api
        self._access = access
        self._gate = Gate(settings)
        self._rest = Rest(api)
        self._push = Push(api, access, settings)
        self._doors: dict[str, Door] = {}
        self._noted = time.monotonic()
        self.http = HttpServer(
            self.handle, connections=settings().connections, line_bytes=limits.API_LINE_BYTES,
            trusted=self._gate.is_proxy)

    def mount(self, prefix: str, door: Door) -> None:
        """Let a door answer for a path and all below it; `/` for all that nobody else answers for. The door goes
        through the gate, and asks `access` itself who may.
        """
        self._doors[prefix.rstrip("/")] = door

    async def close(self) -> None:
        await self.http.close()
        await self._access.note()

    async def handle(self, request: Request) -> Answer:
        try:
            found = await self._handle(request)
        except WildbachError as error:
            allow = error.facts.get("allow")
            found = problems.of(error, {"Allow": ", ".join(allow)} if isinstance(allow, list) else None)
        except Exception:
            log.exception("a bug in the API")
            found = problems.bug()
        if isinstance(found, WebSocketUpgrade):
            return found
        return packing.packed(replace(found, headers=security_headers(found.headers)), request)

    async def _handle(self, request: Request) -> Answer:
        passed = self._gate.admit(request)
        if isinstance(passed, Response):
            return passed
        request = passed
        if time.monotonic() - self._noted > _NOTE_SECONDS:
            self._noted = time.monotonic()
            await self._access.note()
        path = request.path
        if path == ROOT or path.startswith(ROOT + "/"):
            return await self._own(request, path[len(ROOT):])
        if path == "/healthz" and request.method in ("GET", "HEAD"):
            return Response(b"ok\n")
        if path == "/metrics" and request.method in ("GET", "HEAD"):
            if not self._settings().metrics_public:
                await self._somebody(request)
            return await metrics.page(self._api)
        door = self._door(path)
        if door is not None:
            return await door(request, self._access)
        file = self._site(request)
        if file is not None:
            return file
        await self._somebody(request)
        raise UsageError("there is nothing here", code="not_found")

    def _door(self, path: str) -> Door | None:
        """The one with the longest prefix."""
        while path:
            if path in self._doors:
                return self._doors[path]
            path = path.rpartition("/")[0]
        return self._doors.get("")

    async def _somebody(self, request: Request) -> Who:
        """Raises UsageError for strangers."""
        who = await self._access.identify(request)
        if who is None:
            authorization = request.headers.get("authorization", "")
            if bearer(authorization):
                raise UsageError(
                    "this key is not known: it is mistyped, or was removed", code="unauthorized")
            raise UsageError(
                "the user or the password is another" if authorization and self._access.password_set else
                "log in first" if self._access.password_set else
                "no password is set yet: open the start link that was shown when wildbach started; `wildbach open` "
                "makes another", code="unauthorized")
        return who

    async def _own(self, request: Request, path: str) -> Answer:
        logins = Logins(self._access, self._settings())
        method = "GET" if request.method == "HEAD" else request.method
        if (method, path) in _STRANGERS:
            if path == "/login":
                return await logins.login(request)
            if path == "/start":
                return await logins.start(request)
            return logins.session(await self._access.identify(request))
        who = await self._somebody(request)
        match (method, path):
            case "POST", "/logout":
                return await logins.logout(request)
            case "GET", "/openapi.json":
                return Response(openapi.document(), content_type=answers.CONTENT_TYPE)
            case "GET", "/push":
                return self._push.upgrade(who)
        if path in _OWN:
            raise UsageError(f"{request.method} is not for this", code="method_not_allowed", allow=_OWN[path])
        return await self._rest(request, path, who)
