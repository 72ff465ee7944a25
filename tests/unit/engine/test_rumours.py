"""For whom a torrent is woken that the DHT has peers of."""

from __future__ import annotations

from wildbach.base import limits
from wildbach.base.ids import Endpoint
from wildbach.engine.rumours import Rumours


def peers(*numbers: int) -> list[Endpoint]:
    return [Endpoint(f"20.0.{number // 250}.{number % 250 + 1}", 6881) for number in numbers]


def test_whom_it_was_woken_for_is_no_news_for_an_hour() -> None:
    rumours = Rumours()
    assert rumours.news("a", peers(1, 2), 0.0) == tuple(peers(1, 2))
    assert rumours.news("a", peers(2, 1), 900.0) == ()
    assert rumours.news("a", peers(1, 3), 1800.0) == tuple(peers(3))
    assert rumours.news("b", peers(1), 1800.0) == tuple(peers(1))
    assert rumours.news("a", peers(1, 2, 3), 3700.0) == ()
    assert rumours.news("a", peers(1, 2, 3), 5400.0) == tuple(peers(1, 2, 3))


def test_a_flood_of_names_wakes_few() -> None:
    rumours = Rumours()
    woken = 0
    for second in range(600):
        for number in range(200):
            woken += bool(rumours.news(f"{second} {number}", peers(number), float(second)))
    assert woken == 10 * limits.RUMOURS_PER_MINUTE
    assert len(rumours) == woken
    assert rumours.news("later", peers(1), 10_000.0) and len(rumours) == 1


def test_of_many_names_few_are_called_and_remembered() -> None:
    rumours = Rumours()
    many = peers(*range(2000))
    assert rumours.news("a", many, 0.0) == tuple(many[: limits.RUMOUR_PEERS])
    assert rumours.news("a", many, 60.0) == tuple(many[limits.RUMOUR_PEERS : 2 * limits.RUMOUR_PEERS])


def test_what_nobody_may_call_wakes_nobody() -> None:
    rumours = Rumours()
    assert rumours.news("a", [Endpoint("0.0.0.0", 6881), Endpoint("224.0.0.1", 6881)], 0.0) == ()


def test_what_is_gone_is_forgotten() -> None:
    rumours = Rumours()
    rumours.news("a", peers(1), 0.0)
    rumours.forget("a")
    assert not len(rumours)
    assert rumours.news("a", peers(1), 1.0)
