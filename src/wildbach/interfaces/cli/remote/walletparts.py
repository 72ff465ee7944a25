"""How commands that have to do with the wallet ask, and what they tell of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, TypeVar

import click

from wildbach.base.errors import FormatError, StorageError, UsageError
from wildbach.interfaces.api import walletmodels as wm
from wildbach.interfaces.cli import output, said, text, writing
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.reach import Reach
from wildbach.interfaces.cli.remote.key import ask
from wildbach.interfaces.client import RemoteApi
from wildbach.protocol.tron.address import Address, BadAddress
from wildbach.protocol.tron.amounts import shown as trx
from wildbach.services.chain.networks import DEV

T = TypeVar("T")


def secret(words: str, file: Path | None, *, confirm: bool = False) -> str:
    """A passphrase: the first line of a file, what a person types, or the first line of stdin. Raises UsageError,
    StorageError.
    """
    return ask(words, confirm=confirm) if file is None else read(file, 4096).partition("\n")[0].rstrip("\r")


def read(path: Path, most: int) -> str:
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


def warn_of_plain(reach: Reach) -> None:
    """Before something secret goes to a daemon elsewhere."""
    if reach.url.startswith("http://") and reach.away():
        output.warn("the way to this daemon is not encrypted: whoever is on it reads the words and passphrases of the "
                    "wallet; use https")


def run(reach: Reach, work: Callable[[RemoteApi], Awaitable[Exit]]) -> int:
    return typed(lambda: reach.run(work))


def typed(doing: Callable[[], T]) -> T:
    """What a person typed is no file that is damaged."""
    try:
        return doing()
    except FormatError as error:
        raise UsageError(error.message, code=error.code) from None


def address_of(words: str) -> str:
    try:
        return str(Address.parse(words.strip()))
    except BadAddress as error:
        raise UsageError(error.message, code=error.code) from None


passphrase_file: Final = click.option(
    "--passphrase-file", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE",
    help="Take the passphrase from the first line of a file.  [default: it is asked for, unseen]")


def network_of(status: wm.WalletStatus) -> str:
    worth = "coins have no value" if status.play_money else (
        "REAL MONEY" if status.network == "mainnet" else "coins may be worth something")
    return f"{status.network} {status.chain_id}".rstrip() + f": {worth}"


def tell(status: wm.WalletStatus, *, as_json: bool) -> Exit:
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


def write_out(target: str, written: str) -> Exit:
    """A table or a key, to a file or to stdout."""
    if target == "-":
        output.line(written.rstrip("\r\n"))
    else:
        writing.write_durably(Path(target), written.encode())
        output.line(text.clean(target))
    return Exit.OK
