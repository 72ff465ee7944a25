"""Entries of folders that are kept the same."""

from __future__ import annotations

from tests.unit.protocol.sync.test_entries import DIR, FILE, LINK

from wildbach.protocol.sync.entries import Entry

SEEDS = [FILE.pack(), DIR.pack(), LINK.pack()]
TOKENS = [b"1:v", b"1:p", b"1:k1:f", b"1:k1:d", b"1:k1:l", b"1:t", b"24:" + b"a" * 24]


def one_input(data: bytes) -> None:
    assert Entry.unpack(data).pack() == data
