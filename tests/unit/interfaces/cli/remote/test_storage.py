from __future__ import annotations

from pathlib import Path

from cli_torrents import torrent_of
from daemons import Shell


def test_an_empty_cache_is_said_in_one_line(shell: Shell) -> None:
    assert "0 torrents" in shell.good("storage")
    assert shell.good("storage", "show") == shell.good("storage")
    (found,) = shell.json("storage")
    assert found["used"] == 0 and found["quota"] > 0 and found["torrents"] == []


def test_a_download_is_no_cache_and_every_command_says_so(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "a.torrent"
    file.write_bytes(torrent_of(name="film").to_bytes())
    shell.good("add", str(file))
    for command in ("pin", "unpin", "keep", "rm"):
        code, _ = shell.run("storage", command, "film")
        assert code != 0 and "no torrent of the cache" in shell.err, command
    assert shell.run("storage", "pin", "other")[0] != 0 and "no torrent has the key" in shell.err


def test_what_cannot_be_freed_is_told(shell: Shell) -> None:
    assert shell.run("storage", "free", "1M")[0] != 0
    assert "less than was asked for" in shell.err
    assert shell.json("storage", "free", "0") == [{"size": 0}]
