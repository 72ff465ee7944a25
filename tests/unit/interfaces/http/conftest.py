"""Passwords here cost next to nothing to hash; test_passwords has those of every day."""

from __future__ import annotations

import pytest

from wildbach.interfaces.http import passwords


@pytest.fixture(autouse=True)
def cheap_passwords(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "passwords" not in request.module.__name__:
        monkeypatch.setattr(passwords, "_N", 1 << 8)
