"""Who does the pending work, and when.

The rows alone say what is pending; every step is an idempotent function over one row, whose effect and mark are one commit.
*Embedded* (bot/schedule.py): one process drains the rows by APScheduler. *Shared* (shared.py, worker.py): any number of workers
on any number of machines take jobs from Procrastinate's tables in the same PostgreSQL. Both run the same functions (jobs.py).
"""

QUEUES = ("poll", "extract", "faces", "match", "decide", "deliver", "chores")
"""Every queue, in the order of the pipeline. A worker takes some of them or all."""
