"""The little of DNS that is needed to ask for TXT records (RFC 1035, 6891): one query, and the reply to it.

Names of answers are stepped over and never followed, so a reply is read in one pass over at most DNS_ANSWERS records.
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import FormatError

REPLY_BYTES: Final = 1232
"What we offer to take in one datagram."
_HEAD = Struct(">HHHHHH")
_QUESTION = Struct(">HH")
_RECORD = Struct(">HHIH")
_TXT: Final = 16
_OPT: Final = 41
_IN: Final = 1
_REPLY: Final = 0x8000
_OPCODE: Final = 0x7800
_CUT: Final = 0x0200
_RECURSE: Final = 0x0100
_NO_SUCH_NAME: Final = 3


@dataclass(frozen=True, slots=True)
class Text:
    """One TXT record, its strings joined."""

    seconds: int
    "How long it may be kept."
    data: bytes


def txt_query(name: str, number: int) -> bytes:
    """A question for the TXT records of a name. `number`: 16 random bits. Raises FormatError for what is no name."""
    options = b"\0" + _RECORD.pack(_OPT, REPLY_BYTES, 0, 0)
    return _HEAD.pack(number, _RECURSE, 1, 0, 0, 1) + _question(name) + options


def txt_reply(data: bytes, name: str, number: int) -> tuple[Text, ...] | None:
    """The TXT records of a name; none where it has none. None where this is no reply to our question.

    Raises FormatError for a reply that is broken, cut short, or says that the server cannot tell.
    """
    if len(data) < _HEAD.size:
        return None
    theirs, flags, questions, answers, _, _ = _HEAD.unpack_from(data)
    question = _question(name)
    at = _HEAD.size + len(question)
    if theirs != number or not flags & _REPLY or flags & _OPCODE or questions != 1:
        return None
    if data[_HEAD.size : at].lower() != question.lower():
        return None
    if flags & 15 not in (0, _NO_SUCH_NAME):
        raise FormatError(f"the server cannot tell (code {flags & 15})", where="dns")
    if flags & _CUT:
        raise FormatError("the reply was cut short", where="dns")
    found = []
    for _ in range(min(answers, limits.DNS_ANSWERS)):
        at = _behind_name(data, at)
        if at + _RECORD.size > len(data):
            raise FormatError("a record ends behind the datagram", where="dns")
        kind, group, seconds, length = _RECORD.unpack_from(data, at)
        at += _RECORD.size
        if at + length > len(data):
            raise FormatError("a record ends behind the datagram", where="dns")
        if kind == _TXT and group == _IN:
            found.append(Text(seconds if seconds < 1 << 31 else 0, _strings(data[at : at + length])))
        at += length
    return tuple(found)


def _question(name: str) -> bytes:
    labels = name.removesuffix(".").encode("ascii", "replace").split(b".")
    if not all(0 < len(label) < 64 for label in labels) or sum(map(len, labels)) + len(labels) > 253:
        raise FormatError("not a name that DNS has", where="dns")
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0" + _QUESTION.pack(_TXT, _IN)


def _behind_name(data: bytes, at: int) -> int:
    while at < len(data):
        size = data[at]
        if size >= 0xC0:
            return at + 2  # the rest stands elsewhere
        at += 1 + size
        if not size:
            return at
    raise FormatError("a name ends behind the datagram", where="dns")


def _strings(data: bytes) -> bytes:
    out, at = [], 0
    while at < len(data):
        stop = at + 1 + data[at]
        if stop > len(data):
            raise FormatError("a string ends behind its record", where="dns")
        out.append(data[at + 1 : stop])
        at = stop
    return b"".join(out)
