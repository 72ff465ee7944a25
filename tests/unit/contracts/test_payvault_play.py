"""Any play of payers, payees and strangers on the vault, beside a second telling of its rules in Python.

After each step all that can be asked of the vault is what the rules say, on both machines.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.vaultbed import DAY, DELAY, HOT, HOT2, RICH, TRX, VAULT, A, B, Bed, C, N, S

from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.keys import SecretKey
from wildbach.protocol.tron.typed import Voucher
from wildbach.services.chain import vault

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


class Play(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.bed, self.rules = Bed(deposit=0), Rules()

    def step(self, good: bool, who: Address, call: vault.Call) -> None:
        assert self.bed.call(who, call) is good, self.bed.why

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

    @rule(payer=st.sampled_from(PAYERS), payee=st.sampled_from(PAYEES), amount=AMOUNTS, days=st.integers(-1, 30))
    def reserve(self, payer: Address, payee: Address, amount: int, days: int) -> None:
        until = self.bed.now + days * DAY
        good = self.rules.reserve(self.bed.now, payer, payee, amount, until)
        self.step(good, payer, vault.reserve(payee, amount, until))

    @rule(payer=st.sampled_from(PAYERS), payee=st.sampled_from(PAYEES))
    def release(self, payer: Address, payee: Address) -> None:
        over = self.bed.now >= self.rules.reservation(payer, payee).until
        self.step(over and self.rules.give_back(payer, payee), payer, vault.release(payee))

    @rule(payer=st.sampled_from(PAYERS), payee=st.sampled_from(PAYEES))
    def waive(self, payer: Address, payee: Address) -> None:
        self.step(self.rules.give_back(payer, payee), payee, vault.waive(payer))

    @rule(payer=st.sampled_from(PAYERS), amount=AMOUNTS)
    def request(self, payer: Address, amount: int) -> None:
        self.step(True, payer, vault.request_withdraw(amount))
        self.rules.payers[payer] = replace(self.rules.payers[payer], asked=amount, asked_at=self.bed.now)

    @rule(payer=st.sampled_from(PAYERS))
    def withdraw(self, payer: Address) -> None:
        self.step(self.rules.withdraw(self.bed.now, payer), payer, vault.withdraw())

    def signed(
        self, payer: Address, payee: Address, epoch: int, more: int, key: SecretKey,
    ) -> vault.SignedVoucher:
        paid = self.rules.paid.get((payer, payee, epoch), 0)
        made = Voucher(payer, payee, epoch, max(0, paid + more))
        return vault.SignedVoucher(made, key.sign(made.digest(self.bed.domain)))

    VOUCHER = st.tuples(
        st.sampled_from(PAYERS), st.sampled_from(PAYEES), st.sampled_from(EPOCHS), st.integers(-TRX, 9 * TRX),
        st.sampled_from(KEYS))

    @rule(what=VOUCHER)
    def redeem(self, what: tuple[Address, Address, int, int, SecretKey]) -> None:
        one = self.signed(*what)
        out = self.rules.redeem(self.bed.now, one.voucher, what[-1].address)
        self.step(out > 0, N, vault.redeem(one))

    @rule(what=st.lists(VOUCHER, min_size=1, max_size=4))
    def redeem_many(self, what: list[tuple[Address, Address, int, int, SecretKey]]) -> None:
        vouchers = [self.signed(*one) for one in what]
        paid = [self.rules.redeem(self.bed.now, one.voucher, key.address)
                for one, (*_, key) in zip(vouchers, what, strict=True)]
        self.step(True, N, vault.redeem_many(vouchers))
        assert self.bed.named().count("Skipped") == paid.count(0)

    @rule(payee=st.sampled_from(PAYEES))
    def claim(self, payee: Address) -> None:
        out = self.rules.credit[payee]
        self.step(out > 0, N, vault.claim(payee))
        self.rules.credit[payee] = 0
        self.rules.gone[payee] += out

    @rule(hours=st.sampled_from([1, 12, 24, 72, 168, 336, 800]))
    def wait(self, hours: int) -> None:
        self.bed.wait(hours * 3600)

    @invariant()
    def all_that_is_asked_is_what_the_rules_say(self) -> None:
        bed, rules = self.bed, self.rules
        for payer in PAYERS:
            assert bed.payer(payer) == rules.payers[payer]
            for key in KEYS:
                assert bed.ask(vault.signer(payer, key.address)).end == rules.signers.get((payer, key.address), 0)
            for payee in PAYEES:
                assert bed.reserved(payee, payer) == rules.reservation(payer, payee)
                for epoch in EPOCHS:
                    paid = bed.ask(vault.paid(vault.lane_id(payer, payee, epoch)))
                    assert paid == rules.paid.get((payer, payee, epoch), 0)
        for payee in PAYEES:
            assert bed.credit(payee) == rules.credit[payee]
        for who, gone in rules.gone.items():
            assert bed.evm.balance(who) == RICH + gone

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


TestPlay = Play.TestCase
TestPlay.settings = settings(max_examples=15, stateful_step_count=30)
TestGrip = Grip.TestCase
TestGrip.settings = settings(max_examples=20, stateful_step_count=20)
