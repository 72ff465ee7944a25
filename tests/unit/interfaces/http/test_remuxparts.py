"""Below a file's address on the media host lies what is made of it, and its reader stays for what comes next."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import aiohttp
from tests import mediafiles
from tests.unit.services.stream.files import Held
from tests.unit.services.stream.remuxing import served

from wildbach.base.errors import UsageError
from wildbach.interfaces.http.mediahost import MediaHost
from wildbach.interfaces.http.remuxed import Remuxed
from wildbach.interfaces.http.remuxparts import RemuxParts
from wildbach.net.httpd import HttpServer
from wildbach.runtime.tasks import Scope
from wildbach.services.stream.remux import Remuxer

TOKEN = "a" * 32


class OneFilm:
    """A stage with one torrent of one film."""

    def __init__(self, file: Held) -> None:
        self.file = file
        self.open_readers = 0
        self.chosen = True
        path = SimpleNamespace(name="film.mkv", parts=("film.mkv",))
        self._shown = SimpleNamespace(
            key="k", info=SimpleNamespace(files=[SimpleNamespace(path=path, length=file.size, written=True)]))

    async def shown(self, token: str) -> Any:
        return self._shown

    @asynccontextmanager
    async def open(self, key: str, index: int) -> AsyncIterator[Held]:
        self.open_readers += 1
        yield self.file
        self.open_readers -= 1

    def check(self, key: str, index: int) -> None:
        if not self.chosen:
            raise UsageError("this file is not chosen for download", code="not_chosen")

    def whole(self, key: str, index: int) -> bool:
        return True


@asynccontextmanager
async def playing(remuxer: Remuxer, linger: float) -> AsyncIterator[tuple[OneFilm, RemuxParts, aiohttp.ClientSession]]:
    stage = OneFilm(Held.of(mediafiles.mkv()))
    async with Scope("parts") as scope:
        parts = RemuxParts(scope, stage, Remuxed(remuxer), linger=linger)
        host = MediaHost(stage, lambda request: "http://media.localhost")
        parts.add_to(host.parts)
        server = HttpServer(host)
        at = await server.start("127.0.0.1", 0)
        async with aiohttp.ClientSession(f"http://{at.host}:{at.port}/{TOKEN}/0/") as web:
            yield stage, parts, web
        await server.close()
        await parts.close()
    assert stage.open_readers == 0


@served
async def test_segments_subtitles_and_pictures_lie_below_the_file_for_every_origin(remuxer: Remuxer) -> None:
    async with playing(remuxer, 60.0) as (_, _, web):
        for rest, kind in (("hls/probe.json", "application/json"), ("hls/v0a1/0.m4s", "video/mp4"),
                           ("sub/3.vtt?end=5", "text/vtt"), ("thumb/2.jpg", "image/jpeg")):
            async with web.get(rest) as answer:
                assert (answer.status, answer.content_type) == (200, kind)
                assert answer.headers["Access-Control-Allow-Origin"] == "*"
                assert answer.headers["X-Content-Type-Options"] == "nosniff"


@served
async def test_a_reader_stays_for_a_while_after_a_segment_and_one_a_film(remuxer: Remuxer) -> None:
    async with playing(remuxer, 60.0) as (stage, parts, web):
        for rest in ("hls/v0a1/0.m4s", "hls/v0a1/1.m4s", "thumb/2.jpg"):
            async with web.get(rest) as answer:
                assert answer.status == 200
        assert (stage.open_readers, parts.lingering) == (1, 1)


@served
async def test_it_goes_when_nobody_asks_for_more(remuxer: Remuxer) -> None:
    async with playing(remuxer, 0.0) as (stage, parts, web):
        async with web.get("hls/v0a1/0.m4s") as answer:
            assert answer.status == 200
        while stage.open_readers:
            await asyncio.sleep(0)
        assert parts.lingering == 0


@served
async def test_of_a_file_that_will_never_come_nothing_is_made(remuxer: Remuxer) -> None:
    async with playing(remuxer, 60.0) as (stage, _, web):
        stage.chosen = False
        async with web.get("hls/probe.json") as answer:
            assert answer.status == 503
        assert stage.file.asked == []
