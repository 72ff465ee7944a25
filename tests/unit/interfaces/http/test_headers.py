"""Headers of anybody: what is read, and that nothing of it breaks anything."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base.addresses import networks
from wildbach.interfaces.http import headers
from wildbach.interfaces.http.gate import is_ours
from wildbach.interfaces.http.headers import Place

ANY = st.text(max_size=200)
PIECES = st.lists(st.sampled_from(
    [*';=,:[]/@. %"\\\0', "127.0.0.1", "::1", "http", "://", "SID", "Basic", "é"])).map("".join)


@pytest.mark.parametrize(("text", "found"), [
    ("Example.ORG", Place("example.org", None)), ("example.org.:80", Place("example.org", 80)),
    ("[::1]:8080", Place("::1", 8080)), ("[::ffff:1.2.3.4]", Place("1.2.3.4", None)), ("my_nas", Place("my_nas", None)),
    ("", None), ("a:", None), ("a:0", None), ("a:65536", None), ("a:80:80", None), ("[::1", None), ("[1.2.3.4]", None),
    ("[::1]x", None), ("a b", None), ("a/b", None), ("-a", None), ("a..", None), ("ä", None), ("a:²", None),
    ("[fe80::1%25eth0]", None),
])
def test_hosts_are_names_or_addresses_with_a_port(text: str, found: Place | None) -> None:
    assert headers.place(text) == found


@pytest.mark.parametrize(("origin", "own", "same"), [
    ("http://a:8080", "a:8080", True), ("https://a", "a", True), ("http://a:80", "a", True),
    ("https://a", "a:443", True), ("https://a", "a:80", False), ("http://a", "b", False), ("null", "a", False),
    ("http://a@b", "b", False), ("ftp://a", "a", False), ("//a", "a", False), ("http://a.b", "b", False),
    ("http://[::1]:8080", "[::1]:8080", True), ("http://[::1", "a", False), ("", "a", False),
])
def test_an_origin_is_ours_by_host_and_port(origin: str, own: str, same: bool) -> None:
    at = headers.place(own)
    assert at is not None
    assert headers.is_own(origin, at) is same


def test_cookies_are_read_leniently_and_the_first_counts() -> None:
    assert headers.cookies('SID=a; HttpOnly; path=/; SID=b; x="y"; =z; q') == {"SID": "a", "path": "/", "x": "y"}


def test_basic_and_bearer() -> None:
    packed = base64.b64encode("ü:a:b".encode()).decode()
    assert headers.basic(f"basic {packed}") == ("ü", "a:b")
    assert headers.basic("Basic " + base64.b64encode(b"nothing").decode()) is None
    assert headers.basic("Basic !!") is None
    assert headers.basic("Basic " + base64.b64encode(b"\xff:\xff").decode()) is None
    assert headers.bearer("BEARER  x ") == "x"
    assert headers.bearer("Basic x") == ""


@pytest.mark.parametrize(("text", "found"), [
    ("1.2.3.4", "1.2.3.4"), ("6.6.6.6, 1.2.3.4, 10.0.0.1, 10.0.0.2", "1.2.3.4"), ("10.0.0.1", ""), ("", ""),
    ("1.2.3.4, unknown", ""), ("[2001:db8::1]:99", "2001:db8::1"), ("2001:db8::1", "2001:db8::1"),
    ("1.2.3.4:5678", "1.2.3.4"),
])
def test_the_caller_is_the_last_that_is_no_trusted_proxy(text: str, found: str) -> None:
    assert headers.caller(text, networks(["10.0.0.0/8"])) == found


@given(ANY | PIECES)
def test_nothing_that_is_sent_breaks_anything(text: str) -> None:
    at = headers.place(text)
    if at is not None:
        assert headers.place(f"[{at.host}]" if ":" in at.host else at.host) == Place(at.host, None)
        assert not is_ours(at.host, ()) or at.host == "localhost" or at.host[-1].isdigit() or ":" in at.host
    headers.is_own(text, Place("localhost", 80))
    headers.is_extension(text)
    headers.cookies(text)
    headers.basic(text)
    headers.bearer(text)
    headers.caller(text, networks(["10.0.0.0/8"]))
    headers.last(text)


@given(st.text(max_size=30).filter(lambda text: ":" not in text), st.text(max_size=30))
def test_credentials_are_read_as_they_were_meant(user: str, password: str) -> None:
    packed = base64.b64encode(f"{user}:{password}".encode()).decode()
    assert headers.basic(f"Basic {packed}") == (user, password)
