"""Random play of a buyer and a seller: data, vouchers that come late, twice or never, crashes on either side before and
after each thing is stored, connections that break, a payer who takes his free money out, back-ups that are put back.

Invariants are looked at after every step. The seed is printed by a failure.
"""

from __future__ import annotations

import copy
from random import Random

import pytest

from wildbach.protocol.tron.address import Address
from wildbach.services.pay.ledger.buying import Buying
from wildbach.services.pay.ledger.seams import Reserve, Standing
from wildbach.services.pay.ledger.selling import Selling
from wildbach.services.pay.ledger.terms import CREDIT, FIRST_WINDOW, LARGEST_WINDOW, UNIT, LaneId, sun

ROW = 128 << 10
PAYEES = (Address(bytes(19) + b"\1"), Address(bytes(19) + b"\2"))
PRICES = (1_000, 33_000, 500_000)
DELAY = 1000
"Seconds; the chain's clock of this play is slow."


class Play:
    def __init__(self, seed: int, *, cheats: bool, reserves: bool, steady: bool = False) -> None:
        self.rng = Random(seed)
        self.cheats = cheats
        self.steady = steady
        self.now = 1_000_000
        self.price = self.rng.choice(PRICES)
        self.dearest = self.price
        self.cheapest = self.price
        # the chain
        self.deposit = 40_000_000
        self.reserves = dict.fromkeys(PAYEES, 10000000 if reserves else 0)
        self.until = self.now + 1_000_000
        self.paid: dict[LaneId, int] = {}
        self.bounced = 0
        self.past: list[tuple[int, dict[Address, int], dict[LaneId, int], int]] = []
        "Of blocks that are not solid."
        # the seller, as it is and as the disk has it
        self.selling = Selling(FIRST_WINDOW, FIRST_WINDOW, LARGEST_WINDOW)
        self.seller_disk = copy.deepcopy(self.selling)
        # the buyer: one lane with each payee
        self.epoch = 1
        self.payee = PAYEES[0]
        self.buying = {payee: Buying(1) for payee in PAYEES}
        self.buyer_disk = copy.deepcopy(self.buying)
        self.backups = [(1, copy.deepcopy(self.buying))]
        self.signed: dict[LaneId, int] = {}
        "What was ever signed: the truth, which no crash takes back."
        # what really happened
        self.right = 0
        "Units of blocks that proved right."
        self.given = 0
        "Units that were sent while metered."
        self.lost_disks = 0
        self.wire: list[tuple[LaneId, int]] = []
        self.moved: list[tuple[int, int, Address]] = []
        "Metered bytes on their way, at a price, of the lane with a payee."
        self.accept()

    @property
    def lane(self) -> LaneId:
        return LaneId(self.payee, self.epoch)

    # -- the chain

    @property
    def standing(self) -> Standing:
        return Standing(
            self.now, self.now, self.deposit, sum(self.reserves.values()), bounced_at=self.bounced, delay=DELAY,
            reserves={payee: Reserve(amount, self.until) for payee, amount in self.reserves.items()},
            paid=dict(self.paid))

    def redeem(self) -> None:
        """In a block that is not solid: the books hear of it later, or never."""
        if not self.selling.lanes:
            return
        lane, held = self.rng.choice([*self.selling.lanes.items()])
        self.past.append((self.deposit, dict(self.reserves), dict(self.paid), self.bounced))
        want = held.total - self.paid.get(lane, 0)
        reserve = min(want, self.reserves[lane.payee])
        free = min(want - reserve, self.deposit - sum(self.reserves.values()))
        if want > reserve + free:
            self.bounced = self.now
        self.reserves[lane.payee] -= reserve
        self.deposit -= reserve + free
        self.paid[lane] = self.paid.get(lane, 0) + reserve + free
        if self.rng.random() < 0.2:
            self.deposit, self.reserves, self.paid, self.bounced = self.past.pop()  # a reorganisation
        for one, paid in self.paid.items():
            self.selling.redeem(one, paid)
            self.seller_disk.redeem(one, paid)

    def drain(self) -> None:
        """The payer redeems his free money to himself."""
        if self.cheats:
            self.deposit = sum(self.reserves.values())

    # -- both

    def accept(self) -> None:
        """A connection begins: the newest voucher again, and what was lost with the last one. It is about one torrent,
        which has its own payee and price.
        """
        self.moved.clear()
        if not self.steady:
            self.payee = self.rng.choice(PAYEES)
            if self.rng.random() < 0.2:
                self.price = self.rng.choice(PRICES)
                self.dearest, self.cheapest = max(self.dearest, self.price), min(self.cheapest, self.price)
        books = self.buying[self.payee]
        if not self.selling.opens(self.lane):
            return
        self.selling.accept(self.lane, books.bytes_owed)
        if books.signed:
            self.signed[self.lane] = max(books.signed, self.signed.get(self.lane, 0))
            self.wire.append((self.lane, books.signed))
        if self.rng.random() < 0.9:
            self.show()

    def show(self) -> None:
        """The seller shows what he holds."""
        lane = self.selling.lanes.get(self.lane)
        if lane is not None and lane.total and self.buying[self.payee].shown(lane.total):
            self.restored()

    def give(self) -> None:
        if self.selling.epoch > self.epoch or self.lane not in self.selling.lanes:
            return
        if self.selling.refuses(self.standing, self.price, self.payee) is not None:
            return
        size = self.rng.randint(1, ROW)
        self.selling.bill(size, self.price, self.lane)
        self.given += size * self.price
        self.moved.append((size, self.price, self.payee))

    def verify(self) -> None:
        if self.moved:
            size, price, payee = self.moved.pop(0)
            if self.cheats and self.rng.random() < 0.3:
                return  # it says that it never came
            self.buying[payee].verified(size, price, self.now)
            self.right += size * price

    def pay(self) -> None:
        books = self.buying[self.payee]
        if not books.due(self.selling.window, self.price, self.now, asked=self.selling.due(self.price)):
            return
        if self.cheats and self.rng.random() < 0.2:
            return
        total = books.total
        if total <= self.signed.get(self.lane, 0):
            self.restored()  # the wallet's counters know of more
            return
        books.sign(total)
        self.buyer_disk = copy.deepcopy(self.buying)
        self.signed[self.lane] = max(total, self.signed.get(self.lane, 0))
        if self.rng.random() < 0.05:
            self.crash_buyer()
            return
        self.wire.append((self.lane, total))

    def hear(self) -> None:
        if not self.wire:
            return
        at = self.rng.randrange(len(self.wire))
        lane, total = self.wire[at] if self.rng.random() < 0.2 else self.wire.pop(at)
        if not self.selling.better(lane, total):
            return
        if self.rng.random() < 0.05:
            self.crash_seller()
            return  # nothing was stored, and nothing counts
        self.selling.count(lane, total, b"s", self.price)
        self.selling.redeem(lane, self.paid.get(lane, 0))
        self.seller_disk = copy.deepcopy(self.selling)

    def crash_buyer(self) -> None:
        self.buying = copy.deepcopy(self.buyer_disk)
        self.accept()

    def crash_seller(self) -> None:
        self.selling = copy.deepcopy(self.seller_disk)
        self.accept()

    def lose_seller(self) -> None:
        """His disk is gone: what he holds is what buyers show him again."""
        self.lost_disks += 1
        self.selling = Selling(FIRST_WINDOW, FIRST_WINDOW, LARGEST_WINDOW)
        self.seller_disk = copy.deepcopy(self.selling)
        self.accept()

    def break_off(self) -> None:
        self.accept()

    def back_up(self) -> None:
        self.backups.append((self.epoch, copy.deepcopy(self.buyer_disk)))

    def put_back(self) -> None:
        """A back-up of the buyer, or a copy of his data directory goes on: the mirror of its counters may tell, else
        the seller's ack does, else the wallet refuses to sign less than before.
        """
        self.epoch, buying = self.rng.choice(self.backups)
        self.buying = copy.deepcopy(buying)
        self.buyer_disk = copy.deepcopy(buying)
        older = any(books.signed < self.signed.get(LaneId(payee, self.epoch), 0) for payee, books in buying.items())
        if older and self.rng.random() < 0.5:
            self.restored()
        else:
            self.accept()

    def restored(self) -> None:
        known = (*self.signed, *self.selling.lanes)
        self.epoch = max(self.epoch, *(lane.epoch for lane in known)) + 1
        self.buying = {payee: Buying(self.epoch) for payee in PAYEES}
        self.buyer_disk = copy.deepcopy(self.buying)
        self.accept()

    def wait(self) -> None:
        self.now += self.rng.randint(1, 20)

    # -- what always holds

    def check(self) -> None:
        selling, disk = self.selling, self.seller_disk
        window = selling.window * self.dearest
        # The seller goes on to the window at most, and a row beyond it.
        assert selling.debt <= window + ROW * self.dearest
        # What counts is on the disk.
        assert {one: lane.total for one, lane in selling.lanes.items() if lane.total} == {
            one: lane.total for one, lane in disk.lanes.items() if lane.total}
        # Nothing is counted that was not signed.
        assert all(lane.total <= self.signed.get(one, 0) for one, lane in selling.lanes.items())
        # Nobody pays for what did not prove right: a SUN of rounding for each lane.
        assert sum(self.signed.values()) * UNIT < self.right + UNIT * max(1, len(self.signed))
        # Credit stays credit: what is held beyond what is reserved.
        most = min(sun(selling.first * self.dearest) + selling.redeemed, CREDIT)
        beyond = sum(max(0, selling.held_of(payee) - self.reserves[payee]) for payee in PAYEES)
        assert beyond <= most + sun(window + ROW * self.dearest)
        # Written off is little, and nothing for who never paid.
        assert selling.off <= max(selling.bytes_billed // 50, selling.first) * self.dearest // self.cheapest
        assert selling.paid or not selling.off
        assert self.deposit >= 0 and min(self.reserves.values()) >= 0

    def run(self, steps: int) -> None:
        acts = [
            (self.give, 40), (self.verify, 40), (self.pay, 20), (self.hear, 20), (self.wait, 5), (self.break_off, 1),
            (self.crash_buyer, 0.5), (self.crash_seller, 0.5), (self.redeem, 1), (self.back_up, 0.3),
            (self.put_back, 0.1), (self.drain, 0.2), (self.lose_seller, 0.05), (self.show, 1),
        ]
        done, weights = zip(*acts, strict=True)
        for act in self.rng.choices(done, weights, k=steps):
            act()
            self.check()


@pytest.mark.parametrize("reserves", [True, False])
@pytest.mark.parametrize("cheats", [True, False])
@pytest.mark.parametrize("seed", range(6))
def test_random_play(seed: int, cheats: bool, reserves: bool) -> None:
    Play(seed, cheats=cheats, reserves=reserves).run(4000)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 110))
def test_a_hundred_thousand_steps_of_random_play(seed: int) -> None:
    Play(seed, cheats=bool(seed % 2), reserves=bool(seed % 3)).run(10_000)


@pytest.mark.parametrize("seed", range(8))
def test_honest_pairs_do_not_drift_into_a_pause(seed: int) -> None:
    """Connections break, and what was on its way is lost, up to a few round trips' worth; both go on all the same."""
    play = Play(seed, cheats=False, reserves=True, steady=True)
    play.deposit = 1 << 51
    play.reserves = dict.fromkeys(PAYEES, 1 << 50)
    broken = 0
    for _ in range(300):
        for _ in range(play.rng.randint(1, 40)):
            if sum(size for size, _, _ in play.moved) < 2 * ROW:
                play.give()
            if play.rng.random() < 0.9:
                play.verify()
        play.pay()
        while play.wire:
            play.hear()
        if play.rng.random() < 0.05:
            broken += bool(play.moved)
            play.break_off()
        play.now += 6
    for _ in range(10):
        while play.moved:
            play.verify()
        play.now += 6
        play.pay()
        while play.wire:
            play.hear()
    assert broken > 3 and play.selling.refuses(play.standing, play.price, play.payee) is None
    assert play.selling.debt <= max(2 * ROW * play.price, play.selling.window * play.price // 2)
