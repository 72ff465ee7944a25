"""Keys, words and passphrases are in no text that leaves the wallet: repr, log, exception, traceback, answer, file."""

from __future__ import annotations

import io
import json
import logging
import traceback
from collections.abc import Coroutine, Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from walletbed import Clock, HandChain, story
from wildbach.base.errors import NetworkError, WildbachError
from wildbach.protocol.tron.abi import encode, selector
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.keys import BadKey
from wildbach.protocol.tron.typed import Domain, Voucher
from wildbach.runtime.workers import Threads
from wildbach.services.pay.wallet import keystore
from wildbach.services.pay.wallet.derivation import Node, cold_key
from wildbach.services.pay.wallet.phrase import BadPhrase, Phrase
from wildbach.services.pay.wallet.policy import Cover, Share, SpendingLimits, Wanted
from wildbach.services.pay.wallet.secret import Passphrase
from wildbach.services.pay.wallet.wallet import Wallet, parse_key

PHRASE = Phrase(bytes(range(100, 116)))
COLD = cold_key(PHRASE.seed())
SECRET = "Zaphod-Beeblebrox-42"
PASS, WRONG = Passphrase(SECRET), Passphrase("Slartibartfast-99")
TO, VAULT = Address(b"t" * 20), Address(b"v" * 20)
DOMAIN = Domain(0xCD8690DC, VAULT)


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keystore, "_N", 1 << 8)


def hidden(folder: Path) -> list[str]:
    """How each secret could be written. Of the words any three in a row are one."""
    raws = [COLD.secret, PHRASE.entropy, PHRASE.seed(), PHRASE.seed()[:32]]
    raws += [bytes.fromhex(path.read_text()) for name in ("*.signer", "*.fee") for path in folder.rglob(name)]
    words = PHRASE.words()
    found = [" ".join(words[at : at + 3]) for at in range(10)] + [SECRET, "Slartibartfast", f"{words[0]}', '{words[1]}"]
    for raw in raws:
        found += [raw.hex(), raw.hex().upper(), repr(raw)[2:-1], str(int.from_bytes(raw, "big")), str(list(raw))]
    return found


def check(text: str, folder: Path) -> None:
    shown = [one for one in hidden(folder) if one in text]
    assert shown == []


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield out
    root.removeHandler(handler)
    root.setLevel(before)


def told(error: BaseException) -> str:
    """As loggers write it, with the values of all frames of the wallet."""
    lines = traceback.TracebackException.from_exception(error, capture_locals=True, compact=False).format(chain=True)
    return "".join(lines) + "".join(traceback.format_exception(error)) + repr(error) + str(getattr(error, "facts", ""))


async def failed(doing: Coroutine[object, object, object]) -> str:
    try:
        await doing
    except WildbachError as error:
        return told(error)
    raise AssertionError("it did not fail")


@story
async def test_no_text_has_a_secret_in_it(tmp_path: Path, log: io.StringIO) -> None:
    clock, threads = Clock(), Threads(1)
    chain = HandChain(clock, balances={COLD.address: 100_000_000})
    wallet = Wallet(tmp_path / "data", tmp_path / "mirrors", DOMAIN.chain_id, threads, clock)
    texts: list[str] = []
    await wallet.create(PHRASE, " ".join(PHRASE.words()), PASS)
    await wallet.make_fee_key()
    everything = SpendingLimits(**{one.name: 10**9 for one in fields(SpendingLimits)})
    await wallet.set_limits(everything, PASS)
    quote = await wallet.quote(chain, wallet.transfer(TO, 5))
    signer = await wallet.signer(DOMAIN)
    signer.set_cover(Cover(1, balance=100, reserved=0))
    signed = signer.voucher(Wanted(Voucher(COLD.address, TO, 5, 7), (Share(b"", 7),)))
    sends = await wallet.send(chain, [("k", quote)], PASS)
    sends.append(await wallet.send_unattended(
        chain, "c", selector("claim(address)") + encode(["address"], [TO]), DOMAIN))
    sealed = await wallet.sealed()
    texts += [repr(one) for one in (
        wallet, wallet.facts, wallet.sends, wallet.book, quote, signer, signed, sends, PHRASE,
        PASS, COLD, Node.root(PHRASE.seed()), keystore.read(sealed), await wallet.usage(), await wallet.limits())]
    texts += [f"{one}" for one in (PHRASE, PASS, COLD, signer, wallet)]
    texts += [await wallet.table(), sealed.decode()]

    # What goes wrong.
    texts += [
        await failed(wallet.check(WRONG)), await failed(wallet.send(chain, [("x", quote)], WRONG)),
        await failed(wallet.change_passphrase(WRONG, PASS)),
        await failed(wallet.change_passphrase(PASS, Passphrase("x"))),
        await failed(wallet.create(PHRASE, "", PASS)),
        await failed(wallet.import_words(PHRASE, PASS)), await failed(wallet.import_keystore(sealed, WRONG, PASS)),
        await failed(wallet.send_unattended(chain, "w", selector("withdraw()"), DOMAIN)),
        await failed(wallet.set_limits(everything.__class__(total=10**10), WRONG)),
    ]
    chain.down = True
    for key in ("y", "z"):
        try:
            await wallet.send(chain, [(key, quote)], PASS)
        except NetworkError as error:
            texts.append(told(error))
    document = json.loads(sealed)
    document["address"] = str(TO)
    texts.append(await failed(threads.run(keystore.read(json.dumps(document).encode()).open, PASS)))
    document["x-wildbach"]["device"], document["address"] = 1, str(COLD.address)
    texts.append(await failed(threads.run(keystore.read(json.dumps(document).encode()).open_words, PASS)))
    path = tmp_path / "data" / f"{COLD.address}-cd8690dc.signer"
    path.chmod(0o644)
    texts.append(await failed(wallet.signer(DOMAIN)))
    path.chmod(0o600)
    wallet.close()
    threads.close()
    assert len(texts) > 35 and all(texts)
    for text in texts:
        check(text, tmp_path)
    check(log.getvalue(), tmp_path)
    # Nor in what is on the disk, but for the two keys that have no passphrase.
    for file in tmp_path.rglob("*"):
        if file.is_file() and file.suffix not in (".signer", ".fee"):
            raw = file.read_bytes()
            check(raw.decode("latin-1"), tmp_path)
            assert COLD.secret not in raw and PHRASE.entropy not in raw


def test_words_and_keys_that_are_wrong_are_not_told_on(tmp_path: Path) -> None:
    words = list(PHRASE.words())
    for text in (" ".join([*words[:11], "Zaphodbeeble"]), " ".join(words[:11]), " ".join([*words[:11], words[0]])):
        with pytest.raises(BadPhrase) as caught:
            Phrase.parse(text)
        shown = "".join(traceback.format_exception(caught.value))
        assert "zaphodbeeble" not in shown.lower().replace("phrase.parse", "")
        assert not any(f" {word} " in str(caught.value) for word in words)
    for text in (COLD.secret.hex()[:-1], COLD.secret.hex()[:-1] + "g", COLD.secret.hex() + "00"):
        with pytest.raises(BadKey) as bad:
            parse_key(text)
        check("".join(traceback.format_exception(bad.value)), tmp_path)
        assert COLD.secret.hex()[:20] not in str(bad.value)
