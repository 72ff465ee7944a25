from __future__ import annotations

import asyncio
from pathlib import Path

from clients import layers_for
from wildbach.disk.datadir import DataDir
from wildbach.interfaces.api import models as m
from wildbach.interfaces.daemon import run_daemon


def test_that_the_state_was_damaged_is_in_the_log(tmp_path: Path) -> None:
    DataDir(tmp_path / "data").open_database().close()
    (tmp_path / "data" / "state.db").write_bytes(b"junk" * 5000)

    async def work() -> None:
        layers = layers_for(tmp_path, api__listen=["127.0.0.1:0"])
        async with run_daemon(layers, tmp_path / "data", environ={}) as daemon:
            lines = (await daemon.api.log(m.LogQuery(level="error"))).lines
            assert [line for line in lines if "state.db.damaged-1" in line.text]

    asyncio.run(work())
