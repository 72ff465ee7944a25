"""java-tron's HTTP API over the chain: each path a method, given a question and which state is meant.

Only what a chain without stakes, tokens and votes can tell. There is no call that takes a private key.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from wildbach.base import limits
from wildbach.base.errors import FormatError, UsageError
from wildbach.protocol.tron import transaction
from wildbach.protocol.tron.transaction import BadTransaction, Contract, CreateContract, Transfer, TriggerContract
from wildbach.services.devchain import executing, fees, telling
from wildbach.services.devchain.asking import Asked
from wildbach.services.devchain.blocks import Header
from wildbach.services.devchain.chain import DevChain
from wildbach.services.devchain.executing import Refused
from wildbach.services.devchain.telling import Json

Told = Json | list[Any]
_CALL_TOKENS: Final = ("call_token_value", "token_id")


class Absent(Exception):
    """There is no such path."""


class Api:
    """`tell` answers; it raises Absent, and FormatError for a question that makes no sense."""

    def __init__(self, chain: DevChain) -> None:
        self._chain = chain

    def tell(self, name: str, asked: Asked, solid: bool) -> Told:
        """`name`: the last part of the path."""
        ask = QUESTIONS.get(name.lower())
        if ask is None or (solid and name.lower() not in _SOLID):
            raise Absent(name)
        return ask(self, asked, solid)

    # -- blocks

    def _block(self, header: Header | None, visible: bool, *, detail: bool = True) -> Json:
        if header is None:
            return {}
        kept = self._chain.transactions(header.number) if detail else []
        return telling.block(
            header, [telling.sent(executing.read(one.data), one.receipt, visible) for one in kept], visible)

    def getnowblock(self, asked: Asked, solid: bool) -> Told:
        return self._block(self._chain.newest(solid=solid), asked.visible)

    def getblock(self, asked: Asked, solid: bool) -> Told:
        which = str(asked.document.get("id_or_num", ""))
        detail = asked.flag("detail")
        if not which:
            return self._block(self._chain.newest(solid=solid), asked.visible, detail=detail)
        if len(which) == 64:
            found = self._chain.header_of(Asked({"id_or_num": which}).hash("id_or_num"), solid=solid)
        else:
            found = self._chain.header(asked.number("id_or_num"), solid=solid)
        return self._block(found, asked.visible, detail=detail)

    def getblockbynum(self, asked: Asked, solid: bool) -> Told:
        return self._block(self._chain.header(asked.number("num"), solid=solid), asked.visible)

    def getblockbyid(self, asked: Asked, solid: bool) -> Told:
        return self._block(self._chain.header_of(asked.hash("value"), solid=solid), asked.visible)

    def getblockbylimitnext(self, asked: Asked, solid: bool) -> Told:
        first, end = asked.number("startNum"), asked.number("endNum")
        if not 0 < end - first <= limits.DEVCHAIN_BLOCKS:
            return {}
        return self._blocks(range(first, end), asked.visible, solid)

    def getblockbylatestnum(self, asked: Asked, solid: bool) -> Told:
        count, last = asked.number("num"), self._chain.newest(solid=solid).number
        if not 0 < count < limits.DEVCHAIN_BLOCKS:
            return {}
        return self._blocks(range(last, max(last - count, -1), -1), asked.visible, solid)

    def _blocks(self, numbers: range, visible: bool, solid: bool) -> Json:
        """As many as fit into one answer."""
        found: list[Json] = []
        room = limits.DEVCHAIN_PENDING
        for number in numbers:
            header = self._chain.header(number, solid=solid)
            if header is not None and room > 0:
                found.append(self._block(header, visible))
                room -= len(found[-1].get("transactions", ()))
        return {"block": found} if found else {}

    # -- transactions

    def gettransactionbyid(self, asked: Asked, solid: bool) -> Told:
        found = self._chain.transaction(asked.hash("value"), solid=solid)
        return {} if found is None else telling.sent(executing.read(found.data), found.receipt, asked.visible)

    def gettransactioninfobyid(self, asked: Asked, solid: bool) -> Told:
        found = self._chain.transaction(asked.hash("value"), solid=solid)
        return {} if found is None else telling.info(found.receipt, asked.visible)

    def gettransactioninfobyblocknum(self, asked: Asked, solid: bool) -> Told:
        return [telling.info(one.receipt, asked.visible)
                for one in self._chain.transactions(asked.number("num"), solid=solid)]

    def gettransactioncountbyblocknum(self, asked: Asked, solid: bool) -> Told:
        number = asked.number("num")
        if self._chain.header(number, solid=solid) is None:
            return {"count": -1}
        return {"count": len(self._chain.transactions(number))}

    def gettransactionfrompending(self, asked: Asked, solid: bool) -> Told:
        found = self._chain.pending(asked.hash("value"))
        return {} if found is None else telling.sent(found, None, asked.visible)

    def gettransactionlistfrompending(self, asked: Asked, solid: bool) -> Told:
        return {"txId": [one.hex() for one in self._chain.waiting()]}

    def getpendingsize(self, asked: Asked, solid: bool) -> Told:
        return {"pendingSize": len(self._chain.waiting())}

    # -- accounts

    def getaccount(self, asked: Asked, solid: bool) -> Told:
        who = asked.address("address")
        state = self._chain.state(solid=solid)
        found = state.account(who.raw)
        if found is None:
            return {}
        about = state.about(who.raw)
        new = telling.made(about)[0] if about is not None else None
        return telling.account(who, found, new.name if new is not None else "", asked.visible)

    def getaccountresource(self, asked: Asked, solid: bool) -> Told:
        found = self._chain.account(asked.address("address"), solid=solid)
        return {} if found is None else telling.resources(found, self._chain.head.time)

    def getaccountnet(self, asked: Asked, solid: bool) -> Told:
        found = self._chain.account(asked.address("address"), solid=solid)
        told = {} if found is None else telling.resources(found, self._chain.head.time)
        return {key: value for key, value in told.items() if "Net" in key or "net" in key}

    def validateaddress(self, asked: Asked, solid: bool) -> Told:
        try:
            asked.address("address")
        except FormatError:
            return {"result": False, "message": "Invalid address"}
        base58 = asked.text("address").startswith("T")
        return {"result": True, "message": "Base58check format" if base58 else "Hex string format"}

    # -- contracts

    def getcontract(self, asked: Asked, solid: bool) -> Told:
        return telling.seen(telling.contract(asked.address("value"), self._chain.state()) or {}, asked.visible)

    def getcontractinfo(self, asked: Asked, solid: bool) -> Told:
        who, state = asked.address("value"), self._chain.state()
        found = telling.contract(who, state)
        if found is None:
            return {}
        return telling.seen({
            "smart_contract": found, "runtimecode": state.code(who.raw).hex(), "contract_state": {}}, asked.visible)

    def triggerconstantcontract(self, asked: Asked, solid: bool) -> Told:
        return self._tried(asked, solid)

    def estimateenergy(self, asked: Asked, solid: bool) -> Told:
        told = self._tried(asked, solid)
        if told["result"].get("result") is not True or "message" in told["result"]:
            return {"result": {"code": "CONTRACT_EXE_ERROR", **told["result"], "result": False}}
        return {"result": told["result"], "energy_required": told["energy_used"]}

    def _tried(self, asked: Asked, solid: bool) -> Json:
        visible = asked.visible
        try:
            _no_tokens(asked)
            owner, there = asked.address("owner_address"), asked.maybe_address("contract_address")
            data, value = asked.call_data(), asked.number("call_value")
            limit = asked.number("fee_limit")
            energy = limit // fees.SUN_PER_ENERGY if limit else limits.DEVCHAIN_ENERGY
            ran = self._chain.attempt(owner, there, data, value, energy=energy, solid=solid)
        except Refused as error:
            return {"result": {"code": error.word, "message": telling.words(error.message, visible)}}
        except FormatError as error:
            said = f"class java.lang.IllegalArgumentException : {error}"
            return {"result": {"code": "OTHER_ERROR", "message": telling.words(said, visible)}}
        raw = None if there is None else self._chain.draft(TriggerContract(owner, there, data, value), fee_limit=limit)
        return telling.tried(ran, raw, visible)

    # -- making and sending transactions

    def createtransaction(self, asked: Asked, solid: bool) -> Told:
        made = Transfer(asked.address("owner_address"), asked.address("to_address"), asked.number("amount"))
        return self._draft(asked, made)

    def triggersmartcontract(self, asked: Asked, solid: bool) -> Told:
        visible = asked.visible
        try:
            _no_tokens(asked)
            made = TriggerContract(
                asked.address("owner_address"), asked.address("contract_address"), asked.call_data(),
                asked.number("call_value"))
            if self._chain.state().about(made.contract.raw) is None:
                raise Refused("CONTRACT_VALIDATE_ERROR", "No contract or not a valid smart contract")
            drafted = self._draft(asked, made)
        except Refused as error:
            return {"result": {"code": error.word, "message": telling.words(error.message, visible)}}
        return {"result": {"result": True}, "transaction": drafted}

    def deploycontract(self, asked: Asked, solid: bool) -> Told:
        _no_tokens(asked)
        abi = asked.document.get("abi", [])
        if isinstance(abi, str):
            abi = Asked.of_body(b'{"abi":' + (abi.encode() or b"[]") + b"}").document["abi"]
        if isinstance(abi, dict):
            abi = abi.get("entrys", [])
        code = asked.hex("bytecode") + asked.hex("parameter")
        return self._draft(asked, CreateContract(
            asked.address("owner_address"), code, asked.text("name"), transaction.abi_of(abi),
            asked.number("call_value"), asked.number("consume_user_resource_percent"),
            asked.number("origin_energy_limit")))

    def _draft(self, asked: Asked, made: Contract) -> Json:
        memo = asked.text("extra_data")
        raw = self._chain.draft(
            made, fee_limit=asked.number("fee_limit"), permission=asked.number("Permission_id"),
            memo=memo.encode() if asked.visible else asked.hex("extra_data"))
        return telling.draft(raw, asked.visible)

    def broadcasttransaction(self, asked: Asked, solid: bool) -> Told:
        visible = asked.visible
        try:
            return telling.taken(self._chain.submit(_packed(asked)))
        except Refused as error:
            return telling.answer(error.word, error.message, error.txid, visible)

    def broadcasthex(self, asked: Asked, solid: bool) -> Told:
        try:
            data = asked.hex("transaction")
            tx = executing.read(data)
            txid = self._chain.submit(data)
        except Refused as error:
            return {"result": False, **telling.answer(error.word, error.message, error.txid, False)}
        sent = telling.sent(tx, None, False)
        return {"result": True, "code": "SUCCESS", "message": "", "transaction": sent, "txid": txid.hex()}

    def getsignweight(self, asked: Asked, solid: bool) -> Told:
        return self._signers(asked, weighed=True)

    def getapprovedlist(self, asked: Asked, solid: bool) -> Told:
        return self._signers(asked, weighed=False)

    def _signers(self, asked: Asked, *, weighed: bool) -> Json:
        tx = executing.read(_packed(asked))
        owner = tx.body.contract.owner
        shown = telling.sent(tx, None, asked.visible)
        if not tx.signatures:
            del shown["signature"]
        approved, result = [], {"code": "NOT_ENOUGH_PERMISSION"} if weighed else {}
        if tx.signatures:
            try:
                executing.check_signature(tx)
                approved, result = [owner.full.hex()], {}
            except Refused as error:
                result = {"code": "PERMISSION_ERROR", "message": error.message}
        out: Json = {"result": result}
        if approved:
            out["approved_list"] = [str(owner)] if asked.visible else approved
        if weighed:
            out["permission"] = telling.seen({
                "permission_name": "owner", "threshold": 1, "keys": [{"address": owner.full.hex(), "weight": 1}],
            }, asked.visible)
            if approved:
                out["current_weight"] = 1
        out["transaction"] = {"result": {"result": True}, "txid": tx.txid.hex(), "transaction": shown}
        return out

    # -- the chain

    def getchainparameters(self, asked: Asked, solid: bool) -> Told:
        return telling.parameters()

    def getnodeinfo(self, asked: Asked, solid: bool) -> Told:
        head, last = self._chain.head, self._chain.newest(solid=True)
        return {
            "beginSyncNum": head.number, "block": f"Num:{head.number},ID:{head.id.hex()}",
            "solidityBlock": f"Num:{last.number},ID:{last.id.hex()}", "currentConnectCount": 0, "activeConnectCount": 0,
            "passiveConnectCount": 0, "totalFlow": 0, "peerList": [], "configNodeInfo": {"codeVersion": "wildbach"},
            "machineInfo": {}, "cheatWitnessInfoMap": {}}

    def listwitnesses(self, asked: Asked, solid: bool) -> Told:
        head = self._chain.head
        if not head.number:
            return {}
        return telling.seen({"witnesses": [{
            "address": head.witness.hex(), "url": "", "latestBlockNum": head.number, "isJobs": True}]}, asked.visible)

    def listnodes(self, asked: Asked, solid: bool) -> Told:
        return {}

    def getenergyprices(self, asked: Asked, solid: bool) -> Told:
        return {"prices": f"0:{fees.SUN_PER_ENERGY}"}

    def getbandwidthprices(self, asked: Asked, solid: bool) -> Told:
        return {"prices": f"0:{fees.SUN_PER_BYTE}"}

    def getmemofee(self, asked: Asked, solid: bool) -> Told:
        return {"prices": f"0:{fees.MEMO_SUN}"}

    def getnextmaintenancetime(self, asked: Asked, solid: bool) -> Told:
        every = telling.PARAMETERS["getMaintenanceTimeInterval"] or 1
        return {"num": (self._chain.head.time // every + 1) * every}


def _no_tokens(asked: Asked) -> None:
    if any(asked.number(key) for key in _CALL_TOKENS):
        raise Refused("CONTRACT_VALIDATE_ERROR", "the chain for development does not have tokens of TRC-10")


def _packed(asked: Asked) -> bytes:
    """The bytes of a transaction that came as JSON. Its `raw_data_hex`, if there is one, says the same."""
    encoded = transaction.from_json(asked.document.get("raw_data")).encode()
    given = asked.text("raw_data_hex")
    if given and given.lower() != encoded.hex():
        raise FormatError("raw_data and raw_data_hex are two transactions", where="raw_data_hex")
    listed = asked.document.get("signature") or []
    if not isinstance(listed, list) or len(listed) > 5:
        raise FormatError("signatures are a short list", where="signature")
    signatures = [Asked({"signature": one}).hex("signature", 100) for one in listed]
    return transaction.signed(encoded, *signatures)


def error_of(error: FormatError | UsageError) -> Json:
    """As java-tron says that a question makes no sense."""
    kind = "org.tron.core.exception.ContractValidateException" if isinstance(error, Refused | BadTransaction) else \
        "java.lang.IllegalArgumentException"
    return {"Error": f"class {kind} : {error.message}"}


Ask = Callable[[Api, Asked, bool], Told]
_BOTH: Final[tuple[Ask, ...]] = (
    Api.getnowblock, Api.getblock, Api.getblockbynum, Api.getblockbyid, Api.getblockbylimitnext,
    Api.getblockbylatestnum, Api.gettransactionbyid, Api.gettransactioninfobyid, Api.gettransactioninfobyblocknum,
    Api.gettransactioncountbyblocknum, Api.getaccount, Api.triggerconstantcontract, Api.estimateenergy,
    Api.listwitnesses, Api.getnodeinfo, Api.getenergyprices, Api.getbandwidthprices,
)
_NEWEST: Final[tuple[Ask, ...]] = (
    Api.gettransactionfrompending, Api.gettransactionlistfrompending, Api.getpendingsize, Api.getaccountresource,
    Api.getaccountnet, Api.validateaddress, Api.getcontract, Api.getcontractinfo, Api.createtransaction,
    Api.triggersmartcontract, Api.deploycontract, Api.broadcasttransaction, Api.broadcasthex, Api.getsignweight,
    Api.getapprovedlist, Api.getchainparameters, Api.listnodes, Api.getmemofee, Api.getnextmaintenancetime,
)
_SOLID: Final = frozenset(ask.__name__ for ask in _BOTH)
QUESTIONS: Final[Mapping[str, Ask]] = {ask.__name__: ask for ask in (*_BOTH, *_NEWEST)}
