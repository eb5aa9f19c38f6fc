"""The commands' way into the database: closed whatever happens, and no act without its line in the record."""

from pathlib import Path

import pytest

from bot.commands.common import acting, reading
from store import audit, bans
from store.bans import BanKind


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Settings whose database is new."""
    path = tmp_path / "config.yaml"
    path.write_text(f"store: {{url: 'sqlite:///{tmp_path / 's.sqlite'}'}}\n", encoding="utf-8")
    return path


def test_an_act_and_its_line_in_the_record_are_kept_together(config: Path) -> None:
    """Who did what to what, with the details."""
    with acting(config, "ban.added", "clerk") as (tx, audited):
        bans.ban(tx, BanKind.ACCOUNT, "7", by="clerk", why="spam", platform="weibo")
        audited("account:7", {"why": "spam"})
    with reading(config) as tx:
        [event] = [event for event in audit.listing(tx, limit=9) if event.what == "ban.added"]
        assert (event.who, event.object) == ("clerk", "account:7")
        assert len(bans.listing(tx)) == 1


def test_an_act_that_leaves_no_line_is_not_kept(config: Path) -> None:
    """Forgetting the record is a mistake of the program, and nothing of the act stays."""
    with pytest.raises(AssertionError, match=r"ban\.added"), acting(config, "ban.added", "clerk") as (tx, _):
        bans.ban(tx, BanKind.ACCOUNT, "7", by="clerk", why="spam", platform="weibo")
    with reading(config) as tx:
        assert bans.listing(tx) == []
        assert [event for event in audit.listing(tx, limit=9) if event.what == "ban.added"] == []
