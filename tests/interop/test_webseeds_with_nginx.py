"""Downloads from a real web server: Debian's nginx."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.interop.engines import running, settings
from tests.interop.peers.lt import MISSING as NO_LIBTORRENT
from tests.interop.peers.lt import Libtorrent
from tests.oracle import libtorrent as lt
from tests.webserver import MISSING, nginx

from cli_process import Command, events
from cli_torrents import CONTENT, write_content
from nodes import make
from wildbach.base.ids import Endpoint
from wildbach.engine.options import AddOptions
from wildbach.engine.webseeds import WebSeedState
from wildbach.protocol.metainfo import Metainfo
from wildbach.protocol.metainfo.builder import BuildPlan, Kind, SourceFile, hash_pieces
from wildbach.protocol.metainfo.magnet import Magnet

pytestmark = [pytest.mark.foreign("nginx"), pytest.mark.skipif(MISSING is not None, reason=str(MISSING))]
KINDS: tuple[Kind, ...] = ("v1", "v2", "hybrid")
FILES = {"one.bin": 2_000_000, "sub/two & three+.bin": 300_001, "sub/ü.txt": 5}


def torrent(kind: Kind, root: Path, *urls: str) -> tuple[Metainfo, dict[str, bytes]]:
    """A torrent of files that lie below `root`."""
    made = make(kind, FILES)
    listed = zip(made.metainfo.info.files, made.contents, strict=True)
    files = {f"made/{file.path}": data for file, data in listed if not file.pad}
    for path, data in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    layers = made.metainfo.piece_layers
    return Metainfo.from_info(made.metainfo.info, web_seeds=urls, piece_layers=layers), files


def address_of(other: Libtorrent) -> Endpoint:
    return Endpoint(*other.endpoint)


def same(files: dict[str, bytes], folder: Path) -> bool:
    return all((folder / path).read_bytes() == data for path, data in files.items())


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_comes_from_nginx_alone(kind: Kind, tmp_path: Path) -> None:
    async def main(url: str) -> None:
        metainfo, files = torrent(kind, tmp_path / "www", url)
        async with running() as session:
            ours = await session.add(metainfo, AddOptions(save_path=tmp_path / "out"))
            async with asyncio.timeout(60):
                await ours.complete()
            assert same(files, tmp_path / "out")
            assert ours.web_seeds()[0].received == sum(FILES.values())

    (tmp_path / "www").mkdir()
    with nginx(tmp_path / "nginx", tmp_path / "www") as url:
        asyncio.run(main(url))


@pytest.mark.parametrize("kind", KINDS)
def test_a_single_file_comes_by_its_own_url_and_by_its_folders(kind: Kind, tmp_path: Path) -> None:
    data = bytes(range(256)) * 4000
    (tmp_path / "www").mkdir()
    for name in ("a b.iso", "other name"):
        (tmp_path / "www" / name).write_bytes(data)
    plan = BuildPlan("a b.iso", [SourceFile(("a b.iso",), len(data))], kind=kind, piece_length=65536, single=True)
    for pieces in plan.jobs():
        plan.add(pieces, *hash_pieces(plan, pieces, lambda _file, at, length: data[at : at + length]))

    async def main(url: str) -> None:
        for number, place in enumerate((url, url + "other%20name")):
            async with running() as session:
                options = AddOptions(save_path=tmp_path / f"out{number}")
                ours = await session.add(plan.finish(web_seeds=[place]), options)
                async with asyncio.timeout(60):
                    await ours.complete()
                assert (options.save_path / "a b.iso").read_bytes() == data

    with nginx(tmp_path / "nginx", tmp_path / "www") as url:
        asyncio.run(main(url))


def test_nginx_redirects_limits_its_rate_and_gives_no_ranges(tmp_path: Path) -> None:
    places = (
        "location /moved/ { rewrite ^/moved/(.*)$ /$1 redirect; } "
        "location /slow/ { alias " + f"{tmp_path}/www/; limit_rate 2m; }} "
        "location /whole/ { alias " + f"{tmp_path}/www/; max_ranges 0; }}"
    )

    async def main(url: str) -> None:
        for place, gets_all in (("moved/", True), ("slow/", True), ("whole/", False)):
            metainfo, files = torrent("v1", tmp_path / "www", url + place)
            async with running() as session:
                ours = await session.add(metainfo, AddOptions(save_path=tmp_path / place))
                if gets_all:
                    async with asyncio.timeout(60):
                        await ours.complete()
                    assert same(files, tmp_path / place)
                    continue
                # Most of the long file is beyond what is passed over; what is near the beginnings has come.
                async with asyncio.timeout(60):
                    while ours.web_seeds()[0].state is not WebSeedState.DEAD:
                        await asyncio.sleep(0.02)
                assert "parts of files" in ours.web_seeds()[0].reason

    (tmp_path / "www").mkdir()
    with nginx(tmp_path / "nginx", tmp_path / "www", places) as url:
        asyncio.run(main(url))


@pytest.mark.skipif(NO_LIBTORRENT is not None, reason=str(NO_LIBTORRENT))
@pytest.mark.foreign("libtorrent")
def test_nginx_and_a_libtorrent_seed_give_together(tmp_path: Path) -> None:
    places = "limit_rate 200k;"

    async def main(url: str) -> None:
        metainfo, files = torrent("hybrid", tmp_path / "www", url)
        (tmp_path / "t.torrent").write_bytes(metainfo.to_bytes())
        with Libtorrent(tmp_path) as other:
            other.seed(tmp_path / "t.torrent", tmp_path / "www")
            async with running(settings(down=1_500_000)) as session:
                ours = await session.add(metainfo, AddOptions(save_path=tmp_path / "out"))
                ours.add_peers([address_of(other)])
                async with asyncio.timeout(60):
                    await ours.complete()
                assert same(files, tmp_path / "out")
                received = ours.web_seeds()[0].received
                assert 0 < received < sum(FILES.values()), "both gave something"

    (tmp_path / "www").mkdir()
    with nginx(tmp_path / "nginx", tmp_path / "www", places) as url:
        asyncio.run(main(url))


@pytest.mark.foreign("libtorrent")
def test_a_torrent_that_libtorrent_made_is_fetched_from_its_url_list(tmp_path: Path) -> None:
    write_content(tmp_path / "www" / "things")

    async def main(url: str) -> None:
        made = lt.create_torrent(lt.list_files(str(tmp_path / "www" / "things")), 16384)
        made.add_url_seed(url)
        lt.set_piece_hashes(made, str(tmp_path / "www"))
        raw = lt.bencode(made.generate())
        async with running() as session:
            ours = await session.add(raw, AddOptions(save_path=tmp_path / "out"))
            async with asyncio.timeout(60):
                await ours.complete()
        for parts, data in CONTENT.items():
            assert tmp_path.joinpath("out", "things", *parts).read_bytes() == data

    with nginx(tmp_path / "nginx", tmp_path / "www") as url:
        asyncio.run(main(url))


def test_pieces_come_from_a_script(tmp_path: Path) -> None:
    made = make("v1", FILES)
    data = b"".join(made.contents)
    (tmp_path / "www").mkdir()
    length = made.metainfo.info.piece_length
    for piece in range(made.metainfo.info.geometry.piece_count):
        (tmp_path / "www" / str(piece)).write_bytes(data[piece * length : (piece + 1) * length])
    # Stands in for the script of BEP 17: a piece, or `ranges` of it.
    script = (
        "location = /seed { if ($arg_ranges) { set $span bytes=$arg_ranges; } "
        "proxy_pass http://127.0.0.1:$server_port/$arg_piece; proxy_set_header Range $span; }"
    )

    async def main(url: str) -> None:
        async with running() as session:
            ours = await session.add(made.metainfo, AddOptions(save_path=tmp_path / "out"))
            ours.add_web_seed(url + "seed", script=True)
            async with asyncio.timeout(60):
                await ours.complete()
            assert ours.web_seeds()[0].received == len(data)
            listed = zip(made.metainfo.info.files, made.contents, strict=True)
            assert all((tmp_path / "out" / "made" / str(file.path)).read_bytes() == data for file, data in listed)

    with nginx(tmp_path / "nginx", tmp_path / "www", script) as url:
        asyncio.run(main(url))


def test_the_command_gets_a_torrent_from_a_web_server_only(tmp_path: Path) -> None:
    cli = Command(tmp_path)
    (tmp_path / "www").mkdir()
    with nginx(tmp_path / "nginx", tmp_path / "www") as url:
        metainfo, files = torrent("v2", tmp_path / "www", url)
        (tmp_path / "t.torrent").write_bytes(metainfo.to_bytes())
        done = cli.run("get", "t.torrent", "-o", "out", "--listen", "127.0.0.1:0")
        assert done.returncode == 0, done.stderr
        assert same(files, tmp_path / "out")
        (tmp_path / "bare.torrent").write_bytes(
            Metainfo.from_info(metainfo.info, piece_layers=metainfo.piece_layers).to_bytes())
        done = cli.run(
            "get", "bare.torrent", "-o", "out2", "--listen", "127.0.0.1:0", "--web-seed", url, "--json")
        assert done.returncode == 0, done.stderr
        assert same(files, tmp_path / "out2") and events(done.stdout)[-1]["code"] == 0


@pytest.mark.foreign("libtorrent")
def test_a_magnet_gets_its_metadata_from_libtorrent_and_the_content_from_nginx(tmp_path: Path) -> None:
    async def main(url: str) -> None:
        metainfo, files = torrent("v1", tmp_path / "www", url)
        (tmp_path / "t.torrent").write_bytes(metainfo.to_bytes())
        (tmp_path / "empty").mkdir()
        with Libtorrent(tmp_path) as other:
            # It has the metadata, and nothing else.
            other.leech(tmp_path / "t.torrent", tmp_path / "empty")
            async with running() as session:
                link = Magnet(metainfo.info.hashes, web_seeds=(url,))
                ours = await session.add(link, AddOptions(save_path=tmp_path / "out"))
                ours.add_peers([address_of(other)])
                async with asyncio.timeout(60):
                    await ours.complete()
                assert same(files, tmp_path / "out") and ours.web_seeds()[0].received > 0

    (tmp_path / "www").mkdir()
    with nginx(tmp_path / "nginx", tmp_path / "www") as url:
        asyncio.run(main(url))


@pytest.mark.parametrize("kind", ["v1", "v2"])
def test_a_magnet_without_peers_and_trackers_comes_from_nginx_alone(kind: str, tmp_path: Path) -> None:
    """The link says where the torrent file is (`xs`), and where the content is (`ws`)."""

    async def main(url: str) -> None:
        metainfo, files = torrent(kind, tmp_path / "www", url)
        (tmp_path / "www" / "made.torrent").write_bytes(metainfo.to_bytes())
        link = Magnet(metainfo.info.hashes, web_seeds=(url,), sources=(url + "made.torrent",)).to_uri()
        async with running() as session:
            ours = await session.add(link, AddOptions(save_path=tmp_path / "out"))
            async with asyncio.timeout(60):
                await ours.complete()
            assert same(files, tmp_path / "out") and not ours.trackers()
            assert ours.web_seeds()[0].received == sum(file.length for file in metainfo.info.files if not file.pad)

    (tmp_path / "www").mkdir()
    with nginx(tmp_path / "nginx", tmp_path / "www") as url:
        asyncio.run(main(url))
