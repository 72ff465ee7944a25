"""`wildbach chain run` and `wildbach chain faucet`: a chain of one's own, for development and for groups."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from wildbach.base import limits
from wildbach.base.addresses import Reach, classify
from wildbach.base.errors import FormatError, NetworkError, UsageError
from wildbach.interfaces.cli import output, running, text
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.kinds import HOST_PORT, HostPort, TrxType, is_literal
from wildbach.interfaces.cli.running import Stop
from wildbach.interfaces.cli.state import state_folder
from wildbach.net.httpcall import HttpCaller
from wildbach.protocol.tron.address import Address
from wildbach.services.chain import vault
from wildbach.services.chain.networks import DEV, check_url

FOLDER: Final = "devchain"
"In the state folder."
_FILE: Final = "chain.sqlite"
_SECONDS: Final = 20.0
_ANSWER_BYTES: Final = 64 * limits.KIB
_STATE = click.option(
    "--state", "--state-dir", "state", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
    help="Where the chain is kept.  [default: $WILDBACH_STATE or ~/.local/state/wildbach]")
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON object a line in place of words.")


@click.command("run")
@click.option("--listen", type=HOST_PORT, default="127.0.0.1:9090", metavar="HOST:PORT", show_default=True,
              help="Where nodes are asked; port 0 takes any. Another address than this machine's own lets a group in.")
@click.option("--instant", is_flag=True, help="A block for each transaction, at once.")
@click.option("--lag", type=click.IntRange(0, limits.DEVCHAIN_LAG), metavar="BLOCKS",
              help="Blocks that are not solid yet.  [default: 19, with --instant 0]")
@click.option("--memory", is_flag=True, help="Keep nothing: each run is a new chain.")
@click.option("--vault", "delay", type=click.IntRange(1, vault.LONGEST_DELAY), metavar="SECONDS",
              help="Deploy the vault of payments at the first run, with this delay.")
@click.option("--faucet", "most", type=TrxType(1), default="1000000", metavar="TRX", show_default=True,
              help="What the faucet gives one address in a day.")
@click.option("--switches", is_flag=True,
              help="Let tests undo blocks, move the clock and have the node lie; on this machine only.")
@_STATE
@_JSON
def run_command(
    listen: HostPort, instant: bool, lag: int | None, memory: bool, delay: int | None, most: int, switches: bool,
    state: Path | None, as_json: bool,
) -> int:
    """Run a chain of your own, with play money, until Ctrl-C.

    It speaks the HTTP API of TRON's nodes, so wildbach and other wallets for TRON can use it. It is kept in the state
    folder and goes on with the next run. Others join by its URL and its chain id. What is paid there is worth nothing.
    """
    if find_spec("eth") is None:
        raise UsageError(
            "the chain for development needs the extra `devchain`: pip install 'wildbach[devchain]'",
            code="extra_missing")
    if not is_literal(listen.host):
        raise UsageError(f"--listen {text.clean(listen.host)}: write an address in digits, as 127.0.0.1")
    if switches and classify(listen.host) is not Reach.LOCAL:
        raise UsageError("--switches is for tests on this machine; it is not for a group")
    path = None if memory else state_folder(state) / FOLDER / _FILE
    return running.run(partial(_run, path, listen, instant, lag, delay, most, switches, as_json))


async def _run(
    path: Path | None, listen: HostPort, instant: bool, lag: int | None, delay: int | None, most: int, switches: bool,
    as_json: bool, stop: Stop,
) -> Exit:
    # By name: whoever has not got py-evm can still look at chains.
    server = import_module("wildbach.services.devchain.server")
    options = server.Options(
        instant=instant, lag=lag if lag is not None else 0 if instant else 19, faucet_day=most)
    async with server.DevNode(path, options, switched=switches) as node:
        planted: Address | None = None
        if delay is not None:
            planted = await node.run(lambda chain: chain.plant(lambda owner: vault.deployment(owner, delay)))
        at = await node.listen(listen.host, listen.port)
        chain_id, faucet = await node.run(lambda chain: (chain.chain_id, chain.faucet_address))
        url = f"http://{f'[{at.host}]' if ':' in at.host else at.host}:{at.port}"
        if as_json:
            output.record({
                "event": "chain", "url": url, "chain_id": f"0x{chain_id:08x}", "faucet": str(faucet),
                **({"vault": str(planted)} if planted is not None else {})})
        else:
            output.line(f"Chain 0x{chain_id:08x} of play money at {url} (Ctrl-C ends it)")
            if planted is not None:
                output.line(f"Vault {planted}")
            output.line(f"Play money: wildbach chain faucet ADDRESS AMOUNT{'' if url == DEV.url else f' --url {url}'}")
        await stop.wait()
        if not as_json:
            running.say_stopping()
    return stop.code


@click.command("faucet")
@click.argument("address")
@click.argument("amount", type=TrxType(1))
@click.option("--url", default=DEV.url, metavar="URL", show_default=True, help="Where the chain is.")
@_JSON
def faucet_command(address: str, amount: int, url: str, as_json: bool) -> int:
    """Give ADDRESS an AMOUNT of TRX on a chain for development, which is worth nothing."""
    try:
        who = Address.parse(address)
    except FormatError as error:
        raise UsageError(error.message) from None
    place = check_url("--url", url)

    async def work(stop: Stop) -> Exit:
        txid = await running.unless_stopped(stop, lambda: feed(place, who, amount))
        if txid is None:
            return stop.code
        if as_json:
            output.record({"event": "fed", "address": str(who), "sun": amount, "txid": txid})
        else:
            output.line(f"Sent: transaction {txid}")
        return Exit.OK

    return running.run(work)


async def feed(url: str, who: Address, amount: int) -> str:
    """Ask the faucet of the chain at a URL for SUN; the id of the transaction. Raises NetworkError, UsageError where
    it refuses.
    """
    caller = HttpCaller(url)
    try:
        reply = await caller.request(
            "POST", "/faucet", body=msgspec.json.encode({"address": str(who), "amount": amount}),
            content_type="application/json", limit=_ANSWER_BYTES, seconds=_SECONDS)
    finally:
        await caller.close()
    try:
        found: Any = msgspec.json.decode(reply.body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        found = None
    if isinstance(found, dict) and isinstance(found.get("txid"), str):
        return text.clean(found["txid"])
    if isinstance(found, dict) and isinstance(found.get("Error"), str):
        raise UsageError(f"the faucet refuses: {text.clean(found['Error'])}", code="faucet_refuses")
    raise NetworkError("what answers there is no chain for development")
