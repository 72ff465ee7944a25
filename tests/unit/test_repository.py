"""What must hold for the repository as a whole."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Joined here, so that this file does not name them itself.
REGISTRY_HOSTS = ["pypi" + ".org", "python" + "hosted.org", "npm" + "js.org", "npm" + "js.com", "deb." + "debian.org"]
MACHINE_PATHS = ["/root" + "/", "/work" + "/", "/home" + "/", "/opt/" + "pypi", "/tmp" + "/wb"]


def tracked_texts() -> list[tuple[str, str]]:
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listed = subprocess.run(
        ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True,
    ).stdout.decode().split("\0")
    texts = []
    for name in listed:
        path = ROOT / name
        if name and path.is_file():
            data = path.read_bytes()
            if b"\0" not in data[:8192]:
                texts.append((name, data.decode("utf-8", "replace")))
    return texts


def mentions(words: list[str]) -> list[str]:
    pattern = re.compile("|".join(rf"(?<![\w.]){re.escape(word)}" for word in words))
    return [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in tracked_texts()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def test_no_file_names_a_package_registry() -> None:
    assert mentions([*REGISTRY_HOSTS, *("files." + host for host in REGISTRY_HOSTS)]) == []


def test_no_file_names_a_path_of_the_machine_it_was_written_on() -> None:
    assert mentions(MACHINE_PATHS) == []


@pytest.mark.parametrize("lock", ["runtime.lock", "dev.lock", "web.lock"])
def test_locks_pin_every_requirement_by_hash_and_name_no_host(lock: str) -> None:
    text = (ROOT / "requirements" / lock).read_text()
    assert "://" not in text
    lines = [line for line in text.replace("\\\n", " ").splitlines() if re.match(r"[A-Za-z0-9]", line)]
    assert lines
    for line in lines:
        assert re.match(r"[A-Za-z0-9._-]+==\S+", line), line[:80]
        assert "--hash=sha256:" in line, line[:80]


@pytest.mark.parametrize("lock", ["runtime.lock", "dev.lock"])
def test_locks_hold_every_dependency_of_the_project(lock: str) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    locked = set(re.findall(r"^([A-Za-z0-9._-]+)==", (ROOT / "requirements" / lock).read_text(), re.MULTILINE))
    wanted = {re.split(r"[<>=!~ ;\[]", line, maxsplit=1)[0].lower() for line in project["dependencies"]}
    assert wanted <= locked
