"""What is released has the built web UI in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

BUILT = Path("src", "wildbach", "interfaces", "web", "dist", "index.html")


class WebHook(BuildHookInterface):
    """Refuses to build without it. An editable install takes it from the source folder, once it is there."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        if version != "editable" and not Path(self.root, BUILT).is_file():
            raise SystemExit(
                f"the web interface is not built ({BUILT} is missing): run `make web` first, then build this again")
