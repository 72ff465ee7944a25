from __future__ import annotations

import pytest

from wildbach.services.stream.kinds import Kind, type_of


@pytest.mark.parametrize("name, kind, mime", [
    ("Film.mkv", Kind.VIDEO, "video/x-matroska"), ("film.MP4", Kind.VIDEO, "video/mp4"),
    ("a.b.flac", Kind.AUDIO, "audio/flac"), ("a.srt", Kind.SUBTITLE, "application/x-subrip"),
    ("cover.jpg", Kind.IMAGE, "image/jpeg"), ("read.me.txt", Kind.TEXT, "text/plain"),
    ("noending", Kind.OTHER, "application/octet-stream"), (".mkv", Kind.OTHER, "application/octet-stream"),
    ("a.exe", Kind.OTHER, "application/octet-stream"),
])
def test_a_file_is_what_its_name_ends_in(name: str, kind: Kind, mime: str) -> None:
    assert type_of(name)[:2] == (kind, mime)


@pytest.mark.parametrize("name", [
    "a.html", "a.HTM", "a.svg", "a.js", "a.xml", "a.pdf", "a.xhtml", "a.css", "a.json", "a.unknown", "a", "a.mp4.html",
    "a.mht", "a.swf", "a.htc",
])
def test_what_a_browser_could_run_and_what_nobody_knows_is_never_shown(name: str) -> None:
    assert not type_of(name).passive
