from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemons import House, Shell
from wildbach.interfaces.http import passwords


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    monkeypatch.setattr(passwords, "_N", 1 << 8)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WILDBACH_STATE", str(tmp_path / "state"))
    for name in ("WILDBACH_URL", "WILDBACH_KEY"):
        monkeypatch.delenv(name, raising=False)
    with House(tmp_path).open() as one:
        yield one


@pytest.fixture
def shell(house: House, capsys: pytest.CaptureFixture[str]) -> Shell:
    return Shell(house, capsys)
