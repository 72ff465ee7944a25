"""The pages that the gateway itself shows: the question before a site is fetched, how far it is, and what is wrong.

They stand on the site's own address, and none of them runs a script, loads anything, or may be framed. All that
comes from
elsewhere is escaped.
"""

from __future__ import annotations

import html
from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Final

from wildbach.net.httpd import Response

_STYLE: Final = """
:root{color-scheme:light dark}
body{font:16px/1.5 system-ui,sans-serif;max-width:38rem;margin:10vh auto;padding:0 1rem}
code{word-break:break-all}
progress{width:100%}
dt{opacity:.7}dd{margin:0 0 .5rem}
button{font:inherit;padding:.5rem 1.2rem;visibility:hidden;animation:wait 0s 1.2s forwards}
@keyframes wait{to{visibility:visible}}
"""
# The button comes late: a page that opened this one under a click must not get that click as a yes.
_POLICY: Final = "; ".join((
    "default-src 'none'", f"style-src 'sha256-{b64encode(sha256(_STYLE.encode()).digest()).decode()}'",
    "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'",
))
# With no referrer at all browsers would not say which page the answer to a question comes from.
HEADERS: Final = {
    "X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin", "Cross-Origin-Opener-Policy": "same-origin",
    "Content-Security-Policy": _POLICY, "Cache-Control": "no-store", "X-DNS-Prefetch-Control": "off",
    "Origin-Agent-Cluster": "?1", "Vary": "Accept-Language",
}

_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "en": {
        "ask": "Fetch this site?",
        "ask_text":
            "This site was never opened here. It has no server: it is fetched from other people's computers, and "
            "yours gives it to others from then on. They can see your address.",
        "ask_yes": "Fetch and seed",
        "ask_no": "If you did not want to come here, close this page: nothing has been asked or fetched.",
        "key": "Key",
        "most": "Fetched without asking again, up to",
        "large": "This version is large",
        "large_text": "It has {size}. Nobody said yes to that yet.",
        "large_yes": "Fetch all the same",
        "coming": "The site is coming",
        "coming_text": "This page shows it as soon as it is here.",
        "gone": "The site does not come",
        "gone_text": "Nobody who was asked gave it so far. They are asked again and again, and this page shows the "
        "site as soon as it is here. Whoever published it has to be online, or somebody who has read it.",
        "tried": "What was tried",
        "heard": "Last heard of",
        "never": "never",
        "ago": "{age} ago",
        "number": "Version",
        "here": "Here",
        "peers": "Connected to",
        "peers_of": "{peers} peers, {seeds} of them have all of it",
        "missing": "There is no such page",
        "missing_text": "This site has no such file.",
        "unknown_version": "This version is not known here",
        "unknown_version_text": "Versions can be shown of sites that were opened here. Open the site by its key first.",
        "stopped": "It cannot be shown now",
        "off": "Sites are switched off (sites.enabled).",
        "list": "Files in {path}",
        "up": "up",
        "expired": "Too late",
        "expired_text": "The question was open for too long, or was answered already.",
        "again": "Ask again",
        "seconds": "{n} seconds",
        "minutes": "{n} minutes",
        "hours": "{n} hours",
        "days": "{n} days",
    },
    "de": {
        "ask": "Diese Seite holen?",
        "ask_text":
            "Diese Seite wurde hier noch nie geöffnet. Sie hat keinen Server: Sie wird von Rechnern anderer Leute "
            "geholt, und Ihrer gibt sie von da an weiter. Die anderen sehen Ihre Adresse.",
        "ask_yes": "Holen und verteilen",
        "ask_no": "Wollten Sie nicht hierher, schließen Sie die Seite: Es wurde nichts gefragt und nichts geholt.",
        "key": "Schlüssel",
        "most": "Ohne weitere Frage geholt, bis zu",
        "large": "Diese Fassung ist groß",
        "large_text": "Sie hat {size}. Dazu hat noch niemand Ja gesagt.",
        "large_yes": "Trotzdem holen",
        "coming": "Die Seite kommt",
        "coming_text": "Sie erscheint hier, sobald sie da ist.",
        "gone": "Die Seite kommt nicht",
        "gone_text": "Keiner, der gefragt wurde, hat sie bisher gegeben. Es wird weiter gefragt, und sie erscheint "
        "hier, sobald sie da ist. Wer sie veröffentlicht hat, muss erreichbar sein, oder jemand, der sie gelesen hat.",
        "tried": "Was versucht wurde",
        "heard": "Zuletzt von ihr gehört",
        "never": "nie",
        "ago": "vor {age}",
        "number": "Fassung",
        "here": "Hier",
        "peers": "Verbunden mit",
        "peers_of": "{peers} Gegenstellen, {seeds} davon haben alles",
        "missing": "Diese Seite gibt es nicht",
        "missing_text": "Eine solche Datei ist nicht dabei.",
        "unknown_version": "Diese Fassung ist hier nicht bekannt",
        "unknown_version_text":
            "Gezeigt werden Fassungen von Seiten, die hier geöffnet wurden. Öffnen Sie die Seite zuerst mit ihrem "
            "Schlüssel.",
        "stopped": "Sie kann gerade nicht gezeigt werden",
        "off": "Seiten sind ausgeschaltet (sites.enabled).",
        "list": "Dateien in {path}",
        "up": "nach oben",
        "expired": "Zu spät",
        "expired_text": "Die Frage stand zu lange offen oder wurde schon beantwortet.",
        "again": "Neu fragen",
        "seconds": "{n} Sekunden",
        "minutes": "{n} Minuten",
        "hours": "{n} Stunden",
        "days": "{n} Tagen",
    },
}


def language(accepted: str) -> str:
    """Of Accept-Language: the first of those that there are words in."""
    for part in accepted[:200].split(","):
        word = part.partition(";")[0].strip().lower()[:2]
        if word in _WORDS:
            return word
    return "en"


def words(lang: str) -> Mapping[str, str]:
    return _WORDS[lang]


def size_of(count: int) -> str:
    """Bytes for people."""
    amount = float(count)
    for unit in ("B", "KiB", "MiB", "GiB"):
        if amount < 1024 or unit == "GiB":
            return f"{amount:.0f} {unit}" if unit == "B" or amount >= 100 else f"{amount:.1f} {unit}"
        amount /= 1024
    return ""


def age_of(lang: str, seconds: float) -> str:
    say = _WORDS[lang]
    for unit, length in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * length:
            return say[unit].format(n=int(seconds // length))
    return say["seconds"].format(n=max(0, int(seconds)))


def page(
    lang: str, title: str, texts: Sequence[str] = (), *, facts: Sequence[tuple[str, str]] = (), status: int = 200,
    share: float | None = None, refresh: int = 0, form: tuple[str, str, Mapping[str, str]] | None = None,
    links: Sequence[tuple[str, str]] = (), raw: str = "",
) -> Response:
    """A page of ours. `form`: where it goes, what its button says, hidden values; `links`: URL and text; `raw`:
    HTML."""
    out = [f"<!doctype html><html lang={lang}><head><meta charset=utf-8>"]
    if refresh:
        out.append(f'<meta http-equiv=refresh content="{refresh}">')
    name = html.escape(title)
    out.append(
        f'<meta name=viewport content="width=device-width, initial-scale=1">'
        f"<title>{name}</title><style>{_STYLE}</style></head><body><h1>{name}</h1>")
    out += [f"<p>{html.escape(text)}</p>" for text in texts]
    if share is not None:
        out.append(f"<progress max=100 value={round(100 * share)}></progress>")
    if facts:
        told = "".join(f"<dt>{html.escape(key)}</dt><dd>{_fact(value)}</dd>" for key, value in facts)
        out.append(f"<dl>{told}</dl>")
    if form is not None:
        to, button, hidden = form
        fields = "".join(
            f'<input type=hidden name="{html.escape(key)}" value="{html.escape(value)}">'
            for key, value in hidden.items())
        out += [f'<form method=post action="{html.escape(to)}">', fields]
        out.append(f"<button>{html.escape(button)}</button></form>")
    out.append(raw)
    out += [f'<p><a href="{html.escape(url)}">{html.escape(text)}</a></p>' for url, text in links]
    out.append("</body></html>\n")
    headers = dict(HEADERS)
    if status == 503:
        headers["Retry-After"] = str(refresh or 5)
    return Response("".join(out).encode(), status, "text/html", headers)


def _fact(value: str) -> str:
    text = html.escape(value)
    return f"<code>{text}</code>" if " " not in value else text
