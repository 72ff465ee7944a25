from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base import hostnames
from wildbach.base.addresses import Reach

LONGEST = ".".join(["a" * 63] * 3 + ["b" * 61])


@pytest.mark.parametrize(("text", "name"), [
    ("tracker.example", "tracker.example"), ("Tracker.EXAMPLE.", "tracker.example"), ("nas", "nas"),
    ("_sip._udp.example", "_sip._udp.example"), ("xn--mnchen-3ya.example", "xn--mnchen-3ya.example"),
    ("1.2.3.4.example", "1.2.3.4.example"), ("4u", "4u"), (LONGEST, LONGEST), (f"{LONGEST}.", LONGEST),
])
def test_a_name_has_one_spelling(text: str, name: str) -> None:
    assert hostnames.parse(text) == name == hostnames.parse(name)


@pytest.mark.parametrize("text", [
    "", ".", "..", "a..b", ".a", "a..", "a b", " a", "a\r\nHost: b", "a\0", "a\x7f", "a\t", "a/b", "a@b", "a:80",
    "a%zone", "[::1]", "::1", "fe80::1%eth0", "1.2.3.4", "127.1", "127.0.0.1.", "2130706433", "0x7f000001", "0x7f.1",
    "a.0x", "a.1", "münchen.example", "\u212a.example", "a\u3002example", "\u0131", "a" * 64, f"a.{'b' * 64}",
    f"a{LONGEST}", "a" * 10_000,
    "*.example", "a,b", "a;b", "a\\b", "a?b", "a#b",
])
def test_what_programs_read_differently_is_no_name(text: str) -> None:
    assert hostnames.parse(text) is None


@pytest.mark.parametrize(("name", "reach"), [
    ("localhost", Reach.LOCAL), ("LocalHost.", Reach.LOCAL), ("a.b.localhost", Reach.LOCAL),
    ("localhost.localdomain", Reach.LOCAL), ("ip6-localhost", Reach.LOCAL), ("nas", Reach.PRIVATE),
    ("nas.localdomain", Reach.PRIVATE), ("notlocalhost", Reach.PRIVATE), ("nothome.example", Reach.GLOBAL),
    ("home.example", Reach.GLOBAL), ("localhost.example", Reach.GLOBAL), ("local.org", Reach.GLOBAL),
    *((f"nas.{zone}", Reach.PRIVATE) for zone in (
        "local", "lan", "home", "home.arpa", "internal", "corp", "intranet", "private", "LAN", "local.")),
])
def test_a_name_tells_how_near_its_host_is(name: str, reach: Reach) -> None:
    assert hostnames.reach(name) is reach


@given(st.one_of(st.text(max_size=300), st.from_regex(r"[A-Za-z0-9_.-]{0,70}\.?", fullmatch=True)))
def test_any_text_is_a_plain_name_or_none(text: str) -> None:
    name = hostnames.parse(text)
    if name is None:
        return
    assert re.fullmatch(r"[a-z0-9_.-]{1,253}", name) and hostnames.parse(name) == name
    assert all(0 < len(label) <= 63 for label in name.split(".")) and name == text.lower().removesuffix(".")
    assert hostnames.reach(name) is hostnames.reach(text)
