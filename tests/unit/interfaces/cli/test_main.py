from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from tests import pace

import wildbach
from wildbach.base.errors import (
    FormatError,
    LimitError,
    NetworkError,
    RemoteError,
    StorageError,
    UsageError,
    WildbachError,
)
from wildbach.interfaces.cli import exits, lazy, main
from wildbach.interfaces.cli.exits import Exit

SOURCE = Path(wildbach.__file__).parents[1]


def run_child(*args: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from wildbach.interfaces.cli.main import main; main()", *args],
        capture_output=True, text=True, timeout=60, env=os.environ | {"PYTHONPATH": str(SOURCE)} | env,
    )


def children_seconds() -> float:
    """CPU time of ended children: the time a command takes where the machine does nothing else."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def test_version_is_printed_in_a_blink() -> None:
    def measure() -> dict[str, float]:
        began = children_seconds()
        done = run_child("--version")
        assert done.stdout == f"wildbach {wildbach.__version__}\n"
        assert done.returncode == 0
        return {"version": children_seconds() - began}

    pace.within(measure, version=0.150)


def test_version_and_help_import_neither_asyncio_nor_the_engine() -> None:
    code = (
        "import sys; from wildbach.interfaces.cli.main import run; run([sys.argv[1]]);"
        "heavy = {'asyncio', 'aiohttp', 'rich', 'sqlite3', 'wildbach.engine'};"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    for flag in ("--version", "--help"):
        done = subprocess.run(
            [sys.executable, "-c", code, flag], capture_output=True, text=True, timeout=60,
            env=os.environ | {"PYTHONPATH": str(SOURCE)},
        )
        assert done.stderr == "[]\n"


def test_the_one_line_of_each_command_is_that_of_its_help() -> None:
    group = main.cli
    assert isinstance(group, lazy.LazyGroup)
    context = click.Context(group)
    for name, line in lazy.COMMANDS.items():
        command = group.get_command(context, name)
        assert command is not None and command.name == name
        assert (command.help or "").split("\n\n")[0].replace("\n", " ").strip() == line


def every_command(name: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    yield name, command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for below in command.list_commands(context):
            found = command.get_command(context, below)
            assert found is not None
            yield from every_command(f"{name} {below}", found)


def test_every_command_has_help_flags_that_differ_and_json_where_it_lists() -> None:
    for name, command in every_command("wildbach", main.cli):
        assert command.help, name
        flags = [flag for param in command.params for flag in (*param.opts, *param.secondary_opts)]
        assert len(set(flags)) == len(flags), name
        arguments = {param.name for param in command.params if isinstance(param, click.Argument)}
        assert not arguments & {param.name for param in command.params if isinstance(param, click.Option)}, name
        if name.endswith(" list"):
            assert "--json" in flags, name
        for param in command.params:
            if isinstance(param, click.Option) and not param.hidden:
                assert param.help, (name, param.name)


@pytest.mark.parametrize(
    "args", [["--no-such-flag"], ["no-such-command"], ["completion", "tcsh"], ["ls", "--state", "odd"]])
def test_a_wrong_command_line_exits_2(args: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(args) == 2
    assert "Usage" in "".join(capsys.readouterr())


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["completion", shell]) == 0
    assert f"_WILDBACH_COMPLETE={shell}_complete" in capsys.readouterr().out


def test_the_script_for_fish_leaves_commas_in_descriptions(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["completion", "fish"]) == 0
    script = capsys.readouterr().out
    assert 'string split --max 1 ","' in script and 'string split ","' not in script


def test_completion_knows_the_commands() -> None:
    done = run_child(_WILDBACH_COMPLETE="bash_complete", COMP_WORDS="wildbach c", COMP_CWORD="1")
    names = ("config", "categories", "channel", "create", "chain", "completion")
    assert done.stdout.split() == [f"plain,{name}" for name in names]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("x"), Exit.USAGE), (FormatError("x"), Exit.BAD_TORRENT), (LimitError("x"), Exit.BAD_TORRENT),
        (StorageError("x"), Exit.STORAGE), (NetworkError("x"), Exit.NETWORK), (RemoteError("x"), Exit.NETWORK),
        (WildbachError("x"), Exit.FAILED),
    ],
)
def test_errors_have_the_exit_code_of_their_kind(error: WildbachError, code: Exit) -> None:
    assert exits.code_for(error) == code


def test_each_exit_code_has_a_meaning() -> None:
    assert list(exits.MEANINGS) == list(Exit)


def test_an_error_says_what_to_do_and_hides_control_characters(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_: object) -> None:
        raise StorageError("a\x1b[2Jb is in the way", code="target_exists")

    monkeypatch.setattr(main.cli, "main", fail)
    assert main.run([]) == Exit.STORAGE
    shown = capsys.readouterr().err
    assert shown.startswith("wildbach: a\\x1b[2Jb is in the way\n") and "--overwrite" in shown


def test_a_fault_in_wildbach_is_said_without_a_trace() -> None:
    code = "from wildbach.interfaces.cli import main; main.cli.main = None; main.main()"
    for debug in (False, True):
        env = os.environ | {"PYTHONPATH": str(SOURCE)} | ({"WILDBACH_DEBUG": "1"} if debug else {})
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=env)
        assert done.returncode == 1
        assert "internal error" in done.stderr
        assert ("Traceback" in done.stderr) is debug


def test_a_reader_that_goes_away_is_no_error() -> None:
    done = subprocess.run(
        f"{sys.executable} -c 'from wildbach.interfaces.cli.main import main; main()' completion bash | true",
        shell=True, capture_output=True, text=True, timeout=60, env=os.environ | {"PYTHONPATH": str(SOURCE)},
    )
    assert done.stderr == ""
