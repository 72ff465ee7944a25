"""Agreements of a sponsor: rules, and random play with crashes at every step."""

from __future__ import annotations

import copy
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from wildbach.base.errors import StorageError, UsageError
from wildbach.base.ids import Endpoint
from wildbach.protocol.tron.address import Address
from wildbach.services.pay.sponsor.sponsoring import (
    LEAST_PERIOD,
    MARGIN,
    Agreement,
    Look,
    Payment,
    Running,
    Sponsoring,
    network_of,
    passes,
)
from wildbach.services.pay.sponsor.store import Entry, SponsorStore

START = 1_800_000_000
PRICE = 1_000


def agreement(id_: int = 1, host: str = "9.0.0.1", **other: int) -> Agreement:
    values = {
        "rate": 100_000, "price": PRICE, "period": 3600, "periods": 10, "probes": 5, "begins": START,
        "reserved": 10 * PRICE, **other}
    return Agreement(id_, bytes(32), Address(id_.to_bytes(20, "big")), Endpoint(host, 6881), **values)


def periods(sponsoring: Sponsoring, good: list[float], rng: Random) -> None:
    """Every probe is made in time; `good`: how many of each period pass."""
    for number, share in enumerate(good):
        sponsoring.advance(START + 3600 * number)
        times = list(sponsoring.running[1].times)
        for at in times:
            look = next(one for one in sponsoring.due(at) if one.at == at)
            assert sponsoring.begin(look, at)
            sponsoring.probed(look, times.index(at) < share * len(times))
    sponsoring.advance(START + 3600 * len(good))


def test_terms_are_changed_by_another_agreement_that_ends_the_old_one() -> None:
    sponsoring = Sponsoring(Random(1))
    old = sponsoring.admit(agreement())
    old.earned = 5
    with pytest.raises(UsageError, match="another agreement"):
        sponsoring.admit(replace(agreement(2), payee=old.agreement.payee), instead_of=1)
    with pytest.raises(UsageError, match="no such agreement"):
        sponsoring.admit(agreement(2), instead_of=7)
    assert not old.over
    old.paid = 5
    new = sponsoring.admit(replace(agreement(2), payee=old.agreement.payee), instead_of=1)
    assert old.over and not new.over and list(sponsoring.running) == [1, 2]


def test_a_period_is_paid_when_four_fifths_pass() -> None:
    sponsoring = Sponsoring(Random(1))
    one = sponsoring.admit(agreement())
    periods(sponsoring, [1.0, 0.8, 0.6, 0.0], Random(1))
    assert (one.good, one.bad, one.unseen, one.earned, one.owed) == (2, 2, 0, 2 * PRICE, 2 * PRICE)
    assert [passes(5, 4), passes(5, 3), passes(0, 0), passes(1, 1)] == [True, False, False, True]


def test_times_are_random_and_lie_within_the_period_with_room_for_a_probe() -> None:
    seen = set()
    for seed in range(30):
        sponsoring = Sponsoring(Random(seed))
        one = sponsoring.admit(agreement())
        sponsoring.advance(START)
        assert len(one.times) == 5 and one.times == sorted(one.times)
        assert all(START <= at < START + 3600 - MARGIN for at in one.times)
        seen.update(at // 330 for at in one.times)
    assert len(seen) >= 10


def test_a_period_in_which_nobody_looked_is_not_paid_and_is_called_so() -> None:
    sponsoring = Sponsoring(Random(1))
    one = sponsoring.admit(agreement())
    sponsoring.advance(START)
    sponsoring.advance(START + 3 * 3600)
    assert (one.good, one.bad, one.unseen, one.earned, one.period) == (0, 0, 3, 0, 3)
    sponsoring.advance(START + 3600)
    assert one.period == 3


def test_probes_that_are_late_are_not_made_up_for() -> None:
    sponsoring = Sponsoring(Random(1))
    one = sponsoring.admit(agreement())
    sponsoring.advance(START)
    now = one.times[-1] + 200
    assert [sponsoring.begin(look, now) for look in sponsoring.due(now)] == [False] * 5
    assert not one.times and not one.made


def test_what_ends_after_its_period_counts_nowhere() -> None:
    sponsoring = Sponsoring(Random(1))
    one = sponsoring.admit(agreement())
    sponsoring.advance(START)
    look = Look(1, 0, one.times[0])
    assert sponsoring.begin(look, look.at)
    sponsoring.advance(START + 3600)
    assert sponsoring.probed(look, True) is None and one.made == 0


def test_an_agreement_costs_no_more_than_is_reserved() -> None:
    with pytest.raises(UsageError) as caught:
        agreement(reserved=10 * PRICE - 1)
    assert caught.value.code == "above_reservation"
    for wrong in ({"period": LEAST_PERIOD - 1}, {"probes": 0}, {"probes": 101}, {"rate": 0}, {"price": 0}):
        with pytest.raises(UsageError):
            agreement(**wrong)
    with pytest.raises(UsageError):
        agreement(host="example.org")


def test_one_seeder_of_a_network_is_a_setting() -> None:
    assert network_of(Endpoint("9.1.2.3", 1)) == "9.1.2.0/24" == network_of(Endpoint("::ffff:9.1.2.77", 1))
    assert network_of(Endpoint("2a00:1:2:3::4", 1)) == "2a00:1:2::/48"
    sponsoring = Sponsoring(Random(1))
    sponsoring.admit(agreement(1, "9.1.2.3"))
    with pytest.raises(UsageError) as caught:
        sponsoring.admit(agreement(2, "9.1.2.4"))
    assert caught.value.code == "network_taken"
    sponsoring.admit(replace(agreement(2, "9.1.2.4"), torrent=bytes([1]) * 32))
    sponsoring.stop(1)
    sponsoring.admit(agreement(3, "9.1.2.5"))
    open_ = Sponsoring(Random(1), one_per_network=False)
    for number in range(1, 9):
        open_.admit(agreement(number, f"9.1.2.{number}"))
    with pytest.raises(UsageError):
        open_.admit(agreement(9, "9.1.2.8"))


def test_a_payee_has_one_agreement_at_a_time() -> None:
    """A reservation is not promised twice."""
    sponsoring = Sponsoring(Random(1))
    sponsoring.admit(agreement(1, "9.1.2.3"))
    with pytest.raises(UsageError) as caught:
        sponsoring.admit(replace(agreement(2, "9.1.9.3"), payee=Address((1).to_bytes(20, "big"))))
    assert caught.value.code == "payee_taken"


def test_a_file_has_all_of_it_again(tmp_path: Path) -> None:
    store = SponsorStore(tmp_path / "sponsor.db")
    salt = store.salt
    sponsoring = Sponsoring(Random(3))
    sponsoring.admit(agreement())
    sponsoring.admit(agreement(2, "2a00:1::9"))
    periods(sponsoring, [1.0, 0.2, 1.0], Random(1))
    sponsoring.pay(1)
    entries = [Entry(1, 0, START, "passed", 5, 6), Entry(1, 0, START + 1, "slow", 7, 8)]
    store.put(list(sponsoring.running.values()), entries)
    store.close()
    store = SponsorStore(tmp_path / "sponsor.db")
    assert store.load() == list(sponsoring.running.values())
    assert store.log(1) == entries[::-1] and store.salt == salt and len(salt) == 16
    store.close()


@pytest.mark.parametrize("nonsense", [
    "agreements SET price=-5", "agreements SET payee=x'00'", "agreements SET host='there'", "running SET times='1 x'",
])
def test_a_file_that_says_nonsense_is_not_trusted(tmp_path: Path, nonsense: str) -> None:
    store = SponsorStore(tmp_path / "sponsor.db")
    store.put([Running(agreement())])
    with store._store.change() as db:
        db.execute(f"UPDATE {nonsense}")
    with pytest.raises(StorageError) as caught:
        store.load()
    assert caught.value.code == "sponsoring_damaged"
    store.close()


class Crash(Exception):
    pass


class Play:
    """A sponsor who crashes between any two steps, and a ledger in which each mark is signed for once."""

    def __init__(self, seed: int) -> None:
        self.rng = Random(seed)
        self.count = self.rng.randint(1, 12)
        self.agreement = agreement(
            periods=self.count, reserved=self.count * PRICE + self.rng.randint(0, 500),
            probes=self.rng.choice([1, 3, 5, 20]))
        self.quality = self.rng.choice([1.0, 0.9, 0.8, 0.5])
        self.disk: list[Running] = []
        self.signed: dict[bytes, int] = {}
        self.truth: dict[int, list[bool]] = {}
        "Probes that were counted on the disk, by period."
        self.sponsoring = Sponsoring(self.rng)
        self.crashes = self.rng.random() * 0.3
        self.sponsoring.admit(self.agreement)
        self.store()

    def store(self) -> None:
        self.disk = copy.deepcopy(list(self.sponsoring.running.values()))

    def maybe(self) -> None:
        if self.rng.random() < self.crashes:
            raise Crash

    def step(self, now: int) -> None:
        try:
            self._step(now)
        except Crash:
            self.sponsoring = Sponsoring(self.rng, copy.deepcopy(self.disk))

    def _step(self, now: int) -> None:
        sponsoring = self.sponsoring
        if sponsoring.advance(now):
            self.maybe()
            self.store()
            self.maybe()
        for look in sponsoring.due(now):
            made = sponsoring.begin(look, now)
            self.maybe()
            self.store()
            self.maybe()
            if made:
                good = self.rng.random() < self.quality
                self.maybe()
                if sponsoring.probed(look, good) is not None:
                    self.maybe()
                    self.store()
                    self.truth.setdefault(look.period, []).append(good)
                self.maybe()
        payment = sponsoring.pay(1)
        if payment is not None:
            self.maybe()
            self.store()
            self.maybe()
            self.sign(payment)
            self.maybe()
            sponsoring.paid(payment)
            self.maybe()
            self.store()
        self.check()

    def sign(self, payment: Payment) -> None:
        self.signed.setdefault(payment.mark(b"salt"), payment.amount)

    def check(self) -> None:
        (one,) = self.disk
        together = sum(self.signed.values())
        assert together <= self.agreement.reserved
        good = [period for period, found in self.truth.items() if passes(len(found), sum(found))]
        assert together <= PRICE * len(good)
        assert one.paid <= together and one.good + one.bad + one.unseen <= self.count
        assert one.earned == PRICE * one.good

    def run(self) -> None:
        for now in range(START - 600, START + 3600 * (self.count + 1), 60):
            self.step(now)
        self.crashes = 0.0
        self.step(START + 3600 * (self.count + 2))
        self.step(START + 3600 * (self.count + 2))
        (one,) = self.sponsoring.running.values()
        good = [period for period, found in self.truth.items() if passes(len(found), sum(found))]
        assert sum(self.signed.values()) == PRICE * len(good) == one.earned == one.paid
        assert one.good + one.bad + one.unseen == self.count


@pytest.mark.parametrize("seed", range(60))
def test_nothing_is_paid_twice_or_above_the_reservation_wherever_it_crashes(seed: int) -> None:
    Play(seed).run()


def test_a_seeder_risks_one_period() -> None:
    """Each period is payable as soon as it is over, and is paid before the next one is judged."""
    sponsoring = Sponsoring(Random(5))
    one = sponsoring.admit(agreement())
    for number in range(10):
        at = START + 3600 * number
        sponsoring.advance(at)
        assert one.earned - one.paid <= PRICE
        payment = sponsoring.pay(1)
        assert (payment is not None) == (number > 0)
        if payment is not None:
            assert payment.amount == PRICE and sponsoring.pay(1) == payment
            sponsoring.paid(payment)
        for look in [Look(1, number, when) for when in list(one.times)]:
            sponsoring.begin(look, look.at)
            sponsoring.probed(look, True)
