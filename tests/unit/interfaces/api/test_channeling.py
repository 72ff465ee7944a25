"""Channels with real sessions: made on one, followed, searched and downloaded on another, and kept alive by it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from clients import client, until
from wildbach.base.errors import UsageError
from wildbach.base.ids import Endpoint
from wildbach.interfaces.api import channelmodels as cm
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api import playmodels as pm
from wildbach.interfaces.api import walletmodels as wm
from wildbach.interfaces.api.local import LocalApi
from wildbach.protocol.metainfo import MutableLink

FILM = bytes(range(256)) * 2000
PAYEE = "TWer2Ygk5TEheHp3TPuYeqxmB6SsGZmaL6"


def port_of(api: LocalApi) -> str:
    return str(api.core.session.dht.endpoints[0])


def peer_of(api: LocalApi) -> str:
    return f"127.0.0.1:{api.core.session.listening[0].port}"


async def job(api: LocalApi, started: m.Job) -> dict[str, Any]:
    done = await api.core.jobs.wait(started.id)
    assert done.state == "done", done.message
    return done.result


async def add(api: LocalApi, *paths: Path, **words: Any) -> list[str]:
    making = cm.ItemMaking(tuple(map(str, paths)), words=cm.ItemPatch(**words))
    return [item["guid"] for item in (await job(api, await api.add_channel_items("Birds", making)))["items"]]


async def publish(api: LocalApi) -> dict[str, Any]:
    return await job(api, await api.publish_channel("Birds", cm.Publishing()))


async def shown(api: LocalApi, key: str, seq: int) -> None:
    def there() -> bool:
        channel = api.channel_service.find(key)
        return channel.shown is not None and channel.shown.seq == seq
    await until(there, api)


async def titles(api: LocalApi, words: str = "", **more: Any) -> list[str]:
    return [one.item.title for one in (await api.channel_items(cm.ItemQuery(words, **more))).items]


def test_a_channel_goes_from_one_to_another_and_outlives_its_author(tmp_path: Path) -> None:
    films = tmp_path / "one" / "films"
    films.mkdir(parents=True)
    (films / "owl.mp4").write_bytes(FILM)
    (films / "heron.mp3").write_bytes(FILM[::-1])

    async def main() -> None:
        async with client(tmp_path / "hub", dht__enabled=True, dht__bootstrap=[]) as hub:
            meet = {"dht__enabled": True, "dht__bootstrap": [port_of(hub)]}
            async with client(tmp_path / "two", **meet) as reader:
                async with client(tmp_path / "one", **meet) as author:
                    made = await author.create_channel(cm.ChannelMaking("Birds", "birds", "of the garden"))
                    assert made.own == "birds" and made.seq == -1 and MutableLink.parse(made.link).salt == b"wb-ch"
                    (owl,) = await add(author, films / "owl.mp4", title="The owl", lang="en")
                    assert (await author.channel("Birds")).drafts == 1
                    assert [one.item.title for one in (await author.channel_drafts("birds")).items] == ["The owl"]
                    first = await publish(author)
                    assert first["added"] == 1 and (await author.channel("Birds")).drafts == 0
                    link = f"{first['link']}&x.pe={peer_of(author)}"
                    followed = await reader.follow_channel(cm.ChannelFollowing(link))
                    await shown(reader, followed.key, first["seq"])
                    channel = await reader.channel("Birds")
                    assert channel.text == "of the garden" and channel.items == 1 and channel.new == 0
                    assert await titles(reader, "owl", kind="video", lang="en") == ["The owl"]
                    assert b"application/x-bittorrent" in await reader.channel_feed("Birds")
                    # Nothing but the channel's own files was fetched.
                    assert [torrent.key for torrent in reader.core.session.torrents] == [channel.torrent]
                    key = (await reader.download_item("Birds", cm.ItemWord(owl))).torrent
                    torrent = reader.core.session.torrent(key)
                    assert torrent is not None
                    await until(lambda: torrent.whole, reader)
                    assert (Path(torrent.save_path) / "owl.mp4").read_bytes() == FILM
                    await add(author, films / "heron.mp3")
                    second = await publish(author)
                    reader.channel_service.look_soon(reader.channel_service.find("Birds").key)
                    await shown(reader, followed.key, second["seq"])
                    assert (await reader.channel("Birds")).new == 1
                    assert await titles(reader, new=True) == ["heron"]
                    assert (await reader.look_at_channel("Birds")).new == 0
                # The author is gone.
                async with client(tmp_path / "three", **meet) as third:
                    key52 = (await reader.channel("Birds")).key
                    at = MutableLink.parse(first["link"]).to_uri() + f"&x.pe={peer_of(reader)}"
                    await third.follow_channel(cm.ChannelFollowing(at))
                    await shown(third, key52, second["seq"])
                    assert sorted(await titles(third)) == ["The owl", "heron"]
    asyncio.run(main())


def test_two_items_of_one_folder_lead_to_two_files(tmp_path: Path) -> None:
    films = tmp_path / "one" / "films"
    films.mkdir(parents=True)
    for name in ("a [1].mp4", "b [2].mp4", "c.mp4"):
        (films / name).write_bytes(name.encode() * 30_000)

    async def main() -> None:
        async with client(tmp_path / "hub", dht__enabled=True, dht__bootstrap=[]) as hub:
            meet = {"dht__enabled": True, "dht__bootstrap": [port_of(hub)]}
            async with client(tmp_path / "one", **meet) as author, client(tmp_path / "two", **meet) as reader:
                await author.create_channel(cm.ChannelMaking("Birds", "birds", payout=PAYEE))
                await add(author, films)
                first = await publish(author)
                link = f"{first['link']}&x.pe={peer_of(author)}"
                followed = await reader.follow_channel(cm.ChannelFollowing(link))
                await shown(reader, followed.key, first["seq"])
                found = {one.item.title: one for one in (await reader.channel_items(cm.ItemQuery())).items}
                assert sorted(found) == ["a [1]", "b [2]", "c"] and not any(one.coming for one in found.values())
                key = (await reader.download_item("Birds", cm.ItemWord(found["b [2]"].item.guid))).torrent
                (target,) = (await reader.tip_targets(key)).items
                assert target == wm.WalletTipTarget("channel", followed.key, "Birds", PAYEE, "")
                torrent = reader.core.session.torrent(key)
                assert torrent is not None
                torrent.add_peers([Endpoint("127.0.0.1", int(peer_of(author).rpartition(":")[2]))])
                await until(lambda: torrent.whole, reader)
                here = Path(torrent.save_path) / "films"
                assert sorted(path.name for path in here.iterdir()) == ["b [2].mp4"]
                coming = {one.item.title: one.coming for one in (await reader.channel_items(cm.ItemQuery())).items}
                assert coming == {"a [1]": False, "b [2]": True, "c": False}
                assert (await reader.download_item("Birds", cm.ItemWord(found["c"].item.guid))).torrent == key
                # Both had all they wanted and parted; the reader does not call again so soon.
                author.core.session.torrent(key).add_peers([reader.core.session.listening[0]])
                await until(lambda: torrent.whole and (here / "c.mp4").exists(), reader)
                assert (here / "c.mp4").read_bytes() == (films / "c.mp4").read_bytes()
                path = found["a [1]"].item.renditions[0].path
                play = await reader.start_play(pm.PlayRequest(key, path=path))
                assert play.file is not None and play.file.name == "a [1].mp4"
                with pytest.raises(UsageError):
                    await reader.start_play(pm.PlayRequest(key, path="a [1]"))
    asyncio.run(main())


def test_edits_removals_and_restarts(tmp_path: Path) -> None:
    films = tmp_path / "one" / "films"
    films.mkdir(parents=True)
    for name in ("a.mp4", "b.mp4"):
        (films / name).write_bytes(name.encode() * 1000)

    async def main() -> None:
        async with client(tmp_path / "hub", dht__enabled=True, dht__bootstrap=[]) as hub:
            meet = {"dht__enabled": True, "dht__bootstrap": [port_of(hub)]}
            async with client(tmp_path / "one", **meet) as author:
                await author.create_channel(cm.ChannelMaking("Birds", "birds"))
                guids = await add(author, films)
                assert len(guids) == 2
                await publish(author)
                await author.change_channel_item("Birds", cm.ItemChange(guids[0], cm.ItemPatch(title="The wren")))
                await author.remove_channel_item("Birds", cm.ItemWord(guids[1]))
            async with client(tmp_path / "one", **meet) as author:
                assert (await author.channel("Birds")).drafts == 2
                await until(author.core.restored.is_set, author)
                await publish(author)
                assert await titles(author) == ["The wren"]
                changed = await author.change_channel("Birds", cm.ChannelPatch(name="Garden birds", text="new"))
                assert (changed.title, changed.text) == ("Garden birds", "new")
                with pytest.raises(UsageError):
                    await author.change_channel("Garden birds", cm.ChannelPatch(payout="T1"))
                await _tips(author)
                await author.unfollow_channel("Garden birds")
                assert (await author.channels()).channels == () and (films / "a.mp4").exists()
    asyncio.run(main())


async def _tips(author: LocalApi) -> None:
    """To the signed address, and not to one that changed a moment ago."""
    async def refused() -> str:
        with pytest.raises(UsageError) as caught:
            await author.quote_tip("Garden birds", wm.WalletTip(5))
        return caught.value.code

    assert await refused() == "no_payout"
    await author.change_channel("Garden birds", cm.ChannelPatch(payout="TWer2Ygk5TEheHp3TPuYeqxmB6SsGZmaL6"))
    assert await refused() == "no_wallet"
    service = author.channel_service
    channel = service.find("Garden birds")
    service.find = lambda word: replace(channel, payout_was="TPX6HK2NRN4XKRX1JAhbC827bm7gMmy5w1")  # type: ignore[method-assign]  # as after a change
    assert await refused() == "payout_changed"
    del service.find


def test_after_the_key_is_rotated_the_channel_goes_on_and_its_followers_too(tmp_path: Path) -> None:
    films = tmp_path / "one" / "films"
    films.mkdir(parents=True)
    (films / "owl.mp4").write_bytes(FILM)

    async def main() -> None:
        async with client(tmp_path / "hub", dht__enabled=True, dht__bootstrap=[]) as hub:
            meet = {"dht__enabled": True, "dht__bootstrap": [port_of(hub)]}
            async with client(tmp_path / "one", **meet) as author, client(tmp_path / "two", **meet) as reader:
                await author.create_channel(cm.ChannelMaking("Birds", "birds"))
                await add(author, films / "owl.mp4")
                first = await publish(author)
                followed = await reader.follow_channel(
                    cm.ChannelFollowing(f"{first['link']}&x.pe={peer_of(author)}"))
                await shown(reader, followed.key, first["seq"])
                await author.core.session.mutables.rotate("birds")
                await author.change_channel("Birds", cm.ChannelPatch(text="moved"))
                second = await publish(author)
                assert second["link"] != first["link"] and await titles(author) == ["owl"]
                watched = reader.channel_service.find("Birds")
                for _ in range(20):
                    one = next(iter(reader.core.session.mutables._followed.values()))
                    one.rotation_at = 0.0
                    reader.channel_service.look_soon(watched.key)
                    await asyncio.sleep(0.3)
                    if (await reader.channel("Birds")).rotated:
                        break
                await shown(reader, followed.key, second["seq"])
                channel = await reader.channel("Birds")
                assert channel.rotated and channel.text == "moved" and await titles(reader) == ["owl"]
    asyncio.run(main())


def test_what_cannot_be_is_said(tmp_path: Path) -> None:
    async def main() -> None:
        async with client(tmp_path / "one") as api:
            with pytest.raises(UsageError):
                await api.channel("nothing")
            await api.create_channel(cm.ChannelMaking("Birds", "birds"))
            inside = str(tmp_path / "one" / "data")
            for making in (cm.ItemMaking(), cm.ItemMaking(("/etc/passwd",)), cm.ItemMaking((inside,))):
                with pytest.raises(UsageError):
                    await api.add_channel_items("Birds", making)
            started = await api.publish_channel("Birds", cm.Publishing())
            failed = await api.core.jobs.wait(started.id)
            assert failed.state == "failed" and "DHT" in failed.message
            with pytest.raises(UsageError):
                await api.channel_feed("Birds")
    asyncio.run(main())
