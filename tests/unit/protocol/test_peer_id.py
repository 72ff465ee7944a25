import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.protocol.peer_id import client_name, new_peer_id


def test_our_id_has_the_prefix_and_printable_rest() -> None:
    ours = new_peer_id(random.Random(1))
    assert len(ours) == 20 and ours.startswith(b"-WB0100-") and ours[8:].isalnum()
    assert ours != new_peer_id(random.Random(2))
    assert client_name(ours) == "wildbach 0.1"


@pytest.mark.parametrize(
    ("peer_id", "name"),
    [
        (b"-TR3000-abcdefghijkl", "Transmission 3.0"),
        (b"-TR410B-abcdefghijkl", "Transmission 4.1.0.11"),
        (b"-qB4520-abcdefghijkl", "qBittorrent 4.5.2"),
        (b"-LT20B0-abcdefghijkl", "libtorrent 2.0.11"),
        (b"A2-1-36-0-abcdefghij", "aria2 1.36.0"),
        (b"-ZZ1234-abcdefghijkl", "ZZ 1.2.3.4"),
        (b"M7-10-5--abcdefghijk", "BitTorrent 7.10.5"),
        (b"T03I-----abcdefghijk", "BitTornado 0.3.18"),
        (b"exbc\x00\x38abcdefghijklmn", "BitComet"),
        (bytes(20), ""),
        (b"", ""),
    ],
)
def test_known_forms_are_named(peer_id: bytes, name: str) -> None:
    assert client_name(peer_id) == name


@given(st.one_of(st.binary(max_size=24), st.binary(max_size=18).map(lambda tail: b"-" + tail)))
def test_any_id_gives_printable_text(peer_id: bytes) -> None:
    assert client_name(peer_id).isprintable()


def test_an_anonymous_id_names_no_client() -> None:
    made = new_peer_id(random.Random(1), anonymous=True)
    assert len(made) == 20
    assert made.isalnum()
    assert client_name(made) == ""
