"""What callers show to a relay, in pieces, and what a relay says to them."""

from wildbach.base.errors import FormatError
from wildbach.protocol.sync import relay

_TOKENS = [bytes([number]) * relay.TOKEN_BYTES for number in range(3)]
SEEDS: list[bytes] = [
    relay.hello(_TOKENS, 0), relay.hello(_TOKENS, 1), relay.hello(_TOKENS, 0)[:60], b"\0\0\1after", b"\2", b"\5",
]
TOKENS = [relay.MAGIC, b"\0", b"\1", *_TOKENS]


def one_input(data: bytes) -> None:
    machine = relay.Relay()
    machine.opened(1, "20.0.0.1", 0.0)
    machine.opened(2, "20.0.0.2", 0.0)
    machine.received(2, relay.hello(_TOKENS, 1), 0.0)
    for at in range(1, len(data) + 1, 7):
        machine.received(1, data[:at], 0.0)
    machine.received(1, data, 0.0)
    partner = machine.partner(1)
    assert (partner == 2) == (machine.partner(2) == 1) == (machine.stats().pairs == 1)
    try:
        shown = relay.parse_hello(data)
        if shown is not None and shown.to_bytes() != data[: relay.HELLO_BYTES]:
            raise AssertionError("a greeting does not read back")
        list(relay.statuses(data))
    except FormatError:
        return
