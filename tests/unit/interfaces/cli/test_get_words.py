from __future__ import annotations

import pytest

from wildbach.interfaces.cli.get import _shown


@pytest.mark.parametrize(("word", "shown"), [
    ("socks5://anna:se%2Fcret@h:1", "socks5://USER:PASSWORD@h:1"), ("--proxy=http://a:b@h", "--proxy=http://USER:PASSWORD@h"),
    ("network.proxy=socks5://a:b@c@h:1", "network.proxy=socks5://USER:PASSWORD@h:1"), ("socks5://h:1", "socks5://h:1"),
    ("magnet:?xt=urn:btih:00&tr=http://t/a@b", "magnet:?xt=urn:btih:00&tr=http://t/a@b"), ("-o", "-o"),
])
def test_the_line_to_go_on_with_does_not_tell_a_proxys_password(word: str, shown: str) -> None:
    assert _shown([word]) == [shown]
