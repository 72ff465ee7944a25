"""The list of settings as `wildbach settings` prints it."""

from __future__ import annotations

import json

import pytest

from wildbach.base.settings import options
from wildbach.interfaces.cli.main import run
from wildbach.interfaces.settings import ClientSettings


def test_every_key_is_listed_with_its_value_and_what_it_does(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["settings"]) == 0
    out = capsys.readouterr().out
    for key in options(ClientSettings):
        assert f"\n{key} = " in f"\n{out}"
    assert "connections.listen = 0.0.0.0:6881-6891,[::]:6881-6891\n" in out
    # Values stand on one line, to be copied; words are folded.
    assert max(len(line) for line in out.splitlines() if line.startswith(" ")) <= 80


def test_a_word_chooses_and_the_environment_is_named_without_its_password(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WILDBACH_NETWORK_PROXY", "socks5://anna:secret@h:1")
    assert run(["settings", "network.p"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("network.proxy = socks5://USER:PASSWORD@h:1  ($WILDBACH_NETWORK_PROXY; by default none)\n")
    assert run(["settings", "network.p", "--json"]) == 0
    (found,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert found["source"] == "environment" and "secret" not in str(found)
    assert run(["settings", "nonsense"]) == 2
