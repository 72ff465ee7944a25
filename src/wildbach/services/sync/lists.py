"""Lists of what was accepted, as they lie in the data base of a folder: page by page, so one that is cut short goes on.

They may be long. What is in memory is bounded; to look a hash up one page is read at most. A list whose hashes do not
ascend accepts nothing, on all devices: it is what an owner signed, and not the fault of who sent it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Collection
from typing import Final

from wildbach.base import limits
from wildbach.protocol.sync.cuts import Accepted, lists_wanted
from wildbach.protocol.sync.listpages import PAGE_BYTES, Page, in_order, page_count, page_layer, page_size
from wildbach.protocol.sync.roster import HASH_BYTES, Cut
from wildbach.protocol.sync.rosters import View
from wildbach.services.sync.store import FolderStore

_PAGE: Final = "list page "
"And the root, and the number of the page."
_HEAD: Final = "list head "
"And the root: the count of hashes, then the layer."
_WHOLE: Final = "list whole "
"And the root: all pages are here. 1 where its hashes ascend."
_COUNT: Final = 8


class Lists:
    """Of one folder; in the thread of its store, but for `page`."""

    def __init__(self, store: FolderStore) -> None:
        self._store = store
        self._pages: OrderedDict[tuple[bytes, int], bytes] = OrderedDict()
        "Those that were used last, as many as memory is there for."
        self._held = 0
        self.whole: dict[bytes, _Whole] = {}
        "By root: those that are here, as `cuts.judge` takes them."
        for name, ascends in store.facts(_WHOLE).items():
            self._add(bytes.fromhex(name.removeprefix(_WHOLE)), ascends=ascends == b"1")

    def wanted(self, view: View) -> list[tuple[Cut, list[int]]]:
        """Lists that rosters name and that there is room for, with the numbers of the pages that are lacking."""
        self._forget({cut.root for each in view.cuts.values() for _, cut in each})
        room = limits.SYNC_LISTS_BYTES - self._stored()
        found: list[tuple[Cut, list[int]]] = []
        for cut in lists_wanted(view, self.whole):
            lacking = self._lacking(cut)
            room -= sum(page_size(cut.count, each) for each in lacking)
            if room < 0:
                break
            found.append((cut, lacking))
        return found

    def take(self, cut: Cut, number: int, page: Page) -> bool:
        """One that came, and was checked. True where the list is whole with it."""
        if cut.root in self.whole:
            return False
        self._put(cut.root, cut.count, number, page)
        whole = not self._lacking(cut)
        if whole:
            self._end(cut.root, cut.count)
        self._store.commit()
        return whole

    def keep(self, made: Accepted) -> None:
        """One that this device made: others will ask for it. It is written with the next commit."""
        root, content = made.root, made.content
        if not content or root in self.whole:
            return
        layer, count = page_layer(content), len(made.hashes)
        for number in range(page_count(count)):
            at = number * PAGE_BYTES
            self._put(root, count, number, Page(layer, content[at : at + PAGE_BYTES]))
        self._end(root, count)

    def page(self, root: bytes, count: int, number: int) -> Page:
        """For others; empty where it is not here. Also of a list that is not whole yet."""
        head = self._store.fact(_HEAD + root.hex())
        if head is None or int.from_bytes(head[:_COUNT], "big") != count:
            return Page(b"", b"")
        content = self._store.fact(_name(root, number))
        return Page(head[_COUNT:], content) if content is not None else Page(b"", b"")

    def read(self, root: bytes, number: int) -> bytes:
        """A page of a list that is whole."""
        key = root, number
        found = self._pages.get(key)
        if found is None:
            found = self._pages[key] = self._store.fact(_name(root, number)) or b""
            self._held += len(found)
            while self._held > limits.SYNC_LISTS_MEMORY and len(self._pages) > 1:
                _, old = self._pages.popitem(last=False)
                self._held -= len(old)
        self._pages.move_to_end(key)
        return found

    def firsts(self, root: bytes) -> list[bytes]:
        """The first hash of each page."""
        prefix = _PAGE + root.hex()
        return [first for (first,) in self._store.read(
            f"SELECT substr(value, 1, {HASH_BYTES}) FROM facts WHERE name > ? AND name < ? ORDER BY name",
            prefix + " ", prefix + "!")]

    def _put(self, root: bytes, count: int, number: int, page: Page) -> None:
        self._store.put_fact(_name(root, number), page.content)
        self._store.put_fact(_HEAD + root.hex(), count.to_bytes(_COUNT, "big") + page.layer)

    def _lacking(self, cut: Cut) -> list[int]:
        prefix = _PAGE + cut.root.hex() + " "
        here = {int(name.removeprefix(prefix)) for (name,) in self._store.read(
            "SELECT name FROM facts WHERE name > ? AND name < ?", prefix, prefix[:-1] + "!")}
        return [each for each in range(page_count(cut.count)) if each not in here]

    def _end(self, root: bytes, count: int) -> None:
        last, ascends = b"", True
        for number in range(page_count(count)):
            content = self._store.fact(_name(root, number)) or b""
            ascends = ascends and in_order(content, last)
            last = content[-HASH_BYTES:]
        self._store.put_fact(_WHOLE + root.hex(), b"1" if ascends else b"0")
        self._add(root, ascends=ascends)

    def _add(self, root: bytes, *, ascends: bool) -> None:
        self.whole[root] = _Whole(self, root, self.firsts(root) if ascends else [])

    def _stored(self) -> int:
        (size,) = self._store.read(
            "SELECT coalesce(sum(length(value)), 0) FROM facts WHERE name > ? AND name < ?", _PAGE, _PAGE[:-1] + "!")[0]
        return int(size)

    def _forget(self, named: Collection[bytes]) -> None:
        """Pages of lists that are not whole, and that no roster names which counts."""
        for name in self._store.facts(_HEAD):
            root = bytes.fromhex(name.removeprefix(_HEAD))
            if root in named or root in self.whole:
                continue
            self._store.put_fact(name, None)
            for (page,) in self._store.read(
                    "SELECT name FROM facts WHERE name > ? AND name < ?", f"{_PAGE}{root.hex()} ",
                    f"{_PAGE}{root.hex()}!"):
                self._store.put_fact(page, None)
        self._store.commit()


class _Whole:
    """The hashes that a list names: a `Container`."""

    def __init__(self, lists: Lists, root: bytes, firsts: list[bytes]) -> None:
        self._lists = lists
        self._root = root
        self._firsts = firsts

    def __contains__(self, hash_of_entry: object) -> bool:
        if not isinstance(hash_of_entry, bytes):
            return False
        number = bisect_right(self._firsts, hash_of_entry) - 1
        if number < 0:
            return False
        page = self._lists.read(self._root, number)

        def each(at: int) -> bytes:
            return page[at * HASH_BYTES : (at + 1) * HASH_BYTES]

        at = bisect_left(range(len(page) // HASH_BYTES), hash_of_entry, key=each)
        return each(at) == hash_of_entry


def _name(root: bytes, number: int) -> str:
    return f"{_PAGE}{root.hex()} {number:06d}"
