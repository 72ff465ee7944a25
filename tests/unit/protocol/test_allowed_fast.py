import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.published import published

from wildbach.protocol.allowed_fast import allowed_fast

HASH = b"\xaa" * 20


@pytest.mark.vector(6)
def test_the_vectors_of_bep_6_hold() -> None:
    given_ = published(6)
    for pieces in given_["sets"]:
        chosen = allowed_fast(given_["ip"], bytes.fromhex(given_["info_hash"]), given_["pieces"], len(pieces))
        assert list(chosen) == pieces


def test_one_network_gets_one_set() -> None:
    assert allowed_fast("80.4.4.1", HASH, 1313) == allowed_fast("::ffff:80.4.4.200", HASH, 1313)
    assert allowed_fast("2001:db8:1:2::1", HASH, 1313) == allowed_fast("2001:db8:1:3::9%eth0", HASH, 1313)
    assert allowed_fast("80.4.5.1", HASH, 1313) != allowed_fast("80.4.4.1", HASH, 1313)


def test_a_torrent_of_few_pieces_gives_all_of_them() -> None:
    assert allowed_fast("80.4.4.1", HASH, 0) == ()
    assert allowed_fast("80.4.4.1", HASH, 3) == (0, 1, 2)


@given(st.ip_addresses(), st.integers(1, 2000), st.integers(0, 12))
def test_pieces_are_distinct_and_of_the_torrent(host: object, pieces: int, count: int) -> None:
    chosen = allowed_fast(str(host), HASH, pieces, count)
    assert len(set(chosen)) == len(chosen) == min(pieces, count)
    assert all(0 <= piece < pieces for piece in chosen)
