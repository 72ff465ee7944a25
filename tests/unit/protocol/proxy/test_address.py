from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base.errors import UsageError
from wildbach.protocol.proxy import ProxyAddress, parse


@pytest.mark.parametrize(("url", "address"), [
    ("socks5://10.0.0.1", ProxyAddress("socks5", "10.0.0.1", 1080)),
    ("SOCKS5H://proxy.example:9050/", ProxyAddress("socks5", "proxy.example", 9050)),
    ("http://[fd00::1]:3128", ProxyAddress("http", "fd00::1", 3128)),
    ("http://proxy.example", ProxyAddress("http", "proxy.example", 8080)),
    ("socks5://an%40na:se%2Fcr%3Aet@h:1", ProxyAddress("socks5", "h", 1, "an@na", "se/cr:et")),
])
def test_a_url_says_what_a_proxy_speaks_and_where_it_is(url: str, address: ProxyAddress) -> None:
    assert parse(url) == address


@pytest.mark.parametrize("url", [
    "", "proxy.example:1080", "ftp://h:1", "socks4://h:1", "socks5://", "socks5://:1080", "socks5://h:0", "socks5://h:x",
    "socks5://h:70000", "socks5://h/path", "socks5://h?a=b", "socks5://h#x", "socks5://a%0d%0ab:c@h", "http://a%3Ab:c@h",
    "socks5://[::1", f"socks5://{'a' * 256}", f"socks5://{'a' * 256}:b@h", "http://h\r\nx:1", "socks5://münchen.example:1",
    "socks5://127.1", "socks5://a..b", "socks5://[fe80::1%25eth0]:1", f"http://{'a' * 64}.example",
])
def test_what_is_no_proxy_is_a_usage_error(url: str) -> None:
    with pytest.raises(UsageError):
        parse(url)


def test_a_password_is_shown_nowhere() -> None:
    address = parse("socks5://anna:secret@[::1]:1")
    assert str(address) == "socks5://[::1]:1" and "secret" not in repr(address)


@given(st.text(max_size=80))
def test_only_usage_errors_come_out(text: str) -> None:
    for url in (text, f"socks5://{text}", f"http://{text}:80"):
        try:
            parse(url)
        except UsageError:
            continue
