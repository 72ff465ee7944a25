"""Transactions into blocks: what is refused and in which words, what is paid, what becomes solid, what is undone."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.devbed import ANNA, BEN, CARL, INSTANT, START, TRX, A, B, Bed, C, creation, returning

from wildbach.base import limits
from wildbach.base.errors import UsageError
from wildbach.protocol.tron import protobuf as pb
from wildbach.protocol.tron import transaction
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.keys import SecretKey, recover
from wildbach.protocol.tron.transaction import CreateContract, Transfer, TriggerContract
from wildbach.services.devchain.chain import TREASURE, Options
from wildbach.services.devchain.executing import MOST_FEE, Refused

EVERY_3_S = Options(lag=3)


def refused(bed: Bed, data: bytes) -> str:
    with pytest.raises(Refused) as found:
        bed.chain.submit(data)
    return found.value.word


def test_a_transfer_moves_what_it_says_and_nothing_gets_lost() -> None:
    bed = Bed()
    total = sum(map(bed.balance, (A, B, bed.chain.faucet_address)))
    receipt = bed.pay(5 * TRX)
    assert (receipt.fee, receipt.net, receipt.result) == (0, 268, "SUCCESS")
    assert (bed.balance(A), bed.balance(B)) == (9_995 * TRX, 6 * TRX)
    assert sum(map(bed.balance, (A, B, bed.chain.faucet_address))) == total == TREASURE - 2 * 1_100_000


def test_a_new_account_costs_more_and_bandwidth_is_free_twice() -> None:
    bed = Bed()
    assert bed.pay(TRX, C).fee == 1_100_000
    first, second, third = (bed.pay(TRX, C) for _ in range(3))
    assert (first.fee, second.fee, third.fee) == (0, 0, 267_000) and third.net_fee == 267_000 and third.net == 0
    bed.clock.now += 86_400
    assert bed.pay(TRX, C).fee == 0


def test_a_memo_costs_one_trx() -> None:
    bed = Bed()
    assert bed.send(Transfer(A, B, 1), memo=b"for the bread").fee == TRX


@pytest.mark.parametrize(("contract", "key", "words"), [
    (Transfer(A, A, 1), ANNA, "yourself"),
    (Transfer(A, B, 0), ANNA, "greater than 0"),
    (Transfer(A, B, 20_000 * TRX), ANNA, "balance is not sufficient"),
    (Transfer(C, B, 1), CARL, "does not exist"),
    (TriggerContract(A, B, b""), ANNA, "No contract"),
    (CreateContract(A, b"\0"), ANNA, "originEnergyLimit"),
    (CreateContract(A, b"\0", "x" * 33, energy_limit=1), ANNA, "contractName"),
    (CreateContract(A, b"\0", percent=101, energy_limit=1), ANNA, "percent"),
    (CreateContract(A, b"\0", value=20_000 * TRX, energy_limit=1), ANNA, "balance is not sufficient"),
])
def test_what_makes_no_sense_is_refused_and_costs_nothing(
    contract: transaction.Contract, key: SecretKey, words: str,
) -> None:
    bed = Bed()
    before = bed.balance(A), bed.chain.head
    with pytest.raises(Refused, match=words) as found:
        bed.chain.submit(bed.signed(contract, key))
    assert found.value.word == "CONTRACT_VALIDATE_ERROR" and len(found.value.txid) == 32
    assert (bed.balance(A), bed.chain.head) == before


def test_a_fee_limit_has_a_limit() -> None:
    bed = Bed()
    assert refused(bed, bed.signed(
        CreateContract(A, b"\0", energy_limit=1), fee_limit=MOST_FEE + 1)) == "CONTRACT_VALIDATE_ERROR"


def test_money_is_not_sent_to_a_contract_by_a_transfer() -> None:
    bed = Bed()
    there = bed.contract(b"\0")
    assert refused(bed, bed.signed(Transfer(A, there, 1))) == "CONTRACT_VALIDATE_ERROR"


def test_who_cannot_pay_for_bandwidth_is_told_so() -> None:
    bed = Bed()
    for _ in range(2):
        bed.pay(1, A, BEN)
    assert bed.pay(700_000, A, BEN).fee == 267_000
    assert refused(bed, bed.signed(Transfer(B, A, 1), BEN)) == "BANDWITH_ERROR"


def test_only_the_owner_signs_and_once() -> None:
    bed = Bed()
    good = bed.signed(Transfer(A, B, 1))
    raw, (signature,) = transaction.unsigned(good)
    other = BEN.sign(transaction.txid_of(raw))
    for bad in (
        transaction.signed(raw), transaction.signed(raw, other), transaction.signed(raw, signature, other),
        transaction.signed(raw, signature[:64]), transaction.signed(raw, bytes(65)),
        bed.signed(Transfer(A, B, 1), permission=3),
    ):
        assert refused(bed, bad) == "SIGERROR"
    # v of 0 and 1 is what some wallets write.
    bed.chain.submit(transaction.signed(raw, signature[:64] + bytes([signature[64] - 27])))


def test_a_transaction_ends_in_time_and_holds_on_to_a_block_of_this_chain() -> None:
    bed = Bed()
    now, day = bed.chain.now, 86_400_000
    assert refused(bed, bed.signed(Transfer(A, B, 1), expiration=now - 1)) == "TRANSACTION_EXPIRATION_ERROR"
    assert refused(bed, bed.signed(Transfer(A, B, 1), expiration=now + day + 1)) == "TRANSACTION_EXPIRATION_ERROR"
    assert refused(bed, bed.signed(Transfer(A, B, 1), ref_block_hash=bytes(8))) == "TAPOS_ERROR"
    assert refused(bed, bed.signed(Transfer(A, B, 1), ref_block_bytes=b"\xff\xff")) == "TAPOS_ERROR"
    assert refused(bed, bed.signed(Transfer(A, B, 1), ref_block_bytes=b"")) == "TAPOS_ERROR"
    elsewhere = Bed()
    assert elsewhere.chain.genesis.id != bed.chain.genesis.id
    assert refused(bed, elsewhere.signed(Transfer(A, B, 1))) == "TAPOS_ERROR"


def test_the_same_transaction_counts_once() -> None:
    for options in (INSTANT, EVERY_3_S):
        bed = Bed(options)
        data = bed.signed(Transfer(A, B, 1))
        bed.chain.submit(data)
        assert refused(bed, data) == "DUP_TRANSACTION_ERROR"
        bed.next()
        assert refused(bed, data) == "DUP_TRANSACTION_ERROR"
        assert bed.balance(B) == TRX + 1


def test_transactions_that_wait_see_each_other() -> None:
    bed = Bed(EVERY_3_S)
    bed.chain.submit(bed.signed(Transfer(A, C, 50 * TRX)))
    bed.chain.submit(bed.signed(Transfer(C, B, 40 * TRX), CARL))
    assert refused(bed, bed.signed(Transfer(C, B, 20 * TRX), CARL)) == "CONTRACT_VALIDATE_ERROR"
    assert bed.balance(C) == 0 and len(bed.chain.waiting()) == 2
    bed.next()
    assert bed.balance(C) == 10 * TRX and not bed.chain.waiting()


def test_blocks_hash_as_those_of_java_tron() -> None:
    bed = Bed()
    bed.pay(1)
    head = bed.chain.head
    raw = (
        pb.number(1, head.time) + pb.data(2, head.trie) + pb.data(3, head.parent) + pb.number(7, head.number)
        + pb.data(9, head.witness) + pb.number(10, head.version))
    digest = hashlib.sha256(raw).digest()
    assert head.id == head.number.to_bytes(8, "big") + digest[8:]
    signature = head.signature[:64] + bytes([head.signature[64] + 27])
    assert recover(digest, signature) == Address.of(head.witness)
    (only,) = bed.chain.transactions(head.number)
    assert head.trie == hashlib.sha256(only.data + bytes.fromhex("2a021801")).digest()


def test_blocks_come_every_three_seconds_and_are_solid_later() -> None:
    bed = Bed(EVERY_3_S)
    start = bed.chain.head.number
    bed.chain.submit(bed.signed(Transfer(A, B, TRX)))
    assert not bed.chain.tick() and bed.chain.due > 0
    bed.next()
    assert bed.chain.head.number == start + 1 and bed.chain.head.time % 3000 == 0
    account = bed.chain.account(B, solid=True)
    assert account is None or account.balance < 2 * TRX
    assert bed.balance(B) == 2 * TRX
    bed.next(3)
    assert bed.chain.solid_number == start + 1
    account = bed.chain.account(B, solid=True)
    assert account is not None and account.balance == 2 * TRX


def test_a_clock_that_is_set_back_makes_no_older_blocks() -> None:
    bed = Bed(EVERY_3_S)
    time = bed.chain.head.time
    bed.clock.now -= 1000
    assert not bed.chain.tick()
    assert bed.chain.produce().time == time + 1
    bed.clock.now = START + 100
    bed.next()
    assert bed.chain.head.time > time


def test_newest_blocks_are_replaced_and_what_was_in_them_waits_again_or_is_gone() -> None:
    for again in (True, False):
        bed = Bed(EVERY_3_S)
        bed.next(5)
        receipt = bed.pay(TRX)
        bed.next()
        old = [bed.chain.header(number) for number in range(receipt.number, bed.chain.head.number + 1)]
        assert bed.chain.undo(2, again=again).number == receipt.number + 1
        assert [bed.chain.header(number) for number in range(receipt.number, bed.chain.head.number + 1)] != old
        assert (bed.chain.transaction(receipt.txid) is not None) is again
        assert bed.balance(B) == (2 * TRX if again else TRX)
        with pytest.raises(UsageError, match="solid"):
            bed.chain.undo(4)
        bed.next(5)
        solid = bed.chain.account(B, solid=True)
        assert solid is not None and solid.balance == bed.balance(B)


def test_the_faucet_feeds_up_to_a_limit_a_day() -> None:
    bed = Bed(Options(instant=True, lag=0, faucet_day=10_000 * TRX))
    bed.chain.feed(B, 9_999 * TRX)
    with pytest.raises(UsageError, match="in a day"):
        bed.chain.feed(B, 1)
    with pytest.raises(UsageError, match="in a day"):
        bed.chain.feed(C, 0)
    bed.clock.now += 86_400
    bed.chain.feed(B, 1)
    assert bed.balance(B) == 10_000 * TRX + 1


def test_the_clock_goes_forward_and_stays_there(tmp_path: object) -> None:
    bed = Bed()
    there = bed.contract(returning("42"))
    bed.chain.shift(7 * 86_400)
    assert bed.chain.now == int(bed.clock() * 1000) + 7 * 86_400_000
    receipt = bed.call(there)
    assert int.from_bytes(receipt.output, "big") == receipt.time // 1000 > START + 7 * 86_400
    with pytest.raises(UsageError):
        bed.chain.shift(-1)


def test_a_block_that_is_not_there() -> None:
    bed = Bed()
    assert bed.chain.header(-1) is None and bed.chain.header(99) is None and bed.chain.header(1 << 70) is None
    assert bed.chain.header_of(bytes(32)) is None and bed.chain.transaction(bytes(32)) is None
    assert bed.chain.transactions(99) == []


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(
    st.integers(0, 2), st.integers(0, 3), st.integers(0, 3_000 * TRX), st.booleans()), max_size=25))
def test_money_is_neither_made_nor_lost_but_for_fees(steps: list[tuple[int, int, int, bool]]) -> None:
    bed = Bed(Options(lag=4))
    keys = (ANNA, BEN, CARL)
    there = bed.contract(b"\0")
    places = (A, B, C, there)
    burnt, begun = 0, bed.chain.head.number
    everyone = (*places, bed.chain.faucet_address)
    total = sum(map(bed.balance, everyone))
    for who, to, amount, later in steps:
        key, target = keys[who], places[to]
        contract: transaction.Contract = Transfer(key.address, target, amount)
        if target == there:
            contract = TriggerContract(key.address, there, b"", amount)
        bed.clock.now += 0.001
        try:
            bed.chain.submit(bed.signed(contract, key, fee_limit=100 * TRX))
        except Refused:
            continue
        if later:
            bed.next()
    bed.next()
    for number in range(bed.chain.head.number + 1):
        receipts = [one.receipt for one in bed.chain.transactions(number)]
        burnt += sum(one.fee for one in receipts if number > begun)
    assert sum(map(bed.balance, everyone)) == total - burnt
    assert all(bed.balance(who) >= 0 for who in everyone)
    before = {who: bed.balance(who) for who in everyone}
    if (count := bed.chain.head.number - bed.chain.solid_number) > 0:
        bed.chain.undo(count)
        assert sum(map(bed.balance, everyone)) <= sum(before.values()) + 1_100_000


def test_what_a_block_has_no_time_for_waits_for_the_next() -> None:
    bed = Bed(EVERY_3_S)
    for amount in (1, 2, 3):
        bed.chain.submit(bed.signed(Transfer(A, B, amount)))
    steps = iter(range(0, 10_000, 2))
    bed.chain._steady = lambda: float(next(steps))  # two seconds at every look
    bed.next()
    assert 0 < len(bed.chain.waiting()) < 3
    bed.next(3)
    assert bed.balance(B) == TRX + 6 and not bed.chain.waiting()


def test_what_waits_has_a_limit_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    bed = Bed(EVERY_3_S)
    data = bed.signed(Transfer(A, B, 1))
    monkeypatch.setattr(limits, "DEVCHAIN_PENDING_BYTES", len(data))
    bed.chain.submit(data)
    assert refused(bed, bed.signed(Transfer(A, B, 2))) == "SERVER_BUSY"
    bed.next()
    bed.chain.submit(bed.signed(Transfer(A, B, 2)))


def test_a_transaction_has_a_limit_in_bytes() -> None:
    bed = Bed()
    assert refused(bed, bed.signed(TriggerContract(A, B, bytes(transaction.LARGEST - 300)))) \
        == "TOO_BIG_TRANSACTION_ERROR"


def test_a_contract_is_planted_once() -> None:
    for options in (INSTANT, EVERY_3_S):
        bed = Bed(options)
        made: list[Address] = []

        def make(owner: Address, made: list[Address] = made) -> CreateContract:
            made.append(owner)
            return CreateContract(owner, creation(b"\0"), percent=100, energy_limit=1)

        there = bed.chain.plant(make)
        assert bed.chain.plant(make) == there and made == [bed.chain.faucet_address]
        assert bed.chain.state().code(there.raw) == b"\0"
        broken = Bed(options)
        with pytest.raises(UsageError, match="deployed"):
            broken.chain.plant(lambda owner: CreateContract(owner, b"\xfe", percent=100, energy_limit=1))
