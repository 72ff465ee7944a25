"""Magnet links and bare info hashes."""

from __future__ import annotations

import hashlib
from base64 import b32encode
from urllib.parse import quote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.oracle import libtorrent
from tests.published import published

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError
from wildbach.base.ids import InfoHashes
from wildbach.protocol.metainfo import Magnet, MutableLink
from wildbach.protocol.metainfo.magnet import is_mutable

V1 = bytes.fromhex("631a31dd0a46257d5078c0dee4e66e26f73e42ac")
V2 = bytes.fromhex("d8dd32ac93357c368556af3ac1d95c9d76bd0dff6fa9833ecdac3d53134efabb")


@pytest.mark.parametrize(
    ("text", "hashes"),
    [
        (V1.hex(), InfoHashes(V1)),
        (V1.hex().upper(), InfoHashes(V1)),
        (f"  {V1.hex()}\n", InfoHashes(V1)),
        (b32encode(V1).decode(), InfoHashes(V1)),
        (b32encode(V1).decode().lower(), InfoHashes(V1)),
        (V2.hex(), InfoHashes(v2=V2)),
        ("1220" + V2.hex(), InfoHashes(v2=V2)),
        (f"magnet:?xt=urn:btih:{V1.hex()}", InfoHashes(V1)),
        (f"MAGNET:?XT=URN:BTIH:{V1.hex().upper()}", InfoHashes(V1)),
        (f"magnet:?xt=urn:btih:{b32encode(V1).decode()}", InfoHashes(V1)),
        (f"magnet:?xt=urn%3Abtih%3A{V1.hex()}", InfoHashes(V1)),
        (f"magnet:?xt.1=urn:btih:{V1.hex()}&xt.2=urn:btmh:1220{V2.hex()}", InfoHashes(V1, V2)),
        (f"magnet:?xt=urn:btmh:1220{V2.hex()}", InfoHashes(v2=V2)),
        (f"magnet:?xt=urn:ed2k:00&xt=urn:btih:{V1.hex()}", InfoHashes(V1)),
        (f"magnet:?xt=urn:btih:{V1.hex()}&xt=urn:btih:{V1.hex()}", InfoHashes(V1)),
        (f"magnet:?xt=urn:btmh:1320{V2.hex()}&xt=urn:btih:{V1.hex()}", InfoHashes(V1)),
        (f"magnet:?xt=urn:btih:{V1.hex()[1:]}&xt=urn:btmh:1220{V2.hex()}", InfoHashes(v2=V2)),
    ],
)
def test_hashes_are_read_in_every_spelling(text: str, hashes: InfoHashes) -> None:
    assert Magnet.parse(text) == Magnet(hashes)


def test_a_hybrid_has_both_hashes() -> None:
    magnet = Magnet.parse(
        f"magnet:?xt=urn:btih:{V1.hex()}&xt=urn:btmh:1220{V2.hex()}&dn=bittorrent-v1-v2-hybrid-test"
    )
    assert magnet.hashes == InfoHashes(V1, V2)
    assert magnet.name == "bittorrent-v1-v2-hybrid-test"


@pytest.mark.vector(53)
def test_the_file_numbers_of_bep_53_are_read() -> None:
    for part, chosen in published(53).items():
        magnet = Magnet.parse(f"magnet:?xt=urn:btih:{V1.hex()}&dn=NAME&tr=TRACKER&{part}")
        assert [number for numbers in magnet.select for number in numbers] == chosen


def test_all_parts_are_read() -> None:
    magnet = Magnet.parse(
        f"magnet:?xt=urn:btih:{V1.hex()}&dn=a+b%20%C3%A4&tr=http%3A%2F%2Ft%2Fannounce%3Fk%3D1%2B2&tr.1=udp://u:80"
        "&ws=http://w/f%20g&x.pe=1.2.3.4:5&x.pe=[::1]:6&x.pe=host.example:7&so=0,2,4,6-8&xl=123&tr=udp://u:80&as=x"
    )
    assert magnet == Magnet(
        InfoHashes(V1), "a b ä", ("http://t/announce?k=1+2", "udp://u:80"), ("http://w/f%20g",),
        (("1.2.3.4", 5), ("::1", 6), ("host.example", 7)),
        (range(1), range(2, 3), range(4, 5), range(6, 9)), 123,
    )
    assert Magnet.parse(magnet.to_uri()) == magnet


def test_escaped_ampersands_of_web_pages_are_understood() -> None:
    assert Magnet.parse(f"magnet:?xt=urn:btih:{V1.hex()}&amp;dn=x").name == "x"


def test_odd_optional_parts_are_passed_over() -> None:
    magnet = Magnet.parse(
        f"magnet:?xt=urn:btih:{V1.hex()}&so=x,-1,5-2,3,9999999999,1-&xl=-5&tr=&tr=%00&ws=%20&x.pe=&x.pe=h:0&x.pe=h:99999"
        "&x.pe=[h]:1&x.pe=a%20b:1&dn=&&=&foo&so=7-7"
    )
    assert magnet == Magnet(InfoHashes(V1), select=(range(3, 4), range(7, 8)))


def test_a_name_cannot_steer_a_terminal() -> None:
    assert Magnet.parse(f"magnet:?xt=urn:btih:{V1.hex()}&dn=%1b[31m%E2%80%AEx%ff").name == "�[31m�x�"


@pytest.mark.parametrize(
    "text",
    [
        "", "magnet:", "magnet:?", "magnet:?dn=x", "magnet:?xt=", "magnet:?xt=urn:btih:", "http://x/", V1.hex()[:-1],
        f"magnet:?xt=urn:btih:{V1.hex()[:-1]}", f"magnet:?xt=urn:btih:{V1.hex()[:-1]}g",
        f"magnet:?xt=urn:btmh:{V2.hex()}", "\udc80" * 40, f"magnet:?xt=urn:btih:\udc80{V1.hex()[1:]}",
        f"magnet:?xt=urn:btmh:1320{V2.hex()}", f"magnet:?xt=urn:btih:{V2.hex()}", "1320" + V2.hex(),
        f"magnet:?xt=urn:btih:{V1.hex()}&xt=urn:btih:{'00' * 20}", f"magnet:?xt=urn:ed2k:{V1.hex()}",
        "magnet:?xt=urn:btih:" + "1" * 32, "²" * 40, "magnet:?xt=urn:btih:" + "０" * 40, "zz" * 20,
    ],
)
def test_a_link_without_a_valid_hash_is_refused(text: str) -> None:
    with pytest.raises(FormatError, match="magnet"):
        Magnet.parse(text)


def test_length_is_bounded() -> None:
    with pytest.raises(LimitError, match="MAGNET_BYTES"):
        Magnet.parse(f"magnet:?xt=urn:btih:{V1.hex()}&dn=" + "x" * limits.MAGNET_BYTES)
    many = "".join(f"&tr=udp://{i}" for i in range(3000))
    assert len(Magnet.parse(f"magnet:?xt=urn:btih:{V1.hex()}{many}").trackers) == limits.TRACKERS_PER_TORRENT


NAMES = st.text(st.characters(blacklist_categories=["Cc", "Cs", "Cf", "Zl", "Zp"]), max_size=30)
URLS = st.text("abc:/?=&+%äß#", min_size=1, max_size=20)


@given(
    st.builds(
        Magnet,
        hashes=st.builds(
            InfoHashes, st.binary(min_size=20, max_size=20), st.none() | st.binary(min_size=32, max_size=32)
        ),
        name=NAMES,
        trackers=st.lists(URLS, unique=True, max_size=3).map(tuple),
        web_seeds=st.lists(URLS, unique=True, max_size=3).map(tuple),
        peers=st.lists(st.tuples(st.sampled_from(["::1", "1.2.3.4", "a.example"]), st.integers(1, 65535)), unique=True,
                       max_size=3).map(tuple),
        select=st.lists(st.builds(lambda a, n: range(a, a + n), st.integers(0, 999), st.integers(1, 99))).map(tuple),
        length=st.none() | st.integers(0, 10**14),
    )
)
def test_every_magnet_survives_the_round_trip(magnet: Magnet) -> None:
    assert Magnet.parse(magnet.to_uri()) == magnet


# What libtorrent makes of links


Facts = dict[str, object]


def ours(text: str) -> Facts | None:
    """What we read from a link, in the terms in which libtorrent tells it; None for a refusal."""
    try:
        magnet = Magnet.parse(text)
    except FormatError:
        return None
    return {
        "v1": magnet.hashes.v1, "v2": magnet.hashes.v2, "name": magnet.name, "trackers": set(magnet.trackers),
        "web_seeds": set(magnet.web_seeds), "peers": {p for p in magnet.peers if ":" in p[0] or p[0][0].isdigit()},
        "files": {number for numbers in magnet.select for number in numbers},
    }


def theirs(text: str) -> Facts | None:
    try:
        params = libtorrent.parse_magnet_uri(text)
    except RuntimeError:
        return None
    hashes = params.info_hashes
    return {
        "v1": hashes.v1.to_bytes() if hashes.has_v1() else None,
        "v2": hashes.v2.to_bytes() if hashes.has_v2() else None, "name": params.name,
        "trackers": set(params.trackers), "web_seeds": set(params.url_seeds), "peers": set(params.peers),
        "files": {i for i, priority in enumerate(params.file_priorities) if priority},
    }


# Not among them, as libtorrent differs for no good reason: it reads nothing behind an empty part or one without `=`,
# takes the brackets of an `x.pe` only as they are, and refuses a link with a good and a bad hash.
PART = st.one_of(
    st.builds("xt=urn:btih:{}".format, st.sampled_from([V1.hex(), V1.hex().upper(), b32encode(V1).decode()])),
    st.just(f"xt=urn:btmh:1220{V2.hex()}"),
    st.just(f"xt.1=urn:btih:{V1.hex()}"), st.just("xt=urn:ed2k:31d6cfe0d16ae931b73c59d7e0c089c0"),
    st.builds("dn={}".format, st.text("ab +%ä&=", max_size=8).map(lambda text: quote(text, safe=""))),
    st.builds("tr={}".format, st.sampled_from(["http://a.example/announce", "udp://b.example:80"]).map(
        lambda url: quote(url, safe=""))),
    st.builds("tr.{}={}".format, st.integers(1, 9), st.just("http%3A%2F%2Fc.example%2Fannounce")),
    st.just("ws=http%3A%2F%2Fw.example%2Ff"), st.just("xl=12345"), st.just("x.unknown=1"),
    st.builds("x.pe={}:{}".format, st.sampled_from(["1.2.3.4", "[2001:db8::1]", "[::1]", "host.example"]),
              st.integers(1, 65535)),
    st.builds("so={}".format, st.lists(
        st.integers(0, 30).map(str) | st.builds(lambda a, n: f"{a}-{a + n}", st.integers(0, 30), st.integers(0, 9)),
        min_size=1, max_size=3).map(",".join)),
)
PARTS = st.lists(PART, max_size=8, unique_by=lambda part: part if not part.startswith("dn=") else "dn")


@pytest.mark.foreign("libtorrent")
@given(PARTS)
def test_libtorrent_reads_generated_links_alike(parts: list[str]) -> None:
    text = "magnet:?" + "&".join(parts)
    assert theirs(text) == ours(text)


@pytest.mark.foreign("libtorrent")
@given(PARTS)
def test_a_link_that_libtorrent_writes_says_the_same_to_us(parts: list[str]) -> None:
    text = "magnet:?" + "&".join(parts)
    facts = theirs(text)
    assume(facts is not None)
    params = libtorrent.parse_magnet_uri(text)
    if all(params.file_priorities):
        facts["files"] = set()  # it writes nothing where all files that it knows of are wanted
    assert ours(libtorrent.make_magnet_uri(params)) == facts


@pytest.mark.foreign("libtorrent")
@given(PARTS)
def test_libtorrent_reads_the_same_from_the_link_we_write(parts: list[str]) -> None:
    text = "magnet:?" + "&".join(parts)
    facts = theirs(text)
    assume(facts is not None)
    assert theirs(Magnet.parse(text).to_uri()) == facts


@given(st.text(max_size=80) | st.text("magnet:?xt=urn:btih&so0123456789-,%", max_size=80).map("magnet:?xt=".__add__))
def test_only_format_errors_come_out(text: str) -> None:
    try:
        Magnet.parse(text)
    except FormatError:
        return


# links to mutable torrents (BEP 46)

KEY = bytes(range(32))


@pytest.mark.vector(46)
def test_the_links_of_bep_46_are_read_and_lead_to_its_targets() -> None:
    values = published(46)
    for text, told in values["links"].items():
        assert is_mutable(text)
        link = MutableLink.parse(text)
        assert (link.public_key.hex(), link.salt.hex()) == (values["public_key"], told["salt"])
        assert hashlib.sha1(link.public_key + link.salt, usedforsecurity=False).hexdigest() == told["target"]
        assert link.to_uri() == text


def test_a_mutable_link_may_name_trackers_peers_and_the_torrent_of_today() -> None:
    first = Magnet(InfoHashes(V1, V2), "a b", ("http://t/announce",), peers=(("::1", 6),))
    link = MutableLink(KEY, b"\0salt", "a b", ("http://t/announce",), (("::1", 6),), first, V2)
    assert MutableLink.parse(link.to_uri()) == link
    assert MutableLink.parse(f"magnet:?s=&xs=URN:BTPK:{KEY.hex().upper()}&xs=http://x/") == MutableLink(KEY)


@pytest.mark.parametrize("text", [
    "magnet:?xs=urn:btpk:00", f"magnet:?xt=urn:btih:{V1.hex()}", KEY.hex(), f"magnet:?xs=urn:btpk:{KEY.hex()[1:]}g",
    f"magnet:?xs=urn:btpk:{KEY.hex()}&s=6", f"magnet:?xs=urn:btpk:{KEY.hex()}&s=zz",
    f"magnet:?xs=urn:btpk:{KEY.hex()}&s={'00' * 65}", f"magnet:?xs=urn:btpk:{KEY.hex()}&xs=urn:btpk:{'00' * 32}",
    f"magnet:?xs=urn:btpk:{KEY.hex()}&xt=urn:btih:00", f"magnet:?xs=urn:btpk:{KEY.hex()}&rk=00",
    f"magnet:?xs=urn:btpk:{KEY.hex()}&rk={'0g' * 32}",
])
def test_what_is_no_mutable_link_is_refused(text: str) -> None:
    with pytest.raises(FormatError):
        MutableLink.parse(text)


def test_a_link_to_a_torrent_is_not_mutable_and_a_mutable_one_is_no_torrent() -> None:
    assert not is_mutable(f"magnet:?xt=urn:btih:{V1.hex()}") and not is_mutable(V1.hex())
    with pytest.raises(FormatError, match="no BitTorrent info hash"):
        Magnet.parse(f"magnet:?xs=urn:btpk:{KEY.hex()}")


@given(st.text(st.sampled_from("magnet:?xsturnbpkdh=&%0123456789abcdef.-"), max_size=200))
def test_no_text_breaks_the_reader_of_mutable_links(rest: str) -> None:
    text = f"magnet:?xs=urn:btpk:{KEY.hex()}&{rest}"
    assert is_mutable(text)
    try:
        link = MutableLink.parse(text)
    except FormatError:
        return
    assert MutableLink.parse(link.to_uri()).salt == link.salt
