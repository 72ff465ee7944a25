"""Which file answers for a path, and what changed between two versions."""

from __future__ import annotations

import pytest

from cli_torrents import torrent_of
from wildbach.protocol.metainfo.builder import BuildPlan, Kind, SourceFile
from wildbach.protocol.sitefiles import Place, SiteTree, difference, type_of

SITE = {
    ("index.html",): b"<h1>hello</h1>", ("404.html",): b"not here", ("docs", "index.html"): b"docs",
    ("docs", "a b.html"): b"a", ("img", "x.png"): b"png", (".git", "config"): b"secret", ("empty.css",): b"",
    (".well-known", "wildbach.json"): b"{}", ("docs", ".hidden"): b"h",
}


def place(path: str, files: dict[tuple[str, ...], bytes] = SITE) -> Place | None:
    info = torrent_of(files).info
    parts = tuple(part for part in path.split("/") if part)
    found = SiteTree(info).find(parts, path.endswith("/"))
    if found is not None and found.file is not None:
        assert info.files[found.file].path.parts
    return found


def name(path: str, files: dict[tuple[str, ...], bytes] = SITE) -> str:
    info = torrent_of(files).info
    found = place(path, files)
    assert found is not None and found.file is not None
    return str(info.files[found.file].path)


def test_files_and_indexes_answer_for_their_paths() -> None:
    assert name("/") == "index.html"
    assert name("/docs/") == "docs/index.html"
    assert name("/docs/a b.html") == "docs/a b.html"
    assert name("/empty.css") == "empty.css"
    assert name("/.well-known/wildbach.json") == ".well-known/wildbach.json"


def test_a_folder_without_its_slash_leads_to_the_one_with_it() -> None:
    assert place("/docs") == Place(to=("docs",))


def test_a_folder_without_an_index_is_a_list() -> None:
    assert place("/img/") == Place(folder=("img",))


@pytest.mark.parametrize("path", ["/nothing", "/.git/config", "/docs/.hidden", "/index.html/", "/docs/index.html/x",
"/.git/"])
def test_what_is_not_shown_is_the_sites_own_page(path: str) -> None:
    found = place(path)
    assert found is not None and found.missing
    assert name(path) == "404.html"


def test_without_that_page_nothing_answers() -> None:
    assert place("/nothing", {("index.html",): b"x"}) is None


def test_hidden_files_are_in_no_list() -> None:
    tree = SiteTree(torrent_of(SITE).info)
    assert tree.folders[()] == {"index.html": False, "404.html": False, "docs": True, "img": True, "empty.css": False,
                                ".well-known": True}
    assert tree.has_start and tree.size == sum(map(len, SITE.values()))


@pytest.mark.parametrize(("file", "kind"), [
    ("a.html", "text/html; charset=utf-8"), ("A.JS", "text/javascript; charset=utf-8"), ("a.wasm", "application/wasm"),
    ("a.svg", "image/svg+xml"), ("a.unknown", "application/octet-stream"), ("html", "application/octet-stream"),
])
def test_types(file: str, kind: str) -> None:
    assert type_of(file) == kind


def test_what_changed_is_told_by_content() -> None:
    big = bytes(range(256)) * 200
    old = torrent_of({("a",): b"1", ("moved",): big, ("gone",): b"3", ("same",): b"4"}).info
    new = torrent_of({("a",): b"one", ("elsewhere", "moved"): big, ("same",): b"4", ("new",): b"5555"}).info
    found = difference(old, new)
    assert found.added == ("elsewhere/moved", "new") and found.changed == ("a",) and found.removed == ("gone", "moved")
    assert found.fetch == len(b"one") + len(b"5555")
    assert difference(new, new).same and not difference(None, new).same
    assert difference(None, new).fetch == new.size


@pytest.mark.parametrize("kind", ["v1", "v2"])
def test_only_v2_says_what_is_the_same(kind: Kind) -> None:
    old = torrent_of({("a",): b"1", ("b",): b"2"}, kind=kind).info
    new = torrent_of({("a",): b"1", ("b",): b"3"}, kind=kind).info
    assert difference(old, new).changed == (("b",) if kind == "v2" else ("a", "b"))


def test_a_link_inside_the_site_is_the_file_it_leads_to() -> None:
    files = [
        SourceFile(("index.html",), 2), SourceFile(("docs", "a"), 1), SourceFile(("start",), 0, symlink=("index.html",
            )),
        SourceFile(("folder",), 0, symlink=("docs",)), SourceFile((".hidden",), 0, symlink=("index.html",)),
    ]
    plan = BuildPlan("site", files)
    pieces = range(plan.geometry.piece_count)
    plan.add(pieces, bytes(20 * len(pieces)), bytes(range(1, 1 + 32 * len(pieces))))
    info = plan.finish().info
    tree = SiteTree(info)
    found = tree.find(("start",), False)
    assert found is not None and found.file is not None and str(info.files[found.file].path) == "index.html"
    assert set(tree.files) == {("index.html",), ("docs", "a"), ("start",)}
