"""Our own address as the rest of the world sees it, by votes: nobody else can tell, and anybody may lie.

Trackers (BEP 24), peers (`yourip` of BEP 10), DHT nodes (`ip` of BEP 42) and the router each say what they see. One
network has one vote, its last, so that whoever owns one address block cannot outvote the rest.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable

from wildbach.base import addresses, limits
from wildbach.base.addresses import Reach, classify, neighbourhood

_RANK = {Reach.GLOBAL: 2, Reach.PRIVATE: 1, Reach.LOCAL: 0}

Heard = Callable[[str], None]
"Takes the address that is believed from now on."


class ExternalAddress:
    """The votes, by IP version."""

    __slots__ = ("_believed", "_heard", "_votes", "families")

    def __init__(self) -> None:
        self.families: tuple[int, ...] = ()
        "The IP versions that peers can call us by."
        self._votes: dict[int, OrderedDict[str, str]] = {4: OrderedDict(), 6: OrderedDict()}
        self._believed: dict[int, str] = {}
        self._heard: list[Heard] = []

    def subscribe(self, heard: Heard) -> None:
        """Be told of each address that is believed anew."""
        self._heard.append(heard)

    def get(self, family: int) -> str:
        """The address that is believed, 4 or 6; empty while nobody said anything of use."""
        return self._believed.get(family, "")

    def callable_at(self, family: int) -> str:
        """The address to tell others of, where we accept peers at one of this IP version."""
        believed = self.get(family)
        return believed if family in self.families and classify(believed) is Reach.GLOBAL else ""

    @property
    def addresses(self) -> tuple[str, ...]:
        """Those that are believed, at most one an IP version."""
        return tuple(self._believed[family] for family in sorted(self._believed))

    def forget(self) -> None:
        """We are somewhere else now: what was said of the address before says nothing any more."""
        for votes in self._votes.values():
            votes.clear()
        self._believed.clear()

    def vote(self, address: str, voter: str) -> None:
        """`voter`, a literal address, sees us at `address`. What nobody could be called at is no vote; and whoever is
        on the Internet cannot see that we are in a private network.
        """
        parsed = addresses.parse(address)
        if parsed is None:
            return
        reach = classify(str(parsed))
        judge = classify(voter)
        if reach is Reach.FORBIDDEN or (reach is not Reach.GLOBAL and reach is not judge):
            return
        self._count(parsed.version, str(parsed), neighbourhood(voter))

    def router_says(self, address: str) -> None:
        """Our router tells the address it has. One that is not of the Internet says that another router is before it:
        no vote.
        """
        parsed = addresses.parse(address)
        if parsed is not None and classify(str(parsed)) is Reach.GLOBAL:
            self._count(parsed.version, str(parsed), "router")

    def dht_says(self, address: str) -> None:
        """Nodes of the DHT in several networks agree on our address (BEP 42): together they have one vote."""
        parsed = addresses.parse(address)
        if parsed is not None and classify(str(parsed)) is Reach.GLOBAL:
            self._count(parsed.version, str(parsed), "dht")

    def _count(self, family: int, address: str, network: str) -> None:
        votes = self._votes[family]
        votes[network] = address
        votes.move_to_end(network)
        if len(votes) > limits.EXTERNAL_VOTERS:
            votes.popitem(last=False)
        counted = Counter(votes.values())
        before = self._believed.get(family, "")
        # Of equally many, the one that is believed stays, then the one that was named last.
        best = max(reversed(votes.values()), key=lambda text: (_RANK[classify(text)], counted[text], text == before))
        if best != before:
            self._believed[family] = best
            for heard in self._heard:
                heard(best)
