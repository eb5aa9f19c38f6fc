"""Finds face engines: one file = one engine family = one config key (``models.engine``).

An engine file defines ``open_engine(settings: EngineSettings) -> Engine`` and nothing has to be registered anywhere. The
project's own files lie beside this one, an operator's in ``EXTENSION/engines/``. Looking for engines imports none of them.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from matcher.engines.base import Engine, EngineSettings
from store.errors import EngineError

Opener = Callable[[EngineSettings], Engine]
_FUNCTION = "open_engine"
_OWN = Path(__file__).parent


def engines(extra_dirs: Sequence[Path] = ()) -> dict[str, Path]:
    """Every engine file by its name: those of the project and of ``extra_dirs`` that define ``open_engine``.

    Raises:
        EngineError: a file is not readable as Python, or two files claim one name.
    """
    found: dict[str, Path] = {}
    for folder in (_OWN, *extra_dirs):
        for path in sorted(folder.glob("*.py")):
            if not _defines_opener(path):
                continue
            if path.stem in found:
                raise EngineError(f"two engine files are named {path.stem}: {found[path.stem]} and {path}", mend="rename one")
            found[path.stem] = path
    return found


def load(name: str, extra_dirs: Sequence[Path] = ()) -> Opener:
    """The ``open_engine`` function of engine file ``name``.

    Raises:
        EngineError: there is no such engine (the message lists what there is), or its file cannot be imported.
    """
    found = engines(extra_dirs)
    if name not in found:
        raise EngineError(f"no face engine {name!r}; there are: {', '.join(sorted(found))}", mend="correct models.engine")
    path = found[name]
    own = path.parent == _OWN
    module_name = f"matcher.engines.{name}" if own else f"suishoupai_engine_{name}"
    module = sys.modules.get(module_name)
    if module is None or module.__file__ != str(path):
        spec = importlib.util.spec_from_file_location(module_name, path)
        if spec is None or spec.loader is None:
            raise EngineError(f"engine file {path} cannot be imported")
        module = importlib.util.module_from_spec(spec)
        sys.modules[module_name] = module
        try:
            spec.loader.exec_module(module)
        except (ImportError, SyntaxError, NameError, AttributeError, TypeError, ValueError) as error:
            del sys.modules[module_name]
            raise EngineError(f"engine file {path} cannot be imported: {error!r}", mend="correct the file") from error
    opener: Opener = getattr(module, _FUNCTION)
    return opener


def _defines_opener(path: Path) -> bool:
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    except (OSError, SyntaxError, ValueError) as error:
        raise EngineError(f"engine file {path} is not readable as Python: {error}", mend="correct or remove the file") from error
    return any(isinstance(node, ast.FunctionDef) and node.name == _FUNCTION for node in tree.body)
