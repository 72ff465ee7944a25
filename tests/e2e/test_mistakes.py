"""The commonest mistakes: each gets one plain message that says what to do, its exit code, and no traceback."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli_process import Command, events
from cli_torrents import torrent_of, write_content

FILES = {("a.bin",): b"a" * 100_000}


@pytest.fixture
def command(tmp_path: Path) -> Command:
    write_content(tmp_path / "src" / "things", FILES)
    (tmp_path / "x.torrent").write_bytes(torrent_of(FILES).to_bytes())
    (tmp_path / "page.torrent").write_text("<html>not found</html>")
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "empty").mkdir()
    return Command(tmp_path)


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen()
        yield sock.getsockname()[1]


ANY = ("--listen", "127.0.0.1:0")
MISTAKES: dict[str, tuple[tuple[str, ...], int, tuple[str, ...]]] = {
    "no such list": (("get", "x.torrent", "--ip-filter", "none.p2p"), 2, ("filter.sources: ", "none.p2p: No such")),
    "no such list, before a URL is fetched": (
        ("get", "http://127.0.0.1:9/x.torrent", "--ip-filter", "none.p2p"), 2, ("none.p2p: No such",),
    ),
    "a list that is none": (("get", "x.torrent", "--ip-filter", "page.torrent"), 2, ("page.torrent: ",)),
    "no list to seed with": (("seed", "x.torrent", "--data", "src", "--ip-filter", "nope"), 2, ("nope: No such",)),
    "an empty interface": (("get", "x.torrent", "--interface", ""), 2, ("network.interface (--interface): is empty",)),
    "an empty proxy": (("get", "x.torrent", "--proxy", ""), 2, ("network.proxy (--proxy): is empty",)),
    "no such file": (("get", "nothing.torrent"), 2, ("nothing.torrent: no such file", "magnet link")),
    "a folder": (("get", "src"), 2, ("src is a folder",)),
    "a web page": (("get", "page.torrent"), 3, ("this is not a torrent",)),
    "a bad magnet": (("get", "magnet:?xt=urn:btih:zzz"), 3, ("not an info hash", "40 hex digits")),
    "no hash": (("get", "magnet:?dn=x"), 3, ("no BitTorrent info hash",)),
    "a tracker that is none": (("get", "x.torrent", "--tracker", "foo"), 2, ("http, https or udp URL",)),
    "a peer that is none": (("get", "x.torrent", "--peer", "foo"), 2, ("not HOST:PORT", "127.0.0.1:6881")),
    "an address of others": (("get", "x.torrent", "--listen", "192.0.2.1:0"), 5, ("no such address", "0.0.0.0")),
    "a name to listen at": (("get", "x.torrent", "--listen", "nohost.invalid:0"), 5, ("no such address",)),
    "a file as folder": (("get", "x.torrent", "-o", "file/below"), 4, ("file is no folder", "another folder")),
    "nobody to ask": (
        ("get", "x.torrent", "-o", "new", *ANY, "--timeout", "0.5"), 5, ("there is no tracker", "--tracker", "--peer"),
    ),
    "a tracker that does not answer": (
        ("get", "x.torrent", "-o", "new", *ANY, "--timeout", "3", "--tracker", "http://127.0.0.1:9/announce"), 5,
        ("no peers: no tracker answers (127.0.0.1: the connection was refused", "next try in"),
    ),
    "nothing to seed": (
        ("seed", "x.torrent", "--data", "empty", *ANY), 4, ("things: 7 of 7 pieces are not here", "verify"),
    ),
    "no data folder": (("seed", "x.torrent", "--data", "nowhere"), 2, ("nowhere", "does not exist")),
    "nothing to create from": (("create", "nowhere"), 2, ("nowhere: No such file",)),
    "a torrent that exists": (("create", "src", "-o", "x.torrent"), 2, ("--force",)),
    "a piece length": (("create", "src", "--piece-length", "1000"), 2, ("power of two",)),
    "an unknown setting": (("get", "x.torrent", "--set", "foo=1"), 2, ("no setting of this name",)),
    "a setting that is nearly right": (("get", "x.torrent", "--set", "peers.anonymus=true"), 2, ("peers.anonymous",)),
    "a setting without a value": (("get", "x.torrent", "--set", "peers.pex"), 2, ("a value is missing",)),
    "a speed": (("get", "x.torrent", "--limit-down", "fast"), 2, ("256K",)),
    "nothing selected": (("get", "x.torrent", "--select", "*.zip"), 2, ("names no file", "info")),
    "nothing to verify": (("verify", "x.torrent", "nowhere"), 2, ("nowhere: no such file or folder",)),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_explained(command: Command, mistake: str) -> None:
    args, code, words = MISTAKES[mistake]
    done = command.run(*args)
    assert done.returncode == code, done.stderr
    for word in words:
        assert word in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) <= 5


@pytest.mark.parametrize("verb", ["get", "seed", "tracker"])
def test_a_port_in_use_is_named_with_a_way_out(command: Command, taken: int, verb: str) -> None:
    given = {"get": ("x.torrent",), "seed": ("x.torrent", "--data", "src"), "tracker": ()}[verb]
    done = command.run(verb, *given, "--listen", f"127.0.0.1:{taken}")
    assert done.returncode == 5
    assert f"127.0.0.1:{taken}" in done.stderr
    assert "ddress already in use" in done.stderr
    assert "port 0" in done.stderr


def test_a_port_of_the_configuration_that_a_daemon_has_is_left_to_it(command: Command, taken: int) -> None:
    config = command.folder / "config" / "wildbach" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(f'[connections]\nlisten = ["127.0.0.1:{taken}"]\n')
    done = command.run("seed", "x.torrent", "--data", "src", "--seed-ratio", "0")
    assert done.returncode == 0, done.stderr
    assert f"127.0.0.1:{taken}" in done.stdout and "another port is used this time" in done.stdout
    asked = command.run(
        "seed", "x.torrent", "--data", "src", "--seed-ratio", "0", "--set", f"connections.listen=127.0.0.1:{taken}")
    assert asked.returncode == 5 and "ddress already in use" in asked.stderr


@pytest.mark.parametrize(("flags", "advice"), [
    (("--set", "connections.listen=127.0.0.1:{}", "--listen", "127.0.0.1:0"),
     "--set connections.listen=HOST:PORT"),
    (("--listen", "127.0.0.1:{}"), "another one with --listen=HOST:PORT"),
])
def test_the_daemon_says_which_of_its_ports_is_in_use(
    command: Command, taken: int, flags: tuple[str, ...], advice: str,
) -> None:
    done = command.run("serve", *(flag.format(taken) for flag in flags), *(
        () if len(flags) > 2 else ("--set", "connections.listen=127.0.0.1:0")))
    assert done.returncode == 5, done.stderr
    assert f"127.0.0.1:{taken}" in done.stderr and advice in done.stderr


def test_files_in_the_way_are_named_with_a_way_out(command: Command) -> None:
    write_content(command.folder / "out" / "things", {("a.bin",): b"mine"})
    done = command.run("get", "x.torrent", "-o", "out", *ANY)
    assert done.returncode == 4
    assert "a.bin exists" in done.stderr
    assert "--overwrite" in done.stderr and "--rename" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a file system")
def test_a_full_disk_is_named_with_a_way_out(command: Command) -> None:
    out = command.folder / "small"
    out.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", out], capture_output=True).returncode:
        pytest.skip("mounting is not permitted")
    try:
        with command.seed(command.folder / "x.torrent", command.folder / "src") as at:
            done = command.run("get", "x.torrent", "-o", "small", "--peer", at, *ANY)
    finally:
        subprocess.run(["umount", "-l", out], check=True)
    assert done.returncode == 4
    assert str(out) in done.stderr
    assert "No space left on device" in done.stderr
    assert "Free some space" in done.stderr


def test_a_folder_that_must_not_be_written_to_is_named_with_a_way_out(command: Command) -> None:
    out = command.folder / "theirs"
    out.mkdir()
    out.chmod(0o555)
    through: tuple[str, ...] = ()
    if os.geteuid() == 0:
        os.chown(out, 12345, 12345)
        through = ("setpriv", "--bounding-set=-all")
    done = command.run("get", "x.torrent", "-o", out / "new", *ANY, through=through)
    assert done.returncode == 4, done.stderr
    assert "cannot write to" in done.stderr and "theirs" in done.stderr
    assert "Choose another folder" in done.stderr


def test_who_waits_for_nobody_is_told_what_could_help(command: Command) -> None:
    with command.start("get", "x.torrent", "-o", "new", *ANY) as process:
        assert process.stdout is not None
        assert any("--tracker URL, or a peer with --peer" in line for line in process.stdout)


def test_seconds_that_count_down_are_no_new_line(command: Command) -> None:
    done = command.run(
        "get", "x.torrent", "-o", "new", *ANY, "--timeout", "4", "--tracker", "http://127.0.0.1:9/announce"
    )
    assert sum("no tracker answers" in line for line in done.stdout.splitlines()) == 1


@pytest.mark.parametrize(("args", "code", "error"), [
    (("get", "x.torrent", "--proxy", "foo"), 2, "network.proxy (--proxy): a proxy is"),
    (("get", "x.torrent", "--peer", "foo"), 2, "not HOST:PORT"),
    (("get", "nothing.torrent"), 2, "no such file"),
    (("get", "x.torrent", "-o", "new", *ANY, "--timeout", "0.5"), 5, "nothing arrived"),
    (("seed", "x.torrent", "--data", "empty", *ANY), 4, "pieces are not here"),
    (("publish", "nothing"), 2, "no such file"), (("doctor", "nothing"), 2, "no such file"),
    (("tracker", "--listen", "name:1"), 2, "not a name"),
])
def test_a_program_is_told_the_end_and_why_in_one_last_event(
    command: Command, args: tuple[str, ...], code: int, error: str,
) -> None:
    done = command.run(*args, "--json")
    found = events(done.stdout)
    assert [event["event"] for event in found].count("finished") == 1
    assert done.returncode == code == found[-1]["code"] and error in found[-1]["error"]


def test_a_variable_that_is_no_setting_is_warned_of(command: Command) -> None:
    command.env["WILDBACH_NETWORK_INTERFAC"] = "tun0"
    done = command.run("get", "nothing.torrent")
    assert "did you mean WILDBACH_NETWORK_INTERFACE?" in done.stderr
