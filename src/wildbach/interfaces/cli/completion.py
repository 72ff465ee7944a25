"""`wildbach completion`: the script that makes a shell complete commands and flags."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from wildbach.interfaces.cli.main import cli


@click.command("completion")
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(shell: str) -> None:
    """Print the completion script of a shell.

    \b
    bash:  eval "$(wildbach completion bash)"     in ~/.bashrc
    zsh:   eval "$(wildbach completion zsh)"      in ~/.zshrc
    fish:  wildbach completion fish > ~/.config/fish/completions/wildbach.fish
    """
    found = get_completion_class(shell)
    if found is None:
        raise click.UsageError(f"no completion for {shell}")
    complete = found(cli, {}, "wildbach", "_WILDBACH_COMPLETE")
    # A description may hold commas; click's script for fish would end it at the first.
    template = complete.source_template.replace('string split ","', 'string split --max 1 ","')
    click.echo(template % complete.source_vars())
