"""A client that removes a torrent with its files and is killed on the way: `removal_child.py FOLDER STEP`.

A step is an unlink, a removed folder, or something that the state database is told. It dies right before that step; it
prints how many there were where it lived.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from clients import client, seed_content, until
from wildbach.disk.database import Database
from wildbach.interfaces.api import models as m


class Steps:
    """Counts while `armed`, and kills before the step `last`."""

    def __init__(self, last: int) -> None:
        self.armed = False
        self.taken = 0
        self._last = last

    def of(self, work: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            if self.armed:
                if self.taken == self._last:
                    os.kill(os.getpid(), signal.SIGKILL)
                self.taken += 1
            return work(*given, **named)

        return call


async def remove(folder: Path, steps: Steps) -> None:
    async with client(folder) as api:
        (added,) = (await api.add_torrents(m.AddRequest(files=(seed_content(folder).to_bytes(),)))).added
        await until(lambda: api.core.catalog.fresh(added.key).state == "seeding", api)
        steps.armed = True
        await api.remove_torrents(m.Removal((added.key,), files=True, now=True))
        steps.armed = False


if __name__ == "__main__":
    counted = Steps(int(sys.argv[2]))
    for place, name in ((os, "unlink"), (os, "rmdir"), (Database, "remove"), (Database, "keep")):
        setattr(place, name, counted.of(getattr(place, name)))
    asyncio.run(remove(Path(sys.argv[1]), counted))
    print(counted.taken)
