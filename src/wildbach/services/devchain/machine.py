"""TRON's machine: contracts run by py-evm, with java-tron's costs and what else TVM does in its own way.

Energy is py-evm's gas, counted by java-tron's table. Nothing is cold, nothing is refunded, calls nest 64 deep, and a
call gets all energy that is left, not 63 of 64 parts. What this chain does not have (tokens of TRC-10, stakes, votes,
checks of many signatures) ends the whole transaction, so that nobody believes that it worked. Sources: java-tron,
EnergyCost.java, Program.java, VMActuator.java, PrecompiledContracts.java.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from eth.constants import CREATE_CONTRACT_ADDRESS
from eth.exceptions import (
    FullStack,
    InsufficientStack,
    InvalidInstruction,
    InvalidJumpDestination,
    OutOfGas,
    Revert,
    VMError,
)
from eth.vm.forks.cancun.computation import CancunComputation
from eth.vm.message import Message
from eth.vm.transaction_context import BaseTransactionContext
from eth_typing import Address as Raw

from wildbach.base import limits
from wildbach.protocol.tron.address import Address
from wildbach.services.devchain import opcodes
from wildbach.services.devchain.opcodes import NATIVE, TABLE, OutOfMemory, OutOfTime, TransferFailed, Unsupported
from wildbach.services.devchain.state import Overflow, State

# py-evm lets Python nest ten thousand calls, in the whole process, and the C stack does not reach so far. 64 nested
# calls of contracts need some 500.
sys.setrecursionlimit(1000)

CREATE_BYTE: Final = 200
"Energy for each byte of code that is kept."
_NOT_CODE: Final = 0xEF
_LOOK: Final = 64
"Instructions between two looks at the clock."


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Of a call. `time`: ms since 1970, `witness`: 20 bytes of whoever makes the block. `ancestor` gives the id of a
    block by its number. `txid`: of the transaction, from which contracts get their addresses.
    """

    number: int
    time: int
    witness: bytes
    chain_id: int
    txid: bytes
    ancestor: Callable[[int], bytes]
    late: Callable[[], bool]
    "Time is up."


@dataclass(frozen=True, slots=True)
class Log:
    contract: bytes
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class Ran:
    """What came of a call. `word`: java-tron's; `error`: its message. `energy`: used."""

    word: str
    output: bytes
    energy: int
    error: str = ""
    logs: tuple[Log, ...] = ()

    @property
    def ok(self) -> bool:
        return self.word == "SUCCESS"


def call(
    state: State, around: Surroundings, owner: Address, contract: Address, data: bytes, value: int, energy: int,
) -> Ran:
    """Run the code of a contract. `value`: SUN, `energy`: at most. State is as before where it does not succeed."""
    message = Message(
        gas=energy, to=Raw(contract.raw), sender=Raw(owner.raw), value=value, data=data, code=state.code(contract.raw))
    return _run(state, around, Tvm.apply_message, message)


def create(
    state: State, around: Surroundings, owner: Address, at: Address, code: bytes, value: int, energy: int,
) -> Ran:
    """Run the code that makes a contract, which is then at this address."""
    message = Message(
        gas=energy, to=CREATE_CONTRACT_ADDRESS, sender=Raw(owner.raw), value=value, data=b"", code=code,
        create_address=Raw(at.raw))
    return _run(state, around, Tvm.apply_create_message, message)


def _run(state: State, around: Surroundings, run: Callable[..., Any], message: Message) -> Ran:
    mark = state.mark()
    world = World(state, around)
    try:
        done = run(world, message, BaseTransactionContext(gas_price=0, origin=message.sender))
    except Unsupported as error:
        state.back(mark)
        return Ran(error.word, b"", message.gas, str(error))
    except OutOfTime:
        state.back(mark)
        return Ran("OUT_OF_TIME", b"", message.gas, "CPU timeout for 'the call' operation executing")
    except (RecursionError, MemoryError):
        state.back(mark)
        return Ran("JVM_STACK_OVER_FLOW", b"", message.gas, "StackOverflowError:  exceed default JVM stack size!")
    except Overflow:
        state.back(mark)
        return Ran("TRANSFER_FAILED", b"", message.gas, "transfer trx failed: long overflow")
    energy = done.get_gas_used()
    if not done.is_error and len(done.get_raw_log_entries()) > limits.DEVCHAIN_LOGS:
        state.back(mark)
        return Ran("OUT_OF_MEMORY", b"", message.gas, f"more than {limits.DEVCHAIN_LOGS} events in one transaction")
    if done.is_error:
        state.back(mark)
        word, said = _word(done.error)
        return Ran(word, done.output if word == "REVERT" else b"", energy, said)
    for gone in done.get_accounts_for_deletion():
        state.remove(gone)
    return Ran("SUCCESS", done.output, energy, "", tuple(
        Log(address, tuple(topic.to_bytes(32, "big") for topic in topics), data)
        for address, topics, data in done.get_log_entries()))


def _word(error: VMError) -> tuple[str, str]:
    """What java-tron calls this, and what it says of it."""
    match error:
        case Revert():
            return "REVERT", "REVERT opcode executed"
        case OutOfMemory():
            return "OUT_OF_MEMORY", "Out of Memory when 'the call' operation executing"
        case OutOfGas():
            return "OUT_OF_ENERGY", f"Not enough energy for 'the call' operation executing: {error}"
        case InvalidJumpDestination():
            return "BAD_JUMP_DESTINATION", f"Operation with pc isn't 'JUMPDEST': {error}"
        case InsufficientStack():
            return "STACK_TOO_SMALL", f"Expected stack size is larger: {error}"
        case FullStack():
            return "STACK_TOO_LARGE", f"Expected: overflow 1024 elements stack limit: {error}"
        case InvalidInstruction():
            return "ILLEGAL_OPERATION", f"Invalid operation code: {error}"
        case opcodes.InvalidCode():
            return "INVALID_CODE", "invalid code: must not begin with 0xef"
        case TransferFailed():
            return "TRANSFER_FAILED", str(error)
        case _:
            return "UNKNOWN", f"{type(error).__name__}: {error}"


class World:
    """`State` as py-evm asks for it. What it may ask besides raises AttributeError: then it is not TVM."""

    def __init__(self, state: State, around: Surroundings) -> None:
        self.state = state
        self.around = around
        self.nonce = 0
        "Inner transactions so far: each call and each creation counts."
        self._brief: dict[tuple[bytes, int], bytes] = {}
        self._before: list[tuple[tuple[bytes, int], bytes]] = []
        self.coinbase = around.witness
        self.timestamp = around.time // 1000
        self.block_number = around.number
        self.difficulty = 0
        self.gas_limit = 0
        self.base_fee = 100
        self.blob_base_fee = 0
        self.mix_hash = bytes(32)

    def get_balance(self, who: bytes) -> int:
        return self.state.balance(who)

    def delta_balance(self, who: bytes, change: int) -> None:
        self.state.pay(who, change, self.around.time)

    def account_exists(self, who: bytes) -> bool:
        return self.state.account(who) is not None

    def get_code(self, who: bytes) -> bytes:
        return self.state.code(who)

    def set_code(self, who: bytes, code: bytes) -> None:
        self.state.put_code(who, code, self.around.time)

    def get_storage(self, address: bytes, slot: int) -> int:
        return self.state.slot(address, slot)

    def set_storage(self, address: bytes, slot: int, value: int) -> None:
        self.state.put_slot(address, slot, value)

    def get_transient_storage(self, address: bytes, slot: int) -> bytes:
        return self._brief.get((address, slot), b"")

    def set_transient_storage(self, address: bytes, slot: int, value: bytes) -> None:
        self._before.append(((address, slot), self.get_transient_storage(address, slot)))
        self._brief[address, slot] = value

    def snapshot(self) -> tuple[int, int]:
        return self.state.mark(), len(self._before)

    def revert(self, snapshot: tuple[int, int]) -> None:
        self.state.back(snapshot[0])
        while len(self._before) > snapshot[1]:
            key, value = self._before.pop()
            self._brief[key] = value

    def get_ancestor_hash(self, number: int) -> bytes:
        if not 0 <= self.around.number - number - 1 < 256:
            return b""
        return self.around.ancestor(number)

    def mark_address_warm(self, who: bytes) -> None:
        """Nothing is cold."""


class Tvm(CancunComputation):
    """py-evm's machine with the rules of TVM."""

    opcodes = TABLE
    _precompiles = NATIVE

    @classmethod
    def apply_message(
        cls, state: Any, message: Any, transaction_context: Any, parent_computation: Any = None,
    ) -> Any:
        snapshot = state.snapshot()
        if message.should_transfer_value and message.value and message.sender != message.storage_address:
            state.delta_balance(message.sender, -message.value)
            state.delta_balance(message.storage_address, message.value)
        done = cls.apply_computation(state, message, transaction_context, parent_computation)
        if done.is_error:
            state.revert(snapshot)
        return done

    @classmethod
    def apply_create_message(
        cls, state: Any, message: Any, transaction_context: Any, parent_computation: Any = None,
    ) -> Any:
        snapshot = state.snapshot()
        done = cls.apply_message(state, message, transaction_context, parent_computation)
        if done.is_error:
            return done
        code = bytes(done.output)
        try:
            if code[:1] == bytes([_NOT_CODE]):
                raise opcodes.InvalidCode("0xef")
            done.consume_gas(len(code) * CREATE_BYTE, reason="save just created contract code")
        except VMError as error:
            done.error = error
            state.revert(snapshot)
            return done
        state.set_code(message.storage_address, code)
        return done

    @classmethod
    def apply_computation(
        cls, state: Any, message: Any, transaction_context: Any, parent_computation: Any = None,
    ) -> Any:
        with cls(state, message, transaction_context) as done:
            native = cls._precompiles.get(message.code_address)
            if native is not None:
                if state.around.late():
                    raise OutOfTime
                native(done)
                return done
            opcodes.play(done, cls.opcodes, state.around.late, _LOOK)
        return done
