"""What a test has really met: programs that were not written here, and values published with a BEP.

The drivers in `interop/peers` note a program once it has answered, `oracle` notes libtorrent when it is used in this
process, `published` notes a BEP when its values are read. A test marked `foreign` or `vector` that did not meet what
its mark names fails (`conftest`), so a mark cannot be put on what does not deserve it.
"""

from __future__ import annotations

import os

import pytest

PROOFS = "WILDBACH_PROOFS"
"The environment variable that names a file; marked tests that passed are written there, one node id a line."

_programs: dict[str, None] = {}
_beps: dict[int, None] = {}


def note(program: str) -> None:
    """A program that was not written here has answered."""
    _programs[program] = None


def note_vector(bep: int) -> None:
    """Values published with a BEP have been read."""
    _beps[bep] = None


def forget() -> None:
    """A test begins."""
    _programs.clear()
    _beps.clear()


def _lacking(item: pytest.Item) -> list[str]:
    """What the marks of a test promise and the test did not meet."""
    lacking = []
    for mark in item.iter_markers("foreign"):
        lacking += [f"the program {name}" for name in mark.args if name not in _programs]
        if not _programs:
            lacking.append("any program that was not written here")
    for mark in item.iter_markers("vector"):
        lacking += [f"the values of BEP {bep}" for bep in mark.args if bep not in _beps]
    return lacking


def judge(item: pytest.Item) -> None:
    """A test has passed: hold it to its marks, and write down what it proves."""
    if lacking := _lacking(item):
        pytest.fail(f"marked for what it never met: {', '.join(lacking)}", pytrace=False)
    place = os.environ.get(PROOFS)
    if place and any(item.get_closest_marker(name) is not None for name in ("foreign", "vector")):
        with open(place, "a", encoding="utf-8") as file:
            file.write(item.nodeid + "\n")
