"""What nodes of a chain answer to each question, and what was remembered of those that were examined."""

import json

from wildbach.base.errors import FormatError, NetworkError
from wildbach.protocol.tron.address import Address
from wildbach.services.chain import reading
from wildbach.services.chain.examining import read_kept

_WHO = Address(bytes(range(20)))
_HEX = _WHO.full.hex()
_TXID = bytes(32)
_READERS = (
    reading.read_block, lambda raw: reading.read_account(raw, _WHO), reading.read_resources,
    lambda raw: reading.prices(reading.read_parameters(raw)), reading.read_simulation, reading.read_estimate,
    lambda raw: reading.read_broadcast(raw, _TXID), lambda raw: reading.read_receipt(raw, _TXID),
    lambda raw: reading.read_receipts(raw, 5), lambda raw: reading.read_contract(raw, _WHO),
)
_RECEIPT = {
    "id": "00" * 32, "fee": 5, "blockNumber": 5, "blockTimeStamp": 7, "contractResult": ["01"],
    "contract_address": _HEX,
    "receipt": {"energy_usage_total": 3, "result": "SUCCESS"}, "result": "FAILED", "resMessage": "6162",
    "log": [{"address": _WHO.raw.hex(), "topics": ["11" * 32], "data": "22"}],
}
_FEES = ("getTransactionFee", "getEnergyFee", "getCreateAccountFee", "getCreateNewAccountFeeInSystemContract")
_SAID = {"result": True, "code": "SUCCESS", "message": "6162"}
SEEDS: list[bytes] = [json.dumps(one).encode() for one in (
    {"blockID": "0000000000000005" + "11" * 24, "block_header": {"raw_data": {
        "number": 5, "txTrieRoot": "22" * 32, "witness_address": _HEX, "parentHash": "33" * 32, "version": 30,
        "timestamp": 1_777_445_121_000}}},
    {"address": _HEX, "balance": 5}, {"freeNetLimit": 600, "freeNetUsed": 5, "EnergyLimit": 7},
    {"chainParameter": [{"key": key, "value": 5} for key in _FEES]},
    {"result": _SAID, "energy_used": 5, "constant_result": ["01"], "transaction": {"ret": [{"ret": "FAILED"}]}},
    {"result": _SAID, "energy_required": 5}, _SAID | {"txid": "00" * 32}, _RECEIPT, [_RECEIPT],
    {"smart_contract": {"contract_address": _HEX}, "runtimecode": "6001"}, {"Error": "no"},
    {"examined": [{"network": "nile", "genesis": "00" * 32, "url": "https://x", "when": 5, "passed": True}]},
)]
TOKENS = [b'"result"', b'"log":', b'"Error":', b"9223372036854775807", b"-1", b"1e3", b"null", b'"code":"SIGERROR"']


def one_input(data: bytes) -> None:
    accepted = len(read_kept(data))
    for read in _READERS:
        try:
            read(data)
            accepted += 1
        except (FormatError, NetworkError):
            pass
    if not accepted:
        raise FormatError("nothing")
