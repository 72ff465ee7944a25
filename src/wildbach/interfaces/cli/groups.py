"""Commands with commands below them, of which one is meant where none is named."""

from __future__ import annotations

from typing import Any

import click


class ListGroup(click.Group):
    """Without a word, `list` is meant: `wildbach tags --json` is `wildbach tags list --json`."""

    default = "list"

    def __init__(self, *args: Any, **values: Any) -> None:
        super().__init__(*args, **{"epilog": f"Without a command `{self.default}` is meant."} | values)
        self.no_args_is_help = False

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        helps = ctx.help_option_names
        if not args or (args[0].startswith("-") and args[0] not in helps):
            args = [self.default, *args]
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)
