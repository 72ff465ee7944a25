"""Peers that follow a script: honest ones, and every kind of hostile one.

A script is a coroutine over raw bytes, so it runs on any transport, simulated or real. It ends when the other side
closes the connection or when it has said all it wanted; `visit` and `receive` connect it.

    await receive(scope, host.transport, endpoint, poison(0.1), content, rng)
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from random import Random
from typing import Any

from wildbach.base.errors import NetworkError, RemoteError
from wildbach.base.geometry import BLOCK
from wildbach.base.ids import Endpoint
from wildbach.net.transport import Connection, Listener, Transport
from wildbach.protocol.bencode import encode
from wildbach.protocol.wire import codec
from wildbach.protocol.wire.handshake import LENGTH, Handshake, parse
from wildbach.runtime.tasks import Scope
from wildbach.testing.content import Content
from wildbach.testing.wire import Wire

_METADATA_BLOCK = 16384


class Peer:
    """What a script has at hand: the wire, the torrent, chance, and counters of what happened."""

    def __init__(self, connection: Connection, content: Content, rng: Random, tally: Counter[str]) -> None:
        self.wire = Wire(connection)
        self.content = content
        self.rng = rng
        self.tally = tally
        """Counted in all connections of one visitor: `blocks`, `bad_blocks`, `requests`, `connections`, ...
        `first_bad` is when the first bad block was sent, in milliseconds of the loop's clock."""
        self.remote: Handshake | None = None
        self.remote_has: dict[int, None] = {}
        self.unchoked = False

    def handshake(self, *, fast: bool = True, extension: bool = True) -> bytes:
        return Handshake(
            self.content.swarm, b"-SC0001-" + self.rng.randbytes(12), fast=fast, extension=extension).to_bytes()

    async def shake(self, *, fast: bool = True, extension: bool = False) -> Handshake:
        """Exchange handshakes."""
        self.wire.write(self.handshake(fast=fast, extension=extension))
        self.remote = parse(await self.wire.read(LENGTH))
        return self.remote

    async def claim_all(self) -> None:
        """Shake hands and say that all pieces are here."""
        remote = await self.shake()
        self.wire.write(codec.plain(codec.HAVE_ALL) if remote.fast else codec.bitfield(self.content.bitfield))

    async def message(self) -> tuple[int, bytes]:
        """The next message; what it says of pieces and choking is remembered."""
        kind, body = await self.wire.message()
        if kind == codec.HAVE:
            self.remote_has[int.from_bytes(body, "big")] = None
        elif kind == codec.BITFIELD:
            for piece in range(self.content.pieces):
                if body[piece >> 3] & (0x80 >> (piece & 7)):
                    self.remote_has[piece] = None
        elif kind == codec.HAVE_ALL:
            self.remote_has = dict.fromkeys(range(self.content.pieces))
        elif kind in (codec.CHOKE, codec.UNCHOKE):
            self.unchoked = kind == codec.UNCHOKE
        elif kind == codec.PIECE:
            self.tally["received"] += len(body) - 8
        elif kind == codec.REQUEST:
            self.tally["requests"] += 1
        return kind, body

    async def listen(self) -> None:
        """Read until the other side ends it, and unchoke it when it asks."""
        while True:
            kind, _ = await self.message()
            if kind == codec.INTERESTED:
                self.wire.write(codec.plain(codec.UNCHOKE))

    def block(self, piece: int, offset: int, data: bytes) -> None:
        header = bytearray(codec.BLOCK_HEADER)
        codec.put_block_header(header, 0, len(data) + 9, codec.PIECE, piece, offset)
        self.wire.write(bytes(header) + data)
        self.tally["blocks"] += 1


Script = Callable[[Peer], Coroutine[Any, Any, None]]


async def visit(
    transport: Transport, remote: Endpoint, script: Script, content: Content, rng: Random, *, times: int = 1,
    pause: float = 1.0, tally: Counter[str] | None = None,
) -> Counter[str]:
    """Dial and play the script, up to `times` times with `pause` seconds between. Returns what was counted."""
    tally = Counter() if tally is None else tally
    for turn in range(times):
        if turn:
            await asyncio.sleep(pause)
        try:
            connection = await transport.dial(remote)
        except NetworkError:
            tally["refused"] += 1
            continue
        await _play(Peer(connection, content, rng, tally), script)
    return tally


async def receive(
    scope: Scope, transport: Transport, at: Endpoint, script: Script, content: Content, rng: Random,
    tally: Counter[str] | None = None,
) -> Listener:
    """Play the script for everybody who dials `at`, until the scope ends."""
    counted: Counter[str] = Counter() if tally is None else tally

    def accept(connection: Connection) -> None:
        scope.spawn(f"script:{connection.remote}", _play(Peer(connection, content, rng, counted), script))

    return await transport.listen(at, accept)


async def _play(peer: Peer, script: Script) -> None:
    peer.tally["connections"] += 1
    try:
        await script(peer)
    except (NetworkError, RemoteError):
        peer.tally["dropped"] += 1
    finally:
        peer.wire.close()


# honest


def seed(rate: float = 0.0) -> Script:
    """Has everything and gives it, at no more than `rate` bytes a second."""
    return _giving(0.0, rate)


def _giving(bad: float, rate: float = 0.0) -> Script:
    async def script(peer: Peer) -> None:
        await peer.claim_all()
        while True:
            kind, body = await peer.message()
            if kind == codec.INTERESTED:
                peer.wire.write(codec.plain(codec.UNCHOKE))
            elif kind == codec.REQUEST:
                piece, offset, length = _three(body)
                data = peer.content.block(piece, offset, length)
                if bad and peer.rng.random() < bad:
                    data = bytes([data[0] ^ 0xFF]) + data[1:]
                    if not peer.tally["bad_blocks"]:
                        peer.tally["first_bad"] = int(asyncio.get_running_loop().time() * 1000)
                    peer.tally["bad_blocks"] += 1
                peer.block(piece, offset, data)
                await peer.wire.drain()
                if rate:
                    await asyncio.sleep(length / rate)

    return script


def leech(depth: int = 32) -> Script:
    """Downloads all the other side has, checks it, and ends. `first_block` in the tally: milliseconds it waited."""

    async def script(peer: Peer) -> None:
        loop = asyncio.get_running_loop()
        start = loop.time()
        remote = await peer.shake()
        if remote.fast:
            peer.wire.write(codec.plain(codec.HAVE_NONE))
        peer.wire.write(codec.plain(codec.INTERESTED))
        wanted = [(piece, *block) for piece in range(peer.content.pieces) for block in peer.content.blocks(piece)]
        asked: dict[tuple[int, int, int], None] = {}
        while wanted or asked:
            while peer.unchoked and len(asked) < depth:
                block = next((block for block in wanted if block[0] in peer.remote_has), None)
                if block is None:
                    break
                wanted.remove(block)
                asked[block] = None
                peer.wire.write(codec.request(*block))
            kind, body = await peer.message()
            if kind == codec.PIECE:
                piece, offset = int.from_bytes(body[:4], "big"), int.from_bytes(body[4:8], "big")
                if asked.pop((piece, offset, len(body) - 8), 0) == 0:
                    raise AssertionError(f"block {piece}/{offset} was not asked for")
                assert body[8:] == peer.content.block(piece, offset, len(body) - 8)
                if not peer.tally["good_blocks"]:
                    peer.tally["first_block"] = int((loop.time() - start) * 1000)
                peer.tally["good_blocks"] += 1
            elif kind == codec.REJECT or (kind == codec.CHOKE and not remote.fast):
                again = [_three(body)] if kind == codec.REJECT else list(asked)
                for block in again:
                    asked.pop(block, None)
                wanted = again + wanted
        peer.tally["complete"] += 1

    return script


# hostile: they give, but not what they should


def poison(share: float = 1.0) -> Script:
    """A seed, but each block is false with this probability."""
    return _giving(share)


async def stall(peer: Peer) -> None:
    """Has all, unchokes, takes requests, gives nothing, and stays awake."""
    await peer.claim_all()
    while True:
        kind, _ = await peer.message()
        if kind == codec.INTERESTED:
            peer.wire.write(codec.plain(codec.UNCHOKE))
        peer.wire.write(codec.KEEP_ALIVE)


async def fake_have(peer: Peer) -> None:
    """Has all, and rejects whatever is asked of it."""
    await peer.claim_all()
    while True:
        kind, body = await peer.message()
        if kind == codec.INTERESTED:
            peer.wire.write(codec.plain(codec.UNCHOKE))
        elif kind == codec.REQUEST:
            peer.wire.write(codec.reject(*_three(body)))
            await peer.wire.drain()


async def unasked(peer: Peer) -> None:
    """Sends true blocks that nobody asked for, for ever."""
    await peer.claim_all()
    peer.wire.write(codec.plain(codec.UNCHOKE))
    while True:
        piece = peer.rng.randrange(peer.content.pieces)
        for offset, length in peer.content.blocks(piece):
            peer.block(piece, offset, peer.content.block(piece, offset, length))
        await peer.wire.drain()


async def duplicates(peer: Peer) -> None:
    """Answers each request a hundred times."""
    await peer.claim_all()
    while True:
        kind, body = await peer.message()
        if kind == codec.INTERESTED:
            peer.wire.write(codec.plain(codec.UNCHOKE))
        elif kind == codec.REQUEST:
            for _ in range(100):
                piece, offset, length = _three(body)
                peer.block(piece, offset, peer.content.block(piece, offset, length))
                await peer.wire.drain()


async def misplaced(peer: Peer) -> None:
    """Answers with blocks outside of the torrent, of a wrong offset, empty, or too long."""
    await peer.claim_all()
    while True:
        kind, body = await peer.message()
        if kind == codec.INTERESTED:
            peer.wire.write(codec.plain(codec.UNCHOKE))
        elif kind == codec.REQUEST:
            piece, offset, length = _three(body)
            peer.block(*peer.rng.choice([
                (peer.content.pieces, offset, bytes(length)),
                (2**32 - 1, 2**32 - 1, bytes(length)),
                (piece, offset + 1, bytes(length)),
                (piece, offset, b""),
                (piece, offset, bytes(length - 1)),
                (piece, offset, bytes(2 * BLOCK)),
            ]))
            await peer.wire.drain()


# hostile: they hold a place


async def mute(peer: Peer) -> None:
    """Connects and says nothing, not even the handshake."""
    await peer.wire.wait_closed()


async def drip(peer: Peer) -> None:
    """Sends the handshake a byte a second."""
    for byte in peer.handshake():
        if peer.wire.ended:
            return
        peer.wire.write(bytes([byte]))
        await asyncio.sleep(1.0)
    await peer.wire.wait_closed()


async def silent(peer: Peer) -> None:
    """Shakes hands and never speaks again."""
    await peer.shake()
    await peer.wire.wait_closed()


async def slow_reader(peer: Peer) -> None:
    """Asks for much and never reads an answer."""
    await peer.shake()
    peer.wire.write(codec.plain(codec.HAVE_NONE) + codec.plain(codec.INTERESTED))
    while not peer.unchoked:
        await peer.message()
    peer.wire.connection.pause()
    while True:
        for piece in range(peer.content.pieces):
            for offset, length in peer.content.blocks(piece):
                peer.wire.write(codec.request(piece, offset, length))
        await peer.wire.drain()
        await asyncio.sleep(1.0)


# hostile: they flood


async def request_flood(peer: Peer) -> None:
    """Asks for the same pieces again and again, choked or not, and reads what comes."""
    await peer.shake()
    peer.wire.write(codec.plain(codec.HAVE_NONE) + codec.plain(codec.INTERESTED))
    burst = b"".join(
        codec.request(piece, offset, length)
        for piece in range(min(peer.content.pieces, 64))
        for offset, length in peer.content.blocks(piece)
    )
    await _flood(peer, burst)


async def have_flood(peer: Peer) -> None:
    """Announces the same pieces for ever."""
    await peer.shake()
    peer.wire.write(codec.plain(codec.HAVE_NONE))
    some = max(1, peer.content.pieces // 2)
    await _flood(peer, codec.haves(peer.rng.randrange(some) for _ in range(4096)))


async def choke_flood(peer: Peer) -> None:
    """Chokes and unchokes without end, so that requests are made in vain."""
    await peer.claim_all()
    await _flood(peer, (codec.plain(codec.UNCHOKE) + codec.plain(codec.CHOKE)) * 2048)


async def interest_flood(peer: Peer) -> None:
    """Is interested and is not, without end."""
    await peer.shake()
    peer.wire.write(codec.plain(codec.HAVE_NONE))
    await _flood(peer, (codec.plain(codec.INTERESTED) + codec.plain(codec.NOT_INTERESTED)) * 2048)


async def unknown_ids(peer: Peer) -> None:
    """Speaks of what nobody knows. Some of that is allowed (BEP 4)."""
    await peer.shake()
    peer.wire.write(codec.plain(codec.HAVE_NONE))
    await _flood(peer, b"".join(
        (9).to_bytes(4, "big") + bytes([peer.rng.choice((10, 11, 12, 18, 19, 30, 99, 255))]) + bytes(8)
        for _ in range(4096)))


async def keep_alive_flood(peer: Peer) -> None:
    """Stays awake, without end."""
    await peer.shake()
    peer.wire.write(codec.plain(codec.HAVE_NONE))
    await _flood(peer, codec.KEEP_ALIVE * 8192)


async def cancel_flood(peer: Peer) -> None:
    """Takes back what it never asked for."""
    await peer.shake()
    peer.wire.write(codec.plain(codec.HAVE_NONE))
    await _flood(peer, codec.cancel(0, 0, BLOCK) * 2048)


async def suggest_flood(peer: Peer) -> None:
    """Suggests pieces and allows them, without end (BEP 6)."""
    await peer.claim_all()
    await _flood(peer, b"".join(
        codec.suggest(peer.rng.randrange(peer.content.pieces))
        + codec.allowed_fast(peer.rng.randrange(peer.content.pieces))
        for _ in range(2048)))


async def reject_flood(peer: Peer) -> None:
    """Rejects what nobody asked it for."""
    await peer.claim_all()
    await _flood(peer, codec.reject(0, 0, BLOCK) * 2048)


async def hello_flood(peer: Peer) -> None:
    """Introduces itself again and again (BEP 10)."""
    await peer.shake(extension=True)
    peer.wire.write(codec.plain(codec.HAVE_NONE))
    hello = encode({b"m": {b"ut_pex": 1, b"ut_metadata": 2}, b"reqq": 250, b"v": b"again"})
    await _flood(peer, codec.extended(0, hello) * 1024)


async def large_extension_flood(peer: Peer) -> None:
    """Extension messages of half a megabyte, of an extension that nobody has."""
    await peer.shake(extension=True)
    peer.wire.write(codec.plain(codec.HAVE_NONE))
    await _flood(peer, codec.extended(99, bytes(512 << 10)))


async def hash_request_flood(peer: Peer) -> None:
    """Asks for hashes of this torrent and of others, without end (BEP 52)."""
    await peer.shake()
    peer.wire.write(codec.plain(codec.HAVE_NONE))
    request = peer.rng.randbytes(32) + b"".join(number.to_bytes(4, "big") for number in (0, 0, 2, 0))
    await _flood(peer, codec.hash_message(codec.HASH_REQUEST, request) * 1024)


async def port_flood(peer: Peer) -> None:
    """Tells the port of its DHT node, without end (BEP 5)."""
    await peer.shake()
    peer.wire.write(codec.plain(codec.HAVE_NONE))
    await _flood(peer, codec.port(6881) * 4096)


async def _flood(peer: Peer, burst: bytes) -> None:
    while not peer.wire.ended:
        peer.wire.write(burst)
        peer.tally["flooded"] += len(burst)
        await peer.wire.drain()
        # Read what came, or the other side's replies would stop it before its own limits do.
        peer.wire.forget()
        await asyncio.sleep(0.05)


# hostile: they break the format


def malformed(number: int) -> Script:
    """Sends one message that breaks a rule: `MALFORMED[number]`."""

    async def script(peer: Peer) -> None:
        await peer.shake()
        peer.wire.write(codec.plain(codec.HAVE_NONE) + MALFORMED[number](peer))
        await peer.wire.wait_closed()

    return script


def _message(kind: int, body: bytes = b"") -> bytes:
    return (1 + len(body)).to_bytes(4, "big") + bytes([kind]) + body


MALFORMED: tuple[Callable[[Peer], bytes], ...] = (
    lambda peer: _message(codec.CHOKE, b"x"),
    lambda peer: _message(codec.HAVE, b"\0\0"),
    lambda peer: _message(codec.HAVE, (peer.content.pieces).to_bytes(4, "big")),
    lambda peer: _message(codec.HAVE, b"\xff\xff\xff\xff"),
    lambda peer: _message(codec.REQUEST, bytes(11)),
    lambda peer: _message(codec.REQUEST),
    lambda peer: codec.request(peer.content.pieces, 0, BLOCK),
    lambda peer: codec.request(0, 2**31, BLOCK),
    lambda peer: codec.request(0, 0, 2**20),
    lambda peer: codec.request(0, 0, 0),
    lambda peer: _message(codec.CANCEL, bytes(3)),
    lambda peer: _message(codec.PIECE, bytes(5)),
    lambda peer: _message(codec.PIECE, bytes(8 + BLOCK + 1)),
    lambda peer: _message(codec.BITFIELD, peer.content.bitfield),  # after have none
    lambda peer: _message(codec.HAVE_ALL),  # after have none
    lambda peer: _message(codec.PORT, b"\0"),
    lambda peer: _message(codec.REJECT, bytes(12)),  # of what was never asked
    lambda peer: _message(codec.ALLOWED_FAST, bytes(3)),
    lambda peer: _message(codec.SUGGEST, b"\xff\xff\xff\xff"),
    lambda peer: _message(codec.EXTENDED),
    lambda peer: (2**31).to_bytes(4, "big") + bytes([codec.PIECE]),
    lambda peer: (2**32 - 1).to_bytes(4, "big") + bytes([99]),
    lambda peer: (2**24).to_bytes(4, "big") + bytes([codec.EXTENDED]),
    lambda peer: _message(codec.HASH_REQUEST, bytes(7)),
    lambda peer: _message(codec.HASHES, bytes(48)),
)
"Messages that break a rule. A strict peer hangs up on most; none may harm it."


async def bad_handshake(peer: Peer) -> None:
    """Not BitTorrent."""
    peer.wire.write(b"GET / HTTP/1.1\r\nHost: example.org\r\n\r\n" + bytes(100))
    await peer.wire.wait_closed()


async def wrong_swarm(peer: Peer) -> None:
    """A handshake for a torrent that is not here."""
    peer.wire.write(Handshake(peer.rng.randbytes(20), peer.rng.randbytes(20)).to_bytes())
    await peer.wire.wait_closed()


async def short_bitfield(peer: Peer) -> None:
    """A bitfield of the wrong length."""
    await peer.shake(fast=False)
    peer.wire.write(codec.bitfield(peer.content.bitfield + b"\0"))
    await peer.wire.wait_closed()


async def late_bitfield(peer: Peer) -> None:
    """A bitfield after other messages (against BEP 3)."""
    await peer.shake(fast=False)
    peer.wire.write(codec.have(0) + codec.bitfield(peer.content.bitfield))
    await peer.listen()


BAD_EXTENSIONS: tuple[bytes, ...] = (
    b"",
    b"nonsense",
    b"d1:md11:ut_metadatai1e",
    b"d1:mi5ee",
    b"d1:md11:ut_metadatai-1e6:ut_pexi99999ee13:metadata_sizei-5ee",
    b"d1:md11:ut_metadatai3ee13:metadata_sizei1099511627776ee",
    b"d1:md11:ut_metadatai3ee13:metadata_sizei0e4:reqqi-1e1:pi99999999ee",
    b"l" * 60_000,
    b"d" + b"".join(b"5:%05di1e" % number for number in range(50_000)) + b"e",
    b"d4:reqqi" + b"9" * 500 + b"ee",
)


def bad_extension(number: int) -> Script:
    """An extension handshake (BEP 10) that is broken or lies: `BAD_EXTENSIONS[number]`."""

    async def script(peer: Peer) -> None:
        await peer.shake(extension=True)
        peer.wire.write(codec.plain(codec.HAVE_NONE) + codec.extended(0, BAD_EXTENSIONS[number]))
        await peer.listen()

    return script


def metadata(kind: str = "true") -> Script:
    """Serves the info dictionary (BEP 9).

    `true`; `false`: bytes of the right size that are wrong; `huge`: claims the most; `none`: rejects; `stall`: is
    silent; `flood`: sends pieces nobody asked for.
    """

    async def script(peer: Peer) -> None:
        info = peer.content.info
        size = {"huge": 64 << 20}.get(kind, len(info))
        await peer.shake(extension=True)
        hello = encode({b"m": {b"ut_metadata": 7}, b"metadata_size": size})
        peer.wire.write(codec.extended(0, hello) + codec.plain(codec.HAVE_ALL))
        theirs = 0
        while True:
            number, body = await peer.message()
            if number == codec.INTERESTED:
                peer.wire.write(codec.plain(codec.UNCHOKE))
            if number != codec.EXTENDED:
                continue
            if body[:1] == b"\0":
                theirs = _metadata_id(body[1:])
                if kind == "flood":
                    for piece in range(10_000):
                        peer.wire.write(codec.extended(theirs, _metadata_piece(piece, size, bytes(_METADATA_BLOCK))))
                        await peer.wire.drain()
            elif theirs and body[:1] == b"\7":
                piece = int(body[1:].split(b"5:piecei")[1].split(b"e")[0])
                peer.tally["metadata_requests"] += 1
                if kind == "none":
                    peer.wire.write(codec.extended(theirs, encode({b"msg_type": 2, b"piece": piece})))
                elif kind != "stall":
                    part = info[piece * _METADATA_BLOCK : (piece + 1) * _METADATA_BLOCK]
                    if kind != "true":
                        part = bytes(min(_METADATA_BLOCK, size - piece * _METADATA_BLOCK))
                    peer.wire.write(codec.extended(theirs, _metadata_piece(piece, size, part)))
                    await peer.wire.drain()

    return script


def _metadata_id(body: bytes) -> int:
    found = body.split(b"11:ut_metadatai")
    return int(found[1].split(b"e")[0]) if len(found) == 2 else 0


def _metadata_piece(piece: int, size: int, part: bytes) -> bytes:
    return encode({b"msg_type": 1, b"piece": piece, b"total_size": size}) + part


def _three(body: bytes) -> tuple[int, int, int]:
    return (
        int.from_bytes(body[:4], "big"), int.from_bytes(body[4:8], "big"), int.from_bytes(body[8:12], "big"))


HOSTILE: dict[str, Script] = {
    "poison": poison(),
    "poison_some": poison(0.1),
    "stall": stall,
    "fake_have": fake_have,
    "unasked": unasked,
    "duplicates": duplicates,
    "misplaced": misplaced,
    "mute": mute,
    "drip": drip,
    "silent": silent,
    "slow_reader": slow_reader,
    "request_flood": request_flood,
    "have_flood": have_flood,
    "choke_flood": choke_flood,
    "interest_flood": interest_flood,
    "unknown_ids": unknown_ids,
    "keep_alive_flood": keep_alive_flood,
    "cancel_flood": cancel_flood,
    "suggest_flood": suggest_flood,
    "reject_flood": reject_flood,
    "hello_flood": hello_flood,
    "large_extension_flood": large_extension_flood,
    "hash_request_flood": hash_request_flood,
    "port_flood": port_flood,
    "bad_handshake": bad_handshake,
    "wrong_swarm": wrong_swarm,
    "short_bitfield": short_bitfield,
    "late_bitfield": late_bitfield,
    **{f"malformed_{number}": malformed(number) for number in range(len(MALFORMED))},
    **{f"bad_extension_{number}": bad_extension(number) for number in range(len(BAD_EXTENSIONS))},
    **{f"metadata_{kind}": metadata(kind) for kind in ("false", "huge", "none", "stall", "flood")},
}
"Every hostile script by name."
