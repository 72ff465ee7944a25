"""Replies of name servers: addresses, and what they say of trackers."""

from __future__ import annotations

from wildbach.protocol import dns
from wildbach.protocol.dns import Kind, Question
from wildbach.protocol.tracker import preferences

_QUESTIONS = {kind: Question.of("t.example", kind) for kind in Kind}
_SIZES = {Kind.A: 4, Kind.AAAA: 16}
_HEAD = b"\0\7\x81\x80\0\1\0\2\0\0\0\0"
_ASKED = {kind: dns.query(question, 7)[12:-11] for kind, question in _QUESTIONS.items()}
_TEXT = b"BITTORRENT UDP:1337 TCP:80"
_ALIAS = b"\xc0\x0c\0\5\0\1\0\0\1\0\0\4\1a\xc0\x0e"
"From the name asked to `a.example`, which stands at 39."

SEEDS: list[bytes] = [
    _HEAD + _ASKED[Kind.TXT] + b"\xc0\x0c\0\x10\0\1\0\0\1\0\0" + bytes([len(_TEXT) + 1, len(_TEXT)]) + _TEXT
    + b"\1x\7example\0\0\x10\0\1\0\0\0\0\0\4\1a\1b",
    _HEAD[:2] + b"\x81\x83" + _HEAD[4:6] + bytes(6) + _ASKED[Kind.TXT],
    _HEAD + _ASKED[Kind.A] + _ALIAS + b"\xc0\x27\0\1\0\1\0\0\0\x3c\0\4\x08\x08\x08\x08",
    _HEAD + _ASKED[Kind.AAAA] + _ALIAS + b"\1A\7Example\0\0\x1c\0\1\0\0\0\x3c\0\x10" + bytes(range(16)),
    _HEAD + _ASKED[Kind.A] + _ALIAS + b"\xc0\x27\0\5\0\1\0\0\0\x3c\0\2\xc0\x0c",
    dns.framed(_HEAD[:2] + b"\x83\x80" + _HEAD[4:6] + bytes(6) + _ASKED[Kind.A]),
    _TEXT,
]
TOKENS = [b"BITTORRENT", b" UDP:", b" TCP:", b"\xc0\x0c", b"\xc0\x27", b"\0\x10\0\1", b"\0\5\0\1", b"\0\1\0\1"]


def one_input(data: bytes) -> None:
    preferences.read(data.split(b"\0"))
    message = dns.unframed(data)
    for kind, question in _QUESTIONS.items():
        # A reply to another question is none to this one, so at most one of them reads what follows.
        found = dns.reply(data, question, 7) or (dns.reply(message, question, 7) if message else None)
        if found is None:
            continue
        assert found.records == () or found.outcome is dns.Outcome.FOUND
        assert 0 <= found.seconds < 1 << 31
        if kind in _SIZES:
            assert all(len(record) == _SIZES[kind] for record in found.records)
        else:
            preferences.directed("http://t.example/announce", preferences.read(found.records) or ())
