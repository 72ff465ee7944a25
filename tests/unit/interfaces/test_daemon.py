from __future__ import annotations

import asyncio
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from clients import layers_for
from wildbach.base.addresses import Reach, classify
from wildbach.base.ids import Endpoint
from wildbach.disk.datadir import DataDir
from wildbach.interfaces.api import models as m
from wildbach.interfaces.daemon import run_daemon
from wildbach.interfaces.http.away import away_url


def test_that_the_state_was_damaged_is_in_the_log(tmp_path: Path) -> None:
    DataDir(tmp_path / "data").open_database().close()
    (tmp_path / "data" / "state.db").write_bytes(b"junk" * 5000)

    async def work() -> None:
        layers = layers_for(tmp_path, api__listen=["127.0.0.1:0"])
        async with run_daemon(layers, tmp_path / "data", environ={}) as daemon:
            lines = (await daemon.api.log(m.LogQuery(level="error"))).lines
            assert [line for line in lines if "state.db.damaged-1" in line.text]

    asyncio.run(work())


@pytest.mark.parametrize("places, url", [
    ([Endpoint("127.0.0.1", 8080), Endpoint("::1", 8080)], ""),
    ([Endpoint("127.0.0.1", 8080), Endpoint("192.168.1.20", 81)], "http://192.168.1.20:81"),
    ([Endpoint("fe80::1", 8080)], ""),
    ([Endpoint("fd00::20", 8080)], "http://[fd00::20]:8080"),
    ([], ""),
])
def test_other_machines_get_here_where_it_does_not_listen_on_loopback_only(places: list[Endpoint], url: str) -> None:
    assert away_url("http", places) == url


def test_of_any_address_one_is_told_that_others_can_call() -> None:
    found = away_url("https", [Endpoint("0.0.0.0", 8443)])
    if found:  # a machine without a network has none
        at = urlsplit(found)
        assert at.port == 8443 and classify(at.hostname) is not Reach.LOCAL and at.hostname not in ("0.0.0.0", "::")
