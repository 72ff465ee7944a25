"""Feeds: RSS 2.0 (and its forerunners), RSS 1.0 (RDF) and Atom, with the name spaces by which torrents are told of.

A feed is written by strangers and by careless programs. So the document is bounded in every direction, a DOCTYPE (and
with it every entity) is refused, and what can be understood is: undeclared prefixes, wrong encodings, control
characters, dates that are none. An item keeps what could be read of it.

Sources: RSS 2.0.11, RSS 1.0, RFC 4287, Media RSS 1.5, the torrent name space of ezRSS, Torznab, and what Nyaa gives.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from html import unescape
from typing import Final
from urllib.parse import urljoin, urlsplit
from xml.parsers import expat

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError
from wildbach.protocol import dates

TORRENT_TYPE: Final = "application/x-bittorrent"

_SPACES: Final = {
    "http://www.w3.org/2005/atom": "atom", "http://purl.org/atom/ns#": "atom",
    "http://purl.org/dc/elements/1.1/": "dc", "http://purl.org/dc/terms/": "dc",
    "http://purl.org/rss/1.0/modules/content/": "content", "http://purl.org/rss/1.0/modules/syndication/": "sy",
    "http://purl.org/rss/1.0/": "", "http://my.netscape.com/rdf/simple/0.9/": "",
    "http://search.yahoo.com/mrss/": "media", "http://search.yahoo.com/mrss": "media",
    "http://xmlns.ezrss.it/0.1/": "torrent", "http://xmlns.ezrss.it/0.1/dtd/": "torrent",
    "http://torznab.com/schemas/2015/feed": "torznab",
    "https://nyaa.si/xmlns/nyaa": "nyaa", "https://sukebei.nyaa.si/xmlns/nyaa": "nyaa",
    "http://www.w3.org/1999/02/22-rdf-syntax-ns#": "rdf",
}
"The prefix under which a name space is known here."
_ENCODINGS: Final = frozenset({
    "utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be", "ascii", "gb2312", "gbk",
    "gb18030", "big5", "big5hkscs", "shift_jis", "cp932", "euc_jp", "iso2022_jp", "euc_kr", "cp949", "koi8-r", "koi8-u",
    "mac-roman", "cp437", "cp850", "cp866", "cp874", "tis-620",
    *(f"iso8859-{n}" for n in range(1, 17) if n != 12), *(f"cp125{n}" for n in range(9)),
})
"As Python calls them. Others are no text, or take long to read."
_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"),
    (b"<\0?\0", "utf-16-le"), (b"\0<\0?", "utf-16-be"), (b"<\0\0\0", "utf-32-le"), (b"\0\0\0<", "utf-32-be"),
)
_DECLARED: Final = re.compile(rb"""\s{0,100}<\?xml[^>]{0,200}?\bencoding\s*=\s*["']([A-Za-z0-9._:-]{1,40})["']""")
_PART: Final = 1 << 19
"Characters that are read at once."
_NOT_XML: Final = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_NOT_TEXT: Final = re.compile("[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]+")
"Besides controls, what turns the direction of writing around."
_TAG: Final = re.compile(r"<[^<>]{0,1000}>")
_SIZE: Final = re.compile(r"(\d{1,15})(?:\.(\d{1,6}))?\s*([kmgtp]?)(i?)b?", re.ASCII | re.IGNORECASE)
_POWERS: Final = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4, "p": 5}
_INFO_HASH: Final = re.compile(r"[0-9A-Fa-f]{40}|[A-Za-z2-7]{32}", re.ASCII)
_DAY: Final = 86_400
_PERIODS: Final = {"hourly": 3600, "daily": _DAY, "weekly": 7 * _DAY, "monthly": 30 * _DAY, "yearly": 365 * _DAY}


class Kind(StrEnum):
    """What a document is."""

    RSS = "rss"
    RDF = "rdf"
    "RSS 1.0."
    ATOM = "atom"


@dataclass(frozen=True, slots=True)
class Item:
    """One article. Texts are for people but not clean: `description` may be HTML of a stranger."""

    guid: str
    "What makes it the same article the next time; empty where the feed has nothing of the kind."
    title: str = ""
    link: str = ""
    "Of its page: http or https, or empty."
    torrent: str = ""
    """A magnet link, or an http(s) URL of a torrent file. Where the item does not say what is one, its link: many a
    tracker has nothing else."""
    description: str = ""
    author: str = ""
    published: float | None = None
    "Seconds since 1970."
    size: int | None = None
    "Bytes of content, as the feed claims."
    comments: str = ""
    "A URL."
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A feed as it was given, once."""

    kind: Kind
    title: str = ""
    link: str = ""
    "Of the site."
    description: str = ""
    ttl: float | None = None
    "Seconds for which the feed says that it stays as it is."
    updated: float | None = None
    items: tuple[Item, ...] = ()
    "In the order of the document."
    cut: bool = False
    "There are more items than FEED_ITEMS; these are the first."


def parse(data: bytes, *, url: str = "", charset: str = "") -> Document:
    """Read a feed. `url`: where it is from, for links that are relative; `charset`: what the server said of its bytes.

    Raises FormatError, whose `where` is the line and the column, and LimitError.
    """
    if len(data) > limits.FEED_BYTES:
        raise LimitError(f"longer than FEED_BYTES = {limits.FEED_BYTES}", where="feed")
    reader = _Reader(url)
    reader.read(_decoded(data, charset).strip())
    return reader.document()


def size_of(text: str) -> int | None:
    """Bytes: `1234`, `1.4 GiB`, `700 MB`. A unit counts in 1000 unless it has an i."""
    found = _SIZE.fullmatch(text.strip()[:40])
    if found is None:
        return None
    whole, part, unit, binary = found.groups()
    scale = (1024 if binary else 1000) ** _POWERS[unit.lower()]
    bytes_ = int(whole) * scale + (int(part) * scale // 10 ** len(part) if part else 0)
    return bytes_ if bytes_ < 1 << 60 else None


# -- bytes to text


def _decoded(data: bytes, charset: str) -> str:
    for mark, name in _MARKS:
        if data.startswith(mark):
            return data.decode(name, "replace").removeprefix("\ufeff")
    declared = _DECLARED.match(data)
    for name in (charset, declared[1].decode("ascii") if declared is not None else ""):
        known = _codec(name)
        # A document whose first bytes could be read as ASCII is not of two bytes a character, whatever it says.
        if known and not known.startswith(("utf-16", "utf-32")):
            try:
                return data.decode(known)
            except UnicodeDecodeError:
                # It says what it is not: the next guess, and at last the one that always works.
                continue
    try:
        return data.decode()
    except UnicodeDecodeError:
        # What begins with the marks of UTF-8 in most places is UTF-8 that was cut, else it is Western European.
        loose = data.decode("utf-8", "replace")
        wide = len(loose) - len(loose.encode("ascii", "ignore"))
        return loose if loose.count("\ufffd") * 20 < wide else data.decode("latin-1")


def _codec(name: str) -> str:
    """The name of an encoding as Python has it; empty for none that is read."""
    if not re.fullmatch(r"[A-Za-z0-9._:-]{1,40}", name, re.ASCII):
        return ""
    try:
        found = codecs.lookup(name).name
    except LookupError:
        return ""
    return found if found in _ENCODINGS else ""


# -- the document


@dataclass(slots=True)
class _Open:
    """An element that is not closed yet."""

    name: str
    "With the prefix of its name space."
    spaces: Mapping[str, str]
    "Prefixes that were declared, and what they stand for."
    attributes: Mapping[str, str]


@dataclass(slots=True)
class _Fields:
    """What was found of an item, or of the feed itself: the first of each."""

    texts: dict[str, str] = field(default_factory=dict)
    torrents: dict[int, str] = field(default_factory=dict)
    "URLs of torrents by how surely they are; the least number is the surest."
    categories: dict[str, None] = field(default_factory=dict)
    sizes: dict[int, int] = field(default_factory=dict)

    def put(self, key: str, value: str) -> None:
        if value and key not in self.texts:
            self.texts[key] = value

    def get(self, *keys: str) -> str:
        return next((self.texts[key] for key in keys if key in self.texts), "")


_TYPED, _MEDIA, _SUFFIX, _MAGNET, _UNTYPED, _LINK = range(6)
"How surely a URL is one of a torrent. A magnet comes last among what is sure: a file has web seeds and all trackers."


class _Reader:
    """One pass through the document; no tree of it is made."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._open: list[_Open] = []
        self._kind: Kind | None = None
        self._feed = _Fields()
        self._item: _Fields | None = None
        self._item_depth = 0
        self._items: list[Item] = []
        self._cut = False
        self._text: list[str] = []
        self._chars = 0
        self._wanted = ""
        "The element whose text is collected, with what is in it."
        self._wanted_depth = 0
        self._parser = expat.ParserCreate("utf-8")

    def read(self, text: str) -> None:
        """In parts, because each of them keeps the interpreter from everybody else."""
        if not text:
            raise FormatError("empty", where="feed")
        parser = self._parser
        parser.SetParamEntityParsing(expat.XML_PARAM_ENTITY_PARSING_NEVER)
        parser.buffer_text = True
        parser.StartDoctypeDeclHandler = self._doctype
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._data
        try:
            for start in range(0, len(text), _PART):
                parser.Parse(_NOT_XML.sub(" ", text[start:start + _PART]).encode(), False)
            parser.Parse(b"", True)
        except expat.ExpatError as error:
            raise FormatError(
                expat.ErrorString(error.code) or "not XML", where=f"line {error.lineno}, column {error.offset + 1}",
            ) from None
        finally:
            # The handlers hold the parser, and it holds them.
            parser.StartDoctypeDeclHandler = parser.StartElementHandler = None
            parser.EndElementHandler = parser.CharacterDataHandler = None

    def document(self) -> Document:
        if self._kind is None:
            raise FormatError("empty", where="feed")
        feed = self._feed
        return Document(
            self._kind, _line(feed.get("title"), limits.FEED_TITLE_CHARS), self._web(feed.get("link")),
            feed.get("description", "subtitle", "tagline").strip(), _ttl(feed),
            dates.parse(feed.get("lastbuilddate", "updated", "modified", "pubdate", "dc:date")),
            tuple(self._items), self._cut,
        )

    def _place(self) -> str:
        return f"line {self._parser.CurrentLineNumber}, column {self._parser.CurrentColumnNumber + 1}"

    def _doctype(self, *_: object) -> None:
        raise FormatError("a DOCTYPE, which no feed needs", where=self._place())

    def _start(self, raw: str, attributes: Mapping[str, str]) -> None:
        if len(self._open) >= limits.FEED_DEPTH:
            raise LimitError(f"deeper than FEED_DEPTH = {limits.FEED_DEPTH}", where=self._place())
        outer = self._open[-1] if self._open else None
        spaces = outer.spaces if outer is not None else {}
        declared = {key[6:]: _space(value) for key, value in attributes.items() if key[:5] == "xmlns"}
        if declared:
            spaces = {**spaces, **declared} if len(spaces) < limits.FEED_DEPTH else spaces
        name = _name(raw, spaces)
        if outer is None:
            self._root(name)
        if self._kind is Kind.ATOM:
            name = name.removeprefix("atom:")
        self._open.append(_Open(name, spaces, attributes))
        if self._item is None and name == ("entry" if self._kind is Kind.ATOM else "item"):
            self._item = _Fields()
            self._item_depth = len(self._open)
            self._wanted = ""
            about = attributes.get("rdf:about", "")
            if self._kind is Kind.RDF and about:
                self._item.put("about", about[:limits.FEED_URL_CHARS])
            return
        self._seen(name, attributes)
        if self._is_wanted(name):
            self._wanted, self._wanted_depth = name, len(self._open)
            self._text, self._chars = [], 0

    def _root(self, name: str) -> None:
        kind = _ROOTS.get(name)
        if kind is None:
            what = "a web page and no feed" if name == "html" else f"<{_line(name, 40)}> and no feed"
            raise FormatError(what, where=self._place())
        self._kind = kind

    def _is_wanted(self, name: str) -> bool:
        """Whether the text of an element that begins now says something."""
        if name in _DEEP or (name == "name" and len(self._open) > 1 and self._open[-2].name == "author"):
            return self._item is not None
        if self._wanted:
            return False
        if self._item is not None:
            return len(self._open) == self._item_depth + 1
        return len(self._open) > 1 and self._open[-2].name in ("channel", "feed")

    def _data(self, text: str) -> None:
        if self._wanted and self._chars < limits.FEED_TEXT_CHARS:
            text = text[:limits.FEED_TEXT_CHARS - self._chars]
            self._text.append(text)
            self._chars += len(text)

    def _end(self, _raw: str) -> None:
        ended = self._open.pop()
        depth = len(self._open) + 1
        if self._wanted and depth == self._wanted_depth:
            self._wanted = ""
            self._take(ended, "".join(self._text))
        if self._item is not None and depth == self._item_depth:
            if len(self._items) < limits.FEED_ITEMS:
                self._items.append(self._finished(self._item))
            else:
                self._cut = True
            self._item = None

    # -- what elements say

    def _seen(self, name: str, attributes: Mapping[str, str]) -> None:
        """An element that says something by its attributes."""
        item = self._item
        if name in ("link", "atom:link") and "href" in attributes:
            self._atom_link(attributes)
        elif item is None:
            return
        elif name == "enclosure":
            self._enclosure(attributes.get("url", ""), attributes.get("type", ""), attributes.get("length", ""))
        elif name == "media:content":
            if attributes.get("type", "").lower() == TORRENT_TYPE:
                self._offer(_MEDIA, attributes.get("url", ""))
            _note_size(item, 3, attributes.get("fileSize", ""))
        elif name == "media:peerlink":
            if attributes.get("type", "").lower() == TORRENT_TYPE:
                self._offer(_MEDIA, attributes.get("href", ""))
        elif name in ("torznab:attr", "newznab:attr"):
            self._torznab(attributes.get("name", "").lower(), attributes.get("value", ""))
        elif name == "category" and self._kind is Kind.ATOM:
            self._category(attributes.get("label") or attributes.get("term", ""))

    def _atom_link(self, attributes: Mapping[str, str]) -> None:
        rel, href = attributes.get("rel", "alternate").lower(), attributes["href"]
        if self._item is None:
            if rel == "alternate":
                self._feed.put("link", href[:limits.FEED_URL_CHARS])
        elif rel == "enclosure":
            self._enclosure(href, attributes.get("type", ""), attributes.get("length", ""))
        elif rel == "replies":
            self._item.put("comments", href)
        elif attributes.get("type", "").lower() == TORRENT_TYPE:
            self._offer(_TYPED, href)
        elif rel == "alternate":
            self._link(href)

    def _enclosure(self, url: str, kind: str, length: str) -> None:
        kind = kind.strip().lower()
        if kind.startswith(TORRENT_TYPE):
            self._offer(_TYPED, url)
        elif not kind:
            self._offer(_UNTYPED, url)
        elif _path(url).endswith(".torrent"):
            self._offer(_SUFFIX, url)
        if self._item is not None:
            _note_size(self._item, 4, length)

    def _torznab(self, name: str, value: str) -> None:
        if self._item is None:
            return
        if name == "size":
            _note_size(self._item, 1, value)
        elif name == "magneturl":
            self._offer(_MAGNET, value)
        elif name == "infohash":
            self._item.put("infohash", value[:100])

    def _take(self, ended: _Open, text: str) -> None:
        """The text of an element directly below an item or the feed, or of one of `_DEEP`."""
        name, item = ended.name, self._item
        if name == "title" and ended.attributes.get("type", "").lower() in ("html", "text/html"):
            text = unescape(_TAG.sub(" ", text))
        if item is None:
            self._feed.put(name, text.strip())
        elif name == "link":
            self._link(text)
        elif name == "torrent:magneturi":
            self._offer(_MAGNET, text)
        elif name in ("torrent:infohash", "nyaa:infohash"):
            item.put("infohash", text.strip()[:100])
        elif name in _SIZES:
            _note_size(item, _SIZES[name], text)
        elif name in ("category", "dc:subject"):
            self._category(text)
        elif name == "guid":
            item.put("guid", text.strip())
            if ended.attributes.get("isPermaLink", "true").lower() != "false":
                item.put("permalink", text if text.strip().lower().startswith("http") else "")
        else:
            item.put(name, text.strip())

    def _link(self, text: str) -> None:
        """A link that may lead to a page, to a torrent file, or be a magnet."""
        item = self._item
        if item is None:
            return
        text = text.strip()
        if text[:7].lower() == "magnet:":
            self._offer(_MAGNET, text)
        else:
            item.put("link", text)
            self._offer(_SUFFIX if _path(text).endswith(".torrent") else _LINK, text)

    def _category(self, text: str) -> None:
        if self._item is not None and len(self._item.categories) < limits.FEED_CATEGORIES:
            name = _line(text, limits.FEED_NAME_CHARS)
            if name:
                self._item.categories[name] = None

    def _offer(self, how: int, url: str) -> None:
        """A URL that may be one of a torrent."""
        url = self._url_of(url, magnets=True)
        if url[:7].lower() == "magnet:" and how in (_TYPED, _UNTYPED, _SUFFIX, _MEDIA):
            how = _MAGNET
        if url and self._item is not None:
            self._item.torrents.setdefault(how, url)

    def _web(self, url: str) -> str:
        return self._url_of(url, magnets=False)

    def _url_of(self, text: str, *, magnets: bool) -> str:
        """An http(s) URL, relative ones made whole; a magnet as it is; empty for all else, as for scripts."""
        text = text.strip().replace(" ", "%20")
        if text[:7].lower() == "magnet:":
            good = magnets and len(text) <= limits.FEED_MAGNET_CHARS and not _NOT_TEXT.search(text)
            return text if good else ""
        if not text or len(text) > limits.FEED_URL_CHARS or _NOT_TEXT.search(text):
            return ""
        try:
            url = urljoin(self._url, text)
            parts = urlsplit(url)
            whole = parts.scheme in ("http", "https") and bool(parts.hostname)
        except ValueError:
            return ""
        return url if whole and len(url) <= limits.FEED_URL_CHARS else ""

    def _finished(self, item: _Fields) -> Item:
        sure = min(item.torrents, default=_LINK)
        torrent = item.torrents.get(sure, "")
        info_hash = item.get("infohash")
        if sure > _MAGNET and _INFO_HASH.fullmatch(info_hash):
            torrent = f"magnet:?xt=urn:btih:{info_hash.lower()}"
        link = self._web(item.get("link")) or self._web(item.get("permalink", "about"))
        guid = item.get("guid", "id", "about", "dc:identifier") or torrent or link
        sizes = item.sizes
        return Item(
            guid=_NOT_TEXT.sub(" ", guid).strip()[:limits.FEED_URL_CHARS],
            title=_line(item.get("title", "media:title"), limits.FEED_TITLE_CHARS),
            link=link, torrent=torrent,
            description=item.get(
                "description", "summary", "content:encoded", "content", "media:description")[:limits.FEED_TEXT_CHARS],
            author=_line(item.get("dc:creator", "name", "author", "itunes:author"), limits.FEED_NAME_CHARS),
            published=next(
                (at for key in _DATES if (at := dates.parse(item.get(key))) is not None), None),
            size=sizes[min(sizes)] if sizes else None,
            comments=self._web(item.get("comments")),
            categories=tuple(item.categories),
        )


_ROOTS: Final = {
    "rss": Kind.RSS, "channel": Kind.RSS, "rdf:rdf": Kind.RDF, "feed": Kind.ATOM, "atom:feed": Kind.ATOM,
}
_DATES: Final = ("pubdate", "published", "issued", "dc:date", "date", "updated", "modified")
_SIZES: Final = {"torrent:contentlength": 0, "size": 2, "nyaa:size": 5}
"The less, the more it is believed."
_DEEP: Final = frozenset({
    "torrent:magneturi", "torrent:infohash", "torrent:contentlength", "media:title", "media:description",
})
"Elements that may be anywhere in an item."


def _space(uri: str) -> str:
    return _SPACES.get(uri.strip().lower(), "?")


def _name(raw: str, spaces: Mapping[str, str]) -> str:
    """The name of an element, in lower case: with the prefix that its name space has here, or, where that is not
    known, the one it is written with.
    """
    prefix, colon, local = raw.rpartition(":")
    known = spaces.get(prefix, "?")
    if known == "?":
        known = prefix
    if not colon and known == "atom":
        known = ""
    return (f"{known}:{local}" if known else local).lower()


def _line(text: str, most: int) -> str:
    """Text for people, in one line."""
    return " ".join(_NOT_TEXT.sub(" ", text[:4 * most]).split())[:most].rstrip()


def _path(url: str) -> str:
    """The path of a URL in lower case, without what follows it."""
    return re.split(r"[?#]", url.strip()[-limits.FEED_URL_CHARS:], maxsplit=1)[0].lower()


def _note_size(item: _Fields, how: int, text: str) -> None:
    size = size_of(text)
    if size:
        item.sizes.setdefault(how, size)


def _ttl(feed: _Fields) -> float | None:
    minutes = feed.get("ttl")
    if re.fullmatch(r"\d{1,9}", minutes, re.ASCII) and int(minutes):
        return int(minutes) * 60.0
    period = _PERIODS.get(feed.get("sy:updateperiod").lower())
    often = feed.get("sy:updatefrequency") or "1"
    if period is None or not re.fullmatch(r"\d{1,5}", often, re.ASCII) or not int(often):
        return None
    return period / int(often)


