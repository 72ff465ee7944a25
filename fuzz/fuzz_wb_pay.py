"""Messages of `wb_pay`, and the terms of a handshake: what is read can be written."""

from wildbach.base.errors import FormatError
from wildbach.protocol import bencode
from wildbach.protocol.ext import pay
from wildbach.protocol.tron.address import Address

_A = Address(bytes(range(20)))
_TERMS = pay.Terms(0xCD8690DC, _A)
SEEDS: list[bytes] = [
    *(pay.encode(one) for one in (
        pay.Offer(b"12345678", 33_000, 1 << 20, _A, 10, 1_800_000_000),
        pay.Accepted(b"12345678", _A, 1_700_000_000_000, 5, bytes(65)), pay.Paid(1_700_000_000_000, 99, bytes(65)),
        pay.Due(1 << 20, 33), pay.Held(1_700_000_000_000, 99, bytes(65)), pay.Stop(pay.Why.PRICE, 0),
        pay.Meter(True, 1 << 30),
    )),
    bencode.encode(pay.encode_terms(_TERMS)),
]
TOKENS = [b"1:ti", b"1:s65:", b"2:ep", b"1:ci", b"5:payer20:", b"tron:0x", b"4:vch1", b"i-1e"]


def one_input(data: bytes) -> None:
    read = 0
    try:
        terms = pay.decode_terms(bencode.decode(data))
        if terms is not None:
            read += 1
            if pay.decode_terms(pay.encode_terms(terms)) != terms:
                raise AssertionError("terms do not read back")
    except FormatError:
        pass
    try:
        message = pay.decode(data)
    except FormatError:
        if not read:
            raise
        return
    if message is not None and pay.decode(pay.encode(message)) != message:
        raise AssertionError("does not read back")
