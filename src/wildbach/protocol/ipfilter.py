"""Lists of addresses that nothing is exchanged with: what the usual formats say, as sorted ranges.

Known are the text of eMule (`.dat`: a range, a level, remarks), the text and the three binary forms of PeerGuardian
(`.p2p`, `.p2b`), and plain lists of addresses, networks and ranges; all of them also as gzip or zip. Lines of several
forms may stand in one file.

Such lists have hundreds of thousands of lines and are read in a thread beside the loop, so lines of the common forms
are taken by regular expressions, in chunks that hold the interpreter for a millisecond. Only what these leave over is
looked at line by line.
"""

from __future__ import annotations

import re
import sys
from array import array
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from itertools import compress, islice
from operator import gt
from struct import Struct
from typing import Final

from wildbach.base import addresses, limits
from wildbach.base.addresses import Address
from wildbach.base.errors import FormatError, LimitError
from wildbach.protocol.packed import unpacked

_CHUNK: Final = 1 << 16
_ODD_CHARS: Final = 1000
"A longer line is remarks at best; nothing is looked for in it."
_LEVEL: Final = 127
"Above it eMule lets an address through."
_ALL: Final = 0xFFFFFFFF
_MAPPED_BITS: Final = 96
_P2B: Final = b"\xff\xff\xff\xffP2B"
_MARK: Final = b"\xef\xbb\xbf"
"With which some editors begin UTF-8."
_U32: Final = Struct(">I")
_PAIR: Final = Struct(">Q")

_OCTET: Final = rb"(?:25[0-5]|2[0-4]\d|[01]?\d\d?)"
_FOUR: Final = rb"(" + rb"\.".join([_OCTET] * 4) + rb")"
_REMARK: Final = rb"[#;]|//"
_TAIL: Final = rb"[ \t]*+(?:,[ \t]*(\d{1,5})[ \t]*(?:,[^\n]*)?|(?:" + _REMARK + rb")[^\n]*)?\r?(?=\n)"
# The line may begin with a name, and the last colon ends it; but what follows a level is a remark, colons or not.
_RANGES: Final = re.compile(
    rb"\n[ \t]*+(?:|(?!" + _REMARK + rb")[^\n]*:)[ \t]*" + _FOUR + rb"[ \t]*-[ \t]*" + _FOUR + _TAIL
)
_NETWORKS: Final = re.compile(rb"\n[ \t]*+" + _FOUR + rb"(?:/(3[0-2]|[012]?\d))?" + _TAIL)
_ODD: Final = re.compile(rb"\n[ \t\r]*+(?!" + _REMARK + rb")([^\n]+)")
_HEX: Final = rb"([0-9A-Fa-f:.]{2,45}+)"
_SIX_RANGE: Final = re.compile(rb"(?:[^\n]*?:)??[ \t]*" + _HEX + rb"[ \t]*-[ \t]*" + _HEX + _TAIL)
_SIX_NETWORK: Final = re.compile(_HEX + rb"(?:/(\d{1,3}))?" + _TAIL)
_OCTETS: Final = {form % n: n for n in range(256) for form in (b"%d", b"%02d", b"%03d")}


class Ranges:
    """Addresses, as ranges that are sorted and do not touch. Nothing changes them."""

    __slots__ = ("_first4", "_first6", "_last4", "_last6", "addresses4", "addresses6")

    def __init__(self, four: Iterable[int] = (), six: Iterable[tuple[int, int]] = ()) -> None:
        """`four`: IPv4 ranges, the first address in the upper 32 bits and the last in the lower; `six`: first and last
        of IPv6 ranges. In any order; they may overlap.
        """
        self._first4, self._last4 = _merged4(four)
        self._first6, self._last6 = _merged6(six)
        self.addresses4 = sum(self._last4) - sum(self._first4) + len(self._first4)
        "How many IPv4 addresses these are."
        self.addresses6 = sum(self._last6) - sum(self._first6) + len(self._first6)

    def __len__(self) -> int:
        """How many ranges there are."""
        return len(self._first4) + len(self._first6)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Ranges):
            return NotImplemented
        return (self._first4 == other._first4 and self._last4 == other._last4
                and self._first6 == other._first6 and self._last6 == other._last6)

    def blocks(self, host: str) -> bool:
        """Whether a literal address is in a range. An IPv4 address wrapped in IPv6 is that address; text that is no
        address is in none.
        """
        address = addresses.parse(host.partition("%")[0])
        if address is None:
            return False
        number = int(address)
        if isinstance(address, IPv4Address):
            at = bisect_right(self._first4, number) - 1
            return at >= 0 and number <= self._last4[at]
        at = bisect_right(self._first6, number) - 1
        return at >= 0 and number <= self._last6[at]

    def __hash__(self) -> int:
        return hash((len(self), self.addresses4, self.addresses6))

    @staticmethod
    def union(several: Sequence[Ranges]) -> Ranges:
        """What is in any of them."""
        if len(several) == 1:
            return several[0]
        return Ranges(
            (first << 32 | last for one in several for first, last in zip(one._first4, one._last4, strict=True)),
            (pair for one in several for pair in zip(one._first6, one._last6, strict=True)),
        )


def _merged4(packed: Iterable[int]) -> tuple[array[int], array[int]]:
    # One sort of everything would keep the interpreter from the loop for long.
    buckets: list[list[int]] = [[] for _ in range(256)]
    for pair in packed:
        buckets[pair >> 56].append(pair)
    firsts, lasts = array("I"), array("I")
    end = -2
    for bucket in buckets:
        bucket.sort()
        for pair in bucket:
            first, last = pair >> 32, pair & _ALL
            if first > end + 1:
                firsts.append(first)
                lasts.append(last)
                end = last
            elif last > end:
                lasts[-1] = end = last
    return firsts, lasts


def _merged6(pairs: Iterable[tuple[int, int]]) -> tuple[list[int], list[int]]:
    firsts: list[int] = []
    lasts: list[int] = []
    end = -2
    for first, last in sorted(pairs):
        if first > end + 1:
            firsts.append(first)
            lasts.append(last)
            end = last
        elif last > end:
            lasts[-1] = end = last
    return firsts, lasts


@dataclass(frozen=True, slots=True)
class Listing:
    """What a file said."""

    ranges: Ranges
    bad: int
    "Lines (of binary forms: entries) that were not understood."
    first_bad: int
    "The number of the first of them, from 1; 0 where there is none."


def parse(data: bytes) -> Listing:
    """Read a list of any known form.

    Raises LimitError above FILTER_BYTES, FILTER_RANGES, FILTER_RANGES6 or FILTER_BAD_LINES, and FormatError for what
    cannot be unpacked, for binary forms that end early, and where there is text and not one line of it is understood.
    """
    data = unpacked(data, limits.FILTER_BYTES, "FILTER_BYTES")
    found = _Gathered()
    if data.startswith(_P2B):
        _binary(data, found)
    else:
        _text(data, found)
    if found.bad > found.understood:
        raise FormatError(
            "no list of addresses: known are eMule (.dat), PeerGuardian (.p2p, .p2b), and plain lists of addresses, "
            "networks and ranges", where="filter",
        )
    return Listing(Ranges(found.four, found.six), found.bad, found.first_bad)


class _Gathered:
    """What was found so far."""

    __slots__ = ("bad", "first_bad", "four", "six", "understood")

    def __init__(self) -> None:
        self.four = array("Q")
        self.six: list[tuple[int, int]] = []
        self.understood = 0
        self.bad = 0
        self.first_bad = 0

    def wrong(self, number: int) -> None:
        """A line that is not understood. They come by their kind, and not in order."""
        self.bad += 1
        self.first_bad = min(self.first_bad or number, number)
        if self.bad > limits.FILTER_BAD_LINES:
            raise LimitError(
                f"more than FILTER_BAD_LINES ({limits.FILTER_BAD_LINES}) lines are not understood", where="filter")

    def check(self) -> None:
        for there, name in ((self.four, "FILTER_RANGES"), (self.six, "FILTER_RANGES6")):
            most: int = getattr(limits, name)
            if len(there) > most:
                raise LimitError(f"more than {name} ({most}) ranges", where="filter")


# -- text


def _text(data: bytes, found: _Gathered) -> None:
    at = len(_MARK) if data.startswith(_MARK) else 0
    number = 1
    while at < len(data):
        end = len(data) if at + _CHUNK >= len(data) else data.rfind(b"\n", at, at + _CHUNK)
        if end < 0:
            # Longer than any line of a list: not worth to hold the interpreter for.
            found.wrong(number)
            number += 1
            at = data.find(b"\n", at) + 1 or len(data)
            continue
        chunk = b"\n%b\n" % data[at:end]
        _chunk(chunk, number, found)
        found.check()
        number += chunk.count(b"\n") - 1
        at = end + 1


def _chunk(chunk: bytes, number: int, found: _Gathered) -> None:
    """Whole lines, with a line feed before and behind each. `number` is that of the first."""
    lines = chunk.count(b"\n") - 1
    rows = _RANGES.findall(chunk)
    if rows:
        _take_ranges(rows, chunk, number, found)
        if len(rows) == lines:
            return
        chunk = _RANGES.sub(b"\n", chunk)
    rows = _NETWORKS.findall(chunk)
    if rows:
        _take_networks(rows, found)
        if len(rows) == lines:
            return
        chunk = _NETWORKS.sub(b"\n", chunk)
    seen = 0
    for odd in _ODD.finditer(chunk):
        number += chunk.count(b"\n", seen, odd.start())
        seen = odd.start()
        _take_odd(odd[1], number, found)


def _take_ranges(rows: list[tuple[bytes, bytes, bytes]], chunk: bytes, number: int, found: _Gathered) -> None:
    froms, untils, levels = zip(*rows, strict=True)
    firsts, lasts = _numbers(froms), _numbers(untils)
    wanted = _wanted(levels)
    found.understood += len(rows)
    if any(map(gt, firsts, lasts)):
        wanted = wanted or [True] * len(rows)
        for at in [at for at, first in enumerate(firsts) if first > lasts[at]]:
            wanted[at] = False
            found.understood -= 1
            # The number matters of the first bad line only, and costs a search.
            later = found.first_bad and found.first_bad <= number
            found.wrong(number if later else _line_of(at, chunk, number))
    pairs: Iterable[int] = (first << 32 | last for first, last in zip(firsts, lasts, strict=True))
    found.four.extend(pairs if wanted is None else compress(pairs, wanted))


def _line_of(at: int, chunk: bytes, number: int) -> int:
    """The number of the line of the range number `at`."""
    found = next(islice(_RANGES.finditer(chunk), at, None))
    return number + chunk.count(b"\n", 0, found.start())


def _take_networks(rows: list[tuple[bytes, bytes, bytes]], found: _Gathered) -> None:
    texts, bits, levels = zip(*rows, strict=True)
    hosts = [_ALL >> int(one) if one else 0 for one in bits]
    pairs: Iterable[int] = (
        (address & ~host) << 32 | address | host for address, host in zip(_numbers(texts), hosts, strict=True)
    )
    wanted = _wanted(levels)
    found.understood += len(rows)
    found.four.extend(pairs if wanted is None else compress(pairs, wanted))


def _numbers(texts: Sequence[bytes]) -> array[int]:
    """Valid IPv4 addresses as numbers; zeros in front do not make an octet octal."""
    numbers = array("I", bytes(map(_OCTETS.__getitem__, b".".join(texts).split(b"."))))
    if sys.byteorder == "little":
        numbers.byteswap()
    return numbers


def _wanted(levels: Sequence[bytes]) -> list[bool] | None:
    """Which of the ranges are blocked; None for all of them."""
    passed = {level for level in dict.fromkeys(levels) if level and int(level) > _LEVEL}
    return [level not in passed for level in levels] if passed else None


def _take_odd(line: bytes, number: int, found: _Gathered) -> None:
    """A line with an IPv6 address, or none that is understood."""
    pair: tuple[Address, int] | None = None
    level = b""
    if len(line) <= _ODD_CHARS:
        line += b"\n"
        if (match := _SIX_RANGE.match(line)) is not None:
            pair, level = _six_range(match[1], match[2]), match[3]
        elif (match := _SIX_NETWORK.match(line)) is not None:
            pair, level = _six_network(match[1], match[2]), match[3]
    if pair is None:
        found.wrong(number)
        return
    found.understood += 1
    if level and int(level) > _LEVEL:
        return
    first, last = pair
    if isinstance(first, IPv4Address):
        found.four.append(int(first) << 32 | last)
    else:
        found.six.append((int(first), last))


def _six_range(begin: bytes, end: bytes) -> tuple[Address, int] | None:
    first, last = _six(begin), _six(end)
    if first is None or last is None or first.version != last.version or int(first) > int(last):
        return None
    return first, int(last)


def _six_network(text: bytes, length: bytes | None) -> tuple[Address, int] | None:
    address = _six(text)
    bits = int(length) if length else 128
    if address is None or bits > 128:
        return None
    host = (1 << 128 - bits) - 1
    if isinstance(address, IPv4Address):
        if bits < _MAPPED_BITS:
            return None
        return IPv4Address(int(address) & ~host), int(address) | host
    return type(address)(int(address) & ~host), int(address) | host


def _six(text: bytes) -> Address | None:
    """An address in the notation of IPv6; an IPv4 address where it wraps one."""
    return addresses.parse(text.decode("ascii")) if b":" in text else None


# -- the binary forms of PeerGuardian


def _binary(data: bytes, found: _Gathered) -> None:
    version = data[len(_P2B)] if len(data) > len(_P2B) else 0
    at = len(_P2B) + 1
    if version in (1, 2):
        _named(data, at, found)
    elif version == 3:
        _indexed(data, at, found)
    else:
        raise FormatError(f"version {version} of .p2b is not known", where="filter")


def _named(data: bytes, at: int, found: _Gathered) -> None:
    """A name that a zero ends, and two addresses; over and over. Version 2 has another encoding of the names."""
    number = 0
    while at < len(data):
        end = data.find(b"\0", at)
        at = end + 1 + _PAIR.size
        if end < 0 or at > len(data):
            raise _ends_early()
        number += 1
        (pair,) = _PAIR.unpack_from(data, end + 1)
        _take_pair(pair, number, found)
        if not number % _CHUNK:
            found.check()
    found.check()


def _indexed(data: bytes, at: int, found: _Gathered) -> None:
    """All the names, then the number of a name and two addresses for each range."""
    names, at = _count(data, at)
    for _ in range(names):
        at = data.find(b"\0", at) + 1
        if not at:
            raise _ends_early()
    ranges, at = _count(data, at)
    if ranges > limits.FILTER_RANGES:
        raise LimitError(f"more than FILTER_RANGES ({limits.FILTER_RANGES}) ranges", where="filter")
    if ranges * 12 > len(data) - at:
        raise _ends_early()
    for number in range(ranges):
        (pair,) = _PAIR.unpack_from(data, at + number * 12 + 4)
        _take_pair(pair, number + 1, found)


def _take_pair(pair: int, number: int, found: _Gathered) -> None:
    if pair >> 32 > pair & _ALL:
        found.wrong(number)
    else:
        found.understood += 1
        found.four.append(pair)


def _count(data: bytes, at: int) -> tuple[int, int]:
    if at + _U32.size > len(data):
        raise _ends_early()
    return int(_U32.unpack_from(data, at)[0]), at + _U32.size


def _ends_early() -> FormatError:
    return FormatError("the .p2b file ends early", where="filter")
