"""docs/networks.md tells networks, words and paths as they are in the code."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from wildbach.base.settings import options
from wildbach.services.chain import networks, nodes
from wildbach.services.chain.settings import NETWORKS, ChainSettings

TEXT = (Path(__file__).parents[3] / "docs" / "networks.md").read_text(encoding="utf-8")


def test_each_network_has_its_line() -> None:
    lines = dict(re.findall(r"^\| `([a-z]+)` (\|.*)$", TEXT, re.M))
    assert set(lines) == set(NETWORKS) == set(networks.KNOWN)
    for name, network in networks.KNOWN.items():
        assert not network.url or f"`{network.url}`" in lines[name]
        assert network.chain_id is None or f"`0x{network.chain_id:08x}`" in lines[name]
        assert ("play money" in lines[name]) == network.play_money


def test_the_words_that_are_typed_are_on_the_page() -> None:
    assert f"`{networks.CONFIRMATION}`" in TEXT


def test_every_setting_is_on_the_page() -> None:
    for key in options(ChainSettings):
        assert f"chain.{key}" in TEXT, key


def test_the_paths_are_those_that_are_asked() -> None:
    asked = set(re.findall(r"\"(/wallet(?:solidity)?/[a-z]+)\"", inspect.getsource(nodes)))
    asked |= {"/wallet/triggerconstantcontract", "/walletsolidity/triggerconstantcontract"}
    told = TEXT[TEXT.index("## Questions that are asked"):]
    assert set(re.findall(r"`(/wallet(?:solidity)?/[a-z]+)`", told)) == asked


def test_no_public_network_claims_to_have_been_examined() -> None:
    assert TEXT.count("| never run |") == 3
