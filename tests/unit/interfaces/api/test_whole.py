"""The whole at a glance."""

from __future__ import annotations

import pytest

from wildbach.interfaces.api.whole import _from_outside


@pytest.mark.parametrize(("endpoint", "outside"), [
    ("127.0.0.1:6881", False), ("[::1]:6881", False), ("192.168.1.7:6881", False), ("[fd00::2]:6881", False),
    ("100.64.0.9:1", False), ("169.254.1.1:6881", False), ("8.8.8.8:6881", True), ("[2a00:1450::1]:6881", True),
])
def test_who_calls_from_outside_shows_that_we_can_be_reached(endpoint: str, outside: bool) -> None:
    assert _from_outside(endpoint) is outside
