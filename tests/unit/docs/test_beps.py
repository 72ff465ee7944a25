"""docs/beps.md names modules that can be imported and tests that show a BEP with somebody else's program or values."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
from tests import beps, encounters, published

ROWS = beps.rows(beps.PAGE.read_text(encoding="utf-8"))


def test_the_page_has_rows() -> None:
    assert len(ROWS) > 30


@pytest.mark.parametrize("row", ROWS, ids=[f"{i}-bep{row.bep}" for i, row in enumerate(ROWS)])
def test_a_row_is_true(row: beps.Row) -> None:
    assert row.modules, f"BEP {row.bep} names no module"
    for module in row.modules:
        assert find_spec(module) is not None, f"there is no {module}"
    assert beps.faults(row) == []


def test_a_row_that_lies_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beps, "ROOT", tmp_path)
    (tmp_path / "test_a.py").write_text(
        "import pytest\n"
        "def test_of_ours(): pass\n"
        "@pytest.mark.vector(6)\ndef test_of_another_bep(): pass\n"
        "@pytest.mark.foreign('aria2')\ndef test_good(): pass\n"
        "@pytest.mark.vector(7)\nasync def test_good_too(): pass\n"
    )
    (tmp_path / "test_b.py").write_text("import pytest\npytestmark = [pytest.mark.foreign]\ndef test_good(): pass\n")
    page = (
        "| 7 | what | `os` | `test_a.py::test_of_ours`, `test_a.py::test_of_another_bep`, `test_a.py::test_gone`, "
        "`gone.py::test_x`, `test_a.py::test_good`, `test_a.py::test_good_too`, `test_b.py::test_good` |\n"
        "| 8 | nothing | `os` | |\n"
    )
    first, second = beps.rows(page)
    assert beps.faults(first) == [
        "test_a.py::test_of_ours is neither marked foreign nor vector(7)",
        "test_a.py::test_of_another_bep is neither marked foreign nor vector(7)",
        "test_a.py has no test_gone",
        "there is no gone.py",
    ]
    assert beps.faults(second) == ["no test"]


def test_a_test_that_did_not_pass_proves_nothing() -> None:
    page = "| 7 | what | `os` | `test_a.py::test_x`, `test_a.py::test_y` |\n"
    assert beps.unproven(page, "test_a.py::test_x[a-b]\ntest_a.py::test_z\n") == ["BEP 7: test_a.py::test_y"]


@pytest.mark.parametrize(("mark", "meet", "good"), [
    ("foreign('aria2')", "", False),
    ("foreign('aria2')", "encounters.note('libtorrent')", False),
    ("foreign('aria2')", "encounters.note('aria2')", True),
    ("foreign", "", False),
    ("foreign", "encounters.note('libtorrent')", True),
    ("vector(6)", "published(9)", False),
    ("vector(6)", "published(6)", True),
])
def test_a_mark_that_a_test_does_not_live_up_to_fails_it(
    mark: str, meet: str, good: bool, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytester.makeconftest("from tests.conftest import pytest_pyfunc_call, pytest_runtest_setup")
    pytester.makepyfile(
        "import pytest\nfrom tests import encounters\nfrom tests.published import published\n"
        f"@pytest.mark.{mark}\ndef test_it():\n    {meet or 'pass'}\n"
    )
    proofs = pytester.path / "proofs"
    monkeypatch.setenv(encounters.PROOFS, str(proofs))
    outcome = pytester.runpytest_inprocess("-p", "no:cacheprovider").parseoutcomes()
    assert outcome == ({"passed": 1} if good else {"failed": 1})
    assert proofs.exists() == good


@pytest.mark.parametrize("path", sorted(published.FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_published_values_are_read_by_a_test(path: Path) -> None:
    bep = int(path.stem.removeprefix("bep_"))
    texts = [file.read_text(encoding="utf-8") for file in (beps.ROOT / "tests").rglob("test_*.py")]
    assert any(f"published({bep})" in text and f"vector({bep})" in text for text in texts)
