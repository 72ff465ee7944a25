"""What a real player does with files of a torrent that lie about what they are."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from pathlib import Path

import pytest
from tests import encounters, mediafiles

from wildbach.interfaces.cli import players
from wildbach.interfaces.cli.players import Ask
from wildbach.net.httpd import HttpServer, Request, Response

pytestmark = pytest.mark.foreign("mpv")


@pytest.mark.parametrize("lie", [
    "#EXTM3U\n{0}\n", "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{0}\n#EXT-X-ENDLIST\n", "# mpv EDL v0\n{0},0,5\n",
    "[playlist]\nFile1={0}\nNumberOfEntries=1\n", 'FILE "{0}" WAVE\n  TRACK 01 AUDIO\n    INDEX 01 00:00:00\n',
], ids=["m3u", "hls", "edl", "pls", "cue"])
@pytest.mark.parametrize("place", ["film", "subtitles"])
def test_mpv_calls_nobody_that_a_file_of_a_torrent_names(lie: str, place: str, tmp_path: Path) -> None:
    program = shutil.which("mpv")
    if program is None:
        pytest.skip("mpv is not installed")

    async def main() -> None:
        asked: list[str] = []
        film = mediafiles.mp4(seconds=2).read_bytes() if place == "subtitles" else b""

        async def answer(request: Request) -> Response:
            asked.append(request.path)
            body = lie.format(f"{base}/elsewhere").encode() if request.path == "/lie.mkv" else film
            return Response(body, content_type="video/x-matroska")

        server = HttpServer(answer)
        try:
            base = f"http://{await server.start('127.0.0.1', 0)}"
            ask = Ask(f"{base}/lie.mkv", "x") if place == "film" else Ask(
                f"{base}/film.mp4", "x", subtitles=(f"{base}/lie.mkv",))
            first, *others = players.mpv_arguments(program, ask, str(tmp_path / "mpv.sock"))
            quiet = [one for one in others if one != "--force-window=yes"]
            process = await asyncio.create_subprocess_exec(
                first, "--no-config", "--vo=null", "--ao=null", *quiet, stdin=asyncio.subprocess.DEVNULL)
            try:
                async with asyncio.timeout(60):
                    await process.wait()
            finally:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
        finally:
            await server.close()
        assert "/lie.mkv" in asked and "/elsewhere" not in asked
        encounters.note("mpv")

    asyncio.run(main())
