"""Daemons that reach each other by a relay only, until they reach each other directly."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from syncdaemons import Daemon, Group, until
from syncrelay import relay
from wildbach.interfaces.api.models import SettingsPatch
from wildbach.protocol.sync.links import SyncLink

pytestmark = pytest.mark.slow
# A device goes to a relay when it was not met otherwise for 20 s.
PATIENCE = 90.0


def ways(*daemons: Daemon) -> list[str]:
    return [other.way for each in daemons for other in each.folder.devices if not other.me]


def test_where_nothing_else_is_left_a_relay_is_the_way_and_a_direct_one_takes_its_place(
    group: Group, tmp_path: Path,
) -> None:
    closed = tmp_path / "closed.txt"
    closed.write_text("127.0.0.1\n")
    with relay(tmp_path, "127.0.0.2:0") as at:
        a, b = (group.add(name, settings={"WILDBACH_SYNC_RELAYS": at.at}) for name in "ab")
        for each in (a, b):
            each.ask("change_settings", SettingsPatch({"filter.sources": [str(closed)]}))
        a.files.mkdir()
        content = b"nobody else reads this " * 20_000
        (a.files / "a secret name.txt").write_bytes(content)
        a.create()
        text = a.share()
        b.join(text, seconds=PATIENCE)
        group.same(seconds=PATIENCE)
        assert ways(a, b) == ["relay", "relay"]
        status = b.command.run("sync", "status", "f").stdout
        assert f"relay {at.at}" in status
        link = SyncLink.parse(text)
        assert at.moved > len(content)
        assert not at.saw(
            content[:23], b"a secret name", bytes(link.folder), link.token.raw, link.token.hash,
            *(bytes.fromhex(each.id) for each in a.folder.devices))

        # The way is free: what was called in vain is called again, and the relay is left.
        for each in (a, b):
            each.ask("change_settings", SettingsPatch({"filter.sources": []}))
        until(lambda: "relay" not in ways(a, b), "they reach each other directly", 120)
        before = at.moved
        (b.files / "large").write_bytes(os.urandom(1 << 20))
        group.same()
        assert at.moved - before < 1 << 16
