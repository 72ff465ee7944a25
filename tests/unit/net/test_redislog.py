import asyncio

import pytest

from wildbach.base.errors import NetworkError, UsageError
from wildbach.net import redislog
from wildbach.net.redislog import RedisLog


def test_without_the_client_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redislog, "HAVE_REDIS", False)
    with pytest.raises(UsageError, match=r"pip install 'wildbach\[redis\]'"):
        RedisLog("redis://127.0.0.1", keep=1.0)


@pytest.mark.parametrize("url", ["", "127.0.0.1:6379", "http://x", "redis://:secret@h:port", "redis://[::1"])
def test_what_is_no_url_of_a_server_is_said_without_its_password(url: str) -> None:
    with pytest.raises(UsageError, match="a URL such as") as caught:
        RedisLog(url, keep=1.0)
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(("reply", "code", "words"), [
    (b"-WRONGPASS invalid username-password pair\r\n", "store_refused", "refuses the password"),
    (b"-NOAUTH Authentication required.\r\n", "store_refused", "refuses the password"),
    (b"-ERR nonsense\r\n", "store_unreachable", "nonsense"),
    (b"HTTP/1.1 400 Bad Request\r\n\r\n", "store_unreachable", "not reachable"),
    (b"", "store_unreachable", "not reachable"),
])
def test_a_server_that_says_no_or_is_another_one_is_a_network_error(reply: bytes, code: str, words: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1000)
        writer.write(reply)
        await writer.drain()
        writer.close()

    async def main() -> None:
        server = await asyncio.start_server(answer, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        log = RedisLog(f"redis://:hidden@127.0.0.1:{port}", keep=1.0)
        async with asyncio.timeout(30):
            with pytest.raises(NetworkError, match=words) as caught:
                await log.open()
        assert caught.value.code == code and "hidden" not in caught.value.message
        await log.close()
        server.close()
        await server.wait_closed()

    asyncio.run(main())
