"""A process that reads media cannot do more than its one request may."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import pytest
from tests import mediafiles
from tests.unit.services.stream.files import Held

from wildbach.services.stream import mediaprocess
from wildbach.services.stream.mediaprocess import MediaError, MediaProcess
from wildbach.services.stream.mediatalk import Done, Give, ProbeOrder, Want, frame

PROBE = ProbeOrder()


def test_a_process_has_bounds_and_nothing_of_ours() -> None:
    async def main() -> None:
        os.environ["WILDBACH_SECRET"] = "s3cret"
        file = Held.of(mediafiles.mp4(), most=1000)
        file.here = 1000
        process = await MediaProcess.start(file.tag, file.size)
        task = asyncio.get_running_loop().create_task(process.run(PROBE, file))
        await file.waits.wait()
        proc = Path("/proc") / str(process.pid)
        limits = proc.joinpath("limits").read_text()
        environ = proc.joinpath("environ").read_bytes()
        file.comes(file.size)
        await task
        await process.close()
        rows = {line[:26].strip(): line[26:].split() for line in limits.splitlines()}
        assert rows["Max file size"][0] == "0"
        assert rows["Max core file size"][0] == "0"
        assert rows["Max address space"][0] == str(2 << 30)
        assert rows["Max open files"][0] == "64"
        assert rows["Max cpu time"][0] != "unlimited"
        assert b"s3cret" not in environ

    try:
        asyncio.run(main())
    finally:
        os.environ.pop("WILDBACH_SECRET")


async def hostile(script: str) -> MediaProcess:
    """A process that says what the test wants."""
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", f"import sys, time\nout = sys.stdout.buffer\n{script}\nout.flush(); time.sleep(60)",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    return MediaProcess(child, "x", seconds=10.0)


@pytest.mark.parametrize("script", [
    "out.write(b'\\xff' * 8)",
    "out.write((1 << 30).to_bytes(4) + (0).to_bytes(4))",
    "out.write((2).to_bytes(4) + (0).to_bytes(4) + b'no')",
    f"out.write({frame(Want(1 << 40, 100))!r})",
    f"out.write({frame(Want(-5, 100))!r})",
    f"out.write({frame(Want(0, 1 << 30))!r})",
    f"out.write({frame(Give())!r})",
    "sys.exit()",
])
def test_one_that_breaks_the_rules_is_killed(script: str) -> None:
    async def main() -> None:
        process = await hostile(script)
        with pytest.raises(MediaError) as broken:
            await process.run(PROBE, Held(b"x" * 100))
        assert broken.value.code == "media_crashed"
        assert not process.alive
        await process.close()

    asyncio.run(main())


def test_one_that_asks_without_end_is_ended_by_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mediaprocess, "_RECOVER_SECONDS", 0.2)

    async def main() -> None:
        process = await hostile(
            f"while True: out.write({frame(Want(0, 10))!r}); out.flush(); sys.stdin.buffer.read(10)")
        process._seconds = 0.5
        with pytest.raises(MediaError):
            await process.run(PROBE, Held(b"x" * 100))
        await process.close()

    asyncio.run(main())


def test_an_answer_that_came_in_pieces_is_whole() -> None:
    async def main() -> None:
        process = await hostile(
            f"for byte in {frame(Done(), b'result')!r}: out.write(bytes([byte])); out.flush(); time.sleep(0.002)")
        assert await process.run(PROBE, Held(b"x")) == b"result"
        await process.close()

    asyncio.run(main())
