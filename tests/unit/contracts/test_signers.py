"""Whom we take for the signer is whom the chain takes: Ethereum's own recovery, and the vault's rules on top of it."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st
from tests.evms import PyEvm
from tests.vaultbed import HOT, Both, N

from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.keys import ORDER, BadSignature, recover

ECRECOVER = Address((1).to_bytes(20, "big"))
PRIME = (1 << 256) - (1 << 32) - 977
DIGEST = bytes(range(32))
GOOD = HOT.sign(DIGEST)
R, LOW = (int.from_bytes(GOOD[at : at + 32], "big") for at in (0, 32))
HALF = ORDER // 2
EDGES = [0, 1, 2, 3, HALF, HALF + 1, ORDER - 1, ORDER, ORDER + 1, PRIME - 1, PRIME, (1 << 256) - 1]
NUMBERS = st.one_of(st.sampled_from([*EDGES, R, LOW, ORDER - LOW]), st.integers(0, (1 << 256) - 1))
DIGESTS = st.one_of(st.just(DIGEST), st.sampled_from(EDGES).map(lambda one: one.to_bytes(32, "big")), st.binary(
    min_size=32, max_size=32))
MACHINE = PyEvm()


def ours(digest: bytes, r: int, s: int, v: int) -> Address | None:
    try:
        return recover(digest, r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([v]))
    except BadSignature:
        return None


@given(DIGESTS, NUMBERS, NUMBERS, st.one_of(st.sampled_from([27, 28]), st.integers(0, 255)))
@example(DIGEST, R, LOW, GOOD[64])
@example(DIGEST, R, ORDER - LOW, 55 - GOOD[64])
def test_a_signer_is_whom_the_chain_recovers(digest: bytes, r: int, s: int, v: int) -> None:
    data = digest + b"".join(one.to_bytes(32, "big") for one in (v, r, s))
    output = MACHINE.call(N, ECRECOVER, data).output
    theirs = Address(output[12:]) if output and s <= HALF else None
    assert ours(digest, r, s, v) == theirs


def test_both_machines_recover_alike() -> None:
    both = Both()
    met = 0
    for r in (*EDGES, R):
        for s in (1, LOW, HALF, ORDER - 1, ORDER):
            for v in (0, 27, 28, 29):
                data = DIGEST + b"".join(one.to_bytes(32, "big") for one in (v, r, s))
                met += bool(both.call(N, ECRECOVER, data).output)
    assert met > 20
    assert ours(DIGEST, R, LOW, GOOD[64]) == HOT.address
