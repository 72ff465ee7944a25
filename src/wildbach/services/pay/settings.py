"""The settings of what is bought and sold for TRX."""

from __future__ import annotations

from dataclasses import dataclass

from wildbach.base.settings import Section, setting


@dataclass(frozen=True, slots=True)
class PaySettings(Section):
    sell: bool = setting(
        False, "Earn: sell upload of torrents that you marked as yours to give, to who pays for it. Who does not is "
        "served as ever, with half of the slots at least.", live=True)
    price: int = setting(
        33_000, "What a GiB costs, in SUN (millionths of a TRX).", live=True, min=1, max=1_000_000_000)
    buy: bool = setting(
        False, "Spend: pay seeds that ask for it while you download torrents that you marked, within the limits of the "
        "wallet.", live=True)
    most: int = setting(
        33_000, "What a GiB may cost at most, in SUN.", live=True, min=1, max=1_000_000_000)
    one_per_network: bool = setting(
        True, "Of seeders whom you sponsor, take one of a torrent in each network (/24, or /48 of IPv6): a hundred "
        "names of one machine earn what one does.", live=True)
