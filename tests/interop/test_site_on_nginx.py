"""The folder of a site, served by Debian's nginx as docs/guide-author.md says it, is a web seed of the site."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from urllib.request import urlopen

import pytest
from tests.webserver import MISSING, nginx

from cli_torrents import write_content
from clients import client, until
from wildbach.interfaces.api import sitemodels as sm
from wildbach.interfaces.api.local import LocalApi
from wildbach.protocol import sites

pytestmark = [pytest.mark.foreign("nginx"), pytest.mark.skipif(MISSING is not None, reason=str(MISSING))]

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guide-author.md"
FILES = {
    ("index.html",): b"<h1>hello</h1>", ("docs", "a b.html"): b"<p>a", ("film.bin",): bytes(range(256)) * 12_000,
    (".env",): b"SECRET",
}


def whole(api: LocalApi, key: str) -> bool:
    version = api.site_service.find(key).newest
    return version is not None and version.complete


def test_readers_fetch_from_the_web_server_what_the_author_does_not_give(tmp_path: Path) -> None:
    folder = tmp_path / "author" / "www" / "blog"
    write_content(folder, FILES)
    (root,) = re.findall(r"root /var/www;", GUIDE.read_text(encoding="utf-8"))
    assert root

    async def main(url: str) -> None:
        async with client(tmp_path / "hub", dht__enabled=True, dht__bootstrap=[]) as hub:
            meet = {"dht__enabled": True, "dht__bootstrap": [str(hub.core.session.dht.endpoints[0])]}
            # The author gives metadata, and content only so slowly that it would take an hour.
            async with client(tmp_path / "author", rates__up=1024, **meet) as author, \
                    client(tmp_path / "reader", **meet) as reader:
                job = await author.publish_site(sm.SitePublication(str(folder), "blog", web_seeds=(f"{url}/blog/",)))
                done = await author.core.jobs.wait(job.id)
                assert done.state == "done", done.message
                link = done.result["link"]
                assert "&ws=" in link
                at = f"127.0.0.1:{author.core.session.listening[0].port}"
                site = await reader.open_site(sm.SiteOpening(f"{link}&x.pe={at}"))
                await until(lambda: whole(reader, site.key), reader, seconds=60)
                shown = reader.site_service.shown(sites.id_of(site.key) or b"")
                assert shown is not None and shown.copy is not None
                info = await shown.copy.metadata()
                assert info.name == "blog"
                for number, file in enumerate(info.files):
                    async with shown.copy.open(number) as reading:
                        data = b""
                        while part := await reading.read(len(data), 1 << 20):
                            data += part
                    assert data == FILES[file.path.parts]

    with nginx(tmp_path / "nginx", tmp_path / "author" / "www") as url:
        with urlopen(f"{url}/blog/") as answer:
            assert answer.read() == FILES["index.html",]
        asyncio.run(main(url))
