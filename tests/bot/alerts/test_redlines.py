"""The red lines refuse every kind of forbidden sentence, in both languages, also when it is disguised."""

import pytest

from bot.alerts import redlines

CROSSING = [
    "这就是您的孩子",
    "已经找到孩子了",
    "他是被拐儿童",
    "照片与登记信息吻合",
    "相似度很高",
    "把握有93%",
    "９３％",
    "旁边的是人贩子",
    "嫌疑人在场",
    "请尾随他们",
    "请拦住那个女人",
    "先把孩子抱走",
    "抓 住 他",
    "尾\u200b随",
    "fol\u200blow them",
    "kid\u00adnapped",
    "拐\ufe0f卖",
    "案件编号 C-4F7K2",
    "This is the missing child",
    "We identified him",
    "She matches a photo",
    "We found the boy",
    "confirmed",
    "score 0.71",
    "a probability of nine in ten",
    "He was kidnapped",
    "the suspect is near",
    "Please follow them",
    "stop the woman",
    "take the child away",
    "Detain him",
    "see C-4F7K2",
]

ALLOWED = [
    "收到，谢谢您！编号 S-4F7K2，志愿者会核对。请不要自行干预。",
    "有网友提交了一张照片和地点（编号 S-4F7K2），请协助核实。",
    "Received, thank you. Reference S-4F7K2. Reply STOP to hear no more.",
    "A photo and a place were submitted. Please check. In an emergency call 110.",
]


@pytest.mark.parametrize("text", CROSSING)
def test_crossing_texts_are_refused(text: str) -> None:
    """A text that asserts, names, scores, accuses or incites is refused."""
    with pytest.raises(redlines.RedLine):
        redlines.check(text)


@pytest.mark.parametrize("text", ALLOWED)
def test_plain_texts_pass(text: str) -> None:
    """What the bot is meant to say is not refused."""
    redlines.check(text)


@pytest.mark.parametrize(
    ("text", "word"), [("收到，王小明的照片", "王小明"), ("王 小 明", "王小明"), ("about Alma Doe", "alma doe")]
)
def test_names_of_the_cases_concerned_are_refused(text: str, word: str) -> None:
    """A case's name never appears, whatever its spacing or case."""
    with pytest.raises(redlines.RedLine, match="names a child"):
        redlines.check(text, never=[word])


def test_the_error_does_not_repeat_the_name() -> None:
    """The refusal itself goes to logs, so it must not carry the child's name."""
    with pytest.raises(redlines.RedLine) as caught:
        redlines.check("王小明在这里", never=["王小明"])
    assert "王小明" not in str(caught.value)
