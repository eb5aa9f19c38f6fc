"""What several fault tests need: a bot that is past its first poll, and a post to be answered."""

from functools import partial
from types import SimpleNamespace

import pytest

from bot.microblog.environment import environment
from bot.microblog.model import Side
from bot.pipeline import run_round


@pytest.fixture
def said(microblog, tools, photos):
    """Makes a post that tags the bot; returns its id."""

    def make(side=Side.WEIBO, photo="q-1", author="boris", **more) -> str:
        tag = f"#{tools.tag}#" if side is Side.WEIBO else f"@suishoupai_bot #{tools.tag}"
        call = "@随手拍助手" if side is Side.WEIBO else ""
        data = [photos[photo].data] if photo else []
        return str(microblog.world.add_post(side, author, f"{tag} 深圳市罗湖区 {call}", photos=data, **more).id)

    return make


@pytest.fixture
def begun(tools, loaded, microblog, clock):
    """An open bot after its first poll, with what a test looks at."""
    with tools.opened(loaded) as bot:
        run_round(bot)
        settle = partial(tools.settle, bot)
        yield SimpleNamespace(bot=bot, world=microblog.world, faults=microblog.faults, settle=settle, clock=clock)


@pytest.fixture
def environment_of():
    """The tokens of a microblog as environment variables."""
    return lambda server: environment(server.credentials)
