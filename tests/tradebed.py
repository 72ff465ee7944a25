"""Daemons with wallets, processes of their own on a chain of their own, spoken with as a person does."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from cli_process import Command
from e2e.test_daemon import serving
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.api.models import Listing
from wildbach.interfaces.cli.reach import Reach
from wildbach.net.http import HttpClient
from wildbach.net.resolve import Guard
from wildbach.protocol.tron.address import Address
from wildbach.runtime.rng import seeded
from wildbach.services.chain import vault
from wildbach.services.chain.client import ChainClient
from wildbach.services.chain.networks import DEV, Choice, Place
from wildbach.services.pay.ledger.terms import UNIT

T = TypeVar("T")

TRX = 1_000_000
GIVEN = 1000
"TRX of who has a wallet."


@dataclass
class Person:
    """A daemon of its own: told what to do by the command line, and looked at over its socket, which starts no process
    for each look.
    """

    cli: Command
    address: str = ""
    port: int = 0

    def good(self, *args: object) -> str:
        done = self.cli.run(*args)
        assert done.returncode == 0, (args, done.stdout, done.stderr)
        return done.stdout

    def json(self, *args: object) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.good(*args, "--json").splitlines()]

    def ask(self, what: Callable[[Api], Awaitable[T]]) -> T:
        async def main() -> T:
            async with Reach(state=self.cli.folder / "state").open() as api:
                return await what(api)

        return asyncio.run(main())

    def ledger(self) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(self.ask(lambda api: api.payment_table()).decode())))

    def vouchers(self) -> Counter[str]:
        """SUN, by who is on the other side."""
        found: Counter[str] = Counter()
        for row in self.ledger():
            if row["what"] == "voucher":
                found[row["party"]] += int(row["amount_sun"])
        return found

    def signed_all(self) -> bool:
        """For all that is owed on the connections of now."""
        return all(
            one.signed == -(-one.bought * one.price // UNIT)
            for one in self.ask(lambda api: api.payments()).purchases if one.payee)

    def books(self) -> Counter[str]:
        """SUN, by account."""
        found: Counter[str] = Counter()
        for row in self.ledger():
            found[row["to"]] += int(row["amount_sun"])
            found[row["from"]] -= int(row["amount_sun"])
        return found

    def has(self, wanted: dict[str, int]) -> bool:
        found = self.books()
        return {name: found[name] for name in wanted} == wanted

    def complete(self, name: str) -> bool:
        return next(one.complete for one in self.ask(lambda api: api.list_torrents(Listing())).torrents
                    if one.name == name)

    @property
    def phrase(self) -> tuple[object, ...]:
        """Where the passphrase is."""
        return "--passphrase-file", self.cli.folder / "phrase"

    def burnt(self) -> int:
        return sum(int(one["fee"]) for one in self.json("wallet", "history"))


@dataclass(frozen=True)
class Chain:
    """What the chain says, and nobody else."""

    url: str
    vault: Address

    def ask(self, what: Callable[[ChainClient], Any]) -> Any:
        async def main() -> Any:
            http = HttpClient(Guard(None))
            try:
                choice = Choice(DEV, (Place(self.url, self.url),), self.vault)
                client = ChainClient(http, choice, wall=time.time, pause=asyncio.sleep, rng=seeded(1))
                await client.start()
                return await what(client)
            finally:
                await http.close()

        return asyncio.run(main())

    def balance(self, of: str) -> int:
        return int(self.ask(lambda client: client.account(Address.parse(of))).balance)

    def paid(self, payer: str, payee: str, epoch: int) -> int:
        lane = vault.lane_id(Address.parse(payer), Address.parse(payee), epoch)
        return int(self.ask(lambda client: client.ask(vault.paid(lane))))

    def deposit(self, payer: str) -> int:
        return int(self.ask(lambda client: client.ask(vault.payer(Address.parse(payer)))).balance)


def until(what: Callable[[], bool], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it never comes to this"
        time.sleep(0.25)  # other processes are waited for


@contextmanager
def daemon(folder: Path, chain: dict[str, Any], *flags: str, counters: Path | None = None) -> Iterator[Person]:
    """With what is in its folder."""
    (folder / "downloads").mkdir(parents=True, exist_ok=True)
    cli = Command(folder)
    (folder / "phrase").write_text("correct horse battery\n")
    settings = {
        "api.listen": "127.0.0.1:0", "connections.listen": "127.0.0.1:0", "downloads.folder": folder / "downloads",
        "discovery.lsd": "false", "discovery.upnp": "false", "discovery.natpmp": "false", "dht.enabled": "false",
        "chain.url": chain["url"], "chain.vault": chain["vault"], "chain.counters": counters or folder / "counters"}
    with serving(cli, *flags, *(word for name, value in settings.items() for word in ("--set", f"{name}={value}"))):
        one = Person(cli)
        one.port = int(one.ask(lambda api: api.transfer()).listening[0].rpartition(":")[2])
        one.address = one.ask(lambda api: api.wallet()).address
        yield one


@contextmanager
def person(folder: Path, chain: dict[str, Any], *flags: str) -> Iterator[Person]:
    """With a new wallet in which there is money."""
    with daemon(folder, chain, *flags) as one:
        one.address = one.json("wallet", "create", "--yes", *one.phrase)[-1]["address"]
        one.good("chain", "faucet", one.address, GIVEN, "--url", chain["url"])
        yield one
