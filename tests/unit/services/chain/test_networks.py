"""Which chain the settings mean, and what must be said before money is real."""

from __future__ import annotations

import pytest

from wildbach.base.errors import UsageError
from wildbach.base.settings import SettingError
from wildbach.protocol.tron.address import Address
from wildbach.services.chain import networks
from wildbach.services.chain.networks import CONFIRMATION, CUSTOM, DEV, MAINNET, NILE, chosen, of_genesis
from wildbach.services.chain.settings import ChainSettings

NODE = "https://node.example"
VAULT = Address(b"\x33" * 20)


def test_without_settings_it_is_play_money_on_this_machine() -> None:
    choice = chosen(ChainSettings())
    assert choice.network is DEV and choice.network.play_money and choice.vault is None
    assert [one.url for one in choice.places] == ["http://127.0.0.1:9090"]


def test_chain_ids_are_those_that_are_published() -> None:
    # https://developers.tron.network/reference-link/eth_chainid
    assert (MAINNET.chain_id, NILE.chain_id) == (0x2B6653DC, 0xCD8690DC)
    for network in (MAINNET, NILE):
        assert network.genesis is not None and of_genesis(network.genesis) is network
    assert of_genesis(bytes(32)) is CUSTOM


@pytest.mark.parametrize(("allowed", "typed", "code"), [
    (False, "", "mainnet_not_allowed"), (False, CONFIRMATION, "mainnet_not_allowed"), (True, "", "mainnet_unconfirmed"),
    (True, "yes", "mainnet_unconfirmed"), (True, CONFIRMATION.upper(), "mainnet_unconfirmed"),
])
def test_mainnet_needs_the_switch_and_the_words(allowed: bool, typed: str, code: str) -> None:
    with pytest.raises(UsageError) as caught:
        chosen(ChainSettings(network="mainnet", allow_mainnet=allowed), typed)
    assert caught.value.code == code


def test_mainnet_with_both_is_mainnet() -> None:
    choice = chosen(ChainSettings(network="mainnet", allow_mainnet=True), f" {CONFIRMATION}\n")
    assert choice.network.genesis == MAINNET.genesis and not choice.network.play_money


def test_everything_that_can_be_said() -> None:
    choice = chosen(ChainSettings(
        network="custom", url=f"{NODE}/", solid_url=f"{NODE}:8091", second_url="https://user:word@other.example",
        api_key="a-key", chain_id="0x94a9059e", vault=str(VAULT)))
    first, second = choice.places
    assert (first.url, first.solid, first.key) == (NODE, f"{NODE}:8091", "a-key")
    assert (second.url, second.solid, second.key) == (("https://user:word@other.example",) * 2 + ("",))
    assert (choice.network.chain_id, choice.network.genesis, choice.vault) == (0x94A9059E, None, VAULT)
    assert not any(word in repr(choice) for word in ("a-key", "word"))
    assert [one.name for one in choice.places] == [NODE, "https://other.example"]


@pytest.mark.parametrize(("values", "key"), [
    ({"network": "custom"}, "chain.url"), ({"url": "ftp://x"}, "chain.url"), ({"url": "node.example"}, "chain.url"),
    ({"url": "https://"}, "chain.url"), ({"url": "http://[::1"}, "chain.url"), ({"url": f"{NODE}?a=b"}, "chain.url"),
    ({"url": NODE, "second_url": f"{NODE}/"}, "chain.second_url"),
    ({"second_solid_url": NODE}, "chain.second_solid_url"), ({"solid_url": "x"}, "chain.solid_url"),
    ({"chain_id": "94a9059e"}, "chain.chain_id"), ({"chain_id": "0x5"}, "chain.chain_id"),
    ({"network": "nile", "chain_id": "0x94a9059e"}, "chain.chain_id"), ({"vault": "TXYZ"}, "chain.vault"),
    ({"api_key": "with\nline"}, "chain.api_key"),
])
def test_what_cannot_be_names_its_key(values: dict[str, str], key: str) -> None:
    with pytest.raises(SettingError) as caught:
        chosen(ChainSettings(**values))  # type: ignore[arg-type]  # all of these are texts
    assert caught.value.key == key


def test_a_custom_network_is_treated_as_if_its_money_were_worth_something() -> None:
    assert not CUSTOM.play_money and CUSTOM.least_delay == 7 * networks.DAY and CUSTOM.lag_ms
