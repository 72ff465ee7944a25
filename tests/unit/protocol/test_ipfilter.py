"""Lists of blocked addresses: what each form says, and who is in them."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError
from wildbach.protocol.ipfilter import Ranges, parse

P2B = b"\xff\xff\xff\xffP2B"


def blocked(data: bytes, *hosts: str) -> list[str]:
    ranges = parse(data).ranges
    return [host for host in hosts if ranges.blocks(host)]


def raw(host: str) -> bytes:
    return IPv4Address(host).packed


def test_a_line_of_emule_is_a_range_a_level_and_remarks() -> None:
    data = (
        b"# a remark\r\n"
        b"001.009.096.105 - 001.009.096.110 , 000 , Some organization\r\n"
        b"// 4.4.4.4 - 4.4.4.4 , 000 , another remark\r\n"
        b"  2.2.2.2-2.2.2.3,127,with: colons, and: 3.3.3.3-3.3.3.3\r\n"
        b"5.5.5.5 - 5.5.5.5 , 128 , let through\r\n"
        b"6.6.6.6 - 6.6.6.6 , 50000 , let through\r\n"
        b"7.7.7.7 - 7.7.7.7 , 100"
    )
    found = parse(data)
    assert (found.bad, len(found.ranges), found.ranges.addresses4, found.ranges.addresses6) == (0, 3, 9, 0)
    inside = ["1.9.96.105", "1.9.96.110", "2.2.2.3", "7.7.7.7"]
    outside = ["1.9.96.104", "1.9.96.111", "3.3.3.3", "4.4.4.4", "5.5.5.5"]
    assert blocked(data, *inside, *outside) == inside


def test_zeros_in_front_do_not_make_an_octet_octal() -> None:
    assert blocked(b"010.000.000.064 - 010.000.000.064 , 0 , x", "10.0.0.64", "8.0.0.52") == ["10.0.0.64"]


def test_a_name_before_a_range_ends_with_the_last_colon() -> None:
    data = "Some: name: 1.2.3.4-1.2.3.5\nplain:2.2.2.2-2.2.2.2\nüml:3.3.3.3 - 3.3.3.3\n# no:4.4.4.4-4.4.4.4\n"
    for text in (data.encode(), data.encode("latin-1")):
        assert parse(text).bad == 0
        assert blocked(text, "1.2.3.4", "1.2.3.5", "2.2.2.2", "3.3.3.3", "4.4.4.4") == [
            "1.2.3.4", "1.2.3.5", "2.2.2.2", "3.3.3.3"]


def test_a_name_may_stand_before_a_range_of_ipv6_too() -> None:
    assert blocked(b"Zone one:2001:db8::1-2001:db8::5", "2001:db8::1", "2001:db8::5", "2001:db8::6") == [
        "2001:db8::1", "2001:db8::5"]


@pytest.mark.parametrize("version", [1, 2])
def test_binary_entries_have_a_name_and_two_addresses(version: int) -> None:
    data = P2B + bytes([version]) + b"one\0" + raw("1.2.3.4") + raw("1.2.3.5") + b"\0" + raw("9.0.0.0") + raw("9.0.0.0")
    assert len(parse(data).ranges) == 2
    assert blocked(data, "1.2.3.4", "1.2.3.5", "1.2.3.6", "9.0.0.0") == ["1.2.3.4", "1.2.3.5", "9.0.0.0"]


def test_the_third_binary_form_has_its_names_in_front() -> None:
    head = P2B + b"\3" + b"\0\0\0\2" + b"one\0two\0" + b"\0\0\0\3"
    entries = (
        b"\0\0\0\0" + raw("1.2.3.4") + raw("1.2.3.5"), b"\0\0\0\1" + raw("2.2.2.2") + raw("2.2.2.1"),
        b"\0\0\0\1" + raw("3.0.0.0") + raw("3.0.0.0"),
    )
    found = parse(head + b"".join(entries))
    assert (len(found.ranges), found.bad, found.first_bad) == (2, 1, 2)
    assert found.ranges.blocks("1.2.3.5") and found.ranges.blocks("3.0.0.0") and not found.ranges.blocks("2.2.2.2")


@pytest.mark.parametrize("rest", [
    b"", b"\0", b"\4", b"\1x", b"\1x\0" + bytes(7), b"\2" + b"x\0" + bytes(8) + b"y", b"\3", b"\3\0\0\0\1x",
    b"\3\0\0\0\1x\0\0\0\0", b"\3\0\0\0\0\0\0\0\1" + bytes(11), b"\3\xff\xff\xff\xff",
])
def test_a_binary_form_that_ends_early_or_is_not_known_is_a_format_error(rest: bytes) -> None:
    with pytest.raises(FormatError):
        parse(P2B + rest)


def test_plain_lists_have_addresses_networks_and_ranges_of_both_versions() -> None:
    data = (
        b"\xef\xbb\xbf1.1.1.1\n2.2.2.0/24 ; SBL1\n3.3.3.3-3.3.3.5 # why\n\n   \n; remark\n"
        b"2001:db8:1::/48\n2001:db8:2::7\n2001:db8:3::1 - 2001:db8:3::3\n\t4.4.4.4\t\n8.8.8.8/32\n"
    )
    assert parse(data).bad == 0
    for inside in (
        "1.1.1.1", "2.2.2.0", "2.2.2.255", "3.3.3.4", "4.4.4.4", "8.8.8.8", "2001:db8:1:ffff::1", "2001:db8:2::7",
        "2001:DB8:3:0::2", "2001:db8:3::2%eth0",
    ):
        assert blocked(data, inside), inside
    for outside in ("1.1.1.2", "2.2.3.0", "3.3.3.6", "8.8.8.9", "2001:db8:2::8", "2001:db8:3::4", "::1.1.1.1"):
        assert not blocked(data, outside), outside


def test_a_network_may_be_named_by_any_of_its_addresses() -> None:
    assert blocked(b"10.1.2.3/8\n2001:db8::1/32", "10.255.0.0", "11.0.0.0", "2001:db8:ffff::") == [
        "10.255.0.0", "2001:db8:ffff::"]


def test_all_addresses_of_a_version_can_be_blocked() -> None:
    assert parse(b"0.0.0.0/0").ranges.addresses4 == 1 << 32
    assert parse(b"::/0").ranges.addresses6 == 1 << 128
    assert blocked(b"::/0", "1.2.3.4", "::") == ["::"]


def test_ipv4_in_ipv6_is_ipv4_on_either_side() -> None:
    assert blocked(b"1.2.3.0/24", "::ffff:1.2.3.4") == ["::ffff:1.2.3.4"]
    for line in (b"::ffff:1.2.3.4", b"::ffff:1.2.3.0/120", b"::ffff:1.2.3.4-::ffff:1.2.3.5", b"::ffff:102:304/128"):
        ranges = parse(line).ranges
        assert ranges.blocks("1.2.3.4") and ranges.addresses6 == 0
    assert parse(b"::ffff:0:0/96").ranges.addresses4 == 1 << 32


def test_text_that_is_no_address_is_not_blocked() -> None:
    ranges = parse(b"0.0.0.0/0\n::/0").ranges
    names = ("", "x", "tracker.example", "1.2.3", "1.2.3.04", "[::1]", "%")
    assert [name for name in names if ranges.blocks(name)] == []


BAD = [
    b"2.2.2.2 - 1.1.1.1 , 0 , backwards", b"1.2.3.256", b"1.2.3", b"1.2.3.4/33", b"1.2.3.4/100", b"1.2.3.4-",
    b"rubbish", b"2001:db8::/129", b"2001:db8::2-2001:db8::1", b"2001:db8::1-1.2.3.4", b"::ffff:1.2.3.4/95", b":::",
    b"1.2.3.4 x", b"1.2.3.4,x", b"name:1.2.3.4", b"x" * 2000, b"y" * 100_000, b":" * 900,
]


@pytest.mark.parametrize("line", BAD, ids=lambda line: line[:20].decode())
def test_a_line_that_is_not_understood_is_counted_and_has_its_number(line: bytes) -> None:
    found = parse(b"# one\n9.9.9.9\n\n" + line + b"\n8.8.8.8-8.8.8.8\nname:7.7.7.7-7.7.7.7\n" + line)
    assert (found.bad, found.first_bad) == (2, 4)
    assert found.ranges.addresses4 == 3


def test_the_first_bad_line_is_found_in_a_long_file_of_several_forms() -> None:
    lines = [b"1.1.1.1", b"a:2.2.2.2-2.2.2.3", b"3.3.3.3-3.3.3.3,000,x", b"2001:db8::1", b"# x"] * 5000
    for at, line in ((24_000, b"rubbish"), (20_000, b"2.2.2.2-1.1.1.1"), (15_000, b"x")):
        lines[at] = line
        found = parse(b"\n".join(lines))
        assert found.first_bad == at + 1
    assert (found.bad, found.ranges.addresses4, found.ranges.addresses6) == (3, 4, 1)


@pytest.mark.parametrize("data", [b"<!DOCTYPE html>\n<html></html>", b"\0\1\2", b"2.2.2.2-1.1.1.1", b"x" * 100_000])
def test_content_without_one_range_is_a_format_error_that_names_the_forms(data: bytes) -> None:
    with pytest.raises(FormatError, match=r"eMule.*PeerGuardian.*plain"):
        parse(data)


@pytest.mark.parametrize("data", [b"", b"\n\n", b"# nothing\n", b"1.2.3.4 - 1.2.3.4 , 200 , let through", P2B + b"\1"])
def test_a_list_may_be_empty(data: bytes) -> None:
    assert (len(parse(data).ranges), parse(data).bad) == (0, 0)


def test_packed_lists_are_unpacked() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("guarding.p2p", b"x:1.2.3.4-1.2.3.4")
    for data in (file.getvalue(), gzip.compress(b"1.2.3.4"), gzip.compress(P2B + b"\1\0" + raw("1.2.3.4") * 2)):
        assert blocked(data, "1.2.3.4")


@pytest.mark.parametrize(("name", "value", "data"), [
    ("FILTER_BYTES", 10, b"1.2.3.4\n5.6.7.8"), ("FILTER_BYTES", 1000, gzip.compress(b"1.2.3.4\n" * 1000, mtime=0)),
    ("FILTER_RANGES", 2, b"1.1.1.1\n1.1.1.1\n1.1.1.1"), ("FILTER_RANGES6", 1, b"::1\n::1"),
    ("FILTER_RANGES", 1, P2B + b"\1" + 2 * (b"\0" + bytes(8))),
    ("FILTER_RANGES", 1, P2B + b"\3" + bytes(4) + b"\0\0\0\2" + bytes(24)),
    ("FILTER_BAD_LINES", 2, b"1.1.1.1\n1.1.1.1\n1.1.1.1\nx\nx\nx"),
])
def test_each_bound_has_a_name_in_its_error(
    monkeypatch: pytest.MonkeyPatch, name: str, value: int, data: bytes,
) -> None:
    parse(data)
    monkeypatch.setattr(limits, name, value)
    with pytest.raises(LimitError, match=rf"{name} \({value}"):
        parse(data)


def test_ranges_that_touch_or_overlap_are_one() -> None:
    four = b"1.1.1.0/25\n1.1.1.128/25\n1.1.1.7-1.1.2.0\n0.255.255.255\n1.0.0.0\n"
    found = parse(four + b"2001:db8::/33\n2001:db8:8000::/33")
    assert (len(found.ranges), found.ranges.addresses4) == (3, 259)


def test_a_union_has_what_is_in_any_of_them() -> None:
    one, two = parse(b"1.1.1.1\n::1").ranges, parse(b"1.1.1.2\n::5").ranges
    both = Ranges.union([one, two])
    assert both == parse(b"1.1.1.1-1.1.1.2\n::1\n::5").ranges and hash(both) == hash(Ranges.union([two, one]))
    assert Ranges.union([]) == Ranges() != one and len(Ranges.union([])) == 0 and one != 5


def in_four(number: int) -> str:
    return str(IPv4Address(number))


def in_six(number: int) -> str:
    return str(IPv6Address(number))


def ranges_of(bits: int) -> st.SearchStrategy[list[tuple[int, int]]]:
    # Near each other as a rule, so that they overlap and touch.
    near = st.integers(5 << bits - 4, (5 << bits - 4) + 60)
    number = st.one_of(near, near, st.integers(0, (1 << bits) - 1), st.sampled_from([0, (1 << bits) - 1]))
    return st.lists(st.tuples(number, number).map(lambda pair: (min(pair), max(pair))), min_size=1, max_size=12)


Form = Callable[[str, str], str]
FORMS: list[Form] = [
    lambda a, b: f"{a}-{b}", lambda a, b: f" {a} - {b} , 000 , what: ever", lambda a, b: f"Some: one:{a}-{b}",
    lambda a, b: f"{a} - {b} # remark\r",
]


@pytest.mark.parametrize(("bits", "text"), [(32, in_four), (128, in_six)])
@given(st.data())
def test_who_is_blocked_agrees_with_a_plain_search(bits: int, text: Callable[[int], str], data: st.DataObject) -> None:
    pairs = data.draw(ranges_of(bits))
    forms = data.draw(st.lists(st.sampled_from(FORMS), min_size=len(pairs), max_size=len(pairs)))
    lines = [form(text(first), text(last)) for form, (first, last) in zip(forms, pairs, strict=True)]
    found = parse("\n".join(lines).encode())
    assert found.bad == 0
    edges = {number + step for pair in pairs for number in pair for step in (-1, 0, 1)}
    for number in sorted(edges & {number % (1 << bits) for number in edges}):
        assert found.ranges.blocks(text(number)) == any(first <= number <= last for first, last in pairs)


@given(st.lists(st.tuples(st.integers(0, (1 << 32) - 1), st.integers(0, 32)), min_size=1, max_size=10))
def test_networks_agree_with_the_standard_library(pairs: list[tuple[int, int]]) -> None:
    networks = [ip_network((number, bits), strict=False) for number, bits in pairs]
    ranges = parse("\n".join(f"{in_four(number)}/{bits}" for number, bits in pairs).encode()).ranges
    for network in networks:
        for number in (int(network[0]) - 1, int(network[0]), int(network[-1]), int(network[-1]) + 1):
            if 0 <= number < 1 << 32:
                address = IPv4Address(number)
                assert ranges.blocks(str(address)) == any(address in one for one in networks)


@given(
    st.sampled_from([b"", P2B + b"\1", P2B + b"\3", b"\x1f\x8b", b"PK\x03\x04", b"1.2.3.4"]),
    st.one_of(st.binary(max_size=200), st.text("0123456789.:-/,#; \n\rabf", max_size=80).map(str.encode)),
)
def test_only_format_errors_come_out(head: bytes, data: bytes) -> None:
    try:
        found = parse(head + data)
    except FormatError:
        return
    assert (found.bad > 0) == (found.first_bad > 0)
