"""A daemon that keeps many small files costs little memory, finds in little time that nothing changed, and never keeps
its loop: a tenth of what `make bench ARGS="--only sync_size"` measures."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests import pace, syncload

from syncdaemons import until

pytestmark = [pytest.mark.goal, pytest.mark.timeout(300)]

FILES = 10_000
RESCAN_EACH = 5.0 / 100_000
"Seconds of the processor; 5 s are wanted for 100,000."
ASKING = 0.1
"Seconds of the processor that a rescan may take whatever it finds: the questions of the test are among that."
MEMORY_MB = 160
"300 are wanted with 100,000 files; the program and what it remembers of files at most are here already."


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_many_small_files_cost_little(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = syncload.Watched(tmp_path, "one")
    syncload.small_files(one.files, FILES)
    one.start()
    try:
        with one.measured() as index:
            one.create()
            until(lambda: one.has(FILES), "all is indexed", 200)
        rescans = []
        for _ in range(3):
            with one.measured() as rescan:
                one.rescan()
            rescans.append(rescan)
        machine = pace.factor()
    finally:
        one.stop()
    best = min(rescans, key=lambda each: each.cpu)
    with capsys.disabled():
        print(f"\n{FILES} files: first index {index}\n  rescan {best}")
    assert one.bugs() == []
    assert max(each.peak for each in rescans) <= MEMORY_MB
    assert best.cpu <= (FILES * RESCAN_EACH + ASKING) * machine
    assert max(each.turn for each in (index, *rescans)) <= 50 * machine
