"""`wildbach chain run` and `wildbach chain faucet`."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.devbed import TRX, A
from tests.devnode import in_process

from wildbach.interfaces.cli import devchain, main


def test_a_chain_runs_is_fed_is_examined_and_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = tmp_path / "state"
    with in_process(state, "--instant", "--vault", "60") as said:
        assert main.run(["chain", "faucet", str(A), "12.5", "--url", said["url"], "--json"]) == 0
        fed = json.loads(capsys.readouterr().out)
        assert (fed["sun"], fed["address"], len(fed["txid"])) == (12 * TRX + TRX // 2, str(A), 64)
        assert main.run(["chain", "faucet", str(A), "1000000", "--url", said["url"]]) == 2
        assert "the faucet refuses" in capsys.readouterr().err
        assert main.run([
            "chain", "check", said["url"], "--network", "dev", "--vault", said["vault"], "--state",
            str(tmp_path / "other")]) == 0
        assert "it is the vault that is known here" in capsys.readouterr().out
        assert main.run(["chain", "run", "--listen", "127.0.0.1:0", "--state", str(state)]) == 2
        assert "another process" in capsys.readouterr().err
    with in_process(state, "--vault", "60") as again:
        assert {**again, "url": ""} == {**said, "url": ""}
        assert (state / devchain.FOLDER / "chain.sqlite").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(("words", "why"), [
    (["run", "--listen", "0.0.0.0:0", "--switches"], "not for a group"),
    (["run", "--listen", "localhost:0"], "in digits"),
    (["run", "--lag", "100000"], "100000"),
    (["faucet", "T", "1"], "not an address"),
    (["faucet", str(A), "0"], "is the least"),
    (["faucet", str(A), "1.1234567"], "an amount in TRX"),
    (["faucet", str(A), "1", "--url", "ftp://x"], "no address of a node"),
])
def test_what_cannot_be(words: list[str], why: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["chain", *words]) == 2
    assert why in capsys.readouterr().err


def test_without_the_extra_it_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(devchain, "find_spec", lambda name: None)
    assert main.run(["chain", "run"]) == 2
    assert "pip install 'wildbach[devchain]'" in capsys.readouterr().err


def test_looking_at_chains_needs_no_extra() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, wildbach.interfaces.cli.chain; print('eth' in sys.modules)"],
        capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "False"
