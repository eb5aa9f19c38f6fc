"""Wording: templates are checked as a whole, final texts fit and carry nothing but our own words."""

from pathlib import Path

import pytest
import yaml

from bot.alerts import compose, redlines
from store.errors import SettingsError


def _weighted(text: str) -> float:
    return sum(1 if ord(c) > 127 else 0.5 for c in text)


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A copy of the built-in templates for a test to spoil."""
    for path in compose.BUILT_IN.glob("*.yaml"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    return tmp_path


def _spoil(folder: Path, key: str, text: str | None) -> None:
    path = folder / "zh.yaml"
    values = yaml.safe_load(path.read_text(encoding="utf-8"))
    if text is None:
        del values[key]
    else:
        values[key] = text
    path.write_text(yaml.safe_dump(values, allow_unicode=True), encoding="utf-8")


def test_built_in_templates_pass() -> None:
    """Both languages have every template, and each passes the red lines."""
    templates = compose.load_templates()
    assert len(templates.texts) == 2 * 13


@pytest.mark.parametrize(
    ("key", "text", "says"),
    [
        ("alert", "$mentions 这就是失踪的孩子 $ref $link 110", "identity"),
        ("alert", "$mentions 请核实 $ref 110", "placeholders"),
        ("answer_received", "收到 $ref", "hotline"),
        ("answer_received", "收到 $ref $name 110", "placeholders"),
        ("answer_received", "收到 $ref 110 花费 $ 1", "lone"),
        ("answer_received", None, "missing"),
        ("answer_surprise", "你好 110", "unknown template"),
    ],
)
def test_a_wrong_template_is_refused_with_its_name(own: Path, key: str, text: str | None, says: str) -> None:
    """An operator's edit that breaks a rule is refused before anything is sent, naming file, template and rule."""
    _spoil(own, key, text)
    with pytest.raises(SettingsError) as caught:
        compose.load_templates(own)
    assert key in str(caught.value)
    assert says in str(caught.value)
    assert "zh.yaml" in str(caught.value)


def test_every_template_fits_weibo_and_x() -> None:
    """With two mentions and a link, every text fits Weibo's 140 full characters and X's weighted 280."""
    templates = compose.load_templates()

    def x_weight(text: str) -> int:
        return sum(2 if ord(c) > 0x10FF and not 0x2000 <= ord(c) <= 0x206F else 1 for c in text)

    for lang in compose.LANGUAGES:
        for key in ("answer_received", "answer_no_face", "answer_no_place", "alert", "digest"):
            for length, limit in ((_weighted, 140), (x_weight, 280)):
                text = compose.compose(
                    templates,
                    key,
                    lang=lang,
                    ref="S-4F7K2Q",
                    max_length=limit,
                    length=lambda t, f=length: int(f(t) + 0.5),
                    mentions=["@示例区公安分局", "@示例市救助管理站"],
                    link="https://example.org/s/S-4F7K2Q",
                    late=True,
                )
                assert length(text) <= limit
                assert "S-4F7K2Q" in text
                assert "$" not in text


def test_too_many_mentions_are_dropped_from_the_end_before_the_text_suffers() -> None:
    """The most local official is named first and stays; the text is never cut in the middle."""
    templates = compose.load_templates()
    handles = [f"@示例机构{n}号账号名称很长很长" for n in range(5)]
    text = compose.compose(
        templates, "alert", lang="zh", ref="S-1", max_length=120, length=lambda t: int(_weighted(t)), mentions=handles
    )
    assert handles[0] in text
    assert handles[4] not in text
    assert "不要自行干预" in text


def test_a_text_that_cannot_fit_is_an_error_not_a_cut() -> None:
    """A platform that takes 10 characters gets nothing rather than half a sentence."""
    with pytest.raises(SettingsError, match="the platform takes 10"):
        compose.compose(compose.load_templates(), "alert", lang="zh", ref="S-1", max_length=10, length=len, mentions=["@a"])


def test_a_case_name_in_a_template_is_refused_at_the_last_moment() -> None:
    """Even a template that passed alone is refused where it happens to hold this case's name."""
    with pytest.raises(redlines.RedLine):
        compose.compose(
            compose.load_templates(), "alert", lang="zh", ref="S-1", max_length=500, length=len, mentions=["@a"], never=["网友"]
        )


def test_language_follows_the_post() -> None:
    """A Chinese post hears Chinese; any other language hears English; an unknown one Chinese."""
    templates = compose.load_templates()
    assert "收到" in templates.text("zh", "answer_received")
    assert "收到" in templates.text("", "answer_received")
    assert "Received" in templates.text("en", "answer_received")
    assert "Received" in templates.text("fr", "answer_received")
