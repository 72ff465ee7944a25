"""Each torrent of the degenerate corpus comes to its named result: one clear error, or loaded with names made safe."""

from __future__ import annotations

import pytest
from fuzz.degenerate import CASES, Case
from tests.oracle import libtorrent

from wildbach.base.errors import FormatError
from wildbach.protocol.metainfo import Metainfo


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: Case) -> None:
    if case.error:
        with pytest.raises(FormatError) as caught:
            Metainfo.parse(case.data)
        assert str(caught.value).startswith(case.error)
        assert caught.value.where
        return
    torrent = Metainfo.parse(case.data)
    assert tuple(str(file.path) for file in torrent.info.files) == case.paths
    assert case.note in " | ".join(torrent.warnings)
    again = Metainfo.parse(torrent.to_bytes())
    assert again.info.hashes == torrent.info.hashes
    assert again.to_bytes() == torrent.to_bytes()


# Where libtorrent 2.1.1 comes to another verdict, and why that is right here.
OTHERWISE = {
    "leading zero": "BEP 3 forbids it",
    "string length with zero": "one spelling for each value",
    "key twice": "one of them would be dropped in silence",
    "info twice": "one of them would be dropped in silence",
    "v2 tree too deep": "its limit is 100",
    "file path too deep": "its limit is 100",
    "only pad files": "nothing to download",
    "piece layers is a list": "not what BEP 52 says",
    "name is ..": "names are made safe",
    "name is blank": "names are made safe",
    "hybrid without v1 files": "a v1 part needs its files",
    "v2 with a stray v1 length": "without `pieces` there is no v1 part",
}


@pytest.mark.foreign("libtorrent")
def test_libtorrent_comes_to_the_same_verdict() -> None:
    differ = set()
    for case in CASES:
        try:
            hashes = libtorrent.load_torrent_buffer(case.data).ti.info_hashes()
        except RuntimeError:
            hashes = None
        if (hashes is None) != bool(case.error):
            differ.add(case.name)
        elif hashes is not None:
            ours = Metainfo.parse(case.data).info.hashes
            assert (hashes.v1.to_bytes() if hashes.has_v1() else None) == ours.v1
            assert (hashes.v2.to_bytes() if hashes.has_v2() else None) == ours.v2
    assert differ == set(OTHERWISE)


def test_the_corpus_is_large_and_its_names_are_unique() -> None:
    assert len(CASES) >= 180
    assert len({case.name for case in CASES}) == len(CASES)
