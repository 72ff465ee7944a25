"""Bencoding: whatever decodes strictly has one spelling, and the three decoders agree."""

from __future__ import annotations

from fuzz.degenerate import CASES

from wildbach.base.errors import FormatError
from wildbach.protocol import bencode

SEEDS = [
    b"i0e", b"i-42e", b"0:", b"4:spam", b"le", b"de", b"l4:spami1eli2eee", b"d1:ad1:bl1:ci3eeee",
    b"d0:d0:0:ee", b"d1:b0:1:a0:e", *[case.data for case in CASES[::4] if len(case.data) < 2000],
]
TOKENS = [b"i", b"e", b"l", b"d", b":", b"0:", b"i-0e", b"i01e", b"de", b"le", b"1:a", b"1:ai1e", b"e" * 8, b"l" * 70]


def one_input(data: bytes) -> None:
    try:
        lenient = bencode.decode(data, strict=False)
    except FormatError:
        lenient = None
    try:
        value, end = bencode.decode_prefix(data)
    except FormatError:
        value, end = None, -1
    if value is not None and bencode.encode(value) != data[:end]:
        raise AssertionError("a second spelling was accepted")
    if end == len(data):
        if bencode.decode(data) != value or lenient != value:
            raise AssertionError("decoders disagree")
        if isinstance(value, dict):
            fields, spans = bencode.decode_dict_spans(data)
            if fields != value or any(bencode.encode(fields[k]) != data[a:b] for k, (a, b) in spans.items()):
                raise AssertionError("spans disagree")
    bencode.decode(data)
