"""Entries of the log that processes of one tracker share: read or refused, and cut without a rest."""

from wildbach.base.errors import FormatError
from wildbach.services.tracker.replica import cut, decode_batch, encode_batch

_ONE = b"\x01" + b"h" * 20 + b"\x0a\0\0\1\x1a\xe1"
_SIX = b"\x0a" + b"h" * 20 + bytes(16) + b"\x1a\xe1"
SEEDS: list[bytes] = [
    encode_batch(b"originid", 1_700_000_000, _ONE + _SIX + _ONE),
    encode_batch(b"originid", 0, b""),
    encode_batch(b"originid", 2**64 - 1, _SIX),
]
TOKENS: list[bytes] = [_ONE, _SIX]


def one_input(data: bytes) -> None:
    try:
        origin, when, records = decode_batch(data)
    except FormatError:
        return
    body = b"".join(bytes((flags,)) + info_hash + key for flags, info_hash, key in records)
    assert encode_batch(origin, when, body) == data
    assert b"".join(cut(body, 100)) == body
