from __future__ import annotations

import asyncio
import json
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base import limits
from wildbach.base.errors import UsageError
from wildbach.interfaces.cli import players
from wildbach.interfaces.cli.players import Ask, Seen

URL = "http://127.0.0.1:9092/token/0/-%20--script%3Dx.mkv"


def test_what_comes_from_a_torrent_is_never_an_option() -> None:
    ask = Ask(URL, "--script=evil\x1b[0m", 12.5, "de", ("http://x/1.srt", "/mnt/a.srt"), "en", -1.5, 1.25)
    made = players.mpv_arguments("/usr/bin/mpv", ask, "/tmp/s")
    assert made[0] == "/usr/bin/mpv" and made[-2:] == ["--", URL]
    assert {"--start=12.500", "--alang=de", "--sub-file=http://x/1.srt", "--sub-file=/mnt/a.srt", "--slang=en",
            "--sub-delay=-1.500", "--speed=1.25", "--input-ipc-server=/tmp/s"} <= set(made)
    assert r"--force-media-title=--script=evil\x1b[0m" in made and "--title=${media-title}" in made
    assert not any(one.startswith("--script") for one in made)
    made = players.vlc_arguments("vlc", ask)
    assert made[-2:] == [URL, ":demux=mkv"] and "--start-time=12.500" in made and "--input-slave=http://x/1.srt" in made


@pytest.mark.parametrize(
    ("name", "demuxer"), [("a.mp4", "mp4"), ("A.M4V", "mp4"), ("a.webm", "mkv"), ("a.mp3", "es"), ("a.m2ts", "ts")])
def test_vlc_reads_a_file_as_what_its_name_says(name: str, demuxer: str) -> None:
    assert players.vlc_arguments("vlc", Ask(f"http://127.0.0.1/t/0/{name}", "x"))[-1] == f":demux={demuxer}"


@pytest.mark.parametrize("name", ["a.m3u8", "a.flv", "a", "a.mp4.pls"])
def test_vlc_gets_nothing_that_it_might_follow(name: str) -> None:
    with pytest.raises(UsageError):
        players.vlc_arguments("vlc", Ask(f"http://127.0.0.1/t/0/{name}", "x"))


def test_what_is_not_asked_for_is_left_to_the_player() -> None:
    made = players.mpv_arguments("mpv", Ask(URL, "x"), "s")
    assert not any(one.startswith(("--start", "--alang", "--sub", "--slang", "--speed")) for one in made)


def test_a_player_that_is_not_there_is_named_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    for name in ("mpv", "vlc"):
        with pytest.raises(UsageError, match=f"{name} is not installed: install it"):
            players.find(name)
    assert players.first_there() == "browser"


def line(**said: object) -> bytes:
    return json.dumps(said).encode() + b"\n"


def test_mpv_tells_where_it_is_and_how_it_ended() -> None:
    seen = Seen()
    for name, data in (
        ("time-pos", 12.5), ("duration", 100), ("speed", 1.5), ("sub-delay", -2.0), ("current-tracks/audio/lang", "de"),
        ("current-tracks/sub/lang", None), ("time-pos", None), ("volume", 50), ("speed", 1e9), ("duration", "x"),
    ):
        seen.take(line(event="property-change", name=name, data=data))
    assert seen.values == {
        "seconds": 12.5, "duration": 100.0, "speed": 1.5, "subtitle_offset": -2.0, "audio": "de"}
    seen.take(line(event="end-file", reason="quit"))
    assert not seen.ended
    seen.take(line(event="end-file", reason="eof"))
    assert seen.ended and seen.values["done"] is True
    seen.take(line(event="end-file", reason="error", file_error="loading failed"))
    assert seen.failed == "loading failed"


@given(st.binary(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(["event", "name", "data", "reason", "file_error"]), inner, max_size=5), max_leaves=10,
).map(lambda value: json.dumps(value).encode()))
def test_whatever_a_player_says_values_stay_possible(raw: bytes) -> None:
    seen = Seen()
    seen.take(raw)
    seen.take(raw.replace(b'"event"', b'"event": "property-change", "x"'))
    assert set(seen.values) <= {"seconds", "duration", "speed", "subtitle_offset", "audio", "subtitle", "done"}
    assert len(seen.failed) <= limits.PLAY_TEXT_CHARS


def test_a_program_that_does_not_end_is_made_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(players, "_END_SECONDS", 0.2)
    stubborn = tmp_path / "stubborn"
    stubborn.write_text("#!/bin/sh\ntrap '' TERM\necho up > \"$1\"\nwhile :; do sleep 1; done\n")
    stubborn.chmod(stubborn.stat().st_mode | stat.S_IXUSR)
    mark = tmp_path / "mark"

    async def main() -> None:
        async with players.running([str(stubborn), str(mark)]) as process:
            async with asyncio.timeout(10):
                while not mark.exists():
                    await asyncio.sleep(0.01)
        assert process.returncode == -9
    asyncio.run(main())


def test_one_that_cannot_be_started_says_so(tmp_path: Path) -> None:
    async def main() -> None:
        with pytest.raises(UsageError, match="cannot be started"):
            async with players.running([str(tmp_path / "nothing")]):
                pass
    asyncio.run(main())
