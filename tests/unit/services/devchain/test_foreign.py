"""The wallets of others, unchanged, with a chain for development as their node."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from tests import encounters, trontools
from tests.devbed import ANNA, BEN, TRX, A, B, C, in_loop
from tests.devnode import running
from tronpy import Contract, Tron
from tronpy.exceptions import (
    AddressNotFound,
    BadSignature,
    TaposError,
    TransactionError,
    TransactionNotFound,
    TvmError,
    UnknownError,
    ValidationError,
)
from tronpy.keys import PrivateKey
from tronpy.providers import HTTPProvider

from wildbach.services.chain import vault

ARTEFACT = json.loads(Path(vault.__file__).with_name("payvault.json").read_text())
ANNAS, BENS = PrivateKey(ANNA.secret), PrivateKey(BEN.secret)
DELAY = f"{60:064x}"


def tronpys_day(url: str) -> None:
    provider = HTTPProvider(url)
    try:
        tronpy_pays(Tron(provider=provider))
        tronpy_uses_a_contract(Tron(provider=provider))
        tronpy_is_refused(Tron(provider=provider))
    finally:
        provider.sess.close()


def tronpy_pays(tron: Any) -> None:
    sent = tron.trx.transfer(str(A), str(C), 5 * TRX).build().sign(ANNAS).broadcast()
    info = sent.wait()
    assert info["fee"] == 1_100_000 and info["receipt"] == {"net_fee": 100_000}
    assert tron.get_account_balance(str(C)) == 5
    assert tron.get_transaction(sent.txid)["ret"] == [{"contractRet": "SUCCESS"}]
    assert tron.get_solid_transaction_info(sent.txid) == info
    assert tron.trx.transfer(str(A), str(C), 1).memo("tea").build().sign(ANNAS).broadcast().wait()["fee"] >= TRX
    assert tron.get_account(str(C))["address"] == str(C)
    assert tron.get_account_resource(str(A))["freeNetLimit"] == 600
    number = tron.get_latest_block_number()
    assert tron.get_block(number)["transactions"][0]["txID"] and tron.get_block(tron.get_latest_block_id())
    assert tron.get_latest_solid_block_number() == number
    assert any(one["key"] == "getEnergyFee" and one["value"] == 100 for one in tron.get_chain_parameters())
    assert len(tron.list_witnesses()) == 1 and tron.get_node_info()["block"]


def tronpy_uses_a_contract(tron: Any) -> None:
    made = Contract(name="PayVault", bytecode=ARTEFACT["bytecode"] + DELAY, abi=ARTEFACT["abi"])
    info = tron.trx.deploy_contract(str(A), made).fee_limit(1000 * TRX).build().sign(ANNAS).broadcast().wait()
    assert info["receipt"]["result"] == "SUCCESS"
    there = tron.get_contract(info["contract_address"])
    assert there.name == "PayVault" and there.functions.delay() == 60
    assert tron.get_contract_info(info["contract_address"])["runtimecode"] == ARTEFACT["runtime"]

    def call(method: Any, key: PrivateKey = ANNAS, limit: int = 200 * TRX) -> Any:
        owner = key.public_key.to_base58check_address()
        return method.with_owner(owner).fee_limit(limit).build().sign(key).broadcast()

    paid = call(there.functions.deposit.with_transfer(50 * TRX)()).wait()
    (event,) = there.events.Deposited.process_receipt(paid)
    assert 50 * TRX in event["args"].values()
    call(there.functions.addSigner(str(A)))
    digest = bytes(there.functions.digest(str(A), str(B), 1, TRX))
    signature = bytes.fromhex(ANNAS.sign_msg_hash(digest).hex())
    signature = signature[:64] + bytes([27 + signature[64] % 27])
    redeemed = call(there.functions.redeem(str(A), str(B), 1, TRX, signature), BENS).wait()
    assert redeemed["receipt"]["result"] == "SUCCESS"
    assert there.functions.credit(str(B)) == TRX
    with pytest.raises(TvmError, match=r"REVERT opcode executed: [a-z ]+"):
        call(there.functions.withdraw()).result()
    with pytest.raises(TvmError):
        there.functions.signerList(str(A), 99)
    poor = call(there.functions.deposit.with_transfer(1)(), limit=100_000).wait()
    assert (poor["result"], poor["receipt"]["result"]) == ("FAILED", "OUT_OF_ENERGY")
    assert tron.get_estimated_energy(str(A), info["contract_address"], "delay()", "") > 50


def tronpy_is_refused(tron: Any) -> None:
    def transfer(amount: int = 1) -> Any:
        return tron.trx.transfer(str(A), str(B), amount).build()

    with pytest.raises(BadSignature):
        transfer().set_signature(["00" * 65]).broadcast()
    with pytest.raises(ValidationError, match="balance is not sufficient"):
        transfer(10**15).sign(ANNAS).broadcast()
    twice = transfer(77).sign(ANNAS)
    twice.broadcast().wait()
    with pytest.raises(UnknownError, match="Dup transaction"):
        twice.broadcast()
    late = tron.trx.transfer(str(A), str(B), 1)
    late._raw_data["expiration"] = 1
    late = late.build()
    late.set_signature([ANNAS.sign_msg_hash(bytes.fromhex(late.txid)).hex()])
    with pytest.raises(TransactionError, match="expired"):
        late.broadcast()
    astray = tron.trx.transfer(str(A), str(B), 1)
    astray.build()
    astray._raw_data["ref_block_hash"] = "00" * 8
    sent = type(transfer())(astray._raw_data, client=tron)
    with pytest.raises(TaposError):
        sent.sign(ANNAS).broadcast()
    with pytest.raises(TransactionNotFound):
        tron.get_transaction_info("00" * 32)
    with pytest.raises(AddressNotFound):
        tron.get_account("T9yD14Nj9j7xAB4dbGeiX9h8unkKHxuWwb")


@pytest.mark.foreign("tronpy")
@in_loop
async def test_tronpy_pays_deploys_calls_and_is_refused() -> None:
    async with running() as asker:
        await asker.node.run(lambda chain: chain.feed(B, 100 * TRX))
        await asyncio.to_thread(tronpys_day, asker.url)
        encounters.note("tronpy")


@pytest.mark.foreign("tronweb")
@in_loop
async def test_tronweb_pays_deploys_calls_and_is_refused() -> None:
    trontools.need("tronweb")
    async with running() as asker:
        saw = await asyncio.to_thread(trontools.ask, "devchain.mjs", "tronweb", {
            "url": asker.url, "key": ANNA.secret.hex(), "other": BEN.secret.hex(), "abi": ARTEFACT["abi"],
            "bytecode": ARTEFACT["bytecode"]})
        assert saw["transfer"]["result"] is True and saw["balance"] == saw["solidBalance"] == 301 * TRX
        assert 260 < saw["transferInfo"]["receipt"]["net_usage"] < 280 and saw["told"] == [{"contractRet": "SUCCESS"}]
        assert saw["deploy"] is True and saw["deployed"] == {"result": "SUCCESS", "where": True}
        assert saw["code"] == "PayVault" and saw["again"]["code"] == "DUP_TRANSACTION_ERROR"
        assert (saw["delay"], saw["balanceThere"]) == ("60", str(40 * TRX))
        assert saw["sameDigest"] is True and saw["redeemed"] == "SUCCESS"
        assert saw["reverted"]["message"] == "REVERT opcode executed"
        assert "message" in saw["revertedCall"] and saw["poor"] == "OUT_OF_ENERGY"
        assert saw["events"] == [["Deposited", True]] and "Redeemed" in saw["eventsOf"] and saw["eventsOfBlock"]
        assert saw["badSignature"]["code"] == "SIGERROR"
        assert saw["tooMuch"]["code"] == "CONTRACT_VALIDATE_ERROR"
        assert saw["energy"] > 1000 and saw["resources"] == 600 and 0 <= saw["bandwidth"] <= 600
        assert (saw["parameters"], saw["node"], saw["range"], saw["current"]) == (100, True, 3, True)
        assert saw["confirmed"] == 64 and saw["signers"] == 1
        assert saw["hex"] == "TRANSACTION_EXPIRATION_ERROR"
