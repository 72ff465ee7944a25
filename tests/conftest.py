"""What every test gets: a printed seed, a strict mode without skips, checks for leaked file descriptors and for marks
that a test does not live up to. Bytecode is kept whatever the environment says: tests start hundreds of processes, and
each would compile the whole package."""

from __future__ import annotations

import gc
import os
import random
import stat
import sys
from collections.abc import Generator, Iterator

import pytest
from hypothesis import settings
from tests import encounters

pytest_plugins = ["pytester"]
SEED = int(os.environ.get("WILDBACH_SEED", "1"))
NO_SKIP = os.environ.get("WILDBACH_NO_SKIP", "") not in ("", "0")
FDS = "/proc/self/fd"
FILE = pytest.StashKey[str]()

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Machines are shared and slow at times, so no deadline; the same examples every time, `make fuzz` explores.
settings.register_profile("tests", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("tests")


def pytest_report_header() -> list[str]:
    lines = [f"wildbach seed: {SEED} (WILDBACH_SEED=n for another)"]
    if NO_SKIP:
        lines.append("WILDBACH_NO_SKIP: a skipped test fails")
    return lines


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Goals and whole matrices take minutes; the short limit is there to catch what hangs among quick tests."""
    for item in items:
        if item.get_closest_marker("goal") is not None or item.get_closest_marker("slow") is not None:
            item.add_marker(pytest.mark.timeout(900))


def _forbid_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    """A skip whose reason is a missing program or file is a failure where everything must be installed."""
    if not NO_SKIP or report.outcome != "skipped" or hasattr(report, "wasxfail"):
        return
    why = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    report.outcome = "failed"
    report.longrepr = f"{report.nodeid}: {why}\nWILDBACH_NO_SKIP is set: a skip is a failure here"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    _forbid_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _forbid_skip(report)
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    encounters.forget()
    if item.config.stash.get(FILE, None) != item.location[0]:
        # Ten thousand tests and their modules stay: each of the many collections would go through them all.
        item.config.stash[FILE] = item.location[0]
        gc.collect()
        gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    result = yield
    encounters.judge(pyfuncitem)
    return result


def _open_fds() -> dict[int, str]:
    """Open sockets, event queues and regular files. Pipes are left out: multiprocessing keeps one for good."""
    found = {}
    for name in os.listdir(FDS):
        try:
            target = os.readlink(f"{FDS}/{name}")
            mode = os.fstat(int(name)).st_mode
        except OSError:
            continue
        if stat.S_ISREG(mode) or stat.S_ISSOCK(mode) or target.startswith("anon_inode:[event"):
            found[int(name)] = target
    return found


@pytest.fixture(autouse=True)
def no_leaked_fds() -> Iterator[None]:
    """A test closes what it opened."""
    if not os.path.isdir(FDS):
        yield
        return
    before = _open_fds()
    yield
    leaked = _open_fds().items() - before.items()
    if leaked:
        gc.collect()
        leaked = _open_fds().items() - before.items()
    if leaked:
        pytest.fail("left open: " + ", ".join(f"{fd} -> {target}" for fd, target in sorted(leaked)))


@pytest.fixture
def seed() -> int:
    return SEED


@pytest.fixture
def rng(seed: int) -> random.Random:
    return random.Random(seed)
