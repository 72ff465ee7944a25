"""Folders as torrents of sites."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from cli_torrents import write_content
from wildbach.base.errors import UsageError
from wildbach.interfaces.sitemaker import SiteMaker
from wildbach.protocol.metainfo import Metainfo
from wildbach.runtime.workers import Threads
from wildbach.services.sites.seams import Built, Stamps

FILES = {
    ("index.html",): b"<h1>hello</h1>", ("a", "big.bin"): bytes(range(256)) * 1000, ("a", "b", "c.txt"): b"c",
    ("zero",): b"", (".env",): b"SECRET", (".git", "config"): b"x", ("a", ".hidden"): b"h",
    (".well-known", "wildbach.json"): b"{}",
}


def build(
    folder: Path, known: tuple[Metainfo, Stamps] | None = None, *, hidden: bool = False, web: tuple[str, ...] = (),
) -> Built:
    async def main() -> Built:
        threads = Threads(1)
        try:
            return await SiteMaker(threads).build(
                folder, "site", known=known, web_seeds=web, hidden=hidden, progress=lambda share: None)
        finally:
            threads.close()
    return asyncio.run(main())


def paths(built: Built) -> list[str]:
    return sorted(str(file.path) for file in built.metainfo.info.files)


def test_hidden_files_stay_out_but_for_the_well_known_ones(tmp_path: Path) -> None:
    write_content(tmp_path / "dist", FILES)
    built = build(tmp_path / "dist")
    assert paths(built) == [".well-known/wildbach.json", "a/b/c.txt", "a/big.bin", "index.html", "zero"]
    assert built.metainfo.info.name == "site" and built.metainfo.info.has_v1 and built.metainfo.info.has_v2
    assert set(built.passed_over) >= {".env", ".git"}
    assert len(paths(build(tmp_path / "dist", hidden=True))) == len(FILES)


def test_what_did_not_change_is_not_hashed_again_and_gives_the_same_hashes(tmp_path: Path) -> None:
    folder = tmp_path / "dist"
    write_content(folder, FILES)
    first = build(folder)
    again = build(folder, (first.metainfo, first.stamps))
    assert again.hashed == 0 and again.metainfo.info.hashes == first.metainfo.info.hashes
    (folder / "index.html").write_bytes(b"<h1>other</h1>")
    (folder / "a" / "new").write_bytes(b"new" * 9000)
    os.utime(folder / "index.html", ns=(1, 1))
    third = build(folder, (first.metainfo, first.stamps))
    assert third.metainfo.info.hashes == build(folder).metainfo.info.hashes
    assert third.hashed < len(FILES["a", "big.bin"])


@pytest.mark.parametrize("change", ["grown", "moved", "touched"])
def test_a_file_whose_stamp_differs_is_hashed_again(tmp_path: Path, change: str) -> None:
    folder = tmp_path / "dist"
    write_content(folder, FILES)
    first = build(folder)
    big = folder / "a" / "big.bin"
    if change == "grown":
        big.write_bytes(big.read_bytes() + b"more")
    elif change == "moved":
        big.rename(folder / "elsewhere.bin")
    else:
        data = bytearray(big.read_bytes())
        data[0] ^= 1
        big.write_bytes(bytes(data))
        os.utime(big, ns=(5, 5))
    assert build(folder, (first.metainfo, first.stamps)).metainfo.info.hashes == build(folder).metainfo.info.hashes


def test_a_link_that_leads_out_is_refused_and_one_inside_stays(tmp_path: Path) -> None:
    folder = tmp_path / "dist"
    write_content(folder, FILES)
    (folder / "inside.html").symlink_to("index.html")
    assert "inside.html" in paths(build(folder))
    (tmp_path / "secret").write_bytes(b"x")
    (folder / "out.html").symlink_to("../secret")
    with pytest.raises(UsageError, match="leads to nothing inside"):
        build(folder)


def test_a_site_is_made_of_a_folder_with_something_in_it(tmp_path: Path) -> None:
    for folder in (tmp_path / "nothing", tmp_path / "empty"):
        if folder.name == "empty":
            folder.mkdir()
        with pytest.raises(UsageError):
            build(folder)


def test_files_that_changed_are_told_of(tmp_path: Path) -> None:
    folder = tmp_path / "dist"
    write_content(folder, FILES)
    built = build(folder)
    (folder / "zero").unlink()
    (folder / "index.html").write_bytes(b"longer than it was before")

    async def main() -> tuple[str, ...]:
        threads = Threads(1)
        try:
            return await SiteMaker(threads).changed(folder, built.stamps)
        finally:
            threads.close()
    assert set(asyncio.run(main())) == {"zero", "index.html"}


def test_web_seeds_are_in_the_torrent(tmp_path: Path) -> None:
    write_content(tmp_path / "dist", FILES)
    assert build(tmp_path / "dist", web=("https://example.org/",)).metainfo.web_seeds == ("https://example.org/",)
