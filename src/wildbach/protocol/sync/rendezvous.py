"""Sealed records in the DHT (BEP 44): where a device of a folder can be met, readable by the folder's members alone.

A record stands at a place that is another one every day and for every device. Nodes that store it see random bytes of
one length and the address of who put them. Whoever has the secret can write to the place, so a member can blank it;
it cannot forge what stands there: the device signs its record, for this place, before it is sealed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from wildbach.base import addresses, limits
from wildbach.base.addresses import Reach, classify
from wildbach.base.errors import FormatError, UsageError
from wildbach.base.ids import DeviceId, Endpoint
from wildbach.protocol import compact
from wildbach.protocol.dht import items
from wildbach.protocol.dht.items import Item
from wildbach.protocol.sync.tags import day_bytes, derive

_CONTEXT: Final = b"wildbach sync record 1\0"
_VERSION: Final = 1
_NONCE: Final = 12
_SEAL: Final = 16
_SIGNATURE: Final = 64
_KEY: Final = 32
_SLOT: Final = 19
"A kind, an address of 16 bytes, a port."
_BODY: Final = 128
"What is signed: version, time, key, count, slots, and room for what later versions say."
_HEAD: Final = 1 + 8 + _KEY + 1
SEALED_BYTES: Final = _NONCE + _BODY + _SIGNATURE + _SEAL
_RELAY: Final = 0x10
_PRIVILEGED: Final = 1024

Sign = Callable[[bytes], bytes]
"Signs with the Ed25519 key of this device: 64 bytes."
Chance = Callable[[int], bytes]
"So many bytes that nobody can guess."


@dataclass(frozen=True, slots=True)
class Place:
    """Where a record stands: a key of the DHT and a salt; and the key that it is sealed under."""

    public: bytes
    salt: bytes
    _seed: bytes = field(repr=False)
    _seal: bytes = field(repr=False)

    @property
    def target(self) -> bytes:
        return items.target(self.public, self.salt)


@dataclass(frozen=True, slots=True)
class Record:
    """Where a device says that it can be met."""

    device: bytes
    "Its public Ed25519 key."
    time: int
    "When it was made: milliseconds since 1970 by the device's own clock, which orders records of one device alone."
    endpoints: tuple[Endpoint, ...] = ()
    relays: tuple[Endpoint, ...] = ()
    "Where the device waits for others who cannot call it."


def member_place(secret: bytes, device: DeviceId, day: int) -> Place:
    """Where the record of a member stands on a day. `secret`: what the folder's members find each other by."""
    return _place(secret, b"member", device, day)


def join_place(token: bytes, day: int) -> Place:
    """Where those who gave a link can be met by who joins, while the link is open."""
    return _place(token, b"join", b"", day)


def knock_place(token: bytes, day: int) -> Place:
    """Where who joins by a link can be met by those who gave it."""
    return _place(token, b"knock", b"", day)


def _place(secret: bytes, role: bytes, device: bytes, day: int) -> Place:
    at = day_bytes(day)
    seed, public = _pair(secret, at)
    return Place(
        public, derive(secret, b"rendezvous salt", role, device, at),
        seed, derive(secret, b"rendezvous seal", role, device, at),
    )


@lru_cache(maxsize=64)
def _pair(secret: bytes, at: bytes) -> tuple[bytes, bytes]:
    """The key pair of a day: the same for all devices of a folder, of which there may be a thousand."""
    seed = derive(secret, b"rendezvous key", at)
    return seed, items.public_key(seed)


def sane(endpoint: Endpoint, *, loopback: bool = False) -> bool:
    """Whether an endpoint of a record may be called. The device that signed it may be in any network, ours included,
    but ports of other services are not called on its word (below 1024), and nothing that is no place to call.
    `loopback`: this machine counts too, as where peers are accepted on it alone.
    """
    reach = classify(endpoint.host)
    if reach is Reach.FORBIDDEN or not _PRIVILEGED <= endpoint.port <= 65535:
        return False
    return reach is not Reach.LOCAL or loopback


def write(place: Place, record: Record, sign: Sign, chance: Chance, *, seq: int | None = None) -> Item:
    """The item that puts a record at its place. `seq`: its number there, the time of the record where none is given.
    Raises UsageError for a record that no reader takes.
    """
    body = _body(record)
    signature = sign(_signed(place, body))
    if len(signature) != _SIGNATURE:
        raise UsageError("a signature has 64 bytes")
    nonce = chance(_NONCE)
    sealed = nonce + ChaCha20Poly1305(place._seal).encrypt(nonce, body + signature, place.public + place.salt)
    return items.signed(place._seed, sealed, record.time if seq is None else seq, place.salt)


def read(
    place: Place, item: Item, signers: Collection[bytes] | None, *, loopback: bool = False,
) -> Record:
    """What stands in an item. `signers`: public Ed25519 keys of the devices whose word counts here; None: anybody's who
    has the secret, as of who knocks. Endpoints that are not sane are left out.

    Raises FormatError for an item that is not of this place, not sealed under its key, or not signed by one of them.
    """
    if item.key != place.public or item.salt != place.salt:
        raise FormatError("stands at another place", where="record")
    value = item.value
    if not isinstance(value, bytes) or len(value) != SEALED_BYTES:
        raise FormatError(f"is not {SEALED_BYTES} bytes", where="record")
    try:
        plain = ChaCha20Poly1305(place._seal).decrypt(value[:_NONCE], value[_NONCE:], place.public + place.salt)
    except InvalidTag:
        raise FormatError("is not sealed under the secret of its place", where="record") from None
    body, signature = plain[:_BODY], plain[_BODY:]
    device = body[9 : 9 + _KEY]
    if signers is not None and device not in signers:
        raise FormatError("is signed by a device that it cannot be of", where="record")
    try:
        Ed25519PublicKey.from_public_bytes(device).verify(signature, _signed(place, body))
    except (InvalidSignature, ValueError):
        raise FormatError("its signature is wrong", where="record") from None
    return _parse(body, loopback)


def _signed(place: Place, body: bytes) -> bytes:
    return _CONTEXT + place.public + place.salt + body


def _body(record: Record) -> bytes:
    slots = [(0, endpoint) for endpoint in record.endpoints] + [(_RELAY, endpoint) for endpoint in record.relays]
    if len(slots) > limits.SYNC_ENDPOINTS:
        raise UsageError(f"a record has at most {limits.SYNC_ENDPOINTS} endpoints")
    if len(record.device) != _KEY or not 0 <= record.time < 1 << 63:
        raise UsageError("a record needs a key of 32 bytes and a time after 1970")
    out = bytes([_VERSION]) + record.time.to_bytes(8, "big") + record.device + bytes([len(slots)])
    out += b"".join(_slot(kind, endpoint) for kind, endpoint in slots)
    return out + bytes(_BODY - len(out))


def _slot(kind: int, endpoint: Endpoint) -> bytes:
    if addresses.parse(endpoint.host) is None or not 0 < endpoint.port <= 65535:
        raise UsageError(f"{endpoint} is no endpoint")
    host = compact.pack_host(endpoint.host)
    family = 4 if len(host) == 4 else 6
    return bytes([kind | family]) + host + bytes(16 - len(host)) + endpoint.port.to_bytes(2, "big")


def _parse(body: bytes, loopback: bool) -> Record:
    if body[0] != _VERSION:
        raise FormatError(f"is of version {body[0]}", where="record")
    if body[1] & 0x80:
        raise FormatError("is of no time", where="record")
    count = body[_HEAD - 1]
    if count > limits.SYNC_ENDPOINTS:
        raise FormatError(f"has more than {limits.SYNC_ENDPOINTS} endpoints", where="record")
    found: dict[int, dict[Endpoint, None]] = {0: {}, _RELAY: {}}
    for at in range(_HEAD, _HEAD + count * _SLOT, _SLOT):
        kind, family = body[at] & ~0x0F, body[at] & 0x0F
        host = compact.unpack_host(body[at + 1 : at + 5 if family == 4 else at + 17]) if family in (4, 6) else None
        if host is None or kind not in found:
            continue  # of a later version
        endpoint = Endpoint(host, int.from_bytes(body[at + 17 : at + 19], "big"))
        if sane(endpoint, loopback=loopback):
            found[kind][endpoint] = None
    return Record(
        bytes(body[9 : 9 + _KEY]), int.from_bytes(body[1:9], "big"), tuple(found[0]), tuple(found[_RELAY]))
