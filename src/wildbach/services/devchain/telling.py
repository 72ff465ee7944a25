"""Blocks, transactions, accounts and calls in the JSON of java-tron.

Without `visible` addresses and words are hex; with it addresses are base58 and words are words. What is zero, false or
empty is left out, as nodes do. Shapes: java-tron's Tron.proto, api.proto, JsonFormat.java and HttpSelfFormatFieldName.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from wildbach.protocol.tron import transaction
from wildbach.protocol.tron.address import PREFIX, Address
from wildbach.protocol.tron.transaction import CreateContract, RawTransaction
from wildbach.services.devchain import fees
from wildbach.services.devchain.blocks import Header
from wildbach.services.devchain.executing import SLOT_MS, Receipt, Signed
from wildbach.services.devchain.machine import Ran
from wildbach.services.devchain.state import Account, State

Json = dict[str, Any]

_ADDRESSES: Final = frozenset((
    "owner_address", "to_address", "contract_address", "origin_address", "witness_address", "address"))
_FULL_HEX: Final = 42
_OPERATIONS: Final = "7fff1fc0033efb0f" + "00" * 24
_DAY_SLOTS: Final = 28_800_000
_EXCEPTIONS: Final = {
    "OUT_OF_ENERGY": "OutOfEnergyException", "OUT_OF_TIME": "OutOfTimeException",
    "OUT_OF_MEMORY": "OutOfMemoryException",
    "ILLEGAL_OPERATION": "IllegalOperationException", "BAD_JUMP_DESTINATION": "BadJumpDestinationException",
    "STACK_TOO_SMALL": "StackTooSmallException", "STACK_TOO_LARGE": "StackTooLargeException",
    "PRECOMPILED_CONTRACT": "PrecompiledContractException", "TRANSFER_FAILED": "TransferException",
    "INVALID_CODE": "InvalidCodeException", "JVM_STACK_OVER_FLOW": "JVMStackOverFlowException",
}


def seen(found: Json, visible: bool) -> Json:
    """With addresses as people write them, if so wished."""
    return {key: _seen(key, value) for key, value in found.items()} if visible else found


def _seen(key: str, value: Any) -> Any:
    if isinstance(value, dict):
        return seen(value, True)
    if isinstance(value, list):
        return [_seen(key, one) for one in value]
    if key in _ADDRESSES and isinstance(value, str) and len(value) == _FULL_HEX and value[:2] == "41":
        return str(Address.parse(value))
    return value


def words(text: str, visible: bool) -> str:
    return text if visible else text.encode().hex()


def _filled(**values: object) -> Json:
    return {key: value for key, value in values.items() if value}


# -- blocks


def block(header: Header, transactions: Sequence[Json], visible: bool) -> Json:
    raw: Json = {
        **_filled(number=header.number), "txTrieRoot": header.trie.hex(), "witness_address": header.witness.hex(),
        "parentHash": header.parent.hex(), **_filled(version=header.version, timestamp=header.time)}
    out: Json = {"blockID": header.id.hex(), "block_header": {"raw_data": raw}}
    if header.signature:
        out["block_header"]["witness_signature"] = header.signature.hex()
    if transactions:
        out["transactions"] = list(transactions)
    return seen(out, visible) if header.number else out


# -- transactions


def draft(raw: RawTransaction, visible: bool) -> Json:
    """A transaction without a signature."""
    encoded = raw.encode()
    out: Json = {"visible": visible, "txID": transaction.txid_of(encoded).hex()}
    if isinstance(raw.contract, CreateContract):
        out["contract_address"] = transaction.deployed_at(raw.txid, raw.contract.owner).full.hex()
    return {
        **out, "raw_data": seen(transaction.to_json(raw), visible), "raw_data_hex": encoded.hex()}


def sent(tx: Signed, receipt: Receipt | None, visible: bool) -> Json:
    """A transaction that was signed; `receipt`: of the block that has it."""
    out: Json = {} if receipt is None else {"ret": [{"contractRet": receipt.result}]}
    out |= {"signature": [one.hex() for one in tx.signatures], "txID": tx.txid.hex()}
    contract = tx.body.contract
    if isinstance(contract, CreateContract):
        out["contract_address"] = transaction.deployed_at(tx.txid, contract.owner).full.hex()
    out["raw_data"] = seen(transaction.to_json(tx.body), visible)
    return {**out, "raw_data_hex": tx.raw.hex(), **_filled(visible=visible)}


def info(receipt: Receipt, visible: bool) -> Json:
    """What became of it."""
    out: Json = {
        "id": receipt.txid.hex(), **_filled(fee=receipt.fee), "blockNumber": receipt.number,
        "blockTimeStamp": receipt.time, "contractResult": [receipt.output.hex()]}
    spent = _filled(
        energy_fee=receipt.energy_fee, energy_usage_total=receipt.energy, net_usage=receipt.net,
        net_fee=receipt.net_fee, result=receipt.word)
    if receipt.contract:
        out["contract_address"] = Address(receipt.contract).full.hex()
    out["receipt"] = spent
    if receipt.logs:
        out["log"] = [_log(*one, visible) for one in receipt.logs]
    if receipt.error:
        out |= {"result": "FAILED", "resMessage": words(receipt.error, visible)}
    return seen(out, visible)


def _log(contract: bytes, topics: Sequence[bytes], data: bytes, visible: bool) -> Json:
    """Nodes write the 20 bytes of the address here, and the whole address only where it is to be visible."""
    return {
        "address": (PREFIX + contract if visible else contract).hex(), "topics": [one.hex() for one in topics],
        **_filled(data=data.hex())}


# -- accounts


def account(who: Address, found: Account, name: str, visible: bool) -> Json:
    key = {"address": who.full.hex(), "weight": 1}
    out: Json = {
        **_filled(account_name=words(name, visible)), **({"type": "Contract"} if found.is_contract else {}),
        "address": who.full.hex(),
        **_filled(
            balance=found.balance, create_time=found.created, latest_opration_time=found.active,
            free_net_usage=found.used, latest_consume_free_time=found.slot * SLOT_MS),
        "net_window_size": _DAY_SLOTS, "net_window_optimized": True,
        "account_resource": {"energy_window_size": _DAY_SLOTS, "energy_window_optimized": True}}
    if not found.is_contract:
        out["owner_permission"] = {"permission_name": "owner", "threshold": 1, "keys": [key]}
        out["active_permission"] = [{
            "type": "Active", "id": 2, "permission_name": "active", "threshold": 1, "operations": _OPERATIONS,
            "keys": [key]}]
    return seen(out, visible)


def resources(found: Account, now: int) -> Json:
    """What an account has of today's bandwidth; nobody has a stake."""
    usage = fees.Usage(found.used, found.slot)
    return {
        **_filled(freeNetUsed=usage.at(max(now // SLOT_MS, found.slot))), "freeNetLimit": fees.FREE_BYTES,
        "TotalNetLimit": 43_200_000_000, "TotalNetWeight": 0, "TotalEnergyLimit": 180_000_000_000,
        "TotalEnergyWeight": 0}


# -- contracts


def made(about: bytes) -> tuple[CreateContract | None, bytes]:
    """How a contract came to be: by a transaction, or by another contract (20 bytes)."""
    if about[:1] == b"i":
        return None, about[1:]
    contract = transaction.decode(about[1:]).contract
    return (contract, contract.owner.raw) if isinstance(contract, CreateContract) else (None, b"")


def contract(who: Address, state: State) -> Json | None:
    """None where no contract is."""
    about, found = state.about(who.raw), state.account(who.raw)
    if about is None or found is None:
        return None
    new, owner = made(about)
    out: Json = transaction.contract_json(new) if new is not None else {
        "origin_address": Address(owner).full.hex(), "consume_user_resource_percent": 100}
    return {**out, "contract_address": who.full.hex(), "code_hash": found.code.hex()}


def tried(ran: Ran, raw: RawTransaction | None, visible: bool) -> Json:
    """Of a call that was only tried."""
    if not ran.ok and ran.word != "REVERT":
        kind = _EXCEPTIONS.get(ran.word, "BytecodeExecutionException")
        said = f"class org.tron.core.vm.program.Program${kind} : {ran.error}"
        return {"result": {"code": "OTHER_ERROR", "message": words(said, visible)}}
    result: Json = {"result": True}
    if not ran.ok:
        result["message"] = words(ran.error, visible)
    out: Json = {
        "result": result, "energy_used": ran.energy, "constant_result": [ran.output.hex()],
        **_filled(logs=[_log(one.contract, one.topics, one.data, False) for one in ran.logs]),
        "transaction": {"ret": [{} if ran.ok else {"ret": "FAILED"}]}}
    if raw is not None:
        out["transaction"] |= draft(raw, visible)
    return out


def answer(word: str, message: str, txid: bytes | None, visible: bool) -> Json:
    """That a transaction was not taken."""
    out: Json = {"code": word, "message": words(message, visible)}
    return out if txid is None else {**out, "txid": txid.hex()}


def taken(txid: bytes, document: Mapping[str, object] | None = None) -> Json:
    """Without `code`: who finds one takes it for a failure."""
    return {"result": True, "txid": txid.hex(), **({} if document is None else {"transaction": document})}


PARAMETERS: Final[Mapping[str, int | None]] = {
    "getMaintenanceTimeInterval": 21_600_000, "getAccountUpgradeCost": 9_999_000_000,
    "getCreateAccountFee": fees.CREATION_BANDWIDTH_SUN, "getTransactionFee": fees.SUN_PER_BYTE,
    "getAssetIssueFee": 1_024_000_000, "getWitnessPayPerBlock": 0, "getWitnessStandbyAllowance": 0,
    "getCreateNewAccountFeeInSystemContract": fees.CREATION_SUN, "getCreateNewAccountBandwidthRate": 1,
    "getAllowCreationOfContracts": 1, "getRemoveThePowerOfTheGr": -1, "getEnergyFee": fees.SUN_PER_ENERGY,
    "getMaxCpuTimeOfOneTx": 80, "getAllowUpdateAccountName": None, "getAllowMultiSign": 1,
    "getTotalEnergyLimit": 180_000_000_000, "getForbidTransferToContract": 1, "getFreeNetLimit": fees.FREE_BYTES,
    "getTotalNetLimit": 43_200_000_000, "getMaxFeeLimit": 15_000_000_000, "getMemoFee": fees.MEMO_SUN,
    "getDynamicEnergyMaxFactor": None, "getAllowTvmConstantinople": 1, "getAllowTvmSolidity059": 1,
    "getAllowTvmIstanbul": 1, "getAllowTvmLondon": 1, "getAllowTvmShangHai": 1, "getAllowTvmCancun": 1,
}
"""By java-tron's names. What is zero has no value there."""


def parameters() -> Json:
    return {"chainParameter": [
        {"key": key} if value is None else {"key": key, "value": value} for key, value in PARAMETERS.items()]}
