"""What of a photo's own record is believed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.exif import CHINA, read_exif
from store.model import Datum, GeoPoint

CHENGDU = {
    "GPSLatitude": [30.0, 39.0, 30.6],
    "GPSLatitudeRef": "N",
    "GPSLongitude": [104.0, 3.0, 48.0],
    "GPSLongitudeRef": "E",
}


def test_time_without_offset_is_chinas() -> None:
    """EXIF before 2.31 knows no offset: the time is read as +08:00."""
    exif = read_exif({"DateTimeOriginal": "2011:02:09 15:20:30", "Make": "Canon", "Model": "Canon EOS 5D"})
    assert exif.taken_at == datetime(2011, 2, 9, 7, 20, 30, tzinfo=UTC)
    assert exif.taken_at.utcoffset() == timedelta(hours=8)
    assert (exif.camera, exif.refused) == ("Canon EOS 5D", ())


@pytest.mark.parametrize(
    ("offset", "hours"), [("+09:00", 9), ("-05:30", -5.5), ("Z", 0), ("+0800", 8), ("   :  ", 8), ("", 8), ("-00:00", 0)]
)
def test_offsets(offset: str, hours: float) -> None:
    """A stated offset counts; a blank one means China's."""
    exif = read_exif({"DateTimeOriginal": "2024:05:01 12:00:00", "OffsetTimeOriginal": offset})
    assert exif.taken_at is not None
    assert exif.taken_at.utcoffset() == timedelta(hours=hours)
    assert exif.refused == ()


@pytest.mark.parametrize("offset", ["+99:00", "+08:75", "CST", "+14:01", "8"])
def test_impossible_offsets_fall_back_and_say_so(offset: str) -> None:
    """An offset that exists nowhere is replaced by +08:00, with the reason kept for a reviewer."""
    exif = read_exif({"DateTimeOriginal": "2024:05:01 12:00:00", "OffsetTimeOriginal": offset})
    assert exif.taken_at == datetime(2024, 5, 1, 12, tzinfo=CHINA)
    assert len(exif.refused) == 1
    assert "+08:00" in exif.refused[0]


@pytest.mark.parametrize(
    "text",
    [
        "0000:00:00 00:00:00",
        "0000:05:01 12:00:00",
        "2024:05:01 24:00:00",
        "2024:05:01 12:60:00",
        "2024:02:30 12:00:00",
        "2024:13:01 12:00:00",
        "1970:01:01 08:00:00",
        "1980:01:01 00:00:00",
        "2000:01:01 00:00:12",
        "2010:01:01 00:00:00",
        "9999:12:31 23:59:59",
        "yesterday",
        "2024-05-01",
        "２０２４:05:01 12:00:00",
    ],
)
def test_times_that_are_none(text: str) -> None:
    """Zeros, 24:00, dates outside the calendar and clocks that were never set are refused with a reason."""
    exif = read_exif({"DateTimeOriginal": text})
    assert exif.taken_at is None
    assert len(exif.refused) == 1
    assert text[:8] in exif.refused[0]


@pytest.mark.parametrize("blank", ["    :  :     :  :  ", "", "\x00", ": :"])
def test_blank_time_is_unknown_not_refused(blank: str) -> None:
    """EXIF writes an unknown time as blanks: nothing to report."""
    exif = read_exif({"DateTimeOriginal": blank})
    assert (exif.taken_at, exif.refused) == (None, ())


def test_digitising_stands_in_and_editing_does_not() -> None:
    """Without a time of exposure the time of digitising counts; the time of the last edit never does."""
    exif = read_exif({"DateTimeDigitized": "2024:05:01 12:00:00", "DateTime": "2025:05:01 12:00:00"})
    assert exif.taken_at == datetime(2024, 5, 1, 12, tzinfo=CHINA)
    assert read_exif({"DateTime": "2025:05:01 12:00:00"}).taken_at is None


def test_point_with_its_datum() -> None:
    """Degrees, minutes and seconds become degrees in WGS-84; GCJ-02 only where the photo names it."""
    point = read_exif(CHENGDU).point
    assert point is not None
    assert point == GeoPoint(pytest.approx(30.6585), pytest.approx(104.06333333), Datum.WGS84)
    gcj = read_exif({**CHENGDU, "GPSMapDatum": "GCJ-02"}).point
    assert gcj is not None
    assert gcj.datum is Datum.GCJ02
    south_west = read_exif({**CHENGDU, "GPSLatitudeRef": "S", "GPSLongitudeRef": "W"}).point
    assert south_west is not None
    assert south_west.lat < 0 > south_west.lon


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"GPSLatitude": [float("nan"), 0.0, 0.0]}, "zero denominator"),
        ({"GPSLatitude": [float("inf"), 0.0, 0.0]}, "zero denominator"),
        ({"GPSLatitude": [-30.0, 0.0, 0.0]}, "zero denominator"),
        ({"GPSLatitude": [30.0, 60.0, 0.0]}, "60 minutes"),
        ({"GPSLongitude": [104.0, 3.0, 60.0]}, "60 minutes"),
        ({"GPSLatitude": [90.0, 0.0, 0.1]}, "out of range"),
        ({"GPSLongitude": [180.0, 1.0, 0.0]}, "out of range"),
        ({"GPSLatitude": [0.0, 0.0, 0.0], "GPSLongitude": [0.0, 0.0, 0.0]}, "default"),
        ({"GPSLatitudeRef": ""}, "hemisphere"),
        ({"GPSLongitudeRef": "N"}, "hemisphere"),
        ({"GPSStatus": "V"}, "void"),
        ({"GPSMapDatum": "TOKYO"}, "datum"),
        ({"GPSLatitude": "30.65"}, "degrees"),
        ({"GPSLatitude": []}, "degrees"),
        ({"GPSLatitude": [30.0, 39.0, 30.6, 1.0]}, "degrees"),
        ({"GPSLatitude": ["30", 39.0, 30.6]}, "degrees"),
        ({"GPSLongitude": None}, "degrees"),
    ],
)
def test_points_that_are_none(change: dict[str, object], reason: str) -> None:
    """NaN, 60 minutes, values out of range, (0, 0), missing hemispheres and unknown datums are refused with a reason."""
    exif = read_exif({**CHENGDU, **change})
    assert exif.point is None
    assert len(exif.refused) == 1
    assert reason in exif.refused[0]


def test_camera_is_one_printable_line() -> None:
    """Control characters and bidi overrides in the camera's name do not reach a reviewer's page."""
    assert read_exif({"Make": "A\u202eB\r\n\x1b[2J", "Model": "x" * 300}).camera == ("AB[2J " + "x" * 300)[:80]


anything = st.one_of(
    st.none(),
    st.integers(),
    st.floats(),
    st.text(max_size=40),
    st.lists(st.floats() | st.integers() | st.text(max_size=3), max_size=5),
)
names = st.sampled_from(
    [
        *("DateTimeOriginal", "OffsetTimeOriginal", "DateTimeDigitized", "OffsetTimeDigitized", "Make", "Model"),
        *("GPSStatus", "GPSMapDatum", "GPSLatitude", "GPSLatitudeRef", "GPSLongitude", "GPSLongitudeRef"),
    ]
)


@settings(deadline=None)
@given(st.dictionaries(names, anything))
def test_no_record_breaks_the_reading(tags: dict[str, object]) -> None:
    """Whatever the decoder hands over, reading never raises, and what it believes is in range and aware."""
    exif = read_exif(tags)
    if exif.taken_at is not None:
        assert exif.taken_at.astimezone(UTC).year >= 1994
    if exif.point is not None:
        assert abs(exif.point.lat) <= 90
        assert abs(exif.point.lon) <= 180
