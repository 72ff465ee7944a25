from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base.ids import Endpoint
from wildbach.protocol.proxy import ProxyError, Unreachable, socks
from wildbach.protocol.proxy.place import ANYWHERE, judge

GRANTED = b"\5\0\0\1\x0a\0\0\1\x04\x38"


def talk(tunnel: socks.Tunnel, *answers: bytes) -> list[bytes]:
    """What the tunnel says, where the proxy answers so, in pieces of what it wants at most."""
    said = [tunnel.begin()]
    for answer in answers:
        while answer:
            assert not tunnel.done and tunnel.wants > 0
            part, answer = answer[: tunnel.wants], answer[tunnel.wants :]
            if say := tunnel.received(part):
                said.append(say)
    return said


def connect(host: str = "25.1.2.3", port: int = 6881, user: str = "", password: str = "") -> socks.Tunnel:
    return socks.Tunnel(socks.CONNECT, judge(host, port), user, password)


@pytest.mark.parametrize(("host", "place"), [
    ("25.1.2.3", b"\1\x19\1\2\3"), ("2001:db8::1", b"\4\x20\1\x0d\xb8" + bytes(11) + b"\1"),
    ("t.example", b"\3\x09t.example"),
])
def test_an_address_or_a_name_is_asked_for_and_the_proxys_own_is_told(host: str, place: bytes) -> None:
    tunnel = connect(host)
    assert talk(tunnel, b"\5\0", GRANTED) == [b"\5\1\0", b"\5\1\0" + place + b"\x1a\xe1"]
    assert tunnel.done and tunnel.bound == Endpoint("10.0.0.1", 1080)


def test_user_and_password_are_given_where_the_proxy_asks_for_them() -> None:
    said = talk(connect(user="anna", password="ü"), b"\5\2", b"\1\0", GRANTED)
    assert said[:2] == [b"\5\2\0\2", b"\1\4anna\2\xc3\xbc"] and len(said) == 3
    assert len(talk(connect(user="anna"), b"\5\0", GRANTED)) == 2, "and are not where it does not"


@pytest.mark.parametrize(("answers", "code"), [
    ([b"HT"], "proxy_protocol"), ([b"\4\0"], "proxy_protocol"), ([b"\5\xff"], "proxy_login"),
    ([b"\5\2"], "proxy"), ([b"\5\1"], "proxy"), ([b"\5\0", b"\4\0\0\1\0"], "proxy_protocol"),
    ([b"\5\0", b"\5\0\0\2\0"], "proxy"), ([b"\5\0", b"\5\7\0\1\0"], "proxy"),
])
def test_what_is_wrong_with_the_proxy_is_a_proxy_error(answers: list[bytes], code: str) -> None:
    with pytest.raises(ProxyError) as caught:
        talk(connect(), *answers)
    assert caught.value.code == code


def test_a_password_that_is_refused_is_said() -> None:
    with pytest.raises(ProxyError, match="does not take") as caught:
        talk(connect(user="a", password="b"), b"\5\2", b"\1\1")
    assert caught.value.code == "proxy_login"


@pytest.mark.parametrize(
    ("reply", "code"), [(1, "unreachable"), (2, "unreachable"), (5, "refused"), (99, "unreachable")])
def test_what_is_wrong_behind_the_proxy_is_not_its_fault(reply: int, code: str) -> None:
    with pytest.raises(Unreachable) as caught:
        talk(connect(), b"\5\0", bytes([5, reply, 0, 1, 0]))
    assert caught.value.code == code


def test_a_proxy_without_datagrams_can_be_used_for_all_else() -> None:
    with pytest.raises(Unreachable, match="no datagrams"):
        talk(socks.Tunnel(socks.ASSOCIATE, ANYWHERE), b"\5\0", b"\5\7\0\1\0")


def test_the_proxys_answer_may_have_a_name() -> None:
    tunnel = connect()
    talk(tunnel, b"\5\0", b"\5\0\0\3\4host\0\1")
    assert tunnel.done and tunnel.bound == Endpoint("host", 1)


@pytest.mark.parametrize("remote", [Endpoint("1.2.3.4", 5), Endpoint("2001:db8::1", 65535)])
def test_what_is_wrapped_for_a_remote_reads_as_from_it(remote: Endpoint) -> None:
    data = socks.wrap(remote) + b"content"
    found = socks.unwrap(data)
    assert found is not None and found[0] == remote and data[found[1] :] == b"content"


@pytest.mark.parametrize("data", [
    b"", b"\0\0\1\1\1\2\3\4\0\5x", b"\0\0\0\3\4host\0\5x", b"\0\0\0\4" + bytes(17), b"\0\0\0\1\1\2\3\4\0",
    b"\0\0\0\1\1\2\3\4\0\0x",
])
def test_pieces_names_what_is_cut_short_and_what_has_no_port_are_not_taken(data: bytes) -> None:
    assert socks.unwrap(data) is None


@given(st.binary(max_size=600), st.booleans())
def test_whatever_a_proxy_says_there_is_an_end_and_only_our_errors(data: bytes, login: bool) -> None:
    tunnel = connect(user="a" if login else "")
    tunnel.begin()
    rest = data
    try:
        while rest and not tunnel.done:
            assert 0 < tunnel.wants <= 262
            part, rest = rest[: tunnel.wants], rest[tunnel.wants :]
            tunnel.received(part)
    except (ProxyError, Unreachable):
        return


@given(st.binary(max_size=100))
def test_any_datagram_is_read_or_passed_over(data: bytes) -> None:
    found = socks.unwrap(data)
    assert found is None or 10 <= found[1] <= len(data)
