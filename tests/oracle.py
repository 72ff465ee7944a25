"""libtorrent in this process, as the judge of what we write and read: `from tests.oracle import libtorrent`."""

from __future__ import annotations

from typing import Any

import pytest
from tests import encounters


class Oracle:
    """A module whose use is noted. A test that uses one that is not installed is skipped."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> Any:
        module = pytest.importorskip(self._name, reason=f"the {self._name} wheel is not installed")
        encounters.note(self._name)
        return getattr(module, name)


libtorrent = Oracle("libtorrent")
