from __future__ import annotations

from dataclasses import dataclass

from wildbach.services.library.leeches import leeches
from wildbach.services.library.settings import LeechSettings


@dataclass(frozen=True)
class Peer:
    client: str = "good 1.0"
    progress: float = 0.0
    uploaded: int = 0
    endpoint: str = "192.0.2.1:6881"


def test_a_client_whose_name_fits_a_pattern_is_not_served() -> None:
    settings = LeechSettings(clients=("*XunLei*", "-XL*"))
    found = leeches([Peer("Xunlei 0.0.1"), Peer("qBittorrent 5"), Peer("-XL0012-")], 100, settings)
    assert [one.reason for one in found] == [
        "its client is not served (*xunlei*)", "its client is not served (-xl*)"]
    assert leeches([Peer("Xunlei")], 100, LeechSettings()) == []


def test_who_got_more_than_there_is_and_denies_it_is_a_cheat_only_where_that_rule_is_on() -> None:
    cheat, honest, slow = Peer(uploaded=130), Peer(uploaded=130, progress=0.9), Peer(uploaded=90)
    assert leeches([cheat, honest, slow], 100, LeechSettings()) == []
    (one,) = leeches([cheat, honest, slow], 100, LeechSettings(cheats=True))
    assert "1.3 times" in one.reason
    assert leeches([cheat], 0, LeechSettings(cheats=True)) == []


def test_a_web_server_is_no_leech() -> None:
    assert leeches([Peer("Xunlei", endpoint="")], 0, LeechSettings(clients=("*",))) == []
