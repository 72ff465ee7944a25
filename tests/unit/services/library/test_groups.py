from __future__ import annotations

from pathlib import Path

import pytest

from wildbach.base.errors import FormatError, UsageError
from wildbach.services.library.entry import GLOBAL, Entry, decode, encode
from wildbach.services.library.groups import Group, Groups, check_category, check_tag
from wildbach.services.library.settings import SeedingSettings
from wildbach.services.library.shares import limits_of, ratio, reached


def test_a_category_is_below_those_in_its_name() -> None:
    groups = Groups()
    groups.put("a/b/c", Group(ratio_limit=3))
    assert sorted(groups.categories) == ["a", "a/b", "a/b/c"]
    assert groups.below("a") == ["a", "a/b", "a/b/c"]
    root = Path("/dl")
    assert groups.folder("a/b/c", root) == Path("/dl/a/b/c")
    groups.put("a/b", Group(save_path="/films"))
    assert groups.folder("a/b/c", root) == Path("/films/c")
    groups.put("a", Group(save_path="rel"))
    assert groups.folder("a", root) == Path("/dl/rel")
    assert groups.folder("", root) == root


def test_the_nearest_category_says_where_files_are_until_they_are_complete() -> None:
    groups = Groups()
    groups.put("a/b", Group())
    assert groups.incomplete_folder("a/b", "/usual") == "/usual" == groups.incomplete_folder("", "/usual")
    groups.put("a", Group(incomplete_path="/part"))
    assert groups.incomplete_folder("a/b", "/usual") == "/part"
    groups.put("a/b", Group(incomplete_path=""))
    assert groups.incomplete_folder("a/b", "/usual") == ""


@pytest.mark.parametrize("name", ["", "/", "a//b", "a/", "../x", "a/./b", " a", "a\\b", "a\nb", "x" * 1001])
def test_names_that_lead_elsewhere_are_no_categories(name: str) -> None:
    with pytest.raises(UsageError):
        check_category(name)


@pytest.mark.parametrize("name", ["", "a,b", " a", "a\x1b"])
def test_names_that_cannot_be_told_apart_are_no_tags(name: str) -> None:
    with pytest.raises(UsageError):
        check_tag(name)


def test_what_is_kept_is_what_was_there() -> None:
    groups = Groups()
    groups.put("a/b", Group(save_path="/x", seeding_limit=5))
    groups.tags = {"t", "u"}
    back = Groups.decode(groups.encode())
    assert back.categories == groups.categories and back.tags == groups.tags
    with pytest.raises(FormatError):
        Groups.decode({"groups": b"{"})
    entry = Entry(added_at=5, tags=("x",), category="a", ratio_limit=1.5)
    assert decode(encode(entry)) == entry
    assert encode(Entry()) == b"{}"
    assert decode(b'{"from_the_future": 1}') == Entry()


def test_the_nearest_limit_counts() -> None:
    groups, settings = Groups(), SeedingSettings(ratio=1.0, action="stop")
    groups.put("a/b", Group())
    entry = Entry(category="a/b")
    assert limits_of(entry, groups, settings).ratio == 1.0
    groups.put("a", Group(ratio_limit=2.0, limit_action="remove"))
    assert limits_of(entry, groups, settings).ratio == 2.0
    assert limits_of(entry, groups, settings).action == "remove"
    entry.ratio_limit = -1
    assert limits_of(entry, groups, settings).ratio == -1
    assert entry.seeding_limit == GLOBAL and limits_of(entry, groups, settings).seconds == -1


def test_a_limit_that_is_met_is_told() -> None:
    limits = limits_of(Entry(ratio_limit=2, seeding_limit=3600, idle_limit=60), Groups(), SeedingSettings())
    assert reached(limits, given=1.9, seeding=3599, idle=59) == ""
    assert "2 times" in reached(limits, given=2, seeding=0, idle=0)
    assert "for 1 hour" in reached(limits, given=0, seeding=3600, idle=0)
    assert "nobody" in reached(limits, given=0, seeding=0, idle=60)
    none = limits_of(Entry(), Groups(), SeedingSettings())
    assert reached(none, given=1e9, seeding=1 << 40, idle=1 << 40) == ""


def test_what_was_not_downloaded_here_counts_as_if_it_had_been() -> None:
    assert ratio(500, 1000, 1000) == 0.5
    assert ratio(500, 0, 1000) == 0.5
    assert ratio(500, 5, 1000) == 0.5
    assert ratio(500, 0, 0) == 0
