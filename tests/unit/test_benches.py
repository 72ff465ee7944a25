"""The benches can be begun: what they take from elsewhere is there."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"


@pytest.mark.parametrize("name", sorted(path.stem for path in BENCH.glob("*.py") if path.stem != "__init__"))
def test_a_bench_can_be_imported(name: str) -> None:
    importlib.import_module(f"bench.{name}")
