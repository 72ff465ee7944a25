"""The media host over a real server on loopback; torrents are a fake over bytes."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from urllib.parse import quote

import pytest

from cli_torrents import torrent_of
from wildbach.base import limits
from wildbach.base.errors import StorageError, UsageError
from wildbach.interfaces.http.mediahost import MediaHost, Shown
from wildbach.net.httpd import HttpServer, Request, Response
from wildbach.protocol.metainfo import Metainfo

TOKEN = "0123456789abcdef" * 2
FILMS = {
    ("film.mkv",): bytes(range(256)) * 4000, ("page.html",): b"<script>alert(1)</script>", ("ü b.srt",): b"1\n",
    ("extras", "two.mp4"): b"two" * 1000, ("empty.mp4",): b"",
}


class Opened:
    """A reader of bytes that may have to be waited for."""

    def __init__(self, stage: FakeStage, data: bytes) -> None:
        self._stage = stage
        self._data = data
        self.size = len(data)

    async def read(self, offset: int, limit: int) -> bytes:
        await self._stage.here.wait()
        if self._stage.broken:
            raise StorageError("the disk is gone")
        return self._data[offset:offset + min(limit, 50_000)]


class FakeStage:
    def __init__(self, torrent: Metainfo, files: dict[tuple[str, ...], bytes]) -> None:
        self.info = torrent.info
        self._data = [files[file.path.parts] for file in self.info.files]
        self.here = asyncio.Event()
        self.here.set()
        self.opened = 0
        self.open_now = 0
        self.all_here = True
        self.broken = False
        self.unwanted: set[int] = set()
        self.news = asyncio.Event()

    async def shown(self, token: str) -> Shown | None:
        return Shown("key", self.info) if token == TOKEN else None

    @contextlib.asynccontextmanager
    async def open(self, key: str, index: int) -> AsyncIterator[Opened]:
        self.opened += 1
        self.open_now += 1
        self.news.set()
        try:
            yield Opened(self, self._data[index])
        finally:
            self.open_now -= 1
            self.news.set()

    def check(self, key: str, index: int) -> None:
        if index in self.unwanted:
            raise UsageError("this file is not chosen for download", code="not_chosen")

    def whole(self, key: str, index: int) -> bool:
        return self.all_here

    async def until_open(self, count: int) -> None:
        async with asyncio.timeout(60):
            while self.open_now != count:
                self.news.clear()
                await self.news.wait()


class Caller:
    def __init__(self, port: int, host: MediaHost, stage: FakeStage) -> None:
        self.port = port
        self.host = host
        self.stage = stage
        self._writers: list[asyncio.StreamWriter] = []

    async def close(self) -> None:
        for writer in self._writers:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    def index(self, *path: str) -> int:
        return next(index for index, file in enumerate(self.stage.info.files) if file.path.parts == path)

    def path(self, *path: str) -> str:
        return f"/{TOKEN}/{self.index(*path)}/{quote(path[-1])}"

    async def begin(self, path: str, method: str = "GET", **headers: str) -> tuple[
            asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=1 << 16)
        self._writers.append(writer)
        lines = [f"{method} {path} HTTP/1.1", "Host: media.localhost:1", "Connection: close"]
        lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
        writer.write("\r\n".join((*lines, "", "")).encode())
        return reader, writer

    async def ask(self, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
        reader, writer = await self.begin(path, method, **headers)
        raw = await reader.read()
        writer.close()
        head, _, body = raw.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        return int(first.split()[1]), {
            name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}, body


@contextlib.asynccontextmanager
async def hosting(files: dict[tuple[str, ...], bytes] | None = None, **kind: object) -> AsyncIterator[Caller]:
    files = FILMS if files is None else files
    torrent = torrent_of(files, name="Films", **kind)
    stage = FakeStage(torrent, files)
    host = MediaHost(stage, lambda request: "http://" + request.headers["host"])
    server = HttpServer(host, fetch_seconds=60)
    at = await server.start("127.0.0.1", 0)
    try:
        call = Caller(at.port, host, stage)
        yield call
    finally:
        await call.close()
        await server.close()


def test_a_file_comes_whole_and_in_parts_with_all_that_players_want_to_know() -> None:
    async def main() -> None:
        async with hosting() as call:
            film = FILMS[("film.mkv",)]
            status, head, body = await call.ask(call.path("film.mkv"))
            assert (status, body) == (200, film)
            root = call.stage.info.files[call.index("film.mkv")].root
            tag = f'"{root.hex()}"' if root else f'"{call.stage.info.hashes.v1.hex()}-{call.index("film.mkv")}"'
            assert head["etag"] == tag and head["accept-ranges"] == "bytes"
            assert head["content-type"] == "video/x-matroska" and head["content-length"] == str(len(film))
            assert head["transfermode.dlna.org"] == "Streaming"
            assert head["contentfeatures.dlna.org"].startswith("DLNA.ORG_OP=01;")
            assert head["content-disposition"].startswith("inline;") and head["x-content-type-options"] == "nosniff"
            status, head, body = await call.ask(call.path("film.mkv"), Range="bytes=1000-200999")
            assert (status, body) == (206, film[1000:201000])
            assert head["content-range"] == f"bytes 1000-200999/{len(film)}"
            status, head, body = await call.ask(call.path("film.mkv"), Range="bytes=-10", If_Range=tag)
            assert (status, body) == (206, film[-10:])
            status, head, body = await call.ask(call.path("film.mkv"), Range="bytes=9999999-")
            assert (status, body) == (416, b"") and head["content-range"] == f"bytes */{len(film)}"
            assert (await call.ask(call.path("film.mkv"), If_None_Match=tag))[0] == 304
            assert (await call.ask(call.path("empty.mp4")))[2] == b""
            assert call.stage.open_now == 0
    asyncio.run(main())


def test_a_head_opens_nothing() -> None:
    async def main() -> None:
        async with hosting() as call:
            status, head, body = await call.ask(call.path("film.mkv"), "HEAD", Range="bytes=5-14")
            assert (status, head["content-length"], body) == (206, "10", b"") and call.stage.opened == 0
    asyncio.run(main())


def test_without_the_token_and_of_what_is_not_there_nothing_is_told() -> None:
    async def main() -> None:
        async with hosting() as call:
            answers = set()
            for path in (
                "/", f"/{TOKEN}", f"/{TOKEN}/", f"/{'0' * 32}/0/x", f"/{TOKEN}/99/x", f"/{TOKEN}/-1/x",
                f"/{TOKEN}/00/x",
                f"/{TOKEN}/٣/x", f"/{TOKEN}/0/hls/master.m3u8", f"/{TOKEN}/../{TOKEN}/0/x", f"/{TOKEN[:-1]}/0/x",
                f"/{TOKEN.upper()}/0/x", "/api/v1/torrents", "/healthz", f"/{TOKEN}/seed", f"/{TOKEN}/seed/Films",
                f"/{TOKEN}/seed/Films/../Films/film.mkv", f"/{TOKEN}/seed/Films/%2e%2e/x", f"/{TOKEN}/seed//etc/passwd",
            ):
                status, _, body = await call.ask(quote(path, safe="/%"))
                answers.add((status, body))
            assert answers == {(404, b"there is nothing here\n")} and call.stage.opened == 0
            for method in ("POST", "PUT", "DELETE", "PATCH"):
                assert (await call.ask(call.path("film.mkv"), method))[0] == 405
    asyncio.run(main())


def test_what_could_be_run_is_a_download() -> None:
    async def main() -> None:
        async with hosting() as call:
            _, head, _ = await call.ask(call.path("page.html"))
            assert head["content-disposition"].startswith("attachment;")
            assert "sandbox" in head["content-security-policy"] and head["x-content-type-options"] == "nosniff"
            _, head, _ = await call.ask(call.path("ü b.srt"))
            assert head["content-disposition"] == "inline; filename*=UTF-8''%C3%BC%20b.srt"
            assert head["content-type"] == "application/x-subrip"
    asyncio.run(main())


def test_other_pages_may_read_it_without_cookies() -> None:
    async def main() -> None:
        async with hosting() as call:
            status, head, _ = await call.ask(
                call.path("film.mkv"), "OPTIONS", Origin="http://tv.example", Access_Control_Request_Headers="range")
            assert status == 204 and "Range" in head["access-control-allow-headers"]
            for path in (call.path("film.mkv"), "/nothing"):
                _, head, _ = await call.ask(path, Origin="http://tv.example", Range="bytes=0-9")
                assert head["access-control-allow-origin"] == "*"
                assert "access-control-allow-credentials" not in head
    asyncio.run(main())


def test_a_playlist_goes_on_from_a_file() -> None:
    files = {("S", f"Show.S01E{number:02}.mkv"): b"x" * 50_000 for number in (1, 2, 10)} | {("S", "b.txt"): b"x"}

    async def main() -> None:
        async with hosting(files) as call:
            second = call.index("S", "Show.S01E02.mkv")
            status, head, body = await call.ask(f"/{TOKEN}/playlist.m3u8?from={second}")
            assert status == 200 and head["content-type"].startswith("audio/x-mpegurl")
            last = call.index("S", "Show.S01E10.mkv")
            assert body.decode().splitlines() == [
                "#EXTM3U", "#EXTINF:-1,Show.S01E02.mkv",
                f"http://media.localhost:1/{TOKEN}/{second}/Show.S01E02.mkv",
                "#EXTINF:-1,Show.S01E10.mkv", f"http://media.localhost:1/{TOKEN}/{last}/Show.S01E10.mkv"]
            for odd in ("from=99", "from=x", "from=" + "9" * 1000, "&" * 150, "%ff"):
                assert (await call.ask(f"/{TOKEN}/playlist.m3u8?{odd}"))[2].count(b"EXTINF") == 3
    asyncio.run(main())


def test_it_is_a_web_seed_of_what_is_complete() -> None:
    async def main() -> None:
        async with hosting() as call:
            for path in (("film.mkv",), ("ü b.srt",), ("extras", "two.mp4"), ("page.html",)):
                status, _, body = await call.ask(f"/{TOKEN}/seed/Films/{'/'.join(map(quote, path))}")
                assert (status, body) == (200, FILMS[path])
            call.stage.all_here = False
            assert (await call.ask(f"/{TOKEN}/seed/Films/film.mkv"))[0] == 503
            assert call.stage.opened == 4
            # Pad files (BEP 47) are there for clients that do not know what they are, and no longer than a piece.
            most = call.stage.info.piece_length - 1
            status, headers, body = await call.ask(f"/{TOKEN}/seed/Films/.pad/{most}")
            assert (status, body) == (200, bytes(most)) and "sandbox" in headers["content-security-policy"]
            status, _, body = await call.ask(f"/{TOKEN}/seed/Films/.pad/1000", Range="bytes=990-")
            assert (status, body) == (206, bytes(10))
            for odd in (f"Films/.pad/{most + 1}", "Films/.pad/0", "Films/.pad/x", "Films/.pad", "Other/.pad/5",
                        "Films/.pad/5/5", f"Films/.pad/{'9' * 5000}", ".pad/5"):
                assert (await call.ask(f"/{TOKEN}/seed/{odd}"))[0] == 404
    asyncio.run(main())


def test_other_parts_answer_for_what_they_make() -> None:
    async def main() -> None:
        async with hosting() as call:
            async def hls(request: Request, shown: Shown, index: int, rest: tuple[str, ...]) -> Response:
                return Response(f"{shown.key} {index} {rest}".encode())

            call.host.parts["hls"] = hls
            film = call.index("film.mkv")
            _, _, body = await call.ask(f"/{TOKEN}/{film}/hls/0/seg%201.m4s")
            assert body == f"key {film} ('0', 'seg 1.m4s')".encode()
            assert (await call.ask(f"/{TOKEN}/{film}/sub/0.vtt"))[0] == 404
    asyncio.run(main())


def test_parts_that_are_made_are_as_many_as_readers_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MEDIA_READERS_PER_TORRENT", 2)

    async def main() -> None:
        async with hosting() as call:
            goes, begun = asyncio.Event(), asyncio.Semaphore(0)

            async def hls(request: Request, shown: Shown, index: int, rest: tuple[str, ...]) -> Response:
                begun.release()
                await goes.wait()
                return Response(b"made")

            call.host.parts["hls"] = hls
            path = f"/{TOKEN}/{call.index('film.mkv')}/hls/probe.json"

            async def one_more() -> int:
                for _ in range(2):
                    await begun.acquire()
                async with asyncio.timeout(60):
                    status = (await call.ask(path))[0]
                goes.set()
                return int(status)

            first, second, third = await asyncio.gather(call.ask(path), call.ask(path), one_more())
            assert (first[0], second[0], third) == (200, 200, 503)
            assert (await call.ask(path))[0] == 200
    asyncio.run(main())


def test_who_vanishes_while_it_waits_lets_go_of_the_reader_at_once() -> None:
    async def main() -> None:
        async with hosting() as call:
            call.stage.here.clear()
            reader, writer = await call.begin(call.path("film.mkv"))
            await reader.readuntil(b"\r\n\r\n")
            await call.stage.until_open(1)
            writer.close()
            await call.stage.until_open(0)
    asyncio.run(main())


def test_who_does_not_fetch_holds_one_chunk_and_not_the_file() -> None:
    big = {("film.mkv",): bytes(64 << 20)}

    async def main() -> None:
        async with hosting(big) as call:
            reader, writer = await call.begin(call.path("film.mkv"))
            await reader.readuntil(b"\r\n\r\n")
            (going,) = call.host._going
            async with asyncio.timeout(60):
                while not going.unfetched:
                    await asyncio.sleep(0)
            writer.close()
            await call.stage.until_open(0)
            assert going._left > 48 << 20
    asyncio.run(main())


def test_fifty_ranges_that_are_opened_and_left_behind_cost_little_and_the_last_one_plays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "MEDIA_READERS_PER_TORRENT", 8)
    big = {("film.mkv",): bytes(range(256)) * (1 << 16)}

    async def main() -> None:
        async with hosting(big) as call:
            left = []
            for number in range(50):
                reader, writer = await call.begin(call.path("film.mkv"), Range=f"bytes={number * 100_000}-")
                assert b" 206 " in await reader.readuntil(b"\r\n\r\n")
                left.append(writer)
                going = list(call.host._going)[-1]
                async with asyncio.timeout(60):
                    while not going.unfetched:
                        await asyncio.sleep(0)
                assert call.stage.open_now <= 8
            data = FILMS[("film.mkv",)][:1000]
            status, _, body = await call.ask(call.path("film.mkv"), Range="bytes=0-999")
            assert (status, body) == (206, data)
            for writer in left:
                writer.close()
            await call.stage.until_open(0)
    asyncio.run(main())


def test_where_all_are_busy_one_more_has_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MEDIA_READERS", 2)

    async def main() -> None:
        async with hosting() as call:
            call.stage.here.clear()
            waiting = [await call.begin(call.path("film.mkv")) for _ in range(2)]
            await call.stage.until_open(2)
            status, head, _ = await call.ask(call.path("film.mkv"))
            assert status == 503 and head["retry-after"]
            for _, writer in waiting:
                writer.close()
            await call.stage.until_open(0)
    asyncio.run(main())


def test_a_token_that_was_revoked_ends_what_is_under_way() -> None:
    async def main() -> None:
        async with hosting() as call:
            call.stage.here.clear()
            reader, _writer = await call.begin(call.path("film.mkv"))
            await reader.readuntil(b"\r\n\r\n")
            await call.stage.until_open(1)
            call.host.drop("key")
            await call.stage.until_open(0)
            with contextlib.suppress(ConnectionResetError):
                assert await reader.read() == b""
    asyncio.run(main())


def test_of_what_cannot_be_read_nobody_gets_half_for_the_whole() -> None:
    async def main() -> None:
        async with hosting() as call:
            call.stage.broken = True
            reader, _writer = await call.begin(call.path("film.mkv"))
            await reader.readuntil(b"\r\n\r\n")
            with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
                await reader.readexactly(len(FILMS[("film.mkv",)]))
    asyncio.run(main())


def test_of_a_file_that_will_never_come_one_is_told() -> None:
    async def main() -> None:
        async with hosting() as call:
            call.stage.unwanted.add(call.index("film.mkv"))
            assert (await call.ask(call.path("film.mkv")))[::2] == (503, b"this file is not chosen for download\n")
            assert (await call.ask(call.path("film.mkv"), "HEAD"))[0] == 200
    asyncio.run(main())


def test_a_torrent_whose_files_are_not_known_yet_is_asked_for_again() -> None:
    async def main() -> None:
        async with hosting() as call:
            async def unknown(token: str) -> Shown | None:
                raise UsageError("the metadata is not here yet", code="no_metadata")

            call.stage.shown = unknown  # type: ignore[method-assign]  # as a magnet link is at first
            status, head, body = await call.ask(call.path("film.mkv"))
            assert (status, head["retry-after"], body) == (503, "2", b"the metadata is not here yet\n")
    asyncio.run(main())
