"""`wildbach play` as a process: a magnet link, a real mpv without a screen, and libtorrent as the seed."""

from __future__ import annotations

import json
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen
from urllib.request import urlopen

import pytest
from tests import encounters, mediafiles
from tests.interop.peers.lt import MISSING as NO_LIBTORRENT
from tests.interop.peers.lt import Libtorrent, magnet_of, make_torrent

from cli_process import Command

pytestmark = [
    pytest.mark.foreign("libtorrent"), pytest.mark.skipif(NO_LIBTORRENT is not None, reason=str(NO_LIBTORRENT))]
needs_mpv = pytest.mark.skipif(shutil.which("mpv") is None, reason="mpv is not installed")
FAST = "vo=null\nao=null\nao-null-untimed=yes\nuntimed=yes\n"
TIMED = "vo=null\nao=null\n"


@pytest.fixture
def cli(tmp_path: Path) -> Command:
    command = Command(tmp_path)
    (tmp_path / "config" / "mpv").mkdir(parents=True)
    command.env |= {
        "WILDBACH_CONNECTIONS_LISTEN": "127.0.0.1:0", "WILDBACH_DOWNLOADS_FOLDER": str(tmp_path / "downloads"),
        "WILDBACH_DOWNLOADS_ALLOWED": str(tmp_path), "WILDBACH_DISCOVERY_LSD": "false",
        "WILDBACH_DISCOVERY_UPNP": "false", "WILDBACH_DISCOVERY_NATPMP": "false", "WILDBACH_DHT_ENABLED": "false",
        "WILDBACH_MEDIA_LISTEN": "127.0.0.1:0", "WILDBACH_API_LISTEN": "127.0.0.1:0",
    }
    command.env.pop("DISPLAY", None)
    return command


@contextmanager
def seeded(content: Path, work: Path, kind: str = "hybrid") -> Iterator[tuple[str, str]]:
    """A magnet link, and where its seed is to be called."""
    torrent = make_torrent(content, work / "a.torrent", kind)
    with Libtorrent(work) as seed:
        seed.seed(torrent, content.parent)
        host, port = seed.endpoint
        yield magnet_of(torrent), f"{host}:{port}"


def positions(cli: Command, name: str) -> dict[str, dict[str, object]]:
    """How far each file of a torrent was played, by name; asked of a daemon."""
    with serving(cli):
        done = cli.run("media", name, "--json")
        assert done.returncode == 0, done.stderr
        return {one["name"]: one["position"] for one in json.loads(done.stdout)["files"]}


@contextmanager
def serving(cli: Command) -> Iterator[Popen[str]]:
    with cli.start("serve") as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("wildbach listens at ")
        yield process


def until_said(process: Popen[str], words: str) -> str:
    """The first line with these words in it."""
    assert process.stdout is not None and process.stderr is not None
    for line in process.stdout:
        if words in line:
            return line
    raise AssertionError(f"{words!r} was never said: {process.stderr.read()}")


@pytest.mark.slow
@needs_mpv
@pytest.mark.foreign("mpv")
def test_a_season_plays_from_a_magnet_link_to_its_end_on_an_empty_machine(cli: Command, tmp_path: Path) -> None:
    (tmp_path / "config" / "mpv" / "mpv.conf").write_text(FAST)
    season = mediafiles.season(episodes=3, seconds=4)
    with seeded(season, tmp_path) as (magnet, peer):
        done = cli.run("play", magnet, "--peer", peer, "--player", "mpv", "--delete-after", timeout=120)
        # mpv may be gone before it told that an episode ended, at such a speed: then that one is not seen yet.
        ended = done
        if done.returncode == 0 and "all of it was seen" not in done.stdout:
            ended = cli.run("play", magnet, "--peer", peer, "--player", "mpv", "--delete-after", timeout=120)
    assert done.returncode == 0, done.stderr
    encounters.note("mpv")
    said = [line for line in done.stdout.splitlines() if line.startswith("playing The")]
    assert [line.split()[1][:17] for line in said] == [f"The.Stream.S01E0{number}" for number in (1, 2, 3)], done.stdout
    assert f"all of it was seen: removed {season.name}" in ended.stdout
    with serving(cli):
        assert cli.run("ls", "--json").stdout == ""


@pytest.mark.slow
@needs_mpv
@pytest.mark.foreign("mpv")
def test_ctrl_c_ends_player_and_daemon_and_the_next_time_goes_on_there(cli: Command, tmp_path: Path) -> None:
    (tmp_path / "config" / "mpv" / "mpv.conf").write_text(TIMED)
    folder = tmp_path / "seed" / "films"
    folder.mkdir(parents=True)
    mediafiles.copy(mediafiles.mkv(seconds=60), folder, "Film.mkv")
    (folder / "Film.de.srt").write_text(mediafiles.srt(60))
    with seeded(folder, tmp_path) as (magnet, peer):
        order = ("play", magnet, "--peer", peer, "--player", "mpv", "--from", "0:20", "--audio", "ger")
        with cli.start(*order) as process:
            until_said(process, "playing Film.mkv")
            # mpv plays in real time: so long it takes until its place is kept for the first time, and a while more.
            time.sleep(9)
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == 130
        encounters.note("mpv")
        found = positions(cli, "films")["Film.mkv"]
        seconds = float(str(found["resume"]))
        assert 24 < seconds < 32 and not found["done"]
        assert abs(float(str(found["duration"])) - 60) < 1 and found["audio"] in ("ger", "de")
        # The same command goes on where it was, and this time to the end.
        (tmp_path / "config" / "mpv" / "mpv.conf").write_text(FAST)
        done = cli.run("play", magnet, "--peer", peer, "--player", "mpv", timeout=120)
        assert done.returncode == 0, done.stderr
    assert positions(cli, "films")["Film.mkv"]["done"] is True


def test_without_a_player_the_daemon_that_runs_gives_the_url(cli: Command, tmp_path: Path) -> None:
    season = mediafiles.season(episodes=2, seconds=4)
    with seeded(season, tmp_path) as (magnet, peer), serving(cli):
        done = cli.run("play", magnet, "--peer", peer, "--player", "none", "--file", "e02")
        assert done.returncode == 0, done.stderr
        url = done.stdout.splitlines()[-1]
        film = next(season.glob("*E02*.mkv")).read_bytes()
        with urlopen(url, timeout=30) as answer:
            assert answer.read() == film
        # Of a torrent that is there already it is the same link.
        again = cli.run("play", season.name, "--player", "none", "--file", "E02")
        assert again.stdout.splitlines()[-1] == url
        assert cli.run("play", season.name, "--player", "none", "--file", "nothing").returncode == 2
        link = cli.run("media", season.name, "--renew").stdout.splitlines()[0]
        assert link.endswith("/playlist.m3u8")
        with urlopen(link, timeout=30) as answer:
            assert answer.read().count(b"#EXTINF") == 3
        shown = cli.run("media", "--lan")
        assert shown.returncode == 0 and "other machines            http://" in shown.stdout
        assert "not let in" in cli.run("media", "--no-lan").stdout


def test_what_cannot_be_played_says_why(cli: Command, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    cli.env["PATH"] = str(tmp_path / "bin")
    done = cli.run("play", "magnet:?xt=urn:btih:" + "ab" * 20, "--player", "mpv")
    assert done.returncode == 2 and "mpv is not installed: install it" in done.stderr
    content = tmp_path / "seed" / "texts"
    content.mkdir(parents=True)
    (content / "notes.txt").write_text("n" * 100_000)
    with seeded(content, tmp_path) as (magnet, peer):
        done = cli.run("play", magnet, "--peer", peer, "--player", "none", timeout=60)
    assert done.returncode == 2 and "nothing in this torrent plays" in done.stderr
    for bad in (("--from", "x"), ("--player", "sh")):
        assert cli.run("play", magnet, *bad).returncode == 2
