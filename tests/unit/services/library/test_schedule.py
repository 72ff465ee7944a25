from __future__ import annotations

from datetime import datetime

import pytest

from wildbach.base.settings import SettingError
from wildbach.services.library.schedule import check, slow_at
from wildbach.services.library.settings import SlowModeSettings

# 2026-11-23 is a Monday.


def at(day: int, hour: int, minute: int = 0) -> datetime:
    return datetime(2026, 11, day, hour, minute)  # noqa: DTZ001 - local time is meant


def test_it_is_slow_between_the_hours_on_the_chosen_days() -> None:
    work = SlowModeSettings(scheduled=True, start="08:00", end="20:00", days=("mon", "tue"))
    assert [slow_at(work, at(23, hour)) for hour in (7, 8, 19, 20)] == [False, True, True, False]
    assert not slow_at(work, at(25, 12))


def test_a_night_belongs_to_the_day_on_which_it_begins() -> None:
    night = SlowModeSettings(scheduled=True, start="22:00", end="06:30", days=("mon",))
    assert slow_at(night, at(23, 23)) and slow_at(night, at(24, 6, 29))
    assert not slow_at(night, at(24, 6, 30)) and not slow_at(night, at(23, 5)) and not slow_at(night, at(24, 23))


def test_equal_times_are_the_whole_day() -> None:
    day = SlowModeSettings(scheduled=True, start="00:00", end="00:00", days=("mon",))
    assert slow_at(day, at(23, 15)) and not slow_at(day, at(24, 15))


@pytest.mark.parametrize("wrong", [{"start": "8"}, {"end": "24:00"}, {"start": "٠٨:٠٠"}, {"days": ("monday",)}])
def test_what_is_no_time_or_day_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(SettingError):
        check(SlowModeSettings(**wrong))  # type: ignore[arg-type]  # that is the point
