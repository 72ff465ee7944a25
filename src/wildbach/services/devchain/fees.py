"""What a transaction costs: free bandwidth that comes back over a day, and SUN for the rest.

Time is counted in slots of three seconds and amounts in SUN, both integers. Nothing is kept here: a usage comes in, and
what is used afterwards goes out. The rules are those of java-tron's `ResourceProcessor` and `BandwidthProcessor`.
"""

from dataclasses import dataclass

DAY_SLOTS = 86_400 // 3
FREE_BYTES = 600
SUN_PER_BYTE = 1_000
SUN_PER_ENERGY = 100
CREATION_BANDWIDTH_SUN = 100_000  # in place of bandwidth, where a transfer makes its receiver's account
CREATION_SUN = 1_000_000
MEMO_SUN = 1_000_000
RESULT_BYTES = 64  # room for the result, which the signer cannot know, is paid with every transaction
_PRECISION = 1_000_000


@dataclass(frozen=True, slots=True)
class Usage:
    """Bytes of free bandwidth that an account had used at a slot."""

    used: int = 0
    slot: int = 0

    def at(self, slot: int) -> int:
        """Bytes still counted at `slot`: usage fades evenly over a day. ValueError: `slot` is in the past."""
        return self._add(0, slot).used

    def take(self, size: int, slot: int) -> "Usage | None":
        """The usage after `size` more bytes, or None where they do not fit: they are free together or not at all."""
        aged = self._add(0, slot)  # aged first and then added to, so that bytes round as java-tron's do
        if size > FREE_BYTES - aged.used:
            return None
        return aged._add(size, slot)

    def _add(self, size: int, slot: int) -> "Usage":
        passed = slot - self.slot
        if passed < 0 or size < 0:
            raise ValueError("neither time nor usage runs backwards")
        left = max(DAY_SLOTS - passed, 0)
        average = (_average(self.used) * left * 2 + DAY_SLOTS) // (2 * DAY_SLOTS)
        return Usage((average + _average(size)) * DAY_SLOTS // _PRECISION, slot)


@dataclass(frozen=True, slots=True)
class Charge:
    """The price of a transaction before its energy: `sun`, and the usage of free bandwidth that it leaves behind."""

    sun: int
    free_bytes: int
    usage: Usage


def charge(usage: Usage, size: int, slot: int, *, creates: bool = False, memo: bool = False) -> Charge:
    """What `size` bytes of a signed transaction cost its owner at `slot`; `creates`: the transfer makes an account."""
    billed = size + RESULT_BYTES
    extra = MEMO_SUN if memo else 0
    if creates:
        return Charge(extra + CREATION_SUN + CREATION_BANDWIDTH_SUN, 0, usage)
    after = usage.take(billed, slot)
    if after is None:
        return Charge(extra + billed * SUN_PER_BYTE, 0, usage)
    return Charge(extra, billed, after)


def energy_cap(fee_limit: int, balance: int) -> int:
    """Energy that a call may burn: neither more than its fee limit pays for nor more than the owner has."""
    return max(min(fee_limit, balance), 0) // SUN_PER_ENERGY


def _average(used: int) -> int:
    return -(-used * _PRECISION // DAY_SLOTS)
