"""Each failure that docs/paying.md speaks of has a test, and each test that it names is there."""

from __future__ import annotations

import re
from pathlib import Path

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
