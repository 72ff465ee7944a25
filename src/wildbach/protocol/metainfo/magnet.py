"""Magnet links (BEP 9, 53; v2 hashes: BEP 52; to what changes: BEP 46) and bare info hashes."""

from __future__ import annotations

import re
from base64 import b32decode
from dataclasses import dataclass
from urllib.parse import quote, unquote_to_bytes

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError, UsageError
from wildbach.base.ids import InfoHashes
from wildbach.protocol.metainfo.document import clean_url
from wildbach.protocol.metainfo.info import File
from wildbach.protocol.metainfo.paths import printable

_HEX = re.compile(r"[0-9a-fA-F]+")
_BASE32 = re.compile(r"[A-Za-z2-7]{32}")
_NUMBER = re.compile(r"[0-9]{1,15}")
_RANGE = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")
_PEER = re.compile(r"(?:\[([0-9a-fA-F:.]{2,45})\]|([0-9A-Za-z._-]{1,253})):([0-9]{1,5})")
_SHA256 = "1220"
"The multihash prefix of a SHA-256 of 32 bytes."
_WEB = ("http://", "https://")
_DIGITS = {"urn:btih": (32, 40), "urn:btmh": (68,)}


@dataclass(frozen=True, slots=True)
class Magnet:
    """What a magnet link says of a torrent."""

    hashes: InfoHashes
    name: str = ""
    "For display only, until the info dictionary is here."
    trackers: tuple[str, ...] = ()
    web_seeds: tuple[str, ...] = ()
    peers: tuple[tuple[str, int], ...] = ()
    "Peers to dial (`x.pe`): a host name or literal address, and a port."
    select: tuple[range, ...] = ()
    "File indices to download (`so`, BEP 53); none for all."
    length: int | None = None
    "Bytes of content (`xl`), as the link claims."
    sources: tuple[str, ...] = ()
    "URLs of the torrent file (`xs`), http or https."

    @classmethod
    def parse(cls, text: str) -> Magnet:
        """Read a magnet link, or an info hash alone: v1 as 40 hex or 32 base32 digits, v2 as 64 hex digits, with or
        without the multihash prefix.

        Raises FormatError where there is no valid hash or two of one kind that differ. Odd other parts are passed over.
        """
        text = _plain(text)
        if len(text) > limits.MAGNET_BYTES:
            raise LimitError(f"longer than MAGNET_BYTES = {limits.MAGNET_BYTES}", where="magnet")
        if text[:7].lower() != "magnet:":
            return cls(_bare(text))
        fields = _fields(text)
        trackers = _urls(fields.get("tr", []), limits.TRACKERS_PER_TORRENT)
        web_seeds = _urls(fields.get("ws", []), limits.WEB_SEEDS_PER_TORRENT)
        sources = [url for url in _urls(fields.get("xs", []), limits.MAGNET_SOURCES) if url.startswith(_WEB)]
        length = fields.get("xl", [""])[0]
        return cls(
            hashes=_hashes(fields.get("xt", [])),
            name=_name(fields),
            trackers=trackers,
            web_seeds=web_seeds,
            sources=tuple(sources),
            peers=_peers(fields.get("x.pe", [])),
            select=_ranges(fields.get("so", [])),
            length=int(length) if _NUMBER.fullmatch(length) is not None else None,
        )

    def wants(self, index: int, file: File) -> bool:
        """Whether the link selects this file of the torrent. Without `so` it selects all."""
        return not file.pad and (not self.select or any(index in numbers for numbers in self.select))

    def to_uri(self) -> str:
        """The link in one fixed order of keys. `Magnet.parse` reads the same value from it."""
        parts = []
        if self.hashes.v1 is not None:
            parts.append(f"xt=urn:btih:{self.hashes.v1.hex()}")
        if self.hashes.v2 is not None:
            parts.append(f"xt=urn:btmh:{_SHA256}{self.hashes.v2.hex()}")
        if self.name:
            parts.append(f"dn={quote(self.name, safe='')}")
        if self.length is not None:
            parts.append(f"xl={self.length}")
        parts += [f"tr={quote(url, safe='')}" for url in self.trackers]
        parts += [f"ws={quote(url, safe='')}" for url in self.web_seeds]
        parts += [f"xs={quote(url, safe='')}" for url in self.sources]
        parts += [f"x.pe={f'[{host}]' if ':' in host else host}:{port}" for host, port in self.peers]
        if self.select:
            parts.append("so=" + ",".join(f"{r[0]}-{r[-1]}" if len(r) > 1 else f"{r[0]}" for r in self.select))
        return "magnet:?" + "&".join(parts)


@dataclass(frozen=True, slots=True)
class MutableLink:
    """A link to whatever torrent the owner of a key says is the newest (BEP 46): `xs=urn:btpk:KEY&s=SALT`."""

    public_key: bytes
    "Ed25519, 32 bytes."
    salt: bytes = b""
    "Parts the torrents of one key."
    name: str = ""
    "For display only."
    trackers: tuple[str, ...] = ()
    "For each torrent it leads to, besides the DHT."
    peers: tuple[tuple[str, int], ...] = ()
    first: Magnet | None = None
    "The torrent the link names besides (`xt`): it may have been the newest when the link was made."
    recovery: bytes = b""
    "The public half of the key that may put another in the place of this one (`rk`), 32 bytes; empty for none."
    web_seeds: tuple[str, ...] = ()
    "Web servers that have the content (`ws`), whatever it is by then: what is another file there is not taken."

    def __post_init__(self) -> None:
        if len(self.public_key) != 32:
            raise UsageError("a public key has 32 bytes")
        if len(self.salt) > limits.DHT_SALT_BYTES:
            raise UsageError(f"a salt has at most DHT_SALT_BYTES = {limits.DHT_SALT_BYTES} bytes")
        if len(self.recovery) not in (0, 32):
            raise UsageError("a recovery key has 32 bytes")

    @classmethod
    def parse(cls, text: str) -> MutableLink:
        """Read such a link. Raises FormatError where there is no public key, two that differ, or a recovery key that
        is none: passed over, it would leave the follower without the protection that the link is to give.
        """
        text = _plain(text)
        if len(text) > limits.MAGNET_BYTES:
            raise LimitError(f"longer than MAGNET_BYTES = {limits.MAGNET_BYTES}", where="magnet")
        fields = _fields(text) if text[:7].lower() == "magnet:" else {}
        keys = [key for value in fields.get("xs", []) if (key := _public_key(value)) is not None]
        if not keys:
            raise FormatError("there is no public key: xs=urn:btpk: and 64 hex digits", where="magnet.xs")
        if any(key != keys[0] for key in keys):
            raise FormatError("two public keys that differ", where="magnet.xs")
        salt = unquote_to_bytes(fields.get("s", [""])[0]).decode("ascii", "replace")
        if len(salt) % 2 or (salt and _HEX.fullmatch(salt) is None) or len(salt) > 2 * limits.DHT_SALT_BYTES:
            raise FormatError(
                f"a salt is at most {limits.DHT_SALT_BYTES} bytes in hex digits", where="magnet.s"
            )
        name = _name(fields)
        trackers = _urls(fields.get("tr", []), limits.TRACKERS_PER_TORRENT)
        peers = _peers(fields.get("x.pe", []))
        topics = fields.get("xt", [])
        first = Magnet(_hashes(topics), name, trackers, peers=peers) if any(map(_is_hash, topics)) else None
        recovery = fields.get("rk", [""])[0]
        if recovery and (len(recovery) != 64 or _HEX.fullmatch(recovery) is None):
            raise FormatError("a recovery key is 64 hex digits", where="magnet.rk")
        web_seeds = _urls(fields.get("ws", []), limits.WEB_SEEDS_PER_TORRENT)
        return cls(
            keys[0], bytes.fromhex(salt), name, trackers, peers, first, bytes.fromhex(recovery), web_seeds=web_seeds)

    def to_uri(self) -> str:
        """The link in one fixed order of keys. `MutableLink.parse` reads the same value from it."""
        parts = [f"xs=urn:btpk:{self.public_key.hex()}"]
        if self.salt:
            parts.append(f"s={self.salt.hex()}")
        if self.recovery:
            parts.append(f"rk={self.recovery.hex()}")
        if self.first is not None:
            hashes = self.first.hashes
            parts += [f"xt=urn:btih:{hashes.v1.hex()}"] if hashes.v1 is not None else []
            parts += [f"xt=urn:btmh:{_SHA256}{hashes.v2.hex()}"] if hashes.v2 is not None else []
        if self.name:
            parts.append(f"dn={quote(self.name, safe='')}")
        parts += [f"tr={quote(url, safe='')}" for url in self.trackers]
        parts += [f"ws={quote(url, safe='')}" for url in self.web_seeds]
        parts += [f"x.pe={f'[{host}]' if ':' in host else host}:{port}" for host, port in self.peers]
        return "magnet:?" + "&".join(parts)


def is_mutable(text: str) -> bool:
    """Whether a text is a link of BEP 46, and not the one of a torrent."""
    text = _plain(text)
    return text[:7].lower() == "magnet:" and len(text) <= limits.MAGNET_BYTES and any(
        _public_key(value) is not None for value in _fields(text).get("xs", [])
    )


def _public_key(value: str) -> bytes | None:
    urn, _, text = unquote_to_bytes(value).decode("ascii", "replace").rpartition(":")
    return bytes.fromhex(text) if urn.lower() == "urn:btpk" and len(text) == 64 and _HEX.fullmatch(text) else None


def _is_hash(topic: str) -> bool:
    return unquote_to_bytes(topic).decode("ascii", "replace").rpartition(":")[0].lower() in _DIGITS


def _plain(text: str) -> str:
    """Without blanks around it, and without lone surrogates, as arguments may have them."""
    return text.strip().encode("utf-8", "replace").decode()


def _fields(text: str) -> dict[str, list[str]]:
    """The values of a magnet link, by key in lower case."""
    fields: dict[str, list[str]] = {}
    for item in text[7:].removeprefix("?").replace("&amp;", "&").split("&"):
        key, _, value = item.partition("=")
        key = key.lower()
        # Some links number equal keys: `tr.1`, `tr.2`.
        fields.setdefault(key if key == "x.pe" else key.partition(".")[0], []).append(value)
    return fields


def _name(fields: dict[str, list[str]]) -> str:
    return printable(unquote_to_bytes(fields.get("dn", [""])[0].replace("+", " ")), 1000)


def _digest(text: str) -> bytes | None:
    """The hash that 40 or 64 hex digits, 68 with the multihash prefix, or 32 base32 digits spell."""
    if _HEX.fullmatch(text) is not None:
        if len(text) in (40, 64):
            return bytes.fromhex(text)
        if len(text) == 68 and text.startswith(_SHA256):
            return bytes.fromhex(text[4:])
    return b32decode(text.upper()) if _BASE32.fullmatch(text) is not None else None


def _bare(text: str) -> InfoHashes:
    digest = _digest(text)
    if digest is None:
        raise FormatError("neither a magnet link nor an info hash", where="magnet")
    return InfoHashes(digest) if len(digest) == 20 else InfoHashes(v2=digest)


def _hashes(topics: list[str]) -> InfoHashes:
    """The info hashes of the `xt` values. Topics of other networks are passed over, and so is what is no hash beside
    one that is: a link may carry a kind of hash that is not known yet."""
    found: dict[str, bytes] = {}
    odd = ""
    for topic in topics:
        urn, _, text = unquote_to_bytes(topic).decode("ascii", "replace").rpartition(":")
        kind = urn.lower()
        if kind not in _DIGITS:
            continue
        digest = _digest(text) if len(text) in _DIGITS[kind] else None
        if digest is None:
            odd = odd or topic
        elif found.setdefault(kind, digest) != digest:
            raise FormatError("two info hashes that differ", where="magnet.xt")
    if not found and odd:
        raise FormatError(
            f"not an info hash: {printable(unquote_to_bytes(odd), 100)}; urn:btih: has 40 hex digits or 32 letters of "
            "base32, urn:btmh: 68 hex digits that begin with 1220", where="magnet.xt",
        )
    if not found:
        raise FormatError("there is no BitTorrent info hash", where="magnet.xt")
    return InfoHashes(found.get("urn:btih"), found.get("urn:btmh"))


def _urls(values: list[str], most: int) -> tuple[str, ...]:
    urls = [clean_url(unquote_to_bytes(value)) for value in values[: 2 * most]]
    return tuple(dict.fromkeys(url for url in urls if url))[:most]


def _peers(values: list[str]) -> tuple[tuple[str, int], ...]:
    out: list[tuple[str, int]] = []
    for value in values[: limits.MAGNET_PEERS]:
        match = _PEER.fullmatch(unquote_to_bytes(value).decode("ascii", "replace"))
        if match is not None and 0 < int(match[3]) < 65536:
            out.append((match[1] or match[2], int(match[3])))
    return tuple(dict.fromkeys(out))


def _ranges(values: list[str]) -> tuple[range, ...]:
    out: list[range] = []
    for value in values:
        for part in unquote_to_bytes(value).decode("ascii", "replace").split(","):
            match = _RANGE.fullmatch(part.strip())
            if match is not None:
                first = int(match[1])
                last = int(match[2]) if match[2] else first
                if first <= last < limits.FILES and len(out) < limits.MAGNET_RANGES:
                    out.append(range(first, last + 1))
    return tuple(out)
