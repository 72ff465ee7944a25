"""The index of all channels' items: what is shown, what is new, and how it is found."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import product
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests import pace

from wildbach.base.errors import FormatError, StorageError
from wildbach.protocol.channels import files
from wildbach.protocol.channels.items import Item, Rendition
from wildbach.protocol.channels.shelves import shelve
from wildbach.services.channels.index import Content, Index, Query

NOW = 1_800_000_000
BIRDS, FISH = "ab" * 32, "cd" * 32


def film(guid: str, title: str, text: str = "", *, mime: str = "video/mp4", **more: object) -> Item:
    fields: dict[str, object] = {"date": 1000, "renditions": (Rendition(ih="ab" * 20, mime=mime),), **more}
    return Item(guid, title, text, **fields)  # type: ignore[arg-type]  # fields by name


def content(
    head: Sequence[Item], archives: Sequence[Sequence[Item]] = (), *, key: str = BIRDS, signer: str = "k",
    version: str = "v",
) -> Content:
    listed = [(f"root{number}", lambda items=items: tuple(items)) for number, items in enumerate(archives)]
    return Content(key, signer, version, listed, tuple(head))


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    made = Index(tmp_path / "channels.sqlite", lambda: float(NOW))
    yield made
    made.close()


def guids(index: Index, words: str = "", **filters: object) -> list[str]:
    return [hit.item.guid for hit in index.search(Query(words, **filters)).hits]  # type: ignore[arg-type]  # by name


def test_items_are_found_by_their_words_titles_first_and_newer_first(index: Index) -> None:
    index.update(content([
        film("1", "The owl", date=10), film("2", "A heron", "hunts like an OWL", date=90), film("3", "Owls", date=30),
        film("4", "Frogs", tags=("owl",), date=20)]))
    assert guids(index, "owl") == ["3", "1", "2", "4"]
    assert guids(index, "owl ") == ["1", "2", "4"]
    assert guids(index, "hunts heron") == ["2"]
    assert guids(index, "nothing") == []
    assert guids(index) == ["2", "3", "4", "1"]


def test_filters_are_put_together(index: Index) -> None:
    index.update(content([
        film("1", "a", lang="de-AT", licence="CC0-1.0", duration=100), film("2", "a", lang="de", duration=200),
        film("3", "a", lang="en", mime="audio/ogg", licence="https://example.org/free", duration=300)]))
    index.update(content([film("9", "a", lang="de", duration=100)], key=FISH))
    assert sorted(guids(index, lang="de")) == ["1", "2", "9"]
    assert guids(index, lang="de-AT") == ["1"]
    assert guids(index, kind="audio") == ["3"]
    assert guids(index, licence="cc0-1.0") == ["1"]
    assert guids(index, licence="https://example.org/FREE") == ["3"]
    assert sorted(guids(index, channels=(BIRDS,), shortest=100, longest=200)) == ["1", "2"]
    assert guids(index, shortest=201) == ["3"]
    assert guids(index, "a ", channels=(FISH,), lang="de") == ["9"]
    assert guids(index, channels=("ee" * 32,)) == []
    assert guids(index, shortest=500, longest=100) == []


def test_pages_follow_each_other_and_say_whether_there_is_more(index: Index) -> None:
    index.update(content([film(str(number), "owl" if number % 2 else "x", "owl", date=number) for number in range(25)]))
    whole = guids(index, "owl")
    assert len(whole) == len(set(whole)) == 25
    pages = [index.search(Query("owl", offset=at, limit=10)) for at in (0, 10, 20)]
    assert [hit.item.guid for page in pages for hit in page.hits] == whole
    assert [page.more for page in pages] == [True, True, False]


@pytest.mark.parametrize(
    "words", ['"', "AND", "NOT owl", "owl*", "(", "title:owl", "facets : xc1", "xc1", "a\0b", "'--", "*", "-"])
def test_signs_of_the_query_language_mean_nothing(index: Index, words: str) -> None:
    index.update(content([film("1", "heron")]))
    assert guids(index, words) == []


@given(st.text(max_size=30))
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_words_are_answered(index: Index, words: str) -> None:
    index.search(Query(words, lang=words, licence=words, kind=words))


def test_an_edit_and_a_removal_take_the_place_of_what_was_sealed(index: Index) -> None:
    index.update(content([], [[film("1", "owl"), film("2", "owl")]]))
    index.update(content([film("1", "heron"), Item("2", removed=True)], [[]]))
    assert (guids(index, "owl"), guids(index, "heron")) == ([], ["1"])
    # The author takes both back: what was sealed is shown again.
    index.update(content([], [[]]))
    assert guids(index, "owl") == ["2", "1"] and guids(index, "heron") == []


def test_what_is_new_came_after_the_last_look_and_an_edit_is_not(index: Index) -> None:
    assert index.update(content([film("1", "a"), film("2", "a")])) == 2
    standing = index.standing(BIRDS)
    assert standing is not None and (standing.turn, standing.items, standing.version) == (1, 2, "v")
    assert index.update(content([film("1", "a, edited"), film("2", "a"), film("3", "b")], version="w")) == 1
    assert index.count_newer(BIRDS, 1) == 1
    assert guids(index, newer={BIRDS: 1}) == ["3"]
    assert guids(index, "b ", newer={BIRDS: 1}) == ["3"] and guids(index, "a ", newer={BIRDS: 1}) == []
    assert guids(index, newer={BIRDS: 2}) == [] and guids(index, newer={}) == []


def test_what_moves_from_the_head_into_an_archive_is_neither_new_nor_gone(index: Index) -> None:
    items = [film(str(number), "owl", date=number) for number in range(399)]
    index.update(content(items))
    shelved = shelve(items, [film("399", "owl", date=399)])
    sealed = [files.read_archive(packed) for packed in shelved.sealed]
    assert index.update(content(shelved.items, sealed)) == 1
    assert len(guids(index, "owl", limit=1000)) == 400


def test_an_archive_that_changed_is_refused_and_nothing_else_is_taken(index: Index) -> None:
    index.update(content([film("1", "a")], [[film("0", "z")]]))
    other = Content(BIRDS, "k", "w", [("other", tuple)], (film("2", "b"),))
    for wrong in (other, Content(BIRDS, "k", "w", [], (film("2", "b"),))):
        with pytest.raises(FormatError, match="archive 0000"):
            index.update(wrong)
    assert sorted(guids(index)) == ["0", "1"]
    # After the key gave way to another, all is read anew.
    index.update(Content(BIRDS, "next", "w", [("other", lambda: (film("5", "c"),))], (film("2", "b"),)))
    assert sorted(guids(index)) == ["2", "5"]


def test_an_archive_that_cannot_be_read_changes_nothing(index: Index) -> None:
    index.update(content([film("1", "a")]))

    def broken() -> tuple[Item, ...]:
        raise FormatError("cut short", where="archive 0000")

    with pytest.raises(FormatError, match="cut short"):
        index.update(Content(BIRDS, "k", "w", [("r", broken)], (film("2", "b"),)))
    assert guids(index) == ["1"]


def test_a_channel_is_forgotten_with_all_its_items(index: Index) -> None:
    index.update(content([film("1", "owl")], [[film("0", "owl")]]))
    index.update(content([film("1", "owl")], key=FISH))
    index.drop(BIRDS)
    index.drop(BIRDS)
    assert [hit.channel for hit in index.search(Query("owl")).hits] == [FISH]
    assert index.standing(BIRDS) is None and index.item(BIRDS, "1") is None and index.item(FISH, "1") is not None


def test_a_date_in_the_future_does_not_stand_above_all_others_for_ever(index: Index) -> None:
    index.update(content([film("1", "a", date=(1 << 33) - 1), film("2", "a", date=NOW), film("3", "a", date=5)]))
    assert guids(index) == ["2", "1", "3"]


def test_the_index_is_there_again_and_a_damaged_one_is_made_anew(tmp_path: Path) -> None:
    path = tmp_path / "channels.sqlite"
    for _ in range(2):
        index = Index(path, lambda: float(NOW))
        index.update(content([film("1", "owl")]))
        assert guids(index, "owl") == ["1"]
        index.close()
    path.write_bytes(b"not a database" * 1000)
    index = Index(path, lambda: float(NOW))
    assert index.standing(BIRDS) is None and guids(index) == []
    index.update(content([film("2", "owl")]))
    index.close()
    # Damage that shows only later.
    raw = bytearray(path.read_bytes())
    raw[4096:] = b"\xa5" * (len(raw) - 4096)
    path.write_bytes(raw)
    index = Index(path, lambda: float(NOW))
    with pytest.raises(StorageError) as caught:
        index.update(content([film("3", "owl")]))
    assert caught.value.code == "state_damaged"
    assert guids(index) == []
    index.close()


def test_a_file_of_another_version_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "channels.sqlite"
    with sqlite3.connect(path) as db:
        db.execute("CREATE TABLE channels (x)")
    db.close()
    index = Index(path, lambda: float(NOW))
    assert guids(index) == []
    index.close()


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    index = Index(tmp_path_factory.mktemp("large") / "channels.sqlite", lambda: float(NOW))

    def items(archive: int) -> tuple[Item, ...]:
        return tuple(
            film(f"g{number}", f"Film {number % 997} of owls", "the text " + f"w{number % 4999} " * 3,
                 lang=("de", "en")[number % 2], licence=("CC0-1.0", "CC-BY-4.0")[number % 3 == 0],
                 mime=("video/mp4", "audio/ogg")[number % 5 == 0], duration=number % 7200, date=number * 100)
            for number in range(archive * 200, archive * 200 + 200))

    listed = [(f"{number}", lambda number=number: items(number)) for number in range(499)]
    assert index.update(Content(BIRDS, "k", "v", listed, items(499))) == 100_000
    index.update(content([film("1", "The owl")], key=FISH))
    index.search(Query())
    yield index
    index.close()


@pytest.mark.slow
def test_a_hundred_thousand_items_are_searched_in_50_ms(large: Index) -> None:
    queries = {str(query): query for query in (
        Query(words, (BIRDS,), kind, lang, licence, *lengths) for words, kind, lang, licence, lengths in product(
            ("", "the ", "film", "w77", "ow", "the film owls w1", "nowhere"), ("", "video"), ("", "de"),
            ("", "cc0-1.0"), ((0.0, 1e9), (100.0, 130.0))))}
    for query in queries.values():
        found = large.search(query)
        assert all(hit.channel == BIRDS for hit in found.hits)
        assert found.hits or query.words == "nowhere" or (query.words and query.shortest)
    pace.within(
        lambda: {name: pace.seconds(partial(large.search, query)) for name, query in queries.items()},
        **dict.fromkeys(queries, 0.05))


@pytest.mark.slow
def test_an_update_of_a_large_channel_reads_only_what_is_new(large: Index) -> None:
    def never() -> tuple[Item, ...]:
        raise AssertionError("an archive that is known is not read again")

    listed = [(f"{number}", never) for number in range(499)]
    assert large.update(Content(BIRDS, "k", "w", listed, (film("new", "the newest owl", date=NOW),))) == 1
    assert guids(large, "newest owl") == ["new"]
