"""What the machine is and can do is read without asking anybody else."""

from __future__ import annotations

import os
import socket

import pytest

from wildbach.net import machine


def test_the_machine_is_examined() -> None:
    found = machine.examine()
    assert found.cores == os.cpu_count() and found.python.count(".") == 2
    assert found.open_files >= 0 and found.receive_buffer >= 0


def test_a_way_out_is_an_address_of_ours_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for version in (4, 6):
        host = machine.way_out(version)
        assert host == "" or (":" in host) == (version == 6)

    def unreachable(*_args: object) -> None:
        raise OSError("no route")

    monkeypatch.setattr(socket.socket, "connect", unreachable)
    assert machine.way_out(4) == ""
