"""The wallet. It never answers with a key, with words only while it is made, and signs nothing that was not shown."""

from __future__ import annotations

import contextlib
import secrets
from dataclasses import asdict, dataclass
from typing import Final

from msgspec.structs import replace

from wildbach.base import limits
from wildbach.base.errors import FormatError, NetworkError, UsageError
from wildbach.interfaces.api import walletmodels as wm
from wildbach.interfaces.api.core import Core
from wildbach.interfaces.api.lately import Lately
from wildbach.interfaces.purse import Funds, Purse
from wildbach.interfaces.shop import Shop
from wildbach.protocol import payouts
from wildbach.protocol.tron.address import Address
from wildbach.services.chain.networks import KNOWN
from wildbach.services.channels.service import Channels
from wildbach.services.pay.wallet.derivation import cold_key
from wildbach.services.pay.wallet.orders import Quote
from wildbach.services.pay.wallet.phrase import Phrase
from wildbach.services.pay.wallet.policy import SpendingLimits
from wildbach.services.pay.wallet.secret import Passphrase
from wildbach.services.pay.wallet.sending import Send
from wildbach.services.pay.wallet.wallet import Wallet, parse_key
from wildbach.services.sites.service import Sites

_DRAFT_SECONDS: Final = 900.0
_QUOTE_SECONDS: Final = 600.0
_ASKED: Final = 2
"Words that are asked back."
_GRAVE: Final = ("nobody", "look_alike")
"What a send has to be meant in spite of."

_SILENT: Final = "the chain has not answered yet"


@dataclass(frozen=True, slots=True)
class _Draft:
    phrase: Phrase
    asked: tuple[int, ...]


class Walleting:
    """A part of the Api."""

    core: Core
    purse: Purse
    shop: Shop
    channel_service: Channels
    site_service: Sites
    _drafts: Lately[_Draft]
    _quotes: Lately[Quote]

    def open_purse(self, purse: Purse) -> None:
        """It begins with this."""
        core = self.core
        self.purse = purse
        self._drafts = Lately(core.scope, core.report, seconds=_DRAFT_SECONDS, most=limits.WALLET_DRAFTS)
        self._quotes = Lately(core.scope, core.report, seconds=_QUOTE_SECONDS, most=limits.WALLET_QUOTES)

    # -- what there is

    async def wallet(self) -> wm.WalletStatus:
        nothing = replace(self._nothing(), examined_at=await self.purse.examined())
        if not await self.purse.exists():
            number = KNOWN[nothing.network].chain_id
            return replace(nothing, chain_id=_hex(number))
        try:
            wallet = await self.purse.wallet()
        except (UsageError, NetworkError) as error:
            return replace(nothing, exists=True, problem=error.message, code=error.code)
        return await self._status(wallet)

    def _nothing(self) -> wm.WalletStatus:
        network, purse = KNOWN[self.purse.settings.network], self.purse
        return wm.WalletStatus(
            exists=False, network=network.name, play_money=network.play_money, consent=purse.consent,
            witnesses=2 if purse.settings.second_url else 1)

    async def _status(self, wallet: Wallet) -> wm.WalletStatus:
        purse, facts = self.purse, wallet.facts
        found, error = await purse.funds(facts.address)
        copied = purse.copied_at(facts.address)
        owned = facts.kind != "watched"
        signers = found.signers or () if found is not None and owned else ()
        return replace(
            self._nothing(), examined_at=await purse.examined(), exists=True, kind=facts.kind,
            address=str(facts.address), device=facts.device, chain_id=_hex(purse.chain_id), locked=owned,
            signer=str(facts.signer or ""), registered=facts.signer in signers,
            other_signers=tuple(str(one) for one in signers if one != facts.signer), fee_key=str(facts.fee or ""),
            funds=_funds(found) if found is not None else None,
            problem=error.message if error is not None else "" if found is not None else _SILENT,
            code=error.code if error is not None else "",
            pending=len(await purse.threads.run(wallet.sends.on_their_way)), backed_up_at=copied,
            backup_due=owned and not copied)

    async def agree_to_wallet(self, consent: wm.WalletConsent) -> wm.WalletStatus:
        await self.purse.agree(consent.words)
        self.core.log.write("warning", "somebody confirmed that the wallet may use real money")
        return await self.wallet()

    # -- making one

    async def draft_wallet(self, request: wm.WalletWordsRequest) -> wm.WalletWords:
        if await self.purse.exists():
            raise UsageError("there is a wallet here already", code="wallet_exists")
        self.purse.choice()
        phrase = Phrase.random(request.words)
        rng = secrets.SystemRandom()
        draft = _Draft(phrase, tuple(sorted(rng.sample(range(1, request.words + 1), _ASKED))))
        id_ = secrets.token_hex(16)
        self._drafts.put(id_, draft)
        return wm.WalletWords(id_, phrase.words(), draft.asked)

    async def create_wallet(self, making: wm.WalletMaking) -> wm.WalletStatus:
        draft = self._drafts.get(making.id)
        if draft is None:
            raise UsageError(
                "these words are not known any more: begin anew, and throw the paper away", code="not_found")
        words = draft.phrase.words()
        wanted = [words[number - 1] for number in draft.asked]
        if [one.strip().lower() for one in making.answers] != wanted:
            raise UsageError("these are not the words that were asked for: look at the paper", code="not_written")
        passphrase = _new(making.passphrase)
        with self.purse.asking():
            wallet = await self.purse.make(
                lambda new: new.create(draft.phrase, " ".join(words), passphrase), copied=True)
        self._drafts.drop(making.id)
        return await self._begun(wallet, "made")

    async def import_wallet(self, request: wm.WalletImport) -> wm.WalletStatus:
        given = [name for name in ("words", "key", "keystore", "address") if getattr(request, name)]
        if len(given) != 1:
            raise UsageError("one of words, key, keystore and address is given", code="bad_request")
        if request.address:
            address = Address.parse(request.address.strip())
            return await self._begun(await self.purse.make(lambda new: new.watch(address), copied=False), "watched")
        passphrase = _new(request.passphrase)
        with self.purse.asking():
            match given[0]:
                case "words":
                    phrase = Phrase.parse(request.words)
                    wallet = await self.purse.make(
                        lambda new: new.import_words(phrase, passphrase, device=request.device), copied=True)
                case "key":
                    key = parse_key(request.key)
                    wallet = await self.purse.make(lambda new: new.import_key(key, passphrase), copied=False)
                case _:
                    old = Passphrase(request.keystore_passphrase)
                    sealed = request.keystore.encode()
                    wallet = await self.purse.make(
                        lambda new: new.import_keystore(sealed, old, passphrase), copied=False)
        return await self._begun(wallet, "imported")

    async def _begun(self, wallet: Wallet, how: str) -> wm.WalletStatus:
        self.core.log.write("info", f"a wallet was {how}: {wallet.facts.address}")
        self.shop.changed()
        return await self._status(wallet)

    # -- its secrets

    async def change_wallet_passphrase(self, change: wm.WalletPassphraseChange) -> None:
        wallet = await self.purse.wallet()
        old, new = Passphrase(change.old), _new(change.new)
        with self.purse.asking():
            await wallet.change_passphrase(old, new)
        self.core.log.write("info", "the wallet has another passphrase")

    async def export_wallet_keystore(self, request: wm.WalletPassphrase) -> wm.WalletKeystore:
        wallet = await self.purse.wallet()
        sealed = await wallet.sealed()
        with self.purse.asking():
            await wallet.check(Passphrase(request.passphrase))
        await self.purse.copied(wallet.facts.address)
        return wm.WalletKeystore(sealed.decode("ascii"))

    async def check_wallet_words(self, paper: wm.WalletPaper) -> wm.WalletStatus:
        wallet = await self.purse.wallet()
        facts = wallet.facts
        if facts.kind != "words":
            raise UsageError("this wallet was not made of words", code="no_words")
        phrase = Phrase.parse(paper.words)
        if await self.purse.threads.run(lambda: cold_key(phrase.seed(), facts.device).address) != facts.address:
            raise UsageError("these are the words of another wallet", code="not_written")
        await self.purse.copied(facts.address)
        return await self._status(wallet)

    # -- sending

    async def quote_wallet_send(self, request: wm.WalletQuoteRequest) -> wm.WalletQuote:
        wallet = await self.purse.wallet()
        to = Address.parse(request.to.strip())
        order = wallet.transfer(to, request.amount, request.memo.encode())
        purse = self.purse
        quote = await wallet.quote(purse.chain(), order, vault=purse.choice().vault)
        id_ = secrets.token_hex(16)
        self._quotes.put(id_, quote)
        costs = quote.estimate
        return wm.WalletQuote(
            id_, str(to), await purse.threads.run(wallet.book.label, to), request.amount, costs.bandwidth, costs.energy,
            costs.activation, costs.memo, costs.total, quote.balance, quote.short, tuple(
                wm.WalletCaution(one.code, one.message, str(one.like or "")) for one in quote.cautions))

    async def quote_tip(self, word: str, tip: wm.WalletTip) -> wm.WalletQuote:
        channel = self.channel_service.find(word)
        named = channel.facts.payout.strip() if channel.facts is not None else ""
        payout = payouts.payable(named, channel.payout_was, "channel")
        return await self.quote_wallet_send(wm.WalletQuoteRequest(payout, tip.amount, tip.memo))

    async def quote_site_tip(self, word: str, tip: wm.WalletTip) -> wm.WalletQuote:
        site = self.site_service.find(word)
        payout = payouts.payable(site.payout, site.payout_was, "site")
        return await self.quote_wallet_send(wm.WalletQuoteRequest(payout, tip.amount, tip.memo))

    async def tip_targets(self, key: str) -> wm.WalletTipTargets:
        """Of the channel it came from, and of sites of which it is a version."""
        torrent = self.core.session.torrent(key)
        if torrent is None:
            raise UsageError("there is no such torrent", code="not_found")
        found: list[wm.WalletTipTarget] = []
        origin = self.core.library.entry(torrent.key).channel
        channel = self.channel_service.labelled(origin) if origin else None
        if channel is not None and channel.facts is not None and (channel.facts.payout or channel.payout_was):
            found.append(wm.WalletTipTarget(
                "channel", channel.label, channel.title, channel.facts.payout.strip(), channel.payout_was))
        for view in self.site_service.views():
            site = view.site
            if (site.payout or site.payout_was) and any(one.hashes.matches(torrent.hashes) for one in site.versions):
                found.append(wm.WalletTipTarget("site", site.label, site.name, site.payout, site.payout_was))
        return wm.WalletTipTargets(tuple(found))

    async def send_from_wallet(self, request: wm.WalletSendRequest) -> wm.WalletSend:
        purse = self.purse
        wallet = await purse.wallet()
        there = await purse.threads.run(wallet.sends.get, request.quote)
        if there is not None:
            if there.open:
                # Who asks again wants to know what became of it.
                with contextlib.suppress(NetworkError, FormatError):
                    await wallet.sends.poll(purse.chain())
                there = await purse.threads.run(wallet.sends.get, request.quote) or there
            return await self._send(wallet, there)
        quote = self._quotes.get(request.quote)
        if quote is None:
            raise UsageError("what was shown is too old: ask again what it costs", code="not_found")
        grave = next((one for one in quote.cautions if one.code in _GRAVE), None)
        if grave is not None and not request.in_spite:
            raise UsageError(f"{grave.message}; nothing was sent", code=grave.code)
        passphrase = Passphrase(request.passphrase)
        with purse.asking():
            (sent,) = await wallet.send(
                purse.chain(), [(request.quote, quote)], passphrase, vault=purse.choice().vault)
        purse.look_again()
        self.core.log.write("info", f"the wallet signed the transfer {sent.txid.hex()}")
        return await self._send(wallet, sent)

    async def wallet_sends(self, query: wm.WalletSendsQuery) -> wm.WalletSends:
        wallet = await self.purse.wallet()

        def read() -> tuple[list[Send], dict[Address, str], int]:
            labels = {one.address: one.label for one in wallet.book.entries()}
            return wallet.sends.history(offset=query.offset, limit=query.limit), labels, wallet.sends.total()

        found, labels, total = await self.purse.threads.run(read)
        return wm.WalletSends(tuple(_sent(one, labels.get(one.recipient or _NONE, "")) for one in found), total)

    async def wallet_table(self) -> bytes:
        return (await (await self.purse.wallet()).table()).encode()

    async def _send(self, wallet: Wallet, one: Send) -> wm.WalletSend:
        to = one.recipient
        return _sent(one, await self.purse.threads.run(wallet.book.label, to) if to is not None else "")

    # -- the book

    async def wallet_book(self) -> wm.WalletBook:
        wallet = await self.purse.wallet()
        entries = await self.purse.threads.run(wallet.book.entries)
        return wm.WalletBook(tuple(wm.WalletKnown(str(one.address), one.label, one.added) for one in entries))

    async def put_wallet_address(self, known: wm.WalletKnown) -> wm.WalletKnown:
        wallet = await self.purse.wallet()
        put = await self.purse.threads.run(wallet.book.put, Address.parse(known.address.strip()), known.label)
        return wm.WalletKnown(str(put.address), put.label, put.added)

    async def remove_wallet_address(self, known: wm.WalletKnownAddress) -> None:
        wallet = await self.purse.wallet()
        if not await self.purse.threads.run(wallet.book.remove, Address.parse(known.address.strip())):
            raise UsageError("this address is not in the book", code="not_found")

    # -- limits

    async def make_fee_key(self) -> wm.WalletStatus:
        wallet = await self.purse.wallet()
        facts = await wallet.make_fee_key()
        self.core.log.write("info", f"a key that redeems by itself was made: {facts.fee}")
        return await self._status(wallet)

    async def renew_signer(self, request: wm.WalletPassphrase) -> wm.WalletStatus:
        wallet = await self.purse.wallet()
        with self.purse.asking():
            facts = await wallet.new_signer(Passphrase(request.passphrase))
        self.core.log.write("warning", f"the wallet signs payments with another key: {facts.signer}")
        self.purse.look_again()
        self.shop.changed()
        return await self._status(wallet)

    async def forget_adrift(self, request: wm.WalletPassphrase) -> wm.WalletBounds:
        wallet = await self.purse.wallet()
        with self.purse.asking():
            await wallet.forget_adrift(Passphrase(request.passphrase))
        self.core.log.write("warning", "what a lost state of the wallet signed is not kept free any more")
        return await self.wallet_limits()

    async def reopen_wallet_day(self, request: wm.WalletPassphrase) -> wm.WalletBounds:
        wallet = await self.purse.wallet()
        with self.purse.asking():
            await wallet.reopen_day(Passphrase(request.passphrase))
        self.core.log.write("warning", "the wallet may pay today, although it was restored")
        return await self.wallet_limits()

    async def wallet_limits(self) -> wm.WalletBounds:
        wallet = await self.purse.wallet()
        now, used = await wallet.limits(), await wallet.usage()
        return wm.WalletBounds(
            wm.WalletLimits(**asdict(now)),
            wm.WalletUsage(used.today, used.total, used.fees_today, used.closed_today, used.adrift))

    async def set_wallet_limits(self, change: wm.WalletLimitsChange) -> wm.WalletBounds:
        wallet = await self.purse.wallet()
        to = SpendingLimits(**{name: getattr(change.limits, name) for name in change.limits.__struct_fields__})
        with self.purse.asking():
            await wallet.set_limits(to, Passphrase(change.passphrase) if change.passphrase else None)
        self.core.log.write("info", "the limits of the wallet are others now")
        return await self.wallet_limits()


_NONE: Final = Address(bytes(20))


def _funds(found: Funds) -> wm.WalletFunds:
    account, left, block = found.account, found.resources, found.block
    return wm.WalletFunds(
        account.balance, account.exists, block.number, block.time // 1000, left.free_bandwidth, left.staked_bandwidth,
        left.energy)


def _hex(number: int | None) -> str:
    return f"0x{number:08x}" if number is not None else ""


def _new(text: str) -> Passphrase:
    """For something that is sealed: looked at before anything else is done. Raises UsageError."""
    passphrase = Passphrase(text)
    passphrase.check_strength()
    return passphrase


def _sent(one: Send, label: str) -> wm.WalletSend:
    return wm.WalletSend(
        one.key, one.kind, one.state, str(one.recipient or ""), label, one.amount, one.fee, one.txid.hex(), one.block,
        one.created, one.ended, one.note)
