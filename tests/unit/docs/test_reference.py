"""The generated pages are what the code says."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import click

from wildbach.interfaces.cli import lazy, main

ROOT = Path(__file__).resolve().parents[3]


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference_generate", ROOT / "docs" / "reference" / "generate.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_generated_page_has_drifted() -> None:
    assert generator().drifted() == [], "run python docs/reference/generate.py"


def test_links_between_pages_lead_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]:
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_pages_that_are_named_in_words_exist() -> None:
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]:
        for named in re.findall(r"(?<![\w/])docs/[\w/-]+\.(?:md|svg|py)\b", page.read_text(encoding="utf-8")):
            assert (ROOT / named).exists(), f"{page.name} names {named}"


def command_lines() -> Iterator[tuple[str, list[str]]]:
    """The words behind `wildbach` wherever a page shows a command line, in a block or within a sentence."""
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("deploy/*")]:
        words = page.read_text(encoding="utf-8")
        blocks = re.findall(r"^\$ (?:.*[ /])?wildbach ([^#\n]+)", words, re.MULTILINE)
        for line in [*blocks, *re.findall(r"`wildbach ([^`]+)`", words)]:
            if line.split()[:1]:
                yield page.name, line.split()


def test_command_lines_in_pages_name_commands_and_flags_that_exist() -> None:
    seen = set()
    for page, words in command_lines():
        if words[0].startswith("-") or not words[0].isidentifier() or words[0].isupper():
            continue
        assert words[0] in lazy.COMMANDS, (page, words)
        seen.add(words[0])
        command = main.cli.get_command(click.Context(main.cli), words[0])
        rest = words[1:]
        while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
            name = rest.pop(0)
            assert name in command.commands, (page, words)
            command = command.commands[name]
        if isinstance(command, click.Group):
            command = command.commands[getattr(command, "default", "list")]
        assert command is not None
        flags = {flag for param in command.params for flag in (*param.opts, *param.secondary_opts)} | {"--help", "-h"}
        for word in rest:
            if word in ("|", "&&", ";"):
                break
            if re.fullmatch(r"--[a-z][\w-]*|-[a-z]", word):
                assert word in flags, (page, words)
    assert {"serve", "add", "ls", "import", "get"} <= seen
