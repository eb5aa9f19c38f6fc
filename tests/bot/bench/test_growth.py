"""What one more post costs does not grow with what is stored: counted in SQLite's instructions, so no machine's load matters."""

from pathlib import Path

from sqlalchemy import update

from bot.bench import scale
from bot.bench._instructions import instructions
from bot.simulation import past
from bot.simulation.campaign import Campaign, Shape
from bot.simulation.site import open_site, open_store
from bot.steps.match import reverse
from store.cases import pending_reverse
from store.session import Store
from store.tables import cases


def test_one_more_post_costs_the_database_the_same_whatever_is_stored() -> None:
    """With ten times the posts and with twenty times the cases SQLite does at most a fifth more for a post, poll to answer; what
    the measurement wrapped is unwrapped at its end."""
    before = Store.read, Store.write
    few, many = scale.growth([300, 3_000], [25], sample=8)
    [more_cases] = scale.growth([300], [500], sample=8)
    assert few.instructions > 1_000
    assert many.instructions < scale.FLAT * few.instructions
    assert more_cases.instructions < scale.FLAT * few.instructions
    assert before == (Store.read, Store.write)


def test_many_new_cases_read_the_past_once(tmp_path: Path) -> None:
    """Thirty cases that wait for their search over all past faces cost the database hardly more than one of them."""
    with open_store(f"sqlite:///{tmp_path / 's.sqlite'}", lambda: scale.START) as store:
        campaign = Campaign(Shape(100_000, 30), scale.START)
        past.add_posts(store, campaign, 1, 1_000)
        past.add_cases(store, 1, 30, scale.START)
        with open_site(store, tmp_path, campaign, lambda: scale.START) as site:

            def searched(count: int) -> int:
                with store.write() as tx:
                    tx.execute(update(cases).where(cases.c.id <= count).values(searched_seq=0))
                with instructions() as spent:
                    reverse(site.bot)
                with store.read() as tx:
                    assert pending_reverse(tx) == []
                return spent[0]

            searched(1)  # the gallery is loaded
            assert searched(30) < 2 * searched(1)
