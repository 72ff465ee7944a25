"""A copy of a buyer's data directory runs beside it: the two never sign in one lane, and the vault pays each once."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from contextlib import ExitStack
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.devnode import in_process
from tests.tradebed import TRX, Chain, Person, daemon, person, until

from wildbach.protocol.tron.address import Address
from wildbach.testing.content import content

pytestmark = [
    pytest.mark.slow, pytest.mark.skipif(find_spec("eth") is None, reason="py-evm (the extra devchain) is missing")]

SIZE = 8 << 20
DEPOSIT = 100
NAMES = ("one.bin", "two.bin", "three.bin")


def epochs(rows: Iterable[dict[str, str]]) -> dict[int, int]:
    """SUN in vouchers, by epoch."""
    found: dict[int, int] = {}
    for row in rows:
        if row["what"] == "voucher":
            found[int(row["epoch"])] = found.get(int(row["epoch"]), 0) + int(row["amount_sun"])
    return found


def download(who: Person, seller: Person, name: str) -> None:
    who.good("start", name)
    who.good("peers", name, "--add", f"127.0.0.1:{seller.port}")
    until(partial(who.complete, name))


@pytest.mark.parametrize("same_counters", [True, False], ids=["on one machine", "on another machine"])
def test_a_copy_signs_in_lanes_of_its_own_once_its_owner_says_so(tmp_path: Path, same_counters: bool) -> None:
    with ExitStack() as stack:
        told = stack.enter_context(in_process(tmp_path / "chain", "--instant", "--vault", "3600"))
        chain = Chain(told["url"], Address.parse(told["vault"]))
        ada = stack.enter_context(
            person(tmp_path / "ada", told, "--set", "rates.up=4194304", "--set", "rates.limit_local=true"))
        for seed, name in enumerate(NAMES):
            made = content(SIZE, kind="hybrid", name=name, seed=seed)
            (tmp_path / f"{name}.torrent").write_bytes(made.torrent)
            (ada.cli.folder / "downloads" / name).write_bytes(made.data)
            ada.good("add", tmp_path / f"{name}.torrent")
            ada.good("earn", "mark", name, "--as", "mine")
        ada.good("earn", "on", "--price", 1000)
        with person(tmp_path / "bob", told) as bob:
            bob.good("wallet", "limits", *bob.phrase, *(
                word for name in ("per-voucher", "per-peer", "per-torrent", "per-day", "total")
                for word in (f"--{name}", DEPOSIT)), "--max-price", 1000)
            bob.good("spend", "deposit", DEPOSIT, "--yes", *bob.phrase)
            bob.good("spend", "reserve", ada.address, 60, "--yes", *bob.phrase)
            bob.good("spend", "on", "--most", 1000)
            for name in NAMES:
                bob.good("add", tmp_path / f"{name}.torrent", "--stopped")
                bob.good("earn", "mark", name, "--as", "mine")
            until(partial(ada.complete, NAMES[-1]))
            download(bob, ada, NAMES[0])
            until(lambda: 0 < sum(bob.vouchers().values()) == sum(ada.vouchers().values()))
        shutil.copytree(tmp_path / "bob", tmp_path / "twin")
        bob = stack.enter_context(daemon(tmp_path / "bob", told))
        twin = stack.enter_context(daemon(
            tmp_path / "twin", told, counters=tmp_path / ("bob" if same_counters else "twin") / "counters"))
        assert bob.address == twin.address
        copied = len(twin.ledger())

        # The first goes on. The copy is older than what was signed: it notices, and pays nothing today.
        download(bob, ada, NAMES[1])
        until(lambda: sum(bob.vouchers().values()) == sum(ada.vouchers().values()))
        (first,) = epochs(bob.ledger())
        before = epochs(ada.ledger())
        assert before == epochs(bob.ledger()) and before[first] > epochs(twin.ledger())[first]
        download(twin, ada, NAMES[1])
        assert epochs(twin.ledger()[copied:]) == {} and epochs(ada.ledger()) == before
        assert twin.json("wallet", "limits")[0]["used"]["closed_today"]

        # Its owner says that it may: it pays, in a lane that nobody else signs in.
        twin.good("wallet", "reopen", *twin.phrase)
        download(twin, ada, NAMES[2])
        until(lambda: bool(epochs(twin.ledger()[copied:])))
        until(lambda: sum(epochs(ada.ledger()).values()) == sum(before.values()) + sum(
            epochs(twin.ledger()[copied:]).values()))
        download(bob, ada, NAMES[2])
        signed, again = epochs(bob.ledger()), epochs(twin.ledger()[copied:])
        assert not set(signed) & set(again)
        until(lambda: epochs(ada.ledger()) == epochs(bob.ledger()) | again)
        if same_counters:
            # Now the first one is the older of the two.
            assert bob.json("wallet", "limits")[0]["used"]["closed_today"] and epochs(bob.ledger()) == signed == before

        paid = sum(epochs(ada.ledger()).values())
        ada.good("earn", "collect", "--yes", *ada.phrase)
        for epoch, amount in epochs(ada.ledger()).items():
            assert chain.paid(bob.address, ada.address, epoch) == amount
        assert chain.deposit(bob.address) == DEPOSIT * TRX - paid
