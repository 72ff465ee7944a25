"""Three daemons and a chain, four processes: two sell, one buys; once settled, books, vault and chain agree."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from tests.devnode import in_process
from tests.interop.test_paying_with_libtorrent import plain

from cli_process import Command
from e2e.test_daemon import serving
from wildbach.net.http import HttpClient
from wildbach.net.resolve import Guard
from wildbach.protocol.tron.address import Address
from wildbach.runtime.rng import seeded
from wildbach.services.chain import vault
from wildbach.services.chain.client import ChainClient
from wildbach.services.chain.networks import DEV, Choice, Place
from wildbach.services.pay.ledger.terms import LaneId
from wildbach.testing.content import content

pytestmark = [
    pytest.mark.slow, pytest.mark.foreign("libtorrent"), pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.skipif(find_spec("eth") is None, reason="py-evm (the extra devchain) is missing")]

TRX = 1_000_000
SIZE = 24 << 20
NAME = "content.bin"
DEPOSIT, GIVEN = 200, 1000
ACCOUNTS = ("wallet", "deposit", "held", "credit", "promised")


@dataclass
class Person:
    """A daemon of its own, spoken with by the command line alone."""

    cli: Command
    address: str = ""
    port: int = 0

    def good(self, *args: object) -> str:
        done = self.cli.run(*args)
        assert done.returncode == 0, (args, done.stdout, done.stderr)
        return done.stdout

    def json(self, *args: object) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.good(*args, "--json").splitlines()]

    def payments(self) -> dict[str, Any]:
        return self.json("earn", "show")[0]

    def ledger(self) -> list[dict[str, str]]:
        return list(csv.DictReader(io.StringIO(self.good("earn", "export", "-o", "-"))))

    def vouchers(self) -> Counter[str]:
        """SUN, by who is on the other side."""
        found: Counter[str] = Counter()
        for row in self.ledger():
            if row["what"] == "voucher":
                found[row["party"]] += int(row["amount_sun"])
        return found

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

    def complete(self) -> bool:
        return bool(self.json("ls")[0]["complete"])

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
        lane = LaneId(Address.parse(payee), epoch)
        return int(self.ask(
            lambda client: client.ask(vault.paid(vault.lane_id(Address.parse(payer), lane.payee, lane.epoch)))))


def until(what: Callable[[], bool], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it never comes to this"


@contextmanager
def person(folder: Path, chain: dict[str, Any], *flags: str) -> Iterator[Person]:
    """With a wallet in which there is money."""
    (folder / "downloads").mkdir(parents=True)
    cli = Command(folder)
    (folder / "phrase").write_text("correct horse battery\n")
    settings = {
        "api.listen": "127.0.0.1:0", "connections.listen": "127.0.0.1:0", "downloads.folder": folder / "downloads",
        "discovery.lsd": "false", "discovery.upnp": "false", "discovery.natpmp": "false", "dht.enabled": "false",
        "chain.url": chain["url"], "chain.vault": chain["vault"], "chain.counters": folder / "counters"}
    flags = (*flags, *(word for name, value in settings.items() for word in ("--set", f"{name}={value}")))
    with serving(cli, *flags):
        one = Person(cli)
        made = one.json("wallet", "create", "--yes", "--passphrase-file", folder / "phrase")
        one.address = made[-1]["address"]
        one.good("chain", "faucet", one.address, GIVEN, "--url", chain["url"])
        one.port = int(one.json("status")[0]["transfer"]["listening"][0].rpartition(":")[2])
        yield one


def test_what_one_pays_two_others_earn_to_the_sun(tmp_path: Path) -> None:
    made = content(SIZE, kind="hybrid")
    torrent = tmp_path / "content.torrent"
    torrent.write_bytes(made.torrent)
    with ExitStack() as stack:
        told = stack.enter_context(in_process(tmp_path / "chain", "--instant", "--vault", "3600"))
        chain = Chain(told["url"], Address.parse(told["vault"]))
        slow = ("--set", "rates.up=3145728", "--set", "rates.limit_local=true")
        ada = stack.enter_context(person(tmp_path / "ada", told, *slow))
        cyd = stack.enter_context(person(tmp_path / "cyd", told, *slow))
        bob = stack.enter_context(person(tmp_path / "bob", told))
        sellers = (ada, cyd)
        for one in sellers:
            (one.cli.folder / "downloads" / NAME).write_bytes(made.data)
            one.good("add", torrent)
            one.good("earn", "mark", NAME, "--as", "mine")
            one.good("earn", "on", "--price", 1000)
        passphrase = ("--yes", "--passphrase-file", bob.cli.folder / "phrase")
        bob.good(
            "wallet", "limits", *passphrase[1:], "--per-voucher", 10, *(
                word for name in ("per-peer", "per-torrent", "per-day", "total") for word in (f"--{name}", DEPOSIT)),
            "--max-price", 1000)
        bob.good("spend", "deposit", DEPOSIT, *passphrase)
        for one in sellers:
            bob.good("spend", "reserve", one.address, 60, *passphrase)
        bob.good("spend", "on", "--most", 1000)
        bob.good("add", torrent, "--stopped")
        bob.good("earn", "mark", NAME, "--as", "mine")
        for one in sellers:
            until(one.complete)
        (tmp_path / "plain").mkdir()
        other, handle = plain(tmp_path / "plain", made.torrent, ada.port)
        handle.connect_peer(("127.0.0.1", cyd.port))
        bob.good("start", NAME)
        for one in sellers:
            bob.good("peers", NAME, "--add", f"127.0.0.1:{one.port}")
        until(bob.complete)
        until(lambda: handle.status().is_seeding)
        other.pause()
        assert (bob.cli.folder / "downloads" / NAME).read_bytes() == made.data
        assert (tmp_path / "plain" / NAME).read_bytes() == made.data

        # What one signed, the others have.
        until(lambda: bob.vouchers() == {one.address: one.vouchers()[bob.address] for one in sellers})
        paid = bob.vouchers()
        assert all(paid[one.address] > 0 for one in sellers)
        assert sum(paid.values()) > 1000 * TRX * SIZE // (1 << 30) // 4
        for one in sellers:
            one.good("earn", "collect", "--yes", "--passphrase-file", one.cli.folder / "phrase")

        # What is in the vault, and what came to whom.
        deposit = chain.ask(lambda client: client.ask(vault.payer(Address.parse(bob.address)))).balance
        assert deposit == DEPOSIT * TRX - sum(paid.values()) == chain.balance(str(chain.vault))
        (epoch,) = {int(row["epoch"]) for row in bob.ledger() if row["what"] == "voucher"}
        for one in sellers:
            assert chain.paid(bob.address, one.address, epoch) == paid[one.address]
            assert chain.balance(one.address) == GIVEN * TRX - one.burnt() + paid[one.address]
        assert chain.balance(bob.address) == GIVEN * TRX - bob.burnt() - DEPOSIT * TRX

        # And what the three ledgers say of it, once they have looked.
        for one, there in ((bob, deposit), (ada, 0), (cyd, 0)):
            wanted = dict.fromkeys(ACCOUNTS, 0) | {"wallet": chain.balance(one.address), "deposit": there}
            until(partial(one.has, wanted))
            assert one.payments()["differences"] == []
        assert -ada.books()["earned"] - cyd.books()["earned"] == bob.books()["bought"] == sum(paid.values())
