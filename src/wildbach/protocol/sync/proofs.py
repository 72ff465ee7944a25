"""Which folders two devices have in common, told to nobody who has not the same.

Each side sends, for each of its folders, a keyed hash over the hash of the handshake and its side. Only who has the
folder's secret can make or know it, and it is another one in each session.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterable
from hashlib import sha256

from wildbach.protocol.sync.messages import PROOF_BYTES, PROOFS_MULTIPLE, TAG_BYTES


def proof(secret: bytes, session: bytes, *, initiator: bool) -> bytes:
    """What the side that is the initiator (or not) sends. `secret`: 32 bytes derived from the folder's for this alone;
    `session`: the hash of the handshake.
    """
    return _keyed(secret, session + (b"i" if initiator else b"r"))


def tag(secret: bytes, session: bytes) -> bytes:
    """The folder's name within the session, the same for both sides."""
    return _keyed(secret, session + b"tag")[:TAG_BYTES]


def padded(proofs: Iterable[bytes], chance: Callable[[int], bytes]) -> tuple[bytes, ...]:
    """In an order that says nothing, filled up with random ones so that their count says little."""
    found = list(proofs)
    found.extend(chance(PROOF_BYTES) for _ in range(-len(found) % PROOFS_MULTIPLE or (0 if found else PROOFS_MULTIPLE)))
    return tuple(sorted(found))


def _keyed(secret: bytes, what: bytes) -> bytes:
    return hmac.new(secret, b"wildbach sync proof 1\0" + what, sha256).digest()
