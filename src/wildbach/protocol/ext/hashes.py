"""Hash requests of BEP 52: messages 21 (hash request), 22 (hashes) and 23 (hash reject).

All three carry the same five fields; `hashes` adds the hashes of the base layer and then one uncle for each proof layer
that cannot be computed from them. The codec checks form only: whether a request fits its file is the server's
question, whether an answer fits its request is the fetcher's.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError

HASH_REQUEST = 21
HASHES = 22
HASH_REJECT = 23

_FIELDS = struct.Struct(">32sIIII")
_MOST_HASHES = limits.HASHES_PER_REQUEST + 32


@dataclass(frozen=True, slots=True)
class HashRequest:
    """Asks for `length` hashes from number `index` on of layer `base` (0 = leaves) of the tree with this root.

    `proofs` counts the layers above `base` that a proof must cover.
    """

    root: bytes
    base: int
    index: int
    length: int
    proofs: int


@dataclass(frozen=True, slots=True)
class Hashes:
    """An answer: `hashes` holds 32 bytes for each base hash and then each uncle, lowest layer first."""

    request: HashRequest
    hashes: bytes


def encode_request(request: HashRequest) -> bytes:
    """The payload (after the message id) of a `hash request` and of a `hash reject`."""
    return _FIELDS.pack(request.root, request.base, request.index, request.length, request.proofs)


encode_reject = encode_request
"A `hash reject` repeats what it rejects."


def encode_hashes(answer: Hashes) -> bytes:
    """The payload of a `hashes` message."""
    return encode_request(answer.request) + answer.hashes


def decode_request(payload: bytes | memoryview) -> HashRequest:
    """The payload (after the message id) of a `hash request` or a `hash reject`. Raises FormatError."""
    if len(payload) != _FIELDS.size:
        raise FormatError(f"{len(payload)} bytes instead of {_FIELDS.size}", where="hash request")
    return HashRequest(*_FIELDS.unpack(payload))


def decode_hashes(payload: bytes | memoryview) -> Hashes:
    """The payload of a `hashes` message. Raises FormatError, LimitError above 512 hashes and their proof."""
    size = len(payload) - _FIELDS.size
    if size < 0 or size % 32:
        raise FormatError(f"{len(payload)} bytes are not 48 and a multiple of 32", where="hashes")
    if size > 32 * _MOST_HASHES:
        raise LimitError(f"{size // 32} hashes, more than {_MOST_HASHES}", where="hashes")
    return Hashes(HashRequest(*_FIELDS.unpack_from(payload)), bytes(payload[_FIELDS.size :]))
