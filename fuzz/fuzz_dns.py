"""Replies of name servers, and what they say of trackers."""

from __future__ import annotations

from wildbach.protocol import dns
from wildbach.protocol.tracker import preferences

_NAME = "t.example"
_HEAD = b"\0\7\x81\x80\0\1\0\2\0\0\0\0"
_QUESTION = dns.txt_query(_NAME, 7)[12:-11]
_TEXT = b"BITTORRENT UDP:1337 TCP:80"

SEEDS: list[bytes] = [
    _HEAD + _QUESTION + b"\xc0\x0c\0\x10\0\1\0\0\1\0\0" + bytes([len(_TEXT) + 1, len(_TEXT)]) + _TEXT
    + b"\1x\7example\0\0\x10\0\1\0\0\0\0\0\4\1a\1b",
    _HEAD[:2] + b"\x81\x83" + _HEAD[4:6] + bytes(6) + _QUESTION,
    _TEXT,
]
TOKENS = [b"BITTORRENT", b" UDP:", b" TCP:", b"\xc0\x0c", b"\0\x10\0\1"]


def one_input(data: bytes) -> None:
    preferences.read(data.split(b"\0"))
    found = dns.txt_reply(data, _NAME, 7)
    if found:
        preferences.directed("http://t.example/announce", preferences.read(text.data for text in found) or ())
