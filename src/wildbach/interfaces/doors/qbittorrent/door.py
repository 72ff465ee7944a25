"""The door: finds the endpoint, who asks, and what is answered where it cannot be done.

Its dialect of refusals is that of qBittorrent, which programs go by: 403 without a session (never 401), 405 for a
change by GET, 404 `Not Found`, 409 for what cannot be as things are.
"""

from __future__ import annotations

import logging
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import FormatError, NetworkError, StorageError, UsageError
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.api.operation import ROLES, Role
from wildbach.interfaces.api.restricted import for_role
from wildbach.interfaces.doors.qbittorrent import (
    adding,
    app,
    changes,
    creator,
    details,
    labels,
    listing,
    logs,
    rss,
    search,
    sync,
    transfer,
)
from wildbach.interfaces.doors.qbittorrent.call import Answer, Call, Refusal
from wildbach.interfaces.doors.qbittorrent.endpoints import ENDPOINTS
from wildbach.interfaces.doors.qbittorrent.forms import Form, read_form, read_pairs
from wildbach.interfaces.doors.qbittorrent.state import Shared
from wildbach.interfaces.http import headers
from wildbach.interfaces.http.access import Access
from wildbach.net.httpd import BodyError, Request, Response

_log = logging.getLogger(__name__)

MODULES: Final = (adding, app, changes, creator, details, labels, listing, logs, rss, search, sync, transfer)
"Where endpoints are declared: importing them fills the table."
PREFIX: Final = "/api/v2"
COOKIE: Final = "SID"
LOGIN, LOGOUT = "auth/login", "auth/logout"
_STATUS: Final = {
    "not_found": 404, "duplicate": 409, "no_metadata": 409, "no_category": 409, "pinned": 409, "unsupported": 409,
    "forbidden_path": 403, "forbidden": 403, "too_many_logins": 403,
}


class Door:
    """Speaks WebAPI v2 below /api/v2."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._shared: dict[Role, Shared] = {
            # What guests get of the settings is chosen there.
            role: Shared(for_role(api, role, ("settings",))) for role in ROLES
        }

    async def __call__(self, request: Request, access: Access) -> Answer:
        try:
            return await self._answer(request, access)
        except Refusal as refusal:
            return Response(refusal.text.encode(), refusal.status)
        except FormatError as error:
            return Response(str(error).encode(), 400)
        except BodyError as error:
            return Response(str(error).encode(), error.status)
        except UsageError as error:
            status = _STATUS.get(error.code, 400)
            return Response(b"Not Found" if status == 404 else str(error).encode(), status)
        except (StorageError, NetworkError) as error:
            return Response(str(error).encode(), 409)

    async def _answer(self, request: Request, access: Access) -> Answer:
        name = "/".join(request.path.rstrip("/").split("/")[-2:])
        if _from_elsewhere(request):
            return Response(b"Unauthorized: this request came from another web page. Behind a reverse proxy, have it "
                            b"pass on the Host header as it came.", 401)
        if name in (LOGIN, LOGOUT):
            if request.method != "POST":
                return Response(b"Method Not Allowed", 405)
            return await (self._login if name == LOGIN else self._logout)(request, access)
        endpoint = ENDPOINTS.get(name)
        who = await access.identify(request, COOKIE)
        # Without a session all is 403, what does not exist too: programs take 404 for "an old version".
        if who is None:
            return Response(b"Forbidden", 403)
        if endpoint is None:
            return Response(b"Not Found", 404)
        if request.method not in (("POST",) if endpoint.change else ("GET", "HEAD", "POST")):
            return Response(b"Method Not Allowed", 405)
        if ROLES.index(who.role) < ROLES.index(endpoint.role):
            return Response(b"Forbidden", 403)
        shared = self._shared[who.role]
        call = Call(
            for_role(self._api, who.role), shared, shared.viewer(f"{who.via} {who.id}"),
            await _form(request),
        )
        return await endpoint.handler(call)

    async def _login(self, request: Request, access: Access) -> Answer:
        fields = (await _form(request, limits.API_START_BYTES)).fields
        try:
            token = await access.login(
                fields.get("username", ""), fields.get("password", ""), request.remote.host,
                request.headers.get("user-agent", ""),
            )
        except UsageError as error:
            if error.code == "too_many_logins":
                return Response(b"Your IP address has been banned after too many failed authentication attempts.", 403)
            _log.info("A program could not log in at the qBittorrent door: %s", error)
            return Response(b"Fails.")
        secure = "; Secure" if request.secure else ""
        return Response(b"Ok.", headers={
            "Set-Cookie": f"{COOKIE}={token}; HttpOnly; SameSite=Strict; path=/{secure}",
        })

    async def _logout(self, request: Request, access: Access) -> Answer:
        token = headers.cookies(request.headers.get("cookie", "")).get(COOKIE, "")
        if await access.identify(request, COOKIE) is None:
            return Response(b"Forbidden", 403)
        if token:
            await access.logout(token)
        return Response(headers={"Set-Cookie": f"{COOKIE}=; HttpOnly; SameSite=Strict; path=/; Max-Age=0"})


def _from_elsewhere(request: Request) -> bool:
    """The gate refuses changes by other pages; the original refuses all that they ask for."""
    own = headers.place(request.headers.get("host", ""))
    origin = request.headers.get("origin", request.headers.get("referer"))
    return own is not None and origin is not None and not (headers.is_extension(origin) or headers.is_own(origin, own))


async def _form(request: Request, most: int = limits.FORM_BYTES) -> Form:
    """Fields of the query and of the body of at most so many bytes; those of the body win."""
    form = Form()
    read_pairs(request.query, form.fields)
    if request.method == "POST":
        sent = read_form(request.headers.get("content-type", ""), await request.body(most))
        form.fields |= sent.fields
        form.files = sent.files
    return form
