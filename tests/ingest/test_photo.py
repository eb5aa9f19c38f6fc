"""Reading photos: every format upright and in colour, nothing private in what is shown, and a process that may be lost."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image

from ingest._worker import Worker
from ingest.photo import Decoder, PhotoLimits, crop, encode, shrink, thumbnail
from store.errors import PhotoRefused, PhotoUnavailable
from store.model import Box

pillow_heif.register_heif_opener()
RED, GREEN, BLUE, YELLOW = (220, 30, 30), (30, 200, 30), (30, 30, 220), (230, 220, 30)


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    with Decoder() as shared:
        yield shared


def quarters(size: tuple[int, int] = (120, 80)) -> Image.Image:
    """Red and green above, blue and yellow below: an image that shows how it was turned."""
    image = Image.new("RGB", size)
    width, height = size
    for colour, box in (
        (RED, (0, 0, width // 2, height // 2)),
        (GREEN, (width // 2, 0, width, height // 2)),
        (BLUE, (0, height // 2, width // 2, height)),
        (YELLOW, (width // 2, height // 2, width, height)),
    ):
        image.paste(colour, box)
    return image


def saved(image: Image.Image, name: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, name, **options)
    return buffer.getvalue()


def corners(pixels: np.ndarray) -> list[tuple[int, ...]]:
    """The nearest of the four colours in the middle of each quarter: above left, above right, below left, below right."""
    height, width = pixels.shape[:2]
    found = []
    for y in (height // 4, height * 3 // 4):
        for x in (width // 4, width * 3 // 4):
            found.append(min((RED, GREEN, BLUE, YELLOW), key=lambda c: np.abs(pixels[y, x].astype(int) - c).sum()))
    return found


UPRIGHT = [RED, GREEN, BLUE, YELLOW]


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "GIF", "HEIF"])
def test_every_format_is_read(decoder: Decoder, name: str) -> None:
    """JPEG, PNG, WebP, GIF and HEIC give their size, hash and pixels."""
    data = saved(quarters(), name)
    photo, pixels = decoder.read(data)
    assert (photo.format, photo.width_px, photo.height_px, photo.size_bytes) == (name, 120, 80, len(data))
    assert photo.sha256 == hashlib.sha256(data).hexdigest()
    assert (pixels.shape, pixels.dtype) == ((80, 120, 3), np.uint8)
    assert corners(pixels) == UPRIGHT
    assert not photo.animated
    assert decoder.open(data) == photo
    assert np.array_equal(decoder.pixels(data), pixels)


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "HEIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_photos_are_turned_upright(decoder: Decoder, name: str, orientation: int) -> None:
    """All eight EXIF orientations come out upright, with the sizes of the upright photo."""
    undo = {
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }
    stored = quarters()
    for step in undo.get(orientation, []):
        stored = stored.transpose(step)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.info["exif"] = exif.tobytes()  # from here pillow_heif writes HEIF's own turn (irot, imir), which alone counts there
    photo, pixels = decoder.read(saved(stored, name, exif=exif.tobytes()))
    assert (photo.width_px, photo.height_px) == (120, 80)
    assert corners(pixels) == UPRIGHT


@pytest.mark.parametrize("mode", ["L", "1", "P", "LA", "RGBA", "CMYK", "I;16"])
def test_every_colour_mode_becomes_rgb(decoder: Decoder, mode: str) -> None:
    """Grey, bilevel, palette, alpha, CMYK and 16-bit photos become 8-bit RGB with the right brightness."""
    grey = Image.linear_gradient("L").resize((64, 64))
    if mode == "I;16":
        image = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    else:
        image = grey.convert("RGB").convert(mode) if mode in ("P", "CMYK") else grey.convert(mode)
    pixels = decoder.pixels(saved(image, "JPEG" if mode == "CMYK" else "PNG"))
    assert pixels.shape == (64, 64, 3)
    assert pixels[4].mean() < 60 < 190 < pixels[60].mean()


def test_transparency_becomes_white(decoder: Decoder) -> None:
    """What is transparent is shown white, as a viewer shows it, whatever colour hides beneath."""
    image = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    image.paste((200, 10, 10, 255), (0, 0, 20, 40))
    for data in (saved(image, "PNG"), saved(image, "WEBP", lossless=True), saved(image, "GIF")):
        pixels = decoder.pixels(data)
        assert np.abs(pixels[20, 10].astype(int) - (200, 10, 10)).max() < 30
        assert pixels[20, 30].tolist() == [255, 255, 255]


def test_a_phones_two_picture_jpeg_is_its_first_picture(decoder: Decoder) -> None:
    """Phones append a depth map or a second picture to a JPEG (MPO): the photo is the first, and does not count as moving."""
    data = saved(quarters(), "MPO", save_all=True, append_images=[Image.new("RGB", (60, 40))])
    photo, pixels = decoder.read(data)
    assert (photo.format, photo.width_px, photo.height_px, photo.animated) == ("JPEG", 120, 80, False)
    assert corners(pixels) == UPRIGHT


@pytest.mark.parametrize("name", ["GIF", "WEBP", "PNG"])
def test_animations_show_their_first_frame(decoder: Decoder, name: str) -> None:
    """Of an animation the first frame is read, and the photo says that it moves."""
    frames = [Image.new("RGB", (60, 40), RED), Image.new("RGB", (60, 40), BLUE)]
    photo, pixels = decoder.read(saved(frames[0], name, save_all=True, append_images=frames[1:], duration=100))
    assert photo.animated
    assert np.abs(pixels[20, 30].astype(int) - RED).max() < 12


def test_large_photos_are_shrunk(decoder: Decoder) -> None:
    """Longer sides than the limit are shrunk; the photo's facts keep the original size."""
    for name in ("JPEG", "PNG"):
        photo, pixels = decoder.read(saved(quarters((6000, 300)), name))
        assert (photo.width_px, photo.height_px) == (6000, 300)
        assert pixels.shape == (205, 4096, 3)
        assert corners(pixels) == UPRIGHT
    photo, pixels = decoder.read(saved(quarters((8000, 4000)), "JPEG"))  # shrunk by libjpeg, to a half, while it decodes
    assert (photo.width_px, photo.height_px) == (8000, 4000)
    assert pixels.shape == (2000, 4000, 3)
    assert corners(pixels) == UPRIGHT


def exif_of_a_phone() -> Image.Exif:
    exif = Image.Exif()
    exif[271], exif[272] = "Xiaomi", "Mi 2"
    exif.get_ifd(0x8769).update({36867: "2013:10:01 09:30:00", 36881: "+08:00", 37500: b"maker's secrets"})
    exif.get_ifd(0x8825).update({1: "N", 2: (30.0, 39.0, 30.6), 3: "E", 4: (104.0, 3.0, 48.0)})
    return exif


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP", "HEIF"])
def test_exif_is_read_from_every_format(decoder: Decoder, name: str) -> None:
    """Time, place and camera come out of the photo's own record."""
    exif = decoder.open(saved(quarters(), name, exif=exif_of_a_phone().tobytes())).exif
    assert exif.taken_at == datetime(2013, 10, 1, 1, 30, tzinfo=UTC)
    assert exif.camera == "Xiaomi Mi 2"
    assert exif.point is not None
    assert (exif.point.lat, exif.point.lon) == (pytest.approx(30.6585), pytest.approx(104.06333))
    assert exif.refused == ()


def test_zero_denominators_are_refused(decoder: Decoder) -> None:
    """A rational with denominator zero is no number; the photo stays usable."""
    exif = exif_of_a_phone()
    raw = exif.tobytes()
    seconds = (306).to_bytes(4, "big") + (10).to_bytes(4, "big")
    little = (153).to_bytes(4, "little") + (5).to_bytes(4, "little")
    broken = raw.replace(seconds, seconds[:4] + bytes(4)).replace(little, little[:4] + bytes(4))
    assert broken != raw
    photo = decoder.open(saved(quarters(), "JPEG", exif=broken))
    assert photo.exif.point is None
    assert "zero denominator" in photo.exif.refused[0]


def test_an_oversized_record_is_left_unread(decoder: Decoder) -> None:
    """A record larger than any camera writes is not parsed; the photo stays usable."""
    exif = exif_of_a_phone()
    exif[40000] = b"x" * 70_000
    photo = decoder.open(saved(quarters(), "PNG", exif=exif.tobytes()))
    assert (photo.exif.camera, photo.exif.point, photo.width_px) == ("", None, 120)


def test_what_is_shown_carries_the_picture_alone(decoder: Decoder) -> None:
    """The shown copy has no EXIF, profile, comment or trailing payload, and is upright by itself."""
    exif = exif_of_a_phone()
    exif[0x0112] = 6
    payload = b"<script>alert(1)</script>PK\x03\x04"
    stored = quarters().transpose(Image.Transpose.ROTATE_90)
    data = saved(stored, "JPEG", exif=exif, comment=b"secret comment", icc_profile=b"profile" * 40) + payload
    shown = decoder.strip(data)
    with Image.open(io.BytesIO(shown)) as image:
        assert (image.format, image.size) == ("JPEG", (120, 80))
        assert not image.getexif()
        assert not set(image.info) - {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
        assert corners(np.asarray(image)) == UPRIGHT
    for secret in (payload, b"Xiaomi", b"secret", b"profile", b"2013", b"script"):
        assert secret not in shown


def test_crops_stay_inside_the_photo() -> None:
    """A face's crop is widened by its margin, cut at the photo's edge, and a box outside is an error."""
    pixels = np.asarray(quarters())
    assert crop(pixels, Box(50, 30, 70, 50), margin=0.5).shape == (41, 41, 3)
    assert crop(pixels, Box(-10, -10, 20, 20), margin=1.0).shape == (51, 51, 3)
    for box in (Box(200, 10, 220, 30), Box(10, 10, 10, 30), Box(30, 10, 10, 30)):
        with pytest.raises(ValueError, match="outside"):
            crop(pixels, box)


def test_small_copies() -> None:
    """Thumbnails keep the shape of the photo; a photo that is small enough is left as it is."""
    pixels = np.asarray(quarters((1200, 800)))
    assert shrink(pixels, 300).shape == (200, 300, 3)
    assert shrink(pixels, 1200) is pixels
    with Image.open(io.BytesIO(thumbnail(pixels, 120))) as image:
        assert image.size == (120, 80)
    with Image.open(io.BytesIO(encode(pixels))) as image:
        assert image.size == (1200, 800)


def test_limits_are_named_when_they_refuse(decoder: Decoder) -> None:
    """Too many bytes, too many pixels and too small a photo are refused in words."""
    small = Decoder(replace(PhotoLimits(), max_bytes=100, max_pixels=5000))
    with small, pytest.raises(PhotoRefused, match="larger than 100 bytes"):
        small.open(saved(quarters(), "PNG") + bytes(100))
    with Decoder(replace(PhotoLimits(), max_pixels=5000)) as few, pytest.raises(PhotoRefused, match="120 x 80 is more than 5000"):
        few.open(saved(quarters(), "PNG"))
    with pytest.raises(PhotoRefused, match="too small"):
        decoder.open(saved(Image.new("RGB", (4, 400)), "PNG"))


# --- the process ------------------------------------------------------------------------------------------------


def pid_of(decoder: Decoder) -> int:
    pid = decoder.pids[0]
    assert pid is not None
    return pid


def test_a_lost_process_is_replaced() -> None:
    """When the process dies between two photos (killed by hand, by the system), the next photo is read all the same."""
    data = saved(quarters(), "PNG")
    with Decoder() as decoder:
        first = decoder.open(data)
        before = pid_of(decoder)
        os.kill(before, signal.SIGKILL)
        assert decoder.open(data) == first
        assert pid_of(decoder) != before


def test_a_process_does_its_share_and_goes() -> None:
    """After ``photos_per_process`` photos the process is replaced: nothing that leaks or was taken over lives for ever."""
    data = saved(quarters(), "PNG")
    with Decoder(replace(PhotoLimits(), photos_per_process=2)) as decoder:
        pids = []
        for _ in range(5):
            decoder.open(data)
            pids.append(pid_of(decoder))
    assert pids[0] == pids[1] != pids[2] == pids[3] != pids[4]


def test_the_process_ends_with_the_decoder() -> None:
    """Closing the decoder leaves no process behind."""
    with Decoder() as decoder:
        decoder.open(saved(quarters(), "PNG"))
        pid = pid_of(decoder)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_the_process_does_not_outlive_a_killed_bot() -> None:
    """When the bot itself is killed without warning, its decoder sees the connection end and goes."""
    code = (
        "import os, signal, sys; from ingest.photo import Decoder; d = Decoder(); d.open(sys.stdin.buffer.read())\n"
        "print(d.pids[0], flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    bot = subprocess.run([sys.executable, "-c", code], input=saved(quarters(), "PNG"), capture_output=True, timeout=100)
    assert bot.returncode == -signal.SIGKILL
    pid = int(bot.stdout)
    for _ in range(500):
        if not running(pid):
            break
        time.sleep(0.02)
    assert not running(pid)


def running(pid: int) -> bool:
    """Whether a process runs; one that has ended and waits for its new parent to notice does not."""
    try:
        os.kill(pid, 0)
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (ProcessLookupError, FileNotFoundError):
        return False


@pytest.mark.skipif(not Path("/proc/self/limits").exists(), reason="needs Linux's /proc")
def test_the_process_holds_no_secret_and_may_write_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bot's tokens are not in the process's environment, and its limits allow no file, no core dump, few descriptors."""
    monkeypatch.setenv("WEIBO_ACCESS_TOKEN", "SECRET-TOKEN")
    with Decoder() as decoder:
        decoder.open(saved(quarters(), "PNG"))
        folder = Path(f"/proc/{pid_of(decoder)}")
        assert b"SECRET-TOKEN" not in (folder / "environ").read_bytes()
        limits = (folder / "limits").read_text()
        descriptors = [os.readlink(entry) for entry in (folder / "fd").iterdir()]
    soft = {line[:25].strip(): line[25:].split()[0] for line in limits.splitlines()[1:]}
    assert soft["Max file size"] == soft["Max core file size"] == "0"
    assert int(soft["Max open files"]) <= 16
    assert int(soft["Max address space"]) > 0
    assert int(soft["Max cpu time"]) <= 30
    assert sum(name.startswith("socket:") for name in descriptors) == 1


def test_the_process_has_no_network() -> None:
    """Where the system allows it, the process sits in an empty network namespace of its own."""
    own = Path("/proc/self/ns/net")
    try:
        allowed = own.exists() and subprocess.run(["unshare", "-Un", "true"], capture_output=True).returncode == 0
    except FileNotFoundError:
        allowed = False
    if not allowed:
        pytest.skip("this system allows no network namespaces")
    with Decoder() as decoder:
        decoder.open(saved(quarters(), "PNG"))
        assert os.readlink(f"/proc/{pid_of(decoder)}/ns/net") != os.readlink(own)
        assert "eth" not in Path(f"/proc/{pid_of(decoder)}/net/dev").read_text()


def test_many_callers_share_the_processes() -> None:
    """Threads may use one decoder at once; each gets the answer to its own photo."""
    photos = [saved(Image.new("RGB", (20 + n, 30), RED), "PNG") for n in range(24)]
    widths: dict[int, int] = {}
    with Decoder(workers=2) as decoder:

        def work(numbers: range) -> None:
            for n in numbers:
                widths[n] = decoder.open(photos[n]).width_px

        threads = [threading.Thread(target=work, args=(range(start, 24, 4),)) for start in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(decoder.pids)) == 2
    assert widths == {n: 20 + n for n in range(24)}


LIAR = """
import json, os, signal, socket, sys, time
with open(__file__ + ".starts", "a") as starts:
    starts.write("x")
sock = socket.socket(fileno=0)
sock.sendall(b"ready")
def receive(size):
    data = b""
    while len(data) < size:
        part = sock.recv(size - len(data))
        if not part:
            sys.exit()
        data += part
    return data
while True:
    request = json.loads(receive(int.from_bytes(receive(4), "big")))
    behaviour = receive(request["size"])[3:].decode()
    kind, _, argument = behaviour.partition(" ")
    if kind == "die":
        os.kill(os.getpid(), getattr(signal, argument))
    if kind == "sleep":
        time.sleep(60)
    text = argument.encode()
    length = int(kind) if kind.isdigit() else len(text)
    sock.sendall(length.to_bytes(4, "big") + text)
"""


@pytest.fixture
def liar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    """A decoding process that has been taken over: it answers what the photo tells it to."""
    (tmp_path / "liar.py").write_text(LIAR)
    monkeypatch.setattr("ingest._worker._ROOT", tmp_path)
    worker = Worker(PhotoLimits(), module="liar")
    yield worker
    worker.stop()


FACTS = '"peak_bytes": 1, "format": "PNG", "width_px": 5, "height_px": 5, "phash": "8000000000000000", "exif": {}'


@pytest.mark.parametrize(
    "reply",
    [
        "say not json",
        "say []",
        "say null",
        'say {"size": 0}',
        "say " + "[" * 30000,
        '4000000000 {"size": 0}',
        'say {"size": 75, "shape": [5, 6], ' + FACTS + "}",
        'say {"size": -3, "shape": [-1, 1], ' + FACTS + "}",
        'say {"size": 1e999, "shape": [5, 5], ' + FACTS + "}",
        'say {"size": 300000000000, "shape": [100000, 1000000], ' + FACTS + "}",
        'say {"size": 75, "shape": "ab", ' + FACTS + "}",
        'say {"size": 0, "shape": [5, 5], ' + FACTS + "}",
    ],
)
def test_a_lying_process_is_refused(liar: Worker, reply: str) -> None:
    """Answers that are no JSON, of another size than they say, or absurd, refuse the photo; nothing is allocated for them."""
    with pytest.raises(PhotoRefused, match="no sense"):
        liar.ask(b"\xff\xd8\xff" + reply.encode(), ("pixels",))


@pytest.mark.parametrize(("how", "starts"), [("SIGSEGV", 2), ("SIGABRT", 2), ("SIGKILL", 2), ("SIGXCPU", 1)])
def test_a_photo_that_ends_the_process_is_refused(liar: Worker, tmp_path: Path, how: str, starts: int) -> None:
    """A photo on which two processes crash, or one spends its time, is refused with how it ended; the next photo is served."""
    with pytest.raises(PhotoRefused, match=how):
        liar.ask(b"\xff\xd8\xffdie " + how.encode(), ("facts",))
    assert len((tmp_path / "liar.py.starts").read_text()) == starts
    reply, raw = liar.ask(b'\xff\xd8\xffsay {"size": 0, "peak_bytes": 7}', ("facts",))
    assert (reply["size"], bytes(raw), liar.peak_bytes) == (0, b"", 7)


def test_no_answer_in_time_is_not_the_photos_fault(liar: Worker) -> None:
    """An answer that does not come in wall time (an overloaded machine) asks for another try; the process is replaced."""
    hasty = Worker(replace(PhotoLimits(), wall_s=0.3), module="liar")
    with pytest.raises(PhotoUnavailable, match="no answer"):
        hasty.ask(b"\xff\xd8\xffsleep ", ("facts",))
    assert hasty.pid is None


def test_a_process_that_does_not_start_says_why() -> None:
    """A broken installation shows its own last words, and the photo may be tried again."""
    worker = Worker(PhotoLimits(), module="no_such_module")
    with pytest.raises(PhotoUnavailable, match="no_such_module"):
        worker.ask(b"\xff\xd8\xff", ("facts",))


@pytest.mark.parametrize(
    "facts",
    [
        {"phash": "zz"},
        {"phash": None},
        {"format": "TIFF"},
        {"width_px": -1},
        {"width_px": 10**9, "height_px": 10**9},
        {"height_px": 1e999},
        {"exif": [1]},
        {"exif": None},
    ],
)
def test_facts_are_held_against_what_they_may_be(facts: dict[str, object]) -> None:
    """Facts of another kind than a photo can have refuse it, whoever reported them."""
    from ingest.photo import _photo

    good = {"format": "PNG", "width_px": 5, "height_px": 5, "phash": "8" * 16, "exif": {}, "animated": False}
    assert _photo(b"", good, PhotoLimits()).width_px == 5
    with pytest.raises(PhotoRefused, match="no sense"):
        _photo(b"", {**good, **facts}, PhotoLimits())
