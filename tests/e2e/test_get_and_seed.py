"""`wildbach get` and `wildbach seed` as a person runs them: processes, sockets, files."""

from __future__ import annotations

import hashlib
import http.server
import json
import random
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli_process import Command, events, next_event
from cli_torrents import torrent_of, write_content
from wildbach.protocol.metainfo import Magnet, Metainfo

SIZE = 6 << 20
FILES = {
    ("big.bin",): random.Random(1).randbytes(SIZE),
    ("sub", "ü 日本.txt"): b"hello\n" * 1000,
    ("sub", "odd.bin"): random.Random(2).randbytes(40_001),
    ("zero",): b"",
}


@pytest.fixture(scope="module")
def torrent() -> Metainfo:
    return torrent_of(FILES)


@pytest.fixture
def command(tmp_path: Path, torrent: Metainfo) -> Command:
    write_content(tmp_path / "src" / "things", FILES)
    (tmp_path / "x.torrent").write_bytes(torrent.to_bytes())
    return Command(tmp_path)


@pytest.fixture
def seed(command: Command) -> Iterator[str]:
    with command.seed(command.folder / "x.torrent", command.folder / "src") as at:
        yield at


def is_complete(folder: Path, files: dict[tuple[str, ...], bytes] = FILES) -> bool:
    return all(folder.joinpath("things", *parts).read_bytes() == data for parts, data in files.items())


def own(*args: object) -> tuple[object, ...]:
    return ("get", "--listen", "127.0.0.1:0", *args)


def test_get_downloads_verifies_and_ends_with_0(command: Command, seed: str) -> None:
    done = command.run(*own("x.torrent", "-o", "out", "--peer", seed))
    assert done.returncode == 0, done.stderr
    assert is_complete(command.folder / "out")
    assert done.stdout.splitlines()[-1] == f"complete: {Path('out', 'things')}"
    assert done.stderr == ""
    assert "\x1b" not in done.stdout


def test_a_second_get_finds_everything_there(command: Command, seed: str) -> None:
    assert command.run(*own("x.torrent", "-o", "out", "--peer", seed)).returncode == 0
    done = command.run(*own("x.torrent", "-o", "out", "--timeout", "20", "--json"))
    assert done.returncode == 0, done.stderr
    assert events(done.stdout)[-1] == {"event": "finished", "code": 0, "meaning": "ok"}


@pytest.mark.parametrize("kind", ["v1", "v2", "both"])
def test_get_by_magnet_link_fetches_the_metadata_from_the_peer(
    kind: str, command: Command, seed: str, torrent: Metainfo
) -> None:
    hashes = torrent.info.hashes
    assert hashes.v1 is not None and hashes.v2 is not None
    host, port = seed.split(":")
    if kind == "both":
        link = Magnet(hashes, peers=((host, int(port)),)).to_uri()
        done = command.run(*own(link, "-o", "out", "--timeout", "20"))
    else:
        digest = (hashes.v1 if kind == "v1" else hashes.v2).hex()
        done = command.run(*own(digest, "-o", "out", "--peer", seed, "--timeout", "20"))
    assert done.returncode == 0, done.stderr
    assert is_complete(command.folder / "out")


def test_get_from_stdin(command: Command, seed: str, torrent: Metainfo) -> None:
    done = command.run(*own("-", "-o", "out", "--peer", seed), stdin=torrent.to_bytes())
    assert done.returncode == 0, done.stderr
    assert is_complete(command.folder / "out")


def test_get_from_a_url(command: Command, seed: str, torrent: Metainfo) -> None:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            good = self.path == "/x.torrent"
            self.send_response(200 if good else 404)
            self.end_headers()
            self.wfile.write(torrent.to_bytes() if good else b"no")

        def log_message(self, format: str, *args: object) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            base = f"http://127.0.0.1:{server.server_port}"
            done = command.run(*own(f"{base}/x.torrent", "-o", "out", "--peer", seed))
            missing = command.run(*own(f"{base}/none", "-o", "out2"))
        finally:
            server.shutdown()
            thread.join()
    assert done.returncode == 0, done.stderr
    assert is_complete(command.folder / "out")
    assert missing.returncode == 5 and "404" in missing.stderr


def test_only_the_chosen_files_are_made(command: Command, seed: str) -> None:
    done = command.run(*own("x.torrent", "-o", "out", "--peer", seed, "--select", "*.txt", "--select", "3"))
    assert done.returncode == 0, done.stderr
    out = command.folder / "out" / "things"
    assert (out / "sub" / "ü 日本.txt").read_bytes() == FILES["sub", "ü 日本.txt"]
    assert not (out / "big.bin").exists()
    more = command.run(*own("x.torrent", "-o", "out", "--peer", seed))
    assert more.returncode == 0 and is_complete(command.folder / "out")


def test_a_selection_that_names_nothing_is_said_before_anything_is_made(command: Command) -> None:
    done = command.run(*own("x.torrent", "-o", "out", "--select", "*.mkv"))
    assert done.returncode == 2 and "names no file" in done.stderr
    assert not (command.folder / "out").exists()


def test_a_selection_that_names_nothing_of_a_magnet_link_is_an_error_too(
    command: Command, seed: str, torrent: Metainfo
) -> None:
    key = torrent.info.hashes.key
    done = command.run(*own(key, "-o", "out", "--peer", seed, "--select", "*.mkv", "--timeout", "20"))
    assert done.returncode == 2 and "names no file" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_get_goes_on_where_it_was(number: signal.Signals, command: Command, seed: str) -> None:
    args = own("x.torrent", "-o", "out", "--peer", seed, "--json", "--limit-down", "2M")
    with command.start(*args) as first:
        while next_event(first, "progress")["done"] < SIZE // 6:
            pass
        first.send_signal(number)
        assert first.wait(60) == {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}[number]
    second = command.run(*own("x.torrent", "-o", "out", "--peer", seed, "--json"))
    assert second.returncode == 0, second.stderr
    assert is_complete(command.folder / "out")
    received = [line["downloaded"] for line in events(second.stdout) if line["event"] == "progress"]
    # A clean stop loses nothing; after kill -9 about 1 MiB may be fetched again.
    assert not received or received[-1] <= SIZE - SIZE // 6 + (1 << 20) + 200_000


def test_ctrl_c_says_how_to_go_on(command: Command, seed: str) -> None:
    with command.start(*own("x.torrent", "-o", "out", "--peer", seed, "--limit-down", "200K")) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if "downloading" in line:
                break
        process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
        assert process.wait(60) == 130
    assert "Stopping cleanly" in rest
    assert f"To go on: wildbach get --listen 127.0.0.1:0 x.torrent -o out --peer {seed}" in rest


def test_two_run_at_once_into_one_folder(command: Command, seed: str) -> None:
    other = torrent_of({("other.bin",): b"o" * 300_000}, name="other")
    write_content(command.folder / "src" / "other", {("other.bin",): b"o" * 300_000})
    (command.folder / "y.torrent").write_bytes(other.to_bytes())
    with (
        command.seed(command.folder / "y.torrent", command.folder / "src") as second_seed,
        command.start(*own("x.torrent", "-o", "out", "--peer", seed, "--json")) as one,
        command.start(*own("y.torrent", "-o", "out", "--peer", second_seed, "--json")) as two,
    ):
        assert next_event(one, "finished")["code"] == 0
        assert next_event(two, "finished")["code"] == 0
    assert is_complete(command.folder / "out")
    assert (command.folder / "out" / "other" / "other.bin").read_bytes() == b"o" * 300_000


def test_names_are_excluded_and_incomplete_files_live_elsewhere(command: Command, seed: str) -> None:
    folders = ("-o", "out", "--incomplete-dir", "waiting", "--incomplete-suffix=.part")
    slow = ("--limit-down", "1M", "--set", "rates.limit_local=true")
    with command.start(*own("x.torrent", *folders, *slow, "--exclude", "ODD.*", "--peer", seed, "--json")) as process:
        while next_event(process, "progress")["done"] == 0:
            pass
        assert (command.folder / "waiting" / "things" / "big.bin.part").exists()
        assert not (command.folder / "out").exists()
        assert next_event(process, "finished")["code"] == 0
    left = {path.name for path in (command.folder / "out" / "things").rglob("*") if path.is_file()}
    assert left == {"big.bin", "ü 日本.txt", "zero"}
    assert list((command.folder / "waiting").iterdir()) == []


def test_a_suffix_that_is_a_path_is_a_usage_error(command: Command) -> None:
    done = command.run(*own("x.torrent", "--incomplete-suffix=../x"))
    assert done.returncode == 2
    assert "suffix" in done.stderr


def test_foreign_files_at_the_target_stop_it_and_stay(command: Command, seed: str) -> None:
    out = command.folder / "out" / "things"
    out.mkdir(parents=True)
    (out / "big.bin").write_bytes(b"mine" * 5000)
    done = command.run(*own("x.torrent", "-o", "out", "--peer", seed))
    assert done.returncode == 4
    assert "--overwrite" in done.stderr and "--rename" in done.stderr
    assert (out / "big.bin").read_bytes() == b"mine" * 5000


def test_rename_leaves_foreign_files_alone(command: Command, seed: str) -> None:
    out = command.folder / "out" / "things"
    out.mkdir(parents=True)
    (out / "big.bin").write_bytes(b"mine" * 5000)
    done = command.run(*own("x.torrent", "-o", "out", "--peer", seed, "--rename"))
    assert done.returncode == 0, done.stderr
    assert (out / "big.bin").read_bytes() == b"mine" * 5000
    assert (command.folder / "out" / "things (1)" / "big.bin").read_bytes() == FILES["big.bin",]


def test_overwrite_replaces_foreign_files(command: Command, seed: str) -> None:
    out = command.folder / "out" / "things"
    out.mkdir(parents=True)
    (out / "big.bin").write_bytes(b"mine" * 5000)
    done = command.run(*own("x.torrent", "-o", "out", "--peer", seed, "--overwrite"))
    assert done.returncode == 0, done.stderr
    assert is_complete(command.folder / "out")


def test_a_part_that_verifies_is_ours_and_the_gaps_are_filled(command: Command, seed: str) -> None:
    out = command.folder / "out" / "things"
    out.mkdir(parents=True)
    (out / "big.bin").write_bytes(FILES["big.bin",][: SIZE // 2])
    done = command.run(*own("x.torrent", "-o", "out", "--peer", seed))
    assert done.returncode == 0, done.stderr
    assert is_complete(command.folder / "out")


def test_nothing_arriving_ends_it_with_5_and_the_reason(command: Command) -> None:
    done = command.run(*own("x.torrent", "-o", "out", "--timeout", "1"))
    assert done.returncode == 5
    assert "nothing arrived for 1 seconds" in done.stderr and "no peers" in done.stderr


def test_a_bad_torrent_ends_it_with_3_and_no_file_is_touched(command: Command) -> None:
    (command.folder / "bad.torrent").write_bytes(b"d4:infod4:name1:aee")
    done = command.run(*own("bad.torrent", "-o", "out"))
    assert done.returncode == 3 and "bad.torrent" in done.stderr and "Traceback" not in done.stderr
    assert not (command.folder / "out").exists()


def test_a_folder_that_cannot_be_made_ends_it_with_4(command: Command, seed: str) -> None:
    (command.folder / "file").write_bytes(b"")
    done = command.run(*own("x.torrent", "-o", "file/out", "--peer", seed))
    assert done.returncode == 4 and "Traceback" not in done.stderr


def test_an_address_that_cannot_be_listened_on_ends_it_with_5(command: Command, seed: str) -> None:
    done = command.run("get", "x.torrent", "-o", "out", "--listen", seed)
    assert done.returncode == 5 and "listen" in done.stderr


def test_seeding_until_a_ratio(command: Command, seed: str) -> None:
    with command.start(*own("x.torrent", "-o", "out", "--peer", seed, "--seed-ratio", "0", "--json")) as process:
        assert next_event(process, "finished")["code"] == 0


def test_a_seed_without_the_content_says_so(command: Command) -> None:
    (command.folder / "empty").mkdir()
    with command.start("seed", "x.torrent", "--data", "empty", "--listen", "127.0.0.1:0") as process:
        assert process.wait(60) in (1, 4)
        assert process.stderr is not None and "Traceback" not in process.stderr.read()


def test_json_lines_are_json_to_the_last(command: Command, seed: str) -> None:
    done = command.run(*own("x.torrent", "-o", "out", "--peer", seed, "--json"))
    lines = events(done.stdout)
    assert {"torrent_complete", "finished"} <= {line["event"] for line in lines}
    assert all(json.dumps(line) for line in lines)


def test_the_content_is_that_of_the_seed_byte_for_byte(command: Command, seed: str) -> None:
    command.run(*own("x.torrent", "-o", "out", "--peer", seed, "-q"))
    ours = command.folder / "out" / "things" / "big.bin"
    assert hashlib.sha256(ours.read_bytes()).digest() == hashlib.sha256(FILES["big.bin",]).digest()


def test_a_tracker_near_us_with_a_key_is_asked_where_the_user_names_it(command: Command, tmp_path: Path) -> None:
    """The same URL in a torrent is not: strangers make those."""
    (tmp_path / "users").write_text("q7Yw3kTn0Vd2 anna\n")
    with command.start("tracker", "--listen", "127.0.0.1:0", "--users", "users", "--no-udp", "--json") as tracker:
        url = next_event(tracker, "listening")["urls"][0].replace("KEY", "q7Yw3kTn0Vd2")
        (tmp_path / "x.torrent").write_bytes(torrent_of(FILES, trackers=[[url]]).to_bytes())
        any_port = ("--listen", "127.0.0.1:0", "--set", "discovery.lsd=off")
        refused = command.run("get", "x.torrent", "-o", "new", *any_port, "--timeout", "2")
        assert refused.returncode == 5 and "must have the path /announce" in refused.stderr
        with command.seed(tmp_path / "x.torrent", tmp_path / "src", "--tracker", url):
            got = command.run("get", "x.torrent", "-o", "new", *any_port, "--tracker", url, "--timeout", "20")
    assert got.returncode == 0, got.stderr


def test_the_torrents_own_folder_will_do_for_data(command: Command, tmp_path: Path) -> None:
    with command.start(
        "seed", "x.torrent", "--data", tmp_path / "src" / "things", "--listen", "127.0.0.1:0",
    ) as process:
        assert process.stdout is not None
        assert "is taken as the torrent's own folder" in process.stdout.readline()
        assert any(line.startswith("ready: ") for line in process.stdout)
