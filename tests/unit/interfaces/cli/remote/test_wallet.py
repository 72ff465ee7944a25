"""`wildbach wallet`: what is said, and what is asked for."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.paynode import PayNode, running

from daemons import House, Shell
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.reach import Reach
from wildbach.interfaces.cli.remote.walletparts import warn_of_plain
from wildbach.protocol.tron.address import Address
from wildbach.services.pay.wallet import keystore
from wildbach.services.pay.wallet.derivation import cold_key
from wildbach.services.pay.wallet.phrase import Phrase
from wildbach.services.pay.wallet.store import put_number

PHRASE = Phrase(bytes(range(100, 116)))
PAYER = cold_key(PHRASE.seed()).address
TO = Address(b"\x33" * 20)
PASS = "correct horse battery"


@pytest.fixture
def node() -> Iterator[PayNode]:
    with running() as one:
        yield one


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, node: PayNode) -> Iterator[House]:
    monkeypatch.setattr(keystore, "_N", 1 << 8)
    monkeypatch.setattr("wildbach.interfaces.cli.remote.wallet._LOOK_SECONDS", 0.05)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WILDBACH_STATE", str(tmp_path / "state"))
    for name in ("WILDBACH_URL", "WILDBACH_KEY"):
        monkeypatch.delenv(name, raising=False)
    with House(tmp_path).open(chain__url=node.url, chain__counters=str(tmp_path / "counters")) as one:
        yield one


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    path = tmp_path / "passphrase"
    path.write_text(f"{PASS}\nnothing else counts\n")
    return path


def typed(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))


def test_a_wallet_is_made_receives_and_sends(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, secret: Path, node: PayNode, tmp_path: Path,
) -> None:
    assert "There is no wallet" in shell.good("wallet")
    assert shell.run("wallet", "receive")[0] == Exit.USAGE
    assert "wildbach wallet create" in shell.err
    assert shell.run("wallet", "history")[0] == Exit.USAGE
    assert node.asked == []
    words, status = shell.json("wallet", "create", "--yes", "--passphrase-file", secret)
    assert len(words["words"]) == 12
    own = cold_key(Phrase.parse(" ".join(words["words"])).seed()).address
    assert status["address"] == str(own) and status["backup_due"] is False
    node.chain.accounts[own] = 5_500_000
    assert shell.good("wallet", "receive", "--no-qr").strip() == str(own)
    assert "dev 0x" in shell.err and "no value" in shell.err
    assert len(shell.good("wallet", "receive", "--qr").splitlines()) > 15
    assert "REAL MONEY" not in shell.good("wallet", "show")

    assert shell.run("wallet", "send", TO, "99", "--yes", "--passphrase-file", secret)[0] == Exit.USAGE
    assert "the account lacks" in shell.err
    typed(monkeypatch, "wrong passphrase")
    assert shell.run("wallet", "send", TO, "1.5", "--yes")[0] == Exit.USAGE
    assert "not the passphrase" in shell.err
    assert shell.good("wallet", "history").strip() == "Nothing was sent."
    said = shell.good("wallet", "send", TO, "1.5", "--yes", "--wait", "--passphrase-file", secret)
    assert "amount    1.5 TRX on dev" in said and "opens the account" in said and "confirmed: " in said
    assert "nothing was sent to this address before" in shell.err
    assert node.chain.accounts[TO] == 1_500_000

    assert "friend" in shell.good("wallet", "book", "add", TO, "friend")
    (sent,) = shell.json("wallet", "history")
    assert (sent["label"], sent["amount"], sent["state"]) == ("friend", 1_500_000, "confirmed")
    assert "confirmed" in shell.good("wallet", "history") and "friend" in shell.good("wallet", "book")
    shell.good("wallet", "export", "-o", tmp_path / "sent.csv")
    assert "1.500000" in (tmp_path / "sent.csv").read_text()
    assert shell.run("wallet", "export", "-o", tmp_path / "sent.csv")[0] == Exit.USAGE
    assert sent["txid"] in shell.good("wallet", "export", "-o", "-")
    shell.good("wallet", "book", "rm", TO)
    assert shell.good("wallet", "book").strip() == "The book is empty."


def test_words_are_asked_back_and_passphrases_come_by_stdin(
    shell: Shell, monkeypatch: pytest.MonkeyPatch,
) -> None:
    typed(monkeypatch, "these", "are", PASS, PASS)
    assert shell.run("wallet", "create")[0] == Exit.USAGE
    assert "not the words" in shell.err
    typed(monkeypatch, "one two three", PASS)
    assert shell.run("wallet", "import")[0] == Exit.USAGE
    assert "12, 15, 18" in shell.err
    typed(monkeypatch, " ".join(PHRASE.words()), "short")
    assert shell.run("wallet", "import")[0] == Exit.USAGE
    typed(monkeypatch, " ".join(PHRASE.words()), PASS)
    assert str(PAYER) in shell.good("wallet", "import")
    typed(monkeypatch, PASS, "another passphrase")
    shell.good("wallet", "passphrase")
    typed(monkeypatch, PASS)
    assert shell.run("wallet", "backup", "-o", "-")[0] == Exit.USAGE
    typed(monkeypatch, "another passphrase")
    assert '"version": 3' in shell.good("wallet", "backup", "-o", "-")
    assert shell.run("wallet", "consent")[0] == Exit.USAGE


def test_keys_and_keystores_are_imported_and_addresses_watched(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, secret: Path,
) -> None:
    assert shell.run("wallet", "watch", "Tnonsense")[0] == Exit.USAGE
    assert shell.run("wallet", "import", "--from", "keystore")[0] == Exit.USAGE
    assert shell.run("wallet", "import", "--from", "key", "--file", tmp_path / "nowhere")[0] == Exit.STORAGE
    (tmp_path / "key").write_text("05" * 32 + "\n")
    shell.good("wallet", "import", "--from", "key", "--file", tmp_path / "key", "--passphrase-file", secret)
    assert "there is no copy of the key" in shell.err
    shell.good("wallet", "backup", "-o", tmp_path / "copy", "--passphrase-file", secret)
    assert "no copy" not in shell.good("wallet") + shell.err
    typed(monkeypatch, PASS)
    assert shell.run(
        "wallet", "import", "--from", "keystore", "--file", tmp_path / "copy", "--passphrase-file", secret,
    )[0] == Exit.USAGE
    assert "already" in shell.err


def test_an_address_is_only_looked_at(shell: Shell) -> None:
    assert "only looked at" in shell.good("wallet", "watch", PAYER)
    assert shell.run("wallet", "send", TO, "1", "--yes")[0] == Exit.USAGE


def test_limits_are_shown_and_set(shell: Shell, monkeypatch: pytest.MonkeyPatch, secret: Path) -> None:
    typed(monkeypatch, " ".join(PHRASE.words()), PASS)
    shell.good("wallet", "import")
    assert "a day (UTC)" in shell.good("wallet", "limits") and "wildbach wallet reopen" in shell.err
    shell.good("wallet", "limits", "--per-day", "5", "--total", "50", "--passphrase-file", secret)
    (now,) = shell.json("wallet", "limits", "--per-day", "2.5")
    assert (now["limits"]["per_day"], now["limits"]["total"]) == (2_500_000, 50_000_000)
    typed(monkeypatch, "wrong one")
    assert shell.run("wallet", "limits", "--per-day", "3")[0] == Exit.USAGE
    assert shell.run("wallet", "limits", "--per-day", "1e9")[0] == Exit.USAGE


def test_what_a_lost_state_signed_is_kept_free_until_somebody_says_that_it_is_settled(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, secret: Path,
) -> None:
    typed(monkeypatch, " ".join(PHRASE.words()), PASS)
    shell.good("wallet", "import")
    assert shell.house.daemon is not None
    wallet = shell.house.daemon.api.purse._wallet
    assert wallet is not None
    with wallet._opened.store.change() as db:
        put_number(db, "adrift", 2_500_000)
    shell.good("wallet", "limits")
    assert "2.5 TRX are kept free" in shell.err and "forget-lost" in shell.err
    typed(monkeypatch, "wrong one")
    assert shell.run("wallet", "forget-lost")[0] == Exit.USAGE
    shell.good("wallet", "forget-lost", "--passphrase-file", secret)
    assert "kept free" not in shell.err and shell.json("wallet", "limits")[0]["used"]["adrift"] == 0


def test_a_plain_way_to_a_daemon_elsewhere_is_warned_of(capsys: pytest.CaptureFixture[str]) -> None:
    for url, warned in (("http://192.0.2.1:8080", True), ("https://192.0.2.1", False), ("http://127.0.0.1:1", False),
                        ("http://localhost:1", False), ("", False)):
        warn_of_plain(Reach(url))
        assert ("not encrypted" in capsys.readouterr().err) is warned, url
