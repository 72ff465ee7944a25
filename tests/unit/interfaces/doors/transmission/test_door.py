"""What is around the calls: who may, the session id, batches and notifications, and what is no request at all."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.api_fakes import PASSWORD
from tests.cli_torrents import torrent_of
from tests.transmission_door import There, transmission

from wildbach.base import limits
from wildbach.interfaces.api import models as m
from wildbach.interfaces.doors.transmission import door
from wildbach.interfaces.doors.transmission.door import HEADER
from wildbach.interfaces.doors.transmission.fields import FIELDS
from wildbach.interfaces.doors.transmission.methods import METHODS
from wildbach.interfaces.doors.transmission.names import Dialect
from wildbach.interfaces.doors.transmission.preferences import PREFERENCES
from wildbach.protocol.proxy.connect import basic


def run(folder: Path, work: Callable[[There], Awaitable[None]]) -> None:
    async def main() -> None:
        async with transmission(folder) as there:
            await work(there)
    asyncio.run(main())


def test_strangers_are_asked_for_a_password_and_learn_no_session_id(tmp_path: Path) -> None:
    async def work(there: There) -> None:
        there.ask.headers = {}
        answer = await there.ask.post(b'{"method":"session-get"}')
        assert answer.status == 401 and answer.headers["WWW-Authenticate"].startswith("Basic ")
        assert HEADER not in answer.headers
        there.ask.headers = {"Authorization": basic("admin", "wrong")}
        assert (await there.ask.post(b"{}")).status == 401
        there.ask.headers = {"Authorization": basic("admin", PASSWORD)}
        assert (await there.ask.post(b"{}")).status == 409
    run(tmp_path, work)


def test_without_the_session_id_nothing_is_done_and_it_changes_with_time(tmp_path: Path) -> None:
    async def work(there: There) -> None:
        first = await there.ask.post(b'{"method":"session-get"}')
        assert first.status == 409 and first.headers["X-Transmission-Rpc-Version"] == "6.0.0"
        given = first.headers[HEADER]
        assert given in first.text and len(given) == 48
        assert (await there.ask.post(b"{}", **{HEADER: given[:-1] + "!"})).status == 409
        assert (await there.ask.post(b"{}", **{HEADER: "\u00fc"})).status == 409
        assert (await there.ask.post(b'{"method":"session-get"}', **{HEADER: given})).status == 200
        with mock.patch.object(door, "_ROTATE_SECONDS", -1):
            second = await there.ask.post(b'{"method":"session-get"}', **{HEADER: given})
        assert second.status == 409 and second.headers[HEADER] != given
        async with there.ask.http.get(there.ask.url, headers={
                **there.ask.headers, HEADER: second.headers[HEADER]}) as got:
            assert got.status == 405
    run(tmp_path, work)


def test_another_web_page_is_refused_whatever_it_knows(tmp_path: Path) -> None:
    async def work(there: There) -> None:
        await there.ask.classic("session-get")
        assert (await there.ask.post(b'{"method":"session-get"}', Origin="https://evil.example")).status == 403
        assert (await there.ask.post(b'{"method":"session-get"}', Host="evil.example")).status == 421
    run(tmp_path, work)


def test_a_guest_looks_and_changes_nothing(tmp_path: Path) -> None:
    async def work(there: There) -> None:
        await there.api.add_torrents(_request())
        seen = await there.guest.classic("torrent-get", fields=["name"])
        assert seen == {"torrents": [{"name": "things"}]}
        for method in METHODS.values():
            if method.role == "user":
                said = await there.guest.refused(method.spelled(Dialect.CLASSIC))
                assert said == "a guest may look, and change nothing", method.name
        assert (await there.guest.classic("session-get", fields=["blocklist-url"])) == {"blocklist-url": ""}
    run(tmp_path, work)


def _request() -> m.AddRequest:
    return m.AddRequest(files=(torrent_of().to_bytes(),), stopped=True)


def test_json_rpc_batches_answer_each_call_and_notifications_not_at_all(tmp_path: Path) -> None:
    async def work(there: There) -> None:
        ask = there.ask.ask
        assert await there.ask.modern("session_get", fields=["rpc_version_semver", "rpc_version", "nonsense"]) == {
            "rpc_version_semver": "6.0.0", "rpc_version": 18}
        note = {"jsonrpc": "2.0", "method": "session_set", "params": {"speed_limit_down": 7,
                                                                      "speed_limit_down_enabled": True}}
        assert await ask(note) is None
        answers = await ask([
            {"jsonrpc": "2.0", "id": "a", "method": "session_get", "params": {"fields": ["speed_limit_down"]}}, note,
            {"jsonrpc": "2.0", "id": 1.5, "method": "torrent_get", "params": {"fields": ["id"]}},
            {"jsonrpc": "2.0", "id": None, "method": "torrent-get", "params": {"fields": ["id"]}}, 17,
            {"jsonrpc": "1.0", "id": 3, "method": "session_get"}, {"method": "session-get"},
            {"jsonrpc": "2.0", "id": 4, "method": "session_get", "params": [1]},
            {"jsonrpc": "2.0", "id": {}, "method": "session_get"},
        ])
        assert answers[0] == {"jsonrpc": "2.0", "id": "a", "result": {"speed_limit_down": 7}}
        assert answers[1] == {"jsonrpc": "2.0", "id": 1.5, "result": {"torrents": []}}
        assert [(one["id"], one["error"]["code"]) for one in answers[2:]] == [
            (None, -32601), (None, -32600), (3, -32600), (None, -32600), (4, -32602), (None, -32600)]
        assert await ask([note, note]) is None
        assert (await ask([]))["error"]["code"] == -32600
        failed = await ask({"jsonrpc": "2.0", "id": 1, "method": "torrent_get", "params": {}})
        assert failed["error"] == {
            "code": -32602, "message": "Invalid params", "data": {"error_string": "no fields specified"}}
        nowhere = str(there.api.core.settings.downloads.folder.parent / "nowhere")
        failed = await ask({"jsonrpc": "2.0", "id": 1, "method": "free_space", "params": {"path": nowhere}})
        assert failed["error"]["data"]["result"] == {"path": nowhere, "size_bytes": -1, "total_size": -1}
    run(tmp_path, work)


@pytest.mark.parametrize(("body", "text"), [
    (b"", "Parse error"), (b"{", "Parse error"), (b"{}{}", "Parse error"), (b"\xff\xfe", "Parse error"),
    (b'{"method":"session-get","arguments":' + b"[" * 50_000, "nested too deep"),
    (b"[" * 50_000, "nested too deep"), (b'{"method":"torrent-get","arguments":[]}', "must be an Object"),
    (b'{"method":' + b"9" * 5000 + b"}", "no method name"), (b"{}", "no method name"),
    (b'{"method":"session-get","arguments":{"fields":[[]]}}', "fields must be"),
    (b'{"method":"torrent-get","arguments":{"fields":["id"],"ids":[1e400]}}', "ids must be"),
    (b'{"method":"session-set","arguments":{"speed-limit-down":' + b"9" * 400 + b"}}", "out of range"),
    (b'{"method":"torrent-set","arguments":{"labels":["a,b"]}}', "comma"),
    (b'{"method":"torrent-add","arguments":{"filename":"/etc/passwd"}}', "a file of this machine cannot be named"),
    (b'{"method":"torrent-add","arguments":{"filename":"file:///etc/passwd"}}', "cannot be named"),
    (b'{"method":"torrent-add","arguments":{"metainfo":"%%%"}}', "base64"),
    (b'{"method":"torrent-add","arguments":{"metainfo":"ZDE="}}', "the length of a string"),
    (b'{"method":"torrent-set-location","arguments":{"location":"x"}}', "not absolute"),
    (b'{"method":"session-set","arguments":{"script-torrent-done-enabled":true}}', "not run"),
    (b'{"method":"session-set","arguments":{"encryption":"maybe"}}', "must be one of"),
    (b'{"method":"group-set","arguments":{"name":"a","speed-limit-up-enabled":true}}', "no speed limits"),
    (b'{"method":"free-space","arguments":{"path":"/proc/1"}}', "downloads.allowed"),
    (b'{"method":"session-set","arguments":{"download-dir":"x"}}', "not absolute"),
], ids=range(23))
def test_what_cannot_be_is_said_and_nothing_breaks(tmp_path: Path, body: bytes, text: str) -> None:
    async def work(there: There) -> None:
        await there.ask.classic("session-get")
        answer = await there.ask.post(body)
        assert answer.status == 200
        said = answer.data if isinstance(answer.data, dict) else {}
        words = said["result"] if "result" in said else json.dumps(said["error"])
        assert words != "success" and text in words, words
    run(tmp_path, work)


def test_too_large_a_request_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RPC_BYTES", 1000)
    monkeypatch.setattr(limits, "RPC_VALUES", 100)

    async def work(there: There) -> None:
        await there.ask.classic("session-get")
        assert (await there.ask.post(b" " * 1001)).status == 413
        answer = await there.ask.post(b"[" + b"1," * 101 + b"1]")
        assert "more than 100 values" in answer.text
    run(tmp_path, work)


# -- whatever is asked

words = st.sampled_from(sorted({
    *FIELDS, *PREFERENCES, "ids", "fields", "format", "table", "recently-active", "filename", "metainfo", "labels",
    "files-wanted", "priority-low", "trackerAdd", "trackerRemove", "trackerReplace", "trackerList", "queuePosition",
    "path", "name", "move", "location", "delete-local-data", "download-dir", "paused",
    "magnet:?xt=urn:btih:" + "ab" * 20,
    "things/a.bin", "0" * 40, *(f.classic for f in FIELDS.values()), *(p.classic for p in PREFERENCES.values()),
})) | st.text(max_size=8)
scalars = st.none() | st.booleans() | st.integers() | st.integers(-2, 3) | st.floats(allow_nan=False) | words
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=3),
                      max_leaves=8)
names = st.sampled_from(sorted({name for one in METHODS.values() for name in (
    one.name, one.spelled(Dialect.CLASSIC))})) | st.text(max_size=5)
requests = st.fixed_dictionaries({}, optional={
    "method": names | values, "arguments": st.dictionaries(words, values, max_size=6) | values,
    "params": st.dictionaries(words, values, max_size=6) | values, "jsonrpc": st.just("2.0") | values, "id": values,
    "tag": values,
}) | values


def test_whatever_is_asked_is_answered_in_form(tmp_path: Path) -> None:
    async def work(there: There) -> None:
        await there.api.add_torrents(_request())
        await there.ask.classic("session-get")
        loop = asyncio.get_running_loop()

        @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
        @given(requests | st.lists(requests, max_size=3))
        def examine(what: object) -> None:
            asyncio.run_coroutine_threadsafe(one(what), loop).result(30)

        async def one(what: object) -> None:
            answer = await there.ask.post(json.dumps(what).encode())
            assert answer.status in (200, 204), (what, answer)
            if answer.status == 204:
                return
            for said in answer.data if isinstance(answer.data, list) else [answer.data]:
                if "jsonrpc" in said:
                    assert set(said) in ({"jsonrpc", "id", "result"}, {"jsonrpc", "id", "error"}), said
                else:
                    assert {"arguments", "result"} <= set(said) <= {"arguments", "result", "tag"}, said

        await asyncio.to_thread(examine)
    run(tmp_path, work)
