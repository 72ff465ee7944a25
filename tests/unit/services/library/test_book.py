from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from wildbach.base.errors import StorageError
from wildbach.services.library.book import ENTRIES, Book
from wildbach.services.library.entry import Entry, decode


class Store:
    """Values in memory; a write goes on until `go` is set, and fails where `full` is."""

    def __init__(self) -> None:
        self.areas: dict[str, dict[str, bytes]] = {}
        self.go = asyncio.Event()
        self.go.set()
        self.full = False

    async def kept(self, area: str) -> dict[str, bytes]:
        return dict(self.areas.get(area, {}))

    async def keep(self, area: str, changes: Mapping[str, bytes | None], *, durable: bool = False) -> None:
        await self.go.wait()
        if self.full:
            raise StorageError("no space left on the device")
        for name, value in changes.items():
            if value is None:
                self.areas.setdefault(area, {}).pop(name, None)
            else:
                self.areas.setdefault(area, {})[name] = value

    def category(self, key: str) -> str:
        return decode(self.areas[ENTRIES][key]).category


def _report(error: Exception) -> None:
    raise error


@pytest.mark.parametrize("how", ["write", "flush"])
def test_what_changes_while_it_is_written_is_written_with_the_next_batch(how: str) -> None:
    async def work() -> None:
        store = Store()
        book = Book(store, _report)
        book.entries["k"] = Entry(category="old")
        book.touch("k")
        store.go.clear()

        async def change() -> None:
            book.entries["k"].category = "new"
            book.touch("k")
            store.go.set()

        await asyncio.gather(book.write(["k"]) if how == "write" else book.flush(), change())
        await book.flush()
        assert store.category("k") == "new"

    asyncio.run(work())


def test_what_waits_for_its_turn_to_be_written_is_written_as_it_is_then() -> None:
    async def work() -> None:
        store = Store()
        book = Book(store, _report)
        book.entries["k"] = Entry(category="old")
        store.go.clear()

        async def change() -> None:
            book.entries["k"].category = "new"
            store.go.set()

        await asyncio.gather(book.write(["other"]), book.write(["k"]), change())
        assert store.category("k") == "new"

    asyncio.run(work())


def test_what_could_not_be_written_is_written_with_the_next_batch() -> None:
    async def work() -> None:
        store = Store()
        book = Book(store, _report)
        book.entries["k"] = Entry(category="new")
        store.full = True
        with pytest.raises(StorageError):
            await book.write(["k"])
        store.full = False
        await book.flush()
        assert store.category("k") == "new"

    asyncio.run(work())
