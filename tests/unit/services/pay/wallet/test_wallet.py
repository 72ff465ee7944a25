"""The wallet as a whole: what asks the passphrase, what is shown before it is signed, and what is sent."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import stat
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import eth_keyfile
import pytest

from walletbed import Clock, HandChain, story
from wildbach.base.errors import StorageError, UsageError, WildbachError
from wildbach.protocol.tron import transaction
from wildbach.protocol.tron.abi import encode, selector
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.keys import BadKey, SecretKey, recover
from wildbach.protocol.tron.transaction import CreateContract, Transfer, TriggerContract
from wildbach.protocol.tron.typed import Domain, Voucher
from wildbach.runtime.workers import Threads
from wildbach.services.pay.wallet import keystore, orders
from wildbach.services.pay.wallet.counters import Counters
from wildbach.services.pay.wallet.derivation import cold_key
from wildbach.services.pay.wallet.keystore import WrongPassphrase
from wildbach.services.pay.wallet.orders import Order, Quote
from wildbach.services.pay.wallet.phrase import Phrase
from wildbach.services.pay.wallet.policy import Cover, Refused, Share, SpendingLimits, Wanted
from wildbach.services.pay.wallet.secret import Passphrase
from wildbach.services.pay.wallet.wallet import Wallet, parse_key

JUNK = Phrase.parse("test test test test test test test test test test test junk")
COLD = cold_key(JUNK.seed())
PASS, NEW, WRONG = Passphrase("correct horse"), Passphrase("battery staple"), Passphrase("wrong horse")
TO, VAULT = Address(b"t" * 20), Address(b"v" * 20)
DOMAIN = Domain(0xCD8690DC, VAULT)
WIDE = SpendingLimits(**{one.name: 10**9 for one in fields(SpendingLimits)})
DAY = 86_400.0


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a passphrase costs is tested with keystores."""
    monkeypatch.setattr(keystore, "_N", 1 << 8)


class Bed:
    def __init__(self, root: Path) -> None:
        self.root = root
        self.clock = Clock()
        self.chain = HandChain(self.clock, balances={COLD.address: 100_000_000})
        self.threads = Threads(1)
        self.wallet = self.make()

    def make(
        self, where: str = "data", skew: float | None = 3600.0, chain_id: int = DOMAIN.chain_id, play: bool = False,
    ) -> Wallet:
        return Wallet(
            self.root / where / "wallet", self.root / "mirrors", chain_id, self.threads, self.clock, play=play,
            skew=skew)

    async def again(self) -> Wallet:
        self.wallet.close()
        self.wallet = self.make()
        await self.wallet.load()
        return self.wallet

    async def imported(self) -> Wallet:
        await self.wallet.import_words(JUNK, PASS)
        return self.wallet

    def close(self) -> None:
        self.wallet.close()
        self.threads.close()


@pytest.fixture
def bed(tmp_path: Path) -> Iterator[Bed]:
    made = Bed(tmp_path)
    yield made
    made.close()


def code(error: pytest.ExceptionInfo[WildbachError]) -> str:
    return error.value.code


# -- making one


@story
async def test_without_a_wallet_there_is_nothing_and_no_file(bed: Bed) -> None:
    assert await bed.wallet.load() is None
    with pytest.raises(UsageError) as caught:
        _ = bed.wallet.facts
    assert code(caught) == "no_wallet"
    assert os.listdir(bed.root) == []


@story
async def test_new_words_are_kept_only_after_they_were_typed_again(bed: Bed) -> None:
    phrase = Phrase.random()
    with pytest.raises(UsageError) as caught:
        await bed.wallet.create(phrase, " ".join(Phrase.random().words()), PASS)
    assert code(caught) == "not_written" and os.listdir(bed.root) == []
    facts = await bed.wallet.create(phrase, " ".join(phrase.words()), PASS)
    assert facts.kind == "words" and facts.address == cold_key(phrase.seed()).address
    assert facts.signer is not None and facts.mine == (facts.signer,) and facts.fee is None
    # A fresh hot key, which follows from nothing.
    assert facts.signer not in [cold_key(phrase.seed(), d).address for d in range(5)]
    assert (await (await bed.again()).load()) == facts
    assert not (await bed.wallet.usage()).closed_today
    with pytest.raises(UsageError) as caught:
        await bed.wallet.import_words(JUNK, PASS)
    assert code(caught) == "wallet_exists"


@story
async def test_all_that_is_written_is_for_the_owner_alone(bed: Bed) -> None:
    before = os.umask(0)
    try:
        await bed.imported()
        await bed.wallet.make_fee_key()
    finally:
        os.umask(before)
    folder = bed.root / "data" / "wallet"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    names = {
        path.name.replace(f"{COLD.address}-cd8690dc", "T"): stat.S_IMODE(path.stat().st_mode)
        for path in folder.iterdir()}
    assert {"cold.json", "T.db", "T.signer", "T.fee"} <= set(names)
    assert {mode for name, mode in names.items()} == {0o600}


@story
async def test_imported_words_close_the_day_and_give_another_hot_key(bed: Bed) -> None:
    first = (await bed.imported()).facts
    assert first.address == COLD.address
    usage = await bed.wallet.usage()
    assert usage.closed_today and usage.epoch_floor >= int(bed.clock() * 1000)
    # The same words again in the same folder, after somebody threw the keystore away.
    bed.wallet.close()
    (bed.root / "data" / "wallet" / "cold.json").unlink()
    bed.wallet = bed.make()
    second = await bed.wallet.import_words(JUNK, PASS)
    assert second.signer != first.signer and set(second.mine) == {first.signer, second.signer}
    assert (await bed.wallet.usage()).epoch_floor > usage.epoch_floor


@story
async def test_devices_have_accounts_of_their_own(bed: Bed) -> None:
    facts = await bed.wallet.import_words(JUNK, PASS, device=2)
    assert facts.device == 2 and facts.address == cold_key(JUNK.seed(), 2).address


@story
async def test_a_key_is_imported_without_words(bed: Bed) -> None:
    facts = await bed.wallet.import_key(parse_key(f" 0x{COLD.secret.hex()}\n"), PASS)
    assert facts.kind == "key" and facts.address == COLD.address
    with pytest.raises(UsageError) as caught:
        keystore.read(await bed.wallet.sealed()).open_words(PASS)
    assert code(caught) == "no_words"
    assert eth_keyfile.decode_keyfile_json(json.loads(await bed.wallet.sealed()), b"correct horse") == COLD.secret


def test_what_is_no_key_is_refused_without_showing_it() -> None:
    for wrong in ("", "00" * 32, "ab" * 31, "zz" * 32, "secret"):
        with pytest.raises(BadKey) as caught:
            parse_key(wrong)
        assert not wrong or wrong not in str(caught.value)


@story
async def test_a_keystore_of_another_wallet_is_taken(bed: Bed) -> None:
    theirs = eth_keyfile.create_keyfile_json(COLD.secret, b"wrong horse", kdf="scrypt", iterations=256)
    data = json.dumps(theirs).encode()
    with pytest.raises(WrongPassphrase):
        await bed.wallet.import_keystore(data, PASS, NEW)
    assert await bed.wallet.load() is None
    facts = await bed.wallet.import_keystore(data, WRONG, NEW)
    assert facts.address == COLD.address
    await bed.wallet.check(NEW)


@story
async def test_our_own_copy_keeps_words_and_account(bed: Bed) -> None:
    await bed.wallet.import_words(JUNK, PASS, device=1)
    data = await bed.wallet.sealed()
    other = bed.make("other")
    facts = await other.import_keystore(data, PASS, NEW)
    assert (facts.kind, facts.device, facts.address) == ("words", 1, bed.wallet.facts.address)
    assert keystore.read(await other.sealed()).open_words(NEW).words() == JUNK.words()
    other.close()


@story
async def test_who_only_looks_signs_nothing(bed: Bed) -> None:
    facts = await bed.wallet.watch(COLD.address)
    assert (facts.kind, facts.signer, facts.fee) == ("watched", None, None)
    wallet = await bed.again()
    assert wallet.facts == facts
    with pytest.raises(UsageError) as caught:
        await wallet.quote(bed.chain, wallet.transfer(TO, 5))
    assert code(caught) == "watch_only"
    for doing in (wallet.sealed(), wallet.new_signer(PASS), wallet.make_fee_key(), wallet.set_limits(WIDE, PASS)):
        with pytest.raises(UsageError) as caught:
            await doing
        assert code(caught) == "watch_only"
    with pytest.raises(UsageError) as caught:
        await wallet.signer(DOMAIN)
    assert code(caught) == "no_signer"


@pytest.mark.parametrize(("name", "raw"), [("cold.json", b"{}"), ("watched", b"nobody"), ("watched", b"\xff")])
def test_damaged_files_are_no_wallet(bed: Bed, name: str, raw: bytes) -> None:
    folder = bed.root / "data" / "wallet"
    folder.mkdir(parents=True)
    (folder / name).write_bytes(raw)
    (folder / name).chmod(0o600)
    with pytest.raises(WildbachError):
        asyncio.run(bed.wallet.load())
    with pytest.raises(UsageError) as caught:
        asyncio.run(bed.wallet.import_words(JUNK, PASS))
    assert code(caught) == "wallet_exists"
    assert (folder / name).read_bytes() == raw


@story
async def test_a_keystore_that_was_exchanged_while_it_ran_signs_nothing(bed: Bed) -> None:
    wallet = await bed.imported()
    path = bed.root / "data" / "wallet" / "cold.json"
    path.write_bytes(keystore.write(SecretKey(bytes([9]) * 32), PASS))
    with pytest.raises(StorageError):
        await wallet.check(PASS)


# -- the passphrase


@story
async def test_another_passphrase_opens_the_same_wallet(bed: Bed) -> None:
    wallet = await bed.imported()
    with pytest.raises(WrongPassphrase):
        await wallet.change_passphrase(WRONG, NEW)
    with pytest.raises(UsageError) as caught:
        await wallet.change_passphrase(PASS, Passphrase("short"))
    assert code(caught) == "weak_passphrase"
    await wallet.check(PASS)
    await wallet.change_passphrase(PASS, NEW)
    wallet = await bed.again()
    await wallet.check(NEW)
    with pytest.raises(WrongPassphrase):
        await wallet.check(PASS)
    assert wallet.facts.address == COLD.address
    assert keystore.read(await wallet.sealed()).open_words(NEW).words() == JUNK.words()


@story
async def test_a_passphrase_that_cannot_be_written_leaves_the_old_one(
    bed: Bed, monkeypatch: pytest.MonkeyPatch,
) -> None:
    wallet = await bed.imported()

    def full(source: object, target: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr("wildbach.disk.shelf.os.replace", full)
        with pytest.raises(StorageError):
            await wallet.change_passphrase(PASS, NEW)
    await wallet.check(PASS)
    assert [path.name for path in (bed.root / "data" / "wallet").iterdir() if path.name.startswith(".")] == []


@story
async def test_to_loosen_a_limit_asks_the_passphrase_and_to_tighten_does_not(bed: Bed) -> None:
    wallet = await bed.imported()
    assert await wallet.limits() == SpendingLimits()
    with pytest.raises(UsageError) as caught:
        await wallet.set_limits(replace(SpendingLimits(), per_day=5, total=5))
    assert code(caught) == "passphrase_needed" and "per_day, total" in str(caught.value)
    with pytest.raises(WrongPassphrase):
        await wallet.set_limits(WIDE, WRONG)
    assert await wallet.limits() == SpendingLimits()
    await wallet.set_limits(WIDE, PASS)
    tighter = replace(WIDE, per_day=1)
    await wallet.set_limits(tighter)
    assert await (await bed.again()).limits() == tighter
    # One that is tightened does not pay for one that is loosened.
    with pytest.raises(UsageError):
        await bed.wallet.set_limits(replace(tighter, per_day=2, total=0))


@story
async def test_what_counts_as_spent_needs_the_passphrase_to_be_free_again(bed: Bed) -> None:
    wallet = await bed.imported()
    for doing in (wallet.reopen_day(WRONG), wallet.forget_adrift(WRONG)):
        with pytest.raises(WrongPassphrase):
            await doing
    assert (await wallet.usage()).closed_today
    await wallet.reopen_day(PASS)
    await wallet.forget_adrift(PASS)
    assert not (await wallet.usage()).closed_today


# -- the hot signer


@story
async def test_the_hot_signer_pays_within_limits_without_a_passphrase(bed: Bed) -> None:
    wallet = await bed.imported()
    await wallet.set_limits(WIDE, PASS)
    await wallet.reopen_day(PASS)
    floor = (await wallet.usage()).epoch_floor
    signer = await wallet.signer(DOMAIN)
    signer.set_cover(Cover(5, balance=100, reserved=0))
    signed = signer.voucher(Wanted(Voucher(COLD.address, TO, floor, 60), (Share(b"", 60),)))
    assert recover(signed.voucher.digest(DOMAIN), signed.signature) == wallet.facts.signer
    with pytest.raises(Refused):
        signer.voucher(Wanted(Voucher(COLD.address, TO, floor, 101), (Share(b"", 41),)))
    for own in (COLD.address, signer.address):
        with pytest.raises(Refused) as caught:
            signer.voucher(Wanted(Voucher(COLD.address, own, floor, 1), (Share(b"", 1),)))
        assert code(caught) == "own_payee"


@story
async def test_a_new_signer_knows_what_the_old_one_signed_as_ours(bed: Bed) -> None:
    wallet = await bed.imported()
    first = wallet.facts.signer
    kept = bed.root / "data" / "wallet" / f"{COLD.address}-cd8690dc.signer"
    old = SecretKey(bytes.fromhex(kept.read_text().strip()))
    bed.clock.now += 5
    facts = await wallet.new_signer(PASS)
    assert facts.signer != first and facts.mine == (first, facts.signer)
    voucher = Voucher(COLD.address, TO, 1, 500)
    assert (await wallet.signer(DOMAIN)).seen(voucher, old.sign(voucher.digest(DOMAIN)))


@story
async def test_signers_and_sends_go_on_while_keys_are_made(bed: Bed) -> None:
    wallet = await bed.imported()
    signer, sends = await wallet.signer(DOMAIN), wallet.sends
    await wallet.make_fee_key()
    await wallet.new_signer(PASS)
    signer.set_cover(Cover(5, balance=100, reserved=0))
    assert sends.history() == [] and sends is wallet.sends
    wallet.close()
    with pytest.raises(StorageError) as caught:
        sends.history()
    assert code(caught) == "closed"


# -- chains


@story
async def test_what_was_signed_and_sent_on_one_chain_is_not_of_another(bed: Bed) -> None:
    wallet = await bed.imported()
    await wallet.set_limits(WIDE, PASS)
    await wallet.reopen_day(PASS)
    await wallet.send(bed.chain, [("k", await wallet.quote(bed.chain, wallet.transfer(TO, 5)))], PASS)
    first = wallet.facts
    with pytest.raises(UsageError) as caught:
        await wallet.signer(Domain(5, VAULT))
    assert code(caught) == "wrong_chain"
    wallet.close()
    bed.wallet = bed.make(chain_id=5)
    second = await bed.wallet.load()
    assert second is not None and second.address == first.address and second.signer != first.signer
    # On this chain there is no such transaction, and it must not be called expired here.
    bed.clock.now += 1000
    other = HandChain(bed.clock)
    other.solidify()
    assert await bed.wallet.sends.poll(other) == [] and bed.wallet.sends.history() == []
    assert await bed.wallet.limits() == SpendingLimits() and (await bed.wallet.usage()).closed_today
    wallet = await bed.again()
    assert wallet.facts == first and [one.key for one in wallet.sends.history()] == ["k"]


@story
async def test_a_chain_that_was_begun_by_half_is_begun_to_the_end(bed: Bed, monkeypatch: pytest.MonkeyPatch) -> None:
    await bed.imported()
    bed.wallet.close()
    bed.wallet = bed.make(chain_id=7)

    def killed(self: Counters) -> None:
        raise StorageError("killed")

    with monkeypatch.context() as broken:
        broken.setattr(Counters, "begin_from_words", killed)
        with pytest.raises(StorageError):
            await bed.wallet.load()
    await bed.wallet.load()
    assert (await bed.wallet.usage()).closed_today


@story
async def test_a_chain_for_development_begins_open(bed: Bed) -> None:
    await bed.imported()
    bed.wallet.close()
    bed.wallet = bed.make(chain_id=6, play=True)
    await bed.wallet.load()
    assert not (await bed.wallet.usage()).closed_today


# -- sending


@story
async def test_a_transfer_shows_its_price_and_is_sent_with_the_passphrase(bed: Bed) -> None:
    wallet = await bed.imported()
    quote = await wallet.quote(bed.chain, wallet.transfer(TO, 2_000_000))
    assert quote.estimate.activation == 1_100_000 and quote.estimate.total == 1_100_000 and quote.short == 0
    assert [one.code for one in quote.cautions] == ["first_time"]
    with pytest.raises(WrongPassphrase):
        await wallet.send(bed.chain, [("one", quote)], WRONG)
    assert bed.chain.heard == [] and wallet.sends.history() == []
    (sent,) = await wallet.send(bed.chain, [("one", quote)], PASS)
    assert sent.state == "pending" and sent.signer == "cold"
    raw, (signature,) = transaction.unsigned(bed.chain.heard[0])
    decoded = transaction.decode(raw)
    assert decoded.contract == Transfer(COLD.address, TO, 2_000_000) and decoded.fee_limit == 0
    assert decoded.expiration == int(bed.clock() * 1000) + 300_000
    assert recover(transaction.txid_of(raw), signature) == COLD.address
    bed.chain.solidify()
    await wallet.sends.poll(bed.chain)
    assert bed.chain.balances[TO] == 2_000_000
    assert (await wallet.quote(bed.chain, wallet.transfer(TO, 1))).cautions == ()
    # The same request again, as a client does that got no answer.
    (again,) = await wallet.send(bed.chain, [("one", quote)], PASS)
    assert again.state == "confirmed" and len(bed.chain.heard) == 1
    rows = list(csv.reader(io.StringIO(await wallet.table())))
    assert rows[1][1:8] == ["transfer", "cold", "confirmed", str(TO), "", "2.000000", "2000000"]


@story
async def test_one_passphrase_covers_a_list_that_was_shown(bed: Bed) -> None:
    wallet = await bed.imported()
    bed.chain.energy = 22_000
    deposit = wallet.call(VAULT, selector("deposit()"), value=50_000_000)
    arguments = encode(["address", "uint128", "uint64"], [TO, 7, 9])
    reserve = wallet.call(VAULT, selector("reserve(address,uint128,uint64)") + arguments)
    quotes = [await wallet.quote(bed.chain, one, vault=VAULT) for one in (deposit, reserve)]
    assert [one.estimate.fee_limit for one in quotes] == [2_640_000] * 2
    sent = await wallet.send(bed.chain, [("a", quotes[0]), ("b", quotes[1])], PASS, vault=VAULT)
    assert [(one.state, one.amount, one.hold, one.raw.fee_limit) for one in sent] == [
        ("pending", 50_000_000, 0, 2_640_000), ("pending", 0, 7, 2_640_000)]


@story
async def test_the_cold_key_calls_nothing_but_our_vault(bed: Bed) -> None:
    wallet = await bed.imported()
    approve = selector("approve(address,uint256)") + bytes(64)
    for order, vault, wanted in (
        (wallet.call(VAULT, selector("deposit()")), None, "not_our_vault"),
        (wallet.call(TO, selector("deposit()")), VAULT, "not_our_vault"),
        (Order("call", TriggerContract(COLD.address, VAULT, approve)), VAULT, "not_our_vault"),
        (Order("call", TriggerContract(COLD.address, VAULT, b"")), VAULT, "not_our_vault"),
        (wallet.transfer(VAULT, 5), VAULT, "use_deposit"),
        (Order("transfer", Transfer(TO, COLD.address, 5)), VAULT, "foreign_account"),
        (Order("transfer", TriggerContract(COLD.address, VAULT, selector("deposit()"))), VAULT, "not_as_meant"),
        (Order("call", CreateContract(COLD.address, b"code")), VAULT, "not_as_meant"),
    ):
        with pytest.raises(UsageError) as caught:
            await wallet.quote(bed.chain, order, vault=vault)
        assert code(caught) == wanted
        # Nor where somebody made the quote by hand.
        costs = (await wallet.quote(bed.chain, wallet.transfer(TO, 1))).estimate
        with pytest.raises(UsageError) as caught:
            await wallet.send(bed.chain, [("k", Quote(order, costs, 0, 0, (), bed.clock()))], PASS, vault=vault)
        assert code(caught) == wanted
    assert bed.chain.heard == []


@story
async def test_a_contract_is_deployed_where_the_order_says_so(bed: Bed) -> None:
    wallet = await bed.imported()
    bed.chain.energy = 600_000
    order = orders.deploy(CreateContract(COLD.address, b"code", "Vault"))
    (sent,) = await wallet.send(bed.chain, [("d", await wallet.quote(bed.chain, order))], PASS)
    assert sent.kind == "deploy" and sent.raw.contract == order.contract and sent.raw.fee_limit == 72_000_000


@story
async def test_what_cannot_be_is_said_before_anything_is_signed(bed: Bed) -> None:
    wallet = await bed.imported()
    for amount in (0, -1, 10**18):
        with pytest.raises(UsageError):
            wallet.transfer(TO, amount)
    with pytest.raises(UsageError):
        wallet.transfer(COLD.address, 5)
    with pytest.raises(UsageError):
        wallet.transfer(TO, 5, b"x" * 501)
    quote = await wallet.quote(bed.chain, wallet.transfer(TO, 99_000_000))
    assert quote.short == 100_000
    with pytest.raises(UsageError) as caught:
        await wallet.send(bed.chain, [("k", quote)], PASS)
    assert code(caught) == "too_little"
    quote = await wallet.quote(bed.chain, wallet.transfer(TO, 5))
    for key in ("", "x" * 65, "a\nb", "ä"):
        with pytest.raises(UsageError) as caught:
            await wallet.send(bed.chain, [(key, quote)], PASS)
        assert code(caught) == "bad_key"
    bed.clock.now += 601
    with pytest.raises(UsageError) as caught:
        await wallet.send(bed.chain, [("k", quote)], PASS)
    assert code(caught) == "quote_old"
    assert bed.chain.heard == []


@story
async def test_one_key_is_for_one_thing(bed: Bed) -> None:
    wallet = await bed.imported()
    quotes = [await wallet.quote(bed.chain, wallet.transfer(TO, amount)) for amount in (5, 6)]
    await wallet.send(bed.chain, [("k", quotes[0])], PASS)
    with pytest.raises(UsageError) as caught:
        await wallet.send(bed.chain, [("k", quotes[1])], PASS)
    assert code(caught) == "key_used"
    assert len(bed.chain.heard) == 1


@pytest.mark.parametrize("ahead", [-4000.0, 4000.0])
def test_a_chain_of_another_time_gets_nothing(bed: Bed, ahead: float) -> None:
    async def run() -> None:
        wallet = await bed.imported()
        quote = await wallet.quote(bed.chain, wallet.transfer(TO, 5))
        bed.chain.ahead = ahead
        with pytest.raises(UsageError) as caught:
            await wallet.send(bed.chain, [("k", quote)], PASS)
        assert code(caught) == "clock_skew" and bed.chain.heard == []
        wallet.close()
        bed.wallet = bed.make(skew=None)
        await bed.wallet.load()
        (sent,) = await bed.wallet.send(bed.chain, [("k", quote)], PASS)
        assert sent.expiration == int((bed.clock() + ahead) * 1000) + 300_000

    asyncio.run(run())


@story
async def test_where_no_node_answers_after_it_was_signed_it_goes_out_later(
    bed: Bed, monkeypatch: pytest.MonkeyPatch,
) -> None:
    wallet = await bed.imported()
    quote = await wallet.quote(bed.chain, wallet.transfer(TO, 5))
    real = HandChain.reference

    async def then_down(chain: HandChain) -> object:
        found = await real(chain)
        chain.down = True
        return found

    monkeypatch.setattr(HandChain, "reference", then_down)
    (sent,) = await wallet.send(bed.chain, [("k", quote)], PASS)
    assert sent.state == "prepared" and bed.chain.heard == []
    wallet = await bed.again()
    bed.chain.down = False
    assert [one.state for one in await wallet.sends.poll(bed.chain)] == ["pending"]
    assert bed.chain.heard == [transaction.signed(sent.encoded, sent.signature)]


# -- the fee key


CLAIM = selector("claim(address)") + encode(["address"], [TO])


@story
async def test_the_fee_key_claims_without_a_passphrase_within_its_day(bed: Bed) -> None:
    wallet = await bed.imported()
    with pytest.raises(UsageError) as caught:
        await wallet.send_unattended(bed.chain, "c1", CLAIM, DOMAIN)
    assert code(caught) == "no_fee_key"
    facts = await wallet.make_fee_key()
    with pytest.raises(UsageError) as caught:
        await wallet.make_fee_key()
    assert code(caught) == "key_exists" and facts.fee not in (None, facts.signer, facts.address)
    bed.chain.energy = 10_000
    await wallet.reopen_day(PASS)
    with pytest.raises(Refused):
        await wallet.send_unattended(bed.chain, "c1", CLAIM, DOMAIN)
    await wallet.set_limits(replace(WIDE, fees_per_day=2_400_000), PASS)
    sent = await wallet.send_unattended(bed.chain, "c1", CLAIM, DOMAIN)
    assert (sent.signer, sent.state, sent.raw.contract.owner) == ("fee", "pending", facts.fee)
    assert (await wallet.send_unattended(bed.chain, "c1", CLAIM, DOMAIN)).txid == sent.txid
    assert (await wallet.usage()).fees_today == 1_200_000
    bed.clock.now += 1
    await wallet.send_unattended(bed.chain, "c2", CLAIM, DOMAIN)
    with pytest.raises(Refused) as caught2:
        await wallet.send_unattended(bed.chain, "c3", CLAIM, DOMAIN)
    assert caught2.value.code == "fees_per_day" and len(bed.chain.heard) == 2
    with pytest.raises(Refused):
        await wallet.send_unattended(bed.chain, "w", selector("withdraw()"), DOMAIN)
