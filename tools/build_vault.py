"""Compiles contracts/PayVault.sol into what the package carries of it: `python tools/build_vault.py`.

Needs Node, and the packages of tests/tron (`npm ci` there). A test compiles it again and compares.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from wildbach.protocol.tron.keys import keccak

ROOT = Path(__file__).parents[1]
ARTEFACT = ROOT / "src" / "wildbach" / "services" / "chain" / "payvault.json"
COMPILE = ROOT / "contracts" / "compile.mjs"


def compiled() -> str:
    """The text of the artefact. Raises CalledProcessError, with what the compiler says."""
    done = subprocess.run(["node", str(COMPILE)], capture_output=True, text=True, check=True)
    return written(json.loads(done.stdout))


def written(made: dict[str, Any]) -> str:
    """With the hashes of its code; an entry of the ABI on each line."""
    for part in ("bytecode", "runtime"):
        code = bytes.fromhex(made[part])
        made[f"{part}_sha256"] = hashlib.sha256(code).hexdigest()
        made[f"{part}_keccak"] = keccak(code).hex()
    made["source_sha256"] = hashlib.sha256((ROOT / "contracts" / f"{made['name']}.sol").read_bytes()).hexdigest()
    entries = ",\n  ".join(json.dumps(entry) for entry in made.pop("abi"))
    rest = json.dumps(made, indent=1).removesuffix("\n}")
    return f'{rest},\n "abi": [\n  {entries}\n ]\n}}\n'


if __name__ == "__main__":
    try:
        ARTEFACT.write_text(compiled())
    except subprocess.CalledProcessError as error:
        sys.exit(error.stderr)
