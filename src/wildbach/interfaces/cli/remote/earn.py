"""`wildbach earn`: sell upload of one's own torrents, look at what came of it, fetch it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click
from msgspec.structs import replace

from wildbach.base.errors import UsageError
from wildbach.base.words import size
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api import paymodels as pm
from wildbach.interfaces.api import walletmodels as wm
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.cli import naming, output, reach, said, text, writing
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.groups import ListGroup
from wildbach.interfaces.cli.kinds import TrxType
from wildbach.interfaces.cli.reach import Reach
from wildbach.interfaces.cli.remote import seedfor
from wildbach.interfaces.cli.remote.walletparts import passphrase_file, secret, write_out
from wildbach.interfaces.cli.table import Cell, Column, Row
from wildbach.protocol.tron.amounts import shown as trx

SALES: Final = (
    Column("TORRENT", flexible=True), Column("PEER", rank=1), Column("METER"), Column("BILLED", right=True),
    Column("PAID", right=True), Column("OWED", right=True, rank=2), Column("", rank=1))
PURCHASES: Final = (
    Column("TORRENT", flexible=True), Column("PEER", rank=1), Column("METER"), Column("BOUGHT", right=True),
    Column("SIGNED", right=True), Column("PAYEE"), Column("", rank=1))
ROWS: Final = (
    Column("WHEN"), Column("WHAT"), Column("TRX", right=True), Column("FROM"), Column("TO"), Column("WITH", rank=1))
SPONSORED: Final = (
    Column("NO", right=True), Column("TORRENT", flexible=True), Column("SEEDER"), Column("PERIOD"),
    Column("PROBES", right=True), Column("GOOD/BAD/UNSEEN", right=True), Column("PAID", right=True),
    Column("VOUCHER", rank=1))
PROBES: Final = (
    Column("WHEN"), Column("PERIOD", right=True), Column("FOUND"), Column("SIZE", right=True),
    Column("RATE", right=True))
_LICENCES: Final = {"mine": "mine", "licensed": "licensed", "public-domain": "public_domain"}
_LOOK_SECONDS: Final = 1.0


class EarnGroup(ListGroup):
    """Without a word, `show` is meant."""

    default = "show"


@click.group("earn", cls=EarnGroup)
def command() -> None:
    """Earn TRX for upload that somebody wants.

    Off until you switch it on, and for torrents only that you mark as yours to give. Who does not pay is served as
    ever. This is a service for people who pay for it: nothing is mined, and nothing comes from anywhere else.
    """


# -- on and off


@command.command("on")
@click.option("--price", type=TrxType(), metavar="TRX", help="What a GiB costs.  [default: as before, at first 0.033]")
@reach.options
def on_command(price: int | None, reach: Reach) -> int:
    """Offer marked torrents to peers that pay."""
    return reach.run(lambda api: switch(api, {"pay.sell": True} | ({"pay.price": price} if price else {})))


@command.command("off")
@reach.options
def off_command(reach: Reach) -> int:
    """Sell nothing any more. What was earned stays, and can be fetched."""
    return reach.run(lambda api: switch(api, {"pay.sell": False}))


async def switch(api: Api, changes: dict[str, object]) -> Exit:
    await api.change_settings(m.SettingsPatch(changes))
    status = await _settled(api)
    _say(status)
    if status.buy and status.deposit is not None:
        bounds = (await api.wallet_limits()).limits
        if not all((bounds.per_voucher, bounds.per_peer, bounds.per_torrent, bounds.per_day, bounds.total,
                    bounds.max_price)):
            output.warn("one of the wallet's limits is 0, so nothing is paid: wildbach wallet limits")
    return Exit.OK


async def _settled(api: Api) -> pm.PayStatus:
    """What is so once the change was looked at."""
    status = await api.payments()
    for _ in range(20):
        if status.open == (status.sell or status.buy) or status.problem:
            break
        await asyncio.sleep(_LOOK_SECONDS / 4)
        status = await api.payments()
    return status


@command.command("mark")
@click.argument("torrents", nargs=-1, required=True, metavar="TORRENT…")
@click.option("--as", "licence", type=click.Choice(list(_LICENCES)), required=True,
              help="Why you may sell it: it is yours, its licence allows that, or it is in the public domain.")
@reach.options
def mark_command(torrents: tuple[str, ...], licence: str, reach: Reach) -> int:
    """Let torrents be sold, and bought while they download. Private torrents never are."""
    return reach.run(lambda api: mark(api, torrents, _LICENCES[licence]))


@command.command("unmark")
@click.argument("torrents", nargs=-1, required=True, metavar="TORRENT…")
@reach.options
def unmark_command(torrents: tuple[str, ...], reach: Reach) -> int:
    """Neither sell nor buy these torrents any more."""
    return reach.run(lambda api: mark(api, torrents, ""))


async def mark(api: Api, words: Sequence[str], licence: str) -> Exit:
    for key in (await naming.chosen(api, words)).keys:
        found = await api.set_payment(key, pm.PayMark(licence))  # type: ignore[arg-type]  # one of its words
        output.line(f"{text.clean(found.name)}: {found.licence or 'not for sale'}")
    return Exit.OK


# -- looking


@command.command("show")
@reach.options
@reach.as_json
def show_command(as_json: bool, reach: Reach) -> int:
    """Show what is sold and bought now, what came of it, and what waits to be fetched."""
    return reach.run(lambda api: show(api, as_json=as_json))


async def show(api: Api, *, as_json: bool) -> Exit:
    status = await api.payments()
    if as_json:
        said.record(status)
        return Exit.OK
    _say(status)
    for flows, words in ((status.today, "today"), (status.month, "30 days"), (status.ever, "ever")):
        if flows is not None:
            output.line(
                f"{words:<10}earned {trx(flows.earned)} TRX, paid {trx(flows.bought)}, gave {trx(flows.given)}, "
                f"burnt {trx(flows.burnt)} in fees")
    if status.ever is not None:
        output.line(f"held      {trx(status.held)} TRX in vouchers that were not redeemed, of {status.lanes} lanes; "
                    f"{trx(status.credit)} redeemed and not fetched")
        if status.uncovered:
            output.warn(f"{trx(status.uncovered)} TRX more in vouchers that the vault has nothing for, as far as it "
                        "said: they count nowhere")
        _say_fee(status)
    if status.paid_rate or status.free_rate:
        output.line(f"downloads came at {text.rate(status.paid_rate)} while something was paid, at "
                    f"{text.rate(status.free_rate)} while nothing was")
    for one in status.differences:
        output.warn(f"{one.account}: the ledger says {trx(one.ledger)} TRX, the chain {trx(one.chain)}")
        if one.account == "deposit" and one.ledger > one.chain:
            output.warn("more was redeemed than this ledger knows of: does a copy of this wallet pay elsewhere?")
    if status.sales:
        said.listed(status.sales, SALES, sale_of, "", as_json=False)
    if status.purchases:
        said.listed(status.purchases, PURCHASES, purchase_of, "", as_json=False)
    return Exit.OK


def _say(status: pm.PayStatus) -> None:
    count = len(status.torrents)
    marked = f"{count} torrent{' is' if count == 1 else 's are'} marked"
    sells = f"at {trx(status.price)} TRX a GiB" if status.sell else "off"
    buys = f"up to {trx(status.most)} TRX a GiB" if status.buy else "off"
    output.line(f"selling   {sells}; {marked}")
    output.line(f"buying    {buys}")
    deposit = status.deposit
    if deposit is not None:
        output.line(
            f"vault     {trx(deposit.balance)} TRX deposited, {trx(deposit.reserved)} of it reserved"
            + (f", {trx(deposit.asked)} asked back, from {text.moment(deposit.ready_at)} on to be fetched"
               if deposit.asked else ""))
        if status.buy and not deposit.signer:
            output.warn("the key that signs payments is not registered: wildbach spend deposit")
    if (status.sell or status.buy) and not count:
        output.warn("no torrent is marked, so nothing is sold or bought: wildbach earn mark TORRENT --as mine")
    if status.problem:
        output.warn(text.clean(status.problem))
    if status.refused:
        output.warn(f"the wallet paid nothing: {text.clean(status.refused)}")


def _say_fee(status: pm.PayStatus) -> None:
    if status.too_small:
        output.line(f"          too small to redeem: that burns up to {trx(status.fee)} TRX")
    elif status.held:
        how = "done by itself" if status.unattended else "wildbach earn collect"
        output.line(f"          to redeem burns up to {trx(status.fee)} TRX: {how}")


def sale_of(one: pm.PaySale) -> Row:
    return (
        text.clean(one.name), one.peer, Cell("on", "green") if one.metering else "off", size(one.billed),
        trx(one.paid), trx(one.owed), text.clean(one.why))


def purchase_of(one: pm.PayPurchase) -> Row:
    return (
        text.clean(one.name), one.peer, Cell("on", "green") if one.metering else "off", size(one.bought),
        trx(one.signed), one.payee + (" reserved" if one.reserved else ""), text.clean(one.why))


# -- the vault


def carry_out(
    reach: Reach, wanted: Sequence[pm.PayOrder], *, yes: bool, passphrase_file: Path | None, as_json: bool,
) -> list[wm.WalletSend]:
    """Show what each costs, ask once, send one after the other and wait until it is settled. Raises UsageError where
    one fails: what comes after it is not sent.
    """
    quote = _quote(reach, wanted[0], as_json=as_json)
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError("what is shown has to be confirmed: on a terminal, or with --yes")
        more = f", and {' and '.join(one.action for one in wanted[1:])} after it" if wanted[1:] else ""
        click.confirm(f"Send it{more}?", abort=True, err=True)
    phrase = secret("Passphrase of the wallet", passphrase_file)
    sent: list[wm.WalletSend] = []
    for number, one in enumerate(wanted):
        if number:
            quote = _quote(reach, one, as_json=as_json)
        done = _send(reach, wm.WalletSendRequest(quote.id, phrase))
        if as_json:
            said.record(done)
        else:
            output.line(f"{done.state}: {done.txid}")
        sent.append(done)
        if done.state != "confirmed":
            raise UsageError(f"{one.action} {done.state}: {text.clean(done.note)}", code="not_settled")
    return sent


def _quote(reach: Reach, wanted: pm.PayOrder, *, as_json: bool) -> wm.WalletQuote:
    quote = reach.ask(lambda api: api.quote_payment(wanted))
    if not as_json:
        amount = quote.amount or wanted.amount
        output.line(f"{wanted.action:<14}{trx(amount) + ' TRX, ' if amount else ''}fee {trx(quote.fee)} TRX")
    if quote.short:
        raise UsageError(f"the account lacks {trx(quote.short)} TRX for it", code="too_little")
    return quote


def _send(reach: Reach, sending: wm.WalletSendRequest) -> wm.WalletSend:
    return reach.ask(lambda api: settle(api, sending))


async def settle(api: Api, sending: wm.WalletSendRequest) -> wm.WalletSend:
    sent = await api.send_from_wallet(sending)
    while sent.state in ("prepared", "pending"):
        await asyncio.sleep(_LOOK_SECONDS)
        sent = await api.send_from_wallet(sending)
    return sent


@command.command("collect")
@click.option("--yes", is_flag=True, help="Do not ask whether what is shown is meant.")
@passphrase_file
@reach.options
@reach.as_json
def collect_command(yes: bool, passphrase_file: Path | None, as_json: bool, reach: Reach) -> int:
    """Redeem the vouchers that are held, and have the vault send what they brought to the wallet."""
    status = reach.ask(lambda api: api.payments())
    if status.ever is None:
        raise UsageError(status.problem or "nothing was bought or sold yet", code="not_open")
    wanted = [
        *([pm.PayOrder("redeem")] if status.held else []), *([pm.PayOrder("claim")] if status.held or status.credit
                                                            else [])]
    if not wanted:
        raise UsageError("there is nothing to fetch" + (f": {status.problem}" if status.problem else ""),
                         code="nothing_held")
    carry_out(reach, wanted, yes=yes, passphrase_file=passphrase_file, as_json=as_json)
    return Exit.OK


# -- sponsoring


@command.group("sponsor")
def sponsor_group() -> None:
    """Pay somebody to keep one of your torrents served.

    He earns a sum for each period in which at least 80 % of the probes pass: small downloads by an unknown peer at
    random times. It buys service to strangers, not a copy on a disk. Reserve what all periods cost for him first
    (`spend reserve`).
    """


@sponsor_group.command("start")
@click.argument("torrent")
@click.argument("payee")
@click.argument("host")
@click.argument("port", type=click.IntRange(1, 65_535))
@click.option("--rate", type=click.IntRange(1), required=True, metavar="BYTES", help="A second, for any stranger.")
@click.option("--price", type=TrxType(), required=True, metavar="TRX", help="For a period.")
@click.option("--periods", type=click.IntRange(1, 10_000), required=True, metavar="N", help="How many.")
@click.option("--period", type=click.IntRange(1200, 31 * 86_400), default=86_400, metavar="SECONDS",
              help="How long one is.", show_default=True)
@click.option("--probes", type=click.IntRange(1, 100), default=8, metavar="N", help="In a period.", show_default=True)
@click.option("--instead-of", type=click.IntRange(0), default=0, metavar="NUMBER",
              help="Of the agreement that ends when this one begins: to change what was agreed.")
@reach.options
def sponsor_start_command(
    torrent: str, payee: str, host: str, port: int, rate: int, price: int, periods: int, period: int, probes: int,
    instead_of: int, reach: Reach,
) -> int:
    """Pay the seeder at HOST and PORT, from now on. PAYEE is his address."""
    wanted = pm.PaySponsoring("", payee, host, port, rate, price, periods, period, probes, instead_of)
    return reach.run(lambda api: sponsor_start(api, torrent, wanted))


async def sponsor_start(api: Api, word: str, wanted: pm.PaySponsoring) -> Exit:
    (key,) = (await naming.chosen(api, [word])).keys
    found = await api.sponsor(replace(wanted, key=key))
    output.line(
        f"{found.id}: {text.clean(found.name)} at {found.peer}, {trx(found.price)} TRX a period, {found.periods} of "
        "them")
    return Exit.OK


@sponsor_group.command("list")
@reach.options
@reach.as_json
def sponsor_list_command(as_json: bool, reach: Reach) -> int:
    """Show who is paid, and how far each is."""
    return reach.run(lambda api: sponsor_list(api, as_json=as_json))


async def sponsor_list(api: Api, *, as_json: bool) -> Exit:
    found = await api.sponsored()
    return said.listed(found.items, SPONSORED, _sponsored_row, "Nobody is sponsored.", as_json=as_json)


def _sponsored_row(one: pm.PaySponsored) -> Row:
    return (
        str(one.id), one.name, one.peer, "over" if one.over else f"{one.now + 1} of {one.periods}",
        f"{one.passed}/{one.made}", f"{one.good}/{one.bad}/{one.unseen}", trx(one.paid), one.came)


@sponsor_group.command("stop")
@click.argument("number", type=click.IntRange(1))
@reach.options
def sponsor_stop_command(number: int, reach: Reach) -> int:
    """Look at a seeder no more. What he earned is paid; the period that runs is not."""
    return reach.run(lambda api: sponsor_stop(api, number))


async def sponsor_stop(api: Api, number: int) -> Exit:
    await api.stop_sponsoring(str(number))
    return Exit.OK


@sponsor_group.command("log")
@click.argument("number", type=click.IntRange(1))
@reach.options
@reach.as_json
def sponsor_log_command(number: int, as_json: bool, reach: Reach) -> int:
    """Show what probes of a seeder found, the newest first."""
    return reach.run(lambda api: sponsor_log(api, number, as_json=as_json))


async def sponsor_log(api: Api, number: int, *, as_json: bool) -> Exit:
    found = await api.sponsored_probes(str(number))
    return said.listed(found.items, PROBES, _probe_row, "No probe was made yet.", as_json=as_json)


def _probe_row(one: pm.PayProbe) -> Row:
    return text.moment(one.at), str(one.period + 1), one.why, size(one.size), f"{size(one.rate)}/s"


command.add_command(seedfor.group)


# -- the ledger


@command.command("ledger")
@click.option("--limit", type=click.IntRange(1, 1000), default=30, metavar="N", help="So many.", show_default=True)
@reach.options
@reach.as_json
def ledger_command(limit: int, as_json: bool, reach: Reach) -> int:
    """Show the rows of the ledger, the newest first: each moves an amount from one account to another."""
    return reach.run(lambda api: ledger(api, pm.PayRowsQuery(0, limit), as_json=as_json))


async def ledger(api: Api, query: pm.PayRowsQuery, *, as_json: bool) -> Exit:
    found = await api.payment_rows(query)
    return said.listed(found.rows, ROWS, row_of, "Nothing was bought, sold or moved yet.", as_json=as_json)


def row_of(one: pm.PayRow) -> Row:
    return text.moment(one.at), one.what, trx(one.amount), one.credit, one.debit, one.party


@command.command("export")
@click.option("-o", "--output", "target", required=True, metavar="FILE", help="The file; - for stdout.")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@reach.options
def export_command(target: str, force: bool, reach: Reach) -> int:
    """Write the whole ledger as a table (CSV)."""
    if target != "-":
        writing.require_free(Path(target), force=force)
    return reach.run(lambda api: export(api, target))


async def export(api: Api, target: str) -> Exit:
    return write_out(target, (await api.payment_table()).decode())
