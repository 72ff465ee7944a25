"""The rows of docs/beps.md, and whether they are true.

A row names modules that can be imported and tests that are marked `foreign` (shown with programs that were not written
here) or `vector` (shown with values that BEP publishes); `encounters` holds a marked test to its mark when it runs.

`python -m tests.beps FILE` fails where a test of the page is not among those that passed: the file is what test runs
wrote with WILDBACH_PROOFS set to its name.
"""

from __future__ import annotations

import ast
import re
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "beps.md"


@dataclass(frozen=True)
class Row:
    bep: int
    modules: tuple[str, ...]
    tests: tuple[str, ...]


def rows(page: str) -> list[Row]:
    found = []
    for line in page.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) == 4 and cells[0].isdigit():
            modules, tests = (tuple(re.findall(r"`([^`]+)`", cell)) for cell in cells[2:])
            found.append(Row(int(cells[0]), modules, tests))
    return found


@cache
def marks(path: Path) -> dict[str, list[tuple[str, list[object]]]]:
    """For each test function of a file, its marks and those of the whole file: name and arguments."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    common: list[tuple[str, list[object]]] = []
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "pytestmark" for t in node.targets):
            values = node.value.elts if isinstance(node.value, ast.List | ast.Tuple) else [node.value]
            common += [mark for value in values if (mark := _mark(value)) is not None]
    return {
        node.name: common + [mark for value in node.decorator_list if (mark := _mark(value)) is not None]
        for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


def _mark(node: ast.expr) -> tuple[str, list[object]] | None:
    """`pytest.mark.NAME` or `pytest.mark.NAME(...)`."""
    arguments: list[object] = []
    if isinstance(node, ast.Call):
        arguments = [a.value for a in node.args if isinstance(a, ast.Constant)]
        node = node.func
    if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "pytest.mark":
        return node.attr, arguments
    return None


def faults(row: Row) -> list[str]:
    """What is wrong with the tests a row names, as far as their source tells."""
    found = [] if row.tests else ["no test"]
    for test in row.tests:
        path, _, name = test.partition("::")
        if not (ROOT / path).is_file():
            found.append(f"there is no {path}")
            continue
        its = marks(ROOT / path).get(name)
        if its is None:
            found.append(f"{path} has no {name}")
        elif not any(mark == "foreign" or (mark == "vector" and row.bep in values) for mark, values in its):
            found.append(f"{test} is neither marked foreign nor vector({row.bep})")
    return found


def unproven(page: str, passed: str) -> list[str]:
    """Tests of the page that are not among the node ids of those that passed."""
    ran = {line.partition("[")[0] for line in passed.splitlines()}
    return [f"BEP {row.bep}: {test}" for row in rows(page) for test in row.tests if test not in ran]


def main() -> int:
    missing = unproven(PAGE.read_text(encoding="utf-8"), Path(sys.argv[1]).read_text(encoding="utf-8"))
    for line in missing:
        print(f"docs/beps.md names a test that did not pass in this run: {line}", file=sys.stderr)
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
