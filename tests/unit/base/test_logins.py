from __future__ import annotations

import pytest

from wildbach.base.logins import hide_logins


@pytest.mark.parametrize(("words", "shown"), [
    ("socks5://anna:se%2Fcret@h:1", "socks5://USER:PASSWORD@h:1"), ("--proxy=http://a:b@h", "--proxy=http://USER:PASSWORD@h"),
    ("network.proxy=socks5://a:b@c@h:1", "network.proxy=socks5://USER:PASSWORD@h:1"), ("socks5://h:1", "socks5://h:1"),
    ("magnet:?xt=urn:btih:00&tr=http://t/a@b", "magnet:?xt=urn:btih:00&tr=http://t/a@b"), ("-o", "-o"),
    ("a.p2p,https://a:b@h/x,https://c:d@h/y", "a.p2p,https://USER:PASSWORD@h/x,https://USER:PASSWORD@h/y"),
    ("http://t.example?mail=a@b", "http://t.example?mail=a@b"),
])
def test_what_is_shown_has_no_passwords(words: str, shown: str) -> None:
    assert hide_logins(words) == shown
