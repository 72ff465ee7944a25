import asyncio
from dataclasses import dataclass

from wildbach.base.events import Event, TorrentEvent
from wildbach.runtime.bus import Bus, Lagged


@dataclass(frozen=True, slots=True)
class PieceDone(TorrentEvent):
    piece: int


@dataclass(frozen=True, slots=True)
class Other(Event):
    pass


async def _read(subscription):
    return [event async for event in subscription]


def test_a_subscriber_gets_the_types_it_asked_for_in_order():
    async def main():
        bus = Bus()
        pieces, everything = bus.subscribe(PieceDone), bus.subscribe()
        bus.publish(PieceDone("ab", 1))
        bus.publish(Other())
        bus.publish(PieceDone("ab", 2))
        bus.close()
        assert await _read(pieces) == [PieceDone("ab", 1), PieceDone("ab", 2)]
        assert await _read(everything) == [PieceDone("ab", 1), Other(), PieceDone("ab", 2)]
        assert await _read(bus.subscribe()) == []

    asyncio.run(main())


def test_a_slow_subscriber_gets_one_lagged_and_then_what_is_new():
    async def main():
        bus = Bus()
        with bus.subscribe(PieceDone, size=3) as subscription:
            for piece in range(10):
                bus.publish(PieceDone("ab", piece))
            assert await anext(subscription) == Lagged(8)
            assert await anext(subscription) == PieceDone("ab", 8)
            assert await anext(subscription) == PieceDone("ab", 9)

    asyncio.run(main())


def test_a_waiting_reader_wakes_and_survives_cancellation():
    async def main():
        bus = Bus()
        subscription = bus.subscribe(Other)
        loop = asyncio.get_running_loop()
        reader = loop.create_task(_read(subscription))
        await asyncio.sleep(0)
        reader.cancel()
        await asyncio.wait([reader])
        loop.call_soon(bus.publish, Other())
        assert await anext(subscription) == Other()
        subscription.close()
        bus.publish(Other())
        assert await _read(subscription) == []

    asyncio.run(main())
