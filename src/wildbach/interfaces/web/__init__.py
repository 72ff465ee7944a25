"""The web UI as it was built (`make web`): files, and no code. Sources are in web/ of the repository."""

from __future__ import annotations

from pathlib import Path
from typing import Final

DIST: Final = Path(__file__).resolve().parent / "dist"
"Where the build writes. Not there in a copy of the source in which nothing was built."
