"""Whole clients of one folder, some of which were away while its keys changed, twice."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from pathlib import Path

import pytest

from clients import client
from hostile import inside, until
from wildbach.interfaces.api import syncmodels as sy
from wildbach.interfaces.api.local import LocalApi
from wildbach.services.sync.folder import Folder


class Home:
    """One device, on or off, that is found at the same place again."""

    def __init__(self, place: Path, name: str) -> None:
        self.place = place / name
        self.place.mkdir()
        self.files = self.place / "photos"
        self.files.mkdir()
        self.name = name
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._on = contextlib.AsyncExitStack()
        self.api: LocalApi

    async def start(self, port: int | None = None) -> Home:
        self.api = await self._on.enter_async_context(
            client(self.place, connections__listen=[f"127.0.0.1:{port or self.port}"]))
        return self

    async def stop(self) -> None:
        await self._on.aclose()

    @property
    def folder(self) -> Folder:
        return self.api.sync.find("photos").folder

    @property
    def there(self) -> dict[str, bytes | str]:
        return inside(self.files)

    async def join(self, of: Home) -> None:
        link = await of.api.share_synced("photos", sy.SyncLinkMaking("rw", 24, False))
        await self.api.sync.join(link.text, self.files, "both", lambda words: None)

    async def revoke(self, other: Home) -> None:
        await self.api.revoke_synced("photos", sy.SyncRevoking(other.api.sync.keys.id.hex()))

    def save(self, name: str) -> None:
        (self.files / name).write_bytes(name.encode())
        self.folder.look((name,))


async def same(*homes: Home) -> None:
    def equal() -> bool:
        return all(each.there == homes[0].there for each in homes) and all(
            each.folder.state == "idle" for each in homes)

    await until(equal)


def test_who_was_away_for_two_epochs_is_given_the_keys_and_then_the_folder_and_who_was_taken_out_nothing(
        tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def story(a: Home, b: Home, c: Home, r: Home, n: Home) -> None:
        (a.files / "early").write_bytes(b"early")
        await a.api.create_synced(sy.SyncMaking(str(a.files)))
        for each in (b, c, r):
            await each.join(a)
        await same(a, b, c, r)
        for each in (b, r):
            await each.stop()
        await a.revoke(r)
        await a.revoke(c)
        await until(lambda: c.folder.membership.role is None)
        await n.join(a)
        a.save("later")
        await same(a, n)
        assert a.folder.membership.epoch == 2 and {"early", "later"} == set(a.there)

        # Who was taken out while it was off is told that, and nothing of what came after that.
        (r.files / "evil").write_bytes(b"evil")
        await r.start()
        await until(lambda: r.folder.membership.role is None and not r.folder.links)
        assert r.folder.membership.epoch == 1
        assert len(r.folder.membership.rosters) < len(a.folder.membership.rosters)
        assert n.api.sync.keys.id not in r.folder.membership.view.authors
        assert set(r.there) == {"early", "evil"} and "evil" not in a.there

        # Nobody is on whom the one that was away knows: it is somebody else who is met there, and has the keys for it.
        for each in (a, n):
            await each.stop()
        (b.files / "by b").write_bytes(b"by b")
        await n.start(a.port)
        await b.start()
        await same(n, b)
        assert set(b.there) == {"early", "later", "by b"} == set(n.there)
        for each in (b, n):
            membership = each.folder.membership
            assert membership.epoch == 2 and membership.secret is not None
        # All have the keys now: those of before open nothing any more, without a start.
        await until(lambda: n.folder.owing.secrets == () == b.folder.owing.secrets)
        assert not n.folder.lobby.links

    async def main() -> None:
        async with contextlib.AsyncExitStack() as on:
            homes = [Home(tmp_path, name) for name in "abcrn"]
            for each in homes:
                on.push_async_callback(each.stop)
                await each.start()
            await story(*homes)
    asyncio.run(main())
    assert [each.getMessage() for each in caplog.records if each.levelno >= logging.ERROR] == []
