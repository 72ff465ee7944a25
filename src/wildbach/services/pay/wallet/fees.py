"""What a transaction will cost, before anybody is asked to sign it. Rules: java-tron, BandwidthProcessor and the
documents on resources and energy; all prices are the chain's own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import FormatError, UsageError
from wildbach.protocol.tron import transaction
from wildbach.protocol.tron.keys import SIGNATURE_BYTES
from wildbach.protocol.tron.transaction import CreateContract, RawTransaction, Transfer, TriggerContract
from wildbach.services.pay.wallet.seams import ChainAccount, ChainPrices, ChainResources

_RESULT_BYTES: Final = 64
"That nodes count beside a transaction's own bytes."


@dataclass(frozen=True, slots=True)
class Estimate:
    """SUN, where nothing else is said. `total` is what leaves the account beside the amount."""

    bytes: int
    bandwidth: int
    "What the bytes burn: nothing where the free or the staked bandwidth of today holds them all."
    energy_used: int
    "Units of energy."
    energy: int
    "What they burn above what is staked."
    activation: int
    "The recipient has never had anything."
    memo: int
    fee_limit: int
    "What goes into the transaction: a fifth more energy than it takes now, and no more than that is burnt."
    amount: int

    @property
    def total(self) -> int:
        return self.bandwidth + self.energy + self.activation + self.memo

    @property
    def most(self) -> int:
        """All that can leave the account: the amount, and fees up to the limit."""
        return self.amount + self.bandwidth + self.activation + self.memo + max(self.energy, self.fee_limit)


def estimate(
    raw: RawTransaction, energy: int, resources: ChainResources, prices: ChainPrices, recipient: ChainAccount | None,
) -> Estimate:
    """`raw`: with any block and times. `energy`: units that a call takes now. `recipient`: of a transfer. Raises
    UsageError where it would burn more than limits.WALLET_FEE_LIMIT.
    """
    named = (prices.bandwidth, prices.energy, prices.create_account, prices.create_account_system, prices.memo)
    if min(energy, *named) < 0:
        raise FormatError("a node names a price below nothing")
    fee_limit = 0 if isinstance(raw.contract, Transfer) else -(-energy * prices.energy * 6 // 5)
    if fee_limit > limits.WALLET_FEE_LIMIT:
        raise UsageError(
            f"this would burn up to {fee_limit} SUN, more than limits.WALLET_FEE_LIMIT", code="fee_limit",
            fee=fee_limit)
    size = size_of(raw, fee_limit)
    activation = 0
    bandwidth = 0
    if recipient is not None and not recipient.exists:
        # Who pays for a new account pays nothing for bytes; only staked bandwidth saves the smaller part.
        activation = prices.create_account_system
        if resources.staked_bandwidth < size:
            activation += prices.create_account
    elif size > max(resources.free_bandwidth, resources.staked_bandwidth):
        bandwidth = size * prices.bandwidth
    return Estimate(
        size, bandwidth, energy, max(0, energy - resources.energy) * prices.energy, activation,
        prices.memo if raw.memo else 0, fee_limit, amount_of(raw),
    )


def size_of(raw: RawTransaction, fee_limit: int) -> int:
    """Bytes as nodes count them."""
    whole = RawTransaction(
        raw.ref_block_bytes, raw.ref_block_hash, raw.expiration, raw.contract, raw.timestamp, fee_limit, raw.memo,
        raw.permission)
    return len(transaction.signed(whole.encode(), bytes(SIGNATURE_BYTES))) + _RESULT_BYTES


def amount_of(raw: RawTransaction) -> int:
    """SUN that go with it."""
    match raw.contract:
        case Transfer(amount=amount):
            return amount
        case TriggerContract(value=value) | CreateContract(value=value):
            return value
