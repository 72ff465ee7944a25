"""Addresses of sites: a site is what one key publishes, and each site is an origin of its own in the browser.

A key is the 52 letters of its base32 in front of `.localhost`,
because 64 hex digits are more than a DNS label may have. A
version that never changes is `v-` and the base32 of its v2 info hash. Of the 16 spellings that base32 has for the last
letter one counts: a second spelling would be a second origin with the same content.
"""

from __future__ import annotations

import re
from base64 import b32decode, b32encode
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import quote, unquote_to_bytes, urlsplit

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError
from wildbach.protocol.metainfo.magnet import MutableLink, is_mutable

_LABEL: Final = re.compile(r"[a-z2-7]{52}")
_HEX: Final = re.compile(r"[0-9a-fA-F]{64}")
_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_BAD: Final = re.compile("[\x00-\x1f\x7f/\\\\]")
VERSION: Final = "v-"
"Before the label of a version."
SUFFIX: Final = ".localhost"
_OPEN_HIDDEN: Final = ".well-known"
"The one hidden folder that the web knows (RFC 8615)."

Kind = Literal["live", "version"]


@dataclass(frozen=True, slots=True)
class Host:
    """Whose content a host name stands for."""

    kind: Kind
    "`live`: what the key leads to now; `version`: one torrent for ever."
    id: bytes
    "The public key (Ed25519), or the v2 info hash: 32 bytes."

    @property
    def name(self) -> str:
        """The host name, without a port."""
        return (VERSION if self.kind == "version" else "") + label(self.id) + SUFFIX


@dataclass(frozen=True, slots=True)
class SiteLink:
    """A site, and a page of it."""

    key: bytes
    "The public key, 32 bytes."
    path: str = "/"
    "As a URL has it, percent-encoded; begins with a slash."
    mutable: MutableLink | None = None
    "The magnet link it was, with the peers and trackers it named."

    def url(self, port: int) -> str:
        """For a browser of this machine."""
        return f"http://{Host('live', self.key).name}:{port}{self.path}"

    def to_uri(self) -> str:
        """What one gives to others."""
        return f"btpk://{label(self.key)}{self.path}"


def label(id: bytes) -> str:
    """The base32 of 32 bytes, in lower case and without padding: 52 letters."""
    return b32encode(id).decode().rstrip("=").lower()


def id_of(text: str) -> bytes | None:
    """The 32 bytes that a label stands for; None for what is none, or is spelled in another way than `label` does."""
    if _LABEL.fullmatch(text) is None:
        return None
    id = b32decode(text.upper() + "====")
    return id if label(id) == text else None


def host_of(name: str) -> Host | None:
    """What a host name without port stands for; None for what is no site's. Browsers give names in lower case."""
    if not name.endswith(SUFFIX):
        return None
    text = name[: -len(SUFFIX)]
    version = text.startswith(VERSION)
    id = id_of(text[len(VERSION):] if version else text)
    return None if id is None else Host("version" if version else "live", id)


def looks_like_site(name: str) -> bool:
    """Whether a host name is one of those that sites have, well spelled or not: below `.localhost`, and not `media`."""
    text = name.removesuffix(SUFFIX)
    return text != name and "." not in text and len(text.removeprefix(VERSION)) == 52


def parse_link(text: str) -> SiteLink:
    """Read an address: a key of 52 letters or 64 hex digits, `btpk://KEY/path`, `bittorrent://HEX/path`,
    `magnet:?xs=urn:btpk:HEX`, or what the browser shows. Raises FormatError, LimitError.
    """
    text = text.strip()
    if len(text) > limits.MAGNET_BYTES:
        raise LimitError(f"longer than MAGNET_BYTES = {limits.MAGNET_BYTES}", where="site")
    if is_mutable(text):
        link = MutableLink.parse(text)
        if link.salt:
            raise FormatError("a site has no salt: this link is one of a channel or another torrent", where="site")
        return SiteLink(link.public_key, mutable=link)
    if text[:7].lower() == "magnet:":
        raise FormatError("this magnet link leads to a torrent; that of a site has xs=urn:btpk: and a key",
        where="site")
    if "://" not in text:
        return SiteLink(_key(text))
    try:
        parts = urlsplit(text)
        name = (parts.hostname or "").removesuffix(".")
    except ValueError as error:
        raise FormatError(f"is no address: {error}", where="site") from None
    if parts.scheme in ("btpk", "bittorrent"):
        key = _key(name)
    elif parts.scheme in ("http", "https") and (host := host_of(name)) is not None and host.kind == "live":
        key = host.id
    else:
        raise FormatError(
            "is no address of a site: it is a key, btpk://KEY, bittorrent://HEX, magnet:?xs=urn:btpk:HEX or "
            f"http://KEY{SUFFIX}", where="site")
    path = parts.path or "/"
    parse_path(path)
    return SiteLink(key, quote(path, safe="/%!$&'()*+,;=:@-._~") + (f"?{parts.query}" if parts.query else ""))


def _key(text: str) -> bytes:
    if _HEX.fullmatch(text) is not None:
        return bytes.fromhex(text)
    id = id_of(text.lower())
    if id is None:
        raise FormatError("a key has 52 letters and digits (base32), or 64 hex digits", where="site")
    return id


def parse_path(raw: str) -> tuple[tuple[str, ...], bool]:
    """The elements of a URL's path, and whether it ends with a slash, as a folder does.

    Decoded once. Raises FormatError for what could mean another file than it says: `.`, `..`, empty elements,
    slashes and
    backslashes in disguise, control characters, what is no UTF-8, and hidden files but for `/.well-known/`.
    """
    if len(raw) > limits.SITE_PATH_BYTES:
        raise LimitError(f"longer than SITE_PATH_BYTES = {limits.SITE_PATH_BYTES}", where="path")
    if not raw.startswith("/") or _PERCENT.search(raw) is not None or not raw.isascii():
        raise FormatError("is not the path of a URL", where="path")
    texts = raw[1:].split("/")
    folder = texts[-1] == ""
    if folder:
        texts.pop()
    if len(texts) > limits.PATH_DEPTH:
        raise LimitError(f"more than PATH_DEPTH = {limits.PATH_DEPTH} elements", where="path")
    return tuple(_element(text, at) for at, text in enumerate(texts)), folder


def _element(text: str, at: int) -> str:
    try:
        name = unquote_to_bytes(text).decode()
    except UnicodeDecodeError:
        raise FormatError("is not UTF-8", where="path") from None
    if not name or _BAD.search(name) is not None or (name.startswith(".") and (at or name != _OPEN_HIDDEN)):
        raise FormatError("has an element that no file of a site has", where="path")
    return name


def path_of(parts: tuple[str, ...]) -> str:
    """The path of a URL that `parse_path` reads as these elements."""
    return "/" + "/".join(quote(part, safe="") for part in parts)
