"""TXT questions and replies of DNS."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base import limits
from wildbach.base.errors import FormatError
from wildbach.protocol import dns

NAME = "tracker.example"
NUMBER = 0x1234
QUERY = dns.txt_query(NAME, NUMBER)
QUESTION = QUERY[12:-11]


def reply(*records: bytes, flags: int = 0x8180, number: int = NUMBER, question: bytes = QUESTION) -> bytes:
    return struct.pack(">HHHHHH", number, flags, 1, len(records), 0, 0) + question + b"".join(records)


def record(*strings: bytes, kind: int = 16, seconds: int = 300, name: bytes = b"\xc0\x0c") -> bytes:
    data = b"".join(bytes([len(part)]) + part for part in strings)
    return name + struct.pack(">HHIH", kind, 1, seconds, len(data)) + data


def test_a_question_has_the_published_layout() -> None:
    assert QUERY == (
        b"\x12\x34\x01\x00\0\x01\0\0\0\0\0\x01" b"\x07tracker\x07example\0\0\x10\0\x01" b"\0\0\x29\x04\xd0\0\0\0\0\0\0"
    )
    assert dns.txt_query(NAME + ".", NUMBER) == QUERY


@pytest.mark.parametrize("name", ["", ".", "a..b", "x" * 64, ".".join(["x" * 60] * 5)])
def test_what_dns_cannot_name_is_refused(name: str) -> None:
    with pytest.raises(FormatError):
        dns.txt_query(name, 1)


def test_the_strings_of_a_record_are_joined_and_other_records_passed_over() -> None:
    data = reply(
        record(b"x", kind=5), record(b"BITTORRENT ", b"UDP:1"), record(b"other", seconds=7, name=b"\3abc\0"),
        question=QUESTION.upper(),
    )
    assert dns.txt_reply(data, NAME, NUMBER) == (dns.Text(300, b"BITTORRENT UDP:1"), dns.Text(7, b"other"))


def test_a_name_that_does_not_exist_has_no_records() -> None:
    assert dns.txt_reply(reply(flags=0x8183), NAME, NUMBER) == ()


@pytest.mark.parametrize("data", [
    b"", reply(number=1), reply(flags=0x0180), reply(flags=0x8980),
    reply(question=dns.txt_query("b.example", 1)[12:-11]),
])
def test_what_does_not_answer_the_question_is_passed_over(data: bytes) -> None:
    assert dns.txt_reply(data, NAME, NUMBER) is None


@pytest.mark.parametrize(("data", "why"), [
    (reply(flags=0x8182), "cannot tell"), (reply(flags=0x8380), "cut short"),
    (reply(b"\x3f"), "name ends"), (reply(b"\0\0\x10"), "record ends"),
    (reply(record(b"abc")[:-1]), "record ends"), (reply(record()[:-1] + b"\x02\x05a"), "string ends"),
])
def test_a_broken_reply_is_a_format_error(data: bytes, why: str) -> None:
    with pytest.raises(FormatError, match=why):
        dns.txt_reply(data, NAME, NUMBER)


def test_the_number_of_records_is_bounded() -> None:
    found = dns.txt_reply(reply(*[record(b"x")] * 500), NAME, NUMBER)
    assert found is not None and len(found) == limits.DNS_ANSWERS


@given(st.binary(max_size=200), st.booleans())
def test_only_format_errors_come_out(data: bytes, framed: bool) -> None:
    try:
        dns.txt_reply(reply(data) if framed else data, NAME, NUMBER)
    except FormatError:
        return
