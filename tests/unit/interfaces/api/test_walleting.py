"""The wallet through the Api: made, imported, asked and sent from, against a node that takes transfers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.paynode import PayNode

from chainnode import serving
from clients import client
from wildbach.base.errors import FormatError, NetworkError, UsageError
from wildbach.interfaces.api import walletmodels as wm
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.api.local import LocalApi
from wildbach.interfaces.api.operation import operations
from wildbach.interfaces.api.restricted import for_role
from wildbach.protocol.tron.address import NOBODY, Address
from wildbach.protocol.tron.keys import SecretKey
from wildbach.services.chain.networks import CONFIRMATION
from wildbach.services.pay.wallet import keystore
from wildbach.services.pay.wallet.derivation import cold_key
from wildbach.services.pay.wallet.phrase import Phrase
from wildbach.services.pay.wallet.secret import Passphrase

PHRASE = Phrase(bytes(range(100, 116)))
WORDS = " ".join(PHRASE.words())
PAYER = cold_key(PHRASE.seed()).address
TO, OTHER = Address(b"\x33" * 20), Address(b"\x44" * 20)
PASS = "correct horse battery"


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keystore, "_N", 1 << 8)


@dataclass
class Bed:
    api: LocalApi
    node: PayNode

    async def imported(self, balance: int = 9_000_000) -> wm.WalletStatus:
        self.node.chain.accounts[PAYER] = balance
        return await self.api.import_wallet(wm.WalletImport(words=WORDS, passphrase=PASS))

    async def quote(self, amount: int = 1_000_000, to: Address = TO) -> wm.WalletQuote:
        return await self.api.quote_wallet_send(wm.WalletQuoteRequest(str(to), amount))

    async def state(self, id_: str, wanted: str) -> wm.WalletSend:
        """Blocks are made until it is so."""
        async with asyncio.timeout(20):
            while True:
                self.node.make_block()
                wallet = await self.api.purse.wallet()
                await wallet.sends.poll(self.api.purse.chain())
                (one,) = [one for one in (await self.api.wallet_sends(wm.WalletSendsQuery())).sends if one.id == id_]
                if one.state == wanted:
                    return one


@contextlib.asynccontextmanager
async def bed(folder: Path, node: PayNode | None = None, **more: object) -> AsyncIterator[Bed]:
    node = node if node is not None else PayNode()
    async with serving(node), client(
            folder, **{"chain__url": node.url, "chain__counters": str(folder / "counters")} | more) as api:
        yield Bed(api, node)


async def refused(work: object) -> str:
    with pytest.raises((UsageError, FormatError, NetworkError)) as caught:
        await work  # type: ignore[misc]  # of any operation
    return caught.value.code


def test_nobody_is_asked_anything_while_there_is_no_wallet(tmp_path: Path) -> None:
    async def main() -> None:
        async with bed(tmp_path) as there:
            api = there.api
            status = await api.wallet()
            assert (status.exists, status.network, status.play_money, status.consent) == (False, "dev", True, "")
            assert await refused(api.wallet_book()) == "no_wallet"
            assert await refused(there.quote()) == "no_wallet"
            assert await refused(api.import_wallet(wm.WalletImport())) == "bad_request"
            assert await refused(api.import_wallet(wm.WalletImport(words="a b c", passphrase=PASS))) == "bad_phrase"
            assert await refused(api.import_wallet(wm.WalletImport(words=WORDS, passphrase="short"))) == (
                "weak_passphrase")
            await api.draft_wallet(wm.WalletWordsRequest())
            assert there.node.asked == []
            assert not (tmp_path / "data" / "wallet").exists()
    asyncio.run(main())


def test_a_wallet_is_made_after_two_words_were_read_from_the_paper(tmp_path: Path) -> None:
    async def main() -> None:
        node = PayNode()
        async with bed(tmp_path, node) as there:
            api = there.api
            shown = await api.draft_wallet(wm.WalletWordsRequest(24))
            assert len(shown.words) == 24 and len(shown.asked) == 2
            right = tuple(shown.words[number - 1] for number in shown.asked)
            wrong = wm.WalletMaking(shown.id, right[::-1] if right[0] != right[1] else ("x", "y"), PASS)
            assert await refused(api.create_wallet(wrong)) == "not_written"
            assert await refused(api.create_wallet(wm.WalletMaking("another", right, PASS))) == "not_found"
            made = await api.create_wallet(wm.WalletMaking(shown.id, tuple(f" {one.upper()}" for one in right), PASS))
            assert made.exists and made.kind == "words" and made.locked and not made.backup_due
            assert made.address == str(cold_key(Phrase.parse(" ".join(shown.words)).seed()).address)
            assert made.chain_id == f"0x{int.from_bytes(node.chain.blocks[0].id[-4:], 'big'):08x}"
            assert await refused(api.create_wallet(wm.WalletMaking(shown.id, right, PASS))) == "not_found"
            assert await refused(api.draft_wallet(wm.WalletWordsRequest())) == "wallet_exists"
            assert await refused(there.imported()) == "wallet_exists"
            await api.check_wallet_words(wm.WalletPaper(" ".join(shown.words)))
            assert await refused(api.check_wallet_words(wm.WalletPaper(WORDS))) == "not_written"
        async with bed(tmp_path, node) as there:
            assert (await there.api.wallet()).address == made.address
    asyncio.run(main())


def test_a_send_is_shown_signed_once_and_followed_to_the_end(tmp_path: Path) -> None:
    async def main() -> None:
        async with bed(tmp_path) as there:
            api = there.api
            status = await there.imported()
            assert status.address == str(PAYER) and status.funds is not None
            assert (status.funds.balance, status.funds.free_bandwidth, status.funds.energy) == (9_000_000, 500, 7)
            quote = await there.quote()
            assert (quote.activation, quote.fee, quote.short) == (1_100_000, 1_100_000, 0)
            assert [one.code for one in quote.cautions] == ["first_time"]
            wrong = wm.WalletSendRequest(quote.id, "wrong passphrase")
            assert await refused(api.send_from_wallet(wrong)) == "wrong_passphrase"
            assert (await api.wallet_sends(wm.WalletSendsQuery())).total == 0
            request = wm.WalletSendRequest(quote.id, PASS)
            sent = await api.send_from_wallet(request)
            assert (sent.state, sent.to, sent.amount) == ("pending", str(TO), 1_000_000)
            again = await api.send_from_wallet(request)
            assert (again.id, again.txid) == (sent.id, sent.txid)
            done = await there.state(sent.id, "confirmed")
            assert done.block and there.node.chain.accounts[TO] == 1_000_000
            assert len(set(there.node.heard)) == 1
            await api.put_wallet_address(wm.WalletKnown(str(TO), "  My   friend "))
            (listed,) = (await api.wallet_sends(wm.WalletSendsQuery())).sends
            assert listed.label == "My friend"
            assert (await there.quote()).cautions == ()
            table = (await api.wallet_table()).decode()
            assert sent.txid in table and "1.000000" in table
            assert (await api.wallet_sends(wm.WalletSendsQuery(offset=1))) == wm.WalletSends((), 1)
    asyncio.run(main())


def test_what_cannot_be_sent_says_why(tmp_path: Path) -> None:
    async def main() -> None:
        async with bed(tmp_path) as there:
            api = there.api
            await there.imported(100)
            short = await there.quote(5_000_000)
            assert short.short == 5_000_000 + 1_100_000 - 100
            assert await refused(api.send_from_wallet(wm.WalletSendRequest(short.id, PASS))) == "too_little"
            assert await refused(api.send_from_wallet(wm.WalletSendRequest("unknown", PASS))) == "not_found"
            assert await refused(there.quote(0)) == "bad_amount"
            assert await refused(there.quote(5, PAYER)) == "own_address"
            assert await refused(api.quote_wallet_send(wm.WalletQuoteRequest("Tnonsense", 5))) == "bad_address"
            assert await refused(api.quote_wallet_send(wm.WalletQuoteRequest(str(TO), 5, "ü" * 300))) == "bad_memo"
            there.node.status = "500 Internal Server Error"
            assert await refused(there.quote()) != "no_wallet"
    asyncio.run(main())


def test_an_address_that_looks_like_another_is_paid_only_in_spite_of_that(tmp_path: Path) -> None:
    async def main() -> None:
        async with bed(tmp_path) as there:
            api = there.api
            await there.imported()
            await api.put_wallet_address(wm.WalletKnown(str(TO), "friend"))
            near = (Address(b"\x33" * 4 + number.to_bytes(16, "big")) for number in range(1 << 20))
            twin = next(one for one in near if str(one)[1:6].lower() == str(TO)[1:6].lower())
            quote = await there.quote(5, twin)
            alike = next(one for one in quote.cautions if one.code == "look_alike")
            assert alike.like == str(TO)
            assert await refused(api.send_from_wallet(wm.WalletSendRequest(quote.id, PASS))) == "look_alike"
            sent = await api.send_from_wallet(wm.WalletSendRequest(quote.id, PASS, in_spite=True))
            assert sent.to == str(twin)
            lost = await there.quote(5, NOBODY)
            assert await refused(api.send_from_wallet(wm.WalletSendRequest(lost.id, PASS))) == "nobody"
    asyncio.run(main())


def test_the_book_has_names_for_addresses(tmp_path: Path) -> None:
    async def main() -> None:
        async with bed(tmp_path) as there:
            api = there.api
            await there.imported()
            await api.put_wallet_address(wm.WalletKnown(str(TO), "one"))
            await api.put_wallet_address(wm.WalletKnown(str(OTHER), "other"))
            await api.put_wallet_address(wm.WalletKnown(str(TO), "two"))
            assert [(one.label, one.address) for one in (await api.wallet_book()).entries] == [
                ("other", str(OTHER)), ("two", str(TO))]
            await api.remove_wallet_address(wm.WalletKnownAddress(str(TO)))
            assert await refused(api.remove_wallet_address(wm.WalletKnownAddress(str(TO)))) == "not_found"
            assert await refused(api.put_wallet_address(wm.WalletKnown(str(TO), " "))) == "bad_label"
    asyncio.run(main())


def test_to_loosen_a_limit_takes_the_passphrase_and_to_tighten_it_does_not(tmp_path: Path) -> None:
    async def main() -> None:
        async with bed(tmp_path) as there:
            api = there.api
            await there.imported()
            more = wm.WalletLimits(per_day=100, total=500)
            assert await refused(api.set_wallet_limits(wm.WalletLimitsChange(more))) == "passphrase_needed"
            assert await refused(api.set_wallet_limits(wm.WalletLimitsChange(more, "wrong one"))) == "wrong_passphrase"
            assert (await api.set_wallet_limits(wm.WalletLimitsChange(more, PASS))).limits == more
            less = wm.WalletLimits(per_day=50, total=500)
            bounds = await api.set_wallet_limits(wm.WalletLimitsChange(less))
            assert bounds.limits == less
            # Words from elsewhere: somebody may have spent today's share with them.
            assert bounds.used.closed_today
    asyncio.run(main())


def test_keys_and_keystores_are_taken_on_and_a_copy_is_missed_until_there_is_one(tmp_path: Path) -> None:
    async def main() -> None:
        key = SecretKey(b"\5" * 32)
        async with bed(tmp_path / "a") as there:
            api = there.api
            status = await api.import_wallet(wm.WalletImport(key=key.secret.hex(), passphrase=PASS))
            assert (status.kind, status.address, status.backup_due) == ("key", str(key.address), True)
            wrong = wm.WalletPassphrase("wrong one")
            assert await refused(api.export_wallet_keystore(wrong)) == "wrong_passphrase"
            assert (await api.wallet()).backup_due
            copy = await api.export_wallet_keystore(wm.WalletPassphrase(PASS))
            assert not (await api.wallet()).backup_due
            assert await refused(api.check_wallet_words(wm.WalletPaper(WORDS))) == "no_words"
            await api.change_wallet_passphrase(wm.WalletPassphraseChange(PASS, "another one"))
            assert await refused(api.export_wallet_keystore(wm.WalletPassphrase(PASS))) == "wrong_passphrase"
        async with bed(tmp_path / "b") as there:
            api = there.api
            taken = await api.import_wallet(wm.WalletImport(
                keystore=copy.text, keystore_passphrase=PASS, passphrase="a third one"))
            assert taken.address == str(key.address)
            await (await api.purse.wallet()).check(Passphrase("a third one"))
    asyncio.run(main())


def test_an_address_can_only_be_looked_at(tmp_path: Path) -> None:
    async def main() -> None:
        node = PayNode()
        node.chain.accounts[OTHER] = 77
        async with bed(tmp_path, node) as there:
            api = there.api
            status = await api.import_wallet(wm.WalletImport(address=str(OTHER)))
            assert (status.kind, status.locked, status.backup_due, status.signer) == ("watched", False, False, "")
            assert status.funds is not None and status.funds.balance == 77
            assert await refused(there.quote()) == "watch_only"
            assert await refused(api.export_wallet_keystore(wm.WalletPassphrase(PASS))) == "watch_only"
    asyncio.run(main())


def test_a_node_that_is_silent_or_of_another_chain_is_said_and_hides_nothing(tmp_path: Path) -> None:
    async def main() -> None:
        node = PayNode()
        async with bed(tmp_path, node) as there:
            await there.imported()
        other = PayNode()
        other.chain.blocks = other.chain.blocks[:1]
        other.chain.blocks[0] = type(other.chain.blocks[0])(0, bytes(32), 0, b"another chain")
        other.chain.grow(5)
        async with bed(tmp_path, other) as there:
            status = await there.api.wallet()
            assert (status.address, status.funds, status.code) == (str(PAYER), None, "wrong_chain")
            assert await refused(there.quote()) == "wrong_chain"
        async with bed(tmp_path, node, chain__url="http://127.0.0.1:9") as there:
            status = await there.api.wallet()
            assert status.address == str(PAYER) and status.funds is None and status.problem
    asyncio.run(main())


def test_without_a_node_no_wallet_is_made_where_nobody_knows_which_chain_it_is(tmp_path: Path) -> None:
    async def main() -> None:
        async with bed(tmp_path, chain__url="http://127.0.0.1:9") as there:
            with pytest.raises(NetworkError):
                await there.imported()
            assert not (await there.api.wallet()).exists
        async with bed(tmp_path, chain__url="http://127.0.0.1:9", chain__network="nile") as there:
            assert (await there.imported()).chain_id == "0xcd8690dc"
    asyncio.run(main())


def test_mainnet_takes_the_setting_and_words_that_a_person_typed(tmp_path: Path) -> None:
    async def main() -> None:
        main_ = {"chain__network": "mainnet"}
        async with bed(tmp_path, **main_) as there:
            status = await there.api.wallet()
            assert (status.play_money, status.consent) == (False, CONFIRMATION)
            assert await refused(there.imported()) == "mainnet_not_allowed"
            assert await refused(there.api.agree_to_wallet(wm.WalletConsent(CONFIRMATION))) == "mainnet_not_allowed"
        main_ = {"chain__network": "mainnet", "chain__allow_mainnet": True}
        async with bed(tmp_path, **main_) as there:
            api = there.api
            assert await refused(there.imported()) == "mainnet_unconfirmed"
            assert await refused(api.agree_to_wallet(wm.WalletConsent("yes"))) == "mainnet_unconfirmed"
            assert (await api.agree_to_wallet(wm.WalletConsent(f" {CONFIRMATION} "))).consent == ""
            assert await refused(api.agree_to_wallet(wm.WalletConsent(CONFIRMATION))) == "not_needed"
            status = await there.imported()
            assert status.chain_id == "0x2b6653dc" and status.code == "wrong_chain"
        async with bed(tmp_path, **main_) as there:
            assert (await there.api.wallet()).consent == ""
    asyncio.run(main())


def test_counters_inside_the_data_directory_are_refused(tmp_path: Path) -> None:
    async def main() -> None:
        async with bed(tmp_path, chain__counters=str(tmp_path / "data" / "x")) as there:
            assert await refused(there.imported()) == "bad_setting"
    asyncio.run(main())


def test_guests_see_and_do_nothing_of_it(tmp_path: Path) -> None:
    async def main() -> None:
        async with bed(tmp_path) as there:
            await there.imported()
            guest = for_role(there.api, "guest")
            of_it = [name for name, one in operations(Api).items() if one.path.startswith("/wallet")]
            assert len(of_it) == 21
            for name in of_it:
                with pytest.raises(UsageError) as caught:
                    getattr(guest, name)
                assert caught.value.code == "forbidden"
    asyncio.run(main())


def test_so_many_passphrases_are_tried_at_once_and_no_more(tmp_path: Path) -> None:
    async def main() -> None:
        async with bed(tmp_path) as there:
            await there.imported()
            tries = [there.api.export_wallet_keystore(wm.WalletPassphrase("wrong one")) for _ in range(9)]
            codes = [getattr(one, "code", "") for one in await asyncio.gather(*tries, return_exceptions=True)]
            assert set(codes) == {"busy", "wrong_passphrase"}
            assert codes.count("wrong_passphrase") >= 4
    asyncio.run(main())
