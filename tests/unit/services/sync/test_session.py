"""Sessions of two devices over a connection in memory: which folders exist on it, and what hostile ones say."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from random import Random

import pytest

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError, NetworkError, RemoteError
from wildbach.base.ids import DeviceId, Endpoint, FolderId
from wildbach.net.mux import Channel, Mux
from wildbach.protocol import bencode
from wildbach.protocol.sync import messages
from wildbach.protocol.sync.listpages import Page
from wildbach.protocol.sync.messages import (
    Ack,
    Bundle,
    Bundled,
    Entries,
    Hello,
    Index,
    PageSent,
    PageWanted,
    RosterHeads,
    Rosters,
    RosterWanted,
    Status,
    Whereabouts,
)
from wildbach.protocol.sync.vectors import VersionVector
from wildbach.runtime.tasks import Scope
from wildbach.services.sync.session import CONTENT, NOBODY, FolderMessage, Link, Offer, Serving, Session
from wildbach.testing.loop import sim
from wildbach.testing.meeting import NoiseTransport
from wildbach.testing.network import Network

PHOTOS, MUSIC, SECRET = (FolderId(bytes([number]) * 32) for number in (1, 2, 3))
ROOT = b"r" * 32


def offer(folder: FolderId, *, epoch: int = 0, reads: bool = True, holds: bool = True) -> Offer:
    key = bytes([folder[0], epoch])
    return Offer(folder, key, key + b"f" * 30, key + b"r" * 30 if reads else b"", holds)


class Lobby:
    """`session.Ear` of who is told of rosters alone."""

    def __init__(self) -> None:
        self.links: list[Link] = []
        self.messages: list[FolderMessage] = []

    def met(self, link: Link) -> None:
        self.links.append(link)

    def parted(self, link: Link) -> None:
        self.links.remove(link)

    def heard(self, link: Link, message: FolderMessage) -> None:
        self.messages.append(message)

    def drained(self, link: Link) -> None:
        pass


class Folder:
    """`session.Port`: everybody is a member, unless `closed`."""

    def __init__(self) -> None:
        self.links: list[Link] = []
        self.messages: list[FolderMessage] = []
        self.asked: list[Sequence[tuple[bytes, int]]] = []
        self.channels: list[Channel] = []
        self.files: dict[bytes, bytes] = {}
        self.pages: dict[tuple[bytes, int, int], Page] = {}
        self.closed = False
        self.lobby = Lobby()

    def member(self, exchange: bytes) -> DeviceId | None:
        return None if self.closed else DeviceId(exchange[:16])

    def met(self, link: Link) -> None:
        self.links.append(link)

    def parted(self, link: Link) -> None:
        self.links.remove(link)

    def heard(self, link: Link, message: FolderMessage) -> None:
        self.messages.append(message)

    def drained(self, link: Link) -> None:
        pass

    async def bundle(self, files: Sequence[tuple[bytes, int]]) -> list[bytes]:
        self.asked.append(files)
        return [self.files.get(root, b"") for root, _ in files]

    async def page(self, root: bytes, count: int, number: int) -> Page:
        return self.pages.get((root, count, number), Page(b"", b""))

    def content(self, link: Link, root: bytes, size: int, channel: Channel) -> bool:
        self.channels.append(channel)
        return True


class House:
    """`session.Hub`."""

    def __init__(self, name: str, *offers: Offer) -> None:
        self.name = name
        self.there = list(offers)
        self.folders = {each.folder: Folder() for each in offers}
        self.ends: list[Exception | None] = []

    def offers(self) -> list[Offer]:
        return self.there

    def port(self, folder: FolderId) -> Folder | None:
        return self.folders.get(folder)

    def listed(self, exchange: bytes) -> bool:
        return any(not each.closed for each in self.folders.values())

    def ended(self, session: Session, error: Exception | None) -> None:
        self.ends.append(error)

    def chance(self, count: int) -> bytes:
        return os.urandom(count)

    @property
    def links(self) -> dict[FolderId, Link]:
        return {folder: one.links[0] for folder, one in self.folders.items() if one.links}


class Owner:
    """Owns the mux of a device that says what it likes."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []
        self.ends: list[Exception | None] = []

    def message(self, payload: bytes) -> None:
        self.messages.append(payload)

    def opened(self, channel: Channel, request: bytes) -> bool:
        return False

    def drained(self) -> None:
        pass

    def closed(self, error: Exception | None) -> None:
        self.ends.append(error)


async def until(ready: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not ready():
            await asyncio.sleep(0.01)


@contextlib.asynccontextmanager
async def met():  # type: ignore[no-untyped-def]  # two of what a meeting gives, and a scope
    network = Network()
    near, far = network.host(), network.host()
    transports = [NoiseTransport(near.transport, Random(1)), NoiseTransport(far.transport, Random(2))]
    found = asyncio.get_running_loop().create_future()
    listener = await transports[1].listen_for(Endpoint(far.address, 0), found.set_result)
    one = await transports[0].meet(listener.endpoint)
    other = await found
    listener.close()
    async with Scope("test") as scope:
        yield one, other, scope
        one.connection.close()
        other.connection.close()
        for transport in transports:
            await transport.close()
        scope.cancel()


@contextlib.asynccontextmanager
async def sessions(one: House, other: House) -> AsyncIterator[tuple[Session, Session]]:
    async with met() as (here, there, scope):
        errors: list[Exception] = []
        near, far = Session(here, one, scope, errors.append), Session(there, other, scope, errors.append)
        await until(lambda: near.greeted and far.greeted)
        yield near, far
        assert errors == []
        near.close()
        await until(lambda: bool(one.ends and other.ends))


@contextlib.asynccontextmanager
async def hostile(house: House) -> AsyncIterator[tuple[Session, Mux, Owner, Offer]]:
    """A member that has the folder's secrets, and breaks rules."""
    from wildbach.protocol.sync import proofs
    async with met() as (here, there, scope):
        session = Session(here, house, scope, lambda error: None)
        owner = Owner()
        mux = Mux(there.connection, there.opened.initiator, owner)
        given = house.there[0]
        said = [proofs.proof(key, there.opened.hash, initiator=False) for key in (given.finds, given.reads)]
        mux.send(messages.encode(Hello(proofs.padded(said, os.urandom), "evil\x1b", "x")))
        await until(lambda: bool(session.links))
        yield session, mux, owner, given
        mux.close()


def test_folders_that_both_have_exist_and_others_are_not_seen() -> None:
    async def main() -> None:
        one, other = House("one", offer(PHOTOS), offer(SECRET)), House("other", offer(PHOTOS), offer(MUSIC))
        async with sessions(one, other) as (near, far):
            assert set(one.links) == set(other.links) == {PHOTOS}
            assert near.name == "other" and far.name == "one"
            assert one.links[PHOTOS].tag == other.links[PHOTOS].tag != bytes(PHOTOS)[:8]
            one.links[PHOTOS].say(Status(one.links[PHOTOS].tag, "idle", 0, 0, ""))
            await until(lambda: bool(other.folders[PHOTOS].messages))
        assert not one.folders[SECRET].messages and one.links == {} and near.over and far.over
    sim(1).run(main())


def test_who_has_the_secret_of_an_older_epoch_or_only_finds_does_not_see_the_folder() -> None:
    async def main() -> None:
        one, other = House("one", offer(PHOTOS, epoch=1), offer(MUSIC)), House(
            "other", offer(PHOTOS), offer(MUSIC, reads=False))
        async with sessions(one, other):
            assert one.links == {}
    sim(2).run(main())


def test_what_is_said_of_a_folder_that_is_not_there_is_passed_over() -> None:
    async def main() -> None:
        one, other = House("one", offer(PHOTOS)), House("other", offer(PHOTOS))
        async with sessions(one, other) as (near, far):
            near.say(Status(b"unknown!", "idle", 0, 0, ""))
            one.links[PHOTOS].say(Status(one.links[PHOTOS].tag, "paused", 0, 0, ""))
            await until(lambda: bool(other.folders[PHOTOS].messages))
            assert len(other.folders[PHOTOS].messages) == 1 and not far.over
    sim(3).run(main())


def test_a_folder_that_comes_later_is_proved_then_and_one_that_was_taken_away_goes() -> None:
    async def main() -> None:
        one, other = House("one", offer(PHOTOS)), House("other", offer(PHOTOS))
        async with sessions(one, other) as (near, far):
            for house, session in ((one, near), (other, far)):
                house.there.append(offer(MUSIC))
                house.folders[MUSIC] = Folder()
                session.renew()
            await until(lambda: MUSIC in one.links and MUSIC in other.links)
            other.folders[PHOTOS].closed = True
            far.renew()
            assert PHOTOS not in other.links and MUSIC in other.links
            assert [each.folder for each in other.folders[PHOTOS].lobby.links] == [PHOTOS]
    sim(4).run(main())


def test_who_proves_secrets_of_before_is_told_of_rosters_alone_until_it_proves_those_that_hold() -> None:
    async def main() -> None:
        one = House("one", offer(PHOTOS, epoch=1), offer(PHOTOS, holds=False), offer(MUSIC))
        other = House("other", offer(PHOTOS), offer(MUSIC))
        async with sessions(one, other) as (_, far):
            folder, theirs = one.folders[PHOTOS], other.folders[PHOTOS]
            (early,) = folder.lobby.links
            assert set(one.links) == {MUSIC} and PHOTOS in other.links, "the other one does not know that it is late"
            link = other.links[PHOTOS]
            theirs.files = folder.files = {ROOT: b"one"}
            with pytest.raises(NetworkError):
                await link.bundle([(ROOT, 3)])
            content = link.content(ROOT, 100_000)
            for each in (
                    Index(link.tag, b"i" * 8, 9, bytes(8), 0), Entries(link.tag, 0, 1, (), True),
                    Whereabouts(link.tag, (b"x",)), Status(link.tag, "idle", 0, 0, ""),
                    Ack(link.tag, DeviceId(bytes(16)), 0, VersionVector(), bytes(64)),
                    RosterHeads(link.tag, (b"h" * 32,)), RosterWanted(link.tag, (b"h" * 32,)),
                    Rosters(link.tag, (b"raw",))):
                link.say(each)
            await until(lambda: len(folder.lobby.messages) == 3)
            assert [type(each) for each in folder.lobby.messages] == [RosterHeads, RosterWanted, Rosters]
            await until(lambda: content.closing)
            assert folder.messages == [] == folder.asked and folder.channels == []
            early.say(RosterHeads(early.tag, (b"h" * 32,)))
            await until(lambda: bool(theirs.messages))
            # The rosters had the secrets that hold.
            other.there[:1] = [offer(PHOTOS, epoch=1), offer(PHOTOS, holds=False)]
            far.renew()
            await until(lambda: PHOTOS in one.links and link not in theirs.links)
            assert one.links[PHOTOS].tag == other.links[PHOTOS].tag != early.tag
            assert [(each.tag, each.first) for each in folder.lobby.links] == [(early.tag, False)]
            assert one.links[PHOTOS].commit == one.there[0].commit
            assert folder.messages == [], "what was said under the name of before is said anew"
            assert await other.links[PHOTOS].bundle([(ROOT, 3)]) == [b"one"]
    sim(14).run(main())


def test_two_that_know_of_different_rosters_hear_each_other_by_the_secrets_of_either() -> None:
    async def main() -> None:
        first, second = offer(PHOTOS, epoch=1), offer(PHOTOS, epoch=2)
        one = House("one", first, replace(second, holds=False))
        other = House("other", second, replace(first, holds=False))
        async with sessions(one, other) as (near, _):
            assert one.links[PHOTOS].commit == first.commit and other.links[PHOTOS].commit == second.commit
            for house, theirs in ((one, other), (other, one)):
                link, lobby = house.links[PHOTOS], theirs.folders[PHOTOS].lobby
                assert [(each.tag, each.first) for each in lobby.links] == [(link.tag, False)]
                link.say(Entries(link.tag, 0, 1, (), True))
                link.say(RosterHeads(link.tag, (b"h" * 32,)))
                await until(lambda lobby=lobby: bool(lobby.messages))  # type: ignore[misc]  # bound at once
                lobby.links[0].say(RosterWanted(link.tag, (b"h" * 32,)))
                await until(lambda house=house: bool(house.folders[PHOTOS].messages))  # type: ignore[misc]  # the same
            one.there[:] = [second, replace(first, holds=False)]
            near.renew()
            assert one.links[PHOTOS].tag == other.links[PHOTOS].tag
            assert [each.first for each in one.folders[PHOTOS].lobby.links] == [False]
    sim(16).run(main())


def test_who_is_on_no_roster_yet_is_told_of_rosters_alone_and_what_it_said_counts_when_it_is() -> None:
    async def main() -> None:
        one, other = House("one", offer(PHOTOS)), House("other", offer(PHOTOS))
        folder = one.folders[PHOTOS]
        folder.closed = True
        async with sessions(one, other) as (near, far):
            link = other.links[PHOTOS]
            index, status = Index(link.tag, b"i" * 8, 9, bytes(8), 0), Status(link.tag, "idle", 0, 0, "")
            for each in (replace(index, last=8), index, Entries(link.tag, 0, 1, (), True), status):
                link.say(each)
            link.say(RosterHeads(link.tag, (b"h" * 32,)))
            await until(lambda: bool(folder.lobby.messages))
            assert folder.messages == [] and folder.links == [] and len(folder.lobby.links) == 1
            assert near.name == "other" and far.name == "" and folder.lobby.links[0].device == NOBODY
            folder.closed = False
            near.renew()
            assert folder.messages == [index, status] and len(folder.links) == 1 and folder.lobby.links == []
            assert one.links[PHOTOS].tag == link.tag and link in other.folders[PHOTOS].links
            await until(lambda: far.name == "one")
    sim(15).run(main())


def test_small_files_come_in_bundles_and_what_is_not_there_is_empty() -> None:
    async def main() -> None:
        one, other = House("one", offer(PHOTOS)), House("other", offer(PHOTOS))
        async with sessions(one, other):
            other.folders[PHOTOS].files = {bytes([n]) * 32: bytes([n]) * n for n in range(1, 100)}
            wanted = [(bytes([n]) * 32, n) for n in range(1, 100)]
            answers = await asyncio.gather(*(one.links[PHOTOS].bundle(wanted[at : at + 9]) for at in range(0, 99, 9)))
            assert [each for answer in answers for each in answer] == [bytes([n]) * n for n in range(1, 100)]
            assert await one.links[PHOTOS].bundle([(bytes(32), 7)]) == [b""]
    sim(5).run(main())


def test_pages_of_lists_come_on_the_same_channel_and_what_is_no_page_ends_the_session() -> None:
    async def main() -> None:
        one, other = House("one", offer(PHOTOS)), House("other", offer(PHOTOS))
        async with sessions(one, other) as (near, _):
            page = Page(b"l" * 64, b"h" * limits.MIB)
            other.folders[PHOTOS].files = {ROOT: b"one"}
            other.folders[PHOTOS].pages = {(ROOT, 40_000, 0): page}
            link = one.links[PHOTOS]
            found = await asyncio.gather(
                link.bundle([(ROOT, 3)]), link.page(ROOT, 40_000, 0), link.page(ROOT, 40_000, 1))
            assert found == [[b"one"], page, Page(b"", b"")]

            async def answer(_serving: Serving, wanted: Bundled | PageWanted) -> Bundle | PageSent:
                return Bundle(wanted.number, (b"one",))

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(Serving, "_answer", answer)
                with pytest.raises((RemoteError, NetworkError)):
                    await link.page(ROOT, 40_000, 0)
            assert near.over
    sim(51).run(main())


def test_a_bundle_of_other_files_than_were_asked_for_is_refused() -> None:
    async def main() -> None:
        one, other = House("one", offer(PHOTOS)), House("other", offer(PHOTOS))
        async with sessions(one, other):
            other.folders[PHOTOS].files = {ROOT: b"longer than it was said to be"}
            with pytest.raises((RemoteError, NetworkError)):
                await one.links[PHOTOS].bundle([(ROOT, 3)])
    sim(6).run(main())


def test_who_is_taken_out_gets_no_more_bundles_on_a_channel_that_it_has() -> None:
    async def main() -> None:
        one, other = House("one", offer(PHOTOS), offer(MUSIC)), House("other", offer(PHOTOS), offer(MUSIC))
        async with sessions(one, other) as (_, far):
            other.folders[PHOTOS].files = {ROOT: b"one"}
            link = one.links[PHOTOS]
            assert await link.bundle([(ROOT, 3)]) == [b"one"]
            content = link.content(ROOT, 100_000)
            await until(lambda: bool(other.folders[PHOTOS].channels))
            other.folders[PHOTOS].closed = True
            far.renew()
            with pytest.raises(NetworkError):
                await link.bundle([(ROOT, 3)])
            assert len(other.folders[PHOTOS].asked) == 1 and MUSIC in one.links
            assert other.folders[PHOTOS].channels[0].closing
            content.close()
    sim(7).run(main())


def test_a_session_that_ends_fails_what_waits() -> None:
    async def main() -> None:
        one, other = House("one", offer(PHOTOS)), House("other", offer(PHOTOS))

        async def never(files: Sequence[tuple[bytes, int]]) -> list[bytes]:
            await asyncio.Event().wait()
            return []

        other.folders[PHOTOS].bundle = never  # type: ignore[method-assign]  # it hangs
        async with sessions(one, other) as (_, far):
            asyncio.get_running_loop().call_later(1.0, far.close)
            with pytest.raises(NetworkError):
                await one.links[PHOTOS].bundle([(ROOT, 3)])
    sim(8).run(main())


def test_a_content_is_asked_for_by_root_and_size() -> None:
    async def main() -> None:
        one, other = House("one", offer(PHOTOS)), House("other", offer(PHOTOS))
        async with sessions(one, other):
            channel = one.links[PHOTOS].content(ROOT, 100_000)
            await until(lambda: bool(other.folders[PHOTOS].channels))
            channel.close()
    sim(9).run(main())


@pytest.mark.parametrize("payload", [
    b"x", b"i5e", b"de", b"l" * 5000, b"\xff" * 100, messages.encode(Bundle(1, (b"x",))),
    messages.encode(Hello((b"p" * 32,) * 8))[:-1],
])
def test_messages_that_are_none_end_the_session_or_are_passed_over(payload: bytes) -> None:
    async def main() -> None:
        house = House("one", offer(PHOTOS))
        async with hostile(house) as (session, mux, _, given):
            mux.send(payload)
            await asyncio.sleep(1)
            if session.over:
                assert isinstance(session.error, RemoteError | FormatError | LimitError | NetworkError)
            else:
                mux.send(messages.encode(Status(next(iter(session.links)), "idle", 0, 0, "")))
                await until(lambda: bool(house.folders[given.folder].messages))
    sim(10).run(main())


@pytest.mark.parametrize(("root", "size"), [
    (b"short", 5), (ROOT, 0), (ROOT, -1), (ROOT, limits.SYNC_FILE_BYTES + 1),
])
def test_contents_that_can_be_none_are_refused(root: bytes, size: int) -> None:
    async def main() -> None:
        house = House("one", offer(PHOTOS))
        async with hostile(house) as (session, mux, _, given):
            mux.open(bencode.encode({b"t": CONTENT, b"f": next(iter(session.links)), b"r": root, b"s": size}))
            await until(lambda: session.over)
            assert not house.folders[given.folder].channels
    sim(11).run(main())


def test_a_device_that_proves_folders_without_end_is_left() -> None:
    async def main() -> None:
        house = House("one", offer(PHOTOS))
        async with hostile(house) as (session, mux, _, _given):
            for number in range(20):
                proofs = tuple(number.to_bytes(2, "big") + at.to_bytes(30, "big") for at in range(limits.SYNC_PROOFS))
                if not session.over:
                    mux.send(messages.encode(Hello(proofs)))
                await asyncio.sleep(0.5)
            assert session.over and isinstance(session.error, LimitError)
    sim(12).run(main())


def test_who_says_much_is_read_slowly_and_loses_nothing_and_others_are_not_slowed(
        caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        house, loop = House("one", offer(PHOTOS)), asyncio.get_running_loop()
        async with hostile(house) as (session, mux, _, given):
            heard = house.folders[given.folder].messages
            tag, began, count = next(iter(session.links)), loop.time(), 2000
            for number in range(count):
                mux.send(messages.encode(Status(tag, "idle", number, 0, "")))
            # A channel of the same connection goes on meanwhile.
            mux.open(bencode.encode({b"t": CONTENT, b"f": tag, b"r": ROOT, b"s": 100_000}))
            await until(lambda: bool(house.folders[given.folder].channels))
            assert limits.SYNC_WORDS / 4 - 50 < len(heard) < limits.SYNC_WORDS / 4 + 200
            await until(lambda: len(heard) == count)
            took = (4 * count - limits.SYNC_WORDS) / limits.SYNC_WORDS_PER_SECOND
            assert took - 1 < loop.time() - began < took + 5 and not session.over
            assert [each.files for each in heard if isinstance(each, Status)] == list(range(count))
            # Greetings and what is passed over are of the same allowance, and rows are not held up by who is quiet.
            await asyncio.sleep(60)
            began = loop.time()
            hello = messages.encode(Hello(tuple(b"%032d" % at for at in range(8))))
            for _ in range(200):
                mux.send(hello)
            mux.send(messages.encode(Status(tag, "paused", 0, 0, "")))
            await until(lambda: len(heard) == count + 1)
            assert loop.time() - began > 30 and not session.over
    sim(13).run(main())
    assert len([each for each in caplog.records if "more slowly" in each.getMessage()]) == 1


def test_records_without_end_are_not_all_looked_at() -> None:
    async def main() -> None:
        house = House("one", offer(PHOTOS))
        async with hostile(house) as (session, mux, _, given):
            heard, tag = house.folders[given.folder].messages, next(iter(session.links))
            for _ in range(20):
                mux.send(messages.encode(Whereabouts(tag, (b"r" * 100,) * 1000)))
            await until(lambda: len(heard) == 20)
            found = sum(len(each.records) for each in heard if isinstance(each, Whereabouts))
            assert limits.SYNC_RECORDS <= found < limits.SYNC_RECORDS + 200 and not session.over
    sim(14).run(main())


def test_what_is_held_for_two_reasons_is_read_when_both_are_over() -> None:
    async def main() -> None:
        house = House("one", offer(PHOTOS))
        async with hostile(house) as (session, mux, _, given):
            heard, tag = house.folders[given.folder].messages, next(iter(session.links))
            for _ in range(64):
                session.waits()
            for _ in range(1000):
                mux.send(messages.encode(Status(tag, "idle", 0, 0, "")))
            await asyncio.sleep(30)
            assert heard == []
            for _ in range(64):
                session.taken()
            await asyncio.sleep(1)
            assert 0 < len(heard) < 1000
            for _ in range(64):
                session.waits()
            await asyncio.sleep(30)
            assert len(heard) < 1000
            for _ in range(64):
                session.taken()
            await until(lambda: len(heard) == 1000)
    sim(15).run(main())
