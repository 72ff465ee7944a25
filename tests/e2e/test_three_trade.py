"""Three daemons and a chain, four processes: two sell, one buys; once settled, books, vault and chain agree."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.devnode import in_process
from tests.interop.test_paying_with_libtorrent import plain
from tests.tradebed import GIVEN, TRX, Chain, person, until

from wildbach.protocol.tron.address import Address
from wildbach.testing.content import content

pytestmark = [
    pytest.mark.slow, pytest.mark.foreign("libtorrent"), pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.skipif(find_spec("eth") is None, reason="py-evm (the extra devchain) is missing")]

SIZE = 24 << 20
NAME = "content.bin"
DEPOSIT = 200
ACCOUNTS = ("wallet", "deposit", "held", "credit", "promised")


def test_what_one_pays_two_others_earn_to_the_sun(tmp_path: Path) -> None:
    made = content(SIZE, kind="hybrid")
    torrent = tmp_path / "content.torrent"
    torrent.write_bytes(made.torrent)
    with ExitStack() as stack:
        told = stack.enter_context(in_process(tmp_path / "chain", "--instant", "--vault", "3600"))
        chain = Chain(told["url"], Address.parse(told["vault"]))
        slow = ("--set", "rates.up=2097152", "--set", "rates.limit_local=true")
        ada = stack.enter_context(person(tmp_path / "ada", told, *slow))
        cyd = stack.enter_context(person(tmp_path / "cyd", told, *slow))
        bob = stack.enter_context(person(tmp_path / "bob", told))
        sellers = (ada, cyd)
        for one in sellers:
            (one.cli.folder / "downloads" / NAME).write_bytes(made.data)
            one.good("add", torrent)
            one.good("earn", "mark", NAME, "--as", "mine")
            one.good("earn", "on", "--price", 1000)
        bob.good(
            "wallet", "limits", *bob.phrase, "--per-voucher", 10, *(
                word for name in ("per-peer", "per-torrent", "per-day", "total") for word in (f"--{name}", DEPOSIT)),
            "--max-price", 1000)
        bob.good("spend", "deposit", DEPOSIT, "--yes", *bob.phrase)
        for one in sellers:
            bob.good("spend", "reserve", one.address, 60, "--yes", *bob.phrase)
        bob.good("spend", "on", "--most", 1000)
        bob.good("add", torrent, "--stopped")
        bob.good("earn", "mark", NAME, "--as", "mine")
        for one in sellers:
            until(partial(one.complete, NAME))
        (tmp_path / "plain").mkdir()
        other, handle = plain(tmp_path / "plain", made.torrent, ada.port)
        handle.connect_peer(("127.0.0.1", cyd.port))
        bob.good("start", NAME)
        for one in sellers:
            bob.good("peers", NAME, "--add", f"127.0.0.1:{one.port}")
        until(partial(bob.complete, NAME))
        until(lambda: handle.status().is_seeding)
        other.pause()
        assert (bob.cli.folder / "downloads" / NAME).read_bytes() == made.data
        assert (tmp_path / "plain" / NAME).read_bytes() == made.data

        # What one signed, the others have.
        until(bob.signed_all)
        until(lambda: bob.vouchers() == {one.address: one.vouchers()[bob.address] for one in sellers})
        # How much came before the meters ran, and from the plain peer, depends on the machine.
        paid = bob.vouchers()
        assert all(paid[one.address] > 0 for one in sellers)
        for one in sellers:
            one.good("earn", "collect", "--yes", *one.phrase)

        # What is in the vault, and what came to whom.
        deposit = chain.deposit(bob.address)
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
            assert one.json("earn", "show")[0]["differences"] == []
        assert -ada.books()["earned"] - cyd.books()["earned"] == bob.books()["bought"] == sum(paid.values())
