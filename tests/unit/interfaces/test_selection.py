from __future__ import annotations

import pytest

from cli_torrents import torrent_of
from wildbach.base.errors import UsageError
from wildbach.interfaces.selection import Selection
from wildbach.protocol.metainfo import Info


def chosen(info: Info, words: list[str]) -> tuple[int, ...]:
    selection = Selection(words)
    selection.check(info)
    return tuple(index for index, file in enumerate(info.files) if selection.wants(index, file))


@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        ([], (0, 1, 2, 3)),
        (["0"], (0,)),
        (["0-1,3"], (0, 1, 3)),
        (["2-"], (2, 3)),
        (["*.bin"], (0, 2)),
        (["*.BIN", "3"], (0, 2, 3)),
        (["sub"], (1, 2)),
        (["sub/b.txt"], (1,)),
        (["b.txt"], (1,)),
        (["SUB/Ü*"], (2,)),
    ],
)
def test_files_by_number_and_by_pattern(words: list[str], numbers: tuple[int, ...]) -> None:
    assert chosen(torrent_of().info, words) == numbers


@pytest.mark.parametrize("word", ["9", "4-8", "*.mkv", "", "3-2"])
def test_a_word_that_names_nothing_is_an_error(word: str) -> None:
    with pytest.raises(UsageError, match="names no file"):
        chosen(torrent_of().info, ["0", word])


def test_pad_files_are_never_chosen() -> None:
    info = torrent_of(kind="v1").info
    assert all(not info.files[i].pad for i in chosen(info, ["*"]))
