"""The web UI: the files that its build wrote, read once into a map. A request finds a name in the map or nothing; no
path of a file is ever made of what a stranger sent.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wildbach.interfaces.http import packing
from wildbach.interfaces.web import DIST
from wildbach.net.httpd import Request, Response

_log = logging.getLogger(__name__)

def policy(media: tuple[str, ...] = ()) -> str:
    """What the pages of the UI may do, in the browser's words: nothing that is not from here, but for films, their
    subtitles and pictures, which come from the media host, at the URLs in `media`. `blob:` is what a page itself feeds
    to a player, piece by piece.
    """
    found = dict.fromkeys(match[0] for match in map(_ORIGIN.match, media) if match is not None)
    hosts = "".join(f" {origin}" for origin in found)
    return "; ".join((
        "default-src 'none'", "script-src 'self'", "style-src 'self'", f"img-src 'self' data: blob:{hosts}",
        "font-src 'self'", f"connect-src 'self'{hosts}", f"media-src 'self' blob:{hosts}", "manifest-src 'self'",
        "worker-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'none'",
        "require-trusted-types-for 'script'", "trusted-types svelte-trusted-html",
    ))


_ORIGIN: Final = re.compile(r"https?://[A-Za-z0-9.:\[\]-]{1,300}(?=/|$)")
POLICY: Final = policy()
"Where nothing is played."

_TYPES: Final = {
    ".css": "text/css", ".html": "text/html", ".ico": "image/x-icon", ".js": "text/javascript",
    ".json": "application/json", ".png": "image/png", ".svg": "image/svg+xml", ".txt": "text/plain",
    ".webmanifest": "application/manifest+json", ".webp": "image/webp", ".woff2": "font/woff2",
}
"Other files are not served; the database of countries is among them."
_PACKED_ALREADY: Final = frozenset((".ico", ".png", ".webp", ".woff2"))
_HASHED: Final = re.compile(r"/assets/[^/]+-[\w-]{8,}\.\w+")
"The name has a hash of the content in it, so what is behind the name never changes."
_FILE_BYTES: Final = 8 << 20

_NOT_BUILT: Final = b"""<!doctype html><html lang=en><head><meta charset=utf-8>
<meta name=viewport content="width=device-width, initial-scale=1"><title>wildbach</title></head><body>
<h1>wildbach runs</h1>
<p>Its web interface is not built here. In a copy of the source, <code>make web</code> builds it; start wildbach again
after that. Released packages have it built in.</p>
<p>All else works: the commands (<code>wildbach --help</code>), programs that speak with qBittorrent or Transmission,
and the API below <code>api/v1</code>. It is told of in docs/guide-api.md and, to who may use it, in
<a href="api/v1/openapi.json">api/v1/openapi.json</a>. <code>wildbach password</code> sets a password.</p>
</body></html>
"""


@dataclass(frozen=True, slots=True)
class _File:
    body: bytes
    packed: bytes
    "By gzip; empty where that makes it no shorter."
    content_type: str
    tag: str
    cached: str


class Site:
    """Answers for files, to everybody: what is in them comes from the Api, which asks who one is."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        """`files` by path from the root, as `/index.html`; none for a UI that was not built. Packs them, which takes
        a while.
        """
        self.media: Callable[[], tuple[str, ...]] = tuple
        "Gives the URLs at which browsers reach the media host."
        self._files = {path: _file(path, body) for path, body in files.items() if Path(path).suffix in _TYPES}
        if "/index.html" in self._files:
            self._files["/"] = self._files["/index.html"]

    @classmethod
    def read(cls, folder: Path = DIST) -> Site:
        """All that was built, or nothing. Blocks. What cannot be read counts as not built, and is logged."""
        try:
            return cls(dict(_found(folder)))
        except OSError as error:
            _log.error("the web interface cannot be read: %s", error)
            return cls({})

    @property
    def built(self) -> bool:
        return "/" in self._files

    def __call__(self, request: Request) -> Response | None:
        """None where there is no such file."""
        if request.method not in ("GET", "HEAD"):
            return None
        file = self._files.get(request.path)
        if file is None:
            return Response(_NOT_BUILT, content_type="text/html") if request.path == "/" else None
        body, headers = file.body, {"Cache-Control": file.cached, "Content-Security-Policy": policy(self.media())}
        tag = file.tag
        if file.packed:
            headers["Vary"] = "Accept-Encoding"
            if packing.takes(request):
                body, tag = file.packed, f"{tag}-gz"
                headers["Content-Encoding"] = "gzip"
        headers["ETag"] = f'"{tag}"'
        if _has(request, tag):
            headers.pop("Content-Encoding", None)
            return Response(status=304, content_type=file.content_type, headers=headers)
        return Response(body, content_type=file.content_type, headers=headers)


def _found(folder: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.rglob("*")):
        if path.suffix in _TYPES and path.is_file() and path.stat().st_size <= _FILE_BYTES:
            yield "/" + path.relative_to(folder).as_posix(), path.read_bytes()


def _file(path: str, body: bytes) -> _File:
    suffix = Path(path).suffix
    packed = b"" if suffix in _PACKED_ALREADY else packing.whole(body)
    return _File(
        body, packed if len(packed) < len(body) else b"", _TYPES[suffix], hashlib.sha256(body).hexdigest()[:20],
        "public, max-age=31536000, immutable" if _HASHED.fullmatch(path) else "no-cache",
    )


def _has(request: Request, tag: str) -> bool:
    """The client has this already."""
    known = request.headers.get("if-none-match", "")
    return known.strip() == "*" or f'"{tag}"' in (one.strip().removeprefix("W/") for one in known.split(","))
