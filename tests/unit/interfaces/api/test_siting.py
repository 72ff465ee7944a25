"""Sites with real sessions: a folder is published on one, opened by its key on another, and goes on without its
author."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from cli_torrents import torrent_of, write_content
from clients import client, until
from wildbach.base.errors import StorageError, UsageError
from wildbach.disk.keys import Keys
from wildbach.interfaces.api import sitemodels as sm
from wildbach.interfaces.api import walletmodels as wm
from wildbach.interfaces.api.local import LocalApi
from wildbach.protocol import payouts, sites
from wildbach.protocol.dht import items
from wildbach.protocol.heads import value_of
from wildbach.protocol.tron.address import Address

PAYEE, OTHER = str(Address(bytes(20))), str(Address(bytes([1]) * 20))
FILES = {("index.html",): b"<h1>one</h1>", ("big.bin",): bytes(range(256)) * 1000, ("docs", "index.html"): b"docs"}


def port_of(api: LocalApi) -> str:
    return str(api.core.session.dht.endpoints[0])


async def publish(api: LocalApi, folder: Path, **more: Any) -> dict[str, Any]:
    job = await api.publish_site(sm.SitePublication(str(folder), "blog", **more))
    done = await api.core.jobs.wait(job.id)
    assert done.state == "done", done.message
    return done.result


async def read(api: LocalApi, key: str, path: tuple[str, ...]) -> bytes:
    shown = await api.site_service.arrived(sites.id_of(key) or b"", 20)
    assert shown is not None and shown.copy is not None
    info = await shown.copy.metadata()
    index = next(number for number, file in enumerate(info.files) if file.path.parts == path)
    async with shown.copy.open(index) as reader:
        out = b""
        while data := await reader.read(len(out), 1 << 20):
            out += data
        return out


async def whole(api: LocalApi, key: str, seq: int) -> None:
    def there() -> bool:
        view = api.site_service.view(api.site_service.find(key))
        return view.shown is not None and view.shown.seq == seq and view.shown.complete
    await until(there, api)


async def tip(api: LocalApi, key: str) -> str:
    with pytest.raises(UsageError) as caught:
        await api.quote_site_tip(key, wm.WalletTip(5))
    return caught.value.code


async def changed_payout(api: LocalApi, key: str) -> None:
    """Nothing goes to an address that changed before somebody says that it is right."""
    (site,) = (await api.sites()).sites
    assert (site.payout, site.payout_was) == (OTHER, PAYEE)
    assert await tip(api, key) == "payout_changed"
    version = api.site_service.find(key).newest
    assert version is not None
    torrent = api.core.session.known(version.hashes)
    assert torrent is not None
    assert (await api.tip_targets(torrent.key)).items == (wm.WalletTipTarget("site", key, "blog", OTHER, PAYEE),)
    with pytest.raises(UsageError):
        await api.tip_targets("00" * 20)
    assert (await api.change_site("blog", sm.SitePatch(payout_seen=True))).payout_was == ""
    assert await tip(api, key) == "no_wallet"


def test_a_site_goes_from_one_to_another_and_outlives_its_author(tmp_path: Path) -> None:
    folder = tmp_path / "one" / "dist"
    write_content(folder, FILES)

    async def main() -> None:
        async with client(tmp_path / "hub", dht__enabled=True, dht__bootstrap=[]) as hub:
            meet = {"dht__enabled": True, "dht__bootstrap": [port_of(hub)]}
            async with client(tmp_path / "two", **meet) as reader:
                async with client(tmp_path / "one", **meet) as author:
                    dry = await publish(author, folder, dry_run=True)
                    assert dry["added"] == ["big.bin", "docs/index.html", "index.html"] and dry["seq"] == -1
                    assert not (folder / ".well-known").exists()
                    assert (await author.sites()).sites == ()
                    first = await publish(author, folder, payout=PAYEE)
                    peers = f"127.0.0.1:{author.core.session.listening[0].port}"
                    link = f"{first['link']}&x.pe={peers}"
                    opened = await reader.open_site(sm.SiteOpening(link))
                    assert opened.key == first["key"] and opened.name == "blog"
                    await whole(reader, opened.key, first["seq"])
                    assert await read(reader, opened.key, ("index.html",)) == FILES["index.html",]
                    assert await tip(reader, opened.key) == "no_wallet"
                    (folder / ".well-known" / "wildbach.json").write_bytes(payouts.with_payout(None, OTHER))
                    (folder / "index.html").write_bytes(b"<h1>two</h1>")
                    (folder / "new.txt").write_bytes(b"new")
                    assert set((await author.site("blog")).changed) == {"index.html", ".well-known/wildbach.json"}
                    second = await publish(author, folder)
                    assert second["seq"] > first["seq"] and second["changed"] == [
                        ".well-known/wildbach.json", "index.html"]
                    facts = len(payouts.with_payout(None, OTHER))
                    assert second["fetch"] == len(b"<h1>two</h1>") + 3 + facts and second["hashed"] < 200
                    reader.site_service.look_soon(sites.id_of(opened.key) or b"", force=True)
                    await whole(reader, opened.key, second["seq"])
                    assert (folder / "big.bin").read_bytes() == FILES["big.bin",]
                    await changed_payout(reader, opened.key)
                # The author is gone.
                found = await reader.site_difference("blog", sm.SiteDifferenceQuery())
                assert set(found.changed) == {"index.html", ".well-known/wildbach.json"} and found.added == ("new.txt",)
                at = f"127.0.0.1:{reader.core.session.listening[0].port}"
                async with client(tmp_path / "three", **meet) as third:
                    opened = await third.open_site(sm.SiteOpening(
                        f"magnet:?xs=urn:btpk:{sites.id_of(first['key']).hex()}&x.pe={at}"))
                    await whole(third, opened.key, second["seq"])
                    assert await read(third, opened.key, ("index.html",)) == b"<h1>two</h1>"
                    assert await read(third, opened.key, ("big.bin",)) == FILES["big.bin",]
                    versions = (await reader.site("blog")).versions
                    assert [version.here for version in versions] == [True, True]
                    await reader.change_site("blog", sm.SitePatch(pin=str(first["seq"])))
                    assert await read(reader, first["key"], ("index.html",)) == FILES["index.html",]
    asyncio.run(main())


def test_what_was_published_is_there_after_a_restart(tmp_path: Path) -> None:
    folder = tmp_path / "one" / "dist"
    write_content(folder, FILES)

    async def main() -> None:
        async with client(tmp_path / "hub", dht__enabled=True, dht__bootstrap=[]) as hub:
            meet = {"dht__enabled": True, "dht__bootstrap": [port_of(hub)]}
            async with client(tmp_path / "one", **meet) as author:
                first = await publish(author, folder)
            async with client(tmp_path / "one", **meet) as author:
                site = (await author.site("blog")).site
                assert site.key == first["key"] and site.own == "blog" and site.shown == first["seq"]
                assert await read(author, site.key, ("docs", "index.html")) == b"docs"
                again = await publish(author, folder)
                assert again["hashed"] == 0 and again["added"] == []
                await author.forget_site("blog")
                assert (await author.sites()).sites == () and (folder / "index.html").exists()
                assert author.core.session.torrents == ()
    asyncio.run(main())


def test_after_a_key_was_stolen_its_readers_go_back_and_move_on(tmp_path: Path) -> None:
    folder = tmp_path / "one" / "dist"
    write_content(folder, FILES)

    async def main() -> None:
        async with client(tmp_path / "hub", dht__enabled=True, dht__bootstrap=[]) as hub:
            meet = {"dht__enabled": True, "dht__bootstrap": [port_of(hub)]}
            async with client(tmp_path / "one", **meet) as author, client(tmp_path / "two", **meet) as reader:
                keys = Keys(tmp_path / "one" / "data")
                keys.create("blog")
                first = await publish(author, folder)
                at = f"127.0.0.1:{author.core.session.listening[0].port}"
                link = f"{first['link']}&x.pe={at}"
                assert "&rk=" in link
                site = await reader.open_site(sm.SiteOpening(link))
                await whole(reader, site.key, first["seq"])
                stolen = torrent_of({("index.html",): b"<h1>thief</h1>"}, name="blog")
                item = items.signed(keys.get("blog"), value_of(stolen.info.hashes), (1 << 63) - 1)
                await hub.core.session.dht.put(item)
                reader.site_service.look_soon(sites.id_of(site.key) or b"", force=True)
                await until(lambda: reader.site_service.find(site.key).seq == (1 << 63) - 1, reader)
                await author.core.session.mutables.rotate("blog")
                for one in reader.core.session.mutables._followed.values():
                    one.rotation_at = 0.0  # a day has gone by
                reader.site_service.look_soon(sites.id_of(site.key) or b"", force=True)
                await until(lambda: reader.site_service.find(site.key).signer != "", reader)
                assert await read(reader, site.key, ("index.html",)) == FILES["index.html",]
                (folder / "index.html").write_bytes(b"<h1>mine again</h1>")
                second = await publish(author, folder)
                assert second["key"] != first["key"] and second["changed"] == ["index.html"]
                reader.site_service.look_soon(sites.id_of(site.key) or b"", force=True)
                await whole(reader, site.key, second["seq"])
                assert await read(reader, site.key, ("index.html",)) == b"<h1>mine again</h1>"
                assert (folder / "big.bin").read_bytes() == FILES["big.bin",]
    asyncio.run(main())


def test_forgetting_a_site_takes_its_files(tmp_path: Path) -> None:
    folder = tmp_path / "one" / "dist"
    write_content(folder, FILES)

    async def main() -> None:
        async with client(tmp_path / "one", dht__enabled=True, dht__bootstrap=[]) as author, \
                client(tmp_path / "hub", dht__enabled=True, dht__bootstrap=[port_of(author)]), \
                client(tmp_path / "two", dht__enabled=True, dht__bootstrap=[port_of(author)]) as reader:
            first = await publish(author, folder)
            at = f"127.0.0.1:{author.core.session.listening[0].port}"
            site = await reader.open_site(sm.SiteOpening(f"{first['link']}&x.pe={at}", name="b"))
            await whole(reader, site.key, first["seq"])
            assert list((tmp_path / "two" / "data" / "cache").rglob("index.html"))
            await reader.forget_site("b")
            assert not list((tmp_path / "two" / "data" / "cache").rglob("*"))
            with pytest.raises(UsageError):
                await reader.site("b")
    asyncio.run(main())


def test_a_file_that_changed_since_it_was_published_is_not_shown(tmp_path: Path) -> None:
    folder = tmp_path / "one" / "dist"
    write_content(folder, FILES)

    async def main() -> None:
        async with client(tmp_path / "hub", dht__enabled=True, dht__bootstrap=[]) as hub, \
                client(tmp_path / "one", dht__enabled=True, dht__bootstrap=[port_of(hub)]) as author:
            first = await publish(author, folder)
            (folder / "index.html").write_bytes(b"<h1>a draft</h1>")
            with pytest.raises(StorageError):
                await read(author, first["key"], ("index.html",))
            assert (await author.site("blog")).changed == ("index.html",)
            second = await publish(author, folder)
            assert await read(author, second["key"], ("index.html",)) == b"<h1>a draft</h1>"
    asyncio.run(main())


def test_only_allowed_folders_are_published(tmp_path: Path) -> None:
    async def main() -> None:
        async with client(tmp_path / "one") as author:
            for folder in ("/etc", str(tmp_path / "one" / "data"), "relative"):
                with pytest.raises(UsageError):
                    await author.publish_site(sm.SitePublication(folder))
    asyncio.run(main())


def test_without_a_dht_publishing_says_why(tmp_path: Path) -> None:
    write_content(tmp_path / "one" / "dist", FILES)

    async def main() -> None:
        async with client(tmp_path / "one") as author:
            job = await author.publish_site(sm.SitePublication(str(tmp_path / "one" / "dist"), "blog"))
            done = await author.core.jobs.wait(job.id)
            assert done.state == "failed" and "no DHT" in done.message
            assert author.core.session.torrents == () and (await author.sites()).sites == ()
    asyncio.run(main())
