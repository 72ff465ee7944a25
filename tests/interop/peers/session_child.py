"""A session of this engine as a process of its own, for networks that the test made: it tells every event as a JSON
line, with the state of discovery in `views`, and ends when its input does.

Run as `python session_child.py '{"settings": {"section": {"key": value}}, "add": [SOURCE, FOLDER, SEED]}'`.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
from pathlib import Path
from typing import Any

from wildbach.base.events import Event, to_json
from wildbach.base.settings import Section
from wildbach.engine.options import AddOptions
from wildbach.engine.session import Session
from wildbach.engine.settings import Settings
from wildbach.runtime.tasks import Scope


def settings(given: dict[str, dict[str, Any]]) -> Settings:
    """Settings with some values; lists become tuples."""
    chosen = Settings()
    for name, values in given.items():
        part: Section = getattr(chosen, name)
        words = {key: tuple(value) if isinstance(value, list) else value for key, value in values.items()}
        chosen = dataclasses.replace(chosen, **{name: dataclasses.replace(part, **words)})  # type: ignore[arg-type]
    return chosen


def tell(fact: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(fact) + "\n")
    sys.stdout.flush()


async def main(config: dict[str, Any]) -> None:
    loop = asyncio.get_running_loop()
    over = asyncio.Event()
    loop.add_reader(sys.stdin, over.set)
    async with Session(settings(config["settings"])) as session:
        subscription = session.subscribe(Event)
        loop.call_soon(tell, {"event": "started", "at": [str(at) for at in session.listening]})
        for source, folder, seed in config.get("add", []):
            await session.add(
                source if source.startswith("magnet:") else Path(source),
                AddOptions(save_path=Path(folder), seed_only=seed),
            )

        async def follow() -> None:
            async for event in subscription:
                tell({**event.to_dict(), "views": to_json(session.discovery)})

        async with Scope("child") as scope:
            scope.spawn("follow", follow())
            await over.wait()
            tell({"event": "stopping", "views": to_json(session.discovery)})
    tell({"event": "bye", "internal_errors": session.internal_errors})


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
