"""Getting in and out, and finding out whether one is in: the few routes that strangers may ask for."""

from __future__ import annotations

import base64
import hashlib
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from wildbach.base import limits
from wildbach.interfaces.http import answers, headers, payloads
from wildbach.interfaces.http.access import Access, Who
from wildbach.interfaces.http.rest import require_json
from wildbach.interfaces.settings import ApiSettings
from wildbach.net.httpd import Request, Response

_SCRIPT: Final = """
const [token, ...page] = location.hash.slice(1).split("/");
const say = (text) => { document.querySelector("p").textContent = text; };
history.replaceState(null, "", location.pathname);
if (token === "") {
  say("This link is not whole: copy all of it, with what stands behind the #.");
} else {
  fetch(location.pathname, {
    method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify({token: token}),
  }).then((answer) => {
    if (answer.ok) { location.replace("../../" + (page.length ? "#/" + page.join("/") : "")); return null; }
    return answer.json().then((problem) => say(problem.detail));
  }).catch(() => say("wildbach does not answer."));
}
"""
_PAGE: Final = (
    "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
    "<title>wildbach</title><p>One moment …</p><noscript>This page needs JavaScript.</noscript>"
    f"<script>{_SCRIPT}</script></html>\n"
).encode()
_PAGE_POLICY: Final = (
    "default-src 'none'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'; script-src "
    f"'sha256-{base64.b64encode(hashlib.sha256(_SCRIPT.encode()).digest()).decode()}'"
)


class Login(Struct, frozen=True, forbid_unknown_fields=True):
    user: Annotated[str, Meta(max_length=100)]
    password: Annotated[str, Meta(max_length=1000)]


class Start(Struct, frozen=True, forbid_unknown_fields=True):
    token: Annotated[str, Meta(max_length=200)]


class Session(Struct, frozen=True):
    """Who one is."""

    role: Literal["guest", "user"] | None
    "None for strangers."
    name: str
    password_set: bool


class Logins:
    def __init__(self, access: Access, settings: ApiSettings) -> None:
        self._access = access
        self._settings = settings

    def session(self, who: Who | None) -> Response:
        return Response(msgspec.json.encode(Session(
            who.role if who else None, who.name if who else "", self._access.password_set)),
            content_type=answers.CONTENT_TYPE)

    async def login(self, request: Request) -> Response:
        """Raises UsageError."""
        require_json(request)
        given = await payloads.from_json(await request.body(limits.API_START_BYTES), Login)
        token = await self._access.login(
            given.user, given.password, request.remote.host, request.headers.get("user-agent", ""))
        return Response(status=204, headers={"Set-Cookie": self._cookie(token, request)})

    async def logout(self, request: Request) -> Response:
        authorization = request.headers.get("authorization", "")
        token = headers.bearer(authorization) or headers.cookies(request.headers.get("cookie", "")).get(
            self._access.cookie_name, "")
        await self._access.logout(token)
        gone = f"{self._access.cookie_name}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0"
        return Response(status=204, headers={"Set-Cookie": gone})

    async def start(self, request: Request) -> Response:
        """Raises UsageError."""
        if request.method in ("GET", "HEAD"):
            return Response(_PAGE, content_type="text/html", headers={"Content-Security-Policy": _PAGE_POLICY})
        require_json(request)
        given = await payloads.from_json(await request.body(limits.API_START_BYTES), Start)
        token = await self._access.start(
            given.token, request.remote.host, request.headers.get("user-agent", ""))
        return Response(status=204, headers={"Set-Cookie": self._cookie(token, request)})

    def _cookie(self, token: str, request: Request) -> str:
        seconds = self._settings.session_days_longest * 86_400
        secure = "; Secure" if request.secure else ""
        return f"{self._access.cookie_name}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}"
