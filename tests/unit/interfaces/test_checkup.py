"""Facts about the machine, the disk and the network in words, with advice where something can be done."""

from __future__ import annotations

import pytest

from wildbach.base.ids import Endpoint
from wildbach.disk.probe import DiskProbe
from wildbach.engine.flows import FlowView
from wildbach.engine.network import NetworkView
from wildbach.engine.portmap import MappingView, PortMapView
from wildbach.engine.trackerlist import TrackerState, TrackerView
from wildbach.interfaces import checkup
from wildbach.interfaces.checkup import Finding, Level
from wildbach.net.machine import Machine
from wildbach.net.proxy import ProxyView

FINE = Machine("3.11.7", "Linux 6.1 x86_64", 8, 65536, True, 4 << 20, "cubic", {4: "192.168.1.5", 6: "2001:4860::5"})
DISK = DiskProbe("/data", 500 << 30, 200e6, 400e6, 0.004, True)


def worst(found: list[Finding]) -> Level:
    return max((finding.level for finding in found), key=list(Level).index)


def test_nothing_is_said_against_a_machine_in_order() -> None:
    assert worst([*checkup.of_machine(FINE), *checkup.of_disk(DISK, "downloads")]) is Level.GOOD


@pytest.mark.parametrize(("machine", "level", "word"), [
    (Machine("3.11.7", "Linux", 2, 1024, True, 4 << 20, "", FINE.ways), Level.WARNING, "1024 files"),
    (Machine("3.11.7", "Linux", 2, 65536, False, 4 << 20, "", FINE.ways), Level.NOTE, "time service"),
    (Machine("3.11.7", "Linux", 2, 65536, True, 212_992, "", FINE.ways), Level.NOTE, "208 KiB"),
    (Machine("3.11.7", "Linux", 2, 65536, None, 0, "", {4: "10.0.0.5"}), Level.NOTE, "no IPv6"),
    (Machine("3.11.7", "Linux", 2, 65536, True, 0, "", {}), Level.FAULT, "no route"),
])
def test_what_a_machine_lacks_is_named(machine: Machine, level: Level, word: str) -> None:
    found = checkup.of_machine(machine)
    assert worst(found) is level and any(word in finding.text for finding in found if finding.level is level)


@pytest.mark.parametrize(("probe", "level", "word"), [
    (DiskProbe("/data", 100 << 20, 200e6, 400e6, 0.004, True), Level.WARNING, "100.0 MiB are free"),
    (DiskProbe("/data", 1 << 40, 2e6, 400e6, 0.004, True), Level.WARNING, "slow"),
    (DiskProbe("/data", 1 << 40, 200e6, 400e6, 0.5, True), Level.WARNING, "slow"),
    (DiskProbe("/data", 1 << 40, 200e6, 400e6, 0.004, False), Level.NOTE, "worker threads"),
])
def test_what_a_disk_lacks_is_named(probe: DiskProbe, level: Level, word: str) -> None:
    found = checkup.of_disk(probe, "downloads")
    assert worst(found) is level and any(word in finding.text for finding in found if finding.level is level)


def test_a_port_that_was_in_use_is_a_warning_and_loopback_a_note() -> None:
    wanted = ("0.0.0.0:6881", "[::]:6881")
    assert worst(checkup.of_ports(wanted, (Endpoint("0.0.0.0", 6881), Endpoint("::", 6881)))) is Level.GOOD
    moved = checkup.of_ports(wanted, (Endpoint("0.0.0.0", 6882),))
    assert worst(moved) is Level.WARNING and "6881" in moved[1].text and "6882" in moved[1].text
    assert worst(checkup.of_ports(("127.0.0.1:0",), (Endpoint("127.0.0.1", 40_001),))) is Level.NOTE
    assert worst(checkup.of_ports((), ())) is Level.NOTE


def test_a_tracker_that_answers_is_good_and_another_says_why_not() -> None:
    def tracker(url: str, scrape: str, seeds: int | None) -> TrackerView:
        return TrackerView(url, 0, TrackerState.WAITING, "", None, seeds, None, None, 0, 0, scrape)

    good, bad, silent = checkup.of_trackers((
        tracker("http://a/announce", "ok", 4), tracker("udp://b:1", "refused", None), tracker("udp://c:1", "", None),
    ))
    assert good.level is Level.GOOD and "4 seeds" in good.text
    assert bad.level is Level.WARNING and "refused" in bad.text
    assert silent.level is Level.WARNING and "no answer" in silent.text


def test_an_overwhelmed_router_is_named() -> None:
    assert checkup.of_flows(FlowView(20.0, 1.0, 0.3, 100, 0)) == []
    (found,) = checkup.of_flows(FlowView(20.0, 0.25, 0.3, 100, 7))
    assert found.level is Level.WARNING and "5.0 a second" in found.advice


def test_what_the_router_said_is_told_in_words() -> None:
    good = PortMapView(4, "mapped", (MappingView("pcp", "tcp", 6881, 7000, "9.9.9.1"),))
    (finding,) = checkup.of_mapping((good,))
    assert (finding.level, finding.text) == (Level.GOOD, "the router lets peers in by IPv4: TCP 7000 (pcp)")
    inner = PortMapView(4, "mapped", (MappingView("upnp", "tcp", 6881, 6881, "192.168.0.7"),))
    assert [finding.level for finding in checkup.of_mapping((inner,))] == [Level.GOOD, Level.WARNING]
    failed = PortMapView(6, "failed", (), {"pcp": "there is no router"})
    (finding,) = checkup.of_mapping((failed,))
    assert finding.level is Level.NOTE and "pcp: there is no router" in finding.text
    assert checkup.of_mapping((PortMapView(4, "searching"),)) == []


def of_proxy(failure: str = "", cause: str = "", doubt: str = "", datagrams: str = "passed on") -> list[Finding]:
    view = ProxyView("socks5://10.0.0.1:1080", failure, cause, doubt, datagrams)
    return checkup.of_network(NetworkView("", (), "", view, (), ()))


def test_a_proxy_is_good_only_where_it_was_seen_to_connect() -> None:
    (good,) = of_proxy()
    assert good.level is Level.GOOD
    doubted, datagrams = of_proxy(doubt="the proxy's rules do not allow it", datagrams="the proxy passes on none")
    assert doubted.level is Level.WARNING and "rules" in doubted.text and "passes on none" in datagrams.text


@pytest.mark.parametrize(("cause", "word"), [
    ("proxy_login", "%40"), ("proxy_protocol", "http://"), ("proxy_closed", "let this machine in"),
    ("interface_away", "network.interface"), ("proxy", "running"),
])
def test_what_to_do_about_a_proxy_follows_from_what_is_wrong_with_it(cause: str, word: str) -> None:
    (fault,) = of_proxy("it failed", cause)
    assert fault.level is Level.FAULT and "socks5://10.0.0.1:1080: it failed" in fault.text and word in fault.advice


def test_why_no_port_is_listened_at_follows_from_the_way_out() -> None:
    proxied = NetworkView("", (), "", ProxyView("socks5://h:1", "", "", "", "passed on"), (), ())
    away = NetworkView("tun0", (), "away", None, (), ())
    assert "proxy" in checkup.of_ports((), (), proxied)[0].text
    assert "interface" in checkup.of_ports((), (), away)[0].text
    assert checkup.of_network(away)[0].level is Level.FAULT and len(checkup.of_network(away)) == 1


def test_a_vpn_has_no_router_whose_settings_could_be_changed() -> None:
    failed = PortMapView(4, "failed", (), {"pcp": "there is no router"})
    assert "VPN" in checkup.of_mapping((failed,), bound=True)[0].advice
