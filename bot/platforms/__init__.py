"""Platforms: one file = one platform = one config key.

A platform file defines three names; nothing else in the project ever mentions the platform:

* ``Settings``: a frozen pydantic model (a ``PlatformSettings``): the keys under ``platforms.<name>`` in config.yaml;
* ``SECRETS``: the environment variables it reads, each with one line of explanation (``{"WEIBO_ACCESS_TOKEN": "..."}``);
* ``build(settings, secrets, clock)``: returns a :class:`Platform`.

Recorded examples stand under ``tests/examples/<name>/``; without them the tests fail.
"""

from bot.platforms.base import Platform, PlatformSettings

__all__ = ["Platform", "PlatformSettings"]
