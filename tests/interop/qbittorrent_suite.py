"""The test suite in the source distribution of qbittorrent-api, pointed at a server of ours or at qBittorrent itself.

It is written for one host that has the Internet and a container's folders. What it needs from there is served here:
addresses are put in their place in a copy of it, and nothing else.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import threading
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.interop.peers.base import free_port

ROOT = Path(__file__).parents[2]
PINNED = ROOT / "requirements" / "qbittorrent-api.txt"
_FEED = """<?xml version="1.0"?>
<rss version="2.0"><channel><title>DistroWatch - Torrents</title><link>http://feeds.example/</link>
<description>Torrents</description>
<item><title>one.iso.torrent</title><link>http://feeds.example/one.torrent</link>
<guid>http://feeds.example/one</guid><pubDate>Mon, 02 Nov 2026 10:00:00 GMT</pubDate></item>
<item><title>two.iso.torrent</title><link>http://feeds.example/two.torrent</link>
<guid>http://feeds.example/two</guid><pubDate>Tue, 03 Nov 2026 10:00:00 GMT</pubDate></item>
</channel></rss>
"""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of each test, by its name; why, for those that failed or were skipped."""

    passed: frozenset[str]
    failed: dict[str, str]
    skipped: dict[str, str]

    def with_second(self, second: Outcome) -> Outcome:
        """What came of all, with a second try of some."""
        failed = {name: why for name, why in self.failed.items() if name not in second.passed}
        return Outcome(self.passed | second.passed, failed | second.failed, self.skipped)


def source(into: Path) -> Path:
    """The suite's folder, fetched and unpacked. Skips the test where there is no way to it."""
    fetched = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet", "--no-binary", ":all:",
         "--no-deps", "--require-hashes", "-r", str(PINNED), "-d", str(into)],
        capture_output=True, text=True,
    )
    archives = list(into.glob("qbittorrent_api-*.tar.gz"))
    if not archives:
        pytest.skip(f"qbittorrent-api cannot be fetched: {fetched.stderr.strip()[-300:]}")
    with tarfile.open(archives[0]) as archive:
        archive.extractall(into, filter="data")
    # It looks at the name of its folder.
    return next(path for path in into.iterdir() if path.is_dir()).rename(into / "qbittorrent-api")


@contextmanager
def placed(suite: Path, work: Path, port: int) -> Iterator[Path]:
    """A copy of the suite that speaks to `port`, and to this machine instead of the Internet, while it is served."""
    copy = work / "qbittorrent-api"
    shutil.copytree(suite, copy)
    resources = copy / "tests" / "_resources"
    (resources / "rss.xml").write_text(_FEED)
    (resources / "therarbg.py").write_text(_PLUGIN)
    empty = work / "empty-dir"
    empty.mkdir()
    (empty / "file").write_text("content")
    handler = partial(_Quiet, directory=str(resources))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        here = f"http://127.0.0.1:{server.server_address[1]}"
        nobody = str(free_port())
        for path in (copy / "tests").glob("*.py"):
            text = path.read_text()
            text = text.replace("https://github.com/rmartin16/qbittorrent-api/raw/main/tests/_resources", here)
            text = re.sub(r'"https://gist\.githubusercontent\.com/[^"]*"\s*"[^"]*rss\.xml"', f'"{here}/rss.xml"', text)
            text = re.sub(r'"https://raw\.githubusercontent\.com/[^"]*/therarbg\.py"', f'"{here}/therarbg.py"', text)
            text = re.sub(r"(localhost:|port=)8080", rf"\g<1>{port}", text)
            text = re.sub(r"(localhost:|port=)8081", rf"\g<1>{nobody}", text)
            text = text.replace('"/tmp/_resources/', f'"{resources}/').replace('"/tmp", "_resources"', f'"{resources}"')
            # Trackers are URLs here.
            text = re.sub(r'^(?!.*(?:peers|:\d{4})).*$', _trackers, text, flags=re.MULTILINE)
            text = text.replace('"/empty-dir"', f'"{empty}"')
            path.write_text(text)
        try:
            yield copy
        finally:
            server.shutdown()
            thread.join()


def _trackers(line: re.Match[str]) -> str:
    return re.sub(r'"(127(?:\.\d+){3})"', r'"http://\1/announce"', line[0])


_PLUGIN = """# VERSION: 1.0
class therarbg(object):
    url = 'http://127.0.0.1/'
    name = 'therarbg'
    supported_categories = {'all': '0'}

    def search(self, what, cat='all'):
        pass
"""


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def run(
    suite: Path, port: int, version: str, user: str, password: str, *, only: tuple[str, ...] = (),
    without: Sequence[str] = (), seconds: float = 600.0,
) -> Outcome:
    """All of the suite that speaks to a server, or the tests that `only` names; those of `without` are not run."""
    report = suite / "report.xml"
    env = {name: value for name, value in os.environ.items() if name != "CI" and not name.startswith("PYTEST")}
    env |= {
        "PYTHONPATH": str(suite / "src"), "QBITTORRENTAPI_HOST": f"localhost:{port}", "QBITTORRENTAPI_USERNAME": user,
        "QBITTORRENTAPI_PASSWORD": password, "QBT_VER": version, "no_proxy": "*", "HOME": str(suite.parent),
    }
    log = suite / "suite.log"
    with log.open("wb") as file:
        subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-o", "addopts=", "-p", "no:cacheprovider", "-p", "no:xdist",
             "-m", "not offline", "--tb=short", f"--junitxml={report}",
             *(f"--deselect=tests/{name}" for name in without), *(only or ("tests",))],
            cwd=suite, env=env, stdout=file, stderr=subprocess.STDOUT, timeout=seconds,
        )
    assert report.exists(), log.read_text()[-4000:]
    return read(report, log)


def read(report: Path, log: Path) -> Outcome:
    passed: set[str] = set()
    failed: dict[str, str] = {}
    skipped: dict[str, str] = {}
    for case in ET.parse(report).getroot().iter("testcase"):
        name = f"{case.get('classname', '').removeprefix('tests.')}::{case.get('name')}"
        name = re.sub(r"localhost:\d+", "localhost", name)
        fault = case.find("failure")
        fault = case.find("error") if fault is None else fault
        skip = case.find("skipped")
        if fault is not None:
            failed[name] = (fault.get("message") or "")[:500]
        elif skip is not None:
            skipped[name] = skip.get("message") or ""
        else:
            passed.add(name)
    assert passed or failed, log.read_text()[-4000:]
    return Outcome(frozenset(passed - failed.keys()), failed, skipped)
