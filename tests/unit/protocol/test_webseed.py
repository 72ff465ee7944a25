"""Which URL and bytes a part of a torrent is, and what a web server's answers are worth."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote_to_bytes, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli_torrents import raw_v1, torrent_of
from wildbach.base import limits
from wildbach.protocol.metainfo import Metainfo
from wildbach.protocol.metainfo.builder import Kind
from wildbach.protocol.webseed import Part, Shelf, Style, Verdict, Worth, host_of, judge

PART = Part("http://a/f", 1000, 500, 5000, 0)


def content_of(kind: Kind, files: Mapping[tuple[str, ...], bytes]) -> tuple[Metainfo, bytes]:
    """A torrent, and its address space with zeros in the gaps."""
    made = torrent_of(dict(files), kind=kind)
    geometry = made.info.geometry
    space = bytearray(geometry.piece_count * geometry.piece_length)
    for file, span in zip(made.info.files, geometry.files, strict=True):
        if not file.pad:
            space[span.offset : span.offset + span.length] = files[file.path.parts]
    return made, bytes(space)


@given(
    kind=st.sampled_from(["v1", "v2", "hybrid"]),
    sizes=st.lists(st.integers(0, 70_000), min_size=2, max_size=6).filter(any), data=st.data(),
)
def test_the_parts_of_any_span_are_its_bytes(kind: Kind, sizes: list[int], data: st.DataObject) -> None:
    files = {(f"f{number}",): bytes([number + 1]) * size for number, size in enumerate(sizes)}
    made, space = content_of(kind, files)
    geometry = made.info.geometry
    piece = data.draw(st.integers(0, geometry.piece_count - 1))
    size = geometry.piece_size(piece)
    offset = data.draw(st.integers(0, size - 1))
    length = data.draw(st.integers(1, size - offset))
    got = b""
    for part in Shelf(made.info, "http://a.example/x").parts(piece, offset, length):
        assert part.length > 0 and part.first + part.length <= part.size
        if not part.url:
            got += bytes(part.length)
            continue
        name = unquote_to_bytes(urlsplit(part.url).path).decode().removeprefix("/x/things/")
        got += files[(name,)][part.first : part.first + part.length]
    at = piece * geometry.piece_length + offset
    assert got == space[at : at + length]


def test_urls_are_put_together_as_bep_19_says() -> None:
    many = torrent_of()
    assert Shelf(many.info, "http://a/d/").url_of(0) == "http://a/d/things/a.bin"
    assert Shelf(many.info, "http://a/d").url_of(0) == "http://a/d/things/a.bin"
    names = {Shelf(many.info, "http://a/d").url_of(number).rpartition("/")[2] for number in range(4)}
    assert "%C3%BC%20%E6%97%A5%E6%9C%AC.bin" in names
    one = torrent_of({("x&y+z.iso",): b"abc"}, name="x&y+z.iso", single=True)
    assert Shelf(one.info, "http://a/mirror/").url_of(0) == "http://a/mirror/x%26y%2Bz.iso"
    assert Shelf(one.info, "http://a/mirror/other.iso").url_of(0) == "http://a/mirror/other.iso"


def test_names_that_were_made_safe_are_asked_for_as_they_stood() -> None:
    info = Metainfo.parse(raw_v1(b"na/me", [[b"a\\b", b"con"]])).info
    assert Shelf(info, "http://a").url_of(0) == "http://a/na%2Fme/a%5Cb/con"


def test_a_script_is_asked_for_parts_of_pieces() -> None:
    made = torrent_of({("a",): bytes(40_000)}, kind="v1", single=True, name="a")
    shelf = Shelf(made.info, "http://a/seed.php?x=1", Style.PIECES)
    (whole,) = shelf.parts(0, 0, 16384)
    assert whole.url.startswith("http://a/seed.php?x=1&info_hash=%") and whole.url.endswith("&piece=0")
    assert whole.range == "" and whole.length == 16384
    first, second = shelf.parts(1, 10_000, 10_000)
    assert first.url.endswith("&piece=1&ranges=10000-16383") and second.url.endswith("&piece=2&ranges=0-3615")
    (last,) = shelf.parts(2, 0, 40_000 - 2 * 16384)
    assert last.url.endswith("&piece=2")
    assert Shelf(made.info, "http://a/s", Style.PIECES).parts(0, 0, 1)[0].url.startswith("http://a/s?info_hash=")
    with pytest.raises(IndexError):
        shelf.parts(2, 0, 16384)


RANGE = "bytes 1000-1499/5000"


@pytest.mark.parametrize(("status", "headers", "worth"), [
    (206, {"content-range": RANGE}, Worth.TAKE),
    (206, {"content-range": "bytes 1000-1499/*", "content-length": "500"}, Worth.TAKE),
    (206, {"content-range": RANGE, "content-length": "501"}, Worth.REFUSED),
    (206, {"content-range": "bytes 1000-1500/5000"}, Worth.REFUSED),
    (206, {"content-range": "bytes 0-499/5000"}, Worth.REFUSED),
    (206, {"content-range": "bytes 1000-1499/6000"}, Worth.MISSING),
    (206, {"content-range": "bytes 1499-1000/5000"}, Worth.REFUSED),
    (206, {"content-range": "pages 1-2/3"}, Worth.REFUSED),
    (206, {"content-type": "multipart/byteranges; boundary=x"}, Worth.REFUSED),
    (206, {"content-range": RANGE, "content-encoding": "gzip"}, Worth.REFUSED),
    (200, {"content-length": "5000"}, Worth.TAKE),
    (200, {}, Worth.TAKE),
    (200, {"content-length": "4999"}, Worth.MISSING),
    (200, {"content-length": "many"}, Worth.REFUSED),
    (404, {}, Worth.MISSING), (403, {}, Worth.MISSING), (410, {}, Worth.MISSING), (416, {}, Worth.MISSING),
    (429, {"retry-after": "7"}, Worth.BUSY), (503, {}, Worth.BUSY), (500, {}, Worth.BUSY),
    (204, {}, Worth.REFUSED), (100, {}, Worth.REFUSED), (400, {}, Worth.REFUSED), (304, {}, Worth.REFUSED),
])
def test_an_answer_is_worth(status: int, headers: dict[str, str], worth: Worth) -> None:
    verdict = judge(PART, status, headers)
    assert verdict.worth is worth
    assert bool(verdict.reason) == (worth is not Worth.TAKE)


def test_a_server_without_ranges_serves_what_is_near_the_beginning_of_a_file() -> None:
    assert judge(PART, 200, {}) == Verdict(Worth.TAKE, skip=1000)
    far = Part("http://a/f", limits.WEB_SEED_SKIP_BYTES + 1, 500, 1 << 30, 0)
    assert judge(far, 200, {}).worth is Worth.REFUSED


def test_how_long_to_wait_is_bounded() -> None:
    assert judge(PART, 503, {"retry-after": "7"}).retry == 7.0
    assert judge(PART, 503, {"retry-after": "9" * 18}).retry == limits.WEB_SEED_RETRY_SECONDS
    for odd in ("soon", "-1", "Fri, 31 Dec 1999 23:59:59 GMT", "9" * 40):
        assert judge(PART, 503, {"retry-after": odd}).retry == 0.0


def test_of_a_script_exactly_the_bytes_asked_for_are_taken() -> None:
    part = Part("http://a/s?piece=1", 0, 100, 0, -1)
    assert judge(part, 200, {"content-length": "100"}).worth is Worth.TAKE
    assert judge(part, 206, {}).worth is Worth.TAKE
    assert judge(part, 200, {"content-length": "101"}).worth is Worth.REFUSED


@given(
    st.builds(Part, st.just("http://a/f"), st.integers(0, 1 << 40), st.integers(1, 1 << 24), st.integers(0, 1 << 41),
              st.integers(-1, 5)),
    st.integers(-5, 999),
    st.dictionaries(st.sampled_from(["content-range", "content-length", "content-encoding", "retry-after"]),
                    st.one_of(st.text(max_size=40), st.from_regex(r"bytes [0-9]+-[0-9]+/([0-9]+|\\*)"))),
)
def test_no_answer_brings_it_to_fall(part: Part, status: int, headers: dict[str, str]) -> None:
    verdict = judge(part, status, headers)
    assert 0 <= verdict.skip <= limits.WEB_SEED_SKIP_BYTES and 0 <= verdict.retry <= limits.WEB_SEED_RETRY_SECONDS


def test_people_know_a_web_seed_by_its_host() -> None:
    assert host_of("http://me:word@mirror.example:8080/x@y/") == "mirror.example:8080"
