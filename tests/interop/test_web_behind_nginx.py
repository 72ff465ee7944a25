"""The web UI and the API below a path of Debian's nginx, as docs/guide-api.md says it."""

from __future__ import annotations

import asyncio
import gzip
import re
from pathlib import Path

import aiohttp
import pytest
from tests.api_fakes import row, serving
from tests.webserver import MISSING, nginx

from wildbach.interfaces.http import passwords
from wildbach.interfaces.http.site import POLICY, Site
from wildbach.interfaces.settings import ApiSettings

pytestmark = [pytest.mark.foreign("nginx"), pytest.mark.skipif(MISSING is not None, reason=str(MISSING))]

INDEX = b'<!doctype html><script type="module" src="./assets/index-Cg3hq9_Z.js"></script>' + b"<p>" * 1000
SCRIPT = b"const torrents = [];\n" * 9000
GUIDE = Path(__file__).parents[2] / "docs" / "guide-api.md"


def block(port: int) -> str:
    """The block of the guide, for our port."""
    text, variable = re.findall(r"```nginx\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.S)
    assert "http://127.0.0.1:8080" in text and variable.startswith("map ")

    # The second one has to be outside of the server.
    return text.replace(":8080", f":{port}").replace("$connection_upgrade", "$http_connection")


def test_below_a_path_all_of_it_works_and_nothing_is_packed_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(passwords, "_N", 1 << 8)
    site = Site({"/index.html": INDEX, "/assets/index-Cg3hq9_Z.js": SCRIPT})
    settings = ApiSettings(base_path="/torrents", trusted_proxies=("127.0.0.1",))

    async def main() -> None:
        async with serving(settings, site=site) as there:
            for number in range(500):
                there.api.put(row(number))
            (tmp_path / "www").mkdir()
            with nginx(tmp_path / "nginx", tmp_path / "www", f"gzip on; gzip_types *; {block(there.port)}") as url:
                await look(url, there.key)

    async def look(url: str, key: str) -> None:
        headers = {"Accept-Encoding": "gzip", "Authorization": f"Bearer {key}"}
        async with aiohttp.ClientSession(headers=headers, auto_decompress=False) as session:
            async with session.get(f"{url}torrents") as answer:
                assert answer.url.path == "/torrents/", "the slash that relative URLs need"
                assert answer.headers["Content-Security-Policy"] == POLICY
                page = gzip.decompress(await answer.read())
                assert page == INDEX
            (script,) = re.findall(rb'src="\./(.*?)"', page)
            for at in range(2):
                known = {"If-None-Match": answer.headers["ETag"]} if at else {}
                async with session.get(f"{url}torrents/{script.decode()}", headers=known) as answer:
                    assert answer.status == (304 if at else 200)
                    assert "immutable" in answer.headers["Cache-Control"]
                    body = await answer.read()
                    assert (gzip.decompress(body) == SCRIPT) if not at else not body
            async with session.get(f"{url}torrents/api/v1/torrents?limit=1000") as answer:
                body = await answer.read()
                assert answer.headers["Content-Encoding"] == "gzip" and len(body) < 50_000
                assert gzip.decompress(body).startswith(b'{"revision"')
            async with session.ws_connect(f"{url}torrents/api/v1/push") as socket:
                await socket.send_json({"subscribe": {"torrents": {"limit": 3}}})
                while "torrents" not in (news := await socket.receive_json(timeout=20)):
                    pass
                assert len(news["torrents"]["rows"]) == 3

    asyncio.run(main())
