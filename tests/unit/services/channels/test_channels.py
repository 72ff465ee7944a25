"""Following channels: one index of all, nothing old believed, nothing hostile taken, nothing fetched unasked."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from api_fakes import FakeKeeper
from channelbed import FACTS, Net, bed, film, key_of
from sitebed import story
from wildbach.base import limits
from wildbach.base.errors import FormatError, UsageError
from wildbach.base.ids import InfoHashes
from wildbach.protocol.channels import files
from wildbach.protocol.channels.items import Channel, Item, write_channel, write_item, write_items
from wildbach.protocol.metainfo import Metainfo, MutableLink
from wildbach.protocol.tron.address import Address
from wildbach.services.channels import state
from wildbach.services.channels.events import ChannelFailed, ChannelUpdated, PayoutChanged

KEY = key_of("fish")
EMPTY = {"channel.json": b'{"title":"x"}', "head.json": b'{"items":[]}'}
ONE, TWO = (str(Address(bytes([number]) * 20)) for number in (1, 2))


def version(
    net: Net, items: list[Item], seq: int, *, archives: tuple[list[Item], ...] = (), facts: Channel = FACTS,
    signer: bytes = b"",
) -> Metainfo:
    """As if somebody elsewhere had published it."""
    files_ = {"channel.json": write_channel(facts), "head.json": write_items([write_item(item) for item in items])}
    for number, sealed in enumerate(archives):
        files_[f"archive/{number:04}.json.zst"] = files.pack(write_items([write_item(item) for item in sealed]))
    made = net.offer(files_)
    net.put(KEY, made.info.hashes, seq, signer)
    return made


@story
async def test_a_channel_is_followed_read_and_searched(tmp_path: Path) -> None:
    net = Net()
    version(net, [film(1, "The owl"), film(2)], 7, archives=([film(0, "An old owl")],))
    async with bed(tmp_path, net) as made:
        channel = await made.followed(KEY)
        assert channel.title == "Birds" and channel.seq == 7 and channel.heard_at == 1_700_000_000
        assert await made.guids("owl") == ["g1", "g0"]
        view = await made.channels.view(channel)
        assert (view.items, view.new, view.share, view.reason) == (3, 0, 1.0, "")
        assert [type(event) for event in made.events] == [ChannelUpdated]
        assert made.torrents.downloaded == []


@story
async def test_nobody_is_asked_for_a_key_that_is_not_followed(tmp_path: Path) -> None:
    async with bed(tmp_path, Net()) as made:
        for _ in range(50):
            await made.channels.views()
        assert made.heads.asked == []
        with pytest.raises(UsageError):
            made.channels.find("fish")


@story
async def test_a_link_leads_to_the_same_channel_and_another_salt_does_not(tmp_path: Path) -> None:
    async with bed(tmp_path, Net()) as made:
        by_key = await made.channels.follow(KEY)
        for text in (by_key.label, MutableLink(by_key.id, b"wb-ch").to_uri(), f"btpk://{by_key.label}"):
            assert (await made.channels.follow(text)).key == KEY
        assert len(await made.channels.views()) == 1
        for text in (MutableLink(by_key.id, b"other").to_uri(), "hello", "magnet:?xt=urn:btih:" + "ab" * 20, ""):
            with pytest.raises(FormatError):
                await made.channels.follow(text)


@story
async def test_an_update_reads_only_new_archives_and_lets_the_old_version_go(tmp_path: Path) -> None:
    net = Net()
    first = version(net, [film(2)], 1, archives=([film(0)], [film(1)]))
    async with bed(tmp_path, net) as made:
        await made.followed(KEY)
        second = version(net, [film(3)], 2, archives=([film(0)], [film(1)], [film(2)]))
        await made.settled(KEY)
        assert sorted(await made.guids()) == ["g0", "g1", "g2", "g3"]
        copy = made.torrents.find(second.info.hashes)
        assert copy is not None and copy.readings == ["channel.json", "head.json", "archive/0002.json.zst"]
        assert made.torrents.removed == [(first.info.hashes, True)]


@story
async def test_an_archive_that_changed_is_refused(tmp_path: Path) -> None:
    net = Net()
    version(net, [film(2)], 1, archives=([film(0)], [film(1)]))
    async with bed(tmp_path, net) as made:
        await made.followed(KEY)
        version(net, [film(3)], 2, archives=([film(0, "rewritten")], [film(1)], [film(2)]))
        view = await made.channels.view(await made.settled(KEY))
        assert "archive 0000: is not as it was" in view.reason
        assert sorted(await made.guids()) == ["g0", "g1", "g2"]


@story
async def test_what_came_since_the_last_look_is_new(tmp_path: Path) -> None:
    net = Net()
    version(net, [film(1)], 1)
    async with bed(tmp_path, net) as made:
        await made.followed(KEY)
        version(net, [film(1), film(2)], 2)
        channel = await made.settled(KEY)
        assert (await made.channels.view(channel)).new == 1
        assert await made.guids(newer=made.channels.looked()) == ["g2"]
        await made.channels.look_at(KEY)
        assert await made.guids(newer=made.channels.looked()) == []


@story
async def test_nothing_older_and_no_second_version_of_a_number_is_believed(tmp_path: Path) -> None:
    net = Net()
    version(net, [film(1)], 5)
    async with bed(tmp_path, net) as made:
        await made.followed(KEY)
        for seq, reason in ((4, "older"), (5, "two versions")):
            version(net, [film(9)], seq)
            view = await made.channels.view(await made.settled(KEY))
            assert reason in view.reason and view.channel.seq == 5 and await made.guids() == ["g1"]


@story
async def test_silence_is_not_that_nothing_changed(tmp_path: Path) -> None:
    net = Net()
    version(net, [film(1)], 5)
    async with bed(tmp_path, net) as made:
        await made.followed(KEY)
        net.silent = True
        made.now += 7200
        view = await made.channels.view(await made.settled(KEY))
        assert view.reason == "the DHT has no nodes" and made.now - view.channel.heard_at == 7200
        net.silent, net.broken = False, True
        assert "no torrent" in (await made.channels.view(await made.settled(KEY))).reason
        assert await made.guids() == ["g1"]


@story
@pytest.mark.parametrize(("named", "reason"), [
    ({"channel.json": b"{}", "head.json": b'{"items":[]}'}, "channel.json"),
    ({"channel.json": b'{"title":"x"}', "head.json": b'{"items":[5]}'}, "head.json item 0"),
    ({"channel.json": b'{"title":"x"}', "head.json": b"\xff\xfe"}, "head.json"),
    ({"channel.json": b'{"title":"x"}'}, "head.json"),
    ({"channel.json": b'{"title":"x"}', "head.json": b'{"items":[]}',
      "archive/0000.json.zst": files.pack(bytes(900_000))}, "archive 0000"),
    ({"channel.json": b'{"title":"x"}', "head.json": b'{"items":[]}',
      "archive/0000.json.zst": b"(\xb5/\xfd" + bytes(50)}, "archive 0000"),
    ({"channel.json": b'{"title":"x"}', "head.json": b'{"items":[]}', "archive/0005.json.zst": b"x"}, "numbers"),
])
async def test_a_version_that_is_wrong_is_refused_and_the_one_before_stays(
    tmp_path: Path, named: dict[str, bytes], reason: str,
) -> None:
    net = Net()
    version(net, [film(1)], 1)
    async with bed(tmp_path, net) as made:
        await made.followed(KEY)
        bad = net.offer(named)
        net.put(KEY, bad.info.hashes, 2)
        view = await made.channels.view(await made.settled(KEY))
        assert reason in view.reason and "cannot be read" in view.reason
        assert await made.guids() == ["g1"] and view.channel.facts == FACTS
        assert (bad.info.hashes, True) in made.torrents.removed
        assert isinstance(made.events[-1], ChannelFailed)
        # It is not fetched again, also not by a later run.
        fetched = len(made.torrents.fetched)
        await made.settled(KEY)
        assert len(made.torrents.fetched) == fetched
        version(net, [film(1), film(2)], 3)
        assert (await made.settled(KEY)).seq == 3 and sorted(await made.guids()) == ["g1", "g2"]


@story
async def test_a_version_that_is_too_large_is_refused_before_it_is_fetched(tmp_path: Path) -> None:
    net = Net()
    sizes = {f"archive/{number:04}.json.zst": 1 << 20 for number in range(70)}
    made_by = net.offer({"channel.json": b'{"title":"x"}', "head.json": b'{"items":[]}'}, sizes=sizes)
    net.put(KEY, made_by.info.hashes, 1)
    async with bed(tmp_path, net) as made:
        made.torrents.at_once = False
        await made.followed(KEY)
        copy = made.torrents.find(made_by.info.hashes)
        assert copy is not None
        copy.known.set()
        view = await made.channels.view(await made.settled(KEY))
        assert "CHANNEL_BYTES" in view.reason and copy.wanted == frozenset()


@story
async def test_only_the_channels_own_files_are_fetched(tmp_path: Path) -> None:
    net = Net()
    good = {"channel.json": b'{"title":"x"}', "head.json": b'{"items":[]}'}
    offered = net.offer(good, sizes={"film.mp4": 1 << 40, "sub/head.json": 5})
    net.put(KEY, offered.info.hashes, 1)
    async with bed(tmp_path, net) as made:
        await made.followed(KEY)
        copy = made.torrents.find(offered.info.hashes)
        assert copy is not None
        taken = {offered.info.files[index].path.parts for index in copy.wanted}
        assert taken == {("channel.json",), ("head.json",)}


@story
async def test_after_a_rotation_what_a_thief_sealed_is_no_measure(tmp_path: Path) -> None:
    net = Net()
    version(net, [film(2)], 9, archives=([film(1, "stolen")],))
    async with bed(tmp_path, net) as made:
        await made.followed(KEY)
        version(net, [film(3)], 1, archives=([film(0)],), signer=b"n" * 32)
        channel = await made.settled(KEY)
        assert channel.signer == (b"n" * 32).hex() and channel.seq == 1
        assert sorted(await made.guids()) == ["g0", "g3"]


@story
async def test_a_changed_payout_address_is_flagged_until_somebody_says_yes(tmp_path: Path) -> None:
    net = Net()
    version(net, [], 1, facts=Channel("Birds", payout=ONE))
    async with bed(tmp_path, net) as made:
        await made.followed(KEY)
        version(net, [film(1)], 2, facts=Channel("Birds", payout=TWO))
        channel = await made.settled(KEY)
        assert channel.facts is not None and (channel.facts.payout, channel.payout_was) == (TWO, ONE)
        assert [event for event in made.events if isinstance(event, PayoutChanged)] == [
            PayoutChanged(channel.label, "Birds", ONE, TWO)]
        version(net, [film(2)], 3, facts=Channel("Birds", payout=TWO))
        assert (await made.settled(KEY)).payout_was == ONE
        assert (await made.channels.change(KEY, payout_seen=True)).payout_was == ""
        version(net, [film(3)], 4, facts=Channel("Birds", payout=TWO))
        assert (await made.settled(KEY)).payout_was == ""


@story
async def test_another_recovery_key_is_shown(tmp_path: Path) -> None:
    net = Net()
    version(net, [], 1, facts=Channel("Birds", recovery="ab" * 32))
    async with bed(tmp_path, net) as made:
        assert not (await made.followed(KEY)).recovery_differs
        version(net, [film(1)], 2, facts=Channel("Birds", recovery="cd" * 32))
        assert (await made.settled(KEY)).recovery_differs


@story
async def test_new_items_are_downloaded_only_where_that_was_asked_for(tmp_path: Path) -> None:
    net = Net()
    version(net, [film(1)], 1)
    async with bed(tmp_path, net) as made:
        await made.followed(KEY)
        version(net, [film(1), film(2)], 2)
        await made.settled(KEY)
        assert made.torrents.downloaded == []
        await made.channels.change(KEY, auto=True)
        version(net, [film(1), film(2, "edited"), film(3), Item("words")], 3)
        await made.settled(KEY)
        assert made.torrents.downloaded == ["g3"]
        assert await made.channels.download(made.channels.must(KEY), "g1") == f"{1:040x}"
        with pytest.raises(UsageError):
            await made.channels.download(made.channels.must(KEY), "words")
        with pytest.raises(UsageError):
            await made.channels.download(made.channels.must(KEY), "g99")


@story
async def test_what_is_known_is_there_after_a_restart_with_nobody_in_reach(tmp_path: Path) -> None:
    net, keeper = Net(), FakeKeeper()
    version(net, [film(1, "owl")], 5)
    async with bed(tmp_path, net, keeper) as made:
        await made.followed(KEY, name="mine")
    net.silent = True
    async with bed(tmp_path, net, keeper) as made:
        channel = await made.settled(KEY)
        assert (channel.title, channel.seq) == ("mine", 5) and await made.guids("owl") == ["g1"]
        version(net, [film(9)], 4)
        net.silent = False
        await made.settled(KEY)
        assert await made.guids() == ["g1"]


@story
async def test_a_restart_in_the_middle_goes_on_where_it_was(tmp_path: Path) -> None:
    net, keeper = Net(), FakeKeeper()
    offered = version(net, [film(1)], 5)
    async with bed(tmp_path, net, keeper) as made:
        made.torrents.at_once = False
        await made.followed(KEY)
        assert await made.guids() == [] and made.torrents.find(offered.info.hashes) is not None
    net.silent = True
    async with bed(tmp_path, net, keeper) as made:
        await made.settled(KEY)
        assert await made.guids() == ["g1"]


@story
async def test_an_index_that_was_lost_is_made_again(tmp_path: Path) -> None:
    net, keeper = Net(), FakeKeeper()
    version(net, [film(1)], 5)
    async with bed(tmp_path, net, keeper) as made:
        await made.followed(KEY)
    (tmp_path / "channels.sqlite").write_bytes(b"x" * 5000)
    async with bed(tmp_path, net, keeper) as made:
        await made.settled(KEY)
        assert await made.guids() == ["g1"] and (await made.channels.view(made.channels.must(KEY))).new == 0


@story
async def test_unfollowing_takes_all_of_it(tmp_path: Path) -> None:
    net, keeper = Net(), FakeKeeper()
    offered = version(net, [film(1)], 5)
    async with bed(tmp_path, net, keeper) as made:
        await made.followed(KEY)
        await made.channels.unfollow(KEY)
        assert await made.guids() == [] and (offered.info.hashes, True) in made.torrents.removed
        assert await keeper.kept(state.AREA) == {} and made.heads.forgotten == [KEY]
        with pytest.raises(UsageError):
            await made.channels.unfollow(KEY)


@story
async def test_at_most_so_many_are_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "CHANNELS", 2)
    async with bed(tmp_path, Net()) as made:
        for name in ("a", "b"):
            await made.channels.follow(key_of(name))
        with pytest.raises(UsageError, match="CHANNELS"):
            await made.channels.follow(key_of("c"))
        await made.channels.follow(key_of("a"))


@story
async def test_a_channel_whose_seeds_never_come_stops_no_other(tmp_path: Path) -> None:
    net = Net()
    async with bed(tmp_path, net) as made:
        made.torrents.at_once = False
        for number in range(6):
            offered = net.offer({**EMPTY, "feed.xml": bytes([number])})
            net.put(key_of(str(number)), offered.info.hashes, 1)
            await made.channels.follow(key_of(str(number)))
        made.torrents.at_once = True
        version(net, [film(1)], 1)
        await made.followed(KEY)
        assert await made.guids() == ["g1"]


def test_a_damaged_record_says_so() -> None:
    good = state.Followed(KEY, wanted=state.Version("", "ab" * 32, 3))
    assert state.decode(KEY, state.encode(good)) == good
    for raw in (
        b"", b"[]", b"{}", state.encode(msgspec.structs.replace(good, key="zz")),
        state.encode(msgspec.structs.replace(good, link="magnet:?x")),
        state.encode(msgspec.structs.replace(good, wanted=state.Version("x"))),
    ):
        with pytest.raises(FormatError):
            state.decode(KEY, raw)


def test_hashes_of_a_version_are_those_of_the_head() -> None:
    assert state.Version("", "ab" * 32).hashes == InfoHashes(None, bytes.fromhex("ab" * 32))




@story
async def test_a_channel_takes_nothing_away_that_is_another_ones_too(tmp_path: Path) -> None:
    net = Net()
    first = version(net, [film(1)], 1)
    thief = key_of("thief")
    async with bed(tmp_path, net) as made:
        await made.followed(KEY)
        net.put(thief, first.info.hashes, 1)
        await made.followed(thief)
        second = net.offer(EMPTY)
        net.put(thief, second.info.hashes, 2)
        now = await made.settled(thief)
        assert now.shown is not None and now.shown.hashes.matches(second.info.hashes)
        assert made.torrents.removed == []
        net.put(thief, first.info.hashes, 3)
        await made.settled(thief)
        await made.channels.unfollow(thief)
        assert (first.info.hashes, True) not in made.torrents.removed
