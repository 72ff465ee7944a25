"""The Api as a guest has it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import msgspec
import pytest
from msgspec.structs import replace
from tests.api_fakes import FakeApi

from cli_torrents import torrent_of
from clients import client
from feedbed import rss
from wildbach.base.errors import UsageError
from wildbach.interfaces.api import channelmodels as chm
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api import sitemodels as sm
from wildbach.interfaces.api import syncmodels as sy
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.api.operation import operations
from wildbach.interfaces.api.restricted import for_role, origin, veiled, words
from wildbach.net.httpd import HttpServer, Request, Response

KEY = "s3cr3tpasskey"


@pytest.mark.parametrize(("url", "shown"), [
    (f"https://tracker.example.org/{KEY}/announce", "https://tracker.example.org"),
    (f"udp://[2001:db8::1]:6969/{KEY}", "udp://[2001:db8::1]:6969"),
    (f"http://user:{KEY}@h.example/x?passkey={KEY}", "http://h.example"),
    (f"http://h.example:99999/{KEY}", ""), (f"http://[bad/{KEY}", ""), (f"://{KEY}", ""),
    ("** [DHT] **", "** [DHT] **"), ("", ""),
    (f"magnet:?tr=http%3A%2F%2Fh.example%2F{KEY}&xt=urn:btih:{'a' * 40}&dn=x&tr.1={KEY}&XS={KEY}&x.pe={KEY}",
     f"magnet:?xt=urn:btih:{'a' * 40}&dn=x"),
])
def test_of_a_url_scheme_host_and_port_are_shown(url: str, shown: str) -> None:
    assert origin(url) == shown


def test_what_others_write_has_of_urls_only_the_host() -> None:
    text = f'no <a href="https://t.example/x?passkey={KEY}">key</a>, see HTTP://u:{KEY}@h.example:8/ (12:30)'
    assert words(text) == 'no <a href="https://t.example">key</a>, see http://h.example:8 (12:30)'


def test_a_guest_changes_nothing_and_sees_no_key(tmp_path: Path) -> None:
    async def answer(request: Request) -> Response:
        link = f"magnet:?xt=urn:btih:{'a' * 40}&amp;tr=http%3A%2F%2Fh.example%2F{KEY}"
        page = f"http://h.example/{KEY}"
        return Response(rss("One", torrent=lambda n: f"http://h.example/{KEY}/{n}.torrent").replace(b"</channel>", (
            f'<item><guid>{page}</guid><title>see {page}</title><enclosure url="{link}" length="1" '
            f'type="application/x-bittorrent"/><description>&lt;a href="get?{KEY}"&gt;</description></item></channel>'
        ).encode()), content_type="text/xml")

    async def work() -> None:
        server = HttpServer(answer)
        at = await server.start("127.0.0.1", 0)
        async with client(tmp_path) as full:
            api = for_role(full, "guest")  # type: ignore[arg-type]  # a LocalApi is an Api
            torrent = torrent_of(trackers=[[f"http://127.0.0.1:9/{KEY}/announce"]])
            added = await full.add_torrents(m.AddRequest(
                files=(torrent.to_bytes(),), stopped=True, web_seeds=(f"http://h.example/{KEY}/",)))
            key = added.added[0].key
            await full.add_feed(m.FeedRequest("one", f"http://{at}/feed?passkey={KEY}"))
            async with asyncio.timeout(20):
                while not (await full.articles(m.ArticleQuery())).total:
                    await asyncio.sleep(0.02)
            seen = [
                await api.list_torrents(m.Listing()), await api.changes(m.Since(1)), await api.torrent(key),
                await api.trackers(key), await api.web_seeds(key), await api.feeds(),
                await api.articles(m.ArticleQuery()),
                await api.facets(), await api.transfer(), await api.jobs(), await api.peers(key),
                await api.tree(key, m.TreeQuery()), await api.keys(m.KeyListing()),
                await api.pieces(key, m.PieceQuery(9)),
            ]
            assert KEY not in repr(seen) and "127.0.0.1" in repr(seen)
            for name, operation in operations(Api).items():
                if operation.role == "user":
                    with pytest.raises(UsageError) as error:
                        getattr(api, name)
                    assert error.value.code == "forbidden"
        await server.close()

    asyncio.run(work())


def test_links_of_sites_and_channels_lead_a_guest_to_the_key_and_not_to_private_trackers() -> None:
    key = "ab" * 32
    full = f"magnet:?xs=urn:btpk:{key}&s=77622d6368&rk={'cd' * 32}&dn=x&tr=https%3A%2F%2Ft.example%2Fsecret%2Fannounce"
    full += "&ws=https%3A%2F%2Fw.example%2Fsecret%2F&x.pe=1.2.3.4:5"
    plain = f"magnet:?xs=urn:btpk:{key}&s=77622d6368&rk={'cd' * 32}&dn=x"
    site, channel = (
        kind(**{field.name: full if field.name == "link" else "" for field in msgspec.structs.fields(kind)})
        for kind in (sm.Site, chm.Channel))
    for found in (sm.Sites((site,), 1), sm.SiteVersions(site, ()), chm.Channels((channel,)), channel):
        shown = msgspec.json.encode(veiled(found))
        assert b"secret" not in shown and plain.encode() in shown
    odd = replace(channel, link="magnet:?tr=http://x/secret")
    assert b"secret" not in msgspec.json.encode(veiled(odd))


def test_a_guest_looks_at_kept_folders_and_gets_nothing_that_lets_in() -> None:
    for_guests = {name for name, one in operations(Api).items() if "/sync" in one.path and one.role == "guest"}
    assert for_guests == {
        "synced_folders", "synced_folder", "synced_items", "sync_troubles", "sync_conflicts", "sync_versions",
        "sync_history", "sync_ignores"}

    async def work() -> None:
        full = FakeApi()
        one = await full.create_synced(sy.SyncMaking("/d/photos"))
        link = await full.share_synced("photos", sy.SyncLinkMaking())
        api = for_role(full, "guest")  # type: ignore[arg-type]  # the fake is an Api
        seen = (await api.synced_folders(), await api.synced_folder("photos"), await api.sync_history("photos"))
        assert link.text.encode() not in msgspec.json.encode(seen) and one.links == 0
        for name in ("share_synced", "sync_links", "sync_recovery_key", "join_synced", "answer_synced"):
            with pytest.raises(UsageError) as caught:
                getattr(api, name)
            assert caught.value.code == "forbidden"
    asyncio.run(work())
