"""Photos for chaos rounds, made from noise: each looks like no other, and its hue says who it shows."""

from __future__ import annotations

import colorsys
from io import BytesIO

import numpy as np
from PIL import Image

from bot.chaos.extension.engines.colours import PEOPLE

_SIDE_PX = 128
_BLOCKS = 8


def photo(person: int | None, seed: int) -> bytes:
    """A JPEG of ``person`` (0 to 11; None: nobody). Another ``seed`` gives a photo that no perceptual hash takes for this one."""
    noise = np.random.default_rng(seed)
    light = np.kron(noise.uniform(0.35, 1.0, (_BLOCKS, _BLOCKS)), np.ones((_SIDE_PX // _BLOCKS,) * 2))
    colour = colorsys.hsv_to_rgb(person / PEOPLE, 0.8, 1.0) if person is not None else (1.0, 1.0, 1.0)
    pixels = (light[:, :, None] * np.array(colour)[None, None, :] * 255).astype(np.uint8)
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


BROKEN = b"\xff\xd8\xff\xe0" + b"cut off" * 60
"""A JPEG's first bytes and nothing that decodes."""
