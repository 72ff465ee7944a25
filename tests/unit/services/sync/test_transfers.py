"""Which contents others get: those of the folder they have, and of no other one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from tests.syncsim.made import entry, seen

from wildbach.base.errors import StorageError
from wildbach.engine.contents import Contents
from wildbach.net.mux import Channel
from wildbach.runtime.tasks import Scope
from wildbach.services.sync.giving import Giving
from wildbach.services.sync.place import Place
from wildbach.services.sync.store import FolderStore
from wildbach.services.sync.transfers import Transfers


class Open:
    """Contents of a session of which some is open for another folder."""

    def __init__(self) -> None:
        self.attached = 0

    def attach(self, *_: object) -> bool:
        self.attached += 1
        return True


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FolderStore]:
    made = FolderStore(tmp_path / "x.db")
    yield made
    made.close()


class Asked:
    """A channel on which somebody asks for a content."""

    closing = False

    def __init__(self) -> None:
        self.over = asyncio.Event()

    def close(self, error: Exception | None = None) -> None:
        self.closing = True
        self.over.set()


def giving(store: FolderStore) -> Giving:
    def nowhere() -> Place:
        raise StorageError("not open")

    return Giving(store, nowhere)


def test_what_is_open_for_another_folder_is_not_given_to_members_of_this_one(store: FolderStore) -> None:
    async def story() -> None:
        contents, place = Open(), cast(Place, None)
        async with Scope("test") as scope:
            transfers = Transfers(cast(Contents, contents), scope, giving(store), lambda: None, lambda error: None)
            one = entry("film", "content")

            async def ask(size: int) -> Asked:
                channel = Asked()
                before = contents.attached
                assert transfers.serve(one.root, size, cast(Channel, channel), place)
                async with asyncio.timeout(5):
                    while not channel.closing and contents.attached == before:
                        await asyncio.sleep(0)
                return channel

            assert (await ask(one.size)).closing
            assert contents.attached == 0
            store.put_seen("film", seen(one, 7))
            assert not (await ask(one.size)).closing
            assert contents.attached == 1
            assert (await ask(one.size + 1)).closing
            assert contents.attached == 1
            # Of this size there is no content at all.
            assert not transfers.serve(one.root, 0, cast(Channel, Asked()), place)

    asyncio.run(story())


def test_many_who_ask_for_the_same_wait_for_one_look(store: FolderStore) -> None:
    looks: list[str] = []

    async def story() -> None:
        contents = Open()
        async with Scope("test") as scope:
            asked = giving(store)
            transfers = Transfers(cast(Contents, contents), scope, asked, lambda: None, lambda error: None)
            one = entry("film", "content")
            store.put_seen("film", seen(one, 7))
            read = store.read

            def counted(statement: str, *values: object) -> Any:
                looks.append(statement)
                return read(statement, *values)

            store.read = counted  # type: ignore[method-assign]  # to count what is asked
            channels = [Asked() for _ in range(20)]
            for each in channels:
                assert transfers.serve(one.root, one.size, cast(Channel, each), cast(Place, None))
            # Nothing was asked of the data base by the loop's own thread before it goes on.
            assert not looks
            channels[3].close()
            async with asyncio.timeout(5):
                while contents.attached < 19:
                    await asyncio.sleep(0)
            assert contents.attached == 19
            assert len(looks) == 3, looks

    asyncio.run(story())
