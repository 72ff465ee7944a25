"""Publishing: never over a head that was not seen, never with a number that was used, done once it is read back."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from wildbach.base.errors import NetworkError, UsageError
from wildbach.base.ids import InfoHashes
from wildbach.disk.resume import MemoryResume
from wildbach.engine.dht import Answer, ItemRefused, Stored
from wildbach.engine.heads import Heads
from wildbach.engine.publishing import HeadAhead, Publisher, Signer
from wildbach.protocol.dht.items import Item, public_key, signed
from wildbach.protocol.heads import LAST_SEQ, head_of, value_of
from wildbach.runtime.workers import Threads
from wildbach.testing.loop import sim

SECRET, NOW = bytes(range(32)), 1_800_000_000
KEY, RECOVERY = public_key(SECRET), bytes(32)
SIGNER = Signer(SECRET, RECOVERY)
ONE, TWO, THREE = (InfoHashes(bytes([number]) * 20) for number in range(3))


class OneDht:
    """A DHT that has one place. `deaf`: what is put is not kept; `silent`: so many questions get no answer."""

    def __init__(self) -> None:
        self.item: Item | None = None
        self.deaf = False
        self.silent = 0
        self.asked = 0
        self.put_cas: list[int | None] = []
        self.meanwhile: Item | None = None
        "Somebody else's, which comes right after the next put."

    async def ask(self, public_key: bytes, salt: bytes = b"") -> Answer:
        self.asked += 1
        if self.silent:
            self.silent -= 1
            raise NetworkError("no node of the DHT replied")
        return Answer(self.item, 8, 8 if self.item else 0)

    async def put(self, item: Item, *, cas: int | None = None, keep: bool = False) -> Stored:
        assert keep
        self.put_cas.append(cas)
        if self.item is not None and (self.item.seq > item.seq or (cas is not None and cas != self.item.seq)):
            raise ItemRefused("the DHT has another item")
        if not self.deaf:
            self.item = item
        if self.meanwhile is not None:
            self.item = self.meanwhile
        return Stored(item.target, 8)


class Machine:
    """A data directory and its publisher."""

    def __init__(self, dht: OneDht, store: MemoryResume | None = None) -> None:
        self.dht = dht
        self.store = store if store is not None else MemoryResume()
        self.threads = Threads(1)
        self.now = float(NOW)
        self.publisher = Publisher(dht, Heads(self.store, self.threads, lambda: self.now), lambda: self.now)

    def copy(self) -> Machine:
        """A backup of it, as it is now."""
        store = MemoryResume()
        store.keep("heads", self.store.kept("heads"))
        return Machine(self.dht, store)


def tell(story: Callable[[OneDht, Machine], Awaitable[None]]) -> None:
    async def main() -> None:
        dht = OneDht()
        await story(dht, Machine(dht))

    sim(1).run(main())


def test_the_first_has_the_time_for_a_number_and_later_ones_rise() -> None:
    async def story(dht: OneDht, one: Machine) -> None:
        first = await one.publisher.publish(SIGNER, ONE, b"s", extra={b"n": 3})
        assert (first.seq, first.nodes, first.confirmed, first.adopted) == (NOW, 8, True, None)
        assert (first.link.public_key, first.link.salt, first.link.recovery) == (KEY, b"s", RECOVERY)
        assert dht.item is not None and (head := head_of(dht.item)) is not None
        assert (head.hashes, head.recovery, head.extra) == (ONE, RECOVERY, {b"n": 3})
        one.now -= 500.0
        assert (await one.publisher.publish(SIGNER, TWO, b"s")).seq == NOW + 1
        one.now += 900.0
        assert (await one.publisher.publish(SIGNER, ONE, b"s")).seq == NOW + 400
        assert dht.put_cas == [None, NOW, NOW + 1]

    tell(story)


def test_the_same_again_is_no_news() -> None:
    async def story(dht: OneDht, one: Machine) -> None:
        first = await one.publisher.publish(SIGNER, ONE, b"")
        one.now += 50.0
        assert (await one.publisher.publish(SIGNER, ONE, b"")).seq == first.seq

    tell(story)


def test_a_head_of_another_machine_is_not_written_over_until_it_is_adopted() -> None:
    async def story(dht: OneDht, one: Machine) -> None:
        await one.publisher.publish(SIGNER, ONE, b"")
        other = Machine(dht)
        with pytest.raises(HeadAhead) as caught:
            await other.publisher.publish(SIGNER, TWO, b"")
        assert (caught.value.code, caught.value.facts["seq"], caught.value.facts["torrent"]) == (
            "head_ahead", NOW, ONE.key)
        assert dht.item is not None and dht.item.seq == NOW
        seen = await other.publisher.look(KEY, b"")
        assert (seen.seq, seen.hashes, seen.ours) == (NOW, ONE, False)
        done = await other.publisher.publish(SIGNER, TWO, b"", adopt=True)
        assert (done.seq, done.adopted) == (NOW + 1, ONE)
        # Now the first one is behind, and the second one goes on without being asked.
        with pytest.raises(HeadAhead):
            await one.publisher.publish(SIGNER, THREE, b"")
        assert (await other.publisher.publish(SIGNER, THREE, b"")).adopted is None

    tell(story)


def test_a_backup_that_was_put_back_is_refused_as_another_machine_is() -> None:
    async def story(dht: OneDht, one: Machine) -> None:
        await one.publisher.publish(SIGNER, ONE, b"")
        backup = one.copy()
        await one.publisher.publish(SIGNER, TWO, b"")
        with pytest.raises(HeadAhead):
            await backup.publisher.publish(SIGNER, THREE, b"")
        assert (await backup.publisher.publish(SIGNER, THREE, b"", adopt=True)).adopted == TWO

    tell(story)


def test_a_backup_knows_what_it_saw_where_the_dht_knows_nothing() -> None:
    async def story(dht: OneDht, one: Machine) -> None:
        one.now = NOW + 5000.0
        await one.publisher.publish(SIGNER, ONE, b"")
        dht.item = None
        backup = one.copy()
        assert (await backup.publisher.publish(SIGNER, TWO, b"")).seq == NOW + 5001

    tell(story)


def test_over_the_highest_number_nothing_can_be_published() -> None:
    async def story(dht: OneDht, one: Machine) -> None:
        dht.item = signed(SECRET, value_of(TWO), LAST_SEQ)
        with pytest.raises(HeadAhead):
            await one.publisher.publish(SIGNER, ONE, b"")
        with pytest.raises(UsageError) as caught:
            await one.publisher.publish(SIGNER, ONE, b"", adopt=True)
        assert caught.value.code == "head_exhausted"

    tell(story)


def test_where_nobody_replies_nothing_is_published() -> None:
    async def story(dht: OneDht, one: Machine) -> None:
        dht.silent = 5
        with pytest.raises(NetworkError):
            await one.publisher.publish(SIGNER, ONE, b"")
        assert dht.put_cas == [] and one.store.kept("heads") == {}

    tell(story)


def test_one_search_that_finds_nothing_is_not_believed_of_a_key_that_is_new_here() -> None:
    async def story(dht: OneDht, one: Machine) -> None:
        await one.publisher.publish(SIGNER, ONE, b"")
        assert dht.asked == 3  # two looks before, one after

    tell(story)


def test_what_is_not_given_back_is_not_confirmed() -> None:
    async def story(dht: OneDht, one: Machine) -> None:
        dht.deaf = True
        done = await one.publisher.publish(SIGNER, ONE, b"")
        assert (done.confirmed, done.nodes) == (False, 8)

    tell(story)


def test_a_look_that_fails_is_made_again() -> None:
    async def story(dht: OneDht, one: Machine) -> None:
        await one.publisher.publish(SIGNER, ONE, b"")
        done_at = dht.asked
        dht.silent = 0
        dht.meanwhile = None

        async def ask(public_key: bytes, salt: bytes = b"") -> Answer:
            dht.asked += 1
            if dht.asked == done_at + 2:
                raise NetworkError("no node of the DHT replied")
            return Answer(dht.item, 8, 8)

        dht.ask = ask  # type: ignore[method-assign]  # the second question fails
        assert (await one.publisher.publish(SIGNER, TWO, b"")).confirmed

    tell(story)


@pytest.mark.parametrize("more", [0, 1])
def test_somebody_who_writes_at_the_same_moment_is_told_of(more: int) -> None:
    async def story(dht: OneDht, one: Machine) -> None:
        dht.meanwhile = signed(SECRET, value_of(THREE), NOW + more)
        with pytest.raises(HeadAhead if more else ItemRefused):
            await one.publisher.publish(SIGNER, ONE, b"")

    tell(story)
