"""The chain that payments are made on: one node that is asked, and a second one that must say the same of money.

A node is not trusted. Its first block must be the chain's; what money depends on is read in solidified state, from both
nodes where there are two, and counts where they agree. Nothing is signed here, no node builds a transaction and no
node's id is used. With one node only, what it says of balances is believed; `witnesses` tells how many there are.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from wildbach.base import limits
from wildbach.base.errors import FormatError, NetworkError, RemoteError, UsageError
from wildbach.protocol.tron.address import NOBODY, Address
from wildbach.protocol.tron.transaction import Contract, CreateContract, Transfer, TriggerContract
from wildbach.runtime.rng import Rng
from wildbach.services.chain import reading, vault
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
    Verdict,
)
from wildbach.services.chain.networks import MAINNET, Choice, Network
from wildbach.services.chain.nodes import Node, Poster
from wildbach.services.chain.vault import NotTheVault, Question

T = TypeVar("T")

_AGREE_PAUSE: Final = 1.5
"Seconds: half the time between two blocks."
_PROVEN_SECONDS: Final = 600.0
"After so long a node shows its first block again: behind its name there may be another one by then."
_REMEMBERED: Final = 256
"Solid blocks of each node."
_SKEW_SECONDS: Final = 600
"Between the newest solid block and the clock of this machine; a block is solid after one minute."


class WrongChain(NetworkError):
    """A node is of another chain than the settings say. Nothing that it says counts."""

    code = "wrong_chain"


class NodesDisagree(NetworkError):
    """Two nodes say different things of what cannot be undone: one of them lies, or is broken."""

    code = "nodes_disagree"


class NodeBehind(NetworkError):
    """A node does not keep up with the chain, or goes back in it."""

    code = "node_behind"


class SolidRewritten(NetworkError):
    """A block that could not be undone is another one now. Nothing that this node says counts."""

    code = "solid_rewritten"


class ContractRefuses(RemoteError):
    """A contract answers a question with a failure, as a vault does where nothing is at an index."""

    code = "contract_refuses"


@dataclass(slots=True)
class _Known:
    """What one node has shown."""

    genesis: bytes = b""
    proven: float = float("-inf")
    "The time at which its first block was the right one."
    solid: OrderedDict[int, bytes] = field(default_factory=OrderedDict)
    newest: int = 0


@dataclass(frozen=True, slots=True)
class Event:
    """A log of a contract, and the transaction that wrote it."""

    receipt: Receipt
    log: Log


@dataclass(frozen=True, slots=True)
class _Said:
    """What a contract answers, without what may differ between nodes that are both right (energy, words)."""

    code: Code
    failed: bool
    output: bytes


class ChainClient:
    """`wall`: seconds since 1970. `pause` waits so many seconds. Every call raises NetworkError (WrongChain,
    NodesDisagree, NodeBehind, SolidRewritten, NodeRefused where that is why), FormatError where an answer makes no
    sense.
    """

    def __init__(
        self, http: Poster, choice: Choice, *, wall: Callable[[], float], pause: Callable[[float], Awaitable[None]],
        rng: Rng, seconds: float = limits.CHAIN_SECONDS,
    ) -> None:
        self.network: Network = choice.network
        self.vault = choice.vault
        self._nodes = tuple(Node(http, place, pause, rng, seconds=seconds) for place in choice.places)
        self._known = {node: _Known() for node in self._nodes}
        self._wall = wall
        self._pause = pause
        self._genesis = choice.network.genesis
        self._no_estimates = False
        self.skew: float | None = None
        "Seconds by which the newest block is ahead of this machine's clock; None until `head` was asked."

    @property
    def witnesses(self) -> int:
        """How many nodes say what money depends on."""
        return len(self._nodes)

    # -- which chain

    async def start(self) -> int:
        """See that every node is of the chain it should be; the chain's id."""
        for node in self._nodes:
            await self._prove(node)
        return self.chain_id

    @property
    def chain_id(self) -> int:
        """Of what is signed for this chain. Raises UsageError before `start`."""
        if self._genesis is None:
            raise UsageError("nobody has asked for the first block of the chain yet", code="not_started")
        return int.from_bytes(self._genesis[-4:], "big")

    async def _prove(self, node: Node) -> Node:
        known, now = self._known[node], self._wall()
        if 0 <= now - known.proven < _PROVEN_SECONDS:
            return node
        first = await node.first_block()
        self._check_first(node, first)
        if self._genesis is None:
            self._genesis = first.id
        known.genesis, known.proven = first.id, now
        return node

    def _check_first(self, node: Node, first: Block) -> None:
        wanted = self.network
        if first.id == MAINNET.genesis and wanted.name != MAINNET.name:
            raise WrongChain(
                f"{node.name} is a node of mainnet, where money is real, and chain.network is {wanted.name}",
                genesis=first.id.hex())
        if wanted.genesis is None and wanted.chain_id is not None and first.chain_id != wanted.chain_id:
            raise WrongChain(
                f"{node.name} has the chain 0x{first.chain_id:08x}, and 0x{wanted.chain_id:08x} is wanted",
                genesis=first.id.hex())
        if self._genesis is not None and first.id != self._genesis:
            raise WrongChain(
                f"{node.name} has another chain than {wanted.name}: 0x{first.chain_id:08x} in place of "
                f"0x{self.chain_id:08x}", genesis=first.id.hex())

    async def _first(self) -> Node:
        return await self._prove(self._nodes[0])

    # -- blocks and time

    async def head(self) -> Block:
        """The newest block of the first node, which may still be undone. It shows how far the clocks are apart."""
        block = await (await self._first()).head()
        self.skew = block.time / 1000 - self._wall()
        return block

    async def solid(self) -> Block:
        """The newest block that no node has undone yet and all of them have: the older of theirs, the same on each."""
        newest = [await self._solid_of(node) for node in self._nodes]
        lowest = min(newest, key=lambda one: one.number)
        if max(one.number for one in newest) - lowest.number > limits.CHAIN_LAG_BLOCKS:
            where = self._nodes[newest.index(lowest)].name
            raise NodeBehind(f"{where} is at block {lowest.number}, far behind the other node")
        for node, own in zip(self._nodes, newest, strict=True):
            same = own if own.number == lowest.number else await node.solid_block(lowest.number)
            self._note(node, same)
            if same.id != lowest.id:
                raise NodesDisagree(
                    f"{self._nodes[0].name} and {self._nodes[1].name} have two different blocks {lowest.number}, and "
                    "both say that it cannot be undone", number=lowest.number)
        self._check_clock(lowest)
        return lowest

    async def settled_time(self) -> int:
        """ms since 1970. What expired before this, and is in no solid block, will be in none: the time of the newest
        solid block, less what machines behind one address may differ by.
        """
        return (await self.solid()).time - self.network.lag_ms

    async def reference(self) -> Block:
        """A block that a transaction holds on to (TAPOS): one that is solid, so that no undoing takes it away."""
        return await self.solid()

    async def _solid_of(self, node: Node) -> Block:
        block = await (await self._prove(node)).solid()
        self._note(node, block)
        return block

    def _note(self, node: Node, block: Block) -> None:
        known = self._known[node]
        before = known.solid.setdefault(block.number, block.id)
        if before != block.id:
            raise SolidRewritten(
                f"{node.name} has another block {block.number} than before, and said that it cannot be undone",
                number=block.number)
        if block.number < known.newest - limits.CHAIN_LAG_BLOCKS:
            raise NodeBehind(f"{node.name} is at block {block.number}, and was at {known.newest} before")
        known.newest = max(known.newest, block.number)
        while len(known.solid) > _REMEMBERED:
            known.solid.popitem(last=False)

    def _check_clock(self, block: Block) -> None:
        if self.network.real_time and abs(block.time / 1000 - self._wall()) > _SKEW_SECONDS:
            raise NodeBehind(
                "the newest block that cannot be undone is more than ten minutes away from the clock of this machine: "
                "the clock is wrong, or the node does not keep up", time=block.time)

    # -- money

    async def account(self, address: Address) -> Account:
        return await self._agreed("the balance", lambda node: node.account(address))

    async def code(self, address: Address) -> bytes | None:
        """What runs at an address; None where no contract is. The code of a contract never changes."""
        return await self._agreed("the code of the contract", lambda node: node.code(address))

    async def receipt(self, txid: bytes) -> Receipt | None:
        """Of solid blocks; None where none has it."""
        return await self._agreed("the transaction", lambda node: node.receipt(txid))

    async def ask(self, question: Question[T], at: Address | None = None) -> T:
        """A question to the vault (or to another one, `at`) in solidified state. Raises NotTheVault where no contract
        is, ContractRefuses where it does not answer.
        """
        there = at if at is not None else self._vault()
        said = await self._agreed("what the vault says", lambda node: _say(node, there, question.data))
        if said.code is not Code.SUCCESS:
            raise NotTheVault(f"nothing answers at this address: {said.code}")
        if said.failed:
            raise ContractRefuses(f"the contract refuses: {vault.reason(said.output) or 'it says not why'}")
        return question.read(said.output)

    async def check_vault(self, at: Address | None = None) -> int:
        """See that the vault of the settings (or `at`) is the one that is known here; its delay in seconds. Raises
        NotTheVault, or UsageError where none is configured.
        """
        there = at if at is not None else self._vault()
        runtime = await self.code(there)
        if runtime is None:
            raise NotTheVault("there is no contract at the address of the vault")
        if runtime != vault.committed().runtime:
            raise NotTheVault("the contract at the address of the vault is another one than is known here")
        delay = await self.ask(vault.delay(), there)
        vault.check(runtime, delay, self.network.least_delay)
        return delay

    def _vault(self) -> Address:
        if self.vault is None:
            raise UsageError(
                f"no vault is configured for {self.network.name}: chain.vault names one", code="no_vault")
        return self.vault

    async def _agreed(self, what: str, ask: Callable[[Node], Awaitable[T]]) -> T:
        """What both nodes say. They are asked again as long as only one may have seen the newest block."""
        if len(self._nodes) == 1:
            return await ask(await self._first())
        for left in reversed(range(limits.CHAIN_AGREE_TRIES)):
            said = [await ask(await self._prove(node)) for node in self._nodes]
            if said[0] == said[1]:
                return said[0]
            await self.solid()
            if left:
                await self._pause(_AGREE_PAUSE)
        raise NodesDisagree(
            f"{self._nodes[0].name} and {self._nodes[1].name} do not agree on {what}: one of them is wrong, and "
            "nothing is done on the word of either", what=what)

    # -- costs

    async def resources(self, address: Address) -> Resources:
        return await (await self._first()).resources(address)

    async def prices(self) -> Prices:
        return reading.prices(await (await self._first()).parameters())

    async def energy_of(self, contract: Contract) -> int:
        """What a call, or the making of a contract, would use now; 0 for a transfer. Raises UsageError where it would
        fail.
        """
        match contract:
            case Transfer():
                return 0
            case TriggerContract(owner, there, data, value):
                return await self._energy(owner, there, data, value)
            case CreateContract(owner):
                return await self._energy(owner, None, contract.bytecode, contract.value)

    async def _energy(self, owner: Address, there: Address | None, data: bytes, value: int) -> int:
        node = await self._first()
        tried = await node.simulate(owner, there, data, value, solid=False)
        if tried.code is not Code.SUCCESS or tried.failed:
            why = vault.reason(tried.output) or tried.message or "the contract says not why"
            raise UsageError(f"this call would fail: {why}", code="call_fails")
        estimated = await self._estimate(node, owner, there, data, value)
        return max(tried.energy, estimated.energy if estimated is not None else 0)

    async def _estimate(
        self, node: Node, owner: Address, there: Address | None, data: bytes, value: int,
    ) -> Simulation | None:
        """None where the node does not estimate, as most do not."""
        if self._no_estimates:
            return None
        try:
            found = await node.estimate(owner, there, data, value)
        except NodeBusy:
            return None
        except NodeRefused:
            self._no_estimates = True
            return None
        if found.code is not Code.SUCCESS:
            self._no_estimates = found.code is Code.CONTRACT_VALIDATE_ERROR and "not support" in found.message
            return None
        return found

    # -- transactions and events

    async def broadcast(self, signed: bytes) -> Broadcast:
        """Give a transaction to every node: one that keeps it to itself does not matter where another passes it on.
        The best that any said. Raises NetworkError where none answered.
        """
        heard: list[Broadcast] = []
        failures: list[NetworkError | FormatError] = []
        for node in self._nodes:
            try:
                heard.append(await (await self._prove(node)).broadcast(signed))
            except (NetworkError, FormatError) as error:
                failures.append(error)
        if not heard:
            raise failures[0]
        return min(heard, key=lambda one: _BEST.index(one.verdict))

    async def events(self, contract: Address, first: int, last: int) -> AsyncIterator[Event]:
        """What a contract wrote in solid blocks from `first` to `last`, in order, as far as it holds. At most
        `limits.CHAIN_EVENT_BLOCKS` blocks. Of one node: what money depends on is asked of the contract itself.
        """
        if not 0 < first <= last + 1 or last - first >= limits.CHAIN_EVENT_BLOCKS:
            raise UsageError(f"up to {limits.CHAIN_EVENT_BLOCKS} blocks are looked through, from 1 on")
        node = await self._first()
        # For a block that it has not got a node says that nothing happened in it.
        if (await self._solid_of(node)).number < last:
            raise NodeBehind(f"{node.name} has not all of these blocks yet")
        for number in range(first, last + 1):
            for receipt in await node.receipts(number):
                for log in receipt.logs if receipt.succeeded else ():
                    if log.contract == contract:
                        yield Event(receipt, log)


_BEST: Final = (Verdict.TAKEN, Verdict.LATER, Verdict.STATE, Verdict.NEVER)


async def _say(node: Node, there: Address, data: bytes) -> _Said:
    tried = await node.simulate(NOBODY, there, data, solid=True)
    return _Said(tried.code, tried.failed, tried.output)
