"""What changes is sent, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import msgspec
from tests.api_fakes import PASSWORD, Serving, row, serving

from wildbach.base import limits
from wildbach.interfaces.api import syncmodels as sy
from wildbach.interfaces.http import push
from wildbach.interfaces.settings import ApiSettings

Socket = aiohttp.ClientWebSocketResponse


def run(work: Callable[[Serving, Socket], Awaitable[None]], *, guest: bool = False) -> None:
    async def main() -> None:
        async with serving(ApiSettings(push_seconds=0.2)) as there, aiohttp.ClientSession(there.url) as session:
            key = there.guest_key if guest else there.key
            async with session.ws_connect(
                "/api/v1/push", headers={"Authorization": f"Bearer {key}"},
                timeout=aiohttp.ClientWSTimeout(ws_close=0.2),  # who still has much to read says no goodbye
            ) as websocket:
                assert list(await told(websocket)) == ["hello"]
                await work(there, websocket)
    asyncio.run(main())


async def show(websocket: Socket, **what: Any) -> dict[str, Any]:
    await websocket.send_str(json.dumps({"subscribe": what}))
    return await told(websocket)


async def told(websocket: Socket) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(await asyncio.wait_for(websocket.receive_str(), 60))
    return found


def test_rows_come_whole_first_and_then_only_what_is_different() -> None:
    async def work(there: Serving, websocket: Socket) -> None:
        for number in range(1, 6):
            there.api.put(row(number))
        first = (await show(websocket, torrents={"sort": "key", "limit": 3}))["torrents"]
        assert first["keys"] == [f"{n:040x}" for n in (1, 2, 3)]
        assert first["total"] == 5
        assert [one["name"] for one in first["rows"]] == ["torrent 1", "torrent 2", "torrent 3"]
        there.api.put(row(2, down_rate=5.0, peers=3))
        assert await told(websocket) == {"torrents": {"rows": [{"key": f"{2:040x}", "down_rate": 5.0, "peers": 3}]}}
        there.api.put(row(5, down_rate=5.0))
        there.api.rows.pop(f"{1:040x}")
        news = (await told(websocket))["torrents"]
        assert news["keys"] == [f"{n:040x}" for n in (2, 3, 4)]
        assert [one["name"] for one in news["rows"]] == ["torrent 4"]
        assert news["total"] == 4
    run(work)


def test_where_nothing_changes_nothing_is_sent() -> None:
    async def work(there: Serving, websocket: Socket) -> None:
        there.api.put(row(1))
        first = await show(websocket, torrents={}, transfer=True, jobs=True, facets=True, log="info",
                           detail={"key": f"{1:040x}", "parts": ["trackers", "files"], "files": {"limit": 2}})
        assert sorted(first) == ["detail", "facets", "jobs", "log", "torrents", "transfer"]
        assert len(first["detail"]["files"]["files"]) == 2
        there.api.slow = True
        assert list(await told(websocket)) == ["transfer"]
        there.api.lines = (*there.api.lines, msgspec.structs.replace(there.api.lines[0], id=9))
        assert [one["id"] for one in (await told(websocket))["log"]] == [9]
    run(work)


def test_a_torrent_that_goes_is_said_once_and_comes_whole_when_it_is_back() -> None:
    async def work(there: Serving, websocket: Socket) -> None:
        key = f"{1:040x}"
        assert (await show(websocket, detail={"key": key}))["detail"]["error"]["code"] == "not_found"
        there.api.put(row(1))
        assert (await told(websocket))["detail"]["torrent"]["row"]["key"] == key
        del there.api.rows[key]
        assert (await told(websocket))["detail"]["error"]["status"] == 404
        there.api.put(row(1))
        assert (await told(websocket))["detail"]["torrent"]["row"]["key"] == key
    run(work)


def test_what_cannot_be_is_said_and_the_socket_stays() -> None:
    async def work(there: Serving, websocket: Socket) -> None:
        for text in ("", "nonsense", "{}", '{"subscribe": {"nothing": 1}}', '{"subscribe": {"torrents": {"limit": 0}}}',
                     "[" * 1000):
            await websocket.send_str(text)
            assert (await told(websocket))["error"]["code"] == "bad_request"
        assert (await show(websocket, torrents={"sort": "nothing"}))["torrents"]["error"]["status"] == 400
        assert "transfer" in await show(websocket, transfer=True)
    run(work)


def test_guests_see_no_log() -> None:
    async def work(there: Serving, websocket: Socket) -> None:
        assert (await show(websocket, log="info"))["error"]["code"] == "forbidden"
    run(work, guest=True)


def test_who_is_logged_out_is_sent_nothing_more() -> None:
    async def work(there: Serving, websocket: Socket) -> None:
        [key] = [one for one in (await there.access.api_keys()).keys if one.role == "user"]
        await show(websocket, transfer=True)
        await there.access.remove_api_key(key.id)
        there.api.slow = True
        message = await asyncio.wait_for(websocket.receive(), 60)
        assert message.type is aiohttp.WSMsgType.CLOSE
        assert websocket.close_code == 1008
    run(work)


def test_a_slow_page_gets_fewer_frames_and_the_newest_state() -> None:
    async def main() -> None:
        async with serving(ApiSettings(push_seconds=0.2)) as there:
            for number in range(1000):
                there.api.put(row(number, name="x" * 1000))
            token = await there.access.login("admin", PASSWORD, "127.0.0.1")
            _, writer = await asyncio.open_connection("127.0.0.1", there.port, limit=1000)
            body = b'{"subscribe": {"torrents": {"limit": 1000}}}'
            frame = bytes((0x81, 0x80 | len(body), 0, 0, 0, 0)) + body
            writer.write(
                b"GET /api/v1/push HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
                b"Authorization: Bearer " + token.encode() + b"\r\n\r\n" + frame)
            asked = 0
            original = there.api.list_torrents

            async def counting(listing: Any) -> Any:
                nonlocal asked
                asked += 1
                for one in there.api.rows.values():
                    there.api.rows[one.key] = msgspec.structs.replace(one, name="y" * 999 + str(asked))
                return await original(listing)

            there.api.list_torrents = counting
            while True:  # until it is stuck: nobody reads
                before = asked
                await asyncio.sleep(1.0)
                if asked and asked == before:
                    break
            assert asked < 20, "megabytes wait for a page that does not read"
            writer.transport.abort()
    asyncio.run(main())


def test_who_subscribes_all_the_time_is_not_served_all_the_time() -> None:
    async def work(there: Serving, websocket: Socket) -> None:
        there.api.put(row(1))
        asked = 0
        original = there.api.list_torrents

        async def counting(listing: Any) -> Any:
            nonlocal asked
            asked += 1
            return await original(listing)

        there.api.list_torrents = counting
        message = json.dumps({"subscribe": {"torrents": {"sort": "key"}}})
        loop = asyncio.get_running_loop()
        began = loop.time()
        with contextlib.suppress(ConnectionError, aiohttp.ClientError):  # who goes on and on may be cut off
            while loop.time() - began < 0.5:
                await websocket.send_str(message)
                await asyncio.sleep(0)
        took = loop.time() - began
        assert 0 < asked <= took / push._MESSAGE_SECONDS + 2
    run(work)


def test_pages_are_bounded(monkeypatch: Any) -> None:
    monkeypatch.setattr(limits, "PUSH_SOCKETS", 1)

    async def work(there: Serving, websocket: Socket) -> None:
        await show(websocket, transfer=True)
        headers = {"Authorization": f"Bearer {there.key}"}
        async with aiohttp.ClientSession(there.url) as session, session.get("/api/v1/push", headers=headers) as answer:
            assert (answer.status, (await answer.json())["code"]) == (409, "busy")
    run(work)


def test_guests_leave_room_for_who_may_do_something(monkeypatch: Any) -> None:
    monkeypatch.setattr(limits, "PUSH_SOCKETS_GUESTS", 1)

    async def work(there: Serving, websocket: Socket) -> None:
        await show(websocket, transfer=True)
        async with aiohttp.ClientSession(there.url) as session:
            async with session.get(
                    "/api/v1/push", headers={"Authorization": f"Bearer {there.guest_key}"}) as answer:
                assert (answer.status, (await answer.json())["code"]) == (409, "busy")
            async with session.ws_connect(
                    "/api/v1/push", headers={"Authorization": f"Bearer {there.key}"}) as owner:
                assert list(await told(owner)) == ["hello"]
    run(work, guest=True)


def test_open_folders_previews_and_the_trash_are_told_of_once() -> None:
    async def work(there: Serving, websocket: Socket) -> None:
        there.api.put(row(1))
        news = await show(
            websocket, trash=True, previews=["a1", "gone"],
            detail={"key": f"{1:040x}", "trees": [{}, {"under": "gone"}], "parts": ["pieces"], "buckets": 10})
        assert news["trash"] == {"count": 0}
        assert news["previews"]["a1"]["state"] == "failed" and news["previews"]["gone"] is None
        assert news["detail"]["trees"][0]["tree"]["files"] == 1
        assert news["detail"]["trees"][1] == {"query": 1, "tree": {"error": {
            "status": 404, "code": "not_found", "detail": "there is no such folder"}}}
        there.api.put(row(1, peers=3))
        assert list((await told(websocket))["detail"]) == ["torrent"]
    run(work)


def test_synced_folders_are_told_of_when_they_stand_otherwise() -> None:
    async def work(there: Serving, websocket: Socket) -> None:
        await there.api.create_synced(sy.SyncMaking("/x", "photos"))
        news = await show(websocket, sync=True)
        assert [folder["name"] for folder in news["sync"]["folders"]] == ["photos"]
        await there.api.change_synced("photos", sy.SyncPatch(paused=True))
        assert [folder["state"] for folder in (await told(websocket))["sync"]["folders"]] == ["paused"]
        assert "sync" not in await show(websocket, sync=True, trash=True)
    run(work)


def test_a_list_that_is_scrolled_is_not_told_all_else_again() -> None:
    async def work(there: Serving, websocket: Socket) -> None:
        for number in range(1, 6):
            there.api.put(row(number))
        await show(websocket, facets=True, transfer=True, torrents={"sort": "key", "limit": 3})
        news = await show(websocket, facets=True, transfer=True, torrents={"sort": "key", "limit": 3, "offset": 1})
        assert "facets" not in news
        assert news["torrents"]["keys"] == [f"{n:040x}" for n in (2, 3, 4)] and news["torrents"]["offset"] == 1
        assert [one["name"] for one in news["torrents"]["rows"]] == ["torrent 4"]
    run(work)


def test_a_guest_sees_no_previews() -> None:
    async def work(there: Serving, websocket: Socket) -> None:
        assert (await show(websocket, previews=["a1"]))["error"]["code"] == "forbidden"
    run(work, guest=True)


def test_what_a_page_was_not_told_because_it_asked_for_something_else_it_is_told_then() -> None:
    async def work(there: Serving, websocket: Socket) -> None:
        there.api.put(row(1))
        asked, go_on = asyncio.Event(), asyncio.Event()
        facets = there.api.facets

        async def slow() -> Any:
            asked.set()
            await go_on.wait()
            return await facets()

        there.api.facets = slow  # type: ignore[method-assign]  # as a daemon with much to do
        await websocket.send_str(json.dumps({"subscribe": {"torrents": {}, "facets": True, "transfer": True}}))
        await asked.wait()
        await websocket.send_str(json.dumps({"subscribe": {"torrents": {}, "facets": True, "trash": True}}))
        # It was read when something that was sent after it is answered.
        await websocket.send_str("nonsense")
        assert "error" in await told(websocket)
        go_on.set()
        news = await told(websocket)
        assert sorted(news) == ["facets", "torrents", "trash"]
        assert [one["name"] for one in news["torrents"]["rows"]] == ["torrent 1"]
    run(work)


def test_the_greeting_comes_first_and_says_who_one_is() -> None:
    async def main(guest: bool) -> dict[str, Any]:
        async with serving(ApiSettings(push_seconds=0.2)) as there, aiohttp.ClientSession(there.url) as session:
            key = there.guest_key if guest else there.key
            headers = {"Authorization": f"Bearer {key}"}
            async with session.ws_connect("/api/v1/push", headers=headers) as websocket:
                await websocket.send_str("nonsense")
                first = await told(websocket)
                assert "error" in await told(websocket)
                return first

    for guest, role in ((False, "user"), (True, "guest")):
        hello = asyncio.run(main(guest))["hello"]
        assert hello["role"] == role and hello["version"] and abs(hello["now"] - time.time()) < 1000


def test_an_error_is_said_to_each_subscription() -> None:
    async def work(there: Serving, websocket: Socket) -> None:
        for limit in (1, 2):
            news = await show(websocket, torrents={"sort": "nothing", "limit": limit})
            assert news["torrents"]["error"]["status"] == 400
    run(work)
