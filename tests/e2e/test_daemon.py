"""`wildbach serve` and the commands that speak with it, as processes."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cli_process import Command, in_terminal
from cli_torrents import torrent_of, write_content

FILES = {("big.bin",): bytes(range(256)) * 8000, ("sub", "small.txt"): b"hello\n" * 1000}


@pytest.fixture
def cli(tmp_path: Path) -> Command:
    command = Command(tmp_path)
    command.env |= {
        "XDG_CONFIG_HOME": str(tmp_path / "config"), "WILDBACH_API_LISTEN": "127.0.0.1:0",
        "WILDBACH_CONNECTIONS_LISTEN": "127.0.0.1:0", "WILDBACH_DOWNLOADS_FOLDER": str(tmp_path / "downloads"),
        "WILDBACH_DOWNLOADS_ALLOWED": str(tmp_path), "WILDBACH_DISCOVERY_LSD": "false",
        "WILDBACH_DISCOVERY_UPNP": "false", "WILDBACH_DISCOVERY_NATPMP": "false", "WILDBACH_DHT_ENABLED": "false",
    }
    return command


@contextmanager
def serving(cli: Command, *args: object) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A daemon that is ready, and its URL."""
    with cli.start("serve", *args) as process:
        assert process.stdout is not None and process.stderr is not None
        line = process.stdout.readline()
        assert line.startswith("wildbach listens at "), line + process.stderr.read()
        yield process, line.split()[-1]


def listed(cli: Command) -> list[dict[str, Any]]:
    done = cli.run("ls", "--json")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def until_seeding(cli: Command) -> None:
    with cli.start("watch", "--json") as process:
        assert process.stdout is not None
        for line in process.stdout:
            if json.loads(line)["state"] == "seeding":
                return
    raise AssertionError("it never seeds")


def test_what_is_added_is_downloaded_seeded_and_there_after_a_restart(cli: Command, tmp_path: Path) -> None:
    write_content(tmp_path / "src" / "things", FILES)
    (tmp_path / "x.torrent").write_bytes(torrent_of(FILES).to_bytes())
    with cli.seed(tmp_path / "x.torrent", tmp_path / "src") as peer, serving(cli) as (process, _):
        done = cli.run("add", "x.torrent", "--peer", peer, "--tag", "e2e")
        assert done.returncode == 0 and done.stdout.startswith("added: things ("), done.stderr
        until_seeding(cli)
        for parts, data in FILES.items():
            assert tmp_path.joinpath("downloads", "things", *parts).read_bytes() == data
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert cli.run("ls").returncode == 5
    with serving(cli):
        (row,) = listed(cli)
        assert (row["name"], row["tags"], row["complete"]) == ("things", ["e2e"], True)
        assert cli.run("rm", "things", "--files", "--now").returncode == 0
        assert listed(cli) == [] and not (tmp_path / "downloads" / "things").exists()


def test_one_data_directory_has_one_daemon_and_flags_fix_settings(cli: Command) -> None:
    with serving(cli, "--set", "queue.downloads=3"):
        second = cli.run("serve")
        assert second.returncode == 4 and "another wildbach (process " in second.stderr
        done = cli.run("config", "set", "queue.downloads=5")
        assert done.returncode == 2 and "flag" in done.stderr
        assert cli.run("config", "get", "queue.downloads").stdout.strip() == "3"
        assert cli.run("config", "set", "queue.seeds=4").returncode == 0
    with serving(cli):
        assert cli.run("config", "get", "queue").stdout.splitlines()[1:3] == [
            "queue.downloads = 5", "queue.seeds = 4  (set)"]


def test_a_person_at_a_terminal_is_asked_and_may_say_no(cli: Command, tmp_path: Path) -> None:
    (tmp_path / "x.torrent").write_bytes(torrent_of(FILES).to_bytes())
    with serving(cli) as (_, url):
        assert cli.run("add", "x.torrent", "--stopped", "--category", "a/long/category").returncode == 0
        code, shown = in_terminal(cli, "rm", "things", "--files", replies=[("into the trash?", "n\n")])
        assert code == 1 and "Remove things with the files, into the trash? [y/N]" in shown and len(listed(cli)) == 1
        code, shown = in_terminal(cli, "rm", "things", "--files", replies=[("into the trash?", "\x04")])
        assert code == 130 and len(listed(cli)) == 1
        code, shown = in_terminal(cli, "ls", columns=40)
        assert code == 0 and "\x1b[" in shown and "a/long" not in shown and "1 torrent" in shown
        code, shown = in_terminal(cli, "ls", columns=100, NO_COLOR="1")
        assert "a/long" in shown and "\x1b[3" not in shown
        code, shown = in_terminal(cli, "watch", columns=60, rows=10, replies=[("Ctrl-C ends", "\x03")])
        assert code == 130 and "things" in shown and "\x1b[?1049l" in shown, "the screen is as it was"
        code, shown = in_terminal(cli, "password", replies=[
            ("New password of admin:", "secret word\n"), ("Repeat", "secret word\n")])
        assert code == 0 and "The password of admin is set." in shown and "secret" not in shown
        code, shown = in_terminal(cli, "rm", "things", "--files", replies=[("into the trash?", "y\n")])
        assert code == 0 and listed(cli) == []
        secret = cli.run("keys", "make", "e2e").stdout.strip()
        cli.env |= {"WILDBACH_STATE": str(tmp_path / "elsewhere"), "WILDBACH_URL": url, "WILDBACH_KEY": secret}
        assert cli.run("trash").stdout.splitlines()[1].split()[1] == "things"
        assert url in cli.run("open", "--print").stdout


def test_a_log_that_is_followed_tells_what_happens(cli: Command, tmp_path: Path) -> None:
    (tmp_path / "x.torrent").write_bytes(torrent_of(FILES).to_bytes())
    with serving(cli), cli.start("log", "--follow", "--json") as log:
        assert cli.run("add", "x.torrent", "--stopped").returncode == 0
        assert log.stdout is not None
        assert any(json.loads(line)["text"] == "added things" for line in log.stdout)
