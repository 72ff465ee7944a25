"""A folder at work goes on by itself after what went wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hostile import until
from house import House, Work, housed
from wildbach.base.errors import StorageError
from wildbach.services.sync import folder as folders


@pytest.fixture
def house(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> Callable[[Work], None]:
    return housed(tmp_path, caplog)


def test_a_folder_that_could_not_be_looked_at_is_looked_at_again_also_where_a_device_comes_meanwhile(
        house: Callable[[Work], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "_RETRY_SECONDS", 1.0)

    async def work(here: House) -> None:
        folder, place = here.folder, here.folder.place
        look, looks = place.look, 0

        def fails(*values: Any) -> Any:
            nonlocal looks
            looks += 1
            if looks == 1:
                raise StorageError("the disk has a bad day")
            return look(*values)

        monkeypatch.setattr(place, "look", fails)
        folder.look()
        await until(lambda: folder.state == "stopped")
        here.friend.close()
        await here.friend.ready()
        await until(lambda: folder.state == "idle")
        assert looks == 2

    house(work)
