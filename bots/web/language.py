"""Which language a request is answered in."""

from __future__ import annotations

from starlette.requests import HTTPConnection

from bots.core.languages import DEFAULT_LANGUAGE, LANGUAGES

__all__ = ["LANGUAGE_COOKIE", "accepted_languages", "language_of"]

LANGUAGE_COOKIE = "language"


def language_of(connection: HTTPConnection) -> str:
    """The language chosen on the page, else the best that the browser accepts."""
    chosen = connection.cookies.get(LANGUAGE_COOKIE, "")
    if chosen in LANGUAGES:
        return chosen
    for tag in accepted_languages(connection.headers.get("accept-language", "")):
        code = tag.split("-")[0]
        if code in LANGUAGES:
            return code
    return DEFAULT_LANGUAGE


def accepted_languages(header: str) -> list[str]:
    """Tags of an Accept-Language header, the most wanted first (RFC 9110, 12.5.4).

    >>> accepted_languages("de;q=0.5, pt-BR, *;q=0.1, fr;q=0")
    ['pt-br', 'de', '*']
    """
    weighted: list[tuple[float, str]] = []
    for item in header.lower().split(",")[:32]:
        tag, _, parameter = item.partition(";")
        try:
            weight = float(parameter.partition("=")[2]) if parameter else 1.0
        except ValueError:
            continue
        if tag.strip() and weight > 0:
            weighted.append((-weight, tag.strip()))
    return [tag for _, tag in sorted(weighted, key=lambda pair: pair[0])]
