"""The instructions of TRON's machine where they are not Ethereum's: their costs, calls, creations, what is missing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from eth._utils.address import force_bytes_to_address
from eth.exceptions import Halt, OutOfBoundsRead, OutOfGas, VMError, WriteProtection
from eth.vm import mnemonics
from eth.vm import opcode_values as values
from eth.vm.forks.cancun.computation import CancunComputation
from eth.vm.forks.cancun.opcodes import CANCUN_OPCODES
from eth.vm.logic import arithmetic, context, memory
from eth.vm.logic.invalid import InvalidOpcode
from eth.vm.opcode import as_opcode

from wildbach.base import limits
from wildbach.protocol.tron.address import PREFIX
from wildbach.protocol.tron.keys import keccak

DEEPEST: Final = 64
_MEMORY_BYTES: Final = 3 * 1024 * 1024
_CALL: Final = 40
_CALL_VALUE: Final = 9_000
_NEW_ACCOUNT: Final = 25_000
_STIPEND: Final = 2_300
_CREATE: Final = 32_000
_HASH_WORD: Final = 6
_SSTORE_SET: Final = 20_000
_SSTORE_RESET: Final = 5_000
_MOST_VALUE: Final = (1 << 63) - 1
_WORD: Final = 32
_PAIR_BYTES: Final = 192


class Unsupported(Exception):
    """A contract uses what this chain does not have. Ends the transaction, however deep it is."""

    def __init__(self, what: str, word: str = "ILLEGAL_OPERATION") -> None:
        super().__init__(f"the chain for development does not have this: {what}")
        self.word = word


class OutOfTime(Exception):
    """Ends the transaction, however deep it is."""


class OutOfMemory(OutOfGas):
    """A contract may have three MiB."""


class InvalidCode(VMError):
    """Code that begins with 0xef."""


class TransferFailed(VMError):
    """No amount of SUN. java-tron does not take the energy that is left."""

    burns_gas = False


def play(done: Any, table: Mapping[int, Any], late: Callable[[], bool], look: int) -> None:
    """Run the code to its end. `late` is asked every `look` instructions."""
    left = look
    for opcode in done.code:
        left -= 1
        if not left:
            left = look
            if late():
                raise OutOfTime
        run = table.get(opcode)
        try:
            if run is None:
                InvalidOpcode(opcode)(done)
            else:
                run(computation=done)
        except Halt:
            return


def _grow(done: Any, start: int, size: int) -> None:
    if size and start + size > _MEMORY_BYTES:
        raise OutOfMemory("memory")
    done.extend_memory(start, size)


def _bounded(logic: Callable[[Any], None], places: tuple[tuple[int, int | None], ...]) -> Callable[[Any], None]:
    """With a check that the memory it takes is not too much. `places`: where on the stack, from its top, an offset and
    a size are; None for a word.
    """
    def checked(computation: Any) -> None:
        stack = computation._stack.values
        for offset, size in places:
            if len(stack) > max(offset, size or 0):
                length = _WORD if size is None else _number(stack[-1 - size])
                if length and _number(stack[-1 - offset]) + length > _MEMORY_BYTES:
                    raise OutOfMemory("memory")
        logic(computation)

    return checked


def _number(item: Any) -> int:
    value = item[1] if isinstance(item, tuple) else item
    return value if isinstance(value, int) else int.from_bytes(value, "big")


# -- storage


def _sload(done: Any) -> None:
    slot = done.stack_pop1_int()
    done.stack_push_int(done.state.get_storage(done.msg.storage_address, slot))


def _sstore(done: Any) -> None:
    _may_write(done)
    slot, value = done.stack_pop_ints(2)
    was = done.state.state.has_slot(done.msg.storage_address, slot)
    done.consume_gas(_SSTORE_SET if not was and value else _SSTORE_RESET, "SSTORE")
    if was or value:
        done.state.set_storage(done.msg.storage_address, slot, value)


def _may_write(done: Any) -> None:
    if done.msg.is_static:
        raise WriteProtection("a static call changes nothing")


# -- what contracts see


def _chain_id(done: Any) -> None:
    done.stack_push_int(done.state.around.chain_id)


def _extcodehash(done: Any) -> None:
    who = force_bytes_to_address(done.stack_pop1_bytes())
    found = done.state.state.account(who)
    done.stack_push_bytes(b"" if found is None else found.code if found.is_contract else keccak(b""))


def _zero(done: Any) -> None:
    done.stack_push_int(0)


def _zero_of(done: Any) -> None:
    done.stack_pop1_any()
    done.stack_push_int(0)


def _is_contract(done: Any) -> None:
    who = force_bytes_to_address(done.stack_pop1_bytes())
    found = done.state.state.account(who)
    done.stack_push_int(found is not None and found.is_contract)


def _missing(what: str) -> Callable[..., None]:
    def run(computation: Any) -> None:
        raise Unsupported(what)

    return run


def odd_ripemd(done: Any) -> Any:
    """What TRON has at the address of RIPEMD-160: twice SHA-256, cut in between."""
    data = done.msg.data_as_bytes
    done.consume_gas(600 + 120 * ((len(data) + 31) // _WORD), reason="RIPEMD160")
    done.output = hashlib.sha256(hashlib.sha256(data).digest()[:20]).digest()
    return done


def pairing(done: Any) -> Any:
    """Pure Python needs half a second for a pair, and cannot be told to stop."""
    if len(done.msg.data_as_bytes) > limits.DEVCHAIN_PAIRS * _PAIR_BYTES:
        raise Unsupported(f"more than {limits.DEVCHAIN_PAIRS} pairs of points at once", "PRECOMPILED_CONTRACT")
    return _ETHEREUM[_at(8)](done)


def absent(done: Any) -> Any:
    number = int.from_bytes(done.msg.code_address, "big")
    raise Unsupported(f"the built-in contract {number:#x}", "PRECOMPILED_CONTRACT")


# -- calls


class _Call:
    """One of the four. `values`: it says how many SUN go along; `keeps`: it runs foreign code on its own storage."""

    def __init__(self, mnemonic: str, *, valued: bool = False, keeps: bool = False, static: bool = False) -> None:
        self.mnemonic = mnemonic
        self._valued = valued
        self._keeps = keeps
        self._static = static

    def __call__(self, computation: Any) -> None:
        done, state, here = computation, computation.state, computation.msg.storage_address
        wanted = done.stack_pop1_int()
        there = force_bytes_to_address(done.stack_pop1_bytes())
        value = done.stack_pop1_int() if self._valued else 0
        given, given_size, wanted_at, wanted_size = done.stack_pop_ints(4)
        if value and done.msg.is_static and not self._keeps:
            raise WriteProtection("a static call sends nothing")
        cost = _CALL
        if value:
            cost += _CALL_VALUE
            if not self._keeps and not state.account_exists(there):
                cost += _NEW_ACCOUNT
        done.consume_gas(cost, reason=self.mnemonic)
        _grow(done, given, given_size)
        _grow(done, wanted_at, wanted_size)
        energy = min(wanted, done.get_gas_remaining())
        done.consume_gas(energy, reason=self.mnemonic)
        if value:
            energy += _STIPEND
        done.return_data = b""
        if done.msg.depth == DEEPEST:
            self._refuse(done, energy)
            return
        if value > _MOST_VALUE:
            done.return_gas(energy)
            raise TransferFailed("endowment out of long range")
        if value > state.get_balance(here):
            self._refuse(done, energy)
            return
        state.nonce += 1
        delegated = self._keeps and not self._valued
        child = done.apply_child_computation(done.prepare_child_message(
            gas=energy, to=here if self._keeps else there, value=done.msg.value if delegated else value,
            data=done.memory_read_bytes(given, given_size), code=state.get_code(there), code_address=there,
            should_transfer_value=bool(value) and not self._keeps, is_static=self._static or done.msg.is_static,
            sender=done.msg.sender if delegated else here))
        done.stack_push_int(not child.is_error)
        if not child.should_erase_return_data:
            size = min(wanted_size, len(child.output))
            done.memory_write(wanted_at, size, child.output[:size])
        if child.should_return_gas:
            done.return_gas(child.get_gas_remaining())

    @staticmethod
    def _refuse(done: Any, energy: int) -> None:
        done.return_gas(energy)
        done.stack_push_int(0)


class _Create:
    """CREATE, or CREATE2 where it is `salted`."""

    def __init__(self, mnemonic: str, *, salted: bool) -> None:
        self.mnemonic = mnemonic
        self._salted = salted

    def __call__(self, computation: Any) -> None:
        done, state, here = computation, computation.state, computation.msg.storage_address
        _may_write(done)
        value, start, size = done.stack_pop_ints(3)
        salt = done.stack_pop1_int() if self._salted else 0
        done.consume_gas(
            _CREATE + (_HASH_WORD * ((size + 31) // _WORD) if self._salted else 0), reason=self.mnemonic)
        _grow(done, start, size)
        done.return_data = b""
        if done.msg.depth == DEEPEST or value > state.get_balance(here):
            done.stack_push_int(0)
            return
        code = bytes(done.memory_read_bytes(start, size))
        if self._salted:
            there = keccak(PREFIX + here + salt.to_bytes(_WORD, "big") + keccak(code))[12:]
        else:
            there = keccak(state.around.txid + state.nonce.to_bytes(8, "big"))[12:]
        energy = done.get_gas_remaining()
        done.consume_gas(energy, reason=self.mnemonic)
        state.nonce += 1
        if (found := state.state.account(there)) is not None and found.is_contract:
            done.stack_push_int(0)
            return
        child = done.apply_child_computation(done.prepare_child_message(
            gas=energy, to=b"", value=value, data=b"", code=code, create_address=there))
        if child.is_error:
            done.stack_push_int(0)
        else:
            state.state.put_about(there, b"i" + here)
            done.stack_push_bytes(there)
        done.return_gas(child.get_gas_remaining())


def _selfdestruct(done: Any) -> None:
    _may_write(done)
    heir = force_bytes_to_address(done.stack_pop1_bytes())
    state, here = done.state, done.msg.storage_address
    if not state.account_exists(heir):
        done.consume_gas(_NEW_ACCOUNT, reason="SELFDESTRUCT")
    state.nonce += 1
    balance = state.get_balance(here)
    state.delta_balance(here, -balance)
    if heir != here:
        state.delta_balance(heir, balance)
    done.register_account_for_deletion(heir)
    raise Halt("SELFDESTRUCT")


def _returndatacopy(done: Any) -> None:
    to, start, size = done.stack_pop_ints(3)
    if start + size > len(done.return_data):
        raise OutOfBoundsRead("more than was returned")
    _grow(done, to, size)
    done.consume_gas(3 * ((size + 31) // _WORD), reason="RETURNDATACOPY")
    done.memory_write(to, size, done.return_data[start : start + size])


def _op(logic: Callable[[Any], None], mnemonic: str, cost: int) -> Any:
    return as_opcode(logic, mnemonic, cost)


_TOKENS: Final = "tokens of TRC-10"
_STAKES: Final = "stakes and votes"

TABLE: Final[dict[int, Any]] = {
    **CANCUN_OPCODES,
    values.SLOAD: _op(_sload, mnemonics.SLOAD, 50),
    values.SSTORE: _op(_sstore, mnemonics.SSTORE, 0),
    values.BALANCE: _op(context.balance, mnemonics.BALANCE, 20),
    values.EXTCODESIZE: _op(context.extcodesize, mnemonics.EXTCODESIZE, 20),
    values.EXTCODECOPY: _op(_bounded(context.extcodecopy, ((1, 3),)), mnemonics.EXTCODECOPY, 20),
    values.EXTCODEHASH: _op(_extcodehash, mnemonics.EXTCODEHASH, 400),
    values.EXP: _op(partial(arithmetic.exp, gas_per_byte=10), mnemonics.EXP, 10),
    values.CHAINID: _op(_chain_id, mnemonics.CHAINID, 2),
    values.BLOBHASH: _op(_zero_of, mnemonics.BLOBHASH, 3),
    values.MLOAD: _op(_bounded(memory.mload, ((0, None),)), mnemonics.MLOAD, 1),
    values.MSTORE: _op(_bounded(memory.mstore, ((0, None),)), mnemonics.MSTORE, 1),
    values.MSTORE8: _op(_bounded(memory.mstore8, ((0, None),)), mnemonics.MSTORE8, 1),
    values.MCOPY: _op(_bounded(memory.mcopy, ((0, 2), (1, 2))), mnemonics.MCOPY, 3),
    values.CODECOPY: _op(_bounded(context.codecopy, ((0, 2),)), mnemonics.CODECOPY, 0),
    values.CALLDATACOPY: _op(_bounded(context.calldatacopy, ((0, 2),)), mnemonics.CALLDATACOPY, 0),
    values.RETURNDATACOPY: _op(_returndatacopy, mnemonics.RETURNDATACOPY, 0),
    values.CALL: _Call(mnemonics.CALL, valued=True),
    values.CALLCODE: _Call(mnemonics.CALLCODE, valued=True, keeps=True),
    values.DELEGATECALL: _Call(mnemonics.DELEGATECALL, keeps=True),
    values.STATICCALL: _Call(mnemonics.STATICCALL, static=True),
    values.CREATE: _Create(mnemonics.CREATE, salted=False),
    values.CREATE2: _Create(mnemonics.CREATE2, salted=True),
    values.SELFDESTRUCT: _op(_selfdestruct, mnemonics.SELFDESTRUCT, 0),
    # No call here carries tokens: what TRON's compiler asks of each call is answered, and sending some is refused.
    0xD0: _missing(_TOKENS),
    0xD1: _missing(_TOKENS),
    0xD2: _op(_zero, "CALLTOKENVALUE", 2),
    0xD3: _op(_zero, "CALLTOKENID", 2),
    0xD4: _op(_is_contract, "ISCONTRACT", 20),
    **{number: _missing(_STAKES) for number in range(0xD5, 0xE0)},
}
for _number_of in (values.SHA3, values.RETURN, values.REVERT, values.LOG0, values.LOG1, values.LOG2, values.LOG3,
                   values.LOG4):
    TABLE[_number_of] = _bounded(TABLE[_number_of], ((0, 1),))


def _at(number: int) -> bytes:
    return number.to_bytes(20, "big")


_ETHEREUM: Final[Mapping[Any, Any]] = CancunComputation.get_precompiles()
NATIVE: Final[dict[bytes, Any]] = {
    **{_at(number): _ETHEREUM[_at(number)] for number in (1, 2, 4, 5, 6, 7)},
    _at(3): odd_ripemd,
    _at(8): pairing,
    **{_at(number): absent for number in (9, 10, 0x20003, 0x20009, *range(0x1000001, 0x1000016))},
}
"Contracts that are built in, by their addresses."
