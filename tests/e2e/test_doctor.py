"""`wildbach doctor` as a process: what it says of this machine, of trackers that answer and of those that do not."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from cli_process import Command, events, next_event
from cli_torrents import torrent_of


@pytest.fixture
def cli(tmp_path: Path) -> Command:
    return Command(tmp_path)


def findings(output: str) -> list[dict[str, object]]:
    *found, last = events(output)
    assert last["event"] == "finished"
    return found


def test_a_look_at_this_machine_names_each_part(cli: Command) -> None:
    done = cli.run("doctor", "--listen", "127.0.0.1:0", "--seconds", "1")
    assert done.returncode == 0, done.stderr
    for part in ("machine: ", "disk: downloads in ", "disk: state in ", "ports: listening at 127.0.0.1:"):
        assert part in done.stdout
    assert "\x1b" not in done.stdout, "no colours where nobody looks"


def test_the_tracker_that_answers_is_good_and_the_other_is_named(cli: Command, tmp_path: Path) -> None:
    with cli.start("tracker", "--listen", "127.0.0.1:0", "--json") as tracker:
        http, udp = next_event(tracker, "listening")["urls"]
        with socket.socket() as silent:
            silent.bind(("127.0.0.1", 0))  # nobody listens behind it
            closed = f"http://127.0.0.1:{silent.getsockname()[1]}/announce"
            torrent = tmp_path / "a.torrent"
            torrent.write_bytes(torrent_of(trackers=[[http], [udp], [closed]]).to_bytes())
            done = cli.run("doctor", torrent, "--listen", "127.0.0.1:0", "--json")
    found = [event for event in findings(done.stdout) if event["area"] == "trackers"]
    assert [(one["level"], one["text"].partition(": ")[0]) for one in found] == [
        ("good", http), ("good", udp), ("warning", closed)]
    assert done.returncode == 0 and list(tmp_path.glob("things*")) == []


def test_a_port_that_is_taken_is_a_fault_with_advice(cli: Command) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = cli.run("doctor", "--listen", f"127.0.0.1:{taken.getsockname()[1]}", "--json")
    assert done.returncode == 1
    (fault,) = [event for event in findings(done.stdout) if event["level"] == "fault"]
    assert fault["area"] == "ports" and "--listen" in fault["advice"]


def found_by(cli: Command, *args: object, env: dict[str, str] | None = None) -> list[dict[str, object]]:
    cli.env |= env or {}
    return findings(cli.run("doctor", "--listen", "127.0.0.1:0", "--seconds", "1", "--json", *args).stdout)


def test_an_interface_that_is_away_is_a_fault_and_nothing_else_is_used(cli: Command) -> None:
    done = cli.run("doctor", "--interface", "tun99", "--seconds", "1")
    assert done.returncode == 1
    assert "interface: the network interface tun99 is away" in done.stdout and "no port is listened at" in done.stdout


def test_the_interface_that_is_there_is_named_with_its_address(cli: Command) -> None:
    found = found_by(cli, "--interface", "lo", "--set", "network.dns=127.0.0.1:5353")
    assert [(one["area"], one["level"]) for one in found if one["area"] in ("interface", "names")] == [
        ("interface", "good"), ("names", "note")]


@pytest.mark.parametrize("speaks", [True, False])
def test_a_name_server_is_good_where_it_answers_a_question(cli: Command, speaks: bool) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def answer() -> None:
            server.settimeout(10)
            for _ in range(2):
                try:
                    question, asker = server.recvfrom(512)
                except OSError:
                    return
                end = question.lower().index(b"example\0") + len(b"example\0") + 4
                kind_a = question[end - 4 : end - 2] == b"\0\1"
                record = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + bytes([25, 1, 2, 3]) if kind_a else b""
                head = question[:2] + b"\x81\x80\0\1\0" + bytes([kind_a]) + bytes(4)
                server.sendto(head + question[12:end] + record, asker)

        thread = threading.Thread(target=answer) if speaks else None
        if thread is not None:
            thread.start()
        at = f"127.0.0.1:{server.getsockname()[1]}"
        found = found_by(
            cli, "--interface", "lo", "--set", f"network.dns={at}", "--set", "dht.bootstrap=node.example:6881")
        if thread is not None:
            thread.join()
    (names,) = [one for one in found if one["area"] == "names"]
    assert names["level"] == ("good" if speaks else "warning"), names
    assert at in str(names["text"]) and "node.example" in str(names["text"])


def test_a_proxy_that_is_not_there_is_a_fault_that_does_not_tell_the_password(cli: Command) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))  # nobody listens behind it
        url = f"socks5://anna:secret@127.0.0.1:{silent.getsockname()[1]}"
        found = found_by(cli, env={"WILDBACH_NETWORK_PROXY": url})
    (fault,) = [one for one in found if one["area"] == "proxy"]
    assert fault["level"] == "fault" and "cannot be reached" in str(fault["text"])
    assert "secret" not in str(found)


def test_a_list_of_blocked_addresses_is_counted_and_a_missing_one_named(cli: Command, tmp_path: Path) -> None:
    (tmp_path / "good.dat").write_text("1.2.3.4 - 1.2.3.9 , 0 , somebody\n10.0.0.0/8\n")
    found = found_by(cli, "--set", f"filter.sources={tmp_path / 'good.dat'},{tmp_path / 'none.dat'}")
    texts = [(one["level"], one["text"]) for one in found if one["area"] == "filter"]
    assert ("good", "2 ranges of addresses blocked") in texts
    assert any(level == "fault" and "none.dat" in str(text) for level, text in texts)


def test_a_list_behind_a_password_is_named_without_it(cli: Command) -> None:
    found = found_by(cli, "--ip-filter", "http://anna:secret@127.0.0.1:9/list.gz")
    (warning,) = [one for one in found if one["area"] == "filter"]
    assert "http://USER:PASSWORD@127.0.0.1:9/list.gz" in str(warning["text"]) and "secret" not in str(found)


def test_a_variable_that_is_no_setting_is_a_warning(cli: Command) -> None:
    (warning,) = [one for one in found_by(cli, env={"WILDBACH_NETWORK_PROXI": "x"}) if one["area"] == "settings"]
    assert warning["level"] == "warning" and "WILDBACH_NETWORK_PROXY" in str(warning["text"])


@pytest.mark.parametrize(("flag", "value", "says"), [
    ("--proxy", "ftp://x:1", "a proxy is socks5://HOST:PORT"),
    ("--proxy", "socks5://", "no host"),
    ("--set", "network.call_ports=9-1", "FIRST-LAST"),
    ("--set", "network.dns=9.9.9.9", "set that too"),
    ("--set", "connections.listen=127.0.0.1:9-1", "HOST:FIRST-LAST"),
])
def test_a_wrong_setting_is_said_before_anything_is_tried(cli: Command, flag: str, value: str, says: str) -> None:
    done = cli.run("doctor", flag, value, "--seconds", "1")
    assert done.returncode == 2 and says in done.stderr, done.stderr


def test_a_private_udp_tracker_that_answers_is_no_warning(cli: Command, tmp_path: Path) -> None:
    (tmp_path / "users").write_text("q7Yw3kTn0Vd2 anna\n")
    with cli.start("tracker", "--listen", "127.0.0.1:0", "--users", "users", "--json") as tracker:
        http, udp = (url.replace("KEY", "q7Yw3kTn0Vd2") for url in next_event(tracker, "listening")["urls"])
        torrent = tmp_path / "a.torrent"
        torrent.write_bytes(torrent_of(trackers=[[http], [udp]]).to_bytes())
        found = [one for one in found_by(cli, torrent) if one["area"] == "trackers"]
    assert [(one["level"], str(one["text"]).partition(": ")[0]) for one in found] == [("warning", http), ("note", udp)]
    assert "it answers" in str(found[1]["text"]) and "--tracker" in str(found[0]["advice"])


def test_a_list_that_blocks_nobody_is_a_warning(cli: Command, tmp_path: Path) -> None:
    (tmp_path / "high.dat").write_text("1.2.3.4 - 1.2.3.9 , 128 , somebody\n")
    (warning,) = [one for one in found_by(cli, "--ip-filter", "high.dat") if one["area"] == "filter"]
    assert warning["level"] == "warning" and "level" in str(warning["advice"])
