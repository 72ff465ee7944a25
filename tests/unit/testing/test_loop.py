import asyncio
import os
import subprocess
import sys

import pytest
from tests import pace

from wildbach.runtime.tasks import Scope
from wildbach.testing.loop import Deadlock, OutOfTime, SimulationError, sim, simloop


def test_hours_pass_at_once():
    async def main():
        await asyncio.sleep(36000)
        return simloop().time()

    def play():
        assert sim().run(main()) == pytest.approx(36000)

    pace.takes_at_most(1, play)


def test_waiting_for_nothing_is_a_deadlock_that_names_the_tasks_and_the_seed():
    async def main():
        asyncio.current_task().set_name("stuck")
        await simloop().create_future()

    with pytest.raises(Deadlock, match=r"stuck at test_loop\.py") as caught:
        sim(42).run(main())
    assert caught.value.__notes__ == ["simulation seed 42"]


def test_a_run_that_goes_on_for_ever_is_given_up():
    async def main():
        while True:
            await asyncio.sleep(1)

    with pytest.raises(OutOfTime, match=r"not done at 101\.0 s"):
        sim(until=100).run(main())


def test_a_task_that_is_left_is_an_error():
    async def main():
        asyncio.get_running_loop().create_task(asyncio.sleep(10), name="leak")

    with pytest.raises(SimulationError, match=r"tasks are left.*leak"):
        sim().run(main())


def test_an_exception_nobody_looked_at_is_an_error():
    async def bad():
        raise ValueError("unseen")

    async def main():
        task = asyncio.get_running_loop().create_task(bad())
        await asyncio.sleep(1)
        del task

    with pytest.raises(SimulationError, match="unseen"):
        sim().run(main())
    assert sim(strict=False).run(main()) is None


def test_workers_run_inline_later_and_out_of_order():
    async def main():
        loop, order = asyncio.get_running_loop(), []
        await asyncio.gather(*(loop.run_in_executor(None, order.append, i) for i in range(20)))
        with pytest.raises(ZeroDivisionError):
            await loop.run_in_executor(None, lambda: 1 // 0)
        assert loop.time() > 0
        return order

    first = sim(1).run(main())
    assert sorted(first) == list(range(20)) != first
    assert sim(1).run(main()) == first != sim(2).run(main())


def test_names_resolve_to_what_was_registered():
    async def main():
        loop = simloop()
        loop.names["tracker.example"] = ("20.0.0.7", "2001:db8::1")
        found = await loop.getaddrinfo("tracker.example", 80)
        assert [entry[4] for entry in found] == [("20.0.0.7", 80), ("2001:db8::1", 80)]
        assert (await loop.getaddrinfo("10.0.0.1", 1))[0][4] == ("10.0.0.1", 1)
        with pytest.raises(OSError, match="does not exist"):
            await loop.getaddrinfo("other.example", 80)

    sim().run(main())


def test_scopes_work_on_virtual_time():
    async def main():
        ends = []

        async def wait(seconds):
            await asyncio.sleep(seconds)
            ends.append(seconds)

        async with Scope("root") as scope:
            for seconds in (30, 10, 20, 99):
                scope.spawn(str(seconds), wait(seconds))
            await asyncio.sleep(50)
        return ends

    assert sim().run(main()) == [10, 20, 30]


PROGRAM = """
import asyncio
from wildbach.base.ids import Endpoint
from wildbach.runtime.tasks import Scope
from wildbach.testing.loop import sim, simloop
from wildbach.testing.network import Network
from wildbach.testing.wire import Wire

async def main():
    network = Network()
    rng = simloop().rng
    hosts = [network.host(up=rng.randrange(10_000, 99_999), down=100_000) for _ in range(10)]
    async def talk(scope, host):
        for _ in range(20):
            wire = Wire(await host.transport.dial(Endpoint(rng.choice(hosts).address, 6881)))
            wire.write(rng.randbytes(rng.randrange(50_000)))
            await wire.drain()
            await asyncio.sleep(rng.random())
            wire.close()
    for host in hosts:
        await host.transport.listen(Endpoint(host.address, 6881), Wire)
    async with Scope("talk") as scope:
        await asyncio.wait([scope.spawn("t", talk(scope, host)) for host in hosts])

def trace(seed):
    run = sim(seed)
    run.run(main())
    return run.trace

if __name__ == "__main__":
    print(trace(5))
"""


def test_the_trace_is_the_same_in_every_process_and_another_for_another_seed():
    def run(hash_seed):
        return subprocess.run(
            [sys.executable, "-c", PROGRAM], env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": "src"},
            capture_output=True, text=True, check=True).stdout.strip()

    space = {"__name__": "program"}
    exec(PROGRAM, space)  # noqa: S102
    assert run("1") == run("2") == space["trace"](5) != space["trace"](6)
