"""Feeds that are there, and the state of another client."""

from __future__ import annotations

import contextlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

from daemons import Shell
from feedbed import rss
from migrate_states import FILES, content_of, fastresume, torrent, without_layers
from wildbach.interfaces.cli.exits import Exit


@contextlib.contextmanager
def site() -> Iterator[str]:
    """A feed of two articles."""
    body = rss("Series S01E02 1080p", "Other S01E01", torrent=lambda number: f"http://127.0.0.1:9/{number}.torrent")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "application/rss+xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/feed"
        finally:
            server.shutdown()
            thread.join()


def test_articles_are_shown_and_a_rule_says_which_it_takes(shell: Shell) -> None:
    with site() as url:
        shell.good("rss", "add", url, "tv")
        shell.house.until(lambda api: bool(list(api.feed_service.articles(()))))
        out = shell.good("rss", "articles")
        assert "Series S01E02 1080p" in out
        assert {one["title"] for one in shell.json("rss", "articles", "tv", "--unread")} == {
            "Series S01E02 1080p", "Other S01E01"}
        assert "1 of 2; --limit shows more" in shell.good("rss", "articles", "--limit", "1")
        shell.good("rss", "rules", "set", "series", "--contains", "Series 1080p", "--feed", url, "--disabled")
        out = shell.good("rss", "rules", "try", "series", "--all")
        assert out.splitlines()[-1] == "1 of 2 articles would be taken"
        (taken,) = shell.json("rss", "rules", "try", "series")
        assert taken["title"] == "Series S01E02 1080p" and taken["matches"]
        shell.good("rss", "articles", "--read")
        assert shell.json("rss", "articles", "--unread") == [] and shell.json("rss")[0]["unread"] == 0


def test_torrents_of_another_client_are_taken_on_and_what_cannot_be_read_is_named(
    shell: Shell, tmp_path: Path,
) -> None:
    made = torrent()
    assert made.info.hashes.v1 is not None
    name = made.info.hashes.v1.hex()
    folder = tmp_path / "BT_backup"
    folder.mkdir()
    for path, size in FILES.items():
        place = tmp_path / "data" / "thing" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content_of(path, size))
    (folder / f"{name}.torrent").write_bytes(without_layers(made))
    (folder / f"{name}.fastresume").write_bytes(fastresume(
        made, save_path=b"D:\\data", qBt_savePath=b"D:\\data", qBt_category=b"films", qBt_tags=[b"x"]))
    mapped = ("import", "BT_backup", "--map", f"D:\\data={tmp_path / 'data'}")
    out = shell.good(*mapped, "--dry-run")
    assert out.startswith(f"qBittorrent at {folder}: 1 torrent\n") and "would be added: 1 torrent" in out
    assert shell.json("ls") == []
    assert "added: 1 torrent" in shell.good(*mapped)
    (row,) = shell.json("ls")
    assert (row["name"], row["category"], row["tags"]) == ("thing", "films", ["x"])
    (job,) = shell.json(*mapped)
    assert job["state"] == "done" and job["result"]["there"] == 1
    (folder / ("b" * 40 + ".torrent")).write_bytes(b"nonsense")
    code, out = shell.run(*mapped)
    assert code == Exit.FAILED and "b" * 40 in shell.err and "1 are there already" in out


