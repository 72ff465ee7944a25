"""The node over HTTP: its shapes, its errors, its bounds, and our own client as whoever asks."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.devbed import ANNA, BEN, TRX, A, B, C, creation, in_loop, returning
from tests.devnode import INSTANT, client_of, running

from wildbach.base import limits
from wildbach.base.errors import StorageError, UsageError
from wildbach.protocol.tron import transaction
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.keys import SecretKey
from wildbach.protocol.tron.transaction import CreateContract, Transfer, TriggerContract
from wildbach.protocol.tron.typed import Domain, Voucher
from wildbach.runtime.rng import seeded
from wildbach.services.chain import vault
from wildbach.services.chain.answers import Code
from wildbach.services.chain.client import ChainClient, WrongChain
from wildbach.services.chain.examining import Examination, Grade
from wildbach.services.chain.networks import DEV, Choice, Place
from wildbach.services.chain.nodes import Node
from wildbach.services.devchain import server
from wildbach.services.devchain.chain import Options
from wildbach.services.devchain.server import DevNode
from wildbach.services.devchain.store import Store


@in_loop
async def test_our_own_examination_finds_no_fault() -> None:
    async with running() as asker:
        made = await asker.send(vault.deployment(A, 60))
        there = Address.of(bytes.fromhex(made["contract_address"]))
        await asker.send(TriggerContract(A, there, vault.deposit(TRX).data, TRX))
        place = Place(asker.url, asker.url)
        examination = Examination(
            Node(asker.http, place, asyncio.sleep, seeded(1)),
            lambda network: ChainClient(
                asker.http, Choice(network, (place,), there), wall=time.time, pause=asyncio.sleep, rng=seeded(1)),
            DEV, there, time.time, seeded(2))
        found = [one async for one in examination.found()]
        assert [one for one in found if one.grade is not Grade.GOOD] == []
        assert {one.area for one in found} == {
            "chain", "blocks", "clock", "prices", "accounts", "transactions", "calls", "estimates", "vault"}


@in_loop
async def test_our_own_client_and_the_vault_from_deposit_to_withdrawal() -> None:
    async with running(switched=True) as asker:
        made = await asker.send(vault.deployment(A, 60))
        there = Address.of(bytes.fromhex(made["contract_address"]))
        client = client_of(asker, there)
        chain_id = await client.start()
        assert await client.check_vault() == 60
        hot = SecretKey(b"\x44" * 32)

        async def call(made: vault.Call, key: SecretKey = ANNA) -> Any:
            trigger = TriggerContract(key.address, there, made.data, made.value)
            assert await client.energy_of(trigger) > 0
            said = await client.broadcast(await asker.signed(trigger, key, 100 * TRX))
            assert said.accepted, said
            return said

        await asker.node.run(lambda chain: chain.feed(B, 100 * TRX))
        await call(vault.deposit(50 * TRX))
        await call(vault.add_signer(hot.address))
        head = await client.head()
        await call(vault.reserve(B, 10 * TRX, head.time // 1000 + 86_400))
        assert (await client.ask(vault.payer(A))).balance == 50 * TRX
        assert (await client.ask(vault.reservation(A, B))).amount == 10 * TRX
        signed = []
        for epoch in (1, 2):
            voucher = Voucher(A, B, epoch, epoch * TRX)
            digest = voucher.digest(Domain(chain_id, there))
            assert await client.ask(vault.digest(voucher)) == digest
            signed.append(vault.SignedVoucher(voucher, hot.sign(digest)))
        await call(vault.redeem_many(signed), BEN)
        assert await client.ask(vault.credit(B)) == 3 * TRX
        before = (await client.account(B)).balance
        await call(vault.claim(B))
        assert (await client.account(B)).balance == before + 3 * TRX
        await call(vault.request_withdraw(20 * TRX))
        with pytest.raises(UsageError, match="would fail"):
            await client.energy_of(TriggerContract(A, there, vault.withdraw().data))
        assert asker.node.switches is not None
        await asker.node.switches.forward(61)
        before = (await client.account(A)).balance
        await call(vault.withdraw())
        assert (await client.account(A)).balance > before + 15 * TRX
        last = (await client.solid()).number
        named = [type(vault_event).__name__ for vault_event in [
            one.log.topics for one in [event async for event in client.events(there, 1, last)]]]
        assert len(named) >= 8
        assert (await client.resources(A)).free_bandwidth <= 600
        assert (await client.prices()).energy == 100


@in_loop
async def test_another_chain_is_not_believed() -> None:
    async with running() as first, running() as second:
        one, two = client_of(first), client_of(second)
        assert await one.start() != await two.start()
        choice = replace(DEV, chain_id=one.chain_id)
        wrong = ChainClient(
            second.http, Choice(choice, (Place(second.url, second.url),), None), wall=time.time, pause=asyncio.sleep,
            rng=seeded(1))
        with pytest.raises(WrongChain):
            await wrong.start()


@in_loop
async def test_refusals_have_java_trons_words() -> None:
    async with running() as asker:
        client = client_of(asker)
        good = await asker.signed(Transfer(A, B, 7))
        raw, _ = transaction.unsigned(good)
        assert (await client.broadcast(good)).code is Code.SUCCESS
        assert (await client.broadcast(good)).code is Code.DUP_TRANSACTION_ERROR
        assert (await client.broadcast(transaction.signed(raw, bytes(65)))).code is Code.DUP_TRANSACTION_ERROR
        body = transaction.decode(raw)
        for changed, code in (
            (replace(body, expiration=1), Code.TRANSACTION_EXPIRATION_ERROR),
            (replace(body, ref_block_hash=bytes(8)), Code.TAPOS_ERROR),
            (replace(body, contract=Transfer(A, B, 1 << 60)), Code.CONTRACT_VALIDATE_ERROR),
        ):
            sent = transaction.signed(changed.encode(), ANNA.sign(changed.txid))
            assert (await client.broadcast(sent)).code is code
        bad = replace(body, timestamp=body.timestamp + 1)
        said = await asker.ask("broadcasttransaction", raw_data=transaction.to_json(bad), signature=["00" * 65])
        assert said["code"] == "SIGERROR" and "result" not in said and said["txid"] == bad.txid.hex()
        assert bytes.fromhex(said["message"]).decode().startswith("Validate signature error")


@in_loop
async def test_transactions_are_made_and_told_both_ways() -> None:
    async with running() as asker:
        for visible, shown in ((False, A.full.hex()), (True, str(A))):
            made = await asker.ask(
                "createtransaction", owner_address=shown, to_address=str(B) if visible else B.full.hex(), amount=5,
                visible=visible)
            value = made["raw_data"]["contract"][0]["parameter"]["value"]
            assert value["owner_address"] == shown and made["visible"] is visible
            assert transaction.txid_of(bytes.fromhex(made["raw_data_hex"])).hex() == made["txID"]
            signature = ANNA.sign(bytes.fromhex(made["txID"])).hex()
            said = await asker.ask("broadcasttransaction", **made, signature=[signature])
            assert said == {"result": True, "txid": made["txID"]}
            told = await asker.ask("gettransactionbyid", value=made["txID"], visible=visible)
            assert told["raw_data"] == made["raw_data"] and told["ret"] == [{"contractRet": "SUCCESS"}]
            account = await asker.ask("getaccount", address=shown, visible=visible)
            assert account["address"] == shown == account["owner_permission"]["keys"][0]["address"]
            block = await asker.ask("getnowblock", visible=visible)
            assert block["transactions"][0]["txID"] == made["txID"]
            assert block["block_header"]["raw_data"]["witness_address"][:1] == ("T" if visible else "4")


@in_loop
async def test_a_contract_is_deployed_called_and_told_of() -> None:
    async with running() as asker:
        code = returning("6007")
        made = await asker.ask(
            "deploycontract", owner_address=A.full.hex(), bytecode=creation(code).hex(), name="seven", abi="[]",
            fee_limit=100 * TRX, origin_energy_limit=1000, consume_user_resource_percent=100)
        said = await asker.ask(
            "broadcasttransaction", **made, signature=[ANNA.sign(bytes.fromhex(made["txID"])).hex()])
        assert said["result"]
        info = await asker.ask("gettransactioninfobyid", value=made["txID"])
        there = info["contract_address"]
        assert there == made["contract_address"] and info["receipt"]["result"] == "SUCCESS"
        found = await asker.ask("getcontractinfo", value=there)
        assert found["runtimecode"] == code.hex() and found["smart_contract"]["name"] == "seven"
        assert (await asker.ask("getcontract", value=there))["bytecode"] == creation(code).hex()
        tried = await asker.ask(
            "triggerconstantcontract", owner_address=A.full.hex(), contract_address=there, function_selector="any()")
        assert int(tried["constant_result"][0], 16) == 7 and tried["transaction"]["ret"] == [{}]
        estimated = await asker.ask("estimateenergy", owner_address=A.full.hex(), contract_address=there, data="")
        assert estimated["energy_required"] == tried["energy_used"]
        built = await asker.ask(
            "triggersmartcontract", owner_address=A.full.hex(), contract_address=there, function_selector="any()",
            fee_limit=TRX)
        assert built["result"] == {"result": True} and built["transaction"]["raw_data"]["fee_limit"] == TRX
        account = await asker.ask("getaccount", address=there)
        assert account["type"] == "Contract" and "owner_permission" not in account


@in_loop
async def test_a_call_that_fails_says_why() -> None:
    async with running() as asker:
        info = await asker.send(CreateContract(A, creation(bytes.fromhex("60006000fd")), energy_limit=1))
        there = info["contract_address"]
        tried = await asker.ask("triggerconstantcontract", owner_address=A.full.hex(), contract_address=there)
        assert bytes.fromhex(tried["result"]["message"]) == b"REVERT opcode executed"
        assert tried["transaction"]["ret"] == [{"ret": "FAILED"}]
        info = await asker.send(TriggerContract(A, Address.parse(there), b""))
        assert (info["result"], info["receipt"]["result"]) == ("FAILED", "REVERT")
        assert bytes.fromhex(info["resMessage"]) == b"REVERT opcode executed"
        nothing = await asker.ask("triggerconstantcontract", owner_address=A.full.hex(), contract_address=C.full.hex())
        assert nothing["result"]["code"] == "CONTRACT_VALIDATE_ERROR"
        loop = await asker.send(CreateContract(A, creation(bytes.fromhex("5b600056")), energy_limit=1))
        tried = await asker.ask(
            "triggerconstantcontract", owner_address=A.full.hex(), contract_address=loop["contract_address"],
            fee_limit=TRX)
        assert tried["result"]["code"] == "OTHER_ERROR"
        assert b"OutOfEnergyException" in bytes.fromhex(tried["result"]["message"])


@in_loop
async def test_blocks_are_told_in_every_way() -> None:
    async with running() as asker:
        await asker.send(Transfer(A, B, 1))
        head = await asker.ask("getnowblock")
        number = head["block_header"]["raw_data"]["number"]
        for other in (
            await asker.ask("getblockbynum", num=number), await asker.ask("getblockbyid", value=head["blockID"]),
            await asker.ask("getblock", id_or_num=str(number), detail=True),
            await asker.ask("getblock", id_or_num=head["blockID"], detail=True),
            await asker.ask("getblock", detail=True),
            (await asker.ask("getblockbylimitnext", startNum=number, endNum=number + 1))["block"][0],
            (await asker.ask("getblockbylatestnum", num=1))["block"][0], await asker.solid("getnowblock"),
            json.loads((await asker.raw(f"/wallet/getblockbynum?num={number}", method="GET"))[1]),
        ):
            assert other == head
        assert "transactions" not in await asker.ask("getblock")
        assert await asker.ask("getblockbynum", num=10_000) == {}
        assert await asker.ask("getblockbylimitnext", startNum=0, endNum=limits.DEVCHAIN_BLOCKS + 1) == {}
        first = (await asker.ask("getblockbynum"))["block_header"]["raw_data"]
        assert "number" not in first and "timestamp" not in first
        assert (await asker.ask("gettransactioncountbyblocknum", num=number))["count"] == 1
        info = await asker.ask("getnodeinfo")
        assert info["block"] == f"Num:{number},ID:{head['blockID']}"


@in_loop
async def test_solid_state_is_older() -> None:
    async with running(Options(instant=True, lag=5)) as asker:
        info = await asker.send(Transfer(A, B, 5 * TRX))
        assert await asker.solid("gettransactioninfobyid", value=info["id"]) == {}
        assert (await asker.solid("getaccount", address=B.full.hex())).get("balance", 0) != 6 * TRX
        assert await asker.solid("getblockbynum", num=info["blockNumber"]) == {}
        await asker.node.run(lambda chain: [chain.produce() for _ in range(5)])
        assert await asker.solid("gettransactioninfobyid", value=info["id"]) == info
        assert (await asker.solid("getaccount", address=B.full.hex()))["balance"] == 6 * TRX


@pytest.mark.parametrize(("path", "body"), [
    ("/wallet/getblockbynum", b'{"num": -1}'), ("/wallet/getblockbynum", b'{"num": 1.5}'),
    ("/wallet/getblockbynum", b'{"num": 99999999999999999999}'), ("/wallet/getaccount", b'{"address": "T"}'),
    ("/wallet/getaccount", b"{}"), ("/wallet/getaccount", b'{"address": 5}'), ("/wallet/getaccount", b"[1]"),
    ("/wallet/getaccount", b"{"), ("/wallet/getaccount", b"[" * 100_000), ("/wallet/getaccount", b"\xff"),
    ("/wallet/broadcasthex", b'{"transaction": "zz"}'), ("/wallet/broadcasthex", b'{"transaction": "0a00"}'),
    ("/wallet/broadcasthex", b"{}"), ("/wallet/broadcasttransaction", b"{}"),
    ("/wallet/broadcasttransaction", b'{"raw_data": {"contract": []}}'), ("/wallet/getblockbyid", b'{"value": "ab"}'),
    ("/wallet/createtransaction", b'{"owner_address": "%s"}' % str(A).encode()),
    ("/wallet/deploycontract", b'{"owner_address": "%s", "abi": "[[["}' % str(A).encode()),
    ("/v1/transactions/ab/events", b"{}"), ("/v1/blocks/x/events", b"{}"), ("/v1/contracts/T/events", b"{}"),
])
@in_loop
async def test_nonsense_gets_an_error_and_not_an_end(path: str, body: bytes) -> None:
    async with running() as asker:
        status, said = await asker.raw(path, body)
        assert status == 200 and list(json.loads(said)) == ["Error"], said
        assert (await asker.ask("getnowblock"))["blockID"]


@in_loop
async def test_what_is_not_there_and_who_may_not_ask(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running() as asker:
        for path in ("/wallet/nothing", "/", "/wallet/__init__", "/wallet/tell", "/v1/x",
                     "/walletsolidity/broadcasthex", "/switches/undo", "/switches/clock",
                     "/wallet/gettransactionsign", "/wallet/easytransfer"):
            assert (await asker.raw(path))[0] == 404, path
        assert (await asker.raw("/wallet/getnowblock", origin="http://elsewhere"))[0] == 403
        assert (await asker.raw("/faucet", origin="null"))[0] == 403
        assert (await asker.raw("/faucet", method="GET"))[0] == 404
        assert (await asker.raw("/wallet/getnowblock", method="DELETE"))[0] == 405
        monkeypatch.setattr(limits, "DEVCHAIN_BODY_BYTES", 1000)
        assert (await asker.raw("/wallet/getnowblock", b" " * 1000))[0] == 200
        assert (await asker.raw("/wallet/getnowblock", b" " * 1001))[0] == 413


@in_loop
async def test_too_many_questions_are_told_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running() as asker:
        monkeypatch.setattr(limits, "DEVCHAIN_CALLS", 0)
        for path in ("triggerconstantcontract", "estimateenergy"):
            assert "lack of computing resources" in (await asker.ask(path))["Error"]
        assert (await asker.ask("getnowblock"))["blockID"]
        monkeypatch.setattr(limits, "DEVCHAIN_QUEUE", 0)
        assert "lack of computing resources" in (await asker.ask("getnowblock"))["Error"]


@in_loop
async def test_too_many_transactions_are_told_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(Options(period=60_000)) as asker:
        await asker.node.run(lambda chain: chain.produce())
        monkeypatch.setattr(limits, "DEVCHAIN_PENDING", 1)
        first, second = [await asker.signed(Transfer(A, B, amount)) for amount in (1, 2)]
        assert (await asker.ask("broadcasthex", transaction=first.hex()))["result"]
        said = await asker.ask("broadcasthex", transaction=second.hex())
        assert (said["result"], said["code"]) == (False, "SERVER_BUSY")
        assert (await asker.ask("getpendingsize"))["pendingSize"] == 1
        txid = transaction.txid_of(transaction.unsigned(first)[0]).hex()
        assert (await asker.ask("gettransactionlistfrompending"))["txId"] == [txid]
        assert (await asker.ask("gettransactionfrompending", value=txid))["txID"] == txid


@in_loop
async def test_the_faucet_feeds_over_http() -> None:
    async with running() as asker:
        status, said = await asker.raw("/faucet", json.dumps({"address": str(C), "amount": 5}).encode())
        assert status == 200 and len(json.loads(said)["txid"]) == 64
        assert (await asker.ask("getaccount", address=str(C)))["balance"] == 5
        _, said = await asker.raw("/faucet", json.dumps({"address": str(C), "amount": 1 << 60}).encode())
        assert "in a day" in json.loads(said)["Error"]


@in_loop
async def test_events_have_names_and_values() -> None:
    async with running() as asker:
        made = await asker.send(vault.deployment(A, 60))
        there = Address.of(bytes.fromhex(made["contract_address"]))
        info = await asker.send(TriggerContract(A, there, vault.deposit(3 * TRX).data, 3 * TRX))
        for path in (
            f"contracts/{there}", f"transactions/{info['id']}", f"blocks/{info['blockNumber']}", "blocks/latest",
        ):
            said = json.loads((await asker.raw(f"/v1/{path}/events", method="GET"))[1])
            (event,) = said["data"]
            assert said["success"] and event["event_name"] == "Deposited"
            assert event["result"]["0"] == "0x" + A.raw.hex() and str(3 * TRX) in event["result"].values()
            assert event["transaction_id"] == info["id"] and event["contract_address"] == str(there)
        none = json.loads((await asker.raw(f"/v1/contracts/{there}/events?event_name=Other", method="GET"))[1])
        assert none["data"] == []


@in_loop
async def test_switches_are_turned_over_http() -> None:
    async with running(Options(instant=True, lag=10), switched=True) as asker:
        async def turn(name: str, **document: Any) -> Any:
            return json.loads((await asker.raw(f"/switches/{name}", json.dumps(document).encode()))[1])

        info = await asker.send(Transfer(A, B, 1))
        undone = await turn("undo", count=1, again=False)
        assert (await asker.ask("getnowblock"))["blockID"] == undone["blockID"]
        assert await asker.ask("gettransactioninfobyid", value=info["id"]) == {}
        assert "solid" in (await turn("undo", count=1000))["Error"]
        before = (await asker.ask("getnowblock"))["block_header"]["raw_data"]["timestamp"]
        assert (await turn("clock", seconds=3600))["ahead"] == 3_600_000
        after = (await asker.ask("getnowblock"))["block_header"]["raw_data"]["timestamp"]
        assert after - before >= 3_600_000
        number = (await turn("block", count=3))["number"]
        assert number == (await asker.ask("getnowblock"))["block_header"]["raw_data"]["number"]
        await turn("lie", path="wallet/getaccount", answer={"address": A.full.hex(), "balance": 1})
        assert (await asker.ask("getaccount", address=A.full.hex()))["balance"] == 1
        await turn("clear")
        assert (await asker.ask("getaccount", address=A.full.hex()))["balance"] > 1
        assert (await asker.raw("/switches/other"))[0] == 404


@in_loop
async def test_a_node_that_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(switched=True) as asker:
        assert asker.node.switches is not None
        asker.node.switches.stall("wallet/getnowblock")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await asker.raw("/wallet/getnowblock")
        monkeypatch.setattr(server, "_STALL_SECONDS", 0.0)
        assert (await asker.raw("/wallet/getnowblock"))[0] == 504
        asker.node.switches.clear()
        assert (await asker.raw("/wallet/getnowblock"))[0] == 200


@in_loop
async def test_a_chain_goes_on_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "chain" / "dev.sqlite"
    async with running(path=path) as asker:
        info = await asker.send(Transfer(A, B, 5))
        first = await asker.ask("getblockbynum", num=0)
    async with DevNode(path, INSTANT) as node:
        found = await node.run(lambda chain: chain.transaction(bytes.fromhex(info["id"])))
        assert found is not None
        assert (await node.run(lambda chain: chain.genesis.id)).hex() == first["blockID"]
        with pytest.raises(UsageError, match="another process"):
            async with DevNode(path, INSTANT):
                pass


@in_loop
async def test_a_disk_that_says_no_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
) -> None:
    async with running(Options(period=5)) as asker:
        def full(*_: object, **__: object) -> None:
            raise StorageError("the disk is full")

        monkeypatch.setattr(server, "_LONGEST_PAUSE", 0.005)
        with monkeypatch.context() as broken:
            broken.setattr(Store, "append", full)
            while "the disk is full" not in caplog.text:
                await asyncio.sleep(0)
            status, said = await asker.raw("/wallet/getnowblock")
            assert status == 200 or "the disk is full" in json.loads(said)["Error"]
        number = await asker.node.run(lambda chain: chain.head.number)
        while await asker.node.run(lambda chain: chain.head.number) == number:
            await asyncio.sleep(0)
