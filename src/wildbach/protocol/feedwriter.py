"""Feeds as they are written: RSS 2.0 for podcast programs and other clients, from values that may come from strangers.

Each item leads to a torrent by its `enclosure`, which most clients of BitTorrent read, and by the elements of
Podcasting 2.0, which say what else there is of it. Any text gives a document that is well formed: what XML cannot
hold is left out. The same values give the same bytes.

Sources: RSS 2.0.11, BEP 36, the podcast name space 1.0, the iTunes elements, Podlove Simple Chapters 1.2.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from wildbach.protocol import dates
from wildbach.protocol.feeds import TORRENT_TYPE

_ROOT: Final = (
    '<?xml version="1.0" encoding="utf-8"?>\n<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom"'
    ' xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"'
    ' xmlns:podcast="https://podcastindex.org/namespace/1.0" xmlns:psc="http://podlove.org/simple-chapters">\n'
    "<channel>\n")
_END: Final = "</channel>\n</rss>\n"
_GUIDS: Final = uuid.UUID("ead4c236-bf58-58c6-a2c6-a6b28d128cb6")
"The name space of `podcast:guid`."
_NOT_XML: Final = re.compile("[\0-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_TEXT: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"})
_ATTRIBUTE: Final = str.maketrans({
    "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})


@dataclass(frozen=True, slots=True)
class Chapter:
    start: float
    "Seconds."
    title: str = ""


@dataclass(frozen=True, slots=True)
class Media:
    """One form in which an item can be had."""

    torrent: str
    "A magnet link, or the URL of a torrent file."
    mime: str = ""
    "Of the file that is played; empty where it is not known."
    length: int = 0
    "Bytes."
    height: int = 0
    bitrate: int = 0
    "Bits a second."
    codecs: str = ""
    urls: tuple[str, ...] = ()
    "Where a web server has the file itself."
    integrity: str = ""
    "Of the file, as in Subresource Integrity: `sha256-…`."


@dataclass(frozen=True, slots=True)
class FeedItem:
    guid: str
    title: str
    text: str = ""
    "Plain; it is no HTML."
    published: float = 0
    "Seconds since 1970; 0 where it is not known."
    media: tuple[Media, ...] = ()
    "The best first, which is also the `enclosure`."
    duration: float = 0
    "Seconds."
    chapters: tuple[Chapter, ...] = ()
    language: str = ""
    licence: str = ""
    tags: tuple[str, ...] = ()
    season: int = 0
    episode: int = 0
    "0 where there is none."


@dataclass(frozen=True, slots=True)
class FeedHead:
    """What is said of the feed itself."""

    title: str
    link: str
    "Of its page, or what else leads to it."
    text: str = ""
    language: str = ""
    author: str = ""
    licence: str = ""
    source: str = ""
    "What the feed is known by for ever, such as its first URL: its `podcast:guid` is made of it."
    image: str = ""
    "The URL of a picture."


def write(head: FeedHead, items: Iterable[FeedItem], most: int) -> bytes:
    """RSS of up to `most` bytes: items in their order, those behind the first that has no more room left out. The
    newest is to come first.
    """
    listed: list[FeedItem] = []
    written: list[bytes] = []
    # The date of the newest is not known before the items are: its line has the same length whatever it is.
    room = most - len(_start(head, (FeedItem("", "", published=1),))) - len(_END)
    for item in items:
        raw = _item(item).encode()
        room -= len(raw)
        if room < 0:
            break
        listed.append(item)
        written.append(raw)
    return _start(head, listed) + b"".join(written) + _END.encode()


def _start(head: FeedHead, items: Sequence[FeedItem]) -> bytes:
    updated = max((item.published for item in items), default=0)
    lines = [
        _text("title", head.title), _text("link", head.link), _html("description", head.text or head.title),
        _text("language", head.language), _text("itunes:author", head.author),
        _text("podcast:guid", str(uuid.uuid5(_GUIDS, _clean(head.source)))) if head.source else "",
        _licence(head.licence), _date("lastBuildDate", updated), _text("generator", "wildbach"),
    ]
    if head.image:
        lines += [
            f"<image>{_text('url', head.image)}{_text('title', head.title)}{_text('link', head.link)}</image>",
            _empty("itunes:image", href=head.image)]
    return (_ROOT + "".join(f"{line}\n" for line in lines if line)).encode()


def _item(item: FeedItem) -> str:
    lines = [
        _text("title", item.title), f'<guid isPermaLink="false">{_escaped(item.guid)}</guid>',
        _html("description", item.text), _date("pubDate", item.published), _text("dc:language", item.language),
        _text("itunes:duration", str(round(item.duration)) if item.duration else ""),
        _number("season", item.season), _number("episode", item.episode), _licence(item.licence),
        *(_text("category", tag) for tag in item.tags),
    ]
    if item.media:
        best = item.media[0]
        lines.append(_empty("enclosure", url=best.torrent, length=str(best.length), type=TORRENT_TYPE))
    lines += [_alternate(media, first=number == 0) for number, media in enumerate(item.media)]
    if item.chapters:
        chapters = "".join(
            _empty("psc:chapter", start=_clock(chapter.start), title=chapter.title) for chapter in item.chapters)
        lines.append(f'<psc:chapters version="1.2">{chapters}</psc:chapters>')
    return "<item>\n" + "".join(f"{line}\n" for line in lines if line) + "</item>\n"


def _alternate(media: Media, *, first: bool) -> str:
    opened = _empty(
        "podcast:alternateEnclosure", type=media.mime or TORRENT_TYPE, length=str(media.length or ""),
        bitrate=str(media.bitrate or ""), height=str(media.height or ""), codecs=media.codecs,
        default="true" if first else "").removesuffix("/>") + ">"
    sources = [_empty("podcast:source", uri=media.torrent, contentType=TORRENT_TYPE)]
    sources += [_empty("podcast:source", uri=url, contentType=media.mime) for url in media.urls]
    if media.integrity:
        sources.append(_empty("podcast:integrity", type="sri", value=media.integrity))
    return f"{opened}{''.join(sources)}</podcast:alternateEnclosure>"


def _number(name: str, number: int) -> str:
    return f"<itunes:{name}>{number}</itunes:{name}><podcast:{name}>{number}</podcast:{name}>" if number > 0 else ""


def _licence(licence: str) -> str:
    if licence.startswith(("http://", "https://")):
        return f'<podcast:license url="{_quoted(licence)}">{_escaped(licence)}</podcast:license>'
    return _text("podcast:license", licence)


def _date(name: str, moment: float) -> str:
    return _text(name, dates.written(moment) if moment else "")


def _text(name: str, text: str) -> str:
    """An element, where there is something to say."""
    text = _escaped(text)
    return f"<{name}>{text}</{name}>" if text else ""


def _html(name: str, text: str) -> str:
    """Plain text in an element that is read as HTML."""
    lines = _escaped(text.replace("\r\n", "\n").replace("\r", "\n"))
    return _text(name, lines.replace("\n", "<br>\n"))


def _empty(name: str, **attributes: str) -> str:
    """An element of attributes, without those that are empty."""
    told = "".join(f' {key}="{_quoted(value)}"' for key, value in attributes.items() if value)
    return f"<{name}{told}/>"


def _quoted(text: str) -> str:
    return _clean(text).translate(_ATTRIBUTE)


def _escaped(text: str) -> str:
    return _clean(text).translate(_TEXT)


def _clean(text: str) -> str:
    return _NOT_XML.sub("", text)


def _clock(seconds: float) -> str:
    """`HH:MM:SS.mmm`."""
    thousandths = round(seconds * 1000)
    minutes, rest = divmod(thousandths, 60_000)
    return f"{minutes // 60:02}:{minutes % 60:02}:{rest // 1000:02}.{rest % 1000:03}"
