"""`wildbach password`: what people get in with."""

from __future__ import annotations

import sys

import click

from wildbach.base.errors import UsageError
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.cli import output, reach, text
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.reach import Reach

_CHARS = 1000


@click.command("password")
@click.option("--user", metavar="NAME", help="The user.  [default: the one there is, else admin]")
@reach.options
def command(user: str | None, reach: Reach) -> int:
    """Set the password of the web interface and of programs that log in.

    On a terminal it is asked for, unseen; else it is the first line of stdin, and the second the current one where a
    daemon elsewhere asks for it. All other logins end.
    """
    name = user or reach.ask(_known_user)
    new = _ask(f"New password of {text.clean(name)}", confirm=True)
    if not new:
        raise UsageError("the password is empty")
    try:
        return reach.run(lambda api: set_password(api, m.Password(new, user=name)))
    except UsageError as error:
        current = _ask("Current password") if error.code == "wrong_password" else ""
        if not current:
            raise
    return reach.run(lambda api: set_password(api, m.Password(new, current, name)))


async def _known_user(api: Api) -> str:
    return (await api.access()).user or "admin"


async def set_password(api: Api, password: m.Password) -> Exit:
    await api.set_password(password)
    output.line(f"The password of {text.clean(password.user)} is set.")
    return Exit.OK


def _ask(words: str, *, confirm: bool = False) -> str:
    if sys.stdin.isatty():
        return str(click.prompt(words, hide_input=True, confirmation_prompt=confirm))
    return sys.stdin.readline(_CHARS + 2).rstrip("\r\n")
