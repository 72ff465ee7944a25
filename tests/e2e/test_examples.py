"""The programs of examples/ and the code of the README and of docs/library.md run, as they stand."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from tests import mediafiles

from cli_process import SOURCE, Command
from cli_torrents import torrent_of, write_content
from wildbach.interfaces.cli import main
from wildbach.protocol.metainfo import Magnet, Metainfo

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "examples"
FILES = {("a.bin",): bytes(range(256)) * 2000, ("sub", "b.txt"): b"hello\n"}
NAME = "linux"

SITE = """
# Puts sessions of documentation on loopback, with the seed of the test as their first peer.
import os
import wildbach
from wildbach.engine.settings import ConnectionSettings

real = wildbach.Session
loopback = wildbach.Settings(connections=ConnectionSettings(listen=("127.0.0.1:0",)))

class Session(real):
    def __init__(self, settings=None, **seams):
        super().__init__(settings or loopback, **seams)

    async def add(self, source, options=None):
        torrent = await super().add(source, options)
        host, port = os.environ["TEST_PEER"].rsplit(":", 1)
        torrent.add_peer(wildbach.Endpoint(host, int(port)))
        return torrent

wildbach.Session = Session
"""


def run(code: list[str], folder: Path, peer: str = "127.0.0.1:1") -> subprocess.CompletedProcess[str]:
    """A program whose sessions listen on loopback and know `peer`."""
    (folder / "site").mkdir(exist_ok=True)
    (folder / "site" / "sitecustomize.py").write_text(SITE)
    env = os.environ | {"PYTHONPATH": f"{SOURCE}{os.pathsep}{folder / 'site'}", "TEST_PEER": peer}
    return subprocess.run(
        [sys.executable, *code], capture_output=True, text=True, timeout=60, cwd=folder, env=env
    )


@pytest.fixture
def stage(tmp_path: Path) -> tuple[Path, Metainfo]:
    torrent = torrent_of(FILES, name=NAME)
    write_content(tmp_path / "src" / NAME, FILES)
    (tmp_path / f"{NAME}.torrent").write_bytes(torrent.to_bytes())
    return tmp_path, torrent


def has_copy(folder: Path) -> bool:
    return all(folder.joinpath(NAME, *parts).read_bytes() == data for parts, data in FILES.items())


def test_each_example_has_10_to_60_lines_and_says_how_it_is_called() -> None:
    programs = sorted(EXAMPLES.glob("*.py"))
    assert len(programs) == 7
    for program in programs:
        text = program.read_text(encoding="utf-8")
        assert 10 <= len(text.splitlines()) <= 60, program.name
        assert f"python {program.name}" in text.split('"""')[1]


def test_download_magnet(stage: tuple[Path, Metainfo]) -> None:
    folder, torrent = stage
    link = Magnet(torrent.info.hashes, name=NAME).to_uri()
    with Command(folder).seed(folder / f"{NAME}.torrent", folder / "src") as peer:
        done = run([str(EXAMPLES / "download_magnet.py"), link, "out"], folder, peer)
    assert done.returncode == 0, done.stderr
    assert "name: linux" in done.stdout and "complete: out/linux" in done.stdout
    assert has_copy(folder / "out")


def test_inspect_torrent(stage: tuple[Path, Metainfo]) -> None:
    folder, torrent = stage
    done = run([str(EXAMPLES / "inspect_torrent.py"), f"{NAME}.torrent"], folder)
    assert done.returncode == 0, done.stderr
    assert torrent.info.hashes.key in done.stdout and "sub/b.txt" in done.stdout
    (folder / "bad").write_bytes(b"de")
    assert "not a good torrent" in run([str(EXAMPLES / "inspect_torrent.py"), "bad"], folder).stderr


def test_read_while_it_comes(tmp_path: Path) -> None:
    film = mediafiles.mp4("first", seconds=20.0, bit_rate=1_000_000)
    files = {(film.name,): film.read_bytes()}
    torrent = torrent_of(files, name=NAME)
    write_content(tmp_path / "src" / NAME, files)
    (tmp_path / "film.torrent").write_bytes(torrent.to_bytes())
    with Command(tmp_path).seed(tmp_path / "film.torrent", tmp_path / "src") as peer:
        done = run([str(EXAMPLES / "read_while_it_comes.py"), "film.torrent", "out"], tmp_path, peer)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == "20 seconds" and lines[1].startswith("second 0:") and lines[2].startswith("second 10:")
    assert all(60_000 < int(line.split()[2]) < 250_000 for line in lines[1:]), "one Mbit is 125,000 bytes"


def test_seed_folder(stage: tuple[Path, Metainfo]) -> None:
    folder, _ = stage
    (folder / "site").mkdir()
    (folder / "site" / "sitecustomize.py").write_text(SITE)
    env = os.environ | {"PYTHONPATH": f"{SOURCE}{os.pathsep}{folder / 'site'}", "TEST_PEER": "127.0.0.1:1"}
    with subprocess.Popen(
        [sys.executable, str(EXAMPLES / "seed_folder.py"), f"src/{NAME}"], stdout=subprocess.PIPE, text=True,
        cwd=folder, env=env,
    ) as seed:
        try:
            assert seed.stdout is not None
            peer = seed.stdout.readline().strip().rpartition(" ")[2]
            got = Command(folder).run(
                "get", f"{NAME}.torrent", "-o", "out", "--peer", peer, "--listen", "127.0.0.1:0", "--timeout", "20"
            )
            assert got.returncode == 0, got.stderr
        finally:
            seed.send_signal(signal.SIGINT)
        assert seed.wait(60) == 0
    assert has_copy(folder / "out")


def test_several_with_limits(stage: tuple[Path, Metainfo]) -> None:
    folder, _ = stage
    other = torrent_of({("other.bin",): b"o" * 100_000}, name="other")
    write_content(folder / "src" / "other", {("other.bin",): b"o" * 100_000})
    (folder / "other.torrent").write_bytes(other.to_bytes())
    command = Command(folder)
    with command.start(
        "seed", f"{NAME}.torrent", "other.torrent", "--data", "src", "--listen", "127.0.0.1:0"
    ) as seed:
        assert seed.stdout is not None
        peer = seed.stdout.readline().strip().rpartition(" ")[2]
        done = run([str(EXAMPLES / "several_with_limits.py"), "out", f"{NAME}.torrent", "other.torrent"], folder, peer)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(": complete, ") == 2
    assert has_copy(folder / "out")


def test_swarm_in_one_process(stage: tuple[Path, Metainfo]) -> None:
    folder, _ = stage
    done = run([str(EXAMPLES / "swarm_in_one_process.py"), f"{NAME}.torrent", "src", "work"], folder)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("complete:") == 2
    assert has_copy(folder / "work" / "one") and has_copy(folder / "work" / "two")


def test_publish_and_follow(stage: tuple[Path, Metainfo]) -> None:
    folder, _ = stage
    done = run([str(EXAMPLES / "publish_and_follow.py"), f"{NAME}.torrent", "src", "work"], folder)
    assert done.returncode == 0, done.stderr
    assert "link: magnet:?xs=urn:btpk:" in done.stdout and "number 1" in done.stdout
    assert has_copy(folder / "work" / "copy")


def blocks() -> list[tuple[str, str]]:
    found = []
    for page in (ROOT / "README.md", ROOT / "docs" / "library.md"):
        text = page.read_text(encoding="utf-8")
        named = re.findall(r"<!-- test: (\w+) -->\n```python\n(.*?)```", text, re.DOTALL)
        assert len(named) == text.count("```python"), f"{page.name} has Python that no test runs"
        found += [(f"{page.name}:{name}", textwrap.dedent(code)) for name, code in named]
    return found


@pytest.mark.parametrize("code", [code for _, code in blocks()], ids=[name for name, _ in blocks()])
def test_the_code_of_the_pages_runs(code: str, stage: tuple[Path, Metainfo]) -> None:
    folder, _ = stage
    (folder / "block.py").write_text(code)
    with Command(folder).seed(folder / f"{NAME}.torrent", folder / "src") as peer:
        done = run(["block.py"], folder, peer)
    assert done.returncode == 0, done.stderr
    if 'save_path=Path("downloads")' in code:
        assert has_copy(folder / "downloads")


def test_the_commands_of_the_pages_exist(capsys: pytest.CaptureFixture[str]) -> None:
    helps: dict[tuple[str, ...], str] = {}
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for line in re.findall(r"^\$ wildbach (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE):
            words = re.findall(r"(?<=\s)--[a-z-]+", line)
            name, *more = line.split()
            if name == "#":
                continue  # `wildbach` alone
            path: tuple[str, ...] = (name,)
            while True:
                if path not in helps:
                    main.run([*path, "--help"])
                    helps[path] = capsys.readouterr().out
                shown = helps[path]
                below = shown.partition("\nCommands:\n")[2]
                if not more or not re.search(rf"^  {re.escape(more[0])}( |$)", below, re.MULTILINE):
                    break
                path = (*path, more.pop(0))
            assert "Usage: wildbach" in shown, f"{page.name}: {line}"
            assert all(word in shown for word in words), f"{page.name}: {line}"
