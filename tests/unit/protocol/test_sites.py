"""Addresses of sites: one spelling of a key, and paths that say what they mean."""

from __future__ import annotations

from base64 import b32decode, b32encode
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError
from wildbach.protocol import sites

KEY = bytes(range(32))
LABEL = sites.label(KEY)
names = st.text(st.characters(exclude_characters="/\\", exclude_categories=("Cc", "Cs")), min_size=1,
    max_size=20).filter(
    lambda text: not text.startswith(".") and "\x7f" not in text)


@given(st.binary(min_size=32, max_size=32))
def test_a_key_has_one_label_and_the_label_has_the_key(key: bytes) -> None:
    label = sites.label(key)
    assert len(label) == 52 and label == label.lower()
    assert sites.id_of(label) == key
    assert sites.host_of(f"{label}.localhost") == sites.Host("live", key)
    assert sites.host_of(f"v-{label}.localhost") == sites.Host("version", key)


def test_of_sixteen_spellings_one_counts() -> None:
    spellings = [LABEL[:-1] + last for last in "abcdefghijklmnopqrstuvwxyz234567"]
    same = [text for text in spellings if b32decode(text.upper() + "====") == KEY]
    assert len(same) == 16
    assert [text for text in same if sites.id_of(text) is not None] == [LABEL]
    assert b32encode(KEY).decode().rstrip("=").lower() == LABEL


@pytest.mark.parametrize("name", [
    "localhost", "media.localhost", f"{LABEL}.localhost.", f"{LABEL.upper()}.localhost", f"x.{LABEL}.localhost",
    f"{LABEL[:-1]}.localhost", f"{LABEL}a.localhost", f"{LABEL}.example.org", f"{LABEL}", f"v-{LABEL}",
    f"v{LABEL}.localhost",
    "127.0.0.1", "",
])
def test_other_hosts_are_no_sites(name: str) -> None:
    assert sites.host_of(name) is None


def test_what_looks_like_a_site_is_known_as_one() -> None:
    wrong = LABEL[:-1] + ("b" if LABEL[-1] != "b" else "c")
    assert sites.looks_like_site(f"{LABEL}.localhost") and sites.looks_like_site(f"v-{wrong}.localhost")
    assert not sites.looks_like_site("media.localhost") and not sites.looks_like_site(f"x.{LABEL}.localhost")


@pytest.mark.parametrize(("text", "path"), [
    (LABEL, "/"), (LABEL.upper(), "/"), (KEY.hex(), "/"), (f"  {KEY.hex().upper()} ", "/"), (f"btpk://{LABEL}", "/"),
    (f"btpk://{KEY.hex()}/a/b.html", "/a/b.html"), (f"bittorrent://{KEY.hex()}/x%20y/", "/x%20y/"),
    (f"magnet:?xs=urn:btpk:{KEY.hex()}", "/"), (f"http://{LABEL}.localhost:9092/a?q=1", "/a?q=1"),
    (f"http://{LABEL.upper()}.localhost/", "/"),
])
def test_all_forms_of_an_address_lead_to_the_key(text: str, path: str) -> None:
    link = sites.parse_link(text)
    assert link.key == KEY and link.path == path
    assert sites.parse_link(link.to_uri()).key == KEY
    assert link.url(9) == f"http://{LABEL}.localhost:9{path}"


def test_a_magnet_link_keeps_peers_and_trackers() -> None:
    link = sites.parse_link(f"magnet:?xs=urn:btpk:{KEY.hex()}&x.pe=1.2.3.4:5&tr=http%3A%2F%2Ft%2Fa")
    assert link.mutable is not None and link.mutable.peers == (("1.2.3.4", 5),) and link.mutable.trackers == ("http://t/a",)


@pytest.mark.parametrize("text", [
    "", "hello", LABEL[:-1], f"ftp://{LABEL}", f"btpk://{LABEL[:-1]}/", f"magnet:?xs=urn:btpk:{KEY.hex()}&s=6e",
    f"magnet:?xt=urn:btih:{'0' * 40}", f"bittorrent://{'0' * 40}/", f"http://v-{LABEL}.localhost/", "http://[::1",
    f"btpk://{LABEL}/../x", f"http://{LABEL}.localhost/%2e%2e/x",
])
def test_other_texts_are_no_addresses(text: str) -> None:
    with pytest.raises(FormatError):
        sites.parse_link(text)


def test_a_long_address_is_not_read() -> None:
    with pytest.raises(LimitError, match="MAGNET_BYTES"):
        sites.parse_link("x" * (limits.MAGNET_BYTES + 1))


@given(st.lists(names, max_size=6), st.booleans())
def test_a_path_is_read_as_it_was_meant(parts: list[str], folder: bool) -> None:
    raw = "/" + "/".join(quote(part, safe="") for part in parts) + ("/" if folder and parts else "")
    assert sites.parse_path(raw) == (tuple(parts), folder or not parts)
    assert sites.parse_path(sites.path_of(tuple(parts)))[0] == tuple(parts)


@given(st.text(max_size=60))
def test_whatever_a_path_is_no_element_leaves_the_site(raw: str) -> None:
    try:
        parts, _ = sites.parse_path(raw)
    except FormatError:
        return
    for part in parts:
        assert part not in ("", ".", "..") and not set("/\\\0") & set(part)


@pytest.mark.parametrize("raw", [
    "", "a", "//", "/a//b", "/.", "/..", "/a/..", "/a/../b", "/%2e%2e/b", "/%2E", "/a%2fb", "/a%2Fb", "/a%5cb",
    "/a\\b", "/%00",
    "/a%0ab", "/a%7f", "/.git/config", "/a/.env", "/.htaccess", "/a/.well-known/x", "/%", "/%2", "/%zz", "/%ff",
    "/%c0%ae%c0%ae/x",
    "/ä", "/%ed%a0%80", "/a/%2e%2e", "http://x/", "*",
])
def test_paths_that_could_mean_something_else_are_refused(raw: str) -> None:
    with pytest.raises(FormatError):
        sites.parse_path(raw)


def test_a_path_is_decoded_once() -> None:
    assert sites.parse_path("/%252e%252e/a") == (("%2e%2e", "a"), False)


def test_the_well_known_folder_is_open() -> None:
    assert sites.parse_path("/.well-known/wildbach.json") == ((".well-known", "wildbach.json"), False)


def test_long_and_deep_paths_are_refused() -> None:
    with pytest.raises(LimitError, match="SITE_PATH_BYTES"):
        sites.parse_path("/" + "a" * limits.SITE_PATH_BYTES)
    with pytest.raises(LimitError, match="PATH_DEPTH"):
        sites.parse_path("/a" * (limits.PATH_DEPTH + 1))
