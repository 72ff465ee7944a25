"""Transactions on their way: written down first, the same bytes again, and only solid blocks decide."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from walletbed import Clock, HandChain, story
from wildbach.base import limits
from wildbach.base.errors import NetworkError, StorageError, UsageError
from wildbach.protocol.tron import transaction
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.keys import SecretKey
from wildbach.protocol.tron.transaction import CreateContract, RawTransaction, Transfer, TriggerContract
from wildbach.runtime.workers import Threads
from wildbach.services.pay.wallet.sending import Send, Sends, Signed
from wildbach.services.pay.wallet.store import WalletStore

KEY, OTHER = SecretKey(bytes([5]) * 32), SecretKey(bytes([6]) * 32)
TO = Address(b"t" * 20)


class Bed:
    def __init__(self, root: Path) -> None:
        self.path = root / "wallet.db"
        self.clock = Clock()
        self.chain = HandChain(self.clock, balances={KEY.address: 10_000_000})
        self.threads = Threads(1)
        self.store = WalletStore(self.path)
        self.sends = Sends(self.store, self.threads, self.clock)

    def again(self) -> Sends:
        """After a crash: only the file is left."""
        self.store.close()
        self.store = WalletStore(self.path)
        self.sends = Sends(self.store, self.threads, self.clock)
        return self.sends

    def signed(self, key: str = "one", amount: int = 1_000_000, lasts: float = 60.0, signer: SecretKey = KEY) -> Signed:
        at = int(self.clock() * 1000)
        raw = RawTransaction(
            b"ab", b"12345678", at + int(lasts * 1000), Transfer(KEY.address, TO, amount), at)
        return Signed(key, "cold", "transfer", raw, signer.sign(raw.txid))

    async def poll(self) -> list[Send]:
        return await self.sends.poll(self.chain)

    def state(self, key: str = "one") -> str:
        found = self.sends.get(key)
        assert found is not None
        return found.state

    def close(self) -> None:
        self.store.close()
        self.threads.close()


@pytest.fixture
def bed(tmp_path: Path) -> Iterator[Bed]:
    made = Bed(tmp_path)
    yield made
    made.close()


@story
async def test_a_transfer_is_prepared_pending_and_confirmed_when_it_is_solid(bed: Bed) -> None:
    (sent,) = bed.sends.record([bed.signed()])
    assert sent.state == "prepared" and sent.amount == 1_000_000 and sent.recipient == TO and sent.open
    assert bed.chain.heard == []
    assert [one.state for one in await bed.poll()] == ["pending"]
    assert bed.chain.heard == [transaction.signed(sent.encoded, sent.signature)]
    assert await bed.poll() == []
    bed.chain.solidify()
    (confirmed,) = await bed.poll()
    assert (confirmed.state, confirmed.block, confirmed.fee) == ("confirmed", 101, 345)
    assert bed.chain.balances == {KEY.address: 9_000_000, TO: 1_000_000}
    assert await bed.poll() == [] and len(bed.chain.heard) == 1
    assert bed.sends.paid() == [TO] and bed.sends.on_their_way() == []


@story
async def test_a_retry_sends_the_same_bytes_and_pays_once(bed: Bed) -> None:
    bed.sends.record([bed.signed()])
    bed.chain.down = True
    for _ in range(3):
        with pytest.raises(NetworkError):
            await bed.poll()
    bed.chain.down = False
    await bed.poll()
    for _ in range(3):
        bed.clock.now += 15
        await bed.poll()
    assert len(bed.chain.heard) == 4 and len(set(bed.chain.heard)) == 1
    bed.chain.solidify()
    await bed.poll()
    assert bed.chain.balances[TO] == 1_000_000


@story
async def test_an_answer_that_is_lost_is_asked_for_after_a_restart(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    bed.sends.record([bed.signed()])
    real = HandChain.broadcast

    async def lost(chain: HandChain, data: bytes) -> object:
        await real(chain, data)
        raise NetworkError("the answer was lost")

    with monkeypatch.context() as broken:
        broken.setattr(HandChain, "broadcast", lost)
        await bed.poll()
    assert bed.state() == "prepared"
    bed.chain.solidify()
    bed.again()
    (confirmed,) = await bed.poll()
    assert confirmed.state == "confirmed" and len(bed.chain.heard) == 1


@story
async def test_what_a_node_refuses_is_a_note_and_ends_with_its_time(bed: Bed) -> None:
    bed.sends.record([bed.signed()])
    bed.chain.refuses = "CONTRACT_VALIDATE_ERROR: balance\x1b[2J"
    assert await bed.poll() == []
    found = bed.sends.get("one")
    assert found is not None and found.note == "CONTRACT_VALIDATE_ERROR: balance [2J" and found.state == "prepared"
    bed.clock.now += 61
    await bed.poll()
    assert bed.state() == "prepared"  # no solid block is so late yet
    bed.chain.solidify()
    (expired,) = await bed.poll()
    assert expired.state == "expired" and "CONTRACT_VALIDATE_ERROR" in expired.note and not expired.open
    assert expired.ended == int(bed.clock())


@story
async def test_a_node_that_refuses_and_passes_on_all_the_same_does_not_make_it_paid_twice(bed: Bed) -> None:
    (sent,) = bed.sends.record([bed.signed()])
    bed.chain.refuses = "I never saw it"
    await bed.poll()
    bed.chain.pool[sent.txid] = sent.encoded
    bed.clock.now += 61
    bed.chain.solidify()
    (confirmed,) = await bed.poll()
    assert confirmed.state == "confirmed"


@story
async def test_a_call_that_fails_says_why(bed: Bed) -> None:
    bed.sends.record([bed.signed()])
    await bed.poll()
    bed.chain.fails = "REVERT: nothing"
    bed.chain.solidify()
    (failed,) = await bed.poll()
    assert (failed.state, failed.note, failed.fee) == ("failed", "REVERT: nothing", 1000)
    assert bed.sends.paid() == []


@story
async def test_one_that_is_in_a_block_by_its_end_is_not_expired(bed: Bed) -> None:
    bed.sends.record([bed.signed()])
    await bed.poll()
    bed.clock.now += 61
    bed.chain.solidify()
    assert [one.state for one in await bed.poll()] == ["confirmed"]


@story
async def test_one_that_waited_too_long_is_expired_and_never_sent(bed: Bed) -> None:
    bed.sends.record([bed.signed()])
    bed.again()
    bed.clock.now += 61
    bed.chain.solidify()
    assert [one.state for one in await bed.poll()] == ["expired"]
    assert bed.chain.heard == []


@story
async def test_asking_twice_under_one_key_sends_once(bed: Bed) -> None:
    (first,) = bed.sends.record([bed.signed()])
    bed.clock.now += 5
    (second,) = bed.sends.record([bed.signed()])
    assert second.txid == first.txid and len(bed.sends.history()) == 1
    with pytest.raises(UsageError) as caught:
        bed.sends.record([bed.signed(amount=5)])
    assert caught.value.code == "key_used"


@story
async def test_a_list_is_written_down_whole_or_not_at_all(bed: Bed) -> None:
    with pytest.raises(UsageError):
        bed.sends.record([bed.signed("a"), bed.signed("b", signer=OTHER)])
    with pytest.raises(StorageError):
        bed.sends.record([bed.signed("c"), bed.signed("d")])  # the same transaction under two keys
    assert bed.sends.history() == []


@story
async def test_the_open_ones_are_bounded(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WALLET_SENDS_OPEN", 1)
    bed.sends.record([bed.signed()])
    with pytest.raises(UsageError) as caught:
        bed.sends.record([bed.signed("two", 5)])
    assert caught.value.code == "too_many_open"
    monkeypatch.setattr(limits, "WALLET_SENDS_OPEN", 10)
    monkeypatch.setattr(limits, "WALLET_SENDS", 1)
    with pytest.raises(UsageError) as caught:
        bed.sends.record([bed.signed("two", 5)])
    assert caught.value.code == "history_full"


@story
async def test_all_kinds_are_kept_and_the_newest_is_first(bed: Bed) -> None:
    made = []
    for key, contract in (
        ("t", Transfer(KEY.address, TO, 5)), ("c", TriggerContract(KEY.address, TO, b"data", 7)),
        ("d", CreateContract(KEY.address, b"code", "Vault")),
    ):
        raw = replace(bed.signed().raw, contract=contract)
        made += bed.sends.record([Signed(key, "cold", key, raw, KEY.sign(raw.txid), hold=3)])
    found = bed.sends.history()
    assert [one.kind for one in found] == ["d", "c", "t"]
    assert [one.amount for one in found] == [0, 7, 5] and [one.recipient for one in found] == [None, TO, TO]
    assert found == made[::-1] == bed.again().history()
    assert [one.kind for one in bed.sends.history(offset=1, limit=1)] == ["c"]


@story
async def test_a_row_that_was_changed_is_not_sent(bed: Bed) -> None:
    (sent,) = bed.sends.record([bed.signed()])
    thief = replace(sent.raw, contract=Transfer(KEY.address, OTHER.address, 1_000_000)).encode()
    for raw in (thief, b"rubbish"):
        bed.store.close()
        db = sqlite3.connect(bed.path)
        db.execute("UPDATE sends SET raw=?", (raw,))
        db.commit()
        db.close()
        bed.again()
        with pytest.raises(StorageError) as caught:
            await bed.poll()
        assert caught.value.code == "wallet_damaged"
    assert bed.chain.heard == []


@story
async def test_it_goes_on_by_itself_and_past_nodes_that_do_not_answer(bed: Bed) -> None:
    bed.sends.record([bed.signed()])
    bed.chain.down = True
    asked = 0

    def chain() -> HandChain | None:
        nonlocal asked
        asked += 1
        bed.chain.down = asked < 3
        if bed.chain.pool:
            bed.chain.solidify()
        return bed.chain if asked > 1 else None

    async with asyncio.timeout(20), asyncio.TaskGroup() as group:
        running = group.create_task(bed.sends.run(chain, 0.0))
        while bed.state() != "confirmed":
            await asyncio.sleep(0)
        running.cancel()
    assert asked >= 4
