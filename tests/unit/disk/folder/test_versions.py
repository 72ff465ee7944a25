from hypothesis import given, settings
from hypothesis import strategies as st

from folderbed import Bed
from wildbach.disk.folder.versions import DAY, HOUR, MONTH, SECOND, WEEK, stamp, thinned, unstamp

NOW = 1_770_000_000 * SECOND


@given(st.integers(0, 253_402_300_799 * SECOND))
def test_a_time_is_read_as_it_was_written(when):
    assert unstamp(stamp(when)) == when
    assert len(stamp(when)) == 26


@settings(max_examples=30)
@given(st.text(max_size=30))
def test_other_names_are_no_times(name):
    assert unstamp(name) is None or stamp(unstamp(name)) == name


def test_names_that_look_like_times_are_none():
    assert unstamp("20261345T000000.000000000Z") is None
    assert unstamp("\u0662\u0660260131T140510.000000000Z") is None


@settings(max_examples=60)
@given(st.lists(st.integers(NOW - 400 * DAY, NOW + DAY), unique=True, max_size=60))
def test_versions_thin_out_with_age(whens):
    gone = set(thinned(whens, NOW))
    left = sorted(set(whens) - gone)
    assert gone <= set(whens)
    if whens:
        assert max(whens) in left
    for least, most, span in ((HOUR, DAY, HOUR), (DAY, MONTH, DAY), (MONTH, 401 * DAY, WEEK)):
        spans = [when // span for when in left if least <= NOW - when < most and when != max(whens)]
        assert len(spans) == len(set(spans))
        # No span that had one lost all.
        had = {when // span for when in whens if least <= NOW - when < most and when != max(whens)}
        assert had == set(spans)
    assert all(when in left for when in whens if NOW - when < HOUR)
    assert thinned(left, NOW) == []


def keep(bed: Bed, path: str, data: bytes, age: int) -> None:
    """A version that is `age` ns old."""
    now, bed.now = bed.now, bed.now - age
    bed.install(path, data)
    bed.table.files.clear()
    bed.table = type(bed.table)()
    bed.scan()
    bed.installer.delete(bed.known(path))
    bed.now = now


def test_the_oldest_give_way_to_the_cap_but_not_the_last_of_a_week():
    bed = Bed(capacity=1000)
    for number, age in enumerate((30 * DAY, 20 * DAY, 6 * DAY, 5 * DAY)):
        keep(bed, "a" if number % 2 else "b", bytes([65 + number]) * 40, age)
    assert [version.size for version in bed.versions.history()] == [40] * 4
    assert bed.versions.total == 160 and bed.versions.cap == 100
    assert bed.versions.room_for(20)
    assert bed.kept() == [("a", b"D" * 40), ("b", b"C" * 40)]
    assert not bed.versions.room_for(21)
    assert bed.versions.total == 80
    bed.now += 2 * DAY
    assert bed.versions.room_for(21)
    assert bed.kept() == [("a", b"D" * 40)]


def test_empty_directories_of_versions_go_too():
    bed = Bed(capacity=1000)
    keep(bed, "d1", b"x" * 90, 9 * DAY)
    assert bed.versions.room_for(100)
    assert [path for path in bed.fs.tree() if "versions" in path] == [".wildbach/versions"]


def test_the_schedule_is_kept_by_thinning():
    bed = Bed()
    for minutes in (170, 165, 160, 30, 20):
        keep(bed, "a", b"%d" % minutes, minutes * 60 * SECOND)
    assert bed.versions.thin() == 5 - len(bed.kept())
    kept = [data for _, data in bed.kept()]
    assert kept[0] == b"170" and kept[-2:] == [b"30", b"20"] and len(kept) < 5


def test_a_file_and_what_was_below_a_directory_of_that_name_are_told_apart():
    bed = Bed()
    keep(bed, "a", b"file", 5)
    bed.installer.make_dir("a")
    bed.install("a/b", b"below")
    bed.scan()
    bed.installer.delete(bed.known("a/b"))
    assert bed.kept() == [("a", b"file"), ("a/b", b"below")]
    assert [version.path for version in bed.versions.history("a/b")] == ["a/b"]
    assert list(bed.versions.history("none")) == []


def test_two_versions_of_one_moment_are_both_kept():
    bed = Bed()
    for data in (b"1", b"2", b"3"):
        keep(bed, "a", data, 0)
    assert [data for _, data in bed.kept()] == [b"1", b"2", b"3"]
