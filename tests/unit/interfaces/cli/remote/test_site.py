"""`wildbach site`: a folder is published on one daemon, and opened on another."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli_torrents import write_content
from daemons import House, Shell
from wildbach.interfaces.cli.exits import Exit

PAYOUT = "TWer2Ygk5TEheHp3TPuYeqxmB6SsGZmaL6"
FILES = {("index.html",): b"<h1>one</h1>", ("a", "b.txt"): b"b", (".env",): b"secret"}


@pytest.fixture
def author(tmp_path: Path, house: House) -> Iterator[House]:
    """Another daemon, in whose DHT there is nobody else but a third."""
    with House(tmp_path / "h").open(dht__enabled=True, dht__bootstrap=[]) as hub:
        assert hub.daemon is not None
        at = str(hub.daemon.api.core.session.dht.endpoints[0])
        with House(tmp_path / "a").open(dht__enabled=True, dht__bootstrap=[at]) as one:
            yield one


def test_a_site_is_published_and_steered(
    tmp_path: Path, author: House, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WILDBACH_STATE", str(author.state))
    shell = Shell(author, capsys)
    dist = tmp_path / "a" / "dist"
    write_content(dist, FILES)
    dry = shell.good("site", "publish", dist, "--key", "blog", "--dry-run")
    assert "+ index.html" in dry and "left out: .env" in dry and dry.splitlines()[-1] == "nothing was published"
    assert shell.good("site").strip() == "No site was opened."
    out = shell.good("site", "publish", dist, "--key", "blog", "--name", "My blog")
    assert "published as number" in out and "link: magnet:?xs=urn:btpk:" in out and ".localhost:" in out
    (dist / "index.html").write_bytes(b"<h1>two</h1>")
    assert "changed since it was published" in shell.good("site", "versions", "My blog") + shell.err
    (job,) = shell.json("site", "publish", dist, "--key", "blog", "--payout", PAYOUT)
    assert job["result"]["changed"] == ["index.html"] and job["result"]["added"] == [".well-known/wildbach.json"]
    assert f"tips go to {PAYOUT}" in shell.good("site", "versions", "blog")
    code, _ = shell.run("site", "tip", "blog", "1", "--yes")
    assert code != Exit.OK and "wallet" in shell.err
    code, _ = shell.run("site", "publish", dist, "--key", "blog", "--payout", "T1")
    assert code != Exit.OK and "T1 is no address of TRON" in shell.err
    shell.good("site", "set", "blog", "--payout-seen")
    (site,) = shell.json("site", "list")
    assert site["name"] == "My blog" and site["versions"] == 2 and site["own"] == "blog"
    assert "My blog" in shell.good("site")
    out = shell.good("site", "set", site["key"][:12], "--name", "blog", "--keep", "--foreign")
    assert out.strip() == "blog: the newest version is shown; kept; may use other sites"
    assert shell.good("site", "open", site["key"], "--no-browser").strip() == site["url"]
    numbers = [version["seq"] for version in shell.json("site", "versions", "blog")[0]["versions"]]
    assert f"held at number {numbers[1]}" in shell.good("site", "pin", "blog", numbers[1])
    assert "the newest version is shown" in shell.good("site", "pin", "blog")
    code, _ = shell.run("site", "diff", "blog", numbers[1], numbers[0])
    assert code == Exit.USAGE and "not here any more" in shell.err
    assert shell.good("site", "forget", "blog").strip() == "forgotten: blog"
    assert shell.json("site") == [] and (dist / "index.html").exists()


@pytest.mark.parametrize("words", [
    ("open", "hello"), ("forget", "nothing"), ("versions", "nothing"), ("pin", "nothing"), ("publish", "/etc"),
    ("publish", "nothing"), ("diff", "nothing"),
])
def test_what_cannot_be_is_said(shell: Shell, words: tuple[str, ...]) -> None:
    code, _ = shell.run("site", *words)
    assert code != Exit.OK and shell.err and "Traceback" not in shell.err


def test_publishing_without_a_network_says_why(shell: Shell, tmp_path: Path) -> None:
    write_content(tmp_path / "dist", FILES)
    code, _ = shell.run("site", "publish", tmp_path / "dist")
    assert code != Exit.OK and "no DHT" in shell.err
