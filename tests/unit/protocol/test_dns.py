"""Questions and replies of DNS: addresses, TXT records, aliases, and names that are put together of pieces."""

from __future__ import annotations

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base import limits
from wildbach.base.errors import FormatError
from wildbach.protocol import dns
from wildbach.protocol.dns import Kind, Outcome, Question, Reply

NAME = "tracker.example"
NUMBER = 0x1234
TXT, A, AAAA = (Question.of(NAME, kind) for kind in (Kind.TXT, Kind.A, Kind.AAAA))
HERE = b"\xc0\x0c"
"A pointer to the name asked."
CNAME = 5


def sent(question: Question) -> bytes:
    return dns.query(question, NUMBER)[12:-11]


def reply(
    *records: bytes, flags: int = 0x8180, number: int = NUMBER, question: Question = TXT, asked: bytes | None = None,
) -> bytes:
    body = (sent(question) if asked is None else asked) + b"".join(records)
    return struct.pack(">HHHHHH", number, flags, 1, len(records), 0, 0) + body


def record(data: bytes, *, kind: int, seconds: int = 300, name: bytes = HERE, group: int = 1) -> bytes:
    return name + struct.pack(">HHIH", kind, group, seconds, len(data)) + data


def text(*strings: bytes, seconds: int = 300, name: bytes = HERE) -> bytes:
    return record(b"".join(bytes([len(part)]) + part for part in strings), kind=16, seconds=seconds, name=name)


def plain(name: str) -> bytes:
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def read(data: bytes, question: Question = TXT) -> Reply:
    found = dns.reply(data, question, NUMBER)
    assert found is not None
    return found


def test_a_question_has_the_published_layout() -> None:
    assert dns.query(TXT, NUMBER) == (
        b"\x12\x34\x01\x00\0\x01\0\0\0\0\0\x01" b"\x07tracker\x07example\0\0\x10\0\x01" b"\0\0\x29\x04\xd0\0\0\0\0\0\0"
    )
    assert sent(A)[-4:] == b"\0\x01\0\x01" and sent(AAAA)[-4:] == b"\0\x1c\0\x01"
    assert Question.of("Tracker.Example.", Kind.TXT) == TXT


@pytest.mark.parametrize("name", ["", ".", "a..b", "x" * 64, ".".join(["x" * 60] * 5), "tr\u00e4cker.example"])
def test_what_dns_cannot_name_is_refused(name: str) -> None:
    with pytest.raises(FormatError):
        Question.of(name, Kind.A)


def test_the_longest_name_is_one() -> None:
    longest = ".".join(["x" * 63] * 3 + ["x" * 61])
    assert len(Question.of(longest, Kind.A).name) == 255
    with pytest.raises(FormatError):
        Question.of(longest + "x", Kind.A)


def test_the_strings_of_a_record_are_joined_and_other_records_passed_over() -> None:
    data = reply(
        record(b"x", kind=99), record(b"?", kind=16, group=3), text(b"BITTORRENT ", b"UDP:1"),
        text(b"other", seconds=7, name=b"\3abc\0"), asked=sent(TXT).upper(),
    )
    assert read(data) == Reply(Outcome.FOUND, (b"BITTORRENT UDP:1",), 300)


def test_addresses_of_both_kinds_are_found() -> None:
    four = reply(record(b"\1\2\3\4", kind=1), record(b"\5\6\7\x08", kind=1, seconds=60), question=A)
    assert read(four, A) == Reply(Outcome.FOUND, (b"\1\2\3\4", b"\5\6\7\x08"), 60)
    six = reply(record(b"\1\2\3\4", kind=1), record(bytes(range(16)), kind=28), question=AAAA)
    assert read(six, AAAA) == Reply(Outcome.FOUND, (bytes(range(16)),), 300)


def test_aliases_are_followed_in_any_order_and_the_shortest_time_counts() -> None:
    records = [
        record(b"\1\2\3\4", kind=1, name=plain("b.Host.example")),
        record(b"\x09\x09\x09\x09", kind=1, name=plain("stranger.example")),
        record(plain("b.host.example"), kind=CNAME, seconds=20, name=plain("a.host.example")),
        record(plain("A.Host.Example"), kind=CNAME, seconds=90),
    ]
    for order in (records, records[::-1]):
        assert read(reply(*order, question=A), A) == Reply(Outcome.FOUND, (b"\1\2\3\4",), 20)


def test_a_time_that_is_none_is_no_time() -> None:
    assert read(reply(text(b"x", seconds=1 << 31))).seconds == 0


def test_records_of_other_names_are_no_answer() -> None:
    data = reply(
        record(b"\1\2\3\4", kind=1, name=plain("example")), record(plain("x.example"), kind=CNAME), question=A,
    )
    assert read(data, A) == Reply(Outcome.NOTHING)


@pytest.mark.parametrize(("flags", "outcome"), [
    (0x8180, Outcome.NOTHING), (0x8183, Outcome.NO_NAME), (0x8182, Outcome.FAILED), (0x8185, Outcome.FAILED),
    (0x8380, Outcome.CUT), (0x8382, Outcome.FAILED),
])
def test_the_ways_to_have_no_answer_are_told_apart(flags: int, outcome: Outcome) -> None:
    assert read(reply(flags=flags)) == Reply(outcome)


@pytest.mark.parametrize("data", [
    b"", reply(number=1), reply(flags=0x0180), reply(flags=0x8980), reply(question=Question.of("b.example", Kind.TXT)),
    reply(question=A),
])
def test_what_does_not_answer_the_question_is_passed_over(data: bytes) -> None:
    assert dns.reply(data, TXT, NUMBER) is None


END = 12 + len(sent(TXT))
"Where the first record of a reply begins."


def pointer(at: int) -> bytes:
    return struct.pack(">H", 0xC000 | at)


@pytest.mark.parametrize(("records", "why"), [
    ([b"\x3f"], "name ends"), ([b"\xc0"], "name ends"), ([b"\0\0\x10"], "record ends"),
    ([text(b"abc")[:-1]], "record ends"), ([text()[:-1] + b"\x02\x05a"], "string ends"),
    ([b"\x41x"], "kind that is not used"), ([b"\x80x"], "kind that is not used"),
    ([plain(".".join(["x" * 63] * 4))], "too long"),
    ([text(name=pointer(END))], "where none can be"), ([text(name=pointer(END + 1))], "where none can be"),
    ([text(name=b"\1a" + pointer(END))], "where none can be"), ([text(name=pointer(0))], "where none can be"),
    ([text(name=pointer(END + 40))], "where none can be"),
    ([record(HERE, kind=CNAME)], "aliases follow"),
    ([record(HERE + b"\0", kind=CNAME)], "does not end with its record"),
    ([record(b"", kind=CNAME)], "name ends"),
    ([record(plain("b.c"), kind=CNAME), record(HERE, kind=CNAME, name=plain("b.c"))], "aliases follow"),
])
def test_a_broken_reply_is_a_format_error(records: list[bytes], why: str) -> None:
    with pytest.raises(FormatError, match=why):
        dns.reply(reply(*records), TXT, NUMBER)


@pytest.mark.parametrize(("question", "kind"), [(A, 1), (AAAA, 28)])
def test_an_address_has_its_size(question: Question, kind: int) -> None:
    for size in (0, 3, 5, 15, 17):
        with pytest.raises(FormatError, match="no address"):
            dns.reply(reply(record(bytes(size), kind=kind), question=question), question, NUMBER)


def test_a_name_may_be_put_together_of_a_bounded_number_of_pieces() -> None:
    def chained(pieces: int) -> bytes:
        """Each name is a pointer to the one before, the first to the name asked."""
        records, at, size = [], END, 2 + 10
        for number in range(pieces):
            records.append(record(b"", kind=99, name=HERE if not number else pointer(at - size)))
            at += size
        return reply(*records)

    assert read(chained(limits.DNS_POINTERS)) == Reply(Outcome.NOTHING)
    with pytest.raises(FormatError, match="where none can be"):
        dns.reply(chained(limits.DNS_POINTERS + 1), TXT, NUMBER)


def test_the_number_of_aliases_is_bounded() -> None:
    def chained(aliases: int) -> bytes:
        names = [NAME, *(f"n{number}.example" for number in range(aliases))]
        pairs = [record(plain(to), kind=CNAME, name=plain(name)) for name, to in pairwise(names)]
        return reply(*pairs, text(b"x", name=plain(names[-1])))

    assert read(chained(limits.DNS_ALIASES)).records == (b"x",)
    with pytest.raises(FormatError, match="aliases follow"):
        dns.reply(chained(limits.DNS_ALIASES + 1), TXT, NUMBER)


def test_the_number_of_records_is_bounded() -> None:
    assert len(read(reply(*[text(b"x")] * 500)).records) == limits.DNS_ANSWERS


def test_over_tcp_a_message_stands_behind_its_length() -> None:
    data = dns.framed(b"abc")
    assert data == b"\0\3abc"
    assert [dns.unframed(data[:size]) for size in range(5)] == [None] * 5
    assert dns.unframed(bytearray(data + b"\0\1x")) == b"abc"
    assert dns.unframed(b"\0\0") == b""


class Encoder:
    """A message that is written as servers do: what stands there already of a name is pointed to."""

    def __init__(self, name: str, question: Question, answers: int) -> None:
        self._places: dict[tuple[str, ...], int] = {}
        self.data = bytearray(struct.pack(">HHHHHH", NUMBER, 0x8580, 1, answers, 0, 0))
        self.name(name)
        self.data += struct.pack(">HH", question.kind, 1)

    def name(self, name: str) -> None:
        labels = tuple(name.split("."))
        while labels:
            at = self._places.get(labels)
            if at is not None:
                self.data += struct.pack(">H", 0xC000 | at)
                return
            self._places[labels] = len(self.data)
            self.data += bytes([len(labels[0])]) + labels[0].encode()
            labels = labels[1:]
        self.data += b"\0"

    def record(self, name: str, kind: int, seconds: int, content: bytes | str) -> None:
        self.name(name)
        self.data += struct.pack(">HHIH", kind, 1, seconds, 0)
        start = len(self.data)
        if isinstance(content, str):
            self.name(content)
        else:
            self.data += content
        self.data[start - 2 : start] = struct.pack(">H", len(self.data) - start)


LABELS = st.text("abAB01-_", min_size=1, max_size=3)
NAMES = st.lists(LABELS, min_size=1, max_size=4).map(".".join)
SECONDS = st.integers(0, 1 << 20)


@given(
    st.lists(NAMES, min_size=1, max_size=8, unique_by=str.lower),
    st.lists(st.tuples(st.binary(min_size=4, max_size=4), SECONDS), max_size=8),
    st.lists(st.tuples(NAMES, st.binary(min_size=4, max_size=4)), max_size=4), SECONDS,
)
def test_a_compressed_reply_is_read_as_it_was_meant(
    chain: list[str], addresses: list[tuple[bytes, int]], strangers: list[tuple[str, bytes]], seconds: int,
) -> None:
    question = Question.of(chain[0], Kind.A)
    known = {name.lower() for name in chain}
    others = [(name, data) for name, data in strangers if name.lower() not in known]
    encoder = Encoder(chain[0], question, len(chain) - 1 + len(addresses) + len(others))
    for name, data in others:
        encoder.record(name, 1, 1, data)
    for name, to in pairwise(chain):
        encoder.record(name, CNAME, seconds, to)
    for data, keep in addresses:
        encoder.record(chain[-1], 1, keep, data)
    found = read(bytes(encoder.data), question)
    if not addresses:
        assert found == Reply(Outcome.NOTHING)
        return
    assert found.records == tuple(data for data, _ in addresses)
    assert found.seconds == min([keep for _, keep in addresses] + [seconds] * (len(chain) > 1))


@given(
    st.one_of(st.binary(max_size=200), st.lists(st.sampled_from([
        b"\xc0", b"\x0c", b"\0", b"\1", b"\4", b"\5", b"\x10", b"\x1c", b"\x27", b"a", HERE, b"\xc0\x2b",
        b"\0\1\0\1\0\0\0\1\0\4abcd", b"\0\5\0\1\0\0\0\1\0\2",
    ]), max_size=60).map(b"".join)),
    st.integers(0, 1 << 16), st.sampled_from([TXT, A, AAAA]), st.booleans(),
)
def test_only_format_errors_come_out(data: bytes, count: int, question: Question, framed: bool) -> None:
    if framed:
        data = reply(question=question)[:6] + struct.pack(">HI", count & 0xFFFF, 0) + sent(question) + data
    try:
        found = dns.reply(data, question, NUMBER)
    except FormatError:
        return
    assert found is None or bool(found.records) == (found.outcome is Outcome.FOUND)
