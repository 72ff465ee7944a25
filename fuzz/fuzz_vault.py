"""What nodes say of a vault: answers to questions, logs, why a call failed; and calls that somebody wants signed."""

from wildbach.base.errors import FormatError
from wildbach.protocol.tron import abi
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.typed import Voucher
from wildbach.services.chain import vault, vaultevents

_A, _B = Address(bytes(range(20))), Address(bytes(range(1, 21)))
_QUESTIONS = (
    vault.payer(_A), vault.signer(_A, _B), vault.signer_at(_A, 0), vault.reservation(_A, _B), vault.paid(bytes(32)),
    vault.credit(_B), vault.delay(), vault.digest(Voucher(_A, _B, 1, 2)),
)
_TOPICS = [abi.encode(["address"], [one]) for one in (_A, _B)]
_REDEEMED = vaultevents.topic_of(vaultevents.Redeemed)
_SKIPPED = vaultevents.topic_of(vaultevents.Skipped)
SEEDS: list[bytes] = [
    abi.encode(["uint128", "uint128", "uint128", "uint64", "uint64"], [5, 3, 2, 1, 0]),
    abi.encode(["uint128", "uint64", "uint64"], [5, 4, 3]), abi.encode(["address"], [_A]),
    # A log: how many topics, the topics, the data.
    b"\3" + b"".join([_REDEEMED, *_TOPICS]) + abi.encode(["uint64", "uint256", "uint256"], [1, 2, 3]),
    b"\1" + _SKIPPED + abi.encode(["uint256", "string"], [1, "stale"]),
    vault.claim(_A).data, vault.reserve(_A, 5, 6).data,
    vault.redeem_many([vault.SignedVoucher(Voucher(_A, _B, 1, 2), bytes(65))] * 2).data,
    b"\x08\xc3\x79\xa0" + abi.encode(["string"], ["too early"]), b"\x4e\x48\x7b\x71" + bytes(31) + b"\x11",
]
TOKENS = [bytes(31) + b"\x20", b"\xff" * 32, _REDEEMED, _SKIPPED, vaultevents.topic_of(vaultevents.Claimed)]


def one_input(data: bytes) -> None:
    text = vault.reason(data)
    if text and not text.isprintable():
        raise AssertionError("a reason cannot be shown")
    accepted = int(bool(text))
    for question in _QUESTIONS:
        try:
            question.read(data)
            accepted += 1
        except FormatError:
            pass
    try:
        vault.method(data)
        accepted += 1
    except FormatError:
        pass
    count = data[0] % 5 if data else 0
    topics = [data[1 + 32 * place : 33 + 32 * place] for place in range(count)]
    try:
        vaultevents.read_log(topics, data[1 + 32 * count :])
        accepted += 1
    except FormatError:
        pass
    if not accepted:
        raise FormatError("nothing")
