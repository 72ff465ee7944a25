"""ut_pex messages (BEP 11): never more entries than asked for, and what is read can be written."""

from wildbach.base.errors import FormatError
from wildbach.base.ids import Endpoint
from wildbach.protocol.ext import pex

SEEDS: list[bytes] = [
    pex.encode(pex.PexMessage((pex.PexPeer(Endpoint("1.2.3.4", 5), 2),), (Endpoint("2600::1", 9),))),
    b"d5:added0:7:added.f0:e",
    b"d6:added618:aaaaaaaaaaaaaaaaaa8:added6.f1:\x01e",
]


def one_input(data: bytes) -> None:
    try:
        message = pex.decode(data, 50)
    except FormatError:
        return
    assert len(message.added) <= 50 and len(message.dropped) <= 50
    pex.encode(message)
