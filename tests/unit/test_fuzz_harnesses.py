"""Every fuzz harness runs: its seeds and a few hundred mutations of them, the same each time."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzz.run import Harness, Report, feed, load, names, run


@pytest.mark.parametrize("name", names())
def test_harness(name: str) -> None:
    report = run(name, inputs=600, seconds=20, seed=1)
    assert report.faults == []
    assert report.accepted > 0


def test_a_harness_that_fails_is_reported(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("fuzz.run.HERE", tmp_path)

    def one_input(data: bytes) -> None:
        if data == b"bad":
            raise KeyError("planted")
        if data == b"fine":
            raise ValueError("documented")

    harness = Harness("planted", one_input, [b""], (ValueError,), [])
    report = Report("planted")
    for data in (b"good", b"fine", b"bad"):
        feed(harness, data, report)
    assert report.accepted == 1
    assert [fault.startswith("KeyError: 'planted'") for fault in report.faults] == [True]


def test_every_parser_has_a_harness_with_seeds() -> None:
    assert set(names()) == {
        "api_headers", "api_json", "bencode", "chain_answers", "channels", "client_files", "compact", "countries",
        "devchain", "dns", "donthave", "ext_handshake", "fastresume", "feed_rules", "feeds", "forms", "handshake",
        "hash_messages", "heads", "igd", "info", "ipfilter", "keyfile", "krpc", "lan", "magnet", "media_matroska",
        "media_mp4", "media_probe", "media_simple", "metainfo", "mse", "mux", "natpmp_pcp", "noise", "paths", "payouts",
        "pickle", "proxy", "ranges", "relay", "settings", "sites", "spool", "ssdp", "state", "stream_names",
        "subtitles", "sync_boxes", "sync_entries", "sync_joining", "sync_lists", "sync_marker", "sync_messages",
        "sync_record", "sync_rosters", "tracker_batch", "tracker_http", "tracker_lists", "tracker_requests",
        "tracker_udp", "transmission_rpc", "tron",
        "ut_holepunch", "ut_metadata", "ut_pex", "utp", "vault", "wallet", "wb_head", "wb_pay", "wbignore", "webseed",
        "wire",
    }
    assert all(load(name).seeds for name in names())
