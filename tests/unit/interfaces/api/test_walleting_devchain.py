"""The wallet through the Api on a chain that knows fees: what is shown before is what it costs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from clients import client
from wildbach.interfaces.api import walletmodels as wm
from wildbach.interfaces.api.local import LocalApi
from wildbach.interfaces.cli.devchain import feed
from wildbach.protocol.tron.address import Address
from wildbach.services.devchain.chain import Options
from wildbach.services.devchain.server import DevNode
from wildbach.services.pay.wallet import keystore
from wildbach.services.pay.wallet.phrase import Phrase

PHRASE = Phrase(bytes(range(100, 116)))
PASS = "correct horse battery"
TO = Address(b"\x33" * 20)
TRX = 1_000_000


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keystore, "_N", 1 << 8)


async def balance(api: LocalApi) -> int:
    api.purse.look_again()
    funds = (await api.wallet()).funds
    assert funds is not None
    return funds.balance


async def sent(api: LocalApi, amount: int, memo: str = "") -> tuple[wm.WalletQuote, wm.WalletSend]:
    """To its end."""
    quote = await api.quote_wallet_send(wm.WalletQuoteRequest(str(TO), amount, memo))
    request = wm.WalletSendRequest(quote.id, PASS)
    async with asyncio.timeout(20):
        while (one := await api.send_from_wallet(request)).state in ("prepared", "pending"):
            await (await api.purse.wallet()).sends.poll(api.purse.chain())
    return quote, one


def test_a_send_costs_what_was_shown(tmp_path: Path) -> None:
    async def main() -> None:
        async with DevNode(None, Options(instant=True, lag=0)) as node:
            at = await node.listen("127.0.0.1", 0)
            url = f"http://{at.host}:{at.port}"
            async with client(tmp_path, chain__url=url, chain__counters=str(tmp_path / "counters")) as api:
                status = await api.import_wallet(wm.WalletImport(words=" ".join(PHRASE.words()), passphrase=PASS))
                assert status.funds is not None and not status.funds.activated
                await feed(url, Address.parse(status.address), 100 * TRX)
                left = await balance(api)
                assert left == 100 * TRX
                kinds = []
                for memo in ("", "", "thank you", "", ""):
                    quote, one = await sent(api, TRX, memo)
                    assert (one.state, one.fee) == ("confirmed", quote.fee)
                    left -= TRX + quote.fee
                    assert await balance(api) == left
                    kinds.append((bool(quote.activation), bool(quote.bandwidth), bool(quote.memo)))
                # The account is opened, today's bandwidth does for two, then bytes burn.
                assert kinds[0] == (True, False, False) and kinds[2][2]
                assert kinds[1] == (False, False, False) and kinds[4] == (False, True, False)
                assert (await api.purse.client().account(TO)).balance == 5 * TRX
    asyncio.run(main())
