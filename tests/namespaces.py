"""Networks of the test's own: namespaces joined by virtual cables, so that multicast, routers and NAT are real and
nothing leaves the machine. Needs root.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Self

_FRESH = count(1)
_ETC = Path("/etc/netns")
NODE = "25.1.0.2"
"A second address of the far end of a `Home`."


def _missing() -> str | None:
    if os.geteuid() != 0:
        return "network namespaces need root"
    if shutil.which("ip") is None:
        return "ip is not installed (Debian: iproute2)"
    made = subprocess.run(["unshare", "-n", "true"], capture_output=True, check=False)
    return None if made.returncode == 0 else "network namespaces cannot be made here"


MISSING = _missing()


class Space:
    """One namespace: a machine with a name. Its loopback is up."""

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def prefix(self) -> list[str]:
        """What is put before a command that shall run in it."""
        return ["ip", "netns", "exec", self.name]

    def configure(self, name: str, text: str) -> None:
        """What a file of /etc says to the programs in it, such as `resolv.conf`."""
        folder = _ETC / self.name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)

    def run(self, *words: str, stdin: str | None = None) -> str:
        """Run a command in it to its end."""
        argv = [*self.prefix, *words]
        done = subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"
        return done.stdout


class Lab:
    """Namespaces and cables; leaving the context takes them away."""

    def __init__(self) -> None:
        self._tag = f"wb{os.getpid()}x{next(_FRESH)}"
        self.spaces: list[Space] = []

    def space(self, name: str) -> Space:
        space = Space(f"{self._tag}{name}")
        subprocess.run(["ip", "netns", "add", space.name], check=True, capture_output=True)
        self.spaces.append(space)
        space.run("ip", "link", "set", "lo", "up")
        return space

    def cable(self, one: Space, two: Space, addresses: Sequence[Sequence[str]], names: Sequence[str]) -> None:
        """Join two machines. `addresses`: those of each end, with prefix lengths; `names`: of the interfaces."""
        one.run("ip", "link", "add", names[0], "type", "veth", "peer", "name", names[1], "netns", two.name)
        for space, name, own in zip((one, two), names, addresses, strict=True):
            for address in own:
                family = ["-6"] if ":" in address else []
                fast = ["nodad"] if ":" in address else []
                space.run("ip", *family, "addr", "add", address, "dev", name, *fast)
            space.run("ip", "link", "set", name, "up")

    def close(self) -> None:
        for space in self.spaces:
            subprocess.run(["ip", "netns", "del", space.name], check=False, capture_output=True)
            shutil.rmtree(_ETC / space.name, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None,
    ) -> None:
        self.close()


class Home:
    """A machine whose default route leads to `wrong`, while `tun0` leads by `right` to `far`, where the swarm is."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.client, self.right, self.wrong, self.far = (lab.space(name) for name in "cvwf")
        for space in lab.spaces:
            space.run("sysctl", "-w", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
        lab.cable(self.client, self.wrong, [["10.82.0.2/24"], ["10.82.0.1/24"]], ["eth0", "w0"])
        self.client.run("ip", "route", "add", "default", "via", "10.82.0.1", "metric", "100")
        lab.cable(
            self.right, self.far, [["25.1.0.254/24"], ["25.1.0.1/24", f"{NODE}/24"]], ["far0", "eth0"])
        self.far.run("ip", "route", "add", "default", "via", "25.1.0.254")
        self.right.run("sysctl", "-w", "net.ipv4.ip_forward=1")
        self.connect()

    def connect(self, own: str = "10.81.0.2") -> None:
        self.lab.cable(self.client, self.right, [[f"{own}/24"], ["10.81.0.1/24"]], ["tun0", "v0"])
        self.client.run("ip", "route", "add", "default", "via", "10.81.0.1", "dev", "tun0", "metric", "1000")

    def disconnect(self) -> None:
        self.client.run("ip", "link", "del", "tun0")
