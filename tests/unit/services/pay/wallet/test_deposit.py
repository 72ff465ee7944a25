"""Whatever happens to a data directory, what left a wallet is covered, and no day spends more than it may.

The truth is kept beside the wallet: every signature that left it, and every redeem.
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import fields, replace
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from walletbed import START, Clock
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.keys import SecretKey
from wildbach.protocol.tron.typed import Domain, Voucher
from wildbach.services.pay.wallet.counters import Counters
from wildbach.services.pay.wallet.mirror import Mirror
from wildbach.services.pay.wallet.policy import Cover, Refused, Share, SpendingLimits, Wanted
from wildbach.services.pay.wallet.signer import HotSigner
from wildbach.services.pay.wallet.store import WalletStore

PAYER = Address(b"p" * 20)
PAYEES = [Address(bytes([number]) * 20) for number in range(3)]
KEY = SecretKey(bytes([5]) * 32)
DOMAIN = Domain(5, Address(b"v" * 20))
PER_DAY = 150
DAYS = st.sampled_from([0, 0, 1])
LIMITS = replace(SpendingLimits(**{one.name: 10**9 for one in fields(SpendingLimits)}), per_day=PER_DAY)


class Deposit(RuleBasedStateMachine):
    """A buyer who signs, is restored from backups, loses his mirror or is shown his own signatures."""

    @initialize(balance=st.integers(0, 400), reserved=st.integers(0, 200))
    def begin(self, balance: int, reserved: int) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="deposit-"))
        (self.root / "data").mkdir()
        self.clock = Clock()
        self.block = 1
        self.balance = balance + reserved
        self.reservations = {PAYEES[0]: reserved}
        self.left: dict[tuple[Address, int], int] = {}
        self.paid: dict[tuple[Address, int], int] = {}
        self.days: dict[int, int] = {}
        self.backups: list[Path] = []
        self.epoch = int(START * 1000)
        self.mirrored = True
        self.open()
        self.counters.set_limits(LIMITS)

    def open(self) -> None:
        self.store = WalletStore(self.root / "data" / "wallet.db")
        self.counters = Counters(self.store, Mirror(self.root / "mirrors", PAYER, "m"), PAYER, self.clock)
        self.signer = HotSigner(KEY, PAYER, DOMAIN, self.counters, self.clock)
        self.look()

    def look(self) -> None:
        self.signer.set_cover(Cover(
            self.block, balance=self.balance, reserved=sum(self.reservations.values()),
            reservations=dict(self.reservations), paid=dict(self.paid)))

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            shutil.rmtree(self.root)

    @rule(wants=st.lists(st.tuples(st.sampled_from(PAYEES), st.integers(1, 60)), min_size=1, max_size=4), days=DAYS)
    def buy(self, wants: list[tuple[Address, int]], days: int) -> None:
        self.clock.now += days * 86_400
        for payee, amount in wants:
            self.sign(payee, amount)

    def sign(self, payee: Address, amount: int) -> None:
        """A ledger that is as old as the wallet: it goes on from what the wallet knows."""
        with self.store.look() as db:
            row = db.execute("SELECT total FROM lanes WHERE payee=? AND epoch=?", (payee.raw, self.epoch)).fetchone()
        total = (row[0] if row else 0) + amount
        try:
            self.signer.voucher(Wanted(Voucher(PAYER, payee, self.epoch, total), (Share(b"", amount),)))
        except Refused as refused:
            if refused.code in ("epoch_closed", "restored"):
                self.epoch = self.counters.usage().epoch_floor
            return
        before = self.left.get((payee, self.epoch), 0)
        assert total > before, "a lane was signed on from an older state"
        self.left[payee, self.epoch] = total
        day = int(self.clock() // 86_400)
        self.days[day] = self.days.get(day, 0) + total - before

    @precondition(lambda self: any(self.owed(lane) for lane in self.left))
    @rule(data=st.data())
    def redeem(self, data: st.DataObject) -> None:
        lane = data.draw(st.sampled_from([one for one in self.left if self.owed(one)]))
        amount = self.owed(lane)
        held = min(amount, self.reservations.get(lane[0], 0))
        free = self.balance - sum(self.reservations.values())
        out = held + min(amount - held, free)
        assert out == amount, "a voucher bounced"
        if held:
            self.reservations[lane[0]] -= held
        self.balance -= out
        self.paid[lane] = self.left[lane]
        self.block += 1
        self.look()

    def owed(self, lane: tuple[Address, int]) -> int:
        return self.left[lane] - self.paid.get(lane, 0)

    @rule()
    def restart(self) -> None:
        self.store.close()
        self.open()

    @rule()
    def back_up(self) -> None:
        self.store.close()
        self.backups.append(self.root / f"backup{len(self.backups)}")
        shutil.copytree(self.root / "data", self.backups[-1])
        self.open()

    @precondition(lambda self: self.backups)
    @rule(data=st.data(), days=DAYS)
    def put_back(self, data: st.DataObject, days: int) -> None:
        self.store.close()
        shutil.rmtree(self.root / "data")
        shutil.copytree(data.draw(st.sampled_from(self.backups)), self.root / "data")
        self.open()
        for _ in range(2):
            for payee in PAYEES:
                self.sign(payee, 50)
            self.clock.now += days * 86_400

    @precondition(lambda self: self.left)
    @rule(data=st.data())
    def be_shown(self, data: st.DataObject) -> None:
        payee, epoch = lane = data.draw(st.sampled_from(sorted(self.left)))
        voucher = Voucher(PAYER, payee, epoch, self.left[lane])
        self.signer.seen(voucher, KEY.sign(voucher.digest(DOMAIN)))

    @precondition(lambda self: not self.backups)
    @rule()
    def lose_the_mirror(self) -> None:
        """While nothing older is about: then nothing would be left that knows."""
        self.store.close()
        shutil.rmtree(self.root / "mirrors", ignore_errors=True)
        self.open()

    @invariant()
    def all_that_left_is_covered(self) -> None:
        if not hasattr(self, "left"):
            return
        out: dict[Address, int] = {}
        for payee, epoch in self.left:
            out[payee] = out.get(payee, 0) + self.owed((payee, epoch))
        free = self.balance - sum(self.reservations.values())
        assert sum(max(0, owed - self.reservations.get(payee, 0)) for payee, owed in out.items()) <= free

    @invariant()
    def no_day_spends_more_than_it_may(self) -> None:
        assert all(spent <= PER_DAY for spent in getattr(self, "days", {}).values())


TestDeposit = Deposit.TestCase
TestDeposit.settings = settings(
    max_examples=40, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck))
