from __future__ import annotations

import os

import pytest

from wildbach.base.errors import UsageError
from wildbach.interfaces.cli.wishes import Wishes, variable_warnings


def test_flags_become_settings() -> None:
    settings = Wishes(
        listen=("127.0.0.1:0,[::1]:7", ":8-9"), limit_down=5,
        settings_given=("peers.anonymous=true", "peers.upload_slots=3"),
    ).settings()
    assert settings.connections.listen == ("127.0.0.1:0", "[::1]:7", ":8-9")
    assert (settings.rates.down, settings.rates.up, settings.rates.limit_local) == (5, 0, True)
    assert settings.peers.anonymous and settings.peers.upload_slots == 3


def test_flags_beat_the_environment_and_that_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    default = Wishes().settings()
    monkeypatch.setenv("WILDBACH_PEERS_UPLOAD_SLOTS", "2")
    monkeypatch.setenv("WILDBACH_RATES_DOWN", "9")
    settings = Wishes(limit_down=7).settings()
    assert settings.peers.upload_slots == 2 != default.peers.upload_slots
    assert settings.rates.down == 7


@pytest.mark.parametrize("word", ["peers.anonymous", "no.such=1", "peers.upload_slots=many", "peers.upload_slots=-1"])
def test_a_wrong_setting_is_a_usage_error_that_names_it(word: str) -> None:
    with pytest.raises(UsageError, match=word.split("=")[0]):
        Wishes(settings_given=(word,)).settings()


def test_a_list_that_is_given_twice_is_one_list() -> None:
    settings = Wishes(
        ip_filter=("a,b.p2p",), settings_given=("filter.sources=c", "filter.sources=d,e", "rates.up=1", "rates.up=2"),
    ).settings()
    assert settings.filter.sources == ("a,b.p2p", "c", "d", "e"), "--ip-filter takes a name with a comma"
    assert settings.rates.up == 2


@pytest.mark.parametrize(("wishes", "variable", "start"), [
    (Wishes(proxy="foo"), "", "network.proxy (--proxy): a proxy is socks5://HOST:PORT"),
    (Wishes(), "NETWORK_PROXY=foo", "network.proxy ($WILDBACH_NETWORK_PROXY): a proxy is socks5://HOST:PORT"),
    (Wishes(proxy="foo"), "NETWORK_PROXY=bar", "network.proxy (--proxy): "),
    (Wishes(), "RATES_DOWN=fast", "rates.down ($WILDBACH_RATES_DOWN): 'fast' is no number of bytes: write 700K"),
    (Wishes(settings_given=("connections.most=0",)), "", "connections.most (--set): 0 is below the minimum 1"),
    (Wishes(settings_given=("network.call_ports=9-1",)), "", "network.call_ports (--set): '9-1' is not FIRST-LAST"),
    (Wishes(listen=("6881",)), "", "connections.listen (--listen): '6881' is neither HOST:PORT nor HOST:FIRST-LAST"),
    (Wishes(listen=("2001:db8::1:6881",)), "", "connections.listen (--listen): '2001:db8::1:6881': put an IPv6"),
    (Wishes(interface="a b"), "", "network.interface (--interface): 'a b' is no name"),
])
def test_a_bad_value_names_its_key_where_it_comes_from_and_what_is_allowed(
    wishes: Wishes, variable: str, start: str, monkeypatch: pytest.MonkeyPatch,
) -> None:
    if variable:
        name, _, value = variable.partition("=")
        monkeypatch.setenv(f"WILDBACH_{name}", value)
    with pytest.raises(UsageError) as caught:
        wishes.settings()
    assert str(caught.value).startswith(start)


@pytest.mark.parametrize(("wishes", "variable"), [
    (Wishes(interface=""), ""), (Wishes(proxy=" "), ""), (Wishes(ip_filter=("",)), ""),
    (Wishes(settings_given=("filter.sources=,",)), ""), (Wishes(settings_given=("network.proxy=",)), ""),
    (Wishes(), "NETWORK_INTERFACE"), (Wishes(), "NETWORK_PROXY"), (Wishes(), "FILTER_SOURCES"),
])
def test_what_protects_cannot_be_switched_off_by_an_empty_value(
    wishes: Wishes, variable: str, monkeypatch: pytest.MonkeyPatch,
) -> None:
    if variable:
        monkeypatch.setenv(f"WILDBACH_{variable}", "")
    with pytest.raises(UsageError, match="empty"):
        wishes.settings()


def test_variables_that_are_no_settings_are_named_with_what_may_be_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("WILDBACH_")]:
        monkeypatch.delenv(name)  # what the tests themselves are told
    for name in ("WILDBACH_STATE", "WILDBACH_DEBUG", "WILDBACH_RATES_UP", "WILDBACH_NETWORK_PROXI", "WILDBACH_QQQQQ"):
        monkeypatch.setenv(name, "1")
    assert variable_warnings() == [
        "$WILDBACH_NETWORK_PROXI is no setting, and does nothing; did you mean WILDBACH_NETWORK_PROXY?",
        "$WILDBACH_QQQQQ is no setting, and does nothing",
    ]
