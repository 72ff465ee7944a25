"""`wildbach chain check` against a node on loopback."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.chainnode import MAKER, Chain, NodeServer, serving

from wildbach.base import limits
from wildbach.disk.shelf import Shelf
from wildbach.interfaces.cli import chain, main
from wildbach.protocol.tron.address import Address
from wildbach.services.chain.examining import Memory
from wildbach.services.chain.networks import CUSTOM, NILE


@contextmanager
def running(server: NodeServer) -> Iterator[NodeServer]:
    """The server in a loop of its own: the command has one, too."""
    ready, over = threading.Event(), asyncio.Event()

    async def work() -> None:
        nonlocal loop
        loop = asyncio.get_running_loop()
        async with serving(server):
            ready.set()
            await over.wait()

    loop: asyncio.AbstractEventLoop | None = None
    thread = threading.Thread(target=asyncio.run, args=(work(),))
    thread.start()
    ready.wait(10)
    try:
        yield server
    finally:
        assert loop is not None
        loop.call_soon_threadsafe(over.set)
        thread.join(10)


def check(server: NodeServer, tmp_path: Path, *flags: str) -> int:
    return main.run(["chain", "check", server.url, "--state", str(tmp_path), *flags])


def test_a_good_node_is_remembered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running(NodeServer(Chain(accounts={MAKER: 1}))) as server:
        assert check(server, tmp_path) == 0
        shown = capsys.readouterr().out.splitlines()
        assert shown[0].startswith("✓ chain: the first block is that of a chain of its own")
        memory = Memory(Shelf(tmp_path / chain.MEMORY))
        found = memory.of(CUSTOM)
        assert found is not None and found.passed and found.url == server.url
        assert memory.of(NILE) is None


def test_a_node_of_the_wrong_network_is_a_fault(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running(NodeServer(Chain())) as server:
        assert check(server, tmp_path, "--network", "nile", "--json") == 1
    (only,) = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert (only["event"], only["area"], only["grade"]) == ("finding", "chain", "fault")
    assert Memory(Shelf(tmp_path / chain.MEMORY)).of(NILE) is None


def test_only_faults_are_said_where_quiet_is_wanted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running(NodeServer(Chain(accounts={MAKER: 1}))) as server:
        assert check(server, tmp_path, "-q") == 0
        assert capsys.readouterr().out == ""
        assert check(server, tmp_path, "-q", "--vault", str(Address(b"\3" * 20))) == 1
        assert capsys.readouterr().out == "✗ answers: there is no contract at the address of the vault\n"


def test_nobody_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "CHAIN_TRIES", 1)
    with running(NodeServer(Chain())) as server:
        pass
    assert check(server, tmp_path) == 5
    assert "refused" in capsys.readouterr().err
    assert Memory(Shelf(tmp_path / chain.MEMORY)).all() == ()


@pytest.mark.parametrize("words", [
    ["ftp://x"], ["https://x", "--vault", "TXYZ"], ["https://x", "--network", "moon"], []])
def test_what_cannot_be(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["chain", "check", *words]) == 2
    assert capsys.readouterr().err


def test_a_password_is_neither_shown_nor_remembered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with running(NodeServer(Chain(accounts={MAKER: 1}))) as server:
        url = server.url.replace("http://", "http://me:hidden@")
        assert main.run(["chain", "check", url, "--state", str(tmp_path)]) == 0
    told = capsys.readouterr()
    assert "hidden" not in told.out + told.err
    kept = b"".join(one.read_bytes() for one in tmp_path.rglob("*") if one.is_file())
    assert server.url.encode() in kept and b"hidden" not in kept
