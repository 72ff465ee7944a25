"""docs/vault.md names what the vault has, and its figures are those that are measured."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests import vaultenergy

from wildbach.services.chain import vault

TEXT = vaultenergy.PAGE.read_text(encoding="utf-8")
ROOT = Path(__file__).parents[3]


def test_tables_are_those_that_are_measured() -> None:
    assert vaultenergy.page(TEXT) == TEXT, "python -m tests.vaultenergy"


def test_every_call_and_every_word_of_failure_is_on_the_page() -> None:
    made = json.loads(Path(vault.__file__).with_name("payvault.json").read_text())
    for entry in made["abi"]:
        if entry["type"] == "function":
            assert re.search(rf"`{entry['name']}[`(]", TEXT), entry["name"]
    source = (ROOT / "contracts" / "PayVault.sol").read_text()
    words = set(re.findall(r'require\([^;]*, "([^"]+)"\);|return \(0, "([^"]+)"\)', source))
    assert len(words) > 12
    for required, returned in words:
        assert f"`{required or returned}`" in TEXT, required or returned
