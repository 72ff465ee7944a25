"""Peer messages: what is written is read, however it is cut up, and what breaks a rule is refused."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base import limits
from wildbach.base.errors import RemoteError
from wildbach.base.geometry import BLOCK
from wildbach.protocol.wire import codec
from wildbach.protocol.wire.codec import Decoder, Event

word = st.integers(0, 2**32 - 1)


def block(piece: int, offset: int, data: bytes) -> bytes:
    header = bytearray(codec.BLOCK_HEADER)
    codec.put_block_header(header, 0, len(data) + 9, codec.PIECE, piece, offset)
    return bytes(header) + data


def plain(event: Event) -> list[object]:
    """An event without borrowed memory; runs of messages one by one."""
    if isinstance(event, codec.Blocks):
        return [("block", piece, offset, bytes(data)) for piece, offset, data in event.items]
    if isinstance(event, codec.Requests):
        return [("request", *item) for item in event.items]
    if isinstance(event, codec.RequestRow):
        return [("request", event.piece, event.offset + at * BLOCK, BLOCK) for at in range(event.count)]
    if isinstance(event, codec.Haves):
        return [("have", item) for item in event.items]
    return [event]


messages = st.one_of(
    st.builds(lambda p, o, d: (block(p, o, d), ("block", p, o, d)), word, word, st.binary(max_size=50)),
    st.builds(lambda p, o, n: (codec.request(p, o, n), ("request", p, o, n)), word, word, word),
    st.builds(lambda p: (codec.have(p), ("have", p)), word),
    st.builds(lambda p, o, n: (codec.cancel(p, o, n), codec.Cancel(p, o, n)), word, word, word),
    st.builds(lambda p, o, n: (codec.reject(p, o, n), codec.Reject(p, o, n)), word, word, word),
    st.builds(lambda p: (codec.suggest(p), codec.Suggest(p)), word),
    st.builds(lambda p: (codec.allowed_fast(p), codec.AllowedFast(p)), word),
    st.builds(lambda n: (codec.port(n), codec.Port(n)), st.integers(0, 65535)),
    st.builds(lambda raw: (codec.bitfield(raw), codec.Bitfield(raw)), st.binary(max_size=40)),
    st.builds(lambda n, raw: (codec.extended(n, raw), codec.Extended(n, raw)), st.integers(0, 255), st.binary()),
    st.builds(lambda n, raw: (codec.hash_message(n, raw), codec.HashMessage(n, raw)), st.integers(21, 23), st.binary()),
    st.sampled_from([
        (codec.plain(codec.CHOKE), codec.Choke()), (codec.plain(codec.UNCHOKE), codec.Unchoke()),
        (codec.plain(codec.INTERESTED), codec.Interested()), (codec.plain(codec.NOT_INTERESTED), codec.NotInterested()),
        (codec.plain(codec.HAVE_ALL), codec.HaveAll()), (codec.plain(codec.HAVE_NONE), codec.HaveNone()),
        (codec.KEEP_ALIVE, codec.KeepAlive()),
    ]),
)


@given(st.lists(messages, max_size=30), st.integers(0, 2**32))
def test_what_is_written_is_read_however_it_is_cut(stream: list[tuple[bytes, object]], seed: int) -> None:
    raw = b"".join(message for message, _ in stream)
    expected = [event for _, event in stream]
    rng = Random(seed)
    decoder = Decoder()
    got: list[object] = []
    rest = b""
    at = 0
    while at < len(raw):
        size = rng.choice([1, 3, 13, 14, 100, 10_000])
        rest += raw[at : at + size]
        at += size
        events, used = decoder.decode(memoryview(rest))
        got += [item for event in events for item in plain(event)]
        rest = rest[used:]
        assert not rest or decoder.missing > 0
    assert got == expected and not rest


@given(st.lists(messages, min_size=1, max_size=10))
def test_missing_says_what_finishes_a_message(stream: list[tuple[bytes, object]]) -> None:
    raw = b"".join(message for message, _ in stream)
    decoder = Decoder()
    _, used = decoder.decode(memoryview(raw)[:-1])
    rest = len(raw) - 1 - used
    if rest:
        assert decoder.missing >= 1
        if rest >= 5:
            assert decoder.missing == 1


@given(st.lists(st.one_of(messages.map(lambda message: message[0]), st.binary(max_size=30)), max_size=12))
def test_rubbish_is_refused_or_waited_for(parts: list[bytes]) -> None:
    raw = b"".join(parts)
    decoder = Decoder()
    try:
        _, used = decoder.decode(memoryview(raw))
    except RemoteError:
        return
    assert 0 <= used <= len(raw)


def test_runs_of_equal_messages_come_as_one_event() -> None:
    raw = codec.requests(7, 2, 5, 4 * BLOCK + 9) + block(1, 0, b"a") + block(1, 1, b"b") + codec.haves([4, 5])
    events, used = Decoder().decode(memoryview(raw))
    assert used == len(raw)
    assert [plain(event) for event in events] == [
        [("request", 7, 2 * BLOCK, BLOCK), ("request", 7, 3 * BLOCK, BLOCK)],
        [("request", 7, 4 * BLOCK, 9)],
        [("block", 1, 0, b"a"), ("block", 1, 1, b"b")],
        [("have", 4), ("have", 5)],
    ]


rows = st.lists(st.tuples(word, st.integers(0, 40_000), st.integers(1, 200)), max_size=5)


@given(rows, st.integers(0, 2**32))
def test_rows_of_requests_are_those_requests_one_by_one(wanted: list[tuple[int, int, int]], seed: int) -> None:
    rng = Random(seed)
    expected = [(piece, block * BLOCK, BLOCK) for piece, first, n in wanted for block in range(first, first + n)]
    raw = b"".join([codec.requests(piece, first, first + n, 1 << 40) for piece, first, n in wanted])
    assert raw == b"".join([codec.request(*item) for item in expected])
    if expected and rng.random() < 0.5:  # one that is out of line
        at = rng.randrange(len(expected))
        expected[at] = (expected[at][0], expected[at][1] ^ rng.choice([1, BLOCK, 1 << 31]), rng.choice([BLOCK, 7]))
        raw = b"".join([codec.request(*item) for item in expected])
    cut = rng.randrange(len(raw) + 1)
    first, used = Decoder().decode(memoryview(raw[:cut]))
    second, rest = Decoder().decode(memoryview(raw[used:]))
    assert used + rest == len(raw)
    assert [item[1:] for event in first + second for item in plain(event)] == expected  # type: ignore[index]  # tuples


@given(word, st.integers(0, 40_000), st.integers(1, 200))
def test_headers_of_blocks_in_a_row_are_those_of_each(piece: int, first: int, count: int) -> None:
    whole = [block(piece, at * BLOCK, bytes(BLOCK)) for at in range(first, first + count)]
    expected = b"".join([one[: codec.BLOCK_HEADER] for one in whole])
    assert codec.block_headers(piece, first, first + count) == expected


def test_order_between_kinds_is_kept() -> None:
    raw = codec.have(1) + codec.plain(codec.CHOKE) + codec.have(2) + codec.request(1, 2, 3) + codec.have(3)
    events, _ = Decoder().decode(memoryview(raw))
    assert [item for event in events for item in plain(event)] == [
        ("have", 1), codec.Choke(), ("have", 2), ("request", 1, 2, 3), ("have", 3)]


def _message(kind: int, body: bytes) -> bytes:
    return (1 + len(body)).to_bytes(4, "big") + bytes([kind]) + body


@pytest.mark.parametrize("raw", [
    _message(codec.CHOKE, b"x"), _message(codec.HAVE, bytes(3)), _message(codec.HAVE, bytes(5)),
    _message(codec.REQUEST, bytes(11)), _message(codec.REQUEST, b""), _message(codec.CANCEL, bytes(13)),
    _message(codec.PIECE, bytes(7)), _message(codec.PIECE, bytes(8 + BLOCK + 1)), _message(codec.PORT, b"\0"),
    _message(codec.SUGGEST, bytes(5)), _message(codec.ALLOWED_FAST, b""), _message(codec.REJECT, bytes(2)),
    _message(codec.EXTENDED, b""), _message(codec.HAVE_ALL, b"1"),
    (limits.MESSAGE_BYTES + 1).to_bytes(4, "big") + b"\x04", (2**32 - 1).to_bytes(4, "big") + b"\x63",
    (limits.EXTENSION_MESSAGE_BYTES + 1).to_bytes(4, "big") + b"\x14", (BLOCK + 10).to_bytes(4, "big") + b"\x07",
])
def test_a_broken_rule_is_seen(raw: bytes) -> None:
    with pytest.raises(RemoteError):
        Decoder().decode(memoryview(raw + bytes(20)))


def test_messages_nobody_knows_are_counted_and_passed_over() -> None:
    decoder = Decoder()
    raw = _message(99, b"abc") + codec.have(1) + _message(10, b"") + codec.KEEP_ALIVE
    events, used = decoder.decode(memoryview(raw))
    assert used == len(raw) and decoder.unknown == 2
    assert [item for event in events for item in plain(event)] == [("have", 1), codec.KeepAlive()]


def test_a_large_torrents_bitfield_is_let_through() -> None:
    pieces = limits.PIECES
    raw = codec.bitfield(bytes(pieces // 8))
    with pytest.raises(RemoteError):
        Decoder(100).decode(memoryview(raw))
    decoder = Decoder()
    decoder.expect_pieces(pieces)
    events, _ = decoder.decode(memoryview(raw))
    assert events == [codec.Bitfield(bytes(pieces // 8))]
