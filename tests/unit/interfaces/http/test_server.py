"""The web server as a whole: what strangers, guests, other web pages and users get of every route."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

import aiohttp
import pytest
from tests.api_fakes import PASSWORD, Serving, row, serving
from yarl import URL

from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.api.operation import operations
from wildbach.interfaces.http import openapi
from wildbach.interfaces.http.access import Access
from wildbach.interfaces.settings import ApiSettings
from wildbach.net.httpd import Request, Response
from wildbach.protocol.proxy.connect import basic

STRANGERS = {("GET", "/session"), ("POST", "/login"), ("GET", "/start"), ("POST", "/start")}
"The routes of the Api that need no login."


@cache
def routes() -> list[tuple[str, str]]:
    """Every method and path that the document has, and no fewer than there are."""
    found = [
        (method.upper(), path) for path, methods in openapi.described()["paths"].items() for method in methods
    ]
    assert len(found) == len(operations(Api)) + 7
    return found


def url_of(path: str) -> str:
    return "/api/v1" + path.replace("{key}", f"{1:040x}").replace("{id}", "abc")


def run(work: Callable[[Serving, aiohttp.ClientSession], Awaitable[None]], settings: ApiSettings | None = None,
        **options: Any) -> None:
    async def main() -> None:
        async with serving(settings, **options) as there, aiohttp.ClientSession(
                there.url, cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
            await work(there, session)
    asyncio.run(main())


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_every_operation_is_described_and_has_a_route() -> None:
    described = {
        inner["operationId"] for methods in openapi.described()["paths"].values() for inner in methods.values()}
    assert set(operations(Api)) <= described


def test_strangers_get_nothing_of_any_route_but_the_listed_few() -> None:
    async def work(there: Serving, session: aiohttp.ClientSession) -> None:
        for method, path in routes():
            if (method, path) in STRANGERS:
                continue
            async with session.request(method, url_of(path)) as answer:
                assert answer.status == 401, (method, path)
                assert (await answer.json())["code"] == "unauthorized"
                assert "Basic" not in answer.headers["WWW-Authenticate"]
        for path in ("/api/v1", "/api/v1/nothing", "/metrics", "/index.html", "/api/v1/../../etc/passwd"):
            async with session.get(path) as answer:
                assert answer.status == 401, path
    run(work)


def test_before_a_password_is_set_only_the_start_link_lets_one_in() -> None:
    async def work(there: Serving, session: aiohttp.ClientSession) -> None:
        for method, path in routes():
            if (method, path) not in STRANGERS:
                async with session.request(method, url_of(path)) as answer:
                    assert answer.status == 401
                    assert "start link" in (await answer.json())["detail"]
        async with session.post("/api/v1/login", json={"user": "admin", "password": ""}) as answer:
            assert (answer.status, (await answer.json())["code"]) == (401, "no_password")
        token = there.access.start_url(there.url).partition("#")[2]
        async with session.get("/api/v1/start") as answer:
            page = await answer.text()
            assert token not in page
            assert "script-src 'sha256-" in answer.headers["Content-Security-Policy"]
        async with session.post("/api/v1/start", json={"token": token}) as answer:
            assert answer.status == 204
            cookie = answer.headers["Set-Cookie"]
            assert "HttpOnly" in cookie and "SameSite=Strict" in cookie
        async with session.get("/api/v1/torrents") as answer:
            assert answer.status == 200
        async with session.put("/api/v1/access/password", json={}) as answer:
            assert answer.status == 405
        async with session.post("/api/v1/access/password", json={"password": "new"}) as answer:
            assert answer.status == 204
        async with session.post("/api/v1/start", json={"token": token}) as answer:
            assert (answer.status, (await answer.json())["code"]) == (401, "login_refused")
    run(work, password="")


def test_a_foreign_host_gets_the_refusal_only_from_every_route() -> None:
    async def work(there: Serving, session: aiohttp.ClientSession) -> None:
        there.api.put(row(1))
        told = set()
        for method, path in [*routes(), ("GET", "/root"), ("GET", "/healthz"), ("GET", "/metrics")]:
            for host in ("evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "foo.localhost", ""):
                url = url_of(path) if (method, path) in routes() else path
                headers = {**bearer(there.key), "Host": host}
                async with session.request(method, url, headers=headers) as answer:
                    assert answer.status == 421, (method, path, host)
                    told.add(await answer.text())
        assert len(told) == 1
        assert "api.hosts" in told.pop()
    run(work)


@pytest.mark.parametrize(("host", "status"), [
    ("localhost", 200), ("LOCALHOST:8080", 200), ("127.0.0.1", 200), ("[::1]:8080", 200), ("192.168.1.5:99", 200),
    ("torrents.example.org", 200), ("a.b.example.net", 200), ("example.net", 421), ("2130706433", 421),
    ("0x7f.0.0.1", 421), ("127.1", 421), ("user@localhost", 421), ("localhost:0", 421), ("localhost, localhost", 421),
])
def test_names_of_the_settings_addresses_and_localhost_are_ours(host: str, status: int) -> None:
    async def work(there: Serving, session: aiohttp.ClientSession) -> None:
        async with session.get("/api/v1/torrents", headers={**bearer(there.key), "Host": host}) as answer:
            assert answer.status == status
    run(work, ApiSettings(hosts=("torrents.example.org", "*.example.net")))


def own(there: Serving) -> str:
    return f"http://127.0.0.1:{there.port}"


def test_other_web_pages_change_nothing_by_any_route() -> None:
    hostile = [
        {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": "http://127.0.0.1:1"},
        {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Referer": "http://evil.example/x"},
        {"Origin": "chrome-extension://abc", "Sec-Fetch-Site": "cross-site"},
    ]

    async def work(there: Serving, session: aiohttp.ClientSession) -> None:
        for method, path in routes():
            for headers in hostile:
                if method == "GET" and path != "/push":
                    continue
                upgrade = {"Upgrade": "websocket", "Connection": "Upgrade"} if path == "/push" else {}
                headers = {**headers, **bearer(there.key), **upgrade}
                async with session.request(method, url_of(path), headers=headers, json={}) as answer:
                    assert answer.status == 403, (method, path, headers)
                    assert "another web page" in await answer.text()
    run(work)


def test_our_own_pages_programs_and_extensions_may() -> None:
    async def work(there: Serving, session: aiohttp.ClientSession) -> None:
        for headers in ({}, {"Origin": own(there)}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"},
                        {"Referer": own(there) + "/page"}, {"Origin": "moz-extension://abc"},
                        {"Origin": "http://elsewhere", "Sec-Fetch-Site": "same-origin"}):
            async with session.post("/api/v1/tags", headers={**headers, **bearer(there.key)},
                                    json={"names": ["a"]}) as answer:
                assert answer.status == 204, headers
    run(work)


def test_guests_look_and_change_nothing() -> None:
    async def work(there: Serving, session: aiohttp.ClientSession) -> None:
        there.api.put(row(1))
        by_path = {(one.method, one.path): one for one in operations(Api).values()}
        for where, one in by_path.items():
            async with session.request(one.method, url_of(where[1]), headers=bearer(there.guest_key)) as answer:
                assert (answer.status == 403) == (one.role == "user"), where
                if one.role == "user":
                    assert (await answer.json())["code"] == "forbidden"
        async with session.post("/api/v1/start-links", headers=bearer(there.guest_key)) as answer:
            assert answer.status == 403
        await there.access.change_access(openapi.models.AccessPatch(guest=True))
        async with session.get("/api/v1/torrents") as answer:
            assert answer.status == 200
        async with session.get("/api/v1/torrents", headers=bearer("wrong")) as answer:
            assert answer.status == 401
        async with session.post("/api/v1/tags", json={"names": ["a"]}) as answer:
            assert answer.status == 403
    run(work)


def test_bodies_are_json_and_nothing_else() -> None:
    async def work(there: Serving, session: aiohttp.ClientSession) -> None:
        for one in operations(Api).values():
            if one.method == "GET" or not one.payload:
                continue
            for content_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
                async with session.request(one.method, url_of(one.path), data=b"{}",
                                           headers={**bearer(there.key), "Content-Type": content_type}) as answer:
                    assert answer.status == 415, one.name
        for path in ("/login", "/start"):
            async with session.post("/api/v1" + path, data=b"{}", headers={"Content-Type": "text/plain"}) as answer:
                assert answer.status == 415
    run(work)


def test_a_password_logs_in_and_out() -> None:
    async def work(there: Serving, session: aiohttp.ClientSession) -> None:
        async with session.get("/api/v1/session") as answer:
            assert await answer.json() == {"role": None, "name": "", "password_set": True}
        async with session.post("/api/v1/login", json={"user": "admin", "password": "wrong"}) as answer:
            assert (answer.status, (await answer.json())["code"]) == (401, "login_refused")
        async with session.post("/api/v1/login", json={"user": "admin", "password": PASSWORD}) as answer:
            assert answer.status == 204
        async with session.get("/api/v1/session") as answer:
            assert (await answer.json())["role"] == "user"
        async with session.get("/api/v1/access/sessions") as answer:
            assert [one["current"] for one in (await answer.json())["sessions"]] == [True]
        async with session.post("/api/v1/logout") as answer:
            assert answer.status == 204
        async with session.get("/api/v1/torrents") as answer:
            assert answer.status == 401
    run(work)


def test_basic_credentials_are_taken_and_guesses_slowed_down() -> None:
    async def work(there: Serving, session: aiohttp.ClientSession) -> None:
        async def ask(password: str) -> int:
            async with session.get("/api/v1/torrents", headers={"Authorization": basic("admin", password)}) as answer:
                if answer.status == 429:
                    assert int(answer.headers["Retry-After"]) <= 5, "this machine is never locked out for long"
                return answer.status
        assert [await ask(PASSWORD) for _ in range(3)] == [200] * 3
        assert [await ask("the same") for _ in range(10)] == [401] * 10
        assert [await ask(f"guess {number}") for number in range(4)] == [401, 401, 429, 429]
    run(work)


def test_a_login_goes_before_the_password_that_a_reverse_proxy_asks_for() -> None:
    async def work(there: Serving, session: aiohttp.ClientSession) -> None:
        headers = {"Authorization": basic("proxy", "its own")}
        for _ in range(10):
            async with session.get("/api/v1/torrents", headers=headers) as answer:
                assert answer.status == 401
        login = {"user": "admin", "password": PASSWORD}
        async with session.post("/api/v1/login", json=login, headers=headers) as answer:
            assert answer.status == 204
        async with session.get("/api/v1/torrents", headers=headers) as answer:
            assert answer.status == 200
    run(work)


def test_queries_paths_and_bodies_reach_the_operations() -> None:
    async def work(there: Serving, session: aiohttp.ClientSession) -> None:
        session.headers.update(bearer(there.key))
        for number in range(1, 30):
            there.api.put(row(number, state="stopped" if number % 2 else "seeding"))
        async with session.get("/api/v1/torrents?state=stopped&state=seeding&limit=3&descending=true&sort=key") as got:
            page = await got.json()
            assert [one["key"] for one in page["torrents"]] == [f"{n:040x}" for n in (29, 28, 27)]
        for query in ("limit=x", "limit=0", "nothing=1", "limit=1&limit=2", "search=%zz", "search=%ff", "descending=2"):
            url = URL(f"{there.url}/api/v1/torrents?{query}", encoded=True)
            async with aiohttp.request("GET", url, headers=bearer(there.key)) as answer:
                assert (answer.status, (await answer.json())["code"]) == (400, "bad_request"), query
        async with session.patch(f"/api/v1/torrents/{1:040x}", json={"name": "ünïcode"}) as answer:
            assert (await answer.json())["name"] == "ünïcode"
        async with session.get(f"/api/v1/torrents/{99:040x}") as answer:
            problem = await answer.json(content_type="application/problem+json")
            assert (answer.status, problem["code"], problem["facts"]) == (404, "not_found", {"key": f"{99:040x}"})
        async with session.delete("/api/v1/torrents") as answer:
            assert answer.status == 405
            assert answer.headers["Allow"] == "GET, PATCH, POST"
        async with session.head("/api/v1/torrents") as answer:
            assert answer.status == 200
        async with session.post(f"/api/v1/torrents/{1:040x}/renames", json={"path": "a", "to": "b"}) as answer:
            assert answer.status == 409
        async with session.post("/api/v1/creations", json={"path": "/nowhere"}) as answer:
            assert (answer.status, (await answer.json())["kind"]) == (404, "storage")
    run(work)


@pytest.mark.parametrize("body", [
    b"", b"{", b"[]", b"null", b'{"names": 1}', b'{"names": ["a"], "more": 1}', b"\xff", b'{"names": ["\\ud800"]}',
    b"[" * 100_000, b'{"names":' + b"[" * 40 + b"]" * 40 + b"}",
])
def test_bodies_that_cannot_be_are_refused(body: bytes) -> None:
    async def work(there: Serving, session: aiohttp.ClientSession) -> None:
        headers = {**bearer(there.key), "Content-Type": "application/json"}
        async with session.post("/api/v1/tags", data=body, headers=headers) as answer:
            assert (answer.status, (await answer.json())["code"]) == (400, "bad_request")
    run(work)


def test_bytes_that_are_no_text_are_refused_wherever_they_stand() -> None:
    async def work(there: Serving, session: aiohttp.ClientSession) -> None:
        for head in (b"GET /api/v1/torrents?search=\xff", b"GET /api/v1/torrents/\xff", b"GET /\xff\xfe",
                     b"POST /api/v1/tags HTTP/1.1\r\nContent-Length: 2\r\nContent-Type: \xff\xfe"):
            reader, writer = await asyncio.open_connection("127.0.0.1", there.port)
            line = head if b"HTTP" in head else head + b" HTTP/1.1"
            writer.write(line + b"\r\nHost: localhost\r\nConnection: close\r\nCookie: \xff=\xff\r\nAuthorization: "
                         b"Bearer " + there.key.encode() + b"\r\nUser-Agent: \xff\r\n\r\n{}")
            status = int((await reader.read()).split(b" ")[1])
            assert 400 <= status < 500, head
            writer.close()
            await writer.wait_closed()
    run(work)


def test_settings_may_be_nested_up_to_the_limit() -> None:
    async def work(there: Serving, session: aiohttp.ClientSession) -> None:
        headers = {**bearer(there.key), "Content-Type": "application/json"}
        for depth, status in ((29, 204), (40, 400)):
            body = '{"name": "r", "rule": {"a": ' + "[" * depth + '"]]}{"' + "]" * depth + "}}"
            async with session.put("/api/v1/rules", data=body, headers=headers) as answer:
                assert answer.status == status
    run(work)


def test_a_torrent_file_may_be_the_body() -> None:
    async def work(there: Serving, session: aiohttp.ClientSession) -> None:
        headers = {**bearer(there.key), "Content-Type": "application/x-bittorrent"}
        async with session.post("/api/v1/torrents?stopped=true&tags=a&tags=b&category=x", data=b"d1:ae",
                                headers=headers) as answer:
            assert answer.status == 200
        [request] = there.api.added
        assert (request.files, request.stopped, request.tags, request.category) == ((b"d1:ae",), True, ("a", "b"), "x")
    run(work)


def test_a_torrent_file_to_look_into_may_be_the_body() -> None:
    async def work(there: Serving, session: aiohttp.ClientSession) -> None:
        headers = {**bearer(there.key), "Content-Type": "application/x-bittorrent"}
        async with session.post("/api/v1/previews", data=b"d1:ae", headers=headers) as answer:
            assert answer.status == 200 and (await answer.json())["id"] == "a1"
        assert there.api.looked == [b"d1:ae"]
    run(work)


def test_long_lists_come_in_slices_and_are_whole() -> None:
    async def work(there: Serving, session: aiohttp.ClientSession) -> None:
        session.headers.update(bearer(there.key))
        there.api.put(row(1))
        async with session.get(f"/api/v1/torrents/{1:040x}/files?limit=10000") as answer:
            files = (await answer.json())["files"]
            assert [one["index"] for one in files] == list(range(10_000))
        async with session.get(f"/api/v1/torrents/{1:040x}/pieces") as answer:
            pieces = await answer.json()
            assert len(pieces["pieces"]) == 200_000
            assert pieces["availability"] == list(range(200_000))
    run(work)


def test_a_bug_shows_nothing_of_itself(caplog: pytest.LogCaptureFixture) -> None:
    async def work(there: Serving, session: aiohttp.ClientSession) -> None:
        async def broken() -> None:
            raise ZeroDivisionError("a secret")
        there.api.health = broken
        async with session.get("/api/v1/health", headers=bearer(there.key)) as answer:
            text = await answer.text()
            assert answer.status == 500
            assert json.loads(text)["code"] == "internal_error"
            assert "secret" not in text and "Zero" not in text
    run(work)
    assert "ZeroDivisionError" in caplog.text


def test_everything_carries_the_headers_that_keep_browsers_safe() -> None:
    async def work(there: Serving, session: aiohttp.ClientSession) -> None:
        for path in ("/", "/healthz", "/api/v1/session", "/api/v1/start", "/api/v1/torrents", "/metrics"):
            async with session.get(path) as answer:
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                assert answer.headers["Referrer-Policy"] == "no-referrer"
                assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
                assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
                assert "Access-Control-Allow-Origin" not in answer.headers
    run(work)


def test_health_is_for_everybody_and_metrics_only_if_so_set() -> None:
    async def work(there: Serving, session: aiohttp.ClientSession) -> None:
        async with session.get("/healthz") as answer:
            assert (answer.status, await answer.text()) == (200, "ok\n")
        async with session.get("/metrics", headers=bearer(there.guest_key)) as answer:
            assert 'wildbach_torrents{state="seeding"} 0' in await answer.text()
        there.settings = ApiSettings(metrics_public=True)
        async with session.get("/metrics") as answer:
            assert answer.status == 200
    run(work)


def test_doors_stand_behind_the_gate_and_say_themselves_who_may() -> None:
    async def door(request: Request, access: Access) -> Response:
        who = await access.identify(request, "SID")
        return Response(f"{request.path} {who.name if who else 'stranger'}".encode())

    async def work(there: Serving, session: aiohttp.ClientSession) -> None:
        there.web.mount("/api/v2", door)
        token = await there.access.login("admin", PASSWORD, "127.0.0.1")
        async with session.get("/api/v2/app/version") as answer:
            assert await answer.text() == "/api/v2/app/version stranger"
        async with session.get("/api/v2/x", headers={"Cookie": f"SID={token}; HttpOnly; path=/"}) as answer:
            assert await answer.text() == "/api/v2/x admin"
        async with session.get("/api/v2/x", headers={"Host": "evil.example"}) as answer:
            assert answer.status == 421
        async with session.post("/api/v2/x", headers={"Origin": "http://evil.example"}) as answer:
            assert answer.status == 403
        async with session.get("/api/v22") as answer:
            assert answer.status == 401
    run(work)


def test_what_a_trusted_proxy_says_is_believed_and_of_nobody_else() -> None:
    seen: list[Request] = []

    async def door(request: Request, access: Access) -> Response:
        seen.append(request)
        return Response()

    async def work(there: Serving, session: aiohttp.ClientSession) -> None:
        there.web.mount("/", door)
        headers = {
            "X-Forwarded-For": "9.9.9.9, 8.8.4.4, 127.0.0.2", "X-Forwarded-Proto": "https",
            "X-Forwarded-Host": "torrents.example.org", "Origin": "https://torrents.example.org"}
        async with session.post("/t/page", headers=headers) as answer:
            assert answer.status == 403
        there.settings = ApiSettings(
            hosts=("torrents.example.org",), trusted_proxies=("127.0.0.0/8",), base_path="/t")
        async with session.post("/t/page", headers=headers) as answer:
            assert answer.status == 200
        assert (seen[0].remote.host, seen[0].secure, seen[0].path) == ("8.8.4.4", True, "/page")
        async with session.post("/t", headers={**headers, "X-Forwarded-Host": "evil.example"}) as answer:
            assert answer.status == 421
        there.settings = ApiSettings(trusted_proxies=("nonsense",))
        async with session.get("/t", headers=headers) as answer:
            assert answer.status == 200
        assert seen[-1].remote.host == "127.0.0.1"
    run(work)


def test_this_machine_is_trusted_only_where_no_proxy_stands_between() -> None:
    async def work(there: Serving, session: aiohttp.ClientSession) -> None:
        await there.access.change_access(openapi.models.AccessPatch(trust_local=True))
        async with session.get("/api/v1/torrents") as answer:
            assert answer.status == 200
        for headers in ({"X-Forwarded-For": "127.0.0.1"}, {"Forwarded": "for=1.2.3.4"}, {"Via": "1.1 x"},
                        {"Host": "torrents.example.org"}, {"Host": "192.168.1.2"}):
            async with session.get("/api/v1/torrents", headers=headers) as answer:
                assert answer.status == 401, headers
    run(work, ApiSettings(hosts=("torrents.example.org",)))
