"""What a terminal gets, and what hostile names get."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from cli_process import Command, in_terminal
from cli_torrents import torrent_of, write_content
from wildbach.protocol import bencode
from wildbach.protocol.bencode import Value
from wildbach.protocol.metainfo import Metainfo

FILES = {("big.bin",): b"big!" * 500_000}


def test_a_terminal_gets_one_display_and_its_cursor_back(tmp_path: Path) -> None:
    command = Command(tmp_path)
    write_content(tmp_path / "src" / "things", FILES)
    (tmp_path / "x.torrent").write_bytes(torrent_of(FILES).to_bytes())
    get = ("get", "x.torrent", "--listen", "127.0.0.1:0", "--limit-down", "2M")
    with command.seed(tmp_path / "x.torrent", tmp_path / "src") as peer:
        code, shown = in_terminal(command, *get, "-o", "out", "--peer", peer)
        assert code == 0
        assert "\x1b[?25h" in shown and "\x1b[1A" in shown and "\x1b[38" in shown
        assert "complete: out/things" in shown and "100.0 %" in shown and "left" in shown
        code, shown = in_terminal(command, *get, "-o", "out2", "--peer", peer, NO_COLOR="1")
        assert code == 0 and "complete: out2/things" in shown
        assert "\x1b[3" not in shown, "no colour was asked for"
        code, shown = in_terminal(command, *get, "-o", "out3", "--peer", peer, TERM="dumb")
        assert code == 0 and "\x1b" not in shown


def hostile(data: bytes) -> Metainfo:
    paths: list[list[bytes]] = [
        [b"..", b"..", b"escaped"], [b"/", b"etc", b"escaped"], [b"a\x1b[2Jb"], [b"photo\xe2\x80\xaegpj.exe"],
        [b"CON"], [b"Case"], [b"case"], [b"nul\x00byte"], [b"back\\slash"], [b"." * 400],
    ]
    listed = list[Value]([{b"length": len(data), b"path": list[Value](path)} for path in paths])
    info: dict[bytes, Value] = {
        b"files": listed, b"name": b"../..", b"piece length": 16384, b"pieces": _pieces(data * len(paths)),
    }
    return Metainfo.parse(bencode.encode({b"info": info}))


def _pieces(whole: bytes) -> bytes:
    return b"".join(
        hashlib.sha1(whole[at : at + 16384], usedforsecurity=False).digest() for at in range(0, len(whole), 16384)
    )


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


@pytest.mark.timeout(60)
def test_hostile_names_are_made_safe_shown_as_changed_and_stay_inside(tmp_path: Path) -> None:
    torrent = hostile(b"x" * 5000)
    home = tmp_path / "a" / "b" / "c"
    home.mkdir(parents=True)
    command = Command(home)
    (home / "evil.torrent").write_bytes(torrent.to_bytes())
    source = home / "src"
    for file in torrent.info.files:
        place = source.joinpath(torrent.info.name, *file.path.parts)
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"x" * 5000)
    with command.seed(home / "evil.torrent", source) as peer:
        done = command.run("get", "evil.torrent", "-o", "out", "--peer", peer, "--listen", "127.0.0.1:0")
    assert done.returncode == 0, done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    assert tree(home / "out") == tree(source)
    assert sorted(path.name for path in home.iterdir()) == ["evil.torrent", "out", "src", "state"]
    assert tree(tmp_path)[:3] == ["a", "a/b", "a/b/c"] and len(list(tmp_path.iterdir())) == 1
    shown = command.run("info", "evil.torrent").stdout
    assert shown.count("name changed") >= 6 and "\x1b" not in shown and "\u202e" not in shown
    assert command.run("verify", "evil.torrent", "out").returncode == 0
