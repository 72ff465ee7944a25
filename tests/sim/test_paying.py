"""What sessions count of blocks that are bought and sold: both sides come to the same number, whatever happens."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from wildbach.base.geometry import BLOCK
from wildbach.engine.choker import Standing
from wildbach.engine.paying import Line
from wildbach.protocol import bencode
from wildbach.testing.content import content
from wildbach.testing.loop import sim
from wildbach.testing.peers import poison
from wildbach.testing.swarm import Link, Node, Swarm

TERMS: bencode.Value = {b"v": 1}


class Side:
    """Of one connection, on either side. A seller switches its meter after every so many bytes."""

    def __init__(self, line: Line, *, sells: bool, every: int, most: int) -> None:
        self.line = line
        self.sells = sells
        self.every = every
        self.price = 1
        self.most_unverified = most
        self.on = False
        self.sold = self.bought = 0
        self.until = every
        self.gone = False
        if not sells:
            line.tell(b"take")

    @property
    def paying(self) -> bool:
        return self.line.on

    @property
    def unverified(self) -> int:
        return self.line.unverified

    @property
    def unsettled(self) -> bool:
        return False

    def standing(self, now: float) -> Standing:
        return Standing.PAID if self.on else Standing.GUEST

    def received(self, payload: bytes) -> None:
        if payload == b"take":
            self.switch()
        else:
            word, at = payload.split()
            assert int(at) == self.line.received
            self.line.meter(word == b"on")

    def switch(self) -> None:
        self.on = not self.on
        self.until = self.line.sent + self.every
        self.line.tell(b"%s %d" % (b"on" if self.on else b"off", self.line.sent))

    def gave(self, size: int) -> None:
        if self.sells and (self.on or self.until > self.every):
            self.sold += size if self.on else 0
            if self.line.sent >= self.until:
                self.switch()

    def verified(self, size: int) -> None:
        self.bought += size

    def tick(self, now: float) -> None:
        pass

    def again(self) -> None:
        pass

    def over(self) -> None:
        pass

    def left(self) -> None:
        self.gone = True


class Till:
    def __init__(self, *, sells: bool, every: int = 1 << 40, most: int = 1 << 40) -> None:
        self.sells, self.every, self.most = sells, every, most
        self.sides: list[Side] = []

    def terms(self, torrent: str) -> bencode.Value | None:
        return TERMS

    def opens(self, line: Line, theirs: bencode.Value) -> Side | None:
        assert theirs == TERMS
        side = Side(line, sells=self.sells, every=self.every, most=self.most)
        self.sides.append(side)
        return side

    @property
    def sold(self) -> int:
        return sum(side.sold for side in self.sides)

    @property
    def bought(self) -> int:
        return sum(side.bought for side in self.sides)


def trading(node: Node, till: Till) -> Till:
    node.session.set_till(till)
    return till


SIZE = (3 << 20) + 12_345


@pytest.mark.parametrize("kind", ["v1", "v2", "hybrid"])
@pytest.mark.parametrize("every", [BLOCK, 100_000, 1 << 40])
def test_buyer_and_seller_count_alike_to_the_byte(kind: str, every: int) -> None:
    async def main() -> None:
        async with Swarm(content(SIZE, kind=kind)) as swarm:  # type: ignore[arg-type]  # a name of a kind
            seller = trading(await swarm.seed(Link(2e6)), Till(sells=True, every=every))
            buyer = trading(await swarm.leech(Link(2e6)), Till(sells=False))
            await swarm.finished(60)
            assert seller.sold == buyer.bought > 0
            if every > SIZE:
                # What was on its way before both had spoken was free.
                assert buyer.bought > SIZE // 2
    sim(1).run(main())


def test_two_sellers_a_guest_and_a_liar() -> None:
    """Only true blocks of sellers are owed, each once."""
    async def main() -> None:
        async with Swarm(content(SIZE, kind="v2")) as swarm:
            sellers = [trading(await swarm.seed(Link(1e6)), Till(sells=True, every=300_000)) for _ in range(2)]
            await swarm.seed(Link(5e5))
            await swarm.scripted_peer(poison(0.2), Link(1e6))
            buyer = trading(await swarm.leech(Link(0)), Till(sells=False))
            await swarm.finished(120)
            sold = sum(seller.sold for seller in sellers)
            assert 0 < buyer.bought <= sold < buyer.bought + SIZE // 4
    sim(2).run(main())


def test_what_is_unverified_stays_small() -> None:
    most = 4 * 65536

    async def main() -> None:
        async with Swarm(content(SIZE)) as swarm:
            seller = trading(await swarm.seed(Link(4e6)), Till(sells=True))
            node = await swarm.leech(Link(4e6))
            buyer = trading(node, Till(sells=False, most=most))
            seen = []

            def look(original: Callable[[int], None]) -> Callable[[int], None]:
                def verified(size: int) -> None:
                    seen.append(buyer.sides[0].line.unverified)
                    original(size)
                return verified

            while not buyer.sides:
                await swarm.sleep(0.01)
            buyer.sides[0].verified = look(buyer.sides[0].verified)  # type: ignore[method-assign]  # watched
            await swarm.finished(60)
            assert seen and max(seen) <= most and seller.sold == buyer.bought
    sim(3).run(main())


def test_who_was_there_before_is_told_and_who_pays_nothing_is_served_as_ever() -> None:
    async def main() -> None:
        async with Swarm(content(SIZE)) as swarm:
            seed = await swarm.seed(Link(1e6))
            buying, plain = await swarm.leech(Link(1e6)), await swarm.leech(Link(1e6))
            await swarm.sleep(1)
            buyer, seller = trading(buying, Till(sells=False)), trading(seed, Till(sells=True))
            await swarm.finished(60)
            assert buyer.bought and len(seller.sides) == 1 and plain.finished > 0
            seed.session.set_till(None)
    sim(4).run(main())


def test_a_connection_that_ends_before_its_pieces_verify_is_owed_what_verifies_later() -> None:
    async def main() -> None:
        async with Swarm(content(1 << 20, 1 << 20)) as swarm:
            one = await swarm.seed(Link(2e5))
            seller = trading(one, Till(sells=True))
            node = await swarm.leech(Link(1e6))
            buyer = trading(node, Till(sells=False))
            while not (buyer.sides and buyer.sides[0].line.unverified > 300_000):
                await swarm.sleep(0.1)
            before = buyer.sides[0].line.unverified
            await swarm.leave(one)
            await swarm.sleep(1)
            assert buyer.sides[0].gone and buyer.bought == 0
            other = await swarm.seed(Link(1e6))
            node.torrent.add_peers([other.endpoint])
            await swarm.finished(60)
            assert before <= buyer.bought <= seller.sold < 1 << 20
    sim(5).run(main())
