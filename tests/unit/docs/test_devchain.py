"""docs/devchain.md tells the questions and switches that there are."""

from __future__ import annotations

import inspect
import re
from pathlib import Path

from wildbach.interfaces.cli import devchain
from wildbach.services.devchain import api, switches

TEXT = (Path(__file__).parents[3] / "docs" / "devchain.md").read_text(encoding="utf-8")


def test_every_question_is_on_the_page() -> None:
    told = TEXT[TEXT.index("## Questions"):TEXT.index("Events are at")]
    assert set(re.findall(r"`([a-z]+)`", told)) == set(api.QUESTIONS)


def test_every_switch_is_on_the_page() -> None:
    known = set(re.findall(r'case "([a-z]+)"', inspect.getsource(switches.Switches.turn)))
    assert set(re.findall(r"^\| `/switches/([a-z]+)`", TEXT, re.M)) == known


def test_flags_on_the_page_are_flags() -> None:
    flags = {one for option in devchain.run_command.params for one in option.opts}
    assert set(re.findall(r"`(--[a-z]+)", TEXT)) - {"--network", "--url"} <= flags
