"""What is bought and sold, the vault, and the ledger."""

from __future__ import annotations

import asyncio
import secrets
from typing import Final

from msgspec.structs import replace

from wildbach.base import limits
from wildbach.base.errors import NetworkError, RemoteError, UsageError
from wildbach.engine.paying import Line
from wildbach.interfaces.api import paymodels as pm
from wildbach.interfaces.api import walletmodels as wm
from wildbach.interfaces.api.core import Core
from wildbach.interfaces.api.lately import Lately
from wildbach.interfaces.earnings import counted, less_air
from wildbach.interfaces.purse import Purse
from wildbach.interfaces.shop import Shop
from wildbach.protocol.ext.pay import Why
from wildbach.protocol.tron.address import Address
from wildbach.services.chain import vault
from wildbach.services.pay.ledger.store import Ledger, Row
from wildbach.services.pay.ledger.terms import sun
from wildbach.services.pay.till.buyside import BuySide
from wildbach.services.pay.till.selling import SellSide
from wildbach.services.pay.wallet import orders
from wildbach.services.pay.wallet.orders import Order, Quote
from wildbach.services.pay.wallet.policy import CLOSED
from wildbach.services.pay.wallet.wallet import Wallet

_DAY: Final = 86_400
_TORRENTS: Final = 1000
_PATIENCE: Final = 4.0
"Seconds that who looks waits for the chain."
_WORDS: Final = {
    Why.PRICE: "the price is too high",
    Why.BUDGET: "the limits of the buyer's wallet do not allow more",
    Why.BAD_SIGNATURE: "the buyer's key is not registered in the vault, or the signature is wrong",
    Why.OLD_EPOCH: "the buyer's books begin anew",
    Why.INSOLVENT: "the buyer has reserved nothing that covers more, and a stranger gets little or no credit",
    Why.WINDOW: "as much is owed as may be: a voucher is waited for",
    Why.UNSUPPORTED: "the offer is not known any more",
    Why.DONE: "the other side ended it",
    Why.METER: "both sides counted differently",
}
_REFUSALS: Final = {
    ("reserve", "over-reserved"): "so much of the deposit is not free: deposit more, or reserve less",
    ("reserve", "until"): "a reservation is for 366 days at most, and ends no earlier than before",
    ("release", "too early"): "its date is not over, and until then it is the payee's",
    ("release", "nothing"): "there is no reservation for this address",
    ("withdraw", "too early"): "one delay of the vault has to pass first, from when it was asked for",
    ("withdraw", "lapsed"): "it had to be fetched within one delay of the vault: ask for it again",
    ("remove_signer", "not active"): "no such key signs for this wallet, or it is being removed already",
    ("waive", "nothing"): "this payer has reserved nothing for us",
    ("redeem", "stale"): "so much of it was redeemed already",
    ("redeem", "no funds"): "the payer has nothing left there",
    ("claim", "nothing"): "nothing was redeemed that waits to be fetched",
}
"Words of the vault (docs/vault.md) for people, by what was to be done."
_OF_COPIES: Final = ("day_closed", "restored")
"Why nothing was signed, until the day is opened or over."
_LATER: Final = "the seller knows later payments of this wallet: let one copy of it pay, on one device"


class Paying:
    """A part of the Api."""

    core: Core
    purse: Purse
    shop: Shop
    _quotes: Lately[Quote]

    async def payments(self) -> pm.PayStatus:
        shop, chosen = self.shop, self.core.settings.pay
        problem = shop.problem if shop.wanted and shop.till is None else None
        till = shop.till
        rates = shop.rates
        status = pm.PayStatus(
            sell=chosen.sell, buy=chosen.buy, price=chosen.price, most=chosen.most, open=shop.trades,
            problem=problem.message if problem is not None else "", code=problem.code if problem is not None else "",
            vault=self.core.settings.chain.vault, delay=shop.delay, fee=shop.fee,
            paid_rate=int(rates.paid_bytes / rates.paid_seconds) if rates.paid_seconds else 0,
            free_rate=int(rates.free_bytes / rates.free_seconds) if rates.free_seconds else 0,
            torrents=tuple(self._marked(key) for key in shop.marked[:_TORRENTS]))
        if till is None:
            return status
        wallet, now = shop.wallet, int(self.purse.wall())
        deposit, credit, fault = None, 0, None
        try:
            # Who looks waits a little and never long; what is known here is shown all the same.
            async with asyncio.timeout(_PATIENCE):
                deposit, credit = await self._in_vault(wallet, now)
        except (NetworkError, RemoteError) as error:
            fault = error
        except TimeoutError:
            fault = NetworkError("the node of the chain takes its time", code="node_slow")
        held = await shop.ripe()
        today, month, ever = await shop.look_up(
            lambda ledger: [
                pm.PayFlows(**less_air(ledger.since(at), ledger.earned(at), held))
                for at in (now - now % _DAY, now - 30 * _DAY, 0)])
        refused = ""
        if till.buyer is not None:
            last = till.buyer.refused
            if (await wallet.usage()).closed_today:
                # Also before anything is asked of it again.
                refused = CLOSED
            elif last is not None and last.code not in _OF_COPIES:
                refused = last.message
        return replace(
            status, deposit=deposit, problem=fault.message if fault is not None else "",
            code=fault.code if fault is not None else "",
            sales=tuple(self._sale(deal.line, deal.sell) for deal in till.deals.values() if deal.sell is not None),
            purchases=tuple(
                self._purchase(deal.line, deal.buy) for deal in till.deals.values() if deal.buy is not None),
            held=sum(one.good for one in held), uncovered=sum(one.worth - one.good for one in held),
            lanes=len(held), credit=credit,
            too_small=any(one.good for one in held) and all(one.good <= shop.fee for one in held),
            unattended=wallet.facts.fee is not None, refused=refused,
            today=today, month=month, ever=ever,
            differences=tuple(pm.PayDifference(one.account.value, one.ledger, one.chain) for one in shop.differences))

    async def _in_vault(self, wallet: Wallet, now: int) -> tuple[pm.PayDeposit, int]:
        """What there is to pay with, and what waits to be fetched (SUN)."""
        client, shop, owner = self.purse.client(), self.shop, wallet.facts.address
        state = await client.ask(vault.payer(owner))
        asked = state.leaving(now, shop.delay)
        signer = wallet.facts.signer
        active = signer is not None and (await client.ask(vault.signer(owner, signer))).active
        credit = sum((await shop.settlement.credits([owner])).values())
        return pm.PayDeposit(
            state.balance, state.reserved, asked, state.asked_at + shop.delay if asked else 0, active), credit

    async def set_payment(self, key: str, mark: pm.PayMark) -> pm.PayTorrent:
        await self.shop.mark(key, mark.licence or None)
        return self._marked(key)

    def _marked(self, key: str) -> pm.PayTorrent:
        torrent = self.core.session.torrent(key)
        return pm.PayTorrent(key, torrent.name if torrent is not None else key, self.shop.licence(key) or "")

    def _name(self, key: str) -> str:
        torrent = self.core.session.torrent(key)
        return torrent.name if torrent is not None else key

    def _sale(self, line: Line, sell: SellSide) -> pm.PaySale:
        key, books = line.torrent, sell.books
        paid, held = (0, 0) if books is None or sell.payer is None else counted(books, self.shop.good(sell.payer))
        return pm.PaySale(
            key, self._name(key), str(line.remote), str(sell.payer or ""), sell.metering, _why(sell.why),
            sell.price, books.bytes_billed if books is not None else 0, paid, held,
            sun(max(0, books.debt)) if books is not None else 0, books.window if books is not None else 0)

    def _purchase(self, line: Line, buy: BuySide) -> pm.PayPurchase:
        key, bought = line.torrent, buy.purchase
        # While there is a deal the seller has said so; what we say ourselves ends it.
        why = _LATER if bought is not None and buy.why == Why.OLD_EPOCH else _why(buy.why)
        return pm.PayPurchase(
            key, self._name(key), str(line.remote), str(bought.lane.payee) if bought is not None else "",
            line.on, why, buy.price, bought.books.bytes_owed if bought is not None else 0,
            bought.books.signed if bought is not None else 0, buy.reserved)

    # -- the vault

    async def quote_payment(self, wanted: pm.PayOrder) -> wm.WalletQuote:
        wallet = await self.purse.wallet()
        order = await self._order(wallet, wanted)
        try:
            return await self._quoted(wallet, order)
        except UsageError as error:
            plain = next((
                words for (action, word), words in _REFUSALS.items()
                if error.code == "call_fails" and action == wanted.action and error.message.endswith(f": {word}")), "")
            if not plain:
                raise
            raise UsageError(f"{error.message}: {plain}", code=error.code) from error

    async def _order(self, wallet: Wallet, wanted: pm.PayOrder) -> Order:
        owner = wallet.facts.address
        if wanted.action == "deploy_vault":
            try:
                return orders.deploy(vault.deployment(owner, wanted.delay))
            except ValueError as error:
                raise UsageError(str(error), code="bad_delay") from error
        there = self.purse.choice().vault
        if there is None:
            raise UsageError("no vault is configured: chain.vault names one", code="no_vault")
        # Nothing is sent to what is not the vault that is known here.
        await self.purse.client().check_vault()
        call = await self._call(wallet, wanted)
        return wallet.call(there, call.data, value=call.value)

    async def _call(self, wallet: Wallet, wanted: pm.PayOrder) -> vault.Call:
        signer, now = wallet.facts.signer, int(self.purse.wall())
        try:
            match wanted.action:
                case "deposit":
                    return vault.deposit(wanted.amount)
                case "add_signer":
                    if signer is None:
                        raise UsageError("this wallet only looks: its key is elsewhere", code="watch_only")
                    return vault.add_signer(signer)
                case "remove_signer":
                    return vault.remove_signer(Address.parse(wanted.who.strip()))
                case "reserve":
                    block = await self.purse.client().solid()
                    until = max(now, block.time // 1000) + wanted.days * _DAY
                    return vault.reserve(Address.parse(wanted.who.strip()), wanted.amount, until)
                case "release":
                    return vault.release(Address.parse(wanted.who.strip()))
                case "ask_back":
                    return vault.request_withdraw(wanted.amount)
                case "withdraw":
                    return vault.withdraw()
                case "waive":
                    return vault.waive(Address.parse(wanted.who.strip()))
                case "redeem":
                    await self.shop.standings()
                    ripe = [one for one in await self.shop.ripe() if one.good]
                    if not ripe:
                        raise UsageError("there is nothing to redeem", code="nothing_held")
                    return vault.redeem_many([one.signed for one in ripe[: limits.VAULT_VOUCHERS]])
                case _:
                    return vault.claim(wallet.facts.address)
        except ValueError as error:
            raise UsageError(str(error), code="bad_request") from error

    async def _quoted(self, wallet: Wallet, order: Order) -> wm.WalletQuote:
        quote = await wallet.quote(self.purse.chain(), order, vault=self.purse.choice().vault)
        id_ = secrets.token_hex(16)
        self._quotes.put(id_, quote)
        costs, to = quote.estimate, getattr(order.contract, "contract", None)
        return wm.WalletQuote(
            id_, str(to or ""), "", getattr(order.contract, "value", 0), costs.bandwidth, costs.energy,
            costs.activation, costs.memo, costs.total, quote.balance, quote.short, ())

    # -- the ledger

    async def payment_rows(self, query: pm.PayRowsQuery) -> pm.PayRows:
        def read(ledger: Ledger) -> pm.PayRows:
            rows = ledger.newest(query.limit, query.before or None)
            return pm.PayRows(
                tuple(_row(one) for one in rows), {one.value: sum_ for one, sum_ in ledger.balances().items()})

        return await self.shop.look_up(read)

    async def payment_table(self) -> bytes:
        return await self.shop.look_up(lambda ledger: "".join(ledger.table()).encode())


def _why(why: int | None) -> str:
    return "" if why is None else _WORDS.get(Why(why), "") if why in set(Why) else f"code {why}"


def _row(one: Row) -> pm.PayRow:
    return pm.PayRow(
        one.number, one.at, one.what, one.debit.value, one.credit.value, one.amount, str(one.party or ""),
        one.torrent.hex())
