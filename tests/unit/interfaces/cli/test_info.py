from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from cli_torrents import raw_v1, torrent_of
from wildbach.interfaces.cli import main


def stored(tmp_path: Path, data: bytes, name: str = "x.torrent") -> str:
    path = tmp_path / name
    path.write_bytes(data)
    return str(path)


def test_json_has_hashes_name_files_and_sizes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torrent = torrent_of(trackers=[["http://a.example/announce"], ["udp://b.example:1"]])
    assert main.run(["info", "--json", stored(tmp_path, torrent.to_bytes())]) == 0
    facts = json.loads(capsys.readouterr().out)
    hashes = torrent.info.hashes
    assert hashes.v1 is not None and hashes.v2 is not None
    assert facts["infohash_v1"] == hashes.v1.hex()
    assert facts["infohash_v2"] == hashes.v2.hex()
    assert facts["name"] == "things" and facts["kind"] == "hybrid" and facts["size"] == 76_800 + 6 + 40_000
    assert [(file["path"], file["length"]) for file in facts["files"]] == [
        ("a.bin", 76_800), ("sub/b.txt", 6), ("sub/ü 日本.bin", 40_000), ("zero", 0),
    ]
    assert facts["trackers"] == [["http://a.example/announce"], ["udp://b.example:1"]]
    assert facts["magnet"].startswith(f"magnet:?xt=urn:btih:{hashes.v1.hex()}&xt=urn:btmh:1220{hashes.v2.hex()}")


@pytest.mark.parametrize("kind", ["v1", "v2"])
def test_a_torrent_of_one_kind_has_one_hash(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torrent = torrent_of(kind=kind)  # type: ignore[arg-type]  # one of the kinds
    assert main.run(["info", "--json", stored(tmp_path, torrent.to_bytes())]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["infohash_v1"] is None, facts["infohash_v2"] is None) == (kind == "v2", kind == "v1")


def test_the_tree_shows_folders_files_and_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["info", stored(tmp_path, torrent_of().to_bytes())]) == 0
    shown = capsys.readouterr().out
    for word in ("things", "hybrid", "sub/", "0 a.bin  75.0 KiB", "2 ü 日本.bin", "3 zero  0 B", "for tests"):
        assert word in shown


def test_a_long_list_is_cut_unless_all_is_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {(f"{i:03}",): b"x" for i in range(250)}
    place = stored(tmp_path, torrent_of(files, kind="v1").to_bytes())
    assert main.run(["info", place]) == 0
    shown = capsys.readouterr().out
    assert "… and 50 more files; --all lists them" in shown and " 249  " not in shown
    assert main.run(["info", "--all", place]) == 0
    assert "249 249" in capsys.readouterr().out


def test_hostile_names_neither_reach_the_terminal_nor_leave_the_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    evil = raw_v1(b"n\x1b]0;owned\x07", [[b"..", b"..", b"etc", b"passwd"], [b"a\x1b[2J"], [b"x\xe2\x80\xaegpj.exe"]])
    place = stored(tmp_path, evil)
    assert main.run(["info", place]) == 0
    shown = capsys.readouterr().out
    assert not {"\x1b", "\x07", "\u202e"} & set(shown)
    assert "name changed" in shown
    assert main.run(["info", "--json", place]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert all(".." not in file["path"].split("/") for file in facts["files"])
    assert facts["files"][0]["original"] == "../../etc/passwd"
    assert facts["warnings"]


def test_a_magnet_link_and_a_bare_hash_are_shown_too(capsys: pytest.CaptureFixture[str]) -> None:
    digest = "ab" * 20
    assert main.run(["info", "--json", f"magnet:?xt=urn:btih:{digest}&dn=x&x.pe=[::1]:5", digest]) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["infohash_v1"] == second["infohash_v1"] == digest
    assert first["name"] == "x" and first["peers"] == ["[::1]:5"]


def test_stdin_is_read(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    class Stdin:
        buffer = io.BytesIO(torrent_of().to_bytes())

    monkeypatch.setattr(sys, "stdin", Stdin)
    assert main.run(["info", "-"]) == 0
    assert "things" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "this is not a torrent"),
        (b"<html>", "this is not a torrent"),
        (b"d", "x.torrent"),
        (b"de", "info"),
        (b"d4:infod4:name1:aee", "info.piece length"),
        (b"d" + b"1:a" + b"l" * 100_000, "x.torrent"),
        (b"d4:infod6:lengthi-5e4:name1:a12:piece lengthi16384e6:pieces0:ee", "length"),
    ],
)
def test_a_bad_torrent_is_one_clear_error_that_names_the_file(
    data: bytes, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(["info", stored(tmp_path, data)]) == 3
    shown = capsys.readouterr()
    assert shown.out == "" and len(shown.err.splitlines()) <= 2
    assert "x.torrent" in shown.err and words in shown.err and "Traceback" not in shown.err


def test_what_does_not_exist_is_a_wrong_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["info", str(tmp_path / "none")]) == 2
    assert main.run(["info", str(tmp_path)]) == 2
    assert "no such file" in capsys.readouterr().err


def test_one_bad_source_does_not_hide_the_others(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = stored(tmp_path, torrent_of().to_bytes(), "good")
    assert main.run(["info", stored(tmp_path, b"", "bad"), good]) == 3
    assert "things" in capsys.readouterr().out
