"""Words, keys and passphrases of a wallet are in no log, answer, argument, report of a fault or file of a daemon,
whatever was done with them: made, imported, mistyped, sent from, broken on the way.
"""

from __future__ import annotations

import io
import json
import logging
import traceback
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from tests.paynode import PayNode, running

from daemons import House, Shell
from wildbach.interfaces.api import walletmodels as wm
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.api.operation import operations
from wildbach.interfaces.cli.remote.wallet import command
from wildbach.interfaces.whereabouts import local_token
from wildbach.protocol.tron.address import Address
from wildbach.services.pay.wallet import keystore
from wildbach.services.pay.wallet.derivation import cold_key
from wildbach.services.pay.wallet.phrase import Phrase
from wildbach.services.pay.wallet.wallet import Wallet

PHRASE = Phrase(bytes(range(100, 116)))
WORDS = " ".join(PHRASE.words())
COLD = cold_key(PHRASE.seed())
TO = Address(b"\x33" * 20)
PASS, WRONG, LATER = "Zaphod-Beeblebrox-42", "Slartibartfast-99", "Marvin-Trillian-7"


def forms(phrase: Phrase) -> list[str]:
    """How the secrets of a wallet could be written; of its words any three in a row are one."""
    words = phrase.words()
    found = [join.join(words[at : at + 3]) for at in range(len(words) - 2) for join in (" ", '", "', '","', "', '")]
    for raw in (phrase.entropy, phrase.seed(), cold_key(phrase.seed()).secret):
        found += [raw.hex(), raw.hex().upper(), repr(raw)[2:-1], str(int.from_bytes(raw, "big")), str(list(raw))]
    return found


def check(what: str, text: str, phrase: Phrase = PHRASE) -> None:
    shown = [one for one in (*forms(phrase), PASS, WRONG, LATER) if one in text]
    assert shown == [], what


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that anybody logs, at any level."""
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    root, own = logging.getLogger(), logging.getLogger("wildbach")
    before = root.level, own.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    own.setLevel(logging.DEBUG)
    yield out
    root.removeHandler(handler)
    root.setLevel(before[0])
    own.setLevel(before[1])


@pytest.fixture
def node() -> Iterator[PayNode]:
    with running() as one:
        one.chain.accounts[COLD.address] = 50_000_000
        yield one


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, node: PayNode, log: io.StringIO) -> Iterator[House]:
    monkeypatch.setattr(keystore, "_N", 1 << 8)
    monkeypatch.setattr("wildbach.interfaces.cli.remote.wallet._LOOK_SECONDS", 0.05)
    monkeypatch.setenv("WILDBACH_STATE", str(tmp_path / "state"))
    for name in ("WILDBACH_URL", "WILDBACH_KEY"):
        monkeypatch.delenv(name, raising=False)
    with House(tmp_path).open(chain__url=node.url, chain__counters=str(tmp_path / "counters")) as one:
        yield one


@pytest.fixture
def shell(house: House, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(house, capsys)


class Asking:
    """The API over HTTP, and all that it ever answered."""

    def __init__(self, house: House) -> None:
        self._url = f"{house.url}/api/v1"
        self._token = local_token(house.state / "daemon")
        self.heard: list[str] = []

    def __call__(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._url + path, data, method=method, headers={
            "Authorization": f"Bearer {self._token}", "Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request) as answer:
                status, raw = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, raw = error.code, error.read()
            self.heard.append(str(error.headers))
        self.heard.append(raw.decode("utf-8", "replace"))
        return status, json.loads(raw) if raw[:1] in (b"{", b"[") else raw

    def good(self, method: str, path: str, body: object = None) -> Any:
        status, found = self(method, path, body)
        assert status < 300, found
        return found


def everything(ask: Asking) -> None:
    """All that can be looked at, and bodies that are wrong with secrets in them."""
    for one in operations(Api).values():
        if one.method == "GET" and not one.parameters:
            ask("GET", one.path)
    for path, body in (
        ("/wallet/import", {"words": f"{WORDS} {PASS}", "passphrase": PASS}),
        ("/wallet/import", {"words": [WORDS], "passphrase": PASS}),
        ("/wallet/import", {"words": WORDS, "passphrase": PASS, "device": WORDS}),
        ("/wallet/import", {"words": WORDS, "passphrase": PASS, "more": PASS}),
        ("/wallet/import", {"key": f"{COLD.secret.hex()}0", "passphrase": PASS}),
        ("/wallet/import", {"keystore": f'{{"version": 3, "x": "{WORDS}"}}', "passphrase": PASS}),
        ("/wallet", {"id": "x", "answers": [WORDS], "passphrase": PASS}),
        ("/wallet", f'{{"id": "x", "passphrase": "{PASS}", "answers": ["{WORDS}'.encode()),
        ("/wallet/paper", {"words": f"{PASS} {WORDS}"}),
        ("/wallet/sends", {"quote": PASS[:5], "passphrase": {PASS: 1}}),
        ("/wallet/keystore", {"passphrase": f"{PASS}{WRONG}"}),
    ):
        status, _ = ask("POST", path, body)
        assert 400 <= status < 500, path


def test_no_secret_is_in_anything_that_comes_out(
    shell: Shell, house: House, monkeypatch: pytest.MonkeyPatch, log: io.StringIO, tmp_path: Path,
) -> None:
    ask, texts = Asking(house), []

    def run(*args: object, stdin: tuple[str, ...] = ()) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in stdin)))
        check("argv", " ".join(str(one) for one in args))
        code, out = shell.run(*args)
        texts.extend((out, shell.err))
        assert code in (0, 2), (args, out, shell.err)

    everything(ask)
    run("wallet", "import", stdin=(f"{WORDS} extra", PASS))
    run("wallet", "import", stdin=(WORDS, PASS))
    run("wallet", "show", "--json")
    run("wallet", "send", TO, "1", "--yes", stdin=(WRONG,))
    run("wallet", "send", TO, "1.5", "--yes", "--wait", "--json", stdin=(PASS,))
    run("wallet", "limits", "--per-day", "5", stdin=(WRONG,))
    run("wallet", "limits", "--per-day", "5", "--json", stdin=(PASS,))
    run("wallet", "passphrase", stdin=(WRONG, LATER))
    run("wallet", "passphrase", stdin=(PASS, LATER))
    run("wallet", "backup", "-o", "-", stdin=(PASS,))
    run("wallet", "backup", "-o", tmp_path / "copy", stdin=(LATER,))
    run("wallet", "history", "--json")
    run("wallet", "export", "-o", "-")
    run("doctor", "--json")
    run("log")
    assert any('"confirmed"' in one for one in texts)
    everything(ask)

    # A fault of our own, with the secret in the frames that it went through.
    async def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a fault")

    monkeypatch.setattr(Wallet, "check", broken)
    monkeypatch.setattr(Wallet, "send", broken)
    assert ask("POST", "/wallet/keystore", {"passphrase": LATER})[0] == 500
    quote = ask.good("POST", "/wallet/quotes", {"to": str(TO), "amount": 5})
    assert ask("POST", "/wallet/sends", {"quote": quote["id"], "passphrase": LATER})[0] == 500
    assert "a fault" in log.getvalue()
    ask("GET", "/log")

    texts += ask.heard
    assert len(texts) > 150
    for text in texts:
        check("answer or output", text)
    check("log", log.getvalue())
    read = 0
    for file in tmp_path.rglob("*"):
        if file.is_file():
            raw = file.read_bytes()
            read += 1
            check(str(file), raw.decode("latin-1"))
            assert COLD.secret not in raw and PHRASE.entropy not in raw
    assert read > 5


def test_words_of_a_new_wallet_are_in_one_answer_and_nowhere_else(
    house: House, log: io.StringIO, tmp_path: Path,
) -> None:
    ask = Asking(house)
    shown = ask.good("POST", "/wallet/words", {"words": 12})
    phrase = Phrase.parse(" ".join(shown["words"]))
    (once,) = ask.heard
    assert " ".join(shown["words"][:3]) in " ".join(json.loads(once)["words"])
    ask.heard.clear()
    answers = [shown["words"][number - 1] for number in shown["asked"]]
    assert ask("POST", "/wallet", {"id": shown["id"], "answers": shown["words"], "passphrase": PASS})[0] == 400
    ask.good("POST", "/wallet", {"id": shown["id"], "answers": answers, "passphrase": PASS})
    ask("POST", "/wallet", {"id": shown["id"], "answers": answers, "passphrase": PASS})
    everything(ask)
    for text in ask.heard:
        check("answer", text, phrase)
    check("log", log.getvalue(), phrase)
    for file in tmp_path.rglob("*"):
        if file.is_file():
            raw = file.read_bytes()
            check(str(file), raw.decode("latin-1"), phrase)
            assert phrase.entropy not in raw and cold_key(phrase.seed()).secret not in raw


def test_what_carries_a_secret_does_not_print_itself() -> None:
    confided = [
        wm.WalletImport(words=WORDS, key=COLD.secret.hex(), passphrase=PASS), wm.WalletMaking("x", (WORDS,), PASS),
        wm.WalletWords("x", PHRASE.words(), (1, 2)), wm.WalletPassphraseChange(PASS, LATER), wm.WalletPaper(WORDS),
        wm.WalletSendRequest("x", PASS), wm.WalletLimitsChange(wm.WalletLimits(), PASS), wm.WalletPassphrase(PASS)]
    for one in confided:
        try:
            raise ValueError(one)
        except ValueError as error:
            told = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
        for text in (repr(one), str(one), f"{one}", f"{[one]}", told, repr(one.__rich_repr__())):
            check(type(one).__name__, text)
    secret = {"passphrase", "old", "new", "words", "key", "keystore_passphrase", "answers"}
    open_ = [kind for kind in vars(wm).values() if isinstance(kind, type) and issubclass(kind, wm.Model) and not
             issubclass(kind, wm.Confided) and secret & set(kind.__struct_fields__)]
    # How many words are wanted, what is typed before mainnet, and the public key of who gets a tip: all may see them.
    assert {kind.__name__ for kind in open_} == {"WalletWordsRequest", "WalletConsent", "WalletTipTarget"}


def test_no_flag_of_a_command_takes_a_secret() -> None:
    def options(group: click.Group) -> Iterator[tuple[str, click.Parameter]]:
        for one in group.commands.values():
            if isinstance(one, click.Group):
                yield from options(one)
            else:
                yield from ((str(one.name), parameter) for parameter in one.params)

    named = [(name, one) for name, one in options(command) if any(
        word in str(one.name) for word in ("pass", "phrase", "secret", "word", "mnemonic"))]
    assert {str(one.name) for _, one in named} == {"passphrase_file", "words"}
    for _, one in named:
        assert isinstance(one.type, click.Path | click.Choice)
