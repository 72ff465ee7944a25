"""What nodes answer (java-tron's HTTP API), read into types that cannot be wrong.

An answer comes from a stranger: every number has a range, every string of bytes a length, every list a bound, and a
word that only java-tron's list of words may hold is one of these or the answer is refused. Fields that are zero, false
or empty are left out by nodes, and what is not there is `{}`. Unknown fields are passed over.

Each reader raises FormatError for what makes no sense, NodeRefused for a refusal in words, NodeBusy where asking again
later helps. Shapes: java-tron's Tron.proto and api.proto, and documentation-en/docs/api/http of tronprotocol.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Final, TypeVar

import msgspec
from msgspec import Meta, field

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError
from wildbach.protocol.tron import protobuf as pb
from wildbach.protocol.tron.address import Address
from wildbach.services.chain.answers import (
    Account,
    Block,
    Broadcast,
    Code,
    Log,
    NodeBusy,
    NodeRefused,
    Prices,
    Receipt,
    Resources,
    Simulation,
    clean,
)

T = TypeVar("T")

_Number = Annotated[int, Meta(ge=0, le=(1 << 63) - 1)]
_Signed = Annotated[int, Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
_HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2})*", re.ASCII)
_WORD: Final = re.compile(r"[A-Z_]{1,60}", re.ASCII)
_HASH: Final = 32
_RAW_ADDRESS: Final = 20
_WITNESS_BYTES: Final = 200
"The witness of a first block is a sentence, not an address."
_TOPICS: Final = 4
_BUSY: Final = "lack of computing resources"
_LITE: Final = b"this API is closed"


# -- as they stand


class _Answer(msgspec.Struct, gc=False):
    error: str = field(name="Error", default="")


class _Header(msgspec.Struct, gc=False):
    number: _Number = 0
    trie: str = field(name="txTrieRoot", default="")
    witness_id: _Signed = 0
    witness_address: str = ""
    parent: str = field(name="parentHash", default="")
    version: _Signed = 0
    timestamp: _Number = 0
    state: str = field(name="accountStateRoot", default="")


class _Headed(msgspec.Struct, gc=False):
    raw_data: _Header = msgspec.field(default_factory=_Header)


class _Block(_Answer, gc=False):
    id: str = field(name="blockID", default="")
    block_header: _Headed | None = None


class _Account(_Answer, gc=False):
    address: str = ""
    balance: _Number = 0


class _Resources(_Answer, gc=False):
    free_used: _Number = field(name="freeNetUsed", default=0)
    free: _Number = field(name="freeNetLimit", default=0)
    net_used: _Number = field(name="NetUsed", default=0)
    net: _Number = field(name="NetLimit", default=0)
    energy_used: _Number = field(name="EnergyUsed", default=0)
    energy: _Number = field(name="EnergyLimit", default=0)


class _Parameter(msgspec.Struct, gc=False):
    key: Annotated[str, Meta(min_length=1, max_length=100)]
    value: _Signed = 0


class _Parameters(_Answer, gc=False):
    parameters: Annotated[list[_Parameter], Meta(max_length=limits.CHAIN_PARAMETERS)] = field(
        name="chainParameter", default_factory=list)


class _Return(msgspec.Struct, gc=False):
    result: bool = False
    code: str = ""
    message: str = ""


class _Ret(msgspec.Struct, gc=False):
    ret: str = ""


class _Tried(msgspec.Struct, gc=False):
    ret: Annotated[list[_Ret], Meta(max_length=10)] = field(default_factory=list)


class _Simulation(_Answer, gc=False):
    result: _Return | None = None
    energy_used: _Number = 0
    constant_result: Annotated[list[str], Meta(max_length=10)] = field(default_factory=list)
    transaction: _Tried | None = None


class _Estimate(_Answer, gc=False):
    result: _Return | None = None
    energy_required: _Number = 0


class _Broadcast(_Answer, gc=False):
    result: bool = False
    code: str = ""
    message: str = ""
    txid: str = ""


class _Log(msgspec.Struct, gc=False):
    address: str = ""
    topics: Annotated[list[str], Meta(max_length=_TOPICS)] = field(default_factory=list)
    data: str = ""


class _Spent(msgspec.Struct, gc=False):
    energy_usage_total: _Number = 0
    result: str = ""


class _Receipt(_Answer, gc=False):
    id: str = ""
    fee: _Number = 0
    block: _Number = field(name="blockNumber", default=0)
    time: _Number = field(name="blockTimeStamp", default=0)
    output: Annotated[list[str], Meta(max_length=10)] = field(name="contractResult", default_factory=list)
    contract_address: str = ""
    receipt: _Spent = field(default_factory=_Spent)
    log: Annotated[list[_Log], Meta(max_length=limits.CHAIN_LOGS)] = field(default_factory=list)
    result: str = ""
    message: str = field(name="resMessage", default="")


class _Described(msgspec.Struct, gc=False):
    contract_address: str = ""


class _Contract(_Answer, gc=False):
    smart_contract: _Described | None = None
    runtime: str = field(name="runtimecode", default="")


# -- reading


def read_block(body: bytes) -> Block | None:
    """None where there is no such block."""
    found = _decoded(body, _Block)
    if not found.id:
        return None
    if found.block_header is None:
        raise FormatError("a block has a header", where="block_header")
    head = found.block_header.raw_data
    made = Block(
        head.number, _hash(found.id, "blockID"), _hash(head.parent, "parentHash"), head.timestamp,
        _bytes(head.witness_address, "witness_address", _WITNESS_BYTES), False)
    if int.from_bytes(made.id[:8], "big") != made.number:
        raise FormatError("the id of a block begins with its number", where="blockID")
    raw = (
        pb.number(1, head.timestamp) + pb.data(2, _bytes(head.trie, "txTrieRoot", _HASH)) + pb.data(3, made.parent)
        + pb.number(7, head.number) + pb.number(8, head.witness_id) + pb.data(9, made.witness)
        + pb.number(10, head.version) + pb.data(11, _bytes(head.state, "accountStateRoot", _HASH)))
    hashed = made.id[8:] == hashlib.sha256(raw).digest()[8:]
    return Block(made.number, made.id, made.parent, made.time, made.witness, hashed)


def read_account(body: bytes, asked: Address) -> Account:
    found = _decoded(body, _Account)
    if not found.address:
        return Account(False, 0)
    if _address(found.address, "address") != asked:
        raise FormatError("this is another account than was asked for", where="address")
    return Account(True, _amount(found.balance, "balance"))


def read_resources(body: bytes) -> Resources:
    found = _decoded(body, _Resources)
    return Resources(
        max(found.free - found.free_used, 0), max(found.net - found.net_used, 0),
        max(found.energy - found.energy_used, 0))


def read_parameters(body: bytes) -> dict[str, int]:
    """By java-tron's names of them; one that a node has no value for is 0."""
    found = _decoded(body, _Parameters)
    if not found.parameters:
        raise FormatError("a chain has parameters", where="chainParameter")
    return {one.key: one.value for one in found.parameters}


def prices(parameters: Mapping[str, int]) -> Prices:
    """What is paid for. A chain that does not know memo fees has none; the other prices every chain has."""
    def price(key: str, *, wanted: bool = True) -> int:
        value = parameters.get(key)
        if value is None and wanted:
            raise FormatError("this price is missing", where=key)
        return _price(value or 0, key)

    return Prices(
        price("getTransactionFee"), price("getEnergyFee"), price("getCreateAccountFee"),
        price("getCreateNewAccountFeeInSystemContract"), price("getMemoFee", wanted=False))


def read_simulation(body: bytes) -> Simulation:
    found = _decoded(body, _Simulation)
    if found.result is None:
        raise FormatError("an answer to a call says how it went", where="result")
    code = _code(found.result)
    failed = found.transaction is not None and any(one.ret == "FAILED" for one in found.transaction.ret)
    return Simulation(
        code, _output(found.constant_result, "constant_result"), found.energy_used, failed, _said(found.result.message))


def read_estimate(body: bytes) -> Simulation:
    """Of `estimateenergy`, which says nothing of what is returned."""
    found = _decoded(body, _Estimate)
    if found.result is None:
        raise FormatError("an estimate says how it went", where="result")
    code = _code(found.result)
    if code is Code.SUCCESS and not found.energy_required:
        raise FormatError("a call that uses no energy is none", where="energy_required")
    return Simulation(code, b"", found.energy_required, False, _said(found.result.message))


def read_broadcast(body: bytes, txid: bytes) -> Broadcast:
    """`txid`: of the bytes that were sent. What a node says of another transaction is refused."""
    found = _decoded(body, _Broadcast)
    if found.txid and _hash(found.txid, "txid") != txid:
        raise FormatError("the node speaks of another transaction than it was sent", where="txid")
    return Broadcast(_code(_Return(found.result, found.code, found.message)), _said(found.message))


def read_receipt(body: bytes, txid: bytes) -> Receipt | None:
    """None where no block has it."""
    found = _decoded(body, _Receipt)
    if not found.id:
        return None
    receipt = _receipt(found)
    if receipt.txid != txid:
        raise FormatError("this is another transaction than was asked for", where="id")
    return receipt


_Receipts: Final = Annotated[list[_Receipt], Meta(max_length=limits.CHAIN_TRANSACTIONS)] | _Answer
_receipts_decoder: Final = msgspec.json.Decoder(_Receipts)


def read_receipts(body: bytes, number: int) -> tuple[Receipt, ...]:
    """Of all transactions of the block with this number."""
    _check_words(body)
    found = _raised(lambda: _receipts_decoder.decode(body))
    if isinstance(found, _Answer):
        _check_error(found)
        raise FormatError("a list of transactions is wanted")
    if sum(len(one.log) for one in found) > limits.CHAIN_LOGS:
        raise LimitError(f"a block has more than {limits.CHAIN_LOGS} events", where="log")
    made = tuple(_receipt(one) for one in found)
    if any(one.block != number for one in made):
        raise FormatError("a transaction is of another block than was asked for", where="blockNumber")
    return made


def read_contract(body: bytes, asked: Address) -> bytes | None:
    """The code that lies at an address, as it runs there; None where no contract is."""
    found = _decoded(body, _Contract)
    if found.smart_contract is None:
        return None
    if _address(found.smart_contract.contract_address, "contract_address") != asked:
        raise FormatError("this is another contract than was asked for", where="contract_address")
    return _bytes(found.runtime, "runtimecode", limits.CHAIN_OUTPUT_BYTES)


# -- inside


A = TypeVar("A", bound=_Answer)


def _decoded(body: bytes, kind: type[A]) -> A:
    _check_words(body)
    found = _raised(lambda: msgspec.json.decode(body, type=kind))
    _check_error(found)
    return found


def _raised(read: Callable[[], T]) -> T:
    try:
        return read()
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError(f"the answer of a node makes no sense: {clean(str(error))}") from None


def _check_words(body: bytes) -> None:
    """Raises NodeRefused where the answer is a sentence."""
    if body[:100].lstrip().startswith(_LITE):
        raise NodeRefused("this node keeps no history (it is a lite node)")


def _check_error(found: _Answer) -> None:
    if _BUSY in found.error:
        raise NodeBusy("the node has too much to do")
    if found.error:
        raise NodeRefused(f"the node refuses: {clean(found.error)}")


def _code(found: _Return) -> Code:
    if not found.code:
        if found.result:
            return Code.SUCCESS
        if found.message:
            return Code.OTHER_ERROR
        raise FormatError("an answer says neither yes nor why not", where="code")
    try:
        code = Code(found.code)
    except ValueError:
        code = Code.OTHER_ERROR
    if found.result and code is not Code.SUCCESS:
        raise FormatError("an answer says yes and no", where="code")
    if code is Code.SUCCESS and not found.result:
        raise FormatError("an answer says yes and no", where="result")
    return code


def _receipt(found: _Receipt) -> Receipt:
    word = found.receipt.result
    if word and not _WORD.fullmatch(word):
        raise FormatError("this is no result of a call", where="receipt")
    if found.result not in ("", "SUCESS", "SUCCESS", "FAILED"):
        raise FormatError("this is no result of a transaction", where="result")
    return Receipt(
        _hash(found.id, "id"), found.block, found.time, _amount(found.fee, "fee"),
        found.result != "FAILED" and word in ("", "DEFAULT", "SUCCESS"), word, _said(found.message),
        _address(found.contract_address, "contract_address") if found.contract_address else None,
        _output(found.output, "contractResult"), found.receipt.energy_usage_total,
        tuple(_log(one) for one in found.log))


def _log(found: _Log) -> Log:
    raw = _bytes(found.address, "log", _RAW_ADDRESS + 1)
    # Nodes write 20 bytes here, and 21 everywhere else.
    contract = Address(raw) if len(raw) == _RAW_ADDRESS else Address.of(raw)
    return Log(
        contract, tuple(_hash(one, "topics") for one in found.topics),
        _bytes(found.data, "data", limits.CHAIN_OUTPUT_BYTES))


def _bytes(text: str, where: str, most: int) -> bytes:
    if len(text) > 2 * most:
        raise LimitError(f"there are more than {most} bytes", where=where)
    if not _HEX.fullmatch(text):
        raise FormatError("these are no hex digits", where=where)
    return bytes.fromhex(text)


def _hash(text: str, where: str) -> bytes:
    found = _bytes(text, where, _HASH)
    if len(found) != _HASH:
        raise FormatError(f"{_HASH} bytes are wanted", where=where)
    return found


def _output(parts: list[str], where: str) -> bytes:
    return _bytes(parts[0], where, limits.CHAIN_OUTPUT_BYTES) if parts else b""


def _address(text: str, where: str) -> Address:
    return Address.of(_bytes(text, where, _RAW_ADDRESS + 1))


def _amount(value: int, where: str) -> int:
    if value > limits.WALLET_AMOUNT:
        raise FormatError("this is more than there is", where=where)
    return value


def _price(value: int, where: str) -> int:
    if not 0 <= value <= limits.WALLET_FEE_LIMIT:
        raise FormatError("no price is like that", where=where)
    return value


def _said(text: str) -> str:
    """Most nodes write their words in hex, some as they are."""
    short = text[: 8 * limits.CHAIN_MESSAGE_CHARS]
    if short and _HEX.fullmatch(short):
        try:
            return clean(bytes.fromhex(short).decode())
        except UnicodeDecodeError:
            return clean(short)
    return clean(short)
