"""What strangers ask the chain for development: every question with the same JSON, and as what stands behind the
question mark. Blocks are made in between, of whatever was taken."""

import json
import time

from wildbach.base.errors import FormatError, UsageError
from wildbach.protocol.tron import transaction
from wildbach.protocol.tron.keys import SecretKey
from wildbach.protocol.tron.transaction import CreateContract, Transfer, TriggerContract
from wildbach.services.devchain import api, telling
from wildbach.services.devchain.asking import Asked
from wildbach.services.devchain.chain import DevChain, Options
from wildbach.services.devchain.events import Events
from wildbach.services.devchain.executing import read
from wildbach.services.devchain.store import Store

_KEY = SecretKey(b"\x11" * 32)
_WHO = _KEY.address
_CHAIN = DevChain(Store(None), Options(instant=True, lag=5, seconds=0.02), wall=time.time, steady=time.monotonic)
_CHAIN.feed(_WHO, 10_000_000_000)
_CODE = bytes.fromhex("6006600c60003960066000f3600054600101600055")


def _signed(contract: transaction.Contract) -> bytes:
    raw = _CHAIN.draft(contract, fee_limit=0 if isinstance(contract, Transfer) else 500_000_000)
    return transaction.signed(raw.encode(), _KEY.sign(raw.txid))


_MADE = read(_signed(CreateContract(_WHO, _CODE, "counter", percent=100, energy_limit=1)))
_CHAIN.submit(_MADE.data)
_THERE = transaction.deployed_at(_MADE.txid, _WHO)
_API, _EVENTS = api.Api(_CHAIN), Events(_CHAIN)
_HEX = _WHO.full.hex()
_HEAD = _CHAIN.head
_DRAFT = telling.sent(read(_signed(Transfer(_WHO, _THERE, 5))), None, False)
SEEDS: list[bytes] = [json.dumps(one).encode() for one in (
    {}, {"num": 1, "visible": True}, {"id_or_num": "1", "detail": True}, {"startNum": 0, "endNum": 2},
    {"value": _HEAD.id.hex()}, {"value": _MADE.txid.hex(), "visible": True}, {"address": _HEX},
    {"address": str(_WHO), "visible": True}, {"value": _THERE.full.hex()},
    {"owner_address": _HEX, "to_address": _THERE.full.hex(), "amount": 5, "extra_data": "61"},
    {"owner_address": _HEX, "contract_address": _THERE.full.hex(), "function_selector": "f(uint256)",
     "parameter": "00" * 32, "call_value": 1, "fee_limit": 1_000_000},
    {"owner_address": _HEX, "data": _CODE.hex()},
    {"owner_address": _HEX, "bytecode": _CODE.hex(), "name": "x", "origin_energy_limit": 1, "fee_limit": 5,
     "abi": [{"type": "event", "name": "E", "inputs": [{"name": "a", "type": "address", "indexed": True}]}]},
    _DRAFT, _DRAFT | {"visible": True},
    {"transaction": _signed(Transfer(_WHO, SecretKey(b"\x12" * 32).address, 5)).hex()},
    {"transaction": _signed(TriggerContract(_WHO, _THERE, b"")).hex()},
)]
TOKENS = [b'"visible":true', b'"num":-1', b"9223372036854775807", b"1e3", b"null", _HEX.encode(), str(_WHO).encode(),
          b'"fee_limit":', b'"signature":[]', b'"raw_data":{']
_PATHS = (f"v1/contracts/{_THERE}/events", f"v1/transactions/{_MADE.txid.hex()}/events", "v1/blocks/latest/events")


def one_input(data: bytes) -> None:
    asked = Asked.of_body(data)
    accepted = 0
    for name in api.QUESTIONS:
        for solid in (False, True):
            accepted += _told(lambda name=name, solid=solid: _API.tell(name, asked, solid))
    for path in _PATHS:
        accepted += _told(lambda path=path: _EVENTS.tell(path, asked))
        accepted += _told(lambda path=path: _EVENTS.tell(path, Asked.of_query(data.decode("latin-1"))))
    if not accepted:
        raise FormatError("nothing")


def _told(ask: object) -> bool:
    try:
        json.dumps(ask())  # type: ignore[operator]  # one of those above
    except (FormatError, UsageError, api.Absent):
        return False
    return True
