"""Words: every text of the console has its Chinese, and nothing is lost on the way."""

from __future__ import annotations

import re
from importlib import import_module
from io import BytesIO
from pathlib import Path

import pytest
from babel.messages.extract import extract_python
from babel.messages.pofile import read_po
from jinja2.ext import babel_extract

from bot.console import app as app_module
from bot.console import i18n
from bot.console.parts import ROLE_TITLES, Role
from bot.console.reviewing import ANSWERS, CHECKLIST
from matcher import priors
from matcher.drift import EDGES, Drift
from store import people

FOLDER = Path(i18n.__file__).parent
KEYWORDS = {"_": None, "ngettext": (1, 2), "translate": (2,)}
PLACE = re.compile(r"%\((\w+)\)s")


def in_code() -> set[str]:
    """Every text that code or a template hands to a translating function (of plurals, the first form)."""
    found = set()
    for path in FOLDER.glob("**/*.py"):
        for _line, _name, text, _comments in extract_python(BytesIO(path.read_bytes()), KEYWORDS, [], {}):
            found.add(first(text))
    for path in (FOLDER / "templates").glob("**/*.html"):
        template = BytesIO(path.read_bytes())
        for _line, _name, text, _comments in babel_extract(template, ["_", "ngettext"], [], {"encoding": "utf-8"}):
            found.add(first(text))
    return found - {""}


def first(text: object) -> str:
    parts = text if isinstance(text, tuple) else (text,)
    return next((part for part in parts if part), "")


def computed() -> set[str]:
    """Texts that are handed over by name: the navigation, roles, the checklist, what is known besides the faces."""
    nav = {entry.title for name in app_module.PAGES for entry in import_module(f"bot.console.{name}").NAV}
    return nav | set(ROLE_TITLES.values()) | {name for _, name in CHECKLIST} | set(ANSWERS) | set(priors.TEXTS)


def test_every_text_has_its_chinese():
    """What a page says in English it says in Chinese."""
    known = i18n.catalogue("zh")
    missing = sorted(text for text in in_code() | computed() if known.gettext(text) == text and known.ngettext(text, "", 2) == "")
    assert missing == []


@pytest.mark.parametrize("path", sorted((FOLDER / "locale").glob("*/*.po")), ids=lambda path: path.name)
def test_translations_keep_the_places_that_are_filled_in(path):
    """A name or number that stands in the English stands in the translation, and no other; nothing is fuzzy."""
    with path.open("rb") as file:
        for message in read_po(file):
            english = message.id if isinstance(message.id, str) else message.id[-1]
            for said in message.string if isinstance(message.string, tuple) else (message.string,):
                assert set(PLACE.findall(said)) == set(PLACE.findall(english)), english
            assert not message.fuzzy


@pytest.mark.parametrize(
    ("asked", "spoken"), [("zh-CN,zh;q=0.9", "zh-CN"), ("en-US", "en"), ("de", "zh-CN"), ("fr, en;q=0.5", "en"), ("", "zh-CN")]
)
def test_the_browsers_language_is_followed(stranger, asked, spoken):
    """Chinese or English as the browser asks; Chinese where it asks for neither."""
    page = stranger.client.get("/signin", headers={"accept-language": asked}).text
    assert f'<html lang="{spoken}">' in page


def test_a_chosen_language_stays(as_role, parts):
    """The choice outweighs the browser's, and is kept with the account."""
    browser = as_role(Role.VOLUNTEER, login="mei")
    page = browser.post("/language", {"lang": "zh", "next": "/account"})
    assert "在所有设备上退出" in page
    with parts.store.read() as tx:
        assert people.by_login(tx, "mei").lang == "zh"


def test_a_noted_reason_is_told_in_the_readers_language():
    """The bot's reasons, kept in English, are told in Chinese with their numbers; what a person wrote stands as it is."""
    reason = "high band: a stranger's face reaches this in about 1 of 10,000,000 photos"
    assert i18n.told_in("zh", reason) == "高匹配：约 10,000,000 张陌生人的照片里有 1 张会这样像"
    assert i18n.told_in("en", reason) == reason
    assert i18n.told_in("zh", "seen by 2 of us, 100% sure") == "seen by 2 of us, 100% sure"


@pytest.mark.parametrize(("best", "usual", "holds"), [(0, 1, None), (0, 100_000, True), (100_000, 0, False)])
def test_the_matchers_drift_is_told_in_chinese(best, usual, holds):
    """Each of the three verdicts on the operator's page has its Chinese sentence, numbers and all."""
    row = [usual, *[0] * (len(EDGES) - 1), best]
    verdict = Drift({"good/64+": row}).verdict()
    said = i18n.told_in("zh", verdict.why)
    assert verdict.holds is holds
    assert str(verdict.searches) in said
    assert "校准" in said
