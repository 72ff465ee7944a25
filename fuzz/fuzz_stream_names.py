"""Names of files of a torrent: whatever they are, all that plays is there once, in an order that has an end."""

from __future__ import annotations

from wildbach.services.stream.playables import Named, after, best, playables

SEEDS: list[bytes] = [
    b"Show.S01E01.mkv\nShow.S01E02.mkv\nShow.S01E01.en.srt\nSample/sample.mkv",
    b"Film.2026.mkv\nSubs/2_English.srt\nExtras/Making of.mp4", b"CD1/01 - a.flac\nCD1/02 - b.flac\ncover.jpg",
    b"Season 1/Episode 2.avi\nSpecials/01.avi", b"1x02-03.mp4\ns01e02-e03.mp4", b"x.mp3",
]
TOKENS: list[bytes] = [
    b"S01E", b"1x", b"\n", b"/", b".mkv", b".mp3", b".srt", b".forced", b"sample", b"Subs/", b"Season ", b"-e",
    b"99999", b"\xd9\xa3", b".", b" ",
]


def one_input(data: bytes) -> None:
    lines = data.decode("utf-8", "replace").split("\n")[:200]
    files = [
        Named(index, tuple(line.split("/")), len(line) * 1000) for index, line in enumerate(lines) if line]
    found = playables(files)
    assert len({one.index for one in found}) == len(found)
    at, steps = best(found), 0
    while at is not None:
        at, steps = after(found, at.index), steps + 1
        assert steps <= len(found)
