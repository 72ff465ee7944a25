"""The chain itself: transactions wait and go into blocks, blocks become solid, and either state can be asked.

One producer, so whatever is in a block stays there unless a test undoes it. Nothing here waits or looks at a clock of
its own: time comes in as a function. All of it is called from one thread.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from wildbach.base import limits
from wildbach.base.errors import UsageError
from wildbach.protocol.tron import transaction
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.keys import SecretKey
from wildbach.protocol.tron.transaction import BadTransaction, Contract, RawTransaction, Transfer
from wildbach.services.devchain import blocks, executing
from wildbach.services.devchain.blocks import Header
from wildbach.services.devchain.executing import Receipt, Refused, Signed
from wildbach.services.devchain.machine import Ran, Surroundings
from wildbach.services.devchain.state import Account, Changes, State
from wildbach.services.devchain.store import Kept, Store

DAY_MS: Final = 86_400_000
LIVES_MS: Final = 60_000
"How long a transaction is good that is made here for whoever asks."
TREASURE: Final = 10**16
"SUN that the faucet has at first."
_PUBLIC: Final = frozenset((0x2B6653DC, 0xCD8690DC, 0x94A9059E))
"Ids of mainnet, Nile and Shasta: no chain here may be taken for one."


@dataclass(frozen=True, slots=True)
class Options:
    """`instant`: a transaction gets a block at once, and waits for nothing; else blocks are made every `period` ms.
    `lag`: blocks that may still be undone.
    """

    instant: bool = False
    period: int = 3000
    lag: int = 19
    seconds: float = limits.DEVCHAIN_SECONDS
    "Of one call of a contract."
    faucet_day: int = 1_000_000_000_000
    "SUN that one address gets of the faucet in a day."

    def __post_init__(self) -> None:
        if self.period < 1 or not 0 <= self.lag <= limits.DEVCHAIN_LAG:
            raise UsageError(f"blocks take a ms at least, and 0 to {limits.DEVCHAIN_LAG} of them may be undone")


class DevChain:
    """`wall`: seconds since 1970; `steady`: seconds of a clock that is never set. Every call may raise StorageError."""

    def __init__(
        self, store: Store, options: Options, *, wall: Callable[[], float], steady: Callable[[], float],
    ) -> None:
        self.options = options
        self._store = store
        self._wall = wall
        self._steady = steady
        newest = store.newest()
        if newest is None:
            newest = _begin(store)
        self.head: Header = newest
        self._seed = store.meta("seed") or b""
        self._shift = int.from_bytes(store.meta("shift") or b"", "big")
        self._fork = int.from_bytes(store.meta("fork") or b"", "big")
        self._replaced = store.replaced()
        genesis = store.header(0)
        if genesis is None or not self._seed:
            raise UsageError("this chain has lost its first block", code="chain_damaged")
        self.genesis: Header = genesis
        self._faucet = _key(self._seed, b"faucet")
        self._witness = self._elected()
        self._fed: dict[bytes, tuple[int, int]] = {}
        self._fed_at = 0
        self._pending: dict[bytes, Signed] = {}
        self._pending_bytes = 0
        self._ahead = State(store.get)
        "As it will be after what waits."
        self._solid_changes: tuple[bytes, Changes] = (b"", {})
        self._ids: dict[int, bytes] = {}

    # -- time

    @property
    def now(self) -> int:
        """ms since 1970, as this chain has it."""
        return int(self._wall() * 1000) + self._shift

    def shift(self, seconds: int) -> int:
        """Move the clock forward; how far it is ahead now, in ms. Kept over restarts."""
        if not 0 <= seconds <= 400 * DAY_MS // 1000:
            raise UsageError("the clock goes forward, by 400 days at most in one step")
        self._shift += seconds * 1000
        self._store.put_meta("shift", self._shift.to_bytes(8, "big"))
        return self._shift

    @property
    def due(self) -> int:
        """ms until the next block is to be made; not above zero where it is late."""
        return self.head.time + self.options.period - self.now

    def tick(self) -> bool:
        """Make a block if it is time for one."""
        if self.due > 0:
            return False
        self.produce()
        return True

    # -- blocks

    @property
    def chain_id(self) -> int:
        return self.genesis.chain_id

    @property
    def faucet_address(self) -> Address:
        return self._faucet.address

    @property
    def solid_number(self) -> int:
        """Of the newest block that cannot be undone."""
        known = min(self._replaced, default=self.head.number + 1) - 1
        return max(self.head.number - self.options.lag, known, 0)

    def header(self, number: int, *, solid: bool = False) -> Header | None:
        if number < 0 or number > (self.solid_number if solid else self.head.number):
            return None
        return self._store.header(number)

    def header_of(self, block: bytes, *, solid: bool = False) -> Header | None:
        found = self._store.header_of(block)
        return found if found is None or not solid or found.number <= self.solid_number else None

    def newest(self, *, solid: bool = False) -> Header:
        return (self._store.header(self.solid_number) if solid else None) or self.head

    def _id(self, number: int) -> bytes:
        found = self._ids.get(number)
        if found is None:
            header = self._store.header(number)
            if header is None:
                return b""
            if len(self._ids) > 1 << 16:
                self._ids.clear()
            found = self._ids[number] = header.id
        return found

    def produce(self) -> Header:
        """A block of all that waits."""
        return self._append(list(self._pending.values()), self._next_time())

    def _next_time(self) -> int:
        now = self.now
        if not self.options.instant:
            now -= now % self.options.period
        return max(now, self.head.time + 1)

    def _append(self, waiting: list[Signed], time: int, *, strict: bool = False) -> Header:
        """`strict`: raises Refused, with nothing done, where a transaction is refused; else it is left out. What is
        too much for one block waits on.
        """
        end, left = self._steady() + limits.DEVCHAIN_BLOCK_SECONDS, len(waiting)
        state, kept, parts = State(self._store.get), [], []
        if state.account(self._witness.address.raw) is None:
            state.pay(self._witness.address.raw, 0, time)
            state.settle()
        for place, tx in enumerate(waiting):
            if self._steady() > end and place:
                left = place
                break
            try:
                receipt = executing.execute(state, self._around(time, tx.txid), tx)
            except Refused:
                # It was good when it came; meanwhile the account may have been emptied.
                if strict:
                    raise
                continue
            kept.append(Kept(tx.data, receipt))
            parts.append(blocks.with_result(tx, receipt))
        header = blocks.after(self.head, time, blocks.merkle(parts), self._witness)
        replaced = state.replaced()
        solid = max(header.number - self.options.lag, self.solid_number)
        self._store.append(header, kept, state.changes, replaced, solid)
        if header.number > solid:
            self._replaced[header.number] = replaced
        for number in [one for one in self._replaced if one <= solid]:
            del self._replaced[number]
        self.head = header
        self._ahead = State(self._store.get)
        self._pending = {tx.txid: tx for tx in waiting[left:]}
        self._pending_bytes = sum(len(tx.data) for tx in waiting[left:])
        return header

    def _elected(self) -> SecretKey:
        """Who makes blocks: another one after each undoing, so that no block is made twice."""
        return _key(self._seed, b"witness" + self._fork.to_bytes(8, "big"))

    def _around(self, time: int, txid: bytes, *, after: Header | None = None) -> Surroundings:
        parent = after if after is not None else self.head
        end = self._steady() + self.options.seconds
        return Surroundings(
            parent.number + 1, time, self._witness.address.raw, self.chain_id, txid, self._id,
            lambda: self._steady() > end)

    def undo(self, count: int, *, again: bool = True) -> Header:
        """Replace the newest blocks by others, as when producers disagreed. Their transactions wait `again`, or are
        gone. Raises UsageError for blocks that are solid.
        """
        if not 0 < count <= self.head.number - self.solid_number:
            raise UsageError(
                f"{self.head.number - self.solid_number} blocks may be undone, the others are solid", code="solid")
        first = self.head.number - count + 1
        times = [header.time for number in range(first, self.head.number + 1)
                 if (header := self._store.header(number)) is not None]
        before = self._store.header(first - 1)
        if before is None:
            raise UsageError("a block is missing", code="chain_damaged")
        self._fork += 1
        self._witness = self._elected()
        dropped = self._store.drop(first, {"fork": self._fork.to_bytes(8, "big")})
        waited, self._pending = list(self._pending.values()), {}
        self.head = before
        self._ids.clear()
        for number in [one for one in self._replaced if one >= first]:
            del self._replaced[number]
        self._ahead = State(self._store.get)
        for tx in ([executing.read(data) for data in dropped] if again else []) + waited:
            try:
                self._check(tx)
            except Refused:
                continue
            self._pending[tx.txid] = tx
        waiting, self._pending = list(self._pending.values()), {}
        for time in times:
            self._append(waiting, time)
            waiting = list(self._pending.values())
        return self.head

    # -- transactions

    def submit(self, data: bytes) -> bytes:
        """Take a transaction with its signatures; its id. Raises Refused, BadTransaction."""
        tx = executing.read(data)
        self._check(tx)
        executing.check_signature(tx)
        if self.options.instant:
            time = self._next_time()
            self._append([tx], time, strict=True)
            return tx.txid
        size = self._pending_bytes + len(data)
        if len(self._pending) >= limits.DEVCHAIN_PENDING or size > limits.DEVCHAIN_PENDING_BYTES:
            raise Refused("SERVER_BUSY", "Server busy.", tx.txid)
        executing.execute(self._ahead, self._around(self._next_time(), tx.txid), tx)
        self._pending[tx.txid] = tx
        self._pending_bytes = size
        return tx.txid

    def _check(self, tx: Signed) -> None:
        """What has nothing to do with the state. Raises Refused."""
        if len(tx.data) + 2 * 64 > transaction.LARGEST:
            raise Refused("TOO_BIG_TRANSACTION_ERROR", "Transaction size is too big.", tx.txid)
        reference = int.from_bytes(tx.body.ref_block_bytes, "big")
        number = self.head.number - ((self.head.number - reference) & 0xFFFF)
        if (len(tx.body.ref_block_bytes) != 2 or number < 0
                or self._id(number)[8:16] != tx.body.ref_block_hash):
            raise Refused("TAPOS_ERROR", "Tapos check error.", tx.txid)
        if not self._next_time() <= tx.body.expiration <= max(self.head.time, self.now) + DAY_MS:
            raise Refused("TRANSACTION_EXPIRATION_ERROR", "Transaction expired", tx.txid)
        if tx.txid in self._pending or self._store.has(tx.txid):
            raise Refused("DUP_TRANSACTION_ERROR", "Dup transaction.", tx.txid)

    def pending(self, txid: bytes) -> Signed | None:
        return self._pending.get(txid)

    def waiting(self) -> list[bytes]:
        """Ids of what no block has yet."""
        return list(self._pending)

    def transaction(self, txid: bytes, *, solid: bool = False) -> Kept | None:
        """In a block."""
        found = self._store.transaction(txid)
        return found if found is None or not solid or found.receipt.number <= self.solid_number else None

    def transactions(self, number: int, *, solid: bool = False) -> list[Kept]:
        return self._store.transactions(number) if self.header(number, solid=solid) is not None else []

    def logged(self, contract: Address) -> list[Receipt]:
        """The newest transactions in which it wrote events, the newest first."""
        return [one.receipt for one in self._store.logged(contract.raw, limits.DEVCHAIN_EVENTS)]

    # -- state

    def state(self, *, solid: bool = False) -> State:
        """To look at; what is changed in it is lost."""
        if not solid or self.solid_number == self.head.number:
            return State(self._store.get)
        if self._solid_changes[0] != self.head.id:
            merged: Changes = {}
            for number in sorted(self._replaced, reverse=True):
                if number > self.solid_number:
                    merged.update(self._replaced[number])
            self._solid_changes = (self.head.id, merged)
        there, get = self._solid_changes[1], self._store.get
        return State(lambda key: there[key] if key in there else get(key))

    def account(self, who: Address, *, solid: bool = False) -> Account | None:
        return self.state(solid=solid).account(who.raw)

    def attempt(
        self, owner: Address, contract: Address | None, data: bytes, value: int = 0,
        *, energy: int = limits.DEVCHAIN_ENERGY, solid: bool = False,
    ) -> Ran:
        """A call that is only tried, after the newest block; without `contract` the making of one. Raises Refused."""
        last = self.newest(solid=solid)
        txid = hashlib.sha256(owner.full + data).digest()
        # java-tron runs it as if it were in the newest block.
        around = self._around(last.time, txid, after=last)
        return executing.attempt(self.state(solid=solid), around, owner, contract, data, value, energy)

    # -- making transactions

    def reference(self) -> Header:
        """The block that what is made here holds on to."""
        return self.newest(solid=True)

    def draft(
        self, contract: Contract, *, fee_limit: int = 0, memo: bytes = b"", permission: int = 0,
    ) -> RawTransaction:
        """A transaction for whoever asks, without a signature."""
        last = self.reference()
        return RawTransaction(
            last.id[6:8], last.id[8:16], max(self.head.time, self.now) + LIVES_MS, contract, self.now, fee_limit, memo,
            permission)

    def feed(self, who: Address, amount: int) -> bytes:
        """Send play money of the faucet; the id of the transaction. Raises Refused, or UsageError where that is more
        than an address gets in a day.
        """
        if who == self._faucet.address:
            raise UsageError("the faucet does not feed itself")
        day = self.now // DAY_MS
        before, given = self._fed.get(who.raw, (day, 0))
        given = given if before == day else 0
        if amount <= 0 or given + amount > self.options.faucet_day:
            raise UsageError(
                f"an address gets up to {self.options.faucet_day} SUN in a day, and had {given}", code="faucet_limit")
        self._fed_at = max(self._fed_at + 1, self.now)
        last = self.reference()
        raw = RawTransaction(
            last.id[6:8], last.id[8:16], self._next_time() + LIVES_MS, Transfer(self._faucet.address, who, amount),
            self._fed_at)
        try:
            txid = self.submit(transaction.signed(raw.encode(), self._faucet.sign(raw.txid)))
        except BadTransaction as error:
            raise UsageError(str(error)) from None
        self._fed.pop(who.raw, None)
        self._fed[who.raw] = (day, given + amount)
        if len(self._fed) > limits.DEVCHAIN_FED:
            del self._fed[next(iter(self._fed))]
        return txid

    def plant(self, make: Callable[[Address], Contract], fee_limit: int = 1_000_000_000) -> Address:
        """A contract that the faucet deploys, once in the life of a chain; `make` is given who deploys it. Raises
        Refused, UsageError where it fails.
        """
        found = self._store.meta("planted")
        if found is not None:
            return Address(found)
        raw = self.draft(make(self._faucet.address), fee_limit=fee_limit)
        txid = self.submit(transaction.signed(raw.encode(), self._faucet.sign(raw.txid)))
        if not self.options.instant:
            self.produce()
        kept = self._store.transaction(txid)
        if kept is None or kept.receipt.word != "SUCCESS":
            raise UsageError("the contract could not be deployed", code="not_deployed")
        self._store.put_meta("planted", kept.receipt.contract)
        return Address(kept.receipt.contract)


def _key(seed: bytes, name: bytes) -> SecretKey:
    return SecretKey(hashlib.sha256(seed + name).digest())


def _begin(store: Store) -> Header:
    """A first block that no other chain has, and the faucet's treasure."""
    while True:
        header = blocks.first(secrets.token_bytes(32))
        if header.chain_id not in _PUBLIC:
            break
    seed = secrets.token_bytes(32)
    state = State(lambda key: None)
    state.pay(_key(seed, b"faucet").address.raw, TREASURE, 0)
    store.append(header, [], state.changes, {}, 0, {"seed": seed})
    return header
