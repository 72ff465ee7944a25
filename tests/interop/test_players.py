"""Real players fetch from the daemon's media host while the torrent is still coming from libtorrent."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests import encounters, mediafiles
from tests.interop.engines import until
from tests.interop.peers.aria2 import MISSING as NO_ARIA2
from tests.interop.peers.aria2 import Aria2
from tests.interop.peers.lt import MISSING as NO_LIBTORRENT
from tests.interop.peers.lt import Libtorrent, make_torrent

from clients import layers_for
from wildbach.base.ids import Endpoint
from wildbach.engine.torrent import Torrent
from wildbach.interfaces.api import models as m
from wildbach.interfaces.daemon import Daemon, run_daemon
from wildbach.interfaces.whereabouts import local_token
from wildbach.protocol.metainfo import Metainfo

pytestmark = [
    pytest.mark.foreign("libtorrent"), pytest.mark.skipif(NO_LIBTORRENT is not None, reason=str(NO_LIBTORRENT))]
KINDS = ("v1", "v2", "hybrid")
MOST_SLOW = (*(pytest.param(kind, marks=pytest.mark.slow) for kind in KINDS[:2]), KINDS[2])


async def program(name: str, *args: str) -> str:
    """Run it; what it printed. Skips where it is not installed."""
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
    process = await asyncio.create_subprocess_exec(
        name, *args, stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
    try:
        async with asyncio.timeout(90):
            out, err = await process.communicate()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    assert process.returncode == 0, (out.decode(), err.decode())
    encounters.note(name)
    return out.decode() + err.decode()


def content(film: Path, folder: Path) -> Path:
    """A folder of the torrent with a film in it."""
    folder.mkdir(parents=True)
    shutil.copy(film, folder / film.name)
    (folder / "page.html").write_text("<script>alert(1)</script>")
    return folder


@contextlib.asynccontextmanager
async def playing(kind: str, films: Path, work: Path, **settings: object) -> AsyncIterator[tuple[Daemon, Torrent]]:
    """A daemon that downloads what libtorrent seeds."""
    torrent = await asyncio.to_thread(make_torrent, films, work / "a.torrent", kind)
    seed = await asyncio.to_thread(Libtorrent, work)
    try:
        await asyncio.to_thread(seed.seed, torrent, films.parent)
        layers = layers_for(work, api__listen=["127.0.0.1:0"], **settings)
        async with run_daemon(layers, work / "state", environ={}) as daemon:
            await daemon.loaded.wait()
            (added,) = (await daemon.api.add_torrents(m.AddRequest(files=(torrent.read_bytes(),)))).added
            ours = daemon.api.core.session.torrent(added.key)
            assert ours is not None
            ours.add_peers([Endpoint(*seed.endpoint)])
            yield daemon, ours
            assert daemon.api.core.session.internal_errors == 0
    finally:
        await asyncio.to_thread(seed.close)


async def url_of(daemon: Daemon, torrent: Torrent, name: str) -> str:
    assert torrent.info is not None
    index = next(index for index, file in enumerate(torrent.info.files) if file.path.name == name)
    return f"{daemon.media.near_url}/{await daemon.api.tokens.of(torrent.key)}/{index}/{name}"


@pytest.mark.foreign("ffprobe")
@pytest.mark.parametrize("kind", KINDS)
def test_ffprobe_reads_a_film_whose_index_is_at_its_end_before_it_is_there(kind: str, tmp_path: Path) -> None:
    async def main() -> None:
        film = mediafiles.mp4("last", seconds=20)
        films = content(film, tmp_path / "seed" / "films")
        slow = film.stat().st_size // 8
        async with playing(kind, films, tmp_path, rates__down=max(slow, 40_000)) as (daemon, torrent):
            said = json.loads((await program(
                "ffprobe", "-v", "error", "-show_format", "-of", "json",
                await url_of(daemon, torrent, film.name))).strip())
            assert abs(float(said["format"]["duration"]) - 20) < 0.5
            assert not torrent.whole, "it was read while it came"
    asyncio.run(main())


@pytest.mark.foreign("mpv")
@pytest.mark.parametrize("kind", MOST_SLOW)
def test_mpv_plays_and_jumps_while_the_torrent_comes(kind: str, tmp_path: Path) -> None:
    async def main() -> None:
        film = mediafiles.mkv(seconds=20)
        films = content(film, tmp_path / "seed" / "films")
        async with playing(kind, films, tmp_path, rates__down=max(film.stat().st_size // 6, 40_000)) as (
                daemon, torrent):
            said = await program(
                "mpv", "--no-config", "--vo=null", "--ao=null", "--untimed", "--start=14", "--length=3",
                "--msg-level=all=info", await url_of(daemon, torrent, film.name))
            assert "Exiting... (End of file)" in said and "Error" not in said, said
            assert "(+) Video" in said or "Video --vid=1" in said
    asyncio.run(main())


@pytest.mark.foreign("libtorrent")
@pytest.mark.parametrize("kind", KINDS)
def test_libtorrent_downloads_from_it_as_a_web_seed(kind: str, tmp_path: Path) -> None:
    async def main() -> None:
        films = content(mediafiles.mp4(seconds=10), tmp_path / "seed" / "fil ms ü")
        async with playing(kind, films, tmp_path) as (daemon, torrent):
            async with asyncio.timeout(60):
                await torrent.complete()
            url = f"{daemon.media.near_url}/{await daemon.api.tokens.of(torrent.key)}/seed/"
            seeded = Metainfo.parse((tmp_path / "a.torrent").read_bytes())
            again = Metainfo.from_info(seeded.info, web_seeds=(url,), piece_layers=seeded.piece_layers)
            (tmp_path / "web.torrent").write_bytes(again.to_bytes())
            other = await asyncio.to_thread(Libtorrent, tmp_path)
            try:
                await asyncio.to_thread(other.leech, tmp_path / "web.torrent", tmp_path / "out")
                await asyncio.to_thread(other.wait_complete)
            finally:
                await asyncio.to_thread(other.close)
            for file in films.iterdir():
                assert (tmp_path / "out" / films.name / file.name).read_bytes() == file.read_bytes()
    asyncio.run(main())


@pytest.mark.foreign("aria2")
@pytest.mark.skipif(NO_ARIA2 is not None, reason=str(NO_ARIA2))
@pytest.mark.parametrize("kind", ["v1", "hybrid"])
def test_aria2_downloads_from_it_as_a_web_seed(kind: str, tmp_path: Path) -> None:
    """It knows no v2. There is no peer and no tracker: all of it comes over HTTP."""
    async def main() -> None:
        films = content(mediafiles.mp4(seconds=10), tmp_path / "seed" / "fil ms ü")
        async with playing(kind, films, tmp_path) as (daemon, torrent):
            async with asyncio.timeout(60):
                await torrent.complete()
            url = f"{daemon.media.near_url}/{await daemon.api.tokens.of(torrent.key)}/seed/"
            seeded = Metainfo.parse((tmp_path / "a.torrent").read_bytes())
            again = Metainfo.from_info(seeded.info, web_seeds=(url,), piece_layers=seeded.piece_layers)
            (tmp_path / "web.torrent").write_bytes(again.to_bytes())
            other = await asyncio.to_thread(Aria2, tmp_path / "aria2", ["--no-netrc", "--no-proxy=*"])
            try:
                await asyncio.to_thread(other.leech, tmp_path / "web.torrent", tmp_path / "out")
                await asyncio.to_thread(other.wait_complete)
            finally:
                await asyncio.to_thread(other.close)
            for file in films.iterdir():
                assert (tmp_path / "out" / films.name / file.name).read_bytes() == file.read_bytes()
    asyncio.run(main())


def test_the_media_port_never_opens_the_web_interface_or_the_api(tmp_path: Path) -> None:
    async def main() -> None:
        film = mediafiles.mp4(seconds=10)
        films = content(film, tmp_path / "seed" / "films")
        async with playing("hybrid", films, tmp_path, media__lan=True) as (daemon, torrent):
            token = local_token(tmp_path / "state")
            for host in ("media.localhost", "127.0.0.1", "localhost", "evil.example", "x.localhost"):
                for path in ("/", "/api/v1/torrents", "/api/v1/session", "/healthz", "/metrics", "/index.html"):
                    reader, writer = await asyncio.open_connection("127.0.0.1", daemon.media.port)
                    writer.write(
                        f"GET {path} HTTP/1.1\r\nHost: {host}:{daemon.media.port}\r\nAuthorization: Bearer {token}\r\n"
                        "Connection: close\r\n\r\n".encode())
                    answer = await reader.read()
                    assert answer.split()[1] in (b"404", b"421"), (host, path, answer)
                    assert torrent.key.encode() not in answer
                    writer.close()
                    await writer.wait_closed()
            await until(lambda: torrent.whole)
    asyncio.run(main())
