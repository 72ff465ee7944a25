"""`wildbach wallet`: what may be paid without the passphrase, the keys that do it, the passphrase, and copies."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import click

from wildbach.interfaces.api import walletmodels as wm
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.cli import output, reach, said, writing
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.kinds import TrxType
from wildbach.interfaces.cli.reach import Reach
from wildbach.interfaces.cli.remote.key import ask
from wildbach.interfaces.cli.remote.walletparts import passphrase_file, run, secret, tell, warn_of_plain, write_out
from wildbach.protocol.tron.amounts import shown as trx

_LIMITS: Final = {
    "per_voucher": "one payment", "per_peer": "one payee, in all", "per_torrent": "one torrent",
    "per_day": "a day (UTC)", "total": "all that is ever paid", "max_price": "a GiB",
    "fees_per_day": "fees of redeeming, a day",
}


def _limit_options(function: Callable[..., int]) -> Callable[..., int]:
    for name, words in reversed(_LIMITS.items()):
        function = click.option(
            f"--{name.replace('_', '-')}", type=TrxType(), metavar="TRX", help=f"The most for {words}.")(function)
    return function


@click.command("limits")
@_limit_options
@passphrase_file
@reach.options
@reach.as_json
def limits_command(passphrase_file: Path | None, as_json: bool, reach: Reach, **values: int | None) -> int:
    """Show or set what may be paid without the passphrase, for data that others serve.

    Nothing is paid before all of them are set. To allow more takes the passphrase, to allow less does not.
    """
    warn_of_plain(reach)
    wanted = {name: value for name, value in values.items() if value is not None}
    now = reach.ask(lambda api: api.wallet_limits())
    if not wanted:
        return _show_limits(now, as_json=as_json)
    then = wm.WalletLimits(**{name: wanted.get(name, getattr(now.limits, name)) for name in _LIMITS})
    loosened = any(getattr(then, name) > getattr(now.limits, name) for name in _LIMITS)
    passphrase = secret("Passphrase of the wallet", passphrase_file) if loosened else ""
    change = wm.WalletLimitsChange(then, passphrase)
    return run(reach, lambda api: bound(api, change, as_json=as_json))


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
        output.warn("it pays nothing before tomorrow (UTC): another copy of this wallet signed, or it was put back or "
                    "imported. If no other copy pays any more: wildbach wallet reopen")
    if used.adrift:
        output.warn(f"{trx(used.adrift)} TRX are kept free for what a lost state of the wallet signed: "
                    "wildbach wallet forget-lost, once that is redeemed")
    return Exit.OK


@click.command("fee-key")
@reach.options
@reach.as_json
def fee_key_command(as_json: bool, reach: Reach) -> int:
    """Make a key that redeems what you earned by itself.

    It burns fees of `wildbach wallet limits --fees-per-day` at most, needs a few TRX on its address, and can pay
    nobody: money that it fetches goes to the wallet.
    """
    return run(reach, lambda api: fee_key(api, as_json=as_json))


async def fee_key(api: Api, *, as_json: bool) -> Exit:
    status = await api.make_fee_key()
    if not as_json:
        output.line(f"fee key   {status.fee_key}: send it some TRX, and set --fees-per-day")
    return tell(status, as_json=as_json)


@click.command("new-signer")
@passphrase_file
@reach.options
@reach.as_json
def new_signer_command(passphrase_file: Path | None, as_json: bool, reach: Reach) -> int:
    """Sign payments with a new key, where the old one may have been stolen.

    `wildbach spend keys` then registers it in the vault and removes the old one there.
    """
    request = wm.WalletPassphrase(secret("Passphrase of the wallet", passphrase_file))
    return run(reach, lambda api: new_signer(api, request, as_json=as_json))


async def new_signer(api: Api, request: wm.WalletPassphrase, *, as_json: bool) -> Exit:
    return tell(await api.renew_signer(request), as_json=as_json)


@click.command("forget-lost")
@passphrase_file
@reach.options
@reach.as_json
def forget_lost_command(passphrase_file: Path | None, as_json: bool, reach: Reach) -> int:
    """Keep nothing free any more for what a lost state of this wallet signed.

    It is right once that was redeemed, or the key of that state is removed from the vault and the delay is over:
    `wildbach wallet limits` says how much it is.
    """
    request = wm.WalletPassphrase(secret("Passphrase of the wallet", passphrase_file))
    return run(reach, lambda api: forget_lost(api, request, as_json=as_json))


async def forget_lost(api: Api, request: wm.WalletPassphrase, *, as_json: bool) -> Exit:
    return _show_limits(await api.forget_adrift(request), as_json=as_json)


@click.command("reopen")
@passphrase_file
@reach.options
@reach.as_json
def reopen_command(passphrase_file: Path | None, as_json: bool, reach: Reach) -> int:
    """Let a wallet that was restored or imported pay today, and not from tomorrow on."""
    request = wm.WalletPassphrase(secret("Passphrase of the wallet", passphrase_file))
    return run(reach, lambda api: reopen(api, request, as_json=as_json))


async def reopen(api: Api, request: wm.WalletPassphrase, *, as_json: bool) -> Exit:
    return _show_limits(await api.reopen_wallet_day(request), as_json=as_json)


@click.command("passphrase")
@reach.options
def passphrase_command(reach: Reach) -> int:
    """Seal the key with another passphrase.

    Both are asked for, unseen; without a terminal they are the first two lines of stdin.
    """
    warn_of_plain(reach)
    old = ask("Passphrase of the wallet")
    change = wm.WalletPassphraseChange(old, ask("New passphrase", confirm=True))
    return run(reach, lambda api: renew(api, change))


async def renew(api: Api, change: wm.WalletPassphraseChange) -> Exit:
    await api.change_wallet_passphrase(change)
    output.line("the old passphrase opens nothing here any more; copies of the key still have it")
    return Exit.OK


@click.command("backup")
@click.option("-o", "--output", "target", required=True, metavar="FILE", help="The file; - for stdout.")
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@passphrase_file
@reach.options
def backup_command(target: str, force: bool, passphrase_file: Path | None, reach: Reach) -> int:
    """Write a copy of the sealed key (keystore version 3). Only the passphrase opens it."""
    warn_of_plain(reach)
    if target != "-":
        writing.require_free(Path(target), force=force)
    asked = wm.WalletPassphrase(secret("Passphrase of the wallet", passphrase_file))
    return run(reach, lambda api: backup(api, asked, target))


async def backup(api: Api, asked: wm.WalletPassphrase, target: str) -> Exit:
    return write_out(target, (await api.export_wallet_keystore(asked)).text)


COMMANDS: Final = (
    limits_command, fee_key_command, new_signer_command, forget_lost_command, reopen_command, passphrase_command,
    backup_command)
"Of `wildbach wallet`."
