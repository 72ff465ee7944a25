from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli_torrents import torrent_of
from wildbach.interfaces.cli import main
from wildbach.protocol.metainfo import Magnet


def test_a_torrent_gives_its_link(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torrent = torrent_of(trackers=[["http://a.example/announce"]])
    place = tmp_path / "x.torrent"
    place.write_bytes(torrent.to_bytes())
    assert main.run(["magnet", str(place), "--peer", "[::1]:6881", "--tracker", "udp://b.example:1"]) == 0
    link = Magnet.parse(capsys.readouterr().out)
    assert link.hashes == torrent.info.hashes
    assert link.name == "things" and link.length == torrent.info.size
    assert link.trackers == ("http://a.example/announce", "udp://b.example:1")
    assert link.peers == (("::1", 6881),)


def test_a_link_is_taken_apart(capsys: pytest.CaptureFixture[str]) -> None:
    link = f"magnet:?xt=urn:btih:{'ab' * 20}&dn=a%20film&tr=http%3A%2F%2Fa.example%2Fannounce"
    assert main.run(["magnet", "--parse", link]) == 0
    shown = capsys.readouterr().out
    assert "a film" in shown and "ab" * 20 in shown and "http://a.example/announce" in shown
    assert main.run(["magnet", "--json", link]) == 0
    assert json.loads(capsys.readouterr().out)["infohash_v1"] == "ab" * 20


def test_a_bare_hash_becomes_a_link(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["magnet", "cd" * 32]) == 0
    assert capsys.readouterr().out == f"magnet:?xt=urn:btmh:1220{'cd' * 32}\n"


@pytest.mark.parametrize("link", ["magnet:?xt=urn:btih:xyz", "magnet:?dn=x", "magnet:"])
def test_a_bad_link_is_one_clear_error(link: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["magnet", link]) == 3
    assert len(capsys.readouterr().err.splitlines()) == 1
