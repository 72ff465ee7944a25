"""Any play of payers, payees and strangers on the vault, beside a second telling of its rules in Python.

After each step all that can be asked of the vault is what the rules say, on both machines.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field, replace
from typing import get_args

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.vaultbed import DAY, DELAY, HOT, HOT2, RICH, TRX, VAULT, A, B, Bed, C, N, S

from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.keys import SecretKey
from wildbach.protocol.tron.typed import Voucher
from wildbach.services.chain import vault
from wildbach.services.chain.vaultevents import VaultEvent

PAYERS = (A, B)
PAYEES = (S, C, A)
EPOCHS = (1, 2)
KEYS = (HOT, HOT2)
AMOUNTS = st.integers(0, 9 * TRX)
NOTHING = vault.Payer(0, 0, 0, 0, 0)
Lane = tuple[Address, Address, int]


@dataclass
class Rules:
    """The vault as docs/vault.md tells it. What is refused changes nothing."""

    payers: dict[Address, vault.Payer] = field(default_factory=lambda: dict.fromkeys(PAYERS, NOTHING))
    signers: dict[tuple[Address, Address], int] = field(default_factory=dict)
    reservations: dict[tuple[Address, Address], vault.Reservation] = field(default_factory=dict)
    paid: dict[Lane, int] = field(default_factory=dict)
    credit: dict[Address, int] = field(default_factory=lambda: dict.fromkeys(PAYEES, 0))
    deposited: int = 0
    gone: dict[Address, int] = field(default_factory=lambda: dict.fromkeys((*PAYERS, *PAYEES), 0))

    def reservation(self, payer: Address, payee: Address) -> vault.Reservation:
        return self.reservations.get((payer, payee), vault.Reservation(0, 0, 0))

    def reserve(self, now: int, payer: Address, payee: Address, amount: int, until: int) -> bool:
        old, state = self.reservation(payer, payee), self.payers[payer]
        if not now < until <= now + 366 * DAY or (old.amount and until < old.until) or amount > state.free:
            return False
        since = old.since if old.amount else now
        self.reservations[payer, payee] = vault.Reservation(old.amount + amount, until, since)
        self.payers[payer] = replace(state, reserved=state.reserved + amount)
        return True

    def give_back(self, payer: Address, payee: Address) -> bool:
        old, state = self.reservation(payer, payee), self.payers[payer]
        if not old.amount:
            return False
        self.reservations[payer, payee] = replace(old, amount=0, until=0)
        self.payers[payer] = replace(state, reserved=state.reserved - old.amount)
        return True

    def withdraw(self, now: int, payer: Address) -> bool:
        state = self.payers[payer]
        if not state.asked or not state.asked_at + DELAY <= now < state.asked_at + 2 * DELAY:
            return False
        out = min(state.asked, state.free)
        self.payers[payer] = replace(state, asked=0, balance=state.balance - out)
        self.gone[payer] += out
        return True

    def redeem(self, now: int, voucher: Voucher, key: Address) -> int:
        payer, payee, lane = voucher.payer, voucher.payee, (voucher.payer, voucher.payee, voucher.epoch)
        state, reserved = self.payers[payer], self.reservation(payer, payee)
        end, want = self.signers.get((payer, key), 0), voucher.cumulative - self.paid.get(lane, 0)
        covered = reserved.amount if now < end or (now < reserved.until and reserved.since < end) else 0
        out = min(want, covered + (state.free if now < end else 0))
        if out <= 0:
            return 0
        drawn = min(out, reserved.amount)
        self.reservations[payer, payee] = replace(reserved, amount=reserved.amount - drawn)
        bounced = now if out < want and now < end else state.bounced_at
        self.payers[payer] = replace(
            state, balance=state.balance - out, reserved=state.reserved - drawn, bounced_at=bounced)
        self.paid[lane] = self.paid.get(lane, 0) + out
        self.credit[payee] += out
        return out


WHICH = st.integers(0, 99)
EDGE = st.sampled_from([-1, 0, 1])
VOUCHER = st.tuples(
    st.sampled_from(PAYERS), st.sampled_from(PAYEES), st.sampled_from(EPOCHS), st.integers(-TRX, 15 * TRX),
    st.sampled_from(KEYS))
Wanted = tuple[Address, Address, int, int, SecretKey]


class Play(RuleBasedStateMachine):
    """`which` picks among what is there; one in five picks among all, so that what is refused is played too."""

    def __init__(self) -> None:
        super().__init__()
        self.bed, self.rules = Bed(deposit=0), Rules()
        self.touched: list[tuple[Address, Address]] = []
        self.met: Counter[tuple[str, bool]] = Counter()

    def step(self, good: bool, who: Address, call: vault.Call, *pairs: tuple[Address, Address]) -> None:
        """`pairs`: payers and payees whom it may change."""
        assert self.bed.call(who, call) is good, self.bed.why
        self.touched += pairs or [(who, S)]
        self.met.update((name, True) for name in self.bed.named())
        if not good:
            self.met[self.bed.why, False] += 1

    def pair(self, which: int) -> tuple[Address, Address]:
        pairs = [pair for pair, held in self.rules.reservations.items() if held.amount]
        if not pairs or not which % 5:
            pairs = [(payer, payee) for payer in PAYERS for payee in PAYEES]
        return pairs[which // 5 % len(pairs)]

    def until(self, time: int) -> None:
        self.bed.evm.now = max(self.bed.now, time)

    @initialize()
    def begin(self) -> None:
        for payer in PAYERS:
            self.deposit(payer, 20 * TRX)
            self.add(payer, HOT)

    @rule(payer=st.sampled_from(PAYERS), amount=st.integers(1, 30 * TRX))
    def deposit(self, payer: Address, amount: int) -> None:
        self.step(True, payer, vault.deposit(amount))
        state = self.rules.payers[payer]
        self.rules.payers[payer] = replace(state, balance=state.balance + amount)
        self.rules.deposited += amount
        self.rules.gone[payer] -= amount

    @rule(payer=st.sampled_from(PAYERS), key=st.sampled_from(KEYS))
    def add(self, payer: Address, key: SecretKey) -> None:
        self.step(True, payer, vault.add_signer(key.address))
        self.rules.signers[payer, key.address] = vault.ACTIVE

    @rule(payer=st.sampled_from(PAYERS), key=st.sampled_from(KEYS))
    def remove(self, payer: Address, key: SecretKey) -> None:
        good = self.rules.signers.get((payer, key.address)) == vault.ACTIVE
        self.step(good, payer, vault.remove_signer(key.address))
        if good:
            self.rules.signers[payer, key.address] = self.bed.now + DELAY

    @rule(payer=st.sampled_from(PAYERS), payee=st.sampled_from(PAYEES), amount=AMOUNTS, days=st.integers(0, 30))
    def reserve(self, payer: Address, payee: Address, amount: int, days: int) -> None:
        until = self.bed.now + days * DAY
        good = self.rules.reserve(self.bed.now, payer, payee, amount, until)
        self.step(good, payer, vault.reserve(payee, amount, until), (payer, payee))

    @rule(which=WHICH, edge=EDGE)
    def release(self, which: int, edge: int) -> None:
        payer, payee = self.pair(which)
        if which % 2:
            self.until(self.rules.reservation(payer, payee).until + edge)
        over = self.bed.now >= self.rules.reservation(payer, payee).until
        self.step(over and self.rules.give_back(payer, payee), payer, vault.release(payee), (payer, payee))

    @rule(which=WHICH)
    def waive(self, which: int) -> None:
        payer, payee = self.pair(which)
        self.step(self.rules.give_back(payer, payee), payee, vault.waive(payer), (payer, payee))

    @rule(payer=st.sampled_from(PAYERS), amount=AMOUNTS)
    def request(self, payer: Address, amount: int) -> None:
        self.step(True, payer, vault.request_withdraw(amount))
        self.rules.payers[payer] = replace(self.rules.payers[payer], asked=amount, asked_at=self.bed.now)

    @rule(payer=st.sampled_from(PAYERS), delays=st.integers(0, 2), edge=EDGE)
    def withdraw(self, payer: Address, delays: int, edge: int) -> None:
        self.until(self.rules.payers[payer].asked_at + delays * DELAY + edge)
        self.step(self.rules.withdraw(self.bed.now, payer), payer, vault.withdraw())

    def signed(self, wanted: Wanted) -> vault.SignedVoucher:
        payer, payee, epoch, more, key = wanted
        made = Voucher(payer, payee, epoch, max(0, self.rules.paid.get((payer, payee, epoch), 0) + more))
        return vault.SignedVoucher(made, key.sign(made.digest(self.bed.domain)))

    @rule(wanted=VOUCHER, which=WHICH)
    def redeem(self, wanted: Wanted, which: int) -> None:
        if which % 2:
            wanted = (*self.pair(which), *wanted[2:])
        one = self.signed(wanted)
        out = self.rules.redeem(self.bed.now, one.voucher, wanted[-1].address)
        self.step(out > 0, N, vault.redeem(one), wanted[:2])

    @rule(wanted=VOUCHER, which=WHICH, edge=EDGE)
    def redeem_at_the_end_of_a_signer(self, wanted: Wanted, which: int, edge: int) -> None:
        end = self.rules.signers.get((wanted[0], wanted[-1].address), 0)
        if end != vault.ACTIVE:
            self.until(end + edge)
        self.redeem(wanted, which)

    @rule(wanted=st.lists(VOUCHER, min_size=1, max_size=4))
    def redeem_many(self, wanted: list[Wanted]) -> None:
        vouchers = [self.signed(one) for one in wanted]
        paid = [self.rules.redeem(self.bed.now, voucher.voucher, one[-1].address)
                for voucher, one in zip(vouchers, wanted, strict=True)]
        self.step(True, N, vault.redeem_many(vouchers), *(one[:2] for one in wanted))
        assert self.bed.named().count("Skipped") == paid.count(0)

    @rule(payee=st.sampled_from(PAYEES))
    def claim(self, payee: Address) -> None:
        out = self.rules.credit[payee]
        self.step(out > 0, N, vault.claim(payee), (A, payee))
        self.rules.credit[payee] = 0
        self.rules.gone[payee] += out

    @rule(hours=st.sampled_from([1, 24, 72, 168]))
    def wait(self, hours: int) -> None:
        self.bed.wait(hours * 3600)

    @invariant()
    def all_that_is_asked_is_what_the_rules_say(self) -> None:
        self.holds(self.touched)
        self.touched = []

    def holds(self, pairs: list[tuple[Address, Address]]) -> None:
        bed, rules = self.bed, self.rules
        for payer, payee in dict.fromkeys(pairs):
            assert bed.payer(payer) == rules.payers[payer]
            assert bed.reserved(payee, payer) == rules.reservation(payer, payee)
            for key in KEYS:
                assert bed.ask(vault.signer(payer, key.address)).end == rules.signers.get((payer, key.address), 0)
            for epoch in EPOCHS:
                paid = bed.ask(vault.paid(vault.lane_id(payer, payee, epoch)))
                assert paid == rules.paid.get((payer, payee, epoch), 0)
            assert bed.credit(payee) == rules.credit[payee]
            for who in (payer, payee):
                assert bed.evm.balance(who) == RICH + rules.gone[who]

    @invariant()
    def the_books_are_kept(self) -> None:
        """What the vault has is what came less what went, and all of it is somebody's. (That the vault says the same as
        the rules was shown just before.)
        """
        rules, had = self.rules, self.bed.evm.balance(VAULT)
        assert had == sum(state.balance for state in rules.payers.values()) + sum(rules.credit.values())
        assert had == -sum(rules.gone.values())
        assert sum(rules.paid.values()) <= rules.deposited
        for payer, state in rules.payers.items():
            assert state.reserved == sum(rules.reservation(payer, payee).amount for payee in PAYEES) <= state.balance

    def teardown(self) -> None:
        """Nothing changed that no step should have."""
        self.holds([(payer, payee) for payer in PAYERS for payee in PAYEES])


class Grip(RuleBasedStateMachine):
    """S has a reservation and a voucher for all of it. The payer, his keys and anybody else do what they like, with
    data of any kind; S waits until the last second, and is paid in full.
    """

    AMOUNT = 10 * TRX

    def __init__(self) -> None:
        super().__init__()
        self.bed = Bed()
        self.until = self.bed.now + 40 * DAY
        assert self.bed.call(A, vault.reserve(S, self.AMOUNT, self.until))
        self.held = self.bed.voucher(HOT, S, self.AMOUNT)
        self.paid = 0

    CALLS = st.one_of(
        st.builds(vault.remove_signer, st.just(HOT.address)), st.builds(vault.add_signer, st.just(HOT2.address)),
        st.builds(vault.reserve, st.sampled_from([S, C, A]), AMOUNTS, st.integers(1_700_000_000, 1_740_000_000)),
        st.builds(vault.release, st.sampled_from([S, C])), st.builds(vault.request_withdraw, st.integers(0, 90 * TRX)),
        st.just(vault.withdraw()), st.builds(vault.deposit, st.integers(1, TRX)), st.just(vault.claim(S)),
        st.builds(vault.Call, st.binary(max_size=80)), st.just(vault.waive(A)), st.just(vault.waive(S)),
    )

    @rule(who=st.sampled_from([A, B, C, N]), call=CALLS)
    def anything(self, who: Address, call: vault.Call) -> None:
        self.bed.call(who, call)

    @rule(key=st.sampled_from(KEYS), payee=st.sampled_from([A, C]), total=st.integers(1, 99 * TRX))
    def pays_others(self, key: SecretKey, payee: Address, total: int) -> None:
        self.bed.redeem(key, payee, total)

    @rule(hours=st.sampled_from([1, 24, 168, 170]))
    def wait(self, hours: int) -> None:
        self.bed.evm.now = min(self.bed.now + hours * 3600, self.until - 1)

    @invariant()
    def the_reservation_holds(self) -> None:
        assert self.bed.reserved(S).amount >= self.AMOUNT and self.bed.reserved(S).until >= self.until

    def teardown(self) -> None:
        self.bed.evm.now = self.until - 1
        before = self.bed.evm.balance(S)
        assert self.bed.call(N, vault.redeem(self.held)), self.bed.why
        assert self.bed.call(N, vault.claim(S)) and self.bed.evm.balance(S) == before + self.AMOUNT


@pytest.mark.parametrize("seed", [1, 2])
def test_long_plays_that_meet_everything(seed: int) -> None:
    """Hypothesis keeps its plays simple; these go on for months, and nothing that can happen is left out."""
    rng, play = random.Random(seed), Play()
    play.begin()
    for _ in range(400):
        payer, key, which, edge = rng.choice(PAYERS), rng.choice(KEYS), rng.randrange(100), rng.choice([-1, 0, 1])
        wanted = [(
            rng.choice(PAYERS), rng.choice(PAYEES), rng.choice(EPOCHS), rng.randrange(-TRX, 15 * TRX), rng.choice(KEYS),
        ) for _ in range(rng.randrange(1, 4))]
        match rng.randrange(14):
            case 0:
                play.deposit(payer, rng.randrange(1, 20 * TRX))
            case 1:
                play.redeem((payer, *wanted[0][1:3], 15 * TRX, HOT), 0)
            case 2:
                play.add(payer, key)
            case 3:
                play.remove(payer, key)
            case 4 | 5:
                play.reserve(payer, rng.choice(PAYEES), rng.randrange(9 * TRX), rng.randrange(31))
            case 6:
                play.release(which, edge)
            case 7:
                play.waive(which)
            case 8:
                play.request(payer, rng.randrange(9 * TRX))
                if which % 2:
                    play.withdraw(payer, rng.randrange(3), edge)
            case 9:
                play.withdraw(payer, 1, 0)
            case 10:
                play.redeem(wanted[0], which)
            case 11:
                play.redeem_at_the_end_of_a_signer(wanted[0], which, edge)
            case 12:
                play.redeem_many(wanted)
            case _:
                play.claim(rng.choice(PAYEES))
                play.wait(rng.choice([1, 24]))
        play.all_that_is_asked_is_what_the_rules_say()
        play.the_books_are_kept()
    play.teardown()
    assert {name for name, good in play.met if good} == {kind.__name__ for kind in get_args(VaultEvent)}
    assert {name for name, good in play.met if not good} == {
        "not active", "until", "over-reserved", "too early", "lapsed", "nothing", "bad sig", "stale", "signer removed",
        "no funds"}


TestPlay = Play.TestCase
TestPlay.settings = settings(max_examples=20, stateful_step_count=30)
TestGrip = Grip.TestCase
TestGrip.settings = settings(max_examples=20, stateful_step_count=20)
