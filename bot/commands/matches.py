"""``matches``: candidates, for people to look at. Scores are shown as what they mean, never as a verdict."""

from __future__ import annotations

from typing import Annotated

import typer

from bot import priors
from bot.commands.common import DEFAULT_CONFIG, ConfigOption, JsonOption, acting, emit_json, reading, table, tell
from store import cases, faces, matches, posts, sightings
from store.matches import Candidate, CandidateState
from store.model import Band
from store.session import Tx

app = typer.Typer(no_args_is_help=True, help="Candidates: pairs of a photographed face and a case, with what the score means.")


@app.command("list", epilog="Example: suishoupai matches list --band high")
def list_(
    band: Annotated[Band | None, typer.Option(help="Only this band.")] = None,
    state: Annotated[CandidateState | None, typer.Option(help="Only what people decided so.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 50,
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Candidates, newest first."""
    with reading(config) as tx:
        shown = [_shown(tx, c) for c in matches.listing(tx, band=band, state=state, limit=limit)]
    if as_json:
        emit_json(shown)
        return
    table(
        "Candidates",
        ("number", "sightings", "case", "band", "strangers reach this", "state", "why"),
        ((c["number"], c["sightings"], c["case"], c["band"], c["strangers"], c["state"], c["why"]) for c in shown),
        empty="none: no face came near a verified case",
    )


@app.command(epilog="Example: suishoupai matches show 7")
def show(
    number: Annotated[int, typer.Argument(help="The candidate's number.")],
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """One candidate with everything known about the pair."""
    with acting(config, "match.viewed", "operator") as (tx, audited):
        candidate = matches.get(tx, number)
        values = _shown(tx, candidate)
        face = faces.get(tx, candidate.face_id)
        if face is not None:
            known = priors.of_pair(tx, cases.get(tx, candidate.case_id), face.photo_id, matches.cases_of_face(tx, face.id))
            values |= {"besides the face": " ".join(fact.words for fact in known) or "nothing is known"}
        audited(str(number))
    if face is not None:
        why = f": {face.quality_why}" if face.quality_why else ""
        values |= {"face": f"{face.box.width_px:.0f} px wide, {face.quality.value}{why}"}
    values |= {"rank": candidate.rank, "engine": candidate.pack_id, "calibration": candidate.calibration}
    if as_json:
        emit_json(values)
        return
    table(f"Candidate {number}", ("what", "value"), values.items())


@app.command(epilog="Example: suishoupai matches reject 7 --by reviewer-3 --why 'other ears'")
def reject(
    number: Annotated[int, typer.Argument(help="The candidate's number.")],
    by: Annotated[str, typer.Option("--by", help="Who decides; stands in the record.", envvar="SUISHOUPAI_USER")],
    why: Annotated[str, typer.Option(help="On what ground.")] = "",
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: JsonOption = False,
) -> None:
    """Say that this is another child. The pair stays rejected, also under another model."""
    with acting(config, "match.rejected", by) as (tx, audited):
        matches.reject(tx, number, by, why)
        audited(str(number), {"why": why})
        shown = _shown(tx, matches.get(tx, number))
    tell(f"candidate {number} is rejected for good", shown, as_json=as_json)


def _shown(tx: Tx, candidate: Candidate) -> dict[str, object]:
    rows = matches.posts_of(tx, candidate.id)
    refs = [s.ref for row in rows if (s := sightings.of_post(tx, row)) is not None]
    return {
        "number": candidate.id,
        "sightings": ", ".join(refs) or ", ".join(posts.get(tx, row).post_id for row in rows),
        "case": cases.get(tx, candidate.case_id).ref,
        "band": candidate.band.value,
        "strangers": "unknown" if candidate.one_in is None else f"about 1 in {candidate.one_in:,.0f} photos",
        "state": candidate.state.value + (f" by {candidate.state_by}" if candidate.state_by else ""),
        "why": candidate.why,
        "found_at": candidate.created_at,
    }
