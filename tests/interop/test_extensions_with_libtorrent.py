"""The extension and hash codecs against libtorrent, over a plain socket: metadata by BEP 9, hashes by BEP 52."""

import hashlib
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.interop.peers.wire import Wire
from tests.oracle import libtorrent

from wildbach.base.ids import Endpoint, InfoHashes
from wildbach.engine.hashes import FileTree, HashFetcher
from wildbach.engine.metadata import MetadataFetcher
from wildbach.protocol import bencode, layers
from wildbach.protocol.ext import handshake, hashes, metadata, pex
from wildbach.protocol.ext.handshake import Extension
from wildbach.protocol.wire import codec

pytestmark = [pytest.mark.filterwarnings("ignore::DeprecationWarning"), pytest.mark.foreign("libtorrent")]

PIECE = 65536
BLOCK = 16384
LENGTH = 700 * PIECE + 30_000


@pytest.fixture
def seed(tmp_path: Path) -> Iterator[tuple[int, bytes, bytes]]:
    """A libtorrent seed of one v2 file: its port, the info dictionary and the piece layer."""
    content = b"".join(n.to_bytes(4, "big") * 4096 for n in range(-(-LENGTH // BLOCK)))[:LENGTH]
    (tmp_path / "file").write_bytes(content)
    storage = libtorrent.file_storage()
    storage.add_file("file", LENGTH)
    creator = libtorrent.create_torrent(storage, PIECE, libtorrent.create_torrent.v2_only)
    libtorrent.set_piece_hashes(creator, str(tmp_path))
    torrent = libtorrent.bencode(creator.generate())
    _, spans = bencode.decode_dict_spans(torrent)
    info = torrent[slice(*spans[b"info"])]
    session = libtorrent.session({
        "listen_interfaces": "127.0.0.1:0", "enable_dht": False, "enable_lsd": False, "enable_upnp": False,
        "enable_natpmp": False, "allow_multiple_connections_per_ip": True,
    })
    params = libtorrent.add_torrent_params()
    params.ti = libtorrent.torrent_info(torrent)
    params.save_path = str(tmp_path)
    handle = session.add_torrent(params)
    deadline = time.monotonic() + 30
    while not (handle.status().is_seeding and session.listen_port()):
        session.wait_for_alert(100)
        session.pop_alerts()
        if time.monotonic() > deadline:
            pytest.fail("libtorrent does not seed")
    yield session.listen_port(), info, layers.piece_layer(layers.leaf_hashes(content), PIECE)
    session.pause()


def test_metadata_and_hashes_come_from_libtorrent(seed: tuple[int, bytes, bytes]) -> None:
    port, info, layer = seed
    wanted = InfoHashes(v2=hashlib.sha256(info).digest())
    with Wire(("127.0.0.1", port), wanted.swarms[0], v2=True) as wire:
        wire.send(codec.plain(codec.HAVE_NONE))
        _talk(wire, wanted, info, layer)


def _talk(wire: Wire, wanted: InfoHashes, info: bytes, layer: bytes) -> None:
    fetcher = MetadataFetcher[str](wanted)
    hash_fetcher = HashFetcher[str]()
    hash_fetcher.on_peer("lt")
    theirs = handshake.ExtHandshake()
    leaves = b""
    for kind, payload in wire.messages():
        now = time.monotonic()
        if kind == handshake.EXTENDED and payload[0] == 0:
            theirs = handshake.parse(payload[1:])
            assert theirs.client.startswith("libtorrent") and theirs.metadata_size == len(info) and theirs.yourip
            fetcher.on_peer("lt", theirs.metadata_size)
        elif kind == handshake.EXTENDED and payload[0] == Extension.UT_METADATA:
            message = metadata.decode(payload[1:])
            assert isinstance(message, metadata.MetadataData)
            fetcher.on_data("lt", message.piece, message.total, message.data)
            assert fetcher.result == info
            hash_fetcher.want_layer(_tree(info))
        elif kind == hashes.HASHES:
            hash_fetcher.on_hashes("lt", hashes.decode_hashes(payload))
        elif kind == hashes.HASH_REJECT:
            pytest.fail(f"libtorrent rejects {hashes.decode_request(payload)}")
        for _, piece in fetcher.tick(now):
            request = metadata.encode(metadata.MetadataRequest(piece))
            wire.send(handshake.message(theirs.id_of(Extension.UT_METADATA), request))
        for _, hash_request in hash_fetcher.tick(now):
            wire.send(codec.hash_message(hashes.HASH_REQUEST, hashes.encode_request(hash_request)))
        for done in hash_fetcher.take():
            if done.is_layer:
                assert done.hashes == layer
                hash_fetcher.want_leaves(done.tree, 700, layer[700 * 32 :])
                for _, hash_request in hash_fetcher.tick(now):
                    wire.send(codec.hash_message(hashes.HASH_REQUEST, hashes.encode_request(hash_request)))
            else:
                leaves = done.hashes
        if leaves:
            break
    assert len(leaves) == 32 * 2
    wire.send(handshake.message(theirs.id_of(Extension.UT_PEX), pex.encode(
        pex.PexMessage((pex.PexPeer(Endpoint("127.0.0.1", 9), pex.SEED),))
    )))
    unknown = hashes.HashRequest(bytes(32), 2, 0, 2, 0)
    wire.send(codec.hash_message(hashes.HASH_REQUEST, hashes.encode_request(unknown)))
    assert any(kind == hashes.HASH_REJECT for kind, _ in wire.messages())


def _tree(info: bytes) -> FileTree:
    value = bencode.decode(info)
    assert isinstance(value, dict)
    node = value[b"file tree"]
    for key in (b"file", b""):
        assert isinstance(node, dict)
        node = node[key]
    assert isinstance(node, dict)
    root, length = node[b"pieces root"], node[b"length"]
    assert isinstance(root, bytes) and isinstance(length, int)
    return FileTree(root, length, PIECE)
