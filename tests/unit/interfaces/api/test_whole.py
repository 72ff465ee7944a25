"""What is not of one torrent, against real transfers."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from clients import client, seed_content, until
from wildbach.base.errors import UsageError
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.local import LocalApi


def test_how_fast_it_was_is_told_of_all_and_of_each_and_of_all_after_a_restart_too(tmp_path: Path) -> None:
    async def transfer() -> int:
        torrent = seed_content(tmp_path / "seed")
        async with client(tmp_path / "seed") as seed, client(tmp_path / "leech") as leech:
            (key,) = [one.key for one in (await seed.add_torrents(m.AddRequest(files=(torrent.to_bytes(),)))).added]
            await until(lambda: seed.core.catalog.fresh(key).state == "seeding", seed)
            peer = str(seed.core.session.listening[0])
            await leech.add_torrents(m.AddRequest(files=(torrent.to_bytes(),), peers=(peer,)))
            await until(lambda: leech.core.catalog.fresh(key).complete, leech)
            size = torrent.info.size

            def known(api: LocalApi) -> bool:
                rates = api.core.library.history.read("", 60)
                return max(sum(rates.down), sum(rates.up)) >= size - 60

            await until(lambda: known(seed) and known(leech), leech)
            for of in ("", key):
                found = await leech.history(m.HistoryQuery(of, 60))
                assert found.step == 1 and len(found.down) == len(found.up) == 60
                assert abs(sum(found.down) - size) <= 60
            assert sum((await seed.history(m.HistoryQuery("", 300))).up) >= 0.9 * size
            with pytest.raises(UsageError) as refused:
                await leech.history(m.HistoryQuery("0" * 40))
            assert refused.value.code == "not_found"
            return size

    async def later(size: int) -> None:
        async with client(tmp_path / "leech") as leech:
            found = await leech.history(m.HistoryQuery("", 300))
            assert 0.9 * size <= sum(found.down) <= size + 300
            (row,) = (await leech.list_torrents(m.Listing())).torrents
            assert not any((await leech.history(m.HistoryQuery(row.key))).down)

    asyncio.run(later(asyncio.run(transfer())))
