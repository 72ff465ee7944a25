"""What file names say: which episode it is, in which order people want them, which language a subtitle is in, and
whether it is only a sample.

Names are anybody's invention: whatever they are, these functions give an answer and take time in proportion to
`limits.PLAY_NAME_CHARS` characters of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

from wildbach.base import limits


class Episode(NamedTuple):
    """Of a series."""

    season: int
    number: int
    last: int
    "The last one in the same file."


Part = tuple[int, int, str]
"A number, or a word: all of these can be compared with each other."

_EPISODE: Final = re.compile(
    r"(?<![a-z0-9])s(\d{1,4})[ ._-]{0,3}e(?:p[ ._-]?)?(\d{1,4})(?:(?:[ ._-]{0,3}e|-)(\d{1,4})(?![0-9a-z]))?(?!\d)"
    r"|(?<![a-z0-9])(\d{1,2})x(\d{2,3})(?:-(?:\d{1,2}x)?(\d{2,3})(?![0-9a-z]))?(?![0-9a-z])",
    re.ASCII | re.IGNORECASE)
_NUMBER_ONLY: Final = re.compile(
    r"(?<![a-z0-9])(?:e|ep|episode|folge)[ ._-]{0,3}(\d{1,4})(?![0-9a-z])", re.ASCII | re.IGNORECASE)
_SEASON: Final = re.compile(
    r"(?<![a-z0-9])(?:s|season|series|staffel|saison)[ ._-]{0,3}(\d{1,4})(?![0-9a-z])", re.ASCII | re.IGNORECASE)
_SPECIALS: Final = frozenset(("specials", "special"))
_LEADING: Final = re.compile(r"(\d{1,3})(?=[ ._-]|$)", re.ASCII)
_DIGITS: Final = re.compile(r"(\d+)", re.ASCII)
_WORDS: Final = re.compile(r"[^\W_]+")
_LONG: Final = 15
"Digits that are taken for a number."

_EXTRA: Final = frozenset(("sample", "trailer", "trailers", "teaser", "preview", "promo", "proof"))
_EXTRA_FOLDERS: Final = _EXTRA | frozenset((
    "samples", "extras", "extra", "bonus", "featurettes", "featurette", "deleted", "interviews", "previews"))

_LANGUAGES: Final[dict[str, str]] = {
    word: code for code, words in (
        ("ar", "ar ara arabic"), ("bg", "bg bul bulgarian"), ("ca", "ca cat catalan"), ("cs", "cs cze ces czech"),
        ("da", "da dan danish dansk"), ("de", "de ger deu german deutsch"), ("el", "el gre ell greek"),
        ("en", "en eng english"), ("es", "es spa spanish espanol español castellano"), ("et", "et est estonian"),
        ("fa", "fa per fas persian farsi"), ("fi", "fi fin finnish suomi"),
        ("fr", "fr fre fra french francais français"), ("he", "he heb hebrew"), ("hi", "hin hindi"),
        ("hr", "hr hrv croatian"), ("hu", "hu hun hungarian magyar"), ("id", "id ind indonesian"),
        ("it", "it ita italian italiano"), ("ja", "ja jpn japanese jp"), ("ko", "ko kor korean"),
        ("lt", "lt lit lithuanian"), ("lv", "lv lav latvian"), ("ms", "ms may msa malay"),
        ("nb", "nb nob no nor norwegian norsk"), ("nl", "nl dut nld dutch nederlands"), ("pl", "pl pol polish polski"),
        ("pt", "pt por portuguese portugues português"), ("pt-BR", "ptbr pob brazilian"),
        ("ro", "ro rum ron romanian"), ("ru", "ru rus russian"), ("sk", "sk slo slk slovak"),
        ("sl", "sl slv slovenian"), ("sr", "sr srp serbian"), ("sv", "sv swe swedish svenska"), ("th", "th tha thai"),
        ("tr", "tr tur turkish"), ("uk", "uk ukr ukrainian"), ("vi", "vi vie vietnamese"),
        ("zh", "zh chi zho chinese chs cht"),
    ) for word in words.split()
}
_FORCED: Final = frozenset(("forced", "foreign"))
_HEARING: Final = frozenset(("sdh", "cc", "hi"))


class Tongue(NamedTuple):
    """What a name says of the language of a subtitle."""

    language: str
    "As in BCP 47: `en`; empty where it is not said."
    forced: bool
    "Only what is spoken in another language."
    hearing: bool
    "For who does not hear."


def stem_of(name: str) -> str:
    """Without the ending; whole where there is none."""
    stem, dot, _ = name.rpartition(".")
    return stem if dot and stem else name


def words_of(text: str) -> list[str]:
    return _WORDS.findall(text[:limits.PLAY_NAME_CHARS].lower())


def natural(path: Sequence[str]) -> tuple[tuple[Part, ...], ...]:
    """A key that sorts as people count: `2` before `10`, whatever the case."""
    return tuple(tuple(_parts(name)) for name in path)


def _parts(name: str) -> list[Part]:
    found: list[Part] = []
    for index, part in enumerate(_DIGITS.split(name.lower())):
        if index % 2 and len(part) <= _LONG:
            found.append((0, int(part), part))
        elif part:
            found.append((1, 0, part))
    return found


def episode_of(path: Sequence[str]) -> Episode | None:
    """By the name of the file, or the names of its folders where it has only a number. None where it is of none."""
    name = stem_of(path[-1])[:limits.PLAY_NAME_CHARS]
    # What stands last: a series may have something alike in its own name.
    found = next(iter(reversed(list(_EPISODE.finditer(name)))), None)
    if found is not None:
        season, number, last = (int(found[1]), int(found[2]), found[3]) if found[1] else (
            int(found[4]), int(found[5]), found[6])
        return Episode(season, number, max(number, int(last)) if last else number)
    season_here = _season_of(path[:-1])
    by_word = _NUMBER_ONLY.search(name)
    if by_word is not None:
        within = _SEASON.search(name)
        number = int(by_word[1])
        return Episode(int(within[1]) if within is not None else season_here if season_here is not None else 1, number,
                       number)
    leading = _LEADING.match(name)
    if leading is not None and season_here is not None:
        return Episode(season_here, int(leading[1]), int(leading[1]))
    return None


def _season_of(folders: Sequence[str]) -> int | None:
    for folder in reversed(folders):
        folder = folder[:limits.PLAY_NAME_CHARS]
        found = _SEASON.search(folder)
        if found is not None:
            return int(found[1])
        if folder.lower() in _SPECIALS:
            return 0
    return None


def is_extra(path: Sequence[str]) -> bool:
    """A sample, a trailer or the like, as far as names tell. A film may be called so: `playables` looks at sizes too.
    """
    return in_extras(path) or not _EXTRA.isdisjoint(words_of(stem_of(path[-1])))


def in_extras(path: Sequence[str]) -> bool:
    """It is in a folder for such things."""
    return any(not _EXTRA_FOLDERS.isdisjoint(words_of(folder)[:2]) for folder in path[:-1])


def tongue_of(words: Sequence[str]) -> Tongue:
    """By the words of a name that are left when the name of the video is taken off."""
    language = ""
    for word in words:
        language = _LANGUAGES.get(word, language)
    if "pt" in words and "br" in words:
        language = "pt-BR"
    # `hi` is Hindi nearly nowhere; beside a language it says for whom the subtitle is.
    return Tongue(language, not _FORCED.isdisjoint(words), not _HEARING.isdisjoint(words))
