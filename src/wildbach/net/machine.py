"""What this machine is and can do, as far as it matters to the network: clock, limits, buffers, ways out."""

from __future__ import annotations

import contextlib
import ctypes
import os
import platform
import socket
import sys
from dataclasses import dataclass

if sys.platform != "win32":
    import resource

_TIME_ERROR = 5
"What adjtimex(2) returns while no time service has set the clock."
_PROBES = {4: (socket.AF_INET, "192.88.99.1"), 6: (socket.AF_INET6, "2000::1")}
"Addresses that lie beyond every default route. Nothing is sent: connecting a UDP socket only picks the route."


@dataclass(frozen=True, slots=True)
class Machine:
    python: str
    system: str
    cores: int
    open_files: int
    "Descriptors this process may have open; 0 where there is no such limit or it is not known."
    clock_set: bool | None
    "A time service keeps the clock; None where the system does not tell."
    receive_buffer: int
    "Bytes a UDP socket's receive buffer may have; 0 where it is not known."
    congestion: str
    "How TCP is paced as a rule, such as `cubic`; empty where it is not known."
    ways: dict[int, str]
    "Our own address on the way to the Internet for each IP version that has one."


def examine() -> Machine:
    return Machine(
        platform.python_version(), f"{platform.system()} {platform.release()} {platform.machine()}",
        os.cpu_count() or 1, _open_files(), _clock_set(), _number("/proc/sys/net/core/rmem_max"),
        _read("/proc/sys/net/ipv4/tcp_congestion_control"),
        {version: found for version in _PROBES if (found := way_out(version))},
    )


def way_out(version: int) -> str:
    """The source address of packets to the Internet; empty where there is no route for this IP version."""
    family, beyond = _PROBES[version]
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.connect((beyond, 9))
        host = str(sock.getsockname()[0]).partition("%")[0]
        return "" if host in ("0.0.0.0", "::") else host
    return ""


def _open_files() -> int:
    if sys.platform == "win32":
        return 0
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 0 if soft == resource.RLIM_INFINITY else soft


def _clock_set() -> bool | None:
    if not sys.platform.startswith("linux"):
        return None
    # A zeroed struct timex only asks (modes = 0); it has 208 bytes on 64-bit Linux.
    asked = ctypes.create_string_buffer(512)
    with contextlib.suppress(AttributeError, OSError):
        state = int(ctypes.CDLL(None, use_errno=True).adjtimex(asked))
        return None if state < 0 else state != _TIME_ERROR
    return None


def _read(path: str) -> str:
    with contextlib.suppress(OSError), open(path, encoding="ascii") as file:
        return file.read(100).strip()
    return ""


def _number(path: str) -> int:
    word = _read(path)
    return int(word) if word.isdigit() else 0
