"""What a look at the machine, the disk, the network and the session comes to, in words: findings with advice.

Plain functions from facts to findings; who gathers the facts is elsewhere (`wildbach doctor`, and the Api's).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from wildbach.base.addresses import Reach, classify
from wildbach.base.ids import Endpoint
from wildbach.base.words import plural, size
from wildbach.disk.probe import DiskProbe
from wildbach.engine.flows import FlowView
from wildbach.engine.ipfilter import IpFilterView
from wildbach.engine.network import NetworkView
from wildbach.engine.portmap import PortMapView
from wildbach.engine.trackerlist import TrackerView
from wildbach.engine.ways import parse_listen
from wildbach.net import outlet
from wildbach.net.machine import Machine
from wildbach.net.proxy import ProxyView
from wildbach.protocol import proxy

_MIB: Final = 1 << 20
_MOST_OF_ALL: Final = 1 << 31
_FILES_FEW: Final = 4096
_ROOM_LITTLE: Final = 1 << 30
_FLUSH_SLOW: Final = 0.2
_RATE_SLOW: Final = 10 * _MIB
_BUFFER_SMALL: Final = 1 << 20


class Level(StrEnum):
    GOOD = "good"
    NOTE = "note"
    "Works; better is possible, or it cannot be told."
    WARNING = "warning"
    "Something works less well than it could, and there is something to do about it."
    FAULT = "fault"
    "Something does not work."


@dataclass(frozen=True, slots=True)
class Finding:
    area: str
    "`machine`, `disk`, `ports`, `mapping`, `dht`, `trackers`, `proxy`, ...; stable, for programs."
    level: Level
    text: str
    advice: str = ""
    "What to do, where something can be done."


def of_machine(machine: Machine) -> list[Finding]:
    words = f"{machine.system}, Python {machine.python}, {plural(machine.cores, 'core')}"
    found = [Finding("machine", Level.GOOD, words)]
    if machine.open_files and machine.open_files < _FILES_FEW:
        found.append(Finding(
            "machine", Level.WARNING, f"only {machine.open_files} files and connections may be open at once",
            f"raise the limit: `ulimit -n {_FILES_FEW * 4}`, or LimitNOFILE= of the service",
        ))
    if machine.clock_set is False:
        found.append(Finding(
            "clock", Level.NOTE, "no time service keeps the clock of this machine",
            "certificates of HTTPS trackers and mutable items need the right time: install chrony or systemd-timesyncd",
        ))
    elif machine.clock_set:
        found.append(Finding("clock", Level.GOOD, "a time service keeps the clock"))
    if 0 < machine.receive_buffer < _BUFFER_SMALL:
        found.append(Finding(
            "machine", Level.NOTE, f"UDP sockets may buffer {machine.receive_buffer // 1024} KiB only",
            f"fast uTP wants more: sysctl -w net.core.rmem_max={4 * _BUFFER_SMALL}",
        ))
    found.append(_of_ways(machine))
    return found


def _of_ways(machine: Machine) -> Finding:
    ways = machine.ways
    words = ", ".join(f"IPv{version} from {host}" for version, host in sorted(ways.items()))
    if not ways:
        return Finding("network", Level.FAULT, "there is no route to the Internet", "connect this machine to a network")
    if 6 not in ways:
        return Finding("network", Level.NOTE, f"{words}; no IPv6: peers that have nothing else cannot be reached")
    return Finding("network", Level.GOOD, words)


def of_disk(probe: DiskProbe, what: str) -> list[Finding]:
    """`what` names the folder's part: `downloads`, `state`."""
    speed = (
        f"{what} in {probe.path}: {size(probe.free)} free, writes {size(probe.write_rate)}/s flushed, reads "
        f"{size(probe.read_rate)}/s, a flush takes {probe.flush_seconds * 1000:.1f} ms"
    )
    found = [Finding("disk", Level.GOOD, speed)]
    if probe.free < _ROOM_LITTLE:
        found.append(Finding(
            "disk", Level.WARNING, f"{what}: only {size(probe.free)} are free",
            "make room, or choose another folder with -o; a torrent stops when the disk is full, and loses nothing",
        ))
    if probe.write_rate < _RATE_SLOW or probe.flush_seconds > _FLUSH_SLOW:
        found.append(Finding(
            "disk", Level.WARNING, f"{what}: this disk is slow, and may be what a fast download waits for",
            "look at its health (smartctl), and at what else uses it",
        ))
    if not probe.inline:
        found.append(Finding(
            "disk", Level.NOTE, f"{what}: this file system (a network one?) cannot be read without waiting, so uploads "
            "go by worker threads",
        ))
    return found


def of_network(view: NetworkView) -> list[Finding]:
    """The interface and the proxy that everything keeps to; nothing where neither is chosen."""
    found = []
    if view.interface and not view.addresses:
        found.append(Finding(
            "interface", Level.FAULT, view.obstacle, "start the VPN, or mend network.interface (`ip -brief address` "
            "shows what there is); nothing goes another way meanwhile",
        ))
    elif view.interface:
        found.append(Finding(
            "interface", Level.GOOD, f"everything keeps to {view.interface}: {', '.join(view.addresses)}"))
    if view.proxy is not None:
        found += _of_proxy(view.proxy)
    elif view.addresses or not view.interface:
        found += _of_names(view)
    return found


def _of_names(view: NetworkView) -> list[Finding]:
    asked = ", ".join(map(str, view.name_servers)) if view.interface else "this machine's resolver"
    if view.interface and not view.name_servers:
        return [Finding(
            "names", Level.FAULT, f"no name server of this machine can be asked through {view.interface}",
            "set network.dns to one that can, as that of the VPN",
        )]
    if view.names is None:
        return [Finding("names", Level.NOTE, f"{asked} would be asked; the settings have no name to try it with")]
    if view.names.failure:
        return [Finding(
            "names", Level.WARNING, f"no answer from {asked} for {view.names.name}: {view.names.failure}",
            "set network.dns to a name server that can be asked through it, as that of the VPN" if view.interface
            else "is this machine connected to the Internet? Trackers and web seeds with names cannot be found",
        )]
    return [Finding("names", Level.GOOD, f"{asked} found {view.names.name}")]


def _of_proxy(view: ProxyView) -> list[Finding]:
    if view.failure:
        words = view.failure if view.proxy in view.failure else f"{view.proxy}: {view.failure}"
        return [Finding("proxy", Level.FAULT, words, f"{_proxy_advice(view)} (nothing goes past it)")]
    through = f"everything goes through {view.proxy}, which looks up names"
    if view.doubt:
        found = [Finding(
            "proxy", Level.WARNING, f"{through}; it did not connect when it was asked to: {view.doubt}",
            "it was asked to connect to itself, and may connect to others; where nothing works, have it allow "
            "connections to any host and port",
        )]
    else:
        found = [Finding("proxy", Level.GOOD, f"{through}; it connects")]
    if view.datagrams and view.datagrams != "passed on":
        found.append(Finding(
            "proxy", Level.NOTE, f"no uTP, no DHT and no UDP trackers: {view.datagrams}",
            "a SOCKS5 proxy with UDP ASSOCIATE, such as Dante, has them",
        ))
    return found


def _proxy_advice(view: ProxyView) -> str:
    other = "http" if view.proxy.startswith("socks5:") else "socks5"
    match view.cause:
        case proxy.LOGIN:
            return "mend user and password in network.proxy; odd characters are spelled %XX there, as in %40 for @"
        case proxy.PROTOCOL:
            return f"is this the right port, and is it a proxy of another kind ({other}://…)?"
        case proxy.CLOSED:
            return f"does it let this machine in, or is it a proxy of another kind ({other}://…)?"
        case outlet.AWAY:
            return "the proxy is reached through network.interface: that must be there first"
    return "is it running, and are host and port in network.proxy right?"


def of_filter(view: IpFilterView) -> list[Finding]:
    """The lists of the IP filter; nothing where there are none."""
    found = [
        Finding(
            "filter", Level.WARNING, f"{source.name}: {source.failure}",
            "it is fetched again later; meanwhile "
            + ("the list holds as it was" if source.ranges else "nobody of that list is blocked"),
        )
        for source in view.sources if source.failure
    ]
    for source in view.sources:
        if source.bad and not source.failure:
            lines = "1 line is" if source.bad == 1 else f"{source.bad:,} lines are"
            found.append(Finding(
                "filter", Level.NOTE,
                f"{source.name}: {lines} not understood, line {source.first_bad} first"))
    for source in view.sources:
        if source.loaded is not None and not source.failure and not source.ranges:
            found.append(Finding(
                "filter", Level.WARNING, f"{source.name}: nobody is blocked by it",
                "is it the right file? Ranges with a level from 128 on are not blocked, as in eMule",
            ))
    if view.addresses4 > _MOST_OF_ALL:
        found.append(Finding(
            "filter", Level.WARNING, f"{100 * view.addresses4 / 2**32:.0f} % of all IPv4 addresses are blocked",
            "look for ranges that are too large in the lists of filter.sources",
        ))
    if view.ranges:
        found.append(Finding("filter", Level.GOOD, f"{plural(view.ranges, 'range')} of addresses blocked"))
    return found


def of_bad_lists(bad: Mapping[str, str]) -> list[Finding]:
    """Files of the IP filter that cannot be read or are no lists, and why: no other command starts with these."""
    return [
        Finding(
            "filter", Level.FAULT, why if name in why else f"{name}: {why}",
            "mend the file, or take it out of filter.sources or --ip-filter: no download starts without it",
        )
        for name, why in bad.items()
    ]


def of_ports(wanted: tuple[str, ...], got: tuple[Endpoint, ...], network: NetworkView | None = None) -> list[Finding]:
    """`wanted` as in the settings; `got` as the session listens."""
    if not got:
        if network is not None and network.interface and not network.addresses:
            return [Finding("ports", Level.NOTE, "no port is listened at until the interface is there")]
        proxied = network is not None and network.proxy is not None
        why = "behind a proxy nobody can call over TCP" if proxied else "no port is listened at"
        return [Finding("ports", Level.NOTE, f"{why}: only peers that accept calls can be met")]
    found = [Finding("ports", Level.GOOD, "listening at " + ", ".join(map(str, got)))]
    asked = {ports[0] for text in wanted if (ports := parse_listen(text)[1])[0]}
    moved = sorted({at.port for at in got} - asked)
    if asked and moved:
        found.append(Finding(
            "ports", Level.WARNING, f"port {', '.join(map(str, sorted(asked)))} is in use, so {moved[0]} was taken",
            "a router that forwards the wanted port leads nowhere now: end the other program, or choose with --listen",
        ))
    if all(classify(at.host) is Reach.LOCAL for at in got):
        found.append(Finding("ports", Level.NOTE, "only this machine can call: the addresses are its own loopback"))
    return found


def of_trackers(trackers: tuple[TrackerView, ...]) -> list[Finding]:
    """After each was asked for its numbers."""
    found = []
    for tracker in trackers:
        if tracker.scrape == "ok":
            numbers = f"{plural(tracker.seeds or 0, 'seed')}, {plural(tracker.leeches or 0, 'leech', 'leeches')}"
            found.append(Finding("trackers", Level.GOOD, f"{tracker.url}: {numbers}"))
        elif tracker.answered and tracker.url.startswith("udp:"):
            found.append(Finding(
                "trackers", Level.NOTE, f"{tracker.url}: it answers, and gives no numbers: {tracker.scrape}",
                "nothing to do: a key in the URL, as private trackers have it, goes with announces only",
            ))
        else:
            found.append(Finding(
                "trackers", Level.WARNING, f"{tracker.url}: {tracker.scrape or 'no answer in time'}",
                _tracker_advice(tracker),
            ))
    return found


def _tracker_advice(tracker: TrackerView) -> str:
    if "must have the path" in tracker.scrape:
        return f"strangers' torrents could make us ask machines near us anything; trust it by --tracker {tracker.url}"
    if tracker.answered:
        return "it is there, and does not want this torrent, this key or this question: ask whoever runs it"
    return "is the URL right, and the tracker up? Other trackers, the DHT and peer exchange can do without it"


def of_mapping(ports: tuple[PortMapView, ...], *, bound: bool = False) -> list[Finding]:
    """After the router was asked. `bound`: everything keeps to one interface, as that of a VPN."""
    found = []
    for view in ports:
        if view.state == "mapped":
            first = view.mappings[0]
            words = ", ".join(f"{m.protocol.upper()} {m.external}" for m in view.mappings)
            told = f"the router lets peers in by IPv{view.family}: {words} ({first.method})"
            found.append(Finding("mapping", Level.GOOD, told))
            if view.behind_another:
                found.append(Finding(
                    "mapping", Level.WARNING, f"the router itself is at {first.address}, which is not on the Internet: "
                    "another router, or the provider's, stands before it",
                    "forward the port there too; with a provider's router ask for a public address, or use IPv6",
                ))
        elif view.state == "failed":
            found.append(Finding(
                "mapping", Level.NOTE, f"no router lets peers in by IPv{view.family}: {view.reason}",
                "a VPN has no router of yours: some let their customers forward a port" if bound
                else "allow UPnP or NAT-PMP in the router's settings, or forward the port there by hand"
                if view.family == 4 else "where there is a firewall for IPv6, open the port there",
            ))
    return found


def of_flows(flows: FlowView) -> list[Finding]:
    if not flows.guarded:
        return []
    return [Finding(
        "network", Level.WARNING, "hardly any call is answered as it was before: the router may be overwhelmed",
        f"new connections are down to {flows.limit * flows.pace:.1f} a second; a lower connections.new_flows may help",
    )]
