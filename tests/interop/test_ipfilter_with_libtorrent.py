"""An IP filter keeps libtorrent's peers away, in both directions, and from the moment on that its file changes."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from tests.folders import make_folder, make_torrent, same
from tests.interop import engines
from tests.interop.peers import lt
from tests.interop.peers.process import lt_process

from wildbach.base.ids import Endpoint
from wildbach.engine.options import AddOptions
from wildbach.engine.settings import FilterSettings

pytestmark = [
    pytest.mark.foreign("libtorrent"),
    pytest.mark.skipif(lt.MISSING is not None, reason=str(lt.MISSING)),
]


def test_who_is_in_the_list_is_neither_called_nor_let_in_nor_kept(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "source", sizes={"a": 1_500_000})
    metainfo = make_torrent(folder, "v1")
    (tmp_path / "made.torrent").write_bytes(metainfo.to_bytes())
    blocked = tmp_path / "blocked.p2p"
    blocked.write_text("somebody:127.0.0.2-127.0.0.9\n")
    chosen = replace(
        engines.settings(down=300_000, close_redundant=False), filter=FilterSettings(sources=(str(blocked),)))
    with lt_process({"listen_interfaces": "127.0.0.2:0", "outgoing_interfaces": "127.0.0.2"}) as process:
        seed = Endpoint("127.0.0.2", process.wait("ready")["port"])
        process.send(cmd="add", id="t", torrent=str(tmp_path / "made.torrent"), save=str(folder.parent))
        process.wait("finished")

        async def main() -> None:
            async with engines.running(chosen) as session:
                torrent = await session.add(metainfo, AddOptions(save_path=tmp_path / "got", peers=(seed,)))
                await engines.until(lambda: session.ip_filter.blocked, story=lambda: session.ip_filter)
                at = engines.address(session)
                process.send(cmd="connect", id="t", peers=[list(at)])
                await engines.until(lambda: session.ip_filter.blocked > 1, story=lambda: session.ip_filter)
                assert not torrent.peers() and not await engines.peers_of(process)

                blocked.write_text("# nobody\n")
                assert not (await session.reload_ip_filter()).ranges
                torrent.add_peer(seed)
                await engines.until(lambda: torrent.view().downloaded, story=torrent.view)

                blocked.write_text("127.0.0.0/8\n")
                await session.reload_ip_filter()
                await engines.until(lambda: not torrent.peers(), story=torrent.peers)
                assert torrent.view().progress < 1

                blocked.unlink()
                view = await session.reload_ip_filter()
                assert view.ranges == 1 and view.sources[0].failure, "the list holds as it was"

                blocked.write_text("# nobody\n")
                await session.reload_ip_filter()
                torrent.add_peer(seed)
                await engines.complete(torrent)

        asyncio.run(main())
    assert same(folder, tmp_path / "got" / folder.name) == []
