"""Two implementations of Ethereum's machine behind one face, for contracts: py-evm, and revm by pyrevm.

A contract lies at an address of our choice and is called by whom we like at a time that we set. Both count gas by the
rules of Shanghai, as if all calls were made by one transaction: storage is cold once, and pyrevm cannot end one. What a
transaction costs before it runs is left out. `Tvm` is py-evm with the prices of TRON's machine, which knows no cold.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

import pyrevm
from eth.abc import ComputationAPI, OpcodeAPI
from eth.constants import BLANK_ROOT_HASH, CREATE_CONTRACT_ADDRESS, ZERO_ADDRESS
from eth.db.atomic import AtomicDB
from eth.vm import mnemonics
from eth.vm import opcode_values as values
from eth.vm.execution_context import ExecutionContext
from eth.vm.forks.shanghai.computation import ShanghaiComputation
from eth.vm.forks.shanghai.opcodes import SHANGHAI_OPCODES
from eth.vm.forks.shanghai.state import ShanghaiState
from eth.vm.logic.call import CallEIP161
from eth.vm.message import Message
from eth.vm.opcode import as_opcode
from eth.vm.transaction_context import BaseTransactionContext

from wildbach.protocol.tron.address import NOBODY, Address

# py-evm lets Python nest ten thousand calls, in the whole process. The C stack does not reach so far: JSON that is
# nested as deep would end the process, and tests of such JSON run in the same one.
sys.setrecursionlimit(1000)

START: Final = 1_700_000_000
GAS: Final = 100_000_000
CHAIN: Final = 0x94A9059E
_PRECOMPILED: Final = range(1, 10)


@dataclass(frozen=True)
class Log:
    address: Address
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True)
class Outcome:
    """Of one call. `output`: what it returned, or what it reverted with."""

    ok: bool
    output: bytes
    gas: int
    logs: tuple[Log, ...] = ()


class Evm(Protocol):
    now: int
    "Seconds since 1970, of the next call."

    def fund(self, who: Address, amount: int) -> None: ...

    def balance(self, who: Address) -> int: ...

    def put_code(self, at: Address, code: bytes) -> None:
        """Of a contract that needs no constructor."""

    def code(self, at: Address) -> bytes: ...

    def create(self, sender: Address, at: Address, code: bytes) -> Outcome:
        """Runs a constructor. What is returned is the code that lies at `at` now."""

    def call(self, sender: Address, to: Address, data: bytes, value: int = 0) -> Outcome: ...


class PyEvm:
    """py-evm without blocks and transactions."""

    machine: type[ShanghaiComputation] = ShanghaiComputation

    def __init__(self, chain: int = CHAIN) -> None:
        self.now = START
        self._chain = chain
        self._state = ShanghaiState(AtomicDB(), self._context(), BLANK_ROOT_HASH)
        for warm in (ZERO_ADDRESS, *(number.to_bytes(20, "big") for number in _PRECOMPILED)):
            self._state.mark_address_warm(warm)

    def fund(self, who: Address, amount: int) -> None:
        # As in revm, whoever was looked at is no longer cold.
        self._state.mark_address_warm(who.raw)
        self._state.set_balance(who.raw, amount)

    def balance(self, who: Address) -> int:
        self._state.mark_address_warm(who.raw)
        return self._state.get_balance(who.raw)

    def put_code(self, at: Address, code: bytes) -> None:
        self._state.mark_address_warm(at.raw)
        self._state.set_code(at.raw, code)

    def code(self, at: Address) -> bytes:
        return self._state.get_code(at.raw)

    def create(self, sender: Address, at: Address, code: bytes) -> Outcome:
        message = Message(
            gas=GAS, to=CREATE_CONTRACT_ADDRESS, sender=sender.raw, value=0, data=b"", code=code, create_address=at.raw)
        return self._run(self.machine.apply_create_message, message)

    def call(self, sender: Address, to: Address, data: bytes, value: int = 0) -> Outcome:
        for warm in (sender, to):
            self._state.mark_address_warm(warm.raw)
        message = Message(
            gas=GAS, to=to.raw, sender=sender.raw, value=value, data=data, code=self._state.get_code(to.raw))
        return self._run(self.machine.apply_message, message)

    def _run(self, run: Callable[..., ComputationAPI], message: Message) -> Outcome:
        self._state.execution_context = self._context()
        done = run(self._state, message, BaseTransactionContext(gas_price=0, origin=message.sender))
        gas = done.get_gas_used()
        if done.is_error:
            return Outcome(False, done.output, gas)
        return Outcome(True, done.output, gas - self._refunded(gas + _before(message.data), done), tuple(
            Log(Address(address), tuple(topic.to_bytes(32, "big") for topic in topics), data)
            for address, topics, data in done.get_log_entries()))

    def _refunded(self, gas: int, done: ComputationAPI) -> int:
        return min(done.get_gas_refund(), gas // 5)

    def _context(self) -> ExecutionContext:
        return ExecutionContext(
            coinbase=ZERO_ADDRESS, timestamp=self.now, block_number=1, difficulty=0, mix_hash=bytes(32),
            gas_limit=10 * GAS, prev_hashes=[], chain_id=self._chain, base_fee_per_gas=0)


class Revm:
    """revm, which is written in Rust by others; its state is in memory."""

    def __init__(self, chain: int = CHAIN) -> None:
        self.now = START
        self._evm = pyrevm.EVM(
            env=pyrevm.Env(cfg=pyrevm.CfgEnv(chain_id=chain), block=self._block()), spec_id="SHANGHAI")

    def fund(self, who: Address, amount: int) -> None:
        self._evm.set_balance(_hex(who), amount)

    def balance(self, who: Address) -> int:
        return int(self._evm.get_balance(_hex(who)))

    def put_code(self, at: Address, code: bytes) -> None:
        self._evm.insert_account_info(_hex(at), pyrevm.AccountInfo(nonce=1, code=code, balance=self.balance(at)))

    def code(self, at: Address) -> bytes:
        return bytes(self._evm.get_code(_hex(at)) or b"").rstrip(b"\0")

    def create(self, sender: Address, at: Address, code: bytes) -> Outcome:
        self.put_code(at, code)
        done = self.call(sender, at, b"")
        self.put_code(at, done.output if done.ok else b"")
        return done

    def call(self, sender: Address, to: Address, data: bytes, value: int = 0) -> Outcome:
        self._evm.set_block_env(self._block())
        before = _before(data)
        try:
            output = self._evm.message_call(
                caller=_hex(sender), to=_hex(to), calldata=data, value=value, gas=GAS + before, gas_price=0)
        except RuntimeError as error:
            found = re.search(r"Revert \{ gas_used: (\d+), output: 0x([0-9a-f]*) \}", str(error))
            if found is not None:
                return Outcome(False, bytes.fromhex(found[2]), int(found[1]) - before)
            if "Halt" not in str(error):
                raise
            return Outcome(False, b"", GAS)
        result = self._evm.result
        logs = tuple(
            Log(Address(bytes.fromhex(log.address[2:])), tuple(bytes.fromhex(topic[2:]) for topic in log.topics),
                bytes(log.data[1]))
            for log in result.logs)
        return Outcome(True, bytes(output), result.gas_used - before, logs)

    def _block(self) -> pyrevm.BlockEnv:
        return pyrevm.BlockEnv(number=1, timestamp=self.now, coinbase=_hex(NOBODY), gas_limit=10 * GAS, basefee=0)


def _before(data: bytes) -> int:
    """What a transaction costs before it runs."""
    return 21_000 + sum(16 if byte else 4 for byte in data)


def _hex(address: Address) -> str:
    return "0x" + address.raw.hex()


def _sload(done: ComputationAPI) -> None:
    slot = done.stack_pop1_int()
    done.stack_push_int(done.state.get_storage(done.msg.storage_address, slot))


def _sstore(done: ComputationAPI) -> None:
    slot, value = done.stack_pop_ints(2)
    was = done.state.get_storage(done.msg.storage_address, slot)
    done.consume_gas(20_000 if not was and value else 5_000, "SSTORE")
    done.state.set_storage(done.msg.storage_address, slot, value)


class _TvmCall(CallEIP161):
    def compute_msg_extra_gas(self, computation: ComputationAPI, gas: int, to: bytes, value: int) -> int:
        if not value:
            return 0
        return 9_000 + (0 if computation.state.account_exists(to) else 25_000)


_OPCODES: Final[dict[int, Any]] = dict(SHANGHAI_OPCODES)
_OPCODES[values.SLOAD] = as_opcode(_sload, mnemonics.SLOAD, 50)
_OPCODES[values.SSTORE] = as_opcode(_sstore, mnemonics.SSTORE, 0)
_call: OpcodeAPI = _TvmCall.configure(__name__="opcode:CALL", mnemonic=mnemonics.CALL, gas_cost=40)()
_OPCODES[values.CALL] = _call


class TvmComputation(ShanghaiComputation):
    opcodes = _OPCODES


class Tvm(PyEvm):
    """The prices of java-tron: what is read of storage costs the same each time, and nothing is given back."""

    machine = TvmComputation

    def _refunded(self, gas: int, done: ComputationAPI) -> int:
        return 0
