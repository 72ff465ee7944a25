"""The commands that speak of torrents, with a daemon that has a real session and a real disk."""

from __future__ import annotations

import asyncio
import io
import json
import sys
from pathlib import Path

import click
import pytest
from rich.console import Console

from cli_torrents import CONTENT, torrent_of, write_content
from daemons import Shell
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.subscription import Shown, Subscription
from wildbach.interfaces.cli import output
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.reach import Reach
from wildbach.interfaces.cli.remote import watch
from wildbach.protocol.metainfo import Metainfo
from wildbach.runtime.tasks import Scope

LINK = f"magnet:?xt=urn:btih:{'ab' * 20}&dn=A%20link"


class Stdin:
    def __init__(self, data: bytes) -> None:
        self.buffer = io.BytesIO(data)

    def isatty(self) -> bool:
        return False


class Terminal:
    def isatty(self) -> bool:
        return True


def test_files_links_hashes_and_stdin_are_added_and_a_second_time_they_are_there(
    shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "a.torrent").write_bytes(torrent_of(name="a").to_bytes())
    (tmp_path / "link.txt").write_text(LINK + "\n")
    monkeypatch.setattr(sys, "stdin", Stdin(torrent_of(name="piped").to_bytes()))
    out = shell.good("add", "a.torrent", "link.txt", "cd" * 20, "-")
    assert [line.rsplit(" ", 1)[0] for line in out.splitlines()] == [
        "added: a", "added: piped", "added: A link", f"added: {'cd' * 20}"]
    assert shell.good("add", "a.torrent").startswith("is there already: a (")
    assert len(shell.json("ls")) == 4


def test_what_cannot_be_added_is_named_and_the_others_are_added(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "a.torrent").write_bytes(torrent_of(name="a").to_bytes())
    (tmp_path / "odd.torrent").write_bytes(b"d4:infoi1ee")
    code, out = shell.run("add", "nowhere.torrent", "odd.torrent", "a.torrent")
    assert code == Exit.USAGE and out.startswith("added: a (")
    assert "nowhere.torrent: no such file" in shell.err and "odd.torrent: " in shell.err
    assert shell.run("add", "odd.torrent")[0] == Exit.BAD_TORRENT
    assert shell.run("add", "a.torrent", "--save-path", "/proc/x")[0] == Exit.USAGE and "downloads.allowed" in shell.err


def test_wishes_of_add_hold(shell: Shell, tmp_path: Path) -> None:
    key = shell.add(
        "a", "--stopped", "--category", "films/old", "--tag", "x", "--tag", "y", "--select", "sub", "--limit-up",
        "100K", "--ratio", "1.5", "--seed-time", "2h", "--idle-time", "none", "--sequential", "--name", "Other",
        "-o", "here")
    row = shell.row(key)
    assert (row["name"], row["state"], row["category"], row["tags"]) == ("Other", "stopped", "films/old", ["x", "y"])
    assert (row["up_limit"], row["ratio_limit"], row["seeding_limit"], row["idle_limit"]) == (102_400, 1.5, 7200, -1)
    assert row["sequential"] and row["save_path"] == str(tmp_path / "here")
    assert [file["priority"] for file in shell.json("files", key)] == [0, 1, 1, 0]
    assert shell.run("add", "a.torrent", "--select", "*.mkv")[0] == 0  # it is there already, whatever is asked
    (tmp_path / "b.torrent").write_bytes(torrent_of(name="b").to_bytes())
    assert shell.run("add", "b.torrent", "--select", "*.mkv")[0] == Exit.USAGE and "names no file" in shell.err


def test_the_list_is_filtered_sorted_searched_and_cut(shell: Shell) -> None:
    for name, more in (("alpha", ["--tag", "x"]), ("beta", ["--category", "c"]), ("gamma ray", [])):
        shell.add(name, "--stopped", *more)

    def names(*args: str) -> list[str]:
        return [row["name"] for row in shell.json("ls", *args)]

    assert names() == ["alpha", "beta", "gamma ray"] and names("--sort", "-name") == ["gamma ray", "beta", "alpha"]
    assert names("--tag", "x") == ["alpha"] and names("--category", "c") == ["beta"]
    assert names("RAY", "gam") == ["gamma ray"] and names("--state", "seeding") == []
    assert names("--limit", "2") == ["alpha", "beta"] and names("--limit", "2", "--all") == names()
    out = shell.good("ls", "--limit", "2").splitlines()
    assert out[0].split() == ["KEY", "NAME", "STATE", "DONE", "SIZE", "CATEGORY", "TAGS"]
    assert out[-1].startswith("2 of 3 torrents") and "--all" in out[-1]
    assert shell.run("ls", "--sort", "colour")[0] == Exit.USAGE


def test_torrents_are_named_by_name_or_the_beginning_of_a_key_and_doubt_is_said(shell: Shell) -> None:
    key = shell.add("one", "--stopped")
    shell.add("one more", "--stopped")
    assert shell.good("start", "one").strip() == "started: one"
    assert shell.good("stop", key[:6], key).strip() == "stopped: one"
    assert shell.run("stop", "on")[0] == Exit.USAGE and "near it: " in shell.err and "(one more)" in shell.err
    assert shell.run("stop", "nothing")[0] == Exit.USAGE and "no torrent has the key or the name" in shell.err
    assert shell.run("stop", key[:3])[0] == Exit.USAGE
    assert shell.run("stop")[0] == Exit.USAGE and "--all" in shell.err
    assert shell.run("stop", "one", "--all")[0] == Exit.USAGE
    assert shell.good("force", "--all").strip() == "forced: all torrents"
    (outcome,) = shell.json("stop", "--all")
    assert outcome == {"done": 2, "failed": []}
    other = "one more"
    shell.good("edit", other, "--name", "one")
    assert shell.run("stop", "one")[0] == Exit.USAGE and f"{key[:8]} (one)" in shell.err and "give more" in shell.err


def test_a_torrent_is_shown_and_edited(shell: Shell) -> None:
    key = shell.add("thing", "--stopped", trackers=[["http://127.0.0.1:9/announce"]])
    out = shell.good("show", "thing")
    for words in ("thing\n", "state        stopped", "comment      for tests", "http://127.0.0.1:9/a", "magnet:?xt="):
        assert words in out
    shell.good("categories", "set", "films")
    shell.good("edit", key, "--category", "films", "--add-tag", "x", "--limit-down", "1M", "--ratio", "none",
               "--at-limit", "remove", "--super-seed", "--ends-first")
    row = shell.row(key)
    assert (row["category"], row["tags"], row["down_limit"], row["ratio_limit"]) == ("films", ["x"], 1 << 20, -1)
    assert row["limit_action"] == "remove" and row["super_seed"] and row["ends_first"]
    shell.good("edit", key, "--category", "", "--remove-tag", "x", "--ratio", "default", "--at-limit", "default")
    row = shell.row(key)
    assert (row["category"], row["tags"], row["ratio_limit"], row["limit_action"]) == ("", [], -2, "")
    assert shell.run("edit", key)[0] == Exit.USAGE
    assert shell.run("edit", "--all", "--name", "x")[0] == Exit.USAGE
    assert shell.run("edit", key, "--category", "none such")[0] == Exit.USAGE


def test_files_are_shown_as_a_tree_and_chosen(shell: Shell) -> None:
    key = shell.add("thing", "--stopped")
    out = shell.good("files", "thing")
    for words in ("thing/", "sub/", "0 a.bin  75.0 KiB", "2 ü 日本.bin"):
        assert words in out

    def priorities(*args: str) -> list[int]:
        return [file["priority"] for file in shell.json("files", key, *args)]

    assert priorities("--only", "*.txt") == [0, 1, 0, 0]
    assert priorities("--want", "0,2", "--set-priority", "*.bin=high") == [6, 1, 6, 0]
    assert priorities("--skip", "sub") == [6, 0, 0, 0]
    assert priorities("--set-priority", "thing/sub=7", "--skip", "1") == [6, 0, 7, 0]
    assert "(not wanted)" in shell.good("files", key) and "(high)" in shell.good("files", key)
    assert shell.run("files", key, "--skip", "*.mkv")[0] == Exit.USAGE
    assert shell.run("files", key, "--set-priority", "0=9")[0] == Exit.USAGE
    shell.good("rename", key, "thing/a.bin", "thing/c.bin")
    assert shell.json("files", key)[0]["path"] == "thing/c.bin"


def test_a_long_tree_is_cut_unless_all_is_asked_for(shell: Shell) -> None:
    shell.add("many", "--stopped", files={(f"{number:03}",): b"x" for number in range(230)}, kind="v1")
    assert "… and 30 more files" in shell.good("files", "many")
    assert "229 229" in shell.good("files", "many", "--all")


def test_trackers_and_web_seeds_are_changed(shell: Shell) -> None:
    key = shell.add("thing", "--stopped", trackers=[["http://127.0.0.1:9/a"], ["http://127.0.0.1:9/b"]])

    def urls() -> list[str]:
        return [tracker["url"] for tracker in shell.json("trackers", key) if tracker["tier"] >= 0]

    shell.good("trackers", key, "--add", "udp://127.0.0.1:9", "--remove", "http://127.0.0.1:9/a",
               "--replace", "http://127.0.0.1:9/b", "http://127.0.0.1:9/c")
    assert urls() == ["http://127.0.0.1:9/c", "udp://127.0.0.1:9"]
    shell.good("trackers", key, "--only", "http://127.0.0.1:9/d")
    assert urls() == ["http://127.0.0.1:9/d"]
    assert "[DHT]" in shell.good("trackers", key)
    assert shell.run("trackers", key, "--add", "ftp://x")[0] == Exit.USAGE
    assert shell.run("trackers", key, "--remove", "http://127.0.0.1:9/a")[0] == Exit.USAGE
    assert "no web seeds" in shell.good("web-seeds", key)
    (seed,) = shell.json("web-seeds", key, "--add", "http://127.0.0.1:9/files/")
    assert seed["url"] == "http://127.0.0.1:9/files/"
    assert "has no peers" in shell.good("peers", key)


def test_removed_torrents_are_in_the_trash_and_come_back(shell: Shell, tmp_path: Path) -> None:
    write_content(tmp_path / "downloads" / "one", CONTENT)
    key = shell.add("one")
    shell.until_state(key, "seeding")
    shell.add("two", "--stopped")
    assert shell.good("rm", "one").strip() == "removed: one"
    assert [row["name"] for row in shell.json("ls")] == ["two"]
    (gone,) = shell.json("trash")
    assert (gone["key"], gone["files"]) == (key, False) and "stay" in shell.good("trash")
    assert shell.run("trash", "restore", "two")[0] == Exit.USAGE
    assert shell.good("trash", "restore", "one").strip() == "back: 1 torrent"
    assert shell.good("trash").strip() == "The trash is empty."
    shell.good("edit", "one", "--add-tag", "kept")
    shell.good("rm", "one")
    assert shell.good("add", "one.torrent").startswith("had back from the trash, with its folder, category and tags")
    assert shell.row(key)["tags"] == ["kept"]
    shell.good("rm", key[:8], "--files")
    assert (tmp_path / "downloads" / "one").exists()
    assert shell.good("trash", "empty").strip() == "removed for good: 1 torrent"
    assert not (tmp_path / "downloads" / "one").exists()
    assert shell.good("rm", "--all", "--now").strip() == "removed: all torrents"
    assert shell.json("ls") == [] and shell.json("trash") == []


def test_a_torrent_moves_and_the_command_waits_until_it_is_there(shell: Shell, tmp_path: Path) -> None:
    write_content(tmp_path / "downloads" / "one", CONTENT)
    key = shell.add("one")
    shell.until_state(key, "seeding")
    assert shell.good("move", "one", "there").strip() == f"moved: one to {tmp_path / 'there'}"
    assert (tmp_path / "there" / "one" / "a.bin").exists()
    assert shell.row(key)["save_path"] == str(tmp_path / "there")
    (job,) = shell.json("jobs")
    assert (job["kind"], job["state"]) == ("move", "done") and "move" in shell.good("jobs")
    assert shell.good("jobs", "wait") == "" and shell.run("jobs", "wait", "none")[0] == Exit.USAGE
    shell.good("jobs", "cancel", job["id"])
    assert shell.good("jobs").strip() == "There are no jobs."
    assert shell.good("move", "--look", "one", "there").strip() == f"one is in {tmp_path / 'there'}"
    assert shell.run("move", "one", "/proc/x")[0] == Exit.USAGE
    assert shell.run("move", "one")[0] == Exit.USAGE


def test_the_queue_is_shown_and_put_in_order(shell: Shell) -> None:
    for name in ("a", "b", "c"):
        shell.add(name)

    def order() -> list[str]:
        return [row["name"] for row in shell.json("queue")]

    assert order() == ["a", "b", "c"]
    shell.good("queue", "top", "c")
    shell.good("queue", "down", "a")
    assert order() == ["c", "b", "a"]
    shell.good("queue", "bottom", "c")
    shell.good("queue", "up", "a")
    assert order() == ["a", "b", "c"]
    assert shell.good("queue").splitlines()[1].split()[:1] == ["1"]


def test_a_torrent_is_exported_checked_and_has_a_magnet_link(shell: Shell, tmp_path: Path) -> None:
    key = shell.add("one", "--stopped")
    (tmp_path / "one.torrent").unlink()
    assert shell.good("export", "one").strip() == "one.torrent"
    assert Metainfo.parse((tmp_path / "one.torrent").read_bytes()).info.hashes.key == key
    assert shell.run("export", "one")[0] == Exit.USAGE
    shell.good("export", "one", "--force")
    shell.good("export", "one", "-o", "x.torrent")
    assert shell.good("magnet", key[:10]).startswith("magnet:?xt=urn:btih:")
    assert json.loads(shell.good("magnet", key[:10], "--json"))["name"] == "one"
    assert shell.good("verify", key[:10]).strip() == "being checked: one"
    assert shell.good("reannounce", key[:10]).strip() == "asked for peers: one"
    write_content(tmp_path / "one", CONTENT)
    assert shell.good("verify", "x.torrent", tmp_path).endswith("one: complete and good\n")
    shell.add_link(LINK)
    assert shell.run("export", "A link")[0] == Exit.USAGE and "metadata" in shell.err


def test_who_answers_no_is_told_that_nothing_was_removed(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.add("one", "--stopped")
    monkeypatch.setattr(sys, "stdin", Terminal())
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(click, "confirm", lambda _question: False)
    code, out = shell.run("rm", "one", "--files")
    assert (code, out.strip()) == (Exit.FAILED, "Nothing was removed.") and shell.row("one")


def test_a_part_of_a_name_removes_nothing_unasked(shell: Shell) -> None:
    shell.add("one film", "--stopped")
    code, _ = shell.run("rm", "film")
    assert code == Exit.USAGE and "do you mean 'one film'?" in shell.err
    assert shell.good("rm", "film", "--yes").strip() == "removed: one film"


def test_verify_of_a_name_is_of_the_daemon_even_where_a_folder_has_it(shell: Shell, tmp_path: Path) -> None:
    shell.add("one", "--stopped")
    (tmp_path / "one.torrent").unlink()
    (tmp_path / "one").mkdir(exist_ok=True)
    out = shell.good("verify", "one").splitlines()
    assert out == ["the daemon's torrent one is meant, and not what lies here; that would be ./one",
                   "being checked: one"]
    code, _ = shell.run("verify", "./one")
    assert code == Exit.USAGE and "./one is a folder" in shell.err
    assert shell.good("magnet", "one").startswith("magnet:?xt=urn:btih:")


def test_watch_tells_what_changed(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    key = shell.add("one", "--stopped")

    async def told(*, as_json: bool) -> list[str]:
        """What is said at first, and when the torrent gets a tag and is started."""
        lines: asyncio.Queue[str] = asyncio.Queue()
        monkeypatch.setattr(output, "line", lines.put_nowait)
        monkeypatch.setattr(output, "record", lambda values: lines.put_nowait(json.dumps(values)))
        async with asyncio.timeout(20), Reach().open() as api, Scope("watching") as scope:
            task = scope.spawn("watch", watch.watch(api, m.Listing(sort="name"), as_json=as_json))
            found = [await lines.get()]
            await api.change_torrent(key, m.TorrentPatch(add_tags=("seen",)))
            while as_json and json.loads(found[-1])["tags"] == []:
                found.append(await lines.get())
            await api.act(m.Action("start", (key,)))
            while not as_json and "one: downloading" not in found[-1]:
                found.append(await lines.get())
            task.cancel()
            await api.act(m.Action("stop", (key,)))
            await api.change_torrent(key, m.TorrentPatch(remove_tags=("seen",)))
        shell.until_state(key, "stopped")
        return found

    plain = asyncio.run(told(as_json=False))
    assert plain[0] == "one: stopped 0.0 % · ↓ 0 B/s · ↑ 0 B/s", "and nothing is said for the tag"
    assert not any("one: stopped" in line for line in plain[1:]) and "one: downloading" in plain[-1]
    first, *rest = [json.loads(line) for line in asyncio.run(told(as_json=True))]
    assert (first["name"], first["tags"]) == ("one", []) and rest[-1]["tags"] == ["seen"]


def test_a_list_that_cannot_be_watched_is_said(shell: Shell) -> None:
    code, _ = shell.run("watch", "--sort", "nothing")
    assert code == Exit.USAGE and "nothing" in shell.err


def test_the_picture_of_watch_fits_the_terminal(shell: Shell) -> None:
    for name in "abcdefgh":
        shell.add(name, "--stopped")
    shown = Shown()

    async def look() -> None:
        async with Reach().open() as api, api.push(Subscription(m.Listing(sort="name"), transfer=True)) as line:
            while not shown.rows:
                shown.take(await anext(line))

    asyncio.run(look())
    for height, rows in ((9, 6), (40, 8)):
        at = Console(width=60, height=height, file=io.StringIO(), force_terminal=False)
        drawn = at.render_lines(watch.Picture(shown), at.options.update(height=height), pad=False)
        words = ["".join(part.text for part in one).strip() for one in drawn]
        assert [one.split()[1] for one in words[1:] if "stopped" in one] == list("abcdefgh")[:rows]
        assert any("torrents · ↓ 0 B/s" in one for one in words)


def test_names_are_harmless_for_a_terminal(shell: Shell) -> None:
    key = shell.add("evil", "--stopped", "--name", "a\x1b[2Jb\u202e")
    for args in (("ls",), ("show", key), ("stop", key), ("rm", key), ("trash",)):
        out = shell.good(*args)
        assert "\x1b" not in out and "\u202e" not in out and "a\\x1b[2Jb\\u202e" in out
