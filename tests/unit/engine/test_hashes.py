import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wildbach.base.errors import RemoteError
from wildbach.engine.hashes import Fetched, FileTree, HashFetcher, HashServer
from wildbach.protocol import layers
from wildbach.protocol.ext.hashes import Hashes, HashRequest

BLOCK = 16384


class File:
    """A file that exists only as its leaves."""

    def __init__(self, length: int, piece_length: int, seed: int = 1) -> None:
        self.leaves = random.Random(seed).randbytes(32 * -(-length // BLOCK))
        self.tree = FileTree(layers.file_root(self.leaves), length, piece_length)
        several = length > piece_length
        self.layer = layers.piece_layer(self.leaves, piece_length) if several else self.tree.root
        self.layers = {self.tree.root: self.layer} if several else {}

    def of_piece(self, root: bytes, piece: int) -> bytes | None:
        width = 32 * (self.tree.piece_length // BLOCK)
        return self.leaves[piece * width : (piece + 1) * width]

    def server(self) -> HashServer[str]:
        return HashServer([self.tree], self.layers, self.of_piece)

    def piece_hash(self, piece: int) -> bytes:
        return self.layer[32 * piece : 32 * piece + 32]


def pump(fetcher: HashFetcher[str], servers: dict[str, HashServer[str]], now: float = 0.0) -> int:
    """Carry requests and answers until nothing moves; returns how many requests there were."""
    count = 0
    while requests := fetcher.tick(now):
        count += len(requests)
        for key, request in requests:
            answer = servers[key].answer(key, request, now)
            if answer is None:
                fetcher.on_reject(key, request)
            else:
                fetcher.on_hashes(key, answer)
        now += 0.25
    return count


@pytest.mark.parametrize("pieces", [2, 3, 512, 513, 1500])
def test_a_piece_layer_comes_in_proven_batches(pieces: int) -> None:
    file = File(pieces * 32768 - 5, 32768)
    fetcher = HashFetcher[str]()
    fetcher.want_layer(file.tree)
    assert fetcher.missing_layers == 1 and "v2" in fetcher.reason
    fetcher.on_peer("a")
    assert pump(fetcher, {"a": file.server()}) == -(-pieces // 512)
    assert not fetcher.idle  # until it was taken
    (done,) = fetcher.take()
    assert done == Fetched(file.tree, -1, file.layer) and done.is_layer
    assert fetcher.idle and fetcher.reason == "" and fetcher.take() == []


def test_a_file_of_one_piece_needs_no_layer() -> None:
    fetcher = HashFetcher[str]()
    fetcher.want_layer(File(32768, 32768).tree)
    assert fetcher.idle


@pytest.mark.parametrize(("length", "piece_length", "piece"), [
    (10 * 65536 + 20000, 65536, 3), (10 * 65536 + 20000, 65536, 10), (40000, 65536, 0), (3 << 24, 1 << 24, 2),
    (5 * BLOCK, BLOCK, 4), (5, 65536, 0),
])
def test_the_leaves_of_a_piece_are_proven_by_its_hash(length: int, piece_length: int, piece: int) -> None:
    file = File(length, piece_length)
    fetcher = HashFetcher[str]()
    fetcher.on_peer("a")
    fetcher.want_leaves(file.tree, piece, file.piece_hash(piece))
    pump(fetcher, {"a": file.server()})
    assert fetcher.take() == [Fetched(file.tree, piece, file.of_piece(b"", piece) or b"")]


def test_false_hashes_convict_their_sender_and_others_are_asked() -> None:
    file = File(100 * 32768, 32768)
    fetcher = HashFetcher[str]()
    fetcher.want_layer(file.tree)
    fetcher.on_peer("liar")
    ((key, request),) = fetcher.tick(0.0)
    right = file.server().answer("x", request, 0.0)
    assert right is not None
    with pytest.raises(RemoteError):
        fetcher.on_hashes(key, Hashes(request, bytes(32) + right.hashes[32:]))
    fetcher.on_peer_gone("liar")
    fetcher.on_peer("a")
    pump(fetcher, {"a": file.server()})
    assert [done.hashes for done in fetcher.take()] == [file.layer]


def test_unasked_hashes_are_an_error() -> None:
    file = File(100 * 32768, 32768)
    fetcher = HashFetcher[str]()
    fetcher.want_layer(file.tree)
    fetcher.on_peer("a")
    with pytest.raises(RemoteError):
        fetcher.on_hashes("a", Hashes(HashRequest(file.tree.root, 1, 0, 2, 3), bytes(64)))


def test_a_rejecting_peer_is_left_alone_for_a_minute() -> None:
    file = File(100 * 32768, 32768)
    fetcher = HashFetcher[str]()
    fetcher.want_layer(file.tree)
    fetcher.on_peer("a")
    ((_, request),) = fetcher.tick(0.0)
    fetcher.on_reject("a", request)
    assert fetcher.tick(1.0) == [] and "do not send" in fetcher.reason
    fetcher.on_peer("b")
    assert fetcher.tick(2.0) == [("b", request)]
    fetcher.on_reject("b", request)
    assert fetcher.tick(61.0) == [("a", request)]


def test_a_slow_peer_is_doubled_and_its_late_answer_counts() -> None:
    file = File(100 * 32768, 32768)
    fetcher = HashFetcher[str]()
    fetcher.want_layer(file.tree)
    fetcher.on_peer("slow")
    ((_, request),) = fetcher.tick(0.0)
    fetcher.on_peer("b")
    assert fetcher.tick(6.0) == [("b", request)]
    assert fetcher.tick(22.0) == []
    answer = file.server().answer("x", request, 0.0)
    assert answer is not None
    fetcher.on_hashes("slow", answer)
    assert len(fetcher.take()) == 1
    fetcher.on_hashes("b", answer)  # late and no longer needed
    assert fetcher.take() == []


def test_leaves_go_before_layers_and_can_be_called_off() -> None:
    file = File(100 * 65536, 65536)
    fetcher = HashFetcher[str]()
    fetcher.want_layer(file.tree)
    fetcher.want_leaves(file.tree, 7, file.piece_hash(7))
    fetcher.on_peer("a")
    assert [request.base for _, request in fetcher.tick(0.0)] == [0, 2]
    fetcher.forget_leaves(file.tree.root, 7)
    assert fetcher.missing_layers == 1


def test_requests_are_spread_and_bounded() -> None:
    file = File(512 * 40 * BLOCK, BLOCK)
    fetcher = HashFetcher[str]()
    fetcher.want_layer(file.tree)
    for key in "abc":
        fetcher.on_peer(key)
    keys = [key for key, _ in fetcher.tick(0.0)]
    assert sorted(keys) == sorted("abc" * 4)


def test_the_server_rejects_what_it_cannot_prove() -> None:
    file = File(10 * 65536, 65536)
    server = HashServer[str]([file.tree], {}, file.of_piece)
    layer = HashRequest(file.tree.root, 2, 0, 16, 3)
    assert server.answer("a", layer, 0.0) is None  # its own piece layer is not there yet
    server = file.server()
    assert server.answer("a", layer, 0.0) is not None
    for bad in (
        HashRequest(bytes(32), 2, 0, 16, 3), HashRequest(file.tree.root, 2, 0, 15, 3),
        HashRequest(file.tree.root, 2, 0, 1024, 3), HashRequest(file.tree.root, 9, 0, 2, 0),
        HashRequest(file.tree.root, 2, 16, 16, 3), HashRequest(file.tree.root, 2, 0, 16, 4),
    ):
        assert server.answer("a", bad, 0.0) is None, bad
    leaves = HashRequest(file.tree.root, 0, 4, 4, 1)
    assert server.answer("a", leaves, 0.0) is not None
    assert server.answer("a", leaves, 0.0, choked=True) is None
    assert HashServer[str]([file.tree], file.layers, lambda root, piece: None).answer("a", leaves, 0.0) is None


def test_a_flood_of_requests_is_rejected() -> None:
    file = File(10 * 65536, 65536)
    server = file.server()
    layer = HashRequest(file.tree.root, 2, 0, 16, 3)
    assert sum(server.answer("a", layer, 0.0) is not None for _ in range(1000)) == 64
    assert server.answer("b", layer, 0.0) is not None
    assert sum(server.answer("a", layer, 1.0) is not None for _ in range(1000)) == 16


def test_few_trees_are_kept() -> None:
    files = [File(40_000 * BLOCK, BLOCK, seed) for seed in range(3)]
    known = {file.tree.root: file.layer for file in files}
    server = HashServer[int]([file.tree for file in files], known, lambda root, piece: None)
    for turn in range(2):
        for file in files:
            assert server.answer(turn, HashRequest(file.tree.root, 0, 0, 512, 15), 0.0) is not None


@settings(max_examples=40, deadline=None)
@given(blocks=st.integers(1, 700), level=st.integers(0, 6), seed=st.integers(0, 9), data=st.data())
def test_whatever_a_server_answers_its_fetcher_accepts(blocks: int, level: int, seed: int, data: st.DataObject) -> None:
    file = File(blocks * BLOCK - data.draw(st.integers(0, BLOCK - 1)), BLOCK << level, seed)
    fetcher = HashFetcher[str]()
    fetcher.on_peer("a")
    fetcher.want_layer(file.tree)
    piece = data.draw(st.integers(0, file.tree.pieces - 1))
    fetcher.want_leaves(file.tree, piece, file.piece_hash(piece))
    pump(fetcher, {"a": file.server()})
    done = fetcher.take()
    assert fetcher.idle
    for one in done:
        assert one.hashes == (file.layer if one.is_layer else file.of_piece(b"", piece))
