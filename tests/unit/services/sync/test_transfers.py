"""Which contents others get: those of the folder they have, and of no other one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest
from tests.syncsim.made import entry, seen

from wildbach.engine.contents import Contents
from wildbach.net.mux import Channel
from wildbach.runtime.tasks import Scope
from wildbach.runtime.workers import Threads
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


def test_what_is_open_for_another_folder_is_not_given_to_members_of_this_one(store: FolderStore) -> None:
    async def story() -> None:
        contents, threads = Open(), Threads(1)
        async with Scope("test") as scope:
            transfers = Transfers(cast(Contents, contents), scope, threads, lambda: None, lambda error: None)
            one = entry("film", "content")
            place, channel = cast(Place, None), cast(Channel, None)
            assert not transfers.serve(one.root, one.size, channel, store, place)
            assert contents.attached == 0
            store.put_seen("film", seen(one, 7))
            assert transfers.serve(one.root, one.size, channel, store, place)
            assert contents.attached == 1
            assert not transfers.serve(one.root, one.size + 1, channel, store, place)
        threads.close()

    asyncio.run(story())
