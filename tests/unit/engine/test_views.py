"""What a person is told of a torrent on a real disk."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from pathlib import Path

from cli_torrents import torrent_of, write_content
from clients import layers_for
from wildbach.disk.memory import MemoryStorage
from wildbach.disk.wrappers import Wrapper
from wildbach.engine.options import AddOptions
from wildbach.engine.session import Session

FILES = {("a",): bytes(range(256)) * 65_536}


class Stuck(Wrapper):
    """A disk that writes nothing until it is let go."""

    def __init__(self, inner: MemoryStorage, go_on: threading.Event) -> None:
        super().__init__(inner)
        self._go_on = go_on

    def write(self, offset: int, buffers: Sequence[memoryview]) -> None:
        assert self._go_on.wait(60)
        super().write(offset, buffers)


def test_a_disk_that_does_not_keep_up_is_the_reason(tmp_path: Path) -> None:
    torrent = torrent_of(FILES, kind="v1")
    write_content(tmp_path / "things", FILES)
    settings = layers_for(tmp_path, disk__memory=4 << 20).settings
    go_on = threading.Event()

    async def main() -> None:
        stuck = Session(settings, storage=lambda info, options: Stuck(MemoryStorage(info), go_on))
        async with Session(settings) as seed, stuck as leech:
            try:
                theirs = await seed.add(torrent, AddOptions(save_path=tmp_path))
                await theirs.complete()
                ours = await leech.add(torrent, AddOptions(peers=tuple(seed.listening)))
                async with asyncio.timeout(30):
                    while ours.view().reason != "the disk is slow: what has come waits to be checked and written":
                        await asyncio.sleep(0.05)
                go_on.set()
                async with asyncio.timeout(30):
                    await ours.complete()
                assert ours.view().reason == ""
            finally:
                go_on.set()

    asyncio.run(main())
