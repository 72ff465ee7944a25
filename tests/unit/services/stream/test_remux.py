"""Films become segments that a browser joins without a seam, whatever the film is, and whatever happens to it."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import random
import signal
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import pytest
from tests import mediafiles
from tests.mediafiles import Shape, Sound, Words
from tests.unit.services.stream.files import Endless, Held
from tests.unit.services.stream.remuxing import served

from wildbach.base import limits
from wildbach.base.errors import StorageError, UsageError
from wildbach.runtime.tasks import Scope
from wildbach.services.stream import hls
from wildbach.services.stream.mediaprocess import MediaError
from wildbach.services.stream.mediatalk import WANT_BYTES
from wildbach.services.stream.remux import Remuxer


async def whole(remuxer: Remuxer, file: Any, choice: hls.Choice, order: list[int] | None = None) -> bytes:
    """All segments, asked for in an order of the test's, put one behind the other."""
    count = len((await remuxer.probe(file)).plan.starts)
    made = {number: await remuxer.segment(file, choice, number) for number in order or range(count)}
    return await remuxer.init(file, choice) + b"".join(made[number] for number in sorted(made))


def times(film: bytes, kind: str) -> list[float]:
    """When each packet of the first track of that kind is shown, in order."""
    with av.open(io.BytesIO(film)) as opened:
        track = getattr(opened.streams, kind)[0]
        found = [packet.pts * track.time_base for packet in opened.demux(track) if packet.pts is not None]
    return [float(time) for time in sorted(found)]


def pictures(film: bytes) -> list[tuple[float, float]]:
    """Each picture: when it is shown, and its mean brightness."""
    with av.open(io.BytesIO(film)) as opened:
        return [(frame.time, _mean(frame)) for frame in opened.decode(video=0)]


def _mean(frame: Any) -> float:
    plane = frame.planes[0]
    data = bytes(plane)
    rows = [data[row * plane.line_size:row * plane.line_size + frame.width] for row in range(0, frame.height, 4)]
    return sum(map(sum, rows)) / sum(map(len, rows))


def assert_even(found: list[float], step: float) -> None:
    gaps = [later - earlier for earlier, later in pairwise(found)]
    assert max(gaps) < step * 1.5, max(gaps)
    assert min(gaps) > step * 0.5, min(gaps)


FILMS = {
    "mkv": mediafiles.mkv,
    "mkv with pictures that refer to later ones": lambda: mediafiles.mkv(bframes=2, fps=25),
    "mp4": lambda: mediafiles.mp4("first", bframes=2),
    "mp4 with its index at the end": lambda: mediafiles.mp4("last"),
    "fragments": lambda: mediafiles.mp4("fragments"),
    "fragments with an index": lambda: mediafiles.mp4("sidx"),
    "a transport stream": lambda: mediafiles.film(Shape(container="mpegts", sounds=(Sound("ac3"),), fps=25, bframes=2)),
    "long groups": lambda: mediafiles.mkv(gop=10.0, seconds=25.0),
}


@pytest.mark.parametrize("name", FILMS)
@served
async def test_segments_join_without_a_seam_in_whatever_order_they_were_made(remuxer: Remuxer, name: str) -> None:
    path = FILMS[name]()
    file = Held.of(path)
    probe = await remuxer.probe(file)
    count = len(probe.plan.starts)
    order = sorted(range(count), key=lambda number: number * 7 % 5)

    film = await whole(remuxer, file, hls.choose(probe), order)

    rate = probe.of("video")[0].rate
    with av.open(str(path)) as source:
        packets = sum(1 for packet in source.demux(source.streams.video[0]) if packet.size)
    shown = times(film, "video")
    assert len(shown) == packets
    assert_even(shown, 1 / rate)
    heard = times(film, "audio")
    assert_even(heard, 1024 / 48_000)
    assert abs(heard[-1] - shown[-1]) < 0.2
    seen = pictures(film)
    assert len(seen) == packets
    lag = seen[0][0]
    assert all(abs(light - mediafiles.brightness(time - lag)) < 14 for time, light in seen)


@served
async def test_a_film_is_told_of_in_the_words_of_browsers(remuxer: Remuxer) -> None:
    probe = await remuxer.probe(Held.of(mediafiles.mkv()))

    video, original, dubbed, english, german = probe.tracks
    assert (video.kind, video.codec, video.width, video.height, video.copied) == ("video", "h264", 160, 96, True)
    assert video.codecs.startswith("avc1.")
    assert (original.codec, original.codecs, original.language, original.copied) == ("ac3", "ac-3", "eng", False)
    assert (original.title, dubbed.title) == ("Original", "Synchronfassung")
    assert (dubbed.codecs, dubbed.copied) == ("mp4a.40.2", True)
    assert [(track.codec, track.text, track.language) for track in (english, german)] == [
        ("subrip", True, "eng"), ("ass", True, "ger")]
    assert probe.plan.exact
    assert abs(probe.duration - 20) < 0.2
    assert (await remuxer.probe(Held.of(mediafiles.mp4()))).mime.startswith('video/mp4; codecs="avc1.')


@served
async def test_the_sound_that_was_chosen_is_the_sound_that_is_heard(remuxer: Remuxer) -> None:
    file = Held.of(mediafiles.mkv(seconds=6.0))
    probe = await remuxer.probe(file)

    for track, pitch in zip(probe.of("audio"), (220, 440), strict=True):
        film = await whole(remuxer, file, hls.choose(probe, audio=track.index))
        assert _pitch(film) == pytest.approx(pitch, rel=0.03)


def _pitch(film: bytes) -> float:
    """Of the middle second, by how often it goes through 0."""
    with av.open(io.BytesIO(film)) as opened:
        rate = opened.streams.audio[0].rate
        values: list[float] = []
        for frame in opened.decode(audio=0):
            plane = memoryview(bytes(frame.planes[0])).cast("f")
            values += plane[:frame.samples]
    middle = values[2 * rate:3 * rate]
    return sum(1 for a, b in pairwise(middle) if a < 0 <= b)


@served
async def test_sound_that_was_made_anew_has_no_click_where_segments_join(remuxer: Remuxer) -> None:
    file = Held.of(mediafiles.mkv())
    probe = await remuxer.probe(file)

    film = await whole(remuxer, file, hls.choose(probe), [4, 2, 0, 3, 1])

    with av.open(io.BytesIO(film)) as opened:
        values: list[float] = []
        for frame in opened.decode(audio=0):
            values += memoryview(bytes(frame.planes[0])).cast("f")[:frame.samples]
    # A tone of 220 Hz at 0.3 moves by 0.009 a sample; a seam would be a step.
    steps = [abs(b - a) for a, b in pairwise(values[4096:-8192])]
    assert max(steps) < 0.02


@served
async def test_pictures_are_made_anew_on_wish_and_no_higher_than_was_asked(remuxer: Remuxer) -> None:
    file = Held.of(mediafiles.film(Shape(size=(640, 480), seconds=9.0, container="matroska", bframes=2)))
    probe = await remuxer.probe(file)

    film = await whole(remuxer, file, hls.choose(probe, height=360), [1, 2, 0])

    with av.open(io.BytesIO(film)) as opened:
        context = opened.streams.video[0].codec_context
        assert (context.name, context.width, context.height) == ("h264", 480, 360)
    seen = pictures(film)
    assert len(seen) == 90
    assert_even([time for time, _ in seen], 0.1)
    assert all(abs(light - mediafiles.brightness(time)) < 14 for time, light in seen)


@served
async def test_pictures_that_no_segment_can_hold_are_only_made_anew(remuxer: Remuxer) -> None:
    file = Held.of(mediafiles.webm(seconds=5.0))
    probe = await remuxer.probe(file)

    with pytest.raises(UsageError) as refused:
        hls.choose(probe)
    film = await whole(remuxer, file, hls.choose(probe, height=720))

    assert refused.value.code == "needs_transcode"
    assert len(pictures(film)) == 50


@pytest.mark.parametrize("kind", ["flac", "ogg", "mka", "mp3"])
@served
async def test_a_song_is_cut_too(remuxer: Remuxer, kind: str) -> None:
    file = Held.of(mediafiles.song(kind))
    probe = await remuxer.probe(file)

    film = await whole(remuxer, file, hls.choose(probe))

    heard = times(film, "audio")
    assert max(b - a for a, b in pairwise(heard)) < 0.03
    assert abs(heard[-1] - 20) < 0.2


@served
async def test_a_segment_needs_its_own_bytes_and_not_those_between(remuxer: Remuxer) -> None:
    path = mediafiles.film(Shape(seconds=60.0, container="matroska", bit_rate=800_000, cues_first=True))
    file = Held.of(path)
    probe = await remuxer.probe(file)
    choice = hls.choose(probe)
    await remuxer.init(file, choice)
    file.asked.clear()

    await remuxer.segment(file, choice, 10)

    read = sum(limit for _, limit in file.asked)
    assert read < file.size / 4


@served
async def test_what_has_not_come_yet_is_waited_for(remuxer: Remuxer) -> None:
    path = mediafiles.mp4("first", seconds=30.0, bit_rate=400_000)
    file = Held.of(path, here=300_000)
    probe = await remuxer.probe(file)
    choice = hls.choose(probe)
    async with Scope("viewer") as viewer:
        made: list[bytes] = []

        async def watch() -> None:
            made.append(await remuxer.segment(file, choice, 5))

        viewer.spawn("watch", watch())
        await file.waits.wait()
        assert not made
        file.comes(file.size)
        while not made:
            await asyncio.sleep(0)
    assert made[0][4:8] == b"moof"


@served
async def test_who_leaves_while_waiting_frees_the_process_for_others(remuxer: Remuxer) -> None:
    file = Held.of(mediafiles.mp4("first", seconds=30.0, bit_rate=400_000), here=300_000)
    choice = hls.choose(await remuxer.probe(file))
    for _ in range(6):
        file.waits.clear()
        async with Scope("viewer") as viewer:

            async def watch() -> None:
                await remuxer.segment(file, choice, 5)

            viewer.spawn("watch", watch())
            await file.waits.wait()

    assert (await remuxer.segment(file, choice, 0))[4:8] == b"moof"
    assert len(remuxer.pool.processes) <= 3


@served
async def test_a_process_that_is_killed_in_the_middle_costs_one_request(remuxer: Remuxer) -> None:
    file = Held.of(mediafiles.mp4("first", seconds=30.0, bit_rate=400_000), here=300_000)
    choice = hls.choose(await remuxer.probe(file))

    async def killed() -> None:
        with pytest.raises(MediaError) as ended:
            await remuxer.segment(file, choice, 5)
        assert ended.value.code == "media_crashed"

    async with Scope("viewer") as viewer:
        lost = viewer.spawn("watch", killed())
        await file.waits.wait()
        (process,) = remuxer.pool.processes
        os.kill(process.pid, signal.SIGKILL)
        file.comes(file.size)
        await lost

    assert (await remuxer.segment(file, choice, 5))[4:8] == b"moof"
    assert process.pid not in {process.pid for process in remuxer.pool.processes}


@served
async def test_work_that_takes_too_long_is_ended(remuxer: Remuxer) -> None:
    async with Scope("test") as scope:
        hasty = Remuxer(scope, seconds=0.0)
        with pytest.raises(MediaError) as ended:
            await hasty.probe(Held.of(mediafiles.mkv()))
        assert ended.value.code == "media_slow"
        await hasty.close()


@served
async def test_an_error_of_the_disk_is_told_as_such_and_the_next_request_works(remuxer: Remuxer) -> None:
    file = Held.of(mediafiles.mp4("first", seconds=30.0, bit_rate=400_000))
    choice = hls.choose(await remuxer.probe(file))
    file.broken = True
    with pytest.raises(StorageError):
        await remuxer.segment(file, choice, 5)
    file.broken = False

    assert (await remuxer.segment(file, choice, 5))[4:8] == b"moof"


@served
async def test_a_file_that_was_cut_off_plays_as_far_as_it_goes(remuxer: Remuxer) -> None:
    data = mediafiles.mkv(seconds=20.0).read_bytes()
    file = Held(data[:len(data) // 2], tag="half")
    probe = await remuxer.probe(file)

    assert (await remuxer.segment(file, hls.choose(probe), 0))[4:8] == b"moof"
    await remuxer.segment(file, hls.choose(probe), len(probe.plan.starts) - 1)


@pytest.mark.parametrize("data", [
    b"", b"\x1a\x45\xdf\xa3" * 9999, b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", b"\0" * 99,
])
@served
async def test_what_is_no_media_is_said_to_be_none(remuxer: Remuxer, data: bytes) -> None:
    with pytest.raises(MediaError) as refused:
        await remuxer.probe(Held(data))
    assert refused.value.code == "media_format"


@served
async def test_a_playlist_of_a_stranger_opens_no_file_of_ours(remuxer: Remuxer, tmp_path: Path) -> None:
    inside = tmp_path / "inside.mp4"
    inside.write_bytes(mediafiles.mp4().read_bytes())
    for text in (f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{inside}\n#EXT-X-ENDLIST\n",
                 f"ffconcat version 1.0\nfile '{inside}'\n"):
        with pytest.raises(MediaError):
            await remuxer.probe(Held(text.encode(), tag=text))


@pytest.mark.parametrize("size", [1 << 40, (1 << 62) - 1])
@served
async def test_a_film_without_end_is_read_for_a_while_and_no_longer(remuxer: Remuxer, size: int) -> None:
    data = mediafiles.mkv(seconds=4.0).read_bytes()
    file = Endless(data, data[2000:-2000], size)
    async with Scope("test") as scope:
        hasty = Remuxer(scope, seconds=2.0)
        try:
            probe = await hasty.probe(file)
            await hasty.segment(file, hls.choose(probe), len(probe.plan.starts) - 1)
        except (MediaError, UsageError):
            pass
        assert file.given < 2 * (256 << 20) + (1 << 20)
        assert (await hasty.probe(Held.of(mediafiles.mp4()))).tracks
        await hasty.close()


@served
async def test_an_index_that_lies_costs_its_own_film_alone(remuxer: Remuxer) -> None:
    data = bytearray(mediafiles.mp4("first").read_bytes())
    at = data.index(b"stco") + 12
    for entry in range(at, at + 40, 4):
        data[entry:entry + 4] = (0xFFFFFF00).to_bytes(4)
    file = Held(bytes(data), tag="liar")
    for number in (0, 1):
        with contextlib.suppress(MediaError, UsageError):
            await remuxer.segment(file, hls.choose(await remuxer.probe(file)), number)
    assert (await remuxer.probe(Held.of(mediafiles.mp4()))).tracks


@served
async def test_bytes_turned_at_random_never_do_worse_than_fail(remuxer: Remuxer) -> None:
    whole_file = mediafiles.mkv(seconds=6.0).read_bytes()
    for seed in range(12):
        data = bytearray(whole_file)
        for turn in range(40):
            place = (seed * 7919 + turn * 104_729) % (4000 if turn % 2 else len(data))
            data[place] = (seed * 31 + turn * 17) & 0xFF
        file = Held(bytes(data), tag=f"turned {seed}")
        try:
            probe = await remuxer.probe(file)
            await remuxer.segment(file, hls.choose(probe), 0)
        except (MediaError, UsageError):
            pass
    assert (await remuxer.probe(Held.of(mediafiles.mp4()))).tracks


@served
async def test_embedded_subtitles_are_had_for_the_part_that_is_watched(remuxer: Remuxer) -> None:
    file = Held.of(mediafiles.mkv())
    english, german = (await remuxer.probe(file)).of("subtitle")

    for track in (english, german):
        text = await remuxer.track_subtitles(file, track.index, start=8.0, end=12.0)
        assert "00:00:08.000 --> 00:00:08.900\nLine 8: Wildbäche rauschen &amp; fließen, 3 &gt; 2" in text
        assert "Line 11:" in text
        assert "Line 13:" not in text
    everything = await remuxer.track_subtitles(file, english.index, offset=-1.5)
    assert everything.count("-->") == 19
    assert "00:00:00.500 --> 00:00:01.400\nLine 2:" in everything


@served
async def test_subtitles_of_mp4_are_had_too(remuxer: Remuxer) -> None:
    file = Held.of(mediafiles.mp4(words=(Words("mov_text", "eng"),)))
    (track,) = (await remuxer.probe(file)).of("subtitle")

    part = await remuxer.track_subtitles(file, track.index, start=5.0, end=7.5)

    assert "Line 6: Wildbäche" in part
    assert "Line 9:" not in part
    assert (await remuxer.track_subtitles(file, track.index)).count("-->") == 20


@served
async def test_a_picture_of_a_moment_is_small_and_made_once(remuxer: Remuxer) -> None:
    file = Held.of(mediafiles.mkv())

    picture = await remuxer.still(file, 12.5)
    asked = len(file.asked)
    again = await remuxer.still(file, 12.9)

    with av.open(io.BytesIO(picture), format="jpeg_pipe") as opened:
        frame = next(opened.decode(video=0))
    assert (frame.width, frame.height) == (160, 96)
    assert abs(_mean(frame) - mediafiles.brightness(12)) < 14
    assert again == picture
    assert len(file.asked) == asked


@served
async def test_a_song_has_no_pictures(remuxer: Remuxer) -> None:
    with pytest.raises(UsageError) as refused:
        await remuxer.still(Held.of(mediafiles.song()), 1.0)
    assert refused.value.code == "no_track"


@served
async def test_the_same_segment_asked_for_twice_at_once_is_made_once(remuxer: Remuxer) -> None:
    file = Held.of(mediafiles.mkv())
    choice = hls.choose(await remuxer.probe(file))
    first, second = await asyncio.gather(remuxer.segment(file, choice, 2), remuxer.segment(file, choice, 2))
    assert first is second


@served
async def test_pictures_and_subtitles_never_take_the_last_process(remuxer: Remuxer) -> None:
    film = mediafiles.mkv(seconds=60.0, cues_first=True)
    file = Held.of(film, here=200_000)
    choice = hls.choose(await remuxer.probe(Held.of(film)))
    async with Scope("viewer") as viewer:

        async def look(seconds: float) -> None:
            await remuxer.still(file, seconds)

        for number in range(6):
            viewer.spawn("look", look(50.0 + 2 * number))
        await file.waits.wait()
        assert (await remuxer.segment(file, choice, 0))[4:8] == b"moof"


@served
async def test_without_pyav_it_says_how_to_get_it(remuxer: Remuxer) -> None:
    async with Scope("test") as scope:
        without = Remuxer(scope, found=lambda name: None)
        assert not without.available
        assert "pip install 'wildbach[media]'" in without.reason
        with pytest.raises(UsageError) as refused:
            await without.probe(Held(b"x"))
        assert refused.value.code == "media_unavailable"


@served
async def test_an_idle_process_is_ended(remuxer: Remuxer) -> None:
    remuxer.pool._idle_seconds = 0.0
    await remuxer.probe(Held.of(mediafiles.mp4()))
    while remuxer.pool.processes:
        await asyncio.sleep(0)


def noisy_film() -> bytes:
    """A picture that has more bytes than a process may want at once."""
    held = io.BytesIO()
    with av.open(held, "w", format="matroska") as out:
        track = out.add_stream("mjpeg", rate=5, options={"qmin": "1", "qmax": "1"})
        track.width, track.height, track.pix_fmt = 1920, 1080, "yuvj420p"
        noise = random.Random(1)
        picture = av.VideoFrame(1920, 1080, "yuvj420p")
        for plane in picture.planes:
            plane.update(noise.randbytes(plane.buffer_size))
        out.mux([*track.encode(picture), *track.encode(None)])
    return held.getvalue()


@served
async def test_a_picture_of_megabytes_is_read_in_parts(remuxer: Remuxer) -> None:
    film = Held(noisy_film())
    assert film.size > WANT_BYTES
    assert (await remuxer.still(film, 0.0)).startswith(b"\xff\xd8")
    assert max(limit for _, limit in film.asked) <= WANT_BYTES


@served
async def test_small_things_do_not_fill_the_memory_either(remuxer: Remuxer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of a track, for ever other times: each answer is two bytes, and a key."""
    monkeypatch.setattr(limits, "MEDIA_CACHE_BYTES", 50_000)
    made = 0

    async def make() -> bytes:
        nonlocal made
        made += 1
        return b"[]"

    for number in (*range(1000), 0):
        await remuxer._once(("tag", "cues", 3, float(number), None), make)
    assert made == 1001
