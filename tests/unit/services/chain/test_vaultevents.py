"""Logs of the vault: each kind comes from a vault that ran, and what is no log of it is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from eth_abi import encode
from hypothesis import given
from hypothesis import strategies as st
from tests.evms import PyEvm
from tests.vaultbed import DAY, DELAY, EPOCH, HOT, HOT2, TRX, A, Bed, C, N, S
from tronpy.keys import keccak256

from wildbach.base.errors import FormatError
from wildbach.services.chain import vault, vaultevents
from wildbach.services.chain.vaultevents import VaultEvent, read_log

KINDS = get_args(VaultEvent)
ARTEFACT = json.loads(Path(vault.__file__).with_name("payvault.json").read_text())
EVENTS = [entry for entry in ARTEFACT["abi"] if entry["type"] == "event"]


def types_of(entry: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Of its topics and of its data."""
    return ([one["type"] for one in entry["inputs"] if one["indexed"]],
            [one["type"] for one in entry["inputs"] if not one["indexed"]])


def test_each_kind_is_read_from_a_vault_that_ran() -> None:
    bed = Bed(PyEvm())
    met: list[VaultEvent] = []
    junk = vault.SignedVoucher(bed.voucher(HOT, S, 1).voucher, bytes(65))
    until = bed.now + 30 * DAY
    for who, call in (
        (A, vault.deposit(5)), (A, vault.add_signer(HOT2.address)), (A, vault.remove_signer(HOT2.address)),
        (A, vault.reserve(S, 7, until)), (S, vault.waive(A)), (A, vault.request_withdraw(9)),
        (N, vault.redeem_many([junk])), (N, vault.redeem(bed.voucher(HOT, S, 90 * TRX))), (N, vault.claim(S)),
        (A, vault.withdraw()),
    ):
        if call == vault.withdraw():
            bed.wait(DELAY)
        assert bed.call(who, call), bed.why
        met += bed.events
    start = bed.now - DELAY
    have = 50 * TRX + 5
    assert met == [
        vaultevents.Deposited(A, 5), vaultevents.SignerAdded(A, HOT2.address),
        vaultevents.SignerRemoved(A, HOT2.address, start + DELAY), vaultevents.Reserved(A, S, 7, until),
        vaultevents.Released(A, S, 7), vaultevents.WithdrawRequested(A, 9, start + DELAY, start + 2 * DELAY),
        vaultevents.Skipped(0, "bad sig"), vaultevents.Bounced(A, S, 90 * TRX - have),
        vaultevents.Redeemed(A, S, EPOCH, have, 90 * TRX), vaultevents.Claimed(S, have), vaultevents.Withdrawn(A, 0),
    ]
    assert {type(one) for one in met} == set(KINDS)


def test_kinds_are_those_of_the_contract() -> None:
    assert {kind.__name__ for kind in KINDS} == {entry["name"] for entry in EVENTS}
    for entry in EVENTS:
        signature = f"{entry['name']}({','.join(one['type'] for one in entry['inputs'])})"
        kind = next(one for one in KINDS if one.__name__ == entry["name"])
        assert vaultevents.topic_of(kind) == keccak256(signature.encode())


@given(st.sampled_from(EVENTS), st.lists(st.binary(min_size=20, max_size=20), min_size=2, max_size=2),
       st.lists(st.integers(0, (1 << 64) - 1), min_size=3, max_size=3), st.text(max_size=60))
def test_logs_are_read_as_eth_abi_writes_them(
    entry: dict[str, Any], addresses: list[bytes], numbers: list[int], text: str,
) -> None:
    indexed, rest = types_of(entry)
    values = [text if kind == "string" else numbers[place] for place, kind in enumerate(rest)]
    kind = next(one for one in KINDS if one.__name__ == entry["name"])
    topics = [vaultevents.topic_of(kind), *(bytes(12) + one for one in addresses[: len(indexed)])]
    read = read_log(topics, encode(rest, values))
    got = [getattr(read, name) for name in kind.__slots__]
    assert [one.raw for one in got[: len(indexed)]] == addresses[: len(indexed)]
    if "string" not in rest:
        assert got[len(indexed) :] == values


@given(st.sampled_from([*KINDS, None]), st.lists(st.one_of(
    st.binary(max_size=40), st.binary(min_size=20, max_size=20).map(lambda one: bytes(12) + one)), max_size=4),
    st.binary(max_size=200))
def test_any_log_is_read_or_refused(kind: Any, topics: list[bytes], data: bytes) -> None:
    first = [] if kind is None else [vaultevents.topic_of(kind)]
    try:
        read = read_log([*first, *topics], data)
    except FormatError:
        return
    assert type(read) is kind
    if isinstance(read, vaultevents.Skipped):
        assert len(read.why) <= 40 and (not read.why or read.why.isprintable())


def test_a_log_of_another_contract_is_refused() -> None:
    transfer = keccak256(b"Transfer(address,address,uint256)")
    deposited = vaultevents.topic_of(vaultevents.Deposited)
    for topics, data in (
        ([], b""), ([transfer, bytes(32), bytes(32)], bytes(32)), ([deposited], bytes(32)),
        ([deposited, bytes(32), bytes(32)], bytes(32)), ([deposited, b"\1" * 32], bytes(32)),
        ([deposited, bytes(32)], bytes(31)), ([deposited[:31], bytes(32)], bytes(32)),
        ([deposited, bytes(31)], bytes(32)),
    ):
        with pytest.raises(FormatError):
            read_log(topics, data)
    assert read_log([deposited, bytes(12) + C.raw], bytes(31) + b"\5") == vaultevents.Deposited(C, 5)
