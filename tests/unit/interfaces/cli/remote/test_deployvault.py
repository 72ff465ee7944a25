"""`wildbach chain deploy-vault`, with a chain of our own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.devnode import in_process

from daemons import House, Shell
from wildbach.interfaces.cli.exits import Exit
from wildbach.services.pay.wallet import keystore


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[dict[str, Any]]:
    with in_process(tmp_path, "--instant", "--memory") as one:
        yield one


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, chain: dict[str, Any]) -> Iterator[House]:
    monkeypatch.setattr(keystore, "_N", 1 << 8)
    monkeypatch.setattr("wildbach.interfaces.cli.remote.earn._LOOK_SECONDS", 0.05)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WILDBACH_STATE", str(tmp_path / "state"))
    for name in ("WILDBACH_URL", "WILDBACH_KEY"):
        monkeypatch.delenv(name, raising=False)
    with House(tmp_path).open(chain__url=chain["url"], chain__counters=str(tmp_path / "counters")) as one:
        yield one


def test_a_vault_is_put_on_a_chain_and_passes_the_examination(
    shell: Shell, chain: dict[str, Any], tmp_path: Path,
) -> None:
    secret = tmp_path / "passphrase"
    secret.write_text("correct horse battery\n")
    _, status = shell.json("wallet", "create", "--yes", "--passphrase-file", secret)
    words = ("chain", "deploy-vault", "--delay", "60", "--passphrase-file", secret)
    assert shell.run(*words, "--yes")[0] == Exit.USAGE
    shell.good("chain", "faucet", status["address"], "1000", "--url", chain["url"])
    assert shell.run(*words)[0] == Exit.USAGE
    assert "has to be confirmed" in shell.err
    *_, said = shell.json(*words, "--yes")
    assert (said["event"], said["delay"]) == ("vault", 60)
    told = shell.good("chain", "check", chain["url"], "--network", "dev", "--vault", said["address"])
    assert "with 60 seconds of delay" in told
