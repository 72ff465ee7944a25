"""Datagrams of local discovery (BEP 14): what is read can be written again, one packet at a time."""

from wildbach.base import limits
from wildbach.base.errors import FormatError
from wildbach.protocol import lan

HASH = b"0123456789abcdef0123456789ABCDEF01234567"
SEEDS: list[bytes] = [
    lan.encode(lan.LanAnnounce(6881, (bytes(20), bytes(range(20))), "c0ffee"), 4),
    b"BT-SEARCH * HTTP/1.1\r\nHost: x\r\nPort: 1\r\nInfohash: " + HASH + b"\r\n\r\n\r\n",
]
TOKENS: list[bytes] = [b"Infohash: " + HASH + b"\r\n", b"Port: 99999\r\n", b"cookie: ", b"\r\n", b":"]


def one_input(data: bytes) -> None:
    try:
        announce = lan.decode(data)
    except FormatError:
        return
    assert 0 < announce.port < 65536 and 0 < len(announce.hashes) <= limits.LAN_HASHES
    assert all(len(swarm) == 20 for swarm in announce.hashes)
    lan.encode(lan.LanAnnounce(announce.port, announce.hashes[: lan.FITTING]), 6)
