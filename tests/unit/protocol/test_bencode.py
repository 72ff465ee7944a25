"""Bencoding: one spelling for each value, and an error that names the place for anything else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import pace
from tests.oracle import libtorrent

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError
from wildbach.protocol import bencode

SCALARS = st.integers(-(10**19), 10**19) | st.binary(max_size=300)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.binary(max_size=12), inner, max_size=5),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("raw", "value"),
    [
        (b"i0e", 0),
        (b"i-3e", -3),
        (b"i18446744073709551615e", 2**64 - 1),
        (b"0:", b""),
        (b"4:spam", b"spam"),
        (b"10:0123456789", b"0123456789"),
        (b"le", []),
        (b"de", {}),
        (b"l4:spam4:eggse", [b"spam", b"eggs"]),
        (b"d3:cow3:moo4:spam4:eggse", {b"cow": b"moo", b"spam": b"eggs"}),
        (b"d0:d0:leee", {b"": {b"": []}}),
        (b"d1:ad1:bi1eee", {b"a": {b"b": 1}}),
    ],
)
def test_examples_decode_and_encode_back(raw: bytes, value: bencode.Value) -> None:
    assert bencode.decode(raw) == value
    assert bencode.encode(value) == raw


@given(VALUES)
def test_every_value_survives_the_round_trip(value: bencode.Value) -> None:
    raw = bencode.encode(value)
    assert bencode.decode(raw) == value
    assert bencode.decode_prefix(raw + b"rest") == (value, len(raw))


@pytest.mark.foreign("libtorrent")
@given(st.recursive(
    st.integers(1 - 2**63, 2**63 - 1) | st.binary(max_size=300),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.binary(max_size=12), inner, max_size=5),
    max_leaves=20,
))
def test_libtorrent_writes_and_reads_the_same(value: bencode.Value) -> None:
    raw = bencode.encode(value)
    assert libtorrent.bencode(value) == raw
    assert libtorrent.bdecode(raw) == value == bencode.decode(libtorrent.bencode(value))


@given(st.binary(max_size=200) | st.text("deli0123456789:-ab", max_size=60).map(str.encode))
def test_whatever_decodes_has_one_spelling(raw: bytes) -> None:
    try:
        value = bencode.decode(raw)
    except FormatError:
        return
    assert bencode.encode(value) == raw


@given(VALUES, st.data())
def test_every_truncation_is_a_format_error(value: bencode.Value, data: st.DataObject) -> None:
    raw = bencode.encode(value)
    cut = data.draw(st.integers(0, len(raw) - 1))
    with pytest.raises(FormatError):
        bencode.decode(raw[:cut])


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"i", b"ie", b"i-e", b"i-0e", b"i00e", b"i01e", b"i-01e", b"i+1e", b"i 1e", b"i1_0e", b"i1", b"i0x1e",
        b"i1.0e", "i²e".encode(), b"i--1e", b"-1:", b"01:a", b"1:", b"5:abcd", b"1", b":", b"1_0:aaaaaaaaaa", b" 1:a",
        b"99999999999:a", b"4294967296:a", b"l", b"l1:a", b"d", b"d1:a", b"d1:ae", b"d1:ai1e", b"di1ei1ee", b"dleee",
        b"d1:b0:1:a0:e", b"d1:a0:1:a0:e", b"e", b"lee", b"i1ei1e", b"1:ax", b"x", b"\xff", b"d-1:e", b"l-1:e",
    ],
)
def test_other_spellings_are_refused(raw: bytes) -> None:
    with pytest.raises(FormatError) as caught:
        bencode.decode(raw)
    assert caught.value.where.startswith("byte ")
    with pytest.raises(FormatError):
        bencode.decode_dict_spans(raw)


def test_an_error_says_where_in_the_structure_it_lies() -> None:
    raw = b"d4:infod5:filesld6:lengthi5eed6:lengthi-0eeeee"
    with pytest.raises(FormatError, match=r"byte 38: not an integer: b'i-0eeeee' \(in info\.files\[1\]\.length\)"):
        bencode.decode(raw)
    with pytest.raises(FormatError, match=r"byte 38: .* \(in info\.files\[1\]\.length\)"):
        bencode.decode_dict_spans(raw)


def test_lenient_decoding_takes_unsorted_keys_but_no_key_twice() -> None:
    raw = b"d1:b0:1:ai1e1:clee"
    with pytest.raises(FormatError, match="key a is out of order"):
        bencode.decode(raw)
    assert bencode.decode(raw, strict=False) == {b"b": b"", b"a": 1, b"c": []}
    assert bencode.decode_dict_spans(raw, strict=False)[1] == {b"b": (4, 6), b"a": (9, 12), b"c": (15, 17)}
    for twice in (b"d1:b0:1:a0:1:b0:e", b"d1:b0:1:a0:1:a0:e"):
        with pytest.raises(FormatError, match="stands twice"):
            bencode.decode(twice, strict=False)
        with pytest.raises(FormatError, match="stands twice"):
            bencode.decode_dict_spans(twice, strict=False)
    with pytest.raises(FormatError):
        bencode.decode(b"d1:bi01e1:a0:e", strict=False)


@given(st.dictionaries(st.binary(max_size=8), VALUES, max_size=6))
def test_spans_are_the_raw_bytes_of_the_values(value: dict[bytes, bencode.Value]) -> None:
    raw = bencode.encode(value)
    decoded, spans = bencode.decode_dict_spans(raw)
    assert decoded == value
    assert {key: raw[a:b] for key, (a, b) in spans.items()} == {k: bencode.encode(v) for k, v in value.items()}


def test_depth_is_bounded() -> None:
    depth = limits.BENCODE_DEPTH
    assert bencode.decode(b"l" * depth + b"e" * depth)
    assert bencode.decode_dict_spans(b"d0:" + b"l" * (depth - 1) + b"e" * depth)
    for raw in (b"l" * (depth + 1) + b"e" * (depth + 1), b"l" * 1_000_000, b"d0:" * 1_000_000):
        with pytest.raises(LimitError, match="BENCODE_DEPTH"):
            bencode.decode(raw)
    with pytest.raises(LimitError, match="BENCODE_DEPTH"):
        bencode.decode_dict_spans(b"d0:" + b"l" * depth + b"e" * (depth + 1))


def test_tokens_are_bounded() -> None:
    assert bencode.decode(b"li1ei2ee", tokens=8) == [1, 2]
    for raw in (b"l" + b"le" * 100 + b"e", b"l" + b"i1e" * 100, b"d" + b"".join(b"2:%02d0:" % i for i in range(100))):
        with pytest.raises(LimitError, match="BENCODE_TOKENS"):
            bencode.decode(raw, tokens=20)
    with pytest.raises(LimitError, match="BENCODE_TOKENS"):
        bencode.decode_dict_spans(b"d" + b"".join(b"2:%02d0:" % i for i in range(100)) + b"e", tokens=20)


def test_integers_have_bounded_digits() -> None:
    top = 10**limits.BENCODE_INT_DIGITS
    assert bencode.decode(b"i%de" % (top - 1)) == top - 1
    assert bencode.decode(b"i%de" % (1 - top)) == 1 - top
    for raw in (b"i%de" % top, b"i%de" % -top, b"i" + b"9" * 100_000 + b"e"):
        with pytest.raises(LimitError, match="digits"):
            bencode.decode(raw)


@pytest.mark.parametrize("form", [bytes, bytearray, memoryview])
def test_any_buffer_decodes_to_bytes(form: type) -> None:
    value = bencode.decode(form(b"d1:a2:bce"))
    assert value == {b"a": b"bc"}
    assert isinstance(value, dict) and type(value[b"a"]) is bytes


@pytest.mark.parametrize("value", [None, 1.5, "text", True, {"text": 1}, [()]])
def test_only_values_encode(value: object) -> None:
    with pytest.raises(TypeError):
        bencode.encode(value)  # type: ignore[arg-type]


def test_large_input_decodes_in_linear_time() -> None:
    raw = b"l" + b"d6:lengthi123456e4:pathl3:dir8:file.binee" * 50_000 + b"e"
    assert len(bencode.decode(raw)) == 50_000  # type: ignore[arg-type]
    pace.takes_at_most(5, lambda: bencode.decode(raw))
