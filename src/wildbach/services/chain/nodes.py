"""One node, asked over HTTP: which path answers which question, for how long it is waited, when it is asked again.

Nothing here believes a node; it only sees that an answer has its form. A question is asked again with longer and longer
pauses where the network failed or the node was busy, and never where the answer made no sense: a node that lies will
do so again. A transaction is sent as the bytes that were encoded here, and known by an id that was reckoned here.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol, TypeVar

import msgspec

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError, NetworkError
from wildbach.net.http import Response
from wildbach.net.resolve import ForbiddenURL, Purpose
from wildbach.protocol.tron import transaction
from wildbach.protocol.tron.address import Address
from wildbach.runtime.rng import Rng
from wildbach.services.chain import reading
from wildbach.services.chain.answers import (
    Account,
    Block,
    Broadcast,
    NodeBusy,
    NodeRefused,
    Receipt,
    Resources,
    Simulation,
)
from wildbach.services.chain.networks import Place

T = TypeVar("T")

_FIRST_PAUSE: Final = 0.5
_KEY_HEADER: Final = "TRON-PRO-API-KEY"
_OK: Final = 200
_BUSY: Final = (408, 425, 429, 500, 502, 503, 504)


class Poster(Protocol):
    """Who speaks HTTP, the way that the settings leave (`net.http.HttpClient`)."""

    async def post(
        self, url: str, body: bytes, *, content_type: str, purpose: Purpose, limit: int, seconds: float,
        headers: Mapping[str, str] | None = None,
    ) -> Response: ...


class Node:
    """`pause` waits; its argument is in seconds. Every question raises NetworkError where the node does not answer it
    (NodeRefused, NodeBusy where it said so), FormatError where the answer makes no sense; both name the node.
    """

    def __init__(
        self, http: Poster, place: Place, pause: Callable[[float], Awaitable[None]], rng: Rng,
        *, seconds: float = limits.CHAIN_SECONDS,
    ) -> None:
        self._http = http
        self._place = place
        self._pause = pause
        self._rng = rng
        self._seconds = seconds
        self.name = place.name

    # -- blocks

    async def first_block(self) -> Block:
        """The one that tells chains apart."""
        found = await self._block("/wallet/getblockbynum", {"num": 0})
        if found.number:
            raise FormatError(f"{self.name}: the first block has the number {found.number}")
        return found

    async def head(self) -> Block:
        """The newest one, which may still be undone."""
        return await self._block("/wallet/getblock", {"detail": False})

    async def solid(self) -> Block:
        """The newest one that cannot be undone."""
        return await self._block("/walletsolidity/getblock", {"detail": False})

    async def solid_block(self, number: int) -> Block:
        """A block that cannot be undone, by its number."""
        found = await self._block("/walletsolidity/getblock", {"id_or_num": str(number), "detail": False})
        if found.number != number:
            raise FormatError(f"{self.name}: block {found.number} was given for block {number}")
        return found

    async def _block(self, path: str, document: Mapping[str, object]) -> Block:
        found = await self._ask(path, document, reading.read_block)
        if found is None:
            raise NodeRefused(f"{self.name}: the node does not have this block")
        return found

    # -- accounts

    async def account(self, address: Address) -> Account:
        """In solidified state."""
        return await self._ask(
            "/walletsolidity/getaccount", {"address": address.full.hex()},
            lambda body: reading.read_account(body, address))

    async def resources(self, address: Address) -> Resources:
        return await self._ask(
            "/wallet/getaccountresource", {"address": address.full.hex()}, reading.read_resources)

    async def parameters(self) -> dict[str, int]:
        return await self._ask("/wallet/getchainparameters", {}, reading.read_parameters)

    # -- contracts

    async def code(self, address: Address) -> bytes | None:
        """What runs at this address; None where no contract is."""
        return await self._ask(
            "/wallet/getcontractinfo", {"value": address.full.hex()},
            lambda body: reading.read_contract(body, address))

    async def simulate(
        self, owner: Address, contract: Address | None, data: bytes, value: int = 0, *, solid: bool,
    ) -> Simulation:
        """Try a call (without `contract`: the making of one) by `owner`, in solidified state or in the newest."""
        return await self._ask(
            f"/{'walletsolidity' if solid else 'wallet'}/triggerconstantcontract",
            _call(owner, contract, data, value), reading.read_simulation)

    async def estimate(self, owner: Address, contract: Address | None, data: bytes, value: int = 0) -> Simulation:
        """The energy of a call; many nodes have this switched off."""
        return await self._ask("/wallet/estimateenergy", _call(owner, contract, data, value), reading.read_estimate)

    # -- transactions

    async def broadcast(self, signed: bytes) -> Broadcast:
        """`signed`: a transaction with its signature, as it was encoded here."""
        raw, _ = transaction.unsigned(signed)
        txid = transaction.txid_of(raw)
        return await self._ask(
            "/wallet/broadcasthex", {"transaction": signed.hex()}, lambda body: reading.read_broadcast(body, txid))

    async def receipt(self, txid: bytes) -> Receipt | None:
        """Of a solid block; None where none has this transaction."""
        return await self._ask(
            "/walletsolidity/gettransactioninfobyid", {"value": txid.hex()},
            lambda body: reading.read_receipt(body, txid))

    async def receipts(self, number: int) -> tuple[Receipt, ...]:
        """Of all transactions of a solid block. A node gives none for a block that it has not got."""
        return await self._ask(
            "/walletsolidity/gettransactioninfobyblocknum", {"num": number},
            lambda body: reading.read_receipts(body, number), limit=limits.CHAIN_BLOCK_BYTES)

    # -- inside

    async def _ask(
        self, path: str, document: Mapping[str, object], read: Callable[[bytes], T],
        *, limit: int = limits.CHAIN_ANSWER_BYTES,
    ) -> T:
        pause = _FIRST_PAUSE
        for left in reversed(range(limits.CHAIN_TRIES)):
            try:
                return await self._once(path, document, read, limit)
            except NodeBusy as error:
                if not left:
                    raise NodeBusy(f"{self.name}: {error.message}") from error
            except NodeRefused as error:
                raise NodeRefused(f"{self.name}: {error.message}") from error
            except ForbiddenURL as error:
                raise ForbiddenURL(f"{self.name}: {error.message}") from error
            except NetworkError as error:
                if not left:
                    raise NetworkError(f"{self.name}: {error.message}", code=error.code) from error
            except LimitError as error:
                raise LimitError(f"{self.name}: {error.message}") from error
            except FormatError as error:
                raise FormatError(f"{self.name}: {error.message}") from error
            # Many who were turned away at once do not come back at once.
            await self._pause(pause * (0.5 + self._rng.random()))
            pause *= 2
        raise NodeBusy(f"{self.name}: the node does not answer")

    async def _once(
        self, path: str, document: Mapping[str, object], read: Callable[[bytes], T], limit: int,
    ) -> T:
        root = self._place.solid if path.startswith("/walletsolidity/") else self._place.url
        headers = {_KEY_HEADER: self._place.key} if self._place.key and root == self._place.url else {}
        reply = await self._http.post(
            root + path, msgspec.json.encode(document), content_type="application/json", purpose=Purpose.USER,
            limit=limit, seconds=self._seconds, headers=headers)
        if reply.status in _BUSY:
            raise NodeBusy(f"the node answers {reply.status}")
        if reply.status != _OK:
            raise NodeRefused(f"the node answers {reply.status} to {path}")
        return read(reply.body)


def _call(owner: Address, contract: Address | None, data: bytes, value: int) -> dict[str, object]:
    document: dict[str, object] = {"owner_address": owner.full.hex(), "data": data.hex()}
    if contract is not None:
        document["contract_address"] = contract.full.hex()
    if value:
        document["call_value"] = value
    return document
