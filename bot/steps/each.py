"""The per-post boundary: the one place where any error is caught, recorded with its post, and the round goes on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from bot.bot import Bot
from bot.log import get, traced
from store import posts
from store.errors import Damaged, Moved, StoreError, SuishoupaiError
from store.posts import Step

log = get("pipeline")

Work = Callable[[Bot, int], None]


class Later(SuishoupaiError):
    """This post cannot go on yet for a reason that is not its own (its original is not read yet, a host is down).

    ``seconds`` is how long to wait; it does not count as a failed attempt unless ``counts``.
    """

    def __init__(self, message: str, *, seconds: float) -> None:
        super().__init__(message)
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class StepReport:
    """What one round of a step did: posts moved on, put off, and given up."""

    step: Step
    done: int = 0
    later: int = 0
    failed: int = 0

    def __add__(self, other: StepReport) -> StepReport:
        return StepReport(self.step, self.done + other.done, self.later + other.later, self.failed + other.failed)

    @property
    def moved(self) -> bool:
        """Whether another round may find more to do at once."""
        return self.done + self.failed > 0


def each_post(bot: Bot, step: Step, work: Work) -> StepReport:
    """Run ``work`` on every post waiting at ``step`` (at most ``schedule.batch``), stopping early on SIGTERM.

    An error of one post is recorded with it and retried with growing pauses, at most ``schedule.attempts`` times; after that the
    post is failed and stays readable. A failing store ends the round: nothing could be
    recorded.

    Raises:
        StoreError: the database or the photo folder failed.
    """
    with bot.store.read() as tx:
        waiting = posts.pending(tx, step, tx.now, bot.settings.schedule.batch)
        names = posts.names(tx, waiting)
    total = StepReport(step)
    for row in waiting:
        if bot.stopping.is_set():
            break
        if row in names:
            with traced(*names[row]):
                total += _traced(bot, step, work, row)
    return total


def one_post(bot: Bot, step: Step, work: Work, row: int) -> StepReport:
    """Run ``work`` on one post that waits at ``step``; see :func:`each_post`. Where somebody else moved the post meanwhile,
    nothing is done and nothing counted.

    Raises:
        StoreError: the database or the photo folder failed.
    """
    with bot.store.read() as tx:
        name = posts.name(tx, row)
    if name is None:  # erased meanwhile
        return StepReport(step)
    with traced(*name):
        return _traced(bot, step, work, row)


def _traced(bot: Bot, step: Step, work: Work, row: int) -> StepReport:
    try:
        work(bot, row)
        log.debug("step done", post=row, step=step.value)
        return StepReport(step, done=1)
    except Moved as error:
        log.info("nothing left to do", post=row, step=step.value, why=str(error))
        return StepReport(step)
    except StoreError as error:
        if not isinstance(error, Damaged):
            raise
        # A damaged photo is its post's misfortune: stopping the round for it would stop every later round too.
        return _give_up_or_retry(bot, row, step, error)
    except Later as pause:
        return _put_off(bot, row, step, str(pause), pause.seconds)
    except Exception as error:
        # The one broad catch (design, rule 9): whatever a post does to us, it is recorded and the others go on.
        return _give_up_or_retry(bot, row, step, error)


def backoff(bot: Bot, attempt: int) -> timedelta:
    """Pause before try ``attempt`` + 1: ``schedule.retry_s`` (30 s), doubled each time, an hour at most."""
    return timedelta(seconds=min(bot.settings.schedule.retry_s * 2 ** max(attempt, 0), 3600.0))


def _put_off(bot: Bot, row: int, step: Step, why: str, seconds: float) -> StepReport:
    with bot.store.write("post.later") as tx:
        if not posts.waits(tx, row, step):
            return StepReport(step)
        posts.defer(tx, row, why, tx.now + timedelta(seconds=seconds))
    return StepReport(step, later=1)


def _give_up_or_retry(bot: Bot, row: int, step: Step, error: Exception) -> StepReport:
    """Record the error and put the post off, or give it up after its last attempt."""
    words = f"{step.value}: {type(error).__name__}: {error}"
    known = isinstance(error, SuishoupaiError)
    with bot.store.write("post.failed") as tx:
        if not posts.waits(tx, row, step):
            return StepReport(step)
        attempts = posts.get(tx, row).attempts
        final = attempts + 1 >= bot.settings.schedule.attempts
        if final:
            posts.fail(tx, row, words)
        else:
            posts.defer(tx, row, words, tx.now + backoff(bot, attempts))
    log.log(30 if known else 40, "post failed" if final else "post put off", post=row, error=words, exc_info=not known)
    return StepReport(step, failed=1) if final else StepReport(step, later=1)
