"""G11: the API does what its OpenAPI document says, whatever is asked within it and beside it: no server error, no
answer of another form. The judge is schemathesis.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest
from tests.api_fakes import row, serving
from tests.clients import layers_for, seed_content

from wildbach.interfaces.api import models as m
from wildbach.interfaces.daemon import run_daemon
from wildbach.interfaces.http import openapi, passwords
from wildbach.interfaces.whereabouts import local_token

pytestmark = [pytest.mark.goal, pytest.mark.timeout(1200)]

CASES = int(os.environ.get("WILDBACH_API_CASES", "20"))
"For each operation, beside those that cover the document; 200 where there is time."
UNFIT = (
    # A wrong password may be answered with 429, and what is well-formed may still not exist.
    "ignored_auth", "positive_data_acceptance",
)


async def judge(url: str, key: str, folder: Path) -> None:
    document = folder / "openapi.json"
    document.write_bytes(openapi.document())
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "schemathesis.cli", "run", str(document), "--url", f"{url}/api/v1",
        "--header", f"Authorization: Bearer {key}", "--phases", "examples,coverage,fuzzing",
        "--max-examples", str(CASES), "--continue-on-failure", "--no-color", "--generation-database", "none",
        "--exclude-checks", ",".join(UNFIT), "--exclude-operation-id", "push",
        cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    said = output.decode(errors="replace")
    found = re.search(r"Tested: (\d+)", said)
    assert process.returncode == 0, "\n".join(line[:300] for line in said.splitlines()[-200:])
    assert found is not None
    assert int(found[1]) == sum(len(methods) for methods in openapi.described()["paths"].values()) - 1


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_N", 1 << 8)


def test_the_routes_alone(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving() as there:
            for number in range(3):
                there.api.put(row(number))
            await judge(there.url, there.key, tmp_path)
    asyncio.run(main())


def test_a_whole_client(tmp_path: Path) -> None:
    async def main() -> None:
        torrent = seed_content(tmp_path, "things")
        layers = layers_for(tmp_path, api__listen=["127.0.0.1:0"])
        async with run_daemon(layers, tmp_path / "data", environ={}) as there:
            await there.loaded.wait()
            await there.api.add_torrents(m.AddRequest(files=(torrent.to_bytes(),)))
            # Keys get removed on the way; the token file's holds.
            await judge(there.urls[0], local_token(tmp_path / "data"), tmp_path)
            assert (await there.api.health()).api == 1
    asyncio.run(main())
