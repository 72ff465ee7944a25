"""Which of several sessions with one device stays: both sides leave the same ones, and what has died gives way."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from wildbach.base import limits
from wildbach.base.ids import DeviceId, Endpoint, FolderId
from wildbach.net.meeting import Met
from wildbach.net.mux import Channel, Mux
from wildbach.protocol.sync import messages
from wildbach.protocol.sync.listpages import Page
from wildbach.protocol.sync.messages import Hello
from wildbach.runtime.tasks import Scope
from wildbach.services.sync.session import FolderMessage, Link, Offer, Session
from wildbach.services.sync.sessions import Sessions
from wildbach.testing.loop import sim, simloop
from wildbach.testing.meeting import NoiseTransport
from wildbach.testing.network import Network

FOLDER = FolderId(b"f" * 32)
OFFER = Offer(FOLDER, b"c" * 16, b"f" * 32, b"r" * 32)


class Lobby:
    """`session.Ear` of devices that are no members."""

    def met(self, link: Link) -> None:
        pass

    def parted(self, link: Link) -> None:
        pass

    def heard(self, link: Link, message: FolderMessage) -> None:
        pass

    def drained(self, link: Link) -> None:
        pass


class Home:
    """One device with a folder: `session.Hub` and `session.Port`. It takes links as `services.sync.folder` does."""

    name = "home"

    def __init__(self, network: Network, scope: Scope, seed: int) -> None:
        self.rng = Random(seed)
        self.host = network.host()
        self.transport = NoiseTransport(self.host.transport, Random(seed))
        self.transport.callers = self.transport.static
        self.scope = scope
        self.link: Link | None = None
        self.lobby = Lobby()
        self.links = 0
        self.members = True
        self.bugs: list[Exception] = []
        self.sessions = Sessions(
            self.transport.static.public_key().public_bytes_raw(), self, scope, lambda key: self.members,
            lambda session: None, self.bugs.append)
        self.at = Endpoint(self.host.address, 7000)

    async def open(self) -> None:
        await self.transport.listen_for(self.at, lambda met: self.scope.spawn("settle", self.take(met)) and None)

    async def take(self, met: Met[Any]) -> None:
        await asyncio.sleep(self.rng.uniform(0.0, 0.3))
        await self.sessions.settle(met)

    async def call(self, other: Home, after: float = 0.0) -> None:
        await asyncio.sleep(after)
        await self.take(await self.transport.meet(other.at))

    # -- session.Hub

    def offers(self) -> list[Offer]:
        return [OFFER]

    def port(self, folder: FolderId) -> Home:
        return self

    def listed(self, exchange: bytes) -> bool:
        return self.members

    def ended(self, session: Session, error: Exception | None) -> None:
        self.sessions.ended(session)

    def chance(self, count: int) -> bytes:
        return os.urandom(count)

    # -- session.Port

    def member(self, exchange: bytes) -> DeviceId | None:
        return DeviceId(exchange[:16]) if self.members else None

    def met(self, link: Link) -> None:
        if self.link is not None and self.link.better(link):
            link.session.bye("another_session")
            return
        before, self.link = self.link, link
        self.links += 1
        if before is not None:
            before.session.bye("another_session")

    def parted(self, link: Link) -> None:
        if self.link is link:
            self.link = None

    def heard(self, link: Link, message: FolderMessage) -> None:
        pass

    def drained(self, link: Link) -> None:
        pass

    async def bundle(self, files: Any) -> list[bytes]:
        return []

    async def page(self, root: bytes, count: int, number: int) -> Page:
        return Page(b"", b"")

    def content(self, link: Link, root: bytes, size: int, channel: Channel) -> bool:
        return False


def homes(seed: int, work: Callable[[Home, Home], Any]) -> None:
    async def main() -> None:
        network = Network()
        async with Scope("homes") as scope:
            one, other = Home(network, scope, seed), Home(network, scope, seed + 1000)
            for each in (one, other):
                await each.open()
            await work(one, other)
            assert one.bugs == other.bugs == []
            for each in (one, other):
                each.sessions.close()
            await asyncio.sleep(1)
            for each in (one, other):
                await each.transport.close()
            scope.cancel()
    sim(seed).run(main())


def agree(one: Home, other: Home) -> None:
    """One session, the same on both sides."""
    assert one.link is not None and other.link is not None
    assert one.link.tag == other.link.tag
    assert [each.rank for each in one.sessions.all()] == [each.rank for each in other.sessions.all()]
    assert len(one.sessions.all()) == 1


@pytest.mark.parametrize("seed", range(12))
def test_of_calls_that_crossed_and_of_several_at_once_both_sides_keep_the_same(seed: int) -> None:
    async def work(one: Home, other: Home) -> None:
        chance = Random(seed)
        calls = [(one, other), (other, one)] + [
            chance.choice([(one, other), (other, one)]) for _ in range(chance.randrange(3))]
        for caller, called in calls:
            caller.scope.spawn("call", caller.call(called, chance.uniform(0.0, 0.5)))
        await asyncio.sleep(20)
        agree(one, other)
        before = one.links
        # Who calls once more where all is well may change which it is, and leaves one.
        await one.call(other)
        await other.call(one)
        await asyncio.sleep(20)
        agree(one, other)
        assert one.links - before <= 2
    homes(seed, work)


@pytest.mark.parametrize("seed", range(6))
def test_a_session_that_died_unnoticed_gives_way_to_a_new_call(seed: int) -> None:
    async def work(one: Home, other: Home) -> None:
        caller, called = (one, other) if seed % 2 else (other, one)
        await caller.call(called)
        await asyncio.sleep(5)
        agree(one, other)
        dead = called.link
        assert dead is not None
        # The other device starts anew: nothing comes from it any more, and no word that it ended.
        for session in caller.sessions.all():
            session._mux.received = len  # type: ignore[method-assign]  # it is deaf
            caller.sessions.ended(session)
            session._over = True
        caller.link = None
        began = simloop().time()
        for back in (caller, called)[: 1 + (seed % 3 > 0)]:
            await back.call(called if back is caller else caller)
        while called.link is None or called.link is dead or caller.link is None:
            await asyncio.sleep(0.1)
        assert simloop().time() - began < limits.SYNC_PROBE_SECONDS + 3 < limits.MUX_SILENT_SECONDS
        await asyncio.sleep(10)
        agree(one, other)
    homes(seed + 50, work)


def test_devices_that_no_roster_lists_have_few_places_and_one_device_few_before_it_greets() -> None:
    class Silent:
        """Owns a mux and says nothing, or only hello."""

        def __init__(self) -> None:
            self.over = False

        def message(self, payload: bytes) -> None:
            pass

        def opened(self, channel: Channel, request: bytes) -> bool:
            return False

        def drained(self) -> None:
            pass

        def closed(self, error: Exception | None) -> None:
            self.over = True

    async def work(one: Home, other: Home) -> None:
        muxes: list[Mux] = []

        async def knock(transport: NoiseTransport, *said: bytes) -> Silent:
            met = await transport.meet(one.at)
            owner = Silent()
            muxes.append(Mux(met.connection, True, owner))
            for each in said:
                muxes[-1].send(each)
            await asyncio.sleep(1)
            return owner

        silent = [await knock(other.transport) for _ in range(10)]
        assert len(one.sessions.all()) == limits.SYNC_SESSIONS_UNGREETED
        assert sum(each.over for each in silent) == 10 - limits.SYNC_SESSIONS_UNGREETED
        one.members = False
        hello = messages.encode(Hello(tuple(os.urandom(32) for _ in range(8))))
        for seed in range(40):
            await knock(NoiseTransport(other.host.transport, Random(seed + 5)), hello)
        assert len(one.sessions.all()) <= limits.SYNC_SESSIONS_UNLISTED
        for mux in muxes:
            mux.close()
    homes(99, work)
