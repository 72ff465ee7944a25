"""Events of contracts as TronGrid tells them (/v1/…/events), with names and values where an ABI says them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final

from wildbach.base import limits
from wildbach.base.errors import FormatError
from wildbach.protocol.tron import abi
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.transaction import Entry
from wildbach.services.devchain import telling
from wildbach.services.devchain.api import Absent
from wildbach.services.devchain.asking import Asked
from wildbach.services.devchain.chain import DevChain
from wildbach.services.devchain.executing import Receipt
from wildbach.services.devchain.telling import Json

_PATH: Final = re.compile(r"v1/(contracts|transactions|blocks)/([0-9A-Za-z]{1,66})/events", re.ASCII)
_HASHED: Final = re.compile(r"string|bytes|.*\]|\(.*", re.ASCII)
"Of what has such a type and is indexed only the hash is there."
_USUAL: Final = 20


class Events:
    """`tell` answers for paths that begin with v1; raises Absent and FormatError."""

    def __init__(self, chain: DevChain) -> None:
        self._chain = chain

    def tell(self, path: str, asked: Asked) -> Json:
        found = _PATH.fullmatch(path)
        if found is None:
            raise Absent(path)
        kind, which = found.groups()
        only: Address | None = None
        if kind == "contracts":
            only = Asked({"address": which}).address("address")
            receipts = self._chain.logged(only)
        elif kind == "transactions":
            kept = self._chain.transaction(Asked({"id": which}).hash("id"))
            receipts = [] if kept is None else [kept.receipt]
        else:
            number = self._chain.head.number if which == "latest" else Asked({"block": which}).number("block")
            receipts = [one.receipt for one in self._chain.transactions(number)]
        return self._listed(receipts, only, asked)

    def _listed(self, receipts: Sequence[Receipt], only: Address | None, asked: Asked) -> Json:
        most = min(asked.number("limit", _USUAL) or _USUAL, limits.DEVCHAIN_EVENTS)
        told = list(islice(
            (one for receipt in receipts if self._wanted(receipt, asked)
             for one in self._events(receipt, only) if asked.text("event_name") in ("", one["event_name"])), most))
        if asked.text("order_by").endswith(",asc"):
            told.reverse()
        # Without a mark to go on from: what is more than the limit is asked for by block or by time.
        return {"data": told, "success": True, "meta": {"at": self._chain.now, "page_size": len(told)}}

    def _wanted(self, receipt: Receipt, asked: Asked) -> bool:
        solid = receipt.number <= self._chain.solid_number
        return (
            not (asked.flag("only_confirmed") and not solid) and not (asked.flag("only_unconfirmed") and solid)
            and asked.number("block_number", receipt.number) == receipt.number
            and asked.number("min_block_timestamp") <= receipt.time
            <= asked.number("max_block_timestamp", receipt.time))

    def _events(self, receipt: Receipt, only: Address | None) -> Iterator[Json]:
        for index, (contract, topics, data) in enumerate(receipt.logs):
            if only is not None and contract != only.raw:
                continue
            there = Address(contract)
            called = Address(receipt.contract) if receipt.contract else there
            yield {
                "block_number": receipt.number, "block_timestamp": receipt.time,
                "caller_contract_address": str(called), "contract_address": str(there), "event_index": index,
                **self._read(there, topics, data), "transaction_id": receipt.txid.hex(),
                **({"_unconfirmed": True} if receipt.number > self._chain.solid_number else {})}

    def _read(self, there: Address, topics: Sequence[bytes], data: bytes) -> Json:
        about = self._chain.state().about(there.raw)
        new = telling.made(about)[0] if about is not None else None
        for entry in new.abi if new is not None else ():
            if entry.kind == "Event" and topics and abi.topic(_signature(entry)) == topics[0]:
                try:
                    return _named(entry, topics, data)
                except FormatError:
                    break
        return {"event_name": "", "event": "", "result": {}, "result_type": {}}


def _signature(entry: Entry) -> str:
    return f"{entry.name}({','.join(one.type for one in entry.inputs)})"


def _named(entry: Entry, topics: Sequence[bytes], data: bytes) -> Json:
    """Raises FormatError where values are not of the types that the ABI says, or of some that are unknown here."""
    result: dict[str, Any] = {}
    kinds: dict[str, str] = {}
    marked = iter(topics[1:])
    plain = iter(abi.decode([one.type for one in entry.inputs if not one.indexed], data))
    for place, one in enumerate(entry.inputs):
        if one.indexed:
            word = next(marked, None)
            if word is None:
                raise FormatError("a topic is missing")
            value = word.hex() if _HASHED.fullmatch(one.type) else _shown(abi.decode([one.type], word)[0])
        else:
            value = _shown(next(plain))
        name = one.name or str(place)
        result[str(place)] = result[name] = value
        kinds[name] = one.type
    shown = ", ".join(
        " ".join(part for part in (one.type, "indexed" if one.indexed else "", one.name) if part)
        for one in entry.inputs)
    return {"event_name": entry.name, "event": f"{entry.name}({shown})", "result": result, "result_type": kinds}


def _shown(value: abi.Value) -> Any:
    match value:
        case Address():
            return "0x" + value.raw.hex()
        case bool():
            return str(value).lower()
        case bytes():
            return value.hex()
        case tuple():
            return [_shown(one) for one in value]
        case _:
            return str(value)
