"""Pickles are data: plain values come out, and nothing in them is ever run."""

from __future__ import annotations

import collections
import datetime
import os
import pickle
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wildbach.base import limits
from wildbach.base.errors import FormatError, LimitError
from wildbach.services.migrate.pickles import Record, load

NAMES = {("some.module", "Thing")}
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), (1 << 63) - 1) | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"])) | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
    | st.tuples(inner) | st.tuples(inner, inner, inner, inner),
    max_leaves=20,
)


@given(VALUES, st.integers(3, 5))
def test_plain_values_come_out_as_python_wrote_them(value: object, protocol: int) -> None:
    assert load(pickle.dumps(value, protocol), ()) == value


@given(st.recursive(
    st.none() | st.booleans() | st.integers(-(1 << 63), 1 << 60) | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text("ab"), inner) | st.tuples(inner, inner), max_leaves=20,
), st.integers(0, 2))
def test_the_old_forms_too(value: object, protocol: int) -> None:
    assert load(pickle.dumps(value, protocol), ()) == value


@given(st.binary(max_size=200))
def test_rubbish_is_a_format_error(data: bytes) -> None:
    try:
        load(data, NAMES)
    except FormatError:
        return


def test_strings_of_python_2_are_text_or_bytes() -> None:
    assert load(b"(S'a\\nb\\x41'\nU\x02\xc3\xa9T\x01\0\0\0\xffL12L\nI01\nI00\nF1.5\nt.", ()) == (
        "a\nbA", "é", b"\xff", 12, True, False, 1.5)


def test_an_instance_of_a_known_class_is_a_record() -> None:
    for data in (
        b"csome.module\nThing\n)\x81}X\1\0\0\0aK\1sb.", b"(isome.module\nThing\n(dX\1\0\0\0aK\1sb.",
        b"(csome.module\nThing\no}X\1\0\0\0aK\1sb.", b"\x8c\x0bsome.module\x8c\x05Thing\x93)\x81}X\1\0\0\0aK\1sb.",
    ):
        value = load(data, NAMES)
        assert isinstance(value, Record) and (value.kind, value.values) == ("Thing", {"a": 1})


class Runs:
    """What an attacker would write."""

    def __init__(self, call: object, *arguments: object) -> None:
        self.call, self.arguments = call, arguments

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.call, self.arguments


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("thing", [
    Runs(os.system, "touch ran"), Runs(eval, "open('ran', 'w')"), Runs(subprocess.call, ["touch", "ran"]),
    Runs(getattr, object, "__subclasses__"), Runs(print, "x"), collections.OrderedDict(a=1),
    datetime.date(2020, 1, 1), {1, 2}, 1 + 2j, Path("x"), {1: 2}, {("a",): 1}, os.system, Runs, bytearray(b"x"),
    range(3),
], ids=lambda thing: type(thing).__name__)
def test_nothing_is_run_and_no_other_object_is_made(
    thing: object, protocol: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FormatError):
        load(pickle.dumps([thing], protocol), NAMES)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("data", [
    b"cos\nsystem\n(S'touch ran'\ntR.",
    b"(S'touch ran'\nios\nsystem\n.",
    b"(cos\nsystem\nS'touch ran'\no.",
    b"csome.module\nThing\n(S'x'\ntR.",  # a known class that is called
    b"csome.module\nThing\n(S'x'\nt\x81.",  # one that is made with an argument
    b"(S'x'\nisome.module\nThing\n.",
    b"csome.module\nThing\n)}\x92.",  # NEWOBJ_EX
    b"csome.module\nThing.__init__\n.",
    b"csome.module.Thing\n__class__\n.",
    b"Pname\n.", b"I1\nQ.",  # persistent ids
    b"\x82\x01.", b"\x83\1\0.", b"\x84\1\0\0\0.",  # extensions
    b"\x97.", b"]\x98.", b"\x8f.", b"(\x91.",  # buffers, sets
    b"csome.module\nThing\n}b.",  # attributes of the class itself
    b"csome.module\nThing\n)\x81(}}tb.",  # slots
    b"csome.module\nThing\n)\x81]b.",
    b"\x8c\x02os\x8c\x06system\x93.", b"K\1K\2\x93.", b"]]\x93.",
    b"\x80\x06N.", b"\x80", b"", b".", b"N", b"NN.", b"(.", b"(N.", b"0.", b"1N.", b"a.", b"]a.", b"(a.", b"Na.",
    b"NNa.", b"}NNs.", b"N(NNu.", b"(NNNd.", b"(NNd.", b"}(Nu.", b"h\0.", b"g5\n.", b"g-\n.", b"p0\n.", b"q\0.",
    b"I\n.", b"Ix\n.", b"I1_0\n.", b"I 1\n.", b"I1", b"I" + b"9" * 5000 + b"\n.", b"L" + b"9" * 5000 + b"L\n.",
    b"F1_0\n.", b"Fx\n.", b"F" + b"1" * 5000 + b"\n.", b"Sx\n.", b"S'\n.", b"S'x\"\n.", b"X\xff\xff\xff\xff.",
    b"X\1\0\0\0\xff.", b"V\\u12\n.", b"\x8a\x10" + b"\xff" * 16 + b".", b"\x8b\xff\xff\xff\x7f.", b"G\0.", b"\x85.",
    b"N\x87.", b"\x95" + b"\xff" * 8 + b"N.", b"\x8e" + b"\xff" * 8 + b".", b"B\xff\xff\xff\xff.", b"(\x81.",
    b"(o.", b"(No.", b"2.", b"(2.",
])
def test_what_is_no_plain_value_is_refused(data: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FormatError):
        load(data, NAMES)
    assert list(tmp_path.iterdir()) == []


def test_a_list_in_itself_is_a_list_in_itself() -> None:
    value = load(b"]q\0h\0a.", ())
    assert value[0] is value


def test_values_that_double_cost_no_more_than_their_bytes() -> None:
    doubling = b"(lp0\n0" + b"".join(b"(lp%d\ng%d\nag%d\na0" % (n + 1, n, n) for n in range(60)) + b"g60\n."
    assert len(load(doubling, ())) == 2
    deep = b"]" * 100_000 + b"a" * 99_999 + b"."
    assert len(load(deep, ())) == 1


def test_the_number_of_instructions_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PICKLE_VALUES", 100)
    assert len(load(b"(" + b"N" * 98 + b"t.", ())) == 98
    with pytest.raises(LimitError):
        load(b"(" + b"N" * 200 + b"t.", ())


def test_the_error_says_where() -> None:
    with pytest.raises(FormatError, match=r"pickle byte 11: the name os\.system is refused"):
        load(b"cos\nsystem\n.", NAMES)
