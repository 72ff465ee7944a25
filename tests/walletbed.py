"""A chain of one process for wallets: it checks signatures, keeps accounts, and makes blocks when it is told to."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import ParamSpec

from wildbach.base.errors import NetworkError
from wildbach.protocol.tron import transaction
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.keys import recover
from wildbach.protocol.tron.transaction import Contract, Transfer
from wildbach.services.pay.wallet.seams import (
    ChainAccount,
    ChainAnswer,
    ChainOutcome,
    ChainPrices,
    ChainReference,
    ChainResources,
)

Arguments = ParamSpec("Arguments")

START = 1_800_000_000.0
"Seconds since 1970."


@dataclass
class Clock:
    """Seconds since 1970, moved by hand."""

    now: float = START

    def __call__(self) -> float:
        return self.now


@dataclass
class HandChain:
    """`clock`: of its blocks. A block is solid when `solidify` is called."""

    clock: Clock
    balances: dict[Address, int] = field(default_factory=dict)
    free_bandwidth: int = 600
    staked_bandwidth: int = 0
    staked_energy: int = 0
    energy: int = 0
    heard: list[bytes] = field(default_factory=list)
    "Every transaction that came, as it came."
    pool: dict[bytes, bytes] = field(default_factory=dict)
    solid: dict[bytes, ChainOutcome] = field(default_factory=dict)
    height: int = 100
    solid_at: int = 0
    down: bool = False
    refuses: str = ""
    fails: str = ""
    prices_: ChainPrices = field(default_factory=ChainPrices)
    ahead: float = 0.0

    async def account(self, address: Address) -> ChainAccount:
        self._check()
        return ChainAccount(address in self.balances, self.balances.get(address, 0))

    async def resources(self, address: Address) -> ChainResources:
        self._check()
        return ChainResources(self.free_bandwidth, self.staked_bandwidth, self.staked_energy)

    async def prices(self) -> ChainPrices:
        return self.prices_

    async def energy_of(self, contract: Contract) -> int:
        return self.energy

    async def reference(self) -> ChainReference:
        self._check()
        return ChainReference(self.height.to_bytes(2, "big"), b"blockid8", int((self.clock() + self.ahead) * 1000))

    async def broadcast(self, transaction_: bytes) -> ChainAnswer:
        self._check()
        self.heard.append(transaction_)
        raw, (signature,) = transaction.unsigned(transaction_)
        decoded = transaction.decode(raw)
        if recover(transaction.txid_of(raw), signature) != decoded.contract.owner:
            return ChainAnswer(False, "SIGERROR")
        if self.refuses:
            return ChainAnswer(False, self.refuses)
        if decoded.expiration <= self.clock() * 1000:
            return ChainAnswer(False, "TRANSACTION_EXPIRATION_ERROR")
        self.pool[transaction.txid_of(raw)] = raw
        return ChainAnswer(True)

    async def outcome(self, txid: bytes) -> ChainOutcome | None:
        self._check()
        return self.solid.get(txid)

    async def solid_time(self) -> int:
        self._check()
        return self.solid_at

    def solidify(self) -> None:
        """All that waits comes into a block that cannot be undone."""
        self.height += 1
        self.solid_at = int(self.clock() * 1000)
        for txid, raw in self.pool.items():
            if txid in self.solid:
                continue
            contract = transaction.decode(raw).contract
            if self.fails:
                self.solid[txid] = ChainOutcome(self.height, False, 1000, self.fails)
                continue
            if isinstance(contract, Transfer):
                self.balances[contract.owner] = self.balances.get(contract.owner, 0) - contract.amount
                self.balances[contract.to] = self.balances.get(contract.to, 0) + contract.amount
            self.solid[txid] = ChainOutcome(self.height, True, 345)
        self.pool.clear()

    def _check(self) -> None:
        if self.down:
            raise NetworkError("no node answers")


def story(test: Callable[Arguments, Coroutine[object, object, None]]) -> Callable[Arguments, None]:
    """A test with a loop of its own."""
    @functools.wraps(test)
    def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        asyncio.run(test(*args, **kwargs))

    return run
