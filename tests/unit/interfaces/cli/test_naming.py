from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import click
import pytest
from tests.api_fakes import FakeApi, row

from wildbach.base.errors import UsageError
from wildbach.interfaces.api import models as m
from wildbach.interfaces.cli import main, naming


def fake(*rows: m.TorrentRow) -> FakeApi:
    api = FakeApi()
    for one in rows:
        api.put(one)
    return api


def found(api: FakeApi, word: str) -> str:
    return asyncio.run(naming.one(api, word)).name  # type: ignore[arg-type]  # the fake has every operation


def test_an_exact_name_wins_over_names_that_have_it_in_them() -> None:
    api = fake(row(1, name="film"), row(2, name="film two"))
    assert found(api, "film") == "film"
    assert found(api, "two") == "film two", "as it is the only one with this word"


def test_a_part_of_a_name_is_enough_where_only_one_begins_so_or_has_it() -> None:
    api = fake(row(1, name="Sintel 2010"), row(2, name="Big Buck Bunny"), row(3, name="The making of Sintel"))
    assert found(api, "sintel") == "Sintel 2010" and found(api, "bunny") == "Big Buck Bunny"
    with pytest.raises(UsageError, match=r"near it: .*Big Buck Bunny.*making of Sintel") as caught:
        found(api, "n")
    assert caught.value.code == "not_found"
    guessed = asyncio.run(naming.chosen(api, ["bunny"]))  # type: ignore[arg-type]  # as above
    assert guessed.guessed and guessed.names == ("Big Buck Bunny",)
    assert not asyncio.run(naming.chosen(api, ["Sintel 2010"])).guessed  # type: ignore[arg-type]  # as above


def test_a_typo_is_no_name_and_what_was_meant_is_asked() -> None:
    api = fake(row(1, name="Sintel 2010"), row(2, name="Big Buck Bunny"))
    with pytest.raises(UsageError, match=r"no torrent has .*; did you mean 'Big Buck Bunny'\?"):
        found(api, "big buk bunny")
    with pytest.raises(UsageError, match="`wildbach ls` lists them"):
        found(api, "nothing like it")


def test_two_of_one_name_are_told_apart_by_their_keys() -> None:
    api = fake(row(0xAAAA << 144, name="film"), row(0xBBBB << 144, name="film"))
    with pytest.raises(UsageError, match=r"may mean aaaa0000 \(film\), bbbb0000 \(film\)") as caught:
        found(api, "film")
    assert caught.value.code == "ambiguous"
    assert asyncio.run(naming.one(api, "BBBB")).key.startswith("bbbb")  # type: ignore[arg-type]  # as above


def test_a_name_that_is_also_the_beginning_of_a_key_is_doubtful() -> None:
    api = fake(row(0xCAFE << 144, name="other"), row(2, name="cafe"))
    with pytest.raises(UsageError, match="may mean"):
        found(api, "cafe")


def test_one_among_thousands_of_like_names_is_found() -> None:
    api = fake(*(row(number, name=f"a film {number:05}") for number in range(2500)), row(9999, name="film"))
    assert found(api, "film") == "film"


@pytest.mark.parametrize("word", ["", " ", "x" * 5000])
def test_words_that_are_no_name_name_nothing(word: str) -> None:
    with pytest.raises(UsageError):
        found(fake(row(1)), word)


def completed(words: list[str], incomplete: str, *rows: m.TorrentRow) -> list[str]:
    @contextlib.asynccontextmanager
    async def opener() -> AsyncIterator[FakeApi]:
        yield fake(*rows)

    command = main.cli.get_command(click.Context(main.cli), words[0])
    assert command is not None
    root = click.Context(main.cli, obj=opener)
    context = click.Context(command, parent=root, info_name=words[0])
    context.params = {}
    param = next(one for one in command.params if one.name in ("words", "word"))
    return [item.value for item in param.shell_complete(context, incomplete)]


def test_the_shell_completes_names_it_takes_as_they_are_and_keys() -> None:
    rows = (row(0xABCD << 144, name="plain.iso"), row(0xABCE << 144, name="with blank"))
    assert completed(["stop"], "pl", *rows) == ["plain.iso"]
    assert completed(["show"], "abc", *rows) == []
    assert completed(["show"], "abce", *rows) == ["abce0000"]


def test_the_shell_completes_nothing_where_no_daemon_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("WILDBACH_STATE", str(tmp_path))
    command = main.cli.get_command(click.Context(main.cli), "stop")
    assert command is not None
    context = click.Context(command, parent=click.Context(main.cli), info_name="stop")
    param = next(one for one in command.params if one.name == "words")
    assert param.shell_complete(context, "x") == []
