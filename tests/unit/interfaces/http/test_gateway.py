"""Sites over HTTP: one origin a key, questions before anything is fetched, and nothing for the content of other
pages."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp
import pytest
from yarl import URL

from sitebed import ONE, TWO, Bed, bed, key_of
from wildbach.base import limits
from wildbach.base.ids import Endpoint
from wildbach.interfaces.http.gateway import FOREIGN_POLICY, POLICY, Gateway
from wildbach.net.httpd import HttpServer, Request, Response
from wildbach.protocol import sites

KEY, OTHER = key_of("a"), key_of("unknown")
NAVIGATE = {"Sec-Fetch-Site": "none", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document",
    "Sec-Fetch-User": "?1"}
PART = {"Sec-Fetch-Site": "same-origin", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}


@dataclass
class Got:
    status: int
    body: bytes
    headers: dict[str, str]

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass
class There:
    bed: Bed
    gateway: Gateway
    port: int
    http: aiohttp.ClientSession

    async def get(
        self, path: str, name: str = "", headers: dict[str, str] = NAVIGATE, *, method: str = "GET", data: bytes = b"",
    ) -> Got:
        host = name or sites.Host("live", KEY).name
        url = URL(f"http://127.0.0.1:{self.port}{path}", encoded=True)
        async with self.http.request(
            method, url, headers={"Host": f"{host}:{self.port}", **headers}, data=data or None, allow_redirects=False,
        ) as answer:
            return Got(answer.status, await answer.read(), {key.lower(): value for key,
                value in answer.headers.items()})


def run(root: Path, work: Callable[[There], Awaitable[None]], *, patience: float = 0.01) -> None:
    async def main() -> None:
        async with bed() as made:
            shown = Gateway(made.sites, lambda: made.settings, wall=lambda: made.now, patience=patience)
            server = HttpServer(shown)
            at = await server.start("127.0.0.1", 0)
            try:
                async with aiohttp.ClientSession() as http:
                    await work(There(made, shown, at.port, http))
            finally:
                await server.close()
    asyncio.run(main())


def known(root: Path, work: Callable[[There], Awaitable[None]], files: dict[tuple[str, ...],
    bytes] | None = None) -> None:
    """With a site that is open and whole."""
    async def opened(there: There) -> None:
        there.bed.publish(KEY, files if files is not None else ONE, 1)
        await there.bed.opened(KEY)
        await work(there)
    run(root, opened)


# -- what is in a site


def test_pages_and_files_of_a_site_are_shown_with_what_keeps_them_apart(tmp_path: Path) -> None:
    async def work(there: There) -> None:
        page = await there.get("/")
        assert (page.status, page.body) == (200, ONE["index.html",])
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        expected = {
            "content-security-policy": POLICY, "cross-origin-resource-policy": "same-origin",
            "cross-origin-opener-policy": "same-origin", "x-content-type-options": "nosniff",
            "cache-control": "no-cache",
            "referrer-policy": "same-origin", "x-frame-options": "SAMEORIGIN", "origin-agent-cluster": "?1",
        }
        assert {name: page.headers.get(name) for name in expected} == expected
        assert "set-cookie" not in page.headers and "access-control-allow-origin" not in page.headers
        style = await there.get("/style.css", headers=PART)
        assert style.headers["content-type"] == "text/css; charset=utf-8" and style.body == ONE["style.css",]
        assert (await there.get("/docs/")).body == b"docs"
        assert (await there.get("/", method="HEAD")).body == b""
    known(tmp_path, work)


def test_nothing_of_another_origin_is_in_the_policy() -> None:
    for directive in POLICY.split("; "):
        for word in directive.split()[1:]:
            assert word in ("'self'", "'unsafe-inline'", "'wasm-unsafe-eval'", "data:", "blob:"), word
    assert "http:" not in FOREIGN_POLICY.replace("https:", "") and "frame-ancestors 'self'" in FOREIGN_POLICY


def test_folders_lead_to_their_slash_and_lists_are_ours(tmp_path: Path) -> None:
    async def work(there: There) -> None:
        found = await there.get("/docs?x=1")
        assert (found.status, found.headers["location"]) == (308, "/docs/?x=1")
        listed = await there.get("/img/")
        assert listed.status == 200 and 'href="x.png"' in listed.text and "default-src 'none'" in listed.headers[
            "content-security-policy"]
    known(tmp_path, work)


def test_names_in_a_list_are_text(tmp_path: Path) -> None:
    async def work(there: There) -> None:
        listed = await there.get("/x/")
        assert "<script>" not in listed.text and "&lt;script&gt;" in listed.text
        assert 'href="javascript%3Aalert%281%29"' in listed.text
    known(tmp_path, work, {("x", "<script>alert(1)<"): b"x", ("x", "javascript:alert(1)"): b"y", ("index.html",): b"z"})


def test_parts_of_files_and_tags(tmp_path: Path) -> None:
    async def work(there: There) -> None:
        whole = ONE["img", "x.png"]
        part = await there.get("/img/x.png", headers={**PART, "Range": "bytes=100-2099"})
        assert (part.status, part.body) == (206, whole[100:2100])
        assert part.headers["content-range"] == f"bytes 100-2099/{len(whole)}"
        tag = part.headers["etag"]
        again = await there.get("/img/x.png", headers={**PART, "If-None-Match": tag})
        assert (again.status, again.body) == (304, b"")
        beyond = await there.get("/img/x.png", headers={**PART, "Range": f"bytes={len(whole)}-"})
        assert beyond.status == 416 and beyond.headers["content-range"] == f"bytes */{len(whole)}"
        site = there.bed.sites.shown(KEY)
        assert site is not None and site.copy is not None and site.copy.info is not None
        roots = {(file.root or b"").hex() for file in site.copy.info.files}
        assert tag.strip('"') in roots
    known(tmp_path, work)


def test_the_tag_is_the_same_while_the_file_is(tmp_path: Path) -> None:
    async def work(there: There) -> None:
        page, style = await there.get("/"), await there.get("/style.css")
        there.bed.publish(KEY, TWO, 2)
        await there.bed.settled(KEY)
        assert (await there.get("/")).body == TWO["index.html",]
        assert (await there.get("/")).headers["etag"] != page.headers["etag"]
        assert (await there.get("/style.css")).headers["etag"] == style.headers["etag"]
    known(tmp_path, work)


def test_a_version_is_the_same_for_ever(tmp_path: Path) -> None:
    async def work(there: There) -> None:
        site = there.bed.sites.shown(KEY)
        assert site is not None
        first = sites.Host("version", bytes.fromhex(site.version.v2)).name
        there.bed.publish(KEY, TWO, 2)
        await there.bed.settled(KEY)
        old = await there.get("/", first)
        assert old.body == ONE["index.html",] and old.headers["cache-control"] == "max-age=31536000, immutable"
        assert (await there.get("/new.txt", first, PART)).status == 404
        assert (await there.get("/", sites.Host("version", OTHER).name)).status == 404
    known(tmp_path, work)


def test_the_sites_own_page_says_what_is_not_there(tmp_path: Path) -> None:
    async def work(there: There) -> None:
        found = await there.get("/nothing")
        assert (found.status, found.body) == (404, b"mine")
        assert "etag" not in found.headers
        assert (await there.get("/nothing", headers={**NAVIGATE, "Range": "bytes=0-1"})).body == b"mine"
    known(tmp_path, work, {**ONE, ("404.html",): b"mine"})


@pytest.mark.parametrize("path", [
    "/../etc/passwd", "/%2e%2e/x", "/img/%2e%2e/index.html", "/img/..%2findex.html", "/img%5cx.png", "//index.html",
    "/%00",
    "/.git/config", "/index.html%00.png", "/img//x.png", "/%c0%ae%c0%ae/x", "/.wildbach/x", "/index.html/", "/a" * 70,
    "/%zz",
])
def test_tricks_with_paths_find_nothing(tmp_path: Path, path: str) -> None:
    async def work(there: There) -> None:
        found = await there.get(path)
        assert found.status in (400, 404) and b"one" not in found.body and b"secret" not in found.body
    known(tmp_path, work, {**ONE, (".git", "config"): b"secret"})


# -- who may ask


EMBEDS = [
    ("cross-site", "no-cors", "image"), ("cross-site", "no-cors", "script"), ("cross-site", "no-cors", "style"),
    ("cross-site", "cors", "empty"), ("cross-site", "no-cors", "empty"), ("cross-site", "navigate", "iframe"),
    ("cross-site", "navigate", "frame"), ("cross-site", "navigate", "object"), ("cross-site", "navigate", "embed"),
    ("cross-site", "no-cors", "video"), ("cross-site", "no-cors", "audio"), ("cross-site", "cors", "font"),
    ("cross-site", "websocket", "websocket"), ("cross-site", "navigate", "fencedframe"), ("same-site", "no-cors",
    "image"),
    ("same-site", "navigate", "iframe"), ("cross-site", "same-origin", "serviceworker"), ("cross-site", "", ""),
    ("cross-site", "navigate", ""), ("whatever", "no-cors", "image"),
]


@pytest.mark.parametrize("embed", EMBEDS)
def test_what_another_page_asks_for_is_refused_alike_for_every_key(tmp_path: Path, embed: tuple[str, str, str]) -> None:
    headers = dict(zip(("Sec-Fetch-Site", "Sec-Fetch-Mode", "Sec-Fetch-Dest"), embed, strict=True))

    async def work(there: There) -> None:
        asked, used = list(there.bed.heads.asked), there.bed.sites.find(KEY.hex()).used_at
        there.bed.now += 1000
        answers = [
            await there.get(path, sites.Host(kind, key).name, headers, method=method)
            for method in ("GET", "POST") for path in ("/", "/index.html", "/nothing", "/.wildbach/yes", "/%zz")
            for kind, key in (("live", KEY), ("live", OTHER), ("version", OTHER))
        ]
        assert {(answer.status, answer.body) for answer in answers} == {(403, answers[0].body)}
        kept = [{name: value for name, value in answer.headers.items() if name != "date"} for answer in answers]
        assert all(one == kept[0] for one in kept)
        assert there.bed.heads.asked == asked and there.bed.sites.find(KEY.hex()).used_at == used
        assert not there.bed.sites.known(OTHER)
    known(tmp_path, work)


@pytest.mark.parametrize("purpose", [{"Sec-Purpose": "prefetch"}, {"Sec-Purpose": "prefetch;prerender"},
{"Purpose": "prefetch"}])
def test_nothing_is_fetched_before_somebody_comes(tmp_path: Path, purpose: dict[str, str]) -> None:
    async def work(there: There) -> None:
        for site in ("cross-site", "none"):
            answers = [
                await there.get("/", sites.Host("live", key).name, {**NAVIGATE, "Sec-Fetch-Site": site, **purpose})
                for key in (KEY, OTHER)]
            assert [answer.status for answer in answers] == [403, 403] and answers[0].body == answers[1].body
    known(tmp_path, work)


def test_a_link_on_another_page_may_lead_to_a_site(tmp_path: Path) -> None:
    async def work(there: There) -> None:
        assert (await there.get("/", headers={**NAVIGATE, "Sec-Fetch-Site": "cross-site"})).status == 200
        form = await there.get("/", headers={**NAVIGATE, "Sec-Fetch-Site": "cross-site"}, method="POST", data=b"a=b")
        assert form.status == 403
    known(tmp_path, work)


def test_who_says_nothing_of_itself_gets_known_sites_only(tmp_path: Path) -> None:
    async def work(there: There) -> None:
        assert (await there.get("/", headers={})).body == ONE["index.html",]
        unknown = await there.get("/", sites.Host("live", OTHER).name, {})
        assert unknown.status == 403 and not there.bed.sites.known(OTHER)
    known(tmp_path, work)


def test_other_names_get_nothing(tmp_path: Path) -> None:
    async def work(there: There) -> None:
        label = sites.label(KEY)
        wrong = label[:-1] + ("b" if label[-1] != "b" else "c")
        for name, status in (
            ("evil.example", 421), (f"{label}.evil.example", 421), (f"x.{label}.localhost", 421), ("media.localhost",
            421),
            (f"{wrong}.localhost", 404), (f"v-{wrong}.localhost", 404), ("localhost", 421), ("127.0.0.1", 421),
        ):
            found = await there.get("/", name)
            assert (found.status, b"<h1>" in found.body) == (status, False), name
    known(tmp_path, work)


def test_callers_from_elsewhere_get_nothing(tmp_path: Path) -> None:
    async def work(there: There) -> None:
        request = Request("GET", "/", "", Endpoint("192.168.1.7", 5), {"host": sites.Host("live", KEY).name})
        found = await there.gateway(request)
        assert isinstance(found, Response) and found.status == 403
    known(tmp_path, work)


def test_a_path_on_the_plain_address_leads_to_the_sites_own(tmp_path: Path) -> None:
    async def work(there: There) -> None:
        for word in (sites.label(OTHER), OTHER.hex()):
            found = await there.get(f"/{word}/a/b.html?x=1", "127.0.0.1")
            assert found.status == 308
            assert found.headers["location"] == f"http://{sites.label(OTHER)}.localhost:{there.port}/a/b.html?x=1"
        assert (await there.get(f"/{OTHER.hex()}/../x", "127.0.0.1")).status == 421
        assert (await there.get("/", "127.0.0.1")).status == 421
    run(tmp_path, work)


def test_sites_can_be_switched_off(tmp_path: Path) -> None:
    async def work(there: There) -> None:
        there.bed.settings = replace(there.bed.settings, enabled=False)
        found = await there.get("/")
        assert found.status == 503 and "sites.enabled" in found.text
    known(tmp_path, work)


# -- the question


def ticket_of(page: Got) -> str:
    found = re.search(r'name="ticket" value="([^"]+)"', page.text)
    assert found is not None, page.text
    return found[1]


async def answer(there: There, ticket: str, key: bytes = KEY, **different: str) -> Got:
    name = sites.Host("live", key).name
    headers = {
        **NAVIGATE, "Sec-Fetch-Site": "same-origin", "Origin": f"http://{name}:{there.port}",
        "Content-Type": "application/x-www-form-urlencoded", **different}
    return await there.get("/.wildbach/yes", name, headers, method="POST", data=f"ticket={ticket}".encode())


def test_a_key_that_was_never_opened_is_asked_about_first(tmp_path: Path) -> None:
    async def work(there: There) -> None:
        there.bed.publish(KEY, ONE, 1)
        page = await there.get("/docs/?q=1", headers={**NAVIGATE, "Sec-Fetch-Site": "cross-site"})
        assert page.status == 200 and sites.label(KEY) in page.text and "1.0 GiB" in page.text
        policy = page.headers["content-security-policy"]
        assert "frame-ancestors 'none'" in policy and "default-src 'none'" in policy and "script-src" not in policy
        assert page.headers["x-frame-options"] == "DENY" and page.headers["cache-control"] == "no-store"
        assert there.bed.heads.asked == [] and not there.bed.sites.known(KEY)
        done = await answer(there, ticket_of(page))
        assert (done.status, done.headers["location"]) == (303, "/docs/?q=1")
        await there.bed.settled(KEY)
        assert (await there.get("/docs/")).body == b"docs"
    run(tmp_path, work)


def test_the_question_is_asked_in_the_readers_language(tmp_path: Path) -> None:
    async def work(there: There) -> None:
        assert "Diese Seite holen?" in (await there.get("/", headers={**NAVIGATE,
            "Accept-Language": "de-AT,en;q=0.5"})).text
        assert "Fetch this site?" in (await there.get("/", headers={**NAVIGATE, "Accept-Language": "xx"})).text
    run(tmp_path, work)


def test_only_the_page_of_the_question_can_answer_it_and_once(tmp_path: Path) -> None:
    async def work(there: There) -> None:
        ticket = ticket_of(await there.get("/"))
        for different in (
            {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "none"}, {"Sec-Fetch-Mode": "cors",
            "Sec-Fetch-Dest": "empty"},
            {"Sec-Fetch-Dest": "iframe"}, {"Origin": "http://evil.example"}, {"Origin": "null"},
            {"Sec-Fetch-Site": "same-site"},
        ):
            assert (await answer(there, ticket, **different)).status == 403
            assert not there.bed.sites.known(KEY)
        assert (await answer(there, "wrong")).status == 403
        assert (await answer(there, ticket, OTHER)).status == 403
        assert not there.bed.sites.known(KEY) and not there.bed.sites.known(OTHER)
        assert (await answer(there, ticket)).status == 403, "it was tried for another key"
        ticket = ticket_of(await there.get("/"))
        assert (await answer(there, ticket)).status == 303
        assert (await answer(there, ticket)).status == 403
    run(tmp_path, work)


def test_a_question_is_open_for_a_while_only(tmp_path: Path) -> None:
    now = [0.0]

    async def work(there: There) -> None:
        there.gateway._clock = lambda: now[0]
        ticket = ticket_of(await there.get("/"))
        now[0] += 601
        assert (await answer(there, ticket)).status == 403 and not there.bed.sites.known(KEY)
    run(tmp_path, work)


def test_questions_do_not_pile_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SITE_TICKETS", 3)

    async def work(there: There) -> None:
        tickets = [ticket_of(await there.get("/")) for _ in range(5)]
        assert (await answer(there, tickets[0])).status == 403
        assert (await answer(there, tickets[-1])).status == 303
        long = await answer(there, "x" * limits.SITE_FORM_BYTES)
        assert long.status == 413
    run(tmp_path, work)


def test_a_large_version_is_asked_about_again(tmp_path: Path) -> None:
    async def work(there: There) -> None:
        there.bed.settings = replace(there.bed.settings, most_size=100)
        there.bed.torrents.at_once = False
        made = there.bed.publish(KEY, ONE, 1)
        await there.bed.opened(KEY)
        there.bed.copy(made).known.set()
        await there.bed.settled(KEY)
        page = await there.get("/")
        assert "This version is large" in page.text and "5.0 KiB" in page.text and not there.bed.copy(made).begun
        assert (await answer(there, ticket_of(page))).status == 303
        there.bed.copy(made).come()
        await there.bed.settled(KEY)
        assert (await there.get("/")).body == ONE["index.html",]
    run(tmp_path, work)


# -- what is not there yet


def test_a_site_that_is_on_its_way_says_how_far_it_is(tmp_path: Path) -> None:
    async def work(there: There) -> None:
        there.bed.torrents.at_once = False
        made = there.bed.publish(KEY, ONE, 1)
        await there.bed.opened(KEY)
        page = await there.get("/")
        assert page.status == 503 and "The site is coming" in page.text and "http-equiv=refresh" in page.text
        there.bed.copy(made).known.set()
        await there.bed.settled(KEY)
        page = await there.get("/")
        assert page.status == 503 and "<progress" in page.text and "5.0 KiB" in page.text
        assert there.bed.copy(made).reading == 0
        assert (await there.get("/nothing.css", headers=PART)).status == 404
        there.bed.copy(made).come()
        assert (await there.get("/")).body == ONE["index.html",]
    run(tmp_path, work)


def test_a_site_nobody_answers_for_says_what_was_tried_and_how_old_it_is(tmp_path: Path) -> None:
    async def work(there: There) -> None:
        there.bed.heads.silent = True
        await there.bed.opened(KEY)
        page = await there.get("/")
        assert page.status == 503 and "The site does not come" in page.text and "the DHT has no nodes" in page.text
        assert "never" in page.text
        there.bed.heads.silent = False
        there.bed.torrents.at_once = False
        there.bed.publish(KEY, ONE, 1)
        await there.bed.opened(KEY)
        there.bed.now += 7200
        page = await there.get("/")
        assert "2 hours" in page.text and "no peer is known" in page.text
        assert (await there.get("/x.png", headers=PART)).status == 503
    run(tmp_path, work)


def test_a_file_that_fails_on_its_way_is_broken_off(tmp_path: Path) -> None:
    async def work(there: There) -> None:
        there.bed.torrents.at_once = False
        made = there.bed.publish(KEY, ONE, 1)
        await there.bed.opened(KEY)
        copy = there.bed.copy(made)
        copy.known.set()
        await there.bed.settled(KEY)
        with pytest.raises((aiohttp.ClientPayloadError, aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)):
            await there.get("/img/x.png", headers=PART)
        copy.failure = "the disk is gone"
        copy.there.set()
        page = await there.get("/")
        assert page.status == 503 and "the disk is gone" in page.text
        assert copy.reading == 0
    run(tmp_path, work)


def test_only_so_many_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SITE_ASKERS", 0)

    async def work(there: There) -> None:
        found = await there.get("/")
        assert found.status == 503 and "too many" in found.text
    known(tmp_path, work)


def test_a_site_may_use_others_where_its_reader_says_so(tmp_path: Path) -> None:
    async def work(there: There) -> None:
        await there.bed.sites.change(KEY, foreign=True)
        assert (await there.get("/")).headers["content-security-policy"] == FOREIGN_POLICY
    known(tmp_path, work)

