from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from wildbach.interfaces.api.kinds import Kind, Kinds

words = st.sampled_from(["a", "b", "c"])
several = st.lists(words, max_size=2, unique=True).map(tuple)
kinds = st.builds(Kind, several, words, several, words)
tables = st.dictionaries(st.text("xyz", min_size=1, max_size=1), kinds)


@given(tables, st.lists(st.tuples(st.text("xyz", min_size=1, max_size=1), st.none() | kinds)), tables)
def test_what_is_kept_is_what_counting_anew_would_give(
    first: dict[str, Kind], changes: list[tuple[str, Kind | None]], more: dict[str, Kind],
) -> None:
    known = dict(first)
    counted = Kinds()
    counted.fill(first.items())
    for key, kind in changes:
        counted.put(key, kind)
        if kind is None:
            known.pop(key, None)
        else:
            known[key] = kind
    counted.fill(more.items())
    known = more | known
    anew = Kinds()
    for key, kind in known.items():
        anew.put(key, kind)
    assert counted.facets() == anew.facets()
    assert counted.facets().total == len(known)
    for name in ("states", "categories", "tags", "trackers"):
        assert getattr(counted, name) == getattr(anew, name)
    assert counted.categories == {
        word: keys for word in "abc" if (keys := {key for key, kind in known.items() if kind.category == word})}


def test_torrents_that_are_alike_share_one_object() -> None:
    counted = Kinds()
    counted.put("x", Kind(("seeding",), "c", ("t",), ""))
    counted.fill([("y", Kind(("seeding",), "c", ("t",), "")), ("z", Kind(("seeding",), "c", ("t",), ""))])
    assert len({id(kind) for kind in counted._of.values()}) == 1
