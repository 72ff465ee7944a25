"""A client with a synced folder whose members are the test's, honest and hostile ones."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from clients import client
from hostile import Member, inside, until
from wildbach.interfaces.api import syncmodels as sy
from wildbach.interfaces.api.local import LocalApi
from wildbach.protocol.sync.messages import Entries
from wildbach.protocol.sync.roster import Role
from wildbach.services.sync.folder import Folder

FILES = {"a.txt": b"one", "d/b.txt": b"two"}


class House:
    """A client with a folder of FILES, a secret file beside it, and members `ro`, `rw`, and `friend`, who is honest."""

    def __init__(self, api: LocalApi, path: Path) -> None:
        self.api = api
        self.path = path
        self.folder: Folder = api.sync.find("photos").folder
        self.count = 0
        self.lines: list[str] = []

    async def begin(self) -> None:
        self.ro = await Member("ro", self.api, self.folder).listed(Role.READ_ONLY)
        self.rw = await Member("rw", self.api, self.folder).listed(Role.READ_WRITE)
        self.friend = await Member("friend", self.api, self.folder).listed(Role.READ_WRITE)
        for each in (self.ro, self.rw, self.friend):
            each.learn()
        await self.friend.ready()

    async def sound(self) -> None:
        """A file of the friend comes, and one that is saved here is told to it."""
        self.count += 1
        name, content = f"of friend {self.count}", b"good %d" % self.count
        self.friend.tell(self.friend.entry(name, content))
        await until(lambda: (self.path / name).exists() and (self.path / name).read_bytes() == content)
        (self.path / f"own {self.count}").write_bytes(content)
        self.folder.look()
        mark = f"own {self.count}".encode()
        await until(lambda: any(
            mark in row for each in self.friend.heard if isinstance(each, Entries) for row in each.entries))

    def theirs(self) -> dict[str, bytes | str]:
        """What is in the folder that came by nobody honest."""
        return {path: content for path, content in inside(self.path).items()
                if path not in FILES and not path.startswith(("of friend", "own "))}


Work = Callable[[House], Awaitable[None]]


def housed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Callable[[Work], None]:
    """Plays a story with a house, and looks whether it has all that it should have then. For a fixture."""
    def run(work: Work) -> None:
        async def main() -> None:
            path = tmp_path / "photos"
            for name, content in FILES.items():
                (path / name).parent.mkdir(parents=True, exist_ok=True)
                (path / name).write_bytes(content)
            (tmp_path / "outside").mkdir()
            (tmp_path / "outside" / "secret").write_bytes(b"secret")
            async with client(tmp_path) as api:
                await api.create_synced(sy.SyncMaking(str(path)))
                await until(lambda: api.sync.find("photos").folder.standing.files == len(FILES))
                one = House(api, path)
                await one.begin()
                await work(one)
                await one.sound()
                found = inside(path)
                assert {name: found[name] for name in FILES} == FILES
                assert one.folder.problem is None
                assert inside(tmp_path / "outside") == {"secret": b"secret"}
        asyncio.run(main())
        assert [each.getMessage() for each in caplog.records if each.levelno >= logging.ERROR] == []
    return run
