"""`wildbach key`: what is said, and what is asked for."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from daemons import Shell
from wildbach.interfaces.cli.exits import Exit


def typed(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))


def test_keys_are_listed_with_what_is_to_be_done(shell: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert shell.good("key", "list").strip() == "There are no keys."
    assert "wildbach key recovery blog" in shell.good("key", "create", "blog")
    shown = shell.good("key", "list")
    assert "never" in shown and "here: write it down" in shown
    words = shell.good("key", "recovery", "blog").strip()
    typed(monkeypatch, words)
    assert "only recovery key" in shell.good("key", "recovery", "blog", "--erase")
    typed(monkeypatch, "a passphrase")
    shell.good("key", "export", "blog", "-o", str(tmp_path / "copy"))
    shown = shell.good("key", "list")
    assert "never" not in shown and "on paper" in shown
    typed(monkeypatch, "a passphrase")
    assert shell.good("key", "import", str(tmp_path / "copy"), "--name", "two").startswith("two: ")
    assert shell.run("key", "create", "blog")[0] == Exit.USAGE


def test_a_copy_goes_to_stdout_and_nothing_without_a_passphrase(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.good("key", "create", "blog")
    typed(monkeypatch, "a passphrase")
    assert shell.good("key", "export", "blog", "-o", "-").startswith("wildbach-key 1\n")
    typed(monkeypatch, "")
    assert shell.run("key", "export", "blog", "-o", "-")[0] == Exit.USAGE
    assert shell.run("key", "import", "nowhere")[0] == Exit.STORAGE


def test_a_rotation_without_a_dht_says_so_and_changes_nothing(shell: Shell) -> None:
    shell.good("key", "create", "blog")
    before = shell.good("key", "list", "--json")
    assert shell.run("key", "rotate", "blog")[0] == Exit.USAGE
    assert shell.good("key", "list", "--json") == before
    assert shell.run("key", "rotate", "nobody")[0] == Exit.USAGE
