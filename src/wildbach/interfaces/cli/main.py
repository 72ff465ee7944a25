"""`wildbach`, the command: finds the subcommand, turns errors into words and exit codes."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Final

import click

from wildbach import __version__
from wildbach.base.errors import StorageError, WildbachError
from wildbach.interfaces.cli import output, streams
from wildbach.interfaces.cli.exits import Exit
from wildbach.interfaces.cli.lazy import LazyGroup

if TYPE_CHECKING:
    from wildbach.interfaces.client import RemoteApi

_WITH_EVENTS: Final = ("get", "seed", "publish", "tracker", "doctor")
"Commands that with --json print events; the last is `finished`, whatever happens."


@click.group(
    cls=LazyGroup, invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, message="wildbach %(version)s")
@click.pass_context
def cli(context: click.Context) -> int:
    """wildbach: BitTorrent v1, v2 and hybrid; download, seed, create, check.

    Alone it opens the daemon in the browser, and runs one first where none does. `wildbach COMMAND --help` tells about
    a command. Exit codes: docs/exit-codes.md.
    """
    if context.invoked_subcommand is not None:
        return Exit.OK
    from wildbach.interfaces.cli.alone import begin  # noqa: PLC0415 - `--help` stays quick

    return begin(context)


def run(
    args: Sequence[str] | None = None, opener: Callable[[], AbstractAsyncContextManager[RemoteApi]] | None = None,
) -> int:
    """Run one command line; the exit code. Errors are said on stderr, without a trace. `opener` gives an Api that is
    spoken with in place of that of a daemon.
    """
    words = list(sys.argv[1:] if args is None else args)
    output.begin()
    code = _run(words, opener)
    if words[:1] and words[0] in _WITH_EVENTS and "--json" in words and not {"--help", "-h", "--worker"} & set(words):
        try:
            output.finished(Exit(code))
        except (BrokenPipeError, StorageError):
            return code or Exit.FAILED
    return code


def _run(words: list[str], opener: Callable[[], AbstractAsyncContextManager[RemoteApi]] | None = None) -> int:
    try:
        result = cli.main(args=words, prog_name="wildbach", standalone_mode=False, obj=opener)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message())
        return Exit.USAGE
    except click.ClickException as error:
        error.show()
        output.note_failure(error.format_message())
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
