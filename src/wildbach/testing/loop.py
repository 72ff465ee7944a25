"""An event loop without a clock: when nothing is ready, time jumps to the next timer.

A run is a function of its seed. Worker calls run on the loop's own thread after a delay drawn from the seed, real
sockets do not exist, and everything the simulated network does goes into one hash, so two runs can be compared.

    def test_something():
        assert sim(7).run(main()) == 42
"""

from __future__ import annotations

import asyncio
import gc
import hashlib
import os
import random
import socket
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, TypeVarTuple

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class SimulationError(Exception):
    """The simulated program misbehaved: it hangs, leaks tasks, or left an exception that nobody looked at."""


class Deadlock(SimulationError):
    """Tasks wait, and nothing is scheduled that could wake them."""


class OutOfTime(SimulationError):
    """Virtual time reached the limit of the run."""


class _Jump:
    """Stands where the loop has its selector: instead of waiting, it moves the clock."""

    def __init__(self, loop: SimLoop) -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> tuple[()]:
        if timeout is None:
            raise Deadlock(f"nothing is scheduled and these tasks wait: {waiting(self._loop)}")
        if timeout > 0:
            self._loop._advance(timeout)
        return ()

    def close(self) -> None:
        pass


class SimLoop(asyncio.BaseEventLoop):
    """The loop. `until` is the virtual second at which a run is given up."""

    _selector: _Jump

    def __init__(self, seed: int = 0, *, until: float = 86400.0) -> None:
        super().__init__()
        self._now = 0.0
        self._selector = _Jump(self)
        self._clock_resolution = 1e-9
        self._trace = hashlib.blake2b(digest_size=16)
        self.seed = seed
        self.rng = random.Random(seed)
        self.until = until
        self.errors: list[str] = []
        "What reached the loop's exception handler."
        self.worker_delay = (0.0, 0.002)
        "Seconds between which a call in a worker takes; drawn anew for each."
        self.names: dict[str, tuple[str, ...]] = {}
        "What names resolve to. Others do not exist."
        self.set_exception_handler(_collect)

    def time(self) -> float:
        return self._now

    def note(self, fact: bytes) -> None:
        """Add to the trace."""
        self._trace.update(fact)

    @property
    def trace(self) -> str:
        """A hash of all that was noted so far."""
        return self._trace.hexdigest()

    def run_in_executor(
        self, executor: object, func: Callable[[*Ts], T], *args: *Ts
    ) -> asyncio.Future[T]:
        """Call `func` on this thread, a little later. Calls that overlap in time may change places."""
        future: asyncio.Future[T] = self.create_future()

        def go() -> None:
            if future.cancelled():
                return
            try:
                result = func(*args)
            except Exception as error:  # noqa: BLE001  # handed to whoever awaits the call
                future.set_exception(error)
            else:
                future.set_result(result)

        self.call_later(self.rng.uniform(*self.worker_delay), go)
        return future

    async def getaddrinfo(  # type: ignore[override]  # the stub's addresses are wider than what names resolve to here
        self, host: str | None, port: int | None, *, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        name = host or "127.0.0.1"
        await asyncio.sleep(0.01)
        found = []
        for address in self.names.get(name, (name,) if _literal(name) else ()):
            kind = socket.AF_INET6 if ":" in address else socket.AF_INET
            if family in (0, kind):
                found.append((int(kind), type or int(socket.SOCK_STREAM), proto, "", (address, port or 0)))
        if not found:
            raise socket.gaierror(socket.EAI_NONAME, f"{name} does not exist in this simulation")
        return found

    def add_reader(self, fd: object, callback: Callable[[*Ts], Any], *args: *Ts) -> None:
        raise NotImplementedError("there are no real sockets in a simulation: use a transport of its network")

    def add_writer(self, fd: object, callback: Callable[[*Ts], Any], *args: *Ts) -> None:
        raise NotImplementedError("there are no real sockets in a simulation: use a transport of its network")

    def _advance(self, seconds: float) -> None:
        self._now += seconds
        if self._now > self.until:
            now, self.until = self._now, float("inf")  # what follows is only cleaning up
            raise OutOfTime(f"not done at {now:.1f} s of virtual time; these tasks wait: {waiting(self)}")

    def _process_events(self, events: object) -> None:
        pass

    def _write_to_self(self) -> None:
        pass


def _collect(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    if isinstance(loop, SimLoop):
        error = context.get("exception")
        text = str(context.get("message"))
        if isinstance(error, BaseException):
            text += f": {type(error).__name__}: {error}{_where(error)}"
        loop.errors.append(text)


def _where(error: BaseException) -> str:
    trace = error.__traceback__
    if trace is None:
        return ""
    while trace.tb_next is not None:
        trace = trace.tb_next
    code = trace.tb_frame.f_code
    return f" at {os.path.basename(code.co_filename)}:{trace.tb_lineno} in {code.co_name}"


def waiting(loop: asyncio.AbstractEventLoop) -> str:
    """The tasks that are not done, and where each of them stands."""
    lines = [
        f"{task.get_name()} at {_standing(task.get_coro())}"
        for task in sorted(asyncio.all_tasks(loop), key=asyncio.Task.get_name)
    ]
    return ", ".join(lines) or "none"


def _standing(work: object) -> str:
    """The line where a suspended coroutine waits: the innermost of those that await each other."""
    frame = None
    while work is not None:
        frame = getattr(work, "cr_frame", None) or getattr(work, "gi_frame", None) or frame
        work = getattr(work, "cr_await", None) or getattr(work, "gi_yieldfrom", None)
    return f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}" if frame is not None else "?"


def _literal(name: str) -> bool:
    return ":" in name or name.replace(".", "").isdigit()


class Sim:
    """One run. What goes wrong in it carries the seed in a note."""

    def __init__(self, seed: int, until: float, strict: bool) -> None:
        self.seed = seed
        self._until = until
        self._strict = strict
        self.trace = ""
        "The trace's hash at the end of `main`."
        self.seconds = 0.0
        "Virtual time at the end of `main`."

    def run(self, main: Coroutine[Any, Any, T]) -> T:
        """Run `main` to its end. Strict runs then raise SimulationError where a task is left or an error unseen."""
        try:
            with asyncio.Runner(loop_factory=self._loop) as runner:
                result = runner.run(self._watched(main))
                loop = runner.get_loop()
                if isinstance(loop, SimLoop):
                    self._inspect(loop)
                return result
        except BaseException as error:
            error.add_note(f"simulation seed {self.seed}")
            raise

    def _loop(self) -> SimLoop:
        return SimLoop(self.seed, until=self._until)

    async def _watched(self, main: Coroutine[Any, Any, T]) -> T:
        loop = simloop()
        result = await main
        self.trace = loop.trace
        self.seconds = loop.time()
        if self._strict and len(asyncio.all_tasks()) > 1:
            raise SimulationError(f"tasks are left: {waiting(loop)}")
        return result

    def _inspect(self, loop: SimLoop) -> None:
        gc.collect()  # an exception nobody retrieved is reported when its future dies
        if self._strict and loop.errors:
            raise SimulationError("; ".join(loop.errors))


def sim(seed: int = 0, *, until: float = 86400.0, strict: bool = True) -> Sim:
    """A run with a seed. `until`: virtual seconds after which it is given up."""
    return Sim(seed, until, strict)


def simloop() -> SimLoop:
    """The running loop, which has to be simulated."""
    loop = asyncio.get_running_loop()
    if not isinstance(loop, SimLoop):
        raise SimulationError("this runs only inside a simulation")
    return loop
