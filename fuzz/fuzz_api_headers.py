"""Headers and queries of the API: whatever comes is read or left out, and a host that was read reads again."""

from __future__ import annotations

from wildbach.base.addresses import networks
from wildbach.base.errors import UsageError
from wildbach.interfaces.api.models import AddRequest, Listing
from wildbach.interfaces.http import headers, payloads
from wildbach.interfaces.http.gate import is_ours

SEEDS = [
    b"localhost:8080", b"[::1]:80", b"torrents.example.org", b"http://127.0.0.1:8080", b"null",
    b"SID=abc; HttpOnly; path=/", b"Basic YTpi", b"Bearer abc", b"1.2.3.4, 10.0.0.1", b"[2001:db8::1]:99, 10.0.0.1",
    b"state=stopped&state=seeding&limit=3&descending=true&search=%C3%BC", b"urls=magnet:?&tags=a&stopped=null",
]
TOKENS = [b"=", b"&", b";", b",", b"%", b"%00", b"%ff", b":", b"[", b"]", b"@", b"//", b"limit=", b"keys=", b"null"]
ALLOWED = (UsageError,)

_TRUSTED = networks(["10.0.0.0/8", "fd00::/8"])


def one_input(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    at = headers.place(text)
    if at is not None:
        again = headers.place(f"[{at.host}]" if ":" in at.host else at.host)
        if again != headers.Place(at.host, None):
            raise AssertionError("a host does not read back")
        is_ours(at.host, ("*.example.org",))
    headers.is_own(text, headers.Place("localhost", 80))
    headers.cookies(text)
    headers.basic(text)
    headers.bearer(text)
    headers.caller(text, _TRUSTED)
    for kind in (Listing, AddRequest):
        try:
            payloads.from_query(text, kind)
        except UsageError:
            continue
    payloads.from_segment(text, str)
