"""`wildbach notify`: trying the notifications."""

from __future__ import annotations

import click

from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.cli import output, reach, said
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.reach import Reach


@click.group("notify")
def command() -> None:
    """Try the notifications.

    Where they go and what is told stands in the configuration file of the daemon: `urls` and `events` below [notify].
    """


@command.command("test")
@reach.options
@reach.as_json
def test_command(as_json: bool, reach: Reach) -> int:
    """Send a notification to every URL of notify.urls, and say how it went.

    Exit code 0 means that all were taken.
    """
    return reach.run(lambda api: test(api, as_json=as_json))


async def test(api: Api, *, as_json: bool) -> Exit:
    found = (await api.test_notifications()).targets
    if as_json:
        said.records(found)
    else:
        for one in found:
            output.line(f"{one.target}: {one.error or 'sent'}")
    return Exit.FAILED if any(one.error for one in found) else Exit.OK
