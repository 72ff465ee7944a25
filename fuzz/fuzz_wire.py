"""The peer protocol: handshake and messages, as one stream cut in two at a place that the input chooses."""

from contextlib import suppress

from wildbach.base.errors import RemoteError
from wildbach.base.geometry import BLOCK
from wildbach.protocol.wire import codec
from wildbach.protocol.wire.handshake import LENGTH, Handshake, parse, plausible

_HEADER = bytearray(codec.BLOCK_HEADER)
codec.put_block_header(_HEADER, 0, 9 + 100, codec.PIECE, 3, 16384)

SEEDS: list[bytes] = [
    b"\x40" + Handshake(bytes(20), bytes(20)).to_bytes() + codec.plain(codec.HAVE_NONE),
    b"\x05" + codec.bitfield(b"\xff\x80") + codec.plain(codec.INTERESTED) + codec.KEEP_ALIVE,
    b"\x20" + codec.requests(1, 0, 4, 4 * 16384) + codec.cancel(1, 0, 16384) + codec.reject(1, 0, 16384),
    b"\x10" + bytes(_HEADER) + bytes(100) + codec.haves([1, 2, 3]) + codec.allowed_fast(9) + codec.suggest(1),
    b"\x01" + codec.extended(0, b"d1:md6:ut_pexi1eee") + codec.hash_message(codec.HASH_REQUEST, bytes(48)),
    b"\x02" + codec.port(6881) + codec.plain(codec.UNCHOKE) + codec.plain(codec.HAVE_ALL),
]


def _decode(decoder: codec.Decoder, data: bytes) -> tuple[list[object], int]:
    events, used = decoder.decode(memoryview(data))
    assert 0 <= used <= len(data)
    plain: list[object] = []
    for event in events:
        if isinstance(event, codec.Blocks):
            plain += [(piece, offset, bytes(block)) for piece, offset, block in event.items]
        elif isinstance(event, codec.Requests | codec.Haves):
            plain += event.items
        elif isinstance(event, codec.RequestRow):
            plain += [(event.piece, event.offset + at * BLOCK, BLOCK) for at in range(event.count)]
        elif not isinstance(event, codec.KeepAlive):  # rows of requests go on behind it
            plain.append(event)
    return plain, used


def one_input(data: bytes) -> None:
    if not data:
        return
    cut, stream = data[0], data[1:]
    with suppress(RemoteError):
        handshake = parse(stream[:LENGTH])
        assert plausible(stream[:LENGTH])
        assert parse(handshake.to_bytes()) == handshake
        stream = stream[LENGTH:]
    try:
        whole, _ = _decode(codec.Decoder(1000), stream)
    except RemoteError:
        return
    decoder = codec.Decoder(1000)
    first, used = _decode(decoder, stream[:cut])
    second, _ = _decode(decoder, stream[used:])
    assert first + second == whole
