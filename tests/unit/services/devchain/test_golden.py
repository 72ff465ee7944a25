"""The shapes of this chain's answers beside those published of java-tron (the chain client's golden answers)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.devbed import ANNA, TRX, A, B, Bed, returning

from wildbach.protocol.tron import transaction
from wildbach.protocol.tron.address import NOBODY, Address
from wildbach.protocol.tron.transaction import Transfer
from wildbach.services.devchain.api import Api
from wildbach.services.devchain.asking import Asked
from wildbach.services.devchain.chain import Options

GOLDEN = Path(__file__).parents[1] / "chain" / "golden"
LEFT_OUT = {
    # Pages leave out what is not of their example.
    "getaccount": {"account_name", "type"},
    "getcontractinfo": {"smart_contract.abi", "smart_contract.consume_user_resource_percent"},
    "triggerconstantcontract-revert": {"transaction"},
    "gettransactioninfobyid": {"receipt.net_usage"},
    "gettransactioninfobyblocknum": {"receipt.net_usage"},
}


def published(name: str) -> Any:
    return json.loads((GOLDEN / f"{name}.json").read_text())["answer"]


def strange(ours: Any, theirs: Any, where: str = "") -> list[str]:
    """Where our answer has what theirs has not, or of another type."""
    if type(ours) is not type(theirs):
        return [where or "."]
    if isinstance(ours, dict):
        out = []
        for key, value in ours.items():
            at = f"{where}.{key}".lstrip(".")
            out += strange(value, theirs[key], at) if key in theirs else [at]
        return out
    if isinstance(ours, list) and ours and theirs:
        return strange(ours[0], theirs[0], where)
    return []


def compare(name: str, ours: Any) -> None:
    found = strange(ours, published(name))
    allowed = LEFT_OUT.get(name, set())
    assert [one for one in found if not any(one.startswith(part) for part in allowed)] == [], ours


def stage() -> tuple[Bed, Api]:
    bed = Bed(Options(instant=True, lag=0))
    return bed, Api(bed.chain)


def test_blocks_and_accounts_have_the_published_shapes() -> None:
    bed, api = stage()
    bed.pay(5)

    def tell(name: str, **document: Any) -> Any:
        return api.tell(name, Asked(document), solid=True)

    for detail, name in ((False, "getblock"), (False, "getblock-mainnet")):
        compare(name, tell("getblock", detail=detail))
    now = tell("getnowblock")
    assert len(now.pop("transactions")) == 1
    compare("getnowblock", now)
    compare("genesis-mainnet", tell("getblockbynum", num=0))
    compare("getaccount", tell("getaccount", address=A.full.hex()))
    assert tell("getaccount", address=NOBODY.full.hex()) == published("getaccount-nobody")
    compare("getaccountresource", api.tell("getaccountresource", Asked({"address": A.full.hex()}), solid=False))
    compare("getchainparameters", api.tell("getchainparameters", Asked({}), solid=False))
    infos = tell("gettransactioninfobyblocknum", num=bed.chain.head.number)
    compare("gettransactioninfobyblocknum", infos)


def test_contracts_have_the_published_shapes() -> None:
    bed, api = stage()
    there = bed.contract(bytes.fromhex("60006000a0") + returning("6007"))
    failing = bed.contract(bytes.fromhex("60006000fd"))
    logging = bed.contract(bytes.fromhex("60016000526002600160206000a200"))

    def tell(name: str, where: Address, solid: bool = True, **document: Any) -> Any:
        return api.tell(name, Asked({
            "owner_address": A.full.hex(), "contract_address": where.full.hex(), "value": where.full.hex(), **document,
        }), solid)

    quiet = bed.contract(returning("6007"))
    compare("triggerconstantcontract", tell("triggerconstantcontract", quiet, data="00"))
    assert tell("triggerconstantcontract", there)["logs"]
    compare("triggerconstantcontract-revert", tell("triggerconstantcontract", failing))
    assert tell("triggerconstantcontract", B) == published("triggerconstantcontract-nothing")
    compare("estimateenergy", tell("estimateenergy", there))
    compare("getcontractinfo", tell("getcontractinfo", there, solid=False))
    for _ in range(3):
        receipt = bed.call(logging, fee_limit=TRX * 10)
    assert receipt.word == "SUCCESS" and receipt.net_fee
    info = api.tell("gettransactioninfobyid", Asked({"value": receipt.txid.hex()}), solid=True)
    compare("gettransactioninfobyid", info)


def test_transactions_have_the_published_shapes() -> None:
    bed, api = stage()
    document = {"owner_address": A.full.hex(), "to_address": B.full.hex(), "amount": 5}
    draft = api.tell("createtransaction", Asked(document), solid=False)
    compare("createtransaction", draft)
    assert isinstance(draft, dict)
    signed = {**draft, "signature": [ANNA.sign(bytes.fromhex(draft["txID"])).hex()]}
    unsigned = {**signed, "signature": ["00" * 65]}
    astray = bed.chain.draft(Transfer(A, B, 5))
    raw = transaction.to_json(astray) | {"ref_block_hash": "00" * 8}
    said = {
        "broadcast-sigerror": api.tell("broadcasttransaction", Asked(unsigned), solid=False),
        "broadcast-tapos": api.tell("broadcasttransaction", Asked({"raw_data": raw, "signature": ["00" * 65]}), False),
    }
    assert api.tell("broadcasttransaction", Asked(signed), solid=False) == {"result": True, "txid": draft["txID"]}
    said["broadcast-dup"] = api.tell("broadcasttransaction", Asked(signed), solid=False)
    for name, one in said.items():
        compare(name, one)
        assert isinstance(one, dict) and one["code"] == published(name)["code"]
    bed.clock.now += 1
    sent = api.tell("broadcasthex", Asked({"transaction": bed.signed(Transfer(A, B, 6)).hex()}), solid=False)
    assert isinstance(sent, dict)
    sent["transaction"] = json.dumps(sent["transaction"])
    compare("broadcasthex", sent)
