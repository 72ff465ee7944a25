"""Notifications through a proxy that was not written here."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.interop.peers import proxies

from clients import client
from receivers import receiver
from wildbach.interfaces.api import models as m

pytestmark = pytest.mark.skipif(proxies.TINYPROXY is None, reason="tinyproxy is not installed (Debian: tinyproxy-bin)")


def test_notifications_go_through_the_http_proxy(tmp_path: Path) -> None:
    async def work() -> None:
        with proxies.Tinyproxy(tmp_path / "proxy") as proxy:
            async with receiver() as at, client(
                tmp_path, network__proxy=proxy.url, notify__urls=[f"json://127.0.0.1:{at.port}/hook"],
            ) as api:
                found = await api.test_notifications()
                assert found == m.NotificationTest((m.Notified("notify.urls 1 (json)", ""),))
                assert at.taken[0]["message"] == "Notifications work."
                assert str(at.port) in proxy.story(), "it was asked to connect there"

    asyncio.run(work())
