"""The keys that sign without a passphrase, and only what they are for.

The hot signer signs vouchers and accepts of the one vault, within the limits. The fee key signs calls of that vault
which can pay nobody but the payees of vouchers, for so much a day. Neither is derived from the cold key, and neither
can withdraw.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import LimitError, UsageError
from wildbach.protocol.tron import transaction
from wildbach.protocol.tron.abi import selector
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.keys import BadSignature, SecretKey, recover
from wildbach.protocol.tron.transaction import RawTransaction, TriggerContract
from wildbach.protocol.tron.typed import Accept, Domain, Voucher
from wildbach.services.pay.wallet.counters import Counters
from wildbach.services.pay.wallet.policy import Cover, Refused, Wanted

UNATTENDED: Final = (
    "redeem(address,address,uint64,uint256,bytes)", "redeemMany((address,address,uint64,uint256,bytes)[])",
    "claim(address)",
)
"What the fee key calls of the vault: money goes to payees of vouchers alone."
ATTENDED: Final = (
    *UNATTENDED, "deposit()", "addSigner(address)", "removeSigner(address)", "reserve(address,uint128,uint64)",
    "release(address)", "waive(address)", "requestWithdraw(uint128)", "withdraw()",
)
"What the cold key calls of it."
_LATEST: Final = 366 * 86_400
"Seconds from now until an accept may end."


@dataclass(frozen=True, slots=True)
class SignedVoucher:
    """`signature`: 65 bytes."""

    voucher: Voucher
    signature: bytes


class HotSigner:
    """Signs for `payer`, whose money lies in the vault of `domain`. `own`: addresses that are nobody else's, which are
    not paid. `wall`: seconds since 1970. Blocks for a write to the disk; raises StorageError, and Refused.
    """

    def __init__(
        self, key: SecretKey, payer: Address, domain: Domain, counters: Counters, wall: Callable[[], float], *,
        own: Iterable[Address] = (), former: Iterable[Address] = (),
    ) -> None:
        self._key = key
        self._domain = domain
        self.counters = counters
        self._wall = wall
        self.payer = payer
        self.address = key.address
        self._own = frozenset((payer, key.address, *own))
        self._signers = frozenset((key.address, *former))
        self._cover: Cover | None = None

    def set_cover(self, cover: Cover | None) -> None:
        """What the vault has for us now. Until it is known, and where it is not any more, no voucher is signed. A state
        from before the one that is known is ignored.
        """
        if cover is not None and self._cover is not None and cover.block < self._cover.block:
            return
        self._cover = cover
        if cover is not None:
            self.counters.covered(cover)

    def vouchers(self, wanted: Sequence[Wanted]) -> list[SignedVoucher | Refused]:
        """Each is signed, or not and why. All that are go into one write."""
        if len(wanted) > limits.WALLET_VOUCHERS:
            raise LimitError("more than limits.WALLET_VOUCHERS vouchers are to be signed at once")
        refused: list[Refused | None] = [self._foreign(one.voucher.payer, one.voucher.payee) for one in wanted]
        answers = iter(self.counters.count(
            [one for one, no in zip(wanted, refused, strict=True) if no is None], self._covered()))
        out: list[SignedVoucher | Refused] = []
        for one, no in zip(wanted, refused, strict=True):
            answer = no if no is not None else next(answers)
            if answer is not None:
                out.append(answer)
                continue
            out.append(SignedVoucher(one.voucher, self._key.sign(one.voucher.digest(self._domain))))
        return out

    def voucher(self, wanted: Wanted) -> SignedVoucher:
        """One of them. Raises Refused."""
        (answer,) = self.vouchers([wanted])
        if isinstance(answer, Refused):
            raise answer
        return answer

    def accept(self, accept: Accept, price: int) -> bytes:
        """65 bytes: an offer is taken. `price`: what the offer says, SUN for a GiB. Raises Refused."""
        refused = self._foreign(accept.payer, accept.payee)
        if refused is not None:
            raise refused
        if not 0 <= accept.expiry <= self._wall() + _LATEST:
            raise Refused("bad_expiry", "the offer has no sensible end")
        self.counters.check_accept(accept.payee, price, self._covered())
        return self._key.sign(accept.digest(self._domain))

    def seen(self, voucher: Voucher, signature: bytes) -> bool:
        """Somebody shows a voucher that we are said to have signed; whether it is ours and unknown here, so that this
        wallet is older than it was. Lanes that began before are closed then.
        """
        try:
            signer = recover(voucher.digest(self._domain), signature)
        except BadSignature:
            return False
        return signer in self._signers and self.counters.seen(voucher)

    def _covered(self) -> Cover:
        if self._cover is None:
            raise Refused("no_cover", "what the vault has for us is not known: nothing is signed")
        return self._cover

    def _foreign(self, payer: Address, payee: Address) -> Refused | None:
        if payer != self.payer:
            return Refused("foreign_payer", "this wallet pays for itself alone")
        if payee in self._own:
            return Refused("own_payee", "this wallet does not pay itself")
        return None

    def __repr__(self) -> str:
        return f"HotSigner({self.address} for {self.payer})"


class FeeSigner:
    """Signs what redeems and claims. Blocks; raises StorageError, and Refused."""

    def __init__(self, key: SecretKey, domain: Domain, counters: Counters) -> None:
        self._key = key
        self._vault = domain.vault
        self._counters = counters
        self.address = key.address

    def sign(self, raw: RawTransaction, bandwidth_fee: int) -> bytes:
        """65 bytes. `bandwidth_fee`: SUN that its bytes may burn beside the `fee_limit`."""
        contract = raw.contract
        if (
            not isinstance(contract, TriggerContract) or contract.owner != self.address or contract.value or raw.memo
            or contract.contract != self._vault or contract.data[:4] not in _selectors(UNATTENDED)
        ):
            raise Refused("not_unattended", "the fee key redeems and claims at our vault, and does nothing else")
        if not 0 <= raw.fee_limit <= limits.WALLET_FEE_LIMIT or bandwidth_fee < 0:
            raise Refused("fee_limit", "no transaction burns so much")
        encoded = checked(raw)
        self._counters.count_fee(raw.fee_limit + bandwidth_fee)
        return self._key.sign(transaction.txid_of(encoded))

    def __repr__(self) -> str:
        return f"FeeSigner({self.address})"


def checked(raw: RawTransaction) -> bytes:
    """Its bytes, after they were read again and say the same. Raises UsageError where they do not."""
    encoded = raw.encode()
    if transaction.decode(encoded) != raw:
        raise UsageError("the transaction does not read back as it was meant, and is not signed", code="not_as_meant")
    return encoded


def is_call_of(raw: RawTransaction, vault: Address | None) -> bool:
    """It calls one of the vault's functions that the cold key may call."""
    contract = raw.contract
    return (
        isinstance(contract, TriggerContract) and contract.contract == vault
        and contract.data[:4] in _selectors(ATTENDED)
    )


def _selectors(signatures: Sequence[str]) -> frozenset[bytes]:
    return frozenset(selector(one) for one in signatures)
