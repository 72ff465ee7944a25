from __future__ import annotations

import asyncio

import pytest

from api_fakes import FakeKeeper
from wildbach.base import limits
from wildbach.base.errors import StorageError
from wildbach.services.stream import tokens
from wildbach.services.stream.tokens import TOKEN, Tokens


def test_a_token_has_128_bits_and_is_the_same_in_the_next_run() -> None:
    async def main() -> None:
        keeper = FakeKeeper()
        first = Tokens(keeper)
        token = await first.of("a")
        assert TOKEN.fullmatch(token) and token == await first.of("a") != await first.of("b")
        second = Tokens(keeper)
        await second.load()
        assert second.key_of(token) == "a" and await second.of("a") == token
        assert second.key_of("0" * 32) is None and second.key_of("") is None
    asyncio.run(main())


def test_another_token_makes_the_old_one_worthless_for_ever() -> None:
    async def main() -> None:
        keeper = FakeKeeper()
        found = Tokens(keeper)
        old = await found.of("a")
        new = await found.renew("a")
        assert new != old and found.key_of(old) is None and found.key_of(new) == "a"
        again = Tokens(keeper)
        await again.load()
        assert again.key_of(old) is None and again.key_of(new) == "a"
        await again.forget("a")
        assert again.key_of(new) is None and not keeper.areas[tokens.AREA]
    asyncio.run(main())


def test_where_the_disk_is_full_the_old_one_holds() -> None:
    async def main() -> None:
        keeper = FakeKeeper()
        found = Tokens(keeper)
        old = await found.of("a")
        keeper.full = True
        with pytest.raises(StorageError):
            await found.renew("a")
        assert found.key_of(old) == "a"
    asyncio.run(main())


def test_so_many_torrents_have_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PLAY_TOKENS", 2)

    async def main() -> None:
        keeper = FakeKeeper()
        found = Tokens(keeper)
        first = await found.of("a")
        await found.of("b")
        await found.of("c")
        assert found.key_of(first) is None and sorted(keeper.areas[tokens.AREA]) == ["b", "c"]
    asyncio.run(main())


def test_what_is_no_token_is_passed_over() -> None:
    async def main() -> None:
        keeper = FakeKeeper()
        keeper.areas[tokens.AREA] = {"a": b"../..", "b": b"\xff"}
        found = Tokens(keeper)
        await found.load()
        assert found.key_of("../..") is None and TOKEN.fullmatch(await found.of("a"))
    asyncio.run(main())
