"""What a transaction does to the state: who pays what, what a contract did, and the receipt that tells of it.

A transaction that is refused changes nothing and enters no block; one that a contract fails is in a block and pays. The
words are java-tron's, and so is the order of checks. Sources: Manager.java, BandwidthProcessor.java,
TransferActuator.java, VMActuator.java.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import msgspec

from wildbach.base import limits
from wildbach.base.errors import UsageError
from wildbach.protocol.tron import transaction
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.keys import SIGNATURE_BYTES, BadSignature, recover
from wildbach.protocol.tron.transaction import CreateContract, RawTransaction, Transfer, TriggerContract
from wildbach.services.devchain import fees, machine
from wildbach.services.devchain.machine import Ran, Surroundings
from wildbach.services.devchain.state import Account, State

SLOT_MS: Final = 3000
MOST_FEE: Final = 15_000_000_000
"SUN, of a fee limit."
_NAME_BYTES: Final = 32
_OWNER, _ACTIVE = 0, 2
_MOST: Final = (1 << 63) - 1


class Refused(UsageError):
    """A transaction that no block takes. `code`: java-tron's, of api.proto."""

    code = "refused"

    def __init__(self, word: str, message: str, txid: bytes = b"") -> None:
        super().__init__(message)
        self.word = word
        self.txid = txid


def invalid(message: str) -> Refused:
    return Refused("CONTRACT_VALIDATE_ERROR", f"Contract validate error : {message}")


@dataclass(frozen=True, slots=True)
class Signed:
    """A transaction as it was sent, read. `data`: its bytes with signatures."""

    data: bytes
    raw: bytes
    signatures: tuple[bytes, ...]
    body: RawTransaction
    txid: bytes


def read(data: bytes) -> Signed:
    """Raises BadTransaction."""
    raw, signatures = transaction.unsigned(data)
    # Results that somebody wrote into it are no part of what was sent.
    sent = transaction.signed(raw, *signatures)
    return Signed(sent, raw, signatures, transaction.decode(raw), transaction.txid_of(raw))


def check_signature(tx: Signed) -> None:
    """Raises Refused."""
    def wrong(why: str) -> Refused:
        return Refused("SIGERROR", f"Validate signature error: {why}", tx.txid)

    if not tx.signatures:
        raise wrong("miss sig or contract")
    if tx.body.permission not in (_OWNER, _ACTIVE):
        raise wrong(f"permission isn't exit, id: {tx.body.permission}")
    if len(tx.signatures) > 1:
        raise wrong(f"Signature count is {len(tx.signatures)} more than key counts of permission : 1")
    if len(tx.signatures[0]) != SIGNATURE_BYTES:
        raise wrong(f"Signature size is {len(tx.signatures[0])}")
    try:
        signer = recover(tx.txid, tx.signatures[0], strict=False)
    except BadSignature as error:
        raise wrong(str(error)) from None
    if signer != tx.body.contract.owner:
        raise wrong(f"{tx.signatures[0].hex()} is signed by {signer} but it is not contained of permission.")


class Receipt(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What became of a transaction in a block. SUN, bytes and energy; `word` is empty where no contract ran; `contract`
    has 20 bytes or none; `logs`: contract, topics and data.
    """

    txid: bytes
    number: int
    time: int
    fee: int = 0
    net: int = 0
    net_fee: int = 0
    energy: int = 0
    energy_fee: int = 0
    word: str = ""
    error: str = ""
    contract: bytes = b""
    output: bytes = b""
    logs: tuple[tuple[bytes, tuple[bytes, ...], bytes], ...] = ()

    @property
    def result(self) -> str:
        return self.word or "SUCCESS"


def execute(state: State, around: Surroundings, tx: Signed) -> Receipt:
    """Raises Refused, with state as before."""
    mark = state.mark()
    try:
        receipt = _execute(state, around, tx)
    except Refused as error:
        state.back(mark)
        raise Refused(error.word, error.message, tx.txid) from None
    state.settle()
    return receipt


def _execute(state: State, around: Surroundings, tx: Signed) -> Receipt:
    contract = tx.body.contract
    owner = contract.owner
    account = state.account(owner.raw)
    if account is None:
        raise invalid(f"account [{owner}] does not exist")
    creates = isinstance(contract, Transfer) and state.account(contract.to.raw) is None
    slot = around.time // SLOT_MS
    # A clock that was set back does not make anybody's usage older.
    usage = fees.Usage(account.used, min(account.slot, slot))
    charge = fees.charge(usage, len(tx.data), slot, creates=creates, memo=bool(tx.body.memo))
    before = charge.sun - (fees.CREATION_SUN if creates else 0)
    if account.balance < before:
        raise Refused("BANDWITH_ERROR", "Account resource insufficient error.")
    if isinstance(contract, Transfer):
        _check_transfer(state, account, contract, charge.sun)
    paid = account._replace(
        balance=account.balance - charge.sun, active=around.time, used=charge.usage.used, slot=charge.usage.slot)
    state.put_account(owner.raw, paid)
    net_fee = before - (fees.MEMO_SUN if tx.body.memo else 0)
    receipt = Receipt(tx.txid, around.number, around.time, charge.sun, charge.free_bytes, net_fee)
    match contract:
        case Transfer(_, to, amount):
            state.pay(owner.raw, -amount, around.time)
            state.pay(to.raw, amount, around.time)
            return receipt
        case TriggerContract():
            ran, there = _trigger(state, around, tx.body, contract, paid)
        case CreateContract():
            ran, there = _create(state, around, tx, contract, paid)
    return _with_call(state, around, owner, receipt, ran, there)


def _with_call(
    state: State, around: Surroundings, owner: Address, receipt: Receipt, ran: Ran, there: Address,
) -> Receipt:
    burnt = ran.energy * fees.SUN_PER_ENERGY
    state.pay(owner.raw, -burnt, around.time)
    return msgspec.structs.replace(
        receipt, fee=receipt.fee + burnt, energy=ran.energy, energy_fee=burnt, word=ran.word, error=ran.error,
        contract=there.raw, output=ran.output,
        logs=tuple((one.contract, one.topics, one.data) for one in ran.logs))


def _check_transfer(state: State, account: Account, contract: Transfer, fee: int) -> None:
    if contract.to == contract.owner:
        raise invalid("Cannot transfer TRX to yourself.")
    if contract.amount <= 0:
        raise invalid("Amount must be greater than 0.")
    there = state.account(contract.to.raw)
    if there is not None and there.is_contract:
        raise invalid("Cannot transfer TRX to a smartContract.")
    if account.balance < contract.amount + fee:
        raise invalid("Validate TransferContract error, balance is not sufficient.")
    if there is not None and there.balance + contract.amount > _MOST:
        raise invalid("long overflow")


def _allowance(body: RawTransaction, account: Account, value: int) -> int:
    """Energy that a call may use. Raises Refused."""
    if not 0 <= body.fee_limit <= MOST_FEE:
        raise invalid(f"feeLimit must be >= 0 and <= {MOST_FEE}")
    if account.balance < value:
        raise invalid("Validate InternalTransfer error, balance is not sufficient.")
    return fees.energy_cap(body.fee_limit, account.balance - value)


def _trigger(
    state: State, around: Surroundings, body: RawTransaction, contract: TriggerContract, account: Account,
) -> tuple[Ran, Address]:
    if state.about(contract.contract.raw) is None:
        raise invalid("No contract or not a smart contract")
    if contract.owner == contract.contract:
        raise invalid("Cannot transfer TRX to yourself.")
    energy = _allowance(body, account, contract.value)
    ran = machine.call(state, around, contract.owner, contract.contract, contract.data, contract.value, energy)
    return ran, contract.contract


def _create(
    state: State, around: Surroundings, tx: Signed, contract: CreateContract, account: Account,
) -> tuple[Ran, Address]:
    if len(contract.name.encode()) > _NAME_BYTES:
        raise invalid("contractName's length cannot be greater than 32")
    if not 0 <= contract.percent <= 100:
        raise invalid("percent must be >= 0 and <= 100")
    if contract.energy_limit <= 0:
        raise invalid("The originEnergyLimit must be > 0")
    there = transaction.deployed_at(tx.txid, contract.owner)
    if state.account(there.raw) is not None:
        raise invalid(f"Trying to create a contract with existing contract address: {there}")
    energy = _allowance(tx.body, account, contract.value)
    ran = machine.create(state, around, contract.owner, there, contract.bytecode, contract.value, energy)
    if ran.ok:
        state.put_about(there.raw, b"t" + tx.raw)
    return ran, there


def attempt(
    state: State, around: Surroundings, owner: Address, contract: Address | None, data: bytes, value: int, energy: int,
) -> Ran:
    """A call that is only tried; without `contract` the making of one. What it changed is in `state`, to be thrown
    away. Raises Refused.
    """
    energy = min(energy, limits.DEVCHAIN_ENERGY)
    if value and state.balance(owner.raw) < value:
        raise Refused("CONTRACT_VALIDATE_ERROR", "Validate InternalTransfer error, balance is not sufficient.")
    if contract is None:
        there = transaction.deployed_at(around.txid, owner)
        return machine.create(state, around, owner, there, data, value, energy)
    if state.about(contract.raw) is None:
        raise Refused("CONTRACT_VALIDATE_ERROR", "Smart contract is not exist.")
    return machine.call(state, around, owner, contract, data, value, energy)
