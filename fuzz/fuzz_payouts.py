"""What a site says of itself: no address comes out that is none, and one that is put in is read again."""

from __future__ import annotations

from wildbach.base import limits
from wildbach.protocol import payouts
from wildbach.protocol.tron.address import Address, is_address

_ADDRESS = str(Address(bytes(20)))
SEEDS = [
    payouts.with_payout(None, _ADDRESS), b"{}", b'{"payout":"T1","more":[1,{}]}', b'{"version":2}', b"[]",
    b'{"payout":' + b"[" * 3000, b" " * (limits.SITE_FACTS_BYTES + 1),
]
TOKENS = [b'"payout":', b'"version":1', _ADDRESS.encode(), b"\\ud800", b"1e999", b"null", b"\xff", b"[" * 600]


def one_input(data: bytes) -> None:
    facts = payouts.read_facts(data)
    if facts.payout and not is_address(facts.payout):
        raise AssertionError("an address that is none")
    if payouts.read_facts(payouts.with_payout(data, _ADDRESS)).payout != _ADDRESS:
        raise AssertionError("does not read back")
