"""docs/qbittorrent-api.md names what is there."""

from __future__ import annotations

import re
from pathlib import Path

from wildbach.interfaces.doors.qbittorrent import preferences
from wildbach.interfaces.doors.qbittorrent.door import LOGIN, LOGOUT
from wildbach.interfaces.doors.qbittorrent.endpoints import ENDPOINTS

TEXT = (Path(__file__).parents[3] / "docs" / "qbittorrent-api.md").read_text()


def table(title: str) -> dict[str, list[str]]:
    part = TEXT.split(f"\n## {title}\n")[1].split("\n## ")[0]
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in part.splitlines()
            if line.startswith("| `")]
    return {row[0].strip("`"): row[1:] for row in rows}


def test_every_endpoint_stands_in_the_table_as_it_is_declared() -> None:
    words = {"full": "", "part": "in part", "none": "nothing done"}
    found = table("Endpoints")
    assert found.keys() == {*ENDPOINTS, LOGIN, LOGOUT}
    for name, endpoint in ENDPOINTS.items():
        by = "POST" if endpoint.change else "GET, POST"
        assert found[name] == [by, words[endpoint.kind], endpoint.does.replace("|", "\\|")]


def test_every_preference_stands_in_the_table_with_its_settings() -> None:
    found = {name: tuple(re.findall(r"`([^`]+)`", row[0])) for name, row in table("Preferences").items()}
    assert found == {name: mapped.keys for name, mapped in preferences.MAPPED.items()}
