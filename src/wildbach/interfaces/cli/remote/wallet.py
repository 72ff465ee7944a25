"""`wildbach wallet`: one address that receives and sends, its limits and its book.

Words, keys and passphrases are typed unseen, come from a file or by stdin, and never stand on the command line, which
every program of this machine can read.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, TypeVar

import click

from wildbach.base import limits
from wildbach.base.errors import FormatError, StorageError, UsageError
from wildbach.interfaces.api import walletmodels as wm
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.cli import links, output, reach, said, text, writing
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.groups import ListGroup
from wildbach.interfaces.cli.reach import Reach
from wildbach.interfaces.cli.remote.key import ask
from wildbach.interfaces.cli.table import Cell, Column, Row
from wildbach.interfaces.client import RemoteApi
from wildbach.protocol.tron.address import Address, BadAddress
from wildbach.services.chain.networks import DEV

T = TypeVar("T")

SENDS: Final = (
    Column("WHEN"), Column("STATE"), Column("TRX", right=True), Column("TO", flexible=True), Column("FEE", right=True,
        rank=2),
    Column("ID", rank=3), Column("", rank=1),
)
BOOK: Final = (Column("NAME", flexible=True), Column("ADDRESS"))
_SUN: Final = 1_000_000
_AMOUNT: Final = re.compile(r"(\d{1,12})(?:\.(\d{1,6}))?", re.ASCII)
_LOOK_SECONDS: Final = 2.0
_LIMITS: Final = {
    "per_voucher": "one payment", "per_peer": "one payee, in all", "per_torrent": "one torrent",
    "per_day": "a day (UTC)", "total": "all that is ever paid", "max_price": "a GiB",
    "fees_per_day": "fees of redeeming, a day",
}
_COLOURS: Final = {"confirmed": "green", "failed": "red", "expired": "red"}


class TrxType(click.ParamType[int]):
    """SUN, typed as TRX: `1.5`."""

    name = "trx"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        found = _AMOUNT.fullmatch(str(value))
        amount = int(found[1]) * _SUN + int((found[2] or "").ljust(6, "0")) if found is not None else -1
        if not 0 <= amount <= limits.WALLET_AMOUNT:
            raise click.BadParameter("an amount in TRX is wanted, as 12 or 0.000001", ctx, param)
        return amount


def trx(sun: int) -> str:
    """As people write it: `1,234.5`."""
    whole, rest = divmod(sun, _SUN)
    return f"{whole:,}.{rest:06}".rstrip("0").rstrip(".")


def secret(words: str, file: Path | None, *, confirm: bool = False) -> str:
    """A passphrase: the first line of a file, what a person types, or the first line of stdin. Raises UsageError,
    StorageError.
    """
    return ask(words, confirm=confirm) if file is None else _read(file, 4096).partition("\n")[0].rstrip("\r")


def _read(path: Path, most: int) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(most + 1)
    except OSError as error:
        raise StorageError(f"{path}: {error.strerror or error}", path=str(path), errno=error.errno or 0) from error
    try:
        found = raw.decode()
    except UnicodeDecodeError:
        found = ""
    if not found or len(raw) > most:
        raise UsageError(f"{text.clean(str(path))} is empty, too long, or no text")
    return found


def _warn_of_plain(reach: Reach) -> None:
    """Before something secret goes to a daemon elsewhere."""
    if reach.url.startswith("http://") and reach.away():
        output.warn("the way to this daemon is not encrypted: whoever is on it reads the words and passphrases of the "
                    "wallet; use https")


def _run(reach: Reach, work: Callable[[RemoteApi], Awaitable[Exit]]) -> int:
    return _said(lambda: reach.run(work))


def _said(doing: Callable[[], T]) -> T:
    """What a person typed is no file that is damaged."""
    try:
        return doing()
    except FormatError as error:
        raise UsageError(error.message, code=error.code) from None


def _address(words: str) -> str:
    try:
        return str(Address.parse(words.strip()))
    except BadAddress as error:
        raise UsageError(error.message, code=error.code) from None


passphrase_file: Final = click.option(
    "--passphrase-file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Take the passphrase from the first line of a file.  [default: it is asked for, unseen]")


class WalletGroup(ListGroup):
    """Without a word, `show` is meant."""

    default = "show"


@click.group("wallet", cls=WalletGroup)
def command() -> None:
    """Make a wallet, receive and send TRX, set what may be spent.

    Nothing of it is there until you make one. Which chain it is on is a setting of the daemon (chain.network): by
    default one for development, whose coins are worth nothing.
    """


# -- making one


@command.command("create")
@click.option("--words", type=click.Choice(["12", "24"]), default="12", help="How many.", show_default=True)
@click.option("--yes", is_flag=True, help="Ask no words back: whoever runs this keeps what it prints.")
@passphrase_file
@reach.options
@reach.as_json
def create_command(words: str, yes: bool, passphrase_file: Path | None, as_json: bool, reach: Reach) -> int:
    """Make a wallet. Its words are shown once: write them down, on paper.

    Who has the words has the money, and without them a lost disk takes it along. Two of them are asked back. The
    passphrase seals the key on this disk; it is asked for whenever something is sent.
    """
    _warn_of_plain(reach)
    shown = reach.ask(lambda api: api.draft_wallet(wm.WalletWordsRequest(24 if words == "24" else 12)))
    if as_json:
        output.record({"words": list(shown.words), "asked": list(shown.asked)})
    else:
        for number, word in enumerate(shown.words, 1):
            output.line(f"{number:2}  {word}")
    answers = tuple(shown.words[number - 1] for number in shown.asked) if yes else _asked_back(shown)
    passphrase = secret("Passphrase of the wallet", passphrase_file, confirm=True)
    making = wm.WalletMaking(shown.id, answers, passphrase)
    return _run(reach, lambda api: made(api, making, as_json=as_json))


def _asked_back(shown: wm.WalletWords) -> tuple[str, ...]:
    if sys.stdin.isatty():
        click.prompt("Press Enter once they are on paper", default="", show_default=False, err=True)
        click.clear()
    return tuple(ask(f"Word {number} of the paper", hidden=False) for number in shown.asked)


async def made(api: Api, making: wm.WalletMaking, *, as_json: bool) -> Exit:
    return _tell(await api.create_wallet(making), as_json=as_json)


@command.command("import")
@click.option("--from", "source", type=click.Choice(["words", "key", "keystore"]), default="words", show_default=True,
              help="What the wallet is taken from: its words, its key (64 hex digits) or a keystore file (version 3).")
@click.option("--file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
              help="Where that is; a keystore needs it.  [default: it is asked for, unseen]")
@click.option("--device", type=click.IntRange(0, (1 << 31) - 1), default=0, metavar="N",
              help="Of words: which account. Each device that pays takes another one.  [default: 0]")
@passphrase_file
@reach.options
@reach.as_json
def import_command(
    source: str, file: Path | None, device: int, passphrase_file: Path | None, as_json: bool, reach: Reach,
) -> int:
    """Take on a wallet from elsewhere. What it may spend today counts as spent."""
    _warn_of_plain(reach)
    if source == "keystore":
        if file is None:
            raise UsageError("--from keystore needs --file")
        old = ask("Passphrase of the keystore")
        request = wm.WalletImport(
            keystore=_read(file, limits.WALLET_KEYSTORE_BYTES), keystore_passphrase=old,
            passphrase=secret("Passphrase for here", passphrase_file, confirm=True))
    else:
        found = _read(file, 4096).strip() if file is not None else ask(
            "The words of the wallet" if source == "words" else "The key of the wallet")
        passphrase = secret("Passphrase for here", passphrase_file, confirm=True)
        request = wm.WalletImport(words=found, passphrase=passphrase, device=device) if source == "words" else (
            wm.WalletImport(key=found, passphrase=passphrase))
    return _run(reach, lambda api: take(api, request, as_json=as_json))


async def take(api: Api, request: wm.WalletImport, *, as_json: bool) -> Exit:
    return _tell(await api.import_wallet(request), as_json=as_json)


@command.command("watch")
@click.argument("address")
@reach.options
@reach.as_json
def watch_command(address: str, as_json: bool, reach: Reach) -> int:
    """Only look at an address whose key is elsewhere."""
    request = wm.WalletImport(address=_address(address))
    return _run(reach, lambda api: take(api, request, as_json=as_json))


@command.command("consent")
@reach.options
@reach.as_json
def consent_command(as_json: bool, reach: Reach) -> int:
    """Confirm that real money may be used, where chain.network is mainnet."""
    wanted = reach.ask(lambda api: api.wallet()).consent
    if not wanted:
        raise UsageError("nothing is to be confirmed")
    typed = ask(f"mainnet is real money. Type «{wanted}»", hidden=False)
    return _run(reach, lambda api: agree(api, typed, as_json=as_json))


async def agree(api: Api, typed: str, *, as_json: bool) -> Exit:
    return _tell(await api.agree_to_wallet(wm.WalletConsent(typed[:200])), as_json=as_json)


# -- looking


@command.command("show")
@reach.options
@reach.as_json
def show_command(as_json: bool, reach: Reach) -> int:
    """Show the address, the balance and what is missing."""
    return _run(reach, lambda api: show(api, as_json=as_json))


async def show(api: Api, *, as_json: bool) -> Exit:
    return _tell(await api.wallet(), as_json=as_json)


def network_of(status: wm.WalletStatus) -> str:
    worth = "coins have no value" if status.play_money else (
        "REAL MONEY" if status.network == "mainnet" else "coins may be worth something")
    return f"{status.network} {status.chain_id}".rstrip() + f": {worth}"


def _tell(status: wm.WalletStatus, *, as_json: bool) -> Exit:
    if as_json:
        said.record(status)
        return Exit.OK
    output.line(f"network   {network_of(status)}")
    if status.network != "dev" and not status.examined_at:
        output.warn(f"wildbach was never run on {status.network} here: see first what `wildbach chain check URL` finds")
    if not status.exists:
        output.line("There is no wallet. `wildbach wallet create` makes one; until then no node of a chain is asked.")
    else:
        output.line(f"address   {status.address}" + (" (only looked at)" if status.kind == "watched" else ""))
        if status.funds is not None:
            funds = status.funds
            output.line(f"balance   {trx(funds.balance)} TRX, confirmed in block {funds.block:,}")
            output.line(f"left      {funds.free_bandwidth + funds.staked_bandwidth:,} bytes of bandwidth, "
                        f"{funds.energy:,} of energy")
        if status.pending:
            output.line(f"on its way: {status.pending}")
    if status.problem:
        output.warn(text.clean(status.problem))
        if status.network == DEV.name:
            output.advise("A chain of your own: wildbach chain run")
    elif status.network == DEV.name and status.funds is not None and not status.funds.balance:
        output.advise(f"Play money: wildbach chain faucet {status.address} 100")
    if status.consent:
        output.warn("mainnet is not confirmed: wildbach wallet consent")
    if status.other_signers:
        many = len(status.other_signers)
        output.warn(f"{many} other key{'s' if many > 1 else ''} in the vault can pay with this wallet's deposit, of a "
                    "lost state of it or one that was replaced: wildbach spend keys")
    if status.backup_due:
        output.warn("there is no copy of the key: wildbach wallet backup -o FILE")
    return Exit.OK


@command.command("receive")
@click.option("--qr/--no-qr", default=None, help="Show the address as a QR code.  [default: in a terminal]")
@reach.options
@reach.as_json
def receive_command(qr: bool | None, as_json: bool, reach: Reach) -> int:
    """Print the address that others pay to."""
    return _run(reach, lambda api: receive(api, qr=qr, as_json=as_json))


async def receive(api: Api, *, qr: bool | None, as_json: bool) -> Exit:
    status = await api.wallet()
    if not status.address:
        raise UsageError(status.problem or "there is no wallet here", code=status.code or "no_wallet")
    if as_json:
        output.record({"address": status.address, "network": status.network, "chain_id": status.chain_id})
        return Exit.OK
    output.line(status.address)
    if qr if qr is not None else output.is_live():
        for line in links.drawn(status.address):
            output.line(line)
    output.warn(f"on {network_of(status)}")
    return Exit.OK


# -- sending


@command.command("send")
@click.argument("to", metavar="ADDRESS")
@click.argument("amount", type=TrxType(), metavar="TRX")
@click.option("--memo", default="", metavar="TEXT", help="Goes along; anybody can read it, for ever. It costs a fee.")
@click.option("--yes", is_flag=True, help="Do not ask whether what is shown is meant.")
@click.option("--in-spite", is_flag=True, help="Also where the address looks like another one, or is nobody's.")
@click.option("--wait", is_flag=True, help="Wait until it cannot be undone any more.")
@passphrase_file
@reach.options
@reach.as_json
def send_command(
    to: str, amount: int, memo: str, yes: bool, in_spite: bool, wait: bool, passphrase_file: Path | None,
    as_json: bool, reach: Reach,
) -> int:
    """Send TRX to an address. What it costs is shown first; the passphrase is asked for each time."""
    _warn_of_plain(reach)
    if len(memo) > limits.WALLET_MEMO_BYTES:
        raise UsageError(f"a memo has {limits.WALLET_MEMO_BYTES} bytes at most")
    request = wm.WalletQuoteRequest(_address(to), amount, memo)
    return ask_and_send(
        reach, lambda api: api.quote_wallet_send(request), yes=yes, in_spite=in_spite, wait=wait,
        passphrase_file=passphrase_file, as_json=as_json)


def ask_and_send(
    reach: Reach, ask_quote: Callable[[RemoteApi], Awaitable[wm.WalletQuote]], *, yes: bool, in_spite: bool, wait: bool,
    passphrase_file: Path | None, as_json: bool,
) -> int:
    """Show what it costs, ask whether it is meant and for the passphrase, and send it."""
    async def ask_costs(api: RemoteApi) -> tuple[wm.WalletStatus, wm.WalletQuote]:
        return await api.wallet(), await ask_quote(api)

    status, quote = _said(lambda: reach.ask(ask_costs))
    if not as_json:
        _show_quote(status, quote)
    if quote.short:
        raise UsageError(f"the account lacks {trx(quote.short)} TRX for it", code="too_little")
    if not yes:
        if not sys.stdin.isatty():
            raise UsageError("what is shown has to be confirmed: on a terminal, or with --yes")
        click.confirm("Send it?", abort=True, err=True)
    passphrase = secret("Passphrase of the wallet", passphrase_file)
    sending = wm.WalletSendRequest(quote.id, passphrase, in_spite)
    return _run(reach, lambda api: send(api, sending, wait=wait, as_json=as_json))


def _show_quote(status: wm.WalletStatus, quote: wm.WalletQuote) -> None:
    named = f" ({text.clean(quote.label)})" if quote.label else ""
    output.line(f"to        {quote.to}{named}")
    output.line(f"amount    {trx(quote.amount)} TRX on {network_of(status)}")
    parts = [f"{word} {trx(value)}" for word, value in (
        ("bytes", quote.bandwidth), ("energy", quote.energy), ("opens the account", quote.activation),
        ("memo", quote.memo)) if value]
    output.line(f"fee       {trx(quote.fee)} TRX" + (f" ({', '.join(parts)})" if parts else ""))
    for caution in quote.cautions:
        output.warn(text.clean(caution.message))


async def send(api: Api, sending: wm.WalletSendRequest, *, wait: bool, as_json: bool) -> Exit:
    sent = await api.send_from_wallet(sending)
    while wait and sent.state in ("prepared", "pending"):
        await asyncio.sleep(_LOOK_SECONDS)
        # One that was sent is not sent again: this is how it is found.
        sent = await api.send_from_wallet(sending)
    if as_json:
        said.record(sent)
    else:
        output.line(f"{sent.state}: {sent.txid}")
        if sent.note:
            output.warn(text.clean(sent.note))
    return Exit.FAILED if sent.state in ("failed", "expired") else Exit.OK


@command.command("history")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, metavar="N", help="So many.", show_default=True)
@click.option("--offset", type=click.IntRange(0, limits.WALLET_SENDS), default=0, metavar="N", help="Not the newest N.")
@reach.options
@reach.as_json
def history_command(limit: int, offset: int, as_json: bool, reach: Reach) -> int:
    """Show what was sent, the newest first."""
    return _run(reach, lambda api: history(api, wm.WalletSendsQuery(offset, limit), as_json=as_json))


async def history(api: Api, query: wm.WalletSendsQuery, *, as_json: bool) -> Exit:
    found = (await api.wallet_sends(query)).sends
    return said.listed(found, SENDS, line_of, "Nothing was sent.", as_json=as_json)


def line_of(one: wm.WalletSend) -> Row:
    return (
        text.moment(one.created_at), Cell(one.state, _COLOURS.get(one.state, "")), trx(one.amount),
        text.clean(one.label) or one.to or one.kind, trx(one.fee) if one.block else "", one.txid[:16],
        text.clean(one.note))


@command.command("export")
@click.option("-o", "--output", "target", required=True, metavar="FILE", help="The file; - for stdout.")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@reach.options
def export_command(target: str, force: bool, reach: Reach) -> int:
    """Write all that was sent as a table (CSV)."""
    if target != "-":
        writing.require_free(Path(target), force=force)
    return _run(reach, lambda api: export(api, target))


async def export(api: Api, target: str) -> Exit:
    return write_out(target, (await api.wallet_table()).decode())


def write_out(target: str, written: str) -> Exit:
    """A table or a key, to a file or to stdout."""
    if target == "-":
        output.line(written.rstrip("\r\n"))
    else:
        writing.write_durably(Path(target), written.encode())
        output.line(text.clean(target))
    return Exit.OK


# -- the book


@command.group("book", cls=ListGroup)
def book_command() -> None:
    """List, name and remove addresses."""


@book_command.command("list")
@reach.options
@reach.as_json
def book_list_command(as_json: bool, reach: Reach) -> int:
    """Show the addresses that have a name."""
    return _run(reach, lambda api: book(api, as_json=as_json))


async def book(api: Api, *, as_json: bool) -> Exit:
    return said.listed(
        (await api.wallet_book()).entries, BOOK, lambda one: (text.clean(one.label), one.address),
        "The book is empty.", as_json=as_json)


@book_command.command("add")
@click.argument("address")
@click.argument("name")
@reach.options
@reach.as_json
def book_add_command(address: str, name: str, as_json: bool, reach: Reach) -> int:
    """Give an address a name, or another one."""
    if not 0 < len(name) <= limits.WALLET_NOTE_CHARS:
        raise UsageError(f"a name has 1 to {limits.WALLET_NOTE_CHARS} characters")
    known = wm.WalletKnown(_address(address), name)
    return _run(reach, lambda api: note(api, known, as_json=as_json))


async def note(api: Api, known: wm.WalletKnown, *, as_json: bool) -> Exit:
    return said.listed(
        [await api.put_wallet_address(known)], BOOK, lambda one: (text.clean(one.label), one.address), "",
        as_json=as_json)


@book_command.command("rm")
@click.argument("address")
@reach.options
def book_remove_command(address: str, reach: Reach) -> int:
    """Take an address out of the book."""
    known = wm.WalletKnownAddress(_address(address))
    return _run(reach, lambda api: forget(api, known))


async def forget(api: Api, known: wm.WalletKnownAddress) -> Exit:
    await api.remove_wallet_address(known)
    output.line(f"removed: {known.address}")
    return Exit.OK


# -- limits, passphrase, copies


def _limit_options(function: Callable[..., int]) -> Callable[..., int]:
    for name, words in reversed(_LIMITS.items()):
        function = click.option(
            f"--{name.replace('_', '-')}", type=TrxType(), metavar="TRX", help=f"The most for {words}.")(function)
    return function


@command.command("limits")
@_limit_options
@passphrase_file
@reach.options
@reach.as_json
def limits_command(passphrase_file: Path | None, as_json: bool, reach: Reach, **values: int | None) -> int:
    """Show or set what may be paid without the passphrase, for data that others serve.

    Nothing is paid before all of them are set. To allow more takes the passphrase, to allow less does not.
    """
    _warn_of_plain(reach)
    wanted = {name: value for name, value in values.items() if value is not None}
    now = reach.ask(lambda api: api.wallet_limits())
    if not wanted:
        return _show_limits(now, as_json=as_json)
    then = wm.WalletLimits(**{name: wanted.get(name, getattr(now.limits, name)) for name in _LIMITS})
    loosened = any(getattr(then, name) > getattr(now.limits, name) for name in _LIMITS)
    passphrase = secret("Passphrase of the wallet", passphrase_file) if loosened else ""
    change = wm.WalletLimitsChange(then, passphrase)
    return _run(reach, lambda api: bound(api, change, as_json=as_json))


async def bound(api: Api, change: wm.WalletLimitsChange, *, as_json: bool) -> Exit:
    return _show_limits(await api.set_wallet_limits(change), as_json=as_json)


def _show_limits(bounds: wm.WalletBounds, *, as_json: bool) -> Exit:
    if as_json:
        said.record(bounds)
        return Exit.OK
    used = bounds.used
    for name, words in _LIMITS.items():
        spent = {"per_day": used.today, "total": used.total, "fees_per_day": used.fees_today}.get(name)
        allowed = f"{trx(getattr(bounds.limits, name))} TRX"
        output.line(f"{words:<26}{allowed}" + (f", of which {trx(spent)} are used" if spent else ""))
    if used.closed_today:
        output.warn("the wallet was restored: what it may pay today counts as paid")
    if used.adrift:
        output.warn(f"{trx(used.adrift)} TRX are kept free for what a lost state of the wallet signed: "
                    "wildbach wallet forget-lost, once that is redeemed")
    return Exit.OK


@command.command("fee-key")
@reach.options
@reach.as_json
def fee_key_command(as_json: bool, reach: Reach) -> int:
    """Make a key that redeems what you earned by itself.

    It burns fees of `wildbach wallet limits --fees-per-day` at most, needs a few TRX on its address, and can pay
    nobody: money that it fetches goes to the wallet.
    """
    return _run(reach, lambda api: fee_key(api, as_json=as_json))


async def fee_key(api: Api, *, as_json: bool) -> Exit:
    status = await api.make_fee_key()
    if not as_json:
        output.line(f"fee key   {status.fee_key}: send it some TRX, and set --fees-per-day")
    return _tell(status, as_json=as_json)


@command.command("new-signer")
@passphrase_file
@reach.options
@reach.as_json
def new_signer_command(passphrase_file: Path | None, as_json: bool, reach: Reach) -> int:
    """Sign payments with a new key, where the old one may have been stolen.

    `wildbach spend keys` then registers it in the vault and removes the old one there.
    """
    request = wm.WalletPassphrase(secret("Passphrase of the wallet", passphrase_file))
    return _run(reach, lambda api: new_signer(api, request, as_json=as_json))


async def new_signer(api: Api, request: wm.WalletPassphrase, *, as_json: bool) -> Exit:
    return _tell(await api.renew_signer(request), as_json=as_json)


@command.command("forget-lost")
@passphrase_file
@reach.options
@reach.as_json
def forget_lost_command(passphrase_file: Path | None, as_json: bool, reach: Reach) -> int:
    """Keep nothing free any more for what a lost state of this wallet signed.

    It is right once that was redeemed, or the key of that state is removed from the vault and the delay is over:
    `wildbach wallet limits` says how much it is.
    """
    request = wm.WalletPassphrase(secret("Passphrase of the wallet", passphrase_file))
    return _run(reach, lambda api: forget_lost(api, request, as_json=as_json))


async def forget_lost(api: Api, request: wm.WalletPassphrase, *, as_json: bool) -> Exit:
    return _show_limits(await api.forget_adrift(request), as_json=as_json)


@command.command("reopen")
@passphrase_file
@reach.options
@reach.as_json
def reopen_command(passphrase_file: Path | None, as_json: bool, reach: Reach) -> int:
    """Let a wallet that was restored or imported pay today, and not from tomorrow on."""
    request = wm.WalletPassphrase(secret("Passphrase of the wallet", passphrase_file))
    return _run(reach, lambda api: reopen(api, request, as_json=as_json))


async def reopen(api: Api, request: wm.WalletPassphrase, *, as_json: bool) -> Exit:
    return _show_limits(await api.reopen_wallet_day(request), as_json=as_json)


@command.command("passphrase")
@reach.options
def passphrase_command(reach: Reach) -> int:
    """Seal the key with another passphrase.

    Both are asked for, unseen; without a terminal they are the first two lines of stdin.
    """
    _warn_of_plain(reach)
    old = ask("Passphrase of the wallet")
    change = wm.WalletPassphraseChange(old, ask("New passphrase", confirm=True))
    return _run(reach, lambda api: renew(api, change))


async def renew(api: Api, change: wm.WalletPassphraseChange) -> Exit:
    await api.change_wallet_passphrase(change)
    output.line("the old passphrase opens nothing here any more; copies of the key still have it")
    return Exit.OK


@command.command("backup")
@click.option("-o", "--output", "target", required=True, metavar="FILE", help="The file; - for stdout.")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@passphrase_file
@reach.options
def backup_command(target: str, force: bool, passphrase_file: Path | None, reach: Reach) -> int:
    """Write a copy of the sealed key (keystore version 3). Only the passphrase opens it."""
    _warn_of_plain(reach)
    if target != "-":
        writing.require_free(Path(target), force=force)
    asked = wm.WalletPassphrase(secret("Passphrase of the wallet", passphrase_file))
    return _run(reach, lambda api: backup(api, asked, target))


async def backup(api: Api, asked: wm.WalletPassphrase, target: str) -> Exit:
    return write_out(target, (await api.export_wallet_keystore(asked)).text)
