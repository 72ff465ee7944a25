"""What devices that keep a folder the same say to each other."""

from __future__ import annotations

from tests.unit.protocol.sync.test_messages import ALL

from wildbach.protocol.sync import messages

SEEDS = [messages.encode(each) for each in ALL]
TOKENS = [b"1:f8:tag45678", b"1:r", b"1:h", b"1:t5:index", b"1:t7:entries", b"1:t3:get"]


def one_input(data: bytes) -> None:
    found = messages.decode(data)
    if found is not None:
        assert messages.decode(messages.encode(found)) == found
