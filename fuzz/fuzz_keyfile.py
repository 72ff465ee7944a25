"""Exported keys and the words of recovery keys. What is stretched is kept small: only the parser is looked at."""

from base64 import b64decode, b64encode

from wildbach.base.errors import FormatError, UsageError
from wildbach.protocol import bencode
from wildbach.protocol.keyfile import KeyCopy, of_words, seal, to_words, unseal


def _cheap() -> str:
    first, _, body = seal(KeyCopy("a", bytes(32)), "x", bytes(16), bytes(12)).partition("\n")
    outer = bencode.decode(b64decode(body))
    assert isinstance(outer, dict)
    outer[b"how"] = bencode.encode({b"n": 2, b"salt": bytes(16)})
    return f"{first}\n{b64encode(bencode.encode(outer)).decode()}"


SEEDS: list[bytes] = [_cheap().encode(), to_words(bytes(range(32))).encode(), b"wildbach-key 1\n"]
TOKENS = [b"wildbach-key 1\n", b"ZGU=", b"wbr-", b"-", b"0000", b"1:ni2e"]


def one_input(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    for read in (of_words, lambda body: unseal(body, "x")):
        try:
            found = read(text)
        except (FormatError, UsageError):
            continue
        if isinstance(found, bytes) and of_words(to_words(found)) != found:
            raise AssertionError("words do not come back")
