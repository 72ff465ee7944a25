"""A session of this engine as a process of its own, for networks that the test made: it tells every event as a JSON
line, with the state of discovery in `views` and that of the network in `network`. It takes commands as JSON lines:
`add` (source, folder, seed), `reannounce`, `network`, and `quit`, which the end of its input means too.

Run as `python session_child.py '{"settings": {"section": {"key": value}}, "add": [SOURCE, FOLDER, SEED]}'`.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import sys
from collections.abc import AsyncIterator
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


async def commands() -> AsyncIterator[dict[str, Any]]:
    """What stdin says, line by line."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        yield json.loads(line)


async def main(config: dict[str, Any]) -> None:
    loop = asyncio.get_running_loop()
    async with Session(settings(config["settings"])) as session:
        subscription = session.subscribe(Event)
        loop.call_soon(tell, {"event": "started", "at": [str(at) for at in session.listening]})

        async def add(source: str, folder: str, seed: bool) -> None:
            await session.add(
                source if source.startswith("magnet:") else Path(source),
                AddOptions(save_path=Path(folder), seed_only=seed),
            )

        for one in config.get("add", []):
            await add(*one)

        async def follow() -> None:
            async for event in subscription:
                tell({**event.to_dict(), "views": to_json(session.discovery), "network": to_json(session.network)})

        async with Scope("child") as scope:
            scope.spawn("follow", follow())
            async for command in commands():
                match command["cmd"]:
                    case "quit":
                        break
                    case "add":
                        await add(*command["add"])
                    case "reannounce":
                        for torrent in session.torrents:
                            torrent.reannounce(force=True)
                    case "network":
                        tell({
                            "event": "network", "network": to_json(session.network),
                            "reasons": [torrent.view().reason for torrent in session.torrents],
                        })
            tell({"event": "stopping", "views": to_json(session.discovery)})
    tell({"event": "bye", "internal_errors": session.internal_errors})


if __name__ == "__main__":
    asyncio.run(main(json.loads(sys.argv[1])))
