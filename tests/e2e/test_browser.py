"""The web UI in Chromium, against real daemons and real swarms. What is done there stands in web/e2e."""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
E2E = ROOT / "web" / "e2e"
SCRIPTS = sorted(path.name for path in E2E.glob("*.test.mjs"))
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or ""
WILDBACH = Path(sys.executable).with_name("wildbach")

pytestmark = [
    pytest.mark.slow, pytest.mark.timeout(600),
    pytest.mark.skipif(not CHROMIUM, reason="chromium is not installed"),
    pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed"),
]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The UI as its sources are now, with what tests it. Workers of the tests wait for each other."""
    lock = tmp_path_factory.getbasetemp().parent / "web.lock"
    with open(lock, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        subprocess.run(["make", "web"], cwd=ROOT, check=True, capture_output=True)
        if not (ROOT / "web" / "node_modules" / "axe-core").exists():
            subprocess.run(["npm", "ci"], cwd=ROOT / "web", check=True, capture_output=True)
    yield


def test_there_are_scripts() -> None:
    assert SCRIPTS


@pytest.mark.parametrize("script", SCRIPTS)
def test_in_the_browser(script: str, built: None, tmp_path: Path) -> None:
    ended = subprocess.run(
        ["node", "--test", "--test-reporter=tap", str(E2E / script)], cwd=E2E, capture_output=True, text=True,
        env={**os.environ, "WILDBACH": str(WILDBACH), "CHROMIUM": CHROMIUM, "HOME": str(tmp_path)},
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    # Scripts that find nothing to do have shown nothing.
    assert re.search(r"^# pass [1-9]", ended.stdout, re.MULTILINE), ended.stdout


def test_the_parts_of_the_page_pass_their_own_tests(built: None) -> None:
    for words in (["npx", "vitest", "run"], ["npm", "run", "check"]):
        ended = subprocess.run(words, cwd=ROOT / "web", capture_output=True, text=True)
        assert ended.returncode == 0, ended.stdout + ended.stderr
