"""`wildbach demo --paid`: a chain and three daemons in one process, settled to the SUN."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest

from cli_process import Command, events


@pytest.mark.slow
@pytest.mark.skipif(find_spec("eth") is None, reason="py-evm (the extra devchain) is missing")
def test_one_earns_what_another_pays(tmp_path: Path) -> None:
    command = Command(tmp_path)
    command.env["TMPDIR"] = str(tmp_path)
    done = command.run("demo", "--paid", "--size", "24M", "--seconds", "5", "--json", timeout=300)
    assert done.returncode == 0, done.stderr + done.stdout
    lines = events(done.stdout)
    last = lines[-1]
    assert last["event"] == "finished" and last["good"] and last["paid"] > 1_000_000
    compared = [line for line in lines if "books" in line]
    assert len(compared) == 2 and all(line["books"] == line["chain"] for line in compared)
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("wildbach-demo-")]


def test_it_makes_up_its_own_content(tmp_path: Path) -> None:
    (tmp_path / "mine").write_bytes(b"x")
    done = Command(tmp_path).run("demo", "--paid", tmp_path / "mine")
    assert done.returncode == 2 and "makes up its own content" in done.stderr
