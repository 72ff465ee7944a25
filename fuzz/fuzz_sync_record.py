"""Sealed records of devices: a member seals what it wants, and a device of the folder signs what it wants."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from wildbach.base import limits
from wildbach.base.errors import FormatError
from wildbach.base.ids import DeviceId, Endpoint
from wildbach.protocol import bencode
from wildbach.protocol.dht.items import Item
from wildbach.protocol.sync import rendezvous

_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
_PUBLIC = _KEY.public_key().public_bytes_raw()
_PLACE = rendezvous.member_place(bytes(32), DeviceId(bytes(16)), 20_000)
_NONCE = bytes(12)
_RECORD = rendezvous.Record(
    _PUBLIC, 1_800_000_000_000, (Endpoint("9.9.9.9", 6881), Endpoint("2a00::1", 6881)), (Endpoint("8.8.4.4", 6990),))
_BODY = b"\1" + bytes(8) + _PUBLIC + b"\2" + (b"\4" + bytes(3) + b"\1" + bytes(12) + b"\x1a\xe1") * 2
SEEDS: list[bytes] = [_BODY, rendezvous.write(_PLACE, _RECORD, _KEY.sign, bytes).raw]
TOKENS = [_PUBLIC, b"\1", b"\4", b"\6", b"\x14", b"\x16", b"\xff" * 8, b"220:"]


def _sealed(plain: bytes) -> Item:
    value = _NONCE + ChaCha20Poly1305(_PLACE._seal).encrypt(_NONCE, plain, _PLACE.public + _PLACE.salt)
    return Item(bencode.encode(value), _PLACE.public, _PLACE.salt, 1)


def one_input(data: bytes) -> None:
    body = data[:128].ljust(128, b"\0")
    signed = _KEY.sign(b"wildbach sync record 1\0" + _PLACE.public + _PLACE.salt + body)
    for item, signers in (
        (Item(data, _PLACE.public, _PLACE.salt, 1), None), (_sealed(data), None), (_sealed(body + signed), {_PUBLIC}),
    ):
        try:
            record = rendezvous.read(_PLACE, item, signers)
        except FormatError:
            continue
        assert len(record.endpoints) + len(record.relays) <= limits.SYNC_ENDPOINTS
        assert all(rendezvous.sane(endpoint) for endpoint in record.endpoints + record.relays)
        written = rendezvous.write(_PLACE, record, _KEY.sign, bytes)
        if record.device == _PUBLIC and rendezvous.read(_PLACE, written, None) != record:
            raise AssertionError("a record does not read back")
