"""Run the fuzz harnesses: `python fuzz/run.py [--only NAME] [--inputs N] [--seconds S] [--seed N] [--jobs N]`.

A harness is a file `fuzz_NAME.py` beside this one with

    SEEDS: list[bytes]                          valid and odd inputs to start from
    def one_input(data: bytes) -> None          feeds the parser
    ALLOWED: tuple[type[Exception], ...]        what it may raise (optional; FormatError and its kin by default)
    TOKENS: list[bytes]                         pieces of the format that mutations insert (optional)

`corpus/NAME.hex` holds more inputs to start from, one a line: those that reached something new in guided runs.

Every input is made from the seeds by a generator with a seed that is printed, so a run can be repeated. A run fails
where another error comes out, an input takes more than 50 ms of processor time (of the machine that goals are set on,
see tests/pace.py), or (looked at now and then) more than 8 MiB and 16 times its size of memory. What failed is written
to `fuzz/found/`. With `--atheris NAME` that engine drives one harness instead, where it is installed; further
arguments are its own.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import random
import sys
import time
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

HERE = Path(__file__).resolve().parent
for place in (HERE.parent, HERE.parent / "src"):
    if str(place) not in sys.path:
        sys.path.insert(0, str(place))

from tests import pace  # noqa: E402  (found through the lines above)

from wildbach.base.errors import FormatError  # noqa: E402

LIMIT_SECONDS = 0.050
LIMIT_BYTES = 8 << 20
LIMIT_FACTOR = 16
MEMORY_EVERY = 500
MAX_BYTES = 1 << 16

NUMBERS = [
    b"0", b"-1", b"1", b"9", b"127", b"128", b"255", b"65535", b"65536", b"16384", b"2147483647", b"2147483648",
    b"4294967295", b"4294967296", b"9223372036854775807", b"9223372036854775808", b"18446744073709551615",
    b"99999999999999999999", b"00", b"1_0", b"+1", b" 1", b"1e9",
]
BYTES = [b"\0", b"\xff", b"\x80", b"\x7f", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0"]


@dataclass
class Harness:
    name: str
    one_input: Callable[[bytes], None]
    seeds: list[bytes]
    allowed: tuple[type[Exception], ...]
    tokens: list[bytes]


@dataclass
class Report:
    name: str
    inputs: int = 0
    accepted: int = 0
    seconds: float = 0.0
    slowest: float = 0.0
    faults: list[str] = field(default_factory=list)


def names() -> list[str]:
    return sorted(path.stem.removeprefix("fuzz_") for path in HERE.glob("fuzz_*.py"))


def load(name: str) -> Harness:
    path = HERE / f"fuzz_{name}.py"
    spec = importlib.util.spec_from_file_location(f"wildbach_fuzz_{name}", path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"no harness {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    allowed = getattr(module, "ALLOWED", (FormatError,))
    seeds = [*(module.SEEDS or [b""]), *saved(name)]
    return Harness(name, module.one_input, seeds, allowed, getattr(module, "TOKENS", []))


def saved(name: str) -> list[bytes]:
    """The inputs of the saved corpus."""
    path = HERE / "corpus" / f"{name}.hex"
    return [bytes.fromhex(line) for line in path.read_text("ascii").split()] if path.exists() else []


def mutate(rng: random.Random, harness: Harness) -> bytes:
    """An input: a seed, most times with a few changes, now and then bytes from nowhere."""
    data = bytearray(rng.choice(harness.seeds))
    if rng.random() < 0.02:
        data = bytearray(rng.randbytes(rng.randrange(64)))
    for _ in range(rng.choice((0, 1, 1, 1, 2, 2, 3, 5, 9))):
        at = rng.randrange(len(data) + 1)
        end = min(len(data), at + int(rng.expovariate(0.15)) + 1)
        kind = rng.randrange(10)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << rng.randrange(8)
        elif kind == 1 and at < len(data):
            data[at] = rng.randrange(256)
        elif kind == 2:
            data[at:at] = rng.randbytes(rng.randrange(1, 5))
        elif kind == 3:
            del data[at:end]
        elif kind == 4:
            data[at:at] = data[at:end] * rng.choice((1, 1, 2, 10, 100))
        elif kind == 5:
            other = rng.choice(harness.seeds)
            start = rng.randrange(len(other) + 1)
            data[at:end] = other[start : start + int(rng.expovariate(0.05)) + 1]
        elif kind == 6:
            data[at:end] = rng.choice(BYTES)
        elif kind == 7 and harness.tokens:
            data[at : at if rng.random() < 0.5 else end] = rng.choice(harness.tokens)
        elif kind == 8:
            _renumber(rng, data)
        elif kind == 9 and rng.random() < 0.3:
            del data[at:]
    return bytes(data[:MAX_BYTES])


def _renumber(rng: random.Random, data: bytearray) -> None:
    """Replace one decimal number by another: lengths are where text formats break."""
    if not data:
        return
    start = rng.randrange(len(data))
    for at in range(start, min(len(data), start + 200)):
        if 0x30 <= data[at] <= 0x39:
            end = at
            while end < len(data) and 0x30 <= data[end] <= 0x39:
                end += 1
            old = int(data[at : min(end, at + 18)])
            data[at:end] = rng.choice((*NUMBERS, b"%d" % (old + 1), b"%d" % max(0, old - 1), b"%d" % (old * 2)))
            return


def feed(harness: Harness, data: bytes, report: Report) -> None:
    """One input: which error came out, and how long it took."""
    start = time.process_time()
    try:
        harness.one_input(data)
        report.accepted += 1
    except harness.allowed:
        pass
    except Exception as error:  # noqa: BLE001  (any other error is what this program looks for)
        fault(harness, data, report, f"{type(error).__name__}: {error}")
    took = time.process_time() - start
    if took > LIMIT_SECONDS:
        # What else runs on the machine makes a single measure longer, and slows all of them.
        took = min(took, *(timed(harness, data) for _ in range(4))) / pace.factor()
        if took > LIMIT_SECONDS:
            fault(harness, data, report, f"took {took * 1000:.0f} ms")
    report.slowest = max(report.slowest, took)
    report.inputs += 1


def timed(harness: Harness, data: bytes) -> float:
    start = time.process_time()
    with contextlib.suppress(*harness.allowed):
        harness.one_input(data)
    return time.process_time() - start


def weigh(harness: Harness, data: bytes, report: Report) -> None:
    """The peak of memory that one input takes."""
    tracemalloc.start()
    try:
        timed(harness, data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    if peak > LIMIT_BYTES + LIMIT_FACTOR * len(data):
        fault(harness, data, report, f"took {peak} bytes of memory for {len(data)} bytes")


def fault(harness: Harness, data: bytes, report: Report, text: str) -> None:
    path = HERE / "found" / f"{harness.name}-{sha256(data).hexdigest()[:16]}"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    report.faults.append(f"{text} ({path})")


def run(name: str, inputs: int, seconds: float, seed: int) -> Report:
    harness = load(name)
    rng = random.Random(f"{seed}:{name}")
    report = Report(name)
    begin = time.monotonic()
    for data in harness.seeds:
        feed(harness, data, report)
    while report.inputs < inputs and time.monotonic() - begin < seconds and len(report.faults) < 10:
        data = mutate(rng, harness)
        feed(harness, data, report)
        if report.inputs % MEMORY_EVERY == 0:
            weigh(harness, data, report)
    report.seconds = time.monotonic() - begin
    return report


def with_atheris(name: str, rest: list[str]) -> int:
    try:
        import atheris
    except ImportError:
        print("atheris is not installed")
        return 2
    with atheris.instrument_imports():
        harness = load(name)

    def one(data: bytes) -> None:
        timed(harness, data)

    corpus = HERE / "found" / f"corpus-{name}"
    corpus.mkdir(parents=True, exist_ok=True)
    for data in harness.seeds:
        (corpus / sha256(data).hexdigest()[:16]).write_bytes(data)
    atheris.Setup([sys.argv[0], *rest, str(corpus)], one)
    atheris.Fuzz()
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description="Fuzz the parsers.")
    parser.add_argument("--only", action="append", metavar="NAME", help="one harness; may stand several times")
    parser.add_argument("--inputs", type=int, default=100_000, help="for each harness (100000)")
    parser.add_argument("--seconds", type=float, default=60.0, help="at most, for each harness (60)")
    parser.add_argument("--seed", type=int, default=None, help="of the generator (random)")
    parser.add_argument("--jobs", type=int, default=1, help="harnesses at the same time (1)")
    parser.add_argument("--atheris", metavar="NAME", help="drive one harness by atheris")
    args, rest = parser.parse_known_args()
    if args.atheris:
        return with_atheris(args.atheris, rest)
    if rest:
        parser.error(f"unknown arguments: {' '.join(rest)}")
    seed = args.seed if args.seed is not None else random.SystemRandom().randrange(1 << 32)
    chosen = args.only or names()
    print(f"seed {seed}", flush=True)
    bad = 0
    with ProcessPoolExecutor(args.jobs) as pool:
        for report in pool.map(run, chosen, *([value] * len(chosen) for value in (args.inputs, args.seconds, seed))):
            state = "FAILED" if report.faults else "ok"
            print(
                f"{report.name:16} {state:6} {report.inputs:>8} inputs, {report.accepted:>8} accepted, "
                f"{report.seconds:6.1f} s, slowest {report.slowest * 1000:.1f} ms", flush=True,
            )
            for text in report.faults:
                print(f"    {text}", flush=True)
            bad += bool(report.faults)
    if bad:
        print(f"repeat with: python fuzz/run.py --seed {seed} --inputs {args.inputs}")
    return 1 if bad else 0


if __name__ == "__main__":
    raise SystemExit(main())
