"""RSS, RDF and Atom in odd encodings: bounded texts, and no links but those that may be followed."""

from __future__ import annotations

from wildbach.base import limits
from wildbach.protocol import feeds

SEEDS: list[bytes] = [
    b'<?xml version="1.0" encoding="utf-8"?><rss version="2.0" xmlns:torrent="http://xmlns.ezrss.it/0.1/" '
    b'xmlns:torznab="http://torznab.com/schemas/2015/feed"><channel><title>T</title><ttl>60</ttl><item>'
    b"<title>Show S01E02 1080p</title><guid isPermaLink='false'>1</guid><link>http://t.example/1</link>"
    b'<enclosure url="/1.torrent" length="100" type="application/x-bittorrent"/><category>TV</category>'
    b"<pubDate>Thu, 26 Nov 2026 16:38:03 +0100</pubDate><torznab:attr name='size' value='5'/>"
    b"<torrent:magnetURI><![CDATA[magnet:?xt=urn:btih:aa&dn=x]]></torrent:magnetURI></item></channel></rss>",
    b'<feed xmlns="http://www.w3.org/2005/Atom"><title type="html">a &lt;b&gt;</title><entry><id>urn:1</id>'
    b'<link rel="enclosure" type="application/x-bittorrent" href="http://a.example/1.torrent" length="5"/>'
    b"<author><name>Me</name></author><updated>2026-11-26T16:38:03Z</updated><summary>x</summary></entry></feed>",
    b'<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/">'
    b'<channel/><item rdf:about="http://r.example/1"><title>One</title><link>magnet:?x</link></item></rdf:RDF>',
    '<?xml version="1.0" encoding="utf-16"?><rss><channel><title>ü</title></channel></rss>'.encode("utf-16"),
    '<?xml version="1.0" encoding="koi8-r"?><rss><channel><title>ф</title></channel></rss>'.encode("koi8-r"),
    b"<html><body>log in</body></html>",
]
TOKENS: list[bytes] = [
    b"<!DOCTYPE r [<!ENTITY a 'b'>]>", b"&a;", b"&#0;", b"&#xD800;", b"<item>", b"</item>", b"<a>", b"</a>",
    b"<![CDATA[", b"]]>", b"<!--", b"-->", b"<?xml encoding='utf-7'?>", b"encoding='gb18030'", b"xmlns='http://www.w3.org/2005/Atom'",
    b"xmlns:x='y'", b"\xff\xfe", b"\xef\xbb\xbf", b"javascript:", b"http://[", b"type='html'",
]


def one_input(data: bytes) -> None:
    found = feeds.parse(data, url="http://feeds.example/rss")
    for item in found.items:
        for url in (item.link, item.torrent, item.comments):
            assert not url or url.lower().startswith(("http://", "https://", "magnet:"))
        assert len(item.title) <= limits.FEED_TITLE_CHARS
        assert len(item.description) <= limits.FEED_TEXT_CHARS
