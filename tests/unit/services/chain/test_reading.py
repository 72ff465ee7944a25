"""Answers of nodes, as java-tron and gateways publish them (golden/, each with its source), and made up ones."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.chainnode import blocks

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError, NetworkError
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.transaction import TriggerContract, from_json
from wildbach.services.chain import reading, vault
from wildbach.services.chain.answers import (
    Account,
    Broadcast,
    Code,
    Log,
    NodeBusy,
    NodeRefused,
    Prices,
    Resources,
    Simulation,
    Verdict,
)
from wildbach.services.chain.networks import MAINNET

GOLDEN = Path(__file__).with_name("golden")
OWNER = Address.parse("41dd791d6b49e190062d650e6a23c575510d35f2f9")
TOKEN = Address.parse("41eca9bc828a3005b9a3b909f2cc5c2a54794de05f")
TXID = bytes.fromhex("d5ec749ecc2a615399d8a6c864ea4c74ff9f8453eaa44d6b1e2f0b7b3e2f3b6a")


def golden(name: str) -> Any:
    return json.loads((GOLDEN / f"{name}.json").read_text())["answer"]


def body(name: str) -> bytes:
    return json.dumps(golden(name)).encode()


def made(**values: Any) -> bytes:
    return json.dumps(values).encode()


def test_each_golden_answer_names_its_source() -> None:
    names = sorted(GOLDEN.glob("*.json"))
    assert len(names) >= 20
    for name in names:
        one = json.loads(name.read_text())
        assert one["source"].startswith("https://") and one["path"].startswith("/wallet"), name


# -- as published


@pytest.mark.parametrize(("name", "number"), [
    ("getblock", 66_987_565), ("getnowblock", 66_987_627), ("getblock-mainnet", 1_000_000)])
def test_a_published_block_is_hashed_as_here(name: str, number: int) -> None:
    block = reading.read_block(body(name))
    assert block is not None
    assert (block.number, block.hashed) == (number, True)
    assert block.time == golden(name)["block_header"]["raw_data"]["timestamp"]
    assert Address.of(block.witness).raw == block.witness[1:]


def test_the_first_block_of_mainnet_is_the_one_that_is_known_here() -> None:
    block = reading.read_block(body("genesis-mainnet"))
    assert block is not None
    assert (block.number, block.time, block.hashed) == (0, 0, True)
    assert block.id == MAINNET.genesis
    assert block.chain_id == MAINNET.chain_id == 0x2B6653DC


def test_accounts_and_resources() -> None:
    assert reading.read_account(body("getaccount"), OWNER) == Account(True, 1_793_227_200)
    assert reading.read_account(body("getaccount-nobody"), OWNER) == Account(False, 0)
    assert reading.read_resources(body("getaccountresource")) == Resources(159, 0, 0)
    with pytest.raises(FormatError, match="another account"):
        reading.read_account(body("getaccount"), TOKEN)


def test_parameters_and_prices() -> None:
    found = reading.read_parameters(body("getchainparameters"))
    assert (found["getRemoveThePowerOfTheGr"], found["getAllowUpdateAccountName"]) == (-1, 0)
    assert reading.prices(found) == Prices(1000, 420, 100_000, 1_000_000, 1_000_000)
    shown = reading.read_parameters(body("getchainparameters-nile"))
    assert shown["getTransactionFee"] == 1000
    with pytest.raises(FormatError, match="getEnergyFee: this price is missing"):
        reading.prices(shown)


def test_calls() -> None:
    tried = reading.read_simulation(body("triggerconstantcontract"))
    assert tried == Simulation(Code.SUCCESS, (0x40CFCC00).to_bytes(32, "big"), 935, False, "")
    failed = reading.read_simulation(body("triggerconstantcontract-revert"))
    assert (failed.code, failed.failed, failed.message) == (Code.SUCCESS, True, "REVERT opcode executed")
    assert vault.reason(failed.output) == "too early"
    nothing = reading.read_simulation(body("triggerconstantcontract-nothing"))
    assert (nothing.code, nothing.message) == (Code.CONTRACT_VALIDATE_ERROR, "Smart contract is not exist.")
    assert reading.read_estimate(body("estimateenergy")).energy == 1870
    off = reading.read_estimate(body("estimateenergy-off"))
    assert (off.code, off.message) == (Code.CONTRACT_VALIDATE_ERROR, "this node does not support estimate energy")


def test_a_contract() -> None:
    runtime = bytes.fromhex(golden("getcontractinfo")["runtimecode"])
    assert reading.read_contract(body("getcontractinfo"), TOKEN) == runtime
    assert reading.read_contract(b"{}", TOKEN) is None
    with pytest.raises(FormatError, match="another contract"):
        reading.read_contract(body("getcontractinfo"), OWNER)


def test_what_became_of_transactions() -> None:
    txid = bytes.fromhex(golden("gettransactioninfobyid")["id"])
    found = reading.read_receipt(body("gettransactioninfobyid"), txid)
    assert found is not None
    assert (found.block, found.fee, found.succeeded, found.energy) == (66_985_120, 5_254_500, True, 44_585)
    contract = Address.parse("419ff8fc48fb114ccd5bbdc24a86f0c73082f08825")
    assert found.contract == contract
    (log,) = found.logs
    assert log.contract == contract and len(log.topics) == 3 and len(log.data) == 32
    listed = reading.read_receipts(body("gettransactioninfobyblocknum"), 66_987_565)
    assert [(one.fee, one.succeeded, one.word, one.contract) for one in listed] == [(267_000, True, "", None)] * 2
    with pytest.raises(FormatError, match="another transaction"):
        reading.read_receipt(body("gettransactioninfobyid"), TXID)
    with pytest.raises(FormatError, match="another block"):
        reading.read_receipts(body("gettransactioninfobyblocknum"), 66_987_566)


def test_what_nodes_say_of_a_transaction() -> None:
    assert reading.read_broadcast(body("broadcasthex"), TXID) == Broadcast(Code.SUCCESS)
    for name, verdict in (("dup", Verdict.TAKEN), ("sigerror", Verdict.NEVER), ("tapos", Verdict.NEVER)):
        told, theirs = reading.read_broadcast(body(f"broadcast-{name}"), TXID), golden(f"broadcast-{name}")
        assert (told.code, told.message) == (theirs["code"], theirs["message"])
        assert (told.verdict, told.accepted) == (verdict, verdict is Verdict.TAKEN)
    with pytest.raises(FormatError, match="another transaction"):
        reading.read_broadcast(body("broadcasthex"), bytes(32))


@pytest.mark.parametrize("name", ["createtransaction", "triggerconstantcontract"])
def test_what_nodes_make_of_a_transaction_is_what_is_made_here(name: str) -> None:
    theirs = golden(name) if name == "createtransaction" else golden(name)["transaction"]
    ours = from_json(theirs["raw_data"])
    assert ours.encode().hex() == theirs["raw_data_hex"]
    assert ours.txid.hex() == theirs["txID"]
    if isinstance(ours.contract, TriggerContract):
        assert ours.contract.contract == TOKEN


def test_refusals() -> None:
    with pytest.raises(NodeBusy):
        reading.read_block(body("error-busy"))
    with pytest.raises(NodeRefused, match="unavailable due to config"):
        reading.read_account(body("error-off"), OWNER)
    with pytest.raises(NodeRefused, match="lite node"):
        reading.read_receipts(b"this API is closed because this node is a lite fullnode\n", 5)


# -- made up


@pytest.mark.parametrize("code", list(Code))
def test_every_word_of_java_tron_is_known(code: Code) -> None:
    told = reading.read_broadcast(made(result=code is Code.SUCCESS, code=code, message="No connection."), TXID)
    assert told.code is code
    assert told.accepted == (code in (Code.SUCCESS, Code.DUP_TRANSACTION_ERROR))


def test_an_unknown_word_is_no_success() -> None:
    told = reading.read_broadcast(made(code="SOMETHING_NEW", message="x"), TXID)
    assert told.code is Code.OTHER_ERROR and not told.accepted


@pytest.mark.parametrize(("values", "why"), [
    ({"result": True, "code": "SIGERROR"}, "yes and no"), ({"result": False, "code": "SUCCESS"}, "yes and no"),
    ({}, "neither yes nor why not"), ({"result": 1}, "makes no sense"), ({"result": True, "code": 5}, "makes no sense"),
    ({"result": True, "txid": "zz"}, "no hex digits"), ({"result": True, "txid": "00"}, "32 bytes are wanted"),
])
def test_contradictions_are_refused(values: dict[str, Any], why: str) -> None:
    with pytest.raises(FormatError, match=why):
        reading.read_broadcast(json.dumps(values).encode(), TXID)


def test_words_of_nodes_are_short_and_can_be_shown() -> None:
    told = reading.read_broadcast(made(code="OTHER_ERROR", message="\x1b[31m\u202e" + "x" * 5000), TXID)
    assert len(told.message) <= limits.CHAIN_MESSAGE_CHARS and told.message.isprintable()
    assert reading.read_broadcast(made(code="OTHER_ERROR", message="ff"), TXID).message == "ff"


def test_a_block_whose_id_has_another_number_is_refused() -> None:
    block = blocks(3)[2].json
    block["block_header"]["raw_data"]["number"] = 3
    with pytest.raises(FormatError, match="begins with its number"):
        reading.read_block(json.dumps(block).encode())


def test_a_block_whose_head_was_changed_is_not_hashed() -> None:
    block = blocks(3)[2].json
    block["block_header"]["raw_data"]["timestamp"] += 1
    found = reading.read_block(json.dumps(block).encode())
    assert found is not None and not found.hashed


@pytest.mark.parametrize("balance", [-1, 1 << 63, 10**40, limits.WALLET_AMOUNT + 1, 1.5, True, "5"])
def test_balances_that_cannot_be(balance: object) -> None:
    with pytest.raises(FormatError):
        reading.read_account(made(address=OWNER.full.hex(), balance=balance), OWNER)


@pytest.mark.parametrize("fee", [-5, limits.WALLET_FEE_LIMIT + 1])
def test_prices_that_cannot_be(fee: int) -> None:
    found = reading.read_parameters(body("getchainparameters")) | {"getEnergyFee": fee}
    with pytest.raises(FormatError, match="getEnergyFee"):
        reading.prices(found)


def test_a_failed_transaction_did_not_succeed_whichever_way_it_is_said() -> None:
    for more in ({"result": "FAILED"}, {"receipt": {"result": "OUT_OF_ENERGY"}}, {"receipt": {"result": "NEW_WORD"}}):
        found = reading.read_receipt(made(id=TXID.hex(), blockNumber=1, **more), TXID)
        assert found is not None and not found.succeeded
    for more in ({"result": "PERHAPS"}, {"receipt": {"result": "<script>"}}):
        with pytest.raises(FormatError):
            reading.read_receipt(made(id=TXID.hex(), **more), TXID)


def test_bounds() -> None:
    long = "00" * (limits.CHAIN_OUTPUT_BYTES + 1)
    with pytest.raises(LimitError):
        reading.read_simulation(made(result={"result": True}, constant_result=[long]))
    with pytest.raises(LimitError):
        reading.read_contract(made(smart_contract={"contract_address": TOKEN.full.hex()}, runtimecode=long), TOKEN)
    many = [{"topics": []}] * (limits.CHAIN_LOGS + 1)
    for logs in (many, [{"address": "00" * 20, "topics": ["00" * 32] * 5}], [{"address": "00"}]):
        with pytest.raises(FormatError):
            reading.read_receipt(made(id=TXID.hex(), log=logs), TXID)
    half = {"id": "00" * 32, "blockNumber": 5, "log": [{"address": "00" * 20}] * (limits.CHAIN_LOGS // 2 + 1)}
    assert len(reading.read_receipts(json.dumps([half]).encode(), 5)) == 1
    with pytest.raises(LimitError, match="events"):
        reading.read_receipts(json.dumps([half, half]).encode(), 5)
    with pytest.raises(FormatError):
        reading.read_parameters(made(chainParameter=[{"key": "x"}] * (limits.CHAIN_PARAMETERS + 1)))


def test_an_event_names_its_contract_in_20_bytes_or_21() -> None:
    for address in (TOKEN.raw.hex(), TOKEN.full.hex()):
        found = reading.read_receipt(made(id=TXID.hex(), log=[{"address": address}]), TXID)
        assert found is not None and found.logs == (Log(TOKEN, (), b""),)


@pytest.mark.parametrize("nonsense", [b"", b"[", b"null", b"5", b'"x"', b"\xff", b'{"a":' * 50_000, b"[" * 50_000])
def test_nonsense_is_refused_by_every_reader(nonsense: bytes) -> None:
    for read in READERS:
        with pytest.raises(FormatError):
            read(nonsense)


READERS: list[Callable[[bytes], object]] = [
    reading.read_block, lambda raw: reading.read_account(raw, OWNER), reading.read_resources, reading.read_parameters,
    reading.read_simulation, reading.read_estimate, lambda raw: reading.read_broadcast(raw, TXID),
    lambda raw: reading.read_receipt(raw, TXID), lambda raw: reading.read_receipts(raw, 5),
    lambda raw: reading.read_contract(raw, TOKEN),
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
    | st.binary(max_size=33).map(bytes.hex),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([
        "result", "code", "message", "txid", "id", "log", "address", "topics", "data", "receipt", "balance", "blockID",
        "block_header", "raw_data", "number", "constant_result", "transaction", "ret", "chainParameter", "key", "value",
        "smart_contract", "contract_address", "runtimecode", "fee", "blockNumber", "contractResult", "Error",
        "energy_required", "parentHash", "witness_address", "txTrieRoot", "timestamp", "resMessage",
    ]), inner, max_size=6), max_leaves=20)


@given(VALUES)
def test_whatever_a_node_says_is_read_or_refused(value: object) -> None:
    raw = json.dumps(value).encode()
    for read in READERS:
        try:
            found = read(raw)
        except (FormatError, NetworkError):
            continue
        assert hashlib.sha256(repr(found).encode()).digest()


@given(st.integers(0, 1 << 40), st.integers(0, limits.WALLET_AMOUNT), st.booleans())
def test_receipts_come_back_as_they_were(block: int, fee: int, good: bool) -> None:
    raw = {"id": TXID.hex(), "blockNumber": block, "fee": fee, "receipt": {"result": "SUCCESS" if good else "REVERT"}}
    found = reading.read_receipt(json.dumps(raw).encode(), TXID)
    assert found is not None
    assert (found.block, found.fee, found.succeeded) == (block, fee, good)
    assert reading.read_receipts(json.dumps([raw]).encode(), block) == (found,)
