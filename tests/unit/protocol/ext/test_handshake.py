import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base.errors import FormatError
from wildbach.protocol import bencode
from wildbach.protocol.ext import handshake
from wildbach.protocol.ext.handshake import Extension


def test_what_we_build_is_read_back() -> None:
    payload = handshake.build(
        client="wildbach 0.1", port=6881, reqq=2000, yourip="1.2.3.4", ipv4="5.6.7.8", ipv6="2600::1",
        metadata_size=31235, upload_only=True, complete_ago=7,
    )
    hello = handshake.parse(payload)
    assert hello.client == "wildbach 0.1" and hello.port == 6881 and hello.reqq == 2000
    assert (hello.yourip, hello.ipv4, hello.ipv6) == ("1.2.3.4", "5.6.7.8", "2600::1")
    assert hello.metadata_size == 31235 and hello.upload_only and hello.complete_ago == 7
    assert hello.id_of(Extension.UT_METADATA) == 2 and hello.id_of(Extension.LT_DONTHAVE) == 7


def test_the_example_of_bep_10_is_read() -> None:
    hello = handshake.parse("d1:md11:LT_metadatai1e6:µT_PEXi2ee1:pi6881e1:v13:µTorrent 1.2e".encode("latin-1").replace(
        b"6:\xb5", b"7:\xc2\xb5").replace(b"13:\xb5", b"13:\xc2\xb5"))
    assert hello.client == "µTorrent 1.2" and hello.port == 6881 and hello.ids[b"LT_metadata"] == 1
    assert hello.id_of(Extension.UT_PEX) == 0


def test_items_that_make_no_sense_are_ignored() -> None:
    payload = bencode.encode({
        b"m": {b"ut_pex": b"x", b"ut_metadata": 300, b"lt_donthave": -1, b"": 4, b"n" * 65: 5, b"upload_only": 3},
        b"p": 70000, b"reqq": 0, b"v": 7, b"yourip": b"abc", b"ipv4": bytes(16), b"ipv6": 5,
        b"metadata_size": -4, b"upload_only": b"yes", b"e": [], b"unknown": {b"a": [1]},
    })
    hello = handshake.parse(payload)
    assert hello == handshake.ExtHandshake(ids={b"upload_only": 3})


def test_reqq_is_bounded() -> None:
    assert handshake.parse(b"d4:reqqi99999999ee").reqq == 2000
    assert handshake.parse(b"de").reqq == 250


def test_a_client_name_is_made_printable_and_short() -> None:
    name = ("a\x00\n\u202eb" + "c" * 100).encode()
    assert handshake.parse(bencode.encode({b"v": name})).client == "ab" + "c" * 62


def test_a_later_handshake_adds_to_the_extensions() -> None:
    first = handshake.parse(bencode.encode({b"m": {b"ut_pex": 1, b"ut_metadata": 2}, b"v": b"X", b"metadata_size": 9}))
    later = first.updated(handshake.parse(bencode.encode({b"m": {b"ut_pex": 0, b"lt_donthave": 7}, b"upload_only": 1})))
    assert later.ids == {b"ut_pex": 0, b"ut_metadata": 2, b"lt_donthave": 7}
    assert later.client == "X" and later.metadata_size == 9 and later.upload_only


def test_extensions_are_bounded_however_often_a_peer_says_hello() -> None:
    hello = handshake.ExtHandshake()
    for start in range(0, 300, 50):
        names: dict[bytes, bencode.Value] = {b"x%d" % n: 1 for n in range(start, start + 50)}
        hello = hello.updated(handshake.parse(bencode.encode({b"m": names})))
    assert len(hello.ids) == 64


@pytest.mark.parametrize("payload", [b"", b"i1e", b"le", b"d", b"d1:mi1e", b"l" * 100, b"d" + b"1:al" * 40])
def test_what_is_no_dictionary_is_an_error(payload: bytes) -> None:
    with pytest.raises(FormatError):
        handshake.parse(payload)


def test_a_private_torrent_leaves_pex_out() -> None:
    hello = handshake.parse(handshake.build(extensions={b"ut_metadata": 2}))
    assert hello.id_of(Extension.UT_PEX) == 0 and hello.id_of(Extension.UT_METADATA) == 2


def test_messages_are_framed_with_the_peers_id() -> None:
    assert handshake.message(3, b"ab") == b"\0\0\0\x04\x14\x03ab"


def test_upload_only_is_one_byte() -> None:
    for on in (True, False):
        assert handshake.decode_upload_only(handshake.encode_upload_only(on)) is on
    with pytest.raises(FormatError):
        handshake.decode_upload_only(b"")


@given(st.binary(max_size=200))
def test_any_bytes_give_a_handshake_or_a_format_error(data: bytes) -> None:
    try:
        hello = handshake.parse(data)
    except FormatError:
        return
    assert 1 <= hello.reqq <= 2000 and 0 <= hello.port < 65536 and len(hello.ids) <= 64
