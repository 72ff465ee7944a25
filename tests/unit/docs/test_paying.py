"""Each failure that docs/paying.md speaks of has a test that is there, and a tip burns what the page says."""

from __future__ import annotations

import re
from pathlib import Path

from wildbach.protocol.tron.address import Address
from wildbach.protocol.tron.amounts import TRX
from wildbach.protocol.tron.transaction import RawTransaction, Transfer
from wildbach.services.pay.wallet.fees import size_of

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "paying.md").read_text(encoding="utf-8")
TABLE = PAGE.partition("## What goes wrong")[2].partition("\n## ")[0]


def test_every_failure_has_tests_that_are_there() -> None:
    rows = [line.strip("|").split("|") for line in TABLE.splitlines() if line.startswith("| ")][2:]
    assert len(rows) > 20
    wanted = {cells[0].strip(): re.findall(r"`(test_\w+)`", cells[-1]) for cells in rows}
    assert all(wanted.values())
    there = {
        name for path in (ROOT / "tests").glob("[use]*/**/test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)}
    assert [name for names in wanted.values() for name in names if name not in there] == []


def test_a_tip_is_as_long_as_the_page_says() -> None:
    now = 1_790_000_000_000
    tip = Transfer(Address(b"\1" * 20), Address(b"\2" * 20), 2 * TRX)
    size = size_of(RawTransaction(b"\1\2", bytes(8), now, tip, now), 0)
    assert f"({size} bytes each, 600 are free)" in PAGE and 2 * size <= 600 < 3 * size
    assert f"| {size / 1000} | 0 |" in PAGE and f"some {round(7.1 / (size / 1000))} tips (7.1 / {size / 1000})" in PAGE
