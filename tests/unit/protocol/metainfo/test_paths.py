"""Safe paths: nothing leaves the folder, no two files share a name, and the result is always the same."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests import pace

from wildbach.base import limits
from wildbach.base.errors import LimitError
from wildbach.protocol.metainfo.paths import Names, SafePath, fold, printable, safe_element

ODD = st.sampled_from([
    b"", b".", b"..", b"...", b"/", b"\\", b"a/b", b"C:", b"con", b"NUL.txt", b"a", b"A", b"a.1", b"a.2", b" ", b"a ",
    b"a.",
    b"\0", b"\xff", b"\xc0\xae", "é".encode(), "e\u0301".encode(), "ß".encode(), b"ss", "\u202e".encode(), b"x" * 300,
    "ä".encode() * 200, b".pad", "İ".encode(), "ﬁ".encode(),
])
ELEMENTS = ODD | st.binary(max_size=6) | st.text(max_size=5).map(lambda t: t.encode("utf-8", "replace"))
PATHS = st.lists(st.lists(ELEMENTS, min_size=1, max_size=5).map(tuple), min_size=1, max_size=12)


@pytest.mark.parametrize("name", [b"a.~wb", b"A.~WB", b".0123.wbparts"])
def test_names_that_wildbach_makes_and_removes_itself_are_changed(name: bytes) -> None:
    (path,) = Names([(name,)], "files").paths
    assert path is not None and path.changed and path.parts == (name.decode() + "_",)


@given(PATHS)
@example([(b"..", b"..", b"etc", b"passwd")])
def test_no_path_escapes_or_clashes(raws: list[tuple[bytes, ...]]) -> None:
    paths = Names(raws, "files").paths
    assert paths == Names(raws, "files").paths
    files, folders = set(), set()
    for path, raw in zip(paths, raws, strict=True):
        assert path is not None
        assert path.raw == raw
        assert path.changed == (tuple(part.encode() for part in path.parts) != raw)
        for part in path.parts:
            assert part not in ("", ".", "..")
            assert not set(part) & set("/\\\0\x1b\n\u202e\u2066\x85")
            assert len(part.encode()) <= limits.PATH_ELEMENT_BYTES
        assert len(str(path).encode()) <= limits.PATH_BYTES
        folded = tuple(map(fold, path.parts))
        assert folded not in files
        files.add(folded)
        folders.update(folded[:k] for k in range(1, len(folded)))
    assert not files & folders


@given(ELEMENTS)
def test_a_safe_element_stays_as_it_is(raw: bytes) -> None:
    text = safe_element(raw)
    assert safe_element(text.encode()) == text


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b"plain.txt", "plain.txt"),
        (b"a:b?*.txt", "a_b__.txt"),
        (b"trailing. ", "trailing._"),
        (b"dots...", "dots.._"),
        (b"file:stream", "file_stream"),
        (b"COM1", "_COM1"),
        (b"com10", "com10"),
        (b"nul .txt", "_nul .txt"),
        ("COM¹".encode(), "_COM¹"),
    ],
)
def test_names_that_only_windows_minds_are_changed_there(raw: bytes, text: str) -> None:
    assert safe_element(raw, windows=True) == text


def test_names_that_only_windows_minds_stay_elsewhere() -> None:
    assert safe_element(b"what? a:b.", windows=False) == "what? a:b."


def test_files_without_a_name_are_passed_over() -> None:
    assert Names([(b"a",), None, (b"a",)], "f").paths == [
        SafePath(("a",)), None, SafePath(("a.1",), (b"a",)),
    ]


def test_files_of_one_changed_folder_stay_together() -> None:
    paths = Names([(b"..", b"a"), (b"..", b"b"), (b"_", b"a")], "f").paths
    assert [str(path) for path in paths] == ["_/a", "_/b", "_/a.1"]


def test_a_path_beyond_the_limit_gets_a_short_folder() -> None:
    deep = tuple([b"d" * 200] * 5)
    paths = Names([(*deep, b"a.mkv"), (*deep, b"b.mkv"), (b"e", *deep, b"a.mkv")], "f").paths
    first, second, third = (path.parts for path in paths if path is not None)
    assert first[0] == second[0] != third[0]
    assert (first[1], second[1], third[1]) == ("a.mkv", "b.mkv", "a.mkv")
    assert len(first) == 2


def test_too_many_equal_names_are_refused_quickly() -> None:
    def read() -> None:
        with pytest.raises(LimitError, match=r"files\[501\].path: more than SAME_NAME = 500"):
            Names([(b"same",)] * 100_000, "files")

    pace.takes_at_most(5, read)


def test_many_clashes_take_linear_time() -> None:
    raws = [(b"d", b"%d" % (i // 400)) for i in range(40_000)] + [(b"d", b"%d.%d" % (i, i)) for i in range(40_000)]
    paths = Names(raws, "files").paths
    assert len({str(path).lower() for path in paths}) == len(paths)
    pace.takes_at_most(10, lambda: Names(raws, "files"))


def test_a_safe_path_is_a_value() -> None:
    path = SafePath(("a", "b"))
    assert path == SafePath(("a", "b")) != SafePath(("a", "b"), (b"a", b"b!"))
    assert hash(path) == hash(SafePath(("a", "b")))
    assert path != "a/b"
    assert (path.name, str(path), repr(path), path.raw, path.changed) == (
        "b", "a/b", "SafePath('a/b')", (b"a", b"b"), False,
    )


def test_text_for_people_cannot_steer_a_terminal() -> None:
    assert printable(b"a\x1b[2J\xff\nb\tc" + "\u202e".encode()) == "a\ufffd[2J\ufffd\nb\tc\ufffd"
    assert printable(b"x" * 100, 5) == "xxxxx"


@pytest.mark.parametrize("at", [" ", "."])
def test_a_name_cut_to_its_limit_does_not_end_as_windows_would_trim_it(at: str) -> None:
    raw = ("x" * 239 + at + "y" * 30).encode()
    name = safe_element(raw, windows=True)
    assert name == "x" * 239 + "_" and safe_element(name.encode(), windows=True) == name
