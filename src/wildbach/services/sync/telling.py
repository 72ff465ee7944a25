"""What devices tell each other of a folder's rosters, and who is told of nothing else.

A member with the secrets that hold gets all. So does one that was away and has those of before: the new ones are in the
rosters, sealed to it; files come when it proves these. Who was taken out gets the rosters that say so and what they
follow, none that was made later. Who is on no roster here is heard, as it may have come while this device was away, and
learns nothing but the names of the newest ones.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from wildbach.base import limits
from wildbach.base.ids import DeviceId
from wildbach.protocol.sync.messages import RosterHeads, Rosters, RosterWanted
from wildbach.protocol.sync.roster import roster_hash
from wildbach.services.sync.membership import Membership
from wildbach.services.sync.session import FolderMessage, Link

_MOST: Final = 64
"That are sent in one message, where they are small."

RosterMessage = RosterHeads | RosterWanted | Rosters


class Telling:
    """Of one folder. For its thread."""

    def __init__(self, membership: Membership) -> None:
        self._membership = membership

    def heads(self, link: Link) -> RosterHeads:
        """What is said first, and when other rosters count."""
        gone = self._gone(link)
        return RosterHeads(link.tag, self._membership.rosters.removals(gone) if gone else self._membership.view.heads)

    def news(self, link: Link) -> RosterMessage:
        """The same for who was connected as a member. Who is one no more can ask for nothing soon, and is to know why
        nothing comes.
        """
        rosters, gone = self._membership.rosters, self._gone(link)
        if gone is None:
            return RosterHeads(link.tag, self._membership.view.heads)
        return Rosters(link.tag, _fitting(
            [raw for each in rosters.removals(gone) if (raw := rosters.raw(each)) is not None]))

    def heard(self, link: Link, message: RosterMessage) -> tuple[list[RosterMessage], bool]:
        """What is answered, and whether other rosters count now. Raises FormatError, StorageError."""
        rosters = self._membership.rosters
        match message:
            case RosterHeads():
                unknown = tuple(each for each in message.heads if each not in rosters)
                if unknown:
                    return [RosterWanted(link.tag, unknown)], False
                newer = self._may_have(link, message.heads)
                return [Rosters(link.tag, _fitting(newer))] if newer else [], False
            case RosterWanted():
                found = [raw for each in dict.fromkeys(message.hashes) if (raw := rosters.raw(each)) is not None]
                if not self._member(link):
                    may = {roster_hash(raw) for raw in self._may_have(link)}
                    found = [raw for raw in found if roster_hash(raw) in may]
                return [Rosters(link.tag, _fitting(found))] if found else [], False
            case Rosters():
                new = self._membership.take(message.rosters)
                wanted = rosters.wanted
                return [RosterWanted(link.tag, wanted)] if wanted else [], new

    def _member(self, link: Link) -> bool:
        return self._membership.by_exchange(link.session.exchange) is not None

    def _gone(self, link: Link) -> DeviceId | None:
        """It was in the folder once, and is not any more."""
        return None if self._member(link) else self._membership.was(link.session.exchange)

    def _may_have(self, link: Link, has: Sequence[bytes] = ()) -> tuple[bytes, ...]:
        """Without those that it has, and what these follow."""
        rosters = self._membership.rosters
        if self._member(link):
            return rosters.after(has)
        gone = self._gone(link)
        return rosters.after(has, rosters.removals(gone)) if gone else ()


class Lobby:
    """Links with who is told of rosters alone: a `session.Ear`. For the loop.

    `greet`: has a link greeted. `ask`: takes what was heard of rosters; then the link's session waits.
    """

    def __init__(self, greet: Callable[[Link], None], ask: Callable[[Link, FolderMessage], None]) -> None:
        self._greet = greet
        self._ask = ask
        self._links: dict[Link, None] = {}

    def __contains__(self, link: object) -> bool:
        return link in self._links

    @property
    def links(self) -> list[Link]:
        return list(self._links)

    @property
    def greeted(self) -> list[Link]:
        """Those on which something is said before it was asked."""
        return [link for link in self._links if link.first]

    def met(self, link: Link) -> None:
        self._links[link] = None
        if link.first:
            self._greet(link)

    def parted(self, link: Link) -> None:
        self._links.pop(link, None)

    def heard(self, link: Link, message: FolderMessage) -> None:
        self._ask(link, message)

    def drained(self, link: Link) -> None:
        """Little is said here, and nothing waits for room."""


def _fitting(rosters: Sequence[bytes]) -> tuple[bytes, ...]:
    """As many of them, from the first one, as one message takes; who got them asks for more."""
    found: list[bytes] = []
    size = 0
    for raw in rosters[:_MOST]:
        size += len(raw)
        if found and size > limits.MIB:
            break
        found.append(raw)
    return tuple(found)
