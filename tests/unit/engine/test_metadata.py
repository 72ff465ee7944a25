import hashlib
import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wildbach.base.errors import RemoteError
from wildbach.base.ids import InfoHashes
from wildbach.engine.metadata import MetadataFetcher, MetadataServer
from wildbach.protocol.ext.metadata import MetadataData, MetadataReject

BLOCK = 16384
RAW = random.Random(7).randbytes(5 * BLOCK + 100)
V1 = InfoHashes(v1=hashlib.sha1(RAW).digest())
BOTH = InfoHashes(v1=hashlib.sha1(RAW).digest(), v2=hashlib.sha256(RAW).digest())
Answer = Callable[[int], bytes | None]


def good(piece: int) -> bytes | None:
    return RAW[piece * BLOCK : (piece + 1) * BLOCK]


def false(piece: int) -> bytes | None:
    return bytes(len(RAW[piece * BLOCK : (piece + 1) * BLOCK]))


def silent(piece: int) -> bytes | None:
    return None


class Swarm:
    """Peers that answer each request at the next step, for as long as a test wants."""

    def __init__(self, fetcher: MetadataFetcher[str], peers: dict[str, Answer], sizes: dict[str, int] | None = None):
        self.fetcher = fetcher
        self.peers = peers
        self.sizes = sizes or {}
        self.asked: list[tuple[str, int]] = []
        self.guilty: list[str] = []
        for name in peers:
            fetcher.on_peer(name, self.sizes.get(name, len(RAW)))

    def run(self, seconds: float, step: float = 0.5) -> float:
        """Returns when the result was there, or -1."""
        now = 0.0
        while now < seconds:
            requests = self.fetcher.tick(now)
            self.asked += requests
            now += step
            for name, piece in requests:
                data = self.peers[name](piece)
                if data is not None and name not in self.guilty:
                    self.fetcher.on_data(name, piece, self.sizes.get(name, len(RAW)), data)
                self.guilty += self.fetcher.take_guilty()
            if self.fetcher.result is not None:
                return now
        return -1.0


def test_one_peer_is_enough() -> None:
    fetcher = MetadataFetcher[str](V1)
    assert Swarm(fetcher, {"a": good}).run(5) == 0.5
    assert fetcher.result == RAW and fetcher.progress == (len(RAW), len(RAW)) and fetcher.reason == ""
    assert fetcher.tick(9.0) == []


def test_pieces_are_spread_over_the_peers() -> None:
    fetcher = MetadataFetcher[str](BOTH)
    swarm = Swarm(fetcher, {"a": good, "b": good, "c": good})
    swarm.run(5)
    assert fetcher.result == RAW
    assert sorted(swarm.asked) == [("a", 0), ("a", 3), ("b", 1), ("b", 4), ("c", 2), ("c", 5)]


def test_a_silent_peer_holds_nothing_up_for_long() -> None:
    fetcher = MetadataFetcher[str](V1)
    assert 0 < Swarm(fetcher, {"a": silent, "b": good}).run(30) <= 3


def test_a_late_answer_still_counts() -> None:
    fetcher = MetadataFetcher[str](V1)
    fetcher.on_peer("a", len(RAW))
    first = fetcher.tick(0.0)
    assert fetcher.tick(11.0) == [] and "do not send" in fetcher.reason
    for key, piece in first:
        fetcher.on_data(key, piece, len(RAW), good(piece) or b"")
    assert fetcher.result == RAW


def test_a_slow_peer_that_goes_on_sending_is_not_given_up() -> None:
    fetcher = MetadataFetcher[str](V1)
    fetcher.on_peer("a", len(RAW))
    requests = fetcher.tick(0.0)
    assert len(requests) == 6
    for n, (key, piece) in enumerate(requests):
        assert fetcher.tick(8.0 * (n + 1)) == []
        fetcher.on_data(key, piece, len(RAW), good(piece) or b"")
    assert fetcher.result == RAW


def test_a_rejecting_peer_is_asked_again_later() -> None:
    fetcher = MetadataFetcher[str](V1)
    fetcher.on_peer("a", len(RAW))
    for key, piece in fetcher.tick(0.0):
        fetcher.on_reject(key, piece)
    assert fetcher.tick(1.0) == []
    assert len(fetcher.tick(16.0)) == 6


def test_a_lone_liar_is_guilty_at_once() -> None:
    swarm = Swarm(MetadataFetcher[str](V1), {"liar": false})
    assert swarm.run(5) == -1 and swarm.guilty == ["liar"]
    assert not swarm.fetcher.on_peer("liar", len(RAW))


def test_among_many_the_liars_and_only_they_are_found() -> None:
    peers: dict[str, Answer] = {"a": good, "liar": false, "b": good, "liar2": false, "c": good}
    swarm = Swarm(MetadataFetcher[str](BOTH), peers)
    assert 0 < swarm.run(20) <= 5
    assert sorted(swarm.guilty) == ["liar", "liar2"]


def test_more_liars_than_honest_peers_only_delay() -> None:
    peers: dict[str, Answer] = {f"liar{n}": false for n in range(20)}
    peers["honest"] = good
    swarm = Swarm(MetadataFetcher[str](V1), peers)
    assert 0 < swarm.run(30) <= 10
    assert "honest" not in swarm.guilty
    assert max(swarm.asked.count((name, piece)) for name, piece in swarm.asked) <= 2


def test_false_sizes_do_not_stop_the_right_one() -> None:
    peers: dict[str, Answer] = {f"liar{n}": silent for n in range(12)} | {"honest": good}
    sizes = {f"liar{n}": 1000 + n // 3 for n in range(12)} | {"honest": len(RAW)}
    swarm = Swarm(MetadataFetcher[str](V1), peers, sizes)
    assert 0 < swarm.run(60) <= 15


def test_sizes_above_the_limit_are_not_fetched() -> None:
    fetcher = MetadataFetcher[str](V1, limit=1000)
    assert not fetcher.on_peer("a", 1001) and not fetcher.on_peer("b", 0)
    assert "METADATA_BYTES" in fetcher.reason


def test_unasked_or_contradicting_data_is_an_error() -> None:
    fetcher = MetadataFetcher[str](V1)
    fetcher.on_peer("a", len(RAW))
    with pytest.raises(RemoteError):
        fetcher.on_data("a", 0, len(RAW), RAW[:BLOCK])
    fetcher.tick(0.0)
    with pytest.raises(RemoteError):
        fetcher.on_data("a", 0, 5, b"hello")
    fetcher.on_data("a", 1, len(RAW), RAW[BLOCK : 2 * BLOCK])
    with pytest.raises(RemoteError):
        fetcher.on_data("a", 1, len(RAW), RAW[BLOCK : 2 * BLOCK])


def test_what_a_peer_sent_before_it_left_is_used() -> None:
    fetcher = MetadataFetcher[str](V1)
    fetcher.on_peer("a", len(RAW))
    requests = fetcher.tick(0.0)
    for key, piece in requests[:4]:
        fetcher.on_data(key, piece, len(RAW), good(piece) or b"")
    fetcher.on_peer_gone("a")
    assert fetcher.reason == "no connected peer has the metadata"
    fetcher.on_peer("b", len(RAW))
    assert sorted(fetcher.tick(1.0)) == [("b", 4), ("b", 5)]


def test_a_magnet_whose_hashes_disagree_blames_nobody() -> None:
    swarm = Swarm(MetadataFetcher[str](InfoHashes(v1=V1.v1, v2=bytes(32))), {"a": good})
    assert swarm.run(5) == -1 and swarm.guilty == [] and swarm.fetcher.conflict
    assert "different torrents" in swarm.fetcher.reason


@settings(max_examples=60, deadline=None)
@given(
    kinds=st.lists(st.sampled_from(["good", "false", "silent", "partly"]), min_size=1, max_size=12),
    honest=st.integers(0, 12),
)
def test_one_honest_peer_always_suffices_and_is_never_blamed(kinds: list[str], honest: int) -> None:
    def partly(piece: int) -> bytes | None:
        return false(piece) if piece == 2 else good(piece)

    answers: dict[str, Answer] = {"good": good, "false": false, "silent": silent, "partly": partly}
    kinds.insert(honest % (len(kinds) + 1), "good")
    swarm = Swarm(MetadataFetcher[str](V1), {f"{kind}{n}": answers[kind] for n, kind in enumerate(kinds)})
    assert swarm.run(400) > 0
    assert all(name.startswith(("false", "partly")) for name in swarm.guilty)


def test_the_server_gives_a_peer_its_share_and_then_rejects() -> None:
    server = MetadataServer[str](RAW)
    assert server.size == len(RAW)
    assert server.answer("a", 5, 0.0) == MetadataData(5, len(RAW), RAW[5 * BLOCK :])
    assert server.answer("a", 6, 0.0) == MetadataReject(6)
    served = sum(isinstance(server.answer("a", 0, 0.0), MetadataData) for _ in range(100))
    assert served == 3 * 6 + 64 - 1
    assert isinstance(server.answer("b", 0, 0.0), MetadataData)
    with pytest.raises(RemoteError):
        for _ in range(60):
            server.answer("a", 0, 0.0)
    assert isinstance(server.answer("a", 0, 601.0), MetadataData)
