from __future__ import annotations

import asyncio

import pytest
from tests.api_fakes import FakeApi, row

from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.subscription import Shown
from wildbach.interfaces.cli import table
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.remote import jobs, watch


def job(number: int, **different: object) -> m.Job:
    values = {
        "id": f"{number:08x}", "kind": "move", "title": f"film {number} to /srv/films", "state": "running",
        "progress": 0.5, "message": f"{number} of 20", "started_at": 1_700_000_000, "result": {}}
    return m.Job(**{**values, **different})  # type: ignore[arg-type]  # as declared


def test_the_list_fits_a_terminal_and_what_went_wrong_is_told_whole(capsys: pytest.CaptureFixture[str]) -> None:
    why = "the disk is full: " + "no space left on the device, " * 10
    there = (job(1), job(2, state="failed", message=why), job(3, message="x" * 500))
    for line in table.lines(jobs.COLUMNS, [jobs.line_of(one) for one in there], 80):
        assert line.cell_len <= 80
    api = FakeApi()
    api.works = {one.id: one for one in there}
    assert asyncio.run(jobs.show(api, as_json=False)) == Exit.OK  # type: ignore[arg-type]  # the fake has every operation
    out = capsys.readouterr().out.splitlines()
    assert out[-1] == f"00000002: {why}" and "1 of 20" in out[1]


def test_watch_says_what_is_wrong_below_the_list() -> None:
    shown = Shown()
    shown.rows = (row(1), row(2, state="error", reason="the disk is full"))
    at = table.console()
    at.width = 100
    drawn = ["".join(part.text for part in line).rstrip() for line in at.render_lines(
        watch.Picture(shown), at.options.update(width=100, height=20), pad=False)]
    assert "00000000 torrent 2: the disk is full" in drawn
