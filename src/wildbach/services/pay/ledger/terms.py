"""Lanes, windows and sums of sales. Prices are SUN a GiB, so bytes times price are SUN / 2^30: `UNIT` of them are one
SUN.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from wildbach.protocol.tron.address import Address

UNIT: Final = 1 << 30
MIB: Final = 1 << 20
FIRST_WINDOW: Final = MIB
LARGEST_WINDOW: Final = 16 * MIB
LARGEST_WHOLE: Final = 32 * MIB
"Where two pieces are more than the largest window."
CREDIT: Final = 2_000_000
"SUN that are lent to one payer at most."
BOUNCED_SECONDS: Final = 30 * 86400
"So long a payer whose voucher was not covered gets no credit."
STEP: Final = 256 << 10
"Bytes for which a voucher is worth its while."
PATIENCE_SECONDS: Final = 5.0
"After the last block what is owed is paid, however little."
SETTLE_SECONDS: Final = 10.0
"Two seeds wait so long for the last voucher before they part."
LANES: Final = 4
"Lanes of one payer with vouchers that were not redeemed: each costs its own redemption."
OFFER_SECONDS: Final = 3600
LARGEST_TOTAL: Final = 10**15
"SUN of a voucher: a billion TRX. What is said to be more has nothing behind it, and no ledger counts so far."
LAST_EPOCH: Final = (1 << 58) - 1
"In ms since 1970; a later one cannot be counted."


@dataclass(frozen=True, slots=True)
class LaneId:
    """Which lane of a payer. `epoch`: ms since 1970 when his books began."""

    payee: Address
    epoch: int


def sun(units: int) -> int:
    """Whole SUN, rounded up."""
    return -(-units // UNIT)


def first_window(piece_length: int) -> int:
    """Bytes that may be owed at first: room for two pieces, as nothing is owed before a piece is whole; 0 where pieces
    are too large to be sold.
    """
    least = max(FIRST_WINDOW, 2 * piece_length)
    return least if least <= LARGEST_WHOLE else 0


def largest_window(piece_length: int) -> int:
    return max(LARGEST_WINDOW, first_window(piece_length)) if 2 * piece_length <= LARGEST_WINDOW else LARGEST_WHOLE


def step(window: int) -> int:
    """Bytes after which the buyer pays."""
    return max(STEP, window // 4)
