from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wildbach.interfaces.api import models as m
from wildbach.interfaces.tui import tree


def files(*paths: str, wanted: dict[str, int] | None = None) -> list[m.FileRow]:
    return [m.FileRow(number, path, 100, 50, (wanted or {}).get(path, 1), 1.0) for number, path in enumerate(paths)]


def names(nodes: list[tree.Node]) -> list[str]:
    return ["  " * node.depth + node.name for node in nodes]


PATHS = ("t/readme", "t/b/two", "t/b/one", "t/a/deep/x")


def test_folders_come_first_and_are_open() -> None:
    root = tree.build(files(*PATHS))
    assert names(tree.visible(root, set(), set())) == [
        "t", "  a", "    deep", "      x", "  b", "    one", "    two", "  readme"]
    assert names(tree.visible(root, {"t/a", "t/b"}, set())) == ["t", "  a", "  b", "  readme"]


def test_only_the_first_folder_of_a_large_torrent_is_open() -> None:
    root = tree.build(files(*(f"t/d{number:03}/file" for number in range(200))))
    assert len(tree.visible(root, set(), set())) == 201
    assert len(tree.visible(root, set(), {"t/d001"})) == 202


def test_a_folder_is_wanted_wholly_in_part_or_not() -> None:
    root = tree.build(files(*PATHS, wanted={"t/b/one": 0}))
    top = root.children["t/"]
    assert (top.want, top.children["b/"].want, top.children["a/"].want) == ("some", "some", "all")
    assert tree.toggled(top.children["b/"]) == {"2": 1}, "what is not wanted yet is, the rest stays"
    assert tree.toggled(top.children["a/"]) == {"3": 0}
    assert top.share == 0.5


def test_priorities_go_by_steps_that_people_know() -> None:
    def stepped(priority: int, up: int) -> dict[str, int]:
        return tree.stepped(tree.build(files("x", wanted={"x": priority})), up)

    assert [stepped(priority, 1) for priority in (0, 1, 6, 7)] == [{"0": 1}, {"0": 6}, {"0": 7}, {}]
    assert [stepped(priority, -1) for priority in (0, 1, 4, 7)] == [{}, {"0": 0}, {"0": 0}, {"0": 6}]


def test_a_file_that_is_named_like_a_folder_and_one_that_is_there_twice_have_lines_of_their_own() -> None:
    root = tree.build(files("t", "t/a", "t/a"))
    assert root.files == 3
    assert names(tree.visible(root, set(), set())) == ["t", "  a", "  a", "t"]


PART = st.text(st.characters(exclude_characters="/"), min_size=1, max_size=3)


@given(st.lists(st.lists(PART, min_size=1, max_size=4).map("/".join), max_size=20))
def test_every_file_has_a_line_whatever_it_is_called(paths: list[str]) -> None:
    root = tree.build(files(*paths))
    shown = tree.visible(root, set(), set())
    assert sorted(node.file.index for node in shown if node.file is not None) == list(range(len(paths)))
    assert root.size == 100 * len(paths)
