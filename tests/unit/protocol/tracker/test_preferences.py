"""What TXT records say of trackers (BEP 34)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.published import published

from wildbach.base import limits
from wildbach.protocol.tracker.preferences import Place, directed, read


@pytest.mark.vector(34)
def test_the_examples_of_bep_34_hold() -> None:
    for text, places in published(34).items():
        assert read([text.encode()]) == tuple(Place(kind == "udp", port) for kind, port in places)


@pytest.mark.parametrize("texts", [
    [], [b""], [b"v=spf1 -all"], [b"bittorrent UDP:1"], [b"BITTORRENTS UDP:1"], [b" BITTORRENT UDP:1"],
])
def test_other_records_say_nothing(texts: list[bytes]) -> None:
    assert read(texts) is None


def test_words_that_are_not_known_are_passed_over() -> None:
    words = b"BITTORRENT  udp:1 UDP:0 UDP:65536 TCP:80 TCP:80 UDP:x UDP: QUIC:5 UDP:1337"
    assert read([b"x", words]) == (Place(False, 80), Place(True, 1337))
    many = b"BITTORRENT " + b" ".join(b"UDP:%d" % port for port in range(1, 500))
    assert len(read([many]) or ()) == limits.TRACKER_PLACES


@pytest.mark.parametrize(("url", "expected"), [
    ("http://t.example/announce?k=1", ["udp://t.example:7/announce?k=1", "http://t.example:8/announce?k=1"]),
    ("https://u:p@t.example:9/a", ["udp://u:p@t.example:7/a", "https://u:p@t.example:8/a"]),
    ("udp://t.example:80", ["udp://t.example:7", "http://t.example:8"]),
])
def test_a_url_is_directed_to_each_place(url: str, expected: list[str]) -> None:
    assert directed(url, (Place(True, 7), Place(False, 8))) == expected


@given(st.lists(st.binary(max_size=60) | st.text("BITTORRENT UDP:TCP0123 ", max_size=60).map(str.encode)))
def test_any_texts_are_read(texts: list[bytes]) -> None:
    for place in read(texts) or ():
        assert 0 < place.port < 65536
