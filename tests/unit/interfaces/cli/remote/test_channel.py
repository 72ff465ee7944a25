"""`wildbach channel`: a channel is made on one daemon, and steered by words."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemons import House, Shell
from wildbach.interfaces.cli.exits import Exit

PAYOUT = "TR7NHqjeKQxGTCi8q8ZY4pL8otSzgjLj6t"


@pytest.fixture
def author(tmp_path: Path, house: House) -> Iterator[House]:
    """Another daemon, in whose DHT there is nobody else but a third."""
    with House(tmp_path / "h").open(dht__enabled=True, dht__bootstrap=[]) as hub:
        assert hub.daemon is not None
        at = str(hub.daemon.api.core.session.dht.endpoints[0])
        with House(tmp_path / "a").open(dht__enabled=True, dht__bootstrap=[at]) as one:
            yield one


def test_a_channel_is_made_filled_published_and_steered(
    tmp_path: Path, author: House, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WILDBACH_STATE", str(author.state))
    shell = Shell(author, capsys)
    films = tmp_path / "a" / "films"
    films.mkdir(parents=True)
    for name in ("owl.mp4", "heron.mp3"):
        (films / name).write_bytes(name.encode() * 999)
    assert shell.good("channel").strip() == "No channel is followed."
    out = shell.good("channel", "create", "Birds", "--key", "birds", "--text", "of the garden", "--lang", "en",
                     "--link", "https://example.org/")
    assert "magnet:?xs=urn:btpk:" in out and "wildbach key export birds" in out
    out = shell.good("channel", "add", "Birds", films, "--tag", "night", "--licence", "CC0-1.0")
    assert "2 items to publish" in out
    assert "2 items to publish" in shell.good("channel")
    waiting = shell.json("channel", "items", "Birds", "--drafts")
    assert sorted(one["item"]["title"] for one in waiting) == ["heron", "owl"]
    out = shell.good("channel", "publish", "Birds")
    assert "2 items published as number" in out and "link: magnet:?xs=urn:btpk:" in out
    assert "owl" in shell.good("channel", "search", "ow", "--kind", "video", "--licence", "cc0-1.0")
    assert "Nothing was found." in shell.good("channel", "search", "owl", "--kind", "audio")
    (owl,) = shell.json("channel", "search", "owl")
    guid = owl["item"]["guid"]
    assert "The owl: changed" in shell.good("channel", "edit", "birds", guid, "--title", "The owl", "--length", "90")
    heron = next(one for one in shell.json("channel", "items", "Birds") if one["item"]["title"] == "heron")
    assert "1 item to be removed" in shell.good("channel", "remove", "Birds", heron["item"]["guid"])
    (job,) = shell.json("channel", "publish", "Birds")
    assert job["result"]["added"] == 2
    (item,) = shell.json("channel", "items", "Birds")
    assert item["item"]["title"] == "The owl" and item["item"]["duration"] == 90
    assert "application/x-bittorrent" in shell.good("channel", "feed", "Birds")
    shell.good("channel", "feed", "Birds", "-o", tmp_path / "feed.xml")
    assert b"The owl" in (tmp_path / "feed.xml").read_bytes()
    out = shell.good("channel", "set", "Birds", "--name", "Garden birds", "--payout", PAYOUT)
    assert "title: Garden birds" in out and f"tips: {PAYOUT}" in out
    assert "of the garden" in shell.good("channel", "show", "birds")
    assert shell.good("channel", "download", "birds", guid).strip() == owl["torrent"]
    assert shell.good("channel", "items", "--new").strip() == "Nothing was found."
    out = shell.good("channel", "rotate-key", "birds", "--yes")
    assert "The new key counts from now on" in out
    assert "published as number" in shell.good("channel", "publish", "birds")
    assert "no longer followed" in shell.good("channel", "unfollow", "birds")
    assert shell.json("channel") == [] and (films / "owl.mp4").exists()


def test_a_channel_is_followed_before_anybody_answers(shell: Shell) -> None:
    assert "following" in shell.good("channel", "follow", "ab" * 32, "--name", "Birds")
    (channel,) = shell.json("channel", "list")
    assert channel["title"] == "Birds" and channel["seq"] == -1 and channel["reason"]
    assert "never" in shell.good("channel", "show", "Birds")
    code, _ = shell.run("channel", "publish", "Birds")
    assert code != Exit.OK and "somebody else" in shell.err


@pytest.mark.parametrize("words", [
    ("follow", "hello"), ("unfollow", "nothing"), ("show", "nothing"), ("add", "nothing", "/etc/passwd"),
    ("publish", "nothing"), ("feed", "nothing"), ("edit", "nothing", "g"), ("remove", "nothing", "g"),
    ("items", "nothing"), ("items", "--drafts"), ("rotate-key", "nothing", "--yes"), ("download", "nothing", "g"),
    ("create", "Birds", "--payout", "T1"),
])
def test_what_cannot_be_is_said(shell: Shell, words: tuple[str, ...]) -> None:
    code, _ = shell.run("channel", *words)
    assert code != Exit.OK and shell.err and "Traceback" not in shell.err
