"""Extended handshakes (BEP 10): any bytes give a bounded value or a FormatError."""

from wildbach.base.errors import FormatError
from wildbach.protocol.ext import handshake

SEEDS: list[bytes] = [
    handshake.build(client="x", port=1, yourip="1.2.3.4", ipv6="::1", metadata_size=5, upload_only=True),
    b"d1:md6:ut_pexi1ee4:reqqi250e1:v3:abce",
    b"de",
]


def one_input(data: bytes) -> None:
    try:
        hello = handshake.parse(data)
    except FormatError:
        return
    assert 1 <= hello.reqq <= 2000 and 0 <= hello.port <= 65535
    assert len(hello.updated(hello).ids) <= 64 and len(hello.client) <= 64
