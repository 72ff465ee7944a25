"""The wallet of a daemon, and the chain it is on.

Off until somebody makes a wallet: before that no node is asked anything but which chain it is of, and that only when
one is being made. Mainnet takes the setting and words that a person typed; they are remembered, so that what was sent
is followed to its end after a restart.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

from wildbach.base import limits
from wildbach.base.errors import FormatError, NetworkError, RemoteError, StorageError, UsageError, WildbachError
from wildbach.disk.shelf import Shelf
from wildbach.interfaces.paychain import WalletChain, signing_keys
from wildbach.protocol.tron.address import Address
from wildbach.runtime.rng import Rng
from wildbach.runtime.tasks import Scope
from wildbach.runtime.workers import Threads
from wildbach.services.chain.answers import Account, Block, Resources
from wildbach.services.chain.client import ChainClient
from wildbach.services.chain.examining import MEMORY, Memory
from wildbach.services.chain.networks import CONFIRMATION, DEV, KNOWN, MAINNET, Choice, check_consent, chosen
from wildbach.services.chain.nodes import Poster
from wildbach.services.chain.settings import ChainSettings
from wildbach.services.pay.wallet.wallet import Facts, Wallet, is_there

AREA: Final = "wallet"
"Of what is kept beside the torrents: who agreed to mainnet, which chain a wallet began on, when a copy was made."
_CONSENT: Final = "consent"
_CHAIN: Final = "chain:"
_COPIED: Final = "copied:"
_FRESH: Final = 3.0
"Seconds for which an answer of the chain is shown again."
_PATIENCE: Final = 4.0
"Seconds that who looks waits for the chain."
_AGAIN: Final = 60.0
"Seconds after a fault of the disk."


class Keeper(Protocol):
    """Keeps a few values beside the torrents: a session."""

    async def kept(self, area: str) -> dict[str, bytes]: ...

    async def keep(self, area: str, changes: Mapping[str, bytes | None], *, durable: bool = False) -> None: ...


@dataclass(frozen=True, slots=True)
class Funds:
    """What the chain says of the wallet's address, in blocks that cannot be undone."""

    account: Account
    resources: Resources
    block: Block
    signers: tuple[Address, ...] | None = None
    "The keys that sign for it in the vault; None where no vault is configured, or it does not tell."


@dataclass(slots=True)
class _Seen:
    """What was last heard of the chain, or why nothing was."""

    funds: Funds | None = None
    error: WildbachError | None = None
    at: float = float("-inf")


class Purse:
    """`folder`: of the wallet, in the data directory. `wall`: seconds since 1970. `http` is asked for when a node is
    to be called.
    """

    def __init__(
        self, settings: ChainSettings, folder: Path, keeper: Keeper, http: Callable[[], Poster], scope: Scope,
        threads: Threads, rng: Rng, report: Callable[[Exception], None], *, wall: Callable[[], float] = time.time,
    ) -> None:
        self.settings = settings
        self.threads = threads
        "One: what takes memory to try a passphrase happens once at a time."
        self.wall = wall
        self._folder = folder
        self._keeper = keeper
        self._http = http
        self._scope = scope
        self._rng = rng
        self._report = report
        self._kept: dict[str, bytes] = {}
        self._opening = asyncio.Lock()
        self._wallet: Wallet | None = None
        self._client: ChainClient | None = None
        self._seen = _Seen()
        self._looking = False
        self._looked = asyncio.Event()
        self._asking = 0
        self._present = False

    async def begin(self) -> None:
        """Open the wallet, where there is one, and follow what it sent. Nothing waits for that; what is wrong with it
        is said when it is asked for.
        """
        self._kept = await self._keeper.kept(AREA)
        if await self.exists():
            self._scope.spawn("wallet:begin", self._begin(), contain=self._report)

    async def _begin(self) -> None:
        # Where no node says which chain this is, whoever looks asks again.
        with contextlib.suppress(NetworkError, UsageError):
            await self.wallet()

    def close(self) -> None:
        if self._wallet is not None:
            self._wallet.close()
            self._wallet = None

    # -- which chain

    @property
    def consent(self) -> str:
        """What a person has to type still; empty where nothing is missing."""
        said = self._kept.get(_CONSENT, b"").decode()
        return CONFIRMATION if self.settings.network == MAINNET.name and said != CONFIRMATION else ""

    async def agree(self, words: str) -> None:
        """A person typed this. Raises UsageError where it is not what was asked for, or nothing was."""
        if not self.consent:
            raise UsageError("this network asks for no confirmation", code="not_needed")
        check_consent(MAINNET, self.settings.allow_mainnet, words)
        await self._keep(_CONSENT, CONFIRMATION.encode())

    def choice(self) -> Choice:
        """What the settings say; a chain that the wallet began on is the only one that may answer. Raises UsageError.
        """
        return self._on_our_chain(chosen(self.settings, self._kept.get(_CONSENT, b"").decode()))

    def _on_our_chain(self, choice: Choice) -> Choice:
        network = choice.network
        pinned = self._kept.get(f"{_CHAIN}{network.name}", b"")
        if network.chain_id is None and pinned and self._present:
            return replace(choice, network=replace(network, chain_id=int(pinned, 16)))
        return choice

    @property
    def chain_id(self) -> int | None:
        """None where it is not known without asking. Raises UsageError for settings that cannot be."""
        return self._on_our_chain(chosen(self.settings, CONFIRMATION)).network.chain_id

    def client(self) -> ChainClient:
        """Raises UsageError where it may not be asked, or the settings cannot be."""
        if self._client is None:
            self._client = ChainClient(
                self._http(), self.choice(), wall=self.wall, pause=asyncio.sleep, rng=self._rng)
        return self._client

    def chain(self) -> WalletChain:
        return WalletChain(self.client())

    # -- the wallet

    async def wallet(self) -> Wallet:
        """Raises UsageError, code `no_wallet`, where there is none; StorageError."""
        async with self._opening:
            if self._wallet is None:
                if not await self.exists():
                    raise UsageError("there is no wallet here: make one, or import one", code="no_wallet")
                number = self.chain_id
                if number is None:
                    # A data directory of elsewhere: from now on it is this chain.
                    number = await self.client().start()
                    await self._keep(f"{_CHAIN}{self.settings.network}", f"{number:08x}".encode())
                await self._opened(self._made(number))
            return _there(self._wallet)

    async def exists(self) -> bool:
        self._present = await self.threads.run(is_there, self._folder)
        return self._present

    async def make(self, how: Callable[[Wallet], Awaitable[Facts]], *, copied: bool) -> Wallet:
        """A wallet where there is none. `copied`: whoever makes it has it on paper or in a file already. Raises
        UsageError, StorageError; NetworkError where it has to be asked which chain this is, and nobody answers.
        """
        async with self._opening:
            if await self.exists():
                raise UsageError("there is a wallet here already", code="wallet_exists")
            # Another one may answer than the last time: nothing depends on it yet.
            self._client = None
            client, network = self.client(), self.choice().network
            number = network.chain_id if network.chain_id is not None else await client.start()
            await self._keep(f"{_CHAIN}{network.name}", f"{number:08x}".encode())
            wallet = self._made(number)
            facts = await how(wallet)
            if copied:
                await self.copied(facts.address)
            await self._opened(wallet)
            return wallet

    def _made(self, chain_id: int) -> Wallet:
        network = self.settings.network
        return Wallet(
            self._folder, self._mirrors(), chain_id, self.threads, self.wall, play=network == DEV.name,
            # Only a chain for development has a clock that is moved by hand.
            skew=None if network == DEV.name else 3600.0)

    async def _opened(self, wallet: Wallet) -> None:
        await wallet.load()
        self._wallet, self._present = wallet, True
        self._scope.spawn("wallet", self._follow(wallet), contain=self._report)

    async def _follow(self, wallet: Wallet) -> None:
        """What was sent, to its end."""
        def chain() -> WalletChain | None:
            try:
                return self.chain()
            except UsageError:
                return None  # not agreed to yet, or settings that cannot be: who looks is told

        while True:
            try:
                await wallet.sends.run(chain)
            except StorageError as error:
                self._report(error)
                await asyncio.sleep(_AGAIN)

    def _mirrors(self) -> Path:
        """Raises UsageError where it is in the data directory, with which it would be restored."""
        given = self.settings.counters
        base = os.environ.get("XDG_DATA_HOME", "")
        home = Path(base) if os.path.isabs(base) else Path.home() / ".local" / "share"
        place = Path(given).expanduser() if given else home / "wildbach" / "wallet"
        if place.absolute().is_relative_to(self._folder.parent.absolute()):
            raise UsageError(
                "chain.counters is to be outside the data directory, with which it would be restored",
                code="bad_setting", key="chain.counters")
        return place

    # -- what is remembered beside it

    def copied_at(self, address: Address) -> int:
        return int(self._kept.get(f"{_COPIED}{address}", b"0"))

    async def copied(self, address: Address) -> None:
        """A copy was made, or paper was seen to be right."""
        await self._keep(f"{_COPIED}{address}", str(int(self.wall())).encode())

    async def _keep(self, name: str, value: bytes) -> None:
        await self._keeper.keep(AREA, {name: value}, durable=True)
        self._kept[name] = value

    @contextlib.contextmanager
    def asking(self) -> Iterator[None]:
        """While a passphrase is tried or chosen. Raises UsageError, code `busy`, where too many are."""
        if self._asking >= limits.WALLET_ASKING:
            raise UsageError("limits.WALLET_ASKING passphrases are being tried: one moment", code="busy")
        self._asking += 1
        try:
            yield
        finally:
            self._asking -= 1

    async def examined(self) -> int:
        """When a node of this network last answered as expected, in seconds since 1970: `wildbach chain check` notes
        it. 0 where nobody has looked, or it did not.
        """
        memory = Memory(Shelf(self._folder.parent / MEMORY))
        try:
            found = await self.threads.run(memory.of, KNOWN[self.settings.network])
        except StorageError:
            return 0
        return found.last_passed if found is not None else 0

    # -- looking

    async def funds(self, address: Address) -> tuple[Funds | None, WildbachError | None]:
        """What was last heard, and what went wrong since; who asks waits a little and never long."""
        now = asyncio.get_running_loop().time
        if not self._looking and now() - self._seen.at >= _FRESH:
            self._looking = True
            self._looked.clear()
            self._scope.spawn("wallet:funds", self._look(address), contain=self._report)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                await self._looked.wait()
        return self._seen.funds, self._seen.error

    def look_again(self) -> None:
        """What is known is not fresh any more."""
        self._seen.at = float("-inf")

    async def _look(self, address: Address) -> None:
        try:
            client = self.client()
            self._seen.funds = Funds(await client.account(address), await client.resources(address),
                                     await client.solid(), await self._signers(client, address))
            self._seen.error = None
        except WildbachError as error:
            self._seen.error = error
        finally:
            self._seen.at = asyncio.get_running_loop().time()
            self._looking = False
            self._looked.set()


    async def _signers(self, client: ChainClient, address: Address) -> tuple[Address, ...] | None:
        if self.choice().vault is None:
            return None
        try:
            return await signing_keys(client, address)
        except (NetworkError, RemoteError, FormatError):
            return None  # what is there is no vault, or does not answer: what is on the account is told all the same


def _there(wallet: Wallet | None) -> Wallet:
    if wallet is None:
        raise UsageError("there is no wallet here: make one, or import one", code="no_wallet")
    return wallet
