"""The keys that sign without a passphrase: what they sign is good for one vault, and nothing else is signed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import pytest

from walletbed import START, Clock
from wildbach.base import limits
from wildbach.base.errors import LimitError, UsageError
from wildbach.protocol.tron import transaction
from wildbach.protocol.tron.abi import encode, selector
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.keys import SecretKey, recover
from wildbach.protocol.tron.transaction import RawTransaction, Transfer, TriggerContract
from wildbach.protocol.tron.typed import Accept, Domain, Voucher
from wildbach.services.pay.wallet import signer as signing
from wildbach.services.pay.wallet.counters import Counters
from wildbach.services.pay.wallet.mirror import Mirror
from wildbach.services.pay.wallet.policy import Cover, Refused, Share, SpendingLimits, Wanted
from wildbach.services.pay.wallet.signer import FeeSigner, HotSigner, SignedVoucher
from wildbach.services.pay.wallet.store import WalletStore

PAYER, PAYEE, VAULT = (Address(bytes([number]) * 20) for number in (1, 2, 3))
KEY, FEE = SecretKey(bytes([5]) * 32), SecretKey(bytes([6]) * 32)
DOMAIN = Domain(0xCD8690DC, VAULT)
TORRENT = b"t" * 32
EPOCH = int(START * 1000)
WIDE = SpendingLimits(**{one.name: 10**9 for one in fields(SpendingLimits)})


@pytest.fixture
def counters(tmp_path: Path) -> Iterator[Counters]:
    store = WalletStore(tmp_path / "wallet.db")
    made = Counters(store, Mirror(tmp_path / "mirrors", PAYER, "payer"), PAYER, Clock())
    made.set_limits(WIDE)
    yield made
    store.close()


@pytest.fixture
def hot(counters: Counters) -> HotSigner:
    signer = HotSigner(KEY, PAYER, DOMAIN, counters, Clock(), own=[Address(b"o" * 20)])
    signer.set_cover(Cover(10, balance=1000, reserved=0))
    return signer


def wanted(total: int, more: int, payee: Address = PAYEE, payer: Address = PAYER) -> Wanted:
    return Wanted(Voucher(payer, payee, EPOCH, total), (Share(TORRENT, more),))


def refusal(hot: HotSigner, asked: Wanted) -> str:
    with pytest.raises(Refused) as caught:
        hot.voucher(asked)
    return caught.value.code


def test_a_voucher_is_signed_by_the_hot_key_for_this_vault(hot: HotSigner) -> None:
    signed = hot.voucher(wanted(10, 10))
    assert recover(signed.voucher.digest(DOMAIN), signed.signature) == KEY.address
    assert recover(signed.voucher.digest(Domain(0xCD8690DC, PAYEE)), signed.signature) != KEY.address
    assert hot.voucher(wanted(10, 10)) == signed


def test_until_the_vault_is_known_nothing_is_signed(counters: Counters) -> None:
    hot = HotSigner(KEY, PAYER, DOMAIN, counters, Clock())
    assert refusal(hot, wanted(1, 1)) == "no_cover"
    hot.set_cover(Cover(10, balance=1, reserved=0))
    hot.voucher(wanted(1, 1))
    hot.set_cover(None)
    assert refusal(hot, wanted(2, 1)) == "no_cover"
    assert counters.usage().total == 1


def test_an_older_state_of_the_vault_is_ignored(hot: HotSigner) -> None:
    hot.set_cover(Cover(11, balance=5, reserved=0))
    hot.set_cover(Cover(10, balance=1000, reserved=0))
    assert refusal(hot, wanted(6, 6)) == "beyond_deposit"


def test_nobody_else_pays_and_the_wallet_does_not_pay_itself(hot: HotSigner, counters: Counters) -> None:
    assert refusal(hot, wanted(1, 1, payer=PAYEE)) == "foreign_payer"
    for own in (PAYER, KEY.address, Address(b"o" * 20)):
        assert refusal(hot, wanted(1, 1, payee=own)) == "own_payee"
    assert counters.usage().turn == 0


def test_a_batch_answers_each_in_its_place_with_one_write(hot: HotSigner, counters: Counters) -> None:
    answers = hot.vouchers([wanted(10, 10), wanted(1, 1, payee=PAYER), wanted(2000, 1990), wanted(30, 20)])
    assert [one.code if isinstance(one, Refused) else one.voucher.cumulative for one in answers] == [
        10, "own_payee", "beyond_deposit", 30]
    assert counters.usage().turn == 1
    for one in answers:
        if isinstance(one, SignedVoucher):
            assert recover(one.voucher.digest(DOMAIN), one.signature) == KEY.address
    with pytest.raises(LimitError):
        hot.vouchers([wanted(40, 10)] * (limits.WALLET_VOUCHERS + 1))


def test_an_accept_is_signed_at_a_price_that_is_paid(hot: HotSigner, counters: Counters) -> None:
    accept = Accept(PAYER, PAYEE, b"offer-id", TORRENT, int(START) + 3600)
    assert recover(accept.digest(DOMAIN), hot.accept(accept, 33_000)) == KEY.address
    counters.set_limits(replace(WIDE, max_price=32_999))
    for asked, price, code in (
        (accept, 33_000, "max_price"), (replace(accept, payer=PAYEE), 1, "foreign_payer"),
        (replace(accept, payee=PAYER), 1, "own_payee"),
        (replace(accept, expiry=int(START) + 400 * 86_400), 1, "bad_expiry"),
    ):
        with pytest.raises(Refused) as caught:
            hot.accept(asked, price)
        assert caught.value.code == code


def test_only_our_own_signatures_close_lanes(hot: HotSigner, counters: Counters) -> None:
    voucher = Voucher(PAYER, PAYEE, EPOCH - 1, 500)
    assert not hot.seen(voucher, FEE.sign(voucher.digest(DOMAIN)))
    assert not hot.seen(voucher, bytes(65)) and not hot.seen(voucher, b"")
    assert not counters.usage().closed_today
    assert hot.seen(voucher, KEY.sign(voucher.digest(DOMAIN)))
    assert counters.usage().closed_today and counters.usage().total == 500


def test_signatures_of_former_hot_keys_count_as_ours(counters: Counters) -> None:
    voucher = Voucher(PAYER, PAYEE, EPOCH - 1, 500)
    hot = HotSigner(FEE, PAYER, DOMAIN, counters, Clock(), former=[KEY.address])
    assert hot.seen(voucher, KEY.sign(voucher.digest(DOMAIN)))


# -- the fee key


def call(data: bytes, *, owner: Address = FEE.address, contract: Address = VAULT, **more: int) -> RawTransaction:
    made = RawTransaction(
        b"ab", b"12345678", EPOCH, TriggerContract(owner, contract, data, more.pop("value", 0)), EPOCH,
        more.pop("fee_limit", 100))
    return replace(made, **more) if more else made


CLAIM = selector("claim(address)") + encode(["address"], [PAYEE])


def test_the_fee_key_redeems_and_claims_within_its_day(counters: Counters) -> None:
    counters.set_limits(replace(WIDE, fees_per_day=250))
    fee = FeeSigner(FEE, DOMAIN, counters)
    redeem = selector("redeemMany((address,address,uint64,uint256,bytes)[])") + bytes(64)
    for data in (CLAIM, redeem):
        raw = call(data)
        assert recover(transaction.txid_of(raw.encode()), fee.sign(raw, 5)) == FEE.address
    with pytest.raises(Refused) as caught:
        fee.sign(call(CLAIM), 0)
    assert caught.value.code == "fees_per_day"
    assert counters.usage().fees_today == 210


@pytest.mark.parametrize("raw", [
    call(selector("withdraw()")), call(selector("requestWithdraw(uint128)") + bytes(32)),
    call(selector("addSigner(address)") + bytes(32)), call(selector("deposit()")), call(CLAIM, value=1),
    call(CLAIM, contract=PAYEE), call(CLAIM, owner=PAYER), call(b""), call(CLAIM[:3]),
    replace(call(CLAIM), memo=b"memo"),
    RawTransaction(b"ab", b"12345678", EPOCH, Transfer(FEE.address, PAYEE, 1)),
])
def test_the_fee_key_does_nothing_else(counters: Counters, raw: RawTransaction) -> None:
    with pytest.raises(Refused) as caught:
        FeeSigner(FEE, DOMAIN, counters).sign(raw, 0)
    assert caught.value.code == "not_unattended"
    assert counters.usage().fees_today == 0


def test_no_fee_is_above_the_hard_cap(counters: Counters) -> None:
    counters.set_limits(replace(WIDE, fees_per_day=limits.WALLET_AMOUNT))
    for raw, more in ((call(CLAIM, fee_limit=limits.WALLET_FEE_LIMIT + 1), 0), (call(CLAIM), -1)):
        with pytest.raises(Refused) as caught:
            FeeSigner(FEE, DOMAIN, counters).sign(raw, more)
        assert caught.value.code == "fee_limit"


def test_what_does_not_read_back_is_not_signed(counters: Counters, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = call(CLAIM)
    other = replace(raw, fee_limit=raw.fee_limit + 1)
    monkeypatch.setattr(signing.transaction, "decode", lambda encoded: other)
    with pytest.raises(UsageError, match="not signed"):
        FeeSigner(FEE, DOMAIN, counters).sign(raw, 0)
    assert counters.usage().fees_today == 0


def test_signers_do_not_print_their_keys(hot: HotSigner, counters: Counters) -> None:
    shown = f"{hot!r} {FeeSigner(FEE, DOMAIN, counters)!r}"
    assert KEY.secret.hex() not in shown and FEE.secret.hex() not in shown
