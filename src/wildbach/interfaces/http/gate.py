"""What every request passes before anything else looks at it, whatever it asks for and whoever asks.

First the Host: a web page can have its own name lead to this machine (DNS rebinding), and then only the name tells.
Then where the request comes from: another web page must not do anything here with the browser's cookies. Who asks is
looked at behind the gate.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from wildbach.base.addresses import Network, networks, parse
from wildbach.base.ids import Endpoint
from wildbach.interfaces.http import headers
from wildbach.interfaces.http.refusals import Refusals
from wildbach.interfaces.settings import ApiSettings
from wildbach.net.httpd import Request, Response

_log = logging.getLogger(__name__)

SAFE_METHODS: Final = frozenset(("GET", "HEAD", "OPTIONS"))
_SECURITY: Final = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "Cache-Control": "no-store",
}
"On everything that does not say otherwise."

_NAME: Final = 100
"Characters of a name in the log."

_WRONG_HOST: Final = (
    "This name is not one of this server's.\n\nIf it is yours, add it to the setting api.hosts "
    "(WILDBACH_API_HOSTS=name, or [api] hosts = [\"name\"] in the settings file). localhost and plain addresses always "
    "work.\n"
)
_WRONG_ORIGIN: Final = (
    "This request came from another web page, so it was refused.\n\nBehind a reverse proxy: have it pass on the Host "
    "header as it came (nginx: proxy_set_header Host $http_host), or X-Forwarded-Host with the proxy's address in the "
    "setting api.trusted_proxies.\n"
)


class Gate:
    """`settings` gives those that hold now."""

    def __init__(self, settings: Callable[[], ApiSettings]) -> None:
        self._settings = settings
        self._refusals = Refusals()
        self._proxies_of: tuple[str, ...] = ()
        self._proxies: tuple[Network, ...] = ()

    def admit(self, request: Request) -> Request | Response:
        """The request as its sender meant it: what trusted proxies say of it applied, the base path taken off. Or the
        refusal, or the way to the slash at the end of the base path.
        """
        settings = self._settings()
        request = self._through_proxies(request)
        own = headers.place(request.headers.get("host", ""))
        if own is None or not is_ours(own.host, settings.hosts):
            self._refusals.tell(
                "refused a request for a name that is not in api.hosts", request.remote.host,
                f": {own.host[:_NAME] if own else ''!r}")
            return plain(421, _WRONG_HOST)
        if changes_something(request) and not _is_from_us(request, own):
            self._refusals.tell("refused a request that another web page made", request.remote.host)
            return plain(403, _WRONG_ORIGIN)
        base = settings.base_path.rstrip("/")
        if base and request.path == base and request.method in ("GET", "HEAD"):
            # A browser resolves what the page names relative to the last slash.
            return Response(status=308, headers={"Location": f"{base.rpartition('/')[2]}/"})
        if base and (request.path == base or request.path.startswith(base + "/")):
            request = replace(request, path=request.path[len(base):] or "/")
        return request

    def is_proxy(self, host: str) -> bool:
        """A reverse proxy that is trusted: who calls through it are many."""
        trusted = self._settings().trusted_proxies
        if not trusted:
            return False
        if trusted != self._proxies_of:
            self._proxies = _networks(trusted)
            self._proxies_of = trusted
        return headers.is_among(host, self._proxies)

    def _through_proxies(self, request: Request) -> Request:
        if not self.is_proxy(request.remote.host):
            return request
        found = dict(request.headers)
        host = headers.last(found.get("x-forwarded-host", ""))
        if host:
            found["host"] = host
        proto = headers.last(found.get("x-forwarded-proto", "")).lower()
        address = headers.caller(found.get("x-forwarded-for", ""), self._proxies)
        return replace(
            request, headers=found, secure=request.secure or proto == "https",
            remote=Endpoint(address, 0) if address else request.remote,
        )


def _networks(texts: tuple[str, ...]) -> tuple[Network, ...]:
    """What is no network trusts nobody: refusing every request would keep out who could mend it."""
    found: list[Network] = []
    for text in texts:
        try:
            found += networks([text])
        except ValueError as error:
            _log.error("api.trusted_proxies: %s", error)
    return tuple(found)


def is_ours(host: str, allowed: tuple[str, ...]) -> bool:
    """Whether a name may stand in a Host header. A literal address cannot be somebody else's."""
    if host == "localhost" or parse(host) is not None:
        return True
    for name in allowed:
        name = name.lower().removesuffix(".")
        if host == name or (name.startswith("*.") and host.endswith(name[1:])):
            return True
    return False


def changes_something(request: Request) -> bool:
    """It may, or it opens a conversation that a web page could else have with us."""
    return request.method not in SAFE_METHODS or "upgrade" in request.headers


def _is_from_us(request: Request, own: headers.Place) -> bool:
    """From our own pages, from no web page at all, or from an extension of the browser. What browsers say in
    Sec-Fetch-Site no page can change.
    """
    site = request.headers.get("sec-fetch-site", "")
    if site == "same-origin":
        return True
    if site not in ("", "none"):
        return False
    origin = request.headers.get("origin")
    if origin is not None:
        return headers.is_extension(origin) or headers.is_own(origin, own)
    referer = request.headers.get("referer")
    return referer is None or headers.is_own(referer, own)


def plain(status: int, text: str) -> Response:
    return Response(text.encode(), status=status, content_type="text/plain", headers={"Connection": "close"})


def security_headers(given: dict[str, str]) -> dict[str, str]:
    """With what is given in place of ours."""
    named = {name.lower() for name in given}
    return {**{name: value for name, value in _SECURITY.items() if name.lower() not in named}, **given}
