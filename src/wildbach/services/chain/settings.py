"""The settings of the chain that payments are made on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from wildbach.base.settings import Section, setting

NETWORKS: Final = ("dev", "nile", "mainnet", "custom")


@dataclass(frozen=True, slots=True)
class ChainSettings(Section):
    network: str = setting(
        "dev", "The chain of payments. dev: a chain of your own, with play money; nile: TRON's test network; mainnet: "
        "real money; custom: the one at chain.url.", choices=NETWORKS)
    url: str = setting(
        "", "A node of it (java-tron's HTTP API), as https://HOST or http://HOST:PORT. Empty: the usual one of the "
        "network, which for dev is on this machine. It may have a password or a key in it, so only its host is shown.",
        secret=True)
    solid_url: str = setting(
        "", "Where this node tells what can no longer be undone (/walletsolidity), where that is another address: "
        "java-tron itself answers that at a port of its own.", secret=True)
    second_url: str = setting(
        "", "A second node, of somebody else. What money depends on is then asked of both, and counts where they "
        "agree.", secret=True)
    second_solid_url: str = setting("", "The same of the second node, where it is another address.", secret=True)
    api_key: str = setting(
        "", "The key for chain.url, where its owner wants one (TronGrid). The second node never gets it.", secret=True)
    chain_id: str = setting(
        "", "The chain that dev or custom must be: eight hex digits, as 0x94a9059e. Empty: the one that answers first; "
        "another one later is refused.")
    vault: str = setting("", "The address of the vault that payments go through. Empty: none, and nothing is paid.")
    allow_mainnet: bool = setting(
        False, "Let mainnet be chosen. Somebody must then also confirm it by typing so.")
    counters: str = setting(
        "", "A folder outside the data directory in which the wallet notes how far its counters are, so that a data "
        "directory that was restored from a copy is noticed before it pays anything twice. Empty: "
        "$XDG_DATA_HOME/wildbach/wallet, by default in ~/.local/share.")
