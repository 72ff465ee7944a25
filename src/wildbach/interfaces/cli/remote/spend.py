"""`wildbach spend`: pay seeds while downloading, out of a deposit in the vault."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from wildbach.base.errors import UsageError
from wildbach.interfaces.api import paymodels as pm
from wildbach.interfaces.cli import reach
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.groups import ListGroup
from wildbach.interfaces.cli.kinds import TrxType
from wildbach.interfaces.cli.reach import Reach
from wildbach.interfaces.cli.remote.earn import carry_out, show, switch
from wildbach.interfaces.cli.remote.walletparts import passphrase_file


class SpendGroup(ListGroup):
    """Without a word, `show` is meant."""

    default = "show"


@click.group("spend", cls=SpendGroup)
def command() -> None:
    """Pay seeds that ask for it.

    Off until you switch it on, for torrents that you marked, and within the limits of the wallet. What is paid comes
    from a deposit in the vault, which you can ask back; what you reserve for one seed, that seed can rely on until a
    date.
    """


@command.command("show")
@reach.options
@reach.as_json
def show_command(as_json: bool, reach: Reach) -> int:
    """Show what is bought and sold now, and what lies in the vault."""
    return reach.run(lambda api: show(api, as_json=as_json))


@command.command("on")
@click.option("--most", type=TrxType(), metavar="TRX",
              help="What a GiB may cost at most.  [default: as before, at first 0.033]")
@reach.options
def on_command(most: int | None, reach: Reach) -> int:
    """Pay for marked torrents while they download."""
    return reach.run(lambda api: switch(api, {"pay.buy": True} | ({"pay.most": most} if most else {})))


@command.command("off")
@reach.options
def off_command(reach: Reach) -> int:
    """Pay nothing any more. Downloads go on as without money."""
    return reach.run(lambda api: switch(api, {"pay.buy": False}))


def _sends(function: Callable[..., int]) -> Callable[..., int]:
    """Options of what the cold key signs."""
    for option in (
        reach.as_json, reach.options, passphrase_file,
        click.option("--yes", is_flag=True, help="Do not ask whether what is shown is meant."),
    ):
        function = option(function)
    return function


@command.command("deposit")
@click.argument("amount", type=TrxType(), metavar="TRX")
@_sends
def deposit_command(amount: int, yes: bool, passphrase_file: Path | None, as_json: bool, reach: Reach) -> int:
    """Put TRX into the vault, and register the key that signs payments there if it is not yet."""
    deposit = reach.ask(lambda api: api.payments()).deposit
    wanted = [pm.PayOrder("deposit", amount=amount)]
    if deposit is None or not deposit.signer:
        wanted.append(pm.PayOrder("add_signer"))
    carry_out(reach, wanted, yes=yes, passphrase_file=passphrase_file, as_json=as_json)
    return Exit.OK


@command.command("keys")
@_sends
def keys_command(yes: bool, passphrase_file: Path | None, as_json: bool, reach: Reach) -> int:
    """Register the key of here that signs payments, and remove all others of this wallet from the vault.

    Others are there after a wallet was made anew from its words, or after `wildbach wallet new-signer`. Their vouchers
    are good until one delay of the vault is over.
    """
    status = reach.ask(lambda api: api.wallet())
    if status.funds is None:
        raise UsageError(status.problem or "there is no wallet here", code=status.code or "no_wallet")
    wanted = [
        *([] if status.registered else [pm.PayOrder("add_signer")]),
        *(pm.PayOrder("remove_signer", who=one) for one in status.other_signers)]
    if not wanted:
        raise UsageError("the key of here is registered, and no other is", code="nothing_to_do")
    carry_out(reach, wanted, yes=yes, passphrase_file=passphrase_file, as_json=as_json)
    return Exit.OK


@command.command("reserve")
@click.argument("payee", metavar="ADDRESS")
@click.argument("amount", type=TrxType(), metavar="TRX")
@click.option("--days", type=click.IntRange(1, 366), default=30, show_default=True, metavar="N",
              help="So long from now; it can be put off and not brought forward.")
@_sends
def reserve_command(
    payee: str, amount: int, days: int, yes: bool, passphrase_file: Path | None, as_json: bool, reach: Reach,
) -> int:
    """Set aside TRX of the deposit for one seed, which nobody else gets before the date."""
    wanted = pm.PayOrder("reserve", amount=amount, who=payee, days=days)
    carry_out(reach, [wanted], yes=yes, passphrase_file=passphrase_file, as_json=as_json)
    return Exit.OK


@command.command("release")
@click.argument("payee", metavar="ADDRESS")
@_sends
def release_command(payee: str, yes: bool, passphrase_file: Path | None, as_json: bool, reach: Reach) -> int:
    """Make a reservation whose date is over free again."""
    carry_out(reach, [pm.PayOrder("release", who=payee)], yes=yes, passphrase_file=passphrase_file, as_json=as_json)
    return Exit.OK


@command.command("ask-back")
@click.argument("amount", type=TrxType(), metavar="TRX")
@_sends
def ask_back_command(amount: int, yes: bool, passphrase_file: Path | None, as_json: bool, reach: Reach) -> int:
    """Ask for TRX of the deposit that are not reserved; 0 takes that back.

    The vault gives seeds time to redeem before it pays.
    """
    carry_out(
        reach, [pm.PayOrder("ask_back", amount=amount)], yes=yes, passphrase_file=passphrase_file, as_json=as_json)
    return Exit.OK


@command.command("withdraw")
@_sends
def withdraw_command(yes: bool, passphrase_file: Path | None, as_json: bool, reach: Reach) -> int:
    """Fetch what was asked back, once its time has come."""
    carry_out(reach, [pm.PayOrder("withdraw")], yes=yes, passphrase_file=passphrase_file, as_json=as_json)
    return Exit.OK
