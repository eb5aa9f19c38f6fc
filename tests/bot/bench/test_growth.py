"""What one more post costs does not grow with what is stored: counted in SQLite's instructions, so no machine's load matters."""

from bot.bench import scale
from store.session import Store


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
