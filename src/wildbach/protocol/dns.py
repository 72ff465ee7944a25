"""The little of DNS that is needed to ask for addresses and TXT records (RFC 1035, 3596, 6891): a question, its reply.

A reply is read in one pass over at most DNS_ANSWERS records. Of these count the ones that belong to the name asked, or
to a name that the aliases (CNAME) of the same reply lead to from there; anything else a server adds is passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, IntEnum
from struct import Struct
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import FormatError

REPLY_BYTES: Final = 1232
"What we offer to take in one datagram."
_HEAD = Struct(">HHHHHH")
_QUESTION = Struct(">HH")
_RECORD = Struct(">HHIH")
_LENGTH = Struct(">H")
_CNAME: Final = 5
_OPT: Final = 41
_IN: Final = 1
_REPLY: Final = 0x8000
_OPCODE: Final = 0x7800
_CUT: Final = 0x0200
_RECURSE: Final = 0x0100
_NO_SUCH_NAME: Final = 3
_NAME_BYTES: Final = 255
_POINTER: Final = 0xC0


class Kind(IntEnum):
    """What is asked for."""

    A = 1
    TXT = 16
    AAAA = 28


_SIZES: Final = {Kind.A: 4, Kind.AAAA: 16}


class Outcome(Enum):
    """What a reply says."""

    FOUND = "found"
    NOTHING = "nothing"
    "There is such a name, but nothing of this kind."
    NO_NAME = "no_name"
    FAILED = "failed"
    "This server cannot tell."
    CUT = "cut"
    "It does not fit into a datagram: ask again over TCP."


@dataclass(frozen=True, slots=True)
class Question:
    """A name that DNS can have, and what is asked of it. Made by `of`."""

    name: bytes
    "As it is sent, in small letters: labels behind their lengths, an empty one at the end."
    kind: Kind

    @classmethod
    def of(cls, name: str, kind: Kind) -> Question:
        """Raises FormatError for what is no name of DNS."""
        if not name.isascii():
            raise FormatError("not a name that DNS has: only ASCII is", where="dns")
        labels = name.lower().removesuffix(".").encode("ascii").split(b".")
        if not all(0 < len(label) < 64 for label in labels) or sum(map(len, labels)) + len(labels) + 1 > _NAME_BYTES:
            raise FormatError("not a name that DNS has", where="dns")
        return cls(b"".join(bytes([len(label)]) + label for label in labels) + b"\0", kind)


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer of one server."""

    outcome: Outcome
    records: tuple[bytes, ...] = ()
    "Of A and AAAA the 4 and 16 bytes of an address, of TXT the strings of a record, joined."
    seconds: int = 0
    "How long what was found may be kept."


@dataclass(frozen=True, slots=True)
class _Record:
    name: bytes
    kind: int
    seconds: int
    start: int
    stop: int


def query(question: Question, number: int) -> bytes:
    """The datagram that asks. `number`: 16 random bits."""
    options = b"\0" + _RECORD.pack(_OPT, REPLY_BYTES, 0, 0)
    return _HEAD.pack(number, _RECURSE, 1, 0, 0, 1) + _asked(question) + options


def reply(data: bytes, question: Question, number: int) -> Reply | None:
    """What a server says; None where this is no reply to our question. Raises FormatError for a broken reply."""
    if len(data) < _HEAD.size:
        return None
    theirs, flags, questions, answers, _, _ = _HEAD.unpack_from(data)
    asked = _asked(question)
    at = _HEAD.size + len(asked)
    if theirs != number or not flags & _REPLY or flags & _OPCODE or questions != 1:
        return None
    if data[_HEAD.size : at].lower() != asked.lower():
        return None
    code = flags & 15
    if code:
        return Reply(Outcome.NO_NAME if code == _NO_SUCH_NAME else Outcome.FAILED)
    if flags & _CUT:
        return Reply(Outcome.CUT)
    return _follow(data, question, list(_records(data, at, min(answers, limits.DNS_ANSWERS))))


def framed(message: bytes) -> bytes:
    """A message as it goes over TCP, behind its length."""
    return _LENGTH.pack(len(message)) + message


def unframed(data: bytes | bytearray) -> bytes | None:
    """The first message that came over TCP; None while more of it has to come."""
    if len(data) < _LENGTH.size:
        return None
    stop = _LENGTH.size + _LENGTH.unpack_from(data)[0]
    return bytes(data[_LENGTH.size : stop]) if stop <= len(data) else None


def _asked(question: Question) -> bytes:
    return question.name + _QUESTION.pack(question.kind, _IN)


def _records(data: bytes, at: int, count: int) -> Iterator[_Record]:
    for _ in range(count):
        name, at = _name(data, at)
        start = at + _RECORD.size
        if start > len(data):
            raise FormatError("a record ends behind the message", where="dns")
        kind, group, seconds, length = _RECORD.unpack_from(data, at)
        at = start + length
        if at > len(data):
            raise FormatError("a record ends behind the message", where="dns")
        if group == _IN:
            yield _Record(name, kind, seconds if seconds < 1 << 31 else 0, start, at)


def _follow(data: bytes, question: Question, records: list[_Record]) -> Reply:
    """From the name asked along its aliases to the first name that has what was asked for."""
    name, seconds = question.name, (1 << 31) - 1
    for _ in range(limits.DNS_ALIASES + 1):
        own = [record for record in records if record.name == name]
        found = [record for record in own if record.kind == question.kind]
        if found:
            content = tuple(_content(data[record.start : record.stop], question.kind) for record in found)
            return Reply(Outcome.FOUND, content, min(seconds, *(record.seconds for record in found)))
        alias = next((record for record in own if record.kind == _CNAME), None)
        if alias is None:
            return Reply(Outcome.NOTHING)
        seconds = min(seconds, alias.seconds)
        name, stop = _name(data, alias.start)
        if stop != alias.stop:
            raise FormatError("an alias does not end with its record", where="dns")
    raise FormatError(f"more than {limits.DNS_ALIASES} aliases follow each other", where="dns")


def _name(data: bytes, at: int) -> tuple[bytes, int]:
    """The name at an offset, as `Question.name` has it, and where what follows it begins.

    A pointer has to lead to before the piece of the name that it ends, so no way leads round in a circle.
    """
    out, piece, behind, pointers = bytearray(), at, 0, 0
    while at < len(data):
        size = data[at]
        if size < 64:
            out += data[at : at + 1 + size].lower()
            at += 1 + size
            if len(out) > _NAME_BYTES:
                raise FormatError("a name is too long", where="dns")
            if not size:
                return bytes(out), behind or at
            continue
        if size < _POINTER:
            raise FormatError("a name has a label of a kind that is not used", where="dns")
        if at + 1 == len(data):
            break
        behind = behind or at + 2
        at = (size & ~_POINTER) << 8 | data[at + 1]
        pointers += 1
        if not _HEAD.size <= at < piece or pointers > limits.DNS_POINTERS:
            raise FormatError("a name leads to a place where none can be", where="dns")
        piece = at
    raise FormatError("a name ends behind the message", where="dns")


def _content(data: bytes, kind: Kind) -> bytes:
    if kind is not Kind.TXT:
        if len(data) != _SIZES[kind]:
            raise FormatError(f"{len(data)} bytes are no address", where="dns")
        return data
    out, at = [], 0
    while at < len(data):
        stop = at + 1 + data[at]
        if stop > len(data):
            raise FormatError("a string ends behind its record", where="dns")
        out.append(data[at + 1 : stop])
        at = stop
    return b"".join(out)
