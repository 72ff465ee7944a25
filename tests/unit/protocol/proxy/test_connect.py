from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base import limits
from wildbach.protocol.proxy import ProxyError, Unreachable
from wildbach.protocol.proxy.connect import Tunnel
from wildbach.protocol.proxy.place import judge


def hear(tunnel: Tunnel, answer: bytes) -> bytes:
    """What is left of an answer when the tunnel has taken what it wants."""
    while answer and not tunnel.done:
        assert tunnel.wants > 0
        part, answer = answer[: tunnel.wants], answer[tunnel.wants :]
        assert tunnel.received(part) == b""
    return answer


def test_a_place_is_asked_for_with_the_password_where_there_is_one() -> None:
    said = Tunnel(judge("2001:db8::1", 80)).begin()
    assert said == b"CONNECT [2001:db8::1]:80 HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n"
    assert b"\r\nProxy-Authorization: Basic YW5uYTrDvA==\r\n" in Tunnel(judge("t.example", 1), "anna", "ü").begin()


@pytest.mark.parametrize("head", [
    b"HTTP/1.1 200 Connection established\r\n\r\n", b"HTTP/1.0 200\r\n\r\n",
    b"HTTP/1.1 204 x\r\nVia: \r\r\nA: b\r\n\r\n",
])
def test_nothing_behind_the_head_is_taken(head: bytes) -> None:
    tunnel = Tunnel(judge("h", 1))
    assert hear(tunnel, head + b"\r\n\r\nfrom the far end") == b"\r\n\r\nfrom the far end"
    assert tunnel.done


@pytest.mark.parametrize(("answer", "error", "code"), [
    (b"HTTP/1.1 407 Who are you\r\n\r\n", ProxyError, "proxy_login"),
    (b"HTTP/1.0 401 Unauthorized\r\n\r\n", ProxyError, "proxy_login"),
    (b"HTTP/1.1 403 No\r\n\r\n", Unreachable, "unreachable"), (b"HTTP/1.1 502 No\r\n\r\n", Unreachable, "unreachable"),
    (b"SSH-2.0-OpenSSH\r\n", ProxyError, "proxy_protocol"), (b"\5\0\0\0", ProxyError, "proxy_protocol"),
    (b"HTTP/1.1 abc\r\n\r\n", ProxyError, "proxy_protocol"), (b"HTTP/1.1 2000\r\n\r\n", ProxyError, "proxy_protocol"),
    (b"HTTP/1.1 200 " + b"x" * limits.PROXY_HEAD_BYTES, ProxyError, "proxy"),
])
def test_other_answers_are_errors_that_say_whose_fault_it_is(answer: bytes, error: type[Exception], code: str) -> None:
    with pytest.raises(error) as caught:
        hear(Tunnel(judge("h", 1)), answer)
    assert caught.value.code == code  # type: ignore[attr-defined]  # both kinds have one


@given(st.binary(max_size=300), st.sampled_from([b"", b"HTTP/1.1 ", b"HTTP/1.1 200 ok\r\n"]))
def test_whatever_a_proxy_says_only_our_errors_come_out(data: bytes, head: bytes) -> None:
    try:
        hear(Tunnel(judge("h", 1)), head + data)
    except (ProxyError, Unreachable):
        return
