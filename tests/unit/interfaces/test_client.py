"""The Api over HTTP is the Api."""

from __future__ import annotations

import asyncio
import inspect
from pathlib import Path
from typing import Any

import pytest
from tests.api_fakes import PASSWORD, PAYEE, row, serving
from tests.certificates import self_signed

from wildbach.base.errors import NetworkError, StorageError, UsageError
from wildbach.interfaces.api import channelmodels as chm
from wildbach.interfaces.api import contentmodels as cm
from wildbach.interfaces.api import keymodels as km
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api import paymodels as pay
from wildbach.interfaces.api import playmodels as pm
from wildbach.interfaces.api import sitemodels as sm
from wildbach.interfaces.api import syncmodels as sy
from wildbach.interfaces.api import walletmodels as wm
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.api.operation import operations
from wildbach.interfaces.api.subscription import Shown, Subscription
from wildbach.interfaces.client import connect
from wildbach.interfaces.http import passwords
from wildbach.interfaces.settings import ApiSettings
from wildbach.net.httpd import HttpServer, server_tls

PAYLOADS: dict[str, Any] = {
    "change_torrent": m.TorrentPatch(name="x"), "change_torrents": m.TorrentsPatch(m.TorrentPatch(), all=True),
    "act": m.Action("stop", all=True), "move_torrents": m.Move("/x", all=True), "rename": m.Rename("a", "b"),
    "set_priorities": m.FilePriorities({"0": 7}), "add_peers": m.PeerList(("1.2.3.4:5",)),
    "put_category": m.Category("a/b"), "remove_categories": m.Names(("a/b",)), "add_tags": m.Names(("x",)),
    "remove_tags": m.Names(("x",)), "set_slow_mode": m.SlowMode(None), "change_settings": m.SettingsPatch({}),
    "create_torrent": m.CreateRequest("/x"), "add_feed": m.FeedRequest("f"), "change_feed": m.FeedPatch("f"),
    "remove_feed": m.FeedPath("f"), "refresh_feed": m.FeedPath("f"), "mark_read": m.ReadMark("f"),
    "put_feed_rule": m.FeedRule("r", {}), "rename_feed_rule": m.RuleName("r", "s"), "remove_feed_rule": m.RuleName("s"),
    "try_feed_rule": m.FeedRule("r", {}), "set_password": m.Password("new", PASSWORD), "make_api_key":
    m.KeyRequest("k"), "open_site": sm.SiteOpening(f"{1:064x}"), "publish_site": sm.SitePublication("/x"),
    "put_watched": pm.Watched(f"{1:040x}", 0, seconds=5.0), "change_media": pm.MediaPatch(lan=True),
    "keep_storage": cm.StorageKeeping((f"{1:040x}",), "/x"), "free_storage": cm.StorageNeed(10),
    "evict_storage": cm.StorageEviction((f"{1:040x}",)), "pin_storage": cm.StoragePins((f"{1:040x}",)),
    "follow_channel": chm.ChannelFollowing(f"{1:064x}"), "create_channel": chm.ChannelMaking("Birds"),
    "download_item": chm.ItemWord("a"), "change_channel_item": chm.ItemChange("a", chm.ItemPatch()),
    "remove_channel_item": chm.ItemWord("a"),
    "add_torrents": m.AddRequest(urls=("magnet:?x",), files=(b"\0\xff",)),
    "make_publishing_key": km.PublishingKeyRequest(f"{1:040x}"), "export_publishing_key": km.KeyExport("secret"),
    "import_publishing_key": km.KeyImport("text", PASSWORD), "recovery_words": km.RecoveryWish(),
    "erase_recovery": km.RecoveryWords("wbr-0000"),
    "rotate_publishing_key": km.KeyRotation("wbr-0000", (km.GoodHead("ab" * 20),)),
    "agree_to_wallet": wm.WalletConsent("this is real money"),
    "create_wallet": wm.WalletMaking("d", ("word2", "word5"), PASSWORD),
    "change_wallet_passphrase": wm.WalletPassphraseChange(PASSWORD, "another"),
    "export_wallet_keystore": wm.WalletPassphrase("wrong"), "check_wallet_words": wm.WalletPaper("word1 word2"),
    "quote_wallet_send": wm.WalletQuoteRequest(PAYEE, 5, "ü"),
    "send_from_wallet": wm.WalletSendRequest("q", PASSWORD), "put_wallet_address": wm.WalletKnown(PAYEE, "Ü"),
    "remove_wallet_address": wm.WalletKnownAddress(PAYEE),
    "quote_tip": wm.WalletTip(5), "quote_site_tip": wm.WalletTip(5),
    "sponsor": pay.PaySponsoring("k", PAYEE, "127.0.0.1", 6881, 1000, 5, 3),
    "seed_for": pay.PaySeedingWanted(PAYEE, 5, 3),
    "renew_signer": wm.WalletPassphrase(PASSWORD), "forget_adrift": wm.WalletPassphrase(PASSWORD),
    "reopen_wallet_day": wm.WalletPassphrase(PASSWORD),
    "set_payment": pay.PayMark("licensed"), "quote_payment": pay.PayOrder("deposit", amount=5),
    "name_sync_device": sy.SyncSelf("Läptop"), "create_synced": sy.SyncMaking("/x", f"{1:040x}"),
    "join_synced": sy.SyncJoining("wildbach:?sync=a&b=ü", "/y"), "answer_synced": sy.SyncAnswer(yes=True),
    "revoke_synced": sy.SyncRevoking("nobody"), "set_sync_role": sy.SyncRoleChange("11111111", "rw"),
    "sync_difference": sy.SyncCopy("nobody's"),
    "resolve_sync_conflict": sy.SyncResolving("a copy", "both"), "restore_synced": sy.SyncRestoring("a@1"),
    "recover_synced": sy.SyncRecovering("these are not they"),
    "set_wallet_limits": wm.WalletLimitsChange(wm.WalletLimits(per_day=7), PASSWORD),
}


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_N", 1 << 8)


async def outcome(work: Any) -> Any:
    try:
        return await work
    except (UsageError, StorageError) as error:
        return type(error), error.code, str(error)


def test_every_operation_gives_over_http_what_it_gives_in_process() -> None:
    async def main() -> None:
        async with serving() as near, serving() as far, connect(far.url, token=far.key) as api:
            for number in range(1, 4):
                near.api.put(row(number))
                far.api.put(row(number))
            for name, one in operations(Api).items():
                given: dict[str, Any] = {key: f"{1:040x}" for key, _ in one.parameters}
                if one.payload:
                    given[one.payload] = PAYLOADS[name] if name in PAYLOADS else one.payload_type()
                here = await outcome(getattr(near.api, name)(**given))
                there = await outcome(getattr(api, name)(**given))
                if name in ("set_password", "api_keys", "make_api_key", "make_start_link"):
                    assert type(here) is type(there), name  # keys are random
                else:
                    assert here == there, name
            assert far.api.added == near.api.added
    asyncio.run(main())


def test_positional_arguments_are_as_good_and_wrong_ones_a_type_error() -> None:
    async def main() -> None:
        async with serving() as there, connect(there.url, token=there.key) as api:
            there.api.put(row(1))
            page = await api.files(f"{1:040x}", m.FileListing(offset=3, limit=2))
            assert [one.index for one in page.files] == [3, 4]
            listed = await api.list_torrents(m.Listing(search="a & b=ü", state=("seeding", "stopped"), descending=True))
            assert listed.total == 0
            with pytest.raises(TypeError):
                await api.torrent()  # type: ignore[call-arg]  # what is wrong
            with pytest.raises(AttributeError):
                api.nothing  # type: ignore[attr-defined]  # noqa: B018  # what is wrong
    asyncio.run(main())


def test_passwords_work_and_wrong_ones_are_said() -> None:
    async def main() -> None:
        async with serving() as there:
            async with connect(there.url, user="admin", password=PASSWORD) as api:
                assert (await api.health()).api == 1
            async with connect(there.url, user="admin", password="wrong") as api:
                with pytest.raises(UsageError) as caught:
                    await api.health()
                assert caught.value.code == "unauthorized"
            async with connect(there.url + "/nowhere", token=there.key) as api:
                with pytest.raises(UsageError) as caught:
                    await api.health()
                assert caught.value.code == "not_found"
    asyncio.run(main())


def test_facts_of_errors_come_along() -> None:
    async def main() -> None:
        async with serving() as there, connect(there.url, token=there.key) as api:
            with pytest.raises(StorageError) as storage:
                await api.create_torrent(m.CreateRequest("/nowhere"))
            assert (storage.value.path, storage.value.errno) == ("/nowhere", 2)
            with pytest.raises(UsageError) as usage:
                await api.torrent("f" * 40)
            assert usage.value.facts == {"key": "f" * 40}
    asyncio.run(main())


def test_unix_sockets_and_tls_are_ways_too(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving() as there:
            path = tmp_path / "api.sock"
            await there.web.http.start_unix(str(path))
            async with connect(f"unix:{path}", token=there.key) as api:
                assert (await api.health()).api == 1
            certificate = self_signed(tmp_path)
            secure = HttpServer(there.web.handle)
            at = await secure.start("127.0.0.1", 0, tls=server_tls(str(certificate)))
            async with connect(f"https://127.0.0.1:{at.port}", token=there.key, ca=str(certificate)) as api:
                assert (await api.health()).api == 1
            async with connect(f"https://127.0.0.1:{at.port}", token=there.key) as api:
                with pytest.raises(NetworkError) as caught:
                    await api.health()
                assert caught.value.code == "bad_certificate"
            await secure.close()
            async with connect(f"https://127.0.0.1:{at.port}", token=there.key) as api:
                with pytest.raises(NetworkError, match="cannot be reached"):
                    await api.health()
    asyncio.run(main())


@pytest.mark.parametrize("url", ["", "nonsense", "ftp://x", "http://", "http://[::1"])
def test_addresses_that_are_none_are_a_usage_error(url: str) -> None:
    async def main() -> None:
        with pytest.raises(UsageError):
            async with connect(url):
                pass
    asyncio.run(main())


def test_the_fake_has_every_operation_as_it_is_declared() -> None:
    from tests.api_fakes import FakeApi
    for name in operations(Api):
        assert list(inspect.signature(getattr(FakeApi, name)).parameters) == list(
            inspect.signature(getattr(Api, name)).parameters), name


def test_the_line_tells_what_changes_and_what_is_shown_follows_from_it() -> None:
    async def main() -> None:
        async with serving(ApiSettings(push_seconds=0.2)) as there, connect(there.url, token=there.key) as api:
            for number in range(1, 5):
                there.api.put(row(number))
            shows = Subscription(m.Listing(sort="key", limit=2), transfer=True, facets=True, jobs=True, log="info")
            shown = Shown()
            async with asyncio.timeout(20), api.push(shows) as line:
                while not shown.rows:
                    shown.take(await anext(line))
                assert [one.name for one in shown.rows] == ["torrent 1", "torrent 2"] == [
                    one.name for one in shown.changed]
                assert shown.total == 4 and [one.id for one in shown.log] == [0, 1, 2, 3, 4]
                assert shown.transfer == await api.transfer()
                assert shown.facets == await api.facets() and shown.jobs == await api.jobs()
                there.api.put(row(2, down_rate=5.0))
                del there.api.rows[f"{1:040x}"]
                while shown.total == 4:
                    shown.take(await anext(line))
                page = await api.list_torrents(m.Listing(sort="key", limit=2))
                assert shown.rows == page.torrents and shown.log == ()
                await line.show(Subscription(m.Listing(sort="nothing")))
                while "torrents" not in shown.errors:
                    shown.take(await anext(line))
                assert "nothing" in str(shown.errors["torrents"]) and shown.rows == ()
                await line.show(Subscription(m.Listing(sort="key")))
                while not shown.rows:
                    shown.take(await anext(line))
                assert len(shown.rows) == 3 and not shown.errors
    asyncio.run(main())


def test_a_line_that_may_not_be_or_breaks_says_why(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving(ApiSettings(push_seconds=0.2)) as there, asyncio.timeout(20):
            shows = Subscription(transfer=True)
            async with connect(there.url, token="wbk_wrong") as api:
                with pytest.raises(UsageError) as caught:
                    async with api.push(shows):
                        pass
                assert caught.value.code == "unauthorized"
            async with connect(there.url, token=there.guest_key) as api, api.push(Subscription(log="info")) as line:
                with pytest.raises(UsageError, match="guest"):
                    while True:
                        await anext(line)
            async with connect(there.url, token=there.key) as api, api.push(shows) as line:
                await anext(line)
                [key] = [one for one in (await there.access.api_keys()).keys if one.role == "user"]
                await there.access.remove_api_key(key.id)
                with pytest.raises(UsageError) as caught:
                    while True:
                        await anext(line)
                assert caught.value.code == "unauthorized"
            path = tmp_path / "api.sock"
            await there.web.http.start_unix(str(path))
            async with connect(f"unix:{path}", token=there.guest_key) as api, api.push(shows) as line:
                await anext(line)
                await there.web.close()
                with pytest.raises(NetworkError) as broken:
                    while True:
                        await anext(line)
                assert broken.value.code == "unreachable"
            async with connect(there.url) as api:
                with pytest.raises(NetworkError, match="cannot be reached"):
                    async with api.push(shows):
                        pass
    asyncio.run(main())
