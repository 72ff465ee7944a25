from __future__ import annotations

import pytest

from wildbach.base import limits
from wildbach.base.ids import Endpoint
from wildbach.base.settings import SettingError
from wildbach.services.sync.settings import relays_of


def test_relays_are_addresses_with_ports() -> None:
    assert relays_of(("203.0.113.7:6990", " [2001:db8::7]:1 ")) == (
        Endpoint("203.0.113.7", 6990), Endpoint("2001:db8::7", 1))
    assert relays_of(()) == ()


@pytest.mark.parametrize("text", ["", "relay.example:6990", "203.0.113.7", "203.0.113.7:0", "203.0.113.7:65536", "::1"])
def test_what_is_none_is_named(text: str) -> None:
    with pytest.raises(SettingError, match=r"sync\.relays"):
        relays_of((text,))


def test_more_than_a_record_holds_are_refused() -> None:
    with pytest.raises(SettingError):
        relays_of(("203.0.113.7:6990",) * (limits.SYNC_ENDPOINTS + 1))
