"""What every command shares: options, the way into the database, output as table or JSON, errors with exit codes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, is_dataclass
from datetime import date, datetime
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from bot.settings import Loaded, load_settings
from bot.wiring import open_store
from store import audit
from store.errors import BadInput, EngineError, NotFound, PlatformError, SettingsError, StoreError, SuishoupaiError
from store.session import Tx

ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="The settings file.", envvar="SUISHOUPAI_CONFIG")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for scripts instead of tables.")]
DEFAULT_CONFIG = Path("config.yaml")

out = Console(soft_wrap=False)
err = Console(stderr=True)

EXIT_OK = 0
EXIT_PROBLEM = 1
"""The command ran and found something that needs a person (``doctor``, ``officials check``), or the input is bad."""
EXIT_USAGE = 2
"""Wrong words on the command line (Typer's own code)."""
EXIT_SETTINGS = 3
EXIT_STORE = 4
EXIT_PLATFORM = 5
EXIT_ENGINE = 6

_CODES: tuple[tuple[type[SuishoupaiError], int], ...] = (
    (NotFound, EXIT_PROBLEM),
    (BadInput, EXIT_PROBLEM),
    (SettingsError, EXIT_SETTINGS),
    (StoreError, EXIT_STORE),
    (PlatformError, EXIT_PLATFORM),
    (EngineError, EXIT_ENGINE),
)


@contextmanager
def reading(config: Path | Loaded) -> Iterator[Tx]:
    """The settings' database, to look into: ``with reading(config) as tx``.

    Raises:
        SuishoupaiError: the settings are wrong, or the database cannot be opened.
    """
    with closing(open_store(_loaded(config))) as store, store.read() as tx:
        yield tx


@contextmanager
def acting(config: Path | Loaded, what: str, who: str) -> Iterator[tuple[Tx, Callable[..., None]]]:
    """One act of a person: ``with acting(config, "case.closed", by) as (tx, audited)``, then ``audited(REF, {"why": why})``.

    The act and its line in the record are kept together or not at all; an act that leaves no line is a mistake of the program.

    Raises:
        SuishoupaiError: the settings are wrong, the database cannot be opened, or the act is refused.
    """
    lines: list[int] = []
    with closing(open_store(_loaded(config))) as store, store.write(what) as tx:

        def audited(about: str, details: Mapping[str, Any] | None = None) -> None:
            lines.append(audit.append(tx, who=who, what=what, object=about, details=details))

        yield tx, audited
        if not lines:
            raise AssertionError(f"{what} left no line in the record")


def _loaded(config: Path | Loaded) -> Loaded:
    return config if isinstance(config, Loaded) else load_settings(config)


def exit_code(error: SuishoupaiError) -> int:
    """The exit code for ``error``; scripts may rely on it (README, "Exit codes")."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), EXIT_PROBLEM)


def show_error(error: SuishoupaiError) -> None:
    """Print what is wrong and how to mend it, to standard error."""
    err.print("error:", style="bold red", end=" ")
    err.print(str(error), markup=False, highlight=False)
    if error.mend:
        err.print("  to mend it:", style="yellow", end=" ")
        err.print(error.mend, markup=False, highlight=False)


def plain(value: Any) -> Any:
    """``value`` as JSON can hold it: dataclasses as objects, times as ISO 8601, enums as their value."""
    if is_dataclass(value) and not isinstance(value, type):
        return {key: plain(item) for key, item in asdict(value).items()}
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, dict):
        return {str(plain(key)): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, bytes):
        raise TypeError("bytes never go to the command line's output")
    return value if isinstance(value, str | int | float | bool | type(None)) else str(value)


def emit_json(value: Any) -> None:
    """Print ``value`` as JSON on standard output, unwrapped and uncoloured."""
    sys.stdout.write(json.dumps(plain(value), ensure_ascii=False, indent=1) + "\n")
    sys.stdout.flush()


def tell(words: str, value: Any, *, as_json: bool) -> None:
    """Print what was done: ``words`` for people, ``value`` for scripts."""
    if as_json:
        emit_json(value)
    else:
        out.print(words, markup=False)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str = "nothing here yet") -> None:
    """Print rows as a table, or ``empty`` where there are none. Cell text is never read as markup."""
    from rich.text import Text

    grid = Table(title=title, title_justify="left", header_style="bold", expand=False)
    for column in columns:
        grid.add_column(column, overflow="fold")
    count = 0
    for row in rows:
        grid.add_row(*(Text("" if cell is None else str(cell)) for cell in row))
        count += 1
    if count:
        out.print(grid)
    else:
        out.print(f"{title}: {empty}", markup=False)


def guarded(action: Callable[[], None]) -> None:
    """Run ``action``; a known error is printed and becomes its exit code."""
    try:
        action()
    except SuishoupaiError as error:
        show_error(error)
        raise SystemExit(exit_code(error)) from None
