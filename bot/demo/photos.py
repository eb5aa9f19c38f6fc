"""Real photos for the demo, made at run time from those that the installed packages ship. None is kept in the project.

All people are adults and public figures whose photos scikit-image and insightface distribute as samples; they stand in for
cases (``Demo case A``), and nothing is said about them. ``people.csv`` says who is where in which file, ``renderings.csv`` how
each photo is made: another crop, tilt, light, size or compression of a face, so that a match is the engine's work.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from io import BytesIO
from math import hypot
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter

from store.errors import BadInput

_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Person:
    """Someone (or something) in a sample photo. ``box`` is (left, top, right, bottom) in its pixels."""

    key: str
    label: str
    registered: bool
    package: str
    file: str
    box: tuple[int, int, int, int]
    about: str


@dataclass(frozen=True, slots=True)
class DemoPhoto:
    """One photo. ``person`` is the key of the demo case it shows, None where it shows none that is registered (or several).

    ``data`` are the file's bytes, ``format`` its Pillow name, ``note`` what a spectator should know.
    """

    name: str
    person: str | None
    data: bytes
    is_case_photo: bool
    note: str
    format: str


def demo_people() -> dict[str, Person]:
    """Everyone in ``people.csv`` by key; those with ``registered`` are the demo's cases."""
    people = {}
    for row in _rows("people.csv"):
        box = (int(row["left"]), int(row["top"]), int(row["right"]), int(row["bottom"]))
        registered = row["registered"] == "yes"
        people[row["person"]] = Person(row["person"], row["label"], registered, row["package"], row["file"], box, row["about"])
    return people


def demo_photos() -> list[DemoPhoto]:
    """Make every photo of ``renderings.csv``, in its order; equal packages give equal bytes.

    Raises:
        BadInput: a package that ships a sample is not installed, or no longer ships it.
    """
    people = demo_people()
    photos = []
    for row in _rows("renderings.csv"):
        person = people[row["person"]]
        photos.append(
            DemoPhoto(
                name=row["name"],
                person=person.key if person.registered else None,
                data=_render(person, row),
                is_case_photo=row["use"] == "case",
                note=row["note"],
                format=row["format"],
            )
        )
    return photos


def _rows(name: str) -> list[dict[str, str]]:
    with (_HERE / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@lru_cache(maxsize=8)
def _sample(package: str, file: str) -> Image.Image:
    """Open a package's file without importing the package (insightface takes a second and a face engine)."""
    spec = find_spec(package)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    for folder in folders:
        path = Path(folder) / file
        if path.is_file():
            with Image.open(path) as image:
                return image.convert("RGB")
    raise BadInput(f"the sample photo {package}/{file} is missing", mend="Run ./run.sh demo, which installs the pinned packages.")


def _render(person: Person, row: Mapping[str, str]) -> bytes:
    """One rendering: turn around the face, cut out, mirror, shrink or enlarge, light, compress."""
    left, top, right, bottom = person.box
    side = max(right - left, bottom - top)
    half_w = (right - left) / 2 + float(row["widen"]) * side
    half_h = (bottom - top) / 2 + float(row["widen"]) * side
    shift_x, shift_y = float(row["shift_x"]) * side, float(row["shift_y"]) * side
    reach = int(hypot(half_w + abs(shift_x), half_h + abs(shift_y))) + 2
    face = ((left + right) // 2, (top + bottom) // 2)
    patch = _around(_sample(person.package, person.file), face, reach)
    patch = patch.rotate(float(row["angle"]), Image.Resampling.BICUBIC)
    x, y = reach + shift_x, reach + shift_y
    image = patch.crop((int(x - half_w), int(y - half_h), int(x + half_w), int(y + half_h)))
    if row["mirror"] == "yes":
        image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    scale = int(row["side_px"]) / max(image.size)
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
    return _encode(_lit(image, row), row)


def _around(image: Image.Image, middle: tuple[int, int], reach: int) -> Image.Image:
    """The square of ``reach`` px around ``middle``; beyond the photo, its blurred edge (a tight portrait can be turned)."""
    left, top = middle[0] - reach, middle[1] - reach
    right, bottom = middle[0] + reach, middle[1] + reach
    inside = (max(0, left), max(0, top), min(image.width, right), min(image.height, bottom))
    part = image.crop(inside)
    before, after = (inside[0] - left, inside[1] - top), (right - inside[2], bottom - inside[3])
    if not any((*before, *after)):
        return part
    wide = np.pad(np.asarray(part), ((before[1], after[1]), (before[0], after[0]), (0, 0)), mode="edge")
    ground = Image.fromarray(wide).filter(ImageFilter.GaussianBlur(max(4, reach / 24)))
    ground.paste(part, before)
    return ground


def _lit(image: Image.Image, row: Mapping[str, str]) -> Image.Image:
    """Other light: ``light`` scales brightness, ``warmth`` moves red against blue (of 255), ``blur_px`` is a radius."""
    image = ImageEnhance.Brightness(image).enhance(float(row["light"]))
    warmth = int(row["warmth"])
    if warmth:
        shifted = np.asarray(image).astype(np.int16) + np.array([warmth, 0, -warmth], dtype=np.int16)
        image = Image.fromarray(shifted.clip(0, 255).astype(np.uint8))
    blur = float(row["blur_px"])
    return image.filter(ImageFilter.GaussianBlur(blur)) if blur else image


def _encode(image: Image.Image, row: Mapping[str, str]) -> bytes:
    buffer = BytesIO()
    options = {"quality": int(row["quality"])} if int(row["quality"]) else {}
    image.save(buffer, row["format"], **options)
    return buffer.getvalue()
