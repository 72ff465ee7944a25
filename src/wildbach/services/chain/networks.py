"""Which chains there are, how each is known by its first block, and what must be said before money is real.

A chain is what its first block says it is, whatever a node calls itself. Mainnet needs a switch in the settings and
words that a person typed: `chosen` is the one gate, and every other network refuses nodes of mainnet.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import urlsplit

from wildbach.base.errors import FormatError, UsageError
from wildbach.base.settings import SettingError
from wildbach.protocol.tron.address import Address
from wildbach.services.chain.settings import ChainSettings

CONFIRMATION: Final = "this is real money"
"What a person types before mainnet is used. Whoever asks for it shows it, and hands on what was typed."
DAY: Final = 86_400
_CHAIN_ID: Final = re.compile(r"0x[0-9a-fA-F]{8}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Network:
    """`genesis`: the id of the first block, 32 bytes; None where any may be it. `chain_id`: its last four bytes, where
    they alone are known. `least_delay`: seconds, the shortest of a vault that is used there. `lag_ms`: how far apart
    machines behind one address may be in what they hold for solid. `real_time`: its blocks have the time of clocks.
    """

    name: str
    url: str
    genesis: bytes | None = None
    chain_id: int | None = None
    least_delay: int = 7 * DAY
    lag_ms: int = 60_000
    real_time: bool = True
    play_money: bool = True
    "What is paid there is worth nothing; pages say so."

    def __post_init__(self) -> None:
        if self.genesis is not None:
            object.__setattr__(self, "chain_id", int.from_bytes(self.genesis[-4:], "big"))


DEV: Final = Network("dev", "http://127.0.0.1:9090", least_delay=1, lag_ms=0, real_time=False)
NILE: Final = Network(
    "nile", "https://nile.trongrid.io",
    bytes.fromhex("0000000000000000d698d4192c56cb6be724a558448e2684802de4d6cd8690dc"))
MAINNET: Final = Network(
    "mainnet", "https://api.trongrid.io",
    bytes.fromhex("00000000000000001ebf88508a03865c71d452e25f4d51194196a1d22b6653dc"), play_money=False)
CUSTOM: Final = Network("custom", "", play_money=False)
"Nobody knows what its money is worth, so it is treated as if it were worth something."
KNOWN: Final = {one.name: one for one in (DEV, NILE, MAINNET, CUSTOM)}


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node answers. `solid`: where it tells solidified state."""

    url: str
    solid: str
    key: str = ""

    @property
    def name(self) -> str:
        """What is shown of it. Users, passwords and paths are not: gateways have their keys there."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"

    def __repr__(self) -> str:
        return f"Place({self.name!r})"


@dataclass(frozen=True, slots=True)
class Choice:
    """What the settings say, checked. `vault`: None where none is configured."""

    network: Network
    places: tuple[Place, ...]
    vault: Address | None


def chosen(settings: ChainSettings, confirmation: str = "") -> Choice:
    """`confirmation`: what a person typed, for mainnet. Raises SettingError that names the key, or UsageError with the
    code `mainnet_not_allowed` or `mainnet_unconfirmed`.
    """
    network = KNOWN[settings.network]
    check_consent(network, settings.allow_mainnet, confirmation)
    if settings.chain_id:
        network = replace(network, chain_id=_chain_id(network, settings.chain_id))
    first = settings.url or network.url
    if not first:
        raise SettingError("chain.url", "a custom network needs the address of a node")
    if settings.second_solid_url and not settings.second_url:
        raise SettingError("chain.second_solid_url", "there is no second node: set chain.second_url")
    places = [_place("url", first, "solid_url", settings.solid_url, settings.api_key)]
    if settings.second_url:
        places.append(_place("second_url", settings.second_url, "second_solid_url", settings.second_solid_url, ""))
        if places[0].url == places[1].url:
            raise SettingError("chain.second_url", "this is the same node as chain.url, which would agree with itself")
    return Choice(network, tuple(places), _vault(settings.vault))


def check_consent(network: Network, allowed: bool, confirmation: str) -> None:
    """Raises UsageError where the network is mainnet and not everything was said that must be."""
    if network.name != MAINNET.name:
        return
    if not allowed:
        raise UsageError(
            "mainnet is real money: it is used only where chain.allow_mainnet is set", code="mainnet_not_allowed")
    if confirmation.strip() != CONFIRMATION:
        raise UsageError(
            f"mainnet is real money: type «{CONFIRMATION}» to use it", code="mainnet_unconfirmed")


def check_url(key: str, url: str) -> str:
    """The URL of a node without a slash at its end. Raises SettingError."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https") or parts.query or parts.fragment:
        raise SettingError(key, "this is no address of a node, as https://HOST or http://HOST:PORT")
    return url.rstrip("/")


def of_genesis(genesis: bytes) -> Network:
    """The network that has this first block; CUSTOM where none is known."""
    return next((one for one in KNOWN.values() if one.genesis == genesis), CUSTOM)


def _place(key: str, url: str, solid_key: str, solid: str, secret: str) -> Place:
    at = check_url(f"chain.{key}", url)
    if secret and (not secret.isascii() or not secret.isprintable()):
        raise SettingError("chain.api_key", "a key has letters and digits")
    return Place(at, check_url(f"chain.{solid_key}", solid) if solid else at, secret)


def _chain_id(network: Network, text: str) -> int:
    if not _CHAIN_ID.fullmatch(text):
        raise SettingError("chain.chain_id", "eight hex digits are wanted, as 0x94a9059e")
    number = int(text, 16)
    if network.chain_id is not None and number != network.chain_id:
        raise SettingError("chain.chain_id", f"{network.name} is 0x{network.chain_id:08x}: leave this empty")
    return number


def _vault(text: str) -> Address | None:
    if not text:
        return None
    try:
        return Address.parse(text)
    except FormatError as error:
        raise SettingError("chain.vault", error.message) from None
