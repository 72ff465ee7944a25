"""What of a torrent can be played: its videos, or its audio where it has none, in the order people watch them, each
with its subtitles.

Samples and trailers come last. Nothing here depends on what has been downloaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from wildbach.base import limits
from wildbach.services.stream import names
from wildbach.services.stream.kinds import Kind, type_of
from wildbach.services.stream.names import Episode

_SMALL: Final = 0.25
"What calls itself a sample and is smaller than that share of the longest file is one."
_SPECIAL_SEASON: Final = 0


@dataclass(frozen=True, slots=True)
class Named:
    """A file of a torrent."""

    index: int
    path: tuple[str, ...]
    "From the torrent's own folder."
    size: int


@dataclass(frozen=True, slots=True)
class Subtitle:
    index: int
    path: tuple[str, ...]
    size: int
    language: str
    "As in BCP 47; empty where its name does not say."
    forced: bool
    hearing: bool
    "For who does not hear."


@dataclass(frozen=True, slots=True)
class Playable:
    index: int
    path: tuple[str, ...]
    size: int
    kind: Kind
    mime: str
    episode: Episode | None
    extra: bool
    "A sample, a trailer or the like."
    subtitles: tuple[Subtitle, ...] = ()


def playables(files: Iterable[Named]) -> tuple[Playable, ...]:
    """All that plays, in order. Of a torrent with very many files only the first `limits.PLAY_FILES` are looked at."""
    videos: list[Named] = []
    audio: list[Named] = []
    texts: list[Named] = []
    for number, file in enumerate(files):
        if number >= limits.PLAY_FILES:
            break
        match type_of(file.path[-1]).kind:
            case Kind.VIDEO:
                videos.append(file)
            case Kind.AUDIO:
                audio.append(file)
            case Kind.SUBTITLE:
                texts.append(file)
            case _:
                continue
    largest = max((file.size for file in videos), default=0)
    found = [_playable(file, Kind.VIDEO, largest) for file in videos]
    mine = _subtitles(found, texts)
    found = [_with(one, mine.get(one.index, [])) for one in found]
    found += [_playable(file, Kind.AUDIO, 0) for file in audio]
    has_video = any(not one.extra for one in found if one.kind is Kind.VIDEO)
    return tuple(sorted(found, key=_order(has_video)))


def _playable(file: Named, kind: Kind, largest: int) -> Playable:
    extra = kind is Kind.VIDEO and names.is_extra(file.path) and (
        names.in_extras(file.path) or file.size < _SMALL * largest)
    return Playable(
        file.index, file.path, file.size, kind, type_of(file.path[-1]).mime,
        names.episode_of(file.path) if kind is Kind.VIDEO else None, extra)


def _with(one: Playable, texts: list[Subtitle]) -> Playable:
    texts.sort(key=lambda text: (text.language, text.forced, text.hearing, names.natural(text.path)))
    return Playable(
        one.index, one.path, one.size, one.kind, one.mime, one.episode, one.extra,
        tuple(texts[:limits.PLAY_SUBTITLES]))


def _order(has_video: bool) -> Callable[[Playable], tuple[object, ...]]:
    def key(one: Playable) -> tuple[object, ...]:
        episode = one.episode
        # Specials of a series come behind its seasons, and what is of no episode behind those that are.
        place = (2, 0, 0) if episode is None else (
            (1, 0, episode.number) if episode.season == _SPECIAL_SEASON else (0, episode.season, episode.number))
        return one.extra, has_video and one.kind is Kind.AUDIO, place, names.natural(one.path), one.index

    return key


def best(found: Sequence[Playable], done: Callable[[Playable], bool] = lambda one: False) -> Playable | None:
    """What to begin with where nobody says: the first episode that was not seen, or the longest film, or the first
    track.
    """
    main = [one for one in found if not one.extra] or list(found)
    if not main:
        return None
    fresh = [one for one in main if not done(one)] or main
    if fresh[0].kind is Kind.AUDIO or sum(one.episode is not None for one in main) > 1:
        return fresh[0]
    return max(fresh, key=lambda one: (one.kind is Kind.VIDEO, one.size))


def after(found: Sequence[Playable], index: int) -> Playable | None:
    """What is played next; None at the end, and behind a sample."""
    place = next((number for number, one in enumerate(found) if one.index == index), None)
    if place is None or place + 1 >= len(found) or found[place].extra:
        return None
    following = found[place + 1]
    return following if following.kind is found[place].kind and not following.extra else None


# -- subtitles

def _subtitles(videos: Sequence[Playable], texts: Sequence[Named]) -> dict[int, list[Subtitle]]:
    """By the index of the video."""
    main = [one for one in videos if not one.extra]
    by_stem: dict[str, list[Playable]] = {}
    by_episode: dict[Episode, list[Playable]] = {}
    by_folder: dict[tuple[str, ...], list[Playable]] = {}
    for one in videos:
        by_stem.setdefault(_stem(one.path), []).append(one)
        if one.episode is not None:
            by_episode.setdefault(one.episode, []).append(one)
        if not one.extra:
            by_folder.setdefault(one.path[:-1], []).append(one)
    found: dict[int, list[Subtitle]] = {}
    for text in texts:
        stem = _stem(text.path)
        owner, rest = _by_stem(by_stem, text.path, stem)
        if owner is None:
            rest = names.words_of(stem)
            episode = names.episode_of(text.path)
            same = by_episode.get(episode, []) if episode is not None else []
            owner = _nearest(same, text.path) if same else None
        if owner is None and len(main) == 1:
            owner = main[0]
        if owner is None:
            here = by_folder.get(text.path[:-1]) or by_folder.get(text.path[:-2]) if len(text.path) > 1 else None
            owner = here[0] if here is not None and len(here) == 1 else None
        if owner is not None:
            tongue = names.tongue_of(rest)
            found.setdefault(owner.index, []).append(Subtitle(text.index, text.path, text.size, *tongue))
    return found


def _stem(path: Sequence[str]) -> str:
    return names.stem_of(path[-1]).lower()


def _by_stem(
    by_stem: dict[str, list[Playable]], path: tuple[str, ...], stem: str,
) -> tuple[Playable | None, list[str]]:
    """The video whose name the subtitle has, or that of the folder it is in (`Subs/Show.S01E01/2_English.srt`), and
    the words that are left.
    """
    cut = stem
    for _ in range(8):
        if cut in by_stem:
            return _nearest(by_stem[cut], path), names.words_of(stem[len(cut):])
        shorter = max(cut.rfind(mark) for mark in ".-_ [(")
        if shorter <= 0:
            break
        cut = cut[:shorter].rstrip(" .-_[(")
    folder = path[-2].lower() if len(path) > 1 else ""
    if folder in by_stem:
        return _nearest(by_stem[folder], path), names.words_of(stem)
    return None, []


def _nearest(videos: Sequence[Playable], path: Sequence[str]) -> Playable:
    """Of several that would do, the one that shares most folders with it."""
    def shared(one: Playable) -> int:
        count = 0
        for mine, other in zip(one.path[:-1], path[:-1], strict=False):
            if mine != other:
                break
            count += 1
        return count

    return max(videos, key=lambda one: (not one.extra, shared(one), -one.index))
