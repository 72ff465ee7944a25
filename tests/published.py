"""The values that BEPs publish, as they stand there: `tests/vectors/bep_NNNN.json`, read by tests marked `vector`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests import encounters

FOLDER = Path(__file__).parent / "vectors"


def published(bep: int) -> Any:
    """What `bep_NNNN.json` holds."""
    values = json.loads((FOLDER / f"bep_{bep:04}.json").read_text(encoding="utf-8"))
    encounters.note_vector(bep)
    return values
