"""What a key leads to, what is fetched, and what stays on the disk."""

from __future__ import annotations

from dataclasses import replace

import pytest

from api_fakes import FakeKeeper
from cli_torrents import torrent_of
from sitebed import ONE, TWO, Bed, FakeCopy, Files, bed, key_of, story
from wildbach.base import limits
from wildbach.base.errors import FormatError, StorageError, UsageError
from wildbach.protocol import payouts
from wildbach.protocol.sites import SiteLink, parse_link
from wildbach.protocol.tron.address import Address
from wildbach.services.sites import state
from wildbach.services.sites.events import SiteFailed, SitePayoutChanged, SiteUpdated
from wildbach.services.sites.state import Site

KEY = key_of("a")


def shown_number(made: Bed, key: bytes = KEY) -> int:
    shown = made.sites.shown(key)
    assert shown is not None
    return shown.version.seq


@story
async def test_nothing_is_asked_for_a_key_that_nobody_said_yes_to() -> None:
    async with bed() as made:
        made.publish(KEY, ONE, 1)
        assert made.sites.shown(KEY) is None and not made.sites.known(KEY)
        made.sites.use(KEY)
        await made.settled(KEY)
        assert made.heads.asked == [] and made.torrents.fetched == []


@story
async def test_a_site_that_is_opened_is_fetched_whole_and_told_of() -> None:
    async with bed() as made:
        torrent = made.publish(KEY, ONE, 7)
        site = await made.opened(KEY, name="mine")
        assert site.seq == 7 and site.heard_at == made.now and site.name == "mine"
        assert made.copy(torrent).begun
        assert site.newest is not None and site.newest.complete and site.newest.size == torrent.info.size
        assert [type(event) for event in made.events] == [SiteUpdated]


@story
async def test_the_old_version_is_shown_until_the_new_one_is_whole() -> None:
    async with bed() as made:
        made.publish(KEY, ONE, 1)
        await made.opened(KEY)
        made.torrents.at_once = False
        second = made.publish(KEY, TWO, 2)
        await made.settled(KEY)
        assert shown_number(made) == 1
        view = made.sites.views()[0]
        assert view.coming is not None and view.coming.seq == 2
        made.copy(second).known.set()
        await made.settled(KEY)
        assert shown_number(made) == 1
        made.copy(second).there.set()
        await made.settled(KEY)
        assert shown_number(made) == 2 and made.sites.views()[0].coming is None


@story
async def test_an_older_head_changes_nothing_and_is_told_of() -> None:
    async with bed() as made:
        made.publish(KEY, TWO, 5)
        await made.opened(KEY)
        made.publish(KEY, ONE, 4)
        await made.settled(KEY)
        assert shown_number(made) == 5 and "older" in made.sites.problem(KEY)


@story
async def test_a_restart_believes_no_older_head_either() -> None:
    keeper = FakeKeeper()
    async with bed(keeper) as made:
        made.publish(KEY, TWO, 5)
        await made.opened(KEY)
    async with bed(keeper) as made:
        made.torrents.offer(TWO)
        made.publish(KEY, ONE, 4)
        await made.opened(KEY)
        site = made.sites.get(KEY)
        assert site is not None and site.seq == 5 and "older" in made.sites.problem(KEY)


@story
async def test_of_two_versions_with_one_number_the_first_counts() -> None:
    async with bed() as made:
        first = made.publish(KEY, ONE, 5)
        await made.opened(KEY)
        made.publish(KEY, TWO, 5)
        await made.settled(KEY)
        shown = made.sites.shown(KEY)
        assert shown is not None and shown.version.hashes == first.info.hashes and "number 5" in made.sites.problem(KEY)


@story
async def test_a_key_that_gave_way_outranks_every_number() -> None:
    async with bed() as made:
        made.publish(KEY, ONE, 2**63 - 1)
        await made.opened(KEY)
        made.publish(KEY, TWO, 3, signer=key_of("next"))
        await made.settled(KEY)
        assert shown_number(made) == 3
        made.publish(KEY, ONE, 2**63 - 1)
        await made.settled(KEY)


@story
async def test_silence_is_not_unchanged() -> None:
    async with bed() as made:
        made.publish(KEY, ONE, 1)
        await made.opened(KEY)
        then, made.now, made.heads.silent = made.now, made.now + 1000, True
        made.sites.look_soon(KEY, force=True)
        await made.settled(KEY)
        site = made.sites.get(KEY)
        assert site is not None and site.heard_at == then
        assert made.sites.problem(KEY) == "the DHT has no nodes" and shown_number(made) == 1


@pytest.mark.parametrize("how", ["nothing", "broken"])
@story
async def test_a_key_without_a_site_says_so(how: str) -> None:
    async with bed() as made:
        made.heads.broken = how == "broken"
        await made.opened(KEY)
        assert made.sites.shown(KEY) is None
        assert ("no torrent" if how == "broken" else "knows nothing") in made.sites.problem(KEY)


@story
async def test_a_large_version_waits_for_a_yes() -> None:
    async with bed() as made:
        made.settings = replace(made.settings, most_size=100)
        made.torrents.at_once = False
        torrent = made.publish(KEY, ONE, 1)
        await made.opened(KEY)
        made.copy(torrent).known.set()
        await made.settled(KEY)
        site = made.sites.find(KEY.hex())
        assert site.newest is not None and "most_size" in site.newest.refused and not made.copy(torrent).begun
        await made.opened(KEY, most_size=torrent.info.size)
        assert made.copy(torrent).begun


@story
async def test_old_versions_stay_as_many_as_the_settings_say() -> None:
    async with bed() as made:
        made.settings = replace(made.settings, versions=1)
        versions = [{**ONE, ("n",): b"%d" % number} for number in range(4)]
        for number, files in enumerate(versions):
            made.publish(KEY, files, number + 1)
            await made.opened(KEY)
        site = made.sites.get(KEY)
        assert site is not None and [version.seq for version in site.versions] == [1, 2, 3, 4]
        assert [view.here for view in made.sites.versions(site)] == [True, True, False, False]
        assert len(made.torrents.removed) == 2


@story
async def test_a_pinned_version_is_shown_and_stays() -> None:
    async with bed() as made:
        made.settings = replace(made.settings, versions=0)
        first = made.publish(KEY, ONE, 1)
        await made.opened(KEY)
        await made.sites.change(KEY, pinned="1")
        made.publish(KEY, TWO, 2)
        await made.settled(KEY)
        assert shown_number(made) == 1 and made.copy(first).whole
        await made.sites.change(KEY, pinned="")
        await made.settled(KEY)
        assert shown_number(made) == 2
        with pytest.raises(UsageError, match="no version"):
            await made.sites.change(KEY, pinned="99")


@story
async def test_a_version_that_is_not_held_at_any_more_is_not_fetched_on() -> None:
    async with bed() as made:
        first = made.publish(KEY, ONE, 1)
        await made.opened(KEY)
        made.settings = replace(made.settings, versions=0)
        made.publish(KEY, TWO, 2)
        await made.settled(KEY)
        assert made.torrents.find(first.info.hashes) is None
        made.torrents.at_once = False
        await made.sites.change(KEY, pinned="1")
        await made.settled(KEY)
        assert made.torrents.find(first.info.hashes) is not None
        await made.sites.change(KEY, pinned="")
        await made.settled(KEY)
        assert made.torrents.find(first.info.hashes) is None and shown_number(made) == 2


@story
async def test_a_version_has_an_address_of_its_own() -> None:
    async with bed() as made:
        torrent = made.publish(KEY, ONE, 1)
        await made.opened(KEY)
        made.publish(KEY, TWO, 2)
        await made.settled(KEY)
        shown = made.sites.shown_version(torrent.info.hashes.v2 or b"")
        assert shown is not None and shown.version.seq == 1 and not shown.newest
        assert made.sites.shown_version(key_of("unknown")) is None


@story
async def test_what_is_kept_is_pinned_and_what_is_used_is_told() -> None:
    async with bed() as made:
        first = made.publish(KEY, ONE, 1)
        await made.opened(KEY)
        assert not made.copy(first).pinned
        await made.sites.change(KEY, keep=True)
        assert made.copy(first).pinned
        second = made.publish(KEY, TWO, 2)
        await made.settled(KEY)
        assert made.copy(second).pinned
        await made.sites.change(KEY, keep=False, pinned="1")
        assert made.copy(first).pinned and not made.copy(second).pinned
        made.torrents.touched.clear()
        made.sites.use(KEY)
        assert made.torrents.touched == [first.info.hashes]


@story
async def test_what_the_cache_had_no_room_for_comes_back_only_when_it_is_used() -> None:
    async with bed() as made:
        torrent = made.publish(KEY, ONE, 1)
        await made.opened(KEY)
        del made.torrents.copies[torrent.info.hashes.v2 or b""]
        made.sites.look_soon(KEY, force=True)
        await made.settled(KEY)
        assert len(made.torrents.fetched) == 1 and made.sites.known(KEY)
        made.sites.use(KEY)
        await made.settled(KEY)
        assert len(made.torrents.fetched) == 2 and made.copy(torrent).whole


@story
async def test_a_key_that_gave_way_goes_back_to_its_last_good_version() -> None:
    async with bed() as made:
        good = made.publish(KEY, ONE, 1)
        await made.opened(KEY)
        made.publish(KEY, TWO, 2**63 - 1)
        await made.settled(KEY)
        made.heads.put(KEY, good.info.hashes, -1, key_of("next"))
        await made.settled(KEY)
        shown = made.sites.shown(KEY)
        assert shown is not None and shown.version.hashes == good.info.hashes and shown.newest


@story
async def test_a_link_that_comes_later_brings_its_peers() -> None:
    async with bed() as made:
        made.publish(KEY, ONE, 1)
        await made.opened(KEY)
        link = parse_link(f"magnet:?xs=urn:btpk:{KEY.hex()}&x.pe=1.2.3.4:5")
        await made.sites.open(link)
        assert link.mutable is not None and made.torrents.met == [link.mutable.to_uri()]


@story
async def test_what_was_forgotten_is_unknown_again() -> None:
    async with bed() as made:
        torrent = made.publish(KEY, ONE, 1)
        await made.opened(KEY)
        await made.sites.forget(KEY)
        assert not made.sites.known(KEY) and made.sites.shown_version(torrent.info.hashes.v2 or b"") is None
        assert made.torrents.removed == [torrent.info.hashes] and made.heads.forgotten == [KEY]
        assert made.keeper.areas[state.AREA] == {}
        with pytest.raises(UsageError):
            await made.sites.forget(KEY)


@story
async def test_nothing_is_known_that_could_not_be_written() -> None:
    async with bed() as made:
        made.keeper.full = True
        with pytest.raises(StorageError):
            await made.sites.open(SiteLink(KEY))
        assert not made.sites.known(KEY)


@story
async def test_a_full_disk_is_told_of_and_tried_again() -> None:
    async with bed() as made:
        made.torrents.at_once = False
        torrent = made.publish(KEY, ONE, 1)
        await made.opened(KEY)
        copy = made.copy(torrent)
        copy.failure = "no space left on the disk"
        copy.come()
        await made.settled(KEY)
        assert made.sites.problem(KEY) == "no space left on the disk"
        assert [type(event) for event in made.events] == [SiteFailed]
        copy.failure = ""
        made.sites.use(KEY)
        await made.settled(KEY)
        assert made.sites.problem(KEY) == ""


@story
async def test_a_torrent_that_somebody_removed_is_fetched_again_when_the_site_is_used() -> None:
    async with bed() as made:
        torrent = made.publish(KEY, ONE, 1)
        await made.opened(KEY)
        del made.torrents.copies[torrent.info.hashes.v2 or b""]
        made.sites.use(KEY)
        await made.settled(KEY)
        assert made.copy(torrent).whole


@story
async def test_sites_are_found_by_name_and_by_the_beginning_of_their_key() -> None:
    async with bed() as made:
        site = await made.opened(KEY, name="blog")
        await made.opened(key_of("b"))
        for word in ("blog", site.label, site.label[:10], site.label[:10].upper(), site.key[:12]):
            assert made.sites.find(word).id == KEY
        with pytest.raises(UsageError, match="no site"):
            made.sites.find("nothing")
        with pytest.raises(UsageError):
            made.sites.find("")


@story
async def test_there_are_only_so_many_sites(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SITES", 1)
    async with bed() as made:
        await made.opened(KEY)
        with pytest.raises(UsageError, match="SITES"):
            await made.sites.open(SiteLink(key_of("b")))


@pytest.mark.parametrize("name", ["x" * 101, "a\nb", "\x1b[31m"])
@story
async def test_names_can_be_shown(name: str) -> None:
    async with bed() as made:
        with pytest.raises(UsageError):
            await made.sites.open(SiteLink(KEY), name=name)


@story
async def test_a_restart_waits_for_the_torrents_before_it_fetches() -> None:
    keeper = FakeKeeper()
    async with bed(keeper) as made:
        torrent = made.publish(KEY, ONE, 1)
        await made.opened(KEY)
        copy = made.copy(torrent)
    async with bed(keeper) as made:
        made.torrents.copies[torrent.info.hashes.v2 or b""] = copy
        await made.settled(KEY)
        assert made.torrents.fetched == [] and shown_number(made) == 1


def test_a_record_is_read_as_it_was_written() -> None:
    site = Site(KEY.hex(), name="a", seq=3, versions=(state.Version("", "0" * 64, 3, 9),), keep=True)
    assert state.decode(site.key, state.encode(site)) == site


SHORT = b'{"key":"%s","versions":[{"v1":"","v2":"","seq":1,"at":1}]}' % KEY.hex().encode()


@pytest.mark.parametrize("raw", [b"", b"{}", b"[]", b'{"key":"zz"}', b'{"key":"00"}', SHORT])
def test_a_damaged_record_is_told_of(raw: bytes) -> None:
    with pytest.raises(FormatError):
        state.decode(KEY.hex(), raw)


@story
async def test_a_damaged_record_stops_nobody() -> None:
    keeper = FakeKeeper()
    keeper.areas[state.AREA] = {KEY.hex(): b"{"}
    async with bed(keeper) as made:
        assert len(made.bugs) == 1
        made.bugs.clear()
        await made.opened(KEY)


@story
async def test_a_site_takes_nothing_away_that_is_another_ones_too() -> None:
    thief = key_of("thief")
    async with bed() as made:
        made.settings = replace(made.settings, versions=0)
        torrent = made.publish(KEY, ONE, 1)
        await made.opened(KEY)
        made.publish(thief, ONE, 1)
        await made.opened(thief)
        made.publish(thief, TWO, 2)
        await made.opened(thief)
        assert shown_number(made, thief) == 2 and made.torrents.removed == []
        await made.sites.forget(thief)
        assert torrent.info.hashes not in made.torrents.removed and shown_number(made) == 1
        assert made.sites.shown_version(torrent.info.hashes.v2 or b"") is not None


@story
async def test_a_private_torrent_that_the_reader_has_is_no_site_either() -> None:
    """Or who leads a key to it learns that it is here, and reads what is in it."""
    async with bed() as made:
        made.publish(KEY, ONE, 1)
        await made.opened(KEY)
        private = torrent_of(dict(TWO), private=True)
        made.torrents.copies[private.info.hashes.v2 or b""] = FakeCopy(private, TWO).come()
        made.heads.put(KEY, private.info.hashes, 2)
        await made.settled(KEY)
        assert shown_number(made) == 1 and "private" in made.sites.views()[0].reason


@story
async def test_the_address_for_tips_is_that_of_the_newest_whole_version_and_a_change_is_asked_about() -> None:
    here, other, third = (str(Address(bytes([number]) * 20)) for number in range(3))

    def naming(address: str, more: bytes = b"") -> Files:
        return {**ONE, payouts.PATH: payouts.with_payout(None, address), ("more",): more or b"-"}

    keeper = FakeKeeper()
    async with bed(keeper) as made:
        def told() -> tuple[str, str]:
            site = made.sites.get(KEY)
            assert site is not None
            return site.payout, site.payout_was

        made.publish(KEY, naming(here), 1)
        await made.opened(KEY)
        assert told() == (here, "")
        made.torrents.at_once = False
        second = made.publish(KEY, naming(other), 2)
        await made.settled(KEY)
        assert told() == (here, "")
        made.copy(second).come()
        await made.settled(KEY)
        assert told() == (other, here)
        made.torrents.at_once = True
        made.publish(KEY, naming(third), 3)
        await made.settled(KEY)
        assert told() == (third, here)
        await made.sites.change(KEY, payout_seen=True)
        assert told() == (third, "")
        # Taken out, and named again by what is no JSON, too long, or the version of before.
        made.publish(KEY, ONE, 4)
        await made.settled(KEY)
        assert told() == ("", third)
        made.publish(KEY, {**ONE, payouts.PATH: b"{"}, 5)
        await made.settled(KEY)
        assert told() == ("", third)
        made.publish(KEY, {**ONE, payouts.PATH: b" " * (limits.SITE_FACTS_BYTES + 1)}, 6)
        await made.settled(KEY)
        assert told() == ("", third)
        made.publish(KEY, naming(other), 7)
        await made.settled(KEY)
        assert told() == (other, third)
        assert [(event.former, event.now) for event in made.events if isinstance(event, SitePayoutChanged)] == [
            (here, other), (here, third), (third, ""), (third, other)]
    async with bed(keeper) as made:
        assert told() == (other, third)
