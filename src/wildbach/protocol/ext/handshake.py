"""The handshake of the extension protocol (BEP 10), with the keys of BEP 9 and BEP 21.

Ids in `m` are the sender's: what we send to a peer carries the id *it* gave, what it sends carries ours (`Extension`).
An item of the wrong type or size is ignored, as the keys of many clients are only nearly right; what is no dictionary
at all is an error.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from ipaddress import ip_address
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import FormatError
from wildbach.protocol import bencode

EXTENDED: Final = 20
"The id of the `extended` message; id 0 in its first byte is the handshake."
_HEADER = struct.Struct(">IBB")
_DEFAULT_REQQ = 250
_TOKENS = 2000
_DEPTH = 8


class Extension(IntEnum):
    """The extensions that are built in; the value is the id peers must use towards us."""

    UT_PEX = 1
    UT_METADATA = 2
    UPLOAD_ONLY = 3
    UT_HOLEPUNCH = 4
    WB_HEAD = 5
    WB_PAY = 6
    LT_DONTHAVE = 7


NAMES: Final[Mapping[Extension, bytes]] = {
    Extension.UT_PEX: b"ut_pex",
    Extension.UT_METADATA: b"ut_metadata",
    Extension.UPLOAD_ONLY: b"upload_only",
    Extension.UT_HOLEPUNCH: b"ut_holepunch",
    Extension.WB_HEAD: b"wb_head",
    Extension.WB_PAY: b"wb_pay",
    Extension.LT_DONTHAVE: b"lt_donthave",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtHandshake:
    """What a peer says about itself. Everything is a claim; absent or senseless items have their default."""

    ids: Mapping[bytes, int] = field(default_factory=dict)
    "Message id by extension name (`m`); 0 switches one off."
    client: str = ""
    "Name and version (`v`), made printable and at most 64 characters."
    port: int = 0
    "TCP port it listens on (`p`), 0 for unknown."
    reqq: int = _DEFAULT_REQQ
    "Requests it takes at once, 1 to 2000."
    yourip: str = ""
    "Our address as it sees us. A hint, never trusted alone."
    ipv4: str = ""
    ipv6: str = ""
    metadata_size: int = 0
    "Bytes of the info dictionary it could serve (BEP 9), 0 for none. Not bounded here."
    upload_only: bool = False
    "It wants nothing: a seed or partial seed (BEP 21)."
    complete_ago: int = -1
    "Seconds since it became complete, -1 for unknown."
    encrypt: bool = False
    "It prefers encrypted connections (`e`)."
    pays: bencode.Value | None = None
    "On what terms it buys and sells (`wbp`, `protocol.ext.pay`); None where it does neither."

    def id_of(self, extension: Extension) -> int:
        """The message id this peer wants for an extension; 0 where it has not switched it on."""
        return self.ids.get(NAMES[extension], 0)

    def updated(self, later: ExtHandshake) -> ExtHandshake:
        """This handshake after another one from the same peer: `m` is additive, the rest is replaced (BEP 10)."""
        ids = dict(self.ids)
        for name, number in later.ids.items():
            if name in ids or len(ids) < limits.EXTENSIONS_PER_PEER:
                ids[name] = number
        return replace(
            later, ids=ids, client=later.client or self.client, port=later.port or self.port,
            metadata_size=later.metadata_size or self.metadata_size,
        )


def message(number: int, payload: bytes) -> bytes:
    """A whole `extended` message with the peer's id `number`, length prefix included."""
    return _HEADER.pack(2 + len(payload), EXTENDED, number) + payload


def build(
    *, extensions: Mapping[bytes, int] | None = None, client: str = "", port: int = 0,
    reqq: int = limits.REQUESTS_QUEUED, yourip: str = "", ipv4: str = "", ipv6: str = "", metadata_size: int = 0,
    upload_only: bool = False, complete_ago: int = -1, pays: bencode.Value | None = None,
) -> bytes:
    """The payload of our handshake. `extensions` is `m`, by default all of `Extension`; pass a smaller map for a
    private torrent (no ut_pex). In anonymous mode leave `client`, `port` and the addresses empty.
    """
    chosen = extensions if extensions is not None else {NAMES[e]: int(e) for e in Extension}
    out: dict[bytes, bencode.Value] = {b"m": dict(chosen), b"reqq": reqq}
    if client:
        out[b"v"] = client.encode()
    if port:
        out[b"p"] = port
    for key, host in ((b"yourip", yourip), (b"ipv4", ipv4), (b"ipv6", ipv6)):
        if host:
            out[key] = ip_address(host.partition("%")[0]).packed
    if metadata_size:
        out[b"metadata_size"] = metadata_size
    if upload_only:
        out[b"upload_only"] = 1
    if complete_ago >= 0:
        out[b"complete_ago"] = complete_ago
    if pays is not None:
        out[b"wbp"] = pays
    return bencode.encode(out)


def parse(payload: bytes | memoryview) -> ExtHandshake:
    """Read the payload of an extended handshake. Raises FormatError or LimitError."""
    # The spec wants a dictionary and nothing else; some clients append bytes, which say nothing.
    value, _ = bencode.decode_prefix(bytes(payload), strict=False, depth=_DEPTH, tokens=_TOKENS)
    if not isinstance(value, dict):
        raise FormatError("not a dictionary", where="extended handshake")
    reqq = _integer(value, b"reqq", _DEFAULT_REQQ)
    return ExtHandshake(
        ids=_ids(value.get(b"m")),
        client=_printable(value.get(b"v")),
        port=_integer(value, b"p", 0, 65535),
        reqq=min(reqq, limits.REQUESTS_QUEUED) if reqq > 0 else _DEFAULT_REQQ,
        yourip=_address(value.get(b"yourip"), 4, 16),
        ipv4=_address(value.get(b"ipv4"), 4),
        ipv6=_address(value.get(b"ipv6"), 16),
        metadata_size=_integer(value, b"metadata_size", 0),
        upload_only=_integer(value, b"upload_only", 0) > 0,
        complete_ago=_integer(value, b"complete_ago", -1),
        encrypt=_integer(value, b"e", 0) > 0,
        pays=value.get(b"wbp"),
    )


def encode_upload_only(on: bool) -> bytes:
    """The payload of an `upload_only` message: one byte, as libtorrent sends it, when the state changes later."""
    return b"\1" if on else b"\0"


def decode_upload_only(payload: bytes | memoryview) -> bool:
    """True where the peer wants nothing any more. Raises FormatError."""
    if len(payload) != 1:
        raise FormatError(f"{len(payload)} bytes instead of 1", where="upload_only")
    return payload[0] != 0


def _ids(value: bencode.Value | None) -> dict[bytes, int]:
    if not isinstance(value, dict):
        return {}
    ids: dict[bytes, int] = {}
    for name, number in value.items():
        if len(ids) == limits.EXTENSIONS_PER_PEER:
            break
        if isinstance(number, int) and 0 <= number <= 255 and 0 < len(name) <= limits.EXTENSION_NAME_BYTES:
            ids[name] = number
    return ids


def _integer(value: dict[bytes, bencode.Value], key: bytes, default: int, top: int = (1 << 63) - 1) -> int:
    number = value.get(key)
    return number if isinstance(number, int) and 0 <= number <= top else default


def _printable(value: bencode.Value | None) -> str:
    """Text without control, format (text direction) or unassigned characters."""
    if not isinstance(value, bytes):
        return ""
    text = value[: 4 * limits.CLIENT_NAME_CHARS].decode("utf-8", "replace")
    return "".join(c for c in text if c.isprintable())[: limits.CLIENT_NAME_CHARS]


def _address(value: bencode.Value | None, *sizes: int) -> str:
    if not isinstance(value, bytes) or len(value) not in sizes:
        return ""
    address = ip_address(value)
    if address.version == 6 and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return str(address)
