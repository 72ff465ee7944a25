"""Passwords here cost next to nothing to hash."""

from __future__ import annotations

import pytest

from wildbach.interfaces.http import passwords


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_N", 1 << 8)
