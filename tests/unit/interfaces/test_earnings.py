"""Vouchers of others beside what the vault has: air counts nowhere, and many payers are asked about together."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from wildbach.base.errors import NetworkError, RemoteError
from wildbach.interfaces.earnings import Earnings, counted, less_air, pays
from wildbach.protocol.tron.address import Address
from wildbach.runtime.workers import Threads
from wildbach.services.pay.ledger.seams import Reserve, Standing
from wildbach.services.pay.ledger.selling import Lane, Selling
from wildbach.services.pay.ledger.store import Ledger, Payer, Taken
from wildbach.services.pay.ledger.terms import LaneId
from wildbach.services.pay.wallet.policy import Cover

US = Address(b"u" * 20)
AIR = 10**15
LANE = LaneId(US, 7)


def who(number: int) -> Address:
    return Address(number.to_bytes(20, "big"))


def standing(balance: int, *, reserved: int = 0, ours: int = 0, block: int = 1, registered: bool = True) -> Standing:
    return Standing(
        block, 1, balance, reserved, registered=registered, reserves={US: Reserve(ours, 1 << 40)}, paid={LANE: 0})


def held(ledger: Ledger, payer: Address, total: int, at: int = 5, lane: LaneId = LANE) -> None:
    """And what is known of the payer."""
    if ledger.payer(payer) is None:
        ledger.billed([(payer, Payer(Selling(1, 1, 1, lanes={lane: Lane()}), who(99)))])
    ledger.held([Taken(payer, lane, total, b"s" * 65, bytes(31) + payer.raw[-1:], b"", at)])


@dataclass
class Vault:
    """Its answers take a turn of the loop each."""

    has: dict[Address, Standing | Exception] = field(default_factory=dict)
    at_once: int = 0
    most: int = 0

    async def standing(
        self, payer: Address, signer: Address, payees: Sequence[Address], lanes: Sequence[LaneId],
    ) -> Standing:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        for _ in range(5):
            await asyncio.sleep(0)
        self.at_once -= 1
        found = self.has[payer]
        if isinstance(found, Exception):
            raise found
        return found

    async def cover(self, *_: object) -> Cover:
        raise AssertionError("nobody asks for this")

    async def credits(self, payees: Sequence[Address]) -> dict[Address, int]:
        raise AssertionError("nobody asks for this")


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(tmp_path / "x.ledger")
    yield made
    made.close()


def ask(ledger: Ledger, vault: Vault) -> Earnings:
    async def main() -> Earnings:
        threads = Threads(1)
        try:
            earnings = Earnings(threads, lambda: 9.0)
            await earnings.ask(ledger, vault)
            return earnings
        finally:
            threads.close()

    return asyncio.run(main())


def test_what_the_vault_pays_is_what_is_reserved_for_us_and_what_is_free() -> None:
    assert pays(standing(100, reserved=60, ours=20)) == 60
    assert pays(standing(100, reserved=60, ours=20, registered=False)) == 20
    assert pays(standing(0)) == 0


def test_a_voucher_without_cover_is_held_and_earned_nowhere(ledger: Ledger) -> None:
    rich, poor, liar = who(1), who(2), who(3)
    held(ledger, rich, 500, at=5)
    held(ledger, poor, 300, at=5)
    held(ledger, poor, 450, at=100)
    held(ledger, liar, AIR, at=100)
    vault = Vault({rich: standing(1000), poor: standing(400), liar: standing(0)})
    earnings = ask(ledger, vault)
    ripe = earnings.weigh(ledger.unredeemed(), {})
    assert [(one.payer, one.worth, one.good) for one in ripe] == [(rich, 500, 500), (poor, 450, 400), (liar, AIR, 0)]
    assert less_air(ledger.since(0), ledger.earned(0), ripe)["earned"] == 900
    # The newest of a payer are those that are not covered.
    assert less_air(ledger.since(50), ledger.earned(50), ripe)["earned"] == 100
    assert counted(Selling(1, 1, 1, lanes={LANE: Lane(AIR, b"", 70)}), 30) == (100, 30)


def test_of_two_lanes_of_a_payer_what_he_has_counts_once_and_what_was_heard_last_counts(ledger: Ledger) -> None:
    payer = who(1)
    held(ledger, payer, 300)
    held(ledger, payer, 200, lane=LaneId(US, 8))
    earnings = ask(ledger, Vault({payer: standing(400)}))
    assert [one.good for one in earnings.weigh(ledger.unredeemed(), {})] == [300, 100]
    heard = {payer: standing(450, block=2)}
    assert [one.good for one in earnings.weigh(ledger.unredeemed(), heard)] == [300, 150]
    heard = {payer: standing(1000, block=0)}
    assert sum(one.good for one in earnings.weigh(ledger.unredeemed(), heard)) == 400


def test_nobody_was_asked_yet(ledger: Ledger) -> None:
    held(ledger, who(1), 300)
    threads = Threads(1)
    assert [one.good for one in Earnings(threads, lambda: 0.0).weigh(ledger.unredeemed(), {})] == [0]
    threads.close()


def test_many_payers_are_asked_about_some_at_a_time_and_one_in_trouble_keeps_no_other(ledger: Ledger) -> None:
    for number in range(1, 31):
        held(ledger, who(number), 10 * number)
    has: dict[Address, Standing | Exception] = {who(number): standing(1000) for number in range(1, 31)}
    has[who(30)] = RemoteError("odd")
    vault = Vault(has)
    earnings = ask(ledger, vault)
    assert 2 <= vault.most <= 8
    assert len(earnings.known) == 29 and earnings.good(who(29)) == 1000 and earnings.good(who(30)) == 0


def test_where_nobody_answers_that_is_said_and_what_was_known_stays(ledger: Ledger) -> None:
    held(ledger, who(1), 300)
    with pytest.raises(NetworkError):
        ask(ledger, Vault({who(1): NetworkError("away")}))


def test_sums_of_a_time_read_no_row_before_it(ledger: Ledger) -> None:
    held(ledger, who(1), 300)
    with ledger._store.look() as db:
        for query in ("SELECT debit, sum(amount) FROM rows WHERE at >= ? GROUP BY debit",
                      "SELECT party, sum(amount) FROM rows WHERE at >= ? AND credit='earned' GROUP BY party"):
            plan = " ".join(str(row[3]) for row in db.execute(f"EXPLAIN QUERY PLAN {query}", (5,)).fetchall())
            assert "SEARCH rows USING COVERING INDEX rows_by_time (at>?)" in plan
