"""Publishing a folder: what changed, one torrent in the place of the last, and nothing where the head reaches
nobody."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli_torrents import write_content
from sitebed import ONE, TWO, Bed, FakeMaker, Files, bed, key_of, story
from wildbach.base import limits
from wildbach.base.errors import FormatError, NetworkError, UsageError
from wildbach.protocol.metainfo import MutableLink
from wildbach.protocol.payouts import read_facts, with_payout
from wildbach.protocol.tron.address import Address
from wildbach.services.sites.events import SitePublished
from wildbach.services.sites.publishing import Outcome, Plan, Publisher

PAYEE, OTHER = str(Address(bytes(20))), str(Address(bytes([1]) * 20))


def lay(folder: Path, files: Files) -> Path:
    for path in sorted(folder.rglob("*"), reverse=True) if folder.exists() else ():
        path.unlink() if path.is_file() else path.rmdir()
    write_content(folder, dict(files))
    return folder


async def publish(made: Bed, folder: Path, **more: object) -> Outcome:
    publisher = Publisher(made.sites, made.keeper, FakeMaker(), wall=lambda: made.now)
    return await publisher.publish(Plan(folder, "blog", **more), lambda share: None)  # type: ignore[arg-type]


@story
async def test_a_folder_becomes_a_site_that_is_known_and_seeded_in_place(tmp_path: Path) -> None:
    folder = lay(tmp_path / "dist", ONE)
    async with bed() as made:
        done = await publish(made, folder)
        site = made.sites.get(key_of("blog"))
        assert site is not None and site.own == "blog" and site.name == "blog" and site.folder == str(folder)
        assert done.seq == 1 and done.nodes == 8 and done.files == 4 and done.has_start
        assert done.difference.added == ("docs/index.html", "img/x.png", "index.html", "style.css")
        assert MutableLink.parse(done.link).public_key == key_of("blog")
        assert [type(event) for event in made.events] == [SitePublished]
        shown = made.sites.shown(key_of("blog"))
        assert shown is not None and shown.copy is not None and shown.copy.whole and made.torrents.fetched == []


@story
async def test_the_next_version_takes_the_place_of_the_last_and_no_file_goes(tmp_path: Path) -> None:
    folder = lay(tmp_path / "dist", ONE)
    async with bed() as made:
        await publish(made, folder)
        lay(folder, TWO)
        done = await publish(made, folder)
        assert done.seq == 2 and done.difference.added == ("new.txt",) and done.difference.changed == ("index.html",)
        assert len(made.torrents.removed) == 1 and len(made.torrents.copies) == 1
        site = made.sites.get(key_of("blog"))
        assert site is not None and [version.seq for version in site.versions] == [1, 2]
        assert (folder / "index.html").read_bytes() == TWO["index.html",]


@story
async def test_the_same_again_stays_one_version(tmp_path: Path) -> None:
    folder = lay(tmp_path / "dist", ONE)
    async with bed() as made:
        await publish(made, folder)
        done = await publish(made, folder)
        site = made.sites.get(key_of("blog"))
        assert done.difference.same and site is not None and len(site.versions) == 1
        assert made.torrents.removed == [] and len(made.torrents.copies) == 1


@story
async def test_a_dry_run_does_nothing_and_makes_no_key(tmp_path: Path) -> None:
    folder = lay(tmp_path / "dist", ONE)
    async with bed() as made:
        done = await publish(made, folder, dry_run=True)
        assert done.seq == -1 and len(done.difference.added) == 4 and done.key == b""
        assert made.heads.keys == {} and made.torrents.copies == {} and made.sites.views() == []


@story
async def test_where_the_head_reaches_nobody_nothing_has_changed(tmp_path: Path) -> None:
    folder = lay(tmp_path / "dist", ONE)
    async with bed() as made:
        await publish(made, folder)
        before = made.sites.get(key_of("blog"))
        lay(folder, TWO)
        made.heads.silent = True
        with pytest.raises(NetworkError):
            await publish(made, folder)
        assert made.sites.get(key_of("blog")) == before and len(made.torrents.copies) == 1
        made.heads.silent, made.heads.ahead = False, True
        with pytest.raises(UsageError, match="newer"):
            await publish(made, folder)
        assert (await publish(made, folder, adopt=True)).seq == 2


@story
async def test_a_web_seed_names_the_torrent_as_its_folder_is_named(tmp_path: Path) -> None:
    folder = lay(tmp_path / "dist", ONE)
    async with bed() as made:
        done = await publish(made, folder, web_seeds=("https://example.org/a/my%20blog/",))
        (copy,) = made.torrents.copies.values()
        assert copy.info is not None and copy.info.name == "my blog"
        assert MutableLink.parse(done.link).web_seeds == ("https://example.org/a/",)
        lay(folder, TWO)
        await publish(made, folder)
        (copy,) = made.torrents.copies.values()
        assert copy.info is not None and copy.info.name == "my blog"
        site = made.sites.get(key_of("blog"))
        assert site is not None and site.web_seeds == ("https://example.org/a/",)


@story
@pytest.mark.parametrize("urls", [
    ("https://example.org/",), ("https://example.org",), ("ftp://example.org/a/",), ("a",), ("https://x/a?b",),
    ("http://[",),
    ("https://x/a", "https://y/b"),
])
async def test_web_seeds_that_cannot_be_are_refused(tmp_path: Path, urls: tuple[str, ...]) -> None:
    folder = lay(tmp_path / "dist", ONE)
    async with bed() as made:
        with pytest.raises(UsageError):
            await publish(made, folder, web_seeds=urls)


@story
async def test_there_are_only_so_many_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SITE_FILES", 2)
    folder = lay(tmp_path / "dist", ONE)
    async with bed() as made:
        with pytest.raises(UsageError, match="SITE_FILES"):
            await publish(made, folder)


@story
async def test_what_changed_since_in_the_folder_is_told(tmp_path: Path) -> None:
    folder = lay(tmp_path / "dist", ONE)
    async with bed() as made:
        await publish(made, folder)
        maker = FakeMaker()
        maker.touched = ("index.html",)
        publisher = Publisher(made.sites, made.keeper, maker)
        assert await publisher.changed(made.sites.find("blog")) == ("index.html",)


@story
async def test_an_address_for_tips_is_written_into_the_folder_and_shown_at_once(tmp_path: Path) -> None:
    folder = lay(tmp_path / "dist", ONE)
    async with bed() as made:
        with pytest.raises(FormatError):
            await publish(made, folder, payout="T1")
        await publish(made, folder, payout=PAYEE, dry_run=True)
        assert not (folder / ".well-known").exists()
        await publish(made, folder, payout=PAYEE)
        assert read_facts((folder / ".well-known" / "wildbach.json").read_bytes()).payout == PAYEE
        assert (made.sites.find("blog").payout, made.sites.find("blog").payout_was) == (PAYEE, "")
        # What the folder says counts on, and its author is asked nothing when he changes it.
        lay(folder, {**TWO, (".well-known", "wildbach.json"): with_payout(None, OTHER)})
        await publish(made, folder)
        assert (made.sites.find("blog").payout, made.sites.find("blog").payout_was) == (OTHER, "")
