"""What programs of others stumble over, each as they meet it, and who may do what."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from tests.api_fakes import PASSWORD, row
from tests.doors import Caller, ListApi, at_door

from wildbach.base import limits
from wildbach.interfaces.api import models as m
from wildbach.interfaces.doors.qbittorrent.endpoints import ENDPOINTS

KEY = f"{1:040x}"
FORM = "multipart/form-data; boundary=b"
FILE = b'--b\r\nContent-Disposition: form-data; name="torrents"; filename="a.torrent"\r\n\r\n%s\r\n--b--\r\n'


def at(api: ListApi, scenario: Callable[[Caller], Awaitable[None]], *, login: bool = True) -> None:
    async def run() -> None:
        async with at_door(api, login=login) as caller:
            await scenario(caller)

    asyncio.run(run())


@pytest.mark.parametrize("name", [*sorted(ENDPOINTS), "no/such"])
def test_a_stranger_gets_403_whatever_is_asked_for(name: str) -> None:
    async def scenario(caller: Caller) -> None:
        for method in ("GET", "POST"):
            assert (await caller.ask(method, name)).status == 403

    api = ListApi(1)
    at(api, scenario, login=False)
    assert api.done == [] and api.rows_told == 0


def test_login_says_ok_or_fails_with_status_200() -> None:
    async def scenario(caller: Caller) -> None:
        for password, text in (("wrong", "Fails."), (PASSWORD, "Ok.")):
            said = await caller.post("auth/login", username="admin", password=password)
            assert (said.status, said.text) == (200, text)
            assert ("Set-Cookie" in said.headers) == (text == "Ok.")
        assert (await caller.get("auth/login", username="admin", password=PASSWORD)).status == 405

    at(ListApi(), scenario, login=False)


def test_strangers_do_not_get_to_send_more_than_a_login_takes() -> None:
    async def scenario(caller: Caller) -> None:
        said = await caller.post("auth/login", username="admin", password="x" * limits.API_START_BYTES)
        assert said.status == 413

    at(ListApi(), scenario, login=False)


def test_the_cookie_is_for_this_door_alone_and_out_of_reach_of_pages() -> None:
    async def scenario(caller: Caller) -> None:
        cookie = (await caller.login()).headers["Set-Cookie"]
        assert cookie.startswith("SID=") and "; HttpOnly" in cookie and "; SameSite=Strict" in cookie

    at(ListApi(), scenario, login=False)


def test_a_login_is_over_after_logout() -> None:
    async def scenario(caller: Caller) -> None:
        assert (await caller.get("app/version")).text == "v5.1.4"
        assert (await caller.get("auth/logout")).status == 405
        assert (await caller.post("auth/logout")).status == 200
        assert (await caller.get("app/version")).status == 403

    at(ListApi(), scenario)


def test_a_key_or_basic_credentials_do_in_place_of_a_login() -> None:
    async def scenario(caller: Caller) -> None:
        key = await caller.access.make_api_key(m.KeyRequest("sonarr"))
        assert (await caller.ask("GET", "app/webapiVersion", authorization=f"Bearer {key.secret}")).text == "2.11.4"
        assert (await caller.ask("GET", "app/webapiVersion", authorization="Bearer no")).status == 403

    at(ListApi(), scenario, login=False)


def test_a_guest_looks_and_changes_nothing() -> None:
    async def scenario(caller: Caller) -> None:
        key = await caller.access.make_api_key(m.KeyRequest("screen", "guest"))
        bearer = f"Bearer {key.secret}"
        assert (await caller.ask("GET", "torrents/info", authorization=bearer)).status == 200
        assert (await caller.ask("GET", "sync/maindata", authorization=bearer)).status == 200
        # Settings have passwords of proxies and paths in them.
        assert (await caller.ask("GET", "app/preferences", authorization=bearer)).status == 403
        for name in (name for name, endpoint in ENDPOINTS.items() if endpoint.change):
            said = await caller.ask("POST", name, body=f"hashes={KEY}&limit=1".encode(), authorization=bearer)
            assert said.status == 403, name

    api = ListApi(1)
    at(api, scenario, login=False)
    assert api.done == []


@pytest.mark.parametrize("name", sorted(name for name, endpoint in ENDPOINTS.items() if endpoint.change))
def test_no_link_changes_anything(name: str) -> None:
    async def scenario(caller: Caller) -> None:
        assert (await caller.get(name, hashes="all")).status == 405

    api = ListApi(1)
    at(api, scenario)
    assert api.done == []


def test_what_tells_is_answered_to_post_too() -> None:
    async def scenario(caller: Caller) -> None:
        for name in ("app/version", "torrents/info", "torrents/categories", "app/preferences"):
            assert (await caller.get(name)).body == (await caller.post(name)).body
        assert len((await caller.post("torrents/info", hashes=KEY)).json) == 1

    at(ListApi(3), scenario)


def test_another_web_page_gets_401_with_what_to_do() -> None:
    async def scenario(caller: Caller) -> None:
        for headers in ({"origin": "https://evil.example"}, {"referer": "https://evil.example/x"}):
            said = await caller.ask("GET", "torrents/info", **headers)
            assert said.status == 401 and "proxy" in said.text
        assert (await caller.ask("GET", "torrents/info", origin="http://localhost:8080")).status == 200

    at(ListApi(1), scenario)


@pytest.mark.parametrize(("body", "text", "status"), [
    (FILE % b"d4:infodee", "Ok.", 200), (FILE % b"nonsense", "not a valid torrent file", 415),
])
def test_add_answers_plain_text_and_the_torrent_is_there_by_then(body: bytes, text: str, status: int) -> None:
    async def scenario(caller: Caller) -> None:
        said = await caller.ask("POST", "torrents/add", body=body, content_type=FORM)
        assert (said.status, said.content_type) == (status, "text/plain") and text in said.text
        assert len((await caller.get("torrents/info")).json) == (status == 200)
        assert (await caller.get("torrents/properties", hash=KEY)).status == (200 if status == 200 else 404)

    at(ListApi(), scenario)


@pytest.mark.parametrize(("fields", "field", "value"), [
    ({"stopped": "true"}, "stopped", True), ({"paused": "true"}, "stopped", True),
    ({"paused": "true", "stopped": "false"}, "stopped", False), ({}, "stopped", None),
    ({"contentLayout": "NoSubfolder"}, "layout", "none"), ({"root_folder": "false"}, "layout", "none"),
    ({"root_folder": "true"}, "layout", "original"), ({"root_folder": "false", "contentLayout": "Subfolder"}, "layout",
                                                      "subfolder"),
    ({"skip_checking": "true"}, "skip_check", True), ({"seedMode": "true"}, "skip_check", True),
    ({"tags": "a, b ,,c"}, "tags", ("a", "b", "c")), ({"savepath": "/data"}, "auto", False), ({}, "auto", None),
    ({"autoTMM": "true", "savepath": "/data"}, "auto", True), ({"seedingTimeLimit": "90"}, "seeding_limit", 5400),
    ({"seedingTimeLimit": "-1"}, "seeding_limit", -1), ({"ratioLimit": "1.5"}, "ratio_limit", 1.5),
    ({"dlLimit": "2048"}, "down_limit", 2048), ({"upLimit": "-1"}, "up_limit", 0),
    ({"downloadPath": "/tmp/x"}, "incomplete_path", "/tmp/x"), ({"useDownloadPath": "false"}, "incomplete_path", ""),
    ({"downloadPath": "/x", "useDownloadPath": "false"}, "incomplete_path", ""),
    ({"firstLastPiecePrio": "true"}, "ends_first", True), ({"sequentialDownload": "True"}, "sequential", True),
    ({"stopCondition": "MetadataReceived"}, "metadata_only", True), ({"addToTopOfQueue": "1"}, "top", True),
    ({"filePriorities": "1,0,7"}, "priorities", {"0": 1, "1": 0, "2": 7}), ({"junk": "x", "foo": ""}, "name", ""),
], ids=str)
def test_options_of_add_by_their_new_and_old_names(fields: dict[str, str], field: str, value: object) -> None:
    async def scenario(caller: Caller) -> None:
        assert (await caller.post("torrents/add", urls="magnet:?xt=urn:btih:" + "a" * 40, **fields)).text == "Ok."

    api = ListApi()
    at(api, scenario)
    assert getattr(api.added[0], field) == value


@pytest.mark.parametrize(("torrent", "path"), [
    (row(1, save_path="/d", content_path="/d/film.mkv"), "/d/film.mkv"),
    (row(1, save_path="/d", content_path="/d/series"), "/d/series"),
], ids=["one file", "a folder"])
def test_the_content_path_of_a_complete_torrent_is_not_its_save_path(torrent: m.TorrentRow, path: str) -> None:
    async def scenario(caller: Caller) -> None:
        [shown] = (await caller.get("torrents/info")).json
        assert shown["content_path"] == path != shown["save_path"] == "/d"

    api = ListApi()
    api.put(torrent)
    at(api, scenario)


def test_what_is_not_known_and_what_is_not_limited_has_the_usual_numbers() -> None:
    async def scenario(caller: Caller) -> None:
        unlimited, usual = (await caller.get("torrents/info")).json
        assert unlimited["eta"] == usual["eta"] == 8_640_000
        assert (usual["ratio_limit"], usual["seeding_time_limit"], usual["max_ratio"]) == (-2, -2, 1.5)
        assert (usual["max_seeding_time"], usual["inactive_seeding_time_limit"]) == (90, -2)
        assert (unlimited["ratio_limit"], unlimited["seeding_time_limit"], unlimited["max_ratio"]) == (-1, -1, -1)

    api = ListApi()
    api.values |= {"seeding.ratio": 1.5, "seeding.seconds": 5400}
    api.put(row(1, ratio_limit=-1, seeding_limit=-1))
    api.put(row(2))
    at(api, scenario)


def test_preferences_say_what_sonarr_asks_for() -> None:
    async def scenario(caller: Caller) -> None:
        said = (await caller.get("app/preferences")).json
        assert said["dht"] is True and said["queueing_enabled"] is True and said["save_path"] == "/downloads"
        # 1 and 3 (remove, with files) make it complain; the action that holds here is to stop.
        assert said["max_ratio_act"] == 0 and said["max_ratio_enabled"] is False and said["max_ratio"] == -1

    at(ListApi(), scenario)


def test_hashes_are_joined_by_bars_and_tags_by_commas() -> None:
    async def scenario(caller: Caller) -> None:
        assert (await caller.post("torrents/stop", hashes=f"{KEY}|{2:040X}|nonsense")).status == 200
        assert (await caller.post("torrents/pause", hashes="all")).status == 200
        [first, *_] = (await caller.get("torrents/info", hashes=KEY)).json
        assert first["tags"] == "a, b"
        assert first["state"] == "stoppedUP"

    api = ListApi(2)
    api.put(row(1, tags=("a", "b")))
    at(api, scenario)
    assert api.done == [m.Action("stop", (KEY, f"{2:040x}")), m.Action("stop", all=True)]


@pytest.mark.parametrize(("torrent", "state"), [
    (row(1, state="downloading", complete=False, down_rate=5.0), "downloading"),
    (row(1, state="downloading", complete=False), "stalledDL"),
    (row(1, state="downloading", complete=False, forced=True), "forcedDL"),
    (row(1, state="metadata", complete=False), "metaDL"), (row(1, state="queued", complete=False), "queuedDL"),
    (row(1, state="stopped", complete=False), "stoppedDL"), (row(1, state="stopped"), "stoppedUP"),
    (row(1, up_rate=5.0), "uploading"), (row(1), "stalledUP"), (row(1, forced=True), "forcedUP"),
    (row(1, state="checking"), "checkingUP"), (row(1, state="moving"), "moving"), (row(1, state="error"), "error"),
], ids=lambda value: value if isinstance(value, str) else "")
def test_states_have_the_names_of_version_5(torrent: m.TorrentRow, state: str) -> None:
    async def scenario(caller: Caller) -> None:
        [shown] = (await caller.get("torrents/info")).json
        assert shown["state"] == state

    api = ListApi()
    api.put(torrent)
    at(api, scenario)


def test_a_torrent_of_v2_alone_is_known_by_40_digits() -> None:
    async def scenario(caller: Caller) -> None:
        [shown] = (await caller.get("torrents/info")).json
        assert shown["hash"] == "c" * 40 and shown["infohash_v2"] == "c" * 64
        assert (await caller.get("torrents/properties", hash="c" * 40)).json["hash"] == "c" * 40

    api = ListApi()
    api.put(row(1, key="c" * 64, infohash_v1="", infohash_v2="c" * 64))
    at(api, scenario)


@pytest.mark.parametrize(("name", "fields", "status"), [
    ("torrents/properties", {}, 400), ("torrents/properties", {"hash": "zz"}, 404),
    ("torrents/properties", {"hash": "b" * 40}, 404), ("torrents/setShareLimits", {"hashes": KEY}, 400),
    ("torrents/setDownloadLimit", {"hashes": KEY, "limit": "x"}, 400), ("torrents/filePrio", {"hash": KEY}, 400),
    ("torrents/filePrio", {"hash": KEY, "id": "0", "priority": "5"}, 400), ("no/such", {}, 404),
    ("torrents/setCategory", {"hashes": KEY, "category": "none"}, 409), ("torrents/add", {}, 400),
    ("app/setPreferences", {"json": "["}, 400), ("app/setPreferences", {"json": "[" * 100_000}, 400),
    ("torrents/addPeers", {"hashes": KEY, "peers": "127.0.0.1"}, 400),
    ("torrents/addWebSeeds", {"hash": KEY, "urls": "ftp://x"}, 400),
], ids=str)
def test_what_cannot_be_is_refused_as_the_original_does(name: str, fields: dict[str, str], status: int) -> None:
    async def scenario(caller: Caller) -> None:
        said = await caller.post(name, **fields)
        assert said.status == status
        assert status != 404 or said.text == "Not Found"

    at(ListApi(1), scenario)
