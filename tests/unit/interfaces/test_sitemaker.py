"""Folders as torrents of sites."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from cli_torrents import write_content
from wildbach.base.errors import FormatError, UsageError
from wildbach.interfaces.sitemaker import SiteMaker
from wildbach.protocol.metainfo import Metainfo
from wildbach.protocol.payouts import read_facts
from wildbach.protocol.tron.address import Address
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


def name_payout(folder: Path, payout: str) -> None:
    async def main() -> None:
        threads = Threads(1)
        try:
            await SiteMaker(threads).name_payout(folder, payout)
        finally:
            threads.close()
    asyncio.run(main())


def test_an_address_for_tips_goes_beside_what_else_the_folder_says(tmp_path: Path) -> None:
    payee = str(Address(bytes(20)))
    folder = tmp_path / "dist"
    write_content(folder, {("index.html",): b"x"})
    name_payout(folder, payee)
    file = folder / ".well-known" / "wildbach.json"
    assert read_facts(file.read_bytes()).payout == payee and paths(build(folder)) == [
        ".well-known/wildbach.json", "index.html"]
    before = os.stat(file).st_mtime_ns
    name_payout(folder, payee)
    assert os.stat(file).st_mtime_ns == before
    file.write_bytes(b'{"theme": "dark"}')
    (file.parent / ".wildbach.json.new").write_bytes(b"of a crash")
    name_payout(folder, payee)
    assert b'"theme": "dark"' in file.read_bytes() and os.listdir(file.parent) == ["wildbach.json"]
    file.write_bytes(b"{")
    with pytest.raises(FormatError):
        name_payout(folder, payee)
    assert file.read_bytes() == b"{"


@pytest.mark.parametrize("at", [".well-known", ".well-known/wildbach.json"])
def test_an_address_for_tips_is_written_nowhere_else(tmp_path: Path, at: str) -> None:
    folder, away = tmp_path / "dist", tmp_path / "away"
    write_content(folder, {("index.html",): b"x"})
    away.mkdir()
    (folder / at).parent.mkdir(exist_ok=True)
    (folder / at).symlink_to(away if at == ".well-known" else away / "file.json")
    with pytest.raises(UsageError):
        name_payout(folder, str(Address(bytes(20))))
    assert os.listdir(away) == []
    with pytest.raises(UsageError):
        name_payout(tmp_path / "nothing", str(Address(bytes(20))))
