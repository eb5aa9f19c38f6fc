"""Large pages are a wish about memory that is in use: nothing in it changes, and each place is asked for once."""

import numpy as np
import pytest

from matcher import huge_pages, planes
from matcher.planes import SplitRows


@pytest.mark.parametrize("nbytes", [100, huge_pages.PAGE, 5 * huge_pages.PAGE + 12_345])
def test_advice_changes_nothing_in_memory(nbytes: int) -> None:
    """Blocks smaller than a page, of one, of several and a part: every byte stays, whatever the kernel answers."""
    block = np.random.default_rng(0).integers(0, 255, nbytes, np.uint8)
    before = block.tobytes()
    huge_pages.advise(block.ctypes.data, block.nbytes)
    assert block.tobytes() == before


def test_only_whole_pages_inside_the_block_are_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The neighbours of a block are none of its business; where the system knows no such advice nothing is called."""
    asked: list[tuple[int, int]] = []
    monkeypatch.setattr(huge_pages, "_madvise", lambda: lambda start, size, advice: asked.append((start, size)))
    page = huge_pages.PAGE
    huge_pages.advise(10 * page + 5, 3 * page)
    assert set(asked) == {(11 * page, 2 * page)}
    asked.clear()
    huge_pages.advise(10 * page + 5, page)
    assert asked == []
    monkeypatch.setattr(huge_pages, "_madvise", lambda: None)
    huge_pages.advise(10 * page, 3 * page)
    assert asked == []


def test_rows_are_put_on_large_pages_once_wherever_they_come_to_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    """Filling at once asks once a piece; rows added where the others stay ask no more; the rows are what was put."""
    asked: list[int] = []
    monkeypatch.setattr(planes, "advise", lambda address, nbytes: asked.append(address))
    monkeypatch.setattr(planes, "PIECE_BYTES", 4 * huge_pages.PAGE)
    rows = np.random.default_rng(1).integers(-32_768, 32_767, (40_000, 128), np.int16)
    held = SplitRows(128)
    held.extend(rows)
    assert len(asked) == len(set(asked)) == 1  # the second piece is smaller than a page
    held.extend(rows[:3])
    held.extend(rows[:3])
    assert len(asked) == 1
    assert np.array_equal(held.read(np.arange(40_000)), rows)
