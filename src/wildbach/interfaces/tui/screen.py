"""Running the screen until somebody leaves it."""

from __future__ import annotations

from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.running import Stop
from wildbach.interfaces.tui.app import Place, Top
from wildbach.interfaces.tui.source import Opener
from wildbach.runtime.tasks import Scope


async def run(opener: Opener, place: Place, stop: Stop) -> Exit:
    """Raises what a fault of the screen raises, once the terminal is as it was."""
    async with Scope("top") as scope:
        app = Top(opener, scope, place)

        async def leave_when_asked() -> None:
            await stop.wait()
            app.exit()

        scope.spawn("stop", leave_when_asked())
        await app.run_async()
    return stop.code if stop.asked else Exit.OK
