"""TRON's tools in JavaScript, for tests: packages of tests/tron, which `npm ci` installs there."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
from tests import encounters

FOLDER: Final = Path(__file__).parent / "tron"


def need(package: str) -> None:
    """Skips the test where Node or this package is not installed."""
    if shutil.which("node") is None:
        pytest.skip("node is not installed")
    if not (FOLDER / "node_modules" / package).is_dir():
        pytest.skip(f"the npm package {package} is not installed: npm ci in tests/tron")


def ask(script: str, package: str, question: object) -> Any:
    """What a script of tests/tron that uses this package answers, both in JSON."""
    need(package)
    done = subprocess.run(
        ["node", str(FOLDER / script)], input=json.dumps(question), capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    encounters.note(package)
    return json.loads(done.stdout)
