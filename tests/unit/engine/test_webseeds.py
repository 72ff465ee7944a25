"""Web servers as sources: whole sessions against servers that behave, and against those that do not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.webserver import Answer, Asked, Scripted, give, head, scripted

from nodes import Made, make
from wildbach.base.errors import UsageError
from wildbach.base.ids import Endpoint
from wildbach.engine.options import AddOptions
from wildbach.engine.session import Session
from wildbach.engine.settings import (
    ConnectionSettings,
    DiskSettings,
    RateSettings,
    Settings,
    TrackerSettings,
    WebSeedSettings,
)
from wildbach.engine.torrent import Torrent
from wildbach.engine.webseeds import WebSeedState, WebSeedView
from wildbach.protocol.metainfo import Metainfo
from wildbach.protocol.metainfo.builder import Kind
from wildbach.protocol.metainfo.magnet import Magnet

KINDS: tuple[Kind, ...] = ("v1", "v2", "hybrid")
SIZES = {"a": 400_000, "b/c d": 170_001, "e": 1, "f": 65536}


def settings(*, stall: float = 20.0, down: int = 0, connections: int = 4, enabled: bool = True) -> Settings:
    return Settings(
        ConnectionSettings(listen=("127.0.0.1:0",)), RateSettings(down=down, limit_local=True),
        disk=DiskSettings(workers="threads"),
        web_seeds=WebSeedSettings(stall_seconds=stall, connections=connections, enabled=enabled),
    )


def files_of(made: Made) -> dict[str, bytes]:
    listed = zip(made.metainfo.info.files, made.contents, strict=True)
    return {f"made/{file.path}": data for file, data in listed if not file.pad}


def good(made: Made) -> Answer:
    files = files_of(made)

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await give(files, asked, writer)

    return answer


def seeded(made: Made, *urls: str) -> Metainfo:
    info = made.metainfo.info
    return Metainfo.from_info(info, web_seeds=urls, piece_layers=made.metainfo.piece_layers)


def holds(made: Made, folder: Path) -> bool:
    return all((folder / path).read_bytes() == data for path, data in files_of(made).items())


async def until(ready: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not ready():
            await asyncio.sleep(0.01)


async def download(
    made: Made, server: Scripted, folder: Path, chosen: Settings | None = None,
) -> tuple[WebSeedView, Torrent]:
    """Everything from one server."""
    async with Session(chosen or settings(), announcers=()) as session:
        torrent = await session.add(seeded(made, server.url), AddOptions(save_path=folder))
        async with asyncio.timeout(30):
            await torrent.complete()
        assert session.internal_errors == 0
        (view,) = torrent.web_seeds()
        assert holds(made, folder)
        return view, torrent


async def outcome(made: Made, answer: Answer, folder: Path, chosen: Settings | None = None) -> WebSeedView:
    """What is said of a server that is of no use."""
    async with scripted(answer) as server, Session(chosen or settings(), announcers=()) as session:
        torrent = await session.add(seeded(made, server.url), AddOptions(save_path=folder))
        await until(lambda: torrent.web_seeds() and torrent.web_seeds()[0].reason)
        assert session.internal_errors == 0 and torrent.view().progress < 1
        return torrent.web_seeds()[0]


@pytest.mark.parametrize("kind", KINDS)
def test_everything_comes_from_a_web_server_alone(kind: Kind, tmp_path: Path) -> None:
    made = make(kind, SIZES)

    async def main() -> None:
        async with scripted(good(made)) as server:
            view, torrent = await download(made, server, tmp_path)
            assert view.received == sum(map(len, made.contents)) == torrent.view().downloaded
            # What follows is asked for in one range: files are whole in few requests.
            assert len(server.asked) <= 16

    asyncio.run(main())


def test_a_magnets_web_seed_is_used_once_the_metadata_is_here(tmp_path: Path) -> None:
    made = make("v1", SIZES)

    async def main() -> None:
        async with scripted(good(made)) as server, Session(settings(), announcers=()) as other:
            (tmp_path / "none").mkdir()
            empty = await other.add(made.metainfo, AddOptions(save_path=tmp_path / "none"))
            await empty.metadata()
            link = Magnet.parse(Magnet(made.metainfo.info.hashes, web_seeds=(server.url,)).to_uri())
            async with Session(settings(), announcers=()) as session:
                torrent = await session.add(
                    link, AddOptions(save_path=tmp_path / "out", peers=(other.listening[0],)))
                async with asyncio.timeout(30):
                    await torrent.complete()
                assert holds(made, tmp_path / "out") and torrent.web_seeds()[0].received > 0
                assert torrent.metainfo is not None and torrent.metainfo.web_seeds == (server.url,)

    asyncio.run(main())


def test_one_is_added_and_removed_while_the_torrent_runs(tmp_path: Path) -> None:
    made = make("v2", SIZES)

    async def main() -> None:
        async with scripted(good(made)) as server, Session(settings(), announcers=()) as session:
            torrent = await session.add(made.metainfo, AddOptions(save_path=tmp_path))
            with pytest.raises(UsageError):
                torrent.add_web_seed("ftp://a/b")
            torrent.add_web_seed("http://127.0.0.1:1/")
            torrent.remove_web_seed("http://127.0.0.1:1/")
            assert torrent.web_seeds() == ()
            torrent.add_web_seed(server.url)
            async with asyncio.timeout(30):
                await torrent.complete()
            assert holds(made, tmp_path) and torrent.options.web_seeds == (server.url,)

    asyncio.run(main())


def test_one_that_was_added_is_there_after_a_restart(tmp_path: Path) -> None:
    made = make("v1", SIZES)

    async def main() -> None:
        async with Session(settings(enabled=False), data_dir=tmp_path / "data", announcers=()) as session:
            torrent = await session.add(made.metainfo, AddOptions(save_path=tmp_path / "out"))
            await until(lambda: torrent.view().state == "downloading")
            torrent.add_web_seed("http://127.0.0.1:9/x/")
        async with Session(settings(enabled=False), data_dir=tmp_path / "data", announcers=()) as session:
            await session.restore()
            (torrent,) = session.torrents
            assert [view.url for view in torrent.web_seeds()] == ["http://127.0.0.1:9/x/"]

    asyncio.run(main())


def test_redirects_are_followed(tmp_path: Path) -> None:
    made = make("v1", SIZES)

    async def main() -> None:
        async with scripted(good(made)) as server:
            async def redirect(asked: Asked, writer: asyncio.StreamWriter) -> None:
                place = server.url + asked.path.lstrip("/")
                writer.write(head("302 Found", f"Location: {place}", "Content-Length: 0"))

            async with scripted(redirect) as first:
                await download(made, first, tmp_path)

    asyncio.run(main())


def test_a_server_without_ranges_gives_small_files_all_the_same(tmp_path: Path) -> None:
    made = make("v1", SIZES)
    files = files_of(made)

    async def main() -> None:
        async def whole(asked: Asked, writer: asyncio.StreamWriter) -> None:
            asked.range = ""
            await give(files, asked, writer)

        async with scripted(whole) as server:
            await download(made, server, tmp_path)

    asyncio.run(main())


def test_what_the_server_lacks_is_not_asked_for_again_and_comes_from_elsewhere(tmp_path: Path) -> None:
    made = make("v2", SIZES)
    files = files_of(made)

    async def main() -> None:
        async def some(asked: Asked, writer: asyncio.StreamWriter) -> None:
            await give({name: data for name, data in files.items() if name != "made/a"}, asked, writer)

        async with (
            scripted(some) as server, scripted(good(made)) as other, Session(settings(), announcers=()) as session,
        ):
            torrent = await session.add(seeded(made, server.url), AddOptions(save_path=tmp_path))
            await until(lambda: torrent.view().done == sum(map(len, made.contents)) - 400_000)
            assert torrent.web_seeds()[0].missing_files == 1
            torrent.add_web_seed(other.url)
            async with asyncio.timeout(30):
                await torrent.complete()
            assert sum(asked.path == "/made/a" for asked in server.asked) <= 4 and holds(made, tmp_path)

    asyncio.run(main())


def test_a_busy_server_is_asked_again_when_it_says(tmp_path: Path) -> None:
    made = make("v1", {"a": 100_000})

    async def main() -> None:
        async def busy(asked: Asked, writer: asyncio.StreamWriter) -> None:
            if asked.number == 0:
                writer.write(head("503 Service Unavailable", "Retry-After: 1", "Content-Length: 0"))
            else:
                await give(files_of(made), asked, writer)

        async with scripted(busy) as server:
            await download(made, server, tmp_path)

    asyncio.run(main())


@pytest.mark.parametrize("kind", KINDS)
def test_a_server_that_lies_is_banned_and_the_honest_one_is_not(kind: Kind, tmp_path: Path) -> None:
    made = make(kind, {"a": 3_000_000, "b": 9}, piece_length=65536)
    files = files_of(made)
    bad = {name: bytes(byte ^ (at % 50_000 == 0) for at, byte in enumerate(data)) for name, data in files.items()}

    async def main() -> None:
        async def lie(asked: Asked, writer: asyncio.StreamWriter) -> None:
            await give(bad, asked, writer)

        async with (
            scripted(lie) as liar, scripted(good(made)) as honest, Session(settings(), announcers=()) as session,
        ):
            torrent = await session.add(seeded(made, liar.url, honest.url), AddOptions(save_path=tmp_path))
            async with asyncio.timeout(30):
                await torrent.complete()
            views = {view.url: view for view in torrent.web_seeds()}
            assert views[liar.url].state is WebSeedState.BANNED and "bad" in views[liar.url].reason
            assert views[honest.url].state is not WebSeedState.BANNED
            assert holds(made, tmp_path)

    asyncio.run(main())


def _says(*lines: str, body: bytes = b"", close: bool = False) -> Answer:
    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(head(*lines) + body)
        await writer.drain()
        if close:
            writer.close()

    return answer


@pytest.mark.parametrize(("answer", "state", "words"), [
    (_says("404 Not Found", "Content-Length: 0"), WebSeedState.DEAD, "404"),
    (_says("200 OK", "Content-Length: 5", body=b"hello"), WebSeedState.DEAD, "5 bytes"),
    (_says("206 Partial Content", "Content-Range: bytes 5-9/100000"), WebSeedState.DEAD, "asked for"),
    (_says("206 Partial Content", "Content-Length: 5"), WebSeedState.DEAD, "which part"),
    (_says("200 OK", "Content-Encoding: gzip", "Content-Length: 9"), WebSeedState.DEAD, "packed"),
    (_says("418 I'm a teapot", "Content-Length: 0"), WebSeedState.DEAD, "418"),
    (_says("500 Oh", "Content-Length: 0"), WebSeedState.RESTING, "500"),
    (_says("200 OK", "Content-Length: 100000", body=b"x" * 60_000, close=True), WebSeedState.RESTING, ""),
    (_says("302 Found", "Content-Length: 0", "Location: http://169.254.169.254/"), WebSeedState.DEAD, "connect to"),
    (_says("302 Found", "Content-Length: 0", "Location: /again"), WebSeedState.RESTING, "redirects"),
    (_says("not HTTP"), WebSeedState.RESTING, ""),
], ids=["404", "another file", "another range", "no range", "gzip", "refused", "error", "early end", "metadata service",
        "loop", "no http"])
def test_a_useless_server_is_left_alone_with_the_reason(
    answer: Answer, state: WebSeedState, words: str, tmp_path: Path
) -> None:
    view = asyncio.run(outcome(make("v1", {"a": 100_000}), answer, tmp_path))
    assert view.state is state and words in view.reason, view
    assert (view.retry_in is None) == (state is WebSeedState.DEAD)


def test_a_server_that_sends_nothing_is_left_alone_after_a_while(tmp_path: Path) -> None:
    made = make("v1", {"a": 100_000})

    async def main() -> None:
        stop = asyncio.Event()

        async def silent(asked: Asked, writer: asyncio.StreamWriter) -> None:
            span = asked.range.replace("=", " ") or "bytes 0-99999"
            writer.write(head("206 Partial Content", f"Content-Range: {span}/100000") + b"x" * 100)
            await writer.drain()
            await stop.wait()

        view = await outcome(made, silent, tmp_path, settings(stall=1.0))
        stop.set()
        assert view.state is WebSeedState.RESTING and "sent nothing" in view.reason

    asyncio.run(main())


def test_a_body_without_end_is_not_read_on(tmp_path: Path) -> None:
    made = make("v1", {"a": 100_000})
    files = files_of(made)

    async def main() -> None:
        async def endless(asked: Asked, writer: asyncio.StreamWriter) -> None:
            writer.write(head("200 OK") + files["made/a"])
            for _ in range(2000):
                writer.write(b"x" * 65536)
                await writer.drain()  # raises once the connection is closed

        async with scripted(endless) as server:
            view, torrent = await download(made, server, tmp_path)
            assert view.received == 100_000 and torrent.view().downloaded == 100_000

    asyncio.run(main())


def test_the_rate_limit_holds_for_web_seeds(tmp_path: Path) -> None:
    made = make("v1", {"a": 600_000})

    async def main() -> None:
        async with scripted(good(made)) as server, Session(settings(down=300_000), announcers=()) as session:
            loop = asyncio.get_running_loop()
            began = loop.time()
            torrent = await session.add(seeded(made, server.url), AddOptions(save_path=tmp_path))
            async with asyncio.timeout(30):
                await torrent.complete()
            assert loop.time() - began > 1.0  # two seconds at that rate, less what may come in a burst

    asyncio.run(main())


def test_web_seeds_are_switched_off_by_the_setting(tmp_path: Path) -> None:
    made = make("v1", {"a": 100_000})

    async def main() -> None:
        async with scripted(good(made)) as server, Session(settings(enabled=False), announcers=()) as session:
            torrent = await session.add(seeded(made, server.url), AddOptions(save_path=tmp_path))
            other = await session.add(make("v1", {"b": 5}).metainfo, AddOptions(save_path=tmp_path))
            await other.metadata()
            await asyncio.sleep(0)
            assert server.asked == [] and torrent.peers() == ()

    asyncio.run(main())


@pytest.mark.parametrize("idna", [True, False])
def test_an_internationalised_name_is_asked_where_that_is_chosen(
    idna: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Names:
        async def resolve(self, host: str, family: int) -> list[str]:
            return ["127.0.0.1"]

        def close(self) -> None:
            pass

    monkeypatch.setattr("wildbach.engine.ways.SystemResolver", Names)
    made = make("v1", {"a": 100_000})
    chosen = replace(settings(), trackers=TrackerSettings(idna=idna))

    async def main() -> None:
        async with scripted(good(made)) as server, Session(chosen, announcers=()) as session:
            url = server.url.replace("127.0.0.1", "xn--sed-una.example")
            torrent = await session.add(seeded(made, url), AddOptions(save_path=tmp_path))
            await until(lambda: torrent.web_seeds() and (torrent.web_seeds()[0].reason or torrent.view().progress == 1))
            assert ("internationalised" in torrent.web_seeds()[0].reason) is not idna
            assert bool(server.asked) is idna

    asyncio.run(main())


def test_peers_are_not_told_of_web_seeds(tmp_path: Path) -> None:
    made = make("v1", {"a": 3_000_000})

    async def main() -> None:
        async with (
            scripted(good(made)) as server, Session(settings(down=1_000_000), announcers=()) as session,
            Session(settings(), announcers=()) as other,
        ):
            torrent = await session.add(seeded(made, server.url), AddOptions(save_path=tmp_path / "a"))
            at: tuple[Endpoint, ...] = (session.listening[0],)
            theirs = await other.add(made.metainfo, AddOptions(save_path=tmp_path / "b", peers=at))
            async with asyncio.timeout(30):
                await asyncio.gather(torrent.complete(), theirs.complete())
            assert theirs.view().known_peers == 1

    asyncio.run(main())
