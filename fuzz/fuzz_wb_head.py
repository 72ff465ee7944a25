"""Messages of `wb_head`: what is read can be written."""

from wildbach.base.errors import FormatError
from wildbach.protocol.dht.items import signed
from wildbach.protocol.ext.head import HeadMessage, decode, encode

_ITEM = signed(bytes(range(32)), {b"ih": bytes(20)}, 7, b"s")
SEEDS: list[bytes] = [
    encode(HeadMessage({bytes(20): -1, bytes(range(20)): 1 << 40})), encode(HeadMessage(items=(_ITEM,))),
    encode(HeadMessage({bytes(20): 3}, (_ITEM, _ITEM))),
]
TOKENS = [b"1:t", b"1:i", b"20:", b"i-1e", b"3:sig64:", b"1:k32:", b"4:salt", b"3:seq"]


def one_input(data: bytes) -> None:
    try:
        message = decode(data)
    except FormatError:
        return
    if decode(encode(message)) != message:
        raise AssertionError("does not read back")
