"""Torrents that libtorrent made, with its hints to one another (BEP 38): what one has, the other does not fetch."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.folders import make_folder, same
from tests.interop.engines import complete, settings
from tests.interop.peers import lt
from tests.interop.peers.process import lt_process
from tests.oracle import libtorrent

from wildbach.base.ids import Endpoint
from wildbach.engine.options import AddOptions
from wildbach.engine.session import Session

pytestmark = [
    pytest.mark.foreign("libtorrent"),
    pytest.mark.skipif(lt.MISSING is not None, reason=str(lt.MISSING)),
]
PIECE = 16384
SHARED = 40 * PIECE + 123
OTHER = {"old": {"extra.nfo": 500}, "new": {"zz.bin": 3 * PIECE}}


def created(folder: Path, out: Path, similar: bytes = b"", collection: str = "") -> bytes:
    """A v1 torrent of a folder; its info hash."""
    creator = libtorrent.create_torrent(
        libtorrent.list_files(str(folder)), PIECE, flags=libtorrent.create_torrent.v1_only,
    )
    libtorrent.set_piece_hashes(creator, str(folder.parent))
    if similar:
        creator.add_similar_torrent(libtorrent.sha1_hash(similar))
    if collection:
        creator.add_collection(collection)
    out.write_bytes(libtorrent.bencode(creator.generate()))
    digest: bytes = libtorrent.load_torrent_file(str(out)).ti.info_hashes().v1.to_bytes()
    return digest


@pytest.mark.parametrize("hint", ["similar", "collection"])
def test_a_file_of_a_torrent_that_is_hinted_at_is_not_fetched_again(tmp_path: Path, hint: str) -> None:
    for name, others in OTHER.items():
        make_folder(tmp_path / "source", name, others, seed=len(name + hint))
        make_folder(tmp_path / "source", name, {"film.mkv": SHARED}, seed=7)
    collection = "example.films" if hint == "collection" else ""
    old, new = tmp_path / "old.torrent", tmp_path / "new.torrent"
    digest = created(tmp_path / "source" / "old", old, collection=collection)
    created(tmp_path / "source" / "new", new, b"" if collection else digest, collection)

    async def main(at: Endpoint) -> None:
        async with Session(settings(), data_dir=tmp_path / "state") as session:
            await complete(await session.add(old, AddOptions(save_path=tmp_path / "out", peers=(at,))))
            torrent = await session.add(new, AddOptions(save_path=tmp_path / "out", peers=(at,)))
            await complete(torrent)
            assert torrent.view().downloaded <= 3 * PIECE + 2 * PIECE, "its own file, and the pieces at the borders"

    with lt_process() as process:
        at = Endpoint("127.0.0.1", process.wait("ready")["port"])
        for path in (old, new):
            process.send(cmd="add", id=path.stem, torrent=str(path), save=str(tmp_path / "source"))
            process.wait("finished", seconds=60)
        asyncio.run(main(at))
    for name in OTHER:
        assert same(tmp_path / "source" / name, tmp_path / "out" / name) == []
