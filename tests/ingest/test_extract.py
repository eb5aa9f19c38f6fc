"""Posts as JSON lines in, when and where as JSON lines out; and the figures over labelled posts."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.evaluate import Gold, evaluate, place_outcome, read_gold, time_outcome
from ingest.extract import Item, extract_line, read_item
from store.errors import BadInput
from store.model import Datum, When, Where

POSTED = "2011-02-16T21:00:00+08:00"
GOLD = Path(__file__).parents[3] / "shared" / "gold" / "place_time.jsonl"


def line(**fields: Any) -> str:
    return json.dumps({"id": 1, "text": "昨天下午在深圳罗湖火车站看到", "post_time": POSTED, **fields}, ensure_ascii=False)


def test_a_line_becomes_where_and_when() -> None:
    """The result carries every field of the form; place and time come with their evidence."""
    result = extract_line(line())
    assert list(result) == [
        "id", "adcode", "place", "alternatives", "certainty", "evidence",
        "seen_from", "seen_to", "grain", "time_certainty", "time_evidence",
    ]  # fmt: skip
    assert (result["id"], result["adcode"], result["grain"]) == (1, "440303", "part_of_day")
    assert result["seen_from"] == "2011-02-15T12:00:00+08:00"
    assert result["time_evidence"][0]["span"] == [0, 4]


def test_unknown_is_null() -> None:
    """What the post does not tell is null, not a guess."""
    result = extract_line(line(text="请大家转发"))
    assert [result[name] for name in ("adcode", "place", "seen_from", "seen_to", "grain")] == [None] * 5
    assert result["alternatives"] == []


def test_ambiguous_place_gives_alternatives_and_no_adcode() -> None:
    """Several open places are alternatives; none of them is the answer."""
    result = extract_line(line(text="朝阳区，小学门口，一个女孩在要饭"))
    assert result["adcode"] is None
    assert {"110105", "220104"} <= set(result["alternatives"])


def test_geo_exif_and_place_are_read() -> None:
    """A point, an EXIF time and a place annotation reach the resolvers with their datum."""
    item = read_item(
        line(
            geo={"type": "Point", "coordinates": [22.53, 114.12]},
            exif={"DateTimeOriginal": "2011:02:15 15:07:00", "GPSLatitude": [22, 32, 0], "GPSLatitudeRef": "N",
                  "GPSLongitude": [114, 7, 0], "GPSLongitudeRef": "E"},
            place={"name": "罗湖", "bbox": [114.0, 22.4, 114.2, 22.6], "kind": "city", "country_code": "CN"},
        )
    )  # fmt: skip
    assert item.point is not None
    assert item.point.datum is Datum.GCJ02
    assert item.exif.taken_at == datetime(2011, 2, 15, 7, 7, tzinfo=UTC)
    assert item.exif.point is not None
    assert item.exif.point.datum is Datum.WGS84
    assert item.place is not None
    assert item.place.bbox == (114.0, 22.4, 114.2, 22.6)


def test_the_shapes_of_x_are_read() -> None:
    """X gives points as [lon, lat] inside coordinates, and places with a full name and a box."""
    item = read_item(
        line(
            geo={"coordinates": {"type": "Point", "coordinates": [114.12, 22.53]}},
            place={"full_name": "深圳, 广东", "place_type": "city", "geo": {"bbox": [113.7, 22.4, 114.7, 22.9]}},
        )
    )
    assert item.point is not None
    assert (item.point.lat, item.point.lon, item.point.datum) == (22.53, 114.12, Datum.WGS84)
    assert item.place is not None
    assert (item.place.name, item.place.kind, item.place.bbox) == ("深圳, 广东", "city", (113.7, 22.4, 114.7, 22.9))


@pytest.mark.parametrize(
    ("bad", "word"),
    [
        ("", "no JSON"),
        ("[1]", "expected an object"),
        ("{" * 100_000, "no JSON"),
        (line(text=None), "text"),
        (line(id=None), "id"),
        (line(id=True), "id"),
        (line(post_time="yesterday"), "post_time"),
        (line(post_time=5), "post_time"),
        (line(geo="22,114"), "geo"),
        (line(geo={"lat": "x", "lon": 1}), "geo.lat"),
        (line(geo={"lat": float("nan"), "lon": 1}), "geo.lat"),
        (line(geo={"lat": 1, "lon": 999}), "geo.lon"),
        (line(geo={"lat": 1, "lon": 1, "datum": "bd09"}), "geo.datum"),
        (line(geo={"coordinates": [1]}), "geo.coordinates"),
        (line(geo={"coordinates": {"coordinates": 5}}), "geo.coordinates"),
        (line(place=5), "place"),
        (line(place={"bbox": [1, 2]}), "place.bbox"),
        (line(exif="2011"), "exif"),
        (line(exif={"taken_at": "no"}), "exif.taken_at"),
        (line(lang=5), "lang"),
    ],
)
def test_bad_lines_name_what_is_wrong(bad: str, word: str) -> None:
    """A line that cannot be read gives a clear error naming the field, and never a result."""
    with pytest.raises(BadInput, match=word.replace(".", r"\.")):
        read_item(bad)
    result = extract_line(bad)
    assert set(result) == {"id", "error", "mend"}


@given(st.text(max_size=200), st.sampled_from(["zh", "en", "ar", ""]))
@settings(max_examples=200, deadline=None)
def test_any_text_gives_a_result(text: str, lang: str) -> None:
    """No text makes the extractor raise; a result is always JSON."""
    result = extract_line(json.dumps({"id": "a", "text": text, "post_time": POSTED, "lang": lang}))
    assert "error" not in result
    json.dumps(result)


KEYS = st.sampled_from(["lat", "lon", "coordinates", "bbox", "point", "taken_at", "GPSLatitude", "name"])
SCALARS = st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5)


@given(st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner)))
@settings(max_examples=200, deadline=None)
def test_any_annotation_gives_a_result_or_a_clear_error(value: object) -> None:
    """Whatever stands in geo, place or exif, the line is read or refused with a reason."""
    for name in ("geo", "place", "exif"):
        result = extract_line(json.dumps({"id": 1, "text": "昨天", "post_time": POSTED, name: value}))
        assert "seen_from" in result or result["error"]


def gold(adcode: str | None = "440303", accept: tuple[str, ...] = (), time: datetime | None = None) -> Gold:
    return Gold(Item(1, "", datetime(2011, 2, 16, tzinfo=UTC)), adcode, accept, time, timedelta(minutes=30))


@pytest.mark.parametrize(
    ("expected", "accept", "answer", "outcome"),
    [
        ("440303", (), Where("440303"), "exact"),
        ("440303", ("440300",), Where("440300"), "accepted"),
        ("440303", (), Where("440300"), "prefecture"),
        ("440303", (), Where("440304"), "prefecture"),
        ("440303", (), Where("440103"), "wrong"),
        ("440303", (), Where(), "none"),
        ("440303", (), Where("440303", alternatives=("440303", "440304")), "none"),
        (None, (), Where(), "rightly none"),
        (None, (), Where(alternatives=("110105", "220104")), "rightly none"),
        (None, (), Where("110105"), "false alarm"),
        ("110105", (), Where("310101"), "wrong"),
    ],
)
def test_place_outcomes(expected: str | None, accept: tuple[str, ...], answer: Where, outcome: str) -> None:
    """Each answer falls into the outcome that its definition gives it."""
    assert place_outcome(gold(expected, accept), answer) == outcome


def test_time_outcomes() -> None:
    """The middle of the interval decides; any answer where none is expected is a false alarm."""
    noon = datetime(2011, 2, 15, 12, tzinfo=UTC)
    hour = timedelta(hours=1)
    assert time_outcome(gold(time=noon), When(noon - hour, noon + hour)) == "right"
    assert time_outcome(gold(time=noon), When(noon, noon + 2 * hour)) == "wrong"
    assert time_outcome(gold(time=noon), When()) == "none"
    assert time_outcome(gold(), When()) == "rightly none"
    assert time_outcome(gold(), When(None, noon)) == "false alarm"


def test_gold_file_errors_name_the_line(tmp_path: Path) -> None:
    """A labelled file with a bad line is refused with that line's number; an empty one too."""
    path = tmp_path / "gold.jsonl"
    path.write_text(line(adcode=None, time=None) + "\n" + line(), encoding="utf-8")
    with pytest.raises(BadInput, match="line 2"):
        read_gold(path)
    path.write_text("\n", encoding="utf-8")
    with pytest.raises(BadInput, match="no line"):
        read_gold(path)
    with pytest.raises(BadInput, match="not readable"):
        read_gold(tmp_path / "missing")


def test_misreadings_that_would_have_called_somebody_are_counted_apart() -> None:
    """Only a certain answer mentions officials: an open misreading harms nobody, a certain one is counted as misled."""

    def post(text: str, adcode: str | None) -> Gold:
        item = Item("1", text, datetime(2011, 2, 16, 3, tzinfo=UTC))
        return Gold(item, adcode, (), None, timedelta())

    sure, unsure = "昨天在广州天河城看到一个男孩乞讨", "听说可能在广州天河区，一个男孩乞讨"
    figures = evaluate([post(sure, None), post(unsure, None), post(sure, "440106"), post(sure, "310101")], rounds=1)
    assert figures.place["false alarm"] == 2
    assert figures.certain["false alarm"] == 1
    assert (figures.place["exact"], figures.certain["exact"]) == (1, 1)
    assert (figures.place["wrong"], figures.certain["wrong"]) == (1, 1)
    assert figures.misled == 2
    assert [miss.certain for miss in figures.misses if miss.what == "place"] == [True, False, True]


@pytest.mark.skipif(not GOLD.is_file(), reason="the labelled posts are not beside this checkout")
def test_gold_figures() -> None:
    """The measured figures hold: place right on at least 56 of 60 with at most one wrong or false, time on at least 49 of 51."""
    figures = evaluate(read_gold(GOLD), rounds=1)
    assert figures.place_right >= 56
    assert figures.place["wrong"] + figures.place["false alarm"] <= 1
    assert figures.time["right"] >= 49
    assert figures.time["false alarm"] == 0
    assert figures.misled == 0
    assert figures.texts_per_s > 0
