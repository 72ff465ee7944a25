"""A wallet that is killed before any of its steps signs nothing twice, and pays nothing twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import wallet_child
from wildbach.protocol.tron import transaction
from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.keys import recover
from wildbach.protocol.tron.typed import Voucher

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="a process cannot fork here")


def lives(folder: Path, story: str) -> list[dict[str, Any]]:
    ran = subprocess.run(
        [sys.executable, wallet_child.__file__, str(folder), story], capture_output=True, text=True, timeout=100,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))})
    assert ran.returncode == 0, ran.stderr
    return [json.loads(line) for line in ran.stdout.splitlines()]


def highest(left: list[str]) -> dict[str, int]:
    """By payee. Each signature is one."""
    found: dict[str, int] = {}
    for one in left:
        payee, total, signature = one.split(":")
        voucher = Voucher(wallet_child.PAYER, Address.parse(payee), wallet_child.EPOCH, int(total))
        assert recover(voucher.digest(wallet_child.DOMAIN), bytes.fromhex(signature)) == wallet_child.KEY.address
        found[payee] = max(found.get(payee, 0), int(total))
    return found


def test_vouchers_stay_within_the_limits_at_every_step(tmp_path: Path) -> None:
    found = lives(tmp_path, "vouchers")
    assert len(found) > 50 and [one["killed"] for one in found] == [True] * (len(found) - 1) + [False]
    for one in found:
        # What left before the kill was counted before it left.
        assert sum(highest(one["before"]).values()) <= one["counted"], one
        out = highest(one["left"])
        assert sum(out.values()) <= one["total"] <= wallet_child.LIMITS.per_day, one
        assert out[str(wallet_child.A)] <= wallet_child.LIMITS.per_peer
        # A kill is no restored backup.
        assert not one["closed"], one
    assert found[-1]["total"] == 95


def test_every_transfer_is_made_once_at_every_step(tmp_path: Path) -> None:
    found = lives(tmp_path, "sends")
    assert len(found) > 30 and [one["killed"] for one in found] == [True] * (len(found) - 1) + [False]
    for one in found:
        assert one["states"] == ["c:confirmed", "b:confirmed", "a:confirmed", str(101 + 102 + 103)], one
        assert len({transaction.txid_of(transaction.unsigned(bytes.fromhex(each))[0]) for each in one["left"]}) == 3
        assert len(set(one["left"])) == 3, one
