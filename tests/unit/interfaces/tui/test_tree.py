from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wildbach.interfaces.api import models as m
from wildbach.interfaces.tui import tree


def entry(path: str, *, folder: bool = False, size: int = 100, wanted: int = 100, priority: int = 1) -> m.TreeEntry:
    return m.TreeEntry(path, path.rsplit("/", 1)[-1], folder, -1 if folder else 7, 1, size, 50, wanted, priority, 1.0)


def folder_of(under: str, *entries: m.TreeEntry, total: int = 0, files: int = 5) -> m.Tree:
    return m.Tree(under, total or len(entries), 0, 0, files, entries)


FOLDERS = {
    "": folder_of("", entry("t", folder=True)),
    "t": folder_of("t", entry("t/a", folder=True), entry("t/b", folder=True), entry("t/readme")),
    "t/a": folder_of("t/a", entry("t/a/x")),
}


def names(lines: list[tree.Line]) -> list[str]:
    return ["  " * line.depth + (line.entry.name if line.entry is not None else f"+{line.more}") for line in lines]


def test_open_folders_have_their_content_below_them() -> None:
    opened = dict.fromkeys(("", "t", "t/a"), 1000)
    assert names(tree.lines(FOLDERS, opened)) == ["t", "  a", "    x", "  b", "  readme"]
    assert names(tree.lines(FOLDERS, {"": 1000, "t": 1000})) == ["t", "  a", "  b", "  readme"]
    assert names(tree.lines(FOLDERS, opened | {"t/b": 1000}))[3] == "  b", "what is not here yet has nothing below it"
    assert tree.lines({}, opened) == []


def test_a_folder_with_more_than_was_read_says_how_much() -> None:
    assert names(tree.lines({"": folder_of("", entry("a"), entry("b"), total=5)}, {"": 2})) == ["a", "b", "+3"]


def test_folders_of_small_torrents_open_by_themselves_and_of_large_ones_the_first() -> None:
    assert tree.to_open(FOLDERS, {"": 1000}, set()) == ["t", "t/a", "t/b"]
    assert tree.to_open(FOLDERS, {"": 1000, "t": 1000}, {"t/b"}) == ["t/a"], "what was shut stays so"
    large = FOLDERS | {"": folder_of("", entry("t", folder=True), files=1000)}
    assert tree.to_open(large, {"": 1000}, set()) == ["t"]
    assert tree.to_open({}, {}, set()) == []


def test_what_is_wanted_of_a_folder_has_three_states() -> None:
    assert tree.want_of(entry("x")) == "all" and tree.want_of(entry("x", priority=0)) == "none"
    assert tree.want_of(entry("d", folder=True, priority=-1, wanted=30)) == "some"
    assert tree.want_of(entry("d", folder=True, priority=-1)) == "all", "of different priority, but all of it"
    assert tree.want_of(entry("d", folder=True, priority=-1, size=0, wanted=0)) == "some"


def test_a_folder_is_chosen_by_its_path_and_a_file_by_its_number() -> None:
    assert tree.toggled(entry("t/a", folder=True)) == m.FilePriorities(paths={"t/a": 0})
    assert tree.toggled(entry("t/a", folder=True, priority=-1, wanted=3)) == m.FilePriorities(paths={"t/a": 1})
    assert tree.toggled(entry("t/x", priority=0)) == m.FilePriorities({"7": 1})


def test_priorities_go_by_steps_that_people_know() -> None:
    def stepped(priority: int, up: int) -> int | None:
        found = tree.stepped(entry("x", priority=priority), up)
        return found.priorities["7"] if found is not None else None

    assert [stepped(priority, 1) for priority in (0, 1, 6, 7)] == [1, 6, 7, None]
    assert [stepped(priority, -1) for priority in (0, 1, 4, 7)] == [None, 0, 0, 6]


PATHS = st.lists(st.text("abc", min_size=1, max_size=2), min_size=1, max_size=4).map("/".join)


@given(st.dictionaries(st.just("") | PATHS, st.lists(PATHS, max_size=5)), st.sets(PATHS))
def test_any_answers_make_a_list_that_ends(answers: dict[str, list[str]], opened: set[str]) -> None:
    """A folder is below its own path in every answer of a daemon of ours; what is no deeper ends nowhere."""
    folders = {
        under: folder_of(under, *(entry(f"{under}/{name}" if under else name, folder=True) for name in below))
        for under, below in answers.items()}
    shown = tree.lines(folders, dict.fromkeys(("", *opened), 9))
    assert all(line.depth <= 40 for line in shown)
