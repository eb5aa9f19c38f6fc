"""What becomes of difficult photos, through the real decoder and the default engine: turned, mirrored, dark, blurred, drawn,
crowded, cut off; and of pictures that were made to match, or show the notice instead of a child."""

from __future__ import annotations

from io import BytesIO
from itertools import combinations

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from bot import casework
from bot.microblog.model import Side
from bot.settings import load_settings
from matcher.same_picture import SAME_PICTURE, likeness, standard
from store import alerts, matches
from store.cases import CaseFields
from store.errors import BadInput
from store.model import Band, FaceQuality, MessageKind


@pytest.fixture(scope="module")
def portrait(photos) -> Image.Image:
    """One adult public figure, from the front."""
    return Image.open(BytesIO(photos["case-a-1"].data)).convert("RGB")


@pytest.fixture(scope="module")
def see(engine_and_decoder):
    """The faces in a picture, by way of a file as a platform would deliver it."""
    engine, decoder = engine_and_decoder

    def faces(picture: Image.Image, form: str = "JPEG", **more):
        file = BytesIO()
        picture.save(file, form, **({"quality": 92} if form == "JPEG" else {}), **more)
        return engine.faces(decoder.pixels(file.getvalue()))

    return faces


def exif_turned(picture: Image.Image) -> tuple[Image.Image, dict]:
    """As a phone held sideways stores it: turned pixels, and a note how to turn them back."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return picture.transpose(Image.Transpose.ROTATE_90), {"exif": exif}


SAME = {
    "orientation from EXIF": lambda p: exif_turned(p),
    "greyscale": lambda p: (p.convert("L"), {}),
    "CMYK": lambda p: (p.convert("CMYK"), {}),
    "a quarter turn": lambda p: (p.transpose(Image.Transpose.ROTATE_90), {}),
    "upside down": lambda p: (p.transpose(Image.Transpose.ROTATE_180), {}),
    "mirrored": lambda p: (ImageOps.mirror(p), {}),
    "small": lambda p: (p.resize((160, 160)), {}),
    "huge": lambda p: (p.resize((4200, 4200), Image.Resampling.BICUBIC), {}),
}


@pytest.mark.parametrize("how", SAME)
def test_the_same_face_is_known_again(see, portrait, how):
    """However the file holds the picture, one good face is found and stays itself (cosine 0.75 and more)."""
    (before,) = see(portrait)
    picture, more = SAME[how](portrait)
    (after,) = see(picture, **more)
    assert after.quality is FaceQuality.GOOD
    assert float(before.vector @ after.vector) > 0.75


def night(picture: Image.Image) -> Image.Image:
    """A twentieth of the light, and the noise of a phone's sensor."""
    values = np.asarray(picture, np.float32) * 0.05 + np.random.default_rng(0).normal(0, 6, (*picture.size[::-1], 3))
    return Image.fromarray(values.clip(0, 255).astype(np.uint8))


def motion(picture: Image.Image, length_px: int = 45) -> Image.Image:
    """The camera moved sideways."""
    values = np.asarray(picture, np.float32)
    moved = np.mean([np.roll(values, shift, axis=1) for shift in range(-length_px // 2, length_px // 2)], axis=0)
    return Image.fromarray(moved.astype(np.uint8))


def at_the_border(picture: Image.Image) -> Image.Image:
    """Half of the face is outside the photo."""
    return picture.crop((0, 0, picture.width // 2, picture.height))


def cartoon(picture: Image.Image) -> Image.Image:
    """A drawn face."""
    made = Image.new("RGB", (400, 400), "white")
    draw = ImageDraw.Draw(made)
    draw.ellipse((80, 60, 320, 360), fill=(255, 220, 180), outline="black", width=5)
    for x in (150, 250):
        draw.ellipse((x - 25, 150, x + 25, 190), fill="white", outline="black", width=4)
        draw.ellipse((x - 8, 162, x + 8, 178), fill="black")
    draw.polygon([(200, 200), (185, 250), (215, 250)], fill=(230, 170, 140))
    draw.arc((150, 250, 250, 320), 20, 160, fill="red", width=8)
    return made


@pytest.mark.parametrize("spoil", [night, motion, at_the_border, cartoon], ids=lambda f: f.__name__)
def test_a_spoilt_face_raises_no_alert(see, portrait, spoil):
    """Night, motion blur, a face cut by the border, a drawing: no face, or one that is too poor to alert and says why; never
    a good face that is somebody else's."""
    (before,) = see(portrait)
    for face in see(spoil(portrait)):
        assert (face.quality is not FaceQuality.GOOD and face.quality_why) or float(before.vector @ face.vector) > 0.6


def test_a_photo_of_two_hundred_faces_is_read_whole(see, portrait):
    """A school's yard: (nearly) every one of 200 faces is found, the largest first, each with a vector of its own."""
    tile = portrait.resize((110, 110), Image.Resampling.LANCZOS).filter(ImageFilter.SHARPEN)
    yard = Image.new("RGB", (20 * 110, 10 * 110))
    for number in range(200):
        yard.paste(tile, (110 * (number % 20), 110 * (number // 20)))
    found = see(yard)
    assert len(found) >= 190
    sizes = [face.box.width_px * face.box.height_px for face in found]
    assert sizes == sorted(sizes, reverse=True)


def test_a_copy_of_the_notice_is_marked_and_calls_nobody(tools, loaded, microblog, portrait):
    """The case photo itself, smaller and compressed anew as a poster's photo is passed on: a candidate for people that says
    what it is; no official is mentioned for it."""
    copy = BytesIO()
    portrait.resize((300, 300), Image.Resampling.LANCZOS).save(copy, "JPEG", quality=60)
    with tools.opened(loaded) as bot:
        tools.register(bot)
        tools.enrol_luohu(bot, microblog)
        text = f"#{tools.tag}# 刚刚在深圳市罗湖区东门老街 @随手拍助手"
        microblog.world.add_post(Side.WEIBO, "anna", text, photos=[copy.getvalue()], geo=(22.5462, 114.1195))
        tools.settle(bot)
        with bot.store.read() as tx:
            (found,) = matches.listing(tx)
            said = alerts.listing(tx, platform="weibo")
    assert found.band is Band.REVIEW
    assert found.why.startswith("the case photo itself")
    assert all(message.kind is not MessageKind.ALERT for message in said)


@pytest.mark.parametrize("alert", [False, True])
def test_a_poster_within_a_scene_is_marked_and_calls_nobody(tools, settings_file, microblog, portrait, alert: bool):
    """The case photo printed, hung up askew and photographed from across the street: the picture as a whole resembles nothing
    that is stored, and the face is still known for the case photo's own. Only where the settings say so it alerts."""
    loaded = load_settings(
        settings_file(microblog, {"matching": {"pictures_alert": alert}}), environ=tools.environment(microblog)
    )
    with tools.opened(loaded) as bot:
        tools.register(bot)
        tools.enrol_luohu(bot, microblog)
        text = f"#{tools.tag}# 刚刚在深圳市罗湖区东门老街 @随手拍助手"
        microblog.world.add_post(Side.WEIBO, "anna", text, photos=[poster(portrait)], geo=(22.5462, 114.1195))
        tools.settle(bot)
        with bot.store.read() as tx:
            (found,) = matches.listing(tx)
            said = alerts.listing(tx, platform="weibo")
    assert found.band is (Band.HIGH if alert else Band.REVIEW)
    assert found.why.startswith("the case photo itself") is not alert
    assert any(message.kind is MessageKind.ALERT for message in said) is alert


def poster(portrait: Image.Image) -> bytes:
    """The portrait on a wall, bent, lit from one side, out of focus, compressed."""
    height, width = 720, 960
    wall = np.random.default_rng(0).integers(60, 200, (height // 40, width // 40, 3)).astype(np.uint8)
    scene = cv2.resize(wall, (width, height), interpolation=cv2.INTER_CUBIC)
    corners = np.array([[300, 150], [585, 175], [570, 520], [285, 490]], np.float32)
    own = np.array([[0, 0], [portrait.width, 0], [portrait.width, portrait.height], [0, portrait.height]], np.float32)
    bent = cv2.getPerspectiveTransform(own, corners)
    printed = cv2.warpPerspective(np.asarray(portrait), bent, (width, height), flags=cv2.INTER_AREA)
    where = cv2.warpPerspective(np.full((portrait.height, portrait.width), 255, np.uint8), bent, (width, height)) > 127
    scene[where] = printed[where]
    lit = cv2.GaussianBlur(scene, (0, 0), 0.8) * np.linspace(0.6, 1.1, width)[None, :, None] + 10
    file = BytesIO()
    Image.fromarray(lit.clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=70)
    return file.getvalue()


def test_faces_of_different_pictures_are_not_one_picture(see, photos):
    """Different people in the same pose and light: nowhere near the bound; the same photograph, mirrored or not, is beyond it."""
    faces = {}
    for name in ("case-a-1", "case-b-1", "q-1", "r-1", "s-1"):
        picture = Image.open(BytesIO(photos[name].data)).convert("RGB")
        for view, shown in ((name, picture), (f"{name} mirrored", ImageOps.mirror(picture))):
            faces[view] = standard(np.asarray(shown), see(shown)[0].landmarks)
    for one, other in combinations(faces, 2):
        same = one.split()[0] == other.split()[0]
        assert (likeness(faces[one], faces[other]) >= SAME_PICTURE) is same, (one, other)


def test_a_weak_case_photo_is_taken_and_a_better_one_asked_for(tools, loaded, portrait):
    """A face 28 px wide can be registered, and the registrant hears why it is weak and what a better photo needs; a good one
    is taken without a word, a tiny one refused with the same advice."""

    def given(side_px: int) -> casework.CasePhotoInput:
        file = BytesIO()
        portrait.resize((side_px, side_px), Image.Resampling.LANCZOS).save(file, "PNG")
        return casework.CasePhotoInput(f"{side_px}.png", file.getvalue())

    with tools.opened(loaded) as bot:
        desk = casework.Desk(bot.store, bot.files, bot.decoder, bot.faces)
        width = bot.faces.engine.faces(np.asarray(portrait))[0].box.width_px / portrait.width
        good = casework.register(desk, CaseFields(name="Demo case A"), [given(300)], by="clerk")
        weak = casework.register(desk, CaseFields(name="Demo case B"), [given(round(28 / width))], by="clerk")
        assert casework.weak_photos(desk, good.id) == []
        (said,) = casework.weak_photos(desk, weak.id)
        assert "32 wanted" in said
        assert casework.PHOTO_ADVICE in said
        with pytest.raises(BadInput, match="too small") as refused:
            casework.register(desk, CaseFields(name="Demo case C"), [given(round(15 / width))], by="clerk")
        assert refused.value.mend == casework.PHOTO_ADVICE
