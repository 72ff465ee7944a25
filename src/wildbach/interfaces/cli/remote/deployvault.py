"""`wildbach chain deploy-vault`: a vault on a chain that has none, paid for by the wallet of the daemon."""

from __future__ import annotations

from pathlib import Path

import click

from wildbach.interfaces.api import paymodels as pm
from wildbach.interfaces.cli import output, reach
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.reach import Reach
from wildbach.interfaces.cli.remote.earn import carry_out
from wildbach.interfaces.cli.remote.walletparts import passphrase_file
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.transaction import deployed_at
from wildbach.services.chain import vault
from wildbach.services.chain.networks import DAY


@click.command("deploy-vault")
@click.option("--delay", type=click.IntRange(1, vault.LONGEST_DELAY), default=7 * DAY, metavar="SECONDS",
              show_default=True, help="How long money that is asked back still covers vouchers.")
@click.option("--yes", is_flag=True, help="Do not ask whether what is shown is meant.")
@passphrase_file
@reach.options
@reach.as_json
def command(delay: int, yes: bool, passphrase_file: Path | None, as_json: bool, reach: Reach) -> int:
    """Put the vault of payments on the chain of the daemon's wallet.

    One vault serves all who pay on a chain, and belongs to nobody. What it costs is shown first; the passphrase is
    asked for. Its address then goes into chain.vault, here and wherever it is to be used.
    """
    status = reach.ask(lambda api: api.wallet())
    (sent,) = carry_out(
        reach, [pm.PayOrder("deploy_vault", delay=delay)], yes=yes, passphrase_file=passphrase_file, as_json=as_json)
    there = deployed_at(bytes.fromhex(sent.txid), Address.parse(status.address))
    if as_json:
        output.record({"event": "vault", "address": str(there), "delay": delay})
    else:
        output.line(f"Vault {there}; use it: wildbach config set chain.vault {there}")
    return Exit.OK
