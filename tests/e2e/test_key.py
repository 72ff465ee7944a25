"""`wildbach key`, with a daemon and without one: copies from machine to machine, recovery keys, and a rotation."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from cli_process import Command, in_terminal, next_event
from cli_torrents import torrent_of, write_content
from e2e.test_daemon import serving
from wildbach.protocol.metainfo import MutableLink

PASSPHRASE = b"a long passphrase\n"


@pytest.fixture
def here(tmp_path: Path) -> Command:
    return machine(tmp_path / "here")


def machine(folder: Path) -> Command:
    folder.mkdir()
    command = Command(folder)
    command.env |= {
        "WILDBACH_API_LISTEN": "127.0.0.1:0", "WILDBACH_CONNECTIONS_LISTEN": "127.0.0.1:0",
        "WILDBACH_DOWNLOADS_FOLDER": str(folder / "downloads"), "WILDBACH_DISCOVERY_LSD": "false",
        "WILDBACH_DISCOVERY_UPNP": "false", "WILDBACH_DISCOVERY_NATPMP": "false",
        "WILDBACH_MEDIA_LISTEN": "127.0.0.1:0",
    }
    return command


def keys(command: Command) -> dict[str, dict[str, Any]]:
    done = command.run("key", "list", "--json")
    assert done.returncode == 0, done.stderr
    return {one["name"]: one for one in map(json.loads, done.stdout.splitlines())}


def go_through(here: Command, there: Command) -> None:
    made = here.run("key", "create", "blog")
    assert made.returncode == 0 and "wildbach key export blog" in made.stdout, made.stderr
    public = made.stdout.splitlines()[0]
    assert keys(here)["blog"]["public"] == public and "here: write it down" in here.run("key", "list").stdout
    copy = here.run("key", "export", "blog", "-o", "blog.wbkey", stdin=PASSPHRASE)
    assert copy.returncode == 0, copy.stderr
    assert keys(here)["blog"]["exported_at"] > 0
    again = here.run("key", "export", "blog", "-o", "blog.wbkey", stdin=PASSPHRASE)
    assert again.returncode == 2 and "exists already" in again.stderr
    secret = (here.folder / "state" / "daemon" / "keys" / "blog.key").read_text().strip()
    assert secret not in (here.folder / "blog.wbkey").read_text()

    wrong = there.run("key", "import", str(here.folder / "blog.wbkey"), stdin=b"other\n")
    assert wrong.returncode == 2 and "passphrase" in wrong.stderr and keys(there) == {}
    taken = there.run("key", "import", str(here.folder / "blog.wbkey"), "--name", "weblog", stdin=PASSPHRASE)
    assert taken.returncode == 0, taken.stderr
    assert keys(there)["weblog"]["public"] == public
    file = there.folder / "state" / "daemon" / "keys" / "weblog.key"
    assert file.read_text().strip() == secret and stat.S_IMODE(file.stat().st_mode) == 0o600

    words = here.run("key", "recovery", "blog").stdout.strip()
    assert words.startswith("wbr-") and len(words) == 73
    odd = here.run("key", "recovery", "blog", "--erase", stdin=words[:-1].encode() + b"\n")
    assert odd.returncode == 2 and keys(here)["blog"]["recovery_here"]
    gone = here.run("key", "recovery", "blog", "--erase", stdin=words.encode() + b"\n")
    assert gone.returncode == 0 and not keys(here)["blog"]["recovery_here"], gone.stderr
    assert here.run("key", "recovery", "blog").returncode == 2


def test_keys_are_copied_and_saved_without_a_daemon(here: Command, tmp_path: Path) -> None:
    go_through(here, machine(tmp_path / "there"))


def test_keys_are_copied_and_saved_by_a_daemon(here: Command, tmp_path: Path) -> None:
    with serving(here):
        go_through(here, machine(tmp_path / "there"))


def test_nothing_secret_is_asked_for_in_the_open(here: Command) -> None:
    assert here.run("key", "create", "blog").returncode == 0
    code, shown = in_terminal(here, "key", "export", "blog", "-o", "copy", replies=[
        ("Passphrase of the copy", "hidden words\r"), ("Repeat for confirmation", "hidden words\r")])
    assert code == 0 and "hidden words" not in shown and (here.folder / "copy").exists()
    none = here.run("key", "export", "blog", "-o", "other")
    assert none.returncode == 2 and "stdin" in none.stderr


def test_without_a_daemon_no_key_is_rotated(here: Command) -> None:
    here.run("key", "create", "blog")
    done = here.run("key", "rotate", "blog")
    assert done.returncode == 5 and "no daemon" in done.stderr


@pytest.mark.slow
def test_a_follower_gets_what_is_published_after_a_rotation(here: Command, tmp_path: Path) -> None:
    """The seed is the one node of the DHT; the daemon rotates a key that `publish` published under."""
    write_content(tmp_path / "src" / "things")
    (tmp_path / "x.torrent").write_bytes(torrent_of().to_bytes())
    with here.seed(tmp_path / "x.torrent", tmp_path / "src") as at:
        here.env["WILDBACH_DHT_BOOTSTRAP"] = at
        with here.start("publish", tmp_path / "x.torrent", "--key", "blog", "--json") as publisher:
            link = MutableLink.parse(next_event(publisher, "published")["link"])
        assert link.recovery.hex() == keys(here)["blog"]["recovery"]
        words = here.run("key", "recovery", "blog").stdout
        assert here.run("key", "recovery", "blog", "--erase", stdin=words.encode()).returncode == 0
        with serving(here):
            refused = here.run("key", "rotate", "blog", stdin=b"\n")
            assert refused.returncode == 2 and "is needed" in refused.stderr
            good = torrent_of().info.hashes.key
            done = here.run("key", "rotate", "blog", "--json", "--good", good, stdin=words.encode(), timeout=120)
            assert done.returncode == 0, done.stderr
            rotated = json.loads(done.stdout)
            assert rotated["confirmed"] and rotated["former"] == link.public_key.hex() and not rotated["unpublished"]
            assert rotated["good"] == [{"infohash": good, "salt": ""}]
            assert keys(here)["blog"]["public"] == rotated["key"]["public"]
            assert keys(here)["blog.former-1"]["next_key"] == rotated["key"]["public"]
            got = here.run("get", link.to_uri(), "-o", "out", "--timeout", "60", timeout=120)
            assert got.returncode == 0, got.stderr + got.stdout
        former = here.run("publish", tmp_path / "x.torrent", "--key", "blog.former-1", "--once")
        assert former.returncode == 2 and "given way" in former.stderr
