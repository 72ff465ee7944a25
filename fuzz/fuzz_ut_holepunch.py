"""Messages of hole punching (BEP 55): what is read can be written."""

from wildbach.base.errors import FormatError
from wildbach.base.ids import Endpoint
from wildbach.protocol.ext import holepunch

SEEDS: list[bytes] = [
    holepunch.encode(holepunch.Message(holepunch.Kind.RENDEZVOUS, Endpoint("1.2.3.4", 6881))),
    holepunch.encode(holepunch.Message(holepunch.Kind.ERROR, Endpoint("2600::1", 7), 2)),
]


def one_input(data: bytes) -> None:
    try:
        message = holepunch.decode(data)
    except FormatError:
        return
    assert holepunch.decode(holepunch.encode(message)) == message
