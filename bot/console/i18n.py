"""Chinese and English. English stands in the code; ``locale/zh/*.po`` (one file a page module) translate it.

The catalogues are compiled in memory when the app is made: there is no build step.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from io import BytesIO
from pathlib import Path

from babel import Locale, negotiate_locale
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from starlette.requests import Request

LOCALE_DIR = Path(__file__).parent / "locale"
LANGUAGES = {"zh": "中文", "en": "English"}
DEFAULT = "zh"
COOKIE = "lang"

Words = Callable[..., str]
"""``_("Hello %(name)s", name=...)``: the text in the reader's language, its named places filled in."""


_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


@lru_cache(maxsize=len(LANGUAGES))
def catalogue(lang: str) -> NullTranslations:
    """All translations into ``lang``, read from its folder at first use; English is the source and has none."""
    merged = Catalog(locale=lang)
    for path in sorted((LOCALE_DIR / lang).glob("*.po")):
        with path.open("rb") as file:
            for message in read_po(file, locale=lang):
                if message.id and message.string:
                    merged.add(message.id, message.string, context=message.context)
    compiled = BytesIO()
    write_mo(compiled, merged)
    compiled.seek(0)
    return Translations(compiled)


def words_in(lang: str) -> Words:
    """The translating function of a language."""
    found = catalogue(lang)

    def say(text: str, **values: object) -> str:
        said = found.gettext(text)
        return said % values if values else said

    return say


def plural_in(lang: str) -> Callable[..., str]:
    """``ngettext("%(n)s case", "%(n)s cases", n)``: the form that the number asks for; ``n`` is filled in."""
    found = catalogue(lang)

    def say(one: str, many: str, n: int, **values: object) -> str:
        said: str = found.ngettext(one, many, n)
        return said % {"n": n, **values}

    return say


def told_in(lang: str, text: str) -> str:
    """A reason as the bot or a person noted it, in ``lang`` where the catalogue has it; else as it stands.

    The bot's reasons are kept in English with their numbers filled in, so the catalogue has them with ``%(n1)s``, ``%(n2)s``
    in the numbers' places.
    """
    found, numbers = catalogue(lang), _NUMBER.findall(text)
    places = iter(range(1, len(numbers) + 1))
    pattern = _NUMBER.sub(lambda _: f"%(n{next(places)})s", text)
    said = found.gettext(pattern)
    return text if said == pattern else said % {f"n{place}": number for place, number in enumerate(numbers, 1)}


def language(request: Request) -> str:
    """What the reader chose (a cookie, else their account), else what their browser asks for, else Chinese."""
    person = getattr(request.state, "person", None)
    for chosen in (request.cookies.get(COOKIE, ""), person.lang if person is not None else ""):
        if chosen in LANGUAGES:
            return chosen
    asked = [part.split(";")[0].strip().replace("-", "_") for part in request.headers.get("accept-language", "").split(",")]
    # "zh_CN", "zh_TW" and "en_GB" are read as their language.
    wanted = [item for tag in asked if tag for item in (tag, tag.split("_")[0])]
    return negotiate_locale(wanted, list(LANGUAGES)) or DEFAULT


def words(request: Request) -> Words:
    """The translating function for this request's reader."""
    return words_in(language(request))


def translate(request: Request, text: str, **values: object) -> str:
    """``text`` for this request's reader, where one text is all that is needed."""
    return words(request)(text, **values)


@lru_cache(maxsize=len(LANGUAGES))
def babel_locale(lang: str) -> Locale:
    """The locale in which dates and numbers are written."""
    return Locale.parse({"zh": "zh_Hans_CN", "en": "en_GB"}[lang])
