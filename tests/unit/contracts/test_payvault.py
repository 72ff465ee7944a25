"""What the vault does, and what it does not let anybody do; each step on two machines, which agree to the last gas."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.evms import CHAIN
from tests.vaultbed import (
    ANYONE,
    DAY,
    DELAY,
    EPOCH,
    HOT,
    HOT2,
    OTHER,
    PAYER,
    RICH,
    TRX,
    VAULT,
    A,
    B,
    Bed,
    Both,
    C,
    N,
    S,
    caller,
    raw_redeem,
)

from wildbach.protocol.tron.address import NOBODY, Address
from wildbach.protocol.tron.keys import ORDER, keccak
from wildbach.protocol.tron.typed import Domain, Voucher
from wildbach.services.chain import vault
from wildbach.services.chain import vaultevents as events

HUGE = 1 << 128


def test_from_deposit_to_payee() -> None:
    bed = Bed(deposit=0)
    assert bed.call(A, vault.deposit(50 * TRX))
    assert bed.events == [events.Deposited(A, 50 * TRX)]
    assert bed.call(A, vault.add_signer(HOT.address))
    assert bed.events == [events.SignerAdded(A, HOT.address)]
    assert bed.redeem(HOT, S, 3 * TRX)
    assert bed.events == [events.Redeemed(A, S, EPOCH, 3 * TRX, 3 * TRX)]
    assert bed.redeem(HOT, S, 5 * TRX)
    assert bed.events == [events.Redeemed(A, S, EPOCH, 2 * TRX, 5 * TRX)]
    assert (bed.credit(S), bed.ask(vault.paid(vault.lane_id(A, S, EPOCH)))) == (5 * TRX, 5 * TRX)
    assert bed.call(N, vault.claim(S))
    assert bed.events == [events.Claimed(S, 5 * TRX)]
    assert bed.evm.balance(S) == RICH + 5 * TRX
    assert bed.payer() == vault.Payer(45 * TRX, 0, 0, 0, 0)
    assert not bed.call(N, vault.claim(S)) and bed.why == "nothing"


# -- who signs


def test_only_keys_that_were_added_sign() -> None:
    bed = Bed()
    assert not bed.redeem(PAYER, S, TRX) and bed.why == "bad sig"
    assert not bed.redeem(HOT2, S, TRX) and bed.why == "bad sig"
    assert bed.call(A, vault.add_signer(HOT.address)) and bed.call(A, vault.add_signer(HOT2.address))
    assert [bed.ask(vault.signer_at(A, index)) for index in range(2)] == [HOT.address, HOT2.address]
    with pytest.raises(AssertionError):
        bed.ask(vault.signer_at(A, 2))
    assert bed.redeem(HOT2, S, TRX)


def test_nobody_is_no_signer() -> None:
    bed = Bed()
    data = vault.add_signer(HOT.address).data[:4] + bytes(32)
    assert not bed.call(A, vault.Call(data)) and bed.why == "signer"


def test_a_signer_of_one_payer_signs_for_no_other() -> None:
    bed = Bed()
    assert bed.call(B, vault.deposit(TRX))
    assert not bed.redeem(HOT, S, TRX, payer=B) and bed.why == "bad sig"
    # To add somebody's key gives nobody a claim on him: the voucher names its payer.
    assert bed.call(B, vault.add_signer(HOT.address))
    made = bed.voucher(HOT, S, TRX, payer=B)
    assert not bed.call(N, raw_redeem(A, S, EPOCH, TRX, made.signature)) and bed.why == "bad sig"


def test_a_removed_signer_is_good_until_his_end() -> None:
    bed = Bed()
    assert bed.call(A, vault.remove_signer(HOT.address))
    assert bed.events == [events.SignerRemoved(A, HOT.address, bed.now + DELAY)]
    assert bed.ask(vault.signer(A, HOT.address)) == vault.Signer(bed.now + DELAY)
    assert not bed.call(A, vault.remove_signer(HOT.address)) and bed.why == "not active"
    bed.wait(DELAY - 1)
    assert bed.redeem(HOT, C, TRX)
    bed.wait(1)
    assert not bed.redeem(HOT, C, 2 * TRX) and bed.why == "signer removed"
    assert bed.call(A, vault.add_signer(HOT.address))
    assert bed.redeem(HOT, C, 2 * TRX)
    assert bed.ask(vault.signer_at(A, 0)) == HOT.address


def test_what_was_reserved_covers_the_vouchers_of_a_removed_signer() -> None:
    bed = Bed()
    assert bed.call(A, vault.reserve(S, 20 * TRX, bed.now + 30 * DAY))
    assert bed.call(A, vault.remove_signer(HOT.address)) and bed.call(A, vault.add_signer(HOT2.address))
    bed.wait(DELAY)
    assert bed.redeem(HOT, S, 25 * TRX) and bed.credit(S) == 20 * TRX
    # What he signed beyond it is void, and the payer's name stays good.
    assert bed.named() == ["Redeemed"] and bed.payer().bounced_at == 0
    # A later reservation is none of his.
    assert bed.call(A, vault.reserve(S, 5 * TRX, bed.now + 60 * DAY))
    assert not bed.redeem(HOT, S, 26 * TRX) and bed.why == "signer removed"
    assert bed.redeem(HOT2, S, 24 * TRX, epoch=8)


def test_a_reservation_made_in_the_second_of_the_end_is_later() -> None:
    bed = Bed()
    assert bed.call(A, vault.remove_signer(HOT.address))
    bed.wait(DELAY)
    assert bed.call(A, vault.reserve(S, TRX, bed.now + DAY))
    assert not bed.redeem(HOT, S, TRX)


def test_one_sun_more_does_not_turn_old_vouchers_away() -> None:
    bed = Bed()
    assert bed.call(A, vault.reserve(S, 20 * TRX, bed.now + 30 * DAY)) and bed.call(A, vault.remove_signer(HOT.address))
    bed.wait(DELAY)
    since = bed.reserved(S).since
    assert bed.call(A, vault.reserve(S, 1, bed.now + 30 * DAY)) and bed.reserved(S).since == since
    assert bed.redeem(HOT, S, 20 * TRX) and bed.credit(S) == 20 * TRX


def test_a_removed_signer_draws_on_no_reservation_whose_time_is_over() -> None:
    bed = Bed()
    assert bed.call(A, vault.reserve(S, 20 * TRX, bed.now + 10 * DAY)) and bed.call(A, vault.remove_signer(HOT.address))
    bed.wait(10 * DAY - 1)
    assert bed.redeem(HOT, S, TRX)
    bed.wait(1)
    assert not bed.redeem(HOT, S, 2 * TRX) and bed.why == "signer removed"


# -- what is reserved


def test_a_reservation_holds_against_its_payer() -> None:
    bed = Bed()
    until = bed.now + 40 * DAY
    assert bed.call(A, vault.reserve(S, 50 * TRX, until))
    assert bed.events == [events.Reserved(A, S, 50 * TRX, until)]
    assert bed.call(A, vault.request_withdraw(50 * TRX))
    assert not bed.call(A, vault.release(S)) and bed.why == "too early"
    assert not bed.call(A, vault.reserve(S, 0, until - 1)) and bed.why == "until"
    assert not bed.call(A, vault.reserve(S, 1, until)) and bed.why == "over-reserved"
    assert not bed.call(A, vault.reserve(C, 1, until)) and bed.why == "over-reserved"
    # He pays himself: nothing is free.
    assert not bed.redeem(HOT, A, TRX) and not bed.redeem(HOT, C, TRX) and bed.why == "no funds"
    bed.wait(DELAY)
    assert bed.call(A, vault.withdraw()) and bed.events == [events.Withdrawn(A, 0)]
    bed.wait(33 * DAY - 1)
    assert bed.reserved(S).amount == 50 * TRX and bed.redeem(HOT, S, 50 * TRX) and bed.call(N, vault.claim(S))
    assert bed.evm.balance(S) == RICH + 50 * TRX


def test_a_reservation_is_released_after_its_time_alone() -> None:
    bed = Bed()
    assert bed.call(A, vault.reserve(S, TRX, bed.now + DAY))
    bed.wait(DAY - 1)
    assert not bed.call(A, vault.release(S)) and not bed.call(C, vault.release(S))
    bed.wait(1)
    assert not bed.call(C, vault.release(S)) and bed.why == "nothing"
    assert bed.call(A, vault.release(S)) and bed.events == [events.Released(A, S, TRX)]
    assert bed.payer() == vault.Payer(50 * TRX, 0, 0, 0, 0) and bed.reserved(S).amount == 0
    assert not bed.call(A, vault.release(S)) and bed.why == "nothing"


def test_only_the_payee_waives() -> None:
    bed = Bed()
    assert bed.call(A, vault.reserve(S, 9, bed.now + 40 * DAY))
    assert not bed.call(C, vault.waive(A)) and not bed.call(A, vault.waive(A))
    assert bed.call(S, vault.waive(A)) and bed.events == [events.Released(A, S, 9)] and bed.payer().reserved == 0


def test_a_reservation_ends_within_a_year() -> None:
    bed = Bed()
    far = vault.LONGEST_RESERVATION
    assert not bed.call(A, vault.reserve(S, 1, bed.now + far + 1)) and bed.why == "until"
    assert not bed.call(A, vault.reserve(S, 1, (1 << 64) - 1)) and bed.why == "until"
    assert not bed.call(A, vault.reserve(S, 1, bed.now)) and bed.why == "until"
    assert bed.call(A, vault.reserve(S, 1, bed.now + far))


def test_an_empty_reservation_may_be_made_anew_with_another_end() -> None:
    bed = Bed()
    assert bed.call(A, vault.reserve(S, TRX, bed.now + 40 * DAY)) and bed.redeem(HOT, S, TRX)
    assert bed.reserved(S) == vault.Reservation(0, bed.now + 40 * DAY, bed.now)
    bed.wait(1)
    assert bed.call(A, vault.reserve(S, 5, bed.now + DAY))
    assert bed.reserved(S) == vault.Reservation(5, bed.now + DAY, bed.now)


def test_what_is_not_released_stays_cover_and_may_be_put_off() -> None:
    bed = Bed()
    assert bed.call(A, vault.reserve(S, TRX, bed.now + DAY))
    since = bed.now
    bed.wait(2 * DAY)
    assert bed.redeem(HOT, S, TRX // 2)
    assert bed.call(A, vault.reserve(S, 0, bed.now + DAY)) and not bed.call(A, vault.release(S))
    assert bed.reserved(S) == vault.Reservation(TRX // 2, bed.now + DAY, since)


def test_vouchers_draw_on_the_reservation_first_over_all_epochs() -> None:
    bed = Bed()
    assert bed.call(A, vault.reserve(S, 10 * TRX, bed.now + 40 * DAY))
    assert bed.redeem(HOT, S, 6 * TRX, epoch=1) and bed.reserved(S).amount == 4 * TRX
    assert bed.redeem(HOT, S, 6 * TRX, epoch=2) and bed.reserved(S).amount == 0
    assert bed.payer() == vault.Payer(38 * TRX, 0, 0, 0, 0) and bed.credit(S) == 12 * TRX


# -- the way out


def test_a_withdrawal_waits_and_lapses() -> None:
    bed = Bed()
    assert bed.call(A, vault.request_withdraw(20 * TRX))
    assert bed.events == [events.WithdrawRequested(A, 20 * TRX, bed.now + DELAY, bed.now + 2 * DELAY)]
    bed.wait(DELAY - 1)
    assert not bed.call(A, vault.withdraw()) and bed.why == "too early"
    bed.wait(1)
    assert bed.call(A, vault.withdraw()) and bed.events == [events.Withdrawn(A, 20 * TRX)]
    assert bed.evm.balance(A) == RICH - 30 * TRX
    assert not bed.call(A, vault.withdraw()) and bed.why == "too early"
    assert bed.call(A, vault.request_withdraw(20 * TRX))
    bed.wait(2 * DELAY - 1)
    assert bed.payer().leaving(bed.now, DELAY) == 20 * TRX
    bed.wait(1)
    assert not bed.call(A, vault.withdraw()) and bed.why == "lapsed"
    assert bed.payer().leaving(bed.now, DELAY) == 0


def test_vouchers_come_before_a_withdrawal_that_waits() -> None:
    bed = Bed()
    assert bed.call(A, vault.request_withdraw(50 * TRX))
    bed.wait(DELAY)
    assert bed.redeem(HOT, S, 30 * TRX)
    assert bed.call(A, vault.withdraw()) and bed.events == [events.Withdrawn(A, 20 * TRX)]


def test_a_request_made_ahead_of_the_money_is_seen_and_lapses() -> None:
    bed = Bed(deposit=0)
    assert bed.call(A, vault.request_withdraw(HUGE - 1))
    bed.wait(DELAY)
    assert bed.call(A, vault.deposit(50 * TRX))
    assert bed.payer().leaving(bed.now, DELAY) == 50 * TRX
    bed.wait(DELAY)
    assert not bed.call(A, vault.withdraw()) and bed.payer().leaving(bed.now, DELAY) == 0


def test_a_new_request_starts_its_time_anew_and_zero_takes_it_back() -> None:
    bed = Bed()
    assert bed.call(A, vault.request_withdraw(TRX))
    bed.wait(DELAY)
    assert bed.call(A, vault.request_withdraw(50 * TRX)) and not bed.call(A, vault.withdraw())
    bed.wait(DELAY)
    assert bed.call(A, vault.request_withdraw(0)) and not bed.call(A, vault.withdraw()) and bed.why == "too early"


def test_free_money_is_no_cover_for_its_payer_can_pay_himself() -> None:
    bed = Bed()
    assert bed.call(A, vault.reserve(S, 10 * TRX, bed.now + 30 * DAY))
    assert bed.redeem(HOT, A, 1000 * TRX) and bed.call(A, vault.claim(A))
    assert bed.evm.balance(A) == RICH - 10 * TRX
    assert bed.named() == ["Claimed"] and bed.payer().bounced_at == bed.now
    assert bed.redeem(HOT, S, 10 * TRX)


# -- signatures


def test_a_signature_has_one_form() -> None:
    bed = Bed()
    good = bed.voucher(HOT, S, TRX).signature
    r, s, v = good[:32], int.from_bytes(good[32:64], "big"), good[64]
    high = (ORDER - s).to_bytes(32, "big")
    for bad in (
        r + high + bytes([55 - v]), r + high + bytes([v]), good[:64] + bytes([v - 27]), good[:64] + bytes([v ^ 7]),
        good[:64], good + b"\0", b"", bytes(65), bytes(64) + b"\x1b", b"\xff" * 64 + b"\x1b",
        # EIP-2098: v in the highest bit of s.
        r + (s | (v - 27) << 255).to_bytes(32, "big"),
    ):
        assert not bed.call(N, raw_redeem(A, S, EPOCH, TRX, bad)) and bed.why == "bad sig", bad.hex()
    assert bed.call(N, raw_redeem(A, S, EPOCH, TRX, good))
    assert not bed.call(N, raw_redeem(A, S, EPOCH, TRX, good)) and bed.why == "stale"


def test_half_the_order_is_the_highest_s() -> None:
    # The bound itself stands in the code; it and the next number are not met by chance.
    assert (ORDER // 2).to_bytes(32, "big") in vault.committed().runtime


@settings(max_examples=60)
@given(st.integers(0, 65 * 8 - 1), st.integers(1, 5))
def test_no_bit_of_a_signature_or_a_voucher_can_change(bit: int, field: int) -> None:
    bed = Bed()
    good = bed.voucher(HOT, S, TRX)
    signature = bytearray(good.signature)
    signature[bit // 8] ^= 1 << bit % 8
    assert not bed.call(N, raw_redeem(A, S, EPOCH, TRX, bytes(signature))) and bed.why == "bad sig"
    changed = [A, S, EPOCH, TRX]
    changed[field % 4] = {0: B, 1: C, 2: EPOCH + 1, 3: TRX + 1}[field % 4]
    assert not bed.call(N, raw_redeem(*changed, good.signature)) and bed.why == "bad sig"


def test_a_voucher_is_good_on_one_chain_and_in_one_vault() -> None:
    bed = Bed()
    for domain in (Domain(CHAIN + 1, VAULT), Domain(CHAIN, Address(b"\x34" * 20))):
        voucher = Voucher(A, S, EPOCH, TRX)
        foreign = vault.SignedVoucher(voucher, HOT.sign(voucher.digest(domain)))
        assert not bed.call(N, vault.redeem(foreign)) and bed.why == "bad sig"
    elsewhere = Bed(Both(CHAIN + 1), deposit=0)
    with pytest.raises(AssertionError):
        elsewhere.voucher(HOT, S, TRX)


# -- too little, too much


def test_who_has_too_little_bounces_and_the_rest_stays_good() -> None:
    bed = Bed(deposit=5)
    assert bed.redeem(HOT, S, 9)
    assert bed.events == [events.Bounced(A, S, 4), events.Redeemed(A, S, EPOCH, 5, 9)]
    assert bed.payer().bounced_at == bed.now
    bounced = bed.now
    bed.wait(1)
    # Nobody can make an empty payer bounce again and again.
    assert not bed.redeem(HOT, S, 9) and bed.why == "no funds" and bed.payer().bounced_at == bounced
    assert bed.call(A, vault.deposit(9)) and bed.redeem(HOT, S, 9)
    assert bed.credit(S) == 9 and bed.payer() == vault.Payer(5, 0, 0, 0, bounced)


def test_nobody_makes_a_payer_bounce_with_what_is_not_signed_for_him() -> None:
    bed = Bed()
    for call in (raw_redeem(A, S, EPOCH, 1 << 255, ANYONE.sign(bytes(32))), vault.redeem_many([
        vault.SignedVoucher(Voucher(A, S, EPOCH, HUGE - 1), OTHER.sign(bytes(32)))])):
        bed.call(S, call)
        assert bed.payer().bounced_at == 0


def test_numbers_beyond_all_money_are_refused_or_pay_what_there_is() -> None:
    bed = Bed()
    most = (1 << 256) - 1
    digest = Domain(CHAIN, VAULT).digest(keccak(
        keccak(b"Voucher(address payer,address payee,uint64 epoch,uint256 cumulative)") + bytes(12) + A.raw + bytes(12)
        + S.raw + ((1 << 64) - 1).to_bytes(32, "big") + most.to_bytes(32, "big")))
    assert bed.call(N, raw_redeem(A, S, (1 << 64) - 1, most, HOT.sign(digest)))
    assert bed.credit(S) == 50 * TRX and bed.events[0] == events.Bounced(A, S, most - 50 * TRX)
    assert not bed.call(A, vault.reserve(S, HUGE - 1, bed.now + DAY)) and bed.why == "over-reserved"
    bed.evm.fund(B, 1 << 140)
    assert not bed.call(B, vault.Call(vault.deposit(1).data, HUGE)) and bed.why == "amount"
    assert not bed.call(B, vault.Call(vault.deposit(1).data, HUGE + 5)) and bed.why == "amount"
    assert bed.call(B, vault.Call(vault.deposit(1).data, HUGE - 1)) and bed.payer(B).balance == HUGE - 1
    assert not bed.call(B, vault.deposit(1)) and bed.payer(B).balance == HUGE - 1


def test_money_comes_by_deposits_alone() -> None:
    bed = Bed()
    assert not bed.call(A, vault.Call(b"", 5)) and not bed.call(A, vault.Call(b"\1\2\3\4", 5))
    assert not bed.call(A, vault.Call(vault.add_signer(HOT2.address).data, 5))
    assert bed.evm.balance(VAULT) == 50 * TRX


@pytest.mark.parametrize(("delay", "good"), [(0, False), (1, True), (60 * DAY, True), (60 * DAY + 1, False)])
def test_a_delay_is_up_to_sixty_days(delay: int, good: bool) -> None:
    both = Both()
    made = vault.deployment(N, 1).bytecode[:-32] + delay.to_bytes(32, "big")
    done = both.create(N, VAULT, made)
    assert done.ok is good and (good or vault.reason(done.output) == "delay")


# -- many at once


def test_what_pays_nothing_is_skipped() -> None:
    bed = Bed()
    good = [bed.voucher(HOT, S, TRX, epoch) for epoch in (1, 2)]
    junk = vault.SignedVoucher(Voucher(A, S, 3, TRX), b"\1" * 65)
    # Somebody redeems one of them first.
    assert bed.call(C, vault.redeem(good[0]))
    assert bed.call(N, vault.redeem_many([good[0], junk, good[1], good[1]]))
    assert bed.events == [
        events.Skipped(0, "stale"), events.Skipped(1, "bad sig"), events.Redeemed(A, S, 2, TRX, TRX),
        events.Skipped(3, "stale")]
    assert bed.credit(S) == 2 * TRX


LANES = st.dictionaries(
    st.tuples(st.sampled_from([S, C]), st.integers(0, 2)), st.lists(st.integers(1, 4 * TRX), min_size=1, max_size=3),
    min_size=1, max_size=4)


@settings(max_examples=25)
@given(LANES, st.integers(0, 8 * TRX), st.integers(0, 8 * TRX), st.data())
def test_the_order_of_what_is_covered_does_not_matter(
    lanes: dict[tuple[Address, int], list[int]], for_s: int, for_o: int, data: st.DataObject,
) -> None:
    owed = {payee: sum(max(totals) for (to, _), totals in lanes.items() if to == payee) for payee in (S, C)}
    results = []
    for _ in range(2):
        bed = Bed()
        for payee, amount in ((S, for_s), (C, for_o)):
            assert bed.call(A, vault.reserve(payee, amount, bed.now + DAY))
        vouchers = data.draw(st.permutations([
            bed.voucher(HOT, payee, total, epoch) for (payee, epoch), totals in lanes.items() for total in totals]))
        cut = data.draw(st.integers(0, len(vouchers)))
        for voucher in vouchers[:cut]:
            bed.call(N, vault.redeem(voucher))
        if vouchers[cut:]:
            assert bed.call(N, vault.redeem_many(vouchers[cut:]))
        results.append((bed.credit(S), bed.credit(C), bed.payer(), bed.reserved(S).amount, bed.reserved(C).amount))
        # 50 TRX cover all of it: nothing is lost, nothing is paid twice.
        assert results[-1][:2] == (owed[S], owed[C]) and bed.payer().bounced_at == 0
    assert results[0] == results[1]


@settings(max_examples=15)
@given(st.integers(1, 9 * TRX), st.lists(st.integers(1, 60 * TRX), max_size=4))
def test_what_others_are_paid_first_does_not_touch_a_reservation(reserved: int, others: list[int]) -> None:
    bed = Bed()
    assert bed.call(A, vault.reserve(S, reserved, bed.now + DAY))
    for epoch, total in enumerate(others):
        bed.redeem(HOT, C, total, epoch)
    assert bed.redeem(HOT, S, reserved) and bed.credit(S) == reserved


# -- payees that are contracts


EVIL = Address(b"\x98" * 20)


def test_a_payee_that_takes_no_money_stops_nobody_else() -> None:
    bed = Bed()
    bed.evm.put_code(EVIL, caller(reverts=True))
    assert bed.call(N, vault.redeem_many([bed.voucher(HOT, EVIL, TRX), bed.voucher(HOT, S, TRX)]))
    assert not bed.call(N, vault.claim(EVIL)) and bed.why == "send"
    assert bed.credit(EVIL) == TRX and bed.call(N, vault.claim(S))


def test_a_payee_that_claims_again_while_it_is_paid_gets_nothing_more() -> None:
    bed = Bed()
    assert bed.redeem(HOT, EVIL, TRX) and bed.redeem(HOT, S, 2 * TRX)
    bed.evm.put_code(EVIL, caller(*[(VAULT, vault.claim(EVIL).data)] * 3))
    assert bed.call(N, vault.claim(EVIL)) and bed.events == [events.Claimed(EVIL, TRX)]
    assert bed.evm.balance(EVIL) == TRX and bed.evm.balance(VAULT) == 49 * TRX and bed.credit(EVIL) == 0


def test_a_payee_that_redeems_and_claims_while_it_is_paid_gets_each_voucher_once() -> None:
    bed = Bed()
    more = [bed.voucher(HOT, EVIL, total) for total in (2 * TRX, 3 * TRX)]
    again = [(VAULT, vault.redeem(one).data) for one in more]
    assert bed.redeem(HOT, EVIL, TRX)
    bed.evm.put_code(EVIL, caller(again[0], (VAULT, vault.claim(EVIL).data), again[1], (VAULT, vault.claim(S).data)))
    assert bed.redeem(HOT, S, 2 * TRX) and bed.call(N, vault.claim(EVIL))
    assert (bed.evm.balance(EVIL), bed.evm.balance(S)) == (2 * TRX, RICH + 2 * TRX)
    assert (bed.credit(EVIL), bed.credit(S), bed.payer().balance) == (TRX, 0, 45 * TRX)
    assert bed.evm.balance(VAULT) == 46 * TRX


def test_a_payer_that_withdraws_again_while_it_is_paid_gets_nothing_more() -> None:
    bed = Bed()
    bed.evm.fund(EVIL, 10 * TRX)
    assert bed.call(EVIL, vault.deposit(10 * TRX)) and bed.call(EVIL, vault.request_withdraw(4 * TRX))
    # Now that the account has done what only its key could, it becomes a contract.
    bed.evm.put_code(EVIL, caller(
        (VAULT, vault.withdraw().data), (VAULT, vault.request_withdraw(HUGE - 1).data), (VAULT, vault.withdraw().data)))
    bed.wait(DELAY)
    # A contract that calls it, as accounts with code send no transactions.
    proxy = Address(b"\x97" * 20)
    bed.evm.put_code(proxy, caller((EVIL, b"")))
    assert bed.evm.call(N, proxy, b"").ok
    assert bed.evm.balance(EVIL) == 4 * TRX and bed.evm.balance(VAULT) == 56 * TRX
    assert bed.payer(EVIL).balance == 6 * TRX


def test_the_vault_as_payee_keeps_what_was_signed_away() -> None:
    bed = Bed()
    assert bed.redeem(HOT, VAULT, TRX) and not bed.call(N, vault.claim(VAULT)) and bed.why == "send"
    assert bed.redeem(HOT, S, 49 * TRX) and bed.call(N, vault.claim(S)) and bed.evm.balance(VAULT) == TRX


def test_money_for_nobody_goes_to_nobody_else() -> None:
    bed = Bed()
    assert bed.redeem(HOT, NOBODY, TRX) and bed.call(N, vault.claim(NOBODY)) and bed.evm.balance(NOBODY) == TRX
