"""`wildbach wallet`: one address that receives and sends, its limits and its book.

Words, keys and passphrases are typed unseen, come from a file or by stdin, and never stand on the command line, which
every program of this machine can read.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, TypeVar

import click

from wildbach.base import limits
from wildbach.base.errors import UsageError
from wildbach.interfaces.api import walletmodels as wm
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.cli import links, output, reach, said, text, writing
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.groups import ListGroup
from wildbach.interfaces.cli.kinds import TrxType
from wildbach.interfaces.cli.reach import Reach
from wildbach.interfaces.cli.remote import walletkeys
from wildbach.interfaces.cli.remote.key import ask
from wildbach.interfaces.cli.remote.walletparts import (
    address_of,
    network_of,
    passphrase_file,
    read,
    run,
    secret,
    tell,
    typed,
    warn_of_plain,
    write_out,
)
from wildbach.interfaces.cli.table import Cell, Column, Row
from wildbach.interfaces.client import RemoteApi
from wildbach.protocol.tron.amounts import shown as trx

T = TypeVar("T")

SENDS: Final = (
    Column("WHEN"), Column("STATE"), Column("TRX", right=True), Column("TO", flexible=True), Column("FEE", right=True,
        rank=2),
    Column("ID", rank=3), Column("", rank=1),
)
BOOK: Final = (Column("NAME", flexible=True), Column("ADDRESS"))
_LOOK_SECONDS: Final = 2.0
_COLOURS: Final = {"confirmed": "green", "failed": "red", "expired": "red"}


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
    warn_of_plain(reach)
    shown = reach.ask(lambda api: api.draft_wallet(wm.WalletWordsRequest(24 if words == "24" else 12)))
    if as_json:
        output.record({"words": list(shown.words), "asked": list(shown.asked)})
    else:
        for number, word in enumerate(shown.words, 1):
            output.line(f"{number:2}  {word}")
    answers = tuple(shown.words[number - 1] for number in shown.asked) if yes else _asked_back(shown)
    passphrase = secret("Passphrase of the wallet", passphrase_file, confirm=True)
    making = wm.WalletMaking(shown.id, answers, passphrase)
    return run(reach, lambda api: made(api, making, as_json=as_json))


def _asked_back(shown: wm.WalletWords) -> tuple[str, ...]:
    if sys.stdin.isatty():
        click.prompt("Press Enter once they are on paper", default="", show_default=False, err=True)
        click.clear()
    return tuple(ask(f"Word {number} of the paper", hidden=False) for number in shown.asked)


async def made(api: Api, making: wm.WalletMaking, *, as_json: bool) -> Exit:
    return tell(await api.create_wallet(making), as_json=as_json)


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
    warn_of_plain(reach)
    if source == "keystore":
        if file is None:
            raise UsageError("--from keystore needs --file")
        old = ask("Passphrase of the keystore")
        request = wm.WalletImport(
            keystore=read(file, limits.WALLET_KEYSTORE_BYTES), keystore_passphrase=old,
            passphrase=secret("Passphrase for here", passphrase_file, confirm=True))
    else:
        found = read(file, 4096).strip() if file is not None else ask(
            "The words of the wallet" if source == "words" else "The key of the wallet")
        passphrase = secret("Passphrase for here", passphrase_file, confirm=True)
        request = wm.WalletImport(words=found, passphrase=passphrase, device=device) if source == "words" else (
            wm.WalletImport(key=found, passphrase=passphrase))
    return run(reach, lambda api: take(api, request, as_json=as_json))


async def take(api: Api, request: wm.WalletImport, *, as_json: bool) -> Exit:
    return tell(await api.import_wallet(request), as_json=as_json)


@command.command("watch")
@click.argument("address")
@reach.options
@reach.as_json
def watch_command(address: str, as_json: bool, reach: Reach) -> int:
    """Only look at an address whose key is elsewhere."""
    request = wm.WalletImport(address=address_of(address))
    return run(reach, lambda api: take(api, request, as_json=as_json))


@command.command("consent")
@reach.options
@reach.as_json
def consent_command(as_json: bool, reach: Reach) -> int:
    """Confirm that real money may be used, where chain.network is mainnet."""
    wanted = reach.ask(lambda api: api.wallet()).consent
    if not wanted:
        raise UsageError("nothing is to be confirmed")
    typed = ask(f"mainnet is real money. Type «{wanted}»", hidden=False)
    return run(reach, lambda api: agree(api, typed, as_json=as_json))


async def agree(api: Api, typed: str, *, as_json: bool) -> Exit:
    return tell(await api.agree_to_wallet(wm.WalletConsent(typed[:200])), as_json=as_json)


# -- looking


@command.command("show")
@reach.options
@reach.as_json
def show_command(as_json: bool, reach: Reach) -> int:
    """Show the address, the balance and what is missing."""
    return run(reach, lambda api: show(api, as_json=as_json))


async def show(api: Api, *, as_json: bool) -> Exit:
    return tell(await api.wallet(), as_json=as_json)


@command.command("receive")
@click.option("--qr/--no-qr", default=None, help="Show the address as a QR code.  [default: in a terminal]")
@reach.options
@reach.as_json
def receive_command(qr: bool | None, as_json: bool, reach: Reach) -> int:
    """Print the address that others pay to."""
    return run(reach, lambda api: receive(api, qr=qr, as_json=as_json))


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
    warn_of_plain(reach)
    if len(memo) > limits.WALLET_MEMO_BYTES:
        raise UsageError(f"a memo has {limits.WALLET_MEMO_BYTES} bytes at most")
    request = wm.WalletQuoteRequest(address_of(to), amount, memo)
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

    status, quote = typed(lambda: reach.ask(ask_costs))
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
    return run(reach, lambda api: send(api, sending, wait=wait, as_json=as_json))


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
    return run(reach, lambda api: history(api, wm.WalletSendsQuery(offset, limit), as_json=as_json))


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
    return run(reach, lambda api: export(api, target))


async def export(api: Api, target: str) -> Exit:
    return write_out(target, (await api.wallet_table()).decode())


# -- the book


@command.group("book", cls=ListGroup)
def book_command() -> None:
    """List, name and remove addresses."""


@book_command.command("list")
@reach.options
@reach.as_json
def book_list_command(as_json: bool, reach: Reach) -> int:
    """Show the addresses that have a name."""
    return run(reach, lambda api: book(api, as_json=as_json))


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
    known = wm.WalletKnown(address_of(address), name)
    return run(reach, lambda api: note(api, known, as_json=as_json))


async def note(api: Api, known: wm.WalletKnown, *, as_json: bool) -> Exit:
    return said.listed(
        [await api.put_wallet_address(known)], BOOK, lambda one: (text.clean(one.label), one.address), "",
        as_json=as_json)


@book_command.command("rm")
@click.argument("address")
@reach.options
def book_remove_command(address: str, reach: Reach) -> int:
    """Take an address out of the book."""
    known = wm.WalletKnownAddress(address_of(address))
    return run(reach, lambda api: forget(api, known))


async def forget(api: Api, known: wm.WalletKnownAddress) -> Exit:
    await api.remove_wallet_address(known)
    output.line(f"removed: {known.address}")
    return Exit.OK


for one in walletkeys.COMMANDS:
    command.add_command(one)
