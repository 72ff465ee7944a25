"""Records of members, as they are passed on."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import cast

import pytest

from wildbach.base.errors import FormatError
from wildbach.base.ids import DeviceId
from wildbach.protocol.sync.messages import Whereabouts
from wildbach.services.sync.passing import PASS_SECONDS, Passing
from wildbach.services.sync.session import Link
from wildbach.testing.loop import sim

A, B = DeviceId(bytes(16)), DeviceId(bytes(15) + b"\1")


class Said:
    """A link, as far as something is said on it."""

    def __init__(self) -> None:
        self.tag = bytes(8)
        self.busy = False
        self.heard: list[tuple[bytes, ...]] = []

    def say(self, message: Whereabouts) -> None:
        self.heard.append(message.records)


def bed() -> tuple[Passing, dict[DeviceId, Said], SimpleNamespace]:
    state = SimpleNamespace(records=[b"own"], woken=0)

    def wake() -> None:
        state.woken += 1

    found = Passing(wake, lambda: asyncio.get_running_loop().time())
    found.records = lambda: list(state.records)

    def take(raw: bytes) -> bool:
        if raw == b"none":
            raise FormatError("is no record", where="record")
        if raw in state.records:
            return False
        state.records.append(raw)
        return True

    found.take = take
    return found, {A: Said(), B: Said()}, state


def tell(passing: Passing, links: dict[DeviceId, Said]) -> None:
    real = cast(dict[DeviceId, Link], links)
    passing.tell(real, list(real.values()))


def test_each_is_told_once_and_of_what_is_new_not_more_often_than_every_so_often() -> None:
    async def story() -> None:
        passing, links, state = bed()
        tell(passing, links)
        assert [each.heard for each in links.values()] == [[(b"own",)], [(b"own",)]]
        await asyncio.sleep(1)
        passing.heard([b"of a", b"own"])
        passing.heard([b"of a", b"more"])
        tell(passing, links)
        assert len(links[A].heard) == 1 and not state.woken
        await asyncio.sleep(PASS_SECONDS)
        assert state.woken == 1
        tell(passing, links)
        assert links[A].heard[1:] == links[B].heard[1:] == [(b"of a", b"more")]
        await asyncio.sleep(3 * PASS_SECONDS)
        tell(passing, links)
        assert len(links[A].heard) == 2 and state.woken == 1

    sim(1).run(story())


def test_who_comes_is_told_at_once_and_who_comes_back_again() -> None:
    async def story() -> None:
        passing, links, _ = bed()
        other = links.pop(B)
        tell(passing, links)
        links[B] = other
        passing.met()
        tell(passing, links)
        assert other.heard == [(b"own",)] and len(links[A].heard) == 1
        passing.parted(B)
        passing.met()
        tell(passing, links)
        assert len(other.heard) == 2 and len(links[A].heard) == 1

    sim(1).run(story())


def test_who_is_busy_is_told_later() -> None:
    async def story() -> None:
        passing, links, _ = bed()
        links[A].busy = True
        tell(passing, links)
        links[A].busy = False
        await asyncio.sleep(PASS_SECONDS)
        tell(passing, links)
        assert links[A].heard == links[B].heard == [(b"own",)]

    sim(1).run(story())


def test_what_is_no_record_is_the_fault_of_who_said_it() -> None:
    async def story() -> None:
        passing, _, _ = bed()
        with pytest.raises(FormatError):
            passing.heard([b"none"])

    sim(1).run(story())


def test_nothing_is_woken_after_the_end() -> None:
    async def story() -> None:
        passing, links, state = bed()
        tell(passing, links)
        passing.heard([b"of a"])
        passing.close()
        await asyncio.sleep(2 * PASS_SECONDS)
        assert not state.woken

    sim(1).run(story())
