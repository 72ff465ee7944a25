import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from wildbach.disk.folder.names import Traits, conflict_path, refusal, reserved, shadows
from wildbach.protocol.sync.entries import check_path

DEVICE = bytes.fromhex("3fa9c1d2") + bytes(12)
WHEN = 1_769_868_310_000_000_000
"2026-01-31 14:05:10 UTC"


def test_a_conflict_copy_says_whose_and_when():
    assert conflict_path("docs/a.txt", DEVICE, WHEN) == "docs/a (conflict 3fa9c1d 2026-01-31 1405).txt"
    assert conflict_path("Makefile", DEVICE, WHEN) == "Makefile (conflict 3fa9c1d 2026-01-31 1405)"
    assert conflict_path(".profile", DEVICE, WHEN) == ".profile (conflict 3fa9c1d 2026-01-31 1405)"
    assert conflict_path("a.tar.gz", DEVICE, WHEN, 1) == "a.tar (conflict 3fa9c1d 2026-01-31 1405 2).gz"


NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0/"), min_size=1).map(
    lambda text: unicodedata.normalize("NFC", text)
).filter(lambda text: text not in (".", "..") and len(text.encode()) <= 255 and not reserved(text))


@given(NAMES, st.binary(min_size=16, max_size=16), st.integers(-(1 << 63), (1 << 63) - 1), st.integers(0, 99))
def test_a_conflict_copy_has_a_name_that_can_be(name, device, when, number):
    path = conflict_path(f"d/{name}", device, when, number)
    assert check_path(path) == path
    assert path != f"d/{name}" and path.startswith("d/")
    assert refusal(path) == ""


def test_names_that_are_one_on_the_disk_are_shadowed():
    folds = Traits(folds=True)
    assert shadows(["A", "a", "b"], [], folds) == {"a": "A"}
    assert shadows(["A", "a", "b"], ["a"], folds) == {"A": "a"}
    assert shadows(["A", "a"], [], Traits()) == {}
    assert shadows(["d/X", "D/x"], [], folds) == {"d/X": "D/x"}
    assert shadows(["stra\u00dfe", "STRASSE"], [], folds) == {"stra\u00dfe": "STRASSE"}


@given(st.lists(st.sampled_from(["a", "A", "b", "B", "\u00e9", "\u00c9"])), st.lists(st.sampled_from(["a", "B"])))
def test_of_names_that_are_one_exactly_one_is_written(paths, here):
    traits = Traits(folds=True)
    hidden = shadows(paths, here, traits)
    written = (set(paths) | set(here)) - set(hidden)
    keys = [traits.key(path) for path in set(paths) - set(hidden)]
    assert len(keys) == len(set(keys))
    assert shadows(reversed(paths), here, traits) == hidden
    assert all(holder in written or holder in here for holder in hidden.values())


def test_what_no_entry_can_say_is_refused():
    assert refusal("a/b") == ""
    assert refusal("a/\udcff") and refusal("n" * 256) and refusal("a/" * 100 + "a") and refusal(("n" * 200 + "/") * 30)
