"""Draws docs/top.svg, the picture of the terminal screen: `python docs/make_top_picture.py`. A test compares it."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from tui_stage import Stage, drawn  # noqa: E402 - it is beside the tests

if __name__ == "__main__":
    (ROOT / "docs" / "top.svg").write_text(asyncio.run(drawn(Stage(), (120, 40), "5")), encoding="utf-8")
