"""A client that is somewhere else now looks for the others anew, and remembers what it said last of where it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from clients import client
from hostile import until
from house import House, Work, housed
from wildbach.base.ids import Endpoint
from wildbach.interfaces.api import syncmodels as sy
from wildbach.services.sync import sought


@pytest.fixture
def house(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Callable[[Work], None]:
    return housed(tmp_path, caplog)


def test_where_devices_were_is_called_at_once_when_the_network_is_another_one(house: Callable[[Work], None]) -> None:
    async def work(here: House) -> None:
        calls = 0

        def called(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal calls
            calls += 1
            writer.close()

        server = await asyncio.start_server(called, "127.0.0.1", 0)
        at = Endpoint(*server.sockets[0].getsockname())
        finder = here.api.sync.find("photos").finder
        assert finder is not None
        ro, secret = here.ro, here.folder.membership.secret
        assert secret is not None
        finder.seek(
            sought.member((secret.store.raw,), here.folder.membership.me, ro.id, ro.keys.public.signing), known=(at,))
        (found,) = (one for name, one in finder._seeking.items() if name == ro.id)
        await until(lambda: calls == 1 and found.calling == 0)
        # The next one is later than this test.
        found.candidates._all[at].due += 1000.0
        await here.api.core.session.network_came()
        await until(lambda: calls == 2)
        server.close()
    house(work)


def test_the_time_of_the_last_record_is_known_after_a_start(tmp_path: Path) -> None:
    async def main() -> None:
        (tmp_path / "photos").mkdir()
        settings = {"dht__enabled": True, "dht__bootstrap": [], "sync__relays": ["127.0.0.1:9"]}
        async with client(tmp_path, **settings) as api:
            await api.create_synced(sy.SyncMaking(str(tmp_path / "photos")))
            finder = api.sync.find("photos").finder
            assert finder is not None
            await until(lambda: finder.record_time > 0)
            said = finder.record_time
        async with client(tmp_path) as api:
            one = api.sync.find("photos")
            assert one.saved.record == said
        # A clock that is behind now: what is said then is newer all the same.
        async with client(tmp_path, **settings) as api:
            one = api.sync.find("photos")
            assert one.finder is not None and one.finder.record_time >= said
    asyncio.run(main())
