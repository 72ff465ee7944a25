"""`wildbach publish`, and `wildbach get` of what was published: processes that meet in a DHT on loopback."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from cli_process import Command, next_event
from cli_torrents import CONTENT, torrent_of, write_content
from wildbach.protocol.metainfo import MutableLink

LOOP = ("--listen", "127.0.0.1:0")


@pytest.fixture
def command(tmp_path: Path) -> Command:
    write_content(tmp_path / "src" / "things")
    (tmp_path / "x.torrent").write_bytes(torrent_of().to_bytes())
    (tmp_path / "private.torrent").write_bytes(torrent_of(name="other", private=True).to_bytes())
    return Command(tmp_path)


@pytest.mark.slow
def test_a_torrent_is_published_and_got_by_its_link(command: Command) -> None:
    folder = command.folder
    with command.seed(folder / "x.torrent", folder / "src") as at:
        meet = (*LOOP, "--set", f"dht.bootstrap={at}")
        with command.start("publish", "x.torrent", "--key", "mine", "--salt", "s", "--json", *meet) as publisher:
            told = next_event(publisher, "published")
            link = MutableLink.parse(told["link"])
            assert (link.salt, told["nodes"], told["confirmed"]) == (b"s", 1, True)
            done = command.run("get", told["link"], "-o", "out", "--timeout", "40", *meet)
            assert done.returncode == 0, done.stderr
            assert "Asking the DHT" in done.stdout and "complete: " in done.stdout
            for parts, data in CONTENT.items():
                assert folder.joinpath("out", "things", *parts).read_bytes() == data
    key = folder / "state" / "daemon" / "keys" / "mine.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600


def test_what_cannot_be_published_is_said(command: Command) -> None:
    private = command.run("publish", "private.torrent", *LOOP)
    assert private.returncode == 2 and "private" in private.stderr
    link = MutableLink(bytes(32)).to_uri()
    published = command.run("publish", link, *LOOP)
    assert published.returncode == 2 and "was published" in published.stderr
    name = command.run("publish", "x.torrent", "--key", "../x", "--once", *LOOP, "--set", "dht.enabled=false")
    assert name.returncode != 0 and "Traceback" not in name.stderr


def test_a_link_that_leads_nowhere_ends_after_the_time_out(command: Command) -> None:
    done = command.run("get", MutableLink(bytes(31) + b"\1").to_uri(), "--timeout", "1", *LOOP)
    assert done.returncode == 5 and "nothing is known of the link" in done.stderr
    assert "DHT: 0 nodes" in done.stdout


def test_a_link_is_shown(command: Command) -> None:
    link = MutableLink(bytes(range(32)), b"s", "a name").to_uri()
    assert command.run("magnet", link).stdout.strip() == link
    shown = json.loads(command.run("info", link, "--json").stdout)
    assert (shown["public_key"], shown["salt"], shown["name"]) == (bytes(range(32)).hex(), "73", "a name")
    assert bytes(range(32)).hex() in command.run("info", link).stdout
    assert "is needed here" in command.run("verify", link, ".").stderr
