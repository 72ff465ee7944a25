"""Replies of routers in NAT-PMP and PCP: the first byte says which."""

from wildbach.base.errors import FormatError
from wildbach.protocol.portmap import natpmp, pcp

SEEDS: list[bytes] = [
    bytes.fromhex("00800000000001f45db8d822"), bytes.fromhex("0082000000000064" "1ae11b5800000e10"),
    bytes.fromhex("02810000" "00000e10" "00000063" + "00" * 12 + "000102030405060708090a0b" "06000000" "1ae11b58"
                  + "00" * 10 + "ffff5db8d822"),
    bytes.fromhex("02800000" "00000000" "00000063" + "00" * 12),
]


def one_input(data: bytes) -> None:
    for read in (natpmp.decode, pcp.decode):
        try:
            reply = read(data)
        except FormatError:
            continue
        assert reply.result >= 0
