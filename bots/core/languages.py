"""The languages that bots speak: which one to take, and texts in it.

Texts are written in English in the code and translated by gettext catalogues, read from
``locale/<language>/LC_MESSAGES/<domain>.po`` when a language is first used: there is no
compiling step, and a folder of a platform's own texts can be laid over the shared one.
"""

from __future__ import annotations

import functools
import gettext
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from babel import Locale, UnknownLocaleError
from babel.lists import format_list
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal, format_percent

__all__ = ["DEFAULT_LANGUAGE", "LANGUAGES", "LOCALE_FOLDER", "Texts", "negotiate", "texts_for"]

LANGUAGES: Mapping[str, str] = MappingProxyType(
    {
        "en": "English",
        "es": "Español",
        "hi": "हिन्दी",
        "fr": "Français",
        "de": "Deutsch",
        "pt": "Português",
        "ru": "Русский",
        "ar": "العربية",
    }
)
"""Code → the language's own name."""

DEFAULT_LANGUAGE = "en"
LOCALE_FOLDER = Path(__file__).parent / "locale"


def negotiate(*wanted: str | None) -> str:
    """The first language of ``wanted`` that bots speak, else English.

    >>> negotiate(None, "pt-BR"), negotiate("zh_CN", "hi"), negotiate("tlh")
    ('pt', 'hi', 'en')
    """
    for tag in wanted:
        code = (tag or "").replace("_", "-").split("-")[0].lower()
        if code in LANGUAGES:
            return code
    return DEFAULT_LANGUAGE


class Texts:
    """Texts in one language; get one from :func:`texts_for`.

    Calling it translates: ``texts("Face {number}", number=2)``.
    """

    def __init__(self, language: str, translations: gettext.NullTranslations) -> None:
        self.language = language
        self._translations = translations
        self._locale = Locale(language)

    def __call__(self, message: str, /, **values: object) -> str:
        """``message`` in this language, ``{name}`` filled in."""
        translated = self._translations.gettext(message)
        return translated.format(**values) if values else translated

    def plural(self, one: str, many: str, n: int, /, **values: object) -> str:
        """The form that ``n`` things take; ``{n}`` is filled in, too."""
        return self._translations.ngettext(one, many, n).format(n=self.number(n), **values)

    def in_context(self, context: str, message: str, /) -> str:
        """A word whose translation depends on what it is said of."""
        return self._translations.pgettext(context, message)

    def number(self, value: float, digits: int = 0) -> str:
        """As numbers are written in this language."""
        return format_decimal(
            round(value, digits), format=f"#,##0.{'0' * digits}", locale=self._locale
        )

    def percent(self, share: float) -> str:
        """0..1 as per cent; what is nearly 0 or 1 stays visibly less than sure."""
        shown = min(max(round(share, 2), 0.01), 0.99)
        sign = ">" if share >= 0.995 else "<" if share < 0.005 else ""
        return sign + format_percent(shown, locale=self._locale)

    def together(self, parts: Iterable[str]) -> str:
        """``a, b and c``."""
        return format_list(list(parts), locale=self._locale)

    @property
    def right_to_left(self) -> bool:
        """Whether the language is written from right to left."""
        return self._locale.text_direction == "rtl"

    def language_name(self, code: str) -> str:
        """The name of a language in this language."""
        try:
            return Locale(code).get_display_name(self._locale) or code
        except UnknownLocaleError:
            return code


@functools.cache
def texts_for(language: str | None, *folders: Path) -> Texts:
    """Texts in the language that fits best.

    Args:
        language: A tag such as ``"pt-BR"``; None for English.
        folders: Of catalogues laid over the shared ones, as a platform's own.
    """
    code = negotiate(language)
    translations: gettext.NullTranslations = gettext.NullTranslations()
    for folder in (LOCALE_FOLDER, *folders):
        for path in sorted(folder.glob(f"{code}/LC_MESSAGES/*.po")):
            catalogue = _read(path)
            catalogue.add_fallback(translations)
            translations = catalogue
    return Texts(code, translations)


def _read(path: Path) -> gettext.GNUTranslations:
    compiled = io.BytesIO()
    with path.open("rb") as file:
        write_mo(compiled, read_po(file))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)
