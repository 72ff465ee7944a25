"""docs/beps.md names what is there: modules that can be imported, tests that exist."""

from __future__ import annotations

import ast
import re
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def rows() -> list[tuple[str, list[str], list[str]]]:
    found = []
    for line in (ROOT / "docs" / "beps.md").read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) == 4 and re.fullmatch(r"[\d, ]+", cells[0]):
            found.append((cells[0], re.findall(r"`([^`]+)`", cells[2]), re.findall(r"`([^`]+)`", cells[3])))
    return found


def test_the_page_has_rows() -> None:
    assert rows()


@pytest.mark.parametrize(("bep", "modules", "tests"), rows(), ids=[f"{i}-bep{row[0]}" for i, row in enumerate(rows())])
def test_a_row_names_modules_and_tests_that_exist(bep: str, modules: list[str], tests: list[str]) -> None:
    assert modules, f"BEP {bep} names no module"
    assert tests, f"BEP {bep} names no test"
    for module in modules:
        assert find_spec(module) is not None, f"there is no {module}"
    for test in tests:
        path, _, name = test.partition("::")
        assert (ROOT / path).is_file(), f"there is no {path}"
        if name:
            tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
            names = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
            assert name in names, f"{path} has no {name}"
