from __future__ import annotations

import asyncio

from hypothesis import given
from hypothesis import strategies as st

from wildbach.interfaces.api.search import Search

names = st.dictionaries(st.text("abc", min_size=1, max_size=2), st.text("xyZ ", max_size=6), max_size=20)
words = st.lists(st.text("xyz", min_size=1, max_size=2), min_size=1, max_size=2).map(tuple)


@given(names, st.lists(st.tuples(words, names, st.sets(st.text("abc", min_size=1, max_size=2))), max_size=6))
def test_what_is_kept_is_what_looking_anew_would_find(
    first: dict[str, str], rounds: list[tuple[tuple[str, ...], dict[str, str], set[str]]],
) -> None:
    known = dict(first)
    search = Search(lambda: list(known), known.get)

    async def work() -> None:
        for looked_for, changes, gone in rounds:
            found = await search.find(looked_for)
            assert found == {key for key, name in known.items() if all(word in name.casefold() for word in looked_for)}
            for key in (*changes, *gone):
                search.touch(key)
            known.update(changes)
            for key in gone:
                known.pop(key, None)

    asyncio.run(work())


def test_what_changes_while_names_are_looked_through_is_not_missed() -> None:
    known = {f"k{number}": "one" for number in range(12_000)}
    search = Search(lambda: list(known), known.get)

    async def work() -> None:
        looking = asyncio.get_running_loop().create_task(search.find(("two",)))
        await asyncio.sleep(0)
        known["k3"] = "two"
        search.touch("k3")
        del known["k4"]
        search.touch("k4")
        assert await looking == {"k3"}
        assert "k4" not in await search.find(("one",))

    asyncio.run(work())
