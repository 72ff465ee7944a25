"""`wildbach`, the command: finds the subcommand, turns errors into words and exit codes."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence
from types import TracebackType

import click

from wildbach import __version__
from wildbach.base.errors import WildbachError
from wildbach.interfaces.cli import output, streams
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.lazy import LazyGroup


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="wildbach %(version)s")
def cli() -> None:
    """wildbach: BitTorrent v1, v2 and hybrid; download, seed, create, check.

    `wildbach COMMAND --help` tells about a command. Exit codes: docs/exit-codes.md.
    """


def run(args: Sequence[str] | None = None) -> int:
    """Run one command line; the exit code. Errors are said on stderr, without a trace."""
    try:
        result = cli.main(args=None if args is None else list(args), prog_name="wildbach", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return Exit.USAGE
    except click.ClickException as error:
        error.show()
        return Exit.USAGE
    except (click.Abort, KeyboardInterrupt):
        return Exit.INTERRUPTED
    except WildbachError as error:
        return output.explain(error)
    except BrokenPipeError:
        return Exit.FAILED  # the reader went away (`| head`)
    return result if isinstance(result, int) else Exit.OK


def _report_bug(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """What a person sees of a fault in wildbach itself."""
    output.warn(f"internal error: {kind.__name__}: {error}")
    if os.environ.get("WILDBACH_DEBUG"):
        traceback.print_exception(kind, error, trace)
    else:
        output.warn("this is a fault in wildbach; WILDBACH_DEBUG=1 shows where. Please report it.")


def main() -> None:
    """The entry point of the `wildbach` script."""
    sys.excepthook = _report_bug
    streams.own()
    sys.exit(run())


if __name__ == "__main__":
    main()
