import asyncio
import re
import urllib.error
import urllib.request

import pytest

from wildbach.services.tracker.metrics import MetricsServer, combined, page, prometheus
from wildbach.services.tracker.server import TrackerStats

STATS = TrackerStats(2, 30, 4, 5, 6, 7, 8, rate=1.5, interval=1800)


def test_every_line_is_prometheus_text_with_help_and_type() -> None:
    text = prometheus(STATS)
    names = re.findall(r"^# TYPE (\w+) (?:gauge|counter)$", text, re.M)
    values = dict(re.findall(r"^(\w+) ([\d.]+)$", text, re.M))
    assert sorted(names) == sorted(values)
    assert values["wildbach_tracker_peers"] == "30"
    assert values["wildbach_tracker_udp_announces_total"] == "6"
    assert len(text.splitlines()) == 3 * len(values)


@pytest.mark.parametrize(("shared", "line"), [("none", None), ("up", "up 1"), ("away", "up 0")])
def test_the_shared_table_is_told_where_there_is_one(shared: str, line: str | None) -> None:
    text = prometheus(TrackerStats(0, 0, 0, 0, 0, 0, 0, shared=shared))
    assert ("store_up" in text) is (line is not None)
    assert line is None or f"wildbach_tracker_store_{line}" in text


def test_of_several_processes_the_work_adds_up_and_the_table_is_one() -> None:
    other = TrackerStats(2, 29, 1, 1, 1, 1, 1, rate=2.0, shared="away", connections=3)
    both = combined([STATS, other])
    assert (both.torrents, both.peers, both.udp_announces, both.rate, both.shared) == (2, 30, 7, 3.5, "away")


def test_numbers_and_page_are_served_and_nothing_else() -> None:
    async def main() -> None:
        server = MetricsServer(lambda: STATS)
        at = await server.start("127.0.0.1", 0)

        def get(path: str, method: str = "GET") -> tuple[int, str]:
            request = urllib.request.Request(f"http://{at}{path}", method=method)
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    return answer.status, answer.read().decode()
            except urllib.error.HTTPError as error:
                with error:
                    return error.code, ""

        assert await asyncio.to_thread(get, "/metrics") == (200, prometheus(STATS))
        status, body = await asyncio.to_thread(get, "/")
        assert status == 200 and "<td>30</td>" in body and body == page(STATS)
        assert (await asyncio.to_thread(get, "/announce"))[0] == 404
        assert (await asyncio.to_thread(get, "/", "POST"))[0] == 405
        await server.close()

    asyncio.run(main())
