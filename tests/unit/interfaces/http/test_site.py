"""The files of the web UI, as strangers and browsers get them."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.api_fakes import Serving, serving

from wildbach.base.ids import Endpoint
from wildbach.interfaces.http.site import POLICY, Site, policy
from wildbach.interfaces.settings import ApiSettings
from wildbach.net.httpd import Request

INDEX = b"<!doctype html><title>wildbach</title>" + b"<p>the page</p>" * 100
SCRIPT = b"const torrents = [];\n" * 5000
FILES = {
    "index.html": INDEX, "assets/index-Cg3hq9_Z.js": SCRIPT, "assets/index-B1a2c3d4.css": b"a{}",
    "manifest.webmanifest": b"{}", "sw.js": b"self", "icon-192.png": b"\x89PNG" + b"0" * 3000,
    "countries.mmdb": b"not for browsers", "secret.key": b"not for browsers",
}


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    for name, body in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(body)
    (folder.parent / "outside.txt").write_text("outside")
    return folder


@pytest.fixture(scope="module")
def site(dist: Path) -> Site:
    return Site.read(dist)


def run(
    work: Callable[[Serving, aiohttp.ClientSession], Awaitable[None]], site: Site | None,
    settings: ApiSettings | None = None, **options: Any,
) -> None:
    async def main() -> None:
        async with serving(settings, site=site) as there, aiohttp.ClientSession(
                there.url, auto_decompress=False, **options) as session:
            await work(there, session)
    asyncio.run(main())


@pytest.mark.parametrize("path, name, kind, cached", [
    ("/", "index.html", "text/html", "no-cache"),
    ("/index.html", "index.html", "text/html", "no-cache"),
    ("/assets/index-Cg3hq9_Z.js", "assets/index-Cg3hq9_Z.js", "text/javascript", "immutable"),
    ("/assets/index-B1a2c3d4.css", "assets/index-B1a2c3d4.css", "text/css", "immutable"),
    ("/manifest.webmanifest", "manifest.webmanifest", "application/manifest+json", "no-cache"),
    ("/sw.js", "sw.js", "text/javascript", "no-cache"),
    ("/icon-192.png", "icon-192.png", "image/png", "no-cache"),
])
def test_a_file_comes_with_its_type_its_policy_and_how_long_it_is_good(
    site: Site, path: str, name: str, kind: str, cached: str,
) -> None:
    async def work(there: Serving, session: aiohttp.ClientSession) -> None:
        async with session.get(path, headers={"Accept-Encoding": "identity"}) as answer:
            assert (answer.status, answer.content_type) == (200, kind)
            assert await answer.read() == FILES[name]
            assert "Content-Encoding" not in answer.headers
            assert cached in answer.headers["Cache-Control"]
            assert answer.headers["Content-Security-Policy"] == POLICY
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
        async with session.head(path, headers={"Accept-Encoding": "identity"}) as head:
            assert (head.status, await head.read()) == (200, b"")
            assert head.headers["Content-Length"] == str(len(FILES[name]))
            assert head.headers["ETag"] == answer.headers["ETag"]
        async with session.post(path) as answer:
            assert answer.status == 401
    run(work, site)


def test_films_come_from_the_media_host_and_from_nowhere_else() -> None:
    said = dict(part.split(" ", 1) for part in policy(("http://media.localhost:9092", "https://media.example.org/x",
                                                       "http://media.localhost:9092", "http://a b; script-src *", ""))
                .split("; "))
    hosts = "http://media.localhost:9092 https://media.example.org"
    assert said["media-src"] == f"'self' blob: {hosts}"
    assert said["connect-src"] == f"'self' {hosts}"
    assert said["img-src"] == f"'self' data: blob: {hosts}"
    assert said["script-src"] == said["worker-src"] == "'self'"


def test_the_policy_lets_nothing_in_that_is_not_from_here() -> None:
    assert "default-src 'none'" in POLICY and "require-trusted-types-for 'script'" in POLICY
    assert "unsafe" not in POLICY and "http" not in POLICY and "*" not in POLICY


def test_text_is_packed_for_who_takes_it_and_images_are_not(site: Site) -> None:
    async def work(there: Serving, session: aiohttp.ClientSession) -> None:
        path = "/assets/index-Cg3hq9_Z.js"
        async with session.get(path, headers={"Accept-Encoding": "br, gzip;q=0.5"}) as answer:
            assert answer.headers["Content-Encoding"] == "gzip" and answer.headers["Vary"] == "Accept-Encoding"
            body = await answer.read()
            assert len(body) < len(SCRIPT) // 20 and gzip.decompress(body) == SCRIPT
            packed = answer.headers["ETag"]
        async with session.get(path, headers={"Accept-Encoding": "gzip;q=0, br"}) as answer:
            assert "Content-Encoding" not in answer.headers and await answer.read() == SCRIPT
            assert answer.headers["ETag"] != packed
        async with session.get("/icon-192.png", headers={"Accept-Encoding": "gzip"}) as answer:
            assert "Content-Encoding" not in answer.headers
            assert await answer.read() == FILES["icon-192.png"]
    run(work, site)


def test_who_has_the_file_is_not_sent_it_again(site: Site) -> None:
    async def work(there: Serving, session: aiohttp.ClientSession) -> None:
        for coding in ("gzip", "identity"):
            async with session.get("/", headers={"Accept-Encoding": coding}) as answer:
                tag = answer.headers["ETag"]
            for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
                async with session.get("/", headers={"Accept-Encoding": coding, "If-None-Match": known}) as answer:
                    assert (answer.status, await answer.read()) == (304, b"")
                    assert answer.headers["ETag"] == tag and answer.headers["Cache-Control"] == "no-cache"
            for known in ('"other"', "", tag.strip('"')):
                async with session.get("/", headers={"Accept-Encoding": coding, "If-None-Match": known}) as answer:
                    assert answer.status == 200
    run(work, site)


def test_only_what_a_browser_needs_is_in_the_map_and_no_path_leads_out(site: Site, dist: Path) -> None:
    async def work(there: Serving, session: aiohttp.ClientSession) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", there.port)
        for path in (
            "/countries.mmdb", "/secret.key", "/../outside.txt", "/%2e%2e/outside.txt", "/..%2foutside.txt",
            "/assets/../index.html", "/assets/..%5c..%5coutside.txt", "/assets", "/assets/", "//index.html",
            str(dist / "index.html"), "/index.html%00.js", "/INDEX.HTML",
        ):
            writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            head = await reader.readuntil(b"\r\n\r\n")
            assert b" 401 " in head.partition(b"\r\n")[0], path
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            assert b"outside" not in await reader.readexactly(length)
        writer.close()
        async with session.get("/", headers={"Host": "evil.example"}) as answer:
            assert answer.status == 421
    run(work, site)


@given(st.text(max_size=60), st.text(max_size=40), st.text(max_size=40))
def test_whatever_is_asked_for_is_a_file_or_nothing(path: str, coding: str, known: str) -> None:
    answer = Site({"/index.html": INDEX})(Request(
        "GET", path, "", Endpoint("127.0.0.1", 1), {"accept-encoding": coding, "if-none-match": known}))
    assert (answer is not None) is (path in ("/", "/index.html"))


def test_below_the_path_of_a_proxy_the_files_are_found_and_the_slash_is_added(site: Site) -> None:
    async def work(there: Serving, session: aiohttp.ClientSession) -> None:
        for path in ("/t/torrents/", "/t/torrents/index.html", "/"):
            async with session.get(path) as answer:
                assert answer.status == 200 and gzip.decompress(await answer.read()) == INDEX
        async with session.get("/t/torrents", allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (308, "torrents/")
        async with session.get("/t/torrents") as answer:
            assert answer.url.path == "/t/torrents/" and answer.status == 200
    run(work, site, ApiSettings(base_path="/t/torrents"))


def test_where_no_ui_was_built_a_page_says_how_to_have_one(tmp_path: Path) -> None:
    async def work(there: Serving, session: aiohttp.ClientSession) -> None:
        async with session.get("/") as answer:
            page = await answer.text()
            assert answer.status == 200 and answer.content_type == "text/html"
            assert "make web" in page and "docs/guide-api.md" in page and "<script" not in page
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
        async with session.get("/index.html") as answer:
            assert answer.status == 401
    assert not Site.read(tmp_path).built and not Site.read(tmp_path / "nothing").built
    run(work, Site.read(tmp_path))
    run(work, None)
