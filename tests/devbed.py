"""A chain for development under a test's hand: its clock, people with money, and transactions of them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Any, Final, ParamSpec

from wildbach.protocol.tron import transaction
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.keys import SecretKey
from wildbach.protocol.tron.transaction import Contract, CreateContract, RawTransaction, Transfer, TriggerContract
from wildbach.services.devchain.chain import DevChain, Options
from wildbach.services.devchain.executing import Receipt
from wildbach.services.devchain.store import Store

P = ParamSpec("P")

TRX: Final = 1_000_000
START: Final = 1_800_000_000
ANNA, BEN, CARL = (SecretKey(bytes([number]) * 32) for number in (0x11, 0x22, 0x33))
A, B, C = ANNA.address, BEN.address, CARL.address
INSTANT: Final = Options(instant=True, lag=0)


@dataclass
class Clock:
    """Seconds since 1970, moved by hand."""

    now: float = START

    def __call__(self) -> float:
        return self.now


@dataclass
class Bed:
    """Anna has 10,000 TRX, Ben one, Carl has no account."""

    options: Options = INSTANT
    path: Path | None = None
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.open()
        if self.chain.account(A) is None:
            self.chain.feed(A, 10_000 * TRX)
            self.chain.feed(B, 1 * TRX)
            self.next()

    def open(self) -> None:
        self.store = Store(self.path)
        self.chain = DevChain(self.store, self.options, wall=self.clock, steady=self.clock)

    def reopen(self) -> None:
        self.store.close()
        self.open()

    def next(self, count: int = 1) -> None:
        """Three seconds later, and a block."""
        for _ in range(count):
            self.clock.now += 3
            self.chain.tick()

    def signed(
        self, contract: Contract, key: SecretKey = ANNA, *, fee_limit: int = 1000 * TRX, **given: object,
    ) -> bytes:
        body = self.chain.draft(contract, fee_limit=0 if isinstance(contract, Transfer) else fee_limit)
        body = RawTransaction(**{  # type: ignore[arg-type]  # a test changes any field
            name: given.get(name, getattr(body, name)) for name in RawTransaction.__slots__})
        return transaction.signed(body.encode(), key.sign(body.txid))

    def send(self, contract: Contract, key: SecretKey = ANNA, **given: object) -> Receipt:
        """In a block. What is sent is never the same twice, as time goes on."""
        self.clock.now += 0.001
        txid = self.chain.submit(self.signed(contract, key, **given))  # type: ignore[arg-type]  # as above
        if not self.chain.options.instant:
            self.next()
        found = self.chain.transaction(txid)
        assert found is not None
        return found.receipt

    def pay(self, amount: int, to: Address = B, key: SecretKey = ANNA) -> Receipt:
        return self.send(Transfer(key.address, to, amount), key)

    def deploy(self, code: bytes, *, value: int = 0, **given: object) -> Receipt:
        """`code` is what runs once."""
        return self.send(CreateContract(A, code, "test", value=value, percent=100, energy_limit=10_000_000), **given)

    def contract(self, runtime: bytes, *, value: int = 0) -> Address:
        """One with this code."""
        receipt = self.deploy(creation(runtime), value=value)
        assert receipt.word == "SUCCESS", receipt
        return Address(receipt.contract)

    def call(
        self, there: Address, data: bytes = b"", value: int = 0, key: SecretKey = ANNA, **given: object,
    ) -> Receipt:
        return self.send(TriggerContract(key.address, there, data, value), key, **given)

    def balance(self, who: Address) -> int:
        found = self.chain.account(who)
        return 0 if found is None else found.balance


def in_loop(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run a test that waits for things."""
    @wraps(test)
    def run(*values: P.args, **named: P.kwargs) -> None:
        asyncio.run(test(*values, **named))

    return run


def creation(runtime: bytes) -> bytes:
    """Code that makes a contract with this code: PUSH2 size, DUP1, PUSH1 12, PUSH1 0, CODECOPY, PUSH1 0, RETURN."""
    return b"\x61" + len(runtime).to_bytes(2, "big") + bytes.fromhex("80600c6000396000f3") + runtime


def returning(code: str) -> bytes:
    """Of instructions in hex that leave one word on the stack: with what gives it back."""
    return bytes.fromhex(code + "60005260206000f3")
