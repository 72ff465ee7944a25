"""uTP calls that are not taken, over simulated datagrams."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from wildbach.base.errors import NetworkError
from wildbach.base.ids import Endpoint
from wildbach.net.utp import UtpTransport
from wildbach.protocol.utp import packet as wire
from wildbach.testing.loop import sim, simloop
from wildbach.testing.network import MemoryDatagrams, Network


@dataclass(frozen=True)
class Answer:
    """What a SYN gets: a packet of this kind; `id` and `ack` as offsets to what is right."""

    kind: int
    id: int = 0
    ack: int = 0


def call(answer: Answer) -> tuple[str | None, float]:
    """The code of the error that a call ends with, and the seconds that took."""
    async def story() -> tuple[str | None, float]:
        network = Network(latency=0.05)
        near, far = MemoryDatagrams(network.host()), MemoryDatagrams(network.host())
        near.open([Endpoint("0.0.0.0", 6881)])
        far.open([Endpoint("0.0.0.0", 6881)])

        def heard(remote: Endpoint, data: bytes) -> bool:
            packet = wire.parse(memoryview(data))
            if packet.kind == wire.SYN:
                far.send(remote, wire.header(
                    answer.kind, packet.id + answer.id & 0xFFFF, 1, 0, 0, 77, packet.seq + answer.ack & 0xFFFF))
            return True

        far.attach(heard)
        transport = UtpTransport(near, rng=simloop().rng)
        try:
            await transport.dial(Endpoint(network.hosts[1].address, 6881))
        except NetworkError as error:
            return error.code, simloop().time()
        finally:
            transport.close()
        raise AssertionError("the call was taken")

    return sim(1, until=1e3).run(story())


@pytest.mark.parametrize("answer", [
    Answer(wire.RESET), Answer(wire.FIN),
    Answer(wire.RESET, id=1),  # some name the connection by the number they got
], ids=["reset", "fin", "reset of the other number"])
def test_a_refusal_is_known_after_one_round_trip(answer: Answer) -> None:
    code, seconds = call(answer)
    assert code == "refused" and seconds < 0.2


@pytest.mark.parametrize("answer", [
    Answer(wire.RESET, ack=5), Answer(wire.FIN, ack=-5), Answer(wire.RESET, id=100), Answer(wire.FIN, id=1),
], ids=["reset that acknowledges nothing of ours", "fin likewise", "reset of another", "fin of another"])
def test_who_cannot_have_seen_our_syn_refuses_nothing(answer: Answer) -> None:
    code, seconds = call(answer)
    assert code != "refused" and seconds > 2.0
