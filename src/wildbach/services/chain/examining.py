"""Does a real node answer as this client expects? Questions only: nothing is signed and nothing is sent.

What is written here of java-tron comes from its documentation, and has been tried on a chain of our own; whether a
public network agrees is known after somebody examined a node of it. The outcome is remembered per network, so that
whoever shows one can say when that was, or that it never was.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from wildbach.base import limits
from wildbach.base.errors import FormatError, NetworkError, RemoteError
from wildbach.disk.shelf import Shelf
from wildbach.protocol.tron.address import NOBODY, PREFIX, Address
from wildbach.runtime.rng import Rng
from wildbach.services.chain import reading
from wildbach.services.chain.answers import Block, Code, NodeRefused, Receipt, clean
from wildbach.services.chain.client import ChainClient
from wildbach.services.chain.networks import CUSTOM, Network, of_genesis
from wildbach.services.chain.nodes import Node

_LOOKED_BACK: Final = 40
"Solid blocks that are looked through for one with transactions."
_ONE: Final = bytes.fromhex("600160005260206000f3")
"Code that makes a contract of 32 bytes, the number 1."
_CLOCK_SECONDS: Final = 60
MEMORY: Final = "chain"
"The folder of what was examined, in the state folder."
_NAME: Final = "checks.json"
_REMEMBERED: Final = 50
_KEPT_BYTES: Final = 256 * limits.KIB


class Grade(StrEnum):
    GOOD = "good"
    NOTE = "note"
    "Not as everywhere, and not wrong."
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class Finding:
    """`area`: what was looked at, in one word."""

    area: str
    grade: Grade
    text: str


@dataclass(slots=True)
class Examination:
    """Of one node. `expected`: the network that it should be of; None to take it for what it says. Read `found` to the
    end; `network` and `genesis` are known then.
    """

    node: Node
    client: Callable[[Network], ChainClient]
    "Of the same node, for the network that it turned out to be of."
    expected: Network | None
    vault: Address | None
    wall: Callable[[], float]
    rng: Rng
    network: Network = CUSTOM
    genesis: bytes = b""

    async def found(self) -> AsyncIterator[Finding]:
        """Raises NetworkError where the node does not even tell its first block."""
        try:
            first = await self.node.first_block()
        except FormatError as error:
            yield Finding("chain", Grade.FAULT, error.message)
            return
        self.genesis, self.network = first.id, of_genesis(first.id)
        said = f"the first block is that of {_called(self.network)}: chain 0x{first.chain_id:08x}"
        if self.expected is not None:
            if not _fits(self.expected, self.network):
                yield Finding("chain", Grade.FAULT, f"{said}, and {self.expected.name} was expected")
                return
            self.network = self.expected
        if first.hashed:
            yield Finding("chain", Grade.GOOD, said)
        else:
            yield Finding("chain", Grade.NOTE, f"{said}; its id is not the hash of its head")
        try:
            head, solid = await self.node.head(), await self.node.solid()
        except (NetworkError, FormatError) as error:
            yield Finding("blocks", Grade.FAULT, error.message)
            return
        for one in self._of_blocks(head, solid):
            yield one
        for look in (
            self._parameters(), self._accounts(solid), self._receipts(solid), self._calls(), self._estimates(),
            self._vaults(),
        ):
            try:
                async for one in look:
                    yield one
            except (NetworkError, RemoteError) as error:
                yield Finding("answers", Grade.FAULT, error.message)

    def _of_blocks(self, head: Block, solid: Block) -> list[Finding]:
        known = self.network.real_time and self.network.genesis is not None
        lag = head.number - solid.number
        grade = Grade.GOOD if 0 <= lag <= limits.CHAIN_LAG_BLOCKS else Grade.FAULT
        out = [Finding("blocks", grade, f"the newest block is {head.number}, and {solid.number} cannot be undone")]
        if not (head.hashed and solid.hashed):
            out.append(Finding(
                "blocks", Grade.FAULT if known else Grade.NOTE, "the id of a block is not the hash of its head"))
        skew = head.time / 1000 - self.wall()
        if abs(skew) <= _CLOCK_SECONDS:
            out.append(Finding("clock", Grade.GOOD, f"the newest block is {skew:+.0f} s from the clock here"))
        else:
            out.append(Finding(
                "clock", Grade.FAULT if known else Grade.NOTE,
                f"the newest block is {skew:+.0f} s from the clock here: one of the two is wrong"))
        return out

    async def _parameters(self) -> AsyncIterator[Finding]:
        found = reading.prices(await self.node.parameters())
        yield Finding(
            "prices", Grade.GOOD,
            f"a byte costs {found.bandwidth} SUN, a unit of energy {found.energy}, an account "
            f"{found.create_account + found.create_account_system}, a memo {found.memo}")

    async def _accounts(self, solid: Block) -> AsyncIterator[Finding]:
        nobody = await self.node.account(Address(self.rng.randbytes(20)))
        if nobody.exists:
            yield Finding("accounts", Grade.FAULT, "an account that nobody ever made exists there")
            return
        if len(solid.witness) != 21 or solid.witness[:1] != PREFIX:
            yield Finding("accounts", Grade.NOTE, "whoever made the newest block has no address to look at")
            return
        maker = Address.of(solid.witness)
        account = await self.node.account(maker)
        await self.node.resources(maker)
        if account.exists:
            yield Finding("accounts", Grade.GOOD, "the accounts of a block's maker, and of nobody, read as they should")
        else:
            yield Finding("accounts", Grade.NOTE, "whoever made the newest block has no account")

    async def _receipts(self, solid: Block) -> AsyncIterator[Finding]:
        if await self.node.receipt(self.rng.randbytes(32)) is not None:
            yield Finding("transactions", Grade.FAULT, "a transaction that nobody ever sent is in a block")
            return
        listed: tuple[Receipt, ...] = ()
        for number in range(solid.number, max(solid.number - _LOOKED_BACK, 0), -1):
            listed = await self.node.receipts(number)
            if listed:
                break
        if not listed:
            yield Finding("transactions", Grade.NOTE, "the newest blocks have no transactions to look at")
            return
        alone = await self.node.receipt(listed[0].txid)
        if alone != listed[0]:
            yield Finding("transactions", Grade.FAULT, "a transaction is told of in two ways")
            return
        logs = sum(len(one.logs) for one in listed)
        yield Finding(
            "transactions", Grade.GOOD,
            f"what became of the {len(listed)} transactions of block {listed[0].block} reads as it should, with {logs} "
            "events")

    async def _calls(self) -> AsyncIterator[Finding]:
        for solid in (True, False):
            where = "solid state" if solid else "the newest state"
            tried = await self.node.simulate(NOBODY, None, _ONE, solid=solid)
            if tried.code is not Code.SUCCESS or tried.failed:
                yield Finding("calls", Grade.FAULT, f"calls are not tried in {where}: {tried.message or tried.code}")
            elif int.from_bytes(tried.output, "big") != 1:
                yield Finding("calls", Grade.NOTE, f"making a contract in {where} answers another thing than its code")
            else:
                yield Finding("calls", Grade.GOOD, f"a call in {where} answers as it should, for {tried.energy} energy")

    async def _estimates(self) -> AsyncIterator[Finding]:
        try:
            found = await self.node.estimate(NOBODY, None, _ONE)
        except NodeRefused as error:
            yield Finding("estimates", Grade.NOTE, f"no estimates of energy, so calls are tried instead: {error}")
            return
        if found.code is Code.SUCCESS:
            yield Finding("estimates", Grade.GOOD, f"energy is estimated: {found.energy}")
        else:
            yield Finding(
                "estimates", Grade.NOTE, f"no estimates of energy, so calls are tried in their place: {found.message}")

    async def _vaults(self) -> AsyncIterator[Finding]:
        if self.vault is None:
            yield Finding("vault", Grade.NOTE, "no vault was named, so none was looked at")
            return
        delay = await self.client(self.network).check_vault(self.vault)
        yield Finding("vault", Grade.GOOD, f"it is the vault that is known here, with {delay} seconds of delay")


def _called(network: Network) -> str:
    return "a chain of its own" if network is CUSTOM else network.name


def _fits(expected: Network, found: Network) -> bool:
    return expected is found or (expected.genesis is None and found is CUSTOM)


# -- remembering


class Examined(msgspec.Struct, frozen=True):
    """`when`: seconds since 1970, of the last time; `passed`: nothing was at fault then. `last_passed`: 0 for never.
    `url`: as much of it as is shown.
    """

    network: Annotated[str, Meta(max_length=20)]
    genesis: Annotated[str, Meta(max_length=64)]
    url: Annotated[str, Meta(max_length=2000)]
    when: Annotated[int, Meta(ge=0, le=1 << 40)]
    passed: bool
    last_passed: Annotated[int, Meta(ge=0, le=1 << 40)] = 0


class _Kept(msgspec.Struct):
    examined: Annotated[list[Examined], Meta(max_length=_REMEMBERED)]


class Memory:
    """What was examined, in a folder. Blocks; raises StorageError."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def all(self) -> tuple[Examined, ...]:
        """The newest last. A file that makes no sense is nothing: what it says can be had again."""
        kept = self._shelf.get(_NAME, _KEPT_BYTES)
        return read_kept(kept.data) if kept is not None else ()

    def of(self, network: Network) -> Examined | None:
        """None where no node of this network was ever examined."""
        return next((one for one in reversed(self.all()) if one.network == network.name), None)

    def note(self, network: Network, genesis: bytes, url: str, when: float, passed: bool) -> Examined:
        """Chains of one's own are told apart by their first block."""
        before = self.all()
        same = [one for one in before if (one.network, one.genesis) == (network.name, genesis.hex())]
        last = int(when) if passed else (same[-1].last_passed if same else 0)
        made = Examined(network.name, genesis.hex(), clean(url)[:2000], int(when), passed, last)
        kept = [one for one in before if one not in same][-_REMEMBERED + 1 :]
        self._shelf.put(_NAME, msgspec.json.encode(_Kept([*kept, made])), when)
        return made


def read_kept(data: bytes) -> tuple[Examined, ...]:
    try:
        return tuple(msgspec.json.decode(data, type=_Kept).examined)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return ()
