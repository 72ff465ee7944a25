"""Feeds that are written: read again by our own reader and by those that podcast programs use."""

from __future__ import annotations

import io
from xml.etree import ElementTree

import feedparser
import podcastparser
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.protocol import feeds
from wildbach.protocol.feedwriter import Chapter, FeedHead, FeedItem, Media, write

MAGNET = "magnet:?xt=urn:btih:" + "ab" * 20 + "&xt=urn:btmh:1220" + "cd" * 32 + "&dn=A%20film"
POD = "{https://podcastindex.org/namespace/1.0}"
HEAD = FeedHead(
    "Birds & more", "https://birds.example/", "Of the garden.\nAll year.", "en", "Ann", "CC-BY-4.0", "btpk:abc",
    "https://birds.example/art.png")
FILM = FeedItem(
    "g-1", "A <film>", "One & two\n<b>not bold</b>", 1_795_711_083, (
        Media(MAGNET, "video/mp4", 1000, 720, 800_000, 'avc1.640028, mp4a.40.2', ("https://birds.example/a.mp4",),
              "sha256-" + "A" * 43 + "="),
        Media("magnet:?xt=urn:btih:" + "12" * 20, "audio/ogg", 10)),
    61.4, (Chapter(0, "In"), Chapter(3661.5, "Out & about")), "de", "https://licences.example/by", ("nature", "a, b"),
    2, 7)
NEXT = FeedItem("g-0", "Text alone", published=1_795_000_000)
FEED = write(HEAD, [FILM, NEXT], 1 << 20)


def test_our_own_reader_reads_it() -> None:
    found = feeds.parse(FEED)
    assert (found.title, found.link, found.updated, found.cut) == (
        "Birds & more", "https://birds.example/", 1_795_711_083.0, False)
    first, second = found.items
    assert (first.guid, first.title, first.torrent, first.size, first.published, first.categories) == (
        "g-1", "A <film>", MAGNET, 1000, 1_795_711_083.0, ("nature", "a, b"))
    assert first.description == "One &amp; two<br>\n&lt;b&gt;not bold&lt;/b&gt;"
    assert (second.guid, second.torrent) == ("g-0", "g-0") or not second.torrent


def test_feedparser_reads_it() -> None:
    found = feedparser.parse(FEED)
    assert not found.bozo and found.version == "rss20"
    assert (found.feed.title, found.feed.language, found.feed.image.href) == (
        "Birds & more", "en", "https://birds.example/art.png")
    first = found.entries[0]
    assert (first.id, first.title, first.summary) == (
        "g-1", "A <film>", "One &amp; two<br />\n&lt;b&gt;not bold&lt;/b&gt;")
    enclosure = first.enclosures[0]
    assert (enclosure.type, enclosure.href, enclosure.length) == ("application/x-bittorrent", MAGNET, "1000")
    assert [tag.term for tag in first.tags] == ["nature", "a, b"]
    assert first.published_parsed[:5] == (2026, 11, 26, 16, 38)


def test_podcastparser_reads_it() -> None:
    found = podcastparser.parse("https://birds.example/feed.xml", io.BytesIO(FEED))
    assert (found["title"], found["itunes_author"], found["language"]) == ("Birds & more", "Ann", "en")
    first = found["episodes"][0]
    assert (first["guid"], first["total_time"], first["published"]) == ("g-1", 61, 1_795_711_083)
    assert first["enclosures"][0]["mime_type"] == "application/x-bittorrent"
    assert [(chapter["start"], chapter["title"]) for chapter in first["chapters"]] == [(0, "In"), (3661, "Out & about")]
    assert (first["number"], first["link"]) == (7, "")


def test_what_else_there_is_of_an_item_is_said_as_podcasting_2_has_it() -> None:
    item = ElementTree.fromstring(FEED).find("channel/item")
    assert item is not None
    best, other = item.findall(f"{POD}alternateEnclosure")
    assert best.attrib == {
        "type": "video/mp4", "length": "1000", "bitrate": "800000", "height": "720",
        "codecs": "avc1.640028, mp4a.40.2", "default": "true"}
    assert [source.attrib for source in best.findall(f"{POD}source")] == [
        {"uri": MAGNET, "contentType": "application/x-bittorrent"},
        {"uri": "https://birds.example/a.mp4", "contentType": "video/mp4"}]
    integrity = best.find(f"{POD}integrity")
    assert integrity is not None and integrity.attrib == {"type": "sri", "value": "sha256-" + "A" * 43 + "="}
    assert "default" not in other.attrib
    assert [item.findtext(POD + name) for name in ("season", "episode", "license")] == [
        "2", "7", "https://licences.example/by"]


def test_the_feed_is_known_by_what_it_was_first_known_by() -> None:
    found = ElementTree.fromstring(write(FeedHead("T", "https://a.example/", source="podnews.net/rss"), [], 1 << 20))
    assert found.findtext(f"channel/{POD}guid") == "9b024349-ccf0-5f69-a609-6b82873eab3c"


def test_the_newest_have_the_room_there_is() -> None:
    many = [FeedItem(f"g{number}", "x" * 100, published=1_795_000_000 - number) for number in range(500)]
    found = write(HEAD, many, 20_000)
    listed = [item.guid for item in feeds.parse(found).items]
    assert 18_000 < len(found) <= 20_000
    assert listed == [f"g{number}" for number in range(len(listed))]


texts = st.text(st.characters(), max_size=40)
numbers = st.integers(0, 1 << 40)
items = st.builds(
    FeedItem, guid=texts, title=texts, text=texts, published=st.integers(0, 1 << 33), duration=st.floats(0, 1e7),
    media=st.lists(st.builds(
        Media, torrent=texts, mime=texts, length=numbers, height=numbers, bitrate=numbers, codecs=texts,
        urls=st.lists(texts, max_size=2).map(tuple), integrity=texts), max_size=2).map(tuple),
    chapters=st.lists(st.builds(Chapter, st.floats(0, 1e7), texts), max_size=2).map(tuple), language=texts,
    licence=texts, tags=st.lists(texts, max_size=2).map(tuple), season=st.integers(0, 99), episode=st.integers(0, 99))
heads = st.builds(
    FeedHead, title=texts, link=texts, text=texts, language=texts, author=texts, licence=texts, source=texts,
    image=texts)


@given(heads, st.lists(items, max_size=3))
def test_any_text_gives_a_document_that_is_well_formed(head: FeedHead, many: list[FeedItem]) -> None:
    raw = write(head, many, 1 << 20)
    root = ElementTree.fromstring(raw)
    assert len(root.findall("channel/item")) == len(many)
    assert len(feeds.parse(raw).items) == len(many)
    assert write(head, many, 1 << 20) == raw


@given(heads, st.lists(items, max_size=3), st.integers(1500, 4000))
def test_it_never_gets_longer_than_it_may(head: FeedHead, many: list[FeedItem], most: int) -> None:
    raw = write(head, many, most)
    listed = ElementTree.fromstring(raw).findall("channel/item")
    assert len(raw) <= most or not listed


@pytest.mark.parametrize("text", ["]]>", "<!--", "&amp;", "\x00\x0b", "\ud800", "\uffff", '"\'<>', "\r\n\t"])
def test_nothing_gets_out_of_its_element(text: str) -> None:
    raw = write(FeedHead(text, text, text, text, text, text, text, text), [FeedItem(
        text, text, text, 1, (Media(text, text, urls=(text,)),), 1, (Chapter(0, text),), text, text, (text,))], 1 << 20)
    channel = ElementTree.fromstring(raw).find("channel")
    assert channel is not None
    assert {element.tag.rpartition("}")[2] for element in channel} <= {
        "title", "link", "description", "language", "author", "guid", "license", "lastBuildDate", "generator", "image",
        "item"}
