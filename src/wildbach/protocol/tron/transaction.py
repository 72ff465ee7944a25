"""Transactions of TRON: what is signed, its bytes, and how nodes write it in JSON.

The id of a transaction is the SHA-256 of its bytes, and that is what its owner signs. So whoever signs encodes it here,
and takes no bytes and no id from a node. Field numbers: java-tron, Tron.proto and core/contract/*.proto.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from wildbach.base.errors import FormatError
from wildbach.protocol.tron import protobuf as pb
from wildbach.protocol.tron.address import Address, BadAddress
from wildbach.protocol.tron.keys import keccak

_URL: Final = "type.googleapis.com/protocol."
_ENTRIES: Final = ("", "Constructor", "Function", "Event", "Fallback", "Receive", "Error")
_MUTABILITY: Final = ("", "Pure", "View", "Nonpayable", "Payable")
LARGEST: Final = 500 * 1024
"Bytes of a transaction: nodes take no larger ones."
_MOST_AMOUNT: Final = (1 << 63) - 1
_HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2})*")


class BadTransaction(FormatError):
    """It is no transaction, or of a kind or with a field that is unknown here."""

    code = "bad_transaction"


@dataclass(frozen=True, slots=True)
class Parameter:
    """Of a function or an event."""

    name: str
    type: str
    indexed: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """A function, an event or an error of a contract, as its ABI tells it. `kind`: Function, Event, …; `mutability`:
    Pure, View, Nonpayable, Payable or empty.
    """

    kind: str
    name: str = ""
    inputs: tuple[Parameter, ...] = ()
    outputs: tuple[Parameter, ...] = ()
    mutability: str = ""
    payable: bool = False
    constant: bool = False
    anonymous: bool = False


@dataclass(frozen=True, slots=True)
class Transfer:
    """Sends TRX. `amount`: SUN."""

    owner: Address
    to: Address
    amount: int


@dataclass(frozen=True, slots=True)
class TriggerContract:
    """Calls a contract. `value`: SUN that go with it."""

    owner: Address
    contract: Address
    data: bytes
    value: int = 0


@dataclass(frozen=True, slots=True)
class CreateContract:
    """Deploys a contract. `percent`: of the energy of a call, what its caller pays; `energy_limit`: what its owner pays
    at most for one call.
    """

    owner: Address
    bytecode: bytes
    name: str = ""
    abi: tuple[Entry, ...] = ()
    value: int = 0
    percent: int = 0
    energy_limit: int = 0


Contract: TypeAlias = Transfer | TriggerContract | CreateContract


@dataclass(frozen=True, slots=True)
class RawTransaction:
    """What is signed. `ref_block_bytes`: bytes 6 and 7 of the height of a block, `ref_block_hash`: bytes 8 to 15 of its
    id; `expiration` and `timestamp`: ms since 1970; `fee_limit`: SUN that calls of contracts may burn.
    """

    ref_block_bytes: bytes
    ref_block_hash: bytes
    expiration: int
    contract: Contract
    timestamp: int = 0
    fee_limit: int = 0
    memo: bytes = b""
    permission: int = 0

    def encode(self) -> bytes:
        number, name, body = _written(self.contract)
        any_value = pb.data(1, (_URL + name).encode()) + pb.message(2, body)
        contract = pb.number(1, number) + pb.message(2, any_value) + pb.number(5, self.permission)
        return (
            pb.data(1, self.ref_block_bytes) + pb.data(4, self.ref_block_hash) + pb.number(8, self.expiration)
            + pb.data(10, self.memo) + pb.message(11, contract) + pb.number(14, self.timestamp)
            + pb.number(18, self.fee_limit)
        )

    @property
    def txid(self) -> bytes:
        """32 bytes."""
        return txid_of(self.encode())


def txid_of(raw: bytes) -> bytes:
    """The id of a transaction's bytes."""
    return hashlib.sha256(raw).digest()


def deployed_at(txid: bytes, owner: Address) -> Address:
    """Where a transaction that deploys a contract puts it."""
    return Address(keccak(txid + owner.full)[12:])


def signed(raw: bytes, *signatures: bytes) -> bytes:
    """A transaction with its signatures of 65 bytes, as nodes take it."""
    return pb.message(1, raw) + b"".join(pb.message(2, one) for one in signatures)


def unsigned(data: bytes) -> tuple[bytes, tuple[bytes, ...]]:
    """The bytes of a transaction, and its signatures. Raises BadTransaction."""
    found = _read(data, {1: bytes}, repeated=(2,), ignored=(5,))
    raw = found.get(1)
    if not isinstance(raw, bytes):
        raise BadTransaction("there is nothing in it")
    return raw, tuple(one for one in _list(found, 2))


def decode(raw: bytes) -> RawTransaction:
    """Of its bytes. Raises BadTransaction for one that would not be written so here: each transaction has one form, and
    nothing in it goes unseen.
    """
    if len(raw) > LARGEST:
        raise BadTransaction(f"a transaction has at most {LARGEST} bytes")
    try:
        return _decoded(raw)
    except BadAddress as error:
        raise BadTransaction(str(error)) from None


def _decoded(raw: bytes) -> RawTransaction:
    found = _read(raw, {1: bytes, 4: bytes, 8: int, 10: bytes, 11: bytes, 14: int, 18: int})
    contract = _read(_bytes(found, 11), {1: int, 2: bytes, 5: int})
    any_value = _read(_bytes(contract, 2), {1: bytes, 2: bytes})
    url = _text(any_value, 1)
    reader = _READERS.get(url.removeprefix(_URL))
    if reader is None:
        raise BadTransaction(f"transactions of this kind are unknown here: {url[:80]}")
    made = RawTransaction(
        _bytes(found, 1), _bytes(found, 4), _number(found, 8), reader(_bytes(any_value, 2)), _number(found, 14),
        _number(found, 18), _bytes(found, 10), _number(contract, 5),
    )
    if made.encode() != raw:
        raise BadTransaction("it is not written as it would be here")
    return made


# -- in bytes


def _written(contract: Contract) -> tuple[int, str, bytes]:
    match contract:
        case Transfer(owner, to, amount):
            body = pb.data(1, owner.full) + pb.data(2, to.full) + pb.number(3, amount)
            return 1, "TransferContract", body
        case TriggerContract(owner, address, data, value):
            body = pb.data(1, owner.full) + pb.data(2, address.full) + pb.number(3, value) + pb.data(4, data)
            return 31, "TriggerSmartContract", body
        case CreateContract(owner):
            return 30, "CreateSmartContract", pb.data(1, owner.full) + pb.message(2, _new_contract(contract))


def _new_contract(new: CreateContract) -> bytes:
    entries = b"".join(pb.message(1, _entry(one)) for one in new.abi)
    return (
        pb.data(1, new.owner.full) + pb.message(3, entries) + pb.data(4, new.bytecode) + pb.number(5, new.value)
        + pb.number(6, new.percent) + pb.data(7, new.name.encode()) + pb.number(8, new.energy_limit)
    )


def _entry(entry: Entry) -> bytes:
    return (
        pb.number(1, entry.anonymous) + pb.number(2, entry.constant) + pb.data(3, entry.name.encode())
        + b"".join(pb.message(4, _parameter(one)) for one in entry.inputs)
        + b"".join(pb.message(5, _parameter(one)) for one in entry.outputs)
        + pb.number(6, _ENTRIES.index(entry.kind)) + pb.number(7, entry.payable)
        + pb.number(8, _MUTABILITY.index(entry.mutability))
    )


def _parameter(one: Parameter) -> bytes:
    return pb.number(1, one.indexed) + pb.data(2, one.name.encode()) + pb.data(3, one.type.encode())


def _read_transfer(body: bytes) -> Contract:
    found = _read(body, {1: bytes, 2: bytes, 3: int})
    return Transfer(Address.of(_bytes(found, 1)), Address.of(_bytes(found, 2)), _amount(found, 3))


def _read_trigger(body: bytes) -> Contract:
    found = _read(body, {1: bytes, 2: bytes, 3: int, 4: bytes})
    return TriggerContract(
        Address.of(_bytes(found, 1)), Address.of(_bytes(found, 2)), _bytes(found, 4), _amount(found, 3))


def _read_create(body: bytes) -> Contract:
    found = _read(body, {1: bytes, 2: bytes})
    owner = Address.of(_bytes(found, 1))
    new = _read(_bytes(found, 2), {1: bytes, 3: bytes, 4: bytes, 5: int, 6: int, 7: bytes, 8: int})
    if _bytes(new, 1) != owner.full:
        raise BadTransaction("a contract is deployed for somebody else")
    entries = _list(_read(_bytes(new, 3), {}, repeated=(1,)), 1)
    return CreateContract(
        owner, _bytes(new, 4), _text(new, 7), tuple(_read_entry(one) for one in entries), _amount(new, 5),
        _number(new, 6), _number(new, 8),
    )


def _read_entry(body: bytes) -> Entry:
    found = _read(body, {1: int, 2: int, 3: bytes, 6: int, 7: int, 8: int}, repeated=(4, 5))
    return Entry(
        _choice(_ENTRIES, _number(found, 6)), _text(found, 3),
        tuple(_read_parameter(one) for one in _list(found, 4)), tuple(_read_parameter(one) for one in _list(found, 5)),
        _choice(_MUTABILITY, _number(found, 8)), bool(_number(found, 7)), bool(_number(found, 2)),
        bool(_number(found, 1)),
    )


def _read_parameter(body: bytes) -> Parameter:
    found = _read(body, {1: int, 2: bytes, 3: bytes})
    return Parameter(_text(found, 2), _text(found, 3), bool(_number(found, 1)))


_READERS: Final[Mapping[str, Callable[[bytes], Contract]]] = {
    "TransferContract": _read_transfer, "TriggerSmartContract": _read_trigger, "CreateSmartContract": _read_create,
}

_Found: TypeAlias = dict[int, "int | bytes | list[bytes]"]


def _read(
    data: bytes, known: Mapping[int, type], *, repeated: tuple[int, ...] = (), ignored: tuple[int, ...] = (),
) -> _Found:
    found: _Found = {}
    try:
        for field, value in pb.fields(data):
            if field in repeated and isinstance(value, bytes):
                kept = found.setdefault(field, [])
                if isinstance(kept, list):
                    kept.append(value)
            elif field in known and field not in found and isinstance(value, known[field]):
                found[field] = value
            elif field not in ignored:
                raise BadTransaction(f"field {field} is unknown here, of another type, or there twice")
    except BadTransaction:
        raise
    except FormatError as error:
        raise BadTransaction(str(error)) from None
    return found


def _bytes(found: _Found, field: int) -> bytes:
    value = found.get(field, b"")
    return value if isinstance(value, bytes) else b""


def _number(found: _Found, field: int) -> int:
    value = found.get(field, 0)
    return value if isinstance(value, int) else 0


def _amount(found: _Found, field: int) -> int:
    amount = _number(found, field)
    if amount < 0:
        raise BadTransaction("an amount is negative")
    return amount


def _list(found: _Found, field: int) -> list[bytes]:
    value = found.get(field, [])
    return value if isinstance(value, list) else []


def _text(found: _Found, field: int) -> str:
    try:
        return _bytes(found, field).decode()
    except UnicodeDecodeError:
        raise BadTransaction("a name is not UTF-8") from None


def _choice(names: tuple[str, ...], number: int) -> str:
    if not 0 <= number < len(names):
        raise BadTransaction("a part of a contract is of a kind that is unknown here")
    return names[number]


# -- in JSON


def to_json(raw: RawTransaction) -> dict[str, object]:
    """`raw_data` as nodes write it, with addresses in hex."""
    _, name, _ = _written(raw.contract)
    contract: dict[str, object] = {
        "parameter": {"value": _contract_json(raw.contract), "type_url": _URL + name}, "type": name}
    if raw.permission:
        contract["Permission_id"] = raw.permission
    out: dict[str, object] = {
        "contract": [contract], "ref_block_bytes": raw.ref_block_bytes.hex(),
        "ref_block_hash": raw.ref_block_hash.hex(), "expiration": raw.expiration,
    }
    for key, value in (("timestamp", raw.timestamp), ("fee_limit", raw.fee_limit), ("data", raw.memo.hex())):
        if value:
            out[key] = value
    return out


def _contract_json(contract: Contract) -> dict[str, object]:
    match contract:
        case Transfer(owner, to, amount):
            return {"owner_address": owner.full.hex(), "to_address": to.full.hex(), "amount": amount}
        case TriggerContract(owner, address, data, value):
            out: dict[str, object] = {
                "owner_address": owner.full.hex(), "contract_address": address.full.hex(), "data": data.hex()}
            return {**out, "call_value": value} if value else out
        case CreateContract(owner):
            return {"owner_address": owner.full.hex(), "new_contract": contract_json(contract)}


def contract_json(new: CreateContract) -> dict[str, object]:
    """A new contract as nodes write it."""
    out: dict[str, object] = {
        "origin_address": new.owner.full.hex(), "abi": {"entrys": [_entry_json(one) for one in new.abi]},
        "bytecode": new.bytecode.hex(),
    }
    for key, value in (
        ("call_value", new.value), ("consume_user_resource_percent", new.percent), ("name", new.name),
        ("origin_energy_limit", new.energy_limit),
    ):
        if value:
            out[key] = value
    return out


def _entry_json(entry: Entry) -> dict[str, object]:
    out: dict[str, object] = {}
    for key, value in (
        ("anonymous", entry.anonymous), ("constant", entry.constant), ("name", entry.name),
        ("inputs", [_parameter_json(one) for one in entry.inputs]),
        ("outputs", [_parameter_json(one) for one in entry.outputs]), ("type", entry.kind), ("payable", entry.payable),
        ("stateMutability", entry.mutability),
    ):
        if value:
            out[key] = value
    return out


def _parameter_json(one: Parameter) -> dict[str, object]:
    return {**({"indexed": True} if one.indexed else {}), "name": one.name, "type": one.type}


def from_json(document: object) -> RawTransaction:
    """Of `raw_data` as nodes and wallets write it, with addresses in hex or base58. Raises BadTransaction."""
    raw = _object(document, "raw_data")
    contracts = raw.get("contract")
    if not isinstance(contracts, list) or len(contracts) != 1:
        raise BadTransaction("a transaction has one contract")
    contract = _object(contracts[0], "contract")
    value = _object(_object(contract.get("parameter"), "parameter").get("value"), "value")
    kind = contract.get("type")
    if kind == "TransferContract":
        made: Contract = Transfer(
            _address_in(value, "owner_address"), _address_in(value, "to_address"), _number_in(value, "amount"))
    elif kind == "TriggerSmartContract":
        if _number_in(value, "call_token_value") or _number_in(value, "token_id"):
            raise BadTransaction("tokens of TRC-10 are unknown here")
        made = TriggerContract(
            _address_in(value, "owner_address"), _address_in(value, "contract_address"), _hex_in(value, "data"),
            _number_in(value, "call_value"),
        )
    elif kind == "CreateSmartContract":
        made = _create_in(value)
    else:
        raise BadTransaction(f"transactions of this kind are unknown here: {str(kind)[:80]}")
    return RawTransaction(
        _hex_in(raw, "ref_block_bytes"), _hex_in(raw, "ref_block_hash"), _number_in(raw, "expiration"), made,
        _number_in(raw, "timestamp"), _number_in(raw, "fee_limit"), _hex_in(raw, "data"),
        _number_in(contract, "Permission_id"),
    )


def _create_in(value: Mapping[str, object]) -> CreateContract:
    owner = _address_in(value, "owner_address")
    new = _object(value.get("new_contract"), "new_contract")
    if "origin_address" in new and _address_in(new, "origin_address") != owner:
        raise BadTransaction("a contract is deployed for somebody else")
    abi = new.get("abi", {})
    entries = abi if isinstance(abi, list) else _object(abi, "abi").get("entrys", [])
    return CreateContract(
        owner, _hex_in(new, "bytecode"), _text_in(new, "name"), abi_of(entries), _number_in(new, "call_value"),
        _number_in(new, "consume_user_resource_percent"), _number_in(new, "origin_energy_limit"),
    )


def abi_of(entries: object) -> tuple[Entry, ...]:
    """The parts of a contract, of the list that compilers and nodes write. Raises BadTransaction."""
    return tuple(_entry_in(_object(one, "abi")) for one in _list_in(entries))


def _entry_in(entry: Mapping[str, object]) -> Entry:
    return Entry(
        _name_of(_ENTRIES, _text_in(entry, "type")), _text_in(entry, "name"), _parameters_in(entry.get("inputs", [])),
        _parameters_in(entry.get("outputs", [])), _name_of(_MUTABILITY, _text_in(entry, "stateMutability")),
        entry.get("payable") is True, entry.get("constant") is True, entry.get("anonymous") is True,
    )


def _parameters_in(listed: object) -> tuple[Parameter, ...]:
    found = (_object(one, "parameter") for one in _list_in(listed))
    return tuple(Parameter(_text_in(one, "name"), _text_in(one, "type"), one.get("indexed") is True) for one in found)


def _name_of(names: tuple[str, ...], text: str) -> str:
    for name in names:
        if name.lower() == text.lower():
            return name
    raise BadTransaction("a part of a contract is of a kind that is unknown here")


def _object(value: object, where: str) -> Mapping[str, object]:
    if not isinstance(value, dict):
        raise BadTransaction("an object is missing", where=where)
    return value


def _list_in(value: object) -> list[object]:
    if not isinstance(value, list):
        raise BadTransaction("a list is missing")
    return value


def _address_in(value: Mapping[str, object], key: str) -> Address:
    text = value.get(key)
    if not isinstance(text, str):
        raise BadTransaction("an address is missing", where=key)
    try:
        return Address.parse(text)
    except FormatError as error:
        raise BadTransaction(str(error), where=key) from None


def _number_in(value: Mapping[str, object], key: str) -> int:
    number = value.get(key, 0)
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= _MOST_AMOUNT:
        raise BadTransaction("a number is missing, negative or too large", where=key)
    return number


def _hex_in(value: Mapping[str, object], key: str) -> bytes:
    text = value.get(key, "")
    if not isinstance(text, str):
        raise BadTransaction("hex digits are missing", where=key)
    if not _HEX.fullmatch(text):
        raise BadTransaction("these are no hex digits", where=key)
    return bytes.fromhex(text)


def _text_in(value: Mapping[str, object], key: str) -> str:
    text = value.get(key, "")
    if not isinstance(text, str) or any("\ud800" <= character <= "\udfff" for character in text):
        raise BadTransaction("a text is missing, or none that can be written", where=key)
    return text
