"""Publishing a channel: drafts wait until their head is out, versions follow from each other, and readers have them."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from api_fakes import FakeKeeper
from channelbed import FACTS, FakeCopy, Net, bed, film, key_of
from sitebed import story
from wildbach.base import limits
from wildbach.base.errors import NetworkError, StorageError, UsageError
from wildbach.protocol.channels import files
from wildbach.protocol.channels.items import Channel, Item, Link, read_channel
from wildbach.protocol.metainfo import Magnet, MutableLink
from wildbach.protocol.tron.address import Address
from wildbach.services.channels.events import ChannelPublished

KEY = key_of("birds")


def lay(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode() * 1000)
    return folder


@story
async def test_what_is_published_on_one_machine_is_found_on_another(tmp_path: Path) -> None:
    net = Net()
    async with bed(tmp_path / "a", net) as author, bed(tmp_path / "b", net) as reader:
        channel = await author.published(film(1, "The owl"))
        link = MutableLink.parse(channel.link)
        assert link.salt == b"wb-ch" and link.recovery and link.name == "Birds"
        assert author.heads.said == [(1, 1_700_000_000)]
        assert isinstance(author.events[-1], ChannelPublished)
        assert await author.guids("owl") == ["g1"] and author.author.drafts(channel) == ()
        await reader.followed(channel.link)
        assert await reader.guids("owl") == ["g1"]
        facts = reader.channels.must(KEY).facts
        assert facts is not None and facts.recovery == link.recovery.hex() and facts.title == "Birds"
        await author.published(film(2))
        await reader.settled(KEY)
        assert sorted(await reader.guids()) == ["g1", "g2"]


@story
async def test_a_file_is_an_item_and_is_seeded_where_it_lies(tmp_path: Path) -> None:
    folder = lay(tmp_path / "films", "owl.mp4")
    async with bed(tmp_path / "a", Net()) as made:
        channel = await made.author.create("birds", FACTS)
        (item,) = await made.author.add_path(
            channel, folder / "owl.mp4", {"title": "The owl", "tags": ("night",)}, lambda share: None)
        assert made.torrents.seeded == [folder] and item.title == "The owl" and item.kind == "video"
        (rendition,) = item.renditions
        assert rendition.ih and rendition.ih2 and rendition.root and rendition.length == 7000
        # The same again is the same item.
        (again,) = await made.author.add_path(channel, folder / "owl.mp4", {}, lambda share: None)
        assert again.guid == item.guid and made.author.drafts(channel) == (again,)
        await made.published()
        assert await made.guids("owl") == [item.guid]


@story
async def test_a_folder_is_one_torrent_with_an_item_for_each_film_and_what_lies_beside(tmp_path: Path) -> None:
    folder = lay(tmp_path / "season", "e1.mkv", "e1.de.srt", "e1.jpg", "sub/e2.mkv", "e1.mp3.txt", "notes.txt")
    async with bed(tmp_path / "a", Net()) as made:
        channel = await made.author.create("birds", FACTS)
        items = await made.author.add_path(channel, folder, {"lang": "en"}, lambda share: None)
        assert sorted(item.title for item in items) == ["e1", "e2"]
        first = next(item for item in items if item.title == "e1")
        assert [(one.lang, one.mime) for one in first.subtitles] == [("de", "application/x-subrip")]
        assert first.thumbnail and first.lang == "en" and len({item.renditions[0].ih for item in items}) == 1
        assert {item.renditions[0].path for item in items} == {"e1.mkv", "sub/e2.mkv"}


@story
async def test_a_link_is_an_item_of_which_less_is_known(tmp_path: Path) -> None:
    async with bed(tmp_path / "a", Net()) as made:
        channel = await made.author.create("birds", FACTS)
        magnet = Magnet.parse(
            "magnet:?xt=urn:btih:" + "ab" * 20 + "&dn=owl.webm&ws=https%3A%2F%2Fexample.org%2Fowl.webm")
        (item,) = await made.author.add_torrent(channel, magnet, {})
        assert item.renditions[0].ih == "ab" * 20 and item.kind == "video" and item.title == "owl.webm"
        assert item.renditions[0].ws == ("https://example.org/owl.webm",)


@story
async def test_an_edit_and_a_removal_reach_the_reader(tmp_path: Path) -> None:
    net = Net()
    async with bed(tmp_path / "a", net) as author, bed(tmp_path / "b", net) as reader:
        channel = await author.published(film(1, "The owl"), film(2, "The heron"))
        await reader.followed(channel.link)
        await author.author.edit(channel, "g1", {"title": "The eagle owl"})
        await author.author.remove(channel, "g2")
        assert await reader.guids() == ["g2", "g1"]
        await author.published()
        await reader.settled(KEY)
        assert await reader.guids("eagle") == ["g1"] and await reader.guids() == ["g1"]
        with pytest.raises(UsageError):
            await author.author.edit(channel, "g2", {"title": "x"})
        with pytest.raises(UsageError):
            await author.author.remove(channel, "g3")


@story
async def test_a_draft_that_is_removed_was_never_there(tmp_path: Path) -> None:
    keeper = FakeKeeper()
    async with bed(tmp_path / "a", Net(), keeper) as made:
        channel = await made.author.create("birds", FACTS)
        await made.author.draft(channel, [film(1), film(2)])
        await made.author.remove(channel, "g1")
        assert [item.guid for item in made.author.drafts(channel)] == ["g2"]
    async with bed(tmp_path / "a", Net(), keeper) as made:
        assert [item.guid for item in made.author.drafts(made.channels.must(KEY))] == ["g2"]


@story
@pytest.mark.parametrize("changes", [
    {"title": "t" * 301}, {"tags": ("t",) * 31}, {"lang": "../x"}, {"date": -1}, {"text": "\ud800"},
    {"renditions": (msgspec.structs.replace(film(1).renditions[0], ih=""),)},
])
async def test_what_readers_would_refuse_is_refused_at_once(tmp_path: Path, changes: dict[str, object]) -> None:
    async with bed(tmp_path / "a", Net()) as made:
        channel = await made.published(film(1))
        with pytest.raises(UsageError):
            await made.author.edit(channel, "g1", changes)
        assert made.author.drafts(channel) == ()


@story
async def test_what_a_channel_says_of_itself_is_checked(tmp_path: Path) -> None:
    async with bed(tmp_path / "a", Net()) as made:
        for facts in (Channel(""), Channel("a\nb"), Channel("x", payout="T123"), Channel("x", links=(Link("ftp://x"),))):
            with pytest.raises(UsageError):
                await made.author.create("birds", facts)
        channel = await made.author.create("birds", FACTS)
        with pytest.raises(UsageError, match="already"):
            await made.author.create("birds", FACTS)
        with pytest.raises(UsageError):
            await made.author.describe(channel, {"payout": "nonsense"})
        paid = str(Address(bytes(20)))
        await made.author.describe(channel, {"payout": paid, "text": "all of them"})
        await made.published()
        facts = made.channels.must(KEY).facts
        assert facts is not None and (facts.payout, facts.text, facts.title) == (paid, "all of them", "Birds")
        followed = await made.channels.follow(key_of("other"))
        with pytest.raises(UsageError, match="somebody else"):
            await made.author.describe(followed, {"title": "mine"})


@story
async def test_where_the_head_reaches_nobody_the_drafts_are_still_there(tmp_path: Path) -> None:
    net = Net()
    async with bed(tmp_path / "a", net) as made:
        channel = await made.published(film(1))
        await made.author.draft(channel, [film(2)])
        net.silent = True
        with pytest.raises(NetworkError):
            await made.author.publish(channel, lambda share: None)
        assert len(made.author.drafts(channel)) == 1 and await made.guids() == ["g1"]
        assert len(made.torrents.copies) == 1 and made.channels.must(KEY).count == 1
        net.silent = False
        await made.published()
        assert sorted(await made.guids()) == ["g1", "g2"] and made.channels.must(KEY).count == 2


@story
async def test_versions_leave_one_folder_with_all_archives_and_readers_fetch_what_is_new(tmp_path: Path) -> None:
    net = Net()
    async with bed(tmp_path / "a", net) as author, bed(tmp_path / "b", net) as reader:
        channel = await author.published(*(film(number) for number in range(500)))
        await reader.followed(channel.link)
        await author.published(*(film(number) for number in range(500, 900)))
        home = tmp_path / "a" / "versions" / channel.label
        assert os.listdir(home) == ["2"]
        assert sorted(os.listdir(home / "2" / "channel")) == ["archive", "channel.json", "head.json"]
        assert sorted(os.listdir(home / "2" / "channel" / "archive")) == [files.archive_name(n) for n in range(3)]
        await reader.settled(KEY)
        assert len(await reader.guids()) == 900
        (copy,) = reader.torrents.copies.values()
        assert copy.readings == ["channel.json", "head.json", *(f"archive/000{n}.json.zst" for n in (1, 2))]


@story
async def test_publishing_again_without_a_change_makes_no_second_version(tmp_path: Path) -> None:
    net = Net()
    async with bed(tmp_path / "a", net) as made:
        await made.published(film(1))
        before = dict(made.torrents.copies)
        channel = await made.published()
        assert made.torrents.copies == before and channel.count == 1
        await made.published(film(2))
        assert sorted(await made.guids()) == ["g1", "g2"]


@story
async def test_the_same_items_make_the_same_torrent_wherever_they_are_published(tmp_path: Path) -> None:
    hashes = []
    for name in ("a", "b"):
        async with bed(tmp_path / name, Net()) as made:
            channel = await made.published(*(film(number) for number in range(450)))
            assert channel.shown is not None
            hashes.append(channel.shown.v2)
    assert hashes[0] == hashes[1]


@story
async def test_a_head_that_was_published_elsewhere_is_adopted_and_gone_on_from(tmp_path: Path) -> None:
    net = Net()
    async with bed(tmp_path / "a", net) as one, bed(tmp_path / "b", net) as two:
        await one.published(*(film(number) for number in range(450)))
        channel = await two.author.create("birds", FACTS)
        await two.author.draft(channel, [film(1000)])
        with pytest.raises(UsageError) as caught:
            await two.author.publish(channel, lambda share: None)
        assert caught.value.code == "head_ahead" and len(two.author.drafts(channel)) == 1
        await two.published(adopt=True)
        assert len(await two.guids()) == 451
        # The first machine sees that, and says so.
        view = await one.channels.view(await one.settled(KEY))
        assert "another machine" in view.reason and len(await one.guids()) == 450


@story
async def test_a_folder_that_was_lost_is_had_again_from_the_network(tmp_path: Path) -> None:
    net = Net()
    async with bed(tmp_path / "a", net) as made:
        channel = await made.published(film(1))
        home = tmp_path / "a" / "versions" / channel.label
        home.rename(tmp_path / "gone")
        with pytest.raises(StorageError, match="adopt"):
            await made.published(film(2))
        await made.published(adopt=True)
        assert sorted(await made.guids()) == ["g1", "g2"]


@story
async def test_what_a_run_left_that_was_ended_in_the_middle_is_no_obstacle(tmp_path: Path) -> None:
    net, keeper = Net(), FakeKeeper()
    async with bed(tmp_path / "a", net, keeper) as made:
        channel = await made.published(film(1))
        await made.author.draft(channel, [film(2)])
        for left in (".2", "2"):
            lay(tmp_path / "a" / "versions" / channel.label / left / "channel", "head.json", "archive/0000.json.zst")
    async with bed(tmp_path / "a", net, keeper) as made:
        made.heads.keys.add("birds")
        made.heads.wrote.update((KEY, head.hashes) for head in net.heads.values())
        made.torrents.copies.update({key: FakeCopy(*offered).come() for key, offered in net.offered.items()})
        await made.published()
        assert sorted(await made.guids()) == ["g1", "g2"]


@story
async def test_a_channel_has_a_picture(tmp_path: Path) -> None:
    net = Net()
    async with bed(tmp_path / "a", net) as made:
        channel = await made.author.create("birds", FACTS)
        channel = await made.author.picture(channel, b"\x89PNG" * 20, "png")
        await made.published(film(1))
        (copy,) = made.torrents.copies.values()
        facts = read_channel(copy.files["channel.json"])
        art = next(file for file in copy.metainfo.info.files if file.path.parts == ("art.png",))
        assert art.root is not None and facts.art == art.root.hex()
        with pytest.raises(UsageError):
            await made.author.picture(channel, b"x", "svg")
        with pytest.raises(UsageError):
            await made.author.picture(channel, bytes(limits.CHANNEL_ART_BYTES + 1), "png")
        await made.author.picture(channel, b"", "")
        await made.published()
        (copy,) = made.torrents.copies.values()
        assert "art.png" not in copy.files and read_channel(copy.files["channel.json"]).art == ""


@pytest.mark.slow
@story
async def test_a_hundred_thousand_items_have_a_small_info_dict_and_small_updates(tmp_path: Path) -> None:
    net = Net()
    text = "What is seen and heard, told at some length. " * 8
    async with bed(tmp_path / "a", net) as made:
        def sized(number: int) -> Item:
            return film(number, f"Film number {number}", text=text, tags=("a", "b"), lang="de", licence="CC-BY-4.0")

        for start in range(0, 100_000, limits.CHANNEL_DRAFTS):
            channel = await made.author.create("birds", FACTS) if not start else made.channels.must(KEY)
            await made.author.draft(channel, [sized(number) for number in range(start, start + limits.CHANNEL_DRAFTS)])
            await made.published()
        (before,) = made.torrents.copies.values()
        assert len(before.metainfo.info.raw) <= 100_000
        largest = 0
        for round_ in range(3):
            await made.published(*(sized(200_000 + 70 * round_ + number) for number in range(70)))
            (after,) = made.torrents.copies.values()
            roots = {file.root for file in before.metainfo.info.files}
            new = sum(file.length for file in after.metainfo.info.files if file.root not in roots)
            largest = max(largest, new + len(after.metainfo.info.raw))
            before = after
        assert largest <= 1 << 20
        found = await made.guids("film number 99999")
        assert found[0] == "g99999"
