"""``tracks``: one unknown child over days and cities. People split and merge; what they say stands."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from bot.commands.common import DEFAULT_CONFIG, ConfigOption, JsonOption, acting, emit_json, reading, table, tell
from store import faces, media, recognition, sightings
from store.errors import BadInput
from store.session import Tx

app = typer.Typer(no_args_is_help=True, help="Sightings of one unknown child, linked over days and cities.")

ByOption = Annotated[str, typer.Option("--by", help="Who decides; stands in the record.", envvar="SUISHOUPAI_USER")]
WhyOption = Annotated[str, typer.Option("--why", help="On what ground.")]


@app.command("list", epilog="Example: suishoupai tracks list")
def list_(
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 50,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Tracks with at least two faces, the longest first."""
    with reading(config) as tx:
        shown = [_shown(tx, number) for number in recognition.longest(tx, limit)]
    if as_json:
        emit_json(shown)
        return
    rows = ((t["track"], t["faces"], len(t["sightings"]), " -> ".join(s["place"] for s in t["sightings"])) for t in shown)
    table("Tracks", ("track", "faces", "sightings", "trajectory"), rows, empty="no child was seen twice yet")


@app.command(epilog="Example: suishoupai tracks show T-4F7K")
def show(
    ref: Annotated[str, typer.Argument(help="The track's reference.")],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """One track: its sightings by time."""
    with acting(config, "track.viewed", "operator") as (tx, audited):
        track = recognition.track(tx, ref)
        values = _shown(tx, track.id)
        audited(track.ref)
    if as_json:
        emit_json(values)
        return
    rows = ((s["sighting"], s["place"], s["seen_from"], s["seen_to"], s["state"]) for s in values["sightings"])
    table(f"Track {values['track']}", ("sighting", "place", "seen from", "to", "state"), rows)


@app.command(epilog="Example: suishoupai tracks split T-4F7K S-9X2M --by lead --why 'other ears'")
def split(
    ref: Annotated[str, typer.Argument(help="The track's reference.")],
    sighting: Annotated[str, typer.Argument(help="The sighting that shows another child.")],
    by: ByOption = "",
    why: WhyOption = "",
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Say that a sighting on this track shows another child; the bot never joins them again."""
    with acting(config, "track.split", by) as (tx, audited):
        track = recognition.track(tx, ref)
        on_it = [face for face in _faces_of(tx, sighting) if face in track.faces]
        if not on_it:
            raise BadInput(f"{sighting} shows no face of {track.ref}", mend=f"suishoupai tracks show {track.ref}")
        for face in on_it:
            recognition.split(tx, face, by=by, why=why)
        audited(track.ref, {"sighting": sighting, "why": why})
    words = f"{sighting} is no longer on {ref}; a running bot takes it up at its next start"
    tell(words, {"track": ref, "split": sighting}, as_json=as_json)


@app.command(epilog="Example: suishoupai tracks merge T-4F7K T-9X2M --by lead --why 'same scar'")
def merge(
    keep: Annotated[str, typer.Argument(help="The track that stays.")],
    other: Annotated[str, typer.Argument(help="The track that is joined to it.")],
    by: ByOption = "",
    why: WhyOption = "",
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Say that two tracks are one child."""
    with acting(config, "track.merged", by) as (tx, audited):
        ours, theirs = recognition.track(tx, keep), recognition.track(tx, other)
        recognition.merge(tx, ours.id, theirs.id, by=by, why=why)
        audited(ours.ref, {"other": theirs.ref, "why": why})
    words = f"{other} is now part of {keep}; a running bot takes it up at its next start"
    tell(words, {"track": keep, "merged": other}, as_json=as_json)


def _faces_of(tx: Tx, sighting: str) -> list[int]:
    photo_ids = [m.photo_id for m in media.of_post(tx, sightings.get(tx, sighting).post_id) if m.photo_id is not None]
    return [face.id for photo_id in photo_ids for face in faces.faces_of_photo(tx, photo_id)]


def _shown(tx: Tx, number: int) -> dict[str, Any]:
    track = recognition.track(tx, number)
    seen = [sightings.get(tx, row) for row in recognition.sightings_on(tx, number)]
    return {
        "track": track.ref,
        "faces": len(track.faces),
        "sightings": [
            {
                "sighting": s.ref,
                "place": s.where.place or "unknown",
                "seen_from": s.when.seen_from.isoformat() if s.when.seen_from else "",
                "seen_to": s.when.seen_to.isoformat() if s.when.seen_to else "",
                "state": s.state.value,
            }
            for s in seen
        ],
    }
