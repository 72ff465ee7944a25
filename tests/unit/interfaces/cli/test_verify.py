from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli_torrents import CONTENT, torrent_of, write_content
from wildbach.interfaces.cli import main


@pytest.fixture(params=["hybrid", "v1", "v2"])
def torrent(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    place = tmp_path / "x.torrent"
    place.write_bytes(torrent_of(kind=request.param).to_bytes())
    write_content(tmp_path / "data" / "things")
    return str(place)


def states(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    return {line["path"]: line["state"] for line in lines if line["event"] == "file"}


def test_good_content_from_the_folder_above_or_its_own_folder(
    torrent: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main.run(["verify", torrent, str(tmp_path / "data")]) == 0
    assert "things: complete and good" in capsys.readouterr().out
    assert main.run(["verify", torrent, str(tmp_path / "data" / "things")]) == 0
    assert "checking" not in capsys.readouterr().out
    monkeypatch.chdir(tmp_path / "data")
    assert main.run(["verify", torrent, "--json"]) == 0
    found = states(capsys)
    assert set(found.values()) == {"good"} and len(found) == len(CONTENT)


def test_each_file_has_its_own_verdict(torrent: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    things = tmp_path / "data" / "things"
    with (things / "a.bin").open("r+b") as file:
        file.seek(20_000)
        file.write(b"wrong")
    (things / "zero").unlink()
    assert main.run(["verify", "--json", torrent, str(tmp_path / "data")]) == 1
    found = states(capsys)
    assert found["a.bin"] == "incomplete" and found["zero"] == "missing" and found["sub/ü 日本.bin"] == "good"
    assert main.run(["verify", "-q", torrent, str(tmp_path / "data")]) == 1
    shown = capsys.readouterr().out
    assert "a.bin" in shown and "of 5 pieces" in shown and "sub/" not in shown


def test_a_file_that_is_too_long_is_not_good(torrent: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with (tmp_path / "data" / "things" / "a.bin").open("ab") as file:
        file.write(b"more")
    assert main.run(["verify", torrent, str(tmp_path / "data")]) == 1
    assert "4 B too long" in capsys.readouterr().out


def test_nothing_there_is_all_missing_and_nothing_is_made(
    torrent: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    assert main.run(["verify", "--json", torrent, str(tmp_path / "empty")]) == 1
    assert set(states(capsys).values()) == {"missing"}
    assert list((tmp_path / "empty").iterdir()) == []


def test_a_single_file_may_be_named_itself(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = tmp_path / "x.torrent"
    place.write_bytes(torrent_of({("one.bin",): b"1" * 50_000}, name="one.bin", single=True).to_bytes())
    other = tmp_path / "renamed.bin"
    other.write_bytes(b"1" * 50_000)
    assert main.run(["verify", str(place), str(other)]) == 0
    assert main.run(["verify", str(place), str(tmp_path)]) == 1


def test_a_folder_that_is_not_there_is_a_wrong_command_line(torrent: str, tmp_path: Path) -> None:
    assert main.run(["verify", torrent, str(tmp_path / "none")]) == 2


def test_a_magnet_link_cannot_be_verified(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["verify", "ab" * 20]) == 2
    assert "wildbach get" in capsys.readouterr().err
