"""Feeds of every kind, and what is sent instead of them."""

from __future__ import annotations

import codecs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError
from wildbach.protocol.feeds import Document, Item, Kind, parse, size_of

HASH = "0123456789abcdef0123456789abcdef01234567"


def rss(items: str, head: str = "", spaces: str = "") -> bytes:
    return f'<?xml version="1.0"?><rss version="2.0" {spaces}><channel>{head}{items}</channel></rss>'.encode()


def only(data: bytes, url: str = "http://feeds.example/all/rss.xml") -> Item:
    (item,) = parse(data, url=url).items
    return item


def test_an_rss_feed_is_read() -> None:
    found = parse(rss(
        """<item><title> A  Show S01E02 </title><guid isPermaLink="false">g-1</guid><link>http://t.example/1</link>
        <enclosure url="http://t.example/1.torrent" length="1000" type="application/x-bittorrent"/>
        <description>&lt;b&gt;bold&lt;/b&gt; words</description><author>somebody</author><category>TV</category>
        <category>HD</category><pubDate>Thu, 26 Nov 2026 16:38:03 GMT</pubDate>
        <comments>http://t.example/1#comments</comments></item>""",
        "<title>All &amp; more</title><link>http://t.example/</link><description>It</description><ttl>30</ttl>"
        "<image><title>not this</title></image><lastBuildDate>Thu, 26 Nov 2026 16:38:03 GMT</lastBuildDate>",
    ))
    assert found == Document(
        Kind.RSS, "All & more", "http://t.example/", "It", 1800.0, 1_795_711_083.0, (Item(
            "g-1", "A Show S01E02", "http://t.example/1", "http://t.example/1.torrent", "<b>bold</b> words", "somebody",
            1_795_711_083.0, 1000, "http://t.example/1#comments", ("TV", "HD"),
        ),),
    )


def test_an_atom_feed_is_read_with_and_without_prefixes() -> None:
    plain = """<feed xmlns="http://www.w3.org/2005/Atom"><title type="html">A &lt;i&gt;feed&lt;/i&gt;</title>
        <link href="http://a.example/"/><updated>2026-11-26T16:38:03Z</updated><entry><id>urn:uuid:1</id>
        <title>One</title><link href="http://a.example/1"/><link rel="replies" href="http://a.example/1/r"/>
        <link rel="enclosure" type="application/x-bittorrent" href="http://a.example/1.torrent" length="5"/>
        <author><name>Me</name><email>me@a.example</email></author><published>2026-11-26T16:38:03Z</published>
        <category term="tv" label="TV"/>
        <summary type="xhtml"><div>hello <b>you</b></div></summary></entry></feed>"""
    found = parse(plain.encode())
    assert found == Document(Kind.ATOM, "A feed", "http://a.example/", "", None, 1_795_711_083.0, (Item(
        "urn:uuid:1", "One", "http://a.example/1", "http://a.example/1.torrent", "hello you", "Me", 1_795_711_083.0, 5,
        "http://a.example/1/r", ("TV",),
    ),))
    prefixed = plain.replace("</", "</a:").replace("<", "<a:").replace("<a:/a:", "</a:").replace("xmlns=", "xmlns:a=")
    assert parse(prefixed.encode()) == found


def test_rss_1_is_read() -> None:
    item = only(b"""<r:RDF xmlns:r="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
        xmlns:d="http://purl.org/dc/elements/1.1/"><channel><title>F</title><items><r:Seq/></items></channel>
        <item r:about="http://r.example/1"><title>One</title><link>http://r.example/1.torrent</link>
        <d:date>2026-11-26T16:38:03Z</d:date><d:creator>Me</d:creator><d:subject>TV</d:subject></item></r:RDF>""")
    assert (item.guid, item.title, item.torrent, item.author, item.published, item.categories) == (
        "http://r.example/1.torrent", "One", "http://r.example/1.torrent", "Me", 1_795_711_083.0, ("TV",))


MAGNET = f"magnet:?xt=urn:btih:{HASH}&amp;dn=x"
PLAIN = MAGNET.replace("&amp;", "&")
EZRSS = 'xmlns:torrent="http://xmlns.ezrss.it/0.1/"'
TORZNAB = 'xmlns:torznab="http://torznab.com/schemas/2015/feed"'
NYAA = 'xmlns:nyaa="https://nyaa.si/xmlns/nyaa"'


@pytest.mark.parametrize(("inside", "spaces", "torrent"), [
    (f"<link>{MAGNET}</link>", "", PLAIN),
    (f"<link>http://p.example/1</link><torrent:magnetURI>{MAGNET}</torrent:magnetURI>", EZRSS, PLAIN),
    (f"<torrent:magnetURI><![CDATA[{PLAIN}]]></torrent:magnetURI>", "", PLAIN),
    (f'<torrent xmlns="http://xmlns.ezrss.it/0.1/"><fileName>x</fileName><magnetURI>{MAGNET}</magnetURI></torrent>', "",
     PLAIN),
    (f'<enclosure url="{MAGNET}" type="application/x-bittorrent"/>', "", PLAIN),
    (f'<link>http://p.example/1</link><torznab:attr name="magneturl" value="{MAGNET}"/>', TORZNAB, PLAIN),
    (f'<link>http://p.example/1</link><torznab:attr name="infohash" value="{HASH.upper()}"/>', TORZNAB,
     f"magnet:?xt=urn:btih:{HASH}"),
    (f"<link>http://n.example/1.torrent</link><nyaa:infoHash>{HASH}</nyaa:infoHash>", NYAA,
     "http://n.example/1.torrent"),
    (f'<torrent:magnetURI>{MAGNET}</torrent:magnetURI><enclosure url="http://e.example/1" '
     'type="application/x-bittorrent;x=y"/>', EZRSS, "http://e.example/1"),
    ('<enclosure url="http://e.example/a.mp3" type="audio/mpeg"/><link>http://p.example/1</link>', "",
     "http://p.example/1"),
    ('<enclosure url="http://e.example/a.TORRENT?k=1" type="application/octet-stream"/><link>http://p.example/1</link>',
     "", "http://e.example/a.TORRENT?k=1"),
    ('<enclosure url="http://e.example/get/1"/><link>http://p.example/1</link>', "", "http://e.example/get/1"),
    ('<media:group><media:content url="http://m.example/1" type="application/x-bittorrent"/></media:group>',
     'xmlns:media="http://search.yahoo.com/mrss/"', "http://m.example/1"),
    ('<enclosure url="../1.torrent" type="application/x-bittorrent"/>', "", "http://feeds.example/1.torrent"),
    ('<enclosure url="/a b.torrent" type="application/x-bittorrent"/>', "", "http://feeds.example/a%20b.torrent"),
    ('<atom:link xmlns:atom="http://www.w3.org/2005/Atom" rel="enclosure" type="application/x-bittorrent" '
     'href="http://a.example/1"/>', "", "http://a.example/1"),
    ("<guid>http://p.example/1</guid>", "", ""),
], ids=range(17))
def test_where_the_torrent_is(inside: str, spaces: str, torrent: str) -> None:
    assert only(rss(f"<item><title>x</title>{inside}</item>", spaces=spaces)).torrent == torrent


@pytest.mark.parametrize("url", [
    "javascript:alert(1)", "file:///etc/passwd", "data:text/html,x", "http://", "http://[x/", "ftp://h/x",
    "magnet:?a&#9;b", "http://h/" + "x" * limits.FEED_URL_CHARS, "//",
])
def test_links_that_nobody_should_follow_are_left_out(url: str) -> None:
    item = only(rss(f"<item><title>x</title><link>{url}</link><comments>{url}</comments>"
                    f'<enclosure url="{url}" type="application/x-bittorrent"/></item>'), url="")
    assert (item.link, item.torrent, item.comments) == ("", "", "")


def test_the_guid_is_what_there_is_and_a_permalink_is_a_link() -> None:
    assert only(rss("<item><guid>http://p.example/9</guid></item>")).link == "http://p.example/9"
    assert only(rss("<item><guid isPermaLink='false'>http://p.example/9</guid></item>")).link == ""
    assert only(rss("<item><link>http://p.example/9</link></item>")).guid == "http://p.example/9"
    assert only(rss("<item><title>x</title></item>")).guid == ""


def test_the_size_is_the_one_that_is_believed_most() -> None:
    enclosure = '<enclosure url="http://e.example/1" type="application/x-bittorrent" length="300"/>'
    assert only(rss(f"<item>{enclosure}</item>")).size == 300
    assert only(rss(f"<item>{enclosure}<size>5000</size></item>")).size == 5000
    assert only(rss(f'<item>{enclosure}<torznab:attr name="size" value="7000"/></item>', spaces=TORZNAB)).size == 7000
    assert only(rss("<item><nyaa:size>1.5 GiB</nyaa:size></item>", spaces=NYAA)).size == 3 << 29


@pytest.mark.parametrize(("text", "size"), [
    ("1234", 1234), ("1.4 GiB", 1_503_238_553), ("700 MB", 700_000_000), ("2 KiB", 2048), ("5B", 5), ("-1", None),
    ("1e9", None), ("many", None), ("9" * 15 + " PiB", None), ("9" * 50, None),
])
def test_sizes(text: str, size: int | None) -> None:
    assert size_of(text) == size


@pytest.mark.parametrize(("head", "seconds"), [
    ("", None), ("<ttl>60</ttl>", 3600.0), ("<ttl>0</ttl>", None), ("<ttl>soon</ttl>", None),
    ("<sy:updatePeriod>hourly</sy:updatePeriod><sy:updateFrequency>4</sy:updateFrequency>", 900.0),
    ("<sy:updatePeriod>daily</sy:updatePeriod>", 86_400.0), ("<sy:updatePeriod>often</sy:updatePeriod>", None),
])
def test_how_long_a_feed_stays_as_it_is(head: str, seconds: float | None) -> None:
    assert parse(rss("", head)).ttl == seconds


WORDS = "Ünïcödé Фильм"


@pytest.mark.parametrize(("encoding", "declared"), [
    ("utf-8", "utf-8"), ("utf-8", ""), ("utf-8", "iso-8859-17"), ("windows-1251", "windows-1251"), ("koi8-r", "KOI8-R"),
    ("utf-16", "utf-16"), ("utf-16-le", ""), ("utf-16-be", "UTF-16"), ("utf-32", ""), ("utf-8-sig", ""),
    ("utf-8", "utf-16"), ("iso-8859-5", "ISO-8859-5"), ("gb18030", "gb18030"), ("shift_jis", "Shift_JIS"),
])
def test_encodings(encoding: str, declared: str) -> None:
    narrow = {"windows-1251": "Фильм", "koi8-r": "Фильм", "iso-8859-5": "Фильм", "shift_jis": "映画"}
    words = narrow.get(encoding, WORDS)
    head = f'<?xml version="1.0" encoding="{declared}"?>' if declared else '<?xml version="1.0"?>'
    data = f"{head}<rss><channel><title>{words}</title></channel></rss>".encode(encoding)
    assert parse(data).title == words


def test_an_encoding_that_nobody_named_is_guessed() -> None:
    assert parse("<rss><channel><title>für</title></channel></rss>".encode("latin-1")).title == "für"
    declared = b'<?xml version="1.0" encoding="utf-8"?>'
    assert parse(declared + "<rss><channel><title>für</title></channel></rss>".encode("latin-1")).title == "für"
    mostly = "<rss><channel><title>" + "ü" * 40
    assert parse(mostly.encode() + b"\xc3</title></channel></rss>").title == "ü" * 40 + "\ufffd"


def test_what_the_server_says_of_the_encoding_comes_first_and_a_mark_before_it() -> None:
    data = '<?xml version="1.0" encoding="koi8-r"?><rss><channel><title>Фильм</title></channel></rss>'
    assert parse(data.encode("windows-1251"), charset="windows-1251").title == "Фильм"
    assert parse(codecs.BOM_UTF8 + data.encode(), charset="windows-1251").title == "Фильм"
    assert parse(data.encode("koi8-r"), charset="punycode").title == "Фильм"


@pytest.mark.parametrize(("data", "where", "what"), [
    (b"", "feed", "empty"),
    (b" \n ", "feed", "empty"),
    (b"<html><body>Log in</body></html>", "line 1, column 1", "a web page"),
    (b"\n\n<opml/>", "line 1, column 1", "<opml> and no feed"),
    (b"<rss>\n<channel>\n<item></channel></rss>", "line 3, column 9", "mismatched tag"),
    (b'<!DOCTYPE rss [<!ENTITY a "b">]><rss>&a;</rss>', "line 1, column", "a DOCTYPE"),
    (b'<!DOCTYPE rss SYSTEM "http://evil.example/x.dtd"><rss/>', "line 1, column", "a DOCTYPE"),
    ('<!DOCTYPE r [<!ENTITY a "b">]><rss/>'.encode("utf-16"), "line 1, column", "a DOCTYPE"),
    (b"<rss><channel><title>&nbsp;</title></channel></rss>", "line 1, column 22", "undefined entity"),
    (b"{}", "line 1, column 1", "not well-formed"),
    (b"<rss>", "line 1, column 6", "no element found"),
], ids=range(11))
def test_what_is_no_feed_is_refused_with_the_place(data: bytes, where: str, what: str) -> None:
    with pytest.raises(FormatError, match=what) as caught:
        parse(data)
    assert caught.value.where.startswith(where)


def test_control_characters_are_blanks() -> None:
    assert parse(b"<rss><channel><title>a\x0b\0b&#10;c</title></channel></rss>").title == "a b c"
    spoof = "<item><title>abc\u202etxt.exe</title></item>"
    assert only(rss(spoof)).title == "abc txt.exe"


def test_everything_is_bounded() -> None:
    with pytest.raises(LimitError, match="FEED_BYTES"):
        parse(bytes(limits.FEED_BYTES + 1))
    with pytest.raises(LimitError, match="FEED_DEPTH"):
        parse(b"<rss>" + b"<a>" * limits.FEED_DEPTH)
    found = parse(rss("<item><guid>1</guid></item>" * (limits.FEED_ITEMS + 1)))
    assert (len(found.items), found.cut) == (limits.FEED_ITEMS, True)
    long = "x" * 20_000
    item = only(rss(
        f"<item><title>{long}</title><guid>{long}</guid><description>{long}</description><author>{long}</author>"
        + f"<category>{long}</category>" + "".join(f"<category>{n}</category>" for n in range(99)) + "</item>"))
    assert (len(item.title), len(item.guid)) == (limits.FEED_TITLE_CHARS, limits.FEED_URL_CHARS)
    assert (len(item.description), len(item.author)) == (limits.FEED_TEXT_CHARS, limits.FEED_NAME_CHARS)
    assert len(item.categories) == limits.FEED_CATEGORIES
    assert len(item.categories[0]) == limits.FEED_NAME_CHARS


def test_a_long_document_is_read_in_parts() -> None:
    found = parse(rss("".join(f"<item><title>ü{n}</title><x>{'é' * 2000}</x></item>" for n in range(700))))
    assert [item.title for item in found.items] == [f"ü{n}" for n in range(700)]


def test_items_that_lack_everything_are_items() -> None:
    assert parse(rss("<item/><item></item>")).items == (Item(""), Item(""))


TAGS = st.sampled_from([
    "rss", "channel", "item", "title", "link", "guid", "enclosure", "feed", "entry", "rdf:RDF", "atom:link", "x:y",
    "media:content", "torrent:magnetURI", "torznab:attr", "pubDate", "ttl", "author", "name", "torrent", "size",
])
ATTRIBUTES = st.dictionaries(
    st.sampled_from(["url", "type", "href", "rel", "xmlns", "xmlns:atom", "name", "value", "length", "isPermaLink"]),
    st.sampled_from(["application/x-bittorrent", "http://www.w3.org/2005/Atom", "magnet:?x", "http://h/x", "1", "html",
                     "enclosure", "//[", "infohash", "http://xmlns.ezrss.it/0.1/", "x.torrent"]), max_size=3,
)
TREES = st.recursive(
    st.text(st.characters(codec="utf-8", exclude_characters="<>&", exclude_categories=["Cs", "Cc"]), max_size=20),
    lambda inner: st.builds(
        lambda tag, pairs, parts: f"<{tag}{''.join(f' {k}={v!r}' for k, v in pairs.items())}>{''.join(parts)}</{tag}>",
        TAGS, ATTRIBUTES, st.lists(inner, max_size=4),
    ), max_leaves=20,
)


def check(found: Document) -> None:
    for item in found.items:
        for url in (item.link, item.torrent, item.comments):
            assert url == "" or url.lower().startswith(("http://", "https://", "magnet:"))
        assert len(item.title) <= limits.FEED_TITLE_CHARS
        assert item.size is None or 0 < item.size < 1 << 60


@given(TREES, st.sampled_from(["rss", "feed", "rdf:RDF"]))
def test_any_tree_is_a_feed(tree: str, root: str) -> None:
    check(parse(f"<{root}>{tree}</{root}>".encode(), url="http://h.example/f"))


@given(st.binary(max_size=200), st.sampled_from([b"", b"<rss><channel><item>", b'<?xml encoding="utf-7"?>']))
def test_any_bytes_are_a_feed_or_a_format_error(data: bytes, head: bytes) -> None:
    try:
        check(parse(head + data))
    except FormatError:
        return
