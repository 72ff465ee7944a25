"""The commands that speak of the daemon itself."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from tests.api_fakes import FakeApi, row

from daemons import Shell
from wildbach.base.errors import UsageError
from wildbach.interfaces.api import models as m
from wildbach.interfaces.cli import links, main, output, serve
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.reach import Reach
from wildbach.interfaces.cli.remote import log, opening
from wildbach.interfaces.client import connect
from wildbach.runtime.tasks import Scope


def test_without_a_daemon_it_is_said_how_to_start_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("WILDBACH_STATE", str(tmp_path))
    assert main.run(["ls"]) == Exit.NETWORK
    err = capsys.readouterr().err
    assert f"no daemon runs with {tmp_path / 'daemon'}" in err and "`wildbach serve` starts one" in err
    assert main.run(["ls", "--url", "http://127.0.0.1:9", "--key", "x"]) == Exit.NETWORK
    assert "cannot be reached" in capsys.readouterr().err


def test_a_daemon_elsewhere_is_reached_by_url_and_key(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = shell.good("keys", "make", "sonarr").strip()
    look = shell.json("keys", "make", "--guest", "eyes")[0]["secret"]
    names = [(key["name"], key["role"], key["secret"]) for key in shell.json("keys")]
    assert names == [("sonarr", "user", ""), ("eyes", "guest", "")]
    url = shell.house.url
    monkeypatch.setenv("WILDBACH_STATE", str(shell.house.folder / "nowhere"))
    assert shell.run("ls")[0] == Exit.NETWORK
    assert shell.json("ls", "--url", url, "--key", secret) == []
    assert shell.run("ls", "--url", url, "--key", "wrong")[0] == Exit.USAGE and "wildbach keys make" in shell.err
    monkeypatch.setenv("WILDBACH_URL", url)
    monkeypatch.setenv("WILDBACH_KEY", look)
    assert shell.json("ls") == []
    assert shell.run("tags", "add", "x")[0] == Exit.USAGE and "guest" in shell.err
    monkeypatch.setenv("WILDBACH_KEY", secret)
    ids = [key["id"] for key in shell.json("keys")]
    assert shell.good("keys", "rm", ids[1]).strip() == "removed: 1 key"
    assert len(shell.json("keys")) == 1 and "sonarr" in shell.good("keys")


def test_a_password_comes_from_stdin_and_replaces_the_one_before(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    async def knows(password: str) -> bool:
        async with connect(shell.house.url, user="anna", password=password) as api:
            try:
                await api.health()
            except UsageError:
                return False
            return True

    monkeypatch.setattr(sys, "stdin", io.StringIO("first\n"))
    assert shell.good("password", "--user", "anna").strip() == "The password of anna is set."
    assert asyncio.run(knows("first")) and not asyncio.run(knows("second"))
    monkeypatch.setattr(sys, "stdin", io.StringIO("second\n"))
    shell.good("password")
    assert asyncio.run(knows("second")) and not asyncio.run(knows("first"))
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n"))
    assert shell.run("password")[0] == Exit.USAGE
    secret = shell.good("keys", "make", "k").strip()
    far = ("password", "--url", shell.house.url, "--key", secret)
    monkeypatch.setattr(sys, "stdin", io.StringIO("third\n"))
    assert shell.run(*far)[0] == Exit.USAGE and "current password" in shell.err
    monkeypatch.setattr(sys, "stdin", io.StringIO("third\nsecond\n"))
    shell.good(*far)
    assert asyncio.run(knows("third"))


def test_the_start_link_is_printed_and_lets_in_once(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(links.webbrowser, "open", opened.append)
    monkeypatch.setenv("BROWSER", "any")
    out = shell.good("open", "--print").strip()
    assert out.startswith(f"{shell.house.url}/api/v1/start#") and opened == []
    assert shell.json("open")[0]["url"].startswith(shell.house.url) and opened == []
    out = shell.good("open").strip()
    assert opened == [out]
    said, out = shell.good().splitlines()
    assert "runs already" in said and opened[1:] == [out], "wildbach alone opens the browser where a daemon runs"
    for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(links.sys, "platform", "linux")
    assert shell.good("open").startswith(shell.house.url) and opened[2:] == [], "no screen, no browser"
    *_, picture = shell.good("open", "--qr").partition("\n")
    assert set(picture) <= set(" █▀▄\n") and len(picture.splitlines()) > 15


def test_wildbach_alone_runs_a_daemon_where_none_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Path, bool]] = []

    async def note(
        _layers: object, folder: Path, _stop: object, *, browser: bool, qr: object, config_path: object,
    ) -> Exit:
        asked.append((folder, browser))
        return Exit.OK

    monkeypatch.setenv("WILDBACH_STATE", str(tmp_path))
    monkeypatch.setattr(serve, "serve", note)
    monkeypatch.setattr(serve, "log_to_stderr", lambda *_, **__: None)
    assert main.run([]) == Exit.OK and asked == [(tmp_path / "daemon", True)]


def test_settings_are_shown_set_and_forgotten(shell: Shell) -> None:
    assert shell.good("config", "get", "queue.downloads").strip() == "5"
    assert shell.good("config", "set", "queue.downloads=7", "downloads.exclude=*.nfo,*.txt").splitlines() == [
        "queue.downloads = 7", "downloads.exclude = *.nfo,*.txt"]
    (found,) = [one for one in shell.json("config", "get", "queue.") if one["key"] == "queue.downloads"]
    assert found == {"key": "queue.downloads", "value": 7, "source": "saved", "restart": False}
    changed = [one["key"] for one in shell.json("config", "get", "--changed") if one["source"] == "saved"]
    assert changed == ["downloads.exclude", "queue.downloads"]
    assert shell.good("config", "unset", "queue.downloads").strip() == "queue.downloads = 5"
    assert shell.good("config", "set", "api.base_path=/x").strip() == "api.base_path = /x  (after a restart)"
    assert shell.good("config", "set", "rates.down=700K").strip() == "rates.down = 716800"
    shell.good("config", "unset", "rates.down")
    assert shell.run("config", "set", "hooks.added=rm")[0] == Exit.USAGE
    assert "hooks.added can be set in the configuration file only" in shell.err
    for words in (["queue.downloads=x"], ["queue.downlods=1"], ["queue.downloads"], ["hooks.added=rm"]):
        assert shell.run("config", "set", *words)[0] == Exit.USAGE, words
    assert shell.run("config", "get", "nonsense")[0] == Exit.USAGE
    assert shell.good("config", "path").strip().endswith("config.toml")
    assert "properties" in json.loads(shell.good("config", "schema"))


def test_a_key_that_is_not_known_is_said_to_be_so(shell: Shell) -> None:
    code, _ = shell.run("ls", "--url", shell.house.url, "--key", "wbk_wrong")
    assert code == Exit.USAGE and "this key is not known" in shell.err


def test_limits_hold_now_and_slow_mode_has_its_own(shell: Shell) -> None:
    assert shell.good("limits").strip() == "↓ none · ↑ none"
    assert shell.good("limits", "--down", "2M", "--up", "500K").strip() == "↓ 2.0 MiB/s · ↑ 500.0 KiB/s"
    slow = shell.json("limits", "--slow", "on")[0]
    assert slow["slow_mode"] and slow["down"] != 2 << 20
    assert "slow mode" in shell.good("limits")
    assert shell.json("limits", "--slow", "toggle")[0] == {"down": 2 << 20, "up": 512_000, "slow_mode": False}


def test_status_log_bans_and_doctor_speak(shell: Shell) -> None:
    shell.add("one", "--stopped")
    out = shell.good("status")
    assert "torrents     1: 1 stopped" in out and "listens at   127.0.0.1:" in out
    assert set(shell.json("status")[0]) == {"health", "transfer", "statistics"}
    assert "added one" in shell.good("log")
    assert shell.json("log", "-n", "1")[0]["level"] == "info" and shell.json("log", "--level", "error") == []
    assert shell.good("bans").strip() == "Nobody is banned."
    (ban,) = shell.json("bans", "--add", "192.0.2.7")
    assert ban["address"] == "192.0.2.7" and "by hand" in shell.good("bans")
    assert shell.json("bans", "--remove", "192.0.2.7") == []
    code, out = shell.run("doctor", "--daemon", "--state", shell.house.state)
    assert code in (Exit.OK, Exit.FAILED) and "ports: listening at 127.0.0.1:" in out


def test_categories_and_tags_are_made_counted_and_removed(shell: Shell, tmp_path: Path) -> None:
    assert shell.good("categories").strip() == "There are no categories."
    assert shell.good("categories", "set", "films", "-o", "f", "--ratio", "2").strip() == "made: films"
    assert shell.good("categories", "set", "films", "--seed-time", "1h").strip() == "changed: films"
    (films,) = shell.json("categories")
    assert (films["save_path"], films["ratio_limit"], films["seeding_limit"]) == (str(tmp_path / "f"), 2, 3600)
    shell.add("one", "--category", "films", "--tag", "x")
    shell.good("tags", "add", "y")
    assert shell.json("tags") == [{"name": "x", "torrents": 1}, {"name": "y", "torrents": 0}]
    assert shell.good("categories").splitlines()[1].split()[:2] == ["films", "1"]
    assert "ratio 2" in shell.good("categories")
    shell.good("tags", "rm", "x", "y")
    shell.good("categories", "set", "films/old")
    out = shell.good("categories", "rm", "films", "nonsense")
    assert out.strip() == "removed: 2 categories: films, films/old" and "no category nonsense" in shell.err
    assert shell.json("tags") == [] and shell.json("categories") == []


def test_the_log_is_followed(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.add("one", "--stopped")

    async def follow() -> list[dict[str, Any]]:
        lines: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        monkeypatch.setattr(output, "record", lines.put_nowait)
        async with asyncio.timeout(20), Reach().open() as api, Scope("following") as scope:
            task = scope.spawn("log", log.show(api, m.LogQuery(limit=1), follow=True, as_json=True))
            found = [await lines.get()]
            await api.set_slow_mode(m.SlowMode(True))
            while "slow mode is on" not in found[-1]["text"]:
                found.append(await lines.get())
            task.cancel()
        return found

    found = asyncio.run(follow())
    assert [line["id"] for line in found] == sorted({line["id"] for line in found}), "each once, in order"


def test_feeds_are_followed_and_rules_tried(shell: Shell) -> None:
    assert shell.good("rss").strip() == "No feeds are followed."
    shell.good("rss", "add", "http://127.0.0.1:9/feed.xml", "tv/new", "--every", "15m")
    (feed,) = shell.json("rss")
    assert (feed["path"], feed["refresh_seconds"]) == ("tv/new", 900) and "tv/new" in shell.good("rss")
    shell.good("rss", "edit", "tv/new", "--to", "tv/old", "--every", "0")
    assert shell.json("rss")[0]["path"] == "tv/old"
    assert shell.good("rss", "articles").strip() == "There are no articles."
    assert shell.good("rss", "rules", "set", "show", "--contains", "a|b", "--feed", "http://127.0.0.1:9/feed.xml",
                      "--category", "tv", "--tag", "x", "--stopped").strip() == "made: show"
    (rule,) = shell.json("rss", "rules")
    assert rule["name"] == "show" and rule["rule"]["mustContain"] == "a|b"
    assert rule["rule"]["torrentParams"]["category"] == "tv"
    assert shell.good("rss", "rules", "set", "show", "--disabled", "--without", "c").strip() == "changed: show"
    changed = shell.json("rss", "rules")[0]["rule"]
    assert (changed["enabled"], changed["mustContain"], changed["mustNotContain"]) == (False, "a|b", "c")
    assert shell.good("rss", "rules", "try", "show").strip() == "0 of 0 articles would be taken"
    shell.good("rss", "rules", "rename", "show", "other")
    file = shell.house.folder / "rule.json"
    file.write_text(json.dumps(shell.json("rss", "rules")[0]["rule"]))
    shell.good("rss", "rules", "set", "copy", "--json-file", file)
    assert [one["name"] for one in shell.json("rss", "rules")] == ["copy", "other"]
    shell.good("rss", "rules", "rm", "other")
    file.write_text(json.dumps({"mustContain": "c", "wildbach": {"allFeeds": True}}))
    shell.good("rss", "rules", "set", "every", "--json-file", file)
    assert shell.good("rss", "rules").splitlines()[-1].split() == ["every", "yes", "c", "all"]
    shell.good("rss", "rules", "rm", "every")
    shell.good("rss", "rules", "rm", "copy")
    shell.good("rss", "refresh", "tv/old")
    shell.good("rss", "rm", "tv")
    assert shell.json("rss") == [] and shell.json("rss", "rules") == []
    assert shell.run("rss", "add", "ftp://x")[0] == Exit.USAGE
    code, _ = shell.run("rss", "rules", "set", "bad", "--episodes", "1x2-")
    assert code == Exit.USAGE and "semicolon" in shell.err and shell.json("rss", "rules") == []
    file.write_text("[]")
    assert shell.run("rss", "rules", "set", "x", "--json-file", file)[0] == Exit.USAGE


def test_rules_go_to_a_file_and_come_back_as_qbittorrent_has_them(shell: Shell, tmp_path: Path) -> None:
    shell.good("rss", "rules", "set", "shows", "--contains", "show", "--episodes", "1x2-;", "--category", "tv")
    shell.good("rss", "rules", "set", "films", "--contains", "film")
    file = tmp_path / "rules.json"
    assert shell.good("rss", "rules", "export", file).strip() == f"wrote 2 rules to {file}"
    before = shell.json("rss", "rules")
    exported = json.loads(file.read_text())
    assert exported["shows"]["mustContain"] == "show" and exported["shows"]["assignedCategory"] == "tv"
    shell.good("rss", "rules", "rm", "films")
    shell.good("rss", "rules", "set", "shows", "--contains", "other")
    assert shell.good("rss", "rules", "import", file).strip() == "read 2 rules: 1 new, 1 replaced"
    assert {one["name"]: one["rule"] for one in shell.json("rss", "rules")} == {
        one["name"]: one["rule"] for one in before}
    assert json.loads(shell.good("rss", "rules", "export", "-")) == exported
    file.write_text(json.dumps(exported | {"shows": exported["shows"] | {"mustContain": 5}}))
    shell.good("rss", "rules", "rm", "films")
    assert shell.run("rss", "rules", "import", file)[0] == Exit.USAGE and "shows.mustContain: takes text" in shell.err
    assert [one["name"] for one in shell.json("rss", "rules")] == ["shows"], "all or none"
    file.write_text(json.dumps({"old": {"mustContain": "x", "episodeFilter": "1x2"}}))
    assert shell.good("rss", "rules", "import", file).strip() == "read 1 rule: 1 new, 0 replaced"
    assert "old takes nothing as it is" in shell.err and "semicolon" in shell.err


def test_a_client_that_is_not_there_is_not_imported(shell: Shell, tmp_path: Path) -> None:
    assert shell.run("import", tmp_path)[0] == Exit.USAGE and "no state of another client" in shell.err
    assert shell.run("import", tmp_path, "--map", "x")[0] == Exit.USAGE


def test_a_socket_alone_has_no_place_for_a_browser() -> None:
    async def work() -> None:
        with pytest.raises(UsageError, match=r"api\.listen"):
            await opening.show(None, "", only_print=True, as_json=False)  # type: ignore[arg-type]  # it is not asked

    asyncio.run(work())


def test_an_api_may_be_handed_in(capsys: pytest.CaptureFixture[str]) -> None:
    fake = FakeApi()
    fake.put(row(7, name="seven"))

    @contextlib.asynccontextmanager
    async def opener() -> AsyncIterator[FakeApi]:
        yield fake

    assert main.run(["ls", "--json"], opener) == 0  # type: ignore[arg-type]  # the fake has every operation
    assert json.loads(capsys.readouterr().out)["name"] == "seven"
    assert main.run(["stop", f"{7:040x}"], opener) == 0  # type: ignore[arg-type]  # as above
    assert fake.rows[f"{7:040x}"].state == "stopped"
    assert Reach(opener=opener).runs()  # type: ignore[arg-type]  # as above
