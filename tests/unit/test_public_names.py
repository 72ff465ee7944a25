"""What `import wildbach` gives."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import wildbach


def declared() -> dict[str, str]:
    """Name and module of each import that type checkers see."""
    tree = ast.parse(Path(wildbach.__file__).read_text(encoding="utf-8"))
    block = next(node for node in tree.body if isinstance(node, ast.If))
    return {
        alias.name: str(node.module)
        for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names
    }


def test_type_checkers_and_programs_see_the_same_names() -> None:
    assert declared() == wildbach._HOME_OF
    assert sorted([*declared(), "__version__"]) == sorted(wildbach.__all__)


@pytest.mark.parametrize("name", wildbach.__all__)
def test_each_name_leads_somewhere(name: str) -> None:
    assert getattr(wildbach, name) is not None
    assert name in dir(wildbach)


def test_other_names_are_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        getattr(wildbach, "no_such_name")  # noqa: B009  # a constant name that must not exist


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import sys, wildbach; print({'asyncio', 'aiohttp', 'wildbach.engine'} & set(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60,
        env={"PYTHONPATH": str(Path(wildbach.__file__).parents[1])},
    )
    assert done.stdout.strip() == "set()"
