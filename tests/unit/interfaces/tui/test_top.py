"""The screen before a client that has real torrents, on a real disk."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from textual import events
from textual.pilot import Pilot
from textual.widgets import Input

from api_fakes import row
from cli_torrents import torrent_of
from clients import client, seed_content
from daemons import House
from tui_stage import Stage, staged
from wildbach.base.errors import NetworkError
from wildbach.interfaces.api import models as m
from wildbach.interfaces.api.contract import Api
from wildbach.interfaces.api.local import LocalApi
from wildbach.interfaces.api.restricted import for_role
from wildbach.interfaces.cli.reach import Reach
from wildbach.interfaces.http import passwords
from wildbach.interfaces.tui.app import Place, Top
from wildbach.interfaces.tui.dialogs import Ask, Choose, Help
from wildbach.interfaces.tui.source import Opener
from wildbach.runtime.tasks import Scope


class Screen:
    """A screen, what is typed at it, and what it shows."""

    def __init__(self, app: Top, pilot: Pilot[None]) -> None:
        self.app = app
        self.pilot = pilot

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause()

    async def write(self, words: str) -> None:
        self.app.screen.query(Input).first().value = words
        await self.pilot.pause()

    def lines(self) -> list[str]:
        """What the terminal shows now."""
        rendered = self.app.screen._compositor.render_strips()
        return ["".join(segment.text for segment in strip).rstrip() for strip in rendered]

    @property
    def text(self) -> str:
        return "\n".join(self.lines())

    async def until(self, what: Callable[[], object]) -> None:
        try:
            async with asyncio.timeout(20):
                while not what():
                    await asyncio.sleep(0.01)
                    await self.pilot.pause()
        except TimeoutError:
            raise AssertionError(self.text) from None

    async def shows(self, *words: str) -> None:
        await self.until(lambda: all(word in self.text for word in words))


@contextlib.asynccontextmanager
async def screen_of(
    opener: Opener, *, size: tuple[int, int] = (100, 30), place: Place | None = None,
) -> AsyncIterator[Screen]:
    async with Scope("test") as scope:
        app = Top(opener, scope, place or Place("daemon"), seconds=0.05)
        async with app.run_test(size=size) as pilot:
            await app.ever.wait()
            yield Screen(app, pilot)


def with_screen(
    folder: Path, work: Callable[[Screen, LocalApi], Awaitable[None]], *, size: tuple[int, int] = (100, 30),
    place: Place | None = None,
) -> None:
    async def main() -> None:
        async with client(folder) as api, screen_of(
            lambda: contextlib.nullcontext(api), size=size, place=place) as screen:
            await work(screen, api)

    asyncio.run(main())


async def add(api: Api, *names: str, **more: object) -> list[str]:
    result = await api.add_torrents(m.AddRequest(
        files=tuple(torrent_of(name=name).to_bytes() for name in names), **more))
    return [one.key for one in result.added]


def test_torrents_come_in_and_are_marked_stopped_and_started(tmp_path: Path) -> None:
    async def work(screen: Screen, api: LocalApi) -> None:
        await screen.shows("no torrents yet")
        keys = await add(api, "one", "two", "three")
        await screen.shows("one", "two", "three", "all 3")
        await screen.press("space", "space")
        assert len(screen.app.torrents.marks) == 2
        await screen.press("S")
        await screen.shows("2 torrents: stopped", "stopped 2")
        states = {key: (await api.torrent(key)).row.state for key in keys}
        assert sorted(states.values()) == ["downloading", "stopped", "stopped"]
        assert {key for key, state in states.items() if state == "stopped"} == set(screen.app.torrents.marks)
        await screen.press("s")
        await screen.shows("2 torrents: started", "downloading 3")

    with_screen(tmp_path, work)


def test_a_file_is_added_by_its_path_removed_and_had_back(tmp_path: Path) -> None:
    (tmp_path / "x.torrent").write_bytes(torrent_of(name="things").to_bytes())

    async def work(screen: Screen, api: LocalApi) -> None:
        await screen.press("a")
        await screen.write(str(tmp_path / "x.torrent"))
        await screen.press("enter")
        await screen.shows("added: things")
        (row,) = (await api.list_torrents(m.Listing())).torrents
        await screen.press("d")
        assert isinstance(screen.app.screen, Choose) and "Remove things?" in screen.text
        await screen.press("enter")
        await screen.until(lambda: "u has it back" in screen.app.notice)
        assert (await api.list_torrents(m.Listing())).total == 0
        await screen.press("u")
        await screen.until(lambda: "back again" in screen.app.notice and screen.app.torrents.count == 1)
        assert (await api.list_torrents(m.Listing())).torrents[0].key == row.key

    with_screen(tmp_path, work)


def test_deleting_now_takes_the_files_along_and_leaves_nothing_to_undo(tmp_path: Path) -> None:
    torrent = seed_content(tmp_path)

    async def work(screen: Screen, api: LocalApi) -> None:
        await api.add_torrents(m.AddRequest(files=(torrent.to_bytes(),)))
        await screen.shows("things", "seeding 1")
        await screen.press("d", "3")
        await screen.until(lambda: "removed for good" in screen.app.notice)
        assert not (tmp_path / "downloads" / "things").exists()
        await screen.press("u")
        assert "nothing was removed that can be had back" in screen.app.notice

    with_screen(tmp_path, work)


def test_files_are_chosen_in_the_tree_with_their_folder_and_get_priorities(tmp_path: Path) -> None:
    async def work(screen: Screen, api: LocalApi) -> None:
        (key,) = await add(api, "things", stopped=True)

        async def wanted() -> dict[str, int]:
            page = await api.files(key, m.FileListing())
            return {file.path: file.priority for file in page.files}

        await screen.shows("things", "stopped 1")
        await screen.press("2", "l")
        await screen.shows("▾ things", "▾ sub", "b.txt", "a.bin")
        await screen.press("j", "space")
        await screen.shows("[~] ▾ things", "[ ] ▾ sub")
        assert {path: on for path, on in (await wanted()).items() if "sub" in path} == {
            "things/sub/b.txt": 0, "things/sub/ü 日本.bin": 0}
        files = screen.app.detail.files
        while files.at_cursor is None or files.at_cursor.entry is None or files.at_cursor.entry.name != "a.bin":
            await screen.press("j")
        await screen.press("+")
        await screen.shows("high")
        assert (await wanted())["things/a.bin"] == 6
        await screen.press("-", "minus")
        await screen.until(lambda: not [line for line in screen.lines() if "high" in line])
        await screen.press("g", "g", "h")
        assert screen.app.detail.files.count == 1, "the folder is shut"
        await screen.press("h")
        assert screen.app.focused is screen.app.torrents

    with_screen(tmp_path, work)


def test_searching_is_at_once_and_ends_with_escape(tmp_path: Path) -> None:
    async def work(screen: Screen, api: LocalApi) -> None:
        await add(api, "alpha one", "beta", "alpha two", stopped=True)
        await screen.shows("alpha one", "beta")
        await screen.press("/", *"alpha")
        await screen.until(lambda: screen.app.torrents.count == 2)
        assert "beta" not in screen.text
        await screen.press("enter", "n")
        assert screen.app.torrents.cursor == 1
        await screen.press("n")
        assert screen.app.torrents.cursor == 0, "round again"
        await screen.press("escape")
        await screen.until(lambda: screen.app.torrents.count == 3)
        await screen.press("/", *"nothing like it")
        await screen.shows("nothing like that")

    with_screen(tmp_path, work)


def test_kinds_and_order_are_chosen_by_key_and_by_mouse(tmp_path: Path) -> None:
    async def work(screen: Screen, api: LocalApi) -> None:
        await add(api, "bb", "aa", stopped=True)
        await add(api, "cc")
        await screen.until(lambda: screen.app.torrents.count == 3)

        def names() -> list[str]:
            return [row.name for row in screen.app.torrents.rows]

        await screen.pilot.click("#head", offset=(4, 0))
        await screen.until(lambda: names() == ["aa", "bb", "cc"])
        await screen.press("O")
        await screen.until(lambda: names() == ["cc", "bb", "aa"])
        await screen.press("]")  # active
        await screen.until(lambda: screen.app.torrents.count == 0)
        at = screen.app.main.query_one("#chips").words.index("stopped")
        await screen.pilot.click("#chips", offset=(at, 0))
        await screen.until(lambda: names() == ["bb", "aa"])
        await screen.press("escape")
        await screen.until(lambda: len(names()) == 3)
        await screen.pilot.click("#torrents", offset=(5, 2))
        assert screen.app.torrents.row.name == "aa"
        await screen.pilot.click("#torrents", offset=(5, 0), shift=True)
        assert len(screen.app.torrents.marks) == 3

    with_screen(tmp_path, work)


def test_the_cursor_stays_with_its_torrent_when_the_list_moves(tmp_path: Path) -> None:
    async def work(screen: Screen, api: LocalApi) -> None:
        await add(api, "one", "two", stopped=True)
        await screen.until(lambda: screen.app.torrents.count == 2)
        await screen.press("j", "k", "j")
        name = screen.app.torrents.row.name
        screen.app.do("sort:name")
        await screen.press("G")
        assert screen.app.torrents.row.name == "two", name
        await add(api, "aaa", stopped=True)
        await screen.until(lambda: screen.app.torrents.count == 3)
        assert screen.app.torrents.cursor == 2 and screen.app.torrents.row.name == "two"

    with_screen(tmp_path, work)


def test_what_cannot_be_done_is_said_at_its_row(tmp_path: Path) -> None:
    async def work(screen: Screen, api: LocalApi) -> None:
        await add(api, "one", "two", stopped=True)
        await screen.until(lambda: screen.app.torrents.count == 2)
        await screen.press("m")
        assert isinstance(screen.app.screen, Ask)
        await screen.write("/proc/nowhere")
        await screen.press("enter")
        await screen.until(lambda: any("✗" in line for line in screen.lines()))
        (line,) = [line for line in screen.lines() if "✗" in line]
        assert screen.app.torrents.row.name in line
        await screen.press("escape", "escape")
        assert "✗" not in screen.text

    with_screen(tmp_path, work)


def test_category_tags_limits_queue_and_slow_mode(tmp_path: Path) -> None:
    async def work(screen: Screen, api: LocalApi) -> None:
        (key,) = await add(api, "one", stopped=True)
        await screen.shows("stopped 1")

        async def row() -> m.TorrentRow:
            return (await api.torrent(key)).row

        async def asked(pressed: str, words: str, said: str) -> None:
            await screen.press(pressed)
            await screen.write(words)
            await screen.press("enter")
            await screen.until(lambda: said in screen.app.notice)

        await asked("c", "films", "category films")
        await asked("t", "a, b", "tags changed")
        await asked("t", "-a, c", "tags changed")
        await asked("L", "500K", "↓ 500.0 KiB/s")
        found = await row()
        assert (found.category, found.tags, found.down_limit) == ("films", ("b", "c"), 512_000)
        await asked("L", "quick", "is not a size")
        assert (await row()).down_limit == 512_000
        await screen.press("z")
        await screen.until(lambda: "alternative limits" in screen.app.notice)
        assert (await api.transfer()).slow_mode
        await screen.press("J")
        await screen.until(lambda: "later in the queue" in screen.app.notice)
        copied = screen.app
        await screen.press("y")
        await screen.until(lambda: copied.clipboard.startswith("magnet:?"))

    with_screen(tmp_path, work)


def test_pasted_links_are_offered_to_be_added(tmp_path: Path) -> None:
    link = f"magnet:?xt=urn:btih:{'ab' * 20}&dn=pasted"

    async def work(screen: Screen, api: LocalApi) -> None:
        screen.app.post_message(events.Paste(f"  {link}\n"))
        await screen.until(lambda: isinstance(screen.app.screen, Ask))
        await screen.press("enter")
        await screen.shows("pasted", "metadata")
        assert (await api.list_torrents(m.Listing())).torrents[0].key == "ab" * 20

    with_screen(tmp_path, work)


def test_tabs_tell_why_nothing_moves_and_what_trackers_say(tmp_path: Path) -> None:
    async def work(screen: Screen, api: LocalApi) -> None:
        await api.add_torrents(m.AddRequest(files=(torrent_of(trackers=[["http://127.0.0.1:1/announce"]]).to_bytes(),)))
        await screen.shows("things")
        await screen.press("i")
        await screen.shows("why", "info hash v1")
        await screen.press("4")
        await screen.shows("127.0.0.1:1/announce", "failing")
        await screen.press("5")
        await screen.shows("0 of 9 pieces of 16.0 KiB")
        await screen.press("3")
        await screen.shows("no peers")
        await screen.press("6", "2", "l", "tab")
        assert screen.app.focused is screen.app.torrents

    with_screen(tmp_path, work)


def test_a_guest_sees_the_list_and_is_told_what_is_not_for_guests(tmp_path: Path) -> None:
    async def main() -> None:
        async with client(tmp_path) as api:
            await add(api, "things", stopped=True)
            guest = for_role(api, "guest")
            async with screen_of(lambda: contextlib.nullcontext(guest)) as screen:
                await screen.shows("things", "stopped 1")
                await screen.press("6")
                await screen.shows("guest")
                await screen.press("s")
                await screen.until(lambda: screen.app.notice)
                assert "things: started" not in screen.app.notice
                assert "stopped 1" in screen.text and screen.app.torrents.live

    asyncio.run(main())


def test_the_log_and_the_wheel(tmp_path: Path) -> None:
    async def work(screen: Screen, api: LocalApi) -> None:
        await add(api, *(f"torrent {number}" for number in range(40)), stopped=True)
        await screen.until(lambda: screen.app.torrents.count == 40)
        await screen.pilot._post_mouse_events([events.MouseScrollDown], "#torrents", offset=(5, 5))
        await screen.until(lambda: screen.app.torrents.scroll_offset.y > 0)
        assert screen.app.torrents.cursor == 0, "the wheel looks, and chooses nothing"
        api.core.log.write("warning", "\x1b[31mred\x1b[0m was said")
        await screen.press("6")
        await screen.shows("\\x1b[31mred\\x1b[0m was said")

    with_screen(tmp_path, work)


HOSTILE = ("[red]not red[/]", "a\x1b[2Jb", "photo\u202egpj.exe", "👨\u200d👩\u200d👧 family", "z" + "\u0336" * 40,
           "日本語" * 60, "[link=file:///etc]x[/link]")


def test_hostile_names_style_break_and_spoof_nothing(tmp_path: Path) -> None:
    async def work(screen: Screen, api: LocalApi) -> None:
        files = {("[bold]f",): b"x", ("\u202etxt.exe",): b"y"}
        for name in HOSTILE:
            await api.add_torrents(m.AddRequest(
                files=(torrent_of(files, name="base" + str(HOSTILE.index(name))).to_bytes(),), name=name, stopped=True))
        await screen.until(lambda: screen.app.torrents.count == len(HOSTILE))
        screen.app.do("sort:name")
        await screen.press("1")
        await screen.shows("[red]not red[/]", "\\x1b[2Jb", "photo\\u202egpj.exe", "👨👩👧 family", "[link=file")
        for line in screen.lines():
            assert "\x1b" not in line and "\u202e" not in line and "\u200d" not in line
        await screen.press("2", "l")
        await screen.shows("[bold]f", "_txt.exe")
        await screen.press("tab", "d")
        await screen.shows("Remove ")
        await screen.press("escape", "c")
        await screen.write("[red]x[/]")
        await screen.press("enter")
        await screen.until(lambda: "category [red]x[/]" in screen.app.notice)
        await screen.press("c")
        await screen.shows("There are: [red]x[/]")

    with_screen(tmp_path, work)


def test_quitting_asks_only_where_the_daemon_ends_too(tmp_path: Path) -> None:
    async def at_once(screen: Screen, api: LocalApi) -> None:
        await add(api, "one")
        await screen.shows("downloading 1")
        await screen.press("q")
        assert not screen.app.is_running

    async def asked(screen: Screen, api: LocalApi) -> None:
        await add(api, "one")
        await screen.shows("downloading 1")
        await screen.press("q")
        assert isinstance(screen.app.screen, Choose) and screen.app.is_running
        await screen.press("2")
        assert screen.app.is_running
        await screen.press("q", "enter")
        assert not screen.app.is_running

    with_screen(tmp_path / "a", at_once)
    with_screen(tmp_path / "b", asked, place=Place("within", within=True))


def test_every_key_is_in_the_help(tmp_path: Path) -> None:
    async def work(screen: Screen, api: LocalApi) -> None:
        await screen.press("?")
        assert isinstance(screen.app.screen, Help)
        await screen.shows("Keys", "copy the magnet link", "slow mode on or off", "mark from here on")
        await screen.press("escape")
        assert not isinstance(screen.app.screen, Help)

    with_screen(tmp_path, work, size=(100, 80))


def test_a_daemon_that_goes_away_is_said_and_nothing_old_is_shown_as_live(tmp_path: Path) -> None:
    async def main() -> None:
        async with client(tmp_path) as api:
            await add(api, "things", stopped=True)
            away = asyncio.Event()

            class Line:
                """Of an Api that can be cut."""

                def __getattr__(self, name: str) -> object:
                    if away.is_set():
                        raise NetworkError("no daemon runs there", code="no_daemon")
                    return getattr(api, name)

            async with screen_of(lambda: contextlib.nullcontext(Line())) as screen:  # type: ignore[arg-type]
                await screen.shows("things", "stopped 1")
                away.set()
                await screen.shows("connection lost: no daemon runs there", "trying again")
                assert "stopped 1" not in screen.text and not screen.app.torrents.live
                await screen.press("s")
                await screen.until(lambda: "no connection" in screen.app.notice)
                away.clear()
                await screen.shows("stopped 1")
                assert screen.app.torrents.live and "connection lost" not in screen.text

    asyncio.run(main())


def test_a_daemon_that_is_started_again_is_found_at_its_new_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(passwords, "_N", 1 << 8)
    house = House(tmp_path)
    there = Reach(state=house.state)

    async def main() -> None:
        with contextlib.ExitStack() as stack:
            stack.enter_context(house.open())
            async with there.open() as api:
                await add(api, "things", stopped=True)
            async with screen_of(there.open) as screen:
                await screen.shows("things", "stopped 1")
                await asyncio.to_thread(stack.pop_all().close)
                await screen.shows("connection lost: no daemon runs")
                await asyncio.to_thread(stack.enter_context, house.open())
                await screen.shows("things", "stopped 1")
                await screen.press("s")
                await screen.shows("things: started")

    asyncio.run(main())


class Many(Stage):
    """More torrents than anybody would list."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self.count = count
        self.asked: list[m.Listing] = []

    async def list_torrents(self, listing: m.Listing) -> m.TorrentPage:
        self.asked.append(listing)
        part = range(listing.offset, min(self.count, listing.offset + listing.limit))
        return m.TorrentPage(1, self.count, listing.offset, tuple(row(n, name=f"number {n}") for n in part), False)

    async def keys(self, listing: m.KeyListing) -> m.AllKeys:
        return m.AllKeys(tuple(f"{n:040x}" for n in range(listing.offset, min(self.count, listing.limit))))


@pytest.mark.parametrize("size", [(80, 24), (200, 60)])
def test_of_a_hundred_thousand_torrents_only_those_near_are_asked_for(size: tuple[int, int]) -> None:
    async def main() -> None:
        stage = Many(100_000)
        async with staged(stage, size) as pilot:
            screen = Screen(pilot.app, pilot)
            await screen.shows("number 0 ")
            await screen.press("G")
            await screen.shows("number 99999 ")
            await screen.press("ctrl+u", "pageup")
            await screen.press("g", "g")
            await screen.shows("number 0 ")
            assert all(listing.limit <= 250 for listing in stage.asked)
            assert len(stage.asked) < 12
            await screen.press("v", "G")
            await screen.until(lambda: len(screen.app.torrents.marks) == 100_000)

    asyncio.run(main())


@pytest.mark.parametrize("size", [(20, 6), (40, 10), (200, 60)])
def test_it_draws_at_any_size(tmp_path: Path, size: tuple[int, int]) -> None:
    async def work(screen: Screen, api: LocalApi) -> None:
        await add(api, "things", stopped=True)
        for key in ("1", "2", "3", "4", "5", "6", "?", "escape", "d", "escape", "a", "escape", "L", "escape"):
            await screen.press(key)
            assert all(len(line) <= size[0] for line in screen.lines())

    with_screen(tmp_path, work, size=size)


