"""What two devices say to each other on the control channel of their session, and with bundles.

Each message is one bencoded dictionary; `t` tells the kind. Keys that are unknown here are passed over, and one of an
unknown kind is read as None, so that later versions can say more. A folder is named by its tag: eight bytes that both
sides derive from what they proved, and that mean nothing outside of the session.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError
from wildbach.base.ids import DeviceId
from wildbach.protocol import bencode
from wildbach.protocol.bencode import Value
from wildbach.protocol.metainfo.fields import take_bytes, take_int, take_list
from wildbach.protocol.sync.listpages import PAGE_BYTES, page_count
from wildbach.protocol.sync.vectors import VersionVector

PROOF_BYTES: Final = 32
TAG_BYTES: Final = 8
INDEX_BYTES: Final = 8
PROOFS_MULTIPLE: Final = 8
"The count of proofs is filled up to a multiple of this with random ones."
_ROOT: Final = 32


@dataclass(frozen=True, slots=True)
class Hello:
    """The first message of each side: proofs of folders that it has, in random order among made-up ones.

    `name`: what the device calls itself, for people. `client`: which program it is.
    """

    proofs: tuple[bytes, ...]
    name: str = ""
    client: str = ""


@dataclass(frozen=True, slots=True)
class RosterHeads:
    """Hashes of the newest rosters that the sender has of a folder."""

    tag: bytes
    heads: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class RosterWanted:
    """Rosters that the sender lacks."""

    tag: bytes
    hashes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Rosters:
    """Signed rosters as they were made."""

    tag: bytes
    rosters: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Index:
    """How far the indexes are known.

    `index`: names the sender's data base since it last lost something; `last`: the number of its newest row.
    `peer_index`, `peer_last`: what the sender has of the other's: what is newer is to be sent.
    """

    tag: bytes
    index: bytes
    last: int
    peer_index: bytes
    peer_last: int


@dataclass(frozen=True, slots=True)
class Entries:
    """Rows of the sender's index with numbers above `after` up to `upto`: all heads that changed there.

    Rows that say what the receiver said itself are left out. `whole`: with these the receiver has all that the sender
    has, and may take it over: what was changed together is known together.
    """

    tag: bytes
    after: int
    upto: int
    entries: tuple[bytes, ...]
    whole: bool = True


@dataclass(frozen=True, slots=True)
class Ack:
    """What a device has of each author, signed by it: all that the author signed up to that sequence.

    It is passed on by others, who cannot claim more for it.
    """

    tag: bytes
    device: DeviceId
    epoch: int
    upto: VersionVector
    signature: bytes


@dataclass(frozen=True, slots=True)
class Whereabouts:
    """Signed endpoints of members, as the members sealed them."""

    tag: bytes
    records: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Status:
    """How a folder stands at the sender: a code of `state`, what it still wants, and why it waits."""

    tag: bytes
    state: str
    files: int
    octets: int
    why: str = ""


@dataclass(frozen=True, slots=True)
class Bye:
    """The sender ends the session, and says why."""

    code: str


@dataclass(frozen=True, slots=True)
class Bundled:
    """Asks for whole small files by their roots; the answer comes on the channel that this was sent on."""

    tag: bytes
    number: int
    files: tuple[tuple[bytes, int], ...]
    "Root and size of each."


@dataclass(frozen=True, slots=True)
class Bundle:
    """The files that were asked for, in the order asked; empty for one that is not there any more."""

    number: int
    files: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class PageWanted:
    """Asks for a page of the list of `count` hashes with that root, on a channel for bundles."""

    tag: bytes
    number: int
    root: bytes
    count: int
    page: int


@dataclass(frozen=True, slots=True)
class PageSent:
    """The page that was asked for, with the hashes of all; `content` is empty where it is not there."""

    number: int
    layer: bytes
    content: bytes


Message: TypeAlias = (
    Hello | RosterHeads | RosterWanted | Rosters | Index | Entries | Ack | Whereabouts | Status | Bye | Bundled | Bundle
    | PageWanted | PageSent
)


def encode(message: Message) -> bytes:
    """Raises LimitError where the message is longer than SYNC_MESSAGE_BYTES."""
    raw = bencode.encode(_fields(message))
    if len(raw) > limits.SYNC_MESSAGE_BYTES:
        raise LimitError(f"a message is longer than SYNC_MESSAGE_BYTES = {limits.SYNC_MESSAGE_BYTES}")
    return raw


def decode(raw: bytes) -> Message | None:
    """None for a kind that is unknown here. Raises FormatError or LimitError."""
    if len(raw) > limits.SYNC_MESSAGE_BYTES:
        raise LimitError(f"a message is longer than SYNC_MESSAGE_BYTES = {limits.SYNC_MESSAGE_BYTES}")
    value = bencode.decode(raw, depth=4, tokens=limits.SYNC_MESSAGE_TOKENS)
    if not isinstance(value, dict):
        raise FormatError("a message is no dictionary")
    reader = _READERS.get(take_bytes(value, b"t", "message"))
    return None if reader is None else reader(value)


def batches(entries: Sequence[bytes], most: int = limits.SYNC_INDEX_BYTES) -> list[list[bytes]]:
    """Cut rows into runs of at most `most` bytes, each of one row at least."""
    found: list[list[bytes]] = []
    size = 0
    for entry in entries:
        if not found or size + len(entry) > most:
            found.append([])
            size = 0
        found[-1].append(entry)
        size += len(entry)
    return found


def _fields(message: Message) -> dict[bytes, Value]:
    match message:
        case Hello():
            return {
                b"t": b"hello", b"p": list(message.proofs), b"n": message.name.encode(), b"c": message.client.encode()}
        case RosterHeads():
            return {b"t": b"heads", b"f": message.tag, b"h": list(message.heads)}
        case RosterWanted():
            return {b"t": b"want", b"f": message.tag, b"h": list(message.hashes)}
        case Rosters():
            return {b"t": b"roster", b"f": message.tag, b"r": list(message.rosters)}
        case Index():
            return {
                b"t": b"index", b"f": message.tag, b"i": message.index, b"l": message.last, b"j": message.peer_index,
                b"m": message.peer_last,
            }
        case Entries():
            return {
                b"t": b"entries", b"f": message.tag, b"a": message.after, b"u": message.upto,
                b"e": list(message.entries), b"w": int(message.whole),
            }
        case Ack():
            return {
                b"t": b"ack", b"f": message.tag, b"d": bytes(message.device), b"e": message.epoch,
                b"v": message.upto.pack(), b"s": message.signature,
            }
        case Whereabouts():
            return {b"t": b"where", b"f": message.tag, b"r": list(message.records)}
        case Status():
            return {
                b"t": b"status", b"f": message.tag, b"s": message.state.encode(), b"n": message.files,
                b"o": message.octets, b"w": message.why.encode(),
            }
        case Bye():
            return {b"t": b"bye", b"c": message.code.encode()}
        case Bundled():
            return {
                b"t": b"get", b"f": message.tag, b"n": message.number,
                b"r": [root + size.to_bytes(8, "big") for root, size in message.files],
            }
        case Bundle():
            return {b"t": b"got", b"n": message.number, b"b": list(message.files)}
        case PageWanted():
            return {
                b"t": b"list", b"f": message.tag, b"n": message.number, b"r": message.root, b"c": message.count,
                b"p": message.page,
            }
        case PageSent():
            return {b"t": b"page", b"n": message.number, b"h": message.layer, b"b": message.content}


def _hello(value: dict[bytes, Value]) -> Hello:
    proofs = _strings(value, b"p", limits.SYNC_PROOFS, PROOF_BYTES)
    if len(proofs) % PROOFS_MULTIPLE:
        raise FormatError(f"proofs come in multiples of {PROOFS_MULTIPLE}", where="message.p")
    return Hello(proofs, _text(value, b"n", limits.SYNC_NAME_CHARS), _text(value, b"c", limits.SYNC_NAME_CHARS))


def _entries(value: dict[bytes, Value]) -> Entries:
    after, upto = _number(value, b"a"), _number(value, b"u")
    if upto < after:
        raise FormatError("rows end before they begin", where="message.u")
    return Entries(
        _tag(value), after, upto, _strings(value, b"e", limits.SYNC_INDEX_ROWS), bool(_number(value, b"w", 1)))


def _ack(value: dict[bytes, Value]) -> Ack:
    return Ack(
        _tag(value), DeviceId(_sized(value, b"d", DeviceId.SIZE)), _number(value, b"e", limits.SYNC_EPOCHS),
        VersionVector.unpack(take_bytes(value, b"v", "message"), "message.v"), _sized(value, b"s", 64))


def _bundled(value: dict[bytes, Value]) -> Bundled:
    files = _strings(value, b"r", limits.SYNC_BUNDLE_FILES, _ROOT + 8)
    found = tuple((raw[:_ROOT], int.from_bytes(raw[_ROOT:], "big")) for raw in files)
    if not found or sum(size for _, size in found) > limits.SYNC_BUNDLE_BYTES:
        raise LimitError(
            f"asks for nothing, or for more than SYNC_BUNDLE_BYTES = {limits.SYNC_BUNDLE_BYTES}", where="message.r")
    return Bundled(_tag(value), _number(value, b"n"), found)


def _page_wanted(value: dict[bytes, Value]) -> PageWanted:
    count, page = _number(value, b"c", limits.SYNC_CUT_ENTRIES), _number(value, b"p")
    if page >= page_count(count):
        raise FormatError("the list has no such page", where="message.p")
    return PageWanted(_tag(value), _number(value, b"n"), _sized(value, b"r", _ROOT), count, page)


def _page_sent(value: dict[bytes, Value]) -> PageSent:
    layer, content = take_bytes(value, b"h", "message"), take_bytes(value, b"b", "message")
    if len(layer) > page_count(limits.SYNC_CUT_ENTRIES) * _ROOT or len(content) > PAGE_BYTES:
        raise LimitError("is longer than a page can be", where="message.b")
    return PageSent(_number(value, b"n"), layer, content)


_READERS: Final[dict[bytes, Callable[[dict[bytes, Value]], Message]]] = {
    b"hello": _hello,
    b"heads": lambda value: RosterHeads(_tag(value), _strings(value, b"h", limits.SYNC_HASHES, 32)),
    b"want": lambda value: RosterWanted(_tag(value), _strings(value, b"h", limits.SYNC_HASHES, 32)),
    b"roster": lambda value: Rosters(_tag(value), _strings(value, b"r", limits.SYNC_HASHES)),
    b"index": lambda value: Index(
        _tag(value), _sized(value, b"i", INDEX_BYTES), _number(value, b"l"), _sized(value, b"j", INDEX_BYTES),
        _number(value, b"m")),
    b"entries": _entries,
    b"ack": _ack,
    b"where": lambda value: Whereabouts(_tag(value), _strings(value, b"r", limits.SYNC_DEVICES)),
    b"status": lambda value: Status(
        _tag(value), _text(value, b"s", 32), _number(value, b"n"), _number(value, b"o"), _text(value, b"w", 200)),
    b"bye": lambda value: Bye(_text(value, b"c", 32)),
    b"get": _bundled,
    b"got": lambda value: Bundle(_number(value, b"n"), _strings(value, b"b", limits.SYNC_BUNDLE_FILES)),
    b"list": _page_wanted,
    b"page": _page_sent,
}


def _tag(value: dict[bytes, Value]) -> bytes:
    return _sized(value, b"f", TAG_BYTES)


def _sized(value: dict[bytes, Value], key: bytes, size: int) -> bytes:
    found = take_bytes(value, key, "message")
    if len(found) != size:
        raise FormatError(f"has {len(found)} bytes instead of {size}", where=f"message.{key.decode()}")
    return found


def _number(value: dict[bytes, Value], key: bytes, most: int = limits.SYNC_COUNTER) -> int:
    found = take_int(value, key, "message")
    if not 0 <= found <= most:
        raise FormatError(f"is not from 0 to {most}", where=f"message.{key.decode()}")
    return found


def _strings(value: dict[bytes, Value], key: bytes, most: int, size: int | None = None) -> tuple[bytes, ...]:
    found = take_list(value, key, "message")
    if len(found) > most:
        raise LimitError(f"has more than {most} parts", where=f"message.{key.decode()}")
    strings: list[bytes] = []
    for each in found:
        if not isinstance(each, bytes) or (size is not None and len(each) != size):
            raise FormatError("has a part that is none", where=f"message.{key.decode()}")
        strings.append(each)
    return tuple(strings)


def _text(value: dict[bytes, Value], key: bytes, most: int) -> str:
    """For people: what does not print is left out, and what is too long is cut."""
    raw = take_bytes(value, key, "message")
    return "".join(char for char in raw.decode("utf-8", "replace") if char.isprintable())[:most]
