"""Random play of a buyer and a seller: data, vouchers that come late, twice or never, crashes on either side before and
after each thing is stored, connections that break, a payer who takes his free money out, back-ups that are put back.

Invariants are looked at after every step. The seed is printed by a failure.
"""

from __future__ import annotations

import copy
from random import Random

import pytest

from wildbach.services.pay.ledger.buying import Buying
from wildbach.services.pay.ledger.selling import Facts, Selling
from wildbach.services.pay.ledger.terms import CREDIT, FIRST_WINDOW, LARGEST_WINDOW, UNIT, sun

ROW = 128 << 10
PRICES = (1_000, 33_000, 500_000)
DELAY = 1000
"Seconds; the chain's clock of this play is slow."


class Play:
    def __init__(self, seed: int, *, cheats: bool, reserves: bool) -> None:
        self.rng = Random(seed)
        self.cheats = cheats
        self.now = 1_000_000
        self.price = self.rng.choice(PRICES)
        # the chain
        self.deposit = 40_000_000
        self.reserved = 20_000_000 if reserves else 0
        self.until = self.now + 1_000_000
        self.paid: dict[int, int] = {}
        self.bounced = 0
        # the seller, as it is and as the disk has it
        self.selling = Selling(FIRST_WINDOW, FIRST_WINDOW, LARGEST_WINDOW)
        self.seller_disk = copy.deepcopy(self.selling)
        # the buyer
        self.buying = Buying(1)
        self.buyer_disk = copy.deepcopy(self.buying)
        self.backups = [copy.deepcopy(self.buying)]
        self.signed: dict[int, int] = {}
        "What was ever signed, by epoch: the truth, which no crash takes back."
        # what really happened
        self.right = 0
        "Units of blocks that proved right."
        self.given = 0
        "Units that were sent while metered."
        self.broken = 0
        "Units that went under."
        self.wire: list[tuple[int, int]] = []
        self.moved: list[int] = []
        "Metered bytes on their way."
        self.accept()

    # -- the chain

    @property
    def facts(self) -> Facts:
        return Facts(
            self.now, max(0, self.deposit - self.reserved), self.reserved, self.until, self.bounced, DELAY)

    def redeem(self) -> None:
        lane = self.rng.choice([*self.selling.lanes.items()]) if self.selling.lanes else None
        if lane is None:
            return
        epoch, held = lane
        want = held.total - self.paid.get(epoch, 0)
        reserve = min(want, self.reserved)
        free = min(want - reserve, self.deposit - self.reserved)
        if want > reserve + free:
            self.bounced = self.now
        self.reserved -= reserve
        self.deposit -= reserve + free
        self.paid[epoch] = self.paid.get(epoch, 0) + reserve + free
        self.selling.redeem(epoch, self.paid[epoch])
        self.seller_disk.redeem(epoch, self.paid[epoch])

    def drain(self) -> None:
        """The payer redeems his free money to himself."""
        if self.cheats:
            self.deposit = self.reserved

    # -- both

    def accept(self) -> None:
        """A connection begins: the newest voucher again, and what was lost with the last one."""
        self.broken += sum(self.moved) * self.price
        self.moved.clear()
        epoch = self.buying.epoch
        if not self.selling.opens(epoch):
            return
        self.selling.accept(epoch, self.buying.bytes_owed, self.price)
        if self.buying.signed:
            self.signed[epoch] = max(self.buying.signed, self.signed.get(epoch, 0))
            self.wire.append((epoch, self.buying.signed))
        lane = self.selling.lanes[epoch]
        if lane.total and self.buying.shown(lane.total):
            self.restored()

    def give(self) -> None:
        if self.selling.epoch != self.buying.epoch or self.selling.refuses(self.facts, self.price) is not None:
            return
        size = self.rng.randint(1, ROW)
        self.selling.bill(size, self.price, self.buying.epoch)
        self.given += size * self.price
        self.moved.append(size)

    def verify(self) -> None:
        if self.moved:
            size = self.moved.pop(0)
            if self.cheats and self.rng.random() < 0.3:
                self.broken += size * self.price
                return  # it says that it never came
            self.buying.verified(size, self.price, self.now)
            self.right += size * self.price

    def pay(self) -> None:
        if not self.buying.due(self.selling.window, self.price, self.now, asked=self.selling.due(self.price)):
            return
        if self.cheats and self.rng.random() < 0.2:
            return
        total = self.buying.total
        self.buying.sign(total)
        self.buyer_disk = copy.deepcopy(self.buying)
        if self.rng.random() < 0.05:
            self.crash_buyer()
            return
        self.signed[self.buying.epoch] = max(total, self.signed.get(self.buying.epoch, 0))
        self.wire.append((self.buying.epoch, total))

    def hear(self) -> None:
        if not self.wire:
            return
        at = self.rng.randrange(len(self.wire))
        epoch, total = self.wire[at] if self.rng.random() < 0.2 else self.wire.pop(at)
        if not self.selling.better(epoch, total):
            return
        if self.rng.random() < 0.05:
            self.crash_seller()
            return  # nothing was stored, and nothing counts
        self.selling.count(epoch, total, b"s", self.price)
        self.seller_disk = copy.deepcopy(self.selling)

    def crash_buyer(self) -> None:
        self.buying = copy.deepcopy(self.buyer_disk)
        self.accept()

    def crash_seller(self) -> None:
        self.selling = copy.deepcopy(self.seller_disk)
        self.accept()

    def break_off(self) -> None:
        self.accept()

    def back_up(self) -> None:
        self.backups.append(copy.deepcopy(self.buyer_disk))

    def put_back(self) -> None:
        """A back-up of the buyer is put back; the mirror of its counters may tell, else the seller's ack does."""
        self.buying = copy.deepcopy(self.rng.choice(self.backups))
        self.buyer_disk = copy.deepcopy(self.buying)
        if self.buying.signed < self.signed.get(self.buying.epoch, 0) and self.rng.random() < 0.5:
            self.restored()
        else:
            self.accept()

    def restored(self) -> None:
        self.buying = Buying(max(self.buying.epoch, *self.signed, *self.selling.lanes) + 1)
        self.buyer_disk = copy.deepcopy(self.buying)
        self.accept()

    def wait(self) -> None:
        self.now += self.rng.randint(1, 20)

    # -- what always holds

    def check(self) -> None:
        selling, disk = self.selling, self.seller_disk
        window = selling.window * self.price
        # The seller goes on to the window at most, and a row beyond it.
        assert selling.debt <= window + ROW * self.price
        # What counts is on the disk.
        assert {epoch: lane.total for epoch, lane in selling.lanes.items() if lane.total} == {
            epoch: lane.total for epoch, lane in disk.lanes.items() if lane.total}
        # Nothing is counted that was not signed.
        assert all(lane.total <= self.signed.get(epoch, 0) for epoch, lane in selling.lanes.items())
        # Nobody pays for what did not prove right: a SUN of rounding for each lane.
        assert sum(self.signed.values()) * UNIT < self.right + UNIT * max(1, len(self.signed))
        # Credit stays credit: what is held beyond what is reserved.
        most = min(max(sun(selling.first * self.price) + selling.redeemed, sun(selling.first * self.price)), CREDIT)
        assert selling.held - self.reserved <= most + sun(window + ROW * self.price)
        # Written off is little, and nothing for who never paid.
        assert selling.off <= max(selling.bytes_billed // 50, selling.first)
        assert selling.paid or not selling.off
        assert self.deposit >= 0 and self.reserved >= 0

    def run(self, steps: int) -> None:
        acts = [
            (self.give, 40), (self.verify, 40), (self.pay, 20), (self.hear, 20), (self.wait, 5), (self.break_off, 1),
            (self.crash_buyer, 0.5), (self.crash_seller, 0.5), (self.redeem, 1), (self.back_up, 0.3),
            (self.put_back, 0.1), (self.drain, 0.2),
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
    play = Play(seed, cheats=False, reserves=True)
    play.deposit = play.reserved = 1 << 50
    broken = 0
    for _ in range(300):
        for _ in range(play.rng.randint(1, 40)):
            if sum(play.moved) < 2 * ROW:
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
    assert broken > 3 and play.selling.refuses(play.facts, play.price) is None
    assert play.selling.debt <= max(2 * ROW * play.price, play.selling.window * play.price // 2)
