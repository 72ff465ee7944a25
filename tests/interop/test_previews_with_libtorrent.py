"""The files of a magnet link, seen before it is added, where libtorrent has its metadata."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.oracle import libtorrent

from cli_torrents import CONTENT, torrent_of, write_content
from clients import client, until
from wildbach.interfaces.api import models as m
from wildbach.protocol.metainfo import Magnet

pytestmark = [pytest.mark.filterwarnings("ignore::DeprecationWarning"), pytest.mark.foreign("libtorrent")]


@pytest.mark.parametrize("kind", ["v1", "v2", "hybrid"])
def test_a_link_is_looked_into_and_its_chosen_files_are_fetched(kind: str, tmp_path: Path) -> None:
    torrent = torrent_of(kind=kind)  # type: ignore[arg-type]  # one of them
    write_content(tmp_path / "theirs" / "things")
    session = libtorrent.session({
        "listen_interfaces": "127.0.0.1:0", "enable_dht": False, "enable_lsd": False, "enable_upnp": False,
        "enable_natpmp": False, "allow_multiple_connections_per_ip": True,
    })
    params = libtorrent.add_torrent_params()
    params.ti = libtorrent.torrent_info(torrent.to_bytes())
    params.save_path = str(tmp_path / "theirs")
    handle = session.add_torrent(params)

    async def main() -> None:
        async with asyncio.timeout(60):
            while not (handle.status().is_seeding and session.listen_port()):
                await asyncio.sleep(0.05)
        at = ("127.0.0.1", session.listen_port())
        async with client(tmp_path / "ours") as api:
            look = await api.preview(m.PreviewRequest(Magnet(torrent.info.hashes, "a link", peers=(at,)).to_uri()))
            async with asyncio.timeout(60):
                while look.state == "metadata":
                    await asyncio.sleep(0.05)
                    look = await api.previewed(look.id)
            assert (look.state, look.name, look.size) == ("ready", "things", torrent.info.size), look.error
            assert not api.core.session.torrents
            tree = await api.preview_tree(look.id, m.TreeQuery("things"))
            assert [one.name for one in tree.entries] == ["sub", "a.bin", "zero"]
            (added,) = (await api.add_torrents(m.AddRequest(
                preview=look.id, paths={"": 0, "things/a.bin": 1}, peers=(f"{at[0]}:{at[1]}",)))).added
            await until(lambda: api.core.catalog.fresh(added.key).complete, api, 60)
            ours = tmp_path / "ours" / "downloads" / "things"
            assert (ours / "a.bin").read_bytes() == CONTENT["a.bin",]
            assert not (ours / "sub" / "b.txt").exists()

    try:
        asyncio.run(main())
    finally:
        session.pause()
