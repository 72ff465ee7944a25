"""What is made of a file is had at addresses below it, and each thing that cannot be has an answer of its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from tests import mediafiles
from tests.unit.services.stream.files import Held
from tests.unit.services.stream.remuxing import served

from wildbach.interfaces.http.remuxed import Remuxed, takes
from wildbach.net.httpd import HttpServer, Request, Response
from wildbach.services.stream.remux import Remuxer


class Host:
    """A media host with one file."""

    def __init__(self, remuxed: Remuxed, file: Any, name: str, base: str, web: aiohttp.ClientSession) -> None:
        self.remuxed = remuxed
        self.file = file
        self.name = name
        self.base = base
        self.web = web

    async def get(self, rest: str, status: int = 200) -> bytes:
        async with self.web.get(f"{self.base}/{rest}") as answer:
            body = await answer.read()
            assert answer.status == status, body[:200]
            return body

    async def problem(self, rest: str, status: int) -> str:
        return str(json.loads(await self.get(rest, status))["code"])


@asynccontextmanager
async def host(remuxer: Remuxer, file: Any, name: str = "film.mkv") -> AsyncIterator[Host]:
    remuxed = Remuxed(remuxer)

    async def handler(request: Request) -> Response:
        return await remuxed(request, file, name, request.path.removeprefix("/"))

    server = HttpServer(handler)
    at = await server.start("127.0.0.1", 0)
    async with aiohttp.ClientSession() as web:
        yield Host(remuxed, file, name, f"http://{at.host}:{at.port}", web)
    await server.close()


@served
async def test_a_player_that_follows_the_playlist_gets_the_whole_film(remuxer: Remuxer) -> None:
    async with host(remuxer, Held.of(mediafiles.mkv())) as at:
        master = (await at.get("hls/master.m3u8?audio=2")).decode().splitlines()
        folder = master[-1].rsplit("/", 1)[0]
        media = (await at.get(f"hls/{master[-1]}")).decode().splitlines()
        names = [line for line in media if line and not line.startswith("#")]
        parts = [await at.get(f"hls/{folder}/{name}") for name in ("init.mp4", *names)]
        film = b"".join(parts)

    assert folder == "v0a2"
    assert len(names) == 5
    assert film[4:8] == b"ftyp"
    assert film.count(b"moof") == 5


@served
async def test_a_page_learns_what_a_browser_must_be_able_to_play(remuxer: Remuxer) -> None:
    async with host(remuxer, Held.of(mediafiles.mkv())) as at:
        told = json.loads(await at.get("hls/probe.json"))

    assert told["hls"]["codecs"].startswith('video/mp4; codecs="avc1.')
    assert told["hls"]["codecs"].endswith(',mp4a.40.2"')
    assert told["mime"].startswith("video/webm")
    assert [track["language"] for track in told["tracks"] if track["kind"] == "subtitle"] == ["eng", "ger"]
    assert told["heights"] == [360, 480, 720, 1080]


@served
async def test_a_film_in_an_old_codec_is_played_only_on_wish(remuxer: Remuxer) -> None:
    async with host(remuxer, Held.of(mediafiles.webm(seconds=4.0))) as at:
        told = json.loads(await at.get("hls/probe.json"))
        assert told["hls"] == {"codecs": "", "code": "needs_transcode"}
        assert await at.problem("hls/master.m3u8", 409) == "needs_transcode"
        made = (await at.get("hls/master.m3u8?transcode=1")).decode().splitlines()[-1]
        assert made == "v0a1h720/media.m3u8"
        assert (await at.get("hls/v0a1h720/0.m4s"))[4:8] == b"moof"


@served
async def test_subtitles_and_pictures_are_had(remuxer: Remuxer) -> None:
    async with host(remuxer, Held.of(mediafiles.mkv())) as at:
        assert (await at.get("thumb/4.5.jpg"))[:2] == b"\xff\xd8"
        text = (await at.get("sub/3.vtt?start=2&end=4&offset=0.25")).decode()
        assert text.startswith("WEBVTT\n")
        assert "00:00:02.250 --> 00:00:03.150\nLine 2:" in text
        async with at.web.get(f"{at.base}/sub/3.vtt?start=2&end=4") as answer:
            assert answer.content_type == "text/vtt"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"


@served
async def test_a_file_of_subtitles_is_had_without_pyav(remuxer: Remuxer) -> None:
    without = Remuxer(remuxer.pool._scope, found=lambda name: None)
    async with host(without, Held(mediafiles.srt(3.0).encode("utf-16")), "film.de.SRT") as at:
        assert (await at.get("sub/file.vtt?offset=-1")).decode().count("-->") == 2
        assert await at.problem("hls/probe.json", 501) == "media_unavailable"
    async with host(without, Held(b"\x89PNG"), "film.srt") as at:
        assert await at.problem("sub/file.vtt", 415) == "bad_format"


@pytest.mark.parametrize(("rest", "status", "code"), [
    ("hls/master.m3u8?audio=9", 404, "no_track"), ("hls/master.m3u8?audio=x", 400, "bad_query"),
    ("hls/master.m3u8?height=9999", 400, "bad_height"), ("hls/v9a1/media.m3u8", 404, "no_track"),
    ("hls/v0a1/99.m4s", 404, "no_segment"), ("hls/v00a1/0.m4s", 404, "no_track"),
    ("hls/v0a1/init.mp5", 404, "not_found"),
    ("hls/../../etc/passwd", 404, "not_found"), ("sub/0.vtt", 404, "no_track"), ("sub/99.vtt", 404, "no_track"),
    ("sub/3.vtt?offset=nan", 400, "bad_query"), ("sub/3.vtt?offset=1e9", 400, "bad_offset"),
    ("sub/file.vtt", 415, "not_text"), ("thumb/x.jpg", 404, "not_found"), ("thumb/999999.jpg", 400, "bad_time"),
    ("hls/master.m3u8?" + "&a=1" * 20, 400, "bad_query"),
])
@served
async def test_what_is_asked_wrongly_is_told_so(remuxer: Remuxer, rest: str, status: int, code: str) -> None:
    async with host(remuxer, Held.of(mediafiles.mkv())) as at:
        request = Request("GET", "/", rest.partition("?")[2], remote=None, headers={})  # type: ignore[arg-type]
        answer = await at.remuxed(request, at.file, at.name, rest.partition("?")[0])
        assert (answer.status, json.loads(answer.body)["code"]) == (status, code)


@served
async def test_what_is_no_media_and_what_the_disk_refuses_are_told_apart(remuxer: Remuxer) -> None:
    async with host(remuxer, Held(b"no film")) as at:
        assert await at.problem("hls/probe.json", 415) == "media_format"
    file = Held.of(mediafiles.mkv())
    file.broken = True
    async with host(remuxer, file) as at:
        assert await at.problem("hls/probe.json", 503) == "storage_error"


@served
async def test_a_player_that_jumps_leaves_no_request_behind(remuxer: Remuxer) -> None:
    film = mediafiles.mp4("first", seconds=30.0, bit_rate=400_000)
    file = Held.of(film, here=300_000)
    async with host(remuxer, file) as at:
        await at.get("hls/probe.json")
        for number in range(4):
            file.waits.clear()
            asked = asyncio.get_running_loop().create_task(at.get(f"hls/v0a1/{number + 3}.m4s"))
            await file.waits.wait()
            asked.cancel()
            await asyncio.wait([asked])
        assert (await at.get("hls/v0a1/0.m4s"))[4:8] == b"moof"
        assert len(remuxer.pool.processes) <= 3


def test_only_these_addresses_are_taken() -> None:
    assert [takes(rest) for rest in ("hls/x", "sub/1.vtt", "thumb/1.jpg", "film.mkv", "hls")] == [
        True, True, True, False, False]


@served
async def test_it_is_only_read(remuxer: Remuxer) -> None:
    async with host(remuxer, Held(b"x")) as at, at.web.post(f"{at.base}/hls/probe.json") as answer:
        assert answer.status == 405
