"""The tables, by family. Queries stand in the module of each noun; migrations/ brings a database to this shape.

Conventions: every ``*_at`` is an instant (UTC), every ``*_on`` a date. Enumerations are kept as their text values.
"""

from store.tables.alerts import agencies, alert_mentions, alerts, official_accounts, official_replies
from store.tables.cases import (
    case_changes,
    case_faces,
    case_photos,
    case_publications,
    cases,
    counters,
    family_picks,
    gallery_blocks,
)
from store.tables.columns import metadata
from store.tables.keeping import erasures, file_removals, removed_cases, secrets, tombstones
from store.tables.matching import (
    candidates,
    cohort_vectors,
    drift,
    lead_events,
    leads,
    rejections,
    review_checks,
    review_locks,
    review_votes,
    reviews,
    track_faces,
    tracks,
    tracks_apart,
)
from store.tables.people import audit_events, invitations, user_cases, user_sessions, users
from store.tables.photos import face_notes, face_scans, faces, media, photos, sightings
from store.tables.reading import bans, opt_outs, platform_states, posts, streams

__all__ = [
    "agencies",
    "alert_mentions",
    "alerts",
    "audit_events",
    "bans",
    "candidates",
    "case_changes",
    "case_faces",
    "case_photos",
    "case_publications",
    "cases",
    "cohort_vectors",
    "counters",
    "drift",
    "erasures",
    "face_notes",
    "face_scans",
    "faces",
    "family_picks",
    "file_removals",
    "gallery_blocks",
    "invitations",
    "lead_events",
    "leads",
    "media",
    "metadata",
    "official_accounts",
    "official_replies",
    "opt_outs",
    "photos",
    "platform_states",
    "posts",
    "rejections",
    "removed_cases",
    "review_checks",
    "review_locks",
    "review_votes",
    "reviews",
    "secrets",
    "sightings",
    "streams",
    "tombstones",
    "track_faces",
    "tracks",
    "tracks_apart",
    "user_cases",
    "user_sessions",
    "users",
]
