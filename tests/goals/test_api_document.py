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

from wildbach.interfaces.http import openapi, passwords

pytestmark = [pytest.mark.goal, pytest.mark.timeout(1200)]

CASES = int(os.environ.get("WILDBACH_API_CASES", "20"))
"For each operation, beside those that cover the document; 200 where there is time."
UNFIT = (
    # A wrong password may be answered with 429, and what is well-formed may still not exist.
    "ignored_auth", "positive_data_acceptance",
)


async def judged(folder: Path) -> tuple[int, str]:
    document = folder / "openapi.json"
    document.write_bytes(openapi.document())
    async with serving() as there:
        for number in range(3):
            there.api.put(row(number))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "schemathesis.cli", "run", str(document), "--url", f"{there.url}/api/v1",
            "--header", f"Authorization: Bearer {there.key}", "--phases", "examples,coverage,fuzzing",
            "--max-examples", str(CASES), "--continue-on-failure", "--no-color", "--generation-database", "none",
            "--exclude-checks", ",".join(UNFIT), "--exclude-operation-id", "push",
            cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        return process.returncode or 0, output.decode(errors="replace")


def test_schemathesis_finds_nothing_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "_N", 1 << 8)
    code, output = asyncio.run(judged(tmp_path))
    found = re.search(r"Tested: (\d+)", output)
    assert code == 0, output[-8000:]
    assert found is not None and int(found[1]) == sum(len(m) for m in openapi.described()["paths"].values()) - 1
