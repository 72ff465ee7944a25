"""KRPC (BEP 5): messages of the DHT as typed values, read strictly where it matters and leniently where clients differ.

Bounded by size, depth and number of values. Keys out of order are read (old clients write them) but never in a stored
value, whose bytes are signed (BEP 44). Lists of nodes that end in the middle of an entry lose that entry. Keys that are
optional and wrong are as if they were not there; required ones make a query `BadQuery`, which can be answered, and a
reply a FormatError.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from wildbach.base import limits
from wildbach.base.errors import FormatError
from wildbach.base.ids import Endpoint
from wildbach.protocol import bencode, compact
from wildbach.protocol.dht.places import place

VERSION = b"WB\x00\x01"

GENERIC, SERVER, PROTOCOL, UNKNOWN_METHOD = 201, 202, 203, 204
TOO_BIG, BAD_SIGNATURE, SALT_TOO_BIG, CAS_MISMATCH, OLD_SEQ = 205, 206, 207, 301, 302
"Codes of errors: BEP 5 and, from 205 on, BEP 44."

_MAX_INT64 = (1 << 63) - 1
_BLOOM_BYTES = 256
_Dict = dict[bytes, bencode.Value]


class NodeInfo(NamedTuple):
    """A node as others name it."""

    id: bytes
    endpoint: Endpoint


class Ping(NamedTuple):
    pass


class FindNode(NamedTuple):
    target: bytes
    want: tuple[int, ...] = ()
    "IP versions of the nodes that are wanted; empty where the question does not say (BEP 32)."


class GetPeers(NamedTuple):
    info_hash: bytes
    want: tuple[int, ...] = ()
    noseed: bool = False
    scrape: bool = False

    @property
    def target(self) -> bytes:
        return self.info_hash


class AnnouncePeer(NamedTuple):
    info_hash: bytes
    port: int
    token: bytes
    implied: bool = False
    "The port is the one the datagram comes from."
    seed: bool = False


class Get(NamedTuple):
    target: bytes
    want: tuple[int, ...] = ()
    seq: int | None = None
    "Only a value that is newer is wanted."


class Put(NamedTuple):
    token: bytes
    value: bytes
    "Bencoded, canonical."
    key: bytes = b""
    salt: bytes = b""
    seq: int = 0
    signature: bytes = b""
    cas: int | None = None


class Sample(NamedTuple):
    target: bytes
    want: tuple[int, ...] = ()


class Unknown(NamedTuple):
    """A method we do not know. Where it has a target, the nodes near it are a good answer."""

    method: bytes
    target: bytes | None = None
    want: tuple[int, ...] = ()


Question = Ping | FindNode | GetPeers | AnnouncePeer | Get | Put | Sample | Unknown


class Query(NamedTuple):
    tid: bytes
    id: bytes
    question: Question
    read_only: bool = False
    version: bytes = b""


class Reply(NamedTuple):
    tid: bytes
    id: bytes
    ip: Endpoint | None = None
    "Our own address as the node sees it (BEP 42)."
    token: bytes | None = None
    nodes: Sequence[NodeInfo] = ()
    nodes6: Sequence[NodeInfo] = ()
    values: Sequence[Endpoint] = ()
    value: bytes | None = None
    "An item's value, bencoded."
    key: bytes = b""
    seq: int | None = None
    signature: bytes = b""
    samples: tuple[bytes, ...] | None = None
    num: int = 0
    interval: int = 0
    bloom_seeds: bytes = b""
    bloom_peers: bytes = b""
    version: bytes = b""


class Error(NamedTuple):
    tid: bytes
    code: int
    text: str
    ip: Endpoint | None = None


Message = Query | Reply | Error


class BadQuery(FormatError):
    """A query that can be answered by an error: `tid` says which, `number` is its code."""

    def __init__(self, tid: bytes, text: str, number: int = PROTOCOL) -> None:
        super().__init__(text, number=number)
        self.tid = tid
        self.number = number


# reading


def decode(data: bytes) -> Message:
    """One message. Raises FormatError; BadQuery where the sender may be told."""
    if len(data) > limits.KRPC_BYTES:
        raise FormatError("longer than KRPC_BYTES")
    strict = True
    try:
        top = bencode.decode(data, depth=limits.KRPC_DEPTH, tokens=limits.KRPC_TOKENS)
    except FormatError:
        strict = False
        top = bencode.decode(data, strict=False, depth=limits.KRPC_DEPTH, tokens=limits.KRPC_TOKENS)
    if not isinstance(top, dict):
        raise FormatError("not a dictionary")
    tid, kind = top.get(b"t"), top.get(b"y")
    if not isinstance(tid, bytes) or len(tid) > limits.KRPC_TRANSACTION_BYTES:
        raise FormatError("no transaction id", where="t")
    source = None if strict else data
    if kind == b"q":
        return _query(tid, top, source)
    if kind == b"r":
        return _reply(tid, top, source)
    if kind == b"e":
        return _error(tid, top)
    raise FormatError("neither query nor reply nor error", where="y")


def _query(tid: bytes, top: _Dict, source: bytes | None) -> Query:
    method, args = top.get(b"q"), top.get(b"a")
    if not isinstance(method, bytes) or not isinstance(args, dict):
        raise BadQuery(tid, "a query has a method and arguments")
    node_id = _fixed(args, b"id", 20)
    if node_id is None:
        raise BadQuery(tid, "a query has an id of 20 bytes")
    read = _READERS.get(method)
    question = read(tid, args, source) if read is not None else _unknown(method, args)
    return Query(tid, node_id, question, top.get(b"ro") == 1, _version(top))


def _ping(tid: bytes, args: _Dict, source: bytes | None) -> Question:
    return Ping()


def _find_node(tid: bytes, args: _Dict, source: bytes | None) -> Question:
    return FindNode(_target(tid, args, b"target"), _want(args))


def _get_peers(tid: bytes, args: _Dict, source: bytes | None) -> Question:
    return GetPeers(
        _target(tid, args, b"info_hash"), _want(args), args.get(b"noseed") == 1, args.get(b"scrape") == 1
    )


def _announce(tid: bytes, args: _Dict, source: bytes | None) -> Question:
    info_hash = _target(tid, args, b"info_hash")
    implied = args.get(b"implied_port")
    port = args.get(b"port")
    from_source = isinstance(implied, int) and implied != 0
    if not from_source and not (isinstance(port, int) and 0 < port < 65536):
        raise BadQuery(tid, "an announce has a port")
    number = port if isinstance(port, int) and 0 < port < 65536 else 0
    return AnnouncePeer(info_hash, number, _token(tid, args), from_source, args.get(b"seed") == 1)


def _get(tid: bytes, args: _Dict, source: bytes | None) -> Question:
    return Get(_target(tid, args, b"target"), _want(args), _number(args, b"seq"))


def _put(tid: bytes, args: _Dict, source: bytes | None) -> Question:
    token = _token(tid, args)
    if b"v" not in args:
        raise BadQuery(tid, "a put has a value")
    value = _canonical(args[b"v"], source)
    if value is None:
        raise BadQuery(tid, "the value is not canonical bencoding")
    if len(value) > limits.DHT_ITEM_BYTES:
        raise BadQuery(tid, f"a value has at most {limits.DHT_ITEM_BYTES} bytes", TOO_BIG)
    if b"k" not in args:
        return Put(token, value)
    key, signature, seq = _fixed(args, b"k", 32), _fixed(args, b"sig", 64), _number(args, b"seq")
    if key is None or signature is None or seq is None:
        raise BadQuery(tid, "a mutable item has k (32 bytes), sig (64 bytes) and seq (from 0)")
    salt, cas = args.get(b"salt", b""), args.get(b"cas")
    if not isinstance(salt, bytes):
        raise BadQuery(tid, "a salt is a string")
    if len(salt) > limits.DHT_SALT_BYTES:
        raise BadQuery(tid, f"a salt has at most {limits.DHT_SALT_BYTES} bytes", SALT_TOO_BIG)
    if cas is not None and not isinstance(cas, int):
        raise BadQuery(tid, "cas is a number")
    return Put(token, value, key, salt, seq, signature, cas)


def _sample(tid: bytes, args: _Dict, source: bytes | None) -> Question:
    return Sample(_target(tid, args, b"target"), _want(args))


def _unknown(method: bytes, args: _Dict) -> Question:
    target = _fixed(args, b"target", 20) or _fixed(args, b"info_hash", 20)
    return Unknown(method[:40], target, _want(args))


_READERS = {
    b"ping": _ping, b"find_node": _find_node, b"get_peers": _get_peers, b"announce_peer": _announce,
    b"get": _get, b"put": _put, b"sample_infohashes": _sample,
}


def _reply(tid: bytes, top: _Dict, source: bytes | None) -> Reply:
    values = top.get(b"r")
    if not isinstance(values, dict):
        raise FormatError("a reply has values", where="r")
    node_id = _fixed(values, b"id", 20)
    if node_id is None:
        raise FormatError("a reply has an id of 20 bytes", where="r.id")
    if len(values) == 1:
        return Reply(tid, node_id, _ip(top), version=_version(top))
    token = values.get(b"token")
    if not isinstance(token, bytes) or len(token) > limits.DHT_WRITE_TOKEN_BYTES:
        token = None
    value = _canonical(values[b"v"], source) if b"v" in values else None
    if value is not None and len(value) > limits.DHT_ITEM_BYTES:
        value = None
    interval = _number(values, b"interval") or 0
    return Reply(
        tid, node_id, _ip(top), token, _nodes(values.get(b"nodes"), 26), _nodes(values.get(b"nodes6"), 38),
        _peers(values.get(b"values")), value, _fixed(values, b"k", 32) or b"", _number(values, b"seq"),
        _fixed(values, b"sig", 64) or b"", _samples(values.get(b"samples")), _number(values, b"num") or 0,
        min(interval, limits.DHT_SAMPLE_SECONDS), _fixed(values, b"BFsd", _BLOOM_BYTES) or b"",
        _fixed(values, b"BFpe", _BLOOM_BYTES) or b"", _version(top),
    )


def _error(tid: bytes, top: _Dict) -> Error:
    parts = top.get(b"e")
    code, text = GENERIC, b""
    if isinstance(parts, list):
        if parts and isinstance(parts[0], int):
            code = parts[0]
        text = next((part for part in parts if isinstance(part, bytes)), b"")
    elif isinstance(parts, bytes):
        text = parts
    return Error(tid, code, text[: limits.KRPC_TEXT_CHARS].decode("utf-8", "replace"), _ip(top))


def _fixed(values: _Dict, key: bytes, size: int) -> bytes | None:
    value = values.get(key)
    return value if isinstance(value, bytes) and len(value) == size else None


def _number(values: _Dict, key: bytes) -> int | None:
    """A number from 0 to 2^63 - 1."""
    value = values.get(key)
    return value if isinstance(value, int) and 0 <= value <= _MAX_INT64 else None


def _target(tid: bytes, args: _Dict, key: bytes) -> bytes:
    target = _fixed(args, key, 20)
    if target is None:
        raise BadQuery(tid, f"{key.decode()} has 20 bytes")
    return target


def _token(tid: bytes, args: _Dict) -> bytes:
    token = args.get(b"token")
    if not isinstance(token, bytes):
        raise BadQuery(tid, "there is no token")
    return token


def _want(args: _Dict) -> tuple[int, ...]:
    want = args.get(b"want")
    if not isinstance(want, list):
        return ()
    return tuple(version for name, version in ((b"n4", 4), (b"n6", 6)) if name in want)


def _version(top: _Dict) -> bytes:
    version = top.get(b"v")
    return version[:16] if isinstance(version, bytes) else b""


def _ip(top: _Dict) -> Endpoint | None:
    raw = top.get(b"ip")
    if not isinstance(raw, bytes) or len(raw) not in (4, 6, 16, 18):
        return None
    size = len(raw) & ~3
    host = compact.unpack_host(raw[:size])
    return Endpoint(host, int.from_bytes(raw[size:], "big")) if host is not None else None


def _nodes(raw: object, size: int) -> Sequence[NodeInfo]:
    if not isinstance(raw, bytes):
        return ()
    read = compact.decode_v4 if size == 26 else compact.decode_v6
    out = []
    for at in range(0, min(len(raw), limits.DHT_HEARSAY * size) - size + 1, size):
        endpoints = read(raw[at + 20 : at + size])
        if endpoints:
            out.append(NodeInfo(raw[at : at + 20], endpoints[0]))
    return out


def _peers(raw: object) -> Sequence[Endpoint]:
    """Each entry is one peer; very old clients send one string with all of them."""
    if not isinstance(raw, list):
        return ()
    out: list[Endpoint] = []
    for entry in raw:
        if isinstance(entry, bytes):
            if len(entry) == compact.SIZE_V6:
                out += compact.decode_v6(entry)
            elif len(entry) % compact.SIZE_V4 == 0:
                out += compact.decode_v4(entry)
    return out


def _samples(raw: object) -> tuple[bytes, ...] | None:
    if not isinstance(raw, bytes):
        return None
    return tuple(raw[at : at + 20] for at in range(0, len(raw) - 19, 20))


def _canonical(value: bencode.Value, source: bytes | None) -> bytes | None:
    """The bytes of a value; None where a message read leniently (`source`) wrote it in another way."""
    raw = bencode.encode(value)
    return raw if source is None or raw in source else None


# writing: the keys of every message are known, so they stand in order here and nothing is sorted


def encode_query(tid: bytes, node_id: bytes, question: Question, *, read_only: bool = False) -> bytes:
    name, before, after = _arguments(question)
    return b"d1:ad%b2:id20:%b%be1:q%d:%b%b1:t%d:%b1:v4:%b1:y1:qe" % (
        before, node_id, after, len(name), name, b"2:roi1e" if read_only else b"", len(tid), tid, VERSION,
    )


def _arguments(question: Question) -> tuple[bytes, bytes, bytes]:
    """The method, the arguments before `id` and those behind it."""
    match question:
        case Ping():
            return b"ping", b"", b""
        case FindNode(target, want):
            return b"find_node", b"", b"6:target20:%b%b" % (target, _want_text(want))
        case GetPeers(info_hash, want, noseed, scrape):
            return b"get_peers", b"", b"9:info_hash20:%b%b%b%b" % (
                info_hash, b"6:noseedi1e" if noseed else b"", b"6:scrapei1e" if scrape else b"", _want_text(want))
        case AnnouncePeer(info_hash, port, token, implied, seed):
            return b"announce_peer", b"", b"%b9:info_hash20:%b4:porti%de%b5:token%d:%b" % (
                b"12:implied_porti1e" if implied else b"", info_hash, port, b"4:seedi1e" if seed else b"",
                len(token), token)
        case Get(target, want, seq):
            return b"get", b"", b"%b6:target20:%b%b" % (
                b"" if seq is None else b"3:seqi%de" % seq, target, _want_text(want))
        case Put():
            return b"put", *_put_text(question)
        case Sample(target, want):
            return b"sample_infohashes", b"", b"6:target20:%b%b" % (target, _want_text(want))
        case Unknown(method, target, want):
            return method, b"", b"%b%b" % (
                b"" if target is None else b"6:target20:" + target, _want_text(want))


def _put_text(put: Put) -> tuple[bytes, bytes]:
    token = b"5:token%d:%b" % (len(put.token), put.token)
    if not put.key:
        return b"", b"%b1:v%b" % (token, put.value)
    return (
        b"" if put.cas is None else b"3:casi%de" % put.cas,
        b"1:k32:%b%b3:seqi%de3:sig64:%b%b1:v%b" % (
            put.key, b"4:salt%d:%b" % (len(put.salt), put.salt) if put.salt else b"", put.seq, put.signature, token,
            put.value),
    )


def _want_text(want: tuple[int, ...]) -> bytes:
    return b"4:wantl%be" % b"".join(b"2:n%d" % version for version in want) if want else b""


def encode_reply(reply: Reply) -> bytes:
    parts = [b"d"]
    if reply.ip is not None:
        raw = _compact(reply.ip)
        parts.append(b"2:ip%d:%b" % (len(raw), raw))
    parts.append(b"1:rd")
    if reply.bloom_peers:
        parts.append(b"4:BFpe256:%b4:BFsd256:%b" % (reply.bloom_peers, reply.bloom_seeds))
    parts.append(b"2:id20:%b" % reply.id)
    if reply.samples is not None:
        parts.append(b"8:intervali%de" % reply.interval)
    if reply.key:
        parts.append(b"1:k32:%b" % reply.key)
    for name, nodes in ((b"5:nodes", reply.nodes), (b"6:nodes6", reply.nodes6)):
        if nodes:
            raw = b"".join([node.id + _compact(node.endpoint) for node in nodes])
            parts.append(b"%b%d:%b" % (name, len(raw), raw))
    if reply.samples is not None:
        parts.append(b"3:numi%de7:samples%d:%b" % (reply.num, 20 * len(reply.samples), b"".join(reply.samples)))
    if reply.seq is not None:
        parts.append(b"3:seqi%de" % reply.seq)
    if reply.signature:
        parts.append(b"3:sig64:%b" % reply.signature)
    if reply.token is not None:
        parts.append(b"5:token%d:%b" % (len(reply.token), reply.token))
    if reply.value is not None:
        parts.append(b"1:v%b" % reply.value)
    if reply.values:
        parts.append(b"6:valuesl")
        for peer in reply.values:
            raw = _compact(peer)
            parts.append(b"%d:%b" % (len(raw), raw))
        parts.append(b"e")
    parts.append(b"e1:t%d:%b1:v4:%b1:y1:re" % (len(reply.tid), reply.tid, VERSION))
    return b"".join(parts)


def _compact(endpoint: Endpoint) -> bytes:
    """`compact.encode`, with the address remembered. Raises ValueError where the host is no address."""
    at = place(endpoint.host)
    if at is None:
        raise ValueError(f"not an address: {endpoint.host!r}")
    return at.packed + endpoint.port.to_bytes(2, "big")


def encode_error(error: Error) -> bytes:
    text = error.text.encode()[: limits.KRPC_TEXT_CHARS]
    return b"d1:eli%de%d:%be1:t%d:%b1:v4:%b1:y1:ee" % (
        error.code, len(text), text, len(error.tid), error.tid, VERSION)


def encode(message: Message) -> bytes:
    if isinstance(message, Query):
        return encode_query(message.tid, message.id, message.question, read_only=message.read_only)
    return encode_reply(message) if isinstance(message, Reply) else encode_error(message)
