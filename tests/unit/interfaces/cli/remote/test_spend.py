"""`wildbach spend keys`: which keys sign for a wallet in the vault, after a new one was made and after an import."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from tests.devnode import in_process, turn

from daemons import House, Shell
from wildbach.interfaces.cli.exits import Exit
from wildbach.services.pay.wallet import keystore
from wildbach.services.pay.wallet.derivation import cold_key
from wildbach.services.pay.wallet.phrase import Phrase
from wildbach.services.pay.wallet.policy import Cover

PHRASE = Phrase(bytes(range(100, 116)))
PAYER = cold_key(PHRASE.seed()).address
pytestmark = pytest.mark.skipif(find_spec("eth") is None, reason="py-evm (the extra devchain) is missing")


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[dict[str, Any]]:
    with in_process(tmp_path / "chain", "--instant", "--memory", "--vault", "1", "--switches") as told:
        yield told


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chain: dict[str, Any], capsys: pytest.CaptureFixture[str],
) -> Callable[[str], Shell]:
    """Of a daemon by its name."""
    monkeypatch.setattr(keystore, "_N", 1 << 8)
    monkeypatch.setattr("wildbach.interfaces.purse._FRESH", 0.0)
    monkeypatch.setattr("wildbach.interfaces.cli.remote.earn._LOOK_SECONDS", 0.05)
    for name in ("WILDBACH_URL", "WILDBACH_KEY"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "words").write_text(" ".join(PHRASE.words()))
    (tmp_path / "passphrase").write_text("correct horse battery\n")

    def made(name: str) -> Shell:
        (tmp_path / name).mkdir()
        monkeypatch.setenv("WILDBACH_STATE", str(tmp_path / name / "state"))
        return Shell(House(tmp_path / name), capsys)

    return made


def settings(tmp_path: Path, name: str, chain: dict[str, Any]) -> dict[str, Any]:
    return {
        "chain__url": chain["url"], "chain__vault": chain["vault"], "chain__counters": str(tmp_path / f"{name}-count"),
        "pay__buy": True}


def cover(house: House) -> Cover:
    """What the vault has for us, as the signer is told of it."""
    assert house.daemon is not None and house._loop is not None
    shop = house.daemon.api.shop
    facts = shop.wallet.facts
    return asyncio.run_coroutine_threadsafe(
        shop.settlement.cover(facts.address, facts.mine, (), ()), house._loop).result(20)


def test_keys_of_a_lost_state_and_keys_that_were_replaced_are_removed_in_one_step(
    tmp_path: Path, chain: dict[str, Any], shell: Callable[[str], Shell],
) -> None:
    phrase = ("--passphrase-file", tmp_path / "passphrase")
    take = ("wallet", "import", "--file", tmp_path / "words", *phrase)
    one = shell("one")
    with one.house.open(**settings(tmp_path, "one", chain)):
        one.good(*take)
        one.good("chain", "faucet", PAYER, "500", "--url", chain["url"])
        (first,) = one.json("wallet")
        assert not first["registered"] and first["other_signers"] == []
        one.good("spend", "keys", "--yes", *phrase)
        assert one.run("spend", "keys", "--yes", *phrase)[0] == Exit.USAGE and "no other is" in one.err
        assert one.json("wallet")[0]["registered"]
        one.good("spend", "deposit", "10", "--yes", *phrase)
        one.house.until(lambda api: api.shop.till is not None)

        # A new key: the till signs with it, and the vault has to learn of both.
        assert one.run("wallet", "new-signer", "--passphrase-file", tmp_path / "words")[0] == Exit.USAGE
        (second,) = one.json("wallet", "new-signer", *phrase)
        assert second["signer"] != first["signer"] and not second["registered"]
        assert second["other_signers"] == [first["signer"]]
        one.good("wallet")
        assert "1 other key in the vault" in one.err and "wildbach spend keys" in one.err
        one.house.until(lambda api: api.shop._now is not None and str(api.shop._now.signer) == second["signer"])
        sent = one.json("spend", "keys", "--yes", *phrase)
        assert [send["state"] for send in sent] == ["confirmed", "confirmed"]
        (after,) = one.json("wallet")
        assert after["registered"] and after["other_signers"] == []
        one.good("wallet")
        assert "other key" not in one.err

    # The disk is gone, the words are on paper.
    two = shell("two")
    with two.house.open(**settings(tmp_path, "two", chain)):
        (third,) = two.json(*take)
        two.house.until(lambda api: api.shop.till is not None)
        (third,) = two.json("wallet")
        assert third["other_signers"] == [second["signer"]] and not third["registered"]
        assert cover(two.house).strangers
        two.good("spend", "keys", "--yes", *phrase)
        # The vault's delay of a second later, with the next block, the old key has ended.
        assert cover(two.house).strangers
        turn(chain["url"], "clock", seconds=2)
        two.good("chain", "faucet", PAYER, "0.000001", "--url", chain["url"])
        assert not cover(two.house).strangers
        assert two.json("wallet")[0]["other_signers"] == []
