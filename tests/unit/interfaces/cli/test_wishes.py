from __future__ import annotations

import pytest

from wildbach.base.errors import UsageError
from wildbach.interfaces.cli.kinds import HostPort
from wildbach.interfaces.cli.wishes import Wishes


def test_flags_become_settings() -> None:
    settings = Wishes(
        listen=(HostPort("127.0.0.1", 0), HostPort("::1", 7), HostPort("", 8)), limit_down=5,
        settings_given=("peers.anonymous=true", "peers.upload_slots=3"),
    ).settings()
    assert settings.connections.listen == ("127.0.0.1:0", "[::1]:7", "0.0.0.0:8")
    assert (settings.rates.down, settings.rates.up, settings.rates.limit_local) == (5, 0, True)
    assert settings.peers.anonymous and settings.peers.upload_slots == 3


def test_flags_beat_the_environment_and_that_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    default = Wishes().settings()
    monkeypatch.setenv("WILDBACH_PEERS_UPLOAD_SLOTS", "2")
    monkeypatch.setenv("WILDBACH_RATES_DOWN", "9")
    settings = Wishes(limit_down=7).settings()
    assert settings.peers.upload_slots == 2 != default.peers.upload_slots
    assert settings.rates.down == 7


@pytest.mark.parametrize("word", ["peers.anonymous", "no.such=1", "peers.upload_slots=many", "peers.upload_slots=-1"])
def test_a_wrong_setting_is_a_usage_error_that_names_it(word: str) -> None:
    with pytest.raises(UsageError, match=word.split("=")[0]):
        Wishes(settings_given=(word,)).settings()
