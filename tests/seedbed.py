"""Seeds of v2 that follow a script, and calls to them from simulated machines."""

from __future__ import annotations

from wildbach.base.ids import Endpoint
from wildbach.engine.roads import Reached
from wildbach.engine.visiting import Call
from wildbach.protocol import layers
from wildbach.protocol.ext import hashes
from wildbach.protocol.ext.hashes import Hashes, HashRequest
from wildbach.protocol.metainfo.document import Metainfo
from wildbach.protocol.metainfo.info import Info
from wildbach.protocol.wire import codec
from wildbach.testing.content import Content
from wildbach.testing.network import Host
from wildbach.testing.peers import Peer, Script


def info_of(made: Content) -> Info:
    return Metainfo.parse(made.torrent).info


def caller(host: Host) -> Call:
    async def call(endpoint: Endpoint, info_hash: bytes, greeting: bytes) -> Reached:
        return Reached(await host.transport.dial(endpoint), said=False)

    return call


def answer(made: Content, request: HashRequest) -> Hashes | None:
    leaves = layers.leaf_hashes(made.data)
    per_piece = made.piece_length // 16384
    tree = layers.HashTree(
        len(made.data), made.piece_length, layers.piece_layer(leaves, made.piece_length))
    found = tree.answer(
        request.base, request.index, request.length, request.proofs,
        lambda piece: leaves[32 * per_piece * piece : 32 * per_piece * (piece + 1)])
    return Hashes(request, found) if found is not None else None


def giving(
    *, hash_requests: str = "answer", false: float = 0.0, lost: int = 0, unchokes: bool = True, unasked: bool = False,
    heard: list[bytes] | None = None,
) -> Script:
    """A seed of v2. `lost`: so many of its last pieces are gone, though it claims them."""

    async def script(peer: Peer) -> None:
        remote = await peer.shake(extension=True)
        if heard is not None:
            heard.append(remote.peer_id)
        peer.wire.write(codec.plain(codec.HAVE_ALL))
        while True:
            kind, body = await peer.message()
            if kind == codec.EXTENDED and heard is not None:
                heard.append(body[1:])
            if kind == codec.INTERESTED and unchokes:
                peer.wire.write(codec.plain(codec.UNCHOKE))
            elif kind == codec.REQUEST:
                piece, offset, length = (int.from_bytes(body[at : at + 4], "big") for at in (0, 4, 8))
                if piece >= peer.content.pieces - lost:
                    peer.wire.write(codec.reject(piece, offset, length))
                    continue
                data = peer.content.block(piece, offset, length)
                bad = peer.rng.random() < false
                peer.block(piece, offset, bytes(length) if bad else data)
                if unasked:
                    peer.block(piece, offset, data)
                await peer.wire.drain()
            elif kind == codec.HASH_REQUEST and hash_requests != "silence":
                peer.tally["hash_requests"] += 1
                found = answer(peer.content, hashes.decode_request(body))
                if hash_requests == "reject" or found is None:
                    peer.wire.write(codec.hash_message(hashes.HASH_REJECT, body))
                else:
                    payload = hashes.encode_hashes(found)
                    if hash_requests == "lie":
                        payload = payload[:60] + bytes([payload[60] ^ 1]) + payload[61:]
                    peer.wire.write(codec.hash_message(hashes.HASHES, payload))

    return script
