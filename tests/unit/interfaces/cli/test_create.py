from __future__ import annotations

import io
import json
import os
import socket
import sys
from pathlib import Path

import libtorrent
import pytest

from cli_torrents import torrent_of, write_content
from wildbach.interfaces.cli import main
from wildbach.protocol.metainfo import Metainfo


@pytest.fixture
def things(tmp_path: Path) -> Path:
    folder = tmp_path / "things"
    write_content(folder)
    return folder


def made(tmp_path: Path, *args: str) -> Metainfo:
    place = tmp_path / "made.torrent"
    place.unlink(missing_ok=True)
    assert main.run(["create", "-q", "-o", str(place), *args]) == 0
    return Metainfo.parse(place.read_bytes())


@pytest.mark.parametrize("kind", ["hybrid", "v1", "v2"])
def test_the_hashes_are_those_of_another_hasher(kind: str, things: Path, tmp_path: Path) -> None:
    torrent = made(tmp_path, str(things), f"--{kind}", "--piece-length", "16K")
    assert torrent.info.hashes == torrent_of(kind=kind).info.hashes  # type: ignore[arg-type]  # one of the kinds


def test_another_client_reads_it_and_finds_the_same_hashes(things: Path, tmp_path: Path) -> None:
    torrent = made(tmp_path, str(things), "--tracker", "http://a.example/announce", "--web-seed", "http://w.example/x/")
    plain = libtorrent.bdecode(torrent.to_bytes())
    theirs = libtorrent.torrent_info(plain)
    hashes = theirs.info_hashes()
    assert hashes.v1.to_bytes() == torrent.info.hashes.v1
    assert hashes.v2.to_bytes() == torrent.info.hashes.v2
    assert plain[b"announce"] == b"http://a.example/announce"


def test_hybrid_is_the_default(things: Path, tmp_path: Path) -> None:
    info = made(tmp_path, str(things)).info
    assert info.has_v1 and info.has_v2


def test_the_same_input_gives_the_same_bytes(
    things: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = made(tmp_path, str(things), "--no-date")
    os.utime(things / "a.bin", (1, 1))
    assert made(tmp_path, str(things), "--no-date").to_bytes() == first.to_bytes()
    assert first.creation_date is None
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    assert made(tmp_path, str(things)).creation_date == 1700000000


def test_a_single_file(things: Path, tmp_path: Path) -> None:
    torrent = made(tmp_path, str(things / "a.bin"), "--piece-length", "32K")
    assert not torrent.info.multi_file
    assert torrent.info.name == "a.bin" and torrent.info.piece_length == 32768


def test_the_flags_are_in_the_torrent(things: Path, tmp_path: Path) -> None:
    torrent = made(
        tmp_path, str(things), "--private", "--source", "HERE", "--comment", "hi",
        "--tracker", "http://a.example/announce,udp://b.example:1", "--tracker", "udp://c.example:2",
    )
    assert torrent.info.private and torrent.info.source == "HERE" and torrent.comment == "hi"
    assert torrent.trackers == (("http://a.example/announce", "udp://b.example:1"), ("udp://c.example:2",))


def test_files_are_left_out_by_name_and_by_path(things: Path, tmp_path: Path) -> None:
    (things / "kept.txt").write_bytes(b"kept")
    torrent = made(tmp_path, str(things), "--exclude", "*.bin", "--exclude", "sub/b.txt", "--exclude", "nothing")
    assert [str(file.path) for file in torrent.info.files] == ["kept.txt", "zero"]


def test_the_torrent_itself_is_left_out(things: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(things)
    assert main.run(["create", "-q", "."]) == 0
    assert main.run(["create", "-q", "--force", "."]) == 0
    info = Metainfo.parse((things / "things.torrent").read_bytes()).info
    assert info.name == "things"
    assert all("torrent" not in str(file.path) for file in info.files)


def test_an_existing_torrent_is_replaced_only_by_force(
    things: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "kept"
    place.write_bytes(b"precious")
    assert main.run(["create", str(things), "-o", str(place)]) == 2
    assert "--force" in capsys.readouterr().err and place.read_bytes() == b"precious"
    assert main.run(["create", "-q", str(things), "-o", str(place), "--force"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept", "things"]


def test_a_torrent_goes_to_stdout(things: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stdout(io.StringIO):
        buffer = io.BytesIO()

    out = Stdout()
    monkeypatch.setattr(sys, "stdout", out)
    assert main.run(["create", str(things), "-o", "-"]) == 0
    assert Metainfo.parse(out.buffer.getvalue()).info.name == "things"
    assert out.getvalue() == ""


def test_json_and_words_tell_the_hashes(things: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "x.torrent"
    assert main.run(["create", str(things), "-o", str(place), "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["torrent"] == str(place) and len(facts["infohash_v2"]) == 64
    assert main.run(["create", str(things), "-o", str(place), "--force"]) == 0
    shown = capsys.readouterr().out
    assert facts["infohash_v1"] in shown and facts["infohash_v2"] in shown and "magnet:?xt=" in shown


def test_links_inside_stay_links_and_others_are_refused(
    things: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (things / "sub" / "link").symlink_to("../a.bin")
    torrent = made(tmp_path, str(things))
    link = next(file for file in torrent.info.files if str(file.path) == "sub/link")
    assert link.symlink is not None and str(link.symlink) == "a.bin"
    (things / "out").symlink_to("/etc/passwd")
    assert main.run(["create", str(things), "-o", str(tmp_path / "y")]) == 2
    assert "out is a link" in capsys.readouterr().err
    assert main.run(["create", "-q", str(things), "-o", str(tmp_path / "y"), "--exclude", "out"]) == 0


def test_a_name_that_will_be_another_one_is_said_with_what_to_do(
    things: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (things / "bell\aname").write_bytes(b"x")
    made(tmp_path, str(things))
    said = capsys.readouterr().err
    assert "1 file name was made safe" in said
    assert "will be called bell_name" in said and "--exclude" in said
    assert "\a" not in said


def test_sockets_are_skipped_and_said(things: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(things / "sock"))
    made(tmp_path, str(things))
    assert "left out, neither file nor folder: sock" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["nothing-here"], "No such file"),
        ([".", "--piece-length", "100K"], "power of two"),
        ([".", "--tracker", "gopher://x"], "http, https or udp"),
    ],
)
def test_wrong_wishes_are_a_wrong_command_line(
    args: list[str], words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main.run(["create", *args]) == 2
    assert words in capsys.readouterr().err


def test_an_empty_folder_is_no_torrent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert main.run(["create", str(tmp_path / "empty"), "-o", str(tmp_path / "x")]) == 2
    assert "no file" in capsys.readouterr().err


def test_a_folder_that_cannot_be_written_is_a_storage_error(
    things: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(["create", "-q", str(things), "-o", str(tmp_path / "no" / "such" / "x.torrent")]) == 4
    assert "No such file or directory" in capsys.readouterr().err
